"""
From a recording to a verified replay
=====================================

This short script shows all steps, as you would write them in a notebook. It reads a recording, judges it,
fits and saves a model, runs a session with the model, verifies the replay of the session, and draws three
plots.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import bci

folder = Path(tempfile.mkdtemp())
bci.simulate(folder / "mine.xdf", trials_per_class=15, seed=1, skill=0.8)  # use your own recording instead

# %%
# This part goes from the XDF file to a verdict. A small grid of candidates keeps the example quick.

settings = bci.configure(trial={"start_s": 0.5, "stop_s": 2.5}, preprocessing={"window_s": 2.0})
classes = {"769": "left_hand", "770": "right_hand"}
recording = bci.read_recording(folder / "mine.xdf", settings, classes=classes)
(folder / "grid.toml").write_text('[[candidates]]\nfamily = "ts-lr"\n[[candidates]]\nfamily = "mdm"\n')
judgement = bci.judge(recording, grid=str(folder / "grid.toml"))
print(judgement.verdict.line())

# %%
# This part goes from the trials to a model, and from the model to a session whose replay is verified.

epochs = bci.cut_epochs(recording)
decoder = bci.fit(epochs, "ts-lr")
decoder.save(folder / "model.safetensors", accuracy=bci.cross_validate(epochs, "ts-lr").accuracy)
session = bci.simulate_session(folder / "session.xdf", folder / "model.safetensors", seed=2, skill=0.8)
replay = bci.verify(folder / "session.xdf")
print(f"{replay.identical} of {replay.outcomes} outcomes identical, verified: {replay.ok}")

# %%
# The three plots show the candidates, the probabilities during the session, and the spectrum of the
# decoder's windows.

fig, (candidates, live, spectrum) = plt.subplots(3, figsize=(8, 8), layout="constrained")
for row in judgement.rows:
    candidates.plot([100 * row.low, 100 * row.high], [row.candidate] * 2, "o-")
candidates.set(xlabel="correct (%), 95 % interval", title=f"Verdict: {judgement.verdict.word}")
candidates.margins(y=0.5)
outcomes, score = bci.decode(session, decoder), bci.score(session, decoder)
live.plot(outcomes.stamps - outcomes.stamps[0], outcomes.probabilities, label=outcomes.classes)
live.set(xlabel="time (s)", ylabel="probability", title=f"{score.correct} of {score.decoded} trials right")
live.legend(loc="upper right")
for name in decoder.classes:
    power = epochs.to_mne()[name].compute_psd(fmin=6, fmax=32, normalization="full", verbose="ERROR")
    spectrum.semilogy(power.freqs, 1e12 * power.get_data(picks="C3").mean(axis=(0, 1)), label=name)
spectrum.set(xlabel="frequency (Hz)", ylabel="power (µV²/Hz)", title="C3, in the windows of the trials")
spectrum.legend()
plt.show()
