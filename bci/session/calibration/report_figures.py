"""Pictures of a calibration report: colours that everybody can tell apart, nothing that needs a screen."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from bci.engine.chunk import BoolArray, FloatArray
from bci.engine.stream_info import StreamInfo, canonical
from bci.session.explore.exploration import Exploration
from bci.session.explore.separability import REST
from bci.session.judging.forecast import Forecast
from bci.session.judging.judge import Row
from bci.session.judging.settings import target
from bci.session.judging.thresholds import Operating, curve
from bci.session.judging.verdict import Verdict
from bci.stream.montage import standard_positions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito, Color Universal Design (2008)."""
INK, FAINT, LINE = "#22303c", "#66737f", "#d5dbe0"
DIVERGING, SEQUENTIAL = "RdBu_r", "Oranges"
DPI = 130
LEAST_PLACES = 4
"""Fewer electrodes make no map."""
MOTOR = ("C3", "Cz", "C4")
BESIDE = 4
"""Maps of channels and frequencies in one row."""
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.usetex": False,
    "text.parse_math": False,
}


def style() -> AbstractContextManager[None]:
    """The report's style, whatever the program's own is; texts are never read as formulas."""
    from matplotlib import rc_context

    found: AbstractContextManager[None] = rc_context(STYLE)
    return found


def new_figure(width: float, height: float) -> Figure:
    """A figure that no window system knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def embedded(figure: Figure, alt: str) -> str:
    """A figure as an HTML element that holds its picture.

    Parameters
    ----------
    figure : Figure
    alt : str
        What it shows, for who cannot see it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    width = round(105 * figure.get_size_inches()[0])
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img class="picture" width="{width}" alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{data}">'


def verdict_bar(verdict: Verdict, level: float) -> Figure:
    """Accuracy and its interval between chance and what is of use."""
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


def places(info: StreamInfo, labels: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Positions of those channels whose place on the head is known, metres."""
    own = {canonical(c.label): c.position for c in info.channels}
    standard = standard_positions(tuple(label for label in labels if not own.get(canonical(label))))
    known = {label: own.get(canonical(label)) or standard.get(canonical(label)) for label in labels}
    found = {label: place for label, place in known.items() if place is not None}
    distinct = {tuple(np.round(p, 4)) for p in found.values()}
    return found if len(distinct) == len(found) >= LEAST_PLACES else {}


def heads(
    panels: Sequence[tuple[str, FloatArray, BoolArray | None]],
    info: StreamInfo,
    labels: Sequence[str],
    limits: tuple[float, float],
    unit: str,
    colours: str,
) -> Figure | None:
    """Values over the head, one panel each, all on one scale; None where too few places are known.

    Parameters
    ----------
    panels : sequence of (title, values of shape (n_channels,), significant channels or None)
    info : StreamInfo
    labels : sequence of str, length n_channels
    limits : tuple of (low, high)
    unit : str
        Of the scale.
    colours : str
        Colour map.
    """
    from matplotlib.patheffects import withStroke
    from mne import create_info
    from mne.channels import make_dig_montage
    from mne.viz import plot_topomap

    at = places(info, labels)
    if not at or limits[1] <= limits[0]:
        return None
    columns = [i for i, label in enumerate(labels) if label in at]
    names = [f"{i}" for i in columns]
    head = create_info(names, 100.0, "eeg", verbose="ERROR")
    head.set_montage(make_dig_montage({n: at[labels[i]] for n, i in zip(names, columns, strict=True)}, coord_frame="head"))
    figure = new_figure(max(3.2, 2.3 * len(panels) + 0.7), 2.7)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    drawn: Any = None
    few = len(columns) <= 32
    shown = [labels[i] for i in columns] if few else None
    for axes, (title, values, marked) in zip(grid, panels, strict=True):
        mask = None if marked is None else marked[columns]
        drawn, _ = plot_topomap(
            values[columns],
            head,
            axes=axes,
            show=False,
            cmap=colours,
            vlim=limits,
            contours=0,
            names=shown,
            mask=mask,
            mask_params={"marker": "o", "markerfacecolor": "white", "markeredgecolor": "black", "markersize": 6},
            sensors="k.",
        )
        for text in axes.texts:
            text.set(fontsize=6, verticalalignment="bottom", text=f"{text.get_text()}\n")
            text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
        axes.set_title(title)
    figure.colorbar(drawn, ax=list(grid), shrink=0.65, label=unit)
    return figure


def chosen_channels(found: Exploration, most: int = 6) -> list[int]:
    """Channels to show one by one: those over the hands and feet where they are, then those that tell the classes apart best."""
    names = [canonical(c) for c in found.channels]
    picked = [names.index(canonical(m)) for m in MOTOR if canonical(m) in names]
    best = np.argsort(-np.abs(found.power.r2).max(axis=(0, 1)), kind="stable").tolist()
    order = list(dict.fromkeys([*picked, *best]))[:most]
    return sorted(order)


def class_spectra(found: Exploration) -> Figure:
    """Mean spectrum of each class over some channels; grey below where classes differ."""
    shown = chosen_channels(found)
    rows = -(-len(shown) // 3)
    figure = new_figure(8.4, 2.1 * rows + 0.35)
    grid = figure.subplots(rows, min(3, len(shown)), sharex=True, sharey=True, squeeze=False)
    apart: BoolArray = np.asarray(found.power.significant.any(axis=0), dtype=np.bool_)
    step = float(np.median(np.diff(found.freqs_hz))) if len(found.freqs_hz) > 1 else 1.0
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    lines = []
    for axes, channel in zip(grid.flat, shown, strict=False):
        for freq in found.freqs_hz[apart[:, channel]]:
            axes.axvspan(freq - step / 2, freq + step / 2, color="#e4e8ec", linewidth=0)
        for i, one in enumerate(found.classes):
            colour, dashes = COLOURS[i % len(COLOURS)], ("-", "--", "-.", ":")[i % 4]
            axes.fill_between(found.freqs_hz, one.low[:, channel], one.high[:, channel], color=colour, alpha=0.2, linewidth=0)
            lines += axes.plot(found.freqs_hz, one.mean[:, channel], dashes, color=colour, linewidth=1.5)
        axes.set_title(found.channels[channel], fontweight="bold")
        axes.margins(x=0)
    for axes in grid[-1]:
        axes.set_xlabel("Hz")
    for axes in grid[:, 0]:
        axes.set_ylabel("dB re 1 µV²/Hz")
    names = [one.class_ for one in found.classes]
    figure.legend(lines[: len(names)], names, loc="outside upper right", ncols=len(names))
    return figure


def separability_map(found: Exploration) -> Figure:
    """Signed r² of every channel and frequency; dots where it is significant for the whole map."""
    n_compared = len(found.power.comparisons)
    columns = min(BESIDE, n_compared)
    rows = -(-n_compared // columns)
    figure = new_figure(8.4 if n_compared > 1 else 6.6, rows * min(9.0, 0.9 + max(1.4, 0.17 * len(found.channels))))
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    limit = max(0.05, float(np.abs(found.power.r2).max()))
    step = float(np.median(np.diff(found.freqs_hz))) if len(found.freqs_hz) > 1 else 1.0
    edges = (found.freqs_hz[0] - step / 2, found.freqs_hz[-1] + step / 2)
    drawn: Any = None
    for axes in grid.flat[n_compared:]:
        axes.set_visible(False)
    for which, axes in enumerate(grid.flat[:n_compared]):
        r2 = found.power.r2[which].T
        drawn = axes.imshow(
            r2, aspect="auto", cmap=DIVERGING, vmin=-limit, vmax=limit, extent=(*edges, len(r2) - 0.5, -0.5), interpolation="none"
        )
        channel, freq = np.nonzero(found.power.significant[which].T)
        axes.plot(found.freqs_hz[freq], channel, "o", color="black", markersize=2)
        axes.set_yticks(range(len(r2)), found.channels, fontsize=7 if len(r2) > 16 else 8)
        axes.set(xlabel="Hz", xlim=edges)
        axes.set_title(compared(found.power.comparisons[which]), fontsize=9 if columns < BESIDE else 7)
        axes.tick_params(length=0)
    figure.colorbar(drawn, ax=list(grid.flat), label="signed r²", shrink=min(0.8, 2.5 / figure.get_figheight()))
    return figure


def compared(pair: tuple[str, str]) -> str:
    """A comparison in words."""
    return f"{pair[0]} against {'all others' if pair[1] == REST else pair[1]}"


def change_maps(found: Exploration, stop_s: float) -> Figure:
    """ERD/ERS: change of power after the cue, of some channels and each class."""
    shown = chosen_channels(found, 3)
    classes = list(found.change)
    figure = new_figure(8.4, 1.75 * len(classes) + 0.5)
    grid = figure.subplots(len(classes), len(shown), squeeze=False, sharex=True, sharey=True)
    drawn: Any = None
    for row, class_ in enumerate(classes):
        change = found.change[class_]
        for axes, channel in zip(grid[row], shown, strict=True):
            percent = change.percent[:, :, channel]
            drawn = axes.pcolormesh(
                change.times_s, change.freqs_hz, percent, cmap=DIVERGING, vmin=-100, vmax=100, shading="nearest", rasterized=True
            )
            marked = np.where(np.isfinite(percent), change.significant[:, :, channel], False).astype(float)
            if marked.any():
                axes.contour(change.times_s, change.freqs_hz, marked, levels=[0.5], colors="black", linewidths=0.9)
            axes.axvline(0, color=INK, linewidth=0.8)
            axes.set(xlim=(-1.4, stop_s), facecolor="#f0f2f4")
            if row == 0:
                axes.set_title(found.channels[channel], fontweight="bold")
        grid[row, 0].set_ylabel(f"{class_}\nHz")
    for axes in grid[-1]:
        axes.set_xlabel("s after the cue")
    figure.colorbar(
        drawn, ax=list(grid.flat), label="change of power, %", shrink=min(0.8, 2.5 / figure.get_figheight()), extend="max"
    )
    return figure


def head_maps(found: Exploration, info: StreamInfo) -> list[Figure]:
    """Band power of each class against the mean of all, and where classes differ."""
    head = found.head
    away = head.power_db - head.power_db.mean(axis=0)
    limit = max(0.5, float(np.abs(away).max()))
    classes: list[tuple[str, FloatArray, BoolArray | None]] = [(c, v, None) for c, v in zip(head.classes, away, strict=True)]
    r2, apart = head.difference.r2, head.difference.significant
    largest = max(0.05, float(np.abs(r2).max()))
    differ = [(compared(pair), r2[i], apart[i]) for i, pair in enumerate(head.difference.comparisons)]
    drawn = [
        heads(classes, info, found.channels, (-limit, limit), "dB against the mean of classes", DIVERGING),
        heads(differ, info, found.channels, (-largest, largest), "signed r²", DIVERGING),
    ]
    return [figure for figure in drawn if figure is not None]


def candidate_rows(rows: Sequence[Row], chance: float) -> Figure:
    """Accuracy and interval of each candidate; the chosen one is full and blue."""
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
    """Measured points, the forecast, and its interval."""
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
    """Right activations against false ones: every setting, and those that no other beats."""
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
