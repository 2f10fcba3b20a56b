"""Channels that cannot be trusted are found, named and left out; the session goes on where it can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from parts import LABELS, PowerKernel, decoder, eeg, preprocessing, stream

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.decoder import LiveDecoder
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Outcome, Reason
from bci.engine.quality import QualitySettings

DECODED = (Reason.DECIDED, Reason.IDLE)
RATE = 250
ONSET = 1000


def after(data: FloatArray, stamps: FloatArray, heavy: str = "") -> tuple[list[Outcome], dict[str, str]]:
    """Outcomes with a fault from ONSET on, and what is said of the channels at the end."""
    d = decoder()
    weights = np.full(len(LABELS), 1 / len(LABELS))
    if heavy:
        weights[:] = 0.05
        weights[LABELS.index(heavy)] = 0.65
    engine = Engine(stream(), LiveDecoder(d.preprocessing, d.kernel, d.covariance, weights))
    return engine.push(Chunk(data, stamps)), engine.bad_channels()


def faulty(kind: str, label: str = "CP1") -> tuple[FloatArray, FloatArray]:
    raw = eeg(2000)
    data, column = raw.data.copy(), LABELS.index(label)
    time_s = np.arange(1000) / RATE
    match kind:
        case "flat":
            data[ONSET:, column] = data[ONSET, column]
        case "zero":
            data[ONSET:, column] = 0.0
        case "railed":
            data[ONSET:, column] = 187_500.0
        case "amplitude":
            data[ONSET:, column] += 600 * np.sin(2 * np.pi * 3 * time_s)
        case "line":
            data[ONSET:, column] += 200 * np.sin(2 * np.pi * 60 * time_s)
        case "bridged":
            data[ONSET:, column] = data[ONSET:, LABELS.index("Pz")]
    return data, raw.stamps


@pytest.mark.parametrize(
    ("kind", "said"),
    [("flat", "flat"), ("zero", "flat"), ("railed", "railed"), ("amplitude", "amplitude"), ("line", "line")],
)
def test_one_bad_light_channel_is_named_within_half_a_second_and_decoding_goes_on(kind: str, said: str) -> None:
    found, bad = after(*faulty(kind))
    assert bad == {"CP1": said}
    masked = [o.index for o in found if o.mask == 1 << LABELS.index("CP1") and o.index >= ONSET]
    assert masked
    assert min(masked) <= ONSET + RATE // 2
    assert all(o.reason in DECODED for o in found if o.index > ONSET + RATE)


def test_a_bad_channel_that_carries_the_decision_stops_decoding_instead() -> None:
    found, bad = after(*faulty("flat", "C3"), heavy="C3")
    assert bad == {"C3": "flat"}
    assert {o.reason for o in found if o.index > ONSET + RATE // 2} == {Reason.QUALITY}
    assert {o.decision for o in found if o.reason is Reason.QUALITY} == {-1}


def test_two_bridged_channels_of_eight_are_too_many() -> None:
    found, bad = after(*faulty("bridged"))
    assert bad == {"CP1": "bridged", "Pz": "bridged"}
    assert {o.reason for o in found if o.index > ONSET + 2 * RATE} == {Reason.QUALITY}


def test_line_noise_that_the_notch_removes_is_no_fault() -> None:
    raw = eeg(2000)
    hum = 200 * np.sin(2 * np.pi * 50 * np.arange(2000) / RATE)
    found, bad = after(raw.data + hum[:, np.newaxis], raw.stamps)
    assert bad == {}
    assert found[-1].reason in DECODED


def test_line_noise_that_the_band_pass_removes_is_no_fault_whether_there_is_a_notch_or_not() -> None:
    raw = eeg(2000)
    hum = 200 * np.sin(2 * np.pi * 60 * np.arange(2000) / RATE)
    d = decoder()
    wide, narrow = d.preprocessing, replace(d.preprocessing, notch_hz=0.0, bands=((8.0, 20.0),))
    said = []
    for p in (wide, narrow):
        engine = Engine(stream(), replace(d, preprocessing=p))
        engine.push(Chunk(raw.data + hum[:, np.newaxis], raw.stamps))
        said.append(set(engine.bad_channels().values()))
    assert said == [{"line"}, set()]


def test_a_large_artefact_never_reaches_the_decoder_not_even_in_its_first_window() -> None:
    raw = eeg(2000)
    data = raw.data.copy()
    data[1205:1230] += 4000.0
    found, _ = after(data, raw.stamps)
    touched = [o for o in found if 1205 <= o.index < 1229 + 120]
    assert {o.reason for o in touched} <= {Reason.QUALITY}
    assert found[-1].reason in DECODED


def test_the_filters_start_without_a_transient_whatever_the_electrode_offset() -> None:
    raw = eeg(1500)
    drift = 150_000.0 + 1000.0 * np.arange(1500)[:, np.newaxis] / RATE
    engine = Engine(stream(), decoder())
    peak = 0.0
    for window in engine.frontend.push(Chunk(raw.data + drift, raw.stamps)):
        if window.reason is Reason.DECIDED:
            power = np.diagonal(window.features[0])[:-1] / preprocessing().window
            peak = max(peak, float(np.sqrt(power).max()))
    assert 0 < peak < 20


def test_after_the_fault_is_gone_the_channel_is_trusted_again() -> None:
    data, stamps = faulty("flat")
    data[1400:] = eeg(2000).data[1400:]
    found, bad = after(data, stamps)
    assert bad == {}
    assert found[-1].mask == 0


def test_what_replaces_a_bad_channel_keeps_the_decision_finite_and_close() -> None:
    raw = eeg(2000, seed=3)
    whole = Engine(stream(), decoder(PowerKernel())).push(raw)
    data = raw.data.copy()
    data[ONSET:, LABELS.index("FC1")] = 0.0
    found, _ = after(data, raw.stamps)
    np.testing.assert_allclose(found[-1].probabilities, whole[-1].probabilities, atol=1e-9)


@pytest.mark.parametrize("rail_uv", [2_000.0, 46_875.0, 187_500.0, 750_000.0, 4_500_000.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_channel_at_its_rail_is_named_within_half_a_second_whatever_the_gain(rail_uv: float, sign: int) -> None:
    raw = eeg(2000)
    data = raw.data - raw.data[:1] + 0.5 * sign * rail_uv
    data[ONSET:, LABELS.index("CP1")] = sign * rail_uv
    found, bad = after(data, raw.stamps)
    assert bad == {"CP1": "railed"}
    assert min(o.index for o in found if o.mask) <= ONSET + RATE // 2


def test_a_rhythm_that_is_clipped_half_of_the_time_is_railed_though_it_still_moves() -> None:
    raw = eeg(2000)
    data, column = raw.data.copy(), LABELS.index("CP1")
    data[ONSET:, column] = np.minimum(data[ONSET:, column] - raw.data[:, column].mean() + 187_500, 187_500)
    assert after(data, raw.stamps)[1] == {"CP1": "railed"}


@pytest.mark.parametrize("offset_uv", [-450_000.0, 187_400.0, 700_000.0])
@pytest.mark.parametrize("drift_uv", [0.0, 1000.0, -20.0])
def test_a_live_signal_on_any_offset_that_drifts_is_no_fault(offset_uv: float, drift_uv: float) -> None:
    raw = eeg(4000)
    drift = drift_uv * np.arange(4000)[:, np.newaxis] / RATE
    data = (raw.data + offset_uv + drift).astype(np.float32).astype(np.float64)
    found, bad = after(data, raw.stamps)
    assert bad == {}
    assert {o.mask for o in found} == {0}
    assert found[-1].reason in DECODED


@pytest.mark.parametrize("step_uv", [0.5, 1.0, 7.6])
def test_coarse_steps_of_a_converter_are_not_taken_for_its_rail(step_uv: float) -> None:
    raw = eeg(4000)
    drift = 100.0 * np.arange(4000)[:, np.newaxis] / RATE
    data = np.round((raw.data + 20_000 + drift) / step_uv) * step_uv
    found, _ = after(data, raw.stamps)
    assert {o.mask for o in found} == {0}


def test_a_channel_that_stays_at_its_rail_over_a_gap_is_known_again_after_it() -> None:
    data, stamps = faulty("railed")
    stamps = stamps + (np.arange(2000) >= 1500) * 2.0
    found, bad = after(data, stamps)
    assert bad == {"CP1": "railed"}
    assert any(o.reason is Reason.REFILL for o in found if o.index > 1500 + RATE)
    assert all(o.mask for o in found if o.reason in DECODED and o.index > 1500)


def test_a_limit_that_is_set_holds_whatever_the_signal_does() -> None:
    raw = eeg(2000)
    d = decoder()
    limit = EngineSettings(quality=QualitySettings(rail_uv=187_000.0))
    engine = Engine(stream(), d, limit)
    engine.push(Chunk(raw.data + 187_400.0 * (np.arange(len(LABELS)) == 3), raw.stamps))
    assert engine.bad_channels() == {"CP1": "railed"}
