"""A session that is recentred from its beginning replays bit for bit."""

from pathlib import Path

import numpy as np

from bci.config import load_config
from bci.session.model import load_model
from bci.session.replay import read_session, verify
from bci.session.simulate import record_virtually
from bci.session.timeline import short
from bci.session.training import open_labelled, train, write_model
from bci.session.virtual import run_virtually
from bci.stream.clock import VirtualClock
from devices.simulated import SimulatedSettings, SimulatedSubject

CLASSES = ("left_hand", "right_hand")
SETTINGS = {
    "markers.stream": "cues",
    "markers.table.769": CLASSES[0],
    "markers.table.770": CLASSES[1],
    "trial.start_s": "0.5",
    "trial.stop_s": "2.5",
    "recentre.on": "true",
    "recentre.memory": "4",
}


def test_what_recentring_learned_is_learned_again_in_a_replay(tmp_path: Path) -> None:
    config = load_config(None, SETTINGS)
    settings = SimulatedSettings(seed=3, channels=8)
    clock = VirtualClock(1000.0)
    record_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 8, 3), tmp_path / "calibration.xdf")
    write_model(tmp_path / "model.safetensors", train([open_labelled(tmp_path / "calibration.xdf", config)], config), config)
    model = load_model(tmp_path / "model.safetensors")
    clock = VirtualClock(5000.0)
    run_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 2, 4), model, config, tmp_path / "run.xdf")
    session = read_session(tmp_path / "run.xdf")
    assert session.settings.recentre.on
    again = verify(session, lambda _: model)
    assert again.ok
    assert again.identical > 300
    plain = load_config(None, {**SETTINGS, "recentre.on": "false"})
    clock = VirtualClock(5000.0)
    run_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 2, 4), model, plain, tmp_path / "plain.xdf")
    rows = read_session(tmp_path / "plain.xdf").rows
    assert not np.array_equal(rows[:, -4:], session.rows[:, -4:], equal_nan=True), "recentring changed something"
