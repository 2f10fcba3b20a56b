"""Sessions with a known truth: which cues were presented when, and everything by which they may be told, well or badly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import Channel, StreamInfo

BEGAN_S = 500_000.0
"""True time, which is that of the computer that records and decodes, when the amplifier's first sample is taken."""
CODES = {"left": 1, "right": 2, "feet": 3}
GDF = {"left": "769", "right": "770", "feet": "771"}
START, END, REJECTED = "768", "800", "1023"
TABLE = {text: class_ for class_ in CODES for text in (class_, str(CODES[class_]), GDF[class_])}


@dataclass(frozen=True)
class Computer:
    """A computer and its clock, which is off, runs at a rate of its own, and may be reset once.

    Parameters
    ----------
    name : str
    offset_s, drift_ppm : float
    reset_s : float or None
        Since the beginning.
    step_s : float
        By which the clock is then set forward.
    noise_s : float
        Standard deviation of what a measurement of its offset is wrong by.
    """

    name: str
    offset_s: float = 0.0
    drift_ppm: float = 0.0
    reset_s: float | None = None
    step_s: float = 0.0
    noise_s: float = 0.0

    def unset(self, true_s: float) -> float:
        """What its clock shows, had it never been reset: the line on which the product gives times."""
        return true_s + self.offset_s + 1e-6 * self.drift_ppm * (true_s - BEGAN_S)

    def clock(self, true_s: float) -> float:
        """What its clock shows."""
        jumped = self.reset_s is not None and true_s >= BEGAN_S + self.reset_s
        return self.unset(true_s) + (self.step_s if jumped else 0.0)


HERE = Computer("lab-main")


@dataclass(frozen=True)
class Trigger:
    """The amplifier's trigger channel.

    Parameters
    ----------
    pulse, apart : int
        Samples for which a line is up, and by which the second line rises and falls later than the first.
    lost : frozenset of int
        Cues that it does not show.
    """

    pulse: int = 10
    apart: int = 0
    lost: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Amplifier:
    """What sends the signal.

    Parameters
    ----------
    computer : Computer
    rate_hz : float
    crystal_ppm : float
        By which it truly runs faster.
    block : int
        Samples that it sends at a time.
    trigger : Trigger or None
    gaps : tuple of (float, float)
        Beginning and length of stretches whose samples are lost, seconds since the beginning.
    restart : tuple of (float, float) or None
        When it stops, and for how long; it comes back as a new stream with the same source_id.
    """

    computer: Computer = HERE
    rate_hz: float = 250.0
    crystal_ppm: float = 0.0
    block: int = 10
    trigger: Trigger | None = None
    gaps: tuple[tuple[float, float], ...] = ()
    restart: tuple[float, float] | None = None

    @property
    def info(self) -> StreamInfo:
        labels = ("C3", "Cz", "C4", "Pz")
        triggers = (Channel("TRIGGER", "TRIG", ""),) if self.trigger else ()
        return StreamInfo(self.rate_hz, (*(Channel(x, unit="uV") for x in labels), *triggers), source_id="amp-7", name="Amp")


@dataclass(frozen=True)
class MarkerSource:
    """A program that sends markers.

    Parameters
    ----------
    name : str
    shape : {"text", "code", "numbers", "json", "columns"}
    computer : Computer
    latency_s, jitter_s : float
        From a cue to its stamp: always, and at most so much more.
    lost : frozenset of int
        Cues that it does not send.
    again : frozenset of int
        Cues that it sends twice.
    again_s : float
        How much later.
    twin : bool
        A second outlet of the same name sends the same, as when a program was started twice.
    late_s : float
        From stamping to arriving.
    """

    name: str = "Cues"
    shape: str = "text"
    computer: Computer = HERE
    latency_s: float = 0.0
    jitter_s: float = 0.0
    lost: frozenset[int] = frozenset()
    again: frozenset[int] = frozenset()
    again_s: float = 0.004
    twin: bool = False
    late_s: float = 0.002

    @property
    def info(self) -> StreamInfo:
        labels = {"numbers": ("event", "trial"), "columns": ("trial", "event")}.get(self.shape, ("text",))
        return StreamInfo(
            0.0, tuple(Channel(x, "AUX", "") for x in labels), source_id=f"{self.name}-1", name=self.name, type="Markers"
        )

    @property
    def channel_format(self) -> str:
        return "int32" if self.shape == "numbers" else "string"

    def row(self, text: str, trial: int) -> list[str] | list[int]:
        """A class or a code as this source sends it."""
        if self.shape != "text":
            text = GDF.get(text, text)
        match self.shape:
            case "numbers":
                return [int(text), trial]
            case "json":
                return [json.dumps({"event": text, "trial": trial})]
            case "columns":
                return [str(trial), text]
            case _:
                return [text]


@dataclass(frozen=True)
class Cue:
    """A cue that was presented.

    Parameters
    ----------
    at_s : float
        Since the beginning.
    class_ : str
    rejection : str
        Where its trial is marked as rejected (1023): "" for nowhere, else one of :data:`REJECTIONS`.
    begins_s, ends_s : float
        Before and after the cue: beginning (768) and end (800) of its trial.
    """

    at_s: float
    class_: str
    rejection: str = ""
    begins_s: float = 1.0
    ends_s: float = 1.0


@dataclass(frozen=True)
class Sent:
    """One marker: true time of its stamp, what was sent, and the number of the cue that it tells of."""

    true_s: float
    row: list[str] | list[int]
    cue: int | None


WITHOUT_FRAME = ("at the cue", "after the cue")
REJECTIONS = ("with the beginning", "before the beginning", "between", *WITHOUT_FRAME, "after the end")


@dataclass(frozen=True)
class GeneratedSession:
    """A session: what was presented, and what told of it.

    Parameters
    ----------
    cues : tuple of Cue
    framed : bool
        Marker streams tell beginnings and ends of trials too.
    amplifier : Amplifier
    sources : tuple of MarkerSource
    seed : int
        Of noise and jitter.
    """

    cues: tuple[Cue, ...]
    framed: bool = False
    amplifier: Amplifier = field(default_factory=Amplifier)
    sources: tuple[MarkerSource, ...] = ()
    seed: int = 0

    @property
    def length_s(self) -> float:
        return self.cues[-1].at_s + self.cues[-1].ends_s + 3.0

    @property
    def field(self) -> str:
        """The setting ``markers.field`` that its streams need."""
        return "event" if any(s.shape in ("json", "columns") for s in self.sources) else ""

    def samples(self) -> tuple[FloatArray, FloatArray]:
        """True times of all samples that are sent, and their values, shape (n_samples, n_channels)."""
        amp = self.amplifier
        period_s = 1.0 / (amp.rate_hz * (1 + 1e-6 * amp.crystal_ppm))
        since_s = np.arange(round(self.length_s / period_s)) * period_s
        data = np.random.default_rng(self.seed).normal(0, 10, (len(since_s), len(amp.info.channels)))
        if amp.trigger:
            data[:, -1] = self._levels(since_s, amp.trigger)
        dead = [*amp.gaps, *([amp.restart] if amp.restart else [])]
        kept = np.all([(since_s < a) | (since_s >= a + d) for a, d in dead], axis=0) if dead else np.ones(len(since_s), bool)
        return BEGAN_S + since_s[kept], data[kept]

    def _levels(self, since_s: FloatArray, trigger: Trigger) -> FloatArray:
        levels = np.zeros(len(since_s), int)
        for i, cue in enumerate(self.cues):
            if i not in trigger.lost:
                first = int(np.searchsorted(since_s, cue.at_s))
                for line in (1, 2):
                    if CODES[cue.class_] & line:
                        begin = first + (trigger.apart if line == 2 and CODES[cue.class_] == 3 else 0)
                        levels[begin : begin + trigger.pulse] |= line
        return levels

    def sent(self, source: MarkerSource) -> list[Sent]:
        """What a source sends, in order."""
        rng = np.random.default_rng([self.seed, sum(map(ord, source.name))])
        found: list[Sent] = []

        def late(at_s: float) -> float:
            return BEGAN_S + at_s + source.latency_s + float(rng.uniform(0, source.jitter_s))

        def tell(true_s: float, text: str) -> None:
            found.append(Sent(true_s, source.row(text, i), i if text in CODES else None))

        for i, cue in enumerate(self.cues):
            if not self.framed and not self._shown(i):
                continue  # of a trial of which nothing at all is told nobody tells that it is rejected
            begin, at = late(cue.at_s - cue.begins_s), late(cue.at_s)
            if cue.rejection == "before the beginning":
                tell(begin, REJECTED)
            if self.framed:
                tell(begin + 0.001, START)
            if cue.rejection == "with the beginning":
                tell(begin + 0.002, REJECTED)
            if cue.rejection == "between":
                tell(late(cue.at_s - 0.5 * cue.begins_s), REJECTED)
            if i not in source.lost:
                tell(at, cue.class_)
            if i not in source.lost and i in source.again:
                tell(at + source.again_s, cue.class_)
            if cue.rejection == "at the cue":
                tell(at + 0.001, REJECTED)
            if cue.rejection == "after the cue":
                tell(late(cue.at_s + 0.5 * cue.ends_s), REJECTED)
            end = late(cue.at_s + cue.ends_s)
            if self.framed:
                tell(end, END)
            if cue.rejection == "after the end":
                tell(end + 0.002, REJECTED)
        return sorted(found, key=lambda sent: sent.true_s)

    def _shown(self, i: int) -> bool:
        trigger = self.amplifier.trigger
        return any(i not in s.lost for s in self.sources) or (trigger is not None and i not in trigger.lost)

    def told(self, i: int) -> list[float]:
        """True times at which something tells of a cue: first that of the source that counts."""
        cue, amp = self.cues[i], self.amplifier
        seen: list[float] = []
        if amp.trigger and i not in amp.trigger.lost:
            true_s, data = self.samples()
            inside = (true_s >= BEGAN_S + cue.at_s - 1e-9) & (true_s < BEGAN_S + cue.at_s + (amp.trigger.pulse + 3) / amp.rate_hz)
            up = true_s[inside & (data[:, -1] != 0)]
            if len(up):
                return [float(up[0])]
        for source in self.sources:
            seen += [sent.true_s for sent in self.sent(source) if sent.cue == i]
        return sorted(seen)

    def truth(self) -> list[tuple[float, str]]:
        """True time and class of each trial that counts: by the stated source, the trigger channel before marker streams."""
        found = []
        for i, cue in enumerate(self.cues):
            if (told := self.told(i)) and not (cue.rejection and self.sources):
                found.append((told[0], cue.class_))
        return found


def computers(name: str) -> st.SearchStrategy[Computer]:
    """A computer whose clock is another one."""
    return st.builds(
        Computer,
        st.just(name),
        st.sampled_from([0.0, 0.3, -7.0, 12_345.678, -400_000.0]),
        st.integers(-100, 100).map(float),
        noise_s=st.sampled_from([0.0, 1e-4, 3e-4]),
    )


@st.composite
def sessions(draw: st.DrawFn) -> GeneratedSession:
    """Any mixture of what happens in the field."""
    framed = draw(st.booleans())
    number = draw(st.integers(3, 10))
    cues, at_s = [], 6.0
    for _ in range(number):
        begins_s, ends_s = draw(st.sampled_from([0.5, 1.0, 2.0])), draw(st.sampled_from([0.7, 1.5, 3.0]))
        at_s += begins_s
        where = draw(st.sampled_from(["", "", "", *(REJECTIONS if framed else WITHOUT_FRAME)]))
        cues.append(Cue(at_s + draw(st.integers(0, 999)) * 1e-5, draw(st.sampled_from(sorted(CODES))), where, begins_s, ends_s))
        at_s += ends_s + draw(st.sampled_from([0.3, 0.3, 1.0, 20.0]))
    length_s = at_s
    reset = {"reset_s": draw(st.floats(0.3, 0.7)) * length_s, "step_s": draw(st.sampled_from([0.2, 3600.0, -50.0, -0.5]))}
    resets = draw(st.sampled_from(["", "", "", "amplifier", "stimuli"]))
    amp_pc = draw(st.one_of(st.just(HERE), computers("lab-amp")))
    if resets == "amplifier" and amp_pc != HERE:
        amp_pc = Computer(amp_pc.name, amp_pc.offset_s, amp_pc.drift_ppm, noise_s=amp_pc.noise_s, **reset)
    screen_pc = draw(st.one_of(st.just(HERE), st.just(amp_pc), computers("lab-screen")))
    if resets == "stimuli" and screen_pc not in (HERE, amp_pc):
        screen_pc = Computer(screen_pc.name, screen_pc.offset_s, screen_pc.drift_ppm, noise_s=screen_pc.noise_s, **reset)
    some = st.frozensets(st.integers(0, number - 1), max_size=2)
    apart = draw(st.integers(0, 2))
    trigger = draw(st.one_of(st.none(), st.builds(Trigger, st.integers(apart + 1, 30), st.just(apart), some)))
    shapes = draw(st.sampled_from([("text", "code", "numbers"), ("json", "columns")]))
    n_sources = draw(st.integers(0 if trigger else 1, 2))
    alone = n_sources == 1 and not trigger
    sources = tuple(
        MarkerSource(
            name,
            draw(st.sampled_from(shapes)),
            draw(st.sampled_from([screen_pc, screen_pc, HERE])),
            draw(st.sampled_from([0.0, 0.0, 0.02, 0.08])),
            draw(st.sampled_from([0.0, 0.005, 0.03])),
            frozenset() if alone else draw(some),
            draw(some),
            draw(st.sampled_from([0.0, 0.001, 0.008, 0.03])),
            draw(st.sampled_from([False, False, False, True])),
            draw(st.sampled_from([0.0, 0.002, 0.03])),
        )
        for name in ("Cues", "Stimuli")[:n_sources]
    )
    gap = st.tuples(st.floats(0.1, 0.9).map(lambda x: x * length_s), st.sampled_from([0.05, 0.5, 4.0]))
    kind = draw(st.sampled_from(["", "", "gaps", "restart"]))
    amplifier = Amplifier(
        amp_pc,
        draw(st.sampled_from([125.0, 250.0, 250.0, 500.0])),
        draw(st.integers(-100, 100).map(float)),
        draw(st.sampled_from([5, 10, 25])),
        trigger,
        tuple(draw(st.lists(gap, min_size=1, max_size=2))) if kind == "gaps" else (),
        (draw(st.floats(0.2, 0.8)) * length_s, draw(st.sampled_from([2.0, 8.0]))) if kind == "restart" else None,
    )
    return GeneratedSession(tuple(cues), framed, amplifier, sources, draw(st.integers(0, 999)))


def blocks(session: GeneratedSession) -> Iterator[tuple[FloatArray, FloatArray, int]]:
    """What the amplifier sends at a time: true times, values, and 1 once it was restarted."""
    true_s, data = session.samples()
    n, restart = session.amplifier.block, session.amplifier.restart
    life = (true_s >= BEGAN_S + restart[0]).astype(int) if restart else np.zeros(len(true_s), int)
    for a in range(0, len(true_s), n):
        part = slice(a, a + n)
        for which in np.unique(life[part]).tolist():
            chosen = life[part] == which
            yield true_s[part][chosen], data[part][chosen], which
