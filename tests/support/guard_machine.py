"""Generated lives of a guard: what an engine, persons, supervisors, networks and a computer can do to it, in any order."""

from __future__ import annotations

import math
from typing import ClassVar

from guard_oracle import CLEAN, Oracle
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bci.engine import guard as g
from bci.engine.guard import Cause, DecisionRow, Guard, GuardSettings
from bci.engine.outcome import Reason
from bci.engine.pace import PaceSettings

CLASSES = ("left", "right")
HOP_S = 0.04
BAD = tuple(r for r in Reason if r not in CLEAN)
ANSWERS = ("at once", "at once", "at once", "late", "never", "fails")


class GuardMachine(RuleBasedStateMachine):
    """One guard from its beginning to its end; the oracle judges every step."""

    seen: ClassVar[dict[str, int]] = {}

    @initialize(
        mode=st.sampled_from(["discrete", "continuous"]),
        repeat=st.sampled_from([0.0, 0.1]),
        blanking=st.sampled_from([0.0, 0.0, 0.3]),
        view=st.sampled_from([0.0, 0.0, 1.0]),
        session=st.sampled_from([0.0, 1.0]),
    )
    def begin(self, mode: str, repeat: float, blanking: float, view: float, session: float) -> None:
        """A new host."""
        limits = GuardSettings(view_s=view, session_s=session)
        guard = Guard(CLASSES, limits, PaceSettings(mode=mode, repeat_s=repeat, blanking_s=blanking))
        self.oracle = Oracle(guard, CLASSES)
        self.now, self.sequence, self.source = 10.0, 0, "a"
        self.last: DecisionRow | None = None
        self.answers, self.unanswered = "at once", []
        self.watched = True
        self.tell(g.EnginePresence(True, source="a"))

    def teardown(self) -> None:
        """Count what was reached."""
        if hasattr(self, "oracle"):
            for what, n in self.oracle.counts.items():
                self.seen[what] = self.seen.get(what, 0) + n
        self.seen["sequences"] = self.seen.get("sequences", 0) + 1

    def tell(self, event: g.Event | None = None) -> None:
        """One step, and what the actuator answers to it."""
        waiting, self.unanswered = self.unanswered, []
        asked = [a.number for a in self.oracle.step(self.now, event) if isinstance(a, g.Neutral)]
        self.answer(waiting)
        if self.answers == "late":
            self.unanswered += asked
        elif self.answers != "never":
            self.answer(asked)

    def answer(self, numbers: list[int]) -> None:
        """The actuator has done, or not done, these neutrals."""
        for number in numbers:
            actions = self.oracle.step(self.now, g.Confirmed(self.answers != "fails", "no answer", number=number))
            more = [a.number for a in actions if isinstance(a, g.Neutral)]
            self.unanswered += more if self.answers != "never" else []

    def row(self, decision: int = -1, reason: Reason | None = None, ago_s: float = 0.0, valid_s: float = 0.25, **other) -> None:
        """The engine sent a row so long ago."""
        self.sequence = other.get("sequence", self.sequence + 1)
        reason = (Reason.DECIDED if decision >= 0 else Reason.IDLE) if reason is None else reason
        sent = self.now - ago_s
        confidence = other.get("confidence", 0.8)
        self.last = DecisionRow(self.sequence, decision, confidence, sent + valid_s, reason, other.get("heartbeat", False), sent)
        self.tell(self.last)

    def supervise(self) -> None:
        """Window and session say that they are alive, unless they hang."""
        limits = self.oracle.history.limits
        if self.watched and limits.view_s:
            self.tell(g.View())
        if self.watched and limits.session_s:
            self.tell(g.Alive())

    def pass_by(self, seconds: float) -> None:
        """Nothing is heard for a while."""
        self.now += seconds
        self.tell()

    def flow(self, n: int, decision: int = -1, reason: Reason | None = None, **other) -> None:
        """An engine as it should be."""
        for _ in range(n):
            self.pass_by(HOP_S)
            self.supervise()
            self.row(decision, reason, **other)

    @rule(seconds=st.sampled_from([0.001, 0.005, 0.04, 0.2, 0.3, 0.6, 1.2, 7.0]), ticks=st.sampled_from([1, 1, 5]))
    def silence(self, seconds: float, ticks: int) -> None:
        """Nobody speaks, or the host itself did not run."""
        for _ in range(ticks):
            self.pass_by(seconds / ticks)

    @rule(
        decision=st.sampled_from([-1, 0, 1]),
        reason=st.sampled_from([*BAD, *CLEAN * 6]),
        valid_s=st.sampled_from([0.25, 0.25, 0.05, -0.1, 1e6]),
        heartbeat=st.sampled_from([False, False, True]),
        n=st.sampled_from([1, 1, 5, 26, 60]),
    )
    def rows(self, decision: int, reason: Reason, valid_s: float, heartbeat: bool, n: int) -> None:
        """Rows of one kind, also of kinds that no engine of ours sends."""
        self.flow(n, decision, reason, valid_s=valid_s, heartbeat=heartbeat and n == 1)

    @rule(decision=st.sampled_from([-1, 0, 0, 1]), by=st.sampled_from([None, 0.0, 0.3]), then=st.sampled_from([0, 3, 10]))
    def good_signal_and_arm(self, decision: int, by: float | None, then: int) -> None:
        """The ordinary way to work."""
        self.answers, self.watched = "at once", True
        self.tell(g.StopConnection(True))
        if not self.oracle.history.present:
            self.tell(g.EnginePresence(True, source=self.source))
        self.flow(56, decision)
        self.tell(g.Arm("person", None if by is None else self.now - by))
        self.flow(then, 1)

    @rule(ago_s=st.sampled_from([0.0, 0.01, 1.0, 2.0, 2.1, 20.0, -1.0, -2.1, math.nan, math.inf]))
    def arm(self, ago_s: float) -> None:
        """A wish to arm, fresh, old, or of no time."""
        self.tell(g.Arm("person", self.now - ago_s))

    @rule(
        ended=st.sampled_from([g.EmergencyStop("s"), g.Disarm("d")]), ago_s=st.sampled_from([0.0, 0.01, 0.5]), first=st.booleans()
    )
    def arm_and_stop(self, ended: g.Event, ago_s: float, first: bool) -> None:
        """Both are read in one turn."""
        both = (g.Arm("person", self.now - ago_s), ended)
        for event in both if first else both[::-1]:
            self.tell(event)
        assert self.oracle.state in (g.State.SAFE, g.State.DISARMED)

    @rule(
        event=st.sampled_from(
            [
                g.EmergencyStop("s"),
                g.EmergencyStop("s", 1e9),
                g.Disarm("d"),
                g.LastingFault(Cause.ACTUATOR, "f"),
                g.LastingFault(Cause.HOST, "the computer was suspended"),
                g.StopConnection(False, "broken"),
                g.StopConnection(True),
                g.Alive("the recording does not go on", Cause.RECORDING),
                g.Alive(),
                g.View(),
                g.Confirmed(True, number=1),
                g.Confirmed(True, number=10**9),
                g.Confirmed(False, "no answer", number=1),
            ]
        )
    )
    def happens(self, event: g.Event) -> None:
        """One event of any other kind."""
        self.tell(event)

    @rule(present=st.booleans(), source=st.sampled_from(["a", "a", "b", ""]))
    def engine(self, present: bool, source: str) -> None:
        """The engine's stream breaks, comes back, or is that of another engine."""
        if present:
            self.source = source
        self.sequence = 0
        self.tell(g.EnginePresence(present, "", source))

    @rule(n=st.sampled_from([1, 5]), what=st.sampled_from(["doubled", "old", "before the first"]))
    def heard_before(self, n: int, what: str) -> None:
        """Rows are sent again, or overtaken by later ones."""
        for k in range(n):
            self.now += 0.01
            if self.last is not None:
                sequence = {"doubled": self.last.sequence, "old": self.last.sequence - 1 - k, "before the first": 0}[what]
                sent = self.last.sent_s - (0.0 if what == "doubled" else 0.04)
                row = DecisionRow(max(0, sequence), 0, 0.9, self.now + 1.0, Reason.DECIDED, False, sent)
                self.tell(row)

    @rule(ago_s=st.sampled_from([0.1, 0.2, 0.24, 0.3, 5.0]), valid_s=st.sampled_from([0.25, 1e6]), n=st.sampled_from([1, 5, 30]))
    def delayed(self, ago_s: float, valid_s: float, n: int) -> None:
        """A network holds rows up."""
        self.flow(n, 0, ago_s=ago_s, valid_s=valid_s)

    @rule(n=st.sampled_from([1, 5, 20]), start=st.sampled_from([0, 1, 7, 2**53]))
    def counts_anew(self, n: int, start: int) -> None:
        """The engine begins anew in the same stream, or somebody makes it look so."""
        for k in range(n):
            self.pass_by(HOP_S)
            self.supervise()
            self.row(0, sequence=start + k)

    @rule(
        row=st.sampled_from(
            [
                (2**53, 0, 0.9, 1e12, Reason.DECIDED, False, 0.0),
                (2**53, 0, 0.9, 1e12, Reason.DECIDED, False, 1e12),
                (-1, 0, 0.9, 0.25, Reason.DECIDED, False, 0.0),
                (1, -2, 0.9, 0.25, Reason.DECIDED, False, 0.0),
                (1, 7, 0.9, 0.25, Reason.DECIDED, False, 0.0),
                (1, 0, math.nan, 0.25, Reason.DECIDED, False, 0.0),
                (1, 0, 5.0, 0.25, Reason.DECIDED, False, 0.0),
                (1, 0, 0.9, math.nan, Reason.DECIDED, False, 0.0),
                (1, 0, 0.9, math.inf, Reason.DECIDED, False, 0.0),
                (1, 0, 0.9, 0.25, Reason.DECIDED, False, math.nan),
                (1, 0, 0.9, 0.25, Reason.DECIDED, False, math.inf),
                (1, 1, 0.9, 0.25, Reason.IDLE, False, 0.0),
                (1, 1, 0.9, 0.25, Reason.DECIDED, True, 0.0),
            ]
        )
    )
    def forged(self, row: tuple) -> None:
        """One row that no engine of ours sends: counts and times are relative to what is right."""
        step, decision, confidence, valid_s, reason, heartbeat, late_s = row
        sequence = step if step == 2**53 or step < 0 else self.sequence + step
        self.now += 0.01
        forged = DecisionRow(sequence, decision, confidence, self.now + valid_s, reason, heartbeat, self.now + late_s)
        self.sequence = self.sequence + 1 if step == 1 else self.sequence
        self.tell(forged)

    @rule(how=st.sampled_from(ANSWERS), n=st.sampled_from([1, 20]))
    def actuator(self, how: str, n: int) -> None:
        """The actuator answers otherwise from now on."""
        self.answers = how
        self.unanswered = [] if how == "never" else self.unanswered
        self.flow(n, 0)

    @rule(seconds=st.sampled_from([0.9, 1.1, 3.0]))
    def supervisors_hang(self, seconds: float) -> None:
        """Window and session say nothing, while the engine decides."""
        self.watched = False
        self.flow(round(seconds / HOP_S), 0)
        self.watched = True

    @rule(seconds=st.sampled_from([-0.01, -0.04, -0.06, -3.0, -50.0, math.nan, math.inf]))
    def clock(self, seconds: float) -> None:
        """The clock is set, or says nonsense."""
        right = self.now
        self.now += seconds
        self.tell()
        if not math.isfinite(self.now):
            self.now = right
