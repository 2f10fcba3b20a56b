"""A Cyton at the other end of a pseudo-terminal: it speaks the documented bytes, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from devices.cyton_protocol import CHANNELS, encode

PERIOD_S = 0.004
GREETING = "OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n{daisy}LIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$"


def wave(number: int) -> np.ndarray:
    """What the board measures in packet ``number``: its number, then each channel its own frequency; shape (8,)."""
    values = np.round(4000 * np.sin(2 * np.pi * number * PERIOD_S * np.arange(5, 5 + CHANNELS))).astype(np.int32)
    values[0] = number
    return values


class FakeCyton:
    """A board that answers commands and sends packets in the dongle's bursts of four.

    Parameters
    ----------
    daisy : bool
    damage : callable
        From packet number and its bytes to what is sent instead; empty for a lost packet.
    packet : callable
        Values of a packet.
    greeting : bytes or None
        In place of the usual answer to ``v``.
    piece_bytes : int
        Most that is written at once; small for a cable that is slow and splits packets.
    """

    def __init__(
        self,
        daisy: bool = False,
        damage: Callable[[int, bytes], bytes] = lambda _number, data: data,
        packet: Callable[[int], np.ndarray] = wave,
        greeting: bytes | None = None,
        piece_bytes: int = 4096,
    ) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.port = os.ttyname(self._slave)
        self.received = bytearray()
        self.streaming = False
        self.silent = False
        self.sent = 0
        self._daisy = daisy
        self._damage = damage
        self._packet = packet
        self._greeting = greeting
        self._piece_bytes = piece_bytes
        self._running = True
        self._thread = threading.Thread(target=self._run, name="fake board")
        self._thread.start()

    def close(self) -> None:
        """Pull the plug. May be called twice."""
        if self._running:
            self._running = False
            self._thread.join()
            os.close(self.master)
            os.close(self._slave)

    def _run(self) -> None:
        begin, command = time.monotonic(), b""
        while self._running:
            time.sleep(0.002)
            command = self._take(command)
            if not self.streaming:
                begin, self.sent = time.monotonic(), 0
                continue
            due = int((time.monotonic() - begin) / PERIOD_S)
            if due >= self.sent + 4:
                data = b"".join(self._damage(n, encode(n, self._packet(n))) for n in range(self.sent, due))
                self.sent = due
                self._write(b"" if self.silent else data)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: a dongle throws away what does not fit
            for start in range(0, len(data), self._piece_bytes):
                os.write(self.master, data[start : start + self._piece_bytes])
                if len(data) > self._piece_bytes:
                    time.sleep(2e-4)

    def _take(self, command: bytes) -> bytes:
        try:
            new = os.read(self.master, 4096)
        except BlockingIOError:
            return command
        self.received += new
        for byte in new:
            command += bytes((byte,))
            if command[:1] in b"xz" and byte not in b"XZ":
                continue
            self._obey(command)
            command = b""
        return command

    def _obey(self, command: bytes) -> None:
        if command == b"v":
            self.streaming = False
            usual = GREETING.format(daisy="On Daisy ADS1299 Device ID: 0x3E\n" if self._daisy else "").encode()
            self._write(usual if self._greeting is None else self._greeting)
        elif command in b"bs":
            self.streaming = command == b"b"
        elif command == b"C":
            self._write(b"16$$$" if self._daisy else b"no daisy to attach!8$$$")
        elif command == b"c" and self._daisy:
            self._write(b"daisy removed$$$")
        elif command[:1] == b"x":
            self._write(b"Success: Channel set for %c$$$" % command[1])
        elif command[:1] == b"z":
            self._write(b"Success: Lead off set for %c$$$" % command[1])


@contextmanager
def fake_cyton(**settings: object) -> Iterator[FakeCyton]:
    """A fake board, unplugged at the end."""
    board = FakeCyton(**settings)  # type: ignore[arg-type]
    try:
        yield board
    finally:
        board.close()
