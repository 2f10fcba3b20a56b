"""The cursor task in closed loop, faster than real time: a simulated person steers by what the engine decodes.

Engine, live loop and recorder are those of a session over LSL (:mod:`bci.simulation.virtual`); a recording can be verified.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from bci.engine.engine import Engine
from bci.errors import ConfigError
from bci.model.file import Model
from bci.paradigm.cursor import KNOWN, STILL, Direction, moved, towards
from bci.paradigm.timeline import CLASS_CODES, FREE_CODES, HIT, MISS, TRIAL_END, Cue, CueTimeline, trial_cues
from bci.paradigm.trial_times import Paradigm
from bci.recording.recorder import Recorder
from bci.session.live import LiveLoop
from bci.settings import SessionConfig
from bci.simulation.simulate import CUES, Subject
from bci.simulation.virtual import wires_on
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_inlets import InProcessRawInlet
from bci.stream.inprocess_outlets import InProcessOutlet, InProcessTextOutlet
from bci.stream.xdf.writer import XdfWriter

EIGHT = ("left", "right", "up", "down", "up_left", "up_right", "down_left", "down_right")
"""Targets of the centre-out task."""
CODES = {
    "left": CLASS_CODES["left_hand"],
    "right": CLASS_CODES["right_hand"],
    "down": CLASS_CODES["feet"],
    "up": CLASS_CODES["tongue"],
    "rest": CLASS_CODES["rest"],
    **dict(zip(EIGHT[4:], FREE_CODES, strict=False)),
}
"""Cue code of each target."""
TABLE = {str(code): name for name, code in CODES.items()}
"""Which class each of these markers stands for."""


@dataclass(frozen=True, slots=True)
class CursorTask:
    """Centre-out with a dwell: from the middle into a target, and stay there.

    The times and sizes are those of the usual task in print (Gilja et al. 2012: eight targets, held for half a second).

    Parameters
    ----------
    targets : tuple of str
        In the order in which they are shown.
    distance, radius : float
        Of the targets, as parts of half the field.
    dwell_s, limit_s, pause_s : float
        Time in a target until it counts; time after which it is missed; and rest between two.
    across_s : float
        Time for half the field at a velocity of one.
    """

    targets: tuple[str, ...]
    distance: float = 0.8
    radius: float = 0.25
    dwell_s: float = 0.5
    limit_s: float = 15.0
    pause_s: float = 1.0
    across_s: float = 2.5

    def __post_init__(self) -> None:
        unknown = [t for t in self.targets if t not in CODES or t in STILL]
        problems = [f"target {t!r}: must be one of {', '.join(t for t in CODES if t not in STILL)}" for t in unknown]
        times = {name: getattr(self, name) for name in ("dwell_s", "limit_s", "pause_s", "across_s")}
        problems += [f"{name} = {value}: must be more than 0" for name, value in times.items() if not 0 < value < math.inf]
        if not 0 < self.radius < self.distance <= 1:
            problems.append(f"radius = {self.radius}, distance = {self.distance}: must be 0 < radius < distance <= 1")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True, slots=True)
class Reach:
    """What came of one target.

    Parameters
    ----------
    target : str
    hit : bool
    time_s : float
        From the target to the end of the dwell, or the limit.
    path : float
        Way of the cursor, as a multiple of the straight one.
    """

    target: str
    hit: bool
    time_s: float
    path: float


@dataclass(frozen=True, slots=True, eq=False)
class Reaches:
    """All of a session, and how well the velocities were what was wanted.

    Parameters
    ----------
    reaches : list of Reach
    wanted, decoded : list of Direction
        One of each for every window of a trial.
    """

    reaches: list[Reach] = field(default_factory=list)
    wanted: list[Direction] = field(default_factory=list)
    decoded: list[Direction] = field(default_factory=list)

    @property
    def time_s(self) -> float:
        """Mean time to target; a miss counts as the limit."""
        return float(np.mean([r.time_s for r in self.reaches]))

    @property
    def hits(self) -> float:
        """Share of targets that were reached."""
        return float(np.mean([r.hit for r in self.reaches]))


def nmse(wanted: Sequence[Direction], decoded: Sequence[Direction]) -> float:
    """Squared error as a part of what was wanted, decoded velocities scaled as fits best.

    >>> nmse([(1.0, 0.0), (0.0, 1.0)], [(2.0, 0.0), (0.0, 2.0)])
    0.0
    """
    z, v = np.array(wanted), np.array(decoded)
    power = float((v * v).sum())
    scale = float((z * v).sum()) / power if power else 0.0
    return float(((z - scale * v) ** 2).sum() / (z * z).sum())


def correlation(wanted: Sequence[Direction], decoded: Sequence[Direction]) -> float:
    """Pearson's, mean over dimensions; 0 where one of them never moves."""
    z, v = np.array(wanted), np.array(decoded)
    moving = [i for i in range(z.shape[1]) if z[:, i].std() and v[:, i].std()]
    return float(np.sum([np.corrcoef(z[:, i], v[:, i])[0, 1] for i in moving]) / z.shape[1])


class Steerer(Subject, Protocol):
    """A source that steers."""

    def intend(self, right: float, down: float, time_s: float | None = None) -> None:
        """Want this velocity from now on."""
        ...


class TargetFollower:
    """A subject of a cue timeline who steers towards each target that it is shown, and rests between them.

    Parameters
    ----------
    steerer : Steerer
    """

    def __init__(self, steerer: Steerer) -> None:
        self._steerer = steerer
        self.info, self.read, self.close = steerer.info, steerer.read, steerer.close

    @property
    def due_s(self) -> float:
        """Time on its clock at which the next samples arrive."""
        return self._steerer.due_s

    def cue(self, cue: str | int, time_s: float | None = None) -> bool:
        """Show something to the person."""
        target = TABLE.get(str(cue), "rest" if str(cue) == str(TRIAL_END) else "")
        if target:
            self._steerer.intend(*KNOWN.get(target, (0.0, 0.0)), time_s)
        return bool(target)


def observation(targets: Sequence[str], each: int, seed: int, trial_s: float = 4.0, lead_s: float = 3.0) -> CueTimeline:
    """A calibration: targets in random order, each shown for ``trial_s``; the person intends to move there."""
    rng = np.random.default_rng((seed, 7))
    paradigm = Paradigm(cue_s=0.5, feedback_s=None, stop_s=0.5 + trial_s, pause_s=(0.5, 1.0))
    cues: list[Cue] = []
    begin_s = lead_s
    for target in [targets[i] for _ in range(each) for i in rng.permutation(len(targets))]:
        own = trial_cues(paradigm, target, CODES[target])
        cues += [Cue(round(begin_s + c.time_s, 3), c.code, c.name, c.class_) for c in own]
        begin_s += paradigm.stop_s + float(rng.uniform(*paradigm.pause_s))
    return CueTimeline(tuple(targets), tuple(cues))


class Play:
    """The task itself: takes each velocity as it comes, moves the cursor, and tells the person what is to be seen.

    Parameters
    ----------
    task : CursorTask
    steerer : Steerer
    cues : InProcessTextOutlet
    velocities : InProcessRawInlet
    hop_s : float
    """

    def __init__(
        self, task: CursorTask, steerer: Steerer, cues: InProcessTextOutlet, velocities: InProcessRawInlet, hop_s: float
    ) -> None:
        self._task, self._steerer, self._cues, self._velocities, self._hop_s = task, steerer, cues, velocities, hop_s
        self.result = Reaches()
        self.over = False

    def run(self, begin_s: float) -> Iterator[float]:
        """An actor (:class:`~bci.stream.clock.VirtualClock`)."""
        now = begin_s
        for target in self._task.targets:
            yield now
            self._drain()
            self._cues.push(str(CODES[target]), now)
            now = yield from self._reach(target, now)
            self._steerer.intend(0.0, 0.0, now)
            self._cues.push(str(HIT if self.result.reaches[-1].hit else MISS), now)
            self._cues.push(str(TRIAL_END), now)
            now += self._task.pause_s
        self.over = True

    def _reach(self, target: str, begin_s: float) -> Generator[float, None, float]:
        """One target; the time at which it was reached or given up."""
        task, place = self._task, _place(self._task, target)
        at, way, inside, now = (0.0, 0.0), 0.0, 0.0, begin_s
        while True:
            wanted = wish(task, at, place)
            self._steerer.intend(*wanted, now)
            now += self._hop_s
            yield now
            for velocity in self._drain():
                before, at = at, moved(at, velocity, self._hop_s, task.across_s)
                way += math.dist(before, at)
                inside = inside + self._hop_s if math.dist(at, place) <= task.radius else 0.0
                self.result.wanted.append(wanted)
                self.result.decoded.append(velocity)
            hit = inside >= task.dwell_s - 1e-9
            if hit or now - begin_s >= task.limit_s:
                break
        self.result.reaches.append(Reach(target, hit, now - begin_s, way / task.distance))
        return now

    def _drain(self) -> list[Direction]:
        """The velocities that have come since the last call."""
        pulled = self._velocities.pull(0.0)
        if pulled is None:
            return []
        rows = np.asarray(pulled[0], dtype=np.float64)
        n = (rows.shape[1] - 4) // 2
        return [(row[4], row[5] if n > 1 else 0.0) for row in rows.tolist()]


def wish(task: CursorTask, at: Direction, place: Direction) -> Direction:
    """What somebody wants who sees cursor and target: straight to it, and more slowly inside it."""
    x, y = towards(at, place)
    haste = min(1.0, math.dist(at, place) / task.radius)
    return (haste * x, haste * y)


def _place(task: CursorTask, target: str) -> Direction:
    x, y = KNOWN[target]
    return (task.distance * x, task.distance * y)


def run_cursor(
    steerer: Steerer, clock: VirtualClock, task: CursorTask, model: Model, config: SessionConfig, path: Path | None = None
) -> Reaches:
    """Let a simulated person steer a cursor by what a model decodes.

    Parameters
    ----------
    steerer : Steerer
        Built on ``clock``.
    clock : VirtualClock
    task : CursorTask
    model : Model
        One that decodes velocity.
    config : SessionConfig
    path : Path, optional
        XDF file to record to; must not exist.

    Raises
    ------
    ConfigError
        If the model decodes no velocity.
    """
    if not model.decoder.n_dims:
        raise ConfigError(
            f"{model.path}: {model.header.decoder} decodes no velocity; train velocity-ridge, kalman or dkf to steer a cursor"
        )
    bus = InProcessBus(clock)
    eeg = bus.outlet(steerer.info)
    cues = bus.text_outlet(CUES, "Markers", CUES)
    name, p = config.engine.name, model.header.preprocessing
    wires = wires_on(bus, name, model)
    engine = Engine(steerer.info, model.decoder, config.engine_settings(model.header.decision))
    loop = LiveLoop(bus.signal(steerer.info.name), engine, model, wires, clock)
    play = Play(task, steerer, cues, bus.raw(f"{name}-velocity"), p.hop / p.rate_hz)
    clock.add(_send(steerer, eeg))
    clock.add(play.run(clock.now() + 1.0 + 2 * p.window / p.rate_hz))

    with _recorder(path, bus) as recorder:

        def over() -> str:
            if recorder is not None:
                recorder.poll()
            return "all targets were shown" if play.over else ""

        loop.run(over)
        if recorder is not None:
            recorder.poll()
    wires.close(linger_s=0.0)
    return play.result


@contextmanager
def _recorder(path: Path | None, bus: InProcessBus) -> Iterator[Recorder | None]:
    """What records all streams there are; None where nothing is to be recorded."""
    if path is None:
        yield None
        return
    with Recorder(XdfWriter(path), bus.clock) as recorder:
        for stream in bus.streams():
            recorder.add(bus.raw(stream.source_id), stream.name)
        yield recorder


def _send(steerer: Steerer, outlet: InProcessOutlet) -> Iterator[float]:
    """An actor that sends what the amplifier has, when it has it."""
    while True:
        yield steerer.due_s
        chunk = steerer.read(0.0)
        if chunk is not None:
            outlet.push_chunk(chunk.data, chunk.stamps)
