"""Faults 40 and 44 with something that moves: a recorder that must record and cannot, in a live session with an actuator."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from machine import condition, within

from bci.stream.lsl import local_clock
from bci.stream.xdf.reader import read_xdf

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from soak_session import SoakSession

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="signals, terminals and limits of files are POSIX"),
]

CHANNELS, RATE_HZ = 8, 250.0
LARGEST = 600_000
SILENT_S, LATCH_S, LATE_S, STOPPED_S = 2.0, 1.0, 2.0, 10.0


def wait(done, what: str, session: SoakSession, timeout_s: float = 90.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"{what}: not within {timeout_s:g} s; it said {session.said()[-1500:]}"
        time.sleep(0.02)


def test_fault_40_when_the_disk_is_full_the_actuator_is_neutral_the_person_is_told_and_what_is_written_stays_valid(
    tmp_path: Path,
) -> None:
    with SoakSession(tmp_path, CHANNELS, RATE_HZ, LARGEST) as session:
        session.begin()
        first = session.recordings[0]
        wait(lambda: first.stat().st_size >= LARGEST - 30_000, "a file that is full", session)
        full = local_clock()
        wait(lambda: session.neutral(full), "neutral", session, 20.0)
        neutral_s = session.neutral(full)[0] - full
        time.sleep(3.0)
        print(f"\ndisk full: neutral after {neutral_s:.1f} s ({condition()}); said {session.said()[-600:]}")
        assert not session.received(full + neutral_s), "and nothing moves until a person arms"
        wait(lambda: "too large" in session.said(), "the disk's own words", session, 40.0)
    (eeg,) = [s for s in read_xdf(first).streams if s.header.name.startswith("amp")]
    assert len(eeg.stamps) > 1000
    assert np.diff(np.asarray(eeg.stamps)).max() < 1.5 / RATE_HZ, "every sample up to there, in order"
    assert full - eeg.stamps[-1] < within(LATE_S)


def test_fault_44_while_the_recorder_takes_nothing_the_actuator_is_safe_and_its_return_moves_nothing_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with SoakSession(tmp_path, CHANNELS, RATE_HZ) as session:
        session.begin()
        recorder = session.processes()["record"]
        began = local_clock()
        recorder.send_signal(signal.SIGSTOP)
        wait(lambda: session.neutral(began), "neutral", session, 20.0)
        neutral_s = session.neutral(began)[0] - began
        time.sleep(max(0.0, STOPPED_S - neutral_s))
        recorder.send_signal(signal.SIGCONT)
        time.sleep(4.0)
        print(f"\nrecorder stopped for {STOPPED_S:g} s: neutral after {neutral_s:.1f} s ({condition()})")
        assert neutral_s <= SILENT_S + LATCH_S + within(0.5)
        assert not session.received(began + neutral_s)
        session.end()
        (path,) = session.recordings
    file = read_xdf(path)
    assert file.verified == "verified"
    (eeg,) = [s for s in file.streams if s.header.name.startswith("amp")]
    gaps = np.diff(np.asarray(eeg.stamps))
    assert gaps.max() < 1.5 / RATE_HZ, "every sample that was sent meanwhile is here"
