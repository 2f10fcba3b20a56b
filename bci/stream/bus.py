"""What a session needs of whatever carries its streams: LSL, or queues inside one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.command import Command
from bci.engine.stream_info import StreamInfo


class Clock(Protocol):
    """Time of a session: the LSL clock live, a virtual one in replay and tests."""

    def now(self) -> float:
        """Seconds since an arbitrary origin."""
        ...

    def wait_until(self, time_s: float) -> None:
        """Return when ``now() >= time_s``."""
        ...


class Source(Protocol):
    """A device, a simulated subject, or a file: something that yields samples in order."""

    info: StreamInfo

    def read(self, timeout_s: float) -> Chunk | None:
        """Samples that have come since the last call, or None after ``timeout_s`` without any."""
        ...

    def close(self) -> None:
        """Release the device. May be called twice."""
        ...


class SignalInlet(Protocol):
    """A regularly sampled stream as the engine reads it: microvolts, raw stamps."""

    info: StreamInfo

    def pull(self, timeout_s: float) -> Chunk | None:
        """All samples at hand, waiting at most ``timeout_s`` for the first; None where none came.

        Raises
        ------
        StreamLost
            If the sender is known to be gone.
        """
        ...

    @property
    def offset_s(self) -> float | None:
        """What to add to stamps to have this computer's time, seconds; None while it is not known. Never waits."""
        ...

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        ...


class RawInlet(Protocol):
    """A stream as the recorder reads it: native values, raw stamps, the sender's full header."""

    header_xml: str

    def pull(self, timeout_s: float) -> tuple[npt.NDArray[Any] | list[list[str]], FloatArray] | None:
        """Values, shape (n_samples, n_channels), in the stream's own format, and raw stamps."""
        ...

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """Collection time on the sender's clock and clock offset in seconds, or None where the sender did not answer."""
        ...

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class Marker:
    """One marker as it came on a stream.

    Parameters
    ----------
    row : tuple of str
        All its columns.
    stamp : float
        Raw, on the sender's clock; of a trigger channel when its sample was taken.
    source : str
        What tells its stream from all others, of the same name too.
    name : str
        Of its stream.
    columns : tuple of str
        Names of the columns, where there are several.
    offset_s : float
        To be added to the stamp to have our clock's time; NaN where the sender's clock is not known.
    """

    row: tuple[str, ...]
    stamp: float
    source: str
    name: str
    columns: tuple[str, ...] = ()
    offset_s: float = 0.0

    @property
    def time_s(self) -> float:
        """When it was sent, on our clock."""
        return self.stamp + self.offset_s


class MarkerInlet(Protocol):
    """A stream of strings or numbers: cues, control messages, events."""

    def pull(self, timeout_s: float) -> list[tuple[str, float]]:
        """First column of all at hand, with their raw stamps; empty where none came in time."""
        ...

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        ...


class CueInlet(MarkerInlet, Protocol):
    """Streams of markers, with all that tells what they mean, whose they are and when they were sent."""

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """All at hand; empty where none came in time."""
        ...


class Actuator(Protocol):
    """Something that is moved: a serial device, a program on the network, a key, a log file.

    Registered under ``bci.actuators``; its class has ``from_settings(mapping)``. Called from one thread.
    """

    def send(self, command: Command) -> None:
        """Carry out one command, and return once it is acknowledged (or, where nothing acknowledges, written).

        Raises
        ------
        ActuatorError
            If this takes longer than 20 ms, the wire is gone, or the command has no entry in the actuator's table.
        """
        ...

    def neutral(self) -> None:
        """Stop whatever moves. May be called at any time and any number of times; never raises."""
        ...

    def close(self) -> None:
        """Go to neutral and release the wire. May be called twice."""
        ...
