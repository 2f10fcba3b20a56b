"""Sending the results of a window: the decision at once, outcome and timing a moment later."""

from __future__ import annotations

import math
import time

import numpy as np

from bci.engine.age import Age
from bci.engine.engine import Engine
from bci.engine.outcome import Outcome, Reason
from bci.session.event_log import EventLog
from bci.session.session_streams import SessionStreams
from bci.settings import EngineProcessSettings
from bci.stream import messages
from bci.stream.bus import Clock
from bci.stream.sent_decision import SentDecision


class DecisionPublisher:
    """Sends decisions, heartbeats and neutral rows, and tells afterwards what they came from.

    Parameters
    ----------
    engine : Engine
    streams : SessionStreams
    clock : Clock
    settings : EngineProcessSettings
    events : EventLog

    Attributes
    ----------
    sent_s : float
        When the newest row was sent, on the clock.
    age_s : float
        Age of the newest sample when the newest decision was sent.
    bad : dict of str to str
        Channels that the newest window did without, and why.
    open : bool
        Whether anything is decided; until then decisions say ``OPENING``.
    """

    def __init__(
        self, engine: Engine, streams: SessionStreams, clock: Clock, settings: EngineProcessSettings, events: EventLog
    ) -> None:
        self._engine, self._streams, self._clock = engine, streams, clock
        self._settings, self._events = settings, events
        self._n_channels = len(engine.preprocessing.labels)
        self._by_fit, self._by_stamp = Age(), Age()
        self._newest = SentDecision(0.0, -1.0, 0.0, 0.0, 0.0, Reason.REFILL)
        self._timing = np.zeros(len(messages.TIMING_FIELDS))
        self._untold: list[tuple[Outcome, tuple[float, ...], float]] = []
        self.sent_s, self.age_s = clock.now(), 0.0
        self.bad: dict[str, str] = {}
        self.open = False

    def publish(self, outcome: Outcome, began: float, backlog: int) -> None:
        """Send the decision of one window.

        Parameters
        ----------
        outcome : Outcome
        began : float
            When its samples were there, seconds of ``time.perf_counter``.
        backlog : int
            Samples that came with them.
        """
        moment, now = self._engine.continuity.time_of(outcome.index), self._clock.now()
        if outcome.segment != self._events.segment:
            self._by_fit.restart()
            self._by_stamp.restart()
        age, late = self._judge_age(now, moment, outcome.stamp)
        stale = late or age > self._settings.stale_s
        acts = self.open and not stale
        decided = outcome.decision >= 0 and acts
        sent = SentDecision(
            sequence=self._newest.sequence + 1.0,
            decision=outcome.decision if decided else -1.0,
            confidence=outcome.evidence[outcome.decision] if decided else 0.0,
            stamp=outcome.stamp,
            expiry=now + self._settings.expiry_s,
            reason=Reason.STALE if stale else self._reason(outcome),
        )
        self._send(sent, now)
        timing = (sent.sequence, outcome.segment, outcome.index, moment, age, time.perf_counter() - began, backlog)
        self._untold.append((outcome, timing, sent.expiry if acts else now))
        self._events.reached(outcome)
        self.age_s = age

    def _reason(self, outcome: Outcome) -> Reason:
        return outcome.reason if self.open or outcome.reason is not Reason.DECIDED else Reason.OPENING

    def repeat(self, now: float) -> None:
        """Send the newest row once more, as a heartbeat."""
        self._send(self._newest._replace(sequence=self._newest.sequence + 1.0, heartbeat=1.0), now)

    def neutral(self, reason: Reason) -> None:
        """Send at once that nothing is decided."""
        now, newest = self._clock.now(), self._newest
        self._send(SentDecision(newest.sequence + 1.0, -1.0, 0.0, newest.stamp, now, reason), now)

    @property
    def pending(self) -> bool:
        """Whether decisions were sent whose outcomes have not been told."""
        return bool(self._untold)

    def tell_outcomes(self) -> None:
        """Send outcomes and timing of the decisions that have been sent."""
        for outcome, timing, expiry in self._untold:
            self._streams.outcomes.push(outcome.row(self._n_channels))
            self._timing[:] = timing
            self._streams.timing.push(self._timing)
            if self._streams.velocity is not None and outcome.velocity is not None:
                self._streams.velocity.push(outcome.steered(outcome.velocity, expiry))
            if outcome.mask or self.bad:
                self._tell_mask()
        self._untold.clear()

    def _send(self, sent: SentDecision, now: float) -> None:
        self._newest = sent
        self._streams.decisions.push(sent.row())
        self.sent_s = now

    def _tell_mask(self) -> None:
        """Write an event when the set of bad channels changes."""
        bad = self._engine.bad_channels()
        if bad != self.bad:
            self.bad = bad
            self._events.write("mask", bad=bad)

    def _judge_age(self, now: float, moment: float, stamp: float) -> tuple[float, bool]:
        """The smaller one of two ages in seconds, and whether both say that a backlog is being caught up with.

        Losses too small to be seen make the fitted clock slow, and samples seem ever older until they are found;
        raw stamps may be absurd. What is really old is old by both.
        """
        fitted, raw = self._by_fit, self._by_stamp
        age = fitted(now, moment)
        if not math.isfinite(stamp):
            return age, fitted.catching_up(now)
        return min(age, raw(now, stamp)), fitted.catching_up(now) and raw.catching_up(now)
