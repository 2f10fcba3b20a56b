"""The end of a recorder: real processes that write slowly, hang, fail, or are given up."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from bci.processes.child import Child
from bci.processes.stop import StopRequest
from bci.processes.writing import written

pytestmark = pytest.mark.live

RECORDER = """
import os, sys, time
from bci.processes.child import say_alive, say_ready
say_ready()
while os.read(0, 4096):
    pass
waiting = int(sys.argv[1])
while waiting > 0:
    say_alive(written=10_000_000 - waiting, waiting=waiting, write_s=0.0)
    waiting -= int(sys.argv[2])
    time.sleep(0.1)
sys.exit(int(sys.argv[3]))
"""


@pytest.fixture(autouse=True)
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say after half a second what is waited for."""
    monkeypatch.setattr("bci.processes.writing.TOLD_S", 0.5)


def recorder(tmp_path: Path, waiting: int, step: int, code: int = 0) -> Child:
    child = Child("recorder", ["-c", RECORDER, *map(str, (waiting, step, code))], tmp_path / "log", program=[sys.executable])
    child.wait_ready(20.0)
    return child


def test_a_recorder_is_waited_for_while_bytes_go_down_and_a_person_is_told_how_many(tmp_path: Path) -> None:
    told: list[str] = []
    assert written(recorder(tmp_path, 3_000_000, 200_000), told.append, patience_s=1.0) == ""
    assert told[0].startswith("waiting for the disk: ")
    assert "MB to write" in told[0]


def test_a_recorder_that_writes_nothing_is_given_up_and_what_is_lost_is_said(tmp_path: Path) -> None:
    began = time.monotonic()
    lost = written(recorder(tmp_path, 3_000_000, 0), lambda _: None, patience_s=1.0)
    assert "given up: nothing went to the disk for 1 s. Of the newest data 3.0 MB may be missing" in lost
    assert 1.0 < time.monotonic() - began < 5.0


def test_a_recorder_that_failed_is_told_whatever_it_says(tmp_path: Path) -> None:
    assert written(recorder(tmp_path, 0, 1, code=7), lambda _: None) == "recorder ended with code 7"


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_while_the_disk_is_waited_for_gives_up_and_before_that_does_not(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    endings = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)}
    StopRequest()
    try:
        os.kill(os.getpid(), signal.SIGINT)  # the one that ended the session
        child = recorder(tmp_path, 3_000_000, 0)
        told: list[str] = []

        def say(text: str) -> None:
            if not told:
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()  # no person's second Ctrl-C
                threading.Timer(0.4, signal.raise_signal, (signal.SIGINT,)).start()
            told.append(text)

        from bci.processes.stop import patient

        with patient():
            lost = written(child, say, patience_s=30.0)
        assert "given up: Ctrl-C was pressed again" in lost
        assert "3.0 MB" in lost
    finally:
        signal.signal(signal.SIGINT, before)
        for number, handler in endings.items():
            signal.signal(number, handler)
