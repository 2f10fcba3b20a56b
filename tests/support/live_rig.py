"""A live loop on a virtual clock, fed by a device that may be faulty; everything it publishes is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from parts import LABELS, decoder, preprocessing, stream

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.decide import DecisionSettings
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import fields, velocity_fields
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamLost, StreamNotFound
from bci.model.file import Model
from bci.model.header import ModelHeader
from bci.model.kept import ModelReader
from bci.replay.recorded_events import read_events
from bci.replay.recorded_session import RecordedSession
from bci.session.live import LiveLoop
from bci.session.session_streams import SessionStreams
from bci.stream import messages
from bci.stream.bus import SignalInlet, Source
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_outlets import InProcessOutlet
from bci.stream.signing import Checker, Signer
from devices.faulty import FaultySource, SourceFault

START_S = 1000.0
CHUNK_S = 0.02
HOST = "here"


class Imagery:
    """Noise in which the first channel is weak, so that a :class:`parts.PowerKernel` decides on the same class throughout.

    Hands out one chunk at each reading. Values depend on seed and place only, not on chunks.
    """

    def __init__(
        self, seconds: float, info: StreamInfo | None = None, seed: int = 0, first_s: float = START_S, chunk_s: float = CHUNK_S
    ):
        self.info = info or stream()
        rng = np.random.default_rng(seed)
        n = round(seconds * self.info.rate_hz)
        shape = (n, len(self.info.channels))
        self._data = rng.normal(0, 10, shape)
        self._data[:, 0] *= 0.5
        self._data += rng.normal(0, 5000, shape[1])
        self._stamps = first_s + np.arange(n) / self.info.rate_hz
        self._chunk = max(1, round(chunk_s * self.info.rate_hz))
        self._taken = 0

    def read(self, timeout_s: float) -> Chunk | None:
        """The next chunk; never waits."""
        at = slice(self._taken, self._taken + self._chunk)
        self._taken = at.stop
        return Chunk(self._data[at], self._stamps[at]) if at.start < len(self._data) else None

    def close(self) -> None:
        """Nothing to release."""


def model_of(live: Any = None) -> Model:
    """A model as if read from a file."""
    p = live.preprocessing if live else preprocessing()
    n = len(p.labels)
    header = ModelHeader(
        "power", "power", p, ("EEG",) * n, ("uV",) * n, "", ("left", "right"), DecisionSettings(), (0.0, 1.0), (), {}, {}, ""
    )
    return Model(Path("power.safetensors"), header, live or decoder(), "0" * 64)


class Rig:
    """Device, live loop and listeners in one process.

    Parameters
    ----------
    source : Source
    faults : sequence of SourceFault
        Done to the source.
    kernel : object, optional
    decision : DecisionSettings, optional
    true_rate_hz : float, optional
        Rate at which samples come; default: the declared one.
    reopen : callable, optional
        For the loop.
    trickle : int
        At most this many samples at a time reach the loop; what is more follows a millisecond later.
    bad : sequence of str
        Channels that a montage file calls bad.
    key : bytes, optional
        Of the session.
    reader : ModelReader, optional
        Reads the models that are to take over.
    on : tuple of VirtualClock and InProcessBus, optional
        Where others are already, as an actuator host; the clock must be at ``START_S``.
    open_after_s : float
        The signal is looked at for so long before anything is decided.
    """

    def __init__(
        self,
        source: Source,
        faults: Sequence[SourceFault] = (),
        kernel: object | None = None,
        decision: DecisionSettings | None = None,
        true_rate_hz: float | None = None,
        reopen: Callable[[InProcessBus], SignalInlet | None] | None = None,
        trickle: int = 10**9,
        bad: Sequence[str] = (),
        key: bytes | None = None,
        reader: ModelReader | None = None,
        on: tuple[VirtualClock, InProcessBus] | None = None,
        open_after_s: float = 0.0,
    ):
        self.clock, self.bus = on or (clock := VirtualClock(START_S), InProcessBus(clock))
        self.delivered: list[Chunk] = []
        source = FaultySource(source, faults)
        self._rate = true_rate_hz or source.info.rate_hz
        self._trickle = trickle
        p = preprocessing(rate_hz=source.info.rate_hz)
        live = decoder(kernel, p)
        self.engine = Engine(source.info, live, EngineSettings(decision or DecisionSettings(smoothing_s=0.1)))
        self.control_outlet = self.bus.text_outlet("control", "BCI-Control")
        self.cues_outlet = self.bus.text_outlet("cues", "Markers", "cues")
        self.attach(source)
        n, model = len(LABELS), model_of(live)
        self.loop = LiveLoop(
            self.bus.signal("test"),
            self.engine,
            model,
            self._wires(n, live.n_dims),
            self.clock,
            reopen=reopen and (lambda: reopen(self.bus)),
            bad=bad,
            check=Checker(key, self.clock.now, HOST),
            reader=reader,
            opening=lambda _: self.clock.now() >= START_S + open_after_s,
        )
        self._sign = Signer(key, self.clock.now, HOST)
        self._names = fields(n, ("left", "right"))

    def _wires(self, n_channels: int, n_dims: int) -> SessionStreams:
        rows = {
            "decisions": messages.DECISION_FIELDS,
            "outcomes": fields(n_channels, ("left", "right")),
            "timing": messages.TIMING_FIELDS,
        }
        if n_dims:
            rows["velocity"] = velocity_fields(n_dims)
        info = replace(stream(), rate_hz=0.0)
        ends: dict[str, Any] = {
            name: self.bus.outlet(
                replace(info, name=name, type=name, source_id=name, channels=tuple(Channel(c, "MISC", "") for c in columns)),
                bci={"classes": json.dumps(("left", "right"))},
            )
            for name, columns in rows.items()
        }
        ends |= {name: self.bus.text_outlet(name, name) for name in ("events", "state")}
        self._ears: dict[str, Any] = {name: self.bus.raw(name) for name in ends}
        self._heard: dict[str, list[Any]] = {name: [] for name in ends}
        return SessionStreams(**ends, control=self.bus.markers("control"), cues=self.bus.markers("cues"))

    def attach(self, source: Source) -> InProcessOutlet:
        """A device that sends from now on, a chunk when its last sample is due."""
        outlet = self.bus.outlet(source.info)
        self.clock.add(self._send(source, outlet, self.clock.now()))
        return outlet

    def _send(self, source: Source, outlet: InProcessOutlet, began: float) -> Iterator[float]:
        yield began
        chunk_s, k = round(CHUNK_S * source.info.rate_hz) / self._rate, 0
        try:
            while True:
                k += 1
                yield began + k * chunk_s
                chunk = source.read(0.0)
                for at in range(0, len(chunk) if chunk else 0, self._trickle):
                    if at:
                        yield self.clock.now() + 0.001
                    part = slice(at, at + self._trickle)
                    self.delivered.append(Chunk(chunk.data[part], chunk.stamps[part]))
                    outlet.push_chunk(chunk.data[part], chunk.stamps[part])
        except StreamLost:
            outlet.close()

    def run(self, seconds: float) -> Rig:
        """Let the loop work for so long."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.loop.step()
        return self

    def tell(self, kind: str, **fields: object) -> None:
        """Send a control message."""
        self.control_outlet.push(self._sign.line(kind, **fields))

    def heard(self, name: str) -> list[Any]:
        """All (row, time of sending) of a stream so far."""
        pulled = self._ears[name].pull(0.0)
        if pulled is not None:
            self._heard[name] += zip(pulled[0], pulled[1].tolist(), strict=True)
        return self._heard[name]

    @property
    def decisions(self) -> list[dict[str, float]]:
        """All decision rows, with ``at``: when each was sent, seconds since the start."""
        return [
            {**dict(zip(messages.DECISION_FIELDS, row.tolist(), strict=True)), "at": at - START_S}
            for row, at in self.heard("decisions")
        ]

    @property
    def decided(self) -> list[dict[str, float]]:
        """Decision rows that may move something: no repetitions, and not neutral."""
        return [d for d in self.decisions if d["decision"] >= 0 and not d["heartbeat"]]

    @property
    def outcomes(self) -> list[dict[str, float]]:
        """All outcome rows, with ``at``."""
        return [{**dict(zip(self._names, row.tolist(), strict=True)), "at": at - START_S} for row, at in self.heard("outcomes")]

    @property
    def rows(self) -> FloatArray:
        """Outcome rows as they were sent."""
        return np.array([row for row, _ in self.heard("outcomes")])

    @property
    def timing(self) -> list[dict[str, float]]:
        """All timing rows, with ``at``."""
        return [
            {**dict(zip(messages.TIMING_FIELDS, row.tolist(), strict=True)), "at": at - START_S}
            for row, at in self.heard("timing")
        ]

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Events of these kinds (all, if none are named), with ``at``."""
        found = [{**messages.parse(row[0], "event"), "at": at - START_S} for row, at in self.heard("events")]
        return [e for e in found if not kinds or e["kind"] in kinds]

    @property
    def state(self) -> dict[str, Any]:
        """The newest state."""
        return messages.parse(self.heard("state")[-1][0][0], "state")

    @property
    def n_delivered(self) -> int:
        """Samples that the device has sent."""
        return sum(map(len, self.delivered))


def same_stream(bus: InProcessBus) -> SignalInlet | None:
    """As :class:`bci.stream.lsl.Reopen` does it, in one process."""
    try:
        return bus.signal("test")
    except StreamNotFound:
        return None


def recorded(rig: Rig) -> RecordedSession:
    """What a recorder would have kept of this rig's streams."""
    events = read_events((row[0] for row, _ in rig.heard("events")), "rig")
    raw = Chunk(np.concatenate([c.data for c in rig.delivered]), np.concatenate([c.stamps for c in rig.delivered]))
    start = events[0]
    return RecordedSession(
        start.get("stream", StreamInfo),
        start.get("settings", EngineSettings),
        start.model(),
        start.get("fingerprint", dict[str, str]),
        [(e.consumed(), given) for e in events if (given := e.input()) is not None],
        [(e.consumed(), e.stamp()) for e in events if e.kind in ("start", "found")],
        rig.rows,
        raw,
    )
