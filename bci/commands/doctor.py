"""``bci doctor``: what is wrong here, and what to do."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from bci.session.doctor.checkup import Section
    from bci.session.doctor.finding import Finding

HELP = """Say what is wrong with this computer, its network and the streams in reach, and what to do about it.

Looks at LSL's discovery and configuration, interfaces, VPNs, multicast, firewalls, clocks, every stream (its rate, stamps,
names, units and types, while it is listened to), Qt's libraries and serial ports. Changes nothing, and opens no serial port.

Exit code 0: nothing that would not work (there may be warnings); 11: at least one problem."""

EXAMPLES = """bci doctor
bci doctor --seconds 15 --host ''
bci doctor --port /dev/ttyUSB0 --json"""

WORDS = {"ok": ("OK", "green"), "warn": ("WARNING", "yellow"), "problem": ("PROBLEM", "bold red")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seconds", type=float, default=6.0, help="listen to streams this long (default 6; 12 for exact rates)")
    parser.add_argument("--host", default="*", help="only streams of this machine ('' for this one, '*' for any: the default)")
    parser.add_argument("--port", action="append", default=[], metavar="PATH", help="serial port that has to work (repeatable)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Look, judge, print."""
    from bci.errors import ConfigError

    if not 1 <= args.seconds <= 600:
        raise ConfigError(f"--seconds {args.seconds:g}: must be 1 to 600")
    from bci.session.doctor.checkup import as_json, examine, exit_code
    from bci.session.doctor.observe.everything import observe
    from bci.session.progress import progress_bar

    with progress_bar("looking around", quiet=args.json) as told:
        facts = observe(args.seconds, args.port, args.host, told)
    sections = examine(facts)
    if args.json:
        print(json.dumps(as_json(sections), indent=2))
    else:
        from rich.console import Console

        show(sections, Console(highlight=False))
    return exit_code(sections)


def show(sections: Sequence[Section], console: Console) -> None:
    """Every finding with its level in words and colour; what strangers sent is shown as text, never as markup."""
    from rich.text import Text

    from bci.session.doctor.checkup import trouble

    for section in sections:
        console.print(Text(section.title, style="bold"))
        for finding in section.findings:
            _show_one(finding, console)
    found = trouble(sections)
    n_problems = sum(f.level == "problem" for f in found)
    word, style = WORDS[found[0].level] if found else WORDS["ok"]
    console.print()
    console.print(
        Text(word, style=style), Text(f"{n_problems} problems, {len(found) - n_problems} warnings" if found else "nothing found")
    )


def _show_one(finding: Finding, console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    word, style = WORDS[finding.level]
    line = Text.assemble((f"{word:<8}", style), f" {printable(finding.topic)}: {printable(finding.what)}")
    console.print(Padding(line, (0, 0, 0, 2)))
    if finding.remedy:
        console.print(Padding(Text(f"→ {printable(finding.remedy)}", style="italic"), (0, 0, 0, 11)))


def printable(text: str) -> str:
    """Text without characters that could steer the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
