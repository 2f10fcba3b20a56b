"""A serial port whose writes end in time."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

import serial

from bci.errors import ActuatorError

if os.name == "nt":
    _BROKEN: tuple[type[Exception], ...] = (OSError,)
else:
    import termios

    _BROKEN = (OSError, termios.error)  # what a vanished terminal answers to being flushed

_SLICE_S = 0.001  # pyserial wakes as soon as a byte is there; this bounds how long it overlooks the deadline
_DEVICE = re.compile(r"COM[1-9][0-9]{0,2}" if os.name == "nt" else r"/dev/[\w./:+@-]+", re.ASCII)


def port_problem(port: str) -> str:
    """Explain why a text cannot be a serial port that somebody chose.

    Only the one device that the settings name is ever opened: no pattern, no address of another machine, no first one found.

    Parameters
    ----------
    port : str

    Returns
    -------
    str
        Empty where it can be one.

    Examples
    --------
    >>> port_problem("socket://10.0.0.1:7777") != "", port_problem("/dev/ttyACM*") != "", port_problem("/dev/../etc") != ""
    (True, True, True)
    """
    if _DEVICE.fullmatch(port) and ".." not in port:
        return ""
    example = "COM3" if os.name == "nt" else "/dev/ttyACM0, or better /dev/serial/by-id/…, which stays the same"
    return f"port = {port!r}: must be the full name of one serial device, such as {example}"


class Port:
    """One serial port, opened exclusively, whose writes end in time.

    Parameters
    ----------
    name : str
        Device.
    baud : int
    write_s : float
        Longest time one :meth:`write` takes.

    Attributes
    ----------
    lost : bool
        Whether the device has vanished since it was opened.

    Raises
    ------
    ActuatorError
        If the port is not there, is in use, or may not be opened.
    """

    def __init__(self, name: str, baud: int, write_s: float) -> None:
        self.name = name
        self.lost = False
        self._how = {"baudrate": baud, "timeout": _SLICE_S, "write_timeout": write_s, "exclusive": True}
        self._serial: serial.Serial | None = self._open()

    def reopen(self) -> None:
        """Open a lost port again, because its device may be back.

        Raises
        ------
        ActuatorError
            If it is not.
        """
        self.close()
        self._serial, self.lost = self._open(), False

    def write(self, data: bytes) -> None:
        """Hand bytes to the operating system.

        Parameters
        ----------
        data : bytes

        Raises
        ------
        ActuatorError
            If they are not taken in time, and then what was waiting is discarded, so that an old command is not carried out
            later; or if the port is gone.
        """
        wire = self._wire()
        try:
            wire.write(data)
        except serial.SerialTimeoutException as error:
            self.discard()
            raise ActuatorError(
                f"serial port {self.name}: {len(data)} bytes were not accepted within {wire.write_timeout * 1e3:g} ms; "
                "the device does not read, or its cable is loose"
            ) from error
        except OSError as error:
            raise self._gone(error) from error

    def expect(self, answer: bytes, until_s: float, noise: bool = False) -> None:
        """Wait for an answer.

        Parameters
        ----------
        answer : bytes
        until_s : float
            On ``time.monotonic``.
        noise : bool
            Whether other bytes may come before it.

        Raises
        ------
        ActuatorError
            If it does not come in time, or something else comes.
        """
        wire, got = self._wire(), b""
        while answer not in got:
            if not noise and not answer.startswith(got):
                raise ActuatorError(f"serial port {self.name}: the device answered {got[:40]!r} instead of {answer!r}")
            if time.monotonic() >= until_s:
                raise ActuatorError(f"serial port {self.name}: no answer {answer!r} in time; the device sent {got[:40]!r}")
            try:
                got = got[-len(answer) :] + wire.read(1)
            except OSError as error:
                raise self._gone(error) from error

    def forget_input(self) -> None:
        """Discard what has come so far: late answers, noise.

        Raises
        ------
        ActuatorError
            If the port is gone.
        """
        try:
            self._wire().reset_input_buffer()
        except _BROKEN as error:
            raise self._gone(error) from error

    def discard(self) -> None:
        """Discard what is waiting to be sent. Never raises: on a port that is gone nothing waits."""
        if self._serial is not None:
            with suppress(*_BROKEN):
                self._serial.reset_output_buffer()

    def close(self, drain_s: float = 0.0) -> None:
        """Release the port. May be called twice.

        Parameters
        ----------
        drain_s : float
            How long to wait until everything is sent. What is left then is thrown away, for else the system waits by
            itself, half a minute, for a device that does not read.
        """
        if self._serial is None:
            return
        until_s = time.monotonic() + drain_s
        with suppress(*_BROKEN):  # unplugged
            while self._serial.out_waiting and time.monotonic() < until_s:
                time.sleep(_SLICE_S)
            if self._serial.out_waiting:
                self._serial.reset_output_buffer()
        wire, self._serial = self._serial, None
        with suppress(*_BROKEN):
            wire.close()

    def _open(self) -> serial.Serial:
        try:
            return serial.Serial(self.name, **self._how)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise ActuatorError(
                f"serial port {self.name}: cannot be opened ({error}); check that it is plugged in, that no other "
                "program (a serial monitor, "
                "a second session) uses it, and that you may use it (on Linux, be in the group dialout)"
            ) from error

    def _wire(self) -> serial.Serial:
        if self._serial is None:
            raise ActuatorError(f"serial port {self.name}: is {'gone; plug it in again' if self.lost else 'closed'}")
        return self._serial

    def _gone(self, error: Exception) -> ActuatorError:
        self.lost = True
        return ActuatorError(f"serial port {self.name}: is gone ({error}); plug it in again")
