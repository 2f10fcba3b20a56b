"""What artefact steps have to learn from training recordings; nothing is computed where none is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bci.engine.artefacts.potato import Potato, usual
from bci.engine.artefacts.regression import eog_weights
from bci.engine.chunk import FloatArray
from bci.engine.decoder import scatter
from bci.engine.filters import band_pass
from bci.engine.spatial import inputs
from bci.engine.stream_info import StreamInfo
from bci.settings import SessionConfig

if TYPE_CHECKING:
    from bci.session.fit import FittedModel
    from bci.session.training import LabelledRun

EYES_HZ = (1.0, 15.0)
"""Where eye movements and blinks are, without offset, drift and line noise."""
SETTLING_S = 2.0


def with_eog(runs: Sequence[LabelledRun], config: SessionConfig) -> SessionConfig:
    """The configuration with the eyes' share in every channel, measured over whole recordings.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
        As it is, where ``preprocessing.eog`` names no channel.

    Raises
    ------
    TrainingError
        If too little is recorded, or an EOG channel never changes.
    """
    section = config.preprocessing
    if not section.eog:
        return config
    parts = [_eyes_band(run.info, run.raw.data, config) for run in runs]
    data = np.concatenate(parts)
    n_eog = len(section.eog)
    weights = eog_weights(data[:, :-n_eog], data[:, -n_eog:])
    found = tuple(tuple(row) for row in weights.tolist())
    return config.model_copy(update={"preprocessing": section.model_copy(update={"eog_weights": found})})


def _eyes_band(info: StreamInfo, raw: FloatArray, config: SessionConfig) -> FloatArray:
    """The decoder's input channels of a recording where the eyes are seen, shape (n_samples, n_inputs), EOG last."""
    from scipy.signal import sosfilt

    plain = config.preprocessing.model_copy(update={"eog_weights": ()})
    built = plain.build(info.rate_hz, tuple(c.label for c in info.channels if c.type == "EEG"))
    data = raw[:, info.columns(inputs(built))]
    data = data[np.isfinite(data).all(axis=1)]
    low_hz, high_hz = EYES_HZ
    sections = band_pass(low_hz, min(high_hz, 0.45 * info.rate_hz), 2, info.rate_hz)
    filtered: FloatArray = sosfilt(sections, data - data[:1], axis=0)
    return filtered[round(SETTLING_S * info.rate_hz) :]


def with_potato(model: FittedModel, windows: FloatArray) -> FittedModel:
    """The model with the usual distance of training windows, where it asks for the Riemannian potato.

    Parameters
    ----------
    model : FittedModel
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        Those it was fitted to.

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
