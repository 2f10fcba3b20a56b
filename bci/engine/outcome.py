"""The result of the engine at each point of the window grid."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.control.decoder import VelocityEstimate

MASK_BITS = 32
FILLED = "filled"
FIXED_FIELDS = ("segment", "index", "consumed", "stamp", "crc", "reason", "decision", "bridged")


class Reason(IntEnum):
    """Why an outcome contains no decision. The values are part of the stream format; never renumber them."""

    DECIDED = 0
    IDLE = 1
    """Evidence below threshold, or dwell and refractory not over."""
    REFILL = 2
    """The window does not hold enough samples yet, or the filters still settle."""
    BRIDGED = 3
    """More than 5 % of the window was interpolated."""
    NONFINITE = 4
    """The window holds a value that is no number, or beyond any amplifier's range."""
    QUALITY = 5
    """Too many, or too important, channels are bad."""
    DECODER = 6
    """The decoder broke its contract (raised, wrong shape, not finite, not a distribution)."""
    SKIPPED = 7
    """The engine was late; only the newest window was decoded."""
    FROZEN = 8
    """Decoding is switched off for now (blanking, calibration, pause)."""
    STALE = 9
    """The newest sample is too old to act on. Said by the live loop of a decision, never by an outcome."""
    LOST = 10
    """The stream has gone silent or away. Said by the live loop of a decision, never by an outcome."""
    OPENING = 11
    """The unit of the first samples is still being looked at. Said by the live loop of a decision, never by an outcome."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result for the window that ends with sample ``index``.

    Everything here is a function of samples, model and ordered inputs, so a replay reproduces it.

    Parameters
    ----------
    segment, index : int
        Where in the stream the newest sample of the window is.
    consumed : int
        Raw samples consumed by the engine up to and including the newest one.
    stamp : float
        Raw stamp of the newest sample, seconds on the sender's clock.
    crc : int
        CRC-32 chained over the values of every raw sample so far, exclusive-or that over their stamps.
    reason : Reason
    decision : int
        Class index, or -1.
    bridged : int
        Interpolated samples in the window.
    mask : int
        Bit i is set while channel i of the decoder is bad.
    probabilities : ndarray, shape (n_classes,)
        Of this window alone; NaN where it was not decoded.
    evidence : ndarray, shape (n_classes,)
        After smoothing over windows; what the threshold is compared with.
    filled : int or None
        Samples that the window held, where the model decodes windows of which losses took a part.
    velocity : VelocityEstimate or None
        Where the decoder steers; not in ``row``, it has a stream of its own (``steered``).
    """

    segment: int
    index: int
    consumed: int
    stamp: float
    crc: int
    reason: Reason
    decision: int
    bridged: int
    mask: int
    probabilities: FloatArray
    evidence: FloatArray
    velocity: VelocityEstimate | None = None
    filled: int | None = None

    def row(self, n_channels: int) -> FloatArray:
        """Return the outcome as the float64 row that is sent (see :func:`bci.engine.outcome.fields`).

        Parameters
        ----------
        n_channels : int
            Of the decoder.
        """
        words = (n_channels + MASK_BITS - 1) // MASK_BITS
        mask = [(self.mask >> (MASK_BITS * i)) & 0xFFFFFFFF for i in range(words)]
        head = (self.segment, self.index, self.consumed, self.stamp, self.crc, self.reason, self.decision, self.bridged)
        filled = () if self.filled is None else (np.array([self.filled], dtype=np.float64),)
        return np.concatenate((np.array((*head, *mask), dtype=np.float64), self.probabilities, self.evidence, *filled))

    def steered(self, velocity: VelocityEstimate, expiry: float) -> FloatArray:
        """Return the velocity of this window as the float64 row that is sent (see :func:`bci.engine.outcome.velocity_fields`).

        Parameters
        ----------
        velocity : VelocityEstimate
        expiry : float
            Time after which it must not move anything, seconds on the sender's clock; no part of what a replay compares.
        """
        head = np.array((expiry, self.segment, self.index, self.reason), dtype=np.float64)
        return np.concatenate((head, velocity.mean, velocity.deviation))


def velocity_fields(n_dims: int) -> tuple[str, ...]:
    """Column names of :meth:`bci.engine.outcome.Outcome.steered`.

    Parameters
    ----------
    n_dims : int
        Dimensions of the velocity.

    Examples
    --------
    >>> velocity_fields(1)
    ('expiry', 'segment', 'index', 'reason', 'v:x', 'sd:x')
    """
    axes = "xyz"[:n_dims]
    return ("expiry", "segment", "index", "reason", *(f"v:{a}" for a in axes), *(f"sd:{a}" for a in axes))


def fields(n_channels: int, classes: tuple[str, ...], partly: bool = False) -> tuple[str, ...]:
    """Column names of :meth:`bci.engine.outcome.Outcome.row`.

    Parameters
    ----------
    n_channels : int
        Of the decoder.
    classes : tuple of str
        In the order of the probabilities.
    partly : bool
        Whether the model decodes windows of which losses took a part: one column more.

    Examples
    --------
    >>> fields(2, ("left", "right"))[-5:]
    ('mask0', 'p:left', 'p:right', 'evidence:left', 'evidence:right')
    """
    words = (n_channels + MASK_BITS - 1) // MASK_BITS
    mask = tuple(f"mask{i}" for i in range(words))
    filled = (FILLED,) if partly else ()
    return (*FIXED_FIELDS, *mask, *(f"p:{c}" for c in classes), *(f"evidence:{c}" for c in classes), *filled)
