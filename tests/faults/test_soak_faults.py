"""Fault 50: whatever goes on for hours keeps its memory, its threads and its handles. The long form: tests/benchmarks/soak.py."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from machine import stalled_s

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
from soak import (  # noqa: E402
    Watched,
    became_more,
    judge,
    kept,
    lateness_ms,
    slope,
    soak,
)
from soak_virtual import virtual  # noqa: E402

BLOCKS_A_MINUTE = 1000
LIMIT_MB_MINUTE = 1.0 / 60


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fault_50_minutes_of_a_recorded_session_at_64_channels_and_1_khz_leave_nothing_behind_in_memory(tmp_path: Path) -> None:
    found = virtual(4.0, 64, 1000.0, tmp_path)
    print(f"\nresident {found.rss_mb} MB, blocks {found.blocks}, turns p99 {np.round(found.step_ms, 1)} ms")
    assert len(found.blocks) == 4
    assert found.blocks[-1] - found.blocks[1] <= 2 * BLOCKS_A_MINUTE
    assert found.rss_mb[-1] - found.rss_mb[1] <= 2 * LIMIT_MB_MINUTE + 0.1


@pytest.mark.slow
@pytest.mark.live
@pytest.mark.timeout(240)
@pytest.mark.skipif(os.name != "posix", reason="the session is armed at a terminal")
def test_fault_50_a_live_session_at_64_channels_and_1_khz_gains_neither_threads_nor_handles_and_its_commands_go_on(
    tmp_path: Path,
) -> None:
    result = soak(1.0, 64, 1000.0, tmp_path)
    processes = result["processes"]
    print(f"\n{json.dumps(result)}")
    assert set(processes) == {"run", "amplifier", "engine", "record", "actuate"}
    for name, found in processes.items():
        for what in ("threads", "handles"):
            assert found[what][1] <= found[what][0], f"{name}: {what} {found[what]}"
    assert result["commands"] > 300
    assert "no command reached the actuator" not in result["over"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fault_50_the_operator_window_keeps_its_memory_over_2000_repaints() -> None:
    pytest.importorskip("PySide6", reason="windows need the extra gui: pip install 'bci[gui]'")
    words = ["--repaints", "2000", "--frames", "1", "--seconds", "5", "--channels", "16", "--rate", "250", "--json"]
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, str(BENCHMARKS / "bench_gui.py"), *words], capture_output=True, env=env, check=True)
    found = json.loads(done.stdout)["memory over repaints"]
    print(f"\n{found}")
    assert found["second_half_growth_mb"] < 1.0


def test_fault_50_a_leak_of_two_megabytes_an_hour_is_found_among_jumps_and_noise_and_its_absence_too() -> None:
    rng, at_s = np.random.default_rng(0), np.arange(0, 2400, 5.0)
    for leak in (0.0, 2.0):
        mb = (
            100 + leak * at_s / 3600 + rng.normal(0, 0.05, len(at_s)) + 20.0 * (at_s < 300) + 3.0 * (rng.random(len(at_s)) < 0.05)
        )
        found = slope(at_s.tolist(), mb.tolist(), 600.0)
        assert found is not None
        assert found.low <= leak <= found.high
        assert abs(found.mb_h - leak) < 0.5


def test_fault_50_more_handles_threads_and_lateness_are_over_their_limit_and_the_same_are_not() -> None:
    at_s = np.arange(0, 2400, 5.0).tolist()
    flat = [100.0] * len(at_s)
    ages = np.column_stack((np.arange(0, 2400, 0.04), np.full(60_000, 0.004)))
    ages[::100, 1] = np.nan
    steady = Watched(at_s, flat, flat, [9] * len(at_s), [40] * len(at_s))
    leaking = Watched(at_s, flat, flat, [9 + round(t / 600) for t in at_s], [40 + round(t / 60) for t in at_s])
    assert judge({"engine": steady}, ages, 100, 40.0)["over"] == []
    over = judge({"engine": leaking}, ages, 0, 40.0)["over"]
    assert [" ".join(line.split()[:3]) for line in over] == ["engine: 10 threads", "engine: 50 handles", "no command reached"]
    ages[-10_000:, 1] += 0.010 + stalled_s()
    assert lateness_ms(ages, 600.0)[1] > lateness_ms(ages, 600.0)[0] + 9
    assert kept(leaking.handles, at_s, 600.0) == (50.0, 79.0)


def test_fault_50_what_a_process_keeps_open_is_told_by_its_kind(tmp_path: Path) -> None:
    watched, opened, process = Watched(), [], psutil.Process()
    try:
        for k in range(20):
            if k == 10:
                opened = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM), (tmp_path / "left").open("w")]
                opened[0].bind(("127.0.0.1", 0))
            watched.look(process, 60.0 * k)
    finally:
        for thing in opened:
            thing.close()
    assert became_more(watched, 300.0) == f"{tmp_path / 'left'}: 0 → 1, UDP NONE: 0 → 1"
