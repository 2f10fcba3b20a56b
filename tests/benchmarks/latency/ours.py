"""This project, as a contestant: ``bci engine`` with quality on, and ``bci record`` beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from latency import task, training
from latency.workers import Worker

MODEL = "model.safetensors"
START_S = 60.0


def prepare(folder: Path, seconds: float = 320.0) -> None:
    """Train our decoder on the peers' training data, cut through the engine's own steps, default settings.

    Parameters
    ----------
    folder : Path
        Takes the model file.
    seconds : float
        Length of the training recording.
    """
    from bci.engine.chunk import Chunk
    from bci.engine.stream_info import Channel, StreamInfo
    from bci.paradigm.cues import CueEvent
    from bci.settings import SessionConfig
    from bci.training.labelled import LabelledRun
    from bci.training.train import train, write_model

    config = SessionConfig()
    data, classes = training.recording(seconds, seed=1)
    data = data.astype(np.float64)
    info = StreamInfo(task.RATE_HZ, tuple(Channel(label) for label in task.LABELS), "linked mastoids", name=task.SENDER_NAME)
    ends_s = np.arange(8.0, seconds, 4.0) - 0.1
    trials = tuple(CueEvent(end - config.trial.stop_s, ("left", "right")[classes[round(end * task.RATE_HZ)]]) for end in ends_s)
    run = LabelledRun("synthetic", info, Chunk(data, np.arange(len(data)) / task.RATE_HZ), trials, "0" * 64)
    write_model(folder / MODEL, train([run], config), config)


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Recorder and engine, while the context is open."""
    recorder_arguments = ["record", "--json", "--parent-pipe", "--out", str(folder / "recordings")]
    engine_arguments = ["engine", "--model", str(folder / MODEL), "--source", f"name={task.SENDER_NAME}"]
    engine_arguments += ["--parent-pipe", "--json", "--wait-recorder"]
    with Worker("bci", recorder_arguments, environment, folder / "recorder.log") as recorder:
        while not recorder.answer(START_S).get("ready"):
            pass
        with Worker("bci", engine_arguments, environment, folder / "engine.log") as engine:
            while not engine.answer(START_S).get("ready"):
                pass
            yield
