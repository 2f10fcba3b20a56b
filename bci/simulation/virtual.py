"""A whole live session in one thread, faster than real time: subject, cues, engine and recorder on a virtual clock.

The engine, the loop and the recorder are those of a live session over LSL; only the bus and the clock are others. What
is recorded can be verified by a replay like any other session.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bci.engine.engine import Engine
from bci.model.file import Model
from bci.paradigm.live_cues import LiveCues
from bci.paradigm.timeline import CueTimeline
from bci.progress import Progress, silent
from bci.recording.recorder import Recorder
from bci.session.live import LiveLoop
from bci.session.session_streams import SessionStreams, open_session_streams
from bci.settings import SessionConfig
from bci.simulation.simulate import CUES, END_S, Subject
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_outlets import InProcessOutlet, InProcessTextOutlet
from bci.stream.montage import load_montage
from bci.stream.xdf.writer import XdfWriter

SESSION = "virtual"


def run_virtually(
    subject: Subject,
    clock: VirtualClock,
    timeline: CueTimeline,
    model: Model,
    config: SessionConfig,
    path: Path,
    progress: Progress = silent,
) -> None:
    """Decode a subject that answers the cues of a timeline, and record everything.

    Parameters
    ----------
    subject : Subject
        Built on ``clock``.
    clock : VirtualClock
    timeline : CueTimeline
    model : Model
    config : SessionConfig
    path : Path
        XDF file to write; must not exist.
    progress : callable
    """
    bus = InProcessBus(clock)
    eeg = bus.outlet(subject.info)
    cues = bus.text_outlet(CUES, "Markers", CUES)
    name, began = config.engine.name, clock.now()
    duration_s = timeline.duration_s + END_S
    wires = wires_on(bus, name, model)
    engine = Engine(subject.info, model.decoder, config.engine_settings(model.header.decision))
    heard = LiveCues(config.markers.marker_table(), subject.info, config.markers.stream)
    bad = load_montage(config.stream.montage).bad if config.stream.montage else ()
    loop = LiveLoop(bus.signal(subject.info.name), engine, model, wires, clock, cues=heard, bad=bad)
    with Recorder(XdfWriter(path), clock) as recorder:
        for stream in bus.streams():
            recorder.add(bus.raw(stream.source_id), stream.name)
        clock.add(_send(subject, eeg, began + duration_s))
        clock.add(_present(subject, cues, timeline, began))

        def over() -> str:
            recorder.poll()
            progress("decoding the simulated subject", min(1.0, (clock.now() - began) / duration_s))
            return "timeline is over" if clock.now() >= began + duration_s else ""

        loop.run(over)
        recorder.poll()
    wires.close(linger_s=0.0)


def wires_on(bus: InProcessBus, name: str, model: Model) -> SessionStreams:
    """The engine's streams on the in-process bus, with a control stream; the cues must be there already.

    Parameters
    ----------
    bus : InProcessBus
    name : str
        Of the engine.
    model : Model
    """
    bus.text_outlet(f"{name}-control", "BCI-Control", f"{name}-control-{SESSION}")
    return open_session_streams(
        name,
        SESSION,
        model.header,
        lambda info, bci: bus.outlet(info, bci=bci),
        lambda info, bci: bus.text_outlet(info.name, info.type, info.source_id, bci),
        bus.markers(f"{name}-control"),
        bus.markers(CUES),
        model.decoder.n_dims,
    )


def _send(subject: Subject, outlet: InProcessOutlet, end: float) -> Iterator[float]:
    """An actor that sends what the subject's amplifier has, when it has it."""
    while subject.due_s < end:
        yield subject.due_s
        chunk = subject.read(0.0)
        if chunk is not None:
            outlet.push_chunk(chunk.data, chunk.stamps)


def _present(subject: Subject, cues: InProcessTextOutlet, timeline: CueTimeline, began: float) -> Iterator[float]:
    """An actor that shows the cues."""
    for cue in timeline.cues:
        yield began + cue.time_s
        subject.cue(cue.marker, began + cue.time_s)
        cues.push(cue.marker, began + cue.time_s)
