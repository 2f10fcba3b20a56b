"""Comparisons as text: a table, and a sentence for every decoder on what was shown and what was not."""

from __future__ import annotations

from collections.abc import Sequence

from bci.evaluation.comparison import ALPHA, DRAWS, DecoderComparison
from bci.evaluation.table import as_line

HOW = (
    "*Difference* counts correct answers to the same trials, in points, as the mean over people. The brackets contain the 95 % "
    "interval from resampling people and trials. For p, the signs of the differences are flipped at random, trial by trial "
    f"within each person, {DRAWS} times (or in all possible ways where p is marked with =). *p, all* is corrected by Holm's "
    "method for all decoders of the comparison. For several seeds the mean is given, and each seed in brackets."
)
HEAD = (
    "protocol", "data set", "trials per class", "decoder", "correct % (95 %)", "each seed", "against", "its correct %",
    "difference (95 %)", "p", "p, all", "people", "trials", "training s", "step µs", "shown",
)  # fmt: skip


def comparison_table(compared: Sequence[DecoderComparison]) -> str:
    """The table, what it means, and the sentences; empty where nothing was compared.

    Parameters
    ----------
    compared : sequence of DecoderComparison

    Returns
    -------
    str
    """
    if not compared:
        return ""
    lines = [as_line(HEAD), as_line(["---"] * len(HEAD)), *(as_line(_cells(one)) for one in compared)]
    return "\n".join(["## Compared", "", HOW, "", *lines, "", *sentences(compared), ""])


def _cells(c: DecoderComparison) -> list[str]:
    return [
        c.protocol,
        c.data_set,
        "" if c.trials_per_class is None else str(c.trials_per_class),
        c.decoder + (" (head start)" if c.head_start else ""),
        f"{100 * c.accuracy:.1f} ({100 * c.low_accuracy:.0f}–{100 * c.high_accuracy:.0f})",
        ", ".join(f"{100 * a:.1f}" for a in c.by_seed),
        c.baseline,
        f"{100 * c.of_baseline:.1f}",
        points(c),
        f"{'= ' if c.exact else ''}{p_value(c.p)}",
        p_value(c.adjusted),
        str(c.people),
        str(c.trials),
        "" if c.fit_s is None else f"{c.fit_s:.2f}",
        "" if c.step_us is None else f"{c.step_us:.0f}",
        verdict(c),
    ]


def points(c: DecoderComparison) -> str:
    """The difference with its interval.

    Parameters
    ----------
    c : DecoderComparison

    Returns
    -------
    str
    """
    return f"{_signed(c.difference)} ({_signed(c.low)} to {_signed(c.high)})"


def _signed(share: float) -> str:
    """Points with their sign; what rounds to none has none."""
    rounded = round(100 * share, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def p_value(value: float) -> str:
    """A p-value as text.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    return f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def verdict(c: DecoderComparison) -> str:
    """What was shown, in a word or two.

    Parameters
    ----------
    c : DecoderComparison

    Returns
    -------
    str
    """
    return "better" if c.better else "**worse**" if c.worse else "no difference shown"


def sentences(compared: Sequence[DecoderComparison]) -> list[str]:
    """One sentence for each comparison that is not won.

    Parameters
    ----------
    compared : sequence of DecoderComparison

    Returns
    -------
    list of str
    """
    found = []
    for c in compared:
        few = "" if c.trials_per_class is None else f", {c.trials_per_class} trials per class"
        where = f"{c.protocol}, {c.data_set}{few}"
        if c.better:
            only = " on these people; not shown for others" if c.low <= 0 else ""
            found.append(f"- {where}: {c.decoder} beats {c.baseline} by {points(c)} points, p = {p_value(c.adjusted)}{only}.")
        elif c.worse:
            worse = f"{c.decoder} does **not** beat {c.baseline}; it is worse by {points(c)} points"
            found.append(f"- {where}: {worse}, p = {p_value(c.adjusted)}.")
        else:
            found.append(
                f"- {where}: {c.decoder} does **not** beat {c.baseline}: {points(c)} points, "
                f"p = {p_value(c.adjusted)}, not below {ALPHA:g}."
            )
    return found
