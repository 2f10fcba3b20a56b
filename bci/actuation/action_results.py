"""Results of an actuator's actions: they are recorded, and reported to the guard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from bci.actuation.worker import ActuatorWorker, Done
from bci.engine import guard as g
from bci.engine.command import Command
from bci.stream import messages
from bci.stream.outlets import TextOutlet

DEADLINE_S = 0.02
SLACK_S = 0.03
"""Actuators keep the deadline themselves. Ours is the second net, and a busy computer is no fault of theirs."""


class ActionResults:
    """Records what was done and how long it took, and turns failures into events of the guard.

    Parameters
    ----------
    worker : ActuatorWorker
    commands : TextOutlet
        Takes a line for each action that was carried out.
    actuator : str
        Name of the actuator, for the record.

    Attributes
    ----------
    error : str
        What went wrong with the last neutral; empty where it was done.
    """

    def __init__(self, worker: ActuatorWorker, commands: TextOutlet, actuator: str) -> None:
        self.error = ""
        self._worker, self._commands, self._actuator = worker, commands, actuator
        self._n = 0
        self._hung = False

    def events(self) -> Iterator[g.Event]:
        """Record what was done since the last call.

        Yields
        ------
        Event
            What the guard must hear of each action, right after the action was recorded.
        """
        for done in self._worker.finished():
            self._n += 1
            action = done.action
            times = {"began": done.began_s, "ended": done.ended_s, "error": done.error, "alive": self._n}
            if isinstance(action, g.Neutral):
                confirmed = "no" if done.error else "device" if done.acknowledged else "sent"
                self._commands.push(messages.line("neutral", why=action.why, again=action.again, confirmed=confirmed, **times))
                self.error = done.error
                yield g.Confirmed(not done.error, f"actuator {self._actuator!r}: {done.error}", number=action.number)
            else:
                self._commands.push(messages.line("command", **_command_fields(action.command, action.row, done), **times))
                yield from self._failure(done)

    def hanging(self) -> Iterator[g.Event]:
        """Check whether a call to the actuator takes too long.

        Yields
        ------
        LastingFault
            Once, where it does not. That neutral waits for it is noticed by the guard itself.
        """
        hung = self._worker.busy_s() > DEADLINE_S + SLACK_S
        if hung and not self._hung:
            yield g.LastingFault(g.Cause.ACTUATOR, f"actuator {self._actuator!r} has not answered for {DEADLINE_S * 1000:g} ms")
        self._hung = hung

    def _failure(self, done: Done) -> Iterator[g.Event]:
        """A command that failed, or took too long, is a fault; one that hung was reported already."""
        late = done.ended_s - done.began_s > DEADLINE_S + SLACK_S
        if (done.error or late) and not self._hung:
            why = done.error or f"took {done.ended_s - done.began_s:.3f} s"
            yield g.LastingFault(g.Cause.ACTUATOR, f"actuator {self._actuator!r}: {why}")


def _command_fields(command: Command, row: g.DecisionRow, done: Done) -> dict[str, Any]:
    """A command with the decision it follows from, and the time from the one to the end of the other."""
    delay_s = done.ended_s - row.sent_s
    return {
        "sequence": command.sequence,
        "name": command.name,
        "value": command.value,
        "decision": row.sequence,
        "decided": row.sent_s if math.isfinite(row.sent_s) else None,
        "delay_s": delay_s if math.isfinite(delay_s) else None,
    }
