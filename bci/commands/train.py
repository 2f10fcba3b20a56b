"""``bci train``: a decoder from labelled recordings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from bci.progress import Progress
    from bci.settings import SessionConfig
    from bci.training.train import Trained

HELP = """Fit a decoder to recordings and write a model file.

The trials are cut with the same filters and windows as in a live session. The command prints a cross-validated accuracy: whole
runs, or blocks of neighbouring trials, are held out, never shuffled windows."""

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
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    parser.add_argument(
        "recordings",
        nargs="*",
        metavar="FILE",
        help="recordings that bci info can read: XDF, EDF, BDF, GDF, .vhdr, .fif, .set, .cnt, .ov",
    )
    parser.add_argument(
        "--library", metavar="DIR", help="folder of other people's calibrations, from which the training starts (bci library)"
    )
    parser.add_argument(
        "-o", "--model", required=True, metavar="FILE", help="model file to write; an existing file is never overwritten"
    )
    parser.add_argument("--decoder", metavar="NAME", help="decoder to train (decoder.name), for instance ts-lr or eegnet")
    parser.add_argument(
        "--pretrained",
        metavar="FILE",
        help="model file of a network from which the training starts; its channels, filters and window are used",
    )
    parser.add_argument(
        "--fine-tune",
        choices=("full", "probe", "frozen"),
        default="full",
        help="with --pretrained: train the whole network further (default), only its last layer, or nothing",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and print the result.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from pathlib import Path

    from bci.config import config_of
    from bci.errors import ConfigError, ModelError

    config = _started(args, config_of(args))
    path = Path(args.model)
    if path.exists():
        raise ModelError(f"{path}: already exists and is not overwritten; choose another name with -o")
    if args.library:
        result = _with_library(args, config, path)
    elif args.recordings:
        result = _alone(args, config, path)
    else:
        raise ConfigError("bci train: name at least one recording, or a library with --library DIR")
    print(json.dumps(result) if args.json else _told(result))
    return 0


def _alone(args: argparse.Namespace, config: SessionConfig, path: Path) -> dict[str, Any]:
    """Train on the recordings alone, write the model, and return the result."""
    from pathlib import Path

    from bci.progress import progress_bar
    from bci.training.fit import TooFewTrials
    from bci.training.labelled import notes_of, open_labelled
    from bci.training.train import cross_validated, train, write_model

    with progress_bar("reading", quiet=args.json) as told:
        runs = [open_labelled(Path(name), config) for name in args.recordings]
        with interruptible(told) as watched:
            trained = train(runs, config, watched)
        missing = ""
        try:
            correct, n = cross_validated(trained, told)
        except KeyboardInterrupt:  # the model is there already, and hours of a network's training should not be lost
            correct, n, missing = 0, 0, "a person ended the cross-validation"
        except TooFewTrials as error:
            correct, n, missing = 0, 0, str(error)
        sha256 = write_model(path, trained, config, correct / n if n else None)
    return _result(path, sha256, trained, config, correct, n, missing, notes_of(runs))


def _result(
    path: Path,
    sha256: str,
    trained: Trained,
    config: SessionConfig,
    correct: int = 0,
    n: int = 0,
    not_judged: str = "",
    notes: tuple[str, ...] = (),
    donors: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What is said of every model: what it was trained on, how good it is, and what a person should know of it.

    ``correct`` of ``n`` held-out trials were decoded right; with none, ``not_judged`` says why. ``donors`` are others' sessions.
    """
    from bci.training.chance import interval
    from bci.training.epochs import reasons
    from bci.training.rejected import why_rejected

    model, rejected = trained.model, trained.epochs.rejected
    total = sum(model.trials.values())
    return {
        "model": str(path),
        "sha256": sha256,
        "decoder": model.family,
        "classes": list(model.classes),
        "trials": model.trials,
        "donors": list(donors),
        "rejected": [f"{cue.class_} at {cue.time_s:.1f} s: {why}" for cue, why in rejected],
        "reasons": reasons(rejected),
        "accuracy": correct / n if n else None,
        "interval": list(interval(correct, n)) if n else None,
        "chance": max(model.trials.values()) / total if total else None,
        "dimensions": model.decoder().n_dims,
        "not_judged": not_judged,
        "why": why_rejected(rejected, trained.epochs.faults, config.front()),
        "notes": [*notes, *model.notes],
    }


def _started(args: argparse.Namespace, config: SessionConfig) -> SessionConfig:
    """The configuration with the decoder that the options name, and with the windows of the network that it starts from."""
    from bci.model.file import read_model

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

    from bci.progress import Enough

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


def _with_library(args: argparse.Namespace, config: SessionConfig, path: Path) -> dict[str, Any]:
    """Train with other people's calibrations, write the model, and return the result."""
    from bci.model.family import InformedFamily, load_family

    if isinstance(load_family(config.decoder.name, config.decoder.settings), InformedFamily):
        return _pooled(args, config, path)
    return _head_start(args, config, path)


def _pooled(args: argparse.Namespace, config: SessionConfig, path: Path) -> dict[str, Any]:
    """Train a network on everybody in the library."""
    from bci.errors import ConfigError
    from bci.progress import progress_bar
    from bci.training.train import write_model
    from bci.transfer.library import Library
    from bci.transfer.pooled import pool

    if args.recordings:
        raise ConfigError(
            f"bci train: training {config.decoder.name} with other people's data takes two steps. First, without recordings, run "
            f"bci train --library {args.library} -o people.safetensors; then run bci train FILE --pretrained people.safetensors"
        )
    with progress_bar("reading", quiet=args.json) as told, interruptible(told) as watched:
        found = pool(Library.open(args.library), config, exclude=args.subject or "", progress=watched)
        sha256 = write_model(path, found.trained, config)
    why = "all trials are from other people"
    return _result(path, sha256, found.trained, config, not_judged=why, donors=found.sessions)


def _head_start(args: argparse.Namespace, config: SessionConfig, path: Path) -> dict[str, Any]:
    """Train tangent space with a head start."""
    from pathlib import Path

    from bci.progress import progress_bar
    from bci.training.labelled import notes_of, open_labelled
    from bci.training.train import write_model
    from bci.transfer.library import Library
    from bci.transfer.training import head_start

    library = Library.open(args.library)
    with progress_bar("reading", quiet=args.json) as told:
        runs = [open_labelled(Path(name), config) for name in args.recordings]
        info = runs[0].info if runs else library.info()
        found = head_start(library, runs, info, config, exclude=args.subject or "", progress=told)
        n = len(found.trained.epochs.labels)
        sha256 = write_model(path, found.trained, config, found.correct / n if n else None)
    why = "" if n else "there are no trials of this person yet"
    return _result(path, sha256, found.trained, config, found.correct, n, why, notes_of(runs), found.donors)


def _told(result: dict[str, Any]) -> str:
    """The result for people."""
    trials = ", ".join(f"{n} {name}" for name, n in result["trials"].items())
    donors = f", from {len(result['donors'])} sessions of other people" if result["donors"] else ""
    lines = [f"{result['model']}: {result['decoder']} on {trials}{donors}", *_accuracy(result)]
    if result["rejected"]:
        why = "; ".join(f"{n}: {reason}" for reason, n in result["why"].items())
        lines.append(f"{len(result['rejected'])} trials left out ({why}), for instance {result['rejected'][0]}")
    return "\n".join(lines + [f"note: {note}" for note in result["notes"]])


def _accuracy(result: dict[str, Any]) -> list[str]:
    """How good it is, where that was found out."""
    if result["interval"] is None:
        return [f"not cross-validated: {result['not_judged']}"]
    low, high, chance = (100 * x for x in (*result["interval"], result["chance"]))
    right, between = 100 * result["accuracy"], f"{low:.0f}–{high:.0f}, chance {chance:.0f}"
    correct = f"cross-validated {right:.0f} % correct (95 % interval {between})"
    if result["dimensions"]:
        return [f"moves a cursor in {result['dimensions']} dimensions; as a choice between directions: {correct}"]
    return [
        correct,
        "better than chance" if low > chance else "NOT shown to be better than chance: record more trials, or change the imagery",
    ]
