"""The interface between a session and its transport: LSL, or queues inside one process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.command import Command
from bci.engine.stream_info import StreamInfo


class Clock(Protocol):
    """Time of a session: the LSL clock in live sessions, a virtual clock in replays and tests."""

    def now(self) -> float:
        """Seconds since an arbitrary origin."""
        ...

    def wait_until(self, time_s: float) -> None:
        """Return when ``now() >= time_s``.

        Parameters
        ----------
        time_s : float
            Seconds on this clock.
        """
        ...


class Source(Protocol):
    """A device, a simulated person, or a file that gives samples in order."""

    info: StreamInfo

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the samples that have come since the last call.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None where no sample came within ``timeout_s``.

        Raises
        ------
        StreamLost
            If the device is known to be gone.
        StreamError
            After :meth:`close`.
        """
        ...

    def close(self) -> None:
        """Release the device. May be called twice."""
        ...


class SourcePlugin(Protocol):
    """What an entry point in ``bci.sources`` refers to: usually the class of a :class:`bci.stream.bus.Source`."""

    def from_settings(self, options: Mapping[str, object], clock: Clock | None = None) -> Source:
        """Open the source as a configuration file or the command line asks for it.

        Parameters
        ----------
        options : mapping
            Names of settings; values of their type, or text (lists with commas).
        clock : Clock, optional
            Its time is that of the stamps; the LSL clock where omitted.

        Returns
        -------
        Source

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        PluginError
            If something that the source needs is not installed.
        StreamNotFound
            If the device does not answer.
        """
        ...


class SignalInlet(Protocol):
    """A regularly sampled stream as the engine reads it: microvolts, raw stamps."""

    info: StreamInfo

    def pull(self, timeout_s: float) -> Chunk | None:
        """Return all samples at hand, and wait for the first where there is none.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            Microvolts; None where no sample came in time.

        Raises
        ------
        StreamLost
            If the sender is known to be gone.
        """
        ...

    @property
    def offset_s(self) -> float | None:
        """Seconds to add to stamps to get this computer's time; None while it is not known. Never waits."""
        ...

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        ...


class RawInlet(Protocol):
    """A stream as the recorder reads it: native values, raw stamps, the sender's full header."""

    header_xml: str

    def pull(self, timeout_s: float) -> tuple[npt.NDArray[Any] | list[list[str]], FloatArray] | None:
        """Return all samples at hand in the stream's own format, and wait for the first where there is none.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        tuple of (npt.NDArray[Any) or list of list[str]], FloatArray or None
            Values, shape (n_samples, n_channels), and raw stamps, shape (n_samples,), seconds; None where no sample came in time.

        Raises
        ------
        StreamLost
            If the sender is known to be gone.
        """
        ...

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """Measure the clock offset of the sender.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        tuple of (float, float) or None
            When it was measured on the sender's clock, and what must be added to its stamps, seconds; None where the sender did
            not answer.
        """
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
        """Return the first column of all markers at hand, and their raw stamps in seconds.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        list of tuple of (str, float)
            Empty where no marker came in time.
        """
        ...

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        ...


class CueInlet(MarkerInlet, Protocol):
    """Streams of markers, with their columns, their sender and their time."""

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """Return all markers at hand.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        list of Marker
            Empty where no marker came in time.
        """
        ...

    def pull(self, timeout_s: float) -> list[tuple[str, float]]:
        """See :class:`MarkerInlet`; of several columns the first."""
        return [(marker.row[0], marker.stamp) for marker in self.pull_markers(timeout_s)]


class ControlInlet(CueInlet, Protocol):
    """Streams of programs that may steer or stop, and whether they are connected.

    ``Marker.source`` tells from which one a text came.
    """

    def connection(self, uid: str) -> int:
        """Number of the open connection to a stream.

        The number changes when a text that came through a broken connection can no longer come. So a reader that remembers the
        number of the connection over which somebody armed knows, each time it has pulled, whether that person was out of reach.

        Parameters
        ----------
        uid : str
            Of the stream.

        Returns
        -------
        int
            0 where there is no connection; after each break another number.
        """
        ...


class ActuatorPlugin(Protocol):
    """What an entry point in ``bci.actuators`` refers to: usually the class of an :class:`bci.stream.bus.Actuator`."""

    def from_settings(self, options: Mapping[str, object]) -> Actuator:
        """Open the actuator as a configuration file or the command line asks for it.

        Parameters
        ----------
        options : mapping
            Names of settings; values of their type, or text.

        Returns
        -------
        Actuator

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        ActuatorError
            If the device cannot be opened.
        """
        ...


class Actuator(Protocol):
    """Something that is moved: a serial device, a program on the network, a key, a log file.

    It is opened by an ``ActuatorPlugin``, and called from one thread.
    """

    def send(self, command: Command) -> None:
        """Carry out one command, and return once it is acknowledged (or, where the device acknowledges nothing, written).

        Parameters
        ----------
        command : Command
            Its name is looked up in a table and never sent as it is.

        Raises
        ------
        ActuatorError
            If this takes longer than 20 ms, the connection is gone, or the command has no entry in the actuator's table.
        """
        ...

    def neutral(self) -> bool | None:
        """Stop whatever moves. May be called at any time and any number of times, and is repeated until it succeeds.

        Returns
        -------
        bool or None
            True where the device itself reported it; else the command was sent, and no more can be known.

        Raises
        ------
        ActuatorError
            If it could not be sent, was not taken or not acknowledged within 20 ms: whatever moves may go on.
        """
        ...

    def close(self) -> None:
        """Go to neutral and close the connection. May be called twice."""
        ...
