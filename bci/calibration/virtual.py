"""A calibration in one thread, faster than real time: subject, bus and recorder on a virtual clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bci import plugins
from bci.calibration.environment import NOTES
from bci.calibration.history import CalibrationHistory
from bci.engine.chunk import Chunk
from bci.errors import ConfigError
from bci.paradigm.protocol import CalibrationProtocol
from bci.paradigm.timeline import CALIBRATION_TYPE, CLASS_CODES, CUE_STREAM, cue_fields
from bci.recording.recorder import Recorder
from bci.recording.settings import RecorderSettings
from bci.simulation.simulate import Subject
from bci.stream.bus import Clock, SignalInlet
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_outlets import InProcessOutlet
from bci.stream.xdf.writer import XdfWriter

ORIGIN_S = 1000.0
POLL_S = 0.5
LEAD_S, GRID_S = 8.0, 10.0
"""A resumed recording begins so long before the point where it goes on, that filters have forgotten how they began, and at
a multiple of ``GRID_S``, so that windows and looks at the quality lie on the grid of the first recording."""


class VirtualEnvironment:
    """See :class:`~bci.calibration.environment.CalibrationEnvironment`. A context manager: leaving it closes the recording.

    Parameters
    ----------
    make : callable
        Builds the subject on a clock.
    protocol : CalibrationProtocol
    path : Path
        Recording to write; must not exist.
    history : CalibrationHistory
        What was recorded before: the subject lives through it again.
    stopped : callable
        Why to stop, or "".
    """

    def __init__(
        self,
        make: Callable[[VirtualClock], Subject],
        protocol: CalibrationProtocol,
        path: Path,
        history: CalibrationHistory | None = None,
        stopped: Callable[[], str] = lambda: "",
    ) -> None:
        history = history or CalibrationHistory()
        self._clock = VirtualClock(ORIGIN_S)
        self.clock: Clock = self._clock
        self.recording = path
        self._stopped = stopped
        self._poll_s = 0.0
        self._subject = make(self._clock)
        self._shown = shown_as(protocol)
        left = self._live_again(history) if history.recordings else None
        self.resumed_s: float | None = history.end_s if history.end_s else None
        bus = InProcessBus(self._clock)
        outlet = bus.outlet(self._subject.info)
        self._cues = bus.text_outlet(CUE_STREAM, "Markers", CUE_STREAM, cue_fields(protocol.names()))
        self._notes = bus.text_outlet(NOTES, CALIBRATION_TYPE, NOTES)
        self.signal: SignalInlet = bus.signal(self._subject.info.source_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._recorder = Recorder(XdfWriter(path), self.clock, RecorderSettings())
        for stream in bus.streams():
            self._recorder.add(bus.raw(stream.source_id), stream.name)
        if left is not None and len(left):
            outlet.push_chunk(left.data, left.stamps)
        self._clock.add(_send(self._subject, outlet))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the recording. May be called twice."""
        self._recorder.poll()
        self._recorder.stop()
        self._subject.close()

    @property
    def offset_s(self) -> float:
        """Nothing: there is one clock."""
        return 0.0

    def mark(self, text: str, time_s: float) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        self._subject.cue(self._shown.get(text, text), time_s)
        self._cues.push(text, time_s)

    def note(self, line: str) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        self._notes.push(line)

    def check(self) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        if self.clock.now() >= self._poll_s:
            self._poll_s = self.clock.now() + POLL_S
            self._recorder.poll()
        if self._stopped():
            raise KeyboardInterrupt

    def written(self) -> None:
        """See :class:`~bci.calibration.environment.CalibrationEnvironment`."""
        self._recorder.poll()

    def _live_again(self, history: CalibrationHistory) -> Chunk | None:
        """Show the subject again what it was shown, up to where the recording begins; return the first samples to record."""
        begin_s = ORIGIN_S + max(0.0, (history.end_s - LEAD_S - ORIGIN_S) // GRID_S * GRID_S) - 1e-6
        shown = _show(self._show_again, history.markers)
        chunk, due_s = None, next(shown, math.inf)
        while begin_s > ORIGIN_S and (chunk is None or chunk.stamps[-1] < begin_s):
            while due_s <= self.clock.now():
                due_s = next(shown, math.inf)
            chunk = self._subject.read(1.0)
        if due_s < math.inf:
            self._clock.add(_from(due_s, shown))
        return None if chunk is None else Chunk(chunk.data[chunk.stamps >= begin_s], chunk.stamps[chunk.stamps >= begin_s])

    def _show_again(self, text: str, time_s: float) -> None:
        """The subject sees a marker that is recorded already."""
        self._subject.cue(self._shown.get(text, text), time_s)


def simulated_settings(protocol: CalibrationProtocol, skill: float, seed: int) -> dict[str, Any]:
    """Settings of a simulated subject that does what a protocol asks for.

    Parameters
    ----------
    protocol : CalibrationProtocol
    skill : float
        From 0 (chance) to 1.
    seed : int
        Of the simulated signal.

    Returns
    -------
    dict of str to object
    """
    return {"classes": subject_classes(protocol), "skill": skill, "seed": seed}


def subject_of(settings: Mapping[str, Any]) -> Callable[[VirtualClock], Subject]:
    """A function that builds the simulated subject with these settings on a clock.

    Parameters
    ----------
    settings : mapping of str to object

    Returns
    -------
    callable
    """
    make = plugins.load(plugins.SOURCES, "simulated")

    def build(clock: VirtualClock) -> Subject:
        subject: Subject = make.from_settings(settings, clock)
        return subject

    return build


def shown_as(protocol: CalibrationProtocol) -> Mapping[str, str]:
    """Marker that the simulated subject is shown for each class that it does not know by its code.

    Parameters
    ----------
    protocol : CalibrationProtocol

    Returns
    -------
    mapping of str to str

    Raises
    ------
    ConfigError
        If there are more classes than it can imagine.
    """
    known = {code for code in protocol.class_codes.values() if code in CLASS_CODES.values()}
    free = iter(sorted(set(CLASS_CODES.values()) - known))
    try:
        return {str(code): str(next(free)) for code in protocol.class_codes.values() if code not in known}
    except StopIteration:
        raise ConfigError(
            f"--simulate: the simulated subject has at most {len(CLASS_CODES)} classes, not {len(protocol.classes)}"
        ) from None


def subject_classes(protocol: CalibrationProtocol) -> tuple[str, ...]:
    """What the simulated subject imagines, in the order of the protocol's classes.

    Parameters
    ----------
    protocol : CalibrationProtocol

    Returns
    -------
    tuple of str
    """
    shown, names = shown_as(protocol), {str(code): name for name, code in CLASS_CODES.items()}
    return tuple(names[shown.get(str(code), str(code))] for code in protocol.class_codes.values())


def _show(tell: Callable[[str, float], None], markers: Sequence[tuple[str, float]]) -> Iterator[float]:
    """An actor that shows each marker at its time."""
    for text, time_s in markers:
        yield time_s
        tell(text, time_s)


def _from(due_s: float, actor: Iterator[float]) -> Iterator[float]:
    """An actor that was taken up to its next step before."""
    yield due_s
    yield from actor


def _send(subject: Subject, outlet: InProcessOutlet) -> Iterator[float]:
    """An actor that sends what the subject's amplifier has, when it has it."""
    while True:
        yield subject.due_s
        chunk = subject.read(0.0)
        if chunk is not None:
            outlet.push_chunk(chunk.data, chunk.stamps)
