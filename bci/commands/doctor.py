"""``bci doctor``: what is wrong here, and what to do."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from bci.doctor.checkup import Section
    from bci.doctor.finding import Finding

HELP = """Find problems of this computer, its network and its streams, and say what to do about them.

The command checks LSL's discovery and configuration, network interfaces, VPNs, multicast, firewalls, clocks, Qt's libraries and
serial ports. It also listens to every stream and checks its rate, stamps, names, units and types. It changes nothing, and opens
no serial port.

Exit code 0: no problem (there may be warnings); 11: at least one problem."""

EXAMPLES = """bci doctor
bci doctor --seconds 15 --host ''
bci doctor --port /dev/ttyUSB0 --json"""

WORDS = {"ok": ("OK", "green"), "warn": ("WARNING", "yellow"), "problem": ("PROBLEM", "bold red")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="how long to listen to streams (default 6; 12 gives exact rates)"
    )
    parser.add_argument(
        "--host", default="*", help="computer whose streams are checked: its name, '' for this one, or '*' for all (default)"
    )
    parser.add_argument("--port", action="append", default=[], metavar="PATH", help="serial port that must work (repeatable)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Look, judge, print.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.errors import ConfigError

    if not 1 <= args.seconds <= 600:
        raise ConfigError(f"--seconds {args.seconds:g}: must be 1 to 600")
    from bci.doctor.checkup import as_json, examine, exit_code
    from bci.doctor.observe.everything import observe
    from bci.progress import progress_bar

    with progress_bar("checking", quiet=args.json) as told:
        facts = observe(args.seconds, args.port, args.host, told)
    sections = examine(facts)
    if args.json:
        print(json.dumps(as_json(sections), indent=2))
    else:
        from rich.console import Console

        show(sections, Console(highlight=False))
    return exit_code(sections)


def show(sections: Sequence[Section], console: Console) -> None:
    """Every finding with its level in words and colour; what strangers sent is shown as text, never as markup.

    Parameters
    ----------
    sections : sequence of Section
        Of the whole check-up.
    console : Console
        Where to print.
    """
    from rich.text import Text

    from bci.doctor.checkup import trouble

    for section in sections:
        console.print(Text(section.title, style="bold"))
        for finding in section.findings:
            _show_one(finding, console)
    found = trouble(sections)
    n_problems = sum(f.level == "problem" for f in found)
    word, style = WORDS[found[0].level] if found else WORDS["ok"]
    console.print()
    counts = f"{_counted(n_problems, 'problem')}, {_counted(len(found) - n_problems, 'warning')}"
    console.print(Text(word, style=style), Text(counts if found else "nothing found"))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _show_one(finding: Finding, console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    word, style = WORDS[finding.level]
    line = Text.assemble((f"{word:<8}", style), f" {printable(finding.topic)}: {printable(finding.what)}")
    console.print(Padding(line, (0, 0, 0, 2)))
    if finding.remedy:
        console.print(Padding(Text(f"→ {printable(finding.remedy)}", style="italic"), (0, 0, 0, 11)))


def printable(text: str) -> str:
    """Text without characters that could steer the terminal.

    Parameters
    ----------
    text : str
        Of other programs.
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
