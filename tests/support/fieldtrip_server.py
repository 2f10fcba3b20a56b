"""A FieldTrip buffer for tests, written from https://www.fieldtriptoolbox.org/development/realtime/buffer_protocol alone.

It shares no code with ``devices/fieldtrip_protocol.py``. All requests of the page are served, in the byte order of the
client; samples and events are kept in rings.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

TYPE_NUMBERS = {
    name: number
    for number, name in enumerate(
        ("char", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
    )
}
TYPE_NAMES = {number: name for name, number in TYPE_NUMBERS.items()}
PUT_HDR, PUT_DAT, PUT_EVT, PUT_OK, PUT_ERR = 0x101, 0x102, 0x103, 0x104, 0x105
GET_HDR, GET_DAT, GET_EVT, GET_OK, GET_ERR = 0x201, 0x202, 0x203, 0x204, 0x205
FLUSH_HDR, FLUSH_DAT, FLUSH_EVT, FLUSH_OK = 0x301, 0x302, 0x303, 0x304
WAIT_DAT, WAIT_OK, WAIT_ERR = 0x402, 0x404, 0x405


class FieldTripServer:
    """A buffer, written to from the test or by clients.

    Parameters
    ----------
    ring : int
        Samples that are kept.
    ring_events : int
        Events that are kept.
    """

    def __init__(self, ring: int = 100_000, ring_events: int = 1000) -> None:
        self._ring, self._ring_events = ring, ring_events
        self._changed = threading.Condition()
        self._stop = False
        self._header: tuple[int, float, str, dict[int, bytes]] | None = None
        self._data: list[npt.NDArray[np.generic]] = []
        self._events: list[tuple[object, object, int]] = []
        self.n_samples = self.n_events = 0
        self._clients: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> FieldTripServer:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def hang_up(self) -> None:
        """End all connections."""
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    # What an acquisition program does

    def put_header(
        self,
        n_channels: int,
        rate_hz: float,
        dtype: str,
        labels: Sequence[str] = (),
        resolutions: Sequence[float] = (),
        chunks: Sequence[tuple[int, bytes]] = (),
    ) -> None:
        """Begin: samples and events are forgotten."""
        extra = dict(chunks)
        if labels:
            extra[1] = b"".join(label.encode() + b"\0" for label in labels)
        if resolutions:
            extra[3] = np.array(resolutions, "<f8").tobytes()
        with self._changed:
            self._header = (n_channels, rate_hz, dtype, extra)
            self._data, self._events = [], []
            self.n_samples = self.n_events = 0
            self._changed.notify_all()

    def put_data(self, data: npt.NDArray[np.generic]) -> None:
        """Append samples, shape (n_samples, n_channels)."""
        with self._changed:
            assert self._header is not None
            assert (data.shape[1], data.dtype.name) == (self._header[0], self._header[2])
            self._data = [*self._data, *data][-self._ring :]
            self.n_samples += len(data)
            self._changed.notify_all()

    def put_event(self, sample: int, type: object, value: object) -> None:
        """Append an event; type and value are text or arrays."""
        with self._changed:
            self._events = [*self._events, (type, value, sample)][-self._ring_events :]
            self.n_events += 1
            self._changed.notify_all()

    def flush(self) -> None:
        """FLUSH_DAT."""
        with self._changed:
            self._data, self.n_samples = [], 0
            self._changed.notify_all()

    def play(self, data: npt.NDArray[np.generic], rate_hz: float, block: int) -> None:
        """Append blocks in real time, in a thread, round and round; an event with every 50th."""
        self._threads.append(threading.Thread(target=self._play, args=(data, rate_hz, block)))
        self._threads[-1].start()

    def _play(self, data: npt.NDArray[np.generic], rate_hz: float, block: int) -> None:
        begin, k = time.monotonic(), 0
        while not self._stop:
            time.sleep(max(0.0, begin + (k + 1) * block / rate_hz - time.monotonic()))
            at = k * block % (len(data) // block * block)
            if k % 50 == 25:
                self.put_event(self.n_samples + 1, "Stimulus", f"S{k // 50 + 1:3d}")
            self.put_data(data[at : at + block])
            k += 1

    # What clients ask

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._stop:
                client, _ = self._listener.accept()
                self._clients.append(client)
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, EOFError):
            while not self._stop:
                prefix = _exactly(client, 8)
                order = "<" if prefix[:2] == b"\x01\x00" else ">"
                version, command, size = struct.unpack(order + "HHI", prefix)
                assert version == 1
                status, payload = self._answer(command, _exactly(client, size), order)
                client.sendall(struct.pack(order + "HHI", 1, status, len(payload)) + payload)

    def _answer(self, command: int, payload: bytes, order: str) -> tuple[int, bytes]:
        serve: dict[int, Callable[[bytes, str], tuple[int, bytes]]] = {
            PUT_HDR: self._put_header,
            PUT_DAT: self._put_data,
            GET_HDR: self._get_header,
            GET_DAT: self._get_data,
            GET_EVT: self._get_events,
            WAIT_DAT: self._wait,
        }
        if command in (FLUSH_HDR, FLUSH_DAT):
            self.flush()
            if command == FLUSH_HDR:
                self._header = None
            return FLUSH_OK, b""
        return serve[command](payload, order)

    def _put_header(self, payload: bytes, order: str) -> tuple[int, bytes]:
        n_channels, _, _, rate_hz, number, _ = struct.unpack_from(order + "IIIfII", payload)
        chunks, at = [], 24
        while at < len(payload):
            kind, size = struct.unpack_from(order + "II", payload, at)
            chunks.append((kind, payload[at + 8 : at + 8 + size]))
            at += 8 + size
        self.put_header(n_channels, rate_hz, TYPE_NAMES[number], chunks=chunks)
        return PUT_OK, b""

    def _put_data(self, payload: bytes, order: str) -> tuple[int, bytes]:
        n_channels, n, number, _ = struct.unpack_from(order + "IIII", payload)
        dtype = np.dtype(TYPE_NAMES[number])
        if self._header is None or (n_channels, dtype.name) != (self._header[0], self._header[2]):
            return PUT_ERR, b""
        self.put_data(np.frombuffer(payload[16:], dtype.newbyteorder(order)).reshape(n, n_channels).astype(dtype))
        return PUT_OK, b""

    def _get_header(self, _: bytes, order: str) -> tuple[int, bytes]:
        if self._header is None:
            return GET_ERR, b""
        n_channels, rate_hz, dtype, chunks = self._header
        extra = b"".join(struct.pack(order + "II", kind, len(data)) + data for kind, data in chunks.items())
        numbers = (n_channels, self.n_samples, self.n_events, rate_hz, TYPE_NUMBERS[dtype], len(extra))
        return GET_OK, struct.pack(order + "IIIfII", *numbers) + extra

    def _get_data(self, payload: bytes, order: str) -> tuple[int, bytes]:
        with self._changed:
            if self._header is None:
                return GET_ERR, b""
            oldest = self.n_samples - len(self._data)
            first, last = struct.unpack(order + "II", payload) if payload else (oldest, self.n_samples - 1)
            if not oldest <= first <= last < self.n_samples:
                return GET_ERR, b""
            values = np.array(self._data[first - oldest : last + 1 - oldest])
        n_channels, _, dtype, _ = self._header
        raw = values.astype(np.dtype(dtype).newbyteorder(order)).tobytes()
        return GET_OK, struct.pack(order + "IIII", n_channels, len(values), TYPE_NUMBERS[dtype], len(raw)) + raw

    def _get_events(self, payload: bytes, order: str) -> tuple[int, bytes]:
        with self._changed:
            oldest = self.n_events - len(self._events)
            first, last = struct.unpack(order + "II", payload) if payload else (oldest, self.n_events - 1)
            if not oldest <= first <= last < self.n_events:
                return GET_ERR, b""
            chosen = self._events[first - oldest : last + 1 - oldest]
        return GET_OK, b"".join(_event(*event, order) for event in chosen)

    def _wait(self, payload: bytes, order: str) -> tuple[int, bytes]:
        if self._header is None:
            return WAIT_ERR, b""
        n_samples, n_events, timeout_ms = struct.unpack(order + "III", payload)
        with self._changed:
            self._changed.wait_for(
                lambda: self._stop or self.n_samples > n_samples or self.n_events > n_events, timeout_ms / 1000
            )
            return WAIT_OK, struct.pack(order + "II", self.n_samples, self.n_events)


def _event(type: object, value: object, sample: int, order: str) -> bytes:
    """One event as GET_EVT sends it."""
    (type_number, type_count, type_bytes), (value_number, value_count, value_bytes) = _part(type, order), _part(value, order)
    numbers = (type_number, type_count, value_number, value_count, sample, 0, 0, len(type_bytes) + len(value_bytes))
    return struct.pack(order + "IIIIiiiI", *numbers) + type_bytes + value_bytes


def _part(part: object, order: str) -> tuple[int, int, bytes]:
    """Type number, number of elements and bytes of an event's type or value."""
    if isinstance(part, str):
        return TYPE_NUMBERS["char"], len(part.encode()), part.encode()
    values = np.asarray(part)
    return TYPE_NUMBERS[values.dtype.name], values.size, values.astype(values.dtype.newbyteorder(order)).tobytes()


def _exactly(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = client.recv(size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found
