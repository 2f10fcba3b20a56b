"""Pictures of a judgement for the report: verdict, candidates, learning curve and thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bci.calibration.report_figures import COLOURS, FAINT, INK, new_figure
from bci.judging.forecast import Forecast
from bci.judging.judgement import ScoredCandidate
from bci.judging.settings import target
from bci.judging.thresholds import Operating, curve
from bci.judging.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def verdict_bar(verdict: Verdict, level: float) -> Figure:
    """Accuracy and its interval between chance and what is of use.

    Parameters
    ----------
    verdict : Verdict
    level : float
        Of the interval, 0 to 1.

    Returns
    -------
    Figure
    """
    figure = new_figure(8.2, 1.35)
    axes = figure.subplots()
    low, high, at = 100 * verdict.low, 100 * verdict.high, 100 * verdict.accuracy
    axes.barh(0, 100, height=0.5, color="#eef1f4")
    axes.barh(0, high - low, left=low, height=0.5, color=COLOURS[5], alpha=0.75)
    axes.plot([at, at], [-0.25, 0.25], color=COLOURS[0], linewidth=4, solid_capstyle="butt")
    axes.annotate(f"{at:.0f} %", (at, 0.33), ha="center", va="bottom", color=COLOURS[0], fontweight="bold", fontsize=11)
    for value, name, side in ((100 * verdict.chance, "chance", "right"), (100 * target(verdict.chance), "of use from", "left")):
        axes.plot([value, value], [-0.42, 0.42], color=INK, linewidth=1, linestyle=(0, (3, 2)))
        gap = " " if side == "left" else ""
        axes.annotate(f"{gap}{name} {value:.0f}{'' if gap else ' '}", (value, -0.45), ha=side, va="top", fontsize=8, color=FAINT)
    axes.set(xlim=(0, 100), ylim=(-0.85, 0.8), yticks=[])
    axes.set_xticks(range(0, 101, 25), [f"{x} %" for x in range(0, 101, 25)])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.annotate(
        f"band: {100 * level:.0f} % interval", (1, 1), xycoords="axes fraction", ha="right", va="top", fontsize=8, color=FAINT
    )
    return figure


def candidate_rows(rows: Sequence[ScoredCandidate], chance: float) -> Figure:
    """Accuracy and interval of each candidate; the chosen one is full and blue.

    Parameters
    ----------
    rows : sequence of ScoredCandidate
    chance : float
        Accuracy of always giving the most frequent class, 0 to 1.

    Returns
    -------
    Figure
    """
    figure = new_figure(8.4, 0.24 * len(rows) + 0.8)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        colour = COLOURS[0] if row.chosen else "#9aa5af"
        axes.plot([100 * row.low, 100 * row.high], [place, place], color=colour, linewidth=2.5 if row.chosen else 1.5)
        axes.plot(100 * row.accuracy, place, "D" if row.chosen else "o", color=colour, markersize=6 if row.chosen else 4.5)
    axes.axvline(100 * chance, color=INK, linewidth=1, linestyle=(0, (3, 2)))
    axes.set_yticks(range(len(rows)), [f"{row.candidate}{'  ◀ chosen' if row.chosen else ''}" for row in rows], fontsize=8)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, 100), xlabel="% correct; dashed: chance")
    axes.grid(axis="x", color="#eef1f4")
    axes.tick_params(length=0)
    return figure


def learning_curve(ahead: Forecast, chance: float) -> Figure:
    """Measured points, the forecast, and its interval.

    Parameters
    ----------
    ahead : Forecast
    chance : float
        Accuracy of always giving the most frequent class, 0 to 1.

    Returns
    -------
    Figure
    """
    figure = new_figure(6.6, 2.9)
    axes = figure.subplots()
    sizes = [p.trials for p in ahead.points]
    middle = [100 * p.accuracy for p in ahead.points]
    below = [100 * (p.accuracy - p.low) for p in ahead.points]
    above = [100 * (p.high - p.accuracy) for p in ahead.points]
    axes.errorbar(sizes, middle, yerr=[below, above], fmt="o-", color=COLOURS[0], capsize=3, label="measured")
    if sizes and ahead.trials > sizes[-1]:
        at = np.linspace(sizes[-1], ahead.trials, 60)
        share = (1 / np.sqrt(sizes[-1]) - 1 / np.sqrt(at)) / (1 / np.sqrt(sizes[-1]) - 1 / np.sqrt(ahead.trials))
        lines = [middle[-1] + (100 * end - middle[-1]) * share for end in (ahead.low, ahead.accuracy, ahead.high)]
        axes.fill_between(at, lines[0], lines[2], color=COLOURS[1], alpha=0.18, linewidth=0)
        axes.plot(at, lines[1], "--", color=COLOURS[1])
    error = [[100 * (ahead.accuracy - ahead.low)], [100 * (ahead.high - ahead.accuracy)]]
    axes.errorbar([ahead.trials], [100 * ahead.accuracy], yerr=error, fmt="s", color=COLOURS[1], capsize=4, label="forecast")
    for value, name in ((chance, "chance"), (target(chance), "of use")):
        axes.axhline(100 * value, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
        axes.annotate(name, (0.01, 100 * value), xycoords=("axes fraction", "data"), va="bottom", fontsize=8, color=FAINT)
    axes.set(xlabel="training trials", ylabel="% correct", ylim=(max(0, 100 * chance - 25), 102), xlim=(0, None))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.04))
    return figure


def trade_off_curve(points: Sequence[Operating], chosen: Operating | None) -> Figure:
    """Right activations against false ones: every setting, and those that no other beats.

    Parameters
    ----------
    points : sequence of Operating
    chosen : Operating or None

    Returns
    -------
    Figure
    """
    figure = new_figure(6.6, 3.1)
    axes = figure.subplots()
    axes.plot(
        [p.per_min for p in points], [100 * p.hit for p in points], ".", color="#c3ccd4", markersize=5, label="every setting"
    )
    best = curve(points)
    axes.errorbar(
        [p.per_min for p in best],
        [100 * p.hit for p in best],
        xerr=[[p.per_min - p.low for p in best], [p.high - p.per_min for p in best]],
        fmt="o-",
        color=COLOURS[0],
        ecolor=COLOURS[5],
        elinewidth=1,
        label="none better (95 % interval)",
    )
    if chosen is not None:
        axes.plot(chosen.per_min, 100 * chosen.hit, "D", color=COLOURS[1], markersize=9, label="suggested", zorder=5)
    axes.set(xlabel="false activations per minute of idle", ylabel="% of trials right", ylim=(-2, 102))
    axes.set_xlim(left=-0.02 * max(1.0, axes.get_xlim()[1]))
    axes.grid(color="#eef1f4")
    axes.legend(loc="lower right")
    return figure
