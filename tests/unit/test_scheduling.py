"""Sources, engine and guard go first where the system lets them, and only as long as they run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from bci.processes.scheduling import ENGINE, EQUAL, FIRST, GUARD, SOURCE, SWITCH, ahead, permitted

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux' way of scheduling")


def how() -> tuple[int, int]:
    """Policy and priority of this thread."""
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


def test_a_command_waits_for_no_sample_and_a_sample_for_no_step() -> None:
    assert 0 < ENGINE < SOURCE < GUARD < 50


@linux
def test_what_is_told_is_so_threads_inherit_it_and_it_ends_with_the_context() -> None:
    before, inside = how(), []
    with ahead(SOURCE) as word:
        own = how()
        thread = threading.Thread(target=lambda: inside.append(how()))
        thread.start()
        thread.join()
    assert own == ((os.SCHED_RR, SOURCE) if word == FIRST else before)
    assert inside == [own]
    assert how() == before
    assert permitted() == (word == FIRST)


@linux
def test_it_ends_with_an_error_too() -> None:
    before = how()
    with pytest.raises(ZeroDivisionError), ahead(ENGINE):
        raise ZeroDivisionError
    assert how() == before


@linux
def test_who_may_not_ask_goes_on_as_any_program() -> None:
    """A user without the right, in a process that gives it up: root drops to an ordinary user first."""
    script = (
        "import os, resource; from bci.processes.scheduling import ENGINE, ahead, permitted;"
        "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0)); os.geteuid() or os.setuid(65534)\n"
        "with ahead(ENGINE) as word: print(word, os.sched_getscheduler(0) == os.SCHED_OTHER, permitted())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [EQUAL, "True", "False"], done.stderr


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, EQUAL)
    with ahead(GUARD) as word:
        assert word == EQUAL
    assert not permitted()


def test_one_processor_is_left_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with ahead(GUARD) as word:
        assert word == EQUAL
