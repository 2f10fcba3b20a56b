"""A model for a run without one: a simulated subject, calibrated faster than real time."""

from __future__ import annotations

from pathlib import Path

from bci import plugins
from bci.paradigm.timeline import CLASS_CODES, short
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.labelled import open_labelled
from bci.training.train import train, write_model

CLASSES = ("left_hand", "right_hand")
TRIALS = 8


def trial_table() -> dict[str, str]:
    """Marker texts of the simulated calibration."""
    return {str(CLASS_CODES[name]): name for name in CLASSES}


def make_model(folder: Path, config: SessionConfig, channels: int, told: Progress = silent) -> Path:
    """Calibrate a simulated subject and train on it; the model's accuracy is of no interest here.

    Parameters
    ----------
    folder : Path
        Takes recording and model.
    config : SessionConfig
        Preprocessing and decoder to use; its markers must be :func:`trial_table`.
    channels : int
    told : callable

    Returns
    -------
    Path
    """
    clock = VirtualClock(1000.0)
    subject = plugins.load(plugins.SOURCES, "simulated").from_settings(
        {"classes": CLASSES, "skill": 0.8, "seed": 1, "channels": channels}, clock
    )
    recording, model = folder / "calibration.xdf", folder / "simulated.safetensors"
    record_virtually(subject, clock, short(CLASSES, TRIALS, 1), recording, told)
    write_model(model, train([open_labelled(recording, config)], config, told), config)
    return model
