"""The contract of a decoder of velocity, and what steers with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.control.dynamics import Dynamics
from bci.engine.control.filter import VelocityFilter
from bci.engine.control.information import Information


@runtime_checkable
class VelocityDecoder(Protocol):
    """What a kernel has in addition if it decodes a velocity.

    Attributes
    ----------
    dynamics : Dynamics
        Of the intended velocity, a step being one window of the grid.
    gain : float
        From the belief's mean to the velocity that is sent: with it, that has had a root mean square of one in training.
    """

    dynamics: Dynamics
    gain: float

    def observe(self, window: FloatArray) -> Information | None:
        """Return what a window shows about the velocity; None if the window has no covariance. Keeps no state.

        Parameters
        ----------
        window : ndarray
            As the kernel takes it: scatter matrices or samples.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class VelocityEstimate:
    """The velocity after one window.

    Parameters
    ----------
    mean : ndarray, shape (n_dims,)
        To the right, then downwards; one is the usual speed. Zero where the window was not decoded.
    deviation : ndarray, shape (n_dims,)
        Standard deviation of the belief, in the same unit.
    """

    mean: FloatArray
    deviation: FloatArray


class VelocityTracker:
    """Follows the velocity along the window grid.

    A window that is not decoded moves nothing; the belief fades meanwhile, and begins anew in a new segment or after a gap.

    Parameters
    ----------
    decoder : VelocityDecoder
    """

    def __init__(self, decoder: VelocityDecoder) -> None:
        self._decoder = decoder
        self._filter = VelocityFilter(decoder.dynamics)
        self._still: FloatArray = np.zeros(decoder.dynamics.n_dims)

    def restart(self) -> None:
        """Forget the past: the next window does not follow the last one."""
        self._filter.restart()

    def __call__(self, window: FloatArray | None, *, keep: bool = False) -> VelocityEstimate:
        """One window on.

        Parameters
        ----------
        window : ndarray or None
            As the kernel takes it; None where it is not decoded.
        keep : bool
            Whether to go on at the expected velocity where it is not: a window was skipped, and the next ones are good.
        """
        return self.follow(None if window is None else self._decoder.observe(window), keep=keep)

    def follow(self, observed: Information | None, *, keep: bool = False) -> VelocityEstimate:
        """Do the same as a call, but with the kernel's observation instead of the window.

        Parameters
        ----------
        observed : Information or None
            None where the window says nothing.
        keep : bool
            Whether to go on at the expected velocity where the window says nothing.
        """
        self._filter.step(observed)
        gain = self._decoder.gain
        moving = observed is not None or keep
        mean = gain * self._filter.mean if moving else self._still
        return VelocityEstimate(mean, gain * np.sqrt(np.diagonal(self._filter.covariance)))
