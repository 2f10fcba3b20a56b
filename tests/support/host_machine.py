"""Generated lives of an actuator host: real host, guard and streams on a virtual clock, and everybody who may speak to it.

What is right is judged from outside: from what was sent to the host, and from what its actuator was told.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from guard_parts import CLASSES, HOP_S, TOKEN, HostRig, broken, signed_row
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bci.actuation.arming import proof
from bci.engine.guard import GuardSettings, State
from bci.engine.outcome import Reason
from bci.engine.stream_info import Channel, StreamInfo
from bci.stream import messages
from bci.stream.signing import MAC_FIELDS, Signer

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
REST = (State.DISARMED, State.SAFE)
STALE_S, NEUTRAL_EVERY_S, SLACK_S = 0.25, 1.0, 0.02
NONSENSE = (
    *("", "{", "[" * 2000, "\ud800"),
    *('{"v":1}', '{"v":1,"kind":"arm"}', '{"v":1,"kind":"arm","proof":5}', '{"v":2,"kind":"stop_now"}'),
)
STAMPS = (0.0, 100.0, -100.0, math.nan)


class Judge:
    """Holds every turn of a host against what was sent to it.

    Parameters
    ----------
    rig : HostRig
        Its host's turns are judged from now on.
    """

    def __init__(self, rig: HostRig) -> None:
        self.rig, self._turn = rig, rig.host.step
        rig.host.step = self.step  # type: ignore[method-assign]
        self.stops = self.disarms = 0  # that were sent since the last turn, and are heard
        self.wish = False  # somebody armed as a person may, since the last turn
        self.armed = ""  # the engine that was listened to when somebody armed
        self.decided: dict[str, tuple[float, float, str]] = {}  # newest row of each engine: sent, valid until, command
        self.neutral_s = -math.inf
        self.before = rig.clock.now()
        self.counts: dict[str, int] = {}

    def step(self) -> None:
        """One turn."""
        rig, state = self.rig, self.rig.guard.state
        told, neutrals, began = len(rig.actuator.told), rig.actuator.neutrals, rig.clock.now()
        stalled, slept = began - self.before > 0.3, rig.slept_s > 0
        self._turn()
        news = [name for name in rig.actuator.told[told:] if name != "neutral"]
        if rig.actuator.neutrals > neutrals or rig.worker.hangs:  # nothing reaches an actuator that hangs
            self.neutral_s = rig.clock.now()
        self.judge_change(state)
        for name in news:
            self.judge_command(name, stalled or slept)
        self.judge_stop(rig.actuator.neutrals > neutrals, slept, state)
        if rig.guard.state in REST and not rig.worker.hangs:
            assert rig.clock.now() - self.neutral_s <= NEUTRAL_EVERY_S + SLACK_S or stalled, "neutral is not repeated"
        self.stops = self.disarms = 0
        self.wish = False
        self.before = rig.clock.now()

    def judge_change(self, old: State) -> None:
        """Nothing but a person's wish leads out of rest."""
        now = self.rig.guard.state
        if old is not now:
            self.counts[f"{old} to {now}"] = self.counts.get(f"{old} to {now}", 0) + 1
        if old in REST and now not in REST:
            assert self.wish, "armed without a person"
            assert not self.stops, "armed in spite of a stop"
            assert not self.disarms, "armed in spite of a disarm"
            self.armed = self.listened

    @property
    def listened(self) -> str:
        """The engine that the host listens to."""
        engine = self.rig.feed.current
        return engine.uid if engine is not None else ""

    def judge_command(self, name: str, doubtful: bool) -> None:
        """A command needs a fresh decision of the engine that a person armed for."""
        now = self.rig.clock.now()
        self.counts["commands"] = self.counts.get("commands", 0) + 1
        assert not doubtful, "a command after the host or the computer stood still"
        assert not self.stops, "a command in the turn of a stop"
        assert self.listened == self.armed, "a command from an engine that nobody armed for"
        sent, until, command = self.decided[self.armed]
        assert command == name, "a command that the engine did not decide"
        assert now <= min(until, sent + STALE_S) + SLACK_S, "a command from an old decision"

    def judge_stop(self, rested: bool, slept: bool, old: State) -> None:
        """A stop is heard in the turn after it was sent, and neutral is told again."""
        state, hangs = self.rig.guard.state, self.rig.worker.hangs
        if self.stops:
            self.counts["stops"] = self.counts.get("stops", 0) + 1
            assert state in REST, "a stop was not heard"
            assert rested or hangs, "a stop without neutral"
        if self.disarms:
            assert state in REST, "disarming was not heard"
        if slept and old not in REST:
            assert state is State.SAFE, "goes on after the computer slept"


class HostMachine(RuleBasedStateMachine):
    """One host from its beginning to its end."""

    seen: ClassVar[dict[str, int]] = {}

    @initialize(keyed=st.booleans(), alone=st.booleans(), watched=st.booleans())
    def begin(self, keyed: bool, alone: bool, watched: bool) -> None:
        """A new host and its engine."""
        self.keyed, self.watched = keyed, watched
        settings = GuardSettings(session_s=1.0 if watched else 0.0)
        self.rig = HostRig(settings, key=KEY if keyed else None, alone=alone)
        self.judge = Judge(self.rig)
        self.other = self.rig.lines.window()
        self.cut = False
        self.old_arms: list[str] = []
        self.strangers = Signer(OTHER_KEY, self.rig.clock.now, "there")
        self.rig.start_engine()
        self.flow(2)

    def teardown(self) -> None:
        """Count what was reached."""
        for what, n in self.judge.counts.items() if hasattr(self, "judge") else ():
            self.seen[what] = self.seen.get(what, 0) + n
        self.seen["sequences"] = self.seen.get("sequences", 0) + 1

    def row(self, decision: int, reason: Reason | None = None, valid_s: float = 0.25) -> None:
        """The engine of ours sends a row."""
        rig = self.rig
        rig.row(decision, reason, valid_s)
        command = CLASSES[decision] if decision >= 0 and reason in (None, Reason.DECIDED) else ""
        now = rig.clock.now()
        # Named by its uid, as the feed knows it.
        self.judge.decided[rig.engine.uid] = now, now + valid_s, command
        self.judge.decided[self.judge.listened] = self.judge.decided[rig.engine.uid]

    def flow(self, n: int, decision: int = -1, reason: Reason | None = None) -> None:
        """The engine works as it should, and so does the session."""
        for _ in range(n):
            self.rig.wait(HOP_S)
            if self.watched:
                self.say("alive", doubt="", cause="")
            self.row(decision, reason)
        self.rig.wait(0.005)

    def say(self, kind: str, **fields: Any) -> str:
        """A message of the session's own."""
        line = self.rig.signer.line(kind, **fields)
        self.rig.window.push(line)
        return line

    def count_stop(self, window: Any) -> None:
        """Somebody stopped over a connection that is there."""
        self.judge.stops += int(self.rig.lines.connection(window.uid) > 0)

    @rule(decision=st.sampled_from([-1, 0, 1]), reason=st.sampled_from([None] * 6 + list(Reason)), n=st.sampled_from([1, 5, 30]))
    def rows(self, decision: int, reason: Reason | None, n: int) -> None:
        """Rows of one kind."""
        if reason not in (None, Reason.DECIDED):
            decision = -1
        self.flow(n, decision, reason)

    @rule(then=st.sampled_from([0, 1, 1]), over_other=st.booleans())
    def arm_as_a_person(self, then: int, over_other: bool) -> None:
        """The whole way: good signal, where there is a key a stop that is heard, then a wish."""
        rig = self.rig
        window = self.other if over_other else rig.window
        self.flow(56)
        if self.keyed:
            window.push(rig.signer.line("stop_now", why="proof test"))
            self.count_stop(window)
            rig.host.step()
            self.flow(2)
        line = rig.signer.line("arm", proof=proof(TOKEN, rig.nonce), by="person", actuator="")
        window.push(line)
        self.old_arms.append(line)
        self.judge.wish = True
        rig.host.step()
        self.flow(5 * then, 0)
        self.flow(3 * then, 1)

    @rule(how=st.sampled_from(["again", "token", "stranger", "no key", "old", "future", "nan", "with a stop", "after a stop"]))
    def arm_as_nobody_may(self, how: str) -> None:
        """A wish that must not be granted, on the best of signals."""
        rig = self.rig
        self.flow(56)
        right = proof(TOKEN, rig.nonce)
        if "a stop" in how and not rig.lines.connection(self.other.uid):
            rig.lines.restore(self.other)  # a stop that nobody hears keeps nobody from arming
        stamp = {"old": rig.clock.now() - 20.0, "future": rig.clock.now() + 20.0, "nan": math.nan}.get(how, 0.0)
        match how:
            case "again":
                line = self.old_arms[-1] if self.old_arms else "{}"
            case "token":
                line = rig.signer.line("arm", proof=proof("guessed", rig.nonce), by="x", actuator="")
            case "stranger":
                line = self.strangers.line("arm", proof=proof("guessed", rig.nonce), by="x", actuator="")
            case "no key":
                line = messages.line("arm", proof=right if self.keyed else "", by="x", actuator="")
            case _:
                line = rig.signer.line("arm", proof=right, by="x", actuator="")
        pushed = [(rig.window, line, stamp)]
        if how == "with a stop":
            pushed = [(self.other, messages.line("stop_now", why="x"), 0.0), *pushed]
        if how == "after a stop":
            pushed.append((self.other, messages.line("stop_now", why="x"), 0.0))
        for window, text, at in pushed:
            window.push(text, at)
            if "stop_now" in text:
                self.count_stop(window)
        rig.host.step()
        self.flow(2, 0)

    @rule(
        kind=st.sampled_from(["ours", "unsigned", "other key"]),
        ago_s=st.sampled_from([0.0, 100.0, -100.0, math.nan]),
        n=st.sampled_from([1, 20]),
    )
    def stop(self, kind: str, ago_s: float, n: int) -> None:
        """Anybody stops, over any window, whatever the stamp."""
        sign = {"ours": self.rig.signer.line, "unsigned": messages.line, "other key": self.strangers.line}[kind]
        for _ in range(n):
            self.other.push(sign("stop_now", why="x"), self.rig.clock.now() - ago_s if ago_s else 0.0)
            self.count_stop(self.other)
        self.rig.host.step()
        self.flow(1, 0)

    @rule(signed=st.booleans())
    def disarm(self, signed: bool) -> None:
        """Anybody disarms."""
        self.other.push(self.rig.signer.line("disarm", why="x") if signed else messages.line("disarm", why="x"))
        self.judge.disarms += int(self.rig.lines.connection(self.other.uid) > 0)
        self.rig.host.step()

    @rule(text=st.sampled_from(NONSENSE), n=st.sampled_from([1, 30]))
    def nonsense(self, text: str, n: int) -> None:
        """Messages of any shape."""
        for _ in range(n):
            self.other.push(text)
        self.flow(2, 1)

    @rule(doubt=st.sampled_from(["the recorder is silent", ""]), signed=st.booleans(), n=st.sampled_from([1, 10]))
    def session_says(self, doubt: str, signed: bool, n: int) -> None:
        """The session doubts, or somebody says so in its name."""
        for _ in range(n):
            line = (self.rig.signer.line if signed else messages.line)("alive", doubt=doubt, cause="recording")
            self.rig.window.push(line)
            self.rig.wait(0.1)
            self.row(0)

    @rule(seconds=st.sampled_from([0.1, 0.31, 2.0, 12.0]), decision=st.sampled_from([0, 1]))
    def stall(self, seconds: float, decision: int) -> None:
        """The host does not run, while the engine decides."""
        for _ in range(round(seconds / HOP_S)):
            self.rig.clock.wait_until(self.rig.clock.now() + HOP_S)
            self.row(decision)
        self.rig.wait(0.01)

    @rule(seconds=st.sampled_from([0.3, 3600.0]))
    def suspend(self, seconds: float) -> None:
        """The computer sleeps, and its clock stands still."""
        self.rig.slept_s = seconds
        self.row(0)
        self.rig.host.step()

    @rule(seconds=st.sampled_from([0.05, 0.2, 0.5, 2.0]))
    def silence(self, seconds: float) -> None:
        """Nobody speaks."""
        self.rig.wait(seconds)

    @rule(seconds=st.sampled_from([0.0, 0.2, 2.0]))
    def engine_cut(self, seconds: float) -> None:
        """The connection to the engine breaks and is made again."""
        self.rig.cable.cut = True
        self.rig.wait(seconds or 0.005)
        self.rig.connect()
        self.flow(2, 0)

    @rule(seconds=st.sampled_from([0.0, 0.2, 2.0]))
    def engine_dies(self, seconds: float) -> None:
        """The engine dies, and another run of it begins."""
        self.rig.engine.close()
        self.rig.wait(seconds or 0.005)
        self.rig.start_engine()
        self.flow(20, 0)

    @rule(signed=st.booleans(), n=st.sampled_from([1, 20]), close=st.booleans())
    def forged_engine(self, signed: bool, n: int, close: bool) -> None:
        """Another program sends decisions under the engine's name, with a key that is not ours, or none."""
        rig, ours, cable = self.rig, self.rig.engine, self.rig.cable
        columns = tuple(Channel(c) for c in messages.DECISION_FIELDS + MAC_FIELDS * signed)
        info = StreamInfo(0.0, columns, source_id="bci-decisions", name="bci-decisions", type="BCI-Decision")
        rig.engine = rig.bus.outlet(info, bci={"classes": '["left","right"]'})
        rig.connect()
        forged, rig.engine, rig.cable = rig.engine, ours, cable
        for k in range(n):
            rig.wait(HOP_S)
            now = rig.clock.now()
            forged.push(signed_row(forged, OTHER_KEY, 2**40 + k, 1, 0.9, now, now + 1e6, 0, 0))
            self.judge.decided[forged.uid] = now, now + 1e6, "right"
            self.row(0)
        if close:
            forged.close()
        self.flow(2, 0)

    @rule(over_other=st.booleans())
    def line_cut(self, over_other: bool) -> None:
        """The connection of a window breaks; what it says is lost until it is made again."""
        window = self.other if over_other else self.rig.window
        if self.rig.lines.connection(window.uid):
            self.rig.lines.cut(window)
            self.rig.wait(0.02)
        else:
            self.rig.lines.restore(window)

    @rule(how=st.sampled_from(["hangs", "fails", "works", "works"]))
    def actuator(self, how: str) -> None:
        """The actuator hangs, fails or works from now on."""
        self.rig.worker.hangs = how == "hangs"
        self.rig.worker._since = 0.0
        self.rig.actuator.fails = broken() if how == "fails" else lambda: None
        self.flow(5, 0)
