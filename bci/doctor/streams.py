"""What was seen of one stream while it was listened to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.stream.metadata import channel_type

Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class DeclaredChannel:
    """A channel as the sender declares it, nothing corrected; empty where it says nothing."""

    label: str = ""
    type: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream.

    Parameters
    ----------
    name, type, source_id, host, uid, channel_format : str
    rate_hz : float
        Declared.
    n_channels : int
    channels : tuple of DeclaredChannel
        Those that the header describes; their number may differ from ``n_channels``.
    error : str
        Why it could not be read; empty where it could.
    listened_s : float
    values : ndarray, shape (n_samples, n_channels)
        As sent; empty for text.
    stamps : ndarray, shape (n_samples,)
        Raw.
    arrivals : tuple of (float, int)
        Time on this machine's LSL clock, and samples that came.
    offset_s : float or None
        This machine's LSL clock minus the sender's; None where the sender did not answer.
    unix_offset_s : float
        This machine's calendar clock (seconds since 1970) minus its LSL clock.
    here : bool
        Whether it is sent from this machine.
    """

    name: str
    type: str = "EEG"
    source_id: str = "id"
    host: str = "here"
    uid: str = ""
    channel_format: str = "float32"
    rate_hz: float = 250.0
    n_channels: int = 1
    channels: tuple[DeclaredChannel, ...] = ()
    error: str = ""
    listened_s: float = 0.0
    values: Values = field(default_factory=lambda: np.empty((0, 0)))
    stamps: FloatArray = field(default_factory=lambda: np.empty(0))
    arrivals: tuple[tuple[float, int], ...] = ()
    offset_s: float | None = 0.0
    unix_offset_s: float = 0.0
    here: bool = True

    @property
    def regular(self) -> bool:
        """Whether it is sampled at a rate."""
        return self.rate_hz > 0 and self.channel_format != "string"

    @property
    def title(self) -> str:
        """Its name, for messages."""
        return f"stream {self.name!r}" + ("" if self.here else f" on {self.host!r}")

    def label(self, i: int) -> str:
        """Name of channel ``i``.

        Parameters
        ----------
        i : int
            Counted from 0.
        """
        return (self.channels[i].label if i < len(self.channels) else "") or f"channel {i + 1}"

    def declared_type(self, i: int) -> str:
        """Declared type of channel ``i``, that of the stream where it has none.

        Parameters
        ----------
        i : int
            Counted from 0.
        """
        return (self.channels[i].type if i < len(self.channels) else "") or self.type

    def eeg(self) -> list[int]:
        """Channels that declare to be EEG."""
        return [i for i in range(self.n_channels) if self.declared_type(i).upper() == "EEG"]

    def brain(self) -> list[int]:
        """Channels that declare to be EEG and are not something else by their label."""
        return [i for i in self.eeg() if channel_type(self.label(i), "EEG") == "EEG"]
