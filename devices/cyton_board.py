"""An OpenBCI Cyton on a serial port: reset, settings, start and stop.

Commands and their answers: OpenBCI, "Cyton Board SDK" (docs.openbci.com/Cyton/CytonSDK).
"""

from __future__ import annotations

import contextlib
import time

import serial

from bci.errors import StreamError, StreamLost, StreamMismatch, StreamNotFound
from devices.cyton_commands import END_OF_ANSWER, Greeting, read_greeting

BAUD = 115_200
POLL_S = 0.02
ANSWER_S = 3.0
RESETS = 2
"""The first reset may be lost while the radio wakes up."""

QUIET_S = 0.2
DRAIN_S = 2.0
BACKLOG_BYTES = 1024
"""More than this at once, and more is on its way from the driver's other buffers."""


class CytonBoard:
    """A board that has been reset and waits for commands; a context manager that leaves it stopped.

    Parameters
    ----------
    port : str
        Of the dongle: ``/dev/ttyUSB0``, ``COM3``.
    answer_s : float
        Patience with an answer.

    Raises
    ------
    StreamNotFound
        If the port cannot be opened, or nothing on it answers like a Cyton.
    StreamMismatch
        If the firmware is older than version 2.
    """

    def __init__(self, port: str, answer_s: float = ANSWER_S) -> None:
        self.port = port
        self.streaming = False
        self._answer_s = answer_s
        try:
            # Exclusive: two readers would share the bytes, and impedance must not be measured behind a decoder's back.
            self._serial = serial.Serial(port, BAUD, timeout=POLL_S, write_timeout=1.0, exclusive=True)
        except (serial.SerialException, OSError) as error:
            raise StreamNotFound(
                f"port {port!r}: cannot be opened ({error}). Check that the dongle is plugged in, that no other program uses it "
                "(a running stream does), and that you may use it (on Linux, be a member of the group dialout)."
            ) from error
        self._hurry()
        try:
            self.greeting = self._reset()
        except BaseException:
            self._serial.close()
            raise

    def __enter__(self) -> CytonBoard:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the board and close the port. May be called twice; a board that has gone is no error."""
        if not self._serial.is_open:
            return
        try:
            if self.streaming:
                self.stop()
        except StreamError:
            pass  # unplugged: there is nothing left to stop
        finally:
            self._serial.close()

    def start(self) -> None:
        """Start streaming (``b``)."""
        self.write(b"b")
        self.streaming = True

    def stop(self) -> None:
        """Stop streaming (``s``) and read what is still on its way."""
        self.write(b"s")
        self.streaming = False
        self._drain()

    def command(self, command: bytes, expected: bytes = b"Success") -> bytes:
        """Send a command that the board answers; it must not be streaming.

        Parameters
        ----------
        command : bytes
        expected : bytes
            What the answer must contain.

        Returns
        -------
        bytes
            The answer.

        Raises
        ------
        StreamError
            If the board streams, or its answer is not the expected one.
        """
        if self.streaming:
            raise StreamError(f"port {self.port!r}: {command!r} was requested during streaming; stop the stream first")
        self.write(command)
        answer = self._answer()
        if expected not in answer:
            raise StreamMismatch(f"port {self.port!r}: the board answered {answer!r} to {command!r}, not {expected!r}")
        return answer

    def use_daisy(self, wanted: bool) -> None:
        """Set the number of channels: 16 (command ``C``) or 8 (``c``).

        Parameters
        ----------
        wanted : bool
            Whether 16.

        Raises
        ------
        StreamMismatch
            If there is no Daisy.
        """
        if not wanted:
            if self.greeting.daisy is not False:
                self.write(b"c")  # no answer where there is none to remove
                self._drain()
            return
        self.write(b"C")
        answer = self._answer()
        if b"16" not in answer:
            raise StreamMismatch(
                f"port {self.port!r}: the board has no Daisy module (it answered {answer!r}); seat the module on the board with "
                "the power off, or use the source 'cyton'"
            )

    def write(self, data: bytes) -> None:
        """Send bytes.

        Parameters
        ----------
        data : bytes

        Raises
        ------
        StreamLost
            If the port has gone.
        """
        try:
            self._serial.write(data)
            self._serial.flush()
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from error

    def read(self) -> bytes:
        """All bytes at hand, waiting at most 20 ms for the first.

        Raises
        ------
        StreamLost
            If the port has gone.
        """
        try:
            data = piece = self._piece()
            while len(piece) >= BACKLOG_BYTES:
                piece = self._piece()
                data += piece
            return data
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from error

    def _hurry(self) -> None:
        """Ask the dongle's driver not to collect bytes for 16 ms, where the driver allows it."""
        hurry = getattr(self._serial, "set_low_latency_mode", None)
        if hurry is not None:
            with contextlib.suppress(ValueError, OSError, NotImplementedError):  # no such driver: samples come in bursts
                hurry(True)

    def _piece(self) -> bytes:
        data: bytes = self._serial.read(1)
        waiting = self._serial.in_waiting if data else 0
        return data + self._serial.read(waiting) if waiting else data

    def _lost(self, error: Exception) -> StreamLost:
        return StreamLost(f"port {self.port!r}: the connection is lost ({error}); check that the dongle is plugged in")

    def _reset(self) -> Greeting:
        """Stop what may be streaming, reset (``v``), and read the greeting."""
        answer = b""
        for _ in range(RESETS):
            self.write(b"s")
            self._drain()
            self.write(b"v")
            answer = self._answer()
            greeting = read_greeting(answer)
            if greeting is not None:
                return self._supported(greeting)
        raise StreamNotFound(f"port {self.port!r}: {_why(answer)}")

    def _supported(self, greeting: Greeting) -> Greeting:
        if greeting.firmware < (2,):
            raise StreamMismatch(
                f"port {self.port!r}: the board's firmware is older than version 2 ({greeting.text!r}), which cannot take "
                "several commands at once; update it (OpenBCI: Cyton Board Programming Tutorial)"
            )
        return greeting

    def _answer(self) -> bytes:
        """Return the bytes up to ``$$$``, or what had come when the time was up."""
        answer, until = b"", time.monotonic() + self._answer_s
        while not answer.endswith(END_OF_ANSWER) and time.monotonic() < until:
            answer += self.read()
        return answer

    def _drain(self) -> None:
        """Discard what comes until nothing comes any more."""
        begin = last = time.monotonic()
        while time.monotonic() - last < QUIET_S and time.monotonic() - begin < DRAIN_S:
            if self.read():
                last = time.monotonic()


def _why(answer: bytes) -> str:
    """Explain an answer that is no greeting."""
    if b"Failure" in answer or b"timeout" in answer.lower():
        return (
            f"the dongle answers, but the board does not ({answer!r}). Check that the board is on, its switch at PC "
            "and its battery full, "
            "the dongle's switch at GPIO6, and that both use the same radio channel."
        )
    if answer:
        return f"the device that answers is not a Cyton ({answer[:80]!r}); check that this is the right port"
    return "nothing answers. Check that this is the dongle's port, and that its switch is at GPIO6."
