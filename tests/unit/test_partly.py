"""After lost samples a window that still holds enough is decoded with what is there; nothing depends on how the stream is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import LABELS, PowerKernel, cut, decoder, eeg, preprocessing, stream

from bci.engine.chunk import Chunk
from bci.engine.decoder import LiveDecoder, scatter
from bci.engine.engine import Engine
from bci.engine.frontend import Frontend, Window
from bci.engine.outcome import FILLED, Outcome, Reason, fields
from bci.engine.preprocessing import Preprocessing
from bci.engine.window import SampleWindow, ScatterWindow
from bci.errors import ConfigError, ModelError
from bci.model.file import build_decoder
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.training.decoding import decode_at_cues
from bci.training.extraction import extract_epochs as cut_trials
from bci.training.extraction import fill_lost_samples
from bci.training.resolved import resolve_decoder

DECODED = (Reason.DECIDED, Reason.IDLE)
RATE, HOP, WINDOW = 250, 10, 500
PARTLY = Preprocessing(RATE, LABELS, window=WINDOW, hop=HOP, least=WINDOW // 2)


def with_gaps(n: int, gaps: list[tuple[int, int]], seed: int = 0) -> Chunk:
    """Samples of which those from ``start`` on, ``length`` of them, never came."""
    raw = eeg(n, seed=seed)
    keep = np.ones(n, dtype=bool)
    for start, length in gaps:
        keep[start : start + length] = False
    return Chunk(raw.data[keep], raw.stamps[keep])


def outcomes(raw: Chunk, p: Preprocessing = PARTLY, places: list[int] | None = None) -> list[Outcome]:
    engine = Engine(stream(), decoder(prep=p))
    return [o for piece in cut(raw, places or []) for o in engine.push(piece)]


def test_after_a_gap_decoding_goes_on_as_soon_as_the_filters_have_settled_where_enough_is_left() -> None:
    raw = with_gaps(3000, [(1500, 125)])
    settled = 1625 + Frontend(stream(), PARTLY).settling_blocks * HOP
    first = next(o for o in outcomes(raw) if o.reason in DECODED and o.index >= 1625)
    assert settled <= first.index <= settled + 2 * HOP
    assert WINDOW // 2 <= first.filled < WINDOW - 125
    whole = next(o for o in outcomes(raw, replace(PARTLY, least=0)) if o.reason in DECODED and o.index >= 1625)
    assert whole.index >= settled + WINDOW - HOP


def test_a_window_that_holds_too_little_is_not_decoded_and_its_row_says_how_much_there_was() -> None:
    found = outcomes(with_gaps(3000, [(1500, 400)]))
    after = [o for o in found if 1900 <= o.index < 2300]
    assert all((o.reason is Reason.REFILL) == (o.filled < WINDOW // 2 or o.index < 1900 + 90) for o in after if o.index > 2000)
    names = fields(len(LABELS), ("left", "right"), partly=True)
    assert names[-1] == FILLED
    assert len(names) == len(after[0].row(len(LABELS)))
    assert after[0].row(len(LABELS))[-1] == after[0].filled


def test_rows_of_models_that_need_whole_windows_are_as_they_always_were() -> None:
    found = outcomes(eeg(1000), preprocessing())
    assert {o.filled for o in found} == {None}
    assert len(found[0].row(len(LABELS))) == len(fields(len(LABELS), ("left", "right")))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(200, 2600), st.integers(5, 700)), max_size=4),
    st.lists(st.integers(1, 2999), max_size=8),
)
def test_the_bits_do_not_depend_on_how_a_stream_with_gaps_is_cut(gaps: list[tuple[int, int]], places: list[int]) -> None:
    raw = with_gaps(3000, gaps)
    whole = [o.row(len(LABELS)).tobytes() for o in outcomes(raw)]
    assert [o.row(len(LABELS)).tobytes() for o in outcomes(raw, places=places)] == whole
    engine = Engine(stream(), decoder(prep=PARTLY))
    rows = []
    for piece in cut(raw, list(range(0, 3000, 7))):
        engine.prepare()
        rows += [o.row(len(LABELS)).tobytes() for o in engine.push(piece)]
        engine.prepare()
    assert rows == whole


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(200, 2600), st.integers(15, 700)), max_size=4))
def test_the_scatter_of_a_window_is_that_of_the_samples_that_training_cuts_out_of_it(gaps: list[tuple[int, int]]) -> None:
    raw = with_gaps(3000, gaps)

    def windows(features: str) -> dict[int, tuple[Reason, int, np.ndarray]]:
        found: dict[int, tuple[Reason, int, np.ndarray]] = {}
        for w in Frontend(stream(), PARTLY, features).push(raw):
            kept: Window = w
            found[w.number] = (w.reason, w.filled, np.array(kept.features))
        return found

    sums, samples = windows("scatter"), windows("samples")
    assert sums.keys() == samples.keys()
    for number, (reason, filled, found) in sums.items():
        assert samples[number][:2] == (reason, filled)
        if reason is Reason.DECIDED:
            expected = scatter(samples[number][2][:, WINDOW - filled :])
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


def test_live_and_training_take_the_same_trials_and_see_the_same_covariance() -> None:
    raw = with_gaps(6000, [(1500, 125), (3300, 300), (5000, 60)])
    cues = tuple(CueEvent(1000.0 + t, "left") for t in np.arange(3.0, 21.0, 1.0))
    epochs = cut_trials(stream(), raw, cues, PARTLY, 2.0)
    seen: list[np.ndarray] = []

    class Watching(PowerKernel):
        def __call__(self, window):  # type: ignore[no-untyped-def]
            seen.append(window[:, :-1, :-1] / window[:, -1:, -1:])
            return super().__call__(window)

    engine = Engine(stream(), decoder(Watching(), PARTLY))
    said = decode_at_cues(engine, raw, cues, 2.0)
    decoded = [cue for cue, o in said if o is not None and o.reason in DECODED]
    rejected = {cue for cue, _ in epochs.rejected}
    assert decoded == [cue for cue in cues if cue not in rejected]
    assert len(rejected) >= 1
    partial = [o for _, o in said if o is not None and o.reason in DECODED and o.filled < WINDOW]
    assert len(partial) >= 2


def test_zeros_stand_for_lost_samples_and_power_is_that_of_the_others() -> None:
    samples = np.random.default_rng(0).normal(size=(1, 100, 3))
    window = Window(0, 0, 0.0, 0, 0, Reason.DECIDED, 0, 40, np.zeros(3, dtype=bool), samples)
    whole = fill_lost_samples(window)
    there = samples[0, 60:]
    np.testing.assert_allclose(whole[0].T @ whole[0] / 100, there.T @ there / 40)
    assert not whole[0, :60].any()


def test_a_channel_that_was_bad_before_a_gap_is_still_bad_in_windows_that_hold_what_was_before() -> None:
    raw = with_gaps(3000, [(1500, 125)])
    data, column = raw.data.copy(), LABELS.index("CP1")
    data[1350:1480, column] += 600 * np.sin(2 * np.pi * 3 * np.arange(130) / RATE)
    after = [o for o in outcomes(Chunk(data, raw.stamps)) if o.reason in DECODED and 1625 <= o.index < 1350 + WINDOW]
    assert after
    assert all(o.mask for o in after)


def test_what_a_dead_channel_is_filled_in_with_is_no_more_in_a_part_of_a_window() -> None:
    raw = with_gaps(3000, [(1500, 150)])
    data, column = raw.data.copy(), LABELS.index("FC1")
    data[:, column] = 0.0
    seen: list[float] = []

    class Watching(PowerKernel):
        def __call__(self, window):  # type: ignore[no-untyped-def]
            seen.append(window[0, column, column] / window[0, -1, -1])
            return super().__call__(window)

    d = decoder(Watching(), PARTLY)
    Engine(stream(), LiveDecoder(d.preprocessing, d.kernel, d.covariance, d.weights)).push(Chunk(data, raw.stamps))
    assert max(seen) < 1.3 * min(seen)


def test_a_new_segment_begins_with_nothing() -> None:
    raw = eeg(3000)
    stamps = raw.stamps + (np.arange(3000) >= 1500) * -500.0
    found = [o for o in outcomes(Chunk(raw.data, stamps)) if o.segment == 1]
    assert found[0].filled == 0
    assert next(o for o in found if o.reason in DECODED).index >= WINDOW // 2


@pytest.mark.parametrize("kind", [ScatterWindow, SampleWindow])
def test_blocks_that_are_left_out_do_not_count(kind: type) -> None:
    data = np.random.default_rng(0).normal(size=(40, 1, 4, 3))
    window = kind(1, 3, 20, 4)
    window.push(0, data[:12])
    window.restart(14, 15, False)
    found = np.array(window.push(14, data[14:17])[2])
    there = np.concatenate([data[i, 0] for i in (15, 16)])  # of blocks 12 to 16
    if kind is ScatterWindow:
        np.testing.assert_allclose(found[0], scatter(there[np.newaxis])[0], atol=1e-12)
    else:
        np.testing.assert_array_equal(found[0, -8:], there)


def test_which_decoders_do_with_a_part_is_in_the_model_and_set_by_one_setting() -> None:
    def least(name: str, **section: float) -> int:
        config = SessionConfig.model_validate({"preprocessing": section, "decoder": {"name": name}})
        return resolve_decoder(stream(), config).preprocessing.least

    covariances, whole = ("ts-lr", "csp-lda", "mdm", "fgmdm", "fbcsp"), ("acm",)
    assert {least(name) for name in covariances} == {380}  # three quarters of 500, in whole hops
    assert {least(name) for name in whole} == {0}
    assert least("ts-lr", least_filled=0.5) == 250
    assert not replace(PARTLY, least=least("ts-lr", least_filled=1.0)).partly


def test_a_share_that_is_no_part_of_a_window_is_refused() -> None:
    for least in (-10, 15, 510):
        with pytest.raises(ConfigError, match="least"):
            replace(PARTLY, least=least)


def test_a_kernel_that_needs_whole_windows_is_not_given_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from bci import plugins

    kernel = PowerKernel(features="samples")
    monkeypatch.setattr(plugins, "load", lambda group, name: lambda arrays, classes: kernel)
    n = len(LABELS)
    arrays = {"covariance": np.eye(n)[np.newaxis], "weights": np.full(n, 1 / n)}
    with pytest.raises(ModelError, match="complete windows"):
        build_decoder("any", ("left", "right"), PARTLY, arrays)
