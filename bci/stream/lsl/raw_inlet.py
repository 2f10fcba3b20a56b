"""Reading any LSL stream as it comes, for recording: what has arrived is not lost when the connection breaks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.errors import StreamError, StreamLost
from bci.stream.lsl import liblsl
from bci.stream.lsl.connection import OPEN_TIMEOUT_S, PATIENT_S, connect, disconnect
from bci.stream.lsl.discovery import FoundStream
from bci.stream.lsl.offset_probe import OffsetProbe, measured

READ_S = 0.05  # the longest that closing an inlet may have to wait
MAX_SAMPLES = 2048


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
    came : callable
        Called, from a thread, whenever there is something to pull, a loss too.
    dead_after_s : int
        How long the sender's computer may be out of reach before the connection counts as broken.
    """

    def __init__(
        self,
        found: FoundStream,
        buffer_s: int = 360,
        timeout_s: float = OPEN_TIMEOUT_S,
        came: Callable[[], object] = lambda: None,
        dead_after_s: int = PATIENT_S,
    ) -> None:
        self.found = found
        self._came = came
        self._samples, self.header_xml = connect(found, buffer_s, timeout_s, dead_after_s)
        self._take = _taker(self._samples, found)
        self._inlet = OffsetProbe.of(found.handle)
        self._limit = round(buffer_s * (found.rate_hz if found.rate_hz > 0 else 100.0))
        self._pieces: deque[tuple[npt.NDArray[Any] | list[list[str]], FloatArray]] = deque()
        self._changed = threading.Condition()
        self._waiting = 0
        self._failed: StreamError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._read, name=f"inlet {found.name}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, beside what waits to be pulled: the connection broke, or it was closed."""
        return self._failed is not None

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
            If the sender is gone and everything it sent was pulled.
        StreamError
            If more came than ``buffer_s`` allows while it was not pulled; what came before was pulled first.
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
        """See :func:`~bci.stream.lsl.offset_probe.measured`."""
        return measured(self._inlet, timeout_s)

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._closing = True
        self._thread.join()
        self._inlet.close()
        disconnect(self._samples)
        self._samples = None

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
                    f"{self.found}: {self._limit} samples wait and nothing reads them; what comes from now on is lost. "
                    "Is the disk, or the program that reads this stream, too slow?"
                )
                break
        with self._changed:
            self._failed = failed
            self._changed.notify_all()
        self._came()

    def _keep(self, values: npt.NDArray[Any] | list[list[str]], stamps: FloatArray) -> bool:
        """Queue one piece; False where there is no room."""
        with self._changed:
            if self._waiting + len(stamps) > self._limit:
                return False
            self._pieces.append((values, stamps))
            self._waiting += len(stamps)
            self._changed.notify_all()
        self._came()
        return True


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
