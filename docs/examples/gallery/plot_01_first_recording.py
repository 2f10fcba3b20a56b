"""
A first recording
=================

This example simulates a person who imagines movements of the left and the right hand, records the EEG, and
shows the contents of the file. You can read your own recording, in any format, with
:func:`bci.read_recording`.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bci

folder = Path(tempfile.mkdtemp())
recording = bci.simulate(folder / "calibration.xdf", trials_per_class=5, seed=1, channels=8)

# %%
# A recording lists its streams and its markers.

recording

# %%
# Cues are the markers that ask for a class. Their times and the stamps of the samples are on the same clock,
# in seconds.

eeg = recording.eeg
begin_s = eeg.stamps[0]
for cue in recording.cues()[:3]:
    print(f"{cue.time_s - begin_s:6.2f} s  {cue.class_}")

# %%
# The samples are in microvolts, with time along the first axis. Here are 15 seconds, with a line at each cue.

shown = eeg.stamps < begin_s + 15
offsets_uv = 80 * np.arange(len(eeg.info.labels))
signals = eeg.data[shown] - eeg.data[shown].mean(axis=0) + offsets_uv

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.plot(eeg.stamps[shown] - begin_s, signals, color="black", linewidth=0.5)
for name, color in (("left_hand", "tab:blue"), ("right_hand", "tab:orange")):
    times_s = [
        cue.time_s - begin_s for cue in recording.cues() if cue.class_ == name and cue.time_s < begin_s + 15
    ]
    ax.vlines(times_s, offsets_uv[0] - 80, offsets_uv[-1] + 80, color=color, label=name)
ax.set(xlabel="time (s)", yticks=offsets_uv, yticklabels=eeg.info.labels, title="EEG and cues")
ax.legend(loc="upper right")
plt.show()
