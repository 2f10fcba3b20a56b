"""``bci train``: a decoder from labelled recordings."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bci.settings import SessionConfig

HELP = """Fit a decoder to recordings and write a model file.

The trials are cut through the very filters and windows that run live. The accuracy it prints is
cross-validated over whole runs or blocks of neighbouring trials, never over shuffled windows."""

EXAMPLES = """bci train run1.xdf run2.xdf --set markers.table.769=left --set markers.table.770=right -o left-right.safetensors
bci train *.edf --set markers.table.T1=left --set markers.table.T2=right --set decoder.name=csp-lda -o fists.safetensors
bci train calibration.xdf --config session.toml -o model.safetensors --json
bci train few-trials.xdf --library people --config session.toml -o model.safetensors
bci train --library people --config session.toml -o nobody-yet.safetensors"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options

    parser.add_argument("recordings", nargs="*", metavar="FILE", help="XDF, EDF, BDF, GDF, BrainVision, FIF or OpenViBE .ov")
    parser.add_argument(
        "--library", metavar="DIR", help="start from what other people's calibrations have in common (bci library)"
    )
    parser.add_argument(
        "-o", "--model", required=True, metavar="FILE", help="model file to write; an existing one is never overwritten"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and say what came out."""
    from pathlib import Path

    from bci.config import config_of
    from bci.errors import ConfigError, ModelError
    from bci.session.chance import interval
    from bci.session.progress import progress_bar
    from bci.session.training import cross_validated, open_labelled, train, write_model

    config = config_of(args)
    path = Path(args.model)
    if path.exists():
        raise ModelError(f"{path}: exists already and is not overwritten; choose another name with -o")
    if args.library:
        return _with_library(args, config, path)
    if not args.recordings:
        raise ConfigError("bci train: name at least one recording; without any, only --library DIR can give a decoder")
    with progress_bar("reading", quiet=args.json) as told:
        runs = [open_labelled(Path(name), config) for name in args.recordings]
        trained = train(runs, config, told)
        correct, n = cross_validated(trained, config, told)
        sha256 = write_model(path, trained, config, correct / n)
    low, high = interval(correct, n)
    result = {
        "model": str(path),
        "sha256": sha256,
        "decoder": trained.model.family,
        "classes": list(trained.model.classes),
        "trials": trained.model.trials,
        "rejected": [f"{cue.class_} at {cue.time_s:.1f} s: {why}" for cue, why in trained.epochs.rejected],
        "accuracy": correct / n,
        "interval": [low, high],
        "chance": max(trained.model.trials.values()) / sum(trained.model.trials.values()),
        "notes": list(trained.model.notes),
    }
    print(json.dumps(result) if args.json else _told(result))
    return 0


def _with_library(args: argparse.Namespace, config: SessionConfig, path: Path) -> int:
    """Train with a head start, and say what came out."""
    from pathlib import Path

    from bci.session.chance import interval
    from bci.session.headstart.library import Library
    from bci.session.headstart.training import head_start
    from bci.session.progress import progress_bar
    from bci.session.training import open_labelled, write_model

    library = Library.open(args.library)
    with progress_bar("reading", quiet=args.json) as told:
        runs = [open_labelled(Path(name), config) for name in args.recordings]
        info = runs[0].info if runs else library.info()
        found = head_start(library, runs, info, config, exclude=args.subject or "", progress=told)
        n = len(found.trained.epochs.labels)
        sha256 = write_model(path, found.trained, config, found.correct / n if n else None)
    model = found.trained.model
    result: dict[str, object] = {
        "model": str(path),
        "sha256": sha256,
        "decoder": model.family,
        "classes": list(model.classes),
        "trials": model.trials,
        "donors": list(found.donors),
        "accuracy": found.correct / n if n else None,
        "interval": list(interval(found.correct, n)) if n else None,
        "notes": list(model.notes),
    }
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"{path}: {model.family} for {', '.join(model.classes)}, {n} own trials, {len(found.donors)} sessions of others")
    if n:
        low, high = (100 * x for x in interval(found.correct, n))
        print(f"held-out own trials: {100 * found.correct / n:.0f} % correct (95 % interval {low:.0f}–{high:.0f})")
    print("\n".join(f"note: {note}" for note in model.notes))
    return 0


def _told(result: dict) -> str:  # type: ignore[type-arg]
    """The result for people."""
    trials = ", ".join(f"{n} {name}" for name, n in result["trials"].items())
    low, high, chance = (100 * x for x in (*result["interval"], result["chance"]))
    lines = [
        f"{result['model']}: {result['decoder']} on {trials}",
        f"cross-validated {100 * result['accuracy']:.0f} % correct (95 % interval {low:.0f}–{high:.0f}, chance {chance:.0f})",
        "better than chance" if low > chance else "NOT shown to be better than chance: record more trials, or change the imagery",
    ]
    if result["rejected"]:
        lines.append(f"{len(result['rejected'])} trials left out, for instance {result['rejected'][0]}")
    return "\n".join(lines + [f"note: {note}" for note in result["notes"]])
