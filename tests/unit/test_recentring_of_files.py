"""The protocol `recentring` decodes every later recording as if it came alone, wherever its clock begins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from parts import LABELS, eeg, preprocessing, stream

from bci.config import load_config
from bci.engine.chunk import Chunk
from bci.engine.recentre import RecentreSettings
from bci.engine.stream_info import StreamInfo
from bci.evaluation.plan import Cell, Choices
from bci.evaluation.recentring import ANEW, RECENTRED, Way, listen
from bci.paradigm.cues import CueEvent
from bci.training.epochs import join
from bci.training.extraction import extract_epochs
from bci.training.fit import fit_decoder
from bci.training.labelled import LabelledRun

RATE_HZ = 250.0
N = 4000


def run(start_s: float, seed: int, info: StreamInfo | None = None) -> LabelledRun:
    """16 s whose stamps jitter by tens of milliseconds, as those of a radio link do; a trial each 0.6 s."""
    rng = np.random.default_rng(seed)
    info = info or stream(sample_clock=False)
    raw = eeg(N, seed=seed, start_s=start_s)
    cues = tuple(CueEvent(start_s + 1.0 + 0.6 * i, ("left", "right")[i % 2]) for i in range(22))
    data = raw.data[:, [LABELS.index(c.label) for c in info.channels]]
    for cue in cues:
        at = round((cue.time_s - start_s) * RATE_HZ)
        column = [c.label for c in info.channels].index("C3" if cue.class_ == "left" else "C4")
        data[at : at + 130, column] += 15 * np.sin(2 * np.pi * 12 * np.arange(130) / RATE_HZ)
    return LabelledRun(f"run {seed}", info, Chunk(data, raw.stamps + np.abs(rng.normal(0, 0.03, N))), cues, "")


@pytest.mark.parametrize("starts", [(0.0, 0.0, 0.0), (1000.0, 500.0, 100.0), (0.0, 5.0, 10.0), (1000.0, 1015.5, 1031.0)])
def test_all_cues_of_all_later_files_are_decoded_wherever_their_clocks_begin(starts: tuple[float, ...]) -> None:
    p, turned = preprocessing(), replace(stream(sample_clock=False), channels=tuple(reversed(stream().channels)))
    trained = [run(0.0, seed) for seed in (11, 12)]
    epochs = join(extract_epochs(one.info, one.raw, one.cues, p, 0.5) for one in trained)
    model = fit_decoder("ts-lr", epochs.windows, epochs.labels, p)
    config = load_config(None, {"trial.start_s": "0", "trial.stop_s": "0.5"})
    cell = Cell("recentring", "d", "s", "1", "", "ts-lr", False, (), (), (), p, config, Choices())
    later = [run(start_s, seed, turned if seed == 1 else None) for seed, start_s in enumerate(starts)]
    alone = [listen([one], model, Way("", RecentreSettings()), cell) for one in later]
    for way in (
        Way("", RecentreSettings()),
        Way(RECENTRED, RecentreSettings(on=True)),
        Way(ANEW, RecentreSettings(on=True), True),
    ):
        tested, rejected = listen(later, model, way, cell)
        assert rejected == sum(n for _, n in alone) == 0
        assert tested.truth == [cue.class_ for one in later for cue in one.cues]
        if not way.name:
            assert tested.answers == [answer for one, _ in alone for answer in one.answers]
            assert np.mean(np.array(tested.truth) == np.array(tested.answers)) > 0.9
