"""The process that decodes: one stream in, decisions and their record out."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.engine import Engine
from bci.engine.frontend import Frontend
from bci.engine.outcome import Reason
from bci.engine.quality import QualitySettings
from bci.engine.stream_info import StreamInfo
from bci.errors import StreamMismatch, StreamNotFound
from bci.session.live import LiveLoop, LiveSettings
from bci.session.live_cues import LiveCues
from bci.session.model import Model, check_stream, load_model
from bci.session.processes import say_ready
from bci.session.wires import Wires, open_wires
from bci.settings import SessionConfig
from bci.stream.clock import LslClock
from bci.stream.discovery import find_each, listing, markers_among
from bci.stream.late_markers import LateMarkers
from bci.stream.lsl import (
    FoundStream,
    LslOutlet,
    LslSignalInlet,
    LslTextOutlet,
    Reopen,
    StreamQuery,
    Watcher,
    resolve,
)
from bci.stream.lsl_config import port_hint
from bci.stream.lsl_inlet import HOLD_S
from bci.stream.montage import Montage, load_montage
from bci.stream.triggers import no_triggers, trigger_owner

UNIT_FACTOR = 100.0
LOOK_S = 1.5
WARM_UP_S = 4.0
RECORD_S = 2.0  # a stream that returns is left this long, so that the recorder has its first sample before we do
RECORDER_S = 20.0


@dataclass(frozen=True, slots=True)
class EngineJob:
    """What one engine process is to do.

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
        Begin only when somebody listens to outcomes and events, so that nothing goes unrecorded.
    scheduling : str
        How the system schedules the process (:mod:`bci.session.scheduling`), for the header of its streams.
    """

    model: Path
    config: SessionConfig
    query: StreamQuery
    session: str = ""
    wait_recorder: bool = False
    scheduling: str = ""
    without: str = ""


def run_engine(job: EngineJob, stopped: Callable[[], str]) -> str:
    """Decode until asked to stop; return why it ended.

    Raises
    ------
    StreamNotFound, StreamAmbiguous, StreamMismatch, ModelError
    """
    model = load_model(job.model)
    montage = montage_of(job.config)
    inlet = LslSignalInlet(resolve(job.query, job.config.stream.timeout_s, eeg=True), montage)
    wires = None
    try:
        check_stream(model.header, inlet.info)
        check_unit(model, inlet)
        settings = job.config.engine_settings(model.header.decision)
        engine = Engine(inlet.info, model.decoder, settings)
        warm_up(model, inlet.info)
        warnings = [*warnings_of(inlet.info), *check_markers(job, inlet.info, stopped)]
        wires = lsl_wires(job, model)
        if job.wait_recorder:
            await_recorder(wires, job.config.record.required)
        markers = job.config.markers
        e = job.config.engine
        loop = LiveLoop(
            inlet,
            engine,
            model,
            wires,
            LslClock(),
            LiveSettings(e.stale_s, e.expiry_s, e.max_backlog_s, e.heartbeat_s, rehearse_s=e.rehearse_s),
            Reopen(inlet.info, job.query.host, montage, settle_s=RECORD_S if job.wait_recorder else 0.0),
            LiveCues(markers.marker_table(), inlet.info, markers.stream),
            montage.bad if montage else (),
        )
        # What is loaded stays: a collection over it would stop the loop for a tenth of a second.
        gc.collect()
        gc.freeze()
        say_ready(stream=inlet.info.name, model=model.sha256, warnings=warnings)
        return loop.run(stopped)
    finally:
        inlet.close()
        if wires is not None:
            wires.close()


def warnings_of(info: StreamInfo) -> list[str]:
    """What a person should know of a stream before relying on it."""
    if info.source_id:
        return []
    return [
        f"stream {info.name!r} has no source_id: it cannot be told from another one, so it will not be taken back "
        "once it is lost. Have its sender declare one."
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


def markers_there(query: StreamQuery, found: Sequence[FoundStream], timeout_s: float, without: bool) -> list[str]:
    """What a person should know of the marker streams that were found.

    Raises
    ------
    StreamNotFound
        If there is none, and nobody said that they may be missing.
    StreamMismatch
        If they are signals.
    """
    if not found and without:
        return [f"no stream with {query} is there: the session goes on without markers, and takes them once they come"]
    markers = markers_among(query, found, timeout_s)
    return [f"markers come from {len(markers)} streams, all of which are read:{listing(markers)}"] if len(markers) > 1 else []


def await_recorder(wires: Wires, required: bool) -> None:
    """Return when every stream of the engine has a listener.

    Raises
    ------
    StreamNotFound
        If one has none in time, and the session must be recorded.
    """
    end = time.monotonic() + RECORDER_S
    ends = {n: getattr(wires, n) for n in ("outcomes", "events", "decisions", "timing", "state", "velocity") if getattr(wires, n)}
    deaf = [name for name, outlet in ends.items() if not outlet.wait_for_consumers(max(0.1, end - time.monotonic()))]
    if deaf and required:
        raise StreamNotFound(
            f"nobody records the engine's {', '.join(deaf)} within {RECORDER_S:g} s: what it decides could not be "
            "verified. Is the recorder running? A session may go on without it with --set record.required=false."
            f"{port_hint()}"
        )


def montage_of(config: SessionConfig) -> Montage | None:
    """What a montage file and the unit option say of the stream."""
    montage = load_montage(config.stream.montage) if config.stream.montage else None
    if config.stream.unit:
        montage = replace(montage or Montage(), unit=config.stream.unit)
    return montage


def check_unit(model: Model, inlet: LslSignalInlet) -> None:
    """Compare the signal's size with that of the training data, before anything is decoded.

    Raises
    ------
    StreamMismatch
        If they differ by more than two orders of magnitude: the unit is not what it is taken for.
    """
    # No value is too large here: to find that out is what this is for.
    frontend = Frontend(inlet.info, model.header.preprocessing, "samples", QualitySettings(range_uv=1e300))
    powers = []
    end = time.monotonic() + LOOK_S
    while time.monotonic() < end:
        chunk = inlet.pull(0.1)
        if chunk is not None:
            powers += [(w.features[0] ** 2).mean(axis=0) for w in frontend.push(chunk) if w.reason is not Reason.NONFINITE]
    if not powers:
        return
    now_uv = float(np.sqrt(np.median(powers[-1])))
    trained_uv = float(np.sqrt(np.median(np.diag(model.decoder.covariance[0]))))
    if now_uv > 0 and not 1 / UNIT_FACTOR < now_uv / trained_uv < UNIT_FACTOR:
        unit = inlet.info.channels[0].unit or "no unit"
        raise StreamMismatch(
            f"unit: the signal is {now_uv:.3g} µV in the decoder's band, the training data were {trained_uv:.3g} µV; "
            f"stream {inlet.info.name!r} declares {unit}. Declare the true one with --set stream.unit=V (or mV, uV)."
        )


def warm_up(model: Model, info: StreamInfo) -> None:
    """Decode noise once, so that nothing is done for the first time when it counts."""
    engine = Engine(info, model.decoder)
    rng = np.random.default_rng(0)
    n = round(WARM_UP_S * info.rate_hz)
    deviation = float(np.sqrt(np.median(np.diag(model.decoder.covariance[0]))))
    data = rng.normal(0.0, deviation, (n, len(info.channels)))
    stamps = np.arange(n) / info.rate_hz
    for i in range(n):
        engine.push(Chunk(data[i : i + 1], stamps[i : i + 1]))
        engine.prepare()


def lsl_wires(job: EngineJob, model: Model) -> Wires:
    """All streams of the engine on LSL; control messages and cues from whoever sends them, whenever."""
    name, cues = job.config.engine.name, job.config.markers.stream
    control = StreamQuery(name=f"{name}-control")
    markers = StreamQuery.parse(cues) if cues else None
    watcher = Watcher(control, *([markers] if markers else []))
    return open_wires(
        name,
        job.session,
        model.header,
        lambda info, bci: LslOutlet(info, bci={**bci, "scheduling": job.scheduling}),
        lambda info, bci: LslTextOutlet(info.name, info.type, info.source_id, bci),
        LateMarkers(control, watcher=watcher),
        LateMarkers(markers, HOLD_S, watcher) if markers else None,
        model.decoder.n_dims,
        job.without,
    )
