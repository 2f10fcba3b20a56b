"""A live session in the terminal: probabilities, decision, quality, age of data, lateness."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bci.engine.outcome import FIXED_FIELDS, Reason, fields
from bci.errors import StreamError, StreamLost
from bci.session import wire
from bci.session.model import ModelHeader
from bci.stream.lsl import LslMarkerInlet, LslRawInlet, StreamQuery
from bci.stream.lsl_recording import LslWatch

ROWS = ("outcomes", "decisions", "timing")
STATE = "state"
OPEN_S = 1.0
KEPT = 500


class LiveView:
    """What a live session says of itself, read from its streams.

    Parameters
    ----------
    header : ModelHeader
    query_of : callable
        Query for one of the engine's streams, by its short name.

    Attributes
    ----------
    guard : str
        State of the actuator's guard, for whoever sets it; empty where there is none.
    """

    def __init__(self, header: ModelHeader, query_of: Any) -> None:
        self.classes = tuple(header.classes)
        self._names = fields(len(header.preprocessing.labels), self.classes, header.preprocessing.partly)
        self._queries = {what: StreamQuery.parse(query_of(what)) for what in (*ROWS, STATE)}
        self._rows: dict[str, LslRawInlet] = {}
        self._state: LslMarkerInlet | None = None
        self._look()
        self.outcome: dict[str, float] = {}
        self.decision: dict[str, float] = {}
        self.state: dict[str, Any] = {}
        self._ages: deque[float] = deque(maxlen=KEPT)
        self._steps: deque[float] = deque(maxlen=KEPT)
        self._backlog = 0
        self.decided = 0
        self.windows = 0
        self.guard = ""

    def restart(self) -> None:
        """Look for the streams again: another engine has taken over."""
        self.close()
        self._look()

    def _look(self) -> None:
        self._wanted = {query.source_id: what for what, query in self._queries.items()}
        self._watch = LslWatch(list(self._queries.values()))

    def _open(self) -> None:
        """Connect to what has been found: nobody waits for it, least of all a person who wants to stop."""
        for stream in self._watch.found():
            what = self._wanted.get(stream.source_id)
            if what == STATE:
                self._state = LslMarkerInlet(stream, OPEN_S)
            elif what is not None:
                self._rows[what] = LslRawInlet(stream, timeout_s=OPEN_S)
            self._wanted.pop(stream.source_id, None)
        if not self._wanted:
            self._watch.close()

    def update(self) -> None:
        """Read what has come. Streams that are lost show nothing new; whether the engine is gone is the session's to say."""
        with suppress(StreamLost):
            self._update()

    def _update(self) -> None:
        if self._wanted:
            self._open()
        for row in self._pull("outcomes"):
            self.outcome = dict(zip(self._names, row, strict=True))
            self.windows += 1
            self.decided += row[FIXED_FIELDS.index("decision")] >= 0
        for row in self._pull("decisions"):
            self.decision = dict(zip(wire.DECISION_FIELDS, row, strict=True))
        for row in self._pull("timing"):
            found = dict(zip(wire.TIMING_FIELDS, row, strict=True))
            self._ages.append(found["age_s"])
            self._steps.append(found["step_s"])
            self._backlog = int(found["backlog"])
        for text, _ in self._state.pull(0.0) if self._state else ():
            self.state = wire.parse(text, "state")

    def close(self) -> None:
        """Unsubscribe."""
        for inlet in self._rows.values():
            inlet.close()
        if self._state:
            self._state.close()
        self._rows, self._state = {}, None
        self._watch.close()

    def line(self) -> str:
        """The state in one line, for where there is no terminal."""
        evidence = " ".join(f"{c} {self.outcome.get(f'evidence:{c}', float('nan')):.2f}" for c in self.classes)
        text = f"{self.state.get('phase', 'waiting'):8} {self.word():12} {evidence}  age {1e3 * _median(self._ages):.1f} ms"
        return f"{text}  actuator {self.guard}" if self.guard else text

    def word(self) -> str:
        """The decision, or why there is none."""
        if not self.decision:
            return "waiting"
        decided = int(self.decision["decision"])
        return self.classes[decided] if decided >= 0 else Reason(int(self.decision["reason"])).name.lower()

    def render(self) -> RenderableType:
        """The state as a picture of text. Words from streams are shown as they are, never as markup."""
        bars = Table.grid(padding=(0, 1))
        for name in self.classes:
            share = self.outcome.get(f"evidence:{name}", 0.0)
            share = share if share == share else 0.0
            bars.add_row(Text(name), ProgressBar(total=1.0, completed=share, width=40), Text(f"{100 * share:3.0f} %"))
        facts = Table.grid(padding=(0, 2))
        bad = self.state.get("bad") or {}
        lost = self.state.get("lost", 0)
        facts.add_row("decision", Text(self.word(), style="bold"))
        if self.guard:
            facts.add_row("actuator", Text(self.guard, style="bold"))
        facts.add_row(
            "channels", Text(", ".join(f"{k} {v}" for k, v in bad.items()) or "all good", style="red" if bad else "green")
        )
        facts.add_row("data", Text(f"{self.state.get('phase', 'waiting')}, {self.state.get('consumed', 0)} samples, {lost} lost"))
        drift = (self.state.get("drift") or {}).get("why", "")
        if drift:
            facts.add_row("drift", Text(drift, style="yellow"))
        cues = self.state.get("cues") or {}
        if cues.get("cue") or cues.get("why"):
            facts.add_row("cues", Text(_cues(cues)))
        facts.add_row(
            "age of data",
            Text(f"{1e3 * _median(self._ages):.1f} ms (median), {1e3 * max(self._ages, default=0):.1f} ms (largest)"),
        )
        facts.add_row("engine step", Text(f"{1e3 * _median(self._steps):.2f} ms (median), {self._backlog} samples waiting"))
        facts.add_row("windows", Text(f"{self.windows}, {self.decided} with a decision"))
        return Group(bars, Text(), facts)

    def _pull(self, what: str) -> list[list[float]]:
        pulled = self._rows[what].pull(0.0) if what in self._rows else None
        if pulled is None:
            return []
        values, _ = pulled
        if isinstance(values, list):
            raise StreamError(f"stream {what!r} carries text; docs/streams.md says numbers")
        rows: list[list[float]] = values.tolist()
        return rows


def _cues(cues: dict[str, Any]) -> str:
    """How many cues have come, and what is odd about them."""
    texts = [f"{cues.get('cue', 0)}"]
    texts += [f"{cues['copy']} copies of them"] if cues.get("copy") else []
    texts += [f"{cues['contradicted']} contradicted"] if cues.get("contradicted") else []
    return ", ".join(texts) + (f"; {cues['why']}" if cues.get("why") else "")


def _median(values: deque[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0
