"""A guard on a bench: an engine, an actuator and a clock that do what a test says."""

from __future__ import annotations

from bci.engine import guard as g
from bci.engine.guard import DecisionRow, Guard, GuardSettings, State
from bci.engine.outcome import Reason
from bci.engine.pace import PaceSettings

CLASSES = ("left", "right")


class Bench:
    """A guard, an engine that sends a row every 40 ms, an actuator that answers at once, and a clock."""

    def __init__(self, **limits):
        pace = {k: limits.pop(k) for k in tuple(limits) if k in PaceSettings.__dataclass_fields__}
        self.guard = Guard(CLASSES, GuardSettings(**limits), PaceSettings(**pace))
        self.now = 100.0
        self.sequence = 0
        self.answers = True  # the actuator confirms every neutral
        self.log: list[tuple[float, g.Action]] = []
        self.tell(g.EnginePresence(True))

    def tell(self, event=None):
        actions = self.guard.step(self.now, event)
        self.log += [(self.now, a) for a in actions]
        for neutral in [a for a in actions if isinstance(a, g.Neutral) and self.answers]:
            self.log += [(self.now, a) for a in self.guard.step(self.now, g.Confirmed(True, number=neutral.number))]
        return actions

    def row(self, decision=-1, reason=None, expiry_s=0.25, confidence=0.9, heartbeat=False):
        self.sequence += 1
        reason = (Reason.DECIDED if decision >= 0 else Reason.IDLE) if reason is None else reason
        return self.tell(DecisionRow(self.sequence, decision, confidence, self.now + expiry_s, reason, heartbeat, self.now))

    def rows(self, seconds, decision=-1, reason=None, **kw):
        for _ in range(round(seconds / 0.04)):
            self.now += 0.04
            self.row(decision, reason, **kw)
        return self

    def wait(self, seconds, tick=0.005):
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now = min(end, self.now + tick)
            self.tell()
        return self

    def armed(self):
        self.rows(2.2)
        self.tell(g.Arm("test"))
        assert self.guard.state is State.ARMED
        return self

    def active(self):
        self.armed().rows(0.04, 0)
        assert self.guard.state is State.ACTIVE
        return self

    def of(self, kind):
        return [(t, a) for t, a in self.log if isinstance(a, kind)]

    @property
    def state(self):
        return self.guard.state

    def time_to(self, state):
        return next(t for t, a in self.log if isinstance(a, g.StateChange) and a.state is state)
