"""The process that decodes: one stream in, decisions and their record out."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.engine import Engine
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamMismatch, StreamNotFound
from bci.model.file import Model, load_model
from bci.model.header import check_stream
from bci.model.kept import ModelReader, load_and_keep
from bci.paradigm.live_cues import LiveCues
from bci.processes.child import say_alive, say_ready, say_streams
from bci.processes.go_ahead import GoAhead
from bci.processes.recorder_word import RecorderWord, unrecorded
from bci.session.asked_for import markers_there, montage_of
from bci.session.live import LiveLoop
from bci.session.session_streams import SessionStreams, open_session_streams
from bci.session.unit_check import UnitCheck
from bci.settings import SessionConfig
from bci.stream.clock import LslClock
from bci.stream.lsl import (
    LslOutlet,
    LslSignalInlet,
    LslTextOutlet,
    Reopen,
    StreamQuery,
    Watcher,
    local_clock,
    resolve,
    this_host,
)
from bci.stream.lsl.discovery import find_each
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.lsl.marker_inlet import HOLD_S
from bci.stream.lsl_config import port_hint
from bci.stream.markers.triggers import no_triggers, trigger_owner
from bci.stream.montage import Montage
from bci.stream.signing import Checker

WARM_UP_S = 4.0
RECORD_S = 2.0  # a stream that returns is left this long, so that the recorder has its first sample before we do
RECORDER_S = 20.0


@dataclass(frozen=True, slots=True)
class EngineJob:
    """The task of one engine process.

    Parameters
    ----------
    model : Path
    config : SessionConfig
    query : StreamQuery
        The EEG stream.
    session : str
        Identifier that all streams of the session carry.
    without : str
        The markers, where the person has said that they may be missing; on record in the header of the events.
    wait_recorder : bool
        Begin only when all that is sent is recorded.
    scheduling : str
        How the system schedules the process (:mod:`bci.processes.scheduling`), for the header of its streams.
    key : bytes, optional
        Of the session: decisions are signed with it, and only control messages that are signed with it are obeyed.
    recording : Path, optional
        Models that take over are kept beside it.
    go_ahead : GoAhead, optional
        What says when the stream may be looked for, and then which recording it is, where neither is known yet.
    word : RecorderWord, optional
        What the recorder says that it records; without it whoever listens is taken for a recorder.
    """

    model: Path
    config: SessionConfig
    query: StreamQuery
    session: str = ""
    wait_recorder: bool = False
    scheduling: str = ""
    without: str = ""
    key: bytes | None = None
    recording: Path | None = None
    go_ahead: GoAhead | None = None
    word: RecorderWord | None = None


def run_engine(job: EngineJob, stopped: Callable[[], str]) -> str:
    """Decode until asked to stop; return why it ended.

    Raises
    ------
    StreamNotFound, StreamAmbiguous, StreamMismatch, ModelError
    """
    model = load_model(job.model)
    montage = montage_of(job.config)
    warm_up(model)
    if job.go_ahead is not None:
        job.go_ahead.await_look(stopped)
    inlet = LslSignalInlet(resolve(job.query, job.config.stream.timeout_s, eeg=True), montage)
    streams = None
    try:
        check_stream(model.header, inlet.info)
        engine = Engine(inlet.info, model.decoder, job.config.engine_settings(model.header.decision))
        warnings = [*warnings_of(inlet.info), *check_markers(job, inlet.info, stopped)]
        streams = lsl_session_streams(job, model)
        say_streams(**streams.uids)
        recording = job.go_ahead.await_recording(stopped) if job.go_ahead is not None else job.recording
        if job.wait_recorder:
            await_recorder(streams, job.config.record.required, stopped, job.word)
        drop_what_waits(inlet)
        loop = loop_of(replace(job, recording=recording), model, engine, inlet, montage, streams, warnings)
        # What is loaded stays: a collection over it would stop the loop for a tenth of a second.
        gc.collect()
        gc.freeze()
        return loop.run(stopped)
    finally:
        inlet.close()
        if streams is not None:
            streams.close()


def loop_of(
    job: EngineJob,
    model: Model,
    engine: Engine,
    inlet: LslSignalInlet,
    montage: Montage | None,
    streams: SessionStreams,
    warnings: Sequence[str],
) -> LiveLoop:
    """The loop, which says that it is ready once it has seen in which unit the signal is."""
    config, markers = job.config, job.config.markers
    check = UnitCheck(model, inlet.info, time.monotonic())

    def opening(chunk: Chunk | None) -> bool:
        seen = check.look(chunk, time.monotonic())
        if seen:
            say_ready(stream=inlet.info.name, model=model.sha256, warnings=list(warnings))
        return seen

    return LiveLoop(
        inlet,
        engine,
        model,
        streams,
        LslClock(),
        config.engine,
        Reopen(inlet.info, job.query.host, montage, settle_s=RECORD_S if job.wait_recorder else 0.0, uid=inlet.found.uid),
        LiveCues(markers.marker_table(), inlet.info, markers.stream),
        montage.bad if montage else (),
        Checker(job.key, local_clock, this_host()),
        ModelReader(partial(load_and_keep, job.recording) if job.recording else load_model),
        lambda consumed: say_alive(consumed=consumed),
        opening,
    )


def drop_what_waits(inlet: LslSignalInlet) -> None:
    """Leave out what came before all was recorded: what is decoded must be on record."""
    while inlet.pull(0.0) is not None:
        pass


def warnings_of(info: StreamInfo) -> list[str]:
    """Return warnings about a stream for the person."""
    if info.source_id:
        return []
    return [
        f"stream {info.name!r} has no source_id: if its sender is started again, bci cannot know that it is the same sender, and "
        "will not use the stream again. Let the sender declare a source_id."
    ]


def check_markers(job: EngineJob, info: StreamInfo, stopped: Callable[[], str]) -> list[str]:
    """Refuse to begin without the markers that were asked for; say which they are where there are several.

    Under a session the session has looked already, and an engine that is begun again must not wait for them.

    Raises
    ------
    StreamNotFound
    StreamMismatch
        If what was asked for is a signal, or its trigger channels where it has none.
    KeyboardInterrupt
        If ``stopped`` says so while they are looked for.
    """
    query = StreamQuery.parse(job.config.markers.stream)
    if trigger_owner(job.config.markers.stream) == info.name:
        if not any(c.type == "TRIG" for c in info.channels):
            raise StreamMismatch(no_triggers(info))
        return []
    if not job.config.markers.stream or job.wait_recorder:
        return []
    timeout_s = 0.0 if job.without else job.config.stream.timeout_s
    (found,) = find_each([query], timeout_s, stopped=stopped)
    return markers_there(query, found, timeout_s, bool(job.without))


def await_recorder(
    streams: SessionStreams, required: bool, stopped: Callable[[], str] = lambda: "", word: RecorderWord | None = None
) -> None:
    """Return when every stream of the engine is recorded, or ``stopped`` says why to wait no longer.

    Raises
    ------
    StreamNotFound
        If one is not in time, and the session must be recorded.
    """
    ends = {
        n: getattr(streams, n) for n in ("outcomes", "events", "decisions", "timing", "state", "velocity") if getattr(streams, n)
    }
    deaf = unrecorded(ends, word, RECORDER_S, stopped)
    if deaf and required and not stopped():
        raise StreamNotFound(
            f"no recorder has connected to the engine's streams ({', '.join(deaf)}) within {RECORDER_S:g} s, so its decisions "
            "could not be verified later. Is the recorder running? With --set record.required=false a session runs without it."
            f"{port_hint()}"
        )


def warm_up(model: Model) -> None:
    """Decode noise once, so that the first real window is not slower than the others."""
    p = model.header.preprocessing
    engine = Engine(StreamInfo(p.rate_hz, tuple(Channel(label) for label in p.labels)), model.decoder)
    rng = np.random.default_rng(0)
    n = round(WARM_UP_S * p.rate_hz)
    deviation = float(np.sqrt(np.median(np.diag(model.decoder.covariance[0]))))
    data = rng.normal(0.0, deviation, (n, len(p.labels)))
    stamps = np.arange(n) / p.rate_hz
    for i in range(n):
        engine.push(Chunk(data[i : i + 1], stamps[i : i + 1]))
        engine.prepare()


def lsl_session_streams(job: EngineJob, model: Model) -> SessionStreams:
    """All streams of the engine on LSL; control messages and cues from whoever sends them, whenever."""
    name, cues = job.config.engine.name, job.config.markers.stream
    control = StreamQuery(name=f"{name}-control")
    markers = StreamQuery.parse(cues) if cues else None
    watcher = Watcher(control, *([markers] if markers else []))
    return open_session_streams(
        name,
        job.session,
        model.header,
        lambda info, bci: LslOutlet(info, bci={**bci, "scheduling": job.scheduling}),
        lambda info, bci: LslTextOutlet(info.name, info.type, info.source_id, bci),
        LateMarkers(control, watcher=watcher),
        LateMarkers(markers, HOLD_S, watcher) if markers else None,
        model.decoder.n_dims,
        job.without,
        job.key,
    )
