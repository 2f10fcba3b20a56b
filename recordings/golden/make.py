"""Make the golden recording: a simulated subject, calibrated and decoded on a virtual clock.

``golden.xdf`` holds half a minute of a live session with its outcomes, ``golden_model.safetensors`` the model that ran.
Replays must reproduce the outcomes for ever: bit for bit under the recorded fingerprint, elsewhere to 1e-9 with equal
decisions. Make a new one only when the meaning of an outcome changes, and say so in the change log.

Run from the project's root, after removing the old files::

    OPENBLAS_NUM_THREADS=1 .venv/bin/python recordings/golden/make.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bci.config import load_config
from bci.model.file import load_model
from bci.paradigm.timeline import short
from bci.simulation.simulate import record_virtually
from bci.simulation.virtual import run_virtually
from bci.stream.clock import VirtualClock
from bci.training.labelled import open_labelled
from bci.training.train import train, write_model
from devices.simulated import SimulatedSettings, SimulatedSubject

HERE = Path(__file__).parent
CLASSES = ("left_hand", "right_hand")
SETTINGS = {
    "markers.stream": "cues",
    "markers.table.769": CLASSES[0],
    "markers.table.770": CLASSES[1],
    "decision.threshold": "0.55",
    "trial.start_s": "0.5",
    "trial.stop_s": "2.5",
}


def main() -> None:
    """Calibrate on a temporary recording, then record the golden session."""
    config = load_config(None, SETTINGS)
    settings = SimulatedSettings(seed=7, skill=0.9, channels=8, loss=0.002)
    model = HERE / "golden_model.safetensors"
    with tempfile.TemporaryDirectory() as folder:
        calibration = Path(folder) / "calibration.xdf"
        clock = VirtualClock(1000.0)
        record_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 12, 7), calibration)
        write_model(model, train([open_labelled(calibration, config)], config), config)
    clock = VirtualClock(5000.0)
    subject = SimulatedSubject(settings, clock)
    run_virtually(subject, clock, short(CLASSES, 2, 8), load_model(model), config, HERE / "golden.xdf")


if __name__ == "__main__":
    main()
