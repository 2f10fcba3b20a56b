"""Measurements that the artefact steps need from training recordings; only the configured steps are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bci.engine.artefacts.asr import AsrSettings, baseline, high_pass
from bci.engine.artefacts.potato import Potato, usual
from bci.engine.artefacts.regression import eog_weights
from bci.engine.artefacts.settings import fields
from bci.engine.chunk import FloatArray
from bci.engine.decoder import scatter
from bci.engine.filters import band_pass
from bci.engine.spatial import inputs
from bci.settings import SessionConfig
from bci.training.fit import FittedModel
from bci.training.labelled import LabelledRun

EYES_HZ = (1.0, 15.0)
"""Where eye movements and blinks are, without offset, drift and line noise."""
SETTLING_S = 2.0


def measured(runs: Sequence[LabelledRun], config: SessionConfig) -> SessionConfig:
    """Measure what the artefact steps need over whole recordings, without labels, and put it into the settings.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
        As it is, where ``preprocessing.eog`` names no channel and ``preprocessing.asr`` is 0.

    Returns
    -------
    SessionConfig

    Raises
    ------
    TrainingError
        If too little is recorded, an EOG channel never changes, or nothing is clean.
    """
    section = config.preprocessing
    found: dict[str, object] = {}
    if section.eog:
        data = _filtered(runs, config, _eyes_band)
        n_eog = len(section.eog)
        weights = eog_weights(data[:, :-n_eog], data[:, -n_eog:])
        found["eog_weights"] = tuple(tuple(row) for row in weights.tolist())
    if section.asr:
        rate_hz = runs[0].info.rate_hz
        found |= fields(baseline(_filtered(runs, config, high_pass), rate_hz, AsrSettings(section.asr)))
    return config.model_copy(update={"preprocessing": section.model_copy(update=found)}) if found else config


def _eyes_band(rate_hz: float) -> FloatArray:
    """Second-order sections of the band in which eye movements are visible."""
    low_hz, high_hz = EYES_HZ
    return band_pass(low_hz, min(high_hz, 0.45 * rate_hz), 2, rate_hz)


def _filtered(runs: Sequence[LabelledRun], config: SessionConfig, sections: Callable[[float], FloatArray]) -> FloatArray:
    """The decoder's input channels of all recordings through a filter, shape (n_samples, n_inputs), EOG last."""
    from scipy.signal import sosfilt

    plain = config.preprocessing.model_copy(update={"eog_weights": (), "asr_covariance": (), "asr_limits": ()})
    parts = []
    for run in runs:
        info = run.info
        built = plain.build(info.rate_hz, info.eeg_labels(config.preprocessing.channels))
        data = run.raw.data[:, info.columns(inputs(built))]
        data = data[np.isfinite(data).all(axis=1)]
        filtered = sosfilt(sections(info.rate_hz), data - data[:1], axis=0)
        parts.append(filtered[round(SETTLING_S * info.rate_hz) :])
    return np.concatenate(parts)


def with_potato(model: FittedModel, windows: FloatArray) -> FittedModel:
    """Add the usual distance of training windows to a model that uses the Riemannian potato.

    Parameters
    ----------
    model : FittedModel
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        Those it was fitted to.

    Returns
    -------
    FittedModel

    Raises
    ------
    TrainingError
        If too few of them are alike.
    """
    artefacts = model.preprocessing.artefacts
    if not artefacts.potato_z:
        return model
    potato = Potato(model.centre, 0.0, 1.0, artefacts.potato_z)
    found = usual(np.array([potato.distance(scatter(w)) for w in windows]), artefacts.potato_z)
    return replace(model, preprocessing=replace(model.preprocessing, artefacts=replace(artefacts, potato=found)))
