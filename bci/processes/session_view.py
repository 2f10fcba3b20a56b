"""A live session in the terminal: probabilities, decision, quality, age of data, lateness."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bci.engine.outcome import Reason, fields
from bci.errors import StreamError
from bci.model.header import ModelHeader
from bci.processes.view_streams import ViewStreams
from bci.safe_io.printable import printable
from bci.stream import messages
from bci.stream.lsl import StreamQuery
from bci.stream.signing import LONGEST, MAC_FIELDS

ROWS = ("outcomes", "decisions", "timing")
STATE = "state"
KEPT = 500
LARGEST = 1e15
WORD = 60
MOST_FAILURES = 20
"""Failures of the decoder that are told one by one; more would fill the terminal."""


class LiveView:
    """What a live session says of itself, read from its streams.

    Other programs may offer streams of the same names. Those that are known not to be the session's own are not opened; and
    what has not the shape that docs/reference/streams.md says is counted and left out, whoever it comes from.

    Parameters
    ----------
    header : ModelHeader
    query_of : callable
        Query for one of the engine's streams, by its short name.
    uids : callable
        What tells the engine's own streams from others, by short name, as far as it is known.

    Attributes
    ----------
    guard : str
        State of the actuator's guard, for whoever sets it; empty where there is none.
    """

    def __init__(self, header: ModelHeader, query_of: Callable[[str], str], uids: Callable[[], Mapping[str, str]] = dict) -> None:
        self.classes = tuple(header.classes)
        names = fields(len(header.preprocessing.labels), self.classes, header.preprocessing.partly)
        self._columns = {"outcomes": names, "decisions": messages.DECISION_FIELDS, "timing": messages.TIMING_FIELDS}
        self._queries = {what: StreamQuery.parse(query_of(what)) for what in (*ROWS, STATE)}
        self._uids = uids
        self._streams = ViewStreams(self._queries, uids)
        self.outcome: dict[str, float] = {}
        self.decision: dict[str, float] = {}
        self.state = ShownState()
        self._news: list[str] = []
        self._failures: set[str] = set()
        self._ages: deque[float] = deque(maxlen=KEPT)
        self._steps: deque[float] = deque(maxlen=KEPT)
        self._backlog = 0
        self.decided = 0
        self.windows = 0
        self.guard = ""
        self._senseless = 0

    @property
    def strangers(self) -> int:
        """Messages and streams of another shape."""
        return self._senseless + self._streams.strangers

    @property
    def complete(self) -> bool:
        """Whether every stream is connected, or was and is of another shape."""
        return self._streams.complete

    def restart(self) -> None:
        """Look for the streams again: another engine has taken over."""
        self._senseless += self._streams.strangers
        self.close()
        self._streams = ViewStreams(self._queries, self._uids)

    def update(self) -> None:
        """Read what has come. Streams that are lost show nothing new; whether the engine is gone is the session's to say."""
        for found in self._pull("outcomes"):
            self.outcome = found
            self.windows += 1
            self.decided += found["decision"] >= 0
        for found in self._pull("decisions"):
            self.decision = found
        for found in self._pull("timing"):
            self._ages.append(found["age_s"])
            self._steps.append(found["step_s"])
            self._backlog = _whole(found["backlog"])
        self._hear_state()

    def _hear_state(self) -> None:
        rows = self._streams.pull(STATE)
        if rows is None:
            return
        if not isinstance(rows, list):
            self._senseless += 1
            self._streams.leave(STATE)
            return
        for text, *_ in rows:
            try:
                if len(text) > LONGEST:
                    raise StreamError(f"state: {len(text)} characters")
                state = ShownState.of(messages.parse(text, "state"))
            except StreamError:
                self._senseless += 1
                continue
            self.state = state
            self._note_failure(state.decoder)

    def _note_failure(self, failure: str) -> None:
        if failure and failure not in self._failures and len(self._failures) < MOST_FAILURES:
            self._failures.add(failure)
            self._news.append(f"The decoder failed, so such windows have no decision. {failure}")

    def take_news(self) -> list[str]:
        """Return messages for the person since the last call; each is returned once."""
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """Unsubscribe."""
        self._streams.close()

    def line(self) -> str:
        """The state in one line, for where there is no terminal."""
        evidence = " ".join(f"{c} {self.outcome.get(f'evidence:{c}', float('nan')):.2f}" for c in self.classes)
        text = f"{self.state.phase:8} {self.word():12} {evidence}  age {1e3 * _median(self._ages):.1f} ms"
        return f"{text}  actuator {self.guard}" if self.guard else text

    def word(self) -> str:
        """The decision, or why there is none."""
        if not self.decision:
            return "waiting"
        decided, reason = _whole(self.decision["decision"]), _whole(self.decision["reason"])
        if 0 <= decided < len(self.classes):
            return self.classes[decided]
        return Reason(reason).name.lower() if reason in set(Reason) else "unknown"

    def render(self) -> RenderableType:
        """The state as a picture of text. Words from streams are shown as they are, never as markup."""
        bars = Table.grid(padding=(0, 1))
        for name in self.classes:
            share = min(1.0, max(0.0, _finite(self.outcome.get(f"evidence:{name}", 0.0))))
            bars.add_row(Text(name), ProgressBar(total=1.0, completed=share, width=40), Text(f"{100 * share:3.0f} %"))
        facts = Table.grid(padding=(0, 2))
        said = self.state
        facts.add_row("decision", Text(self.word(), style="bold"))
        if self.guard:
            facts.add_row("actuator", Text(self.guard, style="bold"))
        facts.add_row("channels", Text(said.bad or "all good", style="red" if said.bad else "green"))
        facts.add_row("data", Text(f"{said.phase}, {said.consumed} samples, {said.lost} lost"))
        for name, words, style in (("drift", said.drift, "yellow"), ("decoder", said.decoder, "red"), ("cues", said.cues, "")):
            if words:
                facts.add_row(name, Text(words, style=style))
        facts.add_row(
            "age of data",
            Text(f"{1e3 * _median(self._ages):.1f} ms (median), {1e3 * max(self._ages, default=0):.1f} ms (largest)"),
        )
        facts.add_row("engine step", Text(f"{1e3 * _median(self._steps):.2f} ms (median), {self._backlog} samples waiting"))
        facts.add_row("windows", Text(f"{self.windows}, {self.decided} with a decision"))
        return Group(bars, Text(), facts)

    def _pull(self, what: str) -> list[dict[str, float]]:
        """Rows that have come, by the names of their columns; a stream of another shape is left."""
        values, columns = self._streams.pull(what), self._columns[what]
        if values is None:
            return []
        signs = len(MAC_FIELDS) if what == "decisions" else 0
        if isinstance(values, list) or values.shape[1] not in (len(columns), len(columns) + signs):
            self._senseless += 1
            self._streams.leave(what)
            return []
        return [dict(zip(columns, row, strict=False)) for row in values.tolist()]


@dataclass(frozen=True, slots=True)
class ShownState:
    """The part of the engine's state that is shown; what has another shape than docs/reference/streams.md says is left out.

    Parameters
    ----------
    phase : str
    consumed, lost : int
        Samples.
    bad, drift, cues, decoder : str
        Channels that are left out, how far the signal has drifted, which cues have come, and how the decoder failed most
        recently, for people.
    """

    phase: str = "waiting"
    consumed: int = 0
    lost: int = 0
    bad: str = ""
    drift: str = ""
    cues: str = ""
    decoder: str = ""

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> ShownState:
        """From a message."""
        bad, drift = _inner(message, "bad"), _inner(message, "drift")
        return cls(
            phase=printable(message.get("phase", "waiting"), WORD),
            consumed=_whole(message.get("consumed", 0)),
            lost=_whole(message.get("lost", 0)),
            bad=printable(", ".join(f"{printable(k, WORD)} {printable(v, WORD)}" for k, v in list(bad.items())[:KEPT])),
            drift=printable(drift.get("why", "")),
            cues=_cues(_inner(message, "cues")),
            decoder=printable(message.get("decoder", "")),
        )


def _cues(cues: Mapping[str, Any]) -> str:
    """How many cues have come, and what is odd about them; empty where none have."""
    came, copies, wrong = (_whole(cues.get(key, 0)) for key in ("cue", "copy", "contradicted"))
    why = printable(cues.get("why", ""))
    if not came and not why:
        return ""
    texts = [f"{came}", *([f"{copies} copies of them"] if copies else []), *([f"{wrong} contradicted"] if wrong else [])]
    return ", ".join(texts) + (f"; {why}" if why else "")


def _inner(message: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object in a message; empty where it is none."""
    found = message.get(key)
    return found if isinstance(found, dict) else {}


def _finite(found: object) -> float:
    """A number that can be shown; 0 where it is none."""
    return float(found) if isinstance(found, int | float) and abs(found) < LARGEST else 0.0


def _whole(found: object) -> int:
    """A whole number that can be shown; -1 where it is none."""
    return int(found) if isinstance(found, int | float) and abs(found) < LARGEST else -1


def _median(values: deque[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0
