"""Generated sessions on their way through the product: recorded, decoded live, exported."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from generated_sessions import BEGAN_S, TABLE, Computer, GeneratedSession, MarkerSource, blocks
from live_rig import model_of
from parts import PowerKernel, decoder

from bci.bids.export import ExportChoices, export
from bci.config import load_config
from bci.engine.decide import DecisionSettings
from bci.engine.engine import Engine, EngineSettings
from bci.engine.preprocessing import Preprocessing
from bci.errors import TrainingError
from bci.evaluation.sources import find_sources
from bci.paradigm.cues import CueEvent, find_cues
from bci.paradigm.live_cues import LiveCues, on_record
from bci.recording.recorder import Recorder
from bci.session.live import LiveLoop
from bci.session.session_streams import SessionStreams, open_session_streams
from bci.settings import SessionConfig
from bci.simulation.virtual import SESSION
from bci.stream.bus import Marker
from bci.stream.clock import VirtualClock
from bci.stream.files.readers import open_recording
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_inlets import InProcessMarkerInlet, InProcessRawInlet, InProcessSignalInlet
from bci.stream.inprocess_outlets import InProcessOutlet, InProcessTextOutlet, Sender
from bci.stream.xdf.writer import XdfWriter

LABELS = ("C3", "Cz", "C4", "Pz")
SLACK_S = 0.002
"""How far a cue may be from the truth."""


@dataclass(frozen=True)
class Found:
    """Cues that one way through the product gave, and what was said of them.

    Parameters
    ----------
    trials : tuple of CueEvent
    said : str
    ended_s : float
        Of the last sample, on the line of the way, where it was counted that markers behind it were left out; else infinite.
    """

    trials: tuple[CueEvent, ...]
    said: str
    ended_s: float = math.inf


class AllMarkers:
    """Every marker stream of the bus, as :class:`~bci.stream.lsl.late_markers.LateMarkers` reads those of LSL."""

    def __init__(self, inlets: list[InProcessMarkerInlet]) -> None:
        self._inlets = inlets

    def pull(self, timeout_s: float) -> list[tuple[str, float]]:
        return [(m.row[0], m.stamp) for m in self.pull_markers(timeout_s)]

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        return [marker for inlet in self._inlets for marker in inlet.pull_markers(0.0)]

    def close(self) -> None:
        for inlet in self._inlets:
            inlet.close()


class Stage:
    """The senders of a session, a recorder and a live loop on one virtual clock."""

    def __init__(self, session: GeneratedSession, path: Path) -> None:
        self.session = session
        self.clock = VirtualClock(BEGAN_S - 1.0)
        self.bus = InProcessBus(self.clock)
        self._noise = np.random.default_rng([session.seed, 7])
        self.events: list[dict[str, object]] = []
        self._said: list[str] = []
        self._amp = self._amplifier()
        self._markers = [self._marker_outlet(s) for s in session.sources for _ in range(1 + s.twin)]
        with Recorder(XdfWriter(path), self.clock, tell=self._said.append) as self._recorder:
            for outlet in (self._amp, *(o for _, o in self._markers)):
                self._recorder.add(InProcessRawInlet(outlet, self.clock), outlet.info.name)
            self.clock.add(self._sending())
            for source, outlet in self._markers:
                self.clock.add(self._telling(source, outlet))
            self._decode()
            self._recorder.poll()

    def _sender(self, computer: Computer) -> Sender | None:
        return Sender(computer.name, computer.clock, lambda: float(self._noise.normal(0, computer.noise_s or 1e-9)))

    def _amplifier(self) -> InProcessOutlet:
        amp = self.session.amplifier
        return self.bus.outlet(amp.info, "float32", sender=self._sender(amp.computer))

    def _marker_outlet(self, source: MarkerSource) -> tuple[MarkerSource, InProcessOutlet]:
        return source, self.bus.outlet(source.info, source.channel_format, sender=self._sender(source.computer))

    def _sending(self) -> Iterator[float]:
        life, amp = 0, self.session.amplifier
        for true_s, data, which in blocks(self.session):
            if which != life:
                life = which
                yield float(true_s[0]) - 0.5
                self._amp = self._amplifier()
                self._recorder.add(InProcessRawInlet(self._amp, self.clock), "Amp")
            yield float(true_s[-1]) + 0.002
            self._amp.push_chunk(data, np.array([amp.computer.clock(t) for t in true_s.tolist()]))
            if amp.restart and not life and true_s[-1] - BEGAN_S + 1.5 * amp.block / amp.rate_hz >= amp.restart[0]:
                last = float(true_s[-1])
                if not any(t[0] > last and w == 0 for t, _, w in self._rest(last)):
                    self._amp.close()

    def _rest(self, after_s: float) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        return (b for b in blocks(self.session) if b[0][0] > after_s)

    def _telling(self, source: MarkerSource, outlet: InProcessOutlet) -> Iterator[float]:
        for sent in self.session.sent(source):
            yield sent.true_s + source.late_s
            stamp, row = source.computer.clock(sent.true_s), sent.row
            if source.channel_format == "string":
                InProcessTextOutlet(outlet).push_row([str(x) for x in row], stamp)
            else:
                outlet.push(row, stamp)

    def _decode(self) -> None:
        info = self.session.amplifier.info
        hop = round(info.rate_hz / 2)
        live = decoder(PowerKernel(4), Preprocessing(info.rate_hz, LABELS, "none", window=2 * hop, hop=hop))
        model = model_of(live)
        wires = self._wires(model.header, live.n_dims)
        heard = LiveCues(config_of(self.session).markers.marker_table(), info)
        engine = Engine(info, live, EngineSettings(DecisionSettings()))
        inlet = InProcessSignalInlet(self._amp, self.clock, None)
        loop = LiveLoop(inlet, engine, model, wires, self.clock, reopen=self._reopened, cues=heard)
        events = self.bus.markers("bci-events")
        end_s = BEGAN_S + self.session.length_s + 1.0

        def over() -> str:
            self._recorder.poll()
            return "over" if self.clock.now() >= end_s else ""

        loop.run(over)
        self.events = [json.loads(text) for text, _ in events.pull(0.0)]
        wires.close(linger_s=0.0)

    def _reopened(self) -> InProcessSignalInlet | None:
        return InProcessSignalInlet(self._amp, self.clock, None) if self._amp.open else None

    def _wires(self, header: object, n_dims: int) -> SessionStreams:
        bus = self.bus
        bus.text_outlet("bci-control", "BCI-Control", "bci-control")
        return open_session_streams(
            "bci",
            SESSION,
            header,  # type: ignore[arg-type]
            lambda info, bci: bus.outlet(info, bci=bci),
            lambda info, bci: bus.text_outlet(info.name, info.type, info.source_id, bci),
            bus.markers("bci-control"),
            AllMarkers([InProcessMarkerInlet(outlet, self.clock) for _, outlet in self._markers]),
            n_dims,
        )


def config_of(session: GeneratedSession) -> SessionConfig:
    """What a user would set for it."""
    given = {**{f"markers.table.{text}": class_ for text, class_ in TABLE.items()}, "markers.field": session.field}
    return load_config(None, given)


def in_recording(session: GeneratedSession, path: Path) -> Found:
    """Cues of the recording, on the amplifier's time line."""
    config = config_of(session)
    recording = open_recording(path)
    found = find_cues(recording, recording.eeg(), config.markers.marker_table(), config.markers.stream)
    return Found(found.trials, "; ".join((*recording.notes, *found.notes)))


def live(events: list[dict[str, object]]) -> Found:
    """Cues that the live loop put on record, on the clock of its computer."""
    return Found(tuple(on_record(events)), "; ".join(str(e["why"]) for e in events if "why" in e))


def exported(session: GeneratedSession, path: Path, out: Path, format: str = "brainvision") -> Found:
    """Cues of the recording's export, seconds since the first sample."""
    written = export(path, out, config_of(session), ExportChoices(format, source=False))
    (source,) = find_sources([out])
    try:
        (run,) = source.open(load_config(None, {f"markers.table.{text}": class_ for text, class_ in TABLE.items()}))
    except TrainingError as error:
        if "no trial is left of its cues" not in str(error):
            raise
        return Found((), "; ".join((*written.notes, str(error))))
    began, ended = run.labelled.raw.stamps[[0, -1]].tolist()
    return Found(
        tuple(CueEvent(cue.time_s - began, cue.class_) for cue in run.labelled.cues),
        "; ".join((*written.notes, *run.labelled.notes)),
        ended - began if written.left_out else math.inf,
    )


@dataclass(frozen=True)
class Ways:
    """What three ways through the product made of one session."""

    recording: Found
    live: Found
    export: Found | None


def through(session: GeneratedSession, folder: Path, exports: bool = True) -> Ways:
    """Record and decode a session, and export the recording."""
    path = folder / "sub-P7_ses-2_task-mi_run-01_eeg.xdf"
    events = Stage(session, path).events
    return Ways(in_recording(session, path), live(events), exported(session, path, folder / "out") if exports else None)


def doubts(session: GeneratedSession, way: str, said: str) -> list[tuple[float, float]]:
    """Stretches in which cues may be wrong, on the line of a way, where the run has said so and has reason to.

    The only reason is a clock that was set while somebody stamped by it: until the next offset is measured nobody can know. In a
    recording that touches only markers of that clock between two offsets; live everything that is placed by it.
    """
    amp = session.amplifier
    senders = {s.computer for s in session.sources}
    found = []
    for computer in senders | {amp.computer}:
        if computer.reset_s is None:
            continue
        at_s, far_s = computer.reset_s, abs(computer.step_s) if abs(computer.step_s) < 1 else 0.0
        if way == "live" and "clock of" in said:
            found.append((BEGAN_S + at_s - 0.5 - far_s, BEGAN_S + at_s + 7.0 + far_s))
        elif way != "live" and computer in senders and "markers in between may be wrong" in said:
            line = BEGAN_S if way == "export" else amp.computer.unset(BEGAN_S)
            found.append((line + at_s - 6.5 - far_s, line + at_s + 6.5 + far_s))
    return found


def _in_doubt(time_s: float, doubted: list[tuple[float, float]], steps_s: list[float], kept: list[float], slack_s: float) -> bool:
    """Whether a cue lies in a stretch that is doubted, or was put as far from it as a clock was set; not where one belongs."""
    if any(abs(time_s - belongs_s) <= slack_s for belongs_s in kept):
        return False
    return any(a < time_s - step_s < b for a, b in doubted for step_s in steps_s)


def wrong(session: GeneratedSession, ways: Ways) -> list[str]:
    """What is not as it was, a line each; nothing where all is right."""
    truth, amp = session.truth(), session.amplifier
    computers = {amp.computer, *(s.computer for s in session.sources)}
    lines = {
        "recording": (ways.recording, [amp.computer.unset(t) for t, _ in truth], SLACK_S),
        "live": (ways.live, [t for t, _ in truth], SLACK_S),
    }
    if ways.export is not None:
        since_s = [(t - BEGAN_S) * (1 + 1e-6 * amp.crystal_ppm) for t, _ in truth]
        lines["export"] = (ways.export, since_s, SLACK_S + 1.0 / amp.rate_hz)
    found = []
    for way, (what, times, slack_s) in lines.items():
        doubted = doubts(session, way, what.said)
        doubted.append((what.ended_s, math.inf))
        kept = [(t, c) for t, (_, c) in zip(times, truth, strict=True) if not any(a < t < b for a, b in doubted)]
        steps_s = [0.0, *(sign * c.step_s for c in computers for sign in (1, -1) if way == "live" and c.reset_s is not None)]
        trials = [t for t in what.trials if not _in_doubt(t.time_s, doubted, steps_s, [t for t, _ in kept], slack_s)]
        what, truth_, times = replace(what, trials=tuple(trials)), kept, [t for t, _ in kept]
        classes = [t.class_ for t in what.trials]
        if classes != [class_ for _, class_ in truth_]:
            got = [(round(t.time_s, 3), t.class_) for t in what.trials]
            found.append(f"{way}: {got} instead of {truth_} ({what.said})")
            continue
        away = np.array([t.time_s for t in what.trials]) - times
        if len(away) and np.abs(away).max() > slack_s:
            found.append(f"{way}: off by {np.round(away * 1e3, 2).tolist()} ms ({what.said})")
    return found
