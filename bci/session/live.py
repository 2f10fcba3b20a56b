"""The live loop: whatever carries the streams on one side, the engine on the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from bci.engine.chunk import Chunk
from bci.engine.control_inputs import ChangeDecision, Freeze, MarkChannels, ReplaceModel, Skip
from bci.engine.engine import Engine
from bci.engine.outcome import Reason
from bci.engine.rehearsal import Rehearsal
from bci.engine.stream_info import canonical
from bci.engine.watch import RateWatch
from bci.errors import BciError, StreamLost
from bci.model.file import Model
from bci.model.fingerprint import fingerprint
from bci.model.kept import ModelReader
from bci.paradigm.live_cues import LiveCues
from bci.session.cue_listener import CueListener
from bci.session.decision_publisher import DecisionPublisher
from bci.session.event_log import EventLog
from bci.session.last_heard import KIND as LAST
from bci.session.last_heard import LastHeard
from bci.session.live_control import (
    AddNote,
    ApplyInput,
    ChangeSetting,
    ControlReceiver,
    ControlRequest,
    EndSession,
    LoadModel,
    RefusedRequest,
    changed,
)
from bci.session.session_streams import SessionStreams
from bci.session.state_report import StateReport
from bci.settings import EngineProcessSettings
from bci.stream import messages
from bci.stream.bus import Clock, SignalInlet
from bci.stream.markers.triggers import MarkerTable
from bci.stream.signing import Checker

YIELD_S = 0.0003
POLL_S = 0.02
"""Control messages and cues are looked for this often."""
RECONNECT_S = 0.5
"""A lost stream is looked for this often."""
RATE = "rate"
"""Who freezes where the stream does not run at its declared rate."""


class LiveLoop:
    """Pull, decode, publish; notice silence; obey control messages; record what steered.

    Parameters
    ----------
    inlet : SignalInlet
    engine : Engine
    model : Model
        What the engine decodes with, for the record.
    streams : SessionStreams
    clock : Clock
    settings : EngineProcessSettings, optional
        Times of the loop; without it nothing is rehearsed.
    reopen : callable, optional
        Called after a loss until it returns an inlet of the same stream (None: not there yet). It
        raises :class:`StreamMismatch` where another stream came back.
    cues : LiveCues, optional
        What finds cues in the markers that come and in trigger channels; none means no class.
    bad : sequence of str
        Channels that are known to be bad before anything comes; those that the model does not use do not matter.
    check : Checker, optional
        Tells control messages of the session from those of strangers; none: every one counts.
    reader : ModelReader, optional
        Reads the models that are to take over.
    alive : callable, optional
        Told at every turn how many samples were consumed.
    opening : callable, optional
        Shown what came at each turn (None: nothing), until it returns True; nothing is decided before. What it raises
        ends the loop.
    """

    def __init__(
        self,
        inlet: SignalInlet,
        engine: Engine,
        model: Model,
        streams: SessionStreams,
        clock: Clock,
        settings: EngineProcessSettings | None = None,
        reopen: Callable[[], SignalInlet | None] | None = None,
        cues: LiveCues | None = None,
        bad: Sequence[str] = (),
        check: Checker | None = None,
        reader: ModelReader | None = None,
        alive: Callable[[int], None] = lambda _consumed: None,
        opening: Callable[[Chunk | None], bool] = lambda _chunk: True,
    ) -> None:
        self.settings = settings or EngineProcessSettings(rehearse_s=0.0)
        self._known_bad = tuple(bad)
        self._inlet: SignalInlet | None = inlet
        self._engine, self._model, self._streams, self._clock = engine, model, streams, clock
        self._reopen, self._reader, self._alive = reopen, reader or ModelReader(), alive
        self._events = EventLog(streams.events, engine)
        self._decisions = DecisionPublisher(engine, streams, clock, self.settings, self._events)
        self._cues = CueListener(cues or LiveCues(MarkerTable({}), engine.info), streams.cues, engine, self._events)
        self._state = StateReport(streams.state, engine, model)
        self._control = ControlReceiver(streams.control, check or Checker(None, clock.now, ""), lambda: engine.frozen)
        self._opening = opening
        self._rate = RateWatch(engine.info)
        self._rate_level = "ok"
        self._last = LastHeard(engine.info.rate_hz, len(engine.info.channels))
        self._pace = 0
        self._rehearsal = Rehearsal(engine, model.decoder) if self.settings.rehearse_s > 0 else None
        self._decision_settings = engine.settings.decision
        self._phase = "waiting"
        self._joined = False
        self._refused = self._stopping = ""
        self._arrival = self._polled = self._told = self._searched = clock.now()

    def run(self, stopped: Callable[[], str] = lambda: "") -> str:
        """Work until ``stopped`` returns a reason or a stop message comes; return the reason."""
        try:
            while not self._stopping:
                self.step()
                self._stopping = self._stopping or stopped()
        finally:
            self._decisions.neutral(Reason.LOST)
            self._events.write("stop", why=self._stopping or "error")
            self._phase = "stopped"
            self._tell_state()
        return self._stopping

    def step(self) -> None:
        """Take one turn: wait until data come, or something is due."""
        chunk = self._pull()
        self._decisions.open = self._decisions.open or self._opening(chunk)
        if chunk is not None and len(chunk):
            self._take(chunk)
        now = self._clock.now()
        self._watch(now)
        if now - self._polled >= POLL_S:
            self._polled = now
            self._poll()
        if now - self._told >= 1.0:
            self._told = now
            self._tell_state()
        self._alive(self._engine.consumed)

    def _pull(self) -> Chunk | None:
        """The next samples, or None when a heartbeat or neutral is due; a loss is turned into silence here."""
        due = self._decisions.sent_s + self.settings.heartbeat_s
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
            self._decisions.publish(outcome, began, backlog)
        self._pace = backlog
        if self._decisions.pending:
            # liblsl's threads deliver the decision now; on few cores our next work would hold them up.
            self._clock.wait_until(self._clock.now() + YIELD_S)
        self._engine.prepare()
        self._last.push(chunk)
        self._decisions.tell_outcomes()
        self._cues.look_at_samples(chunk, self._offset_s, self._model.header)
        self._watch_rate(backlog)
        if self._events.engine_news():
            self._rate.restart()

    def _watch_rate(self, n_samples: int) -> None:
        """Say that the stream does not run at its declared rate; stop decoding where it is far off."""
        verdict = self._rate.arrived(self._arrival, n_samples)
        if verdict is None or verdict.level == self._rate_level:
            return
        self._rate_level = verdict.level
        self._events.write("rate", level=verdict.level, why=verdict.message)
        if verdict.level == "mismatch":
            self._events.apply(Freeze(verdict.message, RATE), "freeze", why=verdict.message, by=RATE)

    def _join(self, chunk: Chunk) -> None:
        """Say with which sample reading begins, at the start and after a loss."""
        if self._joined:
            return
        self._joined = True
        first = float(chunk.stamps[0]).hex()
        if self._engine.consumed:
            self._events.write("found", stamp=first)
        else:
            self._events.write(
                "start",
                stamp=first,
                model=self._model.sha256,
                stream=messages.info_to_json(self._engine.info),
                settings=messages.settings_to_json(self._engine.settings),
                fingerprint=fingerprint(self._model.header.kernel),
            )
            self._mark_known()

    def _mark_known(self) -> None:
        """Distrust the channels that are known to be bad from the first sample on, and put it on record."""
        used = {canonical(label): label for label in self._engine.frontend.labels}
        for label in dict.fromkeys(used[key] for x in self._known_bad if (key := canonical(x)) in used):
            self._events.apply(MarkChannels((label,), True), "mark", labels=[label], bad=True)

    def _skip(self, backlog: int) -> None:
        """Too much is waiting: only the newest window may be decoded."""
        p = self._engine.preprocessing
        until = self._engine.consumed + backlog - round(p.hop / p.rate_hz * self._engine.info.rate_hz)
        self._events.apply(Skip(until), "skip", until=until)

    def _watch(self, now: float) -> None:
        """Neutral when no data came for too long; a heartbeat when nothing else was sent."""
        if self._phase == "running" and now >= self._arrival + self.settings.stale_s:
            self._phase = "lost"
            self._decisions.neutral(Reason.LOST)
        elif now >= self._decisions.sent_s + self.settings.heartbeat_s:
            self._decisions.repeat(now)
        if self._inlet is None and now - self._searched >= RECONNECT_S:
            self._searched = now
            self._search()

    def _lose(self, why: str) -> None:
        """The sender is gone for certain."""
        self._decisions.neutral(Reason.LOST)
        self._events.write("lost", why=why)
        for piece in self._last.take(self._engine.consumed):
            self._events.write(LAST, **piece)
        self._phase = "lost"
        if self._inlet is not None:
            self._inlet.close()
        self._inlet, self._joined = None, False

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
                self._events.refuse(self._refused)
        if self._inlet is not None:
            self._rate.restart()

    def _poll(self) -> None:
        """Control messages, models that were asked for, and cues that have come."""
        for request in self._control.requests(self._polled):
            try:
                self._obey(request)
            except BciError as error:
                self._events.refuse(str(error))
        self._take_over()
        self._cues.look_at_markers(self._offset_s, self._model.header)

    def _obey(self, request: ControlRequest) -> None:
        """Do what a control message asks."""
        match request:
            case ApplyInput(given, kind, fields):
                self._events.apply(given, kind, **fields)
            case ChangeSetting():
                settings = changed(self._decision_settings, request)
                self._events.apply(ChangeDecision(settings), "set", decision=asdict(settings))
                self._decision_settings = settings
            case LoadModel(path):
                self._reader.ask(path)
            case AddNote(text):
                self._events.write("note", text=text)
            case EndSession(why):
                self._stopping = why
            case RefusedRequest(why):
                self._events.refuse(why)

    def _take_over(self) -> None:
        """Go on with the models that have been read since."""
        while (found := self._reader.take()) is not None:
            if isinstance(found, str):
                self._events.refuse(found)
                continue
            try:
                self._events.apply(ReplaceModel(found.decoder), "model", model=found.sha256)
                self._model = found
            except BciError as error:
                self._events.refuse(str(error))

    @property
    def _offset_s(self) -> float | None:
        """What brings the sender's times to our clock, where that is known."""
        return self._inlet.offset_s if self._inlet is not None else None

    def _tell_state(self) -> None:
        place = {"segment": self._events.segment, "index": self._events.index, "age_s": round(self._decisions.age_s, 4)}
        self._state.send(
            self._phase,
            self._model,
            self._decision_settings,
            place,
            bad=self._decisions.bad,
            decoder=self._events.failure,
            strangers=self._control.strangers,
            cues=self._cues.counts,
        )
