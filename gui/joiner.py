"""Finds and connects streams in a thread of its own, so that no window ever waits for a network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bci.engine.stream_info import StreamInfo
from bci.errors import BciError, StreamError
from bci.stream.lsl import FoundStream, LslRawInlet, LslSignalInlet, StreamQuery, Watcher, this_host
from bci.stream.metadata import stream_info
from bci.stream.montage import Montage, apply_montage

LOOK_S = 0.2
CONNECT_S = 2.0
OPENING_S = 5.0
BUFFER_S = 60


@dataclass(frozen=True, slots=True)
class Joined:
    """A stream that was connected.

    Parameters
    ----------
    found : FoundStream
    inlet : LslSignalInlet or LslRawInlet
        Signals come in microvolts, everything else as it is.
    offset_s : float
        Brings the sender's stamps to our LSL clock; 0 on this computer, where there is one clock.
    info : StreamInfo or None
        Of a signal: with a position for every electrode that has a name of the 10-05 system.
    """

    found: FoundStream
    inlet: LslSignalInlet | LslRawInlet
    offset_s: float
    info: StreamInfo | None = None


class Joiner:
    """Looks for streams and connects those that are wanted.

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
        self._wanted: queue.SimpleQueue[FoundStream | Callable[[], object]] = queue.SimpleQueue()
        self._joined: queue.SimpleQueue[Joined] = queue.SimpleQueue()
        self._failed: queue.SimpleQueue[tuple[FoundStream, str]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="joins streams", daemon=True)
        self._thread.start()

    @property
    def found(self) -> tuple[FoundStream, ...]:
        """Streams that answered within the last second or two."""
        return self._found

    def want(self, stream: FoundStream) -> None:
        """Connect to this one; it comes out of :meth:`joined` or :meth:`failed`."""
        self._wanted.put(stream)

    def do(self, work: Callable[[], object]) -> None:
        """Do something slow in this thread."""
        self._wanted.put(work)

    def joined(self) -> list[Joined]:
        """Streams connected since the last call."""
        return [self._joined.get_nowait() for _ in range(self._joined.qsize())]

    def failed(self) -> list[tuple[FoundStream, str]]:
        """Streams that could not be connected since the last call, and why."""
        return [self._failed.get_nowait() for _ in range(self._failed.qsize())]

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._closing.set()
        self._thread.join()
        for stream in self.joined():
            stream.inlet.close()

    def _work(self) -> None:
        """Until closed: look around, and open what is asked for."""
        while not self._closing.wait(LOOK_S):
            self._found = tuple(sorted(self._watcher.found(), key=lambda s: (s.host, s.name, s.source_id)))
            while not self._wanted.empty() and not self._closing.is_set():
                wanted = self._wanted.get()
                if isinstance(wanted, FoundStream):
                    self._connect(wanted)
                else:
                    wanted()
        self._watcher.close()

    def _connect(self, found: FoundStream) -> None:
        try:
            self._joined.put(self._open(found))
        except BciError as error:
            self._failed.put((found, str(error)))

    def _open(self, found: FoundStream) -> Joined:
        """An inlet, with the sender's clock compared to ours where it is on another computer."""
        if found.rate_hz > 0 and found.channel_format != "string":
            inlet = LslSignalInlet(found, self._montage, BUFFER_S, CONNECT_S)
            return Joined(found, inlet, self._offset(found), located(inlet.info))
        raw = LslRawInlet(found, timeout_s=CONNECT_S)
        return Joined(found, raw, self._offset(found, raw))

    def _offset(self, found: FoundStream, raw: LslRawInlet | None = None) -> float:
        if found.host == this_host():
            return 0.0
        asked = raw or LslRawInlet(found, timeout_s=CONNECT_S)
        measured = asked.time_correction(CONNECT_S)
        if raw is None:
            asked.close()
        if measured is None:
            raise StreamError(f"{found}: its clock cannot be compared with ours, so its times mean nothing here")
        return measured[1]


def located(info: StreamInfo) -> StreamInfo:
    """The stream with a position for every EEG electrode that the 10-05 system knows.

    The stream's own positions win. Nothing is looked up where they are complete, because that loads MNE.
    """
    if all(c.position for c in info.channels if c.type == "EEG"):
        return info
    return apply_montage(info, Montage(standard=True))


def header_info(header_xml: str) -> StreamInfo:
    """What a stream's header says."""
    return stream_info(header_xml)
