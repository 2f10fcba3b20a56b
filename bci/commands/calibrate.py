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
    from bci.calibration.history import CalibrationHistory
    from bci.calibration.interfaces import Calibrated, CalibrationSettings
    from bci.calibration.progress_stream import LslProgressStream, ProgressStream
    from bci.judging.judgement import Judgement
    from bci.paradigm.protocol import CalibrationProtocol
    from bci.processes.stop import StopRequest
    from bci.settings import MarkersSection, SessionConfig

HELP = """Calibrate a decoder on a person: show cues, record the EEG, and judge the trials after each block.

The verdict is "works", "N more trials", or "unlikely". At the end the command writes a model and a report. If a calibration was
interrupted, --resume continues at the trial where it stopped."""

EXAMPLES = """bci calibrate --subject P003 --stream Cyton
bci calibrate --protocol hand_rest --instruction attempt --language de --device --set source.name=cyton
bci calibrate --protocol free --classes music,subtraction
bci calibrate --cues-from PsychoPy --set markers.table.L=left_hand --set markers.table.R=right_hand
bci calibrate --resume recordings/sub-P003
bci calibrate --simulate --skill 0.8 --seed 3 --headless --out /tmp/calibration"""

DEFAULT = "short"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    add = parser.add_argument
    add("--protocol", metavar="NAME", help=f"bci2a, graz, short, hand_rest, free, baselines, or a TOML file (default {DEFAULT})")
    add("--classes", metavar="A,B", help="labels of the classes (default: those of the protocol)")
    add("--per-class", type=int, metavar="N", help="trials of each class in a block")
    add("--most-blocks", type=int, metavar="N", help="end after this number of blocks, whatever the verdict is")
    add("--practice", type=int, metavar="N", help="practice trials of each class at the beginning, which do not count")
    add(
        "--instruction", choices=("imagine", "attempt"), help="instruction for the participant: imagine a movement, or attempt it"
    )
    add("--language", default="en", metavar="L", help="language of the instructions: en, de, or a TOML file (default en)")
    add("--seed", type=int, default=1, help="seed of the order of trials and of the simulated subject (default 1)")
    add("--device", action="store_true", help="first start the source that the section [source] names")
    add(
        "--cues-from",
        metavar="QUERY",
        help="marker stream of another program that shows the cues; markers.table says what they mean",
    )
    add("--simulate", action="store_true", help="use a simulated subject, faster than real time")
    add("--skill", type=float, default=0.8, help="skill of the simulated subject, from 0 (chance) to 1 (default 0.8)")
    add("--resume", metavar="DIR", help="continue the newest calibration in this folder")
    add("--library", metavar="DIR", help="folder of other people's calibrations, from which a second model starts (bci library)")
    add("--false-per-min", type=float, metavar="N", help="largest allowed number of false activations per minute of idle signal")
    add("--force", action="store_true", help="begin even if the signal is not good enough")
    add("--no-report", action="store_true", help="write no report, which saves some seconds (bci report can write it later)")
    add("--more", action="store_true", help="with --resume: begin with a further block, whatever the last verdict was")
    add("--windows", metavar="A,B", help="windows to open (default, if there is a display: participant,wizard; '' for none)")
    add("--watched", action="store_true", help="a window is already open; it shows the progress and answers questions")
    add("--terminal", action="store_true", help="show cues and questions in this terminal, even if there is a display")
    add("--no-bell", action="store_true", help="do not sound the bell of the terminal")
    add("--headless", action="store_true", help="show no cues and ask no questions")
    add("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate, fit, report, and say the verdict.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.calibration.history import CalibrationHistory, find_recordings, protocol_of, read_history
    from bci.config import config_of
    from bci.processes.stop import StopRequest
    from bci.training.rehearsal import rehearse

    if args.resume:
        history = read_history(find_recordings(Path(args.resume)))
        protocol, config = protocol_of(history.start), restored(history)
        args.seed, external = history.start["seed"], history.start["outside"]
    else:
        history, given = CalibrationHistory(), config_of(args)
        protocol = chosen_protocol(args)
        config = with_cues(given, protocol)
        external = external_settings(args.cues_from, given.markers) if args.cues_from else None
    plan = CalibrationPlan(args, protocol, config, history, external)
    rehearse(config, protocol.classes)
    stop = StopRequest()
    try:
        with ExitStack() as stack:
            calibrate = _virtually if plan.virtual else _live
            return calibrate(plan, stop, stack)
    except KeyboardInterrupt:
        print(f"stopped; to continue, run bci calibrate --resume {config.record.out}", file=sys.stderr)
        raise


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """What is asked for.

    Parameters
    ----------
    args : argparse.Namespace
    protocol : CalibrationProtocol
    config : SessionConfig
    history : CalibrationHistory
        What was recorded before.
    external : dict or None
        Query and table of somebody else's program that presents the trials.
    """

    args: argparse.Namespace
    protocol: CalibrationProtocol
    config: SessionConfig
    history: CalibrationHistory
    external: dict[str, Any] | None

    @property
    def virtual(self) -> bool:
        """Whether it is a simulated subject on a virtual clock."""
        return bool(self.args.simulate or self.history.start.get("simulated"))

    def told(self, text: str) -> None:
        """Tell a person something.

        Parameters
        ----------
        text : str
            A sentence.
        """
        if not self.args.json:
            print(text, file=sys.stderr, flush=True)

    def settings(self) -> CalibrationSettings:
        """How it is run."""
        from bci.calibration.interfaces import CalibrationSettings

        return CalibrationSettings(self.protocol, self.args.seed, self.args.force, self.args.more)

    def progress(self) -> LslProgressStream:
        """What windows see of it."""
        from bci.calibration.progress_stream import LslProgressStream

        record, protocol = self.config.record, self.protocol
        names = {"protocol": protocol.name, "title": protocol.title, "classes": protocol.classes, "virtual": self.virtual}
        return LslProgressStream(self.config.engine.name, subject=record.subject, session=record.session, out=record.out, **names)


def window_names(args: argparse.Namespace, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Windows to open: those that were asked for; else the usual ones, where there is a display.

    Parameters
    ----------
    args : argparse.Namespace
    usual : tuple of str
        Names under ``bci.windows``.
    """
    from bci.processes.display import has_display

    if args.windows is not None:
        return tuple(name.strip() for name in args.windows.split(",") if name.strip())
    return () if args.headless or getattr(args, "terminal", False) or not has_display() else usual


def external_settings(query: str, markers: MarkersSection) -> dict[str, Any]:
    """Which program presents, and what its markers mean.

    Parameters
    ----------
    query : str
        For the program's stream of markers.
    markers : MarkersSection
        What its markers mean.
    """
    return {"query": query, "table": markers.table, "field": str(markers.field), "pattern": markers.pattern}


def chosen_protocol(args: argparse.Namespace) -> CalibrationProtocol:
    """The protocol that the options ask for.

    Parameters
    ----------
    args : argparse.Namespace
    """
    from bci.paradigm.protocol import load_protocol

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

    Parameters
    ----------
    config : SessionConfig
    protocol : CalibrationProtocol

    Raises
    ------
    ConfigError
        If a trial is over before its window.
    """
    from bci.errors import ConfigError
    from bci.paradigm.timeline import CUE_STREAM
    from bci.settings import MarkersSection

    longest_s = protocol.paradigm.stop_s - protocol.paradigm.cue_s
    if config.trial.stop_s > longest_s:
        raise ConfigError(
            f"trial.stop_s = {config.trial.stop_s:g}: a trial of protocol {protocol.name} ends {longest_s:g} s after the cue; "
            "set an earlier end, or choose a protocol with longer trials"
        )
    return config.model_copy(update={"markers": MarkersSection(stream=CUE_STREAM, table=protocol.table)})


def restored(history: CalibrationHistory) -> SessionConfig:
    """The configuration that a calibration began with.

    Parameters
    ----------
    history : CalibrationHistory
        Of the calibration that is resumed.
    """
    from bci.settings import SessionConfig

    return SessionConfig.model_validate_json(history.start["config"])


def _virtually(plan: CalibrationPlan, stop: StopRequest, stack: ExitStack) -> int:
    """A simulated subject on a virtual clock."""
    from bci.calibration.judge import InProcessJudge, PublishingJudge, judge_settings
    from bci.calibration.progress_stream import AnsweredPresenter, NoProgressStream
    from bci.calibration.run import Calibration
    from bci.calibration.virtual import VirtualEnvironment, simulated_settings, subject_of
    from bci.paradigm.present import Presenter, Silent
    from bci.paradigm.texts import Texts
    from bci.stream.paths import recording_path

    args, record = plan.args, plan.config.record
    simulated = plan.history.start.get("simulated") or simulated_settings(plan.protocol, args.skill, args.seed)
    path = recording_path(record.out, record.subject, record.session, "calibration")
    judge = InProcessJudge(judge_settings(plan.protocol))
    progress = stack.enter_context(plan.progress()) if args.watched else None
    presenter: Presenter = Silent(plan.told)
    asked = AnsweredPresenter(presenter, progress) if progress else presenter
    with VirtualEnvironment(subject_of(simulated), plan.protocol, path, plan.history, _either(stop, progress)) as environment:
        told = progress or NoProgressStream()
        parts = (
            environment,
            asked,
            Texts(args.language),
            PublishingJudge(judge, told),
            plan.config,
            plan.settings(),
            plan.history,
        )
        calibrated = Calibration(*parts, simulated, progress=told).run()
    return _finish(args, calibrated, judge.judgement, told)


def _live(plan: CalibrationPlan, stop: StopRequest, stack: ExitStack) -> int:
    """A person, over LSL."""
    from bci.calibration.external_cues import check_table
    from bci.calibration.judge import BackgroundJudge, PublishingJudge, judge_settings
    from bci.calibration.live import LiveEnvironment, listen
    from bci.calibration.progress_stream import AnsweredPresenter
    from bci.calibration.run import Calibration
    from bci.calibration.window import WindowPresenter
    from bci.paradigm.present import Presenter, Silent, Terminal, Waiting
    from bci.paradigm.texts import Texts
    from bci.processes.display import open_windows
    from bci.session.asked_for import montage_of
    from bci.session.plan import source_words

    args, config, external = plan.args, plan.config, plan.external
    if external:
        check_table(external["table"], plan.protocol.classes)
    names = window_names(args, ("wizard",) if external else ("participant", "wizard"))
    by_window = args.watched or names not in ((), ("participant",))
    presenter: Presenter = Terminal(not args.no_bell)
    if by_window and not sys.stdin.isatty():
        presenter = Waiting(plan.told)
    elif args.headless:
        presenter = Silent(plan.told)
    progress = stack.enter_context(plan.progress())
    stopped = _either(stop, progress)
    also, frames = [external["query"]] if external else [], {}
    if others := tuple(name for name in names if name != "participant"):
        stack.enter_context(open_windows(others, config.engine.name, config.record.out, beside="participant" in names))
    with ExitStack() as inner:
        if "participant" in names:
            window = inner.enter_context(WindowPresenter(presenter, settings={"beside": True} if by_window else None))
            presenter, frames = window, window.frames
            also.append(window.query)
        cues = inner.enter_context(listen(external, config.stream.timeout_s, montage_of(config))) if external else None
        device = source_words(config) if args.device else ()
        environment = inner.enter_context(LiveEnvironment(plan.protocol, config, device, stopped, also, frames, plan.told))
        judge = inner.enter_context(BackgroundJudge(judge_settings(plan.protocol)))
        asked, told = AnsweredPresenter(presenter, progress), PublishingJudge(judge, progress)
        parts = (environment, asked, Texts(args.language), told, config, plan.settings(), plan.history)
        calibrated = Calibration(*parts, external_cues=cues, progress=progress).run()
        judgement = judge.judgement
    return _finish(args, calibrated, judgement, progress)


def _either(stop: StopRequest, progress: LslProgressStream | None) -> Callable[[], str]:
    """Why to stop: a signal, or a window."""
    return stop if progress is None else lambda: stop() or progress.stopped


def _finish(args: argparse.Namespace, calibrated: Calibrated, judgement: Judgement, progress: ProgressStream) -> int:
    """Model, report, and the verdict as the last line."""
    from bci.calibration.finish import finish
    from bci.progress import progress_bar

    verdict = calibrated.verdict
    library = Path(args.library) if args.library else None
    try:
        with progress_bar("fitting", quiet=args.json or not sys.stderr.isatty()) as told:
            done = finish(calibrated, judgement, told, not args.no_report, args.false_per_min, library)
    except BaseException:
        # What was found out in many minutes is said whatever becomes of model and report.
        print(f"verdict: {verdict.line() if verdict else 'not judged'}", file=sys.stderr)
        raise
    progress.tell(phase="done", model=str(done.model), report=str(done.report or ""))
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
        better = "use this model" if h.accuracy > own else "the person's own model is at least as good"
        print(
            f"head start {h.model} (from {h.donors} sessions of others: {100 * h.accuracy:.0f} % of the held-out trials are "
            f"correct, with the person's own model {100 * own:.0f} %: {better})"
        )
    if done.report:
        print(f"report     {done.report}")
    print(verdict.line() if verdict else "not judged")
    return 0
