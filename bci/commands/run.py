"""``bci run``: a live session in one command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from bci.errors import ConfigError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from bci.session.calibration.protocol import CalibrationProtocol
    from bci.session.desk import Order
    from bci.session.model import ModelHeader
    from bci.session.processes import Stop
    from bci.session.run import LiveSession
    from bci.session.view import LiveView
    from bci.settings import SessionConfig

HELP = """Decode a live stream: starts recorder and engine, shows a live view, and ends cleanly with Ctrl-C.

Works with any EEG stream that is on LSL already; --simulate starts a simulated subject first. Where there is a display
the operator's window opens (not with --headless); closing or killing it changes nothing for the session. All streams of
the session are recorded, with the model beside them, so that `bci replay --verify` can run it again.

--actuator starts an actuator host behind its guard (docs/safety.md). It is disarmed until a person types "arm" and Enter;
Enter alone is the emergency stop. "mark CHANNEL" and "good CHANNEL" leave a bad channel out and take it back. A process
that dies is begun again; nothing is armed by that. Not a medical device; what can hurt needs a stop of its own."""

EXAMPLES = """bci run --model left-right.safetensors
bci run --model left-right.safetensors --stream type=EEG --subject P003 --set markers.stream=cues
bci run --model demo.safetensors --simulate --cues short
bci run --model demo.safetensors --simulate --seconds 30 --headless
bci run --model left-right.safetensors --actuator udp --set actuator.settings.port=9000 --set actuator.commands.left=open"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options, add_without

    parser.add_argument("--model", required=True, metavar="FILE", help="model file (bci train writes one)")
    parser.add_argument("--simulate", action="store_true", help="start a simulated subject with the model's channels first")
    parser.add_argument("--device", action="store_true", help="start the source of the section [source] first")
    parser.add_argument("--actuator", metavar="NAME", help="move something: an actuator plug-in, set by the section [actuator]")
    parser.add_argument("--arm", action="store_true",
        help="arm the actuator once by itself, as soon as the signal is good; for tests, and for who bears the risk")  # fmt: skip
    parser.add_argument("--skill", type=float, default=0.8, help="of the simulated subject, 0 to 1 (default 0.8)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated subject (default 1)")
    parser.add_argument("--seconds", type=float, help="end after this long")
    add_without(parser)
    parser.add_argument(
        "--cues",
        metavar="NAME",
        help="show trials of this protocol, one after another, with feedback (bci calibrate has the list)",
    )
    parser.add_argument("--windows", metavar="A,B",
        help="windows to open (default where there is a display: operator, with --cues participant too; '' none)")  # fmt: skip
    parser.add_argument("--headless", action="store_true", help="no window")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run until told to stop."""
    from contextlib import ExitStack
    from pathlib import Path

    from bci.config import config_of, without_of
    from bci.session import desk
    from bci.session.cueing import Cueing
    from bci.session.model import load_model
    from bci.session.processes import Stop
    from bci.session.run import LiveSession, SessionPlan, check_model
    from bci.session.view import LiveView
    from bci.stream.clock import LslClock

    if args.actuator:
        args.set.append(f"actuator.name={args.actuator}")
    path = check_model(Path(args.model))
    header = load_model(path).header
    protocol = _cued(args, header) if args.cues else None
    config = config_of(args)
    if args.arm and not config.actuator.name:
        raise ConfigError("--arm: there is nothing to arm; name it with --actuator NAME")
    device: tuple[str, ...] = ()
    source = config.stream.query().words()
    if args.simulate:
        device = simulated_words(header, args.skill, args.seed, config.markers.stream)
        source = args.stream or "name=simulated"
    elif args.device:
        device = source_words(config)
    stop = Stop()
    arm_once = "the option --arm" if args.arm else ""
    without = without_of(args, config)
    host = actuator_words(config)
    plan = SessionPlan(path, config, option_words(args), source, device, host, arm_once, begin_again=True, without=without)
    with ExitStack() as stack:
        cueing = stack.enter_context(Cueing(protocol, LslClock(), args.seed)) if protocol else None
        _open_windows(args, config, stack)
        session = stack.enter_context(LiveSession(plan, stop, (lambda _: None) if args.json else _say))
        for text in session.warnings:
            _say(f"warning: {text}")
        if desk.at_terminal():
            _say(desk.HELP)
            desk.listen(lambda order: obey(order, session))
        view = LiveView(header, session.stream_query)
        stop.after(args.seconds)
        if cueing:
            cueing.begin()
        try:
            _watch(session, view, stop, quiet=args.json)
        finally:
            view.close()
    files = list(map(str, session.recordings))
    result = {"recording": files[-1], "recordings": files, "windows": view.windows, "decided": view.decided, "ended": stop()}
    print(json.dumps(result) if args.json else f"recorded {', '.join(files)}; {view.windows} windows, {view.decided} decisions")
    return 0


def _say(text: str) -> None:
    """To the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


def _cued(args: argparse.Namespace, header: ModelHeader) -> CalibrationProtocol:
    """The protocol whose cues are shown, for the model's classes; its markers are the session's."""
    from bci.session.calibration.protocol import load_protocol
    from bci.session.calibration.room import CUES
    from bci.session.cueing import with_feedback

    protocol = with_feedback(load_protocol(args.cues, classes=header.classes))
    args.set = [f"markers.stream={CUES}", *(f"markers.table.{code}={c}" for code, c in protocol.table.items()), *args.set]
    return protocol


def _open_windows(args: argparse.Namespace, config: SessionConfig, stack: ExitStack) -> None:
    """Windows beside the session. Closing or killing them changes nothing for it."""
    from bci.session.display import has_display, open_windows

    if args.windows is not None:
        names = [name.strip() for name in args.windows.split(",") if name.strip()]
    elif args.headless or args.json or not has_display():
        return
    else:
        names = ["operator", *(["participant"] if args.cues else [])]
    both = "participant" in names
    for some in ([n for n in names if n == "participant"], [n for n in names if n != "participant"]):
        if some:
            stack.enter_context(open_windows(some, config.engine.name, config.record.out, beside=both))


def _watch(session: LiveSession, view: LiveView, stop: Stop, quiet: bool) -> None:
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


def _tend(session: LiveSession, view: LiveView, stop: Stop, tell: Callable[[str], None]) -> None:
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


def obey(order: Order, session: LiveSession) -> None:
    """Do what was typed, at once, whatever else the session is busy with."""
    match order.kind:
        case "mark" | "good":
            session.control("mark", labels=list(order.labels), bad=order.kind == "mark")
        case "arm" if session.guard is not None:
            session.guard.arm("keyboard")
        case "disarm" if session.guard is not None:
            session.guard.disarm("keyboard")
        case "stop":
            session.control("stop_now", why=f"keyboard: {order.typed!r}" if order.typed else "keyboard")


def option_words(args: argparse.Namespace) -> tuple[str, ...]:
    """The configuration options as words, for the engine's own command line."""
    words: list[str] = []
    for name in ("preset", "config", "out", "subject", "stream", "without"):
        value = getattr(args, name, None)
        if value is not None and (value or name != "without"):
            words += [f"--{name}", str(value)]
    for setting in args.set:
        words += ["--set", setting]
    return tuple(words)


def simulated_words(header: ModelHeader, skill: float, seed: int, cues: str) -> tuple[str, ...]:
    """Words for ``bci stream`` that start a subject with the channels and classes of a model."""
    p = header.preprocessing
    words = ["simulated", "--channels", ",".join(p.labels), "--rate", f"{p.rate_hz:g}", "--skill", f"{skill:g}"]
    words += ["--seed", str(seed), "--classes", ",".join(header.classes)]
    words += ["--name", "simulated", "--set", "chunk=1"]
    return tuple(words + (["--listen", cues] if cues else []))


def source_words(config: SessionConfig) -> tuple[str, ...]:
    """Words for ``bci stream`` that start the source of the configuration."""
    settings = [word for key, value in config.source.settings.items() for word in ("--set", f"{key}={value}")]
    cues = ["--listen", config.markers.stream] if config.markers.stream else []
    return (config.source.name, *settings, *cues)


def actuator_words(config: SessionConfig) -> tuple[str, ...]:
    """Words for ``bci actuate`` that start the actuator of the configuration; none where it has none."""
    from dataclasses import asdict

    chosen = config.actuator
    if not chosen.name:
        return ()
    given: dict[str, object] = {}
    for key, value in chosen.settings.items():
        given |= {f"{key}.{inner}": one for inner, one in value.items()} if isinstance(value, dict) else {key: value}
    given |= {f"commands.{name}": command for name, command in chosen.commands.items()}
    for section, settings in (("guard", config.guard), ("pace", config.pace)):
        given |= {f"{section}.{key}": value for key, value in asdict(settings).items()}
    return (chosen.name, *(word for key, value in given.items() for word in ("--set", f"{key}={value}")))
