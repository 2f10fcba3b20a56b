"""
The evaluation of a folder
==========================

Which decoder is best for the people in a folder of recordings? The evaluation cuts the trials as in a live
session, trains and tests every decoder on the same trials of each person, and compares the decoders trial
by trial.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import bci

folder = Path(tempfile.mkdtemp())
for number, skill in enumerate((0.4, 0.6, 0.8), start=1):
    bci.simulate(folder / "recordings" / f"P{number}_run1.xdf", trials_per_class=12, seed=number, skill=skill)

# %%
# The pattern says which parts of a file name are the person and the run. The results are stored in
# ``results``, so that a second call computes only the missing ones.

found = bci.evaluate(
    folder / "recordings",
    folder / "results",
    bci.configure(trial={"start_s": 0.5, "stop_s": 2.5}, preprocessing={"window_s": 2.0}),
    classes={"769": "left_hand", "770": "right_hand"},
    pattern="{subject}_run{run}",
    decoders=("ts-lr", "csp-lda", "mdm"),
)
for one in found.compared:
    points = [f"{100 * value:+.1f}" for value in (one.difference, one.low, one.high)]
    print(f"{one.decoder} against {one.baseline}: {points[0]} points ({points[1]} to {points[2]})")

# %%
# Each line of the table is the result of one person with one decoder.

table = found.to_frame()
table[["subject", "decoder", "n_test", "accuracy", "low", "high", "chance"]]

# %%
# Each line connects the results of one person, because people differ more than decoders.

by_person = (
    100 * table.pivot(index="decoder", columns="subject", values="accuracy").loc[["ts-lr", "csp-lda", "mdm"]]
)
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(by_person.index, by_person, "o-", label=by_person.columns)
ax.axhline(50, color="grey", linestyle="--", label="chance")
ax.set(ylabel="correct (%)", title="Each person with each decoder")
ax.legend()
plt.show()
