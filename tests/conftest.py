"""Fixtures for all tests. Streams of one test run are invisible to any other run and to the laboratory."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import tempfile
import uuid
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

_SHARED = Path(__file__).parents[1].parent / "shared" / "data"


def _own_ports() -> tuple[int, socket.socket]:
    """The first of two hundred ports that no other run on this computer uses, and what keeps them ours until this process ends.

    liblsl gives every stream of a machine a port of one range of 32, whatever its session, and does not find what is beyond; so
    each run, and each worker of a run, has a range of its own, long enough for several sessions at once. The
    ranges lie below the ports that the system hands out by itself.
    """
    begin = uuid.uuid4().int
    for base in (17000 + 200 * ((begin + i) % 75) for i in range(75)):
        claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            claim.bind(("127.0.0.1", base + 199))
        except OSError:
            claim.close()
            continue
        return base, claim
    raise RuntimeError("all ranges of ports for LSL, 17000 to 32000, are taken: end other test runs on this computer first")


def _isolate_lsl() -> tuple[str, socket.socket]:
    """Give this process its own LSL session; liblsl reads the file when it is first used, children inherit it."""
    folder = Path(tempfile.mkdtemp(prefix="bci-lsl-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    session = f"bci-test-{uuid.uuid4().hex[:12]}"
    base, claim = _own_ports()
    config = folder / "lsl_api.cfg"
    config.write_text(
        f"[lab]\nSessionID = {session}\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n"
        f"[ports]\nMulticastPort = {base}\nBasePort = {base + 1}\nPortRange = 180\n",
        encoding="utf-8",
    )
    os.environ["LSLAPICFG"] = str(config)
    os.environ["BCI_KEYS"] = str(folder / "keys")  # the user's own keys are none of a test's business
    return session, claim


LSL_SESSION, _ports = _isolate_lsl()  # at import: test modules that are collected later may load liblsl
atexit.register(_ports.close)
# How long one example takes says how busy the machine is, and nothing about the program.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
# A run in the background of a script is started deaf to the interrupt key, and one under nohup to the end of its terminal; so
# would be all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _name in ("SIGHUP", "SIGQUIT", "SIGTSTP"):
    if hasattr(signal, _name):
        signal.signal(getattr(signal, _name), signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``tests/suite.py`` looks for tests with these marks in files that name them; a mark from elsewhere would hide a test.

    Raises
    ------
    pytest.UsageError
        Naming the test.
    """
    for item in items:
        for word in ("live", "alone"):
            if item.get_closest_marker(word) and f"mark.{word}" not in _text_of(item.path):
                raise pytest.UsageError(
                    f"{item.nodeid} has the mark {word}, but its file does not say mark.{word}: write it there"
                )


@cache
def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def lsl_session() -> str:
    """SessionID that liblsl runs under, here and in child processes."""
    return LSL_SESSION


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings beside the project."""
    if not _SHARED.is_dir():
        pytest.skip(f"the real recordings are not here (looked in {_SHARED.parent.name}/{_SHARED.name} beside the project)")
    return _SHARED
