"""``bci calibrate``: cues, recording and an honest verdict, until it is enough."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bci.session.calibration.history import History
    from bci.session.calibration.protocol import CalibrationProtocol
    from bci.session.calibration.run import Calibrated
    from bci.session.judging.judge import Judgement
    from bci.session.processes import Stop
    from bci.settings import SessionConfig

HELP = """Calibrate a decoder on a person: cues, recording, and after each block an honest verdict.

It says "works", how many more trials it needs, or that it is unlikely to work, with the evidence, and ends with a model,
a report and the verdict. Whatever stops it, --resume goes on at the trial where it was left."""

EXAMPLES = """bci calibrate --subject P003 --stream Cyton
bci calibrate --protocol hand_rest --instruction attempt --language de --device --set source.name=cyton
bci calibrate --protocol free --classes music,subtraction
bci calibrate --resume recordings/sub-P003
bci calibrate --simulate --skill 0.8 --seed 3 --headless --out /tmp/calibration"""

DEFAULT = "short"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options

    add = parser.add_argument
    add("--protocol", metavar="NAME", help=f"bci2a, graz, short, hand_rest, free, baselines, or a TOML file (default {DEFAULT})")
    add("--classes", metavar="A,B", help="classes, any labels (default: those of the protocol)")
    add("--per-class", type=int, metavar="N", help="trials of each class in a block")
    add("--most-blocks", type=int, metavar="N", help="end after so many blocks, whatever the verdict")
    add("--practice", type=int, metavar="N", help="trials of each class that are not counted, at the beginning")
    add("--instruction", choices=("imagine", "attempt"), help="what the participant is asked to do")
    add("--language", default="en", metavar="L", help="of the instructions: en, de, or a TOML file (default en)")
    add("--seed", type=int, default=1, help="of the order of trials, and of the simulated subject (default 1)")
    add("--device", action="store_true", help="start the source of the section [source] first")
    add("--simulate", action="store_true", help="a simulated subject, faster than real time")
    add("--skill", type=float, default=0.8, help="of the simulated subject, 0 (chance) to 1 (default 0.8)")
    add("--resume", metavar="DIR", help="go on with the newest calibration in this folder")
    add("--force", action="store_true", help="begin even if the signal is not good enough")
    add("--no-bell", action="store_true", help="no tones by the terminal's bell")
    add("--headless", action="store_true", help="show no cues and ask nobody")
    add("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate, fit, report, and say the verdict."""
    from pathlib import Path

    from bci.config import config_of
    from bci.session.calibration.history import History, find_recordings, protocol_of, read_history
    from bci.session.processes import Stop

    if args.resume:
        history = read_history(find_recordings(Path(args.resume)))
        protocol = protocol_of(history.start)
        config = restored(history)
        args.seed = history.start["seed"]
    else:
        history = History()
        protocol = chosen_protocol(args)
        config = with_cues(config_of(args), protocol)
    stop = Stop()
    try:
        calibrated, judgement = _calibrate(args, protocol, config, history, stop)
    except KeyboardInterrupt:
        print(f"stopped; go on with bci calibrate --resume {config.record.out}", file=sys.stderr)
        raise
    return _finish(args, calibrated, judgement)


def chosen_protocol(args: argparse.Namespace) -> CalibrationProtocol:
    """The protocol that the options ask for."""
    from bci.session.calibration.protocol import load_protocol

    return load_protocol(
        args.protocol or DEFAULT,
        classes=tuple(c.strip() for c in args.classes.split(",")) if args.classes else None,
        per_class=args.per_class,
        most_blocks=args.most_blocks,
        practice=args.practice,
        instruction=args.instruction,
    )


def with_cues(config: SessionConfig, protocol: CalibrationProtocol) -> SessionConfig:
    """The configuration with the protocol's cues in its marker table.

    Raises
    ------
    ConfigError
        If a trial is over before its window.
    """
    from bci.errors import ConfigError
    from bci.session.calibration.room import CUES
    from bci.settings import MarkersSection

    longest_s = protocol.paradigm.stop_s - protocol.paradigm.cue_s
    if config.trial.stop_s > longest_s:
        raise ConfigError(
            f"trial.stop_s = {config.trial.stop_s:g}: protocol {protocol.name} ends {longest_s:g} s after the cue; "
            "give an earlier end, or a protocol with longer trials"
        )
    return config.model_copy(update={"markers": MarkersSection(stream=CUES, table=protocol.table)})


def restored(history: History) -> SessionConfig:
    """The configuration that a calibration began with."""
    from bci.settings import SessionConfig

    return SessionConfig.model_validate_json(history.start["config"])


def _calibrate(
    args: argparse.Namespace, protocol: CalibrationProtocol, config: SessionConfig, history: History, stop: Stop
) -> tuple[Calibrated, Judgement]:
    """In a room of the kind that is asked for."""
    from bci.session.calibration.judge import JudgeBeside, JudgeHere, judge_settings
    from bci.session.calibration.present import Presenter, Silent, Terminal
    from bci.session.calibration.run import Calibration, CalibrationSettings
    from bci.session.calibration.texts import Texts

    def told(text: str) -> None:
        if not args.json:
            print(text, file=sys.stderr, flush=True)

    presenter: Presenter = Silent(told) if args.headless or args.simulate else Terminal(not args.no_bell)
    settings = CalibrationSettings(protocol, args.seed, args.force)
    texts = Texts(args.language)
    simulated = history.start.get("simulated")
    if args.simulate or simulated:
        from bci.session.calibration.virtual import VirtualRoom, simulated_settings, subject_of
        from bci.stream.paths import recording_path

        simulated = simulated or simulated_settings(protocol, args.skill, args.seed)
        path = recording_path(config.record.out, config.record.subject, config.record.session, "calibration")
        here = JudgeHere(judge_settings(protocol))
        with VirtualRoom(subject_of(simulated), protocol, path, history, stop) as virtual:
            calibration = Calibration(virtual, presenter, texts, here, config, settings, history, simulated)
            return calibration.run(), here.judgement
    from bci.commands.run import source_words
    from bci.session.calibration.live import LiveRoom

    device = source_words(config) if args.device else ()
    with LiveRoom(protocol, config, device, stop) as room, JudgeBeside(judge_settings(protocol)) as judge:
        calibration = Calibration(room, presenter, texts, judge, config, settings, history)
        return calibration.run(), judge.judgement


def _finish(args: argparse.Namespace, calibrated: Calibrated, judgement: Judgement) -> int:
    """Model, report, and the verdict as the last line."""
    from bci.session.calibration.finish import finish

    done = finish(calibrated, judgement)
    verdict = calibrated.verdict
    if args.json:
        result: dict[str, Any] = {
            "verdict": verdict.word if verdict else "",
            "line": verdict.line() if verdict else "",
            "overruled": calibrated.overruled,
            "model": str(done.model),
            "report": str(done.report) if done.report else "",
            "recordings": [str(path) for path in calibrated.recordings],
            "trials": calibrated.kept,
            "rejected": calibrated.rejected,
        }
        print(json.dumps(result))
        return 0
    print(f"recording  {', '.join(map(str, calibrated.recordings))}")
    print(f"trials     {', '.join(f'{n} {c}' for c, n in calibrated.kept.items())}; {calibrated.rejected} rejected")
    print(f"model      {done.model}")
    if done.report:
        print(f"report     {done.report}")
    print(verdict.line() if verdict else "not judged")
    return 0
