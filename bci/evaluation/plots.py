"""Figures of an evaluation: every person as a point, few-shot curves, and activations of pseudo-online runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bci.evaluation.table import ResultRow, groups, mean_and_spread, of_people


def draw(rows: Sequence[ResultRow], out: Path, kind: str = "png") -> list[Path]:
    """Draw what the rows allow.

    Parameters
    ----------
    rows : sequence of ResultRow
    out : Path
    kind : {"png", "svg"}

    Returns
    -------
    list of Path
        The pictures.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pictures = {"accuracy": _people, "few-shot": _curves, "pseudo-online": _activations}
    found = []
    for name, paint in pictures.items():
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        if paint(figure.subplots(), rows):
            path = out / f"{name}.{kind}"
            figure.savefig(path, dpi=150, metadata={"Date": None} if kind == "svg" else None)
            found.append(path)
    return found


def _people(axes: Any, rows: Sequence[ResultRow]) -> bool:
    """Correct answers of each person, and their mean, for the protocols that give one number each."""
    plain = [r for r in rows if r.protocol not in ("few-shot", "pseudo-online") and r.accuracy is not None]
    names = []
    for place, (group, members) in enumerate(groups(plain).items()):
        protocol, data_set, decoder, _, _ = group
        values = [100 * v for v in of_people(members).values()]
        axes.plot([place] * len(values), values, "o", alpha=0.5, color=f"C{place % 10}")
        axes.plot([place - 0.2, place + 0.2], [mean_and_spread(values)[0]] * 2, color="black")
        names.append(f"{decoder}\n{protocol}\n{data_set}")
    if not names:
        return False
    axes.axhline(100 * _chance(plain), linestyle=":", color="grey")
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_ylabel("correct, %")
    axes.set_ylim(0, 100)
    axes.set_title("Each person, and the mean; dotted: chance")
    return True


def _curves(axes: Any, rows: Sequence[ResultRow]) -> bool:
    """Mean over people against trials per class."""
    few = [r for r in rows if r.protocol == "few-shot" and r.accuracy is not None]
    lines: dict[str, list[tuple[int, float, float]]] = {}
    for (_, data_set, decoder, _, n), members in groups(few).items():
        mean, spread = mean_and_spread([100 * v for v in of_people(members).values()])
        name = f"{decoder} ({data_set})"
        lines.setdefault(name, []).append((n or 0, mean, spread if spread == spread else 0.0))
    for name, points in lines.items():
        at, means, spreads = zip(*sorted(points), strict=True)
        axes.errorbar(at, means, yerr=spreads, marker="o", capsize=3, label=name)
    if not lines:
        return False
    axes.axhline(100 * _chance(few), linestyle=":", color="grey")
    counts = sorted({n for points in lines.values() for n, _, _ in points})
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.set_xlabel("training trials per class")
    axes.set_ylabel("correct, %")
    axes.set_title("Few-shot: mean ± standard deviation over people")
    axes.legend(fontsize=7)
    return True


def _activations(axes: Any, rows: Sequence[ResultRow]) -> bool:
    """Detected tasks against false activations per minute."""
    online = [r for r in rows if r.detected is not None and r.false_per_min is not None]
    for place, decoder in enumerate(dict.fromkeys(r.decoder for r in online)):
        own = [r for r in online if r.decoder == decoder]
        axes.plot([r.false_per_min for r in own], [100 * (r.detected or 0) for r in own], "o", label=decoder, color=f"C{place}")
        for r in own:
            axes.annotate(r.subject, (r.false_per_min, 100 * (r.detected or 0)), fontsize=7)
    if not online:
        return False
    axes.set_xlabel("false activations per minute of idle")
    axes.set_xlim(left=0)
    axes.set_ylabel("tasks detected, %")
    axes.set_ylim(0, 100)
    axes.set_title("Pseudo-online")
    axes.legend(fontsize=7)
    return True


def _chance(rows: Sequence[ResultRow]) -> float:
    """Mean share of the most frequent class."""
    known = [r.chance for r in rows if r.chance is not None]
    return sum(known) / len(known) if known else 0.0
