"""A judgement: the verdict and the evidence for it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from html import escape

from bci.judging.candidates import Candidate
from bci.judging.forecast import Forecast
from bci.judging.nested import Nested
from bci.judging.nulls import Null
from bci.judging.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """One line of the table of candidates.

    Parameters
    ----------
    candidate : str
    accuracy, low, high : float
        Block-wise cross-validated, with the exact interval. The best of many lines looks better than it is.
    chosen : bool
    """

    candidate: str
    accuracy: float
    low: float
    high: float
    chosen: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Judgement:
    """A verdict and the evidence for it.

    Parameters
    ----------
    verdict : Verdict
    rows : tuple of ScoredCandidate
        In the order of the grid; the first is the default.
    forecast : Forecast or None
        Learning curve; None before there is one.
    nulls : tuple of Null
    best : Candidate
    trials : dict of str to int
        Of each class.
    rejected : tuple of str
        Trials left out, and why.
    look, seed : int
    grid : str
    nested : Nested or None
        Answers of the whole procedure, out of fold.
    notes : tuple of str
    left_out : tuple of str
        Channels that were left out, and why.
    """

    verdict: Verdict
    rows: tuple[ScoredCandidate, ...]
    forecast: Forecast | None
    nulls: tuple[Null, ...]
    best: Candidate
    trials: dict[str, int]
    rejected: tuple[str, ...]
    look: int
    seed: int
    grid: str
    nested: Nested | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As one JSON object; ``verdict`` in it is what :meth:`bci.judging.verdict.Verdict.from_json` reads."""
        shallow = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "nested"}
        value: dict[str, object] = {name: _plain(item) for name, item in shallow.items()}
        value["line"] = self.verdict.line()
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def to_text(self) -> str:
        """The judgement for people; the verdict is the last line."""
        trials = ", ".join(f"{n} {name}" for name, n in self.trials.items())
        lines = [f"{trials}; {len(self.rejected)} trials left out"]
        for row in self.rows:
            share = f"{100 * row.accuracy:5.1f} ({100 * row.low:.0f}–{100 * row.high:.0f})"
            lines.append(f"  {share:15} {row.candidate}{'  ← chosen' if row.chosen else ''}")
        if self.forecast:
            f = self.forecast
            curve = ", ".join(f"{100 * p.accuracy:.0f} with {p.trials}" for p in f.points)
            ahead = f"{100 * f.accuracy:.0f} ({100 * f.low:.0f}–{100 * f.high:.0f})"
            lines.append(f"learning curve: {curve}; forecast for {f.trials}: {ahead}")
        lines += [
            f"null {x.name}: {'passed' if x.passed else 'FAILED'}, {100 * x.accuracy:.0f} %, p = {x.p_value:.2g}"
            for x in self.nulls
        ]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"advice: {text}" for text in self.verdict.advice]
        return "\n".join([*lines, self.verdict.line()])

    __repr__ = to_text

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'<b>' if row.chosen else ''}{escape(row.candidate)}{'</b>' if row.chosen else ''}</td>"
            f"<td>{100 * row.accuracy:.1f}</td><td>{100 * row.low:.0f}–{100 * row.high:.0f}</td></tr>"
            for row in self.rows
        )
        head = "<tr><th>decoder</th><th>accuracy, %</th><th>95 % interval</th></tr>"
        return f"<p><b>{escape(self.verdict.line())}</b></p><table>{head}{rows}</table>"


def _plain(value: object) -> object:
    """Dataclasses as dictionaries, also inside tuples."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
