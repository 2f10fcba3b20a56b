"""Fixtures for all tests. Streams of one test run are invisible to any other run and to the laboratory."""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
from pathlib import Path

import pytest

_SHARED = Path(__file__).parents[1].parent / "shared" / "data"


def _isolate_lsl() -> str:
    """Give this run its own LSL session; liblsl reads the file when it is first used, children inherit it."""
    folder = Path(tempfile.mkdtemp(prefix="bci-lsl-"))
    session = f"bci-test-{uuid.uuid4().hex[:12]}"
    # liblsl gives every stream of a machine a port of one range of 32, whatever its session, and does not find what is
    # beyond; so each run has a range of its own. Kept below the ports that the system hands out by itself.
    base = 17000 + 100 * (int(session[-6:], 16) % 150)
    config = folder / "lsl_api.cfg"
    config.write_text(
        f"[lab]\nSessionID = {session}\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n"
        f"[ports]\nMulticastPort = {base}\nBasePort = {base + 1}\nPortRange = 80\n",
        encoding="utf-8",
    )
    os.environ["LSLAPICFG"] = str(config)
    return session


LSL_SESSION = _isolate_lsl()  # at import: test modules that are collected later may load liblsl
# A run in the background of a script is started deaf to the interrupt key, and so would be all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


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
