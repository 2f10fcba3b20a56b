"""
The verdict of a calibration
============================

After a calibration you want to know whether the decoder works. If you try many decoders, the best of them
always looks good, even if only by chance. The verdict takes this into account: it uses nested
cross-validation, and tests in which there is nothing to decode. There are three verdicts: it works, more
trials are needed, or it is unlikely to work.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bci

folder = Path(tempfile.mkdtemp())
recording = bci.simulate(folder / "calibration.xdf", trials_per_class=16, seed=1, skill=0.8)

# %%
# A small file lists the decoders, bands and windows that are compared. Without such a file, the usual
# candidates are compared.

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
# On the left are the candidates with their 95 % intervals. On the right is the learning curve: as long as
# it rises, more trials help.

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
