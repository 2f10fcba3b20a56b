"""``bci run``: a live session in one command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bci.errors import BciError, ConfigError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from bci.model.header import ModelHeader
    from bci.paradigm.protocol import CalibrationProtocol
    from bci.processes.session_view import LiveView
    from bci.processes.spare import Spare
    from bci.processes.stop import StopRequest
    from bci.processes.terminal_input import TerminalCommand
    from bci.session.run import LiveSession

HELP = """Decode a live stream. The command starts the recorder and the engine, and shows the session until Ctrl-C ends it.

It works with any EEG stream that is already on LSL; --simulate first starts a simulated subject. If there is a display, the
operator's window opens (not with --headless); closing or killing it does not affect the session. All streams of the session are
recorded, with the model beside the recording, so that `bci replay --verify` can run the session again.

--actuator starts an actuator host with its guard (docs/explanations/safety.md). The actuator is disarmed until a person types
"arm" and Enter. Enter alone is the emergency stop. "mark CHANNEL" marks a channel as bad, and "good CHANNEL" as good again. A
process that dies is started again, which never arms anything. This is not a medical device. A device that can hurt somebody
needs an emergency stop of its own."""

EXAMPLES = """bci run --model left-right.safetensors
bci run --model left-right.safetensors --stream type=EEG --subject P003 --set markers.stream=cues
bci run --model demo.safetensors --simulate --cues short
bci run --model demo.safetensors --simulate --seconds 30 --headless
bci run --model left-right.safetensors --actuator udp --set actuator.settings.port=9000 --set actuator.commands.left=open"""


LONGEST_ID = 32


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options, add_without

    parser.add_argument("--model", required=True, metavar="FILE", help="model file (bci train writes one)")
    parser.add_argument("--simulate", action="store_true", help="first start a simulated subject with the channels of the model")
    parser.add_argument("--device", action="store_true", help="first start the source that the section [source] names")
    parser.add_argument(
        "--actuator",
        metavar="NAME",
        help="name of an actuator plug-in that decisions move; the section [actuator] has its settings",
    )
    parser.add_argument("--arm", action="store_true",
        help="arm the actuator once without a person, as soon as the signal is good: for tests, at your own risk")  # fmt: skip
    parser.add_argument("--skill", type=float, default=0.8, help="skill of the simulated subject, from 0 to 1 (default 0.8)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated subject (default 1)")
    parser.add_argument("--seconds", type=float, help="end after this long")
    add_without(parser)
    parser.add_argument(
        "--cues",
        metavar="NAME",
        help="show trials of this protocol with feedback, one after another (bci calibrate --help lists the protocols)",
    )
    parser.add_argument("--windows", metavar="A,B",
        help="windows to open (default, if there is a display: operator, with --cues also participant; '' for none)")  # fmt: skip
    parser.add_argument("--headless", action="store_true", help="open no window")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--session-id", type=_identifier, metavar="ID",
        help="identifier that is written into all streams of the session (default: a new random one)")  # fmt: skip
    add_config_options(parser)


def _identifier(text: str) -> str:
    """What a key file and streams can be named after."""
    if not (text.isascii() and text.isalnum() and len(text) <= LONGEST_ID):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to {LONGEST_ID} letters and digits; without this option, an identifier is made"
        )
    return text


def run(args: argparse.Namespace) -> int:
    """Run until told to stop.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.processes.spare import Spare

    with Spare("engine") as spare:  # it loads what it needs while this process does
        return _run(args, spare)


def _run(args: argparse.Namespace, spare: Spare) -> int:
    from contextlib import ExitStack
    from pathlib import Path

    from bci.config import config_of, without_of
    from bci.model.file import read_model
    from bci.processes import terminal_input
    from bci.processes.session_view import LiveView
    from bci.processes.stop import StopRequest
    from bci.session.at_start import check_model
    from bci.session.cueing import Cueing
    from bci.session.plan import SessionPlan, actuator_words, simulated_words, source_words
    from bci.session.run import LiveSession
    from bci.stream.clock import LslClock

    if args.actuator:
        args.set.append(f"actuator.name={args.actuator}")
    path = check_model(Path(args.model))
    header, _, _ = read_model(path)
    protocol = _cued(args, header) if args.cues else None
    config = config_of(args)
    if args.arm and not config.actuator.name:
        raise ConfigError("--arm: there is no actuator to arm; name one with --actuator NAME")
    device: tuple[str, ...] = ()
    source = config.stream.query().words()
    if args.simulate:
        device = simulated_words(header, args.skill, args.seed, config.markers.stream)
        source = args.stream or "name=simulated"
    elif args.device:
        device = source_words(config)
    stop = StopRequest()
    arm_once = "the option --arm" if args.arm else ""
    without = without_of(args, config)
    host = actuator_words(config)
    plan = SessionPlan(path, config, option_words(args), source, device, host, arm_once, begin_again=True, without=without)
    session = LiveSession(plan, stop, _say, args.session_id or "", spare)
    raised = ""
    try:
        with ExitStack() as stack:
            stack.enter_context(stop.at_once(session.neutral_first, session.rest))
            cueing = stack.enter_context(Cueing(protocol, LslClock(), args.seed)) if protocol else None
            _open_windows(args, session, stack)
            stack.enter_context(session)
            for text in session.warnings:
                _say(f"warning: {text}")
            if terminal_input.at_terminal():
                _say(terminal_input.HELP)
                terminal_input.listen(lambda line: obey(terminal_input.terminal_command(line), session))
            view = LiveView(header, session.stream_query, session.uids)
            stack.callback(view.close)
            stop.after(args.seconds)
            if cueing:
                cueing.begin()
            _watch(session, view, stop, quiet=args.json)
    except BciError as error:
        raised = str(error)
        raise
    finally:
        for text in session.failures:
            if text not in raised:  # what ended the session is printed by whoever called this
                _say(f"error: {text}")
    return _sum_up(session, view, stop(), args.json)


def _sum_up(session: LiveSession, view: LiveView, ended: str, as_json: bool) -> int:
    """Print what was recorded and what was lost; return the exit code."""
    from bci.errors import RecordingError

    there = [str(path) for path in session.recordings if path.is_file()]
    if as_json:
        newest = there[-1] if there else ""
        counts = {"windows": view.windows, "decided": view.decided, "ended": ended, "failures": session.failures}
        print(json.dumps({"recording": newest, "recordings": there, **counts}))
    else:
        recorded = f"recorded {', '.join(there)}" if there else "NOTHING WAS RECORDED"
        print(f"{recorded}; {view.windows} windows, {view.decided} decisions")
    return RecordingError.exit_code if session.failures else 0


def _say(text: str) -> None:
    """To the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


def _cued(args: argparse.Namespace, header: ModelHeader) -> CalibrationProtocol:
    """The protocol whose cues are shown, for the model's classes; its markers are the session's."""
    from bci.paradigm.protocol import load_protocol
    from bci.paradigm.timeline import CUE_STREAM
    from bci.session.cueing import with_feedback

    protocol = with_feedback(load_protocol(args.cues, classes=header.classes))
    args.set = [f"markers.stream={CUE_STREAM}", *(f"markers.table.{code}={c}" for code, c in protocol.table.items()), *args.set]
    return protocol


def _open_windows(args: argparse.Namespace, session: LiveSession, stack: ExitStack) -> None:
    """Windows beside the session. Closing or killing them changes nothing for it."""
    from bci.processes.display import has_display, open_windows

    if args.windows is not None:
        names = [name.strip() for name in args.windows.split(",") if name.strip()]
    elif args.headless or args.json or not has_display():
        return
    else:
        names = ["operator", *(["participant"] if args.cues else [])]
    both, config = "participant" in names, session.plan.config
    id_, key = session.session_id, session.key
    for some in ([n for n in names if n == "participant"], [n for n in names if n != "participant"]):
        if some:
            stack.enter_context(open_windows(some, config.engine.name, config.record.out, beside=both, session=id_, key=key))


def _watch(session: LiveSession, view: LiveView, stop: StopRequest, quiet: bool) -> None:
    """Show the session until it is to end."""
    import time

    from rich.console import Console
    from rich.live import Live

    if quiet or not sys.stderr.isatty():
        told = time.monotonic()
        while not stop():
            time.sleep(0.1)
            _tend(session, view, stop, _say)
            if not quiet and time.monotonic() - told >= 1.0:
                told = time.monotonic()
                _say(view.line())
        return
    with Live(view.render(), console=Console(stderr=True), refresh_per_second=10) as live:
        while not stop():
            time.sleep(0.1)
            _tend(session, view, stop, lambda text: live.console.print(text, markup=False, highlight=False))
            live.update(view.render())


def _tend(session: LiveSession, view: LiveView, stop: StopRequest, tell: Callable[[str], None]) -> None:
    """One look at the processes and at what they say."""
    runs = len(session.recordings)
    for text in session.check():
        tell(text)
    if len(session.recordings) != runs:
        view.restart()
    if session.guard is not None:
        view.guard = f"{session.guard.state.upper()}: {session.guard.why}"
    if session.ended:
        stop.ask(session.ended)
    view.update()
    for text in view.take_news():
        tell(text)


def obey(order: TerminalCommand, session: LiveSession) -> None:
    """Do what was typed, at once, whatever else the session is busy with.

    Parameters
    ----------
    order : TerminalCommand
        What was typed.
    session : LiveSession
        That runs.
    """
    match order.kind:
        case "mark" | "good":
            session.control("mark", labels=list(order.labels), bad=order.kind == "mark")
        case "arm" if session.guard is not None:
            session.guard.arm("keyboard")
        case "disarm" if session.guard is not None:
            session.guard.disarm("keyboard")
        case "stop":
            why = f"keyboard: {order.typed!r}" if order.typed else "keyboard"
            (session.guard.stop_now if session.guard else partial(session.control, "stop_now"))(why=why)


def option_words(args: argparse.Namespace) -> tuple[str, ...]:
    """The configuration options as words, for the engine's own command line.

    Parameters
    ----------
    args : argparse.Namespace
    """
    words: list[str] = []
    for name in ("preset", "config", "out", "subject", "stream", "without"):
        value = getattr(args, name, None)
        if value is not None and (value or name != "without"):
            words += [f"--{name}", str(value)]
    for setting in args.set:
        words += ["--set", setting]
    return tuple(words)
