"""Processes of a session: what a child says of itself, and what its parent makes of it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bci.processes.child import WATCHED, Child

pytestmark = pytest.mark.live

SIGNS = """
import time
from bci.processes.child import say_alive, say_ready, say_streams
say_streams(events="uid-1")
say_ready(path="x")
while True:
    say_alive(taken=7)
    time.sleep(0.01)
"""


def child(tmp_path: Path, code: str) -> Child:
    return Child("child", ["-c", code], tmp_path / "child.log", program=[sys.executable])


def until(done, timeout_s=20.0):
    end = time.monotonic() + timeout_s
    while not (found := done()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def test_a_child_says_its_streams_and_that_it_lives(tmp_path):
    one = child(tmp_path, SIGNS)
    try:
        assert one.wait_ready(20.0)["path"] == "x"
        assert one.streams == {"events": "uid-1"}
        first = until(lambda: one.sign_of_life)["alive"]
        until(lambda: one.sign_of_life["alive"] >= first + 5)
        assert one.sign_of_life["taken"] == 7
        assert time.monotonic() - one.sign_of_life_s < 1.0
        assert one.message(0.0) is None  # signs of life are no messages
    finally:
        one.kill("test")
        one.stop()


def test_a_parent_that_does_not_read_stops_no_child(tmp_path):
    # The pipe is full after some hundred lines; the program must come to its end all the same, and say its last word.
    code = """
import bci.processes.child as p
p.ALIVE_EVERY_S = 0.0
for _ in range(20000):
    p.say_alive(filler="x" * 100)
p.say_ready(end=True)
"""
    words, environment = [sys.executable, "-c", code], {**os.environ, WATCHED: "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as process:
        assert process.wait(30.0) == 0
        assert process.stdout.read().splitlines()[-1] == b'{"ready": true, "end": true}'


def test_a_new_doubt_is_said_at_once():
    code = "from bci.processes.child import say_alive as s; s(doubt=''); s(doubt=''); s(doubt='it ends'); s(doubt='it ends')"
    words, environment = [sys.executable, "-c", code], {**os.environ, WATCHED: "1"}
    said = subprocess.run(words, capture_output=True, env=environment, check=True).stdout.splitlines()
    assert [json.loads(line)["doubt"] for line in said] == ["", "it ends"]


def test_who_is_not_watched_says_nothing_of_it(tmp_path):
    code = "from bci.processes.child import say_alive, say_streams; say_alive(x=1); say_streams(a='b')"
    unwatched = {name: text for name, text in os.environ.items() if name != WATCHED}
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, env=unwatched, check=True).stdout == b""


def test_the_terminals_signals_do_not_reach_children(tmp_path):
    one = child(tmp_path, SIGNS)
    try:
        assert os.getpgid(one.pid) == one.pid != os.getpgrp()
    finally:
        one.kill("test")
        one.stop()


def test_telling_a_child_that_does_not_read_never_waits(tmp_path):
    one = child(tmp_path, "import time; time.sleep(60)")
    began = time.monotonic()
    for _ in range(200):
        one.tell(ours=["x" * 1000])
    assert time.monotonic() - began < 2.0
    one.kill("test")
    one.stop()
