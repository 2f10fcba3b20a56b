"""
Epochs to MNE
=============

Epochs are cut with the same filters and windows as in a live session. One call turns them into an
``mne.EpochsArray``. Then you can use all tools of MNE on exactly the data that a decoder gets.
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
# You can pass ``epochs.X`` and ``epochs.y`` to scikit-learn and pyRiemann. ``epochs.rejected`` names the
# trials that a live session would not have decoded, with the reason. The data of MNE's object are in volts,
# as MNE expects.

in_mne = epochs.to_mne()
print(in_mne)

# %%
# When a person imagines the movement of a hand, the mu rhythm becomes weaker over the opposite side of the
# head. The maps show the power from 10 to 14 Hz in each class, in decibels relative to the mean of both
# classes.

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
