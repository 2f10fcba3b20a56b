"""When a cue on a trigger channel was shown, whatever delays the amplifier's stamps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import Channel, StreamInfo
from bci.paradigm.cues import CueEvent, find_cues
from bci.paradigm.live_cues import LiveCues, on_record
from bci.stream.bus import Marker
from bci.stream.files.even_grid import even
from bci.stream.files.trigger_channels import trigger_markers
from bci.stream.markers.trigger_times import TimedTriggers
from bci.stream.markers.triggers import MarkerTable
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams

INFO = StreamInfo(250.0, (Channel("C3", unit="uV"), Channel("TRIGGER", "TRIG", "")), name="Amp")
TABLE = MarkerTable({"1": "left", "2": "right"})
BEGAN_S, LENGTH_S = 9_000.0, 180.0


@dataclass(frozen=True)
class Sender:
    """An amplifier that sends blocks, each stamped when it is handed over, and the cues that it was told of."""

    true_s: FloatArray
    data: FloatArray
    stamps: FloatArray
    cues_s: FloatArray
    block: int

    @staticmethod
    def of(
        seed: int, latest_s: float = 0.3, block: int = 8, crystal_ppm: float = 0.0, lost: tuple[float, float] = (0, 0)
    ) -> Sender:
        rng, block = np.random.default_rng(seed), 8
        n = round(LENGTH_S * INFO.rate_hz) // block * block
        true_s = BEGAN_S + np.arange(n) / (INFO.rate_hz * (1 + 1e-6 * crystal_ppm))
        # Each block's stamps go back from the moment in which it was handed over.
        handed_s = true_s[block - 1 :: block] + rng.uniform(0, latest_s, n // block)
        stamps = np.repeat(handed_s, block) - np.tile(np.arange(block - 1, -1, -1) / INFO.rate_hz, n // block)
        at_s = np.arange(8.0, LENGTH_S - 5.0, 4.0)
        first = np.searchsorted(true_s, BEGAN_S + at_s + rng.uniform(0, 1, len(at_s)))
        data = rng.normal(0, 10, (n, 2))
        data[:, 1] = 0
        for i, at in enumerate(first.tolist()):
            data[at : at + 25, 1] = 1 + i % 2
        kept = (true_s < BEGAN_S + lost[0]) | (true_s >= BEGAN_S + sum(lost))
        return Sender(true_s[kept], data[kept], stamps[kept], true_s[first], block)

    def until(self, end_s: float) -> Sender:
        """The first seconds of it."""
        n, shown = round(end_s * INFO.rate_hz), self.cues_s < BEGAN_S + end_s - 1.0
        return Sender(self.true_s[:n], self.data[:n], self.stamps[:n], self.cues_s[shown], self.block)

    def markers(self) -> RecordedMarkers:
        """The software's markers of the same cues."""
        texts = tuple(str(1 + i % 2) for i in range(len(self.cues_s)))
        return RecordedMarkers("Cues", texts, self.cues_s + 0.004, source_id="cues")

    def in_file(self) -> tuple[CueEvent, ...]:
        signal = RecordedSignal(INFO, self.data, self.stamps)
        told = (self.markers(), *trigger_markers(INFO, self.data, self.stamps))
        return find_cues(RecordedStreams(Path("a.xdf"), (signal,), told, ""), signal, TABLE, "").trials

    def live(self) -> list[CueEvent]:
        heard, markers, events, sent = LiveCues(TABLE, INFO), self.markers(), [], 0
        for a in range(0, len(self.stamps), self.block):
            stamps = self.stamps[a : a + self.block]
            while sent < len(markers.stamps) and markers.stamps[sent] <= stamps[-1]:
                marker = Marker((markers.texts[sent],), float(markers.stamps[sent]), "cues", "Cues")
                events += heard.markers([marker])
                sent += 1
            events += heard.samples(Chunk(self.data[a : a + self.block], stamps)) + heard.settled()
        return on_record({"kind": e.kind, **e.fields} for e in events)


@pytest.mark.parametrize(
    ("seed", "crystal_ppm", "block", "usual_s", "most_s"),
    [(0, 0.0, 8, 0.012, 0.035), (1, -200.0, 8, 0.012, 0.035), (2, 200.0, 32, 0.025, 0.06), (3, 50.0, 64, 0.035, 0.08)],
)
def test_a_cue_on_a_trigger_channel_and_a_marker_stream_counts_once_however_late_its_sample_is_stamped(
    seed: int, crystal_ppm: float, block: int, usual_s: float, most_s: float
) -> None:
    sender = Sender.of(seed, block=block, crystal_ppm=crystal_ppm)
    file, live = sender.in_file(), sender.live()
    classes = [("left", "right")[i % 2] for i in range(len(sender.cues_s))]
    assert [c.class_ for c in file] == [c.class_ for c in live] == classes
    times = np.array([c.time_s for c in file])
    assert np.abs(times - [c.time_s for c in live]).max() < 1e-6
    away_s = np.abs(times - sender.cues_s)
    assert np.median(away_s) < usual_s
    assert away_s.max() < most_s
    raw_s = np.interp(sender.cues_s, sender.true_s, sender.stamps) - sender.cues_s
    assert np.median(raw_s) > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_a_trigger_stands_at_its_sample_where_samples_are_placed_on_an_even_grid(seed: int) -> None:
    sender = Sender.of(seed)
    told = trigger_markers(INFO, sender.data, sender.stamps)[0]
    grid = even(INFO, Chunk(sender.data, sender.stamps), [(t, "cue") for t in told.stamps.tolist()])
    at = np.array([mark.sample for mark in grid.marks if mark.text == "cue"])
    away = np.abs(at - np.searchsorted(sender.true_s, sender.cues_s - 1e-9))
    assert np.percentile(away, 90) <= 2
    assert away.max() <= 8


@pytest.mark.parametrize("length", [1, 7, 250])
def test_when_a_trigger_was_is_the_same_however_samples_are_cut_into_chunks(length: int) -> None:
    sender = Sender.of(5).until(60.0)
    triggers = TimedTriggers(INFO)
    pieces = [slice(a, a + length) for a in range(0, len(sender.stamps), length)]
    marks = [m for piece in pieces for m in triggers(Chunk(sender.data[piece], sender.stamps[piece]))]
    told = trigger_markers(INFO, sender.data, sender.stamps)[0]
    assert [m.time_s for m in marks] == told.stamps.tolist()
    first = np.searchsorted(sender.true_s, sender.cues_s - 1e-9)
    assert [m.stamp for m in marks] == sender.stamps[first].tolist()


def test_even_stamps_stay_the_time_of_a_trigger_to_the_last_bit() -> None:
    for info in (INFO, replace(INFO, sample_clock=True)):
        sender = Sender.of(1, latest_s=0.0, crystal_ppm=100.0, lost=(50.0, 3.0))
        assert all(m.time_s == m.stamp for m in TimedTriggers(info)(Chunk(sender.data, sender.stamps)))
