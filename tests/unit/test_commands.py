"""The command line starts fast, explains itself, and ends with exit codes that scripts can rely on."""

import argparse
import json
import os
import subprocess
import sys
import types
from importlib import import_module
from importlib.util import find_spec

import pytest

from bci.commands import COMMANDS, THREADS, Parser, main
from bci.errors import BciError, StreamNotFound

HEAVY = ("numpy", "scipy", "pylsl", "mne", "sklearn", "pyriemann", "torch", "PySide6", "pydantic", "rich", "onnxruntime")


def heavy_after(*words: str) -> set[str]:
    """Heavy packages that a fresh ``bci`` process has imported once these words are done."""
    code = (
        "import sys; from bci.commands import main; main(sys.argv[1:]); "
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split()[1:])


def command(monkeypatch: pytest.MonkeyPatch, outcome: BaseException | int) -> None:
    """Put a sub-command in the place of ``bci version``."""

    def run(args: argparse.Namespace) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    module = types.SimpleNamespace(
        HELP="A test.", EXAMPLES="bci version", configure=lambda p: p.add_argument("--json", action="store_true"), run=run
    )
    monkeypatch.setitem(sys.modules, "bci.commands.version", module)


def test_help_imports_nothing_heavy() -> None:
    assert heavy_after("--help") == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_help_and_examples(name: str) -> None:
    assert find_spec(f"bci.commands.{name}"), f"bci/commands/{name}.py is missing"
    module = import_module(f"bci.commands.{name}")
    parser = Parser(prog=f"bci {name}")
    module.configure(parser)
    assert module.HELP
    assert f"bci {name}" in module.EXAMPLES
    assert callable(module.run)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_of_a_command_refuses_its_own_default(name: str) -> None:
    parser = Parser(prog=f"bci {name}")
    import_module(f"bci.commands.{name}").configure(parser)
    for option in parser._actions:
        if isinstance(option.default, str):  # argparse hands a default that is a text to the option's type
            parser._get_value(option, option.default)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_imports_nothing_heavy(name: str) -> None:
    assert heavy_after(name, "--help") == set()


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in COMMANDS)
    assert "examples:" in printed


def test_a_mistyped_command_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recrod"]) == 2
    assert "did you mean record" in capsys.readouterr().err


def test_help_on_a_topic_is_that_commands_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "version"]) == 0
    assert "usage: bci version" in capsys.readouterr().out


def test_version_is_printed_as_an_option_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bci"]


@pytest.mark.parametrize("error", [BciError, *BciError.__subclasses__()])
def test_each_kind_of_error_ends_with_its_own_code_and_its_message(
    error: type[BciError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, error("what, where and what to do"))
    assert main(["version"]) == error.exit_code
    printed = capsys.readouterr()
    assert "what, where and what to do" in printed.err
    assert printed.out == ""


def test_a_program_gets_the_error_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command(monkeypatch, StreamNotFound("no stream"))
    assert main(["version", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"error": "StreamNotFound", "exit_code": 3, "problems": ["no stream"]}


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, KeyboardInterrupt())
    assert main(["version"]) == 130


def test_a_command_decides_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, 42)
    assert main(["version"]) == 42


def test_python_dash_m_works_and_passes_the_code_on() -> None:
    done = subprocess.run([sys.executable, "-m", "bci", "nonsense"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_a_reader_that_leaves_early_causes_no_traceback() -> None:
    script = f'"{sys.executable}" -m bci version --json | true'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_numerical_libraries_get_one_thread_unless_the_user_says_otherwise() -> None:
    code = "import os; from bci.commands import main, THREADS; main(['--help']); print(*[os.environ[t] for t in THREADS])"
    clean = {k: v for k, v in os.environ.items() if k not in THREADS}
    run = [sys.executable, "-c", code]
    plain = subprocess.run(run, env=clean, capture_output=True, text=True, check=True, timeout=60)
    chosen = subprocess.run(run, env=clean | {THREADS[0]: "3"}, capture_output=True, text=True, check=True, timeout=60)
    assert plain.stdout.split()[-len(THREADS) :] == ["1"] * len(THREADS)
    assert chosen.stdout.split()[-len(THREADS) :] == ["3"] + ["1"] * (len(THREADS) - 1)
