"""Filters designed with numpy alone have the bits of scipy's, on which recorded sessions rest."""

import warnings
from itertools import product

import numpy as np
import pytest
from scipy.signal import BadCoefficients, butter, iirnotch, sosfilt, sosfilt_zi, sosfreqz, tf2sos

from bci.engine.filter_design import (
    butterworth_band_pass,
    butterworth_high_pass,
    notch_filter,
    response,
    run_sections,
    steady_state,
)

BANDS = [(0.1, 1.0), (0.5, 40.0), (1.0, 100.0), (4.0, 8.0), (8.0, 30.0), (7.0, 13.5), (8.0, 12.0), (0.05, 110.0), (28.0, 32.0)]
RATES = [250.0, 256.0, 250.55, 500.0, 1000.0, 2048.0]
ALL = [(low, high, order, rate) for (low, high), order, rate in product(BANDS, range(1, 9), RATES)]


def test_band_passes_have_the_bits_of_scipys() -> None:
    for low, high, order, rate in ALL:
        expected = butter(order, (low, high), "bandpass", fs=rate, output="sos")
        assert butterworth_band_pass(low, high, order, rate).tobytes() == expected.tobytes(), (low, high, order, rate)


def test_random_band_passes_have_the_bits_of_scipys_or_are_refused_as_there() -> None:
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        rate = float(rng.uniform(50, 5000))
        low, high = sorted(rate / 2 * 10 ** rng.uniform(-6, 0, 2))
        order = int(rng.integers(1, 9))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", BadCoefficients)
                expected = butter(order, (low, high), "bandpass", fs=rate, output="sos")
        except ValueError:
            refused += 1
            with pytest.raises(ValueError, match="conjugate"):
                butterworth_band_pass(low, high, order, rate)
        else:
            assert butterworth_band_pass(low, high, order, rate).tobytes() == expected.tobytes(), (low, high, order, rate)
    assert refused < 150


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("rate", RATES)
def test_high_passes_have_the_bits_of_scipys(order: int, rate: float) -> None:
    expected = butter(order, 1.0, "highpass", fs=rate, output="sos")
    assert butterworth_high_pass(1.0, order, rate).tobytes() == expected.tobytes()


@pytest.mark.parametrize("line", [16.7, 50.0, 60.0])
@pytest.mark.parametrize("rate", RATES)
def test_notches_have_the_bits_of_scipys(line: float, rate: float) -> None:
    assert notch_filter(line, 30.0, rate).tobytes() == np.asarray(tf2sos(*iirnotch(line, 30.0, fs=rate))).tobytes()


@pytest.mark.parametrize("rate", RATES)
def test_steady_states_responses_and_filtered_samples_have_the_bits_of_scipys(rate: float) -> None:
    data = np.random.default_rng(1).normal(0, 20, (40, 3))
    lines = [1.0, 10.0, 50.0, 100.0]
    for sos in (notch_filter(50.0, 30.0, rate), *(butterworth_band_pass(*band, 4, rate) for band in BANDS)):
        assert steady_state(sos).tobytes() == np.asarray(sosfilt_zi(sos)).tobytes()
        assert np.abs(response(sos, lines, rate)).tobytes() == np.abs(np.asarray(sosfreqz(sos, lines, fs=rate)[1])).tobytes()
        states = np.asarray(sosfilt_zi(sos))[..., None] * data[0]
        expected = sosfilt(sos, data, axis=0, zi=states)
        found = run_sections(sos, data, states)
        assert [x.tobytes() for x in found] == [np.asarray(x).tobytes() for x in expected]


@pytest.mark.parametrize(("low", "high"), [(0.0, 30.0), (8.0, 125.0), (30.0, 8.0), (8.0, 8.0)])
def test_a_band_that_is_none_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"Nyquist|below the upper"):
        butterworth_band_pass(low, high, 4, 250.0)
