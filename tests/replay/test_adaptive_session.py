"""A session that adapts from its beginning, without labels and at known cues, with artefact steps, replays bit for bit."""

from dataclasses import replace
from pathlib import Path

from bci.config import load_config
from bci.engine.control_inputs import TrialLabel
from bci.model.file import load_model
from bci.paradigm.timeline import short
from bci.replay.recorded_session import read_session
from bci.replay.replay import verify
from bci.simulation.simulate import record_virtually
from bci.simulation.virtual import run_virtually
from bci.stream.clock import VirtualClock
from bci.training.labelled import open_labelled
from bci.training.train import train, write_model
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
    "rebias.on": "true",
    "preprocessing.asr": "20",
    "preprocessing.potato_z": "4",
}


def test_what_a_session_learned_is_learned_again_in_a_replay(tmp_path: Path) -> None:
    config = load_config(None, SETTINGS)
    settings = SimulatedSettings(seed=3, channels=8)
    clock = VirtualClock(1000.0)
    record_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 8, 3), tmp_path / "calibration.xdf")
    write_model(tmp_path / "model.safetensors", train([open_labelled(tmp_path / "calibration.xdf", config)], config), config)
    model = load_model(tmp_path / "model.safetensors")
    clock = VirtualClock(5000.0)
    run_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 4, 4), model, config, tmp_path / "run.xdf")
    session = read_session(tmp_path / "run.xdf")
    assert session.settings.recentre.on
    assert sum(isinstance(given, TrialLabel) for _, given in session.inputs) == 8
    again = verify(session, lambda _: model)
    assert again.ok
    assert again.identical > 300
    for way in ("recentre", "rebias"):
        other = replace(session, settings=replace(session.settings, **{way: replace(getattr(session.settings, way), on=False)}))
        assert not verify(other, lambda _: model).ok, f"{way} changed something"
