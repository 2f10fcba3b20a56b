"""``bci train``: a decoder from labelled recordings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bci.session.progress import Progress
    from bci.settings import SessionConfig

HELP = """Fit a decoder to recordings and write a model file.

The trials are cut through the very filters and windows that run live. The accuracy it prints is
cross-validated over whole runs or blocks of neighbouring trials, never over shuffled windows."""

EXAMPLES = """bci train run1.xdf run2.xdf --set markers.table.769=left --set markers.table.770=right -o left-right.safetensors
bci train *.edf --set markers.table.T1=left --set markers.table.T2=right --set decoder.name=csp-lda -o fists.safetensors
bci train calibration.xdf --config session.toml -o model.safetensors --json
bci train few-trials.xdf --library people --config session.toml -o model.safetensors
bci train --library people --config session.toml -o nobody-yet.safetensors
bci train run*.xdf --config session.toml --decoder eegnet -o network.safetensors
bci train --library people --config session.toml --decoder eegnet -o people.safetensors
bci train run1.xdf --config session.toml --pretrained people.safetensors --fine-tune probe -o mine.safetensors
bci train run*.xdf --decoder network --set decoder.settings.module=my_nets:Mine -o mine.safetensors"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options

    parser.add_argument(
        "recordings",
        nargs="*",
        metavar="FILE",
        help="any recording that bci info reads: XDF, EDF, BDF, GDF, .vhdr, .fif, .set, .cnt, .ov",
    )
    parser.add_argument(
        "--library", metavar="DIR", help="start from what other people's calibrations have in common (bci library)"
    )
    parser.add_argument(
        "-o", "--model", required=True, metavar="FILE", help="model file to write; an existing one is never overwritten"
    )
    parser.add_argument("--decoder", metavar="NAME", help="what to train (decoder.name), for instance ts-lr or eegnet")
    parser.add_argument(
        "--pretrained",
        metavar="FILE",
        help="model file of a network to start from, whose channels, filters and window are taken over",
    )
    parser.add_argument(
        "--fine-tune",
        choices=("full", "probe", "frozen"),
        default="full",
        help="with --pretrained: train all of it further (the default), only its last layer, or nothing",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and say what came out."""
    from pathlib import Path

    from bci.config import config_of
    from bci.errors import ConfigError, ModelError
    from bci.session.chance import interval
    from bci.session.epochs import reasons
    from bci.session.fit import TooFewTrials
    from bci.session.progress import progress_bar
    from bci.session.rejected import why_rejected
    from bci.session.training import cross_validated, notes_of, open_labelled, train, write_model

    config = _started(args, config_of(args))
    path = Path(args.model)
    if path.exists():
        raise ModelError(f"{path}: exists already and is not overwritten; choose another name with -o")
    if args.library:
        return _with_library(args, config, path)
    if not args.recordings:
        raise ConfigError("bci train: name at least one recording; without any, only --library DIR can give a decoder")
    with progress_bar("reading", quiet=args.json) as told:
        runs = [open_labelled(Path(name), config) for name in args.recordings]
        with interruptible(told) as watched:
            trained = train(runs, config, watched)
        missing = ""
        try:
            correct, n = cross_validated(trained, config, told)
        except KeyboardInterrupt:  # the model is there already, and hours of a network's training should not be lost
            correct, n, missing = 0, 0, "ended by hand"
        except TooFewTrials as error:
            correct, n, missing = 0, 0, str(error)
        sha256 = write_model(path, trained, config, correct / n if n else None)
    result = {
        "model": str(path),
        "sha256": sha256,
        "decoder": trained.model.family,
        "classes": list(trained.model.classes),
        "trials": trained.model.trials,
        "rejected": [f"{cue.class_} at {cue.time_s:.1f} s: {why}" for cue, why in trained.epochs.rejected],
        "reasons": reasons(trained.epochs.rejected),
        "accuracy": correct / n if n else None,
        "interval": list(interval(correct, n)) if n else None,
        "chance": max(trained.model.trials.values()) / sum(trained.model.trials.values()),
        "dimensions": trained.model.decoder().n_dims,
        "not_judged": missing,
        "why": why_rejected(trained.epochs.rejected, trained.epochs.faults, config.front()),
        "notes": [*notes_of(runs), *trained.model.notes],
    }
    print(json.dumps(result) if args.json else _told(result))
    return 0


def _started(args: argparse.Namespace, config: SessionConfig) -> SessionConfig:
    """The configuration with the decoder that the options name, and with the windows of the network that it starts from."""
    from bci.session.model import read_model

    decoder, preprocessing = config.decoder, config.preprocessing
    settings = dict(decoder.settings)
    name = args.decoder or decoder.name
    if args.pretrained:
        header, _, _ = read_model(args.pretrained)
        p = header.preprocessing
        name = args.decoder or header.decoder
        settings |= {"pretrained": args.pretrained, "fine_tune": args.fine_tune}
        preprocessing = preprocessing.model_copy(
            update={
                "channels": p.labels,
                "reference": p.reference,
                "notch_hz": p.notch_hz,
                "bands": p.bands,
                "order": p.order,
                "window_s": p.window / p.rate_hz,
                "hop_s": p.hop / p.rate_hz,
            }
        )
    chosen = decoder.model_copy(update={"name": name, "settings": settings})
    return config.model_copy(update={"decoder": chosen, "preprocessing": preprocessing})


@contextmanager
def interruptible(told: Progress) -> Iterator[Progress]:
    """While a network is trained, Ctrl-C ends the training and keeps the best so far; a second one ends the command.

    Parameters
    ----------
    told : callable
        Progress to pass on.
    """
    import signal
    import threading

    from bci.session.progress import Enough

    doing, asked = "", False

    def watched(what: str, share: float) -> None:
        nonlocal doing
        doing = what
        told(f"{what} (Ctrl-C keeps the best so far)" if what.startswith("training") else what, share)
        if asked:
            raise Enough

    def interrupt(number: int, frame: object) -> None:
        nonlocal asked
        if asked or not doing.startswith("training"):
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield watched
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield watched
    finally:
        signal.signal(signal.SIGINT, before)


def _with_library(args: argparse.Namespace, config: SessionConfig, path: Path) -> int:
    """Train with a head start, and say what came out."""
    from bci.session.fit import InformedFamily, load_family

    if isinstance(load_family(config.decoder.name, config.decoder.settings), InformedFamily):
        return _pooled(args, config, path)
    return _head_start(args, config, path)


def _pooled(args: argparse.Namespace, config: SessionConfig, path: Path) -> int:
    """Train a network on everybody in the library, and say what came out."""
    from bci.errors import ConfigError
    from bci.session.headstart.library import Library
    from bci.session.headstart.pooled import pool
    from bci.session.progress import progress_bar
    from bci.session.training import write_model

    if args.recordings:
        raise ConfigError(
            f"bci train: {config.decoder.name} learns from others in two steps. First without recordings: "
            f"bci train --library {args.library} -o people.safetensors; then bci train FILE --pretrained people.safetensors"
        )
    with progress_bar("reading", quiet=args.json) as told, interruptible(told) as watched:
        found = pool(Library.open(args.library), config, exclude=args.subject or "", progress=watched)
        sha256 = write_model(path, found.trained, config)
    model = found.trained.model
    result = {
        "model": str(path),
        "sha256": sha256,
        "decoder": model.family,
        "classes": list(model.classes),
        "trials": model.trials,
        "donors": list(found.sessions),
        "notes": list(model.notes),
    }
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"{path}: {model.family} for {', '.join(model.classes)}, from {sum(model.trials.values())} trials of others")
    print("\n".join(f"note: {note}" for note in model.notes))
    return 0


def _head_start(args: argparse.Namespace, config: SessionConfig, path: Path) -> int:
    """Train tangent space with a head start, and say what came out."""
    from pathlib import Path

    from bci.session.chance import interval
    from bci.session.headstart.library import Library
    from bci.session.headstart.training import head_start
    from bci.session.progress import progress_bar
    from bci.session.training import notes_of, open_labelled, write_model

    library = Library.open(args.library)
    with progress_bar("reading", quiet=args.json) as told:
        runs = [open_labelled(Path(name), config) for name in args.recordings]
        info = runs[0].info if runs else library.info()
        found = head_start(library, runs, info, config, exclude=args.subject or "", progress=told)
        n = len(found.trained.epochs.labels)
        sha256 = write_model(path, found.trained, config, found.correct / n if n else None)
    model = found.trained.model
    notes = [*notes_of(runs), *model.notes]
    result: dict[str, object] = {
        "model": str(path),
        "sha256": sha256,
        "decoder": model.family,
        "classes": list(model.classes),
        "trials": model.trials,
        "donors": list(found.donors),
        "accuracy": found.correct / n if n else None,
        "interval": list(interval(found.correct, n)) if n else None,
        "notes": notes,
    }
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"{path}: {model.family} for {', '.join(model.classes)}, {n} own trials, {len(found.donors)} sessions of others")
    if n:
        low, high = (100 * x for x in interval(found.correct, n))
        print(f"held-out own trials: {100 * found.correct / n:.0f} % correct (95 % interval {low:.0f}–{high:.0f})")
    print("\n".join(f"note: {note}" for note in notes))
    return 0


def _told(result: dict) -> str:  # type: ignore[type-arg]
    """The result for people."""
    trials = ", ".join(f"{n} {name}" for name, n in result["trials"].items())
    lines = [f"{result['model']}: {result['decoder']} on {trials}", *_accuracy(result)]
    if result["rejected"]:
        why = "; ".join(f"{n}: {reason}" for reason, n in result["why"].items())
        lines.append(f"{len(result['rejected'])} trials left out ({why}), for instance {result['rejected'][0]}")
    return "\n".join(lines + [f"note: {note}" for note in result["notes"]])


def _accuracy(result: dict) -> list[str]:  # type: ignore[type-arg]
    """How good it is, where that was found out."""
    if result["interval"] is None:
        return [f"not cross-validated: {result['not_judged']}"]
    low, high, chance = (100 * x for x in (*result["interval"], result["chance"]))
    right, between = 100 * result["accuracy"], f"{low:.0f}–{high:.0f}, chance {chance:.0f}"
    correct = f"cross-validated {right:.0f} % correct (95 % interval {between})"
    if result["dimensions"]:
        return [f"steers in {result['dimensions']} dimensions; taken for a choice between directions: {correct}"]
    return [
        correct,
        "better than chance" if low > chance else "NOT shown to be better than chance: record more trials, or change the imagery",
    ]
