"""A later run through LSL in real time, decoded by the real processes, beside the same run in virtual time.

The recording is played with its own arrival pattern; recorder and engine are the processes that ``bci run`` starts. What
counts is read from the file that the recorder wrote: outcomes, their times, and the cues, which came over LSL too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.engine import Engine
from bci.engine.outcome import FIXED_FIELDS, MASK_BITS, Reason
from bci.model.beside import find_model
from bci.model.file import Model
from bci.paradigm.cues import trials_of
from bci.replay.recorded_session import read_session
from bci.replay.replay import decode as decode_rows
from bci.replay.replay import verify
from bci.replay.score import score
from bci.session.plan import SessionPlan
from bci.session.run import LiveSession
from bci.settings import SessionConfig
from bci.stream.clock import LslClock
from bci.stream.files.readers import open_recording
from bci.stream.markers.triggers import MarkerTable
from bci.stream.played_outlets import lsl_outlets, played_info
from bci.stream.player import Player
from bci.stream.recorded_signal import times_on
from bci.stream.recording import RecordedStreams
from bci.training.decoding import decode_at_cues
from bci.training.labelled import labelled, open_with

from .live import answer

LINGER_S = 1.0
PLACE = tuple(FIXED_FIELDS.index(name) for name in ("segment", "index"))
COUNTS = [FIXED_FIELDS.index(name) for name in ("consumed", "bridged")]


@dataclass(frozen=True, slots=True)
class RealTime:
    """One run in real time, beside the same in virtual time.

    Parameters
    ----------
    name : str
    seconds : float
        That were played.
    windows : int
        Outcomes in real time.
    skipped : int
        Of these, not decoded because too much data had come at once.
    identical : int
        Of those not skipped: counts, bad channels and probabilities are those of virtual time, bit for bit.
    verified : bool
        ``bci replay --verify`` of what was recorded reproduces every outcome.
    truth, live, virtual : tuple of str
        Classes of the cues, and what they were decoded as in real and in virtual time; empty where nothing.
    """

    name: str
    seconds: float
    windows: int
    skipped: int
    identical: int
    verified: bool
    truth: tuple[str, ...]
    live: tuple[str, ...]
    virtual: tuple[str, ...]


def in_real_time(
    name: str,
    path: Path,
    model: Model,
    config: SessionConfig,
    folder: Path,
    first_s: float = np.inf,
    stopped: Callable[[], bool] = lambda: False,
) -> RealTime:
    """Play a run through LSL into recorder and engine, and compare with virtual time.

    Parameters
    ----------
    name : str
        Letters and digits; tells the streams of sessions that run at the same time apart.
    path : Path
        The later run.
    model : Model
    config : SessionConfig
    folder : Path
        Where the session is recorded.
    first_s : float
        Play only this much.
    stopped : callable
        Asked before each push whether to give up.
    """
    recording = _first(open_with(path, config).corrected(), first_s, f"{name}-cues")
    options = {"engine.name": name, "markers.stream": f"{name}-cues"}
    session = config.model_copy(
        update={
            "engine": config.engine.model_copy(update={"name": name}),
            "markers": config.markers.model_copy(update={"stream": f"{name}-cues"}),
            "record": config.record.model_copy(update={"out": str(folder), "task": name}),
        }
    )
    words = tuple(word for key, value in options.items() for word in ("--set", f"{key}={value}"))
    seconds, recorded = _play(recording, SessionPlan(model.path, session, words, _source(recording)), stopped)
    return _compared(name, seconds, recorded, recording, model, config)


def _first(recording: RecordedStreams, first_s: float, cues: str) -> RecordedStreams:
    """The beginning of a recording, its markers under one name of their own."""
    (signal,) = recording.signals
    n = int(min(len(signal.stamps), first_s * signal.info.rate_hz))
    signal = replace(signal, data=signal.data[:n], stamps=signal.stamps[:n])
    (markers,) = [m for m in recording.markers if len(m.texts)]
    kept = np.flatnonzero(times_on(signal, markers) < signal.stamps.max())
    markers = replace(markers, name=cues, texts=tuple(markers.texts[i] for i in kept), stamps=markers.stamps[kept])
    return replace(recording, signals=(signal,), markers=(markers,))


def _source(recording: RecordedStreams) -> str:
    """Query for the stream that is played."""
    return f"source_id={played_info(recording.signals[0].info, recording, 0).source_id}"


def _play(recording: RecordedStreams, plan: SessionPlan, stopped: Callable[[], bool]) -> tuple[float, Path]:
    """Play into a live session; seconds it took, and what was recorded."""
    outlets = lsl_outlets(recording)
    clock = LslClock()
    try:
        with LiveSession(plan) as session:
            began = clock.now()
            for due in Player(recording, outlets).steps(clock):
                clock.wait_until(due)
                session.check()
                if stopped():
                    break
            seconds = clock.now() - began
            time.sleep(LINGER_S)
            return seconds, session.recording
    finally:
        for outlet in outlets:
            if outlet is not None:
                outlet.close()


def _compared(
    name: str, seconds: float, recorded: Path, recording: RecordedStreams, model: Model, config: SessionConfig
) -> RealTime:
    """What was recorded in real time, beside virtual time."""
    table = MarkerTable(config.markers.table)
    session = read_session(recorded)
    found = open_recording(recorded)
    scored = score(recorded, trials_of(found, found.eeg(session.info.source_id), table), model.header)
    run = labelled(recording, config)
    rows = decode_rows(run.info, run.raw.data, run.raw.stamps, model, config.engine_settings())
    skipped, identical = _equal(session.rows, rows, -(-len(model.header.preprocessing.labels) // MASK_BITS))
    engine = Engine(run.info, model.decoder, config.engine_settings())
    virtual = [answer(t, o, model) for t, o in decode_at_cues(engine, run.raw, run.cues, config.trial.stop_s)]
    return RealTime(
        name,
        seconds,
        len(session.rows),
        skipped,
        identical,
        verify(session, lambda sha256: find_model(recorded, sha256)).ok,
        tuple(a.trial.class_ for a in virtual),
        tuple(s.decided for s in scored),
        tuple(a.decided for a in virtual),
    )


def _equal(live: FloatArray, virtual: list[FloatArray], n_masks: int) -> tuple[int, int]:
    """Skipped rows, and those of the others that are equal in all but stamps, which the player shifts to now."""
    by_place = {tuple(row[list(PLACE)]): row for row in virtual}
    n_classes = (live.shape[1] - len(FIXED_FIELDS) - n_masks) // 2
    same = [*COUNTS, *range(len(FIXED_FIELDS), len(FIXED_FIELDS) + n_masks + n_classes)]
    skipped = live[:, FIXED_FIELDS.index("reason")] == Reason.SKIPPED
    identical = 0
    for row in live[~skipped]:
        other = by_place.get(tuple(row[list(PLACE)]))
        identical += other is not None and row[same].tobytes() == other[same].tobytes()
    return int(skipped.sum()), identical
