"""The page that ``make networks`` writes: nothing on it but what is finished, and what is not is said."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bci.evaluation.comparison import DecoderComparison, compare, occasion
from bci.evaluation.comparison_table import HOW, p_value, points, sentences
from bci.evaluation.evaluate import cell_path
from bci.evaluation.published import benchmarks, published_table
from bci.evaluation.table import ResultRow, as_line, in_order, of_people

from .work import NETWORKS, SIMPLE, Planned

BASELINE = "ts-lr"
PACKAGES = ("bci", "numpy", "scipy", "scikit-learn", "pyriemann", "torch", "onnxruntime")
HEAD = """# Networks and simple decoders on the real recordings

Made by `make networks`; do not edit. {versions}.

All decoders get the same trials. The trials are cut as in a live session, with causal filters and the live quality checks. No
part of a test trial is used in training, and no value is fitted to it. All settings are defaults. Each network is trained with
{seeds} seeds; everything else is trained once. The baseline was chosen before the runs: {baseline}, the best simple decoder over
many public data sets.

- **later**: the last run of a session is decoded by a model of its earlier runs. **sessions**: the second day is decoded by a
  model of the first day. **people**: each person is decoded by a model of the others. **few-shot**: the later half of a session
  is decoded by models of 5, 10 or 20 trials of each class from the earlier half ({draws} selections of trials; the first
  selection takes the first trials).
- Times of training and of a live step were taken on a busy machine and are upper bounds.
- The numbers are per cent correct; the chance level is 50. For several seeds, sessions or draws they are the mean.
- With {trials} a difference below 5 to 10 points cannot be shown. *No difference shown* does not prove that two decoders are
  equal.
"""
PROTOCOLS = {
    "chronological": "Within a session: earlier runs, then the last one",
    "cross-session": "From the first day to the second",
    "cross-subject": "Each person by a model of the others",
    "few-shot": "Few trials",
    "recentring": "Causal recentring",
}
RECENTRING = (
    "The later runs go sample by sample through the engine, with `[recentre] on = true` and without it, with the same model and "
    "the same trials. *Recentred*: one engine decodes all later runs, as in a session with pauses. *Anew in each recording*: "
    "recentring begins again with each run. Recentring uses no labels and no later samples."
)


def page(plans: Sequence[Planned], rows: Sequence[ResultRow], out: Path, absent: Sequence[str], missing: dict[str, str]) -> str:
    """The whole page.

    Parameters
    ----------
    plans : sequence of Planned
    rows : sequence of ResultRow
        All that is finished.
    out : Path
        Where it is kept.
    absent : sequence of str
        Decoders that were asked for and are not installed.
    missing : dict of str to str
        Public data sets that cannot be fetched, and why.
    """
    rows = in_order(rows)
    compared = compare(rows, BASELINE)
    seeds = 1 + max((r.seed or 0 for r in rows), default=0)
    draws = max((c.choices.draws for p in plans for c in p.cells), default=0)
    head = HEAD.format(versions=_versions(), baseline=BASELINE, seeds=seeds, draws=draws, trials="so few trials and people")
    parts = [head, "\n".join(f"- {p.set.name}: {p.set.what}." for p in plans) + "\n"]
    for protocol, title in PROTOCOLS.items():
        own = [r for r in rows if r.protocol == protocol]
        if own:
            tables = (_few if protocol == "few-shot" else _people)(own, [c for c in compared if c.protocol == protocol])
            parts.append(f"## {title}\n\n" + (f"{RECENTRING}\n\n" if protocol == "recentring" else "") + tables)
    parts.append(_shown(compared))
    parts.append(_not_run(plans, rows, out, absent))
    if missing:
        parts.append(_public(missing))
    return "\n".join(parts)


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _people(rows: Sequence[ResultRow], compared: Sequence[DecoderComparison]) -> str:
    """Decoders down, people and sessions across, with the comparison at the end of each line."""
    text = ""
    for data_set in dict.fromkeys(r.data_set for r in rows):
        own = [r for r in rows if r.data_set == data_set]
        places = list(dict.fromkeys((r.subject, occasion(r)) for r in own))
        several = len({s for _, s in places}) > 1
        names = [f"{subject} {session}" if several else subject for subject, session in places]
        head = [data_set, *names, "mean (95 %)", "each seed", "difference, points (95 %)", "p", "p, all"]
        lines = [as_line([*head, "training s", "step µs"]), as_line(["---"] * (len(head) + 2))]
        by_decoder = {d: [r for r in own if r.decoder == d] for d in dict.fromkeys(r.decoder for r in own)}
        lines += [_line(d, members, places, compared) for d, members in _best_first(by_decoder)]
        text += "\n".join(lines) + "\n\n"
    return text


def _best_first(by_decoder: dict[str, list[ResultRow]]) -> list[tuple[str, list[ResultRow]]]:
    """The baseline, then the others by their mean."""

    def rank(item: tuple[str, list[ResultRow]]) -> tuple[bool, float]:
        values = of_people(item[1]).values()
        return item[0] != BASELINE, -sum(values) / max(1, len(values))

    return sorted(by_decoder.items(), key=rank)


def _line(
    decoder: str, rows: Sequence[ResultRow], places: Sequence[tuple[str, str]], compared: Sequence[DecoderComparison]
) -> str:
    cells = [_mean([r for r in rows if (r.subject, occasion(r)) == place]) for place in places]
    found = [c for c in compared if (c.decoder, c.data_set) == (decoder, rows[0].data_set)]
    if found:
        return as_line([decoder, *cells, *_numbers(found[0])])
    values = of_people(rows).values()
    mean = f"{100 * sum(values) / len(values):.1f}" if values else ""
    timing = [f"{rows[0].fit_s / max(1, rows[0].fits):.2f}" if values else "", _step(rows[0].step_us)]
    return as_line([decoder, *cells, mean, "", "", "", "", *timing])


def _mean(rows: Sequence[ResultRow]) -> str:
    values = [r.accuracy for r in rows if r.accuracy is not None]
    return f"{100 * sum(values) / len(values):.1f}" if values else "not run" if not rows else "none"


def _numbers(c: DecoderComparison) -> list[str]:
    return [
        f"{100 * c.accuracy:.1f} ({100 * c.low_accuracy:.0f}–{100 * c.high_accuracy:.0f})",
        ", ".join(f"{100 * a:.1f}" for a in c.by_seed),
        points(c),
        p_value(c.p),
        p_value(c.adjusted),
        "" if c.fit_s is None else f"{c.fit_s:.2f}",
        _step(c.step_us),
    ]


def _step(step_us: float | None) -> str:
    return "" if step_us is None else f"{step_us:.0f}"


def _few(rows: Sequence[ResultRow], compared: Sequence[DecoderComparison]) -> str:
    """Decoders down, numbers of trials across."""
    text = ""
    for data_set in dict.fromkeys(r.data_set for r in rows):
        own = [r for r in rows if r.data_set == data_set]
        sizes = sorted({r.trials_per_class for r in own if r.trials_per_class is not None})
        head = [data_set, *(text for n in sizes for text in (f"{n} per class", "difference (95 %)", "p, all"))]
        lines = [as_line(head), as_line(["---"] * len(head))]
        by_decoder = {d: [r for r in own if r.decoder == d] for d in dict.fromkeys(r.decoder for r in own)}
        for decoder, members in _best_first(by_decoder):
            cells = [decoder]
            for n in sizes:
                key = (decoder, data_set, n)
                found = next((c for c in compared if (c.decoder, c.data_set, c.trials_per_class) == key), None)
                values = of_people([r for r in members if r.trials_per_class == n]).values()
                cells.append(f"{100 * sum(values) / len(values):.1f}" if values else "none")
                cells += [points(found), p_value(found.adjusted)] if found else ["", ""]
            lines.append(as_line(cells))
        text += "\n".join(lines) + "\n\n"
    return text


def _shown(compared: Sequence[DecoderComparison]) -> str:
    """Sentences made of the numbers."""
    return "\n".join(["## What was shown, and what was not", "", HOW, "", *sentences(compared), ""])


def _not_run(plans: Sequence[Planned], rows: Sequence[ResultRow], out: Path, absent: Sequence[str]) -> str:
    """What was planned and is not finished, and what was run and gave no number."""
    lines = [f"- {name}: no decoder of this name is installed." for name in absent]
    for decoder in dict.fromkeys(c.decoder for p in plans for c in p.cells):
        counts: dict[str, list[bool]] = {}
        for p in plans:
            for cell in (c for c in p.cells if c.decoder == decoder):
                counts.setdefault(f"{p.set.name} {cell.protocol}", []).append(cell_path(out, cell).exists())
        missing = [f"{where} {done.count(False)} of {len(done)}" for where, done in counts.items() if not all(done)]
        lines += [f"- {decoder}: {', '.join(missing)} results not run."] if missing else []
    refused = dict.fromkeys((r.decoder, r.data_set, r.protocol, r.note) for r in rows if r.accuracy is None)
    lines += [
        f"- {decoder}, {data_set} {protocol}: run, without a number: {note}" for decoder, data_set, protocol, note in refused
    ]
    said = lines or ["Everything that was planned was run."]
    return "\n".join(["## Not run", "", *said, ""])


def _public(missing: dict[str, str]) -> str:
    """Public data sets that were asked for: not run here, with the figures that others published."""
    asked = [(protocol, decoder) for protocol in ("within", "cross-session", "cross-subject") for decoder in (*SIMPLE, *NETWORKS)]
    rows = [ResultRow(protocol, name, "", "", "", decoder) for name in missing for protocol, decoder in asked]
    lines = [f"- {name}: not run here: {why}." for name, why in missing.items()]
    text = published_table(rows, benchmarks([], missing))
    return "\n".join(["## Public data sets", "", *lines, "", text.replace("## Published", "### Published")])
