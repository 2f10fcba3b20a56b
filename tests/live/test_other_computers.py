"""Cues of another computer have this one's time, live; what comes before its clock is known waits for it."""

from __future__ import annotations

import time

import pytest

from bci.stream.bus import Marker
from bci.stream.lsl import LslMarkerInlet, LslOutlet, LslTextOutlet, StreamQuery, liblsl, local_clock, resolve, row_info
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.lsl.marker_inlet import HOLD_S
from bci.stream.lsl.raw_inlet import LslRawInlet

pytestmark = pytest.mark.live
BEHIND_S = 432_000.0


def heard(inlet: LslMarkerInlet | LateMarkers, n: int, timeout_s: float = 8.0) -> list[Marker]:
    found: list[Marker] = []
    end = time.monotonic() + timeout_s
    while len(found) < n and time.monotonic() < end:
        found += inlet.pull_markers(0.1)
    return found


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders of this computer are taken for another's, whose clock is five days behind."""
    measure = LslRawInlet.time_correction

    def other(self: LslRawInlet, timeout_s: float) -> tuple[float, float] | None:
        measured = measure(self, timeout_s)
        return None if measured is None else (measured[0] - BEHIND_S, measured[1] + BEHIND_S)

    monkeypatch.setattr(liblsl, "this_host", lambda: "another computer")
    monkeypatch.setattr(LslRawInlet, "time_correction", other)


@pytest.mark.usefixtures("elsewhere")
def test_cues_of_another_computer_come_with_this_ones_time_and_their_own() -> None:
    outlet = LslTextOutlet("far cues", "Markers", "far-1")
    ears = LateMarkers(StreamQuery(name="far cues", host="*"), HOLD_S)
    assert outlet.wait_for_consumers(5.0)
    sent = []
    for k in range(5):
        sent.append(local_clock())
        outlet.push(f"cue {k}", sent[-1] - BEHIND_S)
        time.sleep(0.05)
    found = heard(ears, 5)
    assert [m.row for m in found] == [(f"cue {k}",) for k in range(5)]
    assert [m.stamp for m in found] == pytest.approx([t - BEHIND_S for t in sent])
    assert [m.time_s for m in found] == pytest.approx(sent, abs=2e-3)
    assert {m.name for m in found} == {"far cues"}
    ears.close()
    outlet.close()


@pytest.mark.usefixtures("elsewhere")
def test_a_computer_whose_clock_never_answers_gives_cues_without_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LslRawInlet, "time_correction", lambda *_: None)
    outlet = LslTextOutlet("mute cues", "Markers", "mute-1")
    found = resolve(StreamQuery(name="mute cues", host="*"), settle_s=0)
    inlet, at_once = LslMarkerInlet(found, hold_s=HOLD_S), LslMarkerInlet(found)
    outlet.push("left", 5.0)
    began = time.monotonic()
    (marker,) = heard(inlet, 1)
    assert time.monotonic() - began > HOLD_S - 0.5
    assert marker.stamp == 5.0
    assert marker.time_s != marker.time_s
    assert at_once.pull(0.0) == [("left", 5.0)]
    inlet.close()
    at_once.close()
    outlet.close()


def test_rows_of_this_computer_come_at_once_with_all_their_columns_and_names() -> None:
    outlet = LslOutlet(row_info("two columns", "Markers", "two-1", ["code", "block"]), "int32")
    inlet = LslMarkerInlet(resolve(StreamQuery(name="two columns"), settle_s=0))
    outlet.push([769, 3], 7.0)
    (marker,) = heard(inlet, 1)
    assert (marker.row, marker.stamp, marker.time_s) == (("769", "3"), 7.0, 7.0)
    assert marker.columns == ("code", "block")
    inlet.close()
    outlet.close()
