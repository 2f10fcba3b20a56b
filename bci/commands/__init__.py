"""The command ``bci``: one module per sub-command, imported only when it is called.

A sub-command NAME is the module ``bci.commands.NAME`` with

- ``HELP``: what it does, in a sentence or a paragraph;
- ``EXAMPLES``: text, one command line each;
- ``configure(parser)``: adds its options, importing nothing heavy;
- ``run(args) -> int``: does the work and returns the exit code.

Exit codes: 0 done, 2 wrong options or configuration, 130 interrupted, and those of :mod:`bci.errors`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from bci.commands.terminal import outlive_the_terminal, take_any_character
from bci.errors import BciError, ConfigError
from bci.safe_io.private import everything

COMMANDS = {
    "demo": "try everything once without hardware: calibrate, train, decode live, replay and verify",
    "streams": "list the LSL streams that can be seen from this computer",
    "stream": "offer a source as an LSL stream: the simulated subject or a device",
    "record": "record streams into an XDF file that survives a crash",
    "calibrate": "show cues, record the EEG, and judge after every block whether a decoder works for the person",
    "train": "fit a decoder to recordings and write a model file",
    "library": "store calibrations of other people, from which a new person's decoder can start",
    "report": "write a report of a calibration as one HTML page: the verdict and the evidence for it",
    "judge": "compare decoders on labelled recordings; the verdict is works, more trials, or unlikely",
    "evaluate": "estimate how accurate decoders are: within and across sessions and people, few-shot, pseudo-online",
    "score": "count how many cues of a recording a model decodes correctly, per class, with intervals",
    "run": "decode a live stream; starts the recorder, the engine and the live view",
    "engine": "run only the decoding process of `bci run`",
    "actuate": "let decisions move a device, behind a guard",
    "mark": "mark channels of a running session as bad, or as good again",
    "gui": "open a window: wizard, operator, therapist, participant, feature explorer, replay, …",
    "replay": "play a recording into LSL, or verify that it gives the same outcomes again",
    "info": "show what a recording or a model file contains, and whether it is intact",
    "export": "write recordings as a BIDS-EEG folder: EDF or BrainVision, events, and the XDF files as sources",
    "salvage": "rescue the complete samples of a damaged recording",
    "doctor": "find problems of this computer, its network and its streams, and say what to do about them",
    "certify": "measure the latency of the whole chain on this computer, and write a page that says PASS or FAIL",
    "version": "print the versions of bci and of the packages that it uses",
}
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
INTERRUPTED = 130
BROKEN_PIPE = 141


class Parser(argparse.ArgumentParser):
    """Reports wrong options as this project's error, so that ``--json`` covers them too."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing and leaving.

        Parameters
        ----------
        message : str
            What is wrong with the command line.
        """
        raise ConfigError(f"{self.prog}: {message}; see '{self.prog} --help'")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after ``bci``; those of this process where omitted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    take_any_character()
    outlive_the_terminal()
    # More threads than one cost the loop its tail latency; BLAS reads these when numpy is loaded.
    for name in THREADS:
        os.environ.setdefault(name, "1")
    try:
        with everything():
            return _spare(words[0]) if words[1:] == ["--spare"] else _dispatch(words)
    except BciError as error:
        _report(error, as_json="--json" in words)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone (`bci info … | head`); keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        # A folder that cannot be written, a disk that is full: the system names the file, and nothing else helps.
        if error.filename is None:
            raise
        _report(
            BciError(f"{error.filename}: cannot be used ({error.strerror}); choose another file or folder"), "--json" in words
        )
        return BciError.exit_code


def _dispatch(words: list[str]) -> int:
    """Hand the words to the sub-command they name."""
    if not words or words[0] in ("-h", "--help", "help"):
        return _help(words[1:2])
    name, rest = ("version", words[1:]) if words[0] == "--version" else (words[0], words[1:])
    if name not in COMMANDS:
        raise ConfigError(_unknown(name))
    return _call(name, rest)


def _spare(name: str) -> int:
    """Load what a command needs, and run it once the parent process says with which words (:mod:`bci.processes.spare`)."""
    from importlib import import_module

    from bci.processes.spare import told

    load = getattr(import_module(f"bci.commands.{name}"), "load", None) if name in COMMANDS else None
    if load is None:
        raise ConfigError(f"bci {name}: is not started ahead of time")
    load()
    words = told()
    return 0 if words is None else _call(name, words)


def _help(topic: list[str]) -> int:
    """Show the overview, or the help of one command (``bci help record``)."""
    if topic and topic[0] in COMMANDS:
        return _call(topic[0], ["--help"])
    print(overview())
    return 0


def _call(name: str, rest: list[str]) -> int:
    """Import a sub-command, read its options and run it."""
    from importlib import import_module

    try:
        args = parser_of(name).parse_args(rest)
    except SystemExit as left:  # --help
        return int(left.code or 0)
    return int(import_module(f"bci.commands.{name}").run(args))


def parser_of(name: str) -> Parser:
    """The options of one sub-command, with its help.

    Parameters
    ----------
    name : str
        One of ``COMMANDS``.
    """
    from importlib import import_module

    module = import_module(f"bci.commands.{name}")
    parser = Parser(
        prog=f"bci {name}",
        description=module.HELP,
        epilog=f"examples:\n{_indented(module.EXAMPLES)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    return parser


def overview() -> str:
    """What ``bci --help`` prints."""
    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return (
        "usage: bci COMMAND [options]        (for more, see bci COMMAND --help)\n\n"
        "bci reads EEG from LSL, decodes it live, and records everything, so that a session can be replayed bit for bit.\n\n"
        f"commands:\n{table}\n\n"
        "examples:\n"
        "  bci demo                               try everything once, without hardware\n"
        "  bci streams                            list the streams that can be seen\n"
        "  bci record --stream Cyton --subject 01 record one of them\n"
        "  bci replay --verify FILE               check that the recording gives the same outcomes again"
    )


def _unknown(name: str) -> str:
    """Message for a word that is no command."""
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"bci: there is no command {name!r}; {hint}Commands: {', '.join(COMMANDS)}"


def _indented(examples: str) -> str:
    """Examples as an indented block."""
    return "\n".join(f"  {line.rstrip()}" for line in examples.strip().splitlines())


def _report(error: BciError, as_json: bool) -> None:
    """Tell a person (stderr) and, where asked, a program (stdout) what went wrong."""
    print(f"error: {error}", file=sys.stderr)
    if as_json:
        problems = error.problems if isinstance(error, ConfigError) else (str(error),)
        document = {"error": type(error).__name__, "exit_code": error.exit_code, "problems": list(problems)}
        print(json.dumps(document), flush=True)
