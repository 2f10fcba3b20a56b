"""``bci actuate``: one actuator behind its guard."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bci.errors import ConfigError

HELP = """Let decisions move a device, behind a guard. If something is wrong or uncertain, the guard brings the device to neutral.

The command reads decisions on NAME-decisions. It listens for arming and for the emergency stop on NAME-control and at this
keyboard (Enter stops). It reports its actions on NAME-guard and NAME-commands (docs/reference/streams.md,
docs/explanations/safety.md). It starts disarmed: type "arm" here, or arm from a window that knows this session's token. This is
not a medical device. A device that can hurt somebody needs an emergency stop of its own."""

EXAMPLES = """bci actuate log --set path=commands.txt
bci actuate serial --set port=/dev/ttyACM0 --set commands.left=open --set commands.right=close \\
    --set neutral=S --set table.open=O --set table.close=C
bci actuate osc --set port=9000 --set pace.mode=continuous \\
    --set guard.stale_s=0.1 --set guard.silence_s=0.1 --set guard.latch_s=0.25"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    add = parser.add_argument
    add("actuator", help="name of an actuator plug-in (registered under bci.actuators)")
    add("--set", metavar="KEY=VALUE", action="append", default=[],
        help="set guard.KEY, pace.KEY, commands.CLASS, or a setting of the actuator (repeatable)")  # fmt: skip
    add("--name", default="bci", help="prefix of the session's streams (default bci)")
    add("--session-id", default="", help="identifier that is written into all streams of the session")
    add("--label", default="", help="name of this host, if one session has several")
    add("--seconds", type=float, metavar="S", help="end after this long")
    add("--wait-recorder", action="store_true", help="begin when the recorder records the streams of commands and guard")
    add(
        "--supervised",
        action="store_true",
        help="stop if the program that started this one no longer reports that it is alive",
    )
    add(
        "--unsigned",
        action="store_true",
        help="accept decisions without the signature of the session: for an engine of another author",
    )
    add("--engine-host", default="", metavar="HOST", help="computer on which the engine runs (default: this one)")
    add("--parent-pipe", action="store_true", help="end when standard input closes; ignore Ctrl-C")
    add("--json", action="store_true", help="print errors as JSON")


def run(args: argparse.Namespace) -> int:
    """Guard the actuator until told to stop.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.actuation.process import ActuatorJob, Keyboard, run_host
    from bci.engine.guard import GuardSettings
    from bci.engine.pace import PaceSettings
    from bci.processes.one_heap import one_heap
    from bci.processes.recorder_word import RecorderWord
    from bci.processes.scheduling import GUARD, ahead
    from bci.processes.stop import StopRequest
    from bci.processes.terminal_input import at_terminal

    one_heap()
    given = sections(args.set)
    problems: list[str] = []
    guard = checked(GuardSettings, "guard", given["guard"], problems)
    pace = checked(PaceSettings, "pace", given["pace"], problems)
    if guard is None or pace is None or problems:
        raise ConfigError(problems)
    word = RecorderWord()
    job = ActuatorJob(
        args.actuator, given[""], given["commands"], guard, pace, args.name, args.session_id, args.label, args.wait_recorder,
        args.supervised, args.unsigned, args.engine_host, word if args.parent_pipe else None,
    )  # fmt: skip
    keyboard = not args.parent_pipe and at_terminal()
    if keyboard:
        print(Keyboard.HELP, file=sys.stderr, flush=True)
    with ahead(GUARD):
        run_host(job, StopRequest(args.parent_pipe, args.seconds, word.know), keyboard)
    return 0


def sections(texts: list[str]) -> dict[str, dict[str, str]]:
    """Settings by section; those of the actuator under "".

    Parameters
    ----------
    texts : list of str
        ``KEY=VALUE`` or ``SECTION.KEY=VALUE``.

    Raises
    ------
    ConfigError
    """
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise ConfigError([f"--set {text}: write it as KEY=VALUE" for text in wrong])
    found: dict[str, dict[str, str]] = {"guard": {}, "pace": {}, "commands": {}, "": {}}
    for text in texts:
        key, _, value = text.partition("=")
        section, dot, name = key.strip().partition(".")
        if dot and section in found:
            found[section][name] = value.strip()
        else:
            found[""][key.strip()] = value.strip()
    return found


def checked(kind: Any, section: str, given: dict[str, str], problems: list[str]) -> Any:
    """Settings of one section, or None; what is wrong is added to ``problems``.

    Parameters
    ----------
    kind : object
        Dataclass of the settings.
    section : str
        Its name, for messages.
    given : dict of str to str
        Text of each key.
    problems : list of str
        Gets one line for each that is wrong.
    """
    values: dict[str, Any] = {}
    known = kind.__dataclass_fields__
    for key, text in given.items():
        if key not in known:
            problems.append(f"--set {section}.{key}: there is no such key; the keys are {', '.join(known)}")
            continue
        try:
            values[key] = text if isinstance(known[key].default, str) else float(text)
        except ValueError:
            problems.append(f"--set {section}.{key}={text}: must be a number")
    try:
        return kind(**values)
    except ConfigError as error:
        problems += [f"--set {line}" for line in error.problems]
    return None
