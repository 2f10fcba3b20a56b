"""The sizes for which a network is built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network's input, after alignment and decimation, and of its output.

    Parameters
    ----------
    bands, channels, samples : int
        A network is called with a tensor of shape (n_windows, bands, channels, samples).
    classes : int
    rate_hz : float
        Of these samples.
    """

    bands: int
    channels: int
    samples: int
    classes: int
    rate_hz: float

    @property
    def rows(self) -> int:
        """Bands times channels: what a network sees that takes bands for more channels."""
        return self.bands * self.channels

    def length(self, seconds: float) -> int:
        """Samples that a kernel or a pool of this length has: at least one, and never more than there are.

        Papers give lengths in samples of their own rate; a network is built for any.

        Parameters
        ----------
        seconds : float
            Length that a paper gives.

        Examples
        --------
        >>> Shape(1, 3, 250, 2, 125.0).length(0.5)
        62
        """
        return max(1, min(round(seconds * self.rate_hz), self.samples))
