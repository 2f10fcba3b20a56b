"""Positions of electrodes on a flat head, and interpolation between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo

CENTRE_M = (0.0, 0.015, 0.04)
"""Centre of the head in head coordinates: that of the sphere which fits 10-05 electrodes."""
RIM = np.pi / 2
GRID = 64


def flat_places(info: StreamInfo) -> tuple[list[int], FloatArray]:
    """Return the positions of electrodes on a disc, seen from above, nose up.

    Azimuthal equidistant projection: distance from the middle is the angle from the vertex; 1 is the head's rim, the
    height of Fpz, T7 and Oz.

    Parameters
    ----------
    info : StreamInfo

    Returns
    -------
    columns : list of int
        EEG channels that have a position.
    places : ndarray, shape (n_columns, 2)
        x to the right, y to the front.
    """
    columns = [i for i, c in enumerate(info.channels) if c.type == "EEG" and c.position is not None]
    if not columns:
        return [], np.empty((0, 2))
    ways = np.array([info.channels[i].position for i in columns], dtype=float) - np.array(CENTRE_M)
    length = np.maximum(np.linalg.norm(ways, axis=1), 1e-9)
    angle = np.arccos(np.clip(ways[:, 2] / length, -1, 1))
    across = np.maximum(np.hypot(ways[:, 0], ways[:, 1]), 1e-9)
    return columns, ways[:, :2] / across[:, None] * (angle / RIM)[:, None] * 0.92


class ScalpMap:
    """Values at electrodes, spread over the head by thin-plate splines.

    The spline is linear in the values, so everything but one matrix product is done once for a montage.

    Parameters
    ----------
    places : ndarray, shape (n_electrodes, 2)
        As :func:`flat_places` gives them; at least three, not on a line.
    grid : int
        Pixels across the head.
    reach : float
        Nothing is shown further than this from the nearest electrode: a spline knows nothing there.
    """

    def __init__(self, places: FloatArray, grid: int = GRID, reach: float = 0.3) -> None:
        self.grid = grid
        axis = np.linspace(-1.05, 1.05, grid)
        x, y = np.meshgrid(axis, -axis)
        nearest = np.min(np.hypot(x[..., None] - places[:, 0], y[..., None] - places[:, 1]), axis=2)
        self._inside: npt.NDArray[np.bool_] = (np.hypot(x, y) <= 1.05) & (nearest <= reach)
        at = np.column_stack((x[self._inside], y[self._inside]))
        n = len(places)
        neighbours = None if n <= 64 else 32
        self._weights: FloatArray = RBFInterpolator(places, np.eye(n), neighbors=neighbours, smoothing=1e-3)(at)

    def __call__(self, values: FloatArray) -> FloatArray:
        """Values at all pixels, shape (grid, grid), first row at the front; NaN outside the head."""
        out = np.full((self.grid, self.grid), np.nan)
        out[self._inside] = self._weights @ values
        return out


def can_spread(places: FloatArray) -> bool:
    """Return whether there are enough electrodes at different positions that are not on one line.

    Parameters
    ----------
    places : ndarray
        x to the right and y to the front, 1 at the rim of the head.
    """
    if len(np.unique(places.round(4), axis=0)) < max(4, len(places)):
        return False
    return bool(np.linalg.matrix_rank(places - places.mean(axis=0), tol=1e-3) == 2)
