"""Carries actions to an actuator, so that its host never waits for it."""

from __future__ import annotations

import math
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from bci.engine import guard as g
from bci.errors import ActuatorError
from bci.stream.bus import Actuator, Clock
from bci.stream.messages import readable

CLOSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an action.

    Parameters
    ----------
    action : SendCommand or Neutral
    began_s, ended_s : float
        Seconds on the host's clock.
    error : str
        What went wrong; empty where nothing did.
    acknowledged : bool
        Whether the device itself reported that it is done.
    """

    action: g.SendCommand | g.Neutral
    began_s: float
    ended_s: float
    error: str = ""
    acknowledged: bool = False


class ActuatorWorker(Protocol):
    """Carries actions to the actuator, so that the host never waits for it."""

    def give(self, action: g.SendCommand | g.Neutral) -> None:
        """Carry an action out next; neutral replaces what has not begun.

        Parameters
        ----------
        action : SendCommand or Neutral
        """
        ...

    def finished(self) -> list[Done]:
        """Take what was done since the last call.

        Returns
        -------
        list of Done
        """
        ...

    def busy_s(self) -> float:
        """For how long the actuator has not come back.

        Returns
        -------
        float
            Seconds; 0 where it has come back.
        """
        ...

    def rest(self, why: str) -> None:
        """Go to neutral, and take no command any more until :meth:`go_on`. From any thread.

        Parameters
        ----------
        why : str
        """
        ...

    def go_on(self) -> None:
        """Take commands again."""
        ...

    def close(self) -> None:
        """Finish and release the actuator. May be called twice."""
        ...


class ThreadWorker:
    """Calls the actuator from a thread of its own: one that hangs cannot keep the host from hearing the stop.

    Parameters
    ----------
    actuator : Actuator
    clock : Clock
    """

    def __init__(self, actuator: Actuator, clock: Clock) -> None:
        self._actuator, self._clock = actuator, clock
        self._todo: deque[g.SendCommand | g.Neutral] = deque()
        self._done: deque[Done] = deque()
        self._changed = threading.Condition()
        self._began = math.inf
        self._closing = self._resting = False
        self._thread = threading.Thread(target=self._work, name="actuator", daemon=True)
        self._thread.start()

    def give(self, action: g.SendCommand | g.Neutral) -> None:
        """Carry an action out next; neutral replaces what has not begun, and a newer command replaces an older one.

        Parameters
        ----------
        action : SendCommand or Neutral
        """
        with self._changed:
            if self._resting and isinstance(action, g.SendCommand):
                return
            waiting = [a for a in self._todo if isinstance(a, g.Neutral) and isinstance(action, g.SendCommand)]
            self._todo = deque((*waiting, action))
            self._changed.notify()

    def finished(self) -> list[Done]:
        """Take what was done since the last call.

        Returns
        -------
        list of Done
        """
        return [self._done.popleft() for _ in range(len(self._done))]

    def busy_s(self) -> float:
        """For how long the actuator has not come back.

        Returns
        -------
        float
            Seconds; 0 where it has come back.
        """
        return max(0.0, self._clock.now() - self._began)

    def rest(self, why: str) -> None:
        """Go to neutral, and take no command until :meth:`go_on`, for a caller that cannot wait for the host. From any thread.

        Parameters
        ----------
        why : str
        """
        with self._changed:
            self._resting = True
        self.give(g.Neutral(why))

    def go_on(self) -> None:
        """Take commands again."""
        with self._changed:
            self._resting = False

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
            error, acknowledged = carry_out(self._actuator, action)
            self._began = math.inf
            self._done.append(Done(action, began, self._clock.now(), error, acknowledged))
        with suppress(BaseException):  # top of the actuator's thread: neutral was asked for, and its error is on record
            self._actuator.close()


def carry_out(actuator: Actuator, action: g.SendCommand | g.Neutral) -> tuple[str, bool]:
    """Do one action. Never raises.

    Parameters
    ----------
    actuator : Actuator
    action : SendCommand or Neutral

    Returns
    -------
    tuple of (str, bool)
        What went wrong, or ""; and whether the device itself reported that it is neutral.
    """
    try:
        if isinstance(action, g.Neutral):
            return "", actuator.neutral() is True
        actuator.send(action.command)
    except BaseException as error:  # top of the actuator's thread: a plug-in may raise anything, and the guard must hear of it
        return _words(error), False
    return "", False


def _words(error: BaseException) -> str:
    """What went wrong, never empty; an error of a plug-in may fail even at saying so."""
    name = type(error).__name__
    with suppress(BaseException):
        text = readable(str(error))
        return (text or name) if isinstance(error, ActuatorError) else readable(f"{name}: {text}")
    return name
