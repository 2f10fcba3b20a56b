"""How many trials of whole days are decoded, why the others are not, and how many of the decoded are right.

Each run of a day is decoded live, causally and in virtual time, by a model of the day's other runs; then day 2 by a model of
day 1. The board of these days is a consumer board over a radio link (``shared/data/labrecorder-mi``).

Examples
--------
::

    python tests/benchmarks/coverage_of_days.py                      # with the montage of eleven electrodes
    python tests/benchmarks/coverage_of_days.py --as-it-comes        # all sixteen channels, five of which are not connected
    python tests/benchmarks/coverage_of_days.py --gain 4             # as from a board with a quarter of the gain
    python tests/benchmarks/coverage_of_days.py --out a.json         # keep every answer ...
    python tests/benchmarks/coverage_of_days.py --against a.json     # ... and compare trial by trial

With ``PYTHONPATH`` it measures another working tree.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from results.live import Answer, answer, model_of
from results.recordings import DATA, MONTAGE, config

from bci.engine.chunk import Chunk
from bci.engine.engine import Engine
from bci.errors import TrainingError
from bci.model.file import Model
from bci.settings import SessionConfig
from bci.training.decoding import decode_at_cues
from bci.training.epochs import Epochs
from bci.training.labelled import LabelledRun, open_labelled
from bci.training.resolved import resolve_decoder
from bci.training.train import fit, run_epochs

try:
    from bci.training.left_out import leave_out
except ImportError:  # a working tree of before
    leave_out = None  # type: ignore[assignment]

LOSSY = "2022-04-07_run01"
TABLE = {"2": "left", "3": "right"}
TRIAL_S = (0.5, 4.5)
Answers = dict[str, list[Answer]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--as-it-comes", action="store_true", help="no montage: all sixteen channels")
    parser.add_argument("--gain", type=float, default=1.0, help="multiply every value, as another gain of the board does")
    parser.add_argument("--decoder", default="ts-lr")
    parser.add_argument("--out", type=Path, help="keep every answer in this file")
    parser.add_argument("--against", type=Path, help="answers of another run of this command, for comparison")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"the real recordings are not here (looked in {DATA.parent.name}/{DATA.name} beside the project)", file=sys.stderr)
        return 2
    settings = config(args.decoder, TABLE, TRIAL_S, **({"unit": "uV"} if args.as_it_comes else {"montage": str(MONTAGE)}))
    days = {day: _runs(day, settings, args.gain) for day in ("2022-04-07", "2022-04-08")}
    found = measure(days, settings)
    print(table(found))
    kept = {name: [[a.trial.class_, a.decided, a.why] for a in answers] for name, answers in found.items()}
    if args.out:
        args.out.write_text(json.dumps(kept), encoding="utf-8")
    if args.against:
        print(compared(json.loads(args.against.read_text(encoding="utf-8")), kept))
    return 0


def _runs(day: str, settings: SessionConfig, gain: float) -> list[LabelledRun]:
    """The runs of one day."""
    found = [open_labelled(path, settings) for path in sorted((DATA / "labrecorder-mi").glob(f"subjT_{day}_*.xdf"))]
    return [replace(run, raw=Chunk(run.raw.data * gain, run.raw.stamps)) for run in found]


def measure(days: dict[str, list[LabelledRun]], settings: SessionConfig) -> Answers:
    """What was decoded at each cue, by run within its day and from day 1 to day 2."""
    found: Answers = {}
    if leave_out is not None:
        left = leave_out([run for runs in days.values() for run in runs], settings)
        settings = left.config
        print("\n".join(left.why.values()))
    parts = {run.name: run_epochs(run, resolve_decoder(run.info, settings), settings) for runs in days.values() for run in runs}
    for runs in days.values():
        for run in runs:
            others = [other for other in runs if other is not run]
            found[f"{run.name[6:22]}"] = _decoded([run], others, parts, settings)
    first, second = days.values()
    for title, known in (("day 1 → 2", [r for r in first if LOSSY not in r.name]), ("day 1 with its lossy run → 2", first)):
        found[title] = _decoded(second, known, parts, settings)
    return found


def _decoded(
    runs: Sequence[LabelledRun], known: Sequence[LabelledRun], parts: dict[str, Epochs], settings: SessionConfig
) -> list[Answer]:
    """The cues of ``runs``, each decoded by a model of the runs that are known."""
    try:
        model = model_of(
            fit([parts[run.name] for run in known], known, resolve_decoder(known[0].info, settings), settings), settings
        )
    except TrainingError as error:
        return [Answer(cue, "", f"no model: {str(error)[:60]}") for run in runs for cue in run.cues]
    return [found for run in runs for found in _live(run, model, settings)]


def _live(run: LabelledRun, model: Model, settings: SessionConfig) -> list[Answer]:
    """One run through the engine."""
    engine = Engine(run.info, model.decoder, settings.engine_settings())
    found = decode_at_cues(engine, run.raw, run.cues, settings.trial.stop_s)
    return [answer(trial, outcome, model) for trial, outcome in found]


def table(found: Answers) -> str:
    """One line for each run, each day and each pair of days."""
    rows = [_row(name, answers) for name, answers in found.items()]
    for day in ("2022-04-07", "2022-04-08"):
        clean = [a for name, answers in found.items() if name.startswith(day) and name != LOSSY for a in answers]
        rows.append(_row(f"{day} without {LOSSY}" if day in LOSSY else day, clean))
    head = "| run | cues | decoded | % | right of decoded | % | not decoded because |\n|---|---|---|---|---|---|---|\n"
    return head + "\n".join(rows)


def _row(name: str, answers: Sequence[Answer]) -> str:
    n, decoded = len(answers), sum(bool(a.decided) for a in answers)
    right = sum(a.decided == a.trial.class_ for a in answers)
    why = ", ".join(f"{count} {reason}" for reason, count in Counter(a.why for a in answers if not a.decided).most_common())
    accuracy = f"{100 * right / decoded:.1f}" if decoded else "–"
    return f"| {name} | {n} | {decoded} | {100 * decoded / max(1, n):.0f} | {right} | {accuracy} | {why or '–'} |"


def compared(before: dict[str, list[list[str]]], now: dict[str, list[list[str]]]) -> str:
    """Trials that both decoded, and those that only one did."""
    lines = ["", "| run | decoded by both | right before | right now | only now | right | only before | right |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, old in before.items():
        pairs = [(a, b) for a, b in zip(old, now[name], strict=True)]
        both = [(a[1] == a[0], b[1] == b[0]) for a, b in pairs if a[1] and b[1]]
        gained = [b[1] == b[0] for a, b in pairs if b[1] and not a[1]]
        gone = [a[1] == a[0] for a, b in pairs if a[1] and not b[1]]
        lines.append(
            f"| {name} | {len(both)} | {sum(a for a, _ in both)} | {sum(b for _, b in both)} "
            f"| {len(gained)} | {sum(gained)} | {len(gone)} | {sum(gone)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
