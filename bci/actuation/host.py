"""The actuator host: it receives decisions, and moves at most one actuator, with a guard in between.

It holds the state by itself, listens to the emergency stop by itself, and survives the engine. What it sends, and
what became of it, goes out on a stream of its own (docs/reference/streams.md, docs/explanations/safety.md).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from bci.actuation.action_results import ActionResults
from bci.actuation.arming import arm_message, proof
from bci.actuation.feed import DecisionFeed, command_names, row_event
from bci.actuation.guard_reports import GuardReports
from bci.actuation.host_streams import HostStreams
from bci.actuation.requests import Nonces, Refusals, Request, Requests, StopChannels
from bci.actuation.worker import ActuatorWorker, Done, ThreadWorker, carry_out
from bci.engine import guard as g
from bci.processes.child import say_alive
from bci.stream.bus import Clock
from bci.stream.signing import Checker, Signer

__all__ = [
    "ActuatorHost",
    "ActuatorWorker",
    "DecisionFeed",
    "Done",
    "HostStreams",
    "ThreadWorker",
    "arm_message",
    "carry_out",
    "command_names",
    "proof",
    "row_event",
]

POLL_S = 0.005
PAUSE_S = 0.3
ON_ITS_WAY_S = 0.05
CAUSES = frozenset(g.Cause)


class ActuatorHost:
    """Receives decisions, asks the guard, moves the actuator, and reports what it did.

    Parameters
    ----------
    worker : ActuatorWorker
    guard : Guard
    streams : HostStreams
    clock : Clock
    token : str
        Arming needs to know it.
    actuator : str
        Its name, for the record.
    terminal : callable, optional
        Events of the person who sits at this very process.
    key : bytes, optional
        The session's: what is not signed with it does not count. None: everybody is believed, but for arming and ending.
    computer : str
        This one, as LSL names it.
    slept_s : callable
        For how long the computer slept since the last call, seconds.
    alone : bool
        Nobody else looks after this host: whoever arms it over a stream stops it over that stream.
    tell : callable
        Given sentences for the person who sits at this process. Must not block.
    """

    def __init__(
        self,
        worker: ActuatorWorker,
        guard: g.Guard,
        streams: HostStreams,
        clock: Clock,
        token: str,
        actuator: str = "",
        terminal: Callable[[], list[g.Event]] = list,
        key: bytes | None = None,
        computer: str = "",
        slept_s: Callable[[], float] = lambda: 0.0,
        alone: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.guard = guard
        self._worker, self._streams, self._clock, self._terminal, self._actuator = worker, streams, clock, terminal, actuator
        self._slept_s, self._alone, self._keyed = slept_s, alone, key is not None
        self._signer = Signer(key, clock.now, computer)
        self._results = ActionResults(worker, streams.commands, actuator)
        self._reports = GuardReports(guard, streams.guard, self._signer, clock, tell, self._fields)
        self._refusals = Refusals(self._reports.refuse, clock.now)
        self._requests = Requests(streams.control, Checker(key, clock.now, computer), self._refusals)
        self._channels = StopChannels(streams.control)
        self._nonces = Nonces(token, clock.now())
        self._limits = {"settings": asdict(guard.settings), "pace": asdict(guard.pace)}
        self._heard: dict[str, Any] = {"id": "", "at": None, "count": 0}
        self._strange_rows = 0
        self._ending = ""
        self._paused: threading.Event | None = None

    def run(self, stopped: Callable[[], str] = lambda: "") -> str:
        """Work until asked to end. However this ends, neutral comes first.

        Parameters
        ----------
        stopped : callable
            Returns a reason to end, or "".

        Returns
        -------
        str
            Why it ended.
        """
        why = "the actuator host failed"
        try:
            while not (stopped() or self._ending):
                self.step()
            why = stopped() or self._ending
        finally:
            self._worker.rest(why)
            self._worker.close()
            self.guard.step(self._clock.now(), g.Disarm(why))
            self._ask_all(self._results.events())
            if self._worker.busy_s() > 0:
                self._results.error = "it has not come back"
            self._reports.send()
        return why

    @property
    def unconfirmed(self) -> str:
        """Why the last neutral was not confirmed; empty if it was."""
        return self._results.error

    def step(self) -> None:
        """Take one turn, which hears a stop within ``POLL_S``."""
        # Time first: what has waited while this process did not run must not be taken for fresh.
        self._look_at_clocks()
        self._ask(None)
        if self._paused is not None:
            self._pause(self._paused)
        self._obey(self._requests.pull(), self._terminal())
        self._ask_all(self._channels.changes(self.guard.state in (g.State.DISARMED, g.State.SAFE)))
        events = self._streams.decisions.pull(POLL_S)
        self._look_at_clocks()
        for event in events:
            if isinstance(event, g.EnginePresence) and event.present:
                self.guard.assign(self._streams.decisions.commands)
            self._ask(event)
        self._ask_all(self._results.events())
        self._ask_all(self._results.hanging())
        self._report()

    def end(self, why: str) -> None:
        """Go to neutral at once and send no more commands, for a caller that cannot wait for the next turn. From any thread.

        Parameters
        ----------
        why : str
        """
        self._ending = self._ending or why
        self._worker.rest(why)

    def pause(self, why: str) -> None:
        """Go to neutral and disarm, because this process is to stand still; returns when that is done. From another thread.

        Parameters
        ----------
        why : str
        """
        self._worker.rest(why)
        done = threading.Event()
        self._paused = done
        done.wait(PAUSE_S)
        time.sleep(ON_ITS_WAY_S)

    def _pause(self, done: threading.Event) -> None:
        self._paused = None
        self._ask(g.Disarm("stopped at the terminal"))
        self._ask_all(self._results.events())
        self._reports.send()
        self._worker.go_on()
        done.set()

    def _look_at_clocks(self) -> None:
        """A computer that slept: its other clocks stood still, and what waited looks fresh."""
        slept_s = self._slept_s()
        if slept_s:
            self._ask(g.LastingFault(g.Cause.HOST, f"this computer slept for {slept_s:.1f} s"))

    def _ask_all(self, events: Iterable[g.Event]) -> None:
        """Let the guard hear of each event before the next one is asked for."""
        for event in events:
            self._ask(event)

    def _ask(self, event: g.Event | None) -> None:
        """Let the guard judge, and do what it says, in its order."""
        for action in self.guard.step(self._clock.now(), event):
            match action:
                case g.Neutral() | g.SendCommand():
                    self._worker.give(action)
                case g.StateChange():
                    self._reports.changed = True
                case g.ArmingRefused():
                    self._reports.refuse(action.why)
                case g.Blank() if self._streams.steer is not None:
                    by = f"blanking {self._actuator}"
                    self._streams.steer.push(self._signer.line("freeze" if action.begin else "resume", why=action.why, by=by))
        if self._reports.changed:
            self._reports.send_due()

    def _obey(self, requests: Sequence[Request], terminal: Sequence[g.Event]) -> None:
        """What persons ask for in one turn: what stops first, stops in the order of their times; then nothing is armed."""
        ends = [r for r in requests if r.kind == "stop" and self._may_end(r)]
        stops = [r for r in requests if r.kind == "stop_now" or (r.kind == "stop" and r not in ends)]
        halts = [event for event in terminal if isinstance(event, g.EmergencyStop | g.Disarm)]
        disarms = [r for r in requests if r.kind == "disarm"]
        halted = bool(stops or halts or disarms or ends)
        if halted:  # whoever arms from here on must have heard of it
            self._nonces.renew(self._clock.now())
            self._reports.changed = True
        if stops:
            self._stop(sorted(stops, key=lambda r: r.order_s))
        for event in sorted(halts, key=lambda event: isinstance(event, g.Disarm)):
            self._ask(event)
        for request in disarms:
            self._ask(g.Disarm(request.text("why")))
        for request in requests:
            self._grant(request, halted)
        for wish in terminal:
            if not isinstance(wish, g.EmergencyStop | g.Disarm):
                self._arm_at_terminal(wish, halted)
        if ends:
            self._ending = ends[0].text("why") or "asked to"

    def _stop(self, stops: Sequence[Request]) -> None:
        """Emergency stop; of several at a time the first one is the reason."""
        first, last = stops[0], stops[-1]
        self._heard["count"] += len(stops)
        at = last.at_s if last.at_s is not None and math.isfinite(last.at_s) else None
        self._heard.update(id=last.id or f"unsigned:{self._heard['count']}", at=at)
        for request in stops:
            if self._keyed and request.ours:
                self._channels.prove(request.source, self._clock.now())
        self._reports.changed = True
        self._ask(g.EmergencyStop(first.text("why"), first.order_s if math.isfinite(first.order_s) else math.nan))

    def _may_end(self, request: Request) -> bool:
        """Whether this message ends the host: it is signed, or where nothing is signed proves the token."""
        if self._keyed or self._nonces.spend(request.fields.get("proof"), self._clock.now()):
            return request.ours
        self._refusals(
            "a message asked this host to end, but did not prove that its sender knows the token; it counts as an emergency stop"
        )
        return False

    def _grant(self, request: Request, halted: bool) -> None:
        """What is not a stop."""
        match request.kind:
            case "watching":
                self._ask(g.View())
            case "alive":
                cause = request.text("cause")
                self._ask(g.Alive(request.text("doubt"), g.Cause(cause) if cause in CAUSES else g.Cause.SESSION))
            case "arm" if request.fields.get("actuator", "") in ("", self._actuator):
                self._arm(request, halted)

    def _arm(self, request: Request, halted: bool) -> None:
        """Arm for who knows the token, and where there is a key, whose stop was heard."""
        now = self._clock.now()
        if halted:
            self._refusals("not armed: somebody stopped or disarmed at the same time. Ask again")
        elif self._keyed and not self._channels.proven(request.source, now):
            self._refusals(
                "not armed: no stop was received through this stream in the last 10 s; test it with stop_now, then arm"
            )
        elif not self._nonces.spend(request.fields.get("proof"), now):
            self._refusals(
                "not armed: the sender does not know this session's token, or the request is older than 2 s or than the last stop"
            )
        else:
            self._ask(g.Arm(request.text("by"), request.at_s))
            if self.guard.state is g.State.ARMED:
                self._streams.decisions.bind()
                if self._alone:
                    self._channels.rely_on(request.source)
            self._reports.send()

    def _arm_at_terminal(self, event: g.Event, halted: bool) -> None:
        if halted:
            self._reports.refuse("not armed: somebody stopped or disarmed at the same time. Ask again")
            return
        self._ask(event)
        if self.guard.state is g.State.ARMED:
            self._streams.decisions.bind()

    def _report(self) -> None:
        """Once a second the state, a new number to prove, and what was ignored."""
        now = self._clock.now()
        self._nonces.turn(now)
        self._refusals.flush()
        rows = self._streams.decisions.strangers
        if rows and not self._strange_rows:
            self._refusals("decisions that do not belong to this session are ignored; another program sends under its name")
        self._strange_rows = rows
        self._reports.send_due()
        say_alive(state=self.guard.state, neutral=self.guard.neutral)

    def _fields(self) -> dict[str, Any]:
        """What a report of the guard says, in the order of its fields."""
        guard, engine = self.guard, self._streams.decisions.current
        return {
            "state": guard.state,
            "cause": guard.cause,
            "why": guard.why,
            "good_s": round(guard.good_s(), 3),
            "nonce": self._nonces.newest,
            "actuator": self._actuator,
            "neutral": guard.neutral,
            "error": self._results.error,
            "heard": self._heard,
            "strangers": self._requests.strangers + self._streams.decisions.strangers,
            "engine": engine and {"source_id": engine.source_id, "host": engine.host, "uid": engine.uid},
            "keyed": self._keyed,
            **self._limits,
        }
