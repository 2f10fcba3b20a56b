"""``bci certify``: the configured chain, end to end, on this computer."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bci.certify.certificate import Certificate
    from bci.certify.run import ChainRun, LoopbackPlan
    from bci.session.plan import SessionPlan
    from bci.settings import SessionConfig

HELP = """Measure the latency of the whole configured chain on this computer. The result is PASS or FAIL.

The command starts the recorder, the engine and a receiver in separate processes, as `bci run` does, and measures each stage:
from the stamp of a sample to the engine, the step of the engine, and from the decision to the receiver. It states separately
the length of the window, the group delay, and the delay of the device before its first stamp. It writes a page and a JSON file
beside the recording.

With --loopback it compares commands (the stream bci-commands of an actuator host, or the markers of another program) with their
effects, which it sees on a photodiode channel, a trigger channel or a marker stream.

Exit code 0: all limits were kept; 12: at least one limit was not kept."""

EXAMPLES = """bci certify --simulate
bci certify --model left-right.safetensors --stream type=EEG --device-class usb
bci certify --model left-right.safetensors --device --limit p99_ms=5 --seconds 120
bci certify --model m.safetensors --stream type=EEG --loopback type=EEG --channel Photo --commands name=Flashes"""

DEVICES = ("simulated", "cyton", "ble", "emotiv", "usb", "tcp", "unknown")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options, add_without

    add = parser.add_argument
    add("--model", metavar="FILE", help="model file; with --simulate and without a model, one is trained")
    add("--simulate", action="store_true", help="first start a simulated subject")
    add("--device", action="store_true", help="first start the source that the section [source] names")
    add("--channels", type=int, default=8, help="channels of the simulated subject, without --model (default 8)")
    add("--seconds", type=float, default=30.0, help="how long to measure (default 30)")
    add("--warm-up", type=float, default=3.0, metavar="S", help="time after the first decision that does not count (default 3)")
    add("--limit", action="append", default=[], metavar="KEY=N", help="change a limit, for instance p99_ms=5 (repeatable)")
    add("--device-class", choices=DEVICES, help="kind of amplifier, which determines its delay before the first stamp")
    add("--loopback", metavar="QUERY", help="stream that shows the effects: a photodiode or trigger channel, or markers")
    add("--channel", default="", metavar="LABEL", help="channel of the --loopback stream, if it has several")
    add("--commands", metavar="QUERY", help="stream of the commands (default: that of this session's actuator host)")
    add("--json", action="store_true", help="print the certificate as one JSON object")
    add("--receive", metavar="DIR", help=argparse.SUPPRESS)
    add("--parent-pipe", action="store_true", help=argparse.SUPPRESS)
    add_without(parser)
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, judge, write.

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

    if args.receive:
        return _receive(Path(args.receive), args.parent_pipe)
    import tempfile

    from bci.certify.certificate import FAIL_EXIT, load
    from bci.certify.limits import limits_from
    from bci.certify.run import RunTimes, certified_run
    from bci.processes.stop import StopRequest
    from bci.progress import progress_bar

    _check(args)
    limits = limits_from(args.limit)
    stop = StopRequest()
    with tempfile.TemporaryDirectory(prefix="bci-certify-") as folder, progress_bar("certifying", quiet=args.json) as told:
        plan = _plan(args, Path(folder), lambda what, share: told(what, 0.15 * share))
        before = load()
        done = certified_run(
            plan,
            RunTimes(args.seconds, args.warm_up),
            _loop(args, plan.config),
            stop,
            lambda what, share: told(what, 0.15 + 0.85 * share),
        )
        certificate = _certificate(args, plan, done, limits, (*before, *load()))
    page = _write(certificate, done.recording)
    if args.json:
        print(json.dumps({**certificate.as_json(), "page": str(page), "recording": str(done.recording)}))
    else:
        _show(certificate, page)
    return 0 if certificate.passed else FAIL_EXIT


def _check(args: argparse.Namespace) -> None:
    """Refuse what makes no sense, all at once."""
    from bci.errors import ConfigError

    wrong = []
    if not 2 <= args.seconds <= 3600:
        wrong.append(f"--seconds {args.seconds:g}: must be 2 to 3600")
    if not 0 <= args.warm_up <= 600:
        wrong.append(f"--warm-up {args.warm_up:g}: must be 0 to 600")
    if not args.model and not args.simulate:
        wrong.append("--model: name a model file, or add --simulate to try without one")
    if args.channels not in (3, 8, 16, 22, 32, 64):
        wrong.append(f"--channels {args.channels}: must be 3, 8, 16, 22, 32 or 64")
    if args.commands and not args.loopback:
        wrong.append("--commands: also name with --loopback the stream that shows their effects")
    if wrong:
        raise ConfigError(wrong)


def _plan(args: argparse.Namespace, folder: Path, told) -> SessionPlan:  # type: ignore[no-untyped-def]
    """The session that is certified."""
    from pathlib import Path

    from bci.certify.trial_model import make_model, trial_table
    from bci.commands.run import option_words
    from bci.config import config_of, without_of
    from bci.model.file import load_model
    from bci.session.at_start import check_model
    from bci.session.plan import SessionPlan, simulated_words, source_words

    args.set = [*args.set, "record.task=certify"]
    if not args.model:
        args.set = [*args.set, *(f"markers.table.{code}={name}" for code, name in trial_table().items())]
    config = config_of(args)
    path = check_model(Path(args.model)) if args.model else make_model(folder, config, args.channels, told)
    device: tuple[str, ...] = ()
    source = config.stream.query().words()
    if args.simulate:
        device, source = simulated_words(load_model(path).header, 0.8, 1, ""), "name=simulated"
    elif args.device:
        device = source_words(config)
    return SessionPlan(path, config, option_words(args), source, device, without=without_of(args, config))


def _loop(args: argparse.Namespace, config: SessionConfig) -> LoopbackPlan:
    from bci.certify.run import LoopbackPlan

    if not args.loopback:
        return LoopbackPlan()
    return LoopbackPlan(args.commands or f"name={config.engine.name}-commands", args.loopback, args.channel)


def _certificate(args: argparse.Namespace, plan: SessionPlan, done: ChainRun, limits, load: tuple[float, ...]) -> Certificate:  # type: ignore[no-untyped-def]
    """Everything about the run."""
    from bci.certify.certificate import Certificate, describe
    from bci.certify.delays import signal_delays
    from bci.certify.device_classes import BY_NAME, class_of
    from bci.model.file import load_model

    model = load_model(plan.model)
    named = "simulated" if args.simulate else plan.config.source.name if args.device else ""
    device = BY_NAME[args.device_class] if args.device_class else class_of(named)
    chain = describe(model.header, " ".join(plan.device) or plan.source, model.sha256)
    delays = signal_delays(model.header.preprocessing, plan.config.decision.over(model.header.decision))
    return Certificate(done.measured, limits, delays, device, chain, done.loop, load)


def _write(certificate: Certificate, recording: Path) -> Path:
    """Page and JSON beside the recording, whose name is new."""
    from bci.certify.page import page

    path = recording.with_name(recording.stem + "_certificate.html")
    path.write_text(page(certificate), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(certificate.as_json(), indent=1), encoding="utf-8")
    return path


def _show(certificate: Certificate, page: Path) -> None:
    """The same in the terminal, shorter."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bci.certify.page import LIMIT_NAMES, STAGE_NAMES
    from bci.certify.stages import spread

    console = Console(highlight=False)
    stages = Table("ms", *("p50", "p95", "p99", "max"))
    for name, delays in certificate.measured.delays.items():
        s = spread(delays)
        stages.add_row(STAGE_NAMES[name], *(f"{x:.2f}" for x in (s.p50, s.p95, s.p99, s.max)))
    console.print(stages)
    judged = Table("limit", "found", "at most", "")
    for line in certificate.lines:
        word = Text("kept", "green") if line.passed else Text("NOT KEPT", "bold red")
        judged.add_row(LIMIT_NAMES[line.name], f"{line.value:.3g}", f"{line.limit:g}", word)
    console.print(judged)
    d, device = certificate.delays, certificate.device
    bands = ", ".join(f"{b.centre_ms:.0f} ms" for b in d.bands)
    console.print(f"not measured: window {1e3 * d.window_s:g} ms, group delay {bands}, device before its first stamp", end=" ")
    console.print(Text(f"{device.low_ms:g} to {device.high_ms:g} ms ({device.about})"))
    console.print(Text("PASS", "bold green") if certificate.passed else Text("FAIL", "bold red"), Text(str(page)), soft_wrap=True)


def _receive(place: Path, parent_pipe: bool) -> int:
    """The receiver's process."""
    from bci.certify.receiver import ReceiverPlan, receive
    from bci.certify.run import save_received
    from bci.processes.child import say_ready
    from bci.processes.stop import StopRequest

    stop = StopRequest(parent_pipe)
    told = _say
    received = receive(ReceiverPlan.load(place / "plan.json"), stop, say_ready, told)
    save_received(received, place)
    print(json.dumps({"done": True}), flush=True)
    return 0


def _say(share: float) -> None:
    """Tell the parent process how far we are."""
    sys.stdout.write(json.dumps({"share": round(share, 3)}) + "\n")
    sys.stdout.flush()
