"""The reasons for doubt, and how long they last: :mod:`bci.engine.guard`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from bci.engine.guard_events import Alive, Cause, DecisionRow, EnginePresence, StopConnection
from bci.engine.guard_settings import GuardSettings
from bci.engine.outcome import Reason

DOUBTS = {
    Reason.REFILL: Cause.REFILL,
    Reason.BRIDGED: Cause.REFILL,
    Reason.NONFINITE: Cause.QUALITY,
    Reason.QUALITY: Cause.QUALITY,
    Reason.DECODER: Cause.DECODER,
    Reason.SKIPPED: Cause.LATE,
    Reason.FROZEN: Cause.FROZEN,
    Reason.STALE: Cause.STALE,
    Reason.LOST: Cause.LOST,
    Reason.OPENING: Cause.REFILL,
}
WHY = {
    Cause.ENGINE: "the engine sends nothing",
    Cause.STALE: "the newest decision is too old",
    Cause.LOST: "no data from the amplifier",
    Cause.REFILL: "a gap in the data; windows fill again",
    Cause.QUALITY: "the signal is bad",
    Cause.DECODER: "the decoder failed",
    Cause.LATE: "decoding is late",
    Cause.FROZEN: "decoding is frozen",
    Cause.VIEW: "the operator's window does not answer",
    Cause.SESSION: "the program that watches over the session sends nothing",
    Cause.CHANNEL: "the connection of the program that armed is broken, so its stop would not arrive",
}


class Doubt(NamedTuple):
    """One reason why nothing may move.

    Parameters
    ----------
    since_s : float
        When it began, seconds of the guard's clock.
    cause : Cause
    why : str
        For a person.
    """

    since_s: float
    cause: Cause
    why: str


class Doubts:
    """Remembers what was received last, and from which sender.

    Parameters
    ----------
    settings : GuardSettings

    Attributes
    ----------
    row : DecisionRow or None
        The decision that stands.
    source : str
        Of the engine that is heard.
    """

    def __init__(self, settings: GuardSettings) -> None:
        self.settings = settings
        self.source = ""
        self.row: DecisionRow | None
        self.restart()
        self._gone, self._gone_why = -math.inf, WHY[Cause.ENGINE]
        self._heard = self._fresh = self._row_since = -math.inf
        self._viewed = self._alive = -math.inf
        self._told: Doubt | None = None
        self._cut: Doubt | None = None

    def at(self, now: float) -> list[Doubt]:
        """Every doubt of one moment.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.

        Returns
        -------
        list of Doubt
            The oldest first.
        """
        found = [Doubt(since, cause, WHY[cause]) for since, cause in self._usual() if since <= now]
        silent = -math.inf if self.row is None else min(self._heard + self.settings.silence_s, self._gone)
        if silent <= now:
            found.append(Doubt(silent, Cause.ENGINE, self._gone_why))
        found += [doubt for doubt in (self._told if self.settings.session_s else None, self._cut) if doubt]
        return sorted(found)

    def _usual(self) -> list[tuple[float, Cause]]:
        """Conditions that are told in our own words, each with the moment from which it holds."""
        s = self.settings
        usual = [(self._fresh, Cause.STALE)]
        if self.row is not None and self.row.reason in DOUBTS:
            usual.append((self._row_since, DOUBTS[self.row.reason]))
        if s.view_s:
            usual.append((self._viewed + s.view_s, Cause.VIEW))
        if s.session_s:
            usual.append((self._alive + s.session_s, Cause.SESSION))
        return usual

    def engine(self, now: float, event: EnginePresence) -> None:
        """Take note that an engine was found, or is gone: what another run of it sent does not count any more.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        event : EnginePresence
        """
        self._gone = math.inf if event.present else min(now, self._gone)
        self._gone_why = event.why or WHY[Cause.ENGINE]
        if event.present:
            self.source = event.source
        self.restart()

    def restart(self) -> None:
        """Count the rows from the beginning."""
        self._sequence, self._sent, self.row = -1, -math.inf, None

    def forget_times(self, now: float) -> None:
        """Take note that the clock was set: no time of what was heard means anything any more; what was lost stays lost.

        Parameters
        ----------
        now : float
            What the clock shows now, seconds.
        """
        self._heard = self._fresh = self._viewed = self._alive = -math.inf
        self._gone = min(self._gone, now) if math.isfinite(self._gone) else self._gone
        self._told = self._told and self._told._replace(since_s=now)
        self._cut = self._cut and self._cut._replace(since_s=now)
        self.restart()

    def view(self, now: float) -> None:
        """Take note that the operator's window is alive.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        """
        self._viewed = now

    def alive(self, now: float, event: Alive) -> None:
        """Take note that the program that watches over the session is alive; it repeats what it doubts.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        event : Alive
        """
        self._alive = now
        since = self._told.since_s if self._told else now
        self._told = Doubt(since, event.cause, event.doubt) if event.doubt else None

    def channel(self, now: float, event: StopConnection) -> None:
        """Take note of the connection over which the person who armed could stop.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        event : StopConnection
        """
        since = self._cut.since_s if self._cut else now
        self._cut = None if event.present else Doubt(since, Cause.CHANNEL, event.why or WHY[Cause.CHANNEL])

    def restarted(self, now: float, row: DecisionRow) -> bool:
        """Whether the engine began anew in the same stream: a row counts lower than the newest and was sent after it.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        row : DecisionRow

        Returns
        -------
        bool
        """
        return row.sequence <= self._sequence and min(row.sent_s, now) > self._sent

    def hear(self, now: float, row: DecisionRow) -> bool:
        """Take note that the engine is alive.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        row : DecisionRow

        Returns
        -------
        bool
            Whether this row is news and does not repeat one that was heard already.
        """
        if row.sequence <= self._sequence:
            return False
        self._sequence, self._heard = row.sequence, now
        # A time in the future is an error of a clock: what comes after it must not look older than it.
        self._sent = min(row.sent_s, now) if math.isfinite(row.sent_s) else now
        return True

    def refresh(self, now: float, row: DecisionRow) -> None:
        """Take note of a new decision: it counts until it expires, and never for longer than our limits allow.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        row : DecisionRow
        """
        self._fresh = min(row.expiry_s, min(self._sent, now) + self.settings.stale_s)

    def stand(self, now: float, row: DecisionRow) -> None:
        """Let this decision stand from now on.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        row : DecisionRow
        """
        if self.row is None or DOUBTS.get(self.row.reason) is not DOUBTS.get(row.reason):
            self._row_since = now
        self.row = row

    def compare(self, heartbeat: DecisionRow) -> None:
        """Compare a heartbeat with the decision that stands: another decision may end a movement, and never begins one.

        Parameters
        ----------
        heartbeat : DecisionRow
        """
        if self.row is not None and self.row.decision != heartbeat.decision:
            self.forget_decision()

    def forget_decision(self) -> None:
        """Let what was decided before (before arming, before a blanking interval) move nothing any more."""
        if self.row is not None and self.row.reason not in DOUBTS:
            self.row = replace(self.row, decision=-1, confidence=0.0, reason=Reason.IDLE)


class Lasting:
    """How long doubt, or the lack of it, has lasted without a break.

    Parameters
    ----------
    settings : GuardSettings
    """

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._now = -math.inf
        self.restart()

    def restart(self) -> None:
        """Begin to count again, because something happened or the clock was set."""
        self._good = self._any = self._other = math.inf

    def good_s(self, now: float) -> float:
        """For how long there has been no doubt.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.

        Returns
        -------
        float
            Seconds.
        """
        return max(0.0, now - self._good)

    def __call__(self, now: float, doubts: list[Doubt]) -> tuple[Doubt, float] | None:
        """Find the doubt that has lasted for too long.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        doubts : list of Doubt
            Those that there are, the oldest first.

        Returns
        -------
        tuple of (Doubt, float) or None
            The doubt, and for how many seconds there has been doubt; None where none has lasted for too long.
        """
        before, self._now = self._now, now
        if not doubts:
            self._good = min(self._good, now)
            self._any = self._other = math.inf
            return None
        self._good = math.inf
        # What ended by itself between two calls was seen by the row that ended it: a doubt that is here began when it says.
        self._any = min(self._any, max(before, doubts[0].since_s))
        others = [doubt for doubt in doubts if doubt.cause is not Cause.REFILL]
        self._other = min(self._other, max(before, others[0].since_s)) if others else math.inf
        if now - self._other >= self._settings.latch_s:
            return others[0], now - self._other
        if now - self._any >= self._settings.refill_s:
            return doubts[0], now - self._any
        return None


def makes_sense(row: DecisionRow) -> bool:
    """Whether the numbers of a row are such that an engine can send them.

    Parameters
    ----------
    row : DecisionRow

    Returns
    -------
    bool
    """
    return row.sequence >= 0 and row.decision >= -1 and 0 <= row.confidence <= 1 + 1e-9 and math.isfinite(row.expiry_s)
