"""LSL's service ports: how many a session takes, and that it fits beside other programs on a computer without a network."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from eeg_sender import amplifier
from session_rig import save_a_model

from bci.stream.lsl import LslTextOutlet
from bci.stream.lsl_config import SESSION_PORTS, look_at_ports

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(120)]
CONTROL_AND_ENGINE = 6


def taken(process: subprocess.Popen[str], first: int, count: int) -> int:
    """UDP ports of the range that a process and its children hold."""
    held = 0
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for one in family:
        try:
            held += sum(c.laddr.port in range(first, first + count) for c in one.net_connections("udp") if c.laddr)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return held


def test_a_session_takes_few_of_the_ports_at_any_time(tmp_path: Path) -> None:
    name = f"n{uuid.uuid4().hex[:8]}"
    model = save_a_model(tmp_path / "m.safetensors")
    ports = look_at_ports()
    words = ["run", "--model", str(model), "--stream", name, "--out", str(tmp_path), "--headless", "--seconds", "3"]
    words += ["--set", f"markers.stream={name}-cues", "--set", f"engine.name={name}"]
    cues = LslTextOutlet(f"{name}-cues", "Markers", f"{name}-cues")
    seen = [0]
    with (
        amplifier(name, "--source-id", name),
        subprocess.Popen([sys.executable, "-m", "bci", *words], stdout=subprocess.DEVNULL, text=True) as process,
    ):
        while process.poll() is None:
            seen.append(taken(process, ports.first, ports.count))
            time.sleep(0.05)
    cues.close()
    assert process.returncode == 0
    assert CONTROL_AND_ENGINE <= max(seen) <= SESSION_PORTS
