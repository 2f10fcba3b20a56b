"""The parts of the engine, each on its own: suspension, bad channels, adaptation, and a decoder that fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from parts import LABELS, PowerKernel, decoder, eeg, preprocessing, stream

from bci.engine.adaptation import Adaptation
from bci.engine.bad_channels import SETS_KEPT, BadChannelCompensation, ChannelCompensator
from bci.engine.chunk import BoolArray, FloatArray
from bci.engine.decoder import LiveDecoder, scatter
from bci.engine.decoding import MOST_KINDS, WindowDecoder
from bci.engine.engine import Engine
from bci.engine.frontend import Frontend, Window
from bci.engine.outcome import Reason
from bci.engine.quality import QualitySettings
from bci.engine.rebias import RebiasSettings
from bci.engine.recentre import RecentreSettings
from bci.engine.suspension import Suspension
from bci.errors import ModelError

N = len(LABELS)
FEATURES = scatter(np.random.default_rng(0).normal(0, 10, (1, 120, N)))


def bad(*channels: int) -> BoolArray:
    found = np.zeros(N, dtype=np.bool_)
    found[list(channels)] = True
    return found


def compensator(live: LiveDecoder | None = None) -> ChannelCompensator:
    return ChannelCompensator(live or decoder(), QualitySettings(), N)


def centred() -> LiveDecoder:
    live = decoder()
    return replace(live, centre=live.covariance)


def windows(n_samples: int, live: LiveDecoder) -> list[Window]:
    """Copies of the windows that may be decoded."""
    frontend = Frontend(stream(), live.preprocessing)
    return [replace(w, features=w.features.copy()) for w in frontend.push(eeg(n_samples)) if w.reason is Reason.DECIDED]


# Suspension


def test_decoding_goes_on_when_everybody_who_froze_it_has_resumed() -> None:
    suspension = Suspension()
    suspension.freeze("pause", "person")
    suspension.freeze("blanking", "actuator")
    suspension.resume("person")
    assert suspension.reason(10) is Reason.FROZEN
    assert suspension.frozen == {"actuator": "blanking"}
    suspension.resume("actuator")
    suspension.resume("nobody")
    assert suspension.reason(10) is Reason.DECIDED


def test_windows_are_skipped_up_to_the_farthest_sample_and_counting_can_begin_anew() -> None:
    suspension = Suspension()
    suspension.skip(100)
    suspension.skip(50)
    assert [suspension.reason(n) for n in (100, 101)] == [Reason.SKIPPED, Reason.DECIDED]
    suspension.freeze("pause", "person")
    suspension.restart_counting()
    suspension.resume("person")
    assert suspension.reason(1) is Reason.DECIDED


# Bad channels


def test_nothing_is_multiplied_where_no_channel_is_bad_and_there_is_no_reference() -> None:
    none = compensator().none
    assert (none.matrices, none.residual, none.mask, none.allowed) == ((), None, 0, True)


def test_a_bad_channel_is_replaced_by_what_the_good_ones_let_expect() -> None:
    live = decoder()
    found = compensator(live).of(bad(1))
    spoiled = FEATURES.copy()
    spoiled[0, 1, :] *= 1e6
    spoiled[0, :, 1] *= 1e6
    filled = compensator(live).apply(spoiled, found)
    good = [i for i in range(N) if i != 1]
    np.testing.assert_allclose(filled[0][np.ix_(good, good)], FEATURES[0][np.ix_(good, good)])
    covariance = live.covariance[0]
    weights = np.linalg.solve(covariance[np.ix_(good, good)], covariance[good, 1])
    unknown = covariance[1, 1] - covariance[1, good] @ weights
    wanted = weights @ FEATURES[0][np.ix_(good, good)] @ weights + unknown * live.preprocessing.window
    assert filled[0, 1, 1] == pytest.approx(wanted)
    assert found.mask == 0b10


def test_too_many_bad_channels_or_an_important_one_are_not_allowed() -> None:
    settings = QualitySettings()
    few = int(np.ceil(settings.bad_share * N)) - 1
    assert compensator().of(bad(*range(few))).allowed
    assert not compensator().of(bad(*range(few + 1))).allowed
    weights = np.full(N, 0.5 / (N - 1))
    weights[3] = 0.5
    heavy = compensator(replace(decoder(), weights=weights))
    assert not heavy.of(bad(3)).allowed
    assert heavy.of(bad(2)).allowed


def test_each_set_of_bad_channels_is_computed_once_and_few_are_remembered() -> None:
    parts = compensator()
    first = parts.of(bad(0))
    assert parts.of(bad(0)) is first
    for number in range(SETS_KEPT + 1):
        parts.of(np.array([number >> i & 1 for i in range(N)], dtype=np.bool_))
    assert len(parts._known) <= SETS_KEPT
    np.testing.assert_array_equal(parts.of(bad(0)).matrices[0], first.matrices[0])


def test_samples_are_compensated_as_scatter_matrices_are() -> None:
    samples = np.random.default_rng(1).normal(0, 10, (1, 120, N))
    p = preprocessing(reference="average")
    by_samples = compensator(decoder(PowerKernel(features="samples"), p))
    by_scatter = compensator(decoder(PowerKernel(), p))
    a = by_samples.apply(samples, by_samples.of(bad(1)))
    b = by_scatter.apply(scatter(samples), replace(by_scatter.of(bad(1)), residual=None))
    np.testing.assert_allclose(scatter(a), b, atol=1e-6)


def test_a_compensation_can_be_followed_by_a_matrix() -> None:
    parts = compensator()
    move = np.random.default_rng(2).normal(size=(1, N, N))
    plain = parts.of(bad(1))
    moved: BadChannelCompensation = plain.moved_by(move)
    once = parts.apply(FEATURES, plain).copy()
    np.testing.assert_allclose(parts.apply(FEATURES, moved)[0, :N, :N], move[0] @ once[0, :N, :N] @ move[0].T)
    np.testing.assert_array_equal(parts.none.moved_by(np.eye(N)[None]).matrices[0], np.eye(N + 1))


# Adaptation


def adaptation(live: LiveDecoder, *, recentre: bool = False, rebias: bool = False) -> tuple[Adaptation, BadChannelCompensation]:
    parts = compensator(live)
    return Adaptation(live, parts, RecentreSettings(on=recentre), RebiasSettings(on=rebias)), parts.none


def test_without_adaptation_windows_and_probabilities_stay_the_same_objects() -> None:
    found, none = adaptation(decoder())
    window = windows(600, decoder())[0]
    probabilities = np.array([0.5, 0.5])
    assert found.features(window, none) is window.features
    assert found.shift(probabilities, window.consumed) is probabilities
    assert (found.recentred, found.bias) == (None, None)


def test_it_does_not_matter_when_recentring_learns() -> None:
    live = centred()
    early, none = adaptation(live, recentre=True)
    late, none_of_late = adaptation(live, recentre=True)
    for window in windows(2000, live):
        a = early.features(window, none).copy()
        early.prepare(none)
        np.testing.assert_array_equal(a, late.features(window, none_of_late))
    late.prepare(none_of_late)
    assert early.recentred == late.recentred != 0.0


def test_recentring_needs_the_centre_of_the_training() -> None:
    with pytest.raises(ModelError, match="train it again"):
        adaptation(decoder(), recentre=True)
    found, _ = adaptation(decoder())
    with pytest.raises(ModelError, match="train it again"):
        found.switch_recentring(True)
    assert found.recentred is None


def test_a_window_that_is_discarded_is_neither_learned_from_nor_returned() -> None:
    live = centred()
    found, none = adaptation(live, recentre=True)
    for window in windows(1000, live):
        found.features(window, none)
        found.discard()
    found.prepare(none)
    assert found.recentred == 0.0
    assert found.take_covariance() is None


def test_the_covariance_of_a_whole_window_is_returned_once() -> None:
    live = decoder()
    found, none = adaptation(live)
    for window in windows(1000, live):
        found.features(window, none)
    covariance = found.take_covariance()
    assert covariance is not None
    assert covariance.shape == (1, N, N)
    assert found.take_covariance() is None


def test_the_bias_is_forgotten_when_samples_are_counted_anew() -> None:
    found, _ = adaptation(decoder(), rebias=True)
    for trial in range(12):
        found.label(("left", "right")[trial % 2], 100 * trial, 100 * trial + 50)
        found.shift(np.array([0.9, 0.1]), 100 * trial + 50)
    found.prepare(compensator().none)
    assert found.bias is not None
    assert found.bias[0] < -0.1
    found.restart_bias()
    assert found.bias == (0.0, 0.0)


# A decoder that fails


class Failing(PowerKernel):
    """Raises what it is given, or returns it."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result

    def __call__(self, window: FloatArray) -> FloatArray:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result  # type: ignore[return-value]


def test_what_a_decoder_raises_is_kept_with_its_text_and_its_place() -> None:
    found = WindowDecoder(decoder(Failing(KeyError("no such band"))))
    assert found(FEATURES) is None
    (failure,) = found.take_failures()
    assert failure.type == "KeyError"
    assert failure.message == "'no such band'"
    assert failure.place.startswith("Failing.__call__ (test_engine_parts.py:")


def test_each_kind_of_failure_is_returned_once() -> None:
    kernel = Failing(ValueError("first"))
    found = WindowDecoder(decoder(kernel))
    for error in (ValueError("first"), ValueError("second"), TypeError("third"), ValueError("first")):
        kernel.result = error
        assert found(FEATURES) is None
    assert [(x.type, x.message) for x in found.take_failures()] == [("ValueError", "first"), ("TypeError", "third")]
    assert found(FEATURES) is None
    assert found.take_failures() == []


def test_a_decoder_that_fails_in_ever_new_ways_does_not_fill_the_memory() -> None:
    kernel = Failing(None)
    found = WindowDecoder(decoder(kernel))
    for number in range(2 * MOST_KINDS):
        kernel.result = type(f"Error{number}", (Exception,), {})("x" * 10_000)
        found(FEATURES)
    failures = found.take_failures()
    assert len(failures) == MOST_KINDS
    assert max(len(x.message) for x in failures) <= 500


def test_an_exception_that_cannot_even_be_shown_is_a_failure_like_others() -> None:
    class Unshowable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    found = WindowDecoder(decoder(Failing(Unshowable())))
    assert found(FEATURES) is None
    assert [x.type for x in found.take_failures()] == ["Unshowable"]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.array([0.5, 0.5, 0.0]), "it returned an array of shape (3,)"),
        (np.array([0.9, 0.9]), "it returned [0.9 0.9]"),
        (np.array([1.5, -0.5]), "it returned [ 1.5 -0.5]"),
    ],
    ids=["shape", "sum", "negative"],
)
def test_an_answer_that_is_no_distribution_is_named(result: FloatArray, message: str) -> None:
    found = WindowDecoder(decoder(Failing(result)))
    assert found(FEATURES) is None
    (failure,) = found.take_failures()
    assert failure.type == "ContractError"
    assert failure.message == f"the decoder must return 2 probabilities that sum to one; {message}"
    assert failure.place == "Failing.__call__"


def test_a_window_without_a_covariance_is_no_failure() -> None:
    found = WindowDecoder(decoder(Failing(np.full(2, np.nan))))
    assert found(FEATURES) is None
    assert found.take_failures() == []


def test_the_engine_says_why_its_decoder_gave_nothing() -> None:
    engine = Engine(stream(), decoder(Failing(ZeroDivisionError("by nothing"))))
    assert Reason.DECODER in {o.reason for o in engine.push(eeg(600))}
    assert [x.message for x in engine.take_failures()] == ["by nothing"]
