"""A decoder is tried on noise before a person's time depends on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bci import plugins
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError, TrainingError
from bci.model.family import InformedFamily, load_family
from bci.settings import SessionConfig
from bci.training.fit import fit_decoder

LABELS = ("F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "P4")
RATE_HZ = 250.0
TRIALS_OF_A_CLASS = 10
NOISE_UV = 10.0


def rehearse(config: SessionConfig, classes: Sequence[str]) -> bool:
    """Load the configured decoder and its kernel, fit it to noise, and build what would run live.

    A decoder that cannot be found, fitted or run is then refused before the first trial and not after the last one. Families
    that train on more than windows and labels are only loaded, because they may take minutes. What the family says against the
    noise itself, or about settings that do not fit eight channels, does not count.

    Parameters
    ----------
    config : SessionConfig
        Section ``decoder``; the frequency range of ``preprocessing``.
    classes : sequence of str
        Of the trials that will come.

    Returns
    -------
    bool
        Whether it was fitted; otherwise it was only loaded.

    Raises
    ------
    bci.errors.PluginError
        If the decoder or its kernel is not installed.
    bci.errors.ConfigError
        If the decoder has no such setting.
    bci.errors.ModelError
        If the kernel does not take the arrays that the decoder gives.
    """
    family = load_family(config.decoder.name, config.decoder.settings)
    plugins.load(plugins.KERNELS, family.kernel)
    if isinstance(family, InformedFamily):
        return False
    labels = np.array(sorted(classes) * TRIALS_OF_A_CLASS)
    try:
        bands = family.bands(8.0, 30.0, RATE_HZ)
        preprocessing = Preprocessing(RATE_HZ, LABELS, notch_hz=0, bands=bands, window=250, hop=10)
        noise = np.random.default_rng(0).normal(0.0, NOISE_UV, (len(labels), len(bands), preprocessing.window, len(LABELS)))
        fitted = fit_decoder(family, noise, labels, preprocessing)
    except (TrainingError, ConfigError):
        return False
    fitted.decoder()
    return True
