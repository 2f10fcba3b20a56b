"""A filter brings simulated people to their targets sooner than plain regression does; the whole table: bench_cursor.py."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from benchmarks.bench_cursor import compare


@pytest.mark.slow
def test_simulated_people_reach_targets_sooner_with_the_kalman_filter_than_with_linear_regression(tmp_path: Path) -> None:
    args = Namespace(skill=0.5, channels=8, each=6, targets=8, across=5.0, memory=1.0)
    times = [{name: r.time_s for name, r in compare(seed, args, tmp_path).items()} for seed in (22, 23)]
    regression, kalman = (sum(t[name] for t in times) / len(times) for name in ("velocity-ridge", "kalman"))
    assert kalman < regression - 0.5, f"regression {regression:.2f} s, Kalman filter {kalman:.2f} s: {times}"
