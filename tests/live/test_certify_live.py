"""``bci certify`` as people call it: real processes, real streams, a page at the end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.stream import messages
from bci.stream.lsl import LslOutlet, LslTextOutlet, local_clock

pytestmark = [pytest.mark.live, pytest.mark.slow]

RATE_HZ, EVERY_S, EFFECT_S, PULSE_S = 500.0, 0.4, 0.030, 0.05
GENEROUS = [f"{key}=100000" for key in ("p50_ms", "p99_ms", "max_ms", "jitter_ms", "late_percent", "undecoded_percent")]


@contextmanager
def lamp() -> Iterator[None]:
    """Commands as an actuator host sends them, and an amplifier whose photodiode sees each 30 ms later."""
    commands = LslTextOutlet("bci-commands", "BCI-Command", "test-commands")
    info = StreamInfo(RATE_HZ, (Channel("C3"), Channel("Photo", "AUX", "")), source_id="test-lamp", name="lamp", type="Photo")
    signal, stop = LslOutlet(info), threading.Event()

    def send() -> None:
        began, k, commanded = local_clock(), 0, [0.0]
        while not stop.wait(0.01):
            now = local_clock()
            if now - commanded[-1] >= EVERY_S:
                commands.push(messages.line("command", sequence=len(commanded), name="left", began=now, ended=now))
                commanded.append(now)
            n = int((now - began) * RATE_HZ)
            stamps = began + np.arange(k, n) / RATE_HZ
            lit = [any(c + EFFECT_S <= t < c + EFFECT_S + PULSE_S for c in commanded[-3:]) for t in stamps]
            signal.push_chunk(np.column_stack((np.zeros(n - k), np.array(lit, np.float64))), stamps)
            k = n

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        commands.close()
        signal.close()


def certify(out: Path, *words: str) -> tuple[int, dict[str, object], float]:
    """Exit code, certificate and duration."""
    command = [sys.executable, "-m", "bci", "certify", "--simulate", "--json", "--out", str(out), *words]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), time.monotonic() - began


def test_a_simulated_chain_is_certified_with_a_loop_back_and_a_page(tmp_path: Path) -> None:
    limits = [word for limit in GENEROUS for word in ("--limit", limit)]
    with lamp():
        code, found, took_s = certify(
            tmp_path, "--seconds", "6", "--warm-up", "1", "--loopback", "name=lamp", "--channel", "Photo", *limits
        )
    assert code == 0, [x for x in found["limits"] if not x["passed"]] + [found["loopback"]]
    assert found["passed"] is True
    assert took_s < 120
    stages = found["stages_ms"]
    assert set(stages) == {"wire", "engine", "delivery", "whole"}
    assert all(0 < s["p50"] <= s["p95"] <= s["p99"] <= s["max"] for s in stages.values())
    assert found["decisions"] > 100
    assert found["lost_samples"] == 0
    assert found["samples"] > 1000
    assert found["apart"]["window_s"] == 2.0
    assert found["apart"]["device"]["name"] == "simulated"
    loop = found["loopback"]
    assert loop["sent"] >= 10
    assert loop["missed"] == 0
    assert loop["delay_ms"]["p50"] == pytest.approx(1e3 * EFFECT_S, abs=4.0)
    page = Path(found["page"])
    assert page.parent == Path(found["recording"]).parent
    assert ">PASS<" in page.read_text(encoding="utf-8")
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["passed"] is True


def test_what_cannot_be_certified_is_refused_at_once_with_all_reasons(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bci", "certify", "--seconds", "0", "--commands", "x", "--json", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(json.loads(done.stdout)["problems"]) == 3
