"""
The verdict of a calibration
============================

After a calibration one wants to know whether it works, and the best of many decoders always looks good. The
verdict is honest about that: it rests on nested cross-validation and on tests in which there is nothing to
decode. It has three answers: it works, more trials are needed, or it is unlikely that this will work.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bci

folder = Path(tempfile.mkdtemp())
recording = bci.simulate(folder / "calibration.xdf", trials_per_class=16, seed=1, skill=0.8)

# %%
# Which decoders, bands and windows are compared stands in a small file. Without one, the usual candidates are
# compared.

(folder / "candidates.toml").write_text("""
[[candidates]]
family = "ts-lr"
bands = ["configured", [8, 14]]
[[candidates]]
family = "csp-lda"
[[candidates]]
family = "mdm"
""")
judgement = bci.judge(recording, grid=str(folder / "candidates.toml"), seed=1)
print(judgement)

# %%
# On the left are the candidates with their 95 % intervals. On the right is the learning curve: more trials
# help as long as it rises.

rows, curve = judgement.rows, judgement.forecast
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for row in rows:
    color = "tab:orange" if row.chosen else "tab:blue"
    left.hlines(row.candidate, 100 * row.low, 100 * row.high, color=color)
    left.plot(100 * row.accuracy, row.candidate, "o", color=color)
left.set(xlabel="correct (%)", title="Candidates")
measured = np.array([(point.trials, 100 * point.accuracy) for point in curve.points])
right.plot(*measured.T, "o-", label="measured")
right.plot(curve.trials, 100 * curve.accuracy, "s", color="tab:green", label="forecast")
right.plot([curve.trials, curve.trials], [100 * curve.low, 100 * curve.high], color="tab:green")
right.set(xlabel="trials", ylabel="correct (%)", title="Learning curve")
right.legend()
fig.suptitle(f"Verdict: {judgement.verdict.word}")
plt.show()
