"""A calibration over LSL: the recorder in a process of its own, the device too where it is ours."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bci.calibration.environment import NOTES
from bci.calibration.external_cues import ExternalCues
from bci.paradigm.protocol import CalibrationProtocol
from bci.paradigm.timeline import CALIBRATION_TYPE, CUE_STREAM, cue_fields
from bci.processes.child import Child, ChildError
from bci.processes.stop import patient
from bci.processes.supervision import Supervision
from bci.processes.writing import written
from bci.session.asked_for import montage_of
from bci.session.session_processes import READY_S
from bci.settings import SessionConfig
from bci.stream.bus import Clock, SignalInlet
from bci.stream.clock import LslClock
from bci.stream.lsl import (
    LslMarkerInlet,
    LslSignalInlet,
    LslTextOutlet,
    StreamQuery,
    resolve,
)
from bci.stream.lsl.discovery import find, markers_among, the_one
from bci.stream.lsl.marker_inlet import HOLD_S
from bci.stream.lsl.trigger_inlet import LslTriggerInlet
from bci.stream.lsl_config import require_ports
from bci.stream.markers.triggers import trigger_owner
from bci.stream.montage import Montage

TASK = "calibration"
PORTS = 10  # outlets of cues, notes, progress, control and screen, and two for each process that looks for streams
WRITE_S = 0.5
"""A recorder has written what it was sent after so long."""


CLOCK_S = 0.1
"""How often another computer's clock is asked for, until it is known."""


class LiveEnvironment:
    """See :class:`~bci.calibration.environment.CalibrationEnvironment`. A context manager: leaving it stops what runs.

    Parameters
    ----------
    protocol : CalibrationProtocol
    config : SessionConfig
    device : tuple of str
        Words after ``bci stream`` for a source to start first; empty where the stream is there already.
    stopped : callable
        Why to stop, or "".
    also : sequence of str
        Queries for further streams to record: markers of somebody else's program, what the participant's window says.
    frames : mapping of str to str
        How the frames that show cues are stamped: goes into the header of the cues.
    tell : callable
        Told what a person should know: a recorder that hangs, a disk that is waited for.
    """

    signal: SignalInlet

    def __init__(
        self,
        protocol: CalibrationProtocol,
        config: SessionConfig,
        device: tuple[str, ...] = (),
        stopped: Callable[[], str] = lambda: "",
        also: Sequence[str] = (),
        frames: Mapping[str, str] | None = None,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._tell = tell
        self.clock: Clock = LslClock()
        self.resumed_s: float | None = None
        self._protocol, self._config, self._device, self._stopped = protocol, config, device, stopped
        self._also, self._frames = list(also), dict(frames or {})
        self._logs = Path(tempfile.mkdtemp(prefix="bci-"))
        self._children: list[Child] = []
        self._supervision = Supervision(lambda: {c.name: c for c in list(self._children)}, _to_nobody, required=True)
        self._streams: list[LslTextOutlet | SignalInlet] = []

    def __enter__(self) -> Self:
        try:
            self._supervision.start()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        lost = self.close()
        if lost and error is None:
            raise ChildError(lost)
        if lost:
            self._tell(lost)

    def close(self) -> str:
        """Stop the recorder once its data are written, then the device. Returns what was lost. May be called twice."""
        lost = ""
        with patient():
            children, self._children = self._children, []
            self._supervision.close()
            for child in reversed(children):
                if child.name == "recorder":
                    lost = written(child, self._tell)
                else:
                    child.stop()
            for stream in self._streams:
                stream.close()
            self._streams = []
            shutil.rmtree(self._logs, ignore_errors=True)
        return lost

    @property
    def offset_s(self) -> float:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        return self.signal.offset_s or 0.0

    def mark(self, text: str, time_s: float) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        self._cues.push(text, time_s)

    def note(self, line: str) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        self._notes.push(line)

    def check(self) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`.

        Raises
        ------
        ChildError
            If the recorder has ended.
        KeyboardInterrupt
        """
        for text in self._supervision.news():
            self._tell(text)
        for child in self._children:
            if child.name == "recorder" and not child.alive:
                raise ChildError(child.obituary())
        if self._stopped():
            raise KeyboardInterrupt

    def written(self) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        self.clock.wait_until(self.clock.now() + WRITE_S)

    def _start(self) -> None:
        """Start the device, the cues, the recorder and the signal."""
        require_ports(PORTS, "this calibration")
        self._cues = self._outlet(CUE_STREAM, "Markers", cue_fields(self._protocol.names()) | self._frames)
        self._notes = self._outlet(NOTES, CALIBRATION_TYPE, {})
        if self._device:
            self._child("device", ["stream", *self._device])
        stream = self._config.stream
        found = resolve(stream.query(), stream.timeout_s, eeg=True)
        recorder = self._child("recorder", ["record", *self._recorder_words()])
        self.recording = Path(recorder["path"])
        for outlet in (self._cues, self._notes):
            outlet.wait_for_consumers(READY_S)
        self.signal = LslSignalInlet(found, montage_of(self._config))
        end = self.clock.now() + READY_S
        while self.signal.offset_s is None and self.clock.now() < end:
            self.clock.wait_until(self.clock.now() + CLOCK_S)
        self._streams.append(self.signal)

    def _outlet(self, name: str, type: str, fields: dict[str, str]) -> LslTextOutlet:
        outlet = LslTextOutlet(name, type, f"{name}-{self._logs.name}", fields)
        self._streams.append(outlet)
        return outlet

    def _recorder_words(self) -> Sequence[str]:
        """Options that make the recorder take this calibration's streams, and no other's."""
        eeg = self._config.stream.query().words()
        own = [f"source_id={name}-{self._logs.name}" for name in (CUE_STREAM, NOTES)]
        words = [word for text in (eeg, *own) for word in ("--stream", text)]
        words += [word for text in self._also for word in ("--later", text)]
        record = self._config.record
        place = ["--out", record.out, "--subject", record.subject, "--session", record.session, "--task", TASK]
        return [*words, *place, "--timeout", f"{self._config.stream.timeout_s:g}"]

    def _child(self, name: str, words: Sequence[str]) -> dict[str, Any]:
        """Start one process and wait until it is ready."""
        child = Child(name, [*words, "--parent-pipe", "--json"], self._logs / f"{name}.log")
        self._children.append(child)
        return child.wait_ready(READY_S, self._stopped)


def _to_nobody(kind: str, **fields: object) -> None:
    """Drop a message: nothing is actuated during a calibration."""


def listen(external: Mapping[str, Any], timeout_s: float, montage: Montage | None = None) -> ExternalCues:
    """Subscribe to the markers of somebody else's program, or to the trigger channels on which it writes.

    Parameters
    ----------
    external : mapping
        ``query``, ``table``, ``field`` and ``pattern`` of an :class:`ExternalCues`.
    timeout_s : float
        How long to look for the stream.
    montage : Montage, optional
        What an amplifier's stream leaves out.

    Returns
    -------
    ExternalCues

    Raises
    ------
    StreamNotFound, StreamAmbiguous
    StreamMismatch
        If it is a signal, or one without trigger channels is to give them.
    """
    query = StreamQuery.parse(external["query"])
    owner = trigger_owner(external["query"])
    if owner and not find(query, 0.0):
        signal = resolve(StreamQuery(name=owner, host=query.host), timeout_s, eeg=True)
        return ExternalCues(LslTriggerInlet(signal, montage), external["table"], external["query"])
    found = the_one(query, markers_among(query, find(query, timeout_s), timeout_s, without=False), timeout_s)
    shape = (str(external.get("field", "")), str(external.get("pattern", "")))
    return ExternalCues(LslMarkerInlet(found, hold_s=HOLD_S), external["table"], external["query"], *shape)
