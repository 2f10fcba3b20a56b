"""Our own timers: a silent stream is noticed, a wrong rate is told, a bursty board is left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.engine.watch import RateVerdict, RateWatch, Staleness


def verdicts(
    declared_hz: float, real_hz: float, jitter_s: float = 0.0, chunk: int = 5, seconds: float = 60.0
) -> list[RateVerdict]:
    rng = np.random.default_rng(1)
    watch = RateWatch(StreamInfo(declared_hz, (Channel("C3"),), name="amp"))
    due = np.arange(chunk, seconds * real_hz, chunk) / real_hz
    arrivals = np.maximum.accumulate(due + rng.exponential(jitter_s, len(due)))
    found = (watch.arrived(float(t), chunk) for t in arrivals)
    return [v for v in found if v is not None]


def test_a_stream_is_fresh_then_stale_then_lost() -> None:
    timer = Staleness(10.0)
    timer.arrived(20.0)
    assert [timer.state(20.0 + age) for age in (0.2, 0.3, 0.99, 1.01)] == ["fresh", "stale", "stale", "lost"]
    assert timer.age_s(20.5) == 0.5


def test_no_verdict_before_ten_seconds() -> None:
    assert not verdicts(250, 125, seconds=9.9)


@pytest.mark.parametrize(
    ("real_hz", "level"),
    [(250.0, "ok"), (250.55, "ok"), (247.0, "warning"), (253.0, "warning"), (220.0, "mismatch"), (125.0, "mismatch")],
)
def test_a_warning_at_one_per_cent_and_a_mismatch_at_ten(real_hz: float, level: str) -> None:
    found = verdicts(250, real_hz)
    assert {v.level for v in found} == {level}
    assert found[-1].effective_hz == pytest.approx(real_hz, rel=1e-3)


def test_the_message_names_both_rates_and_what_to_do() -> None:
    message = verdicts(125, 50)[-1].message
    assert "declares 125 Hz" in message
    assert "delivers 50 Hz" in message
    assert "montage" in message


def test_a_board_that_pushes_in_bursts_raises_no_false_alarm() -> None:
    assert {v.level for v in verdicts(125, 125.3, jitter_s=0.1)} == {"ok"}


def test_a_wrong_rate_is_seen_through_bursts() -> None:
    assert {v.level for v in verdicts(125, 50, jitter_s=0.1)} == {"mismatch"}


def test_after_a_gap_the_measurement_begins_anew() -> None:
    watch = RateWatch(StreamInfo(100.0, (Channel("C3"),)))
    for t in np.arange(0.1, 12, 0.1):
        watch.arrived(float(t), 10)
    watch.restart()
    assert watch.arrived(30.0, 10) is None
    found = [v for t in np.arange(30.1, 45, 0.1) if (v := watch.arrived(float(t), 10))]
    assert {v.level for v in found} == {"ok"}
