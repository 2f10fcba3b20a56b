"""A process that was started ahead of time does what it is told, once, and nothing where nobody tells it."""

import os
import time
from pathlib import Path

import psutil
import pytest

from bci.processes.child import Child, ChildError
from bci.processes.spare import Spare

PATIENCE_S = 60.0


def of_this_process() -> set[psutil.Process]:
    return set(psutil.Process(os.getpid()).children())


def test_it_runs_its_command_with_the_words_it_is_told_and_its_errors_go_to_the_log(tmp_path: Path) -> None:
    log, model = tmp_path / "engine.log", tmp_path / "none.safetensors"
    with Spare("engine") as spare:
        words = ["--model", str(model), "--parent-pipe", "--json"]
        child = Child("engine", ["engine", *words], log, started=spare.take(words, {}, log))
        assert spare.take(words, {}, log) is None
        with pytest.raises(ChildError, match=r"none\.safetensors"):
            child.wait_ready(PATIENCE_S)
        child.stop()
    assert "none.safetensors" in log.read_text()


def test_one_that_nobody_takes_ends_with_who_started_it() -> None:
    others = of_this_process()
    with Spare("engine"):
        (process,) = of_this_process() - others
    assert not process.is_running()


def test_one_that_has_ended_is_not_taken(tmp_path: Path) -> None:
    others = of_this_process()
    with Spare("engine") as spare:
        (process,) = of_this_process() - others
        process.kill()
        end = time.monotonic() + PATIENCE_S
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
            time.sleep(0.01)
        assert spare.take([], {}, tmp_path / "log") is None


def test_a_command_that_loads_nothing_ahead_of_time_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Spare("version") as spare:
        started = spare.take([], {}, log)
        if started is not None:
            child = Child("version", ["version"], log, started=started)
            with pytest.raises(ChildError):
                child.wait_ready(PATIENCE_S)
            child.stop()
