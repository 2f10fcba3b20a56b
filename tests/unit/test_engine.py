"""What anybody may rely on in the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import LABELS, PowerKernel, cut, decoder, eeg, preprocessing, stream

from bci.engine.chunk import Chunk
from bci.engine.control_inputs import ChangeDecision, ControlInput, Freeze, MarkChannels, ReplaceModel, Resume, Skip
from bci.engine.decide import DecisionSettings
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Outcome, Reason, fields
from bci.errors import ModelError, StreamMismatch


def rows(outcomes: list[Outcome]) -> bytes:
    return b"".join(o.row(len(LABELS)).tobytes() for o in outcomes)


def run(chunks: list[Chunk], inputs: list[tuple[int, ControlInput]] = [], **parts: object) -> list[Outcome]:  # noqa: B006
    """Push chunks, applying each input at its sample count, as a replay does."""
    engine = Engine(stream(), decoder(**parts), EngineSettings())  # type: ignore[arg-type]
    found: list[Outcome] = []
    waiting = sorted(inputs, key=lambda x: x[0])
    for chunk in chunks:
        taken = 0
        while waiting and waiting[0][0] <= engine.consumed + len(chunk) - taken:
            at, given_input = waiting.pop(0)
            n = at - engine.consumed
            found += engine.push(Chunk(chunk.data[taken : taken + n], chunk.stamps[taken : taken + n]))
            taken += n
            engine.apply(given_input)
        found += engine.push(Chunk(chunk.data[taken:], chunk.stamps[taken:]))
    return found


def broken(seed: int) -> Chunk:
    """A minute's worth of trouble in a few seconds: short and long losses, a NaN, a new segment."""
    rng = np.random.default_rng(seed)
    whole = eeg(1600, seed=seed)
    lost = np.zeros(1600, bool)
    for start, length in ((130, 3), (500, 40), (rng.integers(600, 700), 1), (900, 700)):
        lost[start : start + length] = start != 900
    stamps = whole.stamps.copy()
    stamps[1100:] += 60.0
    data = whole.data.copy()
    data[800 + seed % 50, 1] = np.nan
    return Chunk(data[~lost], stamps[~lost])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 1600), max_size=60), st.integers(0, 1000))
def test_any_cutting_into_chunks_gives_the_same_bytes(places: list[int], seed: int) -> None:
    raw = broken(seed % 7)
    inputs: list[tuple[int, ControlInput]] = [
        (333, ChangeDecision(DecisionSettings(threshold=0.9))),
        (400 + seed % 100, Skip(460 + seed % 100)),
        (640, Freeze("pause")),
        (700 + seed % 3, Resume("")),
        (720, MarkChannels(("CP1",), True)),
    ]
    assert rows(run(cut(raw, places), inputs)) == rows(run([raw], inputs))


def test_one_sample_at_a_time_gives_the_same_bytes_as_all_at_once() -> None:
    raw = broken(1)
    one_by_one = cut(raw, list(range(len(raw))))
    assert rows(run(one_by_one)) == rows(run([raw]))


@pytest.mark.parametrize("reference", ["none", "average"])
def test_samples_and_scatter_tell_a_kernel_the_same(reference: str) -> None:
    raw = eeg(1000)
    p = preprocessing(reference=reference)
    a = run([raw], kernel=PowerKernel(features="scatter"), prep=p)
    b = run([raw], kernel=PowerKernel(features="samples"), prep=p)
    np.testing.assert_allclose([o.probabilities for o in a], [o.probabilities for o in b], rtol=1e-9)


def test_the_grid_is_anchored_to_sample_indices_after_a_loss() -> None:
    raw = eeg(1000)
    kept = np.r_[0:403, 500:1000]
    found = run([Chunk(raw.data[kept], raw.stamps[kept])])
    assert all((o.index + 1) % 10 == 0 for o in found)
    assert found[-1].index == 999


def test_no_window_reaches_across_a_gap_or_an_unsettled_filter() -> None:
    raw = eeg(2000)
    kept = np.r_[0:400, 500:2000]
    engine = Engine(stream(), decoder())
    found = engine.push(Chunk(raw.data[kept], raw.stamps[kept]))
    decided = [o.index for o in found if o.reason in (Reason.DECIDED, Reason.IDLE) and o.index >= 500]
    settle = engine.frontend.settling_blocks * 10
    assert min(decided) == 500 + settle + 120 - 1
    assert all(o.reason is Reason.REFILL for o in found if 500 <= o.index < min(decided))


def test_short_losses_are_bridged_counted_and_decoded_through() -> None:
    raw = eeg(1000)
    kept = np.delete(np.arange(1000), [600, 601, 602])
    found = run([Chunk(raw.data[kept], raw.stamps[kept])])
    inside = [o for o in found if 602 <= o.index < 602 + 120]
    assert {o.bridged for o in inside if o.index < 720} == {3}
    assert all(o.reason in (Reason.DECIDED, Reason.IDLE) for o in inside)


def test_more_than_five_per_cent_bridged_is_not_decoded() -> None:
    raw = eeg(1000)
    kept = np.delete(np.arange(1000), [600, 601, 602, 620, 621, 640, 641])
    found = run([Chunk(raw.data[kept], raw.stamps[kept])])
    assert [o.reason for o in found if o.index == 699] == [Reason.BRIDGED]


def test_a_value_that_is_no_number_costs_one_window_and_no_more() -> None:
    raw = eeg(1000)
    data = raw.data.copy()
    data[605, 3] = np.inf
    engine = Engine(stream(), decoder())
    found = {o.index: o for o in engine.push(Chunk(data, raw.stamps))}
    assert found[609].reason is Reason.NONFINITE
    back = 610 + engine.frontend.settling_blocks * 10 + 120 - 1
    assert found[back - 10].reason is Reason.REFILL
    assert found[back].reason in (Reason.DECIDED, Reason.IDLE)
    assert np.isfinite(found[back].probabilities).all()


def test_the_consumed_count_and_crc_name_the_newest_sample() -> None:
    raw = eeg(500)
    found = run(cut(raw, [7, 13, 200]))
    shorter = run([Chunk(raw.data[:300], raw.stamps[:300])])
    assert [(o.consumed, o.stamp) for o in found] == [(o.index + 1, raw.stamps[o.index]) for o in found]
    assert [o.crc for o in found][: len(shorter)] == [o.crc for o in shorter]
    other = raw.data.copy()
    other[3, 0] += 1e-9
    assert run([Chunk(other, raw.stamps)])[0].crc != found[0].crc


class Breach:
    """A kernel that breaks its contract in one way."""

    classes = ("left", "right")
    features = "scatter"
    n_channels = len(LABELS)

    def __init__(self, result: object) -> None:
        self.result = result

    def __call__(self, window: object) -> object:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    "result",
    [
        np.array([np.nan, np.nan]),
        np.array([0.5, 0.5, 0.0]),
        np.array([0.9, 0.9]),
        np.array([1.5, -0.5]),
        ValueError("no"),
        KeyError("plug-in"),
        None,
    ],
    ids=["nan", "shape", "sum", "negative", "raises", "raises-anything", "nothing"],
)
def test_a_decoder_that_breaks_its_contract_gives_a_reason_and_no_decision(result: object) -> None:
    found = run([eeg(600)], kernel=Breach(result))
    assert {o.reason for o in found} == {Reason.REFILL, Reason.DECODER}
    assert {o.decision for o in found} == {-1}


def test_channels_are_matched_by_label_and_never_by_position() -> None:
    raw = eeg(800)
    order = [3, 0, 7, 2, 1, 6, 5, 4]
    shuffled = Engine(stream(tuple(LABELS[i] for i in order)), decoder())
    found = shuffled.push(Chunk(raw.data[:, order], raw.stamps))
    expected = run([raw])
    assert [o.probabilities.tobytes() for o in found] == [o.probabilities.tobytes() for o in expected]


def test_a_stream_without_a_channel_or_at_another_rate_is_refused_by_name() -> None:
    with pytest.raises(StreamMismatch, match="Pz"):
        Engine(stream(LABELS[:-1]), decoder())
    with pytest.raises(StreamMismatch, match="500 Hz"):
        Engine(stream(rate_hz=500.0), decoder())


def test_a_frozen_engine_decides_nothing_and_resumes_at_once() -> None:
    found = run([eeg(1000)], [(500, Freeze("stimulation")), (600, Resume(""))])
    reasons = {o.index: o.reason for o in found}
    assert reasons[509] is Reason.FROZEN
    assert reasons[609] in (Reason.DECIDED, Reason.IDLE)


def test_skipped_windows_are_counted_and_not_decoded() -> None:
    found = run([eeg(1000)], [(500, Skip(580))])
    assert [o.index for o in found if o.reason is Reason.SKIPPED] == list(range(509, 580, 10))


def test_a_decoder_is_swapped_between_two_windows_or_refused() -> None:
    class Other(PowerKernel):
        def __call__(self, window):  # type: ignore[no-untyped-def]
            return np.array([0.25, 0.75])

    found = run([eeg(1000)], [(500, ReplaceModel(decoder(Other())))])
    assert {tuple(o.probabilities) for o in found if o.index >= 500} == {(0.25, 0.75)}
    with pytest.raises(ModelError, match="filters"):
        Engine(stream(), decoder()).apply(ReplaceModel(decoder(prep=replace(preprocessing(), notch_hz=60.0))))


def test_outcome_rows_carry_the_documented_columns() -> None:
    outcome = run([eeg(600)], [(0, MarkChannels(("Pz",), True))])[-1]
    row = dict(zip(fields(len(LABELS), PowerKernel.classes), outcome.row(len(LABELS)), strict=True))
    assert row["mask0"] == 1 << 7
    assert row["p:left"] + row["p:right"] == pytest.approx(1)
    assert (row["index"], row["consumed"], row["crc"]) == (outcome.index, outcome.consumed, outcome.crc)


def test_the_time_of_the_newest_sample_is_known_as_soon_as_there_is_one() -> None:
    engine = Engine(stream(), decoder())
    assert np.isnan(engine.continuity.newest_s)
    chunk = eeg(500)
    engine.push(chunk)
    assert engine.continuity.newest_s == pytest.approx(chunk.stamps[-1], abs=1e-6)
