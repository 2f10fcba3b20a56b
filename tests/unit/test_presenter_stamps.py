"""A presenter that knows when a cue was seen gives its marker that time."""

from pathlib import Path

import pytest
from calibration_parts import CountingJudge, Operator, calibrate, quick

from bci.paradigm.timeline import Cue
from bci.stream.xdf.reader import read_xdf

FRAME_S = 0.0137


class Display(Operator):
    """Shows class cues one frame late, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def show(self, cue: Cue, text: str) -> float | None:
        if not cue.class_:
            return None
        self.seen.append(cue.time_s + FRAME_S)
        return self.seen[-1]


def test_a_cues_marker_carries_the_time_of_the_frame_that_showed_it(tmp_path: Path) -> None:
    display = Display()
    protocol = quick(per_class=2, most_blocks=1, practice=0, baselines=())
    calibrate(tmp_path / "a.xdf", protocol, judge=CountingJudge(4), operator=display)
    stream = read_xdf(tmp_path / "a.xdf").stream("cues")
    rows = [(row[0], time_s) for row, time_s in zip(stream.values, stream.stamps.tolist(), strict=True)]
    assert [time_s for text, time_s in rows if text in ("769", "770")] == display.seen
    begins = [time_s for text, time_s in rows if text == "768"]
    assert [seen - begin for seen, begin in zip(display.seen, begins, strict=True)] == pytest.approx(
        [0.5 + FRAME_S] * len(begins)
    )
