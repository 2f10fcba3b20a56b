"""What docs/explanations/safety.md promises of the guard, worked out anew from what it was told, and held against what it does.

Nothing here asks the guard or its parts how they judge: doubts, their times and what became of neutral are computed from
the history. Only the words (states, reasons, events, actions) and the limits are the guard's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import takewhile

from bci.engine import guard as g
from bci.engine.guard import DecisionRow, State
from bci.engine.outcome import Reason

SLOW = (Reason.REFILL, Reason.BRIDGED)
CLEAN = (Reason.DECIDED, Reason.IDLE)
ALIKE = ({Reason.NONFINITE, Reason.QUALITY}, set(SLOW))
REST = (State.DISARMED, State.SAFE)
WORKS = (State.ARMED, State.ACTIVE)
GRACE_S, BACK_S, EPS = 0.5, 0.05, 1e-6


@dataclass(frozen=True)
class Heard:
    """A row that was news: when it was heard, its place among all rows, and whether it was inside a blanking interval."""

    row: DecisionRow
    at: float
    place: int
    blanked: bool

    @property
    def sent(self) -> float:
        """When it was sent, as far as that can be believed."""
        return min(self.row.sent_s, self.at) if math.isfinite(self.row.sent_s) else self.at

    @property
    def stands(self) -> bool:
        """Whether it says anything new: a decision, none, or a doubt."""
        return not self.blanked and (not self.row.heartbeat or self.row.reason not in CLEAN)


@dataclass
class History:
    """Everything that one guard was told and did, as far as a promise depends on it."""

    limits: g.GuardSettings
    now: float = -math.inf
    rows: list[Heard] = field(default_factory=list)  # of this run of the engine
    n_rows: int = 0
    heard_s: float = -math.inf
    newest: Heard | None = None  # that decided anything, of any run
    present: bool = False
    gone_s: float = -math.inf
    source: str = ""
    viewed_s: float = -math.inf
    alive_s: float = -math.inf
    told_s: float = math.inf
    cut_s: float = math.inf
    blank_until: float = -math.inf
    observed: float = -math.inf
    any_since: float = math.inf  # doubt without a break
    other_since: float = math.inf  # the same, without what only fills again
    clean_since: float = math.inf

    def doubts(self) -> list[tuple[float, bool]]:
        """Every doubt of this moment: since when, and whether it is only that windows fill again."""
        s = self.limits
        found = [
            (-math.inf if self.newest is None else self.ends(self.newest), False),
            (self.heard_s + s.silence_s, False),
            (math.inf if self.present else self.gone_s, False),
            (self.viewed_s + s.view_s if s.view_s else math.inf, False),
            (self.alive_s + s.session_s if s.session_s else math.inf, False),
            (self.told_s if s.session_s else math.inf, False),
            (self.cut_s, False),
            self.row_doubt(),
        ]
        return [doubt for doubt in found if doubt[0] <= self.now]

    def ends(self, heard: Heard) -> float:
        """Until when a decision may count."""
        return min(heard.row.expiry_s, heard.sent + self.limits.stale_s)

    def standing(self) -> Heard | None:
        """The row that says what holds now."""
        return next((h for h in reversed(self.rows) if h.stands), None)

    def row_doubt(self) -> tuple[float, bool]:
        """What the standing row doubts, and since when rows have said so."""
        last = self.standing()
        if last is None:
            return -math.inf, False
        if last.row.reason in CLEAN:
            return math.inf, False
        same = next((group for group in ALIKE if last.row.reason in group), {last.row.reason})
        since = last.at
        for h in (h for h in reversed(self.rows) if h.stands):
            if h.row.reason not in same:
                break
            since = h.at
        return since, last.row.reason in SLOW

    def observe(self) -> None:
        """Take note of the doubts of this moment."""
        doubts = self.doubts()
        others = [since for since, slow in doubts if not slow]
        self.clean_since = math.inf if doubts else min(self.clean_since, self.now)
        self.any_since = min(self.any_since, max(self.observed, min(doubts)[0])) if doubts else math.inf
        self.other_since = min(self.other_since, max(self.observed, min(others))) if others else math.inf
        self.observed = self.now

    def pass_to(self, now: float) -> str:
        """Time goes on; returns what is wrong with it."""
        wrong = "" if math.isfinite(now) and now >= self.now - BACK_S else "clock"
        if wrong and math.isfinite(now):
            self.rows, self.newest, self.now = [], None, now
            self.heard_s = self.viewed_s = self.alive_s = self.observed = -math.inf
            self.gone_s, self.blank_until = min(self.gone_s, now), min(self.blank_until, now)
            self.told_s, self.cut_s = (now if t < math.inf else t for t in (self.told_s, self.cut_s))
            self.any_since = self.other_since = math.inf
        if wrong:
            self.clean_since = math.inf
        else:
            self.now = max(now, self.now)
        self.observe()
        return wrong

    def take(self, event: g.Event | None) -> str:
        """Take note of an event; returns what must end all movement for good."""
        wrong = ""
        match event:
            case g.DecisionRow():
                wrong = self.take_row(event)
            case g.EnginePresence():
                self.gone_s = math.inf if event.present else min(self.gone_s, self.now)
                self.rows, self.present = [], event.present
                self.source = event.source if event.present else self.source
            case g.View():
                self.viewed_s = self.now
            case g.Alive():
                self.alive_s = self.now
                self.told_s = min(self.told_s, self.now) if event.doubt else math.inf
            case g.StopConnection():
                self.cut_s = math.inf if event.present else min(self.cut_s, self.now)
            case g.LastingFault():
                wrong = "fault"
        if wrong:
            self.clean_since = self.any_since = self.other_since = math.inf
        self.observe()
        return wrong

    def take_row(self, row: DecisionRow) -> str:
        """A row of the engine."""
        if row.sequence < 0 or row.decision < -1 or not 0 <= row.confidence < 1.001 or not math.isfinite(row.expiry_s):
            return "nonsense"
        if self.rows and row.sequence <= self.rows[-1].row.sequence:
            if not min(row.sent_s, self.now) > self.rows[-1].sent:
                return ""  # heard before, or overtaken
            self.rows = []  # the engine counts anew
            self.observe()
        frozen_by_us = row.reason is Reason.FROZEN and self.now < self.blank_until + GRACE_S
        self.n_rows += 1
        heard = Heard(row, self.now, self.n_rows, self.now < self.blank_until or frozen_by_us)
        self.rows.append(heard)
        self.heard_s = self.now
        self.newest = self.newest if row.heartbeat else heard
        return "decoder" if row.reason is Reason.DECODER else ""


class Oracle:
    """Follows one guard step by step, and raises where it breaks a promise.

    Parameters
    ----------
    guard : Guard
        One that has not been called yet.
    classes : tuple of str
        Names of its commands.
    """

    def __init__(self, guard: g.Guard, classes: tuple[str, ...]) -> None:
        self.guard, self.classes = guard, classes
        self.history = History(guard.settings)
        self.counts: dict[str, int] = {}
        self.state, self.neutral = State.DISARMED, "waiting"
        self.moving, self.ordered_s, self.value = "", -math.inf, 0.0
        self.armed_for = ""
        self.spent = 0  # rows up to here move nothing: they came before arming, or before a blanking interval
        self.ended_s = -math.inf  # stopped, disarmed or latched; a wish to arm from before does not count
        self.asked: list[float] = []  # neutrals since one was confirmed
        self.silent = False  # twice asked for, and no answer
        self.lasted = self.resumes = False  # at the beginning of this step, or after its event
        self.asked_s = -math.inf
        self.numbers: set[int] = set()  # neutrals since the last command

    def step(self, now: float, event: g.Event | None = None) -> tuple[g.Action, ...]:
        """Tell the guard, and judge what it does.

        Raises
        ------
        AssertionError
            If it breaks a promise.
        """
        h = self.history
        wrong = h.pass_to(now)
        if wrong and math.isfinite(now):
            self.ended_s, self.ordered_s, self.asked_s = h.now, -math.inf, h.now
        seen = bool(h.doubts())
        # Time is judged first: what it brings about happens before the event, which may end or begin a doubt.
        self.lasted, self.resumes = self.doubt_lasted(), self.may_resume()
        rows = h.rows
        wrong = h.take(event) or wrong
        seen |= bool(h.doubts()) or (h.rows is not rows and isinstance(event, g.DecisionRow))
        if isinstance(event, g.EnginePresence) and event.present and event.source != self.armed_for and self.state not in REST:
            wrong = "another engine"
        if isinstance(event, g.Confirmed) and not event.ok and self.neutral != "NOT CONFIRMED" and self.state not in REST:
            wrong = "neutral failed"
        if wrong:
            h.clean_since = math.inf
            h.observe()
        self.lasted, self.resumes = self.lasted or self.doubt_lasted(), self.resumes or self.may_resume()
        may_arm = isinstance(event, g.Arm) and self.may_arm(event)
        self.silent = len(self.asked) >= 2 and h.now - self.asked[-1] >= self.guard.settings.neutral_retry_s
        actions = self.guard.step(now, event)
        self.check_order_of(actions)
        for action in actions:
            self.take_action(action, event, wrong, seen, may_arm, actions)
        self.check_answer(event, actions)
        self.check_end(event, actions, wrong, may_arm)
        return actions

    def may_arm(self, event: g.Arm) -> bool:
        """Whether this wish must be granted; all others must be refused."""
        h, s = self.history, self.guard.settings
        sent = h.now if event.sent_s is None else event.sent_s
        fresh = -g.AHEAD_S <= h.now - sent <= s.arm_age_s and sent > self.ended_s
        good = not h.doubts() and h.now - h.clean_since >= s.settle_s
        return fresh and good and self.neutral == "confirmed" and self.state in REST

    def doubt_lasted(self) -> bool:
        """Whether doubt has lasted for so long that it must latch."""
        h, s = self.history, self.guard.settings
        return max(h.now - h.other_since - s.latch_s, h.now - h.any_since - s.refill_s) >= -EPS

    def may_resume(self) -> bool:
        """Whether there has been no doubt for as long as a HOLD must wait."""
        h = self.history
        return not h.doubts() and h.now - h.clean_since >= self.guard.settings.resume_s - EPS

    def check_order_of(self, actions: tuple[g.Action, ...]) -> None:
        """Neutral first, commands last."""
        neutrals = [i for i, a in enumerate(actions) if isinstance(a, g.Neutral)]
        assert neutrals == list(range(len(neutrals))), f"something comes before neutral: {actions}"

    def take_action(self, action: g.Action, event: g.Event | None, wrong: str, seen: bool, may_arm: bool, actions) -> None:
        """Judge one action by itself."""
        match action:
            case g.Neutral():
                self.moving = ""
            case g.SendCommand():
                self.check_command(action)
            case g.StateChange():
                self.check_change(self.state, action.state, event, wrong, seen, may_arm)
                if action.state not in WORKS and self.state in WORKS:
                    assert isinstance(actions[0], g.Neutral), "left without neutral"
                self.count(f"{self.state} to {action.state}")
                self.state = action.state
            case g.Blank():
                assert action.begin == (self.history.now < self.history.blank_until)
            case g.ArmingRefused():
                self.count("refused")

    def check_change(self, old: State, new: State, event: g.Event | None, wrong: str, seen: bool, may_arm: bool) -> None:
        """Every way from one state to another has its own reasons, and no others."""
        h = self.history
        if old is new:
            return
        match new:
            case State.ARMED if old is State.HOLD:
                assert self.resumes, "resumed in doubt, or too early"
            case State.ARMED:
                assert may_arm, "armed without a person, in doubt, or by an old wish"
                self.armed_for, self.spent = h.source, h.n_rows
            case State.ACTIVE:
                assert old is State.ARMED
            case State.HOLD:
                assert old in WORKS
                assert seen, "held without a doubt"
            case State.SAFE:
                assert isinstance(event, g.EmergencyStop) or wrong or self.lasted or self.silent, "latched without a cause"
                self.ended_s = h.now
                if not (isinstance(event, g.EmergencyStop) or wrong or self.lasted):  # nobody answered, which counts as a fault
                    h.clean_since = h.now
            case State.DISARMED:
                assert isinstance(event, g.Disarm)

    def check_command(self, order: g.SendCommand) -> None:
        """A command needs a decision that stands, no doubt of anybody, and a person who armed for this very engine."""
        h, pace, row = self.history, self.guard.pace, order.row
        standing = h.standing()
        assert self.state is State.ACTIVE
        assert not h.doubts(), "a command in spite of a doubt"
        assert (h.present, h.source) == (True, self.armed_for), "a command from an engine that nobody armed for"
        assert standing is not None, "a command without a decision"
        assert row == standing.row, "a command from another row than the newest"
        assert self.may_move(standing), "a command from a row that may not move anything"
        assert h.ends(standing) > h.now, "a command from an old row"
        assert order.command.name == self.classes[row.decision]
        assert h.now - self.ordered_s >= pace.min_interval_s - EPS, "too soon after the last command"
        self.check_value(order)
        self.ordered_s, self.moving, self.value = h.now, order.command.name, order.command.value
        self.numbers = set()
        if pace.blanking_s:
            h.blank_until, self.spent = h.now + pace.blanking_s, h.n_rows
        self.count("commands")

    def check_value(self, order: g.SendCommand) -> None:
        """Discrete: full; continuous: no faster than the slew, and never above the confidence."""
        pace, name = self.guard.pace, order.command.name
        if pace.mode == "discrete":
            assert order.command.value == 1
            return
        passed = self.history.now - self.ordered_s if name == self.moving else pace.min_interval_s
        start = self.value if name == self.moving else 0.0
        expected = min(1.0, order.row.confidence, start + pace.slew_per_s * passed)
        assert abs(order.command.value - expected) < EPS, f"{order.command.value} instead of {expected}"

    def may_move(self, standing: Heard | None) -> bool:
        """Whether a row holds a decision that may move something just now."""
        h = self.history
        if standing is None or standing.row.reason is not Reason.DECIDED or not 0 <= standing.row.decision < len(self.classes):
            return False
        later = takewhile(lambda x: x.place > standing.place, reversed(h.rows))
        contradicted = any(x.row.heartbeat and x.row.reason in CLEAN and x.row.decision != standing.row.decision for x in later)
        return standing.place > self.spent and h.now >= h.blank_until and not contradicted

    def check_answer(self, event: g.Event | None, actions: tuple[g.Action, ...]) -> None:
        """What became of neutral: the last answer counts, if nothing has moved since that neutral."""
        for again in (False, True):
            neutrals = [a for a in actions if isinstance(a, g.Neutral) and a.again is again]
            self.numbers |= {a.number for a in neutrals}
            if neutrals and not again:
                self.asked, self.neutral = [self.history.now], "waiting" if self.neutral == "confirmed" else self.neutral
            if neutrals and again:
                self.asked.append(self.history.now)
            if neutrals:
                self.asked_s = self.history.now
            if isinstance(event, g.Confirmed) and not again:
                if not event.ok:
                    self.neutral = "NOT CONFIRMED"
                elif event.number in self.numbers:
                    self.asked, self.neutral = [], "confirmed"

    def check_end(self, event: g.Event | None, actions: tuple[g.Action, ...], wrong: str, may_arm: bool) -> None:
        """What must be so at the end of every step."""
        h, s, state = self.history, self.guard.settings, self.guard.state
        assert state is self.state, "a change that was not told"
        if isinstance(event, g.EmergencyStop | g.Disarm):
            assert state is (State.SAFE if isinstance(event, g.EmergencyStop) else State.DISARMED), "not heard"
            assert isinstance(actions[0], g.Neutral)
            self.ended_s = h.now
        assert not wrong or state in REST, f"{wrong} did not end it"
        assert not may_arm or state in WORKS, "a wish that had to be granted"
        if state in WORKS:
            self.check_working()
        else:
            assert not self.moving, "moves at rest"
        if state is State.HOLD:
            assert max(h.now - h.other_since - s.latch_s, h.now - h.any_since - s.refill_s) < 0, "doubt lasted, and did not latch"
            assert h.now - h.clean_since < s.resume_s or self.neutral != "confirmed", "did not resume"
        self.check_neutral()

    def check_working(self) -> None:
        """While it works: no doubt, one engine, and what is decided is what moves."""
        h, pace = self.history, self.guard.pace
        standing = h.standing()
        assert not h.doubts(), "goes on in spite of a doubt"
        assert h.source == self.armed_for, "goes on with another engine"
        if h.now < h.blank_until:
            return
        if standing is None or not self.may_move(standing):
            assert not self.moving, "moves although the decision has ended"
        elif h.now - self.ordered_s >= pace.min_interval_s + EPS:
            assert self.moving == self.classes[standing.row.decision], "a decision that should have moved something"

    def check_neutral(self) -> None:
        """While nothing moves neutral is repeated, and what is said of it is true."""
        h, s, said = self.history, self.guard.settings, self.guard.neutral.value
        if said != self.neutral:
            assert self.silent or len(self.asked) >= 2, f"{said} instead of {self.neutral}"
            assert (self.neutral, said) in (("confirmed", "waiting"), ("waiting", "NOT CONFIRMED"))
            self.neutral = said
        assert said != "NOT CONFIRMED" or self.state in REST
        if not self.moving and math.isfinite(h.now):
            every = s.neutral_every_s if said == "confirmed" else s.neutral_retry_s
            assert h.now - self.asked_s < every, f"neutral was last asked for {h.now - self.asked_s} s ago"
            assert len(self.asked) <= 3 or said == "NOT CONFIRMED", "nobody was told that neutral is not confirmed"

    def count(self, what: str) -> None:
        """For the report of a campaign."""
        self.counts[what] = self.counts.get(what, 0) + 1
