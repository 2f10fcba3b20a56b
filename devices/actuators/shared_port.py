"""A serial port that two threads use: the one that sends, and the one of an alarm that ends or repeats what was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from bci.errors import ActuatorError
from devices.actuators.options import ActuatorOptions
from devices.actuators.orders import closed
from devices.actuators.port import Port, port_problem

DEADLINE_S = 0.02
"""The longest time for a command to be written and acknowledged, seconds."""
CLOSE_S = 0.1


class SharedPort:
    """A port with its lock, and the failure that the alarm's thread could not report.

    Parameters
    ----------
    what : str
        The actuator and its port, for messages.
    port : Port
    hangs : str
        What it means that the port is not free in time, for the message.

    Attributes
    ----------
    failure : ActuatorError or None
        What went wrong in the alarm's thread; the next command raises it.
    closed : bool
    """

    def __init__(self, what: str, port: Port, hangs: str) -> None:
        self.what, self.port, self._hangs = what, port, hangs
        self.failure: ActuatorError | None = None
        self.closed = False
        self._lock = threading.Lock()

    @contextmanager
    def held(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock.

        Parameters
        ----------
        timeout_s : float
            How long it is waited for, seconds.

        Raises
        ------
        ActuatorError
            If the other thread does not release it in time, or after :meth:`close`.
        """
        if not self._lock.acquire(timeout=timeout_s):
            raise ActuatorError(f"{self.what}: {self._hangs}")
        try:
            if self.closed:
                raise closed(self.what)
            yield
        finally:
            self._lock.release()

    @contextmanager
    def of_alarm(self) -> Iterator[bool]:
        """Hold the lock in the alarm's thread, however long it takes to have it.

        Yields
        ------
        bool
            Whether the port is still open.
        """
        with self._lock:
            yield not self.closed

    def attempt(self, job: Callable[[], None]) -> bool:
        """Do something in the alarm's thread; what goes wrong is kept for the next command. The lock is held.

        Parameters
        ----------
        job : callable

        Returns
        -------
        bool
            Whether it was done.
        """
        try:
            job()
        except ActuatorError as error:
            self.failure = error
            return False
        return True

    def raise_failure(self) -> None:
        """Raise once what went wrong in the alarm's thread; the lock is held.

        Raises
        ------
        ActuatorError
        """
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def neutral(self, stop: Callable[[], None], timeout_s: float) -> None:
        """Stop what moves, and forget what had gone wrong.

        Parameters
        ----------
        stop : callable
            Writes the neutral bytes; called with the lock held.
        timeout_s : float
            How long the lock is waited for, seconds.

        Raises
        ------
        ActuatorError
            If the port is not free in time, is closed or is gone, or ``stop`` fails.
        """
        with self.held(timeout_s):
            stop()
            self.failure = None

    def close(self, stop: Callable[[], None]) -> None:
        """Stop what moves where that is possible, and release the port. May be called twice.

        Parameters
        ----------
        stop : callable
            Writes the neutral bytes; called with the lock held.
        """
        with self._lock:  # the other thread releases it within the deadline
            if not self.closed:
                with suppress(ActuatorError):
                    stop()
                self.closed = True
                self.port.close(CLOSE_S)


def read_port(options: ActuatorOptions) -> tuple[str, int]:
    """Read the settings ``port`` and ``baud``.

    Parameters
    ----------
    options : ActuatorOptions
        What is wrong with them is added to its problems.

    Returns
    -------
    port : str
    baud : int
    """
    port = options.text("port", None)
    if port and (problem := port_problem(port)):
        options.problem(problem)
    return port, int(options.number("baud", 115200, 300, 4_000_000))
