"""Finds and connects streams in other threads, so that no window waits for a network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bci.engine.stream_info import StreamInfo
from bci.errors import StreamError
from bci.stream.lsl import FoundStream, LslRawInlet, LslSignalInlet, StreamQuery, Watcher, this_host
from bci.stream.lsl.open_streams import OpenStreams
from bci.stream.montage import Montage, apply_montage

CONNECT_S = 2.0
BUFFER_S = 60


@dataclass(frozen=True, slots=True)
class ConnectedInlet:
    """A stream that was connected.

    Parameters
    ----------
    found : FoundStream
    inlet : LslSignalInlet or LslRawInlet
        Signals come in microvolts, everything else as it is.
    offset_s : float
        Is added to the sender's stamps to give our LSL clock; 0 on this computer, which has one clock.
    info : StreamInfo or None
        Of a signal: with a position for every electrode that has a name of the 10-05 system.
    """

    found: FoundStream
    inlet: LslSignalInlet | LslRawInlet
    offset_s: float
    info: StreamInfo | None = None

    @property
    def ended(self) -> bool:
        """See :class:`~bci.stream.lsl.open_streams.Connection`."""
        return self.inlet.ended

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self.inlet.close()


class StreamConnector:
    """Finds streams and connects those that are wanted, each in a thread of its own, so that one that hangs delays no other.

    Parameters
    ----------
    host : str
        Machine whose streams are shown; empty: this one; ``"*"``: any on the network.
    montage : Montage, optional
        What signals leave out.
    """

    def __init__(self, host: str = "", montage: Montage | None = None) -> None:
        self._montage = montage
        self._watcher = Watcher(StreamQuery(host=host))
        self._found: tuple[FoundStream, ...] = ()
        self._wanted: set[str] = set()
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._streams = OpenStreams(self._look, lambda found: found.uid in self._wanted, self._open)
        self._thread = threading.Thread(target=self._do, name="reads the past", daemon=True)
        self._thread.start()

    @property
    def found(self) -> tuple[FoundStream, ...]:
        """Streams that have answered within the last one or two seconds."""
        return self._found

    def want(self, stream: FoundStream) -> None:
        """Connect this stream once. It is tried until it succeeds; :meth:`connected` then returns it.

        Parameters
        ----------
        stream : FoundStream
        """
        self._wanted.add(stream.uid)
        self._streams.hurry()

    def do(self, work: Callable[[], object]) -> None:
        """Do something slow in another thread.

        Parameters
        ----------
        work : callable
            What is to be done.
        """
        self._work.put(work)

    def connected(self) -> list[ConnectedInlet]:
        """Return the streams connected since the last call. The caller closes them."""
        found = [joined.inlet for joined in self._streams.opened()]
        self._wanted -= {joined.found.uid for joined in found}
        return found

    def failed(self) -> list[tuple[FoundStream, str]]:
        """Return the streams that could not be connected since the last call, and why; each one once until it is connected."""
        return [(found, str(error)) for found, error in self._streams.failed()]

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._work.put(None)
        self._thread.join()
        self._streams.close()
        self._watcher.close()

    def _look(self) -> list[FoundStream]:
        found = self._watcher.found()
        self._found = tuple(sorted(found, key=lambda s: (s.host, s.name, s.source_id)))
        return found

    def _do(self) -> None:
        """Do the slow work, one after another, until closed."""
        while (work := self._work.get()) is not None:
            work()

    def _open(self, found: FoundStream) -> ConnectedInlet:
        """Open an inlet; compare the sender's clock with ours if it is on another computer."""
        if found.rate_hz > 0 and found.channel_format != "string":
            inlet = LslSignalInlet(found, self._montage, BUFFER_S, CONNECT_S)
            return ConnectedInlet(found, inlet, _offset(found, inlet), located(inlet.info))
        raw = LslRawInlet(found, timeout_s=CONNECT_S)
        return ConnectedInlet(found, raw, _offset(found, raw))


def _offset(found: FoundStream, inlet: LslSignalInlet | LslRawInlet) -> float:
    """Return what to add to the sender's stamps; close the inlet if the clocks cannot be compared."""
    if found.host == this_host():
        return 0.0
    measured = inlet.time_correction(CONNECT_S)
    if measured is None:
        inlet.close()
        raise StreamError(f"{found}: its clock cannot be compared with the clock of this computer, so its data are not shown")
    return measured[1]


def located(info: StreamInfo) -> StreamInfo:
    """Return the stream with a position for every EEG electrode with a name of the 10-05 system.

    The stream's own positions win. Nothing is looked up where they are complete, because that loads MNE.

    Parameters
    ----------
    info : StreamInfo
    """
    if all(c.position for c in info.channels if c.type == "EEG"):
        return info
    return apply_montage(info, Montage(standard=True))
