"""The tidy table of an evaluation: one row for one person, session, decoder and protocol."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from bci.errors import RecordingError

TIMING = ("fit_s", "decode_s", "step_us")
"""Columns that differ from run to run; all others do not depend on who computed them."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One result. Fields that do not apply are empty.

    Parameters
    ----------
    protocol, data_set, subject, session, train, decoder : str
        ``train`` says which sessions or people the decoder was trained on.
    head_start : bool
        Whether it knew other people's calibrations.
    trials_per_class, draw : int or None
        Few-shot: how many trials of each class were trained on, and which draw of them (0: the first ones).
    seed : int or None
        Of a decoder whose training is random.
    n_train, n_test, rejected : int
        Trials. Rejected are test trials that live decoding would not have decoded; they are not in ``n_test``.
    correct : int
    accuracy, low, high : float or None
        Share of ``n_test``, and its exact 95 % interval.
    chance : float or None
        Share of the most frequent class.
    balanced_accuracy, auc : float or None
        ``auc`` for two classes: mean over folds.
    itr_wolpaw, itr_nykopp : float or None
        Bits per minute.
    nmcc, detected, false_per_min, false_low, false_high, idle_min, detection_s, decoded : float or None
        Pseudo-online: normalised Matthews correlation over windows, share of trials with the right first activation,
        false activations per minute of idle and their exact 95 % interval, minutes of idle, median time from cue to
        right activation, and share of windows that were decoded.
    note : str
        Why there is no number, or what to know about it.
    trials : str
        Each test trial by its recording and its place among that recording's cues, with ``+`` where it was decoded right
        and ``-`` where not: ``0.0+ 0.1-``. The same trial has the same name whatever decoded it.
    fits : int
        How many times was trained for this row.
    fit_s, decode_s : float
        Seconds it took, all fits together.
    step_us : float or None
        Median time of one step of the compiled decoder on one thread, microseconds, from what the engine hands it.
    """

    protocol: str
    data_set: str
    subject: str
    session: str
    train: str
    decoder: str
    head_start: bool = False
    trials_per_class: int | None = None
    draw: int | None = None
    seed: int | None = None
    n_train: int = 0
    n_test: int = 0
    rejected: int = 0
    correct: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    balanced_accuracy: float | None = None
    auc: float | None = None
    itr_wolpaw: float | None = None
    itr_nykopp: float | None = None
    nmcc: float | None = None
    detected: float | None = None
    false_per_min: float | None = None
    false_low: float | None = None
    false_high: float | None = None
    idle_min: float | None = None
    detection_s: float | None = None
    decoded: float | None = None
    note: str = ""
    trials: str = ""
    fits: int = 1
    fit_s: float = 0.0
    decode_s: float = 0.0
    step_us: float | None = None


COLUMNS = tuple(f.name for f in fields(ResultRow))


def row_from(values: Mapping[str, Any]) -> ResultRow:
    """A row that was kept as JSON.

    Parameters
    ----------
    values : mapping of str to object
        Fields of a row, as JSON has them.

    Returns
    -------
    ResultRow

    Raises
    ------
    RecordingError
        If it is not one of this version's.
    """
    if set(values) != set(COLUMNS):
        raise RecordingError(f"a kept result has columns {sorted(values)}; this version's are {sorted(COLUMNS)}")
    return ResultRow(**values)


def in_order(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Sort rows, so that their order does not depend on who computed them.

    Parameters
    ----------
    rows : sequence of ResultRow

    Returns
    -------
    list of ResultRow
    """

    def place(row: ResultRow) -> tuple[Any, ...]:
        return (
            row.protocol,
            row.data_set,
            row.decoder,
            row.head_start,
            _natural(row.subject),
            _natural(row.session),
            row.train,
            row.trials_per_class or 0,
            row.draw or 0,
            row.seed or 0,
        )

    return sorted(rows, key=place)


def _natural(text: str) -> tuple[int, str]:
    """Numbers by their size, texts by the alphabet."""
    return (int(text), "") if text.isdecimal() else (-1, text)


def to_csv(rows: Sequence[ResultRow]) -> str:
    """The whole table, one line per row; numbers as Python writes them, so that nothing is rounded.

    Parameters
    ----------
    rows : sequence of ResultRow

    Returns
    -------
    str
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = asdict(row)
        writer.writerow(["" if values[c] is None else values[c] for c in COLUMNS])
    return out.getvalue()


def details(rows: Sequence[ResultRow]) -> str:
    """Every person, protocol by protocol.

    Parameters
    ----------
    rows : sequence of ResultRow

    Returns
    -------
    str
    """
    protocols = dict.fromkeys(row.protocol for row in rows)
    return "\n".join(f"## {protocol}\n\n" + _people([r for r in rows if r.protocol == protocol]) for protocol in protocols)


def of_people(rows: Sequence[ResultRow], column: str = "accuracy") -> dict[str, float]:
    """Mean of a column for each person, over their sessions, draws and seeds; rows without a number left out.

    Parameters
    ----------
    rows : sequence of ResultRow
    column : str
        Name of a field of the rows.

    Returns
    -------
    dict of str to float
    """
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        value = getattr(row, column)
        if value is not None and math.isfinite(value):
            found[row.subject].append(value)
    return {subject: sum(values) / len(values) for subject, values in found.items()}


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over people (n - 1); NaN where there are too few.

    Parameters
    ----------
    values : sequence of float
        One number for each person.

    Returns
    -------
    (float, float)
    """
    if not values:
        return math.nan, math.nan
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, math.nan
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def groups(rows: Sequence[ResultRow]) -> dict[tuple[str, str, str, bool, int | None], list[ResultRow]]:
    """Group rows by protocol, data set, decoder, head start and trials per class.

    Parameters
    ----------
    rows : sequence of ResultRow

    Returns
    -------
    dict of (str, str, str, bool, int or None) to list of ResultRow
    """
    found: dict[tuple[str, str, str, bool, int | None], list[ResultRow]] = defaultdict(list)
    for row in rows:
        found[(row.protocol, row.data_set, row.decoder, row.head_start, row.trials_per_class)].append(row)
    return dict(found)


def summary(rows: Sequence[ResultRow]) -> str:
    """Mean over people of accuracy and what else there is.

    Parameters
    ----------
    rows : sequence of ResultRow

    Returns
    -------
    str
    """
    shown = [c for c in ("accuracy", "auc", *PSEUDO_ONLINE) if any(getattr(r, c) is not None for r in rows)]
    head = ["protocol", "data set", "decoder", "head start", "trials per class", "people", *(HEADINGS[c] for c in shown)]
    lines = [as_line(head), as_line(["---"] * len(head))]
    for (protocol, data_set, decoder, head_start, n), members in groups(rows).items():
        people = len({r.subject for r in members if r.accuracy is not None})
        cells = [protocol, data_set, decoder, "yes" if head_start else "", "" if n is None else str(n), str(people)]
        means = [_mean(members, c) for c in shown]
        means[:1] = [means[0] if people else next(r.note for r in members)] if shown else []
        lines.append(as_line(cells + means))
    return "\n".join(["# Evaluation", "", "Mean over people ± standard deviation.", "", *lines, ""])


PSEUDO_ONLINE = ("nmcc", "balanced_accuracy", "detected", "false_per_min", "detection_s", "itr_wolpaw", "itr_nykopp")
HEADINGS = {
    "accuracy": "correct %",
    "auc": "AUC × 100",
    "nmcc": "nMCC",
    "balanced_accuracy": "balanced %",
    "detected": "detected %",
    "false_per_min": "false activations / min",
    "detection_s": "time to detection s",
    "itr_wolpaw": "ITR Wolpaw bit/min",
    "itr_nykopp": "ITR Nykopp bit/min",
}
PER_CENT = ("accuracy", "auc", "balanced_accuracy", "detected")


def _mean(rows: Sequence[ResultRow], column: str) -> str:
    mean, spread = mean_and_spread(list(of_people(rows, column).values()))
    if math.isnan(mean):
        return ""
    return _number(mean, column) + ("" if math.isnan(spread) else f" ± {_number(spread, column)}")


def _number(value: float | None, column: str) -> str:
    if value is None or math.isnan(value):
        return ""
    if column in PER_CENT:
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if column == "nmcc" else f"{value:.2f}"


def _people(rows: Sequence[ResultRow]) -> str:
    """Every row of a protocol."""
    shown = [c for c in ("auc", *PSEUDO_ONLINE) if any(getattr(r, c) is not None for r in rows)]
    few = any(r.trials_per_class is not None for r in rows)
    seeded = any(r.seed is not None for r in rows)
    head = ["data set", "decoder", "subject", "session", "trained on", *(["trials per class", "draw"] if few else [])]
    head += ["seed"] if seeded else []
    head += ["train", "test", "correct % (95 %)", "chance %", *(HEADINGS[c] for c in shown), "note"]
    lines = [as_line(head), as_line(["---"] * len(head))]
    for row in rows:
        cells = [row.data_set, row.decoder, row.subject, row.session, row.train]
        cells += [_whole(row.trials_per_class), _whole(row.draw)] if few else []
        cells += [_whole(row.seed)] if seeded else []
        accuracy = ""
        if row.accuracy is not None and row.low is not None and row.high is not None:
            accuracy = f"{100 * row.accuracy:.1f} ({100 * row.low:.0f}–{100 * row.high:.0f})"
        cells += [str(row.n_train), str(row.n_test), accuracy, _number(row.chance, "accuracy")]
        lines.append(as_line(cells + [_of_row(row, c) for c in shown] + [row.note]))
    return "\n".join(lines) + "\n"


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _of_row(row: ResultRow, column: str) -> str:
    """One number, with its interval where there is one."""
    text = _number(getattr(row, column), column)
    if column == "false_per_min" and row.false_low is not None and row.false_high is not None:
        return f"{text} ({row.false_low:.2f}–{row.false_high:.2f})"
    return text


def as_line(cells: Sequence[str]) -> str:
    """One line of a Markdown table.

    Parameters
    ----------
    cells : sequence of str
        Texts of the columns.

    Returns
    -------
    str
    """
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
