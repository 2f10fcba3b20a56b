"""Whole sessions with real processes over LSL, and what happens when one of them is killed, stopped or told to end.

Times come from the recordings: rows are stamped when they are sent, samples when they were due, on one clock.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from connections import cut
from eeg_sender import COUNT, amplifier
from machine import within
from session_rig import (
    DUE_S,
    END_S,
    PATIENCE_S,
    STALE_S,
    STALL_S,
    Recorded,
    Session,
    assert_verified,
    bci,
    save_a_model,
    until,
)

from bci.engine.outcome import Reason
from bci.stream import messages
from bci.stream.lsl import LslRawInlet, StreamQuery, find, resolve

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.name != "posix", reason="signals are POSIX"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tangent-space model that takes a weak C3 for the left hand."""
    return save_a_model(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture
def name() -> str:
    """Unlike that of any other stream."""
    return f"amp{uuid.uuid4().hex[:8]}"


@pytest.fixture
def started(tmp_path: Path, model: Path) -> Iterator[Callable[..., Session]]:
    """Start sessions; whatever is left of them at the end of the test is killed."""
    sessions: list[Session] = []

    def start(source: str, *options: str) -> Session:
        sessions.append(Session(model, source, tmp_path / str(len(sessions)), *options))
        return sessions[-1]

    yield start
    for session in sessions:
        session.clean()


@pytest.mark.alone
def test_faults_1_4_5_a_killed_sender_is_neutral_in_time_and_taken_back_only_if_it_is_the_same(started, name: str) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name, "--source-id", name) as first:
        session = started(name).until_deciding()
        first.kill()
        session.until_reason(Reason.LOST)
        time.sleep(0.5)
    with amplifier(name, "--source-id", name, "--seed", "1") as second:
        session.until_deciding()
        second.kill()
        session.until_reason(Reason.LOST)
    events = session.reader("events")
    with amplifier(name, "--source-id", name, "--rate", "500"):
        seen: list[str] = []

        def refused() -> bool:
            pulled = events.pull(0.1)
            seen.extend(row[0] for row in (pulled[0] if pulled else []))
            return any('"refused"' in text for text in seen)

        until(refused, "the other rate is refused")
        code, took_s, said = session.signal(signal.SIGINT)
    assert (code, took_s < within(END_S)) == (0, True), (code, took_s, said)
    assert not session.gone()
    recorded = Recorded(session)
    assert [k for k in recorded.kinds() if k in ("lost", "found", "refused")] == ["lost", "found", "lost", "refused"]
    reason = next(e["why"] for e in recorded.events if e["kind"] == "refused")
    assert "expects 250 Hz" in reason
    assert "stream has 500 Hz" in reason
    recorded.assert_everything_delivered_is_here()
    recorded.assert_neutral_in_time(recorded.stamps[0][-1], recorded.stamps[1][0])
    assert recorded.at("lost") - recorded.stamps[0][-1] < DUE_S + within(1.0)
    after = recorded.sent > recorded.at("lost", 1)
    assert set(recorded.decisions[after, 1]) == {-1.0}, "nothing is decided on a stream of another rate"
    assert_verified(session.path)


@pytest.mark.parametrize("comes_back", [True, False])
def test_what_only_the_engine_heard_of_a_sender_that_was_killed_is_put_on_record_and_verified(  # type: ignore[no-untyped-def]
    started, name: str, comes_back: bool
) -> None:
    """What a sender that dies has given one reader and not yet the other: here the last half second, to be sure of it."""
    with amplifier(name, "--source-id", name) as first:
        session = started(name).until_deciding()
        session.children["record"].send_signal(signal.SIGSTOP)
        assert cut(first.pid, session.children["record"].pid)
        time.sleep(0.5)
        first.kill()
        session.until_reason(Reason.LOST)
        session.children["record"].send_signal(signal.SIGCONT)
        time.sleep(0.5)
    if comes_back:
        with amplifier(name, "--source-id", name, "--seed", "1"):
            session.until_deciding()
            code, _, said = session.signal(signal.SIGINT)
    else:
        code, _, said = session.signal(signal.SIGINT)
    assert code == 0, said
    recorded = Recorded(session)
    lost = next(e["consumed"] for e in recorded.events if e["kind"] == "lost")
    begins = float.fromhex(next(e["stamp"] for e in recorded.events if e["kind"] == "start"))
    had = len(recorded.stamps[0]) - int(np.flatnonzero(recorded.stamps[0] == begins)[0])
    assert 0 < lost - had < 500, "samples that only the engine had"
    (told,) = json.loads(assert_verified(session.path))["engine_only"]
    assert told.startswith(f"{lost - had} samples up to consumed = {lost} ")
    assert ((recorded.outcomes[:, 2] > had) & (recorded.outcomes[:, 2] <= lost)).any(), "decisions stand on them"
    assert "engine only" in bci("replay", "--verify", str(session.path)).stdout


def test_an_engine_begins_when_its_recorder_has_all_its_streams_whoever_else_listens(started, name: str) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name, "--source-id", name):
        session = started(name)
        children = psutil.Process(session.process.pid).children
        until(lambda: any("record" in p.cmdline() for p in children() if p.is_running()), "the recorder starts")
        recorder = next(p for p in children() if "record" in p.cmdline())
        recorder.send_signal(signal.SIGSTOP)
        streams = ("outcomes", "events", "decisions", "timing", "state")
        readers = [session.reader(what) for what in streams]
        until(lambda: all(r.pull(0.0) is None for r in readers), "all are listened to")
        time.sleep(1.5)
        assert len(session.decisions()) == 0, "it does not begin because others listen"
        recorder.send_signal(signal.SIGCONT)
        session.until_deciding()
        rows = session.decisions()
        code, _, said = session.signal(signal.SIGINT)
    assert code == 0, said
    recorded = Recorded(session)
    assert np.array_equal(recorded.decisions[: len(rows), 0], rows[:, 0]), "the first decision is on record, and each after it"
    assert_verified(session.path)


@pytest.mark.alone
def test_faults_2_3_of_a_sender_that_hangs_nothing_old_is_decided_and_its_backlog_is_recorded(started, name: str) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name, "--source-id", name) as sender:
        session = started(name).until_deciding()
        sender.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        session.until_reason(Reason.LOST)
        time.sleep(max(0.0, stopped_s + STALL_S - time.monotonic()))
        sender.send_signal(signal.SIGCONT)
        session.until_deciding()
        code, took_s, said = session.signal(signal.SIGTERM)
    assert (code, took_s < within(END_S)) == (0, True), (code, took_s, said)
    recorded = Recorded(session)
    recorded.assert_everything_delivered_is_here()
    (stamps,) = recorded.stamps
    silent = recorded.sent[recorded.decisions[:, 5] == Reason.LOST]
    silent = silent[silent < recorded.sent[-1] - 1e-9]  # the last row is the farewell
    before = stamps[stamps < silent[0] - STALE_S / 2][-1]
    recorded.assert_neutral_in_time(before, silent[-1])
    assert silent[-1] - silent[0] > STALL_S - 1.0
    fresh = (recorded.decisions[:, 1] >= 0) & (recorded.decisions[:, 6] == 0)
    age_s = recorded.sent[fresh] - recorded.decisions[fresh, 3]
    assert age_s.max() <= STALE_S + age_s.min() + 0.03, "no decision from the backlog"
    old = recorded.outcomes[recorded.outcomes[:, 3] < silent[-1] - 1.0]
    assert len(old) > 25 * STALL_S * 0.5, "though all of it went through the engine"
    assert "rate" not in recorded.kinds()
    assert "freeze" not in recorded.kinds()
    first, second = assert_verified(session.path), assert_verified(session.path)
    assert first == second, "fault 45"


@pytest.mark.alone
@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT)], ids=["twice"])
def test_fault_34_a_second_interrupt_ends_it_just_as_soon_and_leaves_a_readable_file(started, name: str, numbers) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name, "--source-id", name):
        session = started(name).until_deciding()
        code, took_s, said = session.signal(*numbers)
        assert took_s < within(END_S), said
        assert code in (0, 130)
        until(lambda: not session.gone(), "all processes end", within(END_S))
    assert "Traceback" not in said
    recorded = Recorded(session)
    assert recorded.file.closed
    recorded.assert_everything_delivered_is_here()
    assert_verified(session.path)


def test_fault_34_an_interrupt_while_it_looks_for_the_stream_is_obeyed_at_once(started) -> None:  # type: ignore[no-untyped-def]
    session = started("not-there", "--set", "stream.timeout_s=30")
    until(lambda: find(StreamQuery(name=f"{session.name}-control"), 1.0, 0.0), "the session is there")
    code, took_s, said = session.signal(signal.SIGINT)
    assert (code, took_s < within(2 * END_S)) == (130, True), (code, took_s, said)
    assert not list(session.out.rglob("*.xdf"))


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_fault_34_an_interrupt_while_the_engine_starts_is_obeyed_at_once(started, name: str, number: int) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name, "--source-id", name):
        session = started(name)
        children = psutil.Process(session.process.pid).children
        until(lambda: any("record" in p.cmdline() for p in children() if p.is_running()), "the recorder starts")
        session.children = {str(p.pid): p for p in children()}
        code, took_s, said = session.signal(number)
    assert (code, took_s < within(2 * END_S)) == (130, True), (code, took_s, said)
    assert not session.gone()


def test_a_recording_that_was_moved_is_named_where_it_is_and_another_session_of_the_name_is_told(  # type: ignore[no-untyped-def]
    started, name: str
) -> None:
    with amplifier(name, "--source-id", name):
        first = started(name).until_deciding()
        second = started(name, "--set", f"engine.name={first.name}")
        until(lambda: list(second.out.rglob("*.xdf")), "the second records")
        code, _, said = first.signal(signal.SIGINT)
        assert code == 0, said
        second.name = first.name
        second.until_deciding()
        second.out.rename(second.out.with_name("elsewhere"))
        code, _, said = second.signal(signal.SIGINT)
    assert re.search(rf"warning: another session with the name '{first.name}' runs on this computer", said)
    assert code == 0, said
    result = json.loads(next(line for line in said.splitlines() if line.startswith('{"recording"')))
    assert [Path(path).is_relative_to(second.out.with_name("elsewhere")) for path in result["recordings"]] == [True]
    assert Path(result["recordings"][0]).is_file()


def test_when_the_session_itself_is_killed_its_processes_end_and_the_file_is_whole(started, name: str) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name, "--source-id", name):
        session = started(name).until_deciding()
        session.process.kill()
        until(lambda: not session.gone(), "all processes end", within(END_S))
    recorded = Recorded(session)
    assert recorded.file.closed
    assert recorded.events[-1]["kind"] == "stop", "the engine's last word is on record"
    recorded.assert_everything_delivered_is_here()
    assert_verified(session.path)


def test_when_the_recorder_is_killed_a_further_run_begins_and_both_files_are_readable(started, name: str) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name, "--source-id", name):
        session = started(name).until_deciding()
        session.children["record"].kill()
        session.children["record"].wait(PATIENCE_S)
        time.sleep(END_S)
        session.forget().until_deciding()
        code, _, said = session.signal(signal.SIGINT)
    assert (code, "recorder was killed by signal 9" in said, "Traceback" in said) == (0, True, False), said
    assert not session.gone()
    first, second = sorted(session.out.rglob("*.xdf"))
    recorded = Recorded(session, first)
    assert not recorded.file.closed
    for counts in recorded.counts:
        assert np.array_equal(counts, np.arange(counts[0], counts[0] + len(counts)))
    assert_verified(second)


def test_an_engine_that_is_killed_is_begun_again_with_a_file_of_its_own_and_the_third_time_in_a_minute_ends_the_session(  # type: ignore[no-untyped-def]
    started, name: str
) -> None:
    with amplifier(name, "--source-id", name):
        session = started(name).until_deciding()
        for _ in range(2):
            session.children["engine"].kill()
            session.children["engine"].wait(PATIENCE_S)
            time.sleep(END_S)
            session.forget().until_deciding()
        session.children["engine"].kill()
        code = session.process.wait(timeout=PATIENCE_S)
        said = "\n".join(session.process.communicate())
        until(lambda: not session.gone(), "all processes end", within(END_S))
    assert (code, "Traceback" in said) == (9, False), said
    assert "engine was killed by signal 9" in said
    assert "3 times within 60 s" in said
    recordings = sorted(session.out.rglob("*.xdf"))
    assert len(recordings) == 3
    for path in recordings:
        recorded = Recorded(session, path)
        assert recorded.file.closed
        recorded.assert_everything_delivered_is_here()
        assert_verified(path)


@pytest.mark.parametrize("command", ["engine"])
def test_fault_6_of_two_streams_that_match_none_is_taken_and_both_are_listed(
    model: Path, tmp_path: Path, name: str, command: str
) -> None:
    with amplifier(name, "--source-id", f"{name}-a"), amplifier(name, "--source-id", f"{name}-b"):
        result = bci(command, "--model", str(model), "--source", f"name={name}", "--out", str(tmp_path))
    assert result.returncode == 3, result.stderr
    assert "2 streams match" in result.stderr
    assert f"'{name}-a'" in result.stderr
    assert f"'{name}-b'" in result.stderr


@pytest.mark.parametrize("command", ["run"])
def test_fault_7_without_a_stream_it_says_what_was_searched_and_seen(
    model: Path, tmp_path: Path, name: str, command: str
) -> None:
    options = ["--out", str(tmp_path), "--set", "stream.timeout_s=0.5"]
    with amplifier(name, "--source-id", name):
        result = bci(command, "--model", str(model), "--source", "name=elsewhere", *options)
    assert result.returncode == 3, result.stderr
    assert "no stream with name 'elsewhere' on this machine within 0.5 s" in result.stderr
    assert name in result.stderr, "what was seen instead"


def test_fault_8_without_source_id_it_warns_runs_and_does_not_take_the_stream_back(started, name: str) -> None:  # type: ignore[no-untyped-def]
    with amplifier(name) as first:
        session = started(name).until_deciding()
        first.kill()
        session.until_reason(Reason.LOST)
    with amplifier(name):
        time.sleep(2.0)
        code, _, said = session.signal(signal.SIGINT)
    assert code == 0
    assert re.search(r"warning: .*no source_id: .*will not use the stream again", said)
    recorded = Recorded(session)
    assert [k for k in recorded.kinds() if k in ("lost", "found")] == ["lost"]
    assert set(recorded.decisions[recorded.sent > recorded.at("lost"), 1]) == {-1.0}


def test_fault_23_a_wrong_unit_is_refused_at_the_start(model: Path, tmp_path: Path, name: str) -> None:
    with amplifier(name, "--source-id", name, "--scale", "1e-6"):
        result = bci("engine", "--model", str(model), "--source", f"name={name}")
    assert result.returncode == 3, result.stderr
    assert re.search(r"unit: the signal is .* µV .*, the training data were .* µV", result.stderr)
    assert "stream.unit" in result.stderr


def test_the_engine_process_is_small_and_loads_no_window_and_nothing_to_train_with(model: Path, name: str) -> None:
    words = ["engine", "--model", str(model), "--source", f"name={name}", "--parent-pipe", "--set", f"engine.name={name}"]
    with (
        amplifier(name, "--source-id", name),
        subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "bci", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        errors: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:  # imports are told as they happen; the last one before it is ready is liblsl's
            errors.append(line)
            if "bci.session.engine_process" in line:
                break
        assert json.loads(process.stdout.readline())["ready"]
        outcomes = LslRawInlet(resolve(StreamQuery(name=f"{name}-outcomes"), PATIENCE_S, 0.1))
        seen = [0]

        def decoding() -> bool:
            pulled = outcomes.pull(0.1)
            seen[0] += len(pulled[1]) if pulled else 0
            return seen[0] > 25

        until(decoding, "outcomes")
        resident = psutil.Process(process.pid).memory_info().rss
        outcomes.close()
        _, rest = process.communicate()
    imported = {
        match[1].partition(".")[0] for x in [*errors, *rest.splitlines()] if (match := re.search(r"\|\s+([\w.]+)\s*$", x))
    }
    assert process.returncode == 0, "the pipe's end is no crash"
    assert {"numpy", "pylsl", "bci", "safetensors"} <= imported
    assert not imported & {"sklearn", "pyriemann", "torch", "PySide6", "shiboken6", "pyqtgraph", "matplotlib", "mne", "joblib"}
    assert resident < 200e6


def test_an_engine_asked_to_stop_by_a_message_ends_cleanly_while_its_parent_lives(model: Path, name: str) -> None:
    from bci.stream.keys import own_key
    from bci.stream.lsl import LslTextOutlet, local_clock, this_host
    from bci.stream.signing import Signer

    sign = Signer(own_key(), local_clock, this_host())
    words = ["engine", "--model", str(model), "--source", f"name={name}", "--parent-pipe", "--set", f"engine.name={name}"]
    control = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control")
    with (
        amplifier(name, "--source-id", name),
        subprocess.Popen(
            [sys.executable, "-m", "bci", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        assert control.wait_for_consumers(PATIENCE_S)
        control.push("nonsense")
        control.push(messages.line("stop", why="a stranger"))
        control.push(sign.line("stop", why="enough"))
        process.wait(PATIENCE_S)
        assert process.stderr is not None
        said = process.stderr.read()
    control.close()
    assert process.returncode == 0, said
    assert COUNT not in said
    assert "Fatal" not in said
