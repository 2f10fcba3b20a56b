"""The in-process bus keeps the promises of LSL's inlets, on virtual time and with the same results each time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamAmbiguous, StreamError, StreamLost, StreamNotFound
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_outlets import InProcessOutlet, Sender
from bci.stream.metadata import sender_host, stream_info

INFO = StreamInfo(250.0, (Channel("C3", unit="mV"), Channel("C4")), source_id="amp-1", name="amp")


@pytest.fixture
def bus() -> InProcessBus:
    return InProcessBus(VirtualClock(100.0))


def sending(outlet: InProcessOutlet, start_s: float, count: int, n: int = 5) -> Iterator[float]:
    for k in range(count):
        due = start_s + (k + 1) * n / 250
        yield due
        outlet.push_chunk(np.full((n, 2), float(k)), due - np.arange(n)[::-1] / 250)


def test_a_reader_waits_exactly_until_samples_come(bus: InProcessBus) -> None:
    outlet = bus.outlet(INFO)
    inlet = bus.signal("amp")
    bus.clock.add(sending(outlet, 100.0, 3))
    chunk = inlet.pull(1.0)
    assert chunk is not None
    assert bus.clock.now() == pytest.approx(100.02)
    assert chunk.data.shape == (5, 2)
    assert inlet.pull(0.005) is None
    assert bus.clock.now() == pytest.approx(100.025)


def test_values_arrive_in_microvolts_and_raw_readers_get_what_was_sent(bus: InProcessBus) -> None:
    outlet = bus.outlet(INFO)
    inlet, raw = bus.signal("amp-1"), bus.raw("EEG")
    outlet.push([1.0, 1.0], 5.0)
    chunk, pulled = inlet.pull(0), raw.pull(0)
    assert chunk is not None
    assert pulled is not None
    assert chunk.data.tolist() == [[1000.0, 1.0]]
    assert chunk.stamps.tolist() == [5.0]
    assert np.asarray(pulled[0]).tolist() == [[1.0, 1.0]]
    assert stream_info(raw.header_xml) == INFO


def test_several_pushes_arrive_as_one_chunk_in_their_order(bus: InProcessBus) -> None:
    outlet = bus.outlet(INFO)
    inlet = bus.signal("amp")
    bus.clock.add(sending(outlet, 100.0, 4))
    bus.clock.wait_until(101.0)
    chunk = inlet.pull(0)
    assert chunk is not None
    assert chunk.data[:, 1].tolist() == [0.0] * 5 + [1.0] * 5 + [2.0] * 5 + [3.0] * 5


def test_the_sender_cannot_change_what_was_sent(bus: InProcessBus) -> None:
    outlet = bus.outlet(INFO)
    inlet = bus.signal("amp")
    data = np.zeros((1, 2))
    outlet.push_chunk(data, np.ones(1))
    data[:] = 7
    chunk = inlet.pull(0)
    assert chunk is not None
    assert not chunk.data.any()


def test_a_closed_stream_is_read_to_its_end_and_then_reported_lost(bus: InProcessBus) -> None:
    outlet = bus.outlet(INFO)
    inlet = bus.signal("amp")
    outlet.push([1.0, 1.0])
    outlet.close()
    assert inlet.pull(1.0) is not None
    with pytest.raises(StreamLost, match="amp"):
        inlet.pull(1.0)
    with pytest.raises(StreamError, match="closed"):
        outlet.push([1.0, 1.0])


def test_a_sender_that_says_nothing_does_not_hold_a_reader_up(bus: InProcessBus) -> None:
    bus.outlet(INFO)
    inlet = bus.signal("amp")
    assert inlet.pull(0.25) is None
    assert bus.clock.now() == pytest.approx(100.25)


def test_markers_are_texts_with_stamps_and_numbers_are_written_short(bus: InProcessBus) -> None:
    cues = bus.text_outlet("cues", "Markers")
    numbers = bus.outlet(StreamInfo(0.0, (Channel("code", "TRIG", ""),), name="numbers", type="Markers"))
    texts, codes = bus.markers("cues"), bus.markers("numbers")
    cues.push("left", 3.5)
    cues.push("right")
    numbers.push([2.0], 1.0)
    assert texts.pull(0) == [("left", 3.5), ("right", 100.0)]
    assert codes.pull(0) == [("2", 1.0)]


def test_a_name_that_is_not_there_or_there_twice_is_refused_with_a_list(bus: InProcessBus) -> None:
    with pytest.raises(StreamNotFound, match="nothing"):
        bus.signal("amp")
    bus.outlet(INFO)
    bus.outlet(INFO)
    with pytest.raises(StreamAmbiguous, match="2 streams match 'EEG'"):
        bus.signal("EEG")


def test_after_closing_a_reader_nothing_is_kept_for_it(bus: InProcessBus) -> None:
    outlet = bus.outlet(INFO)
    inlet = bus.signal("amp")
    assert outlet.has_consumers
    inlet.close()
    inlet.close()
    assert not outlet.has_consumers


def test_a_sender_with_a_clock_of_its_own_stamps_by_it_and_answers_as_lsl_does(bus: InProcessBus) -> None:
    there = Sender("lab-screen", lambda now: now - 40.0, lambda: 0.001)
    cues = bus.text_outlet("cues", "Markers", "c", sender=there)
    raw = bus.raw("cues")
    cues.push("left")
    assert raw.pull(0) == ([["left"]], pytest.approx([60.0]))
    assert sender_host(raw.header_xml) == "lab-screen"
    collected, offset = raw.time_correction(0) or (0.0, 0.0)
    assert offset == pytest.approx(40.001)
    assert collected + offset == pytest.approx(bus.clock.now())
