"""Faults of streams, with real processes that are killed, stopped and restarted (numbers: the project's list of faults)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lsl_sender import sender
from session_rig import until

from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from bci.engine.watch import RateWatch, Staleness
from bci.errors import StreamAmbiguous, StreamError, StreamLost, StreamMismatch
from bci.stream.lsl import FoundStream, LslRawInlet, LslSignalInlet, Reopen, StreamQuery, local_clock, require_same, resolve
from bci.stream.lsl.false_head import FalseHead

live = pytest.mark.live
POSIX = pytest.mark.skipif(os.name != "posix", reason="SIGSTOP exists on POSIX systems only")


def amp() -> FoundStream:
    return resolve(StreamQuery(source_id="amp-1"))


def pull_for(inlet: LslSignalInlet, seconds: float) -> list[Chunk]:
    end, chunks = time.monotonic() + seconds, []
    while time.monotonic() < end:
        chunk = inlet.pull(0.05)
        chunks += [chunk] if chunk is not None else []
    return chunks


def pull_until_lost(inlet: LslSignalInlet, chunks: list[Chunk], timeout_s: float = 5.0) -> None:
    """Add what comes to ``chunks``; give up after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        chunk = inlet.pull(0.05)
        chunks += [chunk] if chunk is not None else []


def reopened(reopen: Reopen, timeout_s: float = 10.0) -> LslSignalInlet | None:
    """What a loop does: ask again and again."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        inlet = reopen()
        if inlet is not None:
            return inlet
        time.sleep(0.05)
    return None


# --- 1, 2, 3: killed, stopped, continued


@live
def test_fault_1_a_killed_sender_is_lost_within_a_quarter_second_and_everything_before_was_delivered() -> None:
    with sender() as process:
        inlet = LslSignalInlet(amp())
        chunks = pull_for(inlet, 0.5)
        process.kill()
        killed = time.monotonic()
        with pytest.raises(StreamLost, match=r"'amp'.*source_id 'amp-1'"):
            pull_until_lost(inlet, chunks)
        assert time.monotonic() - killed < 0.25
        counter = np.concatenate([c.data for c in chunks])[:, 0]
        np.testing.assert_array_equal(counter, counter[0] + np.arange(len(counter)))
        inlet.close()


@live
@POSIX
def test_fault_2_and_3_a_stopped_sender_raises_nothing_but_our_timer_sees_it_and_its_backlog_comes_whole_and_old() -> None:
    with sender() as process:
        inlet = LslSignalInlet(amp())
        timer = Staleness(local_clock())
        pull_for(inlet, 0.3)
        process.send_signal(signal.SIGSTOP)
        timer.arrived(local_clock())
        stopped = time.monotonic()
        states = []
        while time.monotonic() < stopped + 1.5:
            chunk = inlet.pull(0.05)  # raises nothing
            if chunk is not None:
                timer.arrived(local_clock())
            states.append(timer.state(local_clock()))
        assert list(dict.fromkeys(states)) == ["fresh", "stale", "lost"]
        process.send_signal(signal.SIGCONT)
        first = inlet.pull(2.0)
        assert first is not None
        assert local_clock() - first.stamps[0] > 1.0, "the backlog's stamps tell its age"
        after = [first, *pull_for(inlet, 0.5)]
        counter = np.concatenate([c.data for c in after])[:, 0]
        np.testing.assert_array_equal(counter, counter[0] + np.arange(len(counter)))
        assert local_clock() - after[-1].stamps[-1] < 0.5
        inlet.close()


@live
def test_fault_1_nothing_that_arrived_is_lost_to_a_recorder_that_looks_only_later() -> None:
    with sender() as process:
        inlet = LslRawInlet(amp())
        time.sleep(0.6)
        process.kill()
        killed = local_clock()
        time.sleep(0.3)
        pulled = inlet.pull(0.0)
        assert pulled is not None
        values, stamps = np.asarray(pulled[0]), pulled[1]
        assert len(stamps) > 100
        assert np.all(np.diff(values[:, 0]) == 1)
        assert killed - stamps[-1] < 0.1
        with pytest.raises(StreamLost):
            inlet.pull(1.0)
        inlet.close()


@live
def test_fault_15_a_reader_that_never_looks_is_told_loudly_that_samples_are_missing() -> None:
    with sender("--rate", "1000"):
        inlet = LslRawInlet(amp(), buffer_s=1)
        time.sleep(1.8)
        pulled = inlet.pull(0.0)
        assert pulled is not None
        assert len(pulled[1]) > 900
        with pytest.raises(StreamError, match=r"1000 samples wait and nothing reads them"):
            inlet.pull(0.0)
        inlet.close()


# --- 4, 5, 8: restarted


@live
def test_fault_4_the_same_sender_restarted_is_found_again_without_the_loop_having_to_wait() -> None:
    with sender():
        inlet = LslSignalInlet(amp())
        expected = inlet.info
    with pytest.raises(StreamLost):
        pull_for(inlet, 2.0)
    inlet.close()
    reopen = Reopen(expected)
    assert reopen() is None
    started = time.monotonic()
    assert [reopen() for _ in range(20)] == [None] * 20
    assert time.monotonic() - started < 0.5
    with sender():
        again = reopened(reopen)
        assert again is not None
        assert again.info == expected
        assert pull_for(again, 0.3)
        again.close()


@live
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--rate", "500"), r"expects 250 Hz, 4 channels C3, Cz, C4, …; stream has 500 Hz \("),
        (("--labels", "C3,Cz,C4"), r"stream has 3 channels"),
        (("--labels", "C3,Cz,C4,Oz"), r"labels differ: Pz is now Oz"),
        (("--unit", "mV"), r"units differ: C3 was uV, is mV"),
    ],
)
def test_fault_5_a_sender_restarted_with_anything_else_is_refused_with_the_field_named(
    options: tuple[str, ...], says: str
) -> None:
    with sender():
        inlet = LslSignalInlet(amp())
        expected = inlet.info
        inlet.close()
    reopen = Reopen(expected)
    with sender(*options), pytest.raises(StreamMismatch, match=says):
        reopened(reopen)
    reopen.close()


def test_fault_5_every_field_that_differs_is_named_at_once() -> None:
    a = StreamInfo(250.0, (Channel("C3"), Channel("C4")))
    b = StreamInfo(500.0, (Channel("C3", "AUX", "mV"), Channel("Pz"), Channel("Oz")))
    with pytest.raises(StreamMismatch, match=r"500 Hz; stream has 3 channels; labels.*C4 is now Pz; units.*; types.*C3 was EEG"):
        require_same(a, b)
    require_same(a, a)


@live
def test_fault_8_a_stream_without_source_id_runs_but_is_never_taken_back() -> None:
    with sender("--source-id", "", "--name", "nameless"):
        inlet = LslSignalInlet(resolve(StreamQuery(name="nameless")))
        assert pull_for(inlet, 0.3)
    with pytest.raises(StreamLost, match="without source_id"):
        pull_for(inlet, 2.0)
    reopen = Reopen(inlet.info)
    assert not reopen.possible
    with sender("--source-id", "", "--name", "nameless"):
        assert reopened(reopen, 1.0) is None
    inlet.close()


# --- 6: two of them


@live
def test_fault_6_two_senders_with_one_source_id_are_refused_and_after_a_loss_not_guessed_between() -> None:
    with sender():
        inlet = LslSignalInlet(amp())
        expected = inlet.info
        inlet.close()
    reopen = Reopen(expected)
    assert reopen() is None
    with sender("--name", "one"), sender("--name", "two"):
        with pytest.raises(StreamAmbiguous, match=r"(?s)2 streams match source_id 'amp-1'.*'one'.*'two'"):
            amp()
        watcher = reopen._watcher
        assert watcher is not None
        until(lambda: len(watcher.found()) == 2, "the background search hears both")
        assert reopen() is None
    reopen.close()


# --- 9, 12, 17: what arrives is passed on as it is


@live
def test_fault_9_nothing_for_200_ms_gives_no_chunk_at_all() -> None:
    with sender("--chunk", "125"):
        inlet = LslSignalInlet(amp())
        assert inlet.pull(2.0) is not None
        pulls = [inlet.pull(0.0) for _ in range(50)]
        assert all(p is None or len(p) for p in pulls)
        inlet.close()


def test_fault_12_invented_stamps_at_the_head_are_dropped_and_counted() -> None:
    head = FalseHead(250.0)
    stamps = np.concatenate([np.cumsum(np.full(7, 1 / 250)), 5000 + np.arange(5) / 250])
    values = np.arange(12.0)[:, None]
    out = [head(values[i : i + 3], stamps[i : i + 3]) for i in range(0, 12, 3)]
    assert np.concatenate([v for v, _ in out])[:, 0].tolist() == [7, 8, 9, 10, 11]
    assert np.concatenate([s for _, s in out]).tolist() == stamps[7:].tolist()
    assert head.dropped == 7
    assert head.done


@pytest.mark.parametrize("first", [5000.0, 0.0, 0.5, -3.0])
def test_fault_12_ordinary_stamps_are_delivered_at_once(first: float) -> None:
    head = FalseHead(250.0)
    values, stamps = head(np.ones((1, 2)), np.array([first]))
    assert (len(values), stamps.tolist(), head.dropped) == (1, [first], 0)


def test_fault_12_a_sender_whose_time_really_begins_at_zero_loses_nothing() -> None:
    head = FalseHead(100.0, patience_s=0.5)
    stamps = np.cumsum(np.full(80, 0.01))
    values = np.arange(80.0)[:, None]
    out = [head(values[i : i + 10], stamps[i : i + 10]) for i in range(0, 50, 10)]
    assert head.done
    assert np.concatenate([v for v, _ in out])[:, 0].tolist() == values[:50, 0].tolist()
    assert head.dropped == 0


@live
def test_fault_17_an_outlet_that_closes_delivers_nothing_that_was_not_sent() -> None:
    from bci.stream.lsl import LslOutlet

    info = StreamInfo(250.0, (Channel("C3"),), source_id="closing", name="closing")
    for _ in range(10):
        outlet = LslOutlet(info, "float32")
        inlet = LslSignalInlet(resolve(StreamQuery(source_id="closing"), settle_s=0))
        outlet.push_chunk(np.full((20, 1), 7.0), 100 + np.arange(20) / 250)
        outlet.close()
        chunks: list[Chunk] = []
        with pytest.raises(StreamLost):
            pull_until_lost(inlet, chunks)
        assert {float(x) for c in chunks for x in c.data[:, 0]} <= {7.0}
        inlet.close()


# --- 14: the rate it declares


@live
def test_fault_14_a_stream_that_runs_at_half_its_rate_is_a_mismatch_with_both_numbers() -> None:
    with sender("--real-rate", "125"):
        inlet = LslSignalInlet(amp())
        watch, verdicts = RateWatch(inlet.info, over_s=2.0), []
        end = time.monotonic() + 4.0
        while time.monotonic() < end and not verdicts:
            chunk = inlet.pull(0.1)
            verdict = watch.arrived(local_clock(), len(chunk)) if chunk is not None else None
            verdicts += [verdict] if verdict else []
        assert verdicts[0].level == "mismatch"
        assert verdicts[0].effective_hz == pytest.approx(125, rel=0.05)
        assert "declares 250 Hz" in verdicts[0].message
        inlet.close()


# --- 15: a consumer that is late


@live
def test_fault_15_a_consumer_that_slept_gets_everything_in_order_and_sees_that_it_is_old() -> None:
    with sender():
        inlet = LslSignalInlet(amp())
        inlet.pull(1.0)
        time.sleep(2.0)
        chunk = inlet.pull(0.0)
        assert chunk is not None
        assert len(chunk) > 400
        assert np.all(np.diff(chunk.data[:, 0]) == 1)
        assert local_clock() - chunk.stamps[0] > 1.5
        assert inlet.overflows == 0
        inlet.close()


# --- 51, 52


@live
@POSIX
def test_fault_51_a_sender_that_never_answers_the_clock_leaves_the_offset_unknown() -> None:
    with sender() as process:
        inlet = LslRawInlet(amp())
        process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        assert inlet.time_correction(0.5) is None
        assert time.monotonic() - started < 2.0
        inlet.close()


CYCLES = """
import sys, time
import numpy as np
from bci.engine.stream_info import Channel, StreamInfo
from bci.stream.lsl import LslOutlet, LslRawInlet, LslSignalInlet, StreamQuery, resolve

info = StreamInfo(250.0, (Channel("C3"),), source_id="cycled", name="cycled")
longest = 0.0
for k in range(20):
    began = time.monotonic()
    outlet = LslOutlet(info)
    found = resolve(StreamQuery(source_id="cycled"), settle_s=0)
    inlet = LslSignalInlet(found)
    outlet.push([float(k)])
    assert inlet.pull(2.0).data[0, 0] == k
    inlet.close()
    outlet.close()
    longest = max(longest, time.monotonic() - began)
outlet = LslOutlet(info)
found = resolve(StreamQuery(source_id="cycled"), settle_s=0)
for k in range(50):
    began = time.monotonic()
    inlet = (LslSignalInlet, LslRawInlet)[k % 2](found)
    inlet.close()
    longest = max(longest, time.monotonic() - began)
print(longest)
"""


@live
def test_fault_52_connecting_and_leaving_again_and_again_neither_aborts_nor_hangs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CYCLES], capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 2.0
