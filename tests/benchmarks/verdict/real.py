"""The choice for each person against each fixed decoder, on the real recordings, into ``docs/results/results.md``.

One causal, block-wise protocol for all: trials are cut through the live steps, whole stretches of neighbouring trials are
left out, and the choice is made inside (``bci judge``). Nothing is tuned on what is tested.

Examples
--------
::

    cd tests/benchmarks && python -m verdict.real             # about ten minutes
    cd tests/benchmarks && python -m verdict.real --only S10 --out /tmp/page.md
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from results.recordings import DATA, Person, people

from bci.judging.comparison import compare_candidates
from bci.judging.judge import bands_of, judge_trials, load_grid
from bci.judging.judgement import Judgement
from bci.judging.nested import nested
from bci.judging.nulls import pre_cue
from bci.judging.settings import JudgeSettings
from bci.judging.trials import cut_trials
from bci.training.labelled import open_labelled

PAGE = Path(__file__).parents[3] / "docs" / "results" / "results.md"
BEGIN, END = "<!-- per-person choice -->", "<!-- end of per-person choice -->"
SETTINGS = JudgeSettings(looks=1)
DRAWS = 10_000
DEFAULT = "ts-lr"
MOST_BELOW = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One person.

    Parameters
    ----------
    name : str
    judgement : Judgement
    choice : ndarray of bool, shape (n_trials,)
        Whether the procedure that chooses was right.
    fixed : dict of str to ndarray of bool, shape (n_trials,)
        The same of each decoder with the configured band and the whole window.
    cpu_s : float
        Processor time of cutting and judging.
    """

    name: str
    judgement: Judgement
    choice: np.ndarray
    fixed: dict[str, np.ndarray]
    cpu_s: float


def line(person: Person) -> Line:
    """Judge one person once, with everything that was recorded."""
    began = time.process_time()
    runs = [open_labelled(path, person.config) for path in (*person.train, *person.test)]
    grid = load_grid("live", runs[0].info, person.config)
    trials = cut_trials(runs, person.config, bands_of(grid), SETTINGS)
    kept, answers, notes = compare_candidates(trials, grid)
    before = pre_cue(runs, person.config, SETTINGS, [(8.0, 30.0)], 0)
    judgement = judge_trials(trials, grid, SETTINGS, 1, 0, [before] if before else [], precomputed=(kept, answers, notes))
    cpu_s = time.process_time() - began
    whole = kept[0]
    fixed = {
        c.family: a.outer.argmax(axis=1) == trials.codes
        for c, a in zip(kept, answers, strict=True)
        if (c.start_s, c.stop_s, c.channels) == (whole.start_s, whole.stop_s, whole.channels) and c.settings == ()
        if (c.bands[0][0], c.bands[-1][1]) == (whole.bands[0][0], whole.bands[-1][1])
    }
    return Line(person.name, judgement, nested(answers, trials.codes, trials.folds).hits, fixed, cpu_s)


def difference(lines: list[Line], decoder: str) -> tuple[float, float, float, int]:
    """Choice minus a fixed decoder in points, mean over people, with a paired interval; and over how many people.

    Trials are drawn again with replacement within each person.
    """
    pairs = [x.choice.astype(float) - x.fixed[decoder] for x in lines if decoder in x.fixed]
    rng = np.random.default_rng(0)
    means = np.stack([d[rng.integers(0, len(d), (DRAWS, len(d)))].mean(axis=1) for d in pairs]).mean(axis=0)
    low, high = np.quantile(means, (0.025, 0.975))
    return 100 * float(np.mean([d.mean() for d in pairs])), 100 * float(low), 100 * float(high), len(pairs)


def section(lines: list[Line]) -> str:
    """The section as Markdown."""
    names = list(dict.fromkeys(name for x in lines for name in x.fixed))
    rows = [
        "## The choice for each person against fixed decoders",
        "",
        "`cd tests/benchmarks && python -m verdict.real`. Filters are causal, windows are those of a live session, and "
        "cross-validation leaves out whole stretches of neighbouring trials. The numbers are per cent correct; the chance level "
        "is 50. *Choice*: `bci judge` chooses decoder, band, window and channels inside the cross-validation (nested); the "
        "interval is exact. p: labels are permuted within blocks, and the largest statistic of all candidates counts. *s*: "
        "seconds of processor time for cutting, comparing, testing and forecasting.",
        "",
        f"| recording | trials | choice (95 %) | p | word | chosen from all trials | {' | '.join(names)} | s |",
        "|---" * (7 + len(names)) + "|",
    ]
    for x in lines:
        v = x.judgement.verdict
        shares = [f"{100 * x.fixed[n].mean():.1f}" if n in x.fixed else "–" for n in names]
        told = f"{100 * v.accuracy:.1f} ({100 * v.low:.0f}–{100 * v.high:.0f})"
        cells = [x.name, str(len(x.choice)), told, f"{v.p_value:.2g}", v.word, v.candidate, *shares, f"{x.cpu_s:.0f}"]
        rows.append(f"| {' | '.join(cells)} |")
    mean = np.mean([100 * x.choice.mean() for x in lines])
    means = [np.mean([100 * x.fixed[n].mean() for x in lines if n in x.fixed]) for n in names]
    rows.append(f"| **mean** | | **{mean:.1f}** | | | | {' | '.join(f'{m:.1f}' for m in means)} | |")
    rows += ["", "| choice minus | points | paired 95 % | people |", "|---|---|---|---|"]
    for name in names:
        points, low, high, n = difference(lines, name)
        rows.append(f"| {name} | {points:+.1f} | {low:+.1f} to {high:+.1f} | {n} |")
    return "\n".join(rows)


def main() -> int:
    """Compute, print, and put into the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="people whose name holds this")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"the real recordings are not here (looked in {DATA.parent.name}/{DATA.name} beside the project)", file=sys.stderr)
        return 2
    lines = []
    for person in people(DEFAULT):
        if person.in_mean and "→" not in person.name and args.only in person.name:
            lines.append(line(person))
            print(f"{person.name}: {lines[-1].judgement.verdict.line()} ({lines[-1].cpu_s:.0f} s)", flush=True)
    text = f"{BEGIN}\n{section(lines)}\n{END}\n"
    old = args.out.read_text(encoding="utf-8") if args.out.exists() else ""
    head, _, rest = old.partition(BEGIN)
    args.out.write_text(f"{head.rstrip()}\n\n{text}{rest.partition(END)[2].lstrip()}", encoding="utf-8")
    print(section(lines))
    wide = [name for name in lines[0].fixed if all(name in x.fixed for x in lines)]
    ours = difference(lines, DEFAULT)[0]
    return 0 if ours >= 0 and min(difference(lines, name)[0] for name in wide) >= -MOST_BELOW else 1


if __name__ == "__main__":
    sys.exit(main())
