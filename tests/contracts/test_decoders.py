"""Every installed decoder family keeps the contracts, on random windows and on real recordings."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfilt_zi

from bci.contracts.kernel import family_breaches
from bci.engine.preprocessing import Preprocessing
from bci.model.family import load_family

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FAMILIES = sorted(entry_points(group="bci.decoders").names)
BANK = ((8.0, 12.0), (12.0, 18.0), (18.0, 30.0))
BANDS = {"fbcsp": BANK, "fbts": BANK, "fbcnet": BANK, "ts-lr": ((8.0, 13.0), (13.0, 30.0)), "acm": ((8.0, 13.0), (13.0, 30.0))}
NETWORKS = ("eegnet", "shallow", "conformer", "ctnet", "fbcnet", "network")
MOST_CHANNELS = {"fgmdm": 64, "acm": 16, "fbts": 16} | dict.fromkeys(NETWORKS, 8)
"""The first two are refused beyond 64 and 30; the rest is the time that a test may take."""
SETTINGS = {name: {"epochs": 1, "device": "cpu"} for name in NETWORKS}
SETTINGS["network"]["module"] = "pipelines.networks.shallow:ShallowConvNet"
"""A network keeps the contract however little it has learnt."""


def bands_of(family: str) -> tuple[tuple[float, float], ...]:
    return BANDS.get(family, ((8.0, 30.0),))


def random_windows(
    rng: np.random.Generator, classes: int, bands: int, channels: int, trials: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Mixed sources whose power depends a little on the class, so that probabilities spread."""
    labels = np.arange(trials * classes) % classes
    sources = rng.standard_normal((len(labels), bands, 200, channels)) * np.exp(
        0.15 * rng.standard_normal((len(labels), 1, 1, 1))
    )
    for k in range(classes):
        sources[labels == k, :, :, k % channels] *= 1.2
    mixing = np.eye(channels) + 0.3 * np.random.default_rng(channels).standard_normal((channels, channels))
    return 6.0 * sources @ mixing, np.array([f"class {k}" for k in labels])


SIZES = [(2, 3), (3, 3), (4, 8), (2, 16), (3, 32), (4, 32), (2, 64)]
CASES = [(f, k, c) for k, c in SIZES for f in FAMILIES if c <= MOST_CHANNELS.get(f, 128) and (f not in NETWORKS or k != 3)]


@pytest.mark.parametrize(("family", "classes", "channels"), CASES)
def test_kernel_equals_its_estimator_on_random_windows(family: str, classes: int, channels: int) -> None:
    rng = np.random.default_rng(classes * 1000 + channels)
    bands = bands_of(family)
    windows, labels = random_windows(rng, classes, len(bands), channels)
    unseen, _ = random_windows(rng, classes, len(bands), channels)
    settings = Preprocessing(100.0, tuple(f"E{i}" for i in range(channels)), notch_hz=0, bands=bands, window=200, hop=4)
    assert not family_breaches(load_family(family, SETTINGS.get(family)), windows, labels, unseen[:16], settings)


@pytest.mark.slow
@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in MOST_CHANNELS])
def test_kernel_equals_its_estimator_at_128_channels(family: str) -> None:
    bands = bands_of(family)[:1]
    windows, labels = random_windows(np.random.default_rng(128), 2, 1, 128, trials=6)
    settings = Preprocessing(100.0, tuple(f"E{i}" for i in range(128)), notch_hz=0, bands=bands, window=200, hop=4)
    assert not family_breaches(load_family(family, SETTINGS.get(family)), windows, labels, windows[:4] * 1.1, settings)


def physionet() -> tuple[np.ndarray, float, list[tuple[int, str]]]:
    return _edf(DATA / "physionet-eegmmi" / "S001R04.edf", {"T1": "left", "T2": "right"}, scale=1e6)


def ds003810() -> tuple[np.ndarray, float, list[tuple[int, str]]]:
    # The file says no unit and holds µV, which MNE takes for V.
    return _edf(
        DATA / "mi-rest-ds003810" / "S05" / "S05_RUN1.edf", {"OVTK_GDF_Right": "right", "OVTK_GDF_Tongue": "rest"}, scale=1.0
    )


def labrecorder() -> tuple[np.ndarray, float, list[tuple[int, str]]]:
    import pyxdf

    streams, _ = pyxdf.load_xdf(str(DATA / "labrecorder-mi" / "subjT_2022-04-07_run02.xdf"))
    eeg = next(s for s in streams if s["info"]["type"][0] == "EEG")
    marks = next(s for s in streams if s["info"]["type"][0] != "EEG")
    names = {1: "idle", 2: "left", 3: "right"}
    coded = [(t, int(float(x[0]))) for t, x in zip(marks["time_stamps"], marks["time_series"], strict=True)]
    cues = [(int(np.searchsorted(eeg["time_stamps"], t)), names[code]) for t, code in coded if code in names]
    return np.asarray(eeg["time_series"], dtype=np.float64)[:, :11], 125.0, cues


def _edf(path: Path, classes: dict[str, str], scale: float) -> tuple[np.ndarray, float, list[tuple[int, str]]]:
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    rate = float(raw.info["sfreq"])
    cues = [(round(a["onset"] * rate), classes[a["description"]]) for a in raw.annotations if a["description"] in classes]
    return raw.get_data(picks="eeg").T * scale, rate, cues


@cache
def real_windows(recording: str, bands: tuple[tuple[float, float], ...]) -> tuple[np.ndarray, np.ndarray, float]:
    """Causally filtered two-second windows from 0.5 s after each cue."""
    data, rate, cues = {"physionet": physionet, "ds003810": ds003810, "labrecorder": labrecorder}[recording]()
    length = round(2 * rate)
    filtered = []
    for band in bands:
        sos = butter(4, band, "bandpass", fs=rate, output="sos")
        start = sosfilt_zi(sos)[:, :, None] * data[0]
        filtered.append(sosfilt(sos, data, axis=0, zi=start)[0])
    starts = [(i + round(0.5 * rate), name) for i, name in cues]
    kept = [(i, name) for i, name in starts if i + length <= len(data)]
    windows = np.array([[f[i : i + length] for f in filtered] for i, _ in kept])
    return windows, np.array([name for _, name in kept]), rate


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("recording", ["ds003810", "physionet", "labrecorder"])
def test_kernel_equals_its_estimator_on_real_windows(family: str, recording: str) -> None:
    if not DATA.is_dir():
        pytest.skip("the shared recordings are not on this machine (../shared/data)")
    bands = bands_of(family)
    windows, labels, rate = real_windows(recording, bands)
    if recording == "physionet":
        # Fifteen trials of a run: enough to compare a kernel with its estimator, split in two for their count.
        half = windows.shape[2] // 2
        windows, labels = np.concatenate((windows[:, :, :half], windows[:, :, half : 2 * half])), np.concatenate((labels, labels))
    windows = windows[..., : MOST_CHANNELS.get(family, 128)]
    names = tuple(f"E{i}" for i in range(windows.shape[3]))
    settings = Preprocessing(rate, names, notch_hz=0, bands=bands, window=windows.shape[2], hop=1)
    assert not family_breaches(load_family(family, SETTINGS.get(family)), windows[::2], labels[::2], windows[1::2], settings)
