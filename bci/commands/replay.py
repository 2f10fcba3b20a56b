"""``bci replay``: a recording again, into LSL or in process, and whether the same comes out."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bci.model.file import Model
    from bci.replay.recorded_session import RecordedSession
    from bci.replay.replay import Verification
    from bci.settings import SessionConfig
    from bci.stream.recording import RecordedStreams
    from bci.training.labelled import LabelledRun

HELP = """Play a recording into LSL, or run its samples through the engine again.

Without further options, the command plays all streams of the file into LSL, with the original time differences between them.
--verify computes every outcome of a recorded live session again and compares it bit for bit. --model decodes the recording with
another model, counts how many cues this model decodes correctly, and lists the decisions that differ."""

EXAMPLES = """bci replay session.xdf
bci replay recording.edf --speed 4
bci replay --verify session.xdf
bci replay --verify --lsl session.xdf
bci replay session.xdf --model other.safetensors --json"""

SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    parser.add_argument(
        "recording", metavar="FILE", help="any recording that bci info reads: XDF, EDF, BDF, GDF, .vhdr, .fif, .set, .cnt, .ov"
    )
    parser.add_argument(
        "--verify", action="store_true", help="compute all outcomes of a recorded live session again, and compare"
    )
    parser.add_argument("--lsl", action="store_true", help="with --verify: send the samples through LSL, in real time")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE",
        help="decode with this model, as fast as possible; with --verify: a model of the session that does not lie "
        "beside the recording (repeatable)",
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="speed as a multiple of real time, when playing into LSL (default 1)"
    )
    parser.add_argument("--loop", action="store_true", help="start again at the end, when playing into LSL")
    parser.add_argument("--parent-pipe", action="store_true", help="end when standard input closes; ignore Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Play, verify or decode.

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
    from bci.errors import ConfigError

    config = config_of(args)
    path = Path(args.recording)
    if args.verify:
        return _verify(path, args)
    if len(args.model) > 1:
        raise ConfigError(
            f"--model was given {len(args.model)} times, but a recording can be decoded with only one model at a time"
        )
    if args.model:
        return _decode(path, Path(args.model[0]), config, args.json)
    return _play(path, config, args)


def _verify(path: Path, args: argparse.Namespace) -> int:
    """Recompute and compare."""
    from bci.errors import VerificationError
    from bci.replay.recorded_session import read_session
    from bci.replay.replay import verify

    session = read_session(path)
    models = _models(path, args.model)
    if args.lsl:
        from bci.replay.replay_lsl import through_lsl

        with through_lsl(session.info, args.speed) as feed:
            result = verify(session, models, feed)
    else:
        result = verify(session, models)
    summary = {
        "outcomes": result.outcomes,
        "identical": result.identical,
        "different": result.different,
        "engine_only": result.engine_only,
        "not_recorded": result.not_recorded,
        "missing": result.missing,
        "covered": result.covered,
        "same_fingerprint": result.same_fingerprint,
        "ok": result.ok,
    }
    print(json.dumps(summary) if args.json else _told(result))
    return 0 if result.ok else VerificationError.exit_code


def _models(path: Path, given: Sequence[str]) -> Callable[[str], Model]:
    """Where the model of a hash comes from: of those that were named, or from beside the recording."""
    from pathlib import Path

    from bci.errors import ModelError
    from bci.model.beside import find_model

    named = [Path(text) for text in given]
    absent = [str(one) for one in named if not one.exists()]
    if absent:
        raise ModelError(f"{', '.join(absent)}: this file does not exist")
    return lambda sha256: find_model(path, sha256, named)


def _told(result: Verification) -> str:
    """The comparison for people."""
    lines = [f"identical     {result.identical} of {result.outcomes} outcomes, {result.how}"]
    lines += [f"different     {text}" for text in result.different[:SHOWN]]
    if len(result.different) > SHOWN:
        lines.append(f"different     … and {len(result.different) - SHOWN} more")
    lines += [f"engine only   {text}" for text in result.engine_only]
    lines += [f"not recorded  {text}" for text in result.not_recorded]
    lines += [f"missing       {text}" for text in result.missing]
    return "\n".join([*lines, f"covered       {result.covered}", "verified" if result.ok else "NOT verified"])


def _decode(path: Path, model_path: Path, config: SessionConfig, as_json: bool) -> int:
    """What this model would have decided, beside what was decided if the file holds a live session."""
    from bci.commands.score import counts
    from bci.model.file import load_model
    from bci.model.header import check_stream
    from bci.replay.recorded_session import read_session
    from bci.replay.replay import decode, differences
    from bci.replay.right_at_cues import answers
    from bci.stream.recording import require_samples
    from bci.training.labelled import open_with
    from bci.training.marked import bad_marks_in

    model = load_model(model_path)
    recording = open_with(path, config)
    signal = require_samples(recording.eeg(config.stream.query()), recording)
    run = _labelled(path, recording, config, model)
    if isinstance(run, str):
        info, raw, marked = signal.info, signal.chunk(), bad_marks_in(signal)
    else:
        info, raw, marked = run.info, run.raw, run.marked
    check_stream(model.header, info)
    rows = decode(info, raw.data, raw.stamps, model, config.engine_settings(model.header.decision), marked)
    summary: dict[str, Any] = {"model": str(model_path), "outcomes": len(rows), "decided": int(sum(r[6] >= 0 for r in rows))}
    session: RecordedSession | None = read_session(path) if _is_session(path) else None
    if session is not None:
        classes = _models(path, ())(session.model).header.classes
        changed = differences(session.rows, classes, rows, model.header.classes)
        summary |= {"recorded": len(session.rows), "different": changed}
    if isinstance(run, str):
        summary["no_cues"] = run
    else:
        summary["cues"] = counts(answers(model, run, config))
        summary["trained_on"] = run.sha256 in model.header.recordings
    summary["notes"] = list(recording.notes if isinstance(run, str) else run.notes)
    print(json.dumps(summary) if as_json else _decoded(summary))
    return 0


def _labelled(path: Path, recording: RecordedStreams, config: SessionConfig, model: Model) -> LabelledRun | str:
    """The recording with its cues, by the configured table or by names and codes of the model's classes; or why it has none."""
    from bci.errors import TrainingError
    from bci.replay.right_at_cues import table_for
    from bci.training.labelled import open_labelled

    section = config.markers.model_copy(update={"table": table_for(config, model.header.classes)})
    try:
        return open_labelled(path, config.model_copy(update={"markers": section}), recording)
    except TrainingError as error:
        return str(error)


def _is_session(path: Path) -> bool:
    """Whether a file holds outcomes of an engine."""
    from bci.stream.xdf.reader import read_xdf

    return path.name.lower().endswith((".xdf", ".xdf.gz", ".xdfz")) and any(
        s.header.type == "BCI-Outcome" for s in read_xdf(path).streams
    )


def _decoded(summary: dict[str, Any]) -> str:
    """The other model's decisions for people."""
    lines = [f"{summary['model']}: {summary['outcomes']} windows, {summary['decided']} with a decision"]
    if "different" in summary:
        lines.append(f"{len(summary['different'])} of {summary['recorded']} recorded outcomes differ")
        lines += [f"  {text}" for text in summary["different"][:SHOWN]]
    return "\n".join([*lines, *_told_cues(summary), *(f"note: {note}" for note in summary["notes"])])


def _told_cues(summary: dict[str, Any]) -> list[str]:
    """How many cues were right, for people."""
    if "cues" not in summary:
        return [f"the accuracy cannot be computed: {summary['no_cues']}"]
    found = summary["cues"]
    lines = ["the model was TRAINED on this recording, so its accuracy here means nothing"] if summary["trained_on"] else []
    for name, one in [("all", found), *found["classes"].items()]:
        between = (
            "" if one["interval"] is None else " (95 % interval {:.0f}–{:.0f} %)".format(*(100 * x for x in one["interval"]))
        )
        lines.append(f"{name}: {one['correct']} of {one['decoded']} decoded cues correct{between}, {one['cues']} cues in all")
    return [*lines, *(f"not decoded: {n} because {why}" for why, n in found["not_decoded"].items())]


def _play(path: Path, config: SessionConfig, args: argparse.Namespace) -> int:
    """Put all streams of a file on LSL."""
    from bci.processes.child import say_ready
    from bci.processes.stop import StopRequest
    from bci.stream.played_outlets import left_out
    from bci.stream.player import PlayerSettings, play
    from bci.training.labelled import open_with

    stop = StopRequest(args.parent_pipe)
    recording = open_with(path, config).corrected()

    without = left_out(recording)

    def ready() -> None:
        if args.json:
            say_ready(path=str(path), left_out=list(without.values()))
            return
        for text in without.values():
            print(f"not played: {text}; it would steer a running session")
        playing = len(recording.signals) + len(recording.markers) - len(without)
        print(f"{path}: playing {playing} of {playing + len(without)} streams; press Ctrl-C to end", flush=True)

    while not stop():
        play(recording, PlayerSettings(speed=args.speed), lambda: bool(stop()), ready=ready)
        if not args.loop:
            break
    return 0
