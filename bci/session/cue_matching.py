"""Which sightings of a cue are one cue: the same one on a trigger channel, on a marker stream, or sent twice.

Pure and causal: sightings come one after the other, each is a new cue or a copy of one that is known. A recording sends its
markers through it in order of time, a live session as they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

MATCH_S = 0.25
"""Two sources show one cue within this time: a trigger is immediate, a program's marker tens of milliseconds off."""
REPEAT_S = 0.05
"""One source that says the same again within this time has repeated itself."""
FORGET_S = 10.0
"""Markers of a network may come this much later than those of the amplifier."""
MANY = 256


@dataclass(frozen=True, slots=True)
class Sighting:
    """One marker as one source gave it.

    Parameters
    ----------
    time_s : float
        On the clock of the signal.
    code : str
        What the marker says.
    class_ : str
        What the table says that it means; empty for nothing.
    source : hashable
        Which stream or channel it came from; two of the same name are two sources.
    name : str
        Of the source, for people.
    on_samples : bool
        It comes from a channel of the amplifier, whose time is that of a sample.
    stamp : float
        As the source stamped it.
    text : str
        As it was sent.
    """

    time_s: float
    code: str
    class_: str
    source: Hashable
    name: str = ""
    on_samples: bool = False
    stamp: float = 0.0
    text: str = ""

    @property
    def meaning(self) -> tuple[str, str]:
        """What must be the same in two sightings of one cue."""
        return (self.class_, "" if self.class_ else self.code)


@dataclass(slots=True, eq=False)
class SeenCue:
    """One cue with all its sightings.

    Parameters
    ----------
    sightings : list of Sighting
        In the order in which they came.
    doubted : bool
        Another source says at the same time that it was another class.
    """

    sightings: list[Sighting] = field(default_factory=list)
    doubted: bool = False

    @property
    def best(self) -> Sighting:
        """The sighting whose time counts: of the amplifier's channel, which is on the clock of the samples; else the first."""
        return min(self.sightings, key=lambda s: (not s.on_samples, s.time_s))

    @property
    def time_s(self) -> float:
        """When the cue was given."""
        return self.best.time_s

    @property
    def class_(self) -> str:
        """What it asks for."""
        return self.sightings[0].class_

    @property
    def sources(self) -> dict[Hashable, str]:
        """Who has shown it, and the names of these."""
        return {s.source: s.name for s in self.sightings}


class CueMatcher:
    """Puts sightings together to cues.

    Sources are matched one to one: within 0.25 s the nearest cue of the same meaning that a source has not shown yet is the
    one it shows. So a cue that one source lost is not made up for with the next one, and a class that is really given twice
    in a row is two cues, as long as a source shows both. What one source says twice within 0.05 s it has repeated.

    Parameters
    ----------
    forget_s : float
        A sighting may come so much later than those that were given before it.
    """

    def __init__(self, forget_s: float = FORGET_S) -> None:
        self._forget_s, self._latest_s = forget_s, float("-inf")
        self._recent: dict[tuple[str, str], list[SeenCue]] = {}

    def add(self, seen: Sighting) -> tuple[SeenCue, bool]:
        """The cue that a sighting shows, and whether it is a new one."""
        self._latest_s = max(self._latest_s, seen.time_s)
        if len(self._recent) > MANY:
            self._recent = {meaning: cues for meaning in self._recent if (cues := self._alike(meaning))}
        alike = self._recent[seen.meaning] = self._alike(seen.meaning)
        cue = _repeated(alike, seen) or _open(alike, seen)
        if cue is not None:
            cue.sightings.append(seen)
            return cue, False
        alike.append(SeenCue([seen]))
        return alike[-1], True

    @property
    def recent(self) -> list[SeenCue]:
        """Cues that stand for a class and that are not forgotten yet."""
        return [cue for meaning in self._recent if meaning[0] for cue in self._alike(meaning)]

    def _alike(self, meaning: tuple[str, str]) -> list[SeenCue]:
        """Cues of one meaning that may still get a copy."""
        since_s = self._latest_s - self._forget_s
        return [cue for cue in self._recent.get(meaning, ()) if cue.sightings[-1].time_s >= since_s]


def matched(sightings: Sequence[Sighting]) -> list[SeenCue]:
    """All cues of a recording, in order of time; of those that contradict each other it is noted."""
    matcher, found = CueMatcher(2 * MATCH_S), []
    for seen in sorted(sightings, key=lambda s: s.time_s):
        cue, new = matcher.add(seen)
        if new:
            found.append(cue)
    contradicted(found)
    return sorted(found, key=lambda cue: cue.time_s)


def contradicted(cues: Sequence[SeenCue]) -> list[SeenCue]:
    """Cues that are newly found to be contradicted by another source; they are marked as doubted.

    Two sources contradict each other where, within the time in which they are matched, each shows a class that the other one
    does not. Ask when all sightings of the cues have come.
    """
    found: list[SeenCue] = []
    ordered = sorted((cue for cue in cues if cue.class_), key=lambda cue: cue.time_s)
    for i, cue in enumerate(ordered):
        for other in ordered[i + 1 :]:
            if other.time_s - cue.time_s > MATCH_S:
                break
            if other.class_ != cue.class_ and not cue.sources.keys() & other.sources.keys():
                found += [one for one in (cue, other) if not one.doubted]
                cue.doubted = other.doubted = True
    return found


def copies(cues: Sequence[SeenCue]) -> list[str]:
    """What came more than once, for people.

    >>> one, two = Sighting(1.0, "1", "left", 0, "Cues"), Sighting(1.01, "1", "left", 1, "Amp triggers", True)
    >>> copies(matched([one, two]))
    ["1 cue came twice (on 'Cues' and 'Amp triggers') and is counted once"]
    """
    kinds = Counter(tuple(s.name for s in sorted(c.sightings, key=lambda s: str(s.source))) for c in cues if len(c.sightings) > 1)
    found: Counter[tuple[str, str]] = Counter()
    for names, n in kinds.items():
        each = " and ".join(map(repr, dict.fromkeys(names)))
        often = "twice" if len(names) == 2 else "more than twice"
        found[(often, f"on {each}" if len(set(names)) == 1 else f"(on {each})")] += n
    return [f"{n} cue{'s' * (n != 1)} came {a} {b} and {'are' if n != 1 else 'is'} counted once" for (a, b), n in found.items()]


def _repeated(alike: Sequence[SeenCue], seen: Sighting) -> SeenCue | None:
    """The cue that its own source has shown a moment ago."""
    for cue in reversed(alike):
        if any(s.source == seen.source and abs(s.time_s - seen.time_s) <= REPEAT_S for s in cue.sightings):
            return cue
    return None


def _open(alike: Sequence[SeenCue], seen: Sighting) -> SeenCue | None:
    """The nearest cue that this source has not shown yet."""
    found = [c for c in alike if seen.source not in c.sources and abs(c.time_s - seen.time_s) <= MATCH_S]
    return min(found, key=lambda c: abs(c.time_s - seen.time_s), default=None)
