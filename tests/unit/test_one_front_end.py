"""Training, judging, evaluation and explorer take exactly the windows that the engine decodes, whatever the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from parts import decoder, eeg, preprocessing, stream

from bci.calibration.watch import SignalWatch
from bci.config import load_config
from bci.engine.chunk import Chunk, hop_chunks
from bci.engine.engine import Engine
from bci.engine.outcome import Reason
from bci.evaluation.cutting import cut_key
from bci.evaluation.data_source import OpenedRun
from bci.explore.epochs import decodable
from bci.judging.settings import JudgeSettings
from bci.judging.trials import cut_trials
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.markers.marked import BadSpan
from bci.training.decoding import decode_at_cues
from bci.training.extraction import extract_epochs
from bci.training.labelled import LabelledRun
from bci.training.marked import BadMarks
from bci.training.resolved import resolve_decoder
from bci.training.train import run_epochs

RATE_HZ = 250.0
LOSSES = {
    "none": (),
    "three samples": ((1800, 3),),
    "12 samples": ((1500, 12), (2500, 12)),
    "25 samples": ((2500, 25),),
    "many": tuple((at, 4) for at in range(1200, 1600, 40)),
    "a second": ((1800, 250),),
}
FAULTS: dict[str, Callable[[np.ndarray], None]] = {
    "none": lambda data: None,
    "burst": lambda data: data[1500:1550].__iadd__(3000.0),
    "flat": lambda data: data[1000:2000, :2].__imul__(0.0),
    "railed": lambda data: data[1200:1300, 0].__iadd__(300_000.0),
    "no number": lambda data: data[2100:2101, 3].__imul__(np.nan),
}
SETTINGS = (
    {},
    {"continuity.bridge_s": "0.2", "quality.bridged_share": "0.5"},
    {"continuity.bridge_s": "0.0"},
    {"quality.bad_share": "0.0"},
    {"quality.bad_share": "0.9", "quality.heavy_share": "100"},
    {"quality.amplitude_uv": "20", "quality.bad_share": "0.3"},
)


def recording(loss: str, fault: str, seed: int) -> LabelledRun:
    """12 s with cues every 0.4 s."""
    raw = eeg(3000, seed=seed)
    data = raw.data.copy()
    FAULTS[fault](data)
    keep = np.ones(len(data), dtype=np.bool_)
    for at, n in LOSSES[loss]:
        keep[at : at + n] = False
    cues = tuple(CueEvent(1000.0 + 0.6 + 0.4 * i, ("a", "b")[i % 2]) for i in range(26))
    return LabelledRun("made", stream(), Chunk(data[keep], raw.stamps[keep]), cues, "")


@pytest.mark.parametrize("given", SETTINGS, ids=lambda s: ",".join(f"{k}={v}" for k, v in s.items()) or "usual")
def test_what_is_cut_is_what_the_engine_decodes(given: dict[str, str]) -> None:
    config = load_config(None, given)
    p = preprocessing()
    for seed, (loss, fault) in enumerate(zip(LOSSES, [*FAULTS, "burst"], strict=True)):
        run = recording(loss, fault, seed)
        live = decode_at_cues(Engine(run.info, decoder(prep=p), config.engine_settings()), run.raw, run.cues, 1.0)
        decoded = {cue.time_s for cue, o in live if o is not None and o.reason in (Reason.DECIDED, Reason.IDLE)}
        epochs = extract_epochs(run.info, run.raw, run.cues, p, 1.0, front=config.front())
        left_out = {cue.time_s for cue, _ in epochs.rejected}
        assert {cue.time_s for cue in run.cues} - left_out == decoded, (loss, fault)
        assert len(epochs.labels) == len(decoded)


def by_training(run: LabelledRun, config: SessionConfig) -> int:
    return len(run_epochs(run, resolve_decoder(run.info, config), config).labels)


def by_judging(run: LabelledRun, config: SessionConfig) -> int:
    return len(cut_trials([run], config, [(8.0, 30.0)], JudgeSettings()))


def by_exploring(run: LabelledRun, config: SessionConfig) -> int:
    return len(decodable(run, config))


@pytest.mark.parametrize("way", [by_training, by_judging, by_exploring])
def test_every_way_of_cutting_obeys_continuity_and_quality(way: Callable[[LabelledRun, SessionConfig], int]) -> None:
    run = recording("12 samples", "none", 1)
    shape = {"preprocessing.window_s": "0.48", "preprocessing.hop_s": "0.04", "trial.start_s": "0.5", "trial.stop_s": "1.0"}
    usual, tolerant, strict = (
        way(run, load_config(None, shape | more))
        for more in (
            {},
            {"continuity.bridge_s": "0.2", "quality.bridged_share": "0.5"},
            {"quality.amplitude_uv": "20"},
        )
    )
    assert strict == 0 < usual < tolerant == len(run.cues)


def test_trials_that_were_kept_of_an_evaluation_are_cut_anew_when_continuity_changes() -> None:
    keys = {cut_key("a", preprocessing(), load_config(None, given)) for given in ({}, *SETTINGS[1:])}
    assert len(keys) == len(SETTINGS)


def test_trials_that_were_kept_of_an_evaluation_are_cut_anew_when_a_channel_is_marked_bad_for_a_while() -> None:
    run = recording("none", "none", 1)
    marked = replace(run, marked=BadMarks((), (BadSpan(1.0, 2.0, "bad electrode", (run.info.labels[0],)),)))
    assert len({OpenedRun("a", "1", "1", "1", one).identity for one in (run, marked)}) == 2


@pytest.mark.parametrize("loss", LOSSES)
def test_a_calibration_takes_those_trials_for_good_that_training_will_take(loss: str) -> None:
    run, config = recording(loss, "none", 1), load_config(None, {"trial.start_s": "0", "trial.stop_s": "2"})
    decoder = resolve_decoder(run.info, config)
    p = decoder.preprocessing
    assert p.partly  # live decoding does with less
    watch = SignalWatch(InProcessBus(VirtualClock(0.0)).outlet(run.info), p, config.front())  # type: ignore[arg-type]
    for piece in hop_chunks(run.raw, p.hop):
        watch.take(piece)
    good = {cue.time_s for cue in run.cues if watch.fault_at(cue.time_s + config.trial.stop_s) == ""}
    epochs = run_epochs(run, decoder, config)
    assert good == {cue.time_s for cue in run.cues} - {cue.time_s for cue, _ in epochs.rejected}
    assert good
