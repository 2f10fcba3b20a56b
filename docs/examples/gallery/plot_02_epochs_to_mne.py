"""
Epochs to MNE
=============

Epochs are cut through the very filters and windows that run live, and become an ``mne.EpochsArray`` with
one call. So everything that MNE offers can look at exactly what a decoder sees.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import mne
import numpy as np

import bci

folder = Path(tempfile.mkdtemp())
recording = bci.simulate(folder / "calibration.xdf", trials_per_class=15, seed=3, skill=1.0, channels=22)
epochs = bci.cut_epochs(recording)
print(epochs)

# %%
# ``epochs.X`` and ``epochs.y`` are what scikit-learn and pyRiemann take, and ``epochs.rejected`` names the
# trials that would not have been decoded live, with the reason. MNE's object is in volts, as MNE expects.

in_mne = epochs.to_mne()
print(in_mne)

# %%
# When a hand is moved in the imagination, the mu rhythm becomes weaker over the opposite side of the head.
# The maps show the power from 10 to 14 Hz in each class, in decibels relative to the mean of both.

psd = {
    name: in_mne[name].compute_psd(fmin=10, fmax=14, verbose="ERROR").get_data().mean(axis=(0, 2))
    for name in in_mne.event_id
}
mean = sum(psd.values()) / len(psd)

fig, axes = plt.subplots(1, 2, figsize=(7, 3.5), layout="constrained")
for ax, (name, power) in zip(axes, psd.items(), strict=True):
    decibels = 10 * np.log10(power / mean)
    image, _ = mne.viz.plot_topomap(decibels, in_mne.info, axes=ax, vlim=(-3, 3), show=False)
    ax.set_title(name)
fig.colorbar(image, ax=axes, label="power (dB)", shrink=0.7)
plt.show()
