"""Which sightings of a cue are one cue: the same one on a trigger channel, on a marker stream, or sent twice.

Pure and causal: sightings come one after the other, each is a new cue or a copy of one that is known. A recording sends its
markers through it in order of time, a live session as they come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import permutations

ECHO_S, ECHO_SPREAD_S, FEW_ECHOES, ECHOED = 2.0, 0.05, 6, 0.8
"""Two sources give the same cues one after the other where so large a part of them, at least six, is equally far apart."""
MATCH_S = 0.25
"""Two sources show one cue within this time: a trigger is immediate, a program's marker tens of milliseconds off."""
REPEAT_S = 0.05
"""One source that says the same again within this time has repeated itself."""
LATEST, MANY = 64, 256
"""So many cues of one class may still get a copy, and so many classes and other markers are kept."""
KEPT = 32
"""Of what is sent again and again without a pause, so many first and last sightings are kept: sessions last for hours."""


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
    duration_s : float
        How long it lasts, where its source tells.
    """

    time_s: float
    code: str
    class_: str
    source: Hashable
    name: str = ""
    on_samples: bool = False
    stamp: float = 0.0
    text: str = ""
    duration_s: float = 0.0

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
        In the order in which they came; of very many, the first and the last.
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

    Nothing is forgotten by the clock, which a single wrong stamp would set forward for all that come after it.
    """

    def __init__(self) -> None:
        self._recent: dict[tuple[str, str], list[SeenCue]] = {}

    def add(self, seen: Sighting) -> tuple[SeenCue, bool]:
        """Find the cue that a sighting shows.

        Parameters
        ----------
        seen : Sighting

        Returns
        -------
        tuple of (SeenCue, bool)
            The cue, and whether it is a new one.
        """
        alike = self._recent.pop(seen.meaning, [])
        self._recent[seen.meaning] = alike
        cue = _repeated(alike, seen) or _open(alike, seen)
        if cue is not None:
            cue.sightings.append(seen)
            del cue.sightings[KEPT:-KEPT]
            return cue, False
        alike.append(SeenCue([seen]))
        del alike[:-LATEST]
        if len(self._recent) > MANY:
            del self._recent[next(iter(self._recent))]
        return alike[-1], True

    @property
    def recent(self) -> list[SeenCue]:
        """Cues that stand for a class and that are not forgotten yet."""
        return [cue for meaning, cues in self._recent.items() if meaning[0] for cue in cues]


def matched(sightings: Sequence[Sighting]) -> list[SeenCue]:
    """Find all cues of a recording; cues that contradict each other are marked as doubted.

    Parameters
    ----------
    sightings : sequence of Sighting
        In any order.

    Returns
    -------
    list of SeenCue
        In order of time.
    """
    matcher, found = CueMatcher(), []
    for seen in sorted(sightings, key=lambda s: s.time_s):
        cue, new = matcher.add(seen)
        if new:
            found.append(cue)
    contradicted(found)
    return sorted(found, key=lambda cue: cue.time_s)


def contradicted(cues: Sequence[SeenCue]) -> list[SeenCue]:
    """Find cues that another source contradicts and that were not known to be contradicted; they are marked as doubted.

    Two sources contradict each other where, within the time in which they are matched, each shows a class that the other one
    does not. Ask when all sightings of the cues have come.

    Parameters
    ----------
    cues : sequence of SeenCue

    Returns
    -------
    list of SeenCue
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


def echoed(cues: Sequence[SeenCue]) -> list[tuple[str, str, int, float]]:
    """Sources that give the same cues, each further apart than sightings are matched; these cues are marked as doubted.

    Nothing tells which of the two times is the cue's: a projector that is late, or a program that announces.

    Parameters
    ----------
    cues : sequence of SeenCue
        Of a whole recording.

    Returns
    -------
    list of (str, str, int, float)
        Names of the earlier and the later source, number of cues, and the delay, seconds.
    """
    groups: dict[frozenset[Hashable], list[SeenCue]] = {}
    for cue in cues:
        groups.setdefault(frozenset(cue.sources), []).append(cue)
    found = []
    for (first, early), (second, late) in permutations(groups.items(), 2):
        pairs = [(a, b) for a in early if not first & second and (b := _after(a, late)) is not None]
        delays = sorted(b.time_s - a.time_s for a, b in pairs)
        middle = delays[len(delays) // 2] if delays else 0.0
        same = [pair for pair in pairs if abs(pair[1].time_s - pair[0].time_s - middle) <= ECHO_SPREAD_S]
        if len(same) >= max(FEW_ECHOES, ECHOED * min(len(early), len(late))):
            for cue in (cue for pair in same for cue in pair):
                cue.doubted = True
            found.append((same[0][0].best.name, same[0][1].best.name, len(same), middle))
    return found


def _after(cue: SeenCue, others: Sequence[SeenCue]) -> SeenCue | None:
    """The next cue of the same class of another source, if it comes soon."""
    i = bisect_right(others, cue.time_s, key=lambda other: other.time_s)
    return next((o for o in others[i : i + 4] if o.class_ == cue.class_ and o.time_s - cue.time_s <= ECHO_S), None)


def copies(cues: Sequence[SeenCue]) -> list[str]:
    """Tell a person which cues came more than once.

    Parameters
    ----------
    cues : sequence of SeenCue

    Returns
    -------
    list of str
        Sentences.

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
        if any(s.source == seen.source and abs(s.time_s - seen.time_s) <= REPEAT_S for s in reversed(cue.sightings)):
            return cue
    return None


def _open(alike: Sequence[SeenCue], seen: Sighting) -> SeenCue | None:
    """The nearest cue that this source has not shown yet."""
    found = [c for c in alike if seen.source not in c.sources and abs(c.time_s - seen.time_s) <= MATCH_S]
    return min(found, key=lambda c: abs(c.time_s - seen.time_s), default=None)
