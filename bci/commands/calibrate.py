"""``bci calibrate``: cues, recording and an honest verdict, until it is enough."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bci.session.calibration.board import Board, LslBoard
    from bci.session.calibration.history import History
    from bci.session.calibration.protocol import CalibrationProtocol
    from bci.session.calibration.shapes import Calibrated, CalibrationSettings
    from bci.session.judging.judge import Judgement
    from bci.session.processes import Stop
    from bci.settings import MarkersSection, SessionConfig

HELP = """Calibrate a decoder on a person: cues, recording, and after each block an honest verdict.

It says "works", how many more trials it needs, or that it is unlikely to work, with the evidence, and ends with a model,
a report and the verdict. Whatever stops it, --resume goes on at the trial where it was left."""

EXAMPLES = """bci calibrate --subject P003 --stream Cyton
bci calibrate --protocol hand_rest --instruction attempt --language de --device --set source.name=cyton
bci calibrate --protocol free --classes music,subtraction
bci calibrate --cues-from PsychoPy --set markers.table.L=left_hand --set markers.table.R=right_hand
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
    add("--cues-from", metavar="QUERY", help="another program presents: its marker stream; markers.table says what they mean")
    add("--simulate", action="store_true", help="a simulated subject, faster than real time")
    add("--skill", type=float, default=0.8, help="of the simulated subject, 0 (chance) to 1 (default 0.8)")
    add("--resume", metavar="DIR", help="go on with the newest calibration in this folder")
    add("--library", metavar="DIR", help="other people's calibrations: a second model starts from them (bci library)")
    add("--false-per-min", type=float, metavar="N", help="false activations per minute of rest that the decoder may give")
    add("--force", action="store_true", help="begin even if the signal is not good enough")
    add("--no-report", action="store_true", help="write no report: it takes some seconds (bci report makes one later)")
    add("--more", action="store_true", help="with --resume: a further block first, whatever the last verdict was")
    add("--windows", metavar="A,B", help="windows to open (default where there is a display: participant,wizard; '' for none)")
    add("--watched", action="store_true", help="a window is there already: it is told how far it is, and answers")
    add("--terminal", action="store_true", help="cues and questions in this terminal, even where there is a display")
    add("--no-bell", action="store_true", help="no tones by the terminal's bell")
    add("--headless", action="store_true", help="show no cues and ask nobody")
    add("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate, fit, report, and say the verdict."""

    from bci.config import config_of
    from bci.session.calibration.history import History, find_recordings, protocol_of, read_history
    from bci.session.processes import Stop

    if args.resume:
        history = read_history(find_recordings(Path(args.resume)))
        protocol, config = protocol_of(history.start), restored(history)
        args.seed, outside = history.start["seed"], history.start["outside"]
    else:
        history, given = History(), config_of(args)
        protocol = chosen_protocol(args)
        config = with_cues(given, protocol)
        outside = outside_words(args.cues_from, given.markers) if args.cues_from else None
    plan = Plan(args, protocol, config, history, outside)
    stop = Stop()
    try:
        with ExitStack() as stack:
            calibrate = _virtually if plan.virtual else _live
            return calibrate(plan, stop, stack)
    except KeyboardInterrupt:
        print(f"stopped; go on with bci calibrate --resume {config.record.out}", file=sys.stderr)
        raise


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Parameters
    ----------
    args : argparse.Namespace
    protocol : CalibrationProtocol
    config : SessionConfig
    history : History
        What was recorded before.
    outside : dict or None
        Query and table of somebody else's program that presents the trials.
    """

    args: argparse.Namespace
    protocol: CalibrationProtocol
    config: SessionConfig
    history: History
    outside: dict[str, Any] | None

    @property
    def virtual(self) -> bool:
        """Whether it is a simulated subject on a virtual clock."""
        return bool(self.args.simulate or self.history.start.get("simulated"))

    def told(self, text: str) -> None:
        """Tell a person something."""
        if not self.args.json:
            print(text, file=sys.stderr, flush=True)

    def settings(self) -> CalibrationSettings:
        """How it is run."""
        from bci.session.calibration.shapes import CalibrationSettings

        return CalibrationSettings(self.protocol, self.args.seed, self.args.force, self.args.more)

    def board(self) -> LslBoard:
        """What windows see of it."""
        from bci.session.calibration.board import LslBoard

        record, protocol = self.config.record, self.protocol
        names = {"protocol": protocol.name, "title": protocol.title, "classes": protocol.classes, "virtual": self.virtual}
        return LslBoard(self.config.engine.name, subject=record.subject, session=record.session, out=record.out, **names)


def window_names(args: argparse.Namespace, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Windows to open: those that were asked for; else the usual ones, where there is a display."""
    from bci.session.display import has_display

    if args.windows is not None:
        return tuple(name.strip() for name in args.windows.split(",") if name.strip())
    return () if args.headless or getattr(args, "terminal", False) or not has_display() else usual


def outside_words(query: str, markers: MarkersSection) -> dict[str, Any]:
    """Which program presents, and what its markers mean."""
    return {"query": query, "table": markers.table, "field": str(markers.field), "pattern": markers.pattern}


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


def _virtually(plan: Plan, stop: Stop, stack: ExitStack) -> int:
    """A simulated subject on a virtual clock."""
    from bci.session.calibration.board import AtBoard, NoBoard
    from bci.session.calibration.judge import JudgeHere, ToldJudge, judge_settings
    from bci.session.calibration.present import Presenter, Silent
    from bci.session.calibration.run import Calibration
    from bci.session.calibration.texts import Texts
    from bci.session.calibration.virtual import VirtualRoom, simulated_settings, subject_of
    from bci.stream.paths import recording_path

    args, record = plan.args, plan.config.record
    simulated = plan.history.start.get("simulated") or simulated_settings(plan.protocol, args.skill, args.seed)
    path = recording_path(record.out, record.subject, record.session, "calibration")
    judge = JudgeHere(judge_settings(plan.protocol))
    board = stack.enter_context(plan.board()) if args.watched else None
    presenter: Presenter = Silent(plan.told)
    asked = AtBoard(presenter, board) if board else presenter
    with VirtualRoom(subject_of(simulated), plan.protocol, path, plan.history, _either(stop, board)) as room:
        told = board or NoBoard()
        parts = (room, asked, Texts(args.language), ToldJudge(judge, told), plan.config, plan.settings(), plan.history)
        calibrated = Calibration(*parts, simulated, board=told).run()
    return _finish(args, calibrated, judge.judgement, told)


def _live(plan: Plan, stop: Stop, stack: ExitStack) -> int:
    """A person, over LSL."""
    from bci.commands.run import source_words
    from bci.session.calibration.board import AtBoard
    from bci.session.calibration.judge import JudgeBeside, ToldJudge, judge_settings
    from bci.session.calibration.live import LiveRoom, listen
    from bci.session.calibration.outside import check_table
    from bci.session.calibration.present import Presenter, Silent, Terminal, Waiting
    from bci.session.calibration.run import Calibration
    from bci.session.calibration.texts import Texts
    from bci.session.calibration.window import WindowPresenter
    from bci.session.display import open_windows
    from bci.session.engine_process import montage_of

    args, config, outside = plan.args, plan.config, plan.outside
    if outside:
        check_table(outside["table"], plan.protocol.classes)
    names = window_names(args, ("wizard",) if outside else ("participant", "wizard"))
    by_window = args.watched or names not in ((), ("participant",))
    presenter: Presenter = Terminal(not args.no_bell)
    if by_window and not sys.stdin.isatty():
        presenter = Waiting(plan.told)
    elif args.headless:
        presenter = Silent(plan.told)
    board = stack.enter_context(plan.board())
    stopped = _either(stop, board)
    also, frames = [outside["query"]] if outside else [], {}
    if others := tuple(name for name in names if name != "participant"):
        stack.enter_context(open_windows(others, config.engine.name, config.record.out, beside="participant" in names))
    with ExitStack() as inner:
        if "participant" in names:
            window = inner.enter_context(WindowPresenter(presenter, settings={"beside": True} if by_window else None))
            presenter, frames = window, window.frames
            also.append(window.query)
        ears = inner.enter_context(listen(outside, config.stream.timeout_s, montage_of(config))) if outside else None
        device = source_words(config) if args.device else ()
        room = inner.enter_context(LiveRoom(plan.protocol, config, device, stopped, also, frames))
        judge = inner.enter_context(JudgeBeside(judge_settings(plan.protocol)))
        asked, told = AtBoard(presenter, board), ToldJudge(judge, board)
        parts = (room, asked, Texts(args.language), told, config, plan.settings(), plan.history)
        calibrated = Calibration(*parts, outside=ears, board=board).run()
        judgement = judge.judgement
    return _finish(args, calibrated, judgement, board)


def _either(stop: Stop, board: LslBoard | None) -> Callable[[], str]:
    """Why to stop: a signal, or a window."""
    return stop if board is None else lambda: stop() or board.stopped


def _finish(args: argparse.Namespace, calibrated: Calibrated, judgement: Judgement, board: Board) -> int:
    """Model, report, and the verdict as the last line."""
    from bci.session.calibration.finish import finish
    from bci.session.progress import progress_bar

    verdict = calibrated.verdict
    library = Path(args.library) if args.library else None
    try:
        with progress_bar("fitting", quiet=args.json or not sys.stderr.isatty()) as told:
            done = finish(calibrated, judgement, told, not args.no_report, args.false_per_min, library)
    except BaseException:
        # What was found out in many minutes is said whatever becomes of model and report.
        print(f"verdict: {verdict.line() if verdict else 'not judged'}", file=sys.stderr)
        raise
    board.tell(phase="done", model=str(done.model), report=str(done.report or ""))
    if args.json:
        result: dict[str, Any] = {
            "verdict": verdict.word if verdict else "",
            "line": verdict.line() if verdict else "",
            "overruled": calibrated.overruled,
            "model": str(done.model),
            "report": str(done.report) if done.report else "",
            "thresholds": done.thresholds,
            "head_start": str(done.head_start.model) if done.head_start else "",
            "recordings": [str(path) for path in calibrated.recordings],
            "trials": calibrated.kept,
            "rejected": calibrated.rejected,
        }
        print(json.dumps(result))
        return 0
    print(f"recording  {', '.join(map(str, calibrated.recordings))}")
    print(f"trials     {', '.join(f'{n} {c}' for c, n in calibrated.kept.items())}; {calibrated.rejected} rejected")
    print(f"model      {done.model}")
    print(f"sensitive  {done.thresholds}")
    if done.head_start:
        h, own = done.head_start, judgement.verdict.accuracy
        better = "use it" if h.accuracy > own else "the own model is no worse"
        print(
            f"head start {h.model} (from {h.donors} sessions of others: {100 * h.accuracy:.0f} % of the held-out own trials, "
            f"the own model {100 * own:.0f} %: {better})"
        )
    if done.report:
        print(f"report     {done.report}")
    print(verdict.line() if verdict else "not judged")
    return 0
