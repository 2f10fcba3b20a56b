"""A Recorder for tests: speaks Remote Data Access as Brain Products' manual describes it, written from the manual alone.

It shares no code with ``devices/rda_protocol.py``, so that a misreading there is not repeated here.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

# {4358458E-C996-4C86-AF4A-98BBF6C91450}, a Windows GUID: three little-endian numbers, then eight bytes.
GUID = struct.pack("<IHH8B", 0x4358458E, 0xC996, 0x4C86, 0xAF, 0x4A, 0x98, 0xBB, 0xF6, 0xC9, 0x14, 0x50)


def message(kind: int, body: bytes) -> bytes:
    """RDA_MessageHeader and what follows; nSize counts the header."""
    return GUID + struct.pack("<LL", 16 + 4 + 4 + len(body), kind) + body


def start(labels: Sequence[str], rate_hz: float, resolutions_uv: Sequence[float]) -> bytes:
    """RDA_MessageStart."""
    body = struct.pack("<L", len(labels)) + struct.pack("<d", 1_000_000 / rate_hz)
    body += b"".join(struct.pack("<d", r) for r in resolutions_uv)
    return message(1, body + b"".join(label.encode() + b"\x00" for label in labels))


def marker(position: int, kind: str, description: str, points: int = 1, channel: int = -1) -> bytes:
    """RDA_Marker; nSize counts itself."""
    words = kind.encode() + b"\x00" + description.encode() + b"\x00"
    return struct.pack("<LLLl", 16 + len(words), position, points, channel) + words


def block(number: int, values: npt.NDArray[np.int16] | npt.NDArray[np.float32], markers: Sequence[bytes] = ()) -> bytes:
    """RDA_MessageData (int16) or RDA_MessageData32 (float32); values of shape (n_points, n_channels)."""
    kind = {"int16": 2, "float32": 4}[values.dtype.name]
    body = struct.pack("<LLL", number, len(values), len(markers))
    return message(kind, body + values.astype(values.dtype.newbyteorder("<")).tobytes() + b"".join(markers))


STOP = message(3, b"")
KEEP_ALIVE = message(10000, b"")
NEW_STATE = message(5, struct.pack("<L", 1))


class RdaServer:
    """Accepts connections and sends what it is told to whoever is connected.

    Parameters
    ----------
    greeting : bytes
        For each new client, as Recorder greets with the start message while it monitors.
    """

    def __init__(self, greeting: bytes = b"") -> None:
        self.greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._clients: list[socket.socket] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> RdaServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
        self.hang_up()

    def send(self, *pieces: bytes) -> None:
        """To all clients; a client that has gone is forgotten."""
        with self._lock:
            for client in [*self._clients]:
                try:
                    client.sendall(b"".join(pieces))
                except OSError:
                    self._clients.remove(client)
                    client.close()

    def hang_up(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()

    def wait_for_client(self, timeout_s: float = 5.0) -> None:
        """Until somebody has connected and been greeted."""
        until = time.monotonic() + timeout_s
        while not self._clients and time.monotonic() < until:
            time.sleep(0.005)
        assert self._clients, "nobody connected"

    def play(self, values: npt.NDArray[np.int16] | npt.NDArray[np.float32], rate_hz: float, n_points: int) -> None:
        """Send blocks of ``n_points`` in real time, in a thread, round and round, with a marker in every 50th."""
        self._threads.append(threading.Thread(target=self._play, args=(values, rate_hz, n_points)))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._stop.is_set():
                client, _ = self._listener.accept()
                client.settimeout(5.0)
                with self._lock, suppress(OSError):
                    self._clients.append(client)
                    client.sendall(self.greeting)

    def _play(self, values: npt.NDArray[np.int16] | npt.NDArray[np.float32], rate_hz: float, n_points: int) -> None:
        begin, number = time.monotonic(), 0
        while not self._stop.wait(max(0.0, begin + (number + 1) * n_points / rate_hz - time.monotonic())):
            at = number * n_points % (len(values) // n_points * n_points)
            markers = [marker(1, "Stimulus", f"S{number // 50 + 1:3d}")] if number % 50 == 25 else []
            self.send(block(number + 1, values[at : at + n_points], markers))
            number += 1
