"""Carries actions to an actuator, so that its host never waits for it."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from bci.engine import guard as g
from bci.errors import ActuatorError
from bci.stream.bus import Actuator, Clock

CLOSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an action: times on the host's clock, and the error where there was one."""

    action: g.Order | g.Neutral
    began_s: float
    ended_s: float
    error: str = ""


class Hand(Protocol):
    """Whatever carries actions to the actuator, so that the host never waits for it."""

    def give(self, action: g.Order | g.Neutral) -> None:
        """Carry this out next; neutral pushes aside what has not begun."""
        ...

    def finished(self) -> list[Done]:
        """What is done since the last call."""
        ...

    def busy_s(self) -> float:
        """For how long the actuator has not come back; 0 where it has."""
        ...

    def close(self) -> None:
        """Finish and release the actuator. May be called twice."""
        ...


class ThreadHand:
    """Calls the actuator from a thread of its own: one that hangs cannot keep the host from hearing the stop.

    Parameters
    ----------
    actuator : Actuator
    clock : Clock
    """

    def __init__(self, actuator: Actuator, clock: Clock) -> None:
        self._actuator, self._clock = actuator, clock
        self._todo: deque[g.Order | g.Neutral] = deque()
        self._done: deque[Done] = deque()
        self._changed = threading.Condition()
        self._began = math.inf
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="actuator", daemon=True)
        self._thread.start()

    def give(self, action: g.Order | g.Neutral) -> None:
        """Carry this out next; neutral pushes aside what has not begun, and so does a newer command an older one."""
        with self._changed:
            waiting = [a for a in self._todo if isinstance(a, g.Neutral) and isinstance(action, g.Order)]
            self._todo = deque((*waiting, action))
            self._changed.notify()

    def finished(self) -> list[Done]:
        """What is done since the last call."""
        return [self._done.popleft() for _ in range(len(self._done))]

    def busy_s(self) -> float:
        """For how long the actuator has not come back; 0 where it has."""
        return max(0.0, self._clock.now() - self._began)

    def close(self) -> None:
        """Finish what was given and release the actuator; one that hangs is left behind. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def _work(self) -> None:
        """Until closed: one action after the other."""
        while True:
            with self._changed:
                while not self._todo and not self._closing:
                    self._changed.wait()
                if not self._todo:
                    break
                action = self._todo.popleft()
            self._began = began = self._clock.now()
            error = carry_out(self._actuator, action)
            self._began = math.inf
            self._done.append(Done(action, began, self._clock.now(), error))
        self._actuator.close()


def carry_out(actuator: Actuator, action: g.Order | g.Neutral) -> str:
    """Do one action; return what went wrong, or ""."""
    try:
        if isinstance(action, g.Neutral):
            actuator.neutral()
        else:
            actuator.send(action.command)
    except ActuatorError as error:
        return str(error) or type(error).__name__
    except Exception as error:  # top of the actuator's thread: a plug-in may raise anything, and the guard must hear of it
        return f"{type(error).__name__}: {error}"
    return ""
