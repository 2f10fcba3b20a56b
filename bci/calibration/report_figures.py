"""Figures of a calibration report, drawn without a screen, in colours that colour-blind people can tell apart."""

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
from bci.explore.exploration import Exploration
from bci.explore.separability import REST
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
    """A figure without a window.

    Parameters
    ----------
    width : float
        Inches.
    height : float
        Inches.

    Returns
    -------
    Figure
    """
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

    Returns
    -------
    str
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    width = round(105 * figure.get_size_inches()[0])
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img class="picture" width="{width}" alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{data}">'


def places(info: StreamInfo, labels: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Positions of those channels whose place on the head is known, metres.

    Parameters
    ----------
    info : StreamInfo
    labels : sequence of str

    Returns
    -------
    dict of str to (float, float, float)
    """
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

    Returns
    -------
    Figure or None
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
    """Channels to show one by one: those over the hands and feet where they are, then those that tell the classes apart best.

    Parameters
    ----------
    found : Exploration
    most : int
        How many at most.

    Returns
    -------
    list of int
    """
    names = [canonical(c) for c in found.channels]
    picked = [names.index(canonical(m)) for m in MOTOR if canonical(m) in names]
    best = np.argsort(-np.abs(found.power.r2).max(axis=(0, 1)), kind="stable").tolist()
    order = list(dict.fromkeys([*picked, *best]))[:most]
    return sorted(order)


def class_spectra(found: Exploration) -> Figure:
    """Mean spectrum of each class over some channels; grey below where classes differ.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    Figure
    """
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
    """Signed r² of every channel and frequency; dots where it is significant for the whole map.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    Figure
    """
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
    """A comparison in words.

    Parameters
    ----------
    pair : (str, str)

    Returns
    -------
    str
    """
    return f"{pair[0]} against {'all others' if pair[1] == REST else pair[1]}"


def change_maps(found: Exploration, stop_s: float) -> Figure:
    """ERD/ERS: change of power after the cue, of some channels and each class.

    Parameters
    ----------
    found : Exploration
    stop_s : float
        End of the part of a trial that counts, seconds after the cue.

    Returns
    -------
    Figure
    """
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
    """Band power of each class against the mean of all, and where classes differ.

    Parameters
    ----------
    found : Exploration
    info : StreamInfo

    Returns
    -------
    list of Figure
    """
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
