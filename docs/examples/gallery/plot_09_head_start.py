"""
A head start from other people's data
=====================================

A library contains past calibrations of other people. The decoder of a new person can start from these
calibrations, without a single trial of the new person. The more trials the new person does, the more they
determine the decoder.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import bci

folder = Path(tempfile.mkdtemp())
for number in range(1, 4):
    other = bci.simulate(folder / f"other{number}.xdf", trials_per_class=10, seed=10 + number, skill=0.8)
    library = bci.add_to_library(folder / "library", other, subject=f"P{number}")
for entry in library.entries:
    print(entry.name, entry.trials)

# %%
# The decoder of the new person is tested on another day. With few own trials the library helps; with many
# own trials it is no longer necessary.

test = bci.simulate(folder / "test.xdf", trials_per_class=15, seed=2, skill=0.8)
with_library = {0: bci.score(test, bci.fit_from_library(folder / "library", config=test.config))}
alone = {}
for trials in (5, 10):
    own = bci.simulate(folder / f"own{trials}.xdf", trials_per_class=trials, seed=1, skill=0.8)
    with_library[trials] = bci.score(test, bci.fit_from_library(folder / "library", own))
    alone[trials] = bci.score(test, bci.fit(own, "ts-lr"))
print("without any own trial:", with_library[0])

# %%
# This example with one simulated person only shows how to do it, because the intervals are wide. The page
# `Head start <../results/head-start.html>`_ shows the gain for real people.

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, scores in (("with the library", with_library), ("own trials alone", alone)):
    ax.plot(list(scores), [100 * one.accuracy for one in scores.values()], "o-", label=name)
ax.axhline(50, color="grey", linestyle="--", label="chance")
ax.set(xlabel="own trials of each class", ylabel="correct on the next day (%)", ylim=(40, 101))
ax.legend()
plt.show()
