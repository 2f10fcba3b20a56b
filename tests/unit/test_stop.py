"""Why a process ends or stands still: real signals to real processes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

pytestmark = pytest.mark.live

SAY = """
import os
def say(text):
    os.write(1, f"{text}\\n".encode())  # in one piece: two threads speak
"""
LOOP = """
import sys, time
from bci.processes.stop import StopRequest
stop = StopRequest()
say("ready")
while not stop():
    time.sleep(0.01)
say(stop())
"""
BUSY = """
import hashlib, sys, time
from bci.processes.stop import StopRequest
stop = StopRequest()
with stop.at_once(lambda: say("neutral")):
    say("ready")
    hashlib.pbkdf2_hmac("sha256", b"", b"", 5_000_000)  # the main thread is in a library, as in liblsl
    say(stop())
"""
PAUSED = """
import time
from bci.processes.stop import StopRequest
stop = StopRequest()
with stop.at_once(lambda: say("ended"), lambda: say("neutral")):
    say("ready")
    while not stop():
        time.sleep(0.01)
    say(stop())
"""
TWICE = """
import time
from bci.processes.stop import StopRequest, interrupts, patient
stop = StopRequest()
say("ready")
with patient():
    while interrupts() < 2:
        time.sleep(0.01)
    say("two")
try:
    while interrupts() < 3:
        time.sleep(0.01)
except KeyboardInterrupt:
    say("left")
"""


@contextmanager
def started(code, **options):
    with subprocess.Popen([sys.executable, "-c", SAY + code], stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"])
def test_every_way_to_end_a_program_ends_it_in_good_order(name):
    with started(LOOP) as process:
        process.send_signal(getattr(signal, name))
        assert process.stdout.readline() == f"{name}\n"
        assert process.wait(5.0) == 0


def test_nohup_lets_a_program_outlive_its_terminal():
    with started(LOOP, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert process.poll() is None
        process.terminate()
        assert process.stdout.readline() == "SIGTERM\n"


@pytest.mark.alone
def test_what_cannot_wait_is_called_while_the_main_thread_is_busy_in_a_library():
    with started(BUSY) as process:
        time.sleep(0.1)
        began = time.monotonic()
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "neutral\n"
        first_s = time.monotonic() - began
        assert process.stdout.readline() == "SIGHUP\n"
        assert first_s < 0.25 < time.monotonic() - began


def test_ctrl_z_is_neutral_first_and_stops_the_program_then_until_it_is_woken():
    with started(PAUSED) as process:
        for _ in range(2):
            process.send_signal(signal.SIGTSTP)
            assert process.stdout.readline() == "neutral\n"
            end = time.monotonic() + 5.0
            while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
                assert time.monotonic() < end
                time.sleep(0.01)
            process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        assert {process.stdout.readline() for _ in range(2)} == {"ended\n", "SIGTERM\n"}


def test_a_further_ctrl_c_interrupts_nothing_that_must_come_to_its_end():
    with started(TWICE) as process:
        for expected in (None, "two\n", "left\n"):
            os.kill(process.pid, signal.SIGINT)
            if expected:
                assert process.stdout.readline() == expected
            time.sleep(0.1)
