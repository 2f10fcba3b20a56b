"""A live EEG stream for code that was written for mne-realtime: it takes the place of that package's client."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bci.api.listening import FIND_S
from bci.engine.chunk import Chunk, FloatArray
from bci.errors import ConfigError, StreamLost
from bci.stream.lsl import LslMarkerInlet, LslSignalInlet
from bci.stream.lsl.discovery import resolve
from bci.stream.stream_query import StreamQuery

if TYPE_CHECKING:
    import mne

STIM = "STI 014"
PULL_S = 0.05
VOLT = {"EEG": 1e-6, "EOG": 1e-6, "EMG": 1e-6}
TYPES = {"EEG": "eeg", "EOG": "eog", "EMG": "emg"}


class MneClient:
    """A client for ``mne_realtime.RtEpochs`` that gives the EEG and the cues of a live stream.

    Parameters
    ----------
    stream : str
        Query for the EEG stream.
    markers : str
        Query for the stream of cues.
    codes : mapping of str to int
        Event code of each marker, above 0.
    delay_s : float
        How long samples are held back for markers that come later than their sample.
    timeout_s : float
        For finding both streams.

    Raises
    ------
    bci.errors.StreamNotFound
        If a stream is not there.

    Examples
    --------
    >>> from mne_realtime import RtEpochs  # doctest: +SKIP
    >>> epochs = RtEpochs(MneClient("amp", "cues", {"769": 1}), 1, 0.0, 2.0, baseline=None)  # doctest: +SKIP
    """

    verbose = None

    def __init__(
        self, stream: str, markers: str, codes: Mapping[str, int], *, delay_s: float = 0.2, timeout_s: float = FIND_S
    ) -> None:
        wrong = [text for text, code in codes.items() if code < 1]
        if wrong:
            raise ConfigError(f"codes: {', '.join(wrong)}: an event code must be 1 or more")
        self._codes, self._delay_s = dict(codes), delay_s
        found = resolve(StreamQuery.parse(stream), timeout_s, eeg=True)
        self._cues = LslMarkerInlet(resolve(StreamQuery.parse(markers), timeout_s))
        self._signal = LslSignalInlet(found)
        self._callbacks: list[Callable[[FloatArray], object]] = []
        self._waiting: deque[Chunk] = deque()
        self._heard: list[tuple[float, int]] = []
        self._thread: threading.Thread | None = None
        self._end = threading.Event()

    def get_measurement_info(self) -> mne.Info:
        """Channels of the stream, and the stimulus channel ``STI 014``."""
        import mne

        info = self._signal.info
        types = [TYPES.get(channel.type, "misc") for channel in info.channels]
        return mne.create_info([*info.labels, STIM], info.rate_hz, [*types, "stim"])

    def register_receive_callback(self, callback: Callable[[FloatArray], object]) -> None:
        """Pass each buffer to a function: volts, shape (n_channels + 1, n_samples).

        Parameters
        ----------
        callback : callable
            Called from the receiving thread with one array: volts, the last row the stimulus channel.
        """
        if callback not in self._callbacks:
            self._callbacks.append(callback)

    def unregister_receive_callback(self, callback: Callable[[FloatArray], object]) -> None:
        """Stop passing buffers to this function.

        Parameters
        ----------
        callback : callable
            One that was registered; any other is ignored.
        """
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def start_receive_thread(self, nchan: int) -> None:
        """Start to receive; ``nchan`` is not needed, because the info contains it.

        Parameters
        ----------
        nchan : int
            Number of channels, as mne-realtime passes it; not used.
        """
        if self._thread is None:
            self._end.clear()
            self._thread = threading.Thread(target=self._receive, name="mne client", daemon=True)
            self._thread.start()

    def stop_receive_thread(self, stop_measurement: bool = False) -> None:
        """Stop receiving.

        Parameters
        ----------
        stop_measurement : bool
            As mne-realtime passes it; not used, because the stream belongs to others.
        """
        self._end.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self.stop_receive_thread()
        self._signal.close()
        self._cues.close()

    def __enter__(self) -> MneClient:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _receive(self) -> None:
        while not self._end.is_set():
            try:
                chunk = self._signal.pull(PULL_S)
                known = [(m.time_s, self._codes[m.row[0]]) for m in self._cues.pull_markers(0.0) if m.row[0] in self._codes]
            except StreamLost:
                return
            self._heard += known
            if chunk is not None:
                self._waiting.append(chunk)
            while self._waiting and self._waiting[-1].stamps[-1] - self._waiting[0].stamps[-1] >= self._delay_s:
                self._hand_over(self._waiting.popleft())

    def _hand_over(self, chunk: Chunk) -> None:
        info, last_s = self._signal.info, float(chunk.stamps[-1])
        scale = np.array([VOLT.get(channel.type, 1.0) for channel in info.channels])
        buffer = np.zeros((len(info.channels) + 1, len(chunk)))
        buffer[:-1] = (chunk.data * scale).T
        ours = self._signal.offset_s or 0.0  # markers are on our clock
        due = [(time_s - ours, code) for time_s, code in self._heard if time_s - ours <= last_s + 0.5 / info.rate_hz]
        self._heard = [(time_s, code) for time_s, code in self._heard if time_s - ours > last_s + 0.5 / info.rate_hz]
        for time_s, code in due:
            buffer[-1, int(np.abs(chunk.stamps - time_s).argmin())] = code
        for callback in tuple(self._callbacks):
            callback(buffer)
