"""A device on a serial port: an Arduino, a stimulator, a wheelchair's joystick input.

What goes over the wire comes from a table of byte strings in the settings, and from nowhere else: the name of a
class is looked up, never sent. ``devices/actuators/arduino/bci_hand`` is the other end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.alarm import Alarm
from devices.actuators.options import Options, to_bytes
from devices.actuators.orders import check, closed
from devices.actuators.port import Port, port_problem

DEADLINE_S = 0.02
CLOSE_S = 0.1


@dataclass(frozen=True, slots=True)
class SerialSettings:
    r"""How to talk to a device.

    Byte strings are written as text with escapes (``"L\n"``, ``"\x02"``) or as lists of numbers. One byte for each
    command is best: of a longer one the device may see only a part when its cable fails.

    Parameters
    ----------
    port : str
        The one device that may be opened.
    table : mapping of str to bytes
        What each command sends. ``{value}`` in it stands for the command's value with three decimals, ``{byte}``
        for one byte, 0 to 255.
    neutral : bytes
        Sent to stop, at opening and at closing.
    baud : int
    acknowledge : bytes
        What the device answers to a command and to neutral, at once and exactly; ``b"echo"`` in the settings:
        the bytes it was sent. Empty where it answers nothing.
    heartbeat : bytes
        Sent again and again while a command stands, so that the device can stop by itself when it stays away. The
        device does not answer it. Empty for none.
    heartbeat_s : float
        Time between heartbeats.
    hold_s : float
        With a heartbeat: a command stands so long after it was last sent; then neutral goes out, because whoever sends
        may hang. A discrete decision that shall last longer is repeated by the host (``pace.repeat_s``).
    ready : bytes
        What the device says when it has started (opening the port restarts many an Arduino). Empty for not waiting.
    ready_s : float
        Longest time to wait for that.
    deadline_s : float
        Longest time for a command to be written and acknowledged. The host counts more than 50 ms as a failure.
    """

    port: str
    table: Mapping[str, bytes]
    neutral: bytes
    baud: int = 115200
    acknowledge: bytes = b""
    heartbeat: bytes = b""
    heartbeat_s: float = 0.1
    hold_s: float = 0.25
    ready: bytes = b""
    ready_s: float = 3.0
    deadline_s: float = DEADLINE_S

    @classmethod
    def read(cls, given: Mapping[str, object]) -> SerialSettings:
        """From loosely typed settings.

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = Options("serial", given)
        port = o.text("port", None)
        if port and (problem := port_problem(port)):
            o.problem(problem)
        table = o.table("table", to_bytes)
        neutral = o.parsed("neutral", "", to_bytes) or b""
        settings = cls(
            port=port,
            table=table,
            neutral=neutral,
            baud=int(o.number("baud", 115200, 300, 4_000_000)),
            acknowledge=o.parsed("acknowledge", "", to_bytes) or b"",
            heartbeat=o.parsed("heartbeat", "", to_bytes) or b"",
            heartbeat_s=o.number("heartbeat_s", 0.1, 0.01, 10.0),
            hold_s=o.number("hold_s", 0.25, 0.05, 3600.0),
            ready=o.parsed("ready", "", to_bytes) or b"",
            ready_s=o.number("ready_s", 3.0, 0.1, 30.0),
            deadline_s=o.number("deadline_s", DEADLINE_S, 0.005, 0.03),
        )
        for line in settings.problems():
            o.problem(line)
        o.done()
        return settings

    def problems(self) -> list[str]:
        """What is wrong between the values."""
        found = [f"table.{name}: is empty; a command must send something" for name, sent in self.table.items() if not sent]
        if not self.neutral:
            found.append("neutral: is missing; it is what stops the device, for example 'S'")
        found += [
            f"table.{name} = {sent!r}: is the same as neutral"
            for name, sent in self.table.items()
            if sent and sent == self.neutral
        ]
        return found


class SerialActuator:
    """Sends byte strings of a table, and is told when they do not arrive.

    Parameters
    ----------
    settings : SerialSettings

    Raises
    ------
    ActuatorError
        If the port cannot be opened, or the device does not say that it is ready.
    """

    def __init__(self, settings: SerialSettings) -> None:
        self.settings = s = settings
        self._what = f"serial actuator on {s.port}"
        self._lock = threading.Lock()
        self._closed = False
        self._failure: ActuatorError | None = None
        self._stands_until_s = 0.0
        self._port = Port(s.port, s.baud, s.deadline_s / 2)
        try:
            if s.ready:
                self._port.expect(s.ready, time.monotonic() + s.ready_s, noise=True)
        except ActuatorError:
            self._port.close()
            raise
        self._alarm = Alarm(self._beat) if s.heartbeat else None
        self.neutral()

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> SerialActuator:
        """As a configuration asks for it; see :class:`SerialSettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        ActuatorError
            If the port cannot be opened.
        """
        return cls(SerialSettings.read(options))

    def send(self, command: Command) -> None:
        """Write the command's bytes; wait for the acknowledgement where there is one.

        Raises
        ------
        ActuatorError
            If the command is not in the table, is not taken or not acknowledged in time, or the port is gone.
        """
        check(command, self._what, self.settings.table)
        until_s = time.monotonic() + self.settings.deadline_s
        if not self._lock.acquire(timeout=self.settings.deadline_s / 2):
            raise ActuatorError(f"{self._what}: a heartbeat is not taken; the device does not read, or its cable is loose")
        try:
            if self._closed:
                raise closed(self._what)
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            self._order(_fill(self.settings.table[command.name], command.value), until_s)
            if self._alarm is not None:
                now = time.monotonic()
                self._stands_until_s = now + self.settings.hold_s
                self._alarm.set(now + self.settings.heartbeat_s)
        finally:
            self._lock.release()

    def neutral(self) -> None:
        """Write the neutral bytes. A device that cannot be reached is found out by the next command."""
        self._stands_until_s = 0.0
        if self._lock.acquire(timeout=self.settings.deadline_s):
            try:
                self._stop()
            finally:
                self._lock.release()
        # else a heartbeat hangs, and neutral follows it (_beat)

    def close(self) -> None:
        """Write the neutral bytes, wait shortly until they have gone, and release the port."""
        with self._lock:  # whoever holds it gives it back within the deadline
            if not self._closed:
                self._stop()
                self._closed = True
                self._port.close(CLOSE_S)
        if self._alarm is not None:
            self._alarm.close()

    def _stop(self) -> None:
        """Neutral, with the lock held."""
        self._stands_until_s = 0.0
        if self._closed:
            return
        with suppress(ActuatorError):
            self._order(self.settings.neutral, time.monotonic() + self.settings.deadline_s)

    def _order(self, data: bytes, until_s: float) -> None:
        """Write, and wait for the answer."""
        answer = self.settings.acknowledge
        if answer:
            self._port.forget_input()
        self._port.write(data)
        if answer:
            self._port.expect(data if answer == b"echo" else answer, until_s)

    def _beat(self) -> None:
        """A heartbeat while a command stands; neutral when it has stood too long, for then whoever sends hangs."""
        with self._lock:
            now = time.monotonic()
            if self._closed or self._stands_until_s == 0.0 or self._alarm is None:
                return
            if now < self._stands_until_s:
                try:
                    self._port.write(self.settings.heartbeat)
                except ActuatorError as error:
                    self._failure = error
                else:
                    self._alarm.set(min(now + self.settings.heartbeat_s, self._stands_until_s))
            if now >= self._stands_until_s:  # also where neutral was asked for while the heartbeat went out
                self._stop()


def _fill(template: bytes, value: float) -> bytes:
    """The bytes of a command, with its value; digits first, so that a byte cannot look like a placeholder.

    >>> _fill(b"M{value}", 0.5), _fill(b"M{byte}", 1.0)
    (b'M0.500', b'M\\xff')
    """
    return template.replace(b"{value}", b"%.3f" % value).replace(b"{byte}", bytes((round(255 * value),)))
