"""``bci actuate``: one actuator behind its guard."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bci.errors import ConfigError

HELP = """Move something by decisions, behind a guard: doubt means neutral.

Reads NAME-decisions, listens to arming and emergency stop on NAME-control and at this keyboard (Enter stops),
and says what it does on NAME-guard and NAME-commands (docs/streams.md, docs/safety.md). It starts disarmed: type
"arm" here, or arm from a window that knows this session's token. Not a medical device; what can hurt needs a stop
of its own."""

EXAMPLES = """bci actuate log --set path=commands.txt
bci actuate serial --set port=/dev/ttyACM0 --set commands.left=open --set commands.right=close \\
    --set neutral=S --set table.open=O --set table.close=C
bci actuate osc --set port=9000 --set pace.mode=continuous \\
    --set guard.stale_s=0.1 --set guard.silence_s=0.1 --set guard.latch_s=0.25"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("actuator", help="name of an actuator plug-in (registered under bci.actuators)")
    add("--set", metavar="KEY=VALUE", action="append", default=[],
        help="guard.KEY, pace.KEY, commands.CLASS, or a setting of the actuator; repeatable")  # fmt: skip
    add("--name", default="bci", help="prefix of the session's streams (default bci)")
    add("--session-id", default="", help="identifier that all streams of the session carry")
    add("--label", default="", help="tells several hosts of one session apart")
    add("--seconds", type=float, metavar="S", help="end after this long")
    add("--wait-recorder", action="store_true", help="begin when somebody listens to commands and guard")
    add("--parent-pipe", action="store_true", help="end when standard input closes; ignore the interrupt key")
    add("--json", action="store_true", help="errors as JSON")


def run(args: argparse.Namespace) -> int:
    """Guard the actuator until told to stop."""
    from bci.engine.guard import GuardSettings
    from bci.engine.pace import PaceSettings
    from bci.session.actuator_process import ActuatorJob, Keyboard, run_host
    from bci.session.processes import Stop
    from bci.session.scheduling import GUARD, ahead

    given = sections(args.set)
    problems: list[str] = []
    guard = checked(GuardSettings, "guard", given["guard"], problems)
    pace = checked(PaceSettings, "pace", given["pace"], problems)
    if guard is None or pace is None or problems:
        raise ConfigError(problems)
    job = ActuatorJob(
        args.actuator, given[""], given["commands"], guard, pace, args.name, args.session_id, args.label, args.wait_recorder
    )
    keyboard = not args.parent_pipe and sys.stdin.isatty()
    if keyboard:
        print(Keyboard.HELP, file=sys.stderr, flush=True)
    with ahead(GUARD):
        run_host(job, Stop(args.parent_pipe, args.seconds), keyboard)
    return 0


def sections(texts: list[str]) -> dict[str, dict[str, str]]:
    """Settings by section; those of the actuator under "".

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
    """Settings of one section, or None; what is wrong is added to ``problems``."""
    values: dict[str, Any] = {}
    known = kind.__dataclass_fields__
    for key, text in given.items():
        if key not in known:
            problems.append(f"--set {section}.{key}: no such key; there are {', '.join(known)}")
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
