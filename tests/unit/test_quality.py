"""Channels that cannot be trusted are found, named and left out; the session goes on where it can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from parts import LABELS, PowerKernel, decoder, eeg, preprocessing, stream

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.decoder import LiveDecoder
from bci.engine.engine import Engine
from bci.engine.outcome import Outcome, Reason

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
