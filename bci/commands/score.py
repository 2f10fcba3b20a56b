"""``bci score``: how many cues of recordings a model answers right."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bci.replay.right_at_cues import Answered, Right
    from bci.settings import SessionConfig
    from bci.training.labelled import LabelledRun

HELP = """Count how many cues a model decodes correctly, per recording and class.

The engine runs over each recording as in a live session: causal, with the same quality checks, and with one window at the end of
each trial. Cues that a live session would not have decoded are counted separately, with the reason. Intervals are exact (Clopper
and Pearson, 95 %). Recordings on which the model was trained are refused, because its accuracy there means nothing."""

EXAMPLES = """bci score model.safetensors next-day.xdf
bci score model.safetensors recordings/ --set markers.table.2=left --set markers.table.3=right
bci score model.safetensors bids-folder/ --config session.toml --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    parser.add_argument("model", metavar="MODEL", help="a model file")
    parser.add_argument("recordings", nargs="+", metavar="PATH", help="recordings of any format, folders of them, BIDS folders")
    parser.add_argument("--with-training", action="store_true", help="also count recordings on which the model was trained")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Score, and print the counts.

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
    from bci.model.file import load_model
    from bci.progress import progress_bar
    from bci.replay.right_at_cues import answers, check_unseen, table_for
    from bci.training.labelled import notes_of

    model = load_model(Path(args.model))
    config = config_of(args)
    section = config.markers.model_copy(update={"table": table_for(config, model.header.classes)})
    config = config.model_copy(update={"markers": section})
    found, notes = {}, []
    with progress_bar("reading", quiet=args.json) as told:
        runs = list(_opened([Path(p) for p in args.recordings], config))
        if not args.with_training:
            check_unseen(model.header, runs)
        for i, one in enumerate(runs):
            told(f"decoding {one.name}", i / len(runs))
            found[one.name if one.name not in found else f"{one.name} ({i + 1})"] = answers(model, one, config)
    seen = [one.name for one in runs if one.sha256 in model.header.recordings]
    if seen:
        notes.append(f"the model was TRAINED on {', '.join(seen)}, so its accuracy there means nothing")
    notes += notes_of(runs)
    print(json.dumps(document(args.model, found, notes)) if args.json else told_of(found, notes))
    return 0


def _opened(places: Sequence[Path], config: SessionConfig) -> Iterable[LabelledRun]:
    """All recordings that are named, with their cues."""
    from bci.bids.entities import files_of
    from bci.evaluation.public import bids_sources
    from bci.training.labelled import open_labelled

    for place in places:
        if (place / "dataset_description.json").is_file():
            for source in bids_sources(place):
                yield from (opened.labelled for opened in source.open(config))
        else:
            yield from (open_labelled(path, config) for path in files_of([place]))


def document(model: str, found: dict[str, list[Answered]], notes: Sequence[str]) -> dict[str, Any]:
    """The result for programs.

    Parameters
    ----------
    model : str
        Name of the model file.
    found : dict of str to list of Answered
        Answers at the cues of each recording, by its name.
    notes : sequence of str
        What a person should know.
    """
    together = [one for each in found.values() for one in each]
    return {
        "model": model,
        "recordings": [{"recording": name, **counts(each)} for name, each in found.items()],
        "all": counts(together),
        "notes": list(notes),
    }


def counts(found: Sequence[Answered]) -> dict[str, Any]:
    """Counts of some cues for programs: of all, of each class, and why some were not decoded.

    Parameters
    ----------
    found : sequence of Answered
        Answers at some cues.
    """
    from bci.replay.right_at_cues import reasons_of, rights

    *classes, everything = rights(found)
    return {**_numbers(everything), "classes": {one.class_: _numbers(one) for one in classes}, "not_decoded": reasons_of(found)}


def _numbers(one: Right) -> dict[str, Any]:
    between = None if one.low is None else [one.low, one.high]
    return {"cues": one.cues, "decoded": one.decoded, "correct": one.correct, "accuracy": one.share, "interval": between}


def told_of(found: dict[str, list[Answered]], notes: Sequence[str]) -> str:
    """The table for people.

    Parameters
    ----------
    found : dict of str to list of Answered
        Answers at the cues of each recording, by its name.
    notes : sequence of str
        What a person should know.
    """
    from bci.replay.right_at_cues import reasons_of, rights

    together = [one for each in found.values() for one in each]
    parts = dict(found) if len(found) == 1 else found | {"all recordings": together}
    lines = []
    for name, each in parts.items():
        lines += [name, f"  {'class':<20}  {'cues':>5}  {'decoded':>7}  {'right':>5}  {'%':>4}  95 % interval"]
        lines += [_line(one) for one in rights(each)]
        lines += [f"  not decoded: {n} because {why}" for why, n in reasons_of(each).items()]
    return "\n".join([*lines, *(f"note: {note}" for note in notes)])


def _line(one: Right) -> str:
    """One row of the table."""
    share = "" if one.share is None else f"{100 * one.share:.0f}"
    between = "" if one.low is None or one.high is None else f"{100 * one.low:.0f}–{100 * one.high:.0f}"
    return f"  {one.class_ or 'all':<20}  {one.cues:>5}  {one.decoded:>7}  {one.correct:>5}  {share:>4}  {between}"
