"""Reading LSL streams by our own rules: losses are seen, never papered over; raw stamps; counted overflow."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import StreamError, StreamLost
from bci.stream import liblsl
from bci.stream.bus import Marker
from bci.stream.discovery import FoundStream
from bci.stream.false_head import FalseHead
from bci.stream.marker_shapes import row_of
from bci.stream.marker_streams import Levels
from bci.stream.metadata import scale_to_microvolts, stream_info
from bci.stream.montage import Montage, apply_montage
from bci.stream.sender_clock import SenderClock

OPEN_TIMEOUT_S = 5.0
READ_S = 0.05  # longest that closing an inlet may have to wait
MAX_SAMPLES = 2048
HOLD_S = 2.0
"""Longest that a marker waits until its sender's clock is known; liblsl measures within one second."""


class LslSignalInlet:
    """A regularly sampled stream in microvolts (protocol :class:`~bci.stream.bus.SignalInlet`).

    Opened with ``recover=False`` and no post-processing: a loss raises, stamps stay as the sender wrote them.

    Parameters
    ----------
    found : FoundStream
    montage : Montage, optional
        What the stream leaves out.
    buffer_s : int
        liblsl keeps this much; beyond it drops the oldest samples without a word, which is counted here in
        ``overflows``.
    timeout_s : float
        Time allowed for the connection.

    Attributes
    ----------
    info : StreamInfo
    header_xml : str
        The sender's full header.
    received : int
        Samples delivered.
    overflows : int
        Pulls that found the buffer full: older samples are missing before what they returned.
    overflow_risk : float
        Largest part of the buffer that was ever waiting, 0 to 1.

    Raises
    ------
    StreamLost
        If the sender does not answer.
    StreamError
        If the stream is not numeric, neither it nor the montage declares a rate, or its header cannot be read.
    """

    def __init__(
        self, found: FoundStream, montage: Montage | None = None, buffer_s: int = 60, timeout_s: float = OPEN_TIMEOUT_S
    ) -> None:
        rate_hz = rate_of(found, montage)
        self._what = str(found)
        # liblsl counts the buffer of a stream without a rate in hundreds of samples.
        self._inlet, self.header_xml = _connect(
            found, buffer_s if found.rate_hz else math.ceil(buffer_s * rate_hz / 100), timeout_s
        )
        self._clock = SenderClock(found.host == liblsl.this_host(), self.time_correction, liblsl.local_clock)
        declared = stream_info(self.header_xml)
        self.info: StreamInfo = apply_montage(declared, montage) if montage else declared
        self._scale = scale_to_microvolts(self.info)
        self._capacity = max(1, round(buffer_s * rate_hz))
        room = max(64, min(self._capacity, round(4 * rate_hz)))
        self._pull: liblsl.NumericPull | None = liblsl.NumericPull(self._inlet, self._what, False, room)
        self._head = FalseHead(found.rate_hz)
        self.received, self.overflows, self.overflow_risk = 0, 0, 0.0

    @property
    def dropped_head(self) -> int:
        """Samples thrown away at the start because their stamps were invented (:class:`FalseHead`)."""
        return self._head.dropped

    def pull(self, timeout_s: float) -> Chunk | None:
        """All samples at hand, waiting at most ``timeout_s`` for the first; None where none came.

        Raises
        ------
        StreamLost
            If the sender is gone. A sender that hangs raises nothing: watch the time (:class:`Staleness`).
        """
        if self._pull is None:
            raise StreamLost(f"{self._what}: this inlet is closed")
        values, stamps = self._pull(timeout_s)
        if not len(stamps):
            return None
        if len(stamps) == self._pull.max_samples:
            values, stamps = self._drain(self._pull, values, stamps)
        if not self._head.done:
            values, stamps = self._head(values, stamps)
            if not len(stamps):
                return None
        self.received += len(stamps)
        return Chunk(values * self._scale, stamps.copy())

    @property
    def offset_s(self) -> float | None:
        """What to add to stamps to have this computer's time, seconds (:class:`~bci.stream.sender_clock.SenderClock`)."""
        return self._clock.offset_s

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """See :meth:`LslRawInlet.time_correction`."""
        return _time_correction(self._inlet, timeout_s)

    def _drain(self, pull: liblsl.NumericPull, values: FloatArray, stamps: FloatArray) -> tuple[FloatArray, FloatArray]:
        """More than one buffer was waiting: take it all, and see how close to overflowing it was."""
        pieces = [(values.copy(), stamps.copy())]
        while len(stamps) == pull.max_samples:
            values, stamps = pull(0.0)
            pieces.append((values.copy(), stamps.copy()))
        values, stamps = np.concatenate([v for v, _ in pieces]), np.concatenate([s for _, s in pieces])
        self.overflow_risk = max(self.overflow_risk, min(1.0, len(stamps) / self._capacity))
        # liblsl's queue holds one sample less than its capacity, and a few more come while we empty it.
        self.overflows += len(stamps) >= self._capacity - 1
        return values, stamps

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        _disconnect(self._inlet)
        self._inlet = self._pull = None


class LslRawInlet:
    """A stream as it comes, for the recorder (protocol :class:`~bci.stream.bus.RawInlet`).

    A thread takes every sample out of liblsl as soon as it comes: with ``recover=False`` liblsl throws away
    whatever still waits in an inlet at the moment its sender goes (measured: 500 of 500 samples that had
    already arrived). Here it stays, and :class:`StreamLost` is raised after the last of it was pulled.

    Parameters
    ----------
    found : FoundStream
    buffer_s : int
        Most that may wait to be pulled; for irregular streams in units of 100 samples.
    timeout_s : float
        Time allowed for the connection.
    """

    def __init__(self, found: FoundStream, buffer_s: int = 360, timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self.found = found
        self._inlet, self.header_xml = _connect(found, buffer_s, timeout_s)
        self._take = _taker(self._inlet, found)
        self._limit = round(buffer_s * (found.rate_hz if found.rate_hz > 0 else 100.0))
        self._pieces: deque[tuple[npt.NDArray[Any] | list[list[str]], FloatArray]] = deque()
        self._changed = threading.Condition()
        self._waiting = 0
        self._failed: StreamError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._read, name=f"inlet {found.name}", daemon=True)
        self._thread.start()

    def pull(self, timeout_s: float) -> tuple[npt.NDArray[Any] | list[list[str]], FloatArray] | None:
        """Values in the stream's own format, shape (n_samples, n_channels), and raw stamps; None: none came.

        Raises
        ------
        StreamLost
            If the sender is gone and everything it sent was pulled.
        StreamError
            If more came than ``buffer_s`` while nobody pulled; what came before was pulled first.
        """
        with self._changed:
            if not self._pieces and self._failed is None and timeout_s > 0:
                self._changed.wait_for(lambda: bool(self._pieces) or self._failed is not None, timeout_s)
            if not self._pieces:
                if self._failed is not None:
                    raise self._failed
                return None
            pieces = list(self._pieces)
            self._pieces.clear()
            self._waiting = 0
        stamps = np.concatenate([s for _, s in pieces])
        if self.found.channel_format == "string":
            return [row for rows, _ in pieces for row in rows], stamps
        return np.concatenate([np.asarray(values) for values, _ in pieces]), stamps

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """Collection time on the sender's clock and clock offset in seconds, or None where the sender did not answer in time.

        Both as LabRecorder writes them, since readers fit offsets against the sender's own stamps. The first call measures and
        may take all of ``timeout_s``; later ones return the background's estimate.
        """
        return _time_correction(self._inlet, timeout_s)

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._closing = True
        self._thread.join()
        _disconnect(self._inlet)
        self._inlet = None

    def _read(self) -> None:
        """Until closed or lost: move samples from liblsl's queue into ours."""
        failed: StreamError = StreamLost(f"{self.found}: this inlet is closed")
        while not self._closing:
            try:
                values, stamps = self._take(READ_S)
            except StreamError as error:
                failed = error
                break
            if len(stamps) and not self._keep(values, stamps):
                failed = StreamError(
                    f"{self.found}: {self._limit} samples wait and nobody takes them; what comes from now on is lost. "
                    "Is the disk, or whatever reads this stream, too slow?"
                )
                break
        with self._changed:
            self._failed = failed
            self._changed.notify_all()

    def _keep(self, values: npt.NDArray[Any] | list[list[str]], stamps: FloatArray) -> bool:
        """Queue one piece; False where there is no room."""
        with self._changed:
            if self._waiting + len(stamps) > self._limit:
                return False
            self._pieces.append((values, stamps))
            self._waiting += len(stamps)
            self._changed.notify_all()
        return True


def _columns(header_xml: str) -> tuple[str, ...]:
    """Labels of a marker stream's channels; none where its header cannot be read, which does not matter for its markers."""
    try:
        return stream_info(header_xml).labels
    except StreamError:
        return ()


def rate_of(found: FoundStream, montage: Montage | None = None) -> float:
    """The sampling rate of a signal, as it or the montage declares it.

    Raises
    ------
    StreamError
        If it is no signal.
    """
    rate_hz = found.rate_hz or (montage.rate_hz if montage else 0.0)
    if found.channel_format == "string":
        raise StreamError(f"{found} is no signal: it sends texts; read it as markers")
    if rate_hz <= 0:
        raise StreamError(
            f"{found} declares no sampling rate, and without one nothing can be filtered. Declare the true rate in a montage "
            "file (rate_hz = 250), and give it with --set stream.montage=FILE; what sends markers is named by markers.stream"
        )
    return rate_hz


def _taker(inlet: Any, found: FoundStream) -> Callable[[float], tuple[npt.NDArray[Any] | list[list[str]], FloatArray]]:
    """How to take samples of this stream's format, as copies."""
    what = str(found)
    if found.channel_format == "string":
        return lambda timeout_s: _pull_texts(inlet, what, timeout_s, MAX_SAMPLES)
    pull = liblsl.NumericPull(inlet, what, True, MAX_SAMPLES)

    def take(timeout_s: float) -> tuple[npt.NDArray[Any], FloatArray]:
        values, stamps = pull(timeout_s)
        return values.copy(), stamps.copy()

    return take


class LslMarkerInlet:
    """A stream of strings or of marker numbers (protocols :class:`~bci.stream.bus.MarkerInlet`, ``CueInlet``).

    Numbers become text as short as they can be (``"2"``); where they declare a rate, a level that is held is told from single
    markers as it is in files (:class:`~bci.stream.marker_streams.Levels`).

    Parameters
    ----------
    found : FoundStream
    timeout_s : float
        Time allowed for the connection.
    """

    def __init__(self, found: FoundStream, timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self._raw = LslRawInlet(found, timeout_s=timeout_s)
        self.header_xml = self._raw.header_xml
        self._clock = SenderClock(found.host == liblsl.this_host(), self._raw.time_correction, liblsl.local_clock)
        self._from = (found.uid, found.name, _columns(self.header_xml) if found.n_channels > 1 else ())
        self._levels = Levels(0.0 if found.channel_format == "string" else found.rate_hz)
        self._held: list[tuple[tuple[str, ...], float]] = []
        self._held_since = 0.0

    def pull(self, timeout_s: float) -> list[tuple[str, float]]:
        """Texts at hand (of several columns the first) with their raw stamps; empty where none came in time.

        Raises
        ------
        StreamLost
        """
        return [(row[0], stamp) for row, stamp in self._rows(timeout_s)]

    def pull_markers(self, timeout_s: float, hold_s: float = HOLD_S) -> list[Marker]:
        """Markers at hand with all their columns, on this computer's clock too; empty where none came in time.

        Parameters
        ----------
        timeout_s : float
        hold_s : float
            Longest that markers of another computer are held back until its clock is known.

        Raises
        ------
        StreamLost
            Once nothing is held back any more.
        """
        offset_s = self._clock.offset_s
        try:
            came = self._rows(timeout_s)
        except StreamLost:
            if not self._held:
                raise
            came, self._held_since = [], -math.inf
        if came and not self._held:
            self._held_since = liblsl.local_clock()
        self._held += came
        if offset_s is None:
            if liblsl.local_clock() - self._held_since < hold_s:
                return []
            offset_s = math.nan
        heard, self._held = [Marker(row, stamp, *self._from, offset_s) for row, stamp in self._held], []
        return heard

    def _rows(self, timeout_s: float) -> list[tuple[tuple[str, ...], float]]:
        pulled = self._raw.pull(timeout_s)
        if pulled is None:
            return self._levels.flush()
        return self._levels(map(row_of, pulled[0]), pulled[1].tolist())

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._raw.close()


def _connect(found: FoundStream, buffer_s: int, timeout_s: float) -> tuple[Any, str]:
    """An open inlet and the sender's full header."""
    try:
        inlet = liblsl.Inlet(found.handle, max_buflen=buffer_s, recover=False, processing_flags=0)
        header = inlet.info(timeout_s).as_xml()
        inlet.open_stream(timeout_s)
    except (liblsl.LslTimeout, liblsl.LslLost) as error:
        raise StreamLost(f"{found} was found but does not answer within {timeout_s:g} s; is it still running?") from error
    return inlet, header


def _time_correction(inlet: Any, timeout_s: float) -> tuple[float, float] | None:
    """Collection time on the sender's clock and clock offset of an inlet, None where it is closed or was not answered."""
    if inlet is None:
        return None
    try:
        offset = float(inlet.time_correction(timeout_s))
    except (liblsl.LslTimeout, liblsl.LslLost):
        return None
    return liblsl.local_clock() - offset, offset


def _disconnect(inlet: Any) -> None:
    """End the transmission; liblsl frees the inlet when the last reference goes."""
    if inlet is not None:
        inlet.close_stream()


def _pull_texts(inlet: Any, what: str, timeout_s: float, max_samples: int) -> tuple[list[list[str]], FloatArray]:
    """Wait for the first row of strings, then take what is there."""
    try:
        rows, stamps = inlet.pull_chunk(timeout_s, max_samples, min_samples=1, as_numpy=True)
    except liblsl.LslLost as error:
        raise StreamLost(f"{what}: the sender is gone") from error
    return [[_decode(v) for v in row] for row in rows], stamps


def _decode(value: bytes) -> str:
    """UTF-8, or Latin-1 where it is not: senders on Windows write what they like."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
