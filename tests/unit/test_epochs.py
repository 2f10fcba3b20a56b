"""Trials are cut as the engine would decode them: what it would refuse is left out, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from parts import LABELS, decoder, eeg, preprocessing, stream

from bci.engine.chunk import Chunk
from bci.engine.engine import Engine
from bci.engine.outcome import Reason
from bci.errors import TrainingError
from bci.paradigm.cues import CueEvent
from bci.training.decoding import decode_at_cues
from bci.training.epochs import impute_bad_channels
from bci.training.extraction import extract_epochs

STOP_S = 0.5
RATE_HZ = 250
CUES = [CueEvent(1000.0 + at_s, "left" if i % 2 else "right") for i, at_s in enumerate(range(2, 30, 2))]


def recording(bad: tuple[str, ...] = ()) -> Chunk:
    """Correlated channels; from 10 s to 12 s, ``bad`` ones swing in the decoder's band as no brain does."""
    raw = eeg(32 * RATE_HZ)
    data = raw.data @ (np.eye(len(LABELS)) + 0.5)
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    for label in bad:
        data[10 * RATE_HZ : 12 * RATE_HZ, LABELS.index(label)] += 200 * np.sin(2 * np.pi * 12 * time_s)
    return Chunk(data, raw.stamps)


def test_a_trial_is_the_window_that_the_engine_decodes_at_that_cue() -> None:
    raw, d = recording(), decoder()
    epochs = extract_epochs(stream(), raw, CUES, preprocessing(), STOP_S)
    found = decode_at_cues(Engine(stream(), d), raw, CUES, STOP_S)
    for window, (_, outcome) in zip(epochs.windows, found, strict=True):
        scatter = np.einsum("bsi,bsj->bij", window, window)
        extended = np.zeros((1, 9, 9))
        extended[:, :8, :8] = scatter
        assert outcome is not None
        assert np.allclose(d.kernel(extended), outcome.probabilities, atol=1e-12)


def test_a_trial_with_one_bad_channel_of_eight_is_decoded_live_and_trained_on() -> None:
    raw = recording(("CP1",))
    epochs = extract_epochs(stream(), raw, CUES, preprocessing(), STOP_S)
    found = decode_at_cues(Engine(stream(), decoder()), raw, CUES, STOP_S)
    assert all(outcome is not None and outcome.reason in (Reason.DECIDED, Reason.IDLE) for _, outcome in found)
    assert epochs.rejected == ()
    assert epochs.bad.sum(axis=0)[LABELS.index("CP1")] == epochs.bad.sum() > 0


def test_a_trial_with_two_bad_channels_of_eight_is_neither_decoded_nor_trained_on() -> None:
    raw = recording(("CP1", "Pz"))
    epochs = extract_epochs(stream(), raw, CUES, preprocessing(), STOP_S)
    found = decode_at_cues(Engine(stream(), decoder()), raw, CUES, STOP_S)
    refused = [trial for trial, outcome in found if outcome is not None and outcome.reason is Reason.QUALITY]
    assert [trial for trial, _ in epochs.rejected] == refused != []
    assert {why for _, why in epochs.rejected} == {"bad CP1, Pz"}


def test_a_bad_channel_is_filled_in_by_the_others_and_keeps_its_size_and_rank() -> None:
    epochs = extract_epochs(stream(), recording(("CP1",)), CUES, preprocessing(), STOP_S)
    whole = ~epochs.bad.any(axis=1)
    fixed = impute_bad_channels(epochs, LABELS)
    column = LABELS.index("CP1")
    assert np.array_equal(fixed.windows[whole], epochs.windows[whole])
    others = np.delete(np.arange(len(LABELS)), column)
    assert np.allclose(fixed.windows[..., others], epochs.windows[..., others], atol=1e-9)
    usual = fixed.windows[whole][..., column].std()
    assert epochs.windows[~whole][..., column].std() > 5 * usual
    assert 0.5 * usual < fixed.windows[~whole][..., column].std() < 2 * usual
    ranks = [np.linalg.matrix_rank(np.cov(w[0].T)) for w in fixed.windows]
    assert set(ranks) == {len(LABELS)}


def test_a_channel_that_is_bad_all_the_time_is_named_instead_of_trained_on() -> None:
    epochs = extract_epochs(stream(), recording(), CUES, preprocessing(), STOP_S)
    assert impute_bad_channels(epochs, LABELS) is epochs
    bad = epochs.bad.copy()
    bad[:, LABELS.index("CP1")] = True
    with pytest.raises(TrainingError, match=r"only 0 of 14 trials .* CP1 in 14"):
        impute_bad_channels(replace(epochs, bad=bad), LABELS)
