"""The live loop: whatever carries the streams on one side, the engine on the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bci.engine import inputs as steer
from bci.engine.chunk import Chunk
from bci.engine.decide import DecisionSettings
from bci.engine.decoder import LiveDecoder
from bci.engine.engine import Engine
from bci.engine.outcome import Outcome, Reason
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import BciError, StreamError, StreamLost
from bci.session import wire
from bci.session.age import Age
from bci.session.drift import Drift
from bci.session.fingerprint import fingerprint
from bci.session.live_cues import Heard, LiveCues
from bci.session.model import Model, load_model
from bci.session.wires import Wires
from bci.stream.bus import Clock, SignalInlet
from bci.stream.triggers import MarkerTable
from bci.stream.watch import RateWatch

YIELD_S = 0.0003
LAST_PART = 0.2
"""Of a trial: where its windows hold most of it."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Times of the live loop, seconds.

    Parameters
    ----------
    stale_s : float
        Data older than this steer nothing.
    expiry_s : float
        A decision must not move anything this long after it was sent.
    max_backlog_s : float
        With more than this waiting, only the newest window is decoded.
    heartbeat_s : float
        A row goes out at least this often.
    poll_s : float
        Control messages and cues are looked for this often.
    reconnect_s : float
        A lost stream is looked for this often.
    rehearse_s : float
        How long before the last sample of a window is due a step is rehearsed (:class:`Rehearsal`); 0 for never.
    """

    stale_s: float = 0.25
    expiry_s: float = 0.25
    max_backlog_s: float = 0.25
    heartbeat_s: float = 0.05
    poll_s: float = 0.02
    reconnect_s: float = 0.5
    rehearse_s: float = 0.0


class Rehearsal:
    """One step of a twin of the engine, whose result is thrown away.

    While the loop sleeps between samples, other programs take the processor's caches, and the next step would
    begin with fetching code and matrices from memory. A step taken just before the last sample of a window is due
    has them at hand when it counts. The twin shares the decoder and nothing else, so no outcome depends on it.

    Parameters
    ----------
    engine : Engine
    decoder : LiveDecoder
    """

    def __init__(self, engine: Engine, decoder: LiveDecoder) -> None:
        self._twin = Engine(engine.info, decoder, engine.settings)
        p = decoder.preprocessing
        deviation = float(np.sqrt(np.median(np.diag(decoder.covariance[0]))))
        self._data = np.random.default_rng(0).normal(0.0, deviation, (p.window, len(engine.info.channels)))
        self._period_s, self._hop = 1.0 / engine.info.rate_hz, p.hop
        while self._twin.consumed < 3 * p.window:
            self()

    def __call__(self) -> None:
        """Take one step."""
        start = self._twin.consumed % len(self._data)
        stamps = (self._twin.consumed + np.arange(self._hop, dtype=np.float64)) * self._period_s
        self._twin.push(Chunk(self._data[start : start + self._hop], stamps))
        self._twin.prepare()


class LiveLoop:
    """Pull, decode, publish; notice silence; obey control messages; record what steered.

    Parameters
    ----------
    inlet : SignalInlet
    engine : Engine
    model : Model
        What the engine decodes with, for the record.
    wires : Wires
    clock : Clock
    settings : LiveSettings
    reopen : callable, optional
        Called after a loss until it returns an inlet of the same stream (None: not there yet). It
        raises :class:`StreamMismatch` where another stream came back.
    cues : LiveCues, optional
        What finds cues in the markers that come and in trigger channels; none means no class.
    bad : sequence of str
        Channels that are known to be bad before anything comes; those that the model does not use do not matter.
    """

    def __init__(
        self,
        inlet: SignalInlet,
        engine: Engine,
        model: Model,
        wires: Wires,
        clock: Clock,
        settings: LiveSettings | None = None,
        reopen: Callable[[], SignalInlet | None] | None = None,
        cues: LiveCues | None = None,
        bad: Sequence[str] = (),
    ) -> None:
        self.settings = settings or LiveSettings()
        self._known_bad = tuple(bad)
        self._inlet: SignalInlet | None = inlet
        self._engine, self._model, self._wires, self._clock = engine, model, wires, clock
        self._reopen, self._cues = reopen, cues or LiveCues(MarkerTable({}), engine.info)
        self._ages = (Age(), Age())  # by the fitted sender clock, and by the raw stamps
        self._rate = RateWatch(engine.info)
        self._rate_level = "ok"
        self._drift = Drift(model.decoder.covariance)
        self._row = np.zeros(len(wire.DECISION_FIELDS))
        self._row[1], self._row[5] = -1.0, Reason.REFILL
        self._timing = np.zeros(len(wire.TIMING_FIELDS))
        self._untold: list[tuple[Outcome, tuple[float, ...], float]] = []
        self._pace = 0
        self._rehearsal = Rehearsal(engine, model.decoder) if self.settings.rehearse_s > 0 else None
        self._n_channels = len(model.header.preprocessing.labels)
        self._hop_s = model.header.preprocessing.hop / model.header.preprocessing.rate_hz
        self._decision_settings = engine.settings.decision
        self._phase = "waiting"
        self._segment, self._index, self._last_age = 0, 0, 0.0
        self._bad: dict[str, str] = {}
        self._joined = False
        self._refused = ""
        self._stopping = ""
        self._arrival = self._sent = self._polled = self._told = self._searched = clock.now()

    def run(self, stopped: Callable[[], str] = lambda: "") -> str:
        """Work until ``stopped`` returns a reason or a stop message comes; return the reason."""
        try:
            while not self._stopping:
                self.step()
                self._stopping = self._stopping or stopped()
        finally:
            self._neutral(Reason.LOST)
            self._event("stop", why=self._stopping or "error")
            self._phase = "stopped"
            self._tell_state()
        return self._stopping

    def step(self) -> None:
        """One turn: until data come, or something is due."""
        chunk = self._pull()
        if chunk is not None and len(chunk):
            self._take(chunk)
        now = self._clock.now()
        self._watch(now)
        if now - self._polled >= self.settings.poll_s:
            self._polled = now
            self._poll()
        if now - self._told >= 1.0:
            self._told = now
            self._tell_state()

    def _pull(self) -> Chunk | None:
        """The next samples, or None when a heartbeat or neutral is due; a loss is turned into silence here."""
        due = self._sent + self.settings.heartbeat_s
        if self._phase == "running":
            due = min(due, self._arrival + self.settings.stale_s)
        if self._inlet is None:
            self._clock.wait_until(due)
            return None
        try:
            return self._rehearsed(self._inlet) or self._inlet.pull(max(0.0, due - self._clock.now()))
        except StreamLost as error:
            self._lose(str(error))
            return None

    def _rehearsed(self, inlet: SignalInlet) -> Chunk | None:
        """Before a window ends: wait until shortly before its last sample is due, and rehearse a step.

        Samples that come while waiting are returned at once.
        """
        if self._rehearsal is None or self._engine.frontend.room > self._pace:
            return None
        expected = self._arrival + self._pace / self._engine.info.rate_hz - self.settings.rehearse_s
        wait_s = expected - self._clock.now()
        if not 0 < wait_s < self.settings.heartbeat_s:
            return None
        chunk = inlet.pull(wait_s)
        if chunk is None:
            self._rehearsal()
        return chunk

    def _take(self, chunk: Chunk) -> None:
        """Decode what came and publish each decision before anything else is done."""
        began = time.perf_counter()
        self._arrival = self._clock.now()
        self._phase = "running"
        self._join(chunk)
        backlog = len(chunk)
        if backlog > self.settings.max_backlog_s * self._engine.info.rate_hz:
            self._skip(backlog)
        for outcome in self._engine.outcomes(chunk):
            self._publish(outcome, began, backlog)
        self._pace = backlog
        if self._untold:
            # liblsl's threads deliver the decision now; on few cores our next work would hold them up.
            self._clock.wait_until(self._clock.now() + YIELD_S)
        self._engine.prepare()
        self._tell_outcomes()
        self._hear(self._cues.samples(chunk, self._inlet.offset_s if self._inlet else 0.0))
        self._watch_rate(backlog)
        for d in self._engine.take_discontinuities():
            self._rate.restart()
            self._wires.events.push(
                wire.line(d.why.partition(":")[0], consumed=d.consumed, segment=d.segment, index=d.index, lost=d.lost, why=d.why)
            )

    def _watch_rate(self, n_samples: int) -> None:
        """Say that the stream does not run at its declared rate; stop decoding where it is far off."""
        verdict = self._rate.arrived(self._arrival, n_samples)
        if verdict is None or verdict.level == self._rate_level:
            return
        self._rate_level = verdict.level
        self._event("rate", level=verdict.level, why=verdict.message)
        if verdict.level == "mismatch":
            self._apply(steer.Freeze(verdict.message), "freeze", why=verdict.message)

    def _join(self, chunk: Chunk) -> None:
        """Say with which sample reading begins, at the start and after a loss."""
        if self._joined:
            return
        self._joined = True
        first = float(chunk.stamps[0]).hex()
        if self._engine.consumed:
            self._event("found", stamp=first)
        else:
            self._event(
                "start",
                stamp=first,
                model=self._model.sha256,
                stream=wire.info_to_json(self._engine.info),
                settings=wire.settings_to_json(self._engine.settings),
                fingerprint=fingerprint(self._model.header.kernel),
            )
            self._mark_known()

    def _mark_known(self) -> None:
        """Distrust the channels that are known to be bad from the first sample on, and put it on record."""
        used = {canonical(label): label for label in self._engine.frontend.labels}
        for label in dict.fromkeys(used[key] for x in self._known_bad if (key := canonical(x)) in used):
            self._apply(steer.Mark((label,), True), "mark", labels=[label], bad=True)

    def _skip(self, backlog: int) -> None:
        """Too much is waiting: only the newest window may be decoded."""
        until = self._engine.consumed + backlog - round(self._hop_s * self._engine.info.rate_hz)
        self._apply(steer.Skip(until), "skip", until=until)

    def _publish(self, outcome: Outcome, began: float, backlog: int) -> None:
        """Send the decision; the outcome and how long it took are told when nothing is in a hurry any more."""
        row = self._row
        moment = self._engine.time_of(outcome.index)
        now = self._clock.now()
        if outcome.segment != self._segment:
            for age_of in self._ages:
                age_of.restart()
        age, late = self._judge_age(now, moment, outcome.stamp)
        stale = late or age > self.settings.stale_s
        decided = outcome.decision >= 0 and not stale
        row[0] += 1.0
        row[1] = outcome.decision if decided else -1.0
        row[2] = outcome.evidence[outcome.decision] if decided else 0.0
        row[3] = outcome.stamp
        row[4] = now + self.settings.expiry_s
        row[5] = Reason.STALE if stale else outcome.reason
        row[6] = 0.0
        self._wires.decisions.push(row)
        self._sent = now
        timing = (row[0], outcome.segment, outcome.index, moment, age, time.perf_counter() - began, backlog)
        self._untold.append((outcome, timing, now if stale else row[4]))
        self._segment, self._index, self._last_age = outcome.segment, outcome.index, age

    def _judge_age(self, now: float, moment: float, stamp: float) -> tuple[float, bool]:
        """The smaller one of two ages in seconds, and whether both say that a backlog is being caught up with.

        Losses too small to be seen make the fitted clock slow, and samples seem ever older until they are found;
        raw stamps may be absurd. What is really old is old by both.
        """
        fitted, raw = self._ages
        age = fitted(now, moment)
        if not math.isfinite(stamp):
            return age, fitted.catching_up(now)
        return min(age, raw(now, stamp)), fitted.catching_up(now) and raw.catching_up(now)

    def _tell_outcomes(self) -> None:
        """Outcomes and timing of the decisions that have been sent."""
        for outcome, timing, expiry in self._untold:
            self._wires.outcomes.push(outcome.row(self._n_channels))
            self._timing[:] = timing
            self._wires.timing.push(self._timing)
            if self._wires.velocity is not None and outcome.velocity is not None:
                self._wires.velocity.push(outcome.steered(outcome.velocity, expiry))
            if outcome.mask or self._bad:
                self._tell_mask()
        self._untold.clear()

    def _tell_mask(self) -> None:
        """An event when the set of bad channels changes."""
        bad = self._engine.bad_channels()
        if bad != self._bad:
            self._bad = bad
            self._event("mask", bad=bad)

    def _watch(self, now: float) -> None:
        """Neutral when no data came for too long; a heartbeat when nothing else was sent."""
        if self._phase == "running" and now >= self._arrival + self.settings.stale_s:
            self._phase = "lost"
            self._neutral(Reason.LOST)
        elif now >= self._sent + self.settings.heartbeat_s:
            self._row[0] += 1.0
            self._row[6] = 1.0
            self._wires.decisions.push(self._row)
            self._sent = now
        if self._inlet is None and now - self._searched >= self.settings.reconnect_s:
            self._searched = now
            self._search()

    def _neutral(self, reason: Reason) -> None:
        """A decision for nothing, at once."""
        self._row[0] += 1.0
        self._row[1:] = (-1.0, 0.0, self._row[3], self._clock.now(), reason, 0.0)
        self._wires.decisions.push(self._row)
        self._sent = self._clock.now()

    def _lose(self, why: str) -> None:
        """The sender is gone for certain."""
        self._neutral(Reason.LOST)
        self._event("lost", why=why)
        self._phase = "lost"
        self._close_inlet()

    def _close_inlet(self) -> None:
        if self._inlet is not None:
            self._inlet.close()
        self._inlet = None
        self._joined = False

    def _search(self) -> None:
        """Look for the stream again; one that came back different is refused, and looked for on."""
        if self._reopen is None:
            self._stopping = "stream lost"
            return
        try:
            self._inlet = self._reopen()
        except BciError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                self._event("refused", why=self._refused)
        if self._inlet is not None:
            self._rate.restart()

    def _poll(self) -> None:
        """Control messages and cues that have come."""
        for text, _ in self._wires.control.pull(0.0):
            try:
                self._obey(wire.parse(text, "control message"))
            except BciError as error:
                self._event("refused", why=str(error))
        if self._wires.cues is not None:
            self._hear(self._cues.markers(self._wires.cues.pull_markers(0.0)))
        self._hear(self._cues.settled())

    def _hear(self, news: Sequence[Heard]) -> None:
        """Put on record what was heard of cues, and learn from those that count."""
        for heard in news:
            self._event(heard.kind, **heard.fields)
            if heard.class_ not in self._model.header.classes or self._engine.bias is None:
                continue
            if heard.kind == "cue":
                self._expect(heard.class_, float(heard.fields["time"]))
            elif heard.kind == "contradicted":
                now = self._engine.consumed
                self._apply(steer.Known("", now, now), "known", **{"class": "", "first": now, "last": now})

    def _expect(self, class_: str, time_s: float) -> None:
        """A trial whose class is known: its last fifth, where windows hold most of it, is learned from."""
        start_s, stop_s = self._model.header.trial_s
        rate_hz = self._engine.info.rate_hz
        last = self._sample_at(time_s, stop_s) + round(stop_s * rate_hz)
        known = steer.Known(class_, last - round(LAST_PART * (stop_s - start_s) * rate_hz), last)
        self._apply(known, "known", **{"class": class_, "first": known.first, "last": known.last})

    def _sample_at(self, time_s: float, longest_s: float) -> int:
        """The sample that was taken at a time on our clock, when a cue was sent; the newest one where that cannot be meant.

        A cue is on its way for a while, as samples are, and not for as long.
        """
        offset_s = self._inlet.offset_s if self._inlet is not None else None
        ago_s = self._engine.newest_s + (offset_s or 0.0) - time_s
        return self._engine.consumed - (round(ago_s * self._engine.info.rate_hz) if abs(ago_s) < longest_s else 0)

    def _obey(self, message: dict[str, Any]) -> None:
        """Do what one control message asks."""
        kind, why = message["kind"], str(message.get("why", ""))
        match kind:
            case "set":
                self._set(str(message.get("key")), message.get("value"))
            case "freeze":
                self._apply(steer.Freeze(why), "freeze", why=why)
            case "resume":
                self._apply(steer.Resume(why), "resume", why=why)
            case "mark":
                bad = bool(message.get("bad", True))
                for label in _labels(message):  # one at a time: what is on record is what was applied, up to a wrong one
                    self._apply(steer.Mark((label,), bad), "mark", labels=[label], bad=bad)
            case "recentre":
                on = bool(message.get("on", True))
                self._apply(steer.Recentre(on), "recentre", on=on)
            case "rebias":
                on = bool(message.get("on", True))
                self._apply(steer.Rebias(on), "rebias", on=on)
            case "model":
                model = load_model(Path(str(message.get("path"))))
                self._apply(steer.Swap(model.decoder), "model", model=model.sha256)
            case "note":
                self._event("note", text=str(message.get("text", "")))
            case "stop":
                self._stopping = why or "asked to"
            case "arm" | "disarm" | "stop_now" | "watching":
                pass  # for actuator hosts, which put on record what they do
            case _:
                raise StreamError(f"control message of unknown kind {kind!r}; see docs/streams.md")

    def _set(self, key: str, value: object) -> None:
        """Change one decision setting."""
        known = asdict(self._decision_settings)
        if key not in known:
            raise StreamError(f"set: {key!r} is no decision setting; there are {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, str if key == "idle" else (int, float)):
            raise StreamError(f"set: {key} = {value!r} has the wrong type")
        changed = DecisionSettings(**{**known, key: value})
        self._apply(steer.Decide(changed), "set", decision=asdict(changed))
        self._decision_settings = changed

    def _apply(self, given: steer.Input, kind: str, **fields: Any) -> None:
        """Apply an input and put it on record with the sample count it was applied at."""
        self._engine.apply(given)
        self._event(kind, **fields)

    def _event(self, kind: str, **fields: Any) -> None:
        place = {"consumed": self._engine.consumed, "segment": self._segment, "index": self._index}
        self._wires.events.push(wire.line(kind, **place, **fields))

    def _tell_state(self) -> None:
        """All that a late joiner needs."""
        info: StreamInfo = self._engine.info
        covariance = self._engine.take_covariance()
        if covariance is not None:
            self._drift.push(covariance, self._engine.preprocessing.window / info.rate_hz)
        self._wires.state.push(
            wire.line(
                "state",
                phase=self._phase,
                stream=info.name,
                source_id=info.source_id,
                model=self._model.sha256,
                classes=self._model.header.classes,
                consumed=self._engine.consumed,
                segment=self._segment,
                index=self._index,
                age_s=round(self._last_age, 4),
                rate_hz=info.rate_hz,
                lost=self._engine.lost,
                bad=self._bad,
                drift={"gain": round(self._drift.gain, 3), "shape": round(self._drift.shape, 3), "why": self._drift.line()},
                recentred=self._engine.recentred,
                bias=self._engine.bias,
                settings=asdict(self._decision_settings),
                cues={**self._cues.counts, "why": self._cues.why},
            )
        )


def _labels(message: dict[str, Any]) -> tuple[str, ...]:
    """The channels that a control message names."""
    found = message.get("labels")
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        raise StreamError(f"mark: labels = {found!r} must be a list of channel names")
    return tuple(found)
