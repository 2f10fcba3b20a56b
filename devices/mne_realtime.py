"""Any client of mne-realtime as a source: FieldTrip buffers, or its mock client that plays a recording.

mne-realtime is discontinued, and some of its faults would end or hold up a session (docs/decisions/0005). So its client runs in a
process of its own (:mod:`devices.mne_realtime_client`): what hangs there is a stream that is lost here, after ``silence_s``.
For FieldTrip buffers ``bci stream fieldtrip`` speaks the protocol itself and is the better choice.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from typing import IO

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, PluginError, StreamError, StreamLost, StreamNotFound
from bci.stream.bus import Clock
from bci.stream.units import MICROVOLTS
from devices.arrival_clock import ArrivalClock
from devices.mne_realtime_client import CLIENTS, FRAME
from devices.network import MAX_CHANNELS, MAX_RATE_HZ, address_problems, channels
from devices.opening import closed_on_error, or_lsl_clock, require_open
from devices.options import read_fields

TYPES = {"eeg": "EEG", "eog": "EOG", "emg": "EMG", "stim": "TRIG"}
VOLTAGES = ("EEG", "EOG", "EMG")
MOST_WAITING = 1000
LARGEST_FRAME = 1 << 26
END_S = 2.0


@dataclass(frozen=True, slots=True)
class MneRealtimeSettings:
    """Which client, and what it connects to.

    Parameters
    ----------
    client : str
        ``"fieldtrip"`` or ``"mock"``.
    file : str
        For ``"mock"``: the recording that is played, of any format that MNE reads.
    host : str
    port : int
    buffer : int
        Samples that the client hands over at once.
    name : str
        Of the stream.
    unit : str
        Of a FieldTrip buffer's values (times its resolutions): uV, mV, V or nV. What MNE reads is in volts.
    reference : str
        Reference electrode.
    timeout_s : float
        For the first header.
    silence_s : float
        A client that has sent nothing for so long has hung: the stream is lost.
    """

    client: str = "fieldtrip"
    file: str = ""
    host: str = "127.0.0.1"
    port: int = 1972
    buffer: int = 16
    name: str = "mne-realtime"
    unit: str = "uV"
    reference: str = ""
    timeout_s: float = 20.0
    silence_s: float = 3.0

    def __post_init__(self) -> None:
        problems = address_problems(self.host, self.port, self.timeout_s, self.name)
        if self.client not in CLIENTS:
            problems.append(f"client = {self.client!r}: must be one of {', '.join(CLIENTS)}")
        if self.client == "mock" and not self.file:
            problems.append("file is empty: name the recording that the mock client plays, for instance file=run1.fif")
        if self.unit not in MICROVOLTS:
            problems.append(f"unit = {self.unit!r}: must be one of {', '.join(MICROVOLTS)}")
        if not 1 <= self.buffer <= 10_000:
            problems.append(f"buffer = {self.buffer}: must be from 1 to 10000 samples")
        if not 0.1 <= self.silence_s <= 600:
            problems.append(f"silence_s = {self.silence_s}: must be from 0.1 to 600 s")
        if problems:
            raise ConfigError(problems)


class MneRealtimeSource:
    """The data of an mne-realtime client, as a :class:`~bci.stream.bus.Source`.

    Parameters
    ----------
    settings : MneRealtimeSettings
    clock : Clock, optional
        Whose ``now`` stamps arrivals; default: the LSL clock.

    Attributes
    ----------
    info : StreamInfo
    lost : int
        Samples that the client could not get any more.

    Raises
    ------
    PluginError
        If mne-realtime is not installed.
    StreamNotFound
        If the client has no header within ``timeout_s``; with what it said.
    """

    def __init__(self, settings: MneRealtimeSettings, clock: Clock | None = None) -> None:
        if find_spec("mne_realtime") is None:
            raise PluginError("mne-realtime is not installed; install it with: pip install 'bci[mne-realtime]'")
        self.settings = settings
        self._now = or_lsl_clock(clock).now
        self._frames: queue.Queue[tuple[float, int, FloatArray] | None] = queue.Queue(MOST_WAITING)
        self._heads: queue.Queue[dict[str, object] | None] = queue.Queue(1)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "devices.mne_realtime_client", json.dumps(asdict(settings))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._reader = threading.Thread(target=self._receive, name="mne-realtime", daemon=True)
        self._reader.start()
        self._closed, self.lost = False, 0
        with closed_on_error(self):
            self.info, self._scale = self._described(self._head())
        self._clock, self._next = ArrivalClock(self.info.rate_hz), 0
        self._came_s = time.monotonic()

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> MneRealtimeSource:
        """As :meth:`bci.stream.bus.SourcePlugin.from_settings`; the options are the fields of :class:`MneRealtimeSettings`."""
        return cls(MneRealtimeSettings(**read_fields(MneRealtimeSettings, options, "mne-realtime")), clock)

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the samples that have come since the last call.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None where no sample came in time.

        Raises
        ------
        StreamLost
            If the client has ended, or has sent nothing for ``silence_s``.
        StreamError
            After :meth:`close`.
        """
        require_open(self._closed, self.settings.name)
        try:
            found = self._frames.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            if time.monotonic() - self._came_s > self.settings.silence_s:
                raise StreamLost(
                    f"mne-realtime: its {self.settings.client} client has sent nothing for {self.settings.silence_s:g} s; "
                    "it hangs, or its server has gone. Start the stream again."
                ) from None
            return None
        if found is None:
            self._frames.put(None)
            raise StreamLost(f"mne-realtime: its {self.settings.client} client has ended{self._last_line()}")
        arrived_s, lost, data = found
        self._came_s = time.monotonic()
        self.lost += lost
        self._next += lost
        stamps = self._clock.stamps(self._next, len(data), arrived_s)
        self._next += len(data)
        return Chunk(data * self._scale, stamps)

    def close(self) -> None:
        """End the client, also one that hangs. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._process.kill()
        self._process.wait(END_S)
        with suppress(queue.Empty):
            while self._frames.get_nowait() is not None:  # so that the thread is not held up by a full queue
                pass
        self._reader.join(END_S)
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file is not None:
                file.close()

    def _head(self) -> dict[str, object]:
        try:
            head = self._heads.get(timeout=self.settings.timeout_s)
        except queue.Empty:
            head = None
        if head is None:
            raise StreamNotFound(
                f"mne-realtime: its {self.settings.client} client found nothing within {self.settings.timeout_s:g} s"
                f"{self._last_line()}"
            )
        return head

    def _described(self, head: Mapping[str, object]) -> tuple[StreamInfo, FloatArray]:
        """Stream and factors to microvolts; the shape of what another program sent is checked."""
        rate, labels, types = head.get("rate_hz"), head.get("labels"), head.get("types")
        if not isinstance(rate, (int, float)) or not 0 < rate <= MAX_RATE_HZ:
            raise StreamError(f"mne-realtime: its client reports a rate of {rate!r} Hz")
        if not isinstance(labels, list) or not 0 < len(labels) <= MAX_CHANNELS:
            raise StreamError("mne-realtime: its client reports no channels")
        found = channels([str(label) for label in labels])
        factor = MICROVOLTS[self.settings.unit]
        if isinstance(types, list) and len(types) == len(found):
            found = tuple(_typed(channel, str(kind)) for channel, kind in zip(found, types, strict=True))
            factor = MICROVOLTS["V"]
        scale = np.array([factor if channel.type in VOLTAGES else 1.0 for channel in found])
        s = self.settings
        source_id = f"bci-mne-realtime-{s.client}" + (f"-{s.host}-{s.port}" if s.client == "fieldtrip" else "")
        return StreamInfo(float(rate), found, reference=s.reference, source_id=source_id, name=s.name, sample_clock=True), scale

    def _receive(self) -> None:
        """Take what the client's process writes, until it ends."""
        out = self._process.stdout
        with suppress(ValueError, OSError):
            if out is not None:
                line = out.readline(LARGEST_FRAME)
                head = json.loads(line) if line else None
                self._heads.put(head if isinstance(head, dict) else None)
                n_channels = len(head["labels"]) if isinstance(head, dict) else 0
                while n_channels and len(frame := out.read(FRAME.size)) == FRAME.size:
                    lost, n = FRAME.unpack(frame)
                    data = out.read(8 * n * n_channels)
                    if len(data) < 8 * n * n_channels:
                        break
                    samples = np.frombuffer(data, dtype="<f8").reshape(n, n_channels)
                    self._frames.put((self._now(), lost, samples))
        with suppress(queue.Full):
            self._heads.put_nowait(None)
        self._frames.put(None)

    def _last_line(self) -> str:
        """The last line that the client wrote to standard error."""
        self._process.poll()
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _typed(channel: Channel, kind: str) -> Channel:
    """A channel of the type that MNE says."""
    known = TYPES.get(kind, "AUX")
    return replace(channel, type=known, unit="uV" if known in VOLTAGES else "")
