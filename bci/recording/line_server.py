"""Text commands over TCP, from this computer only: each line is answered.

One thread and a bounded number of connections, so that a client which holds connections open takes nothing from the others:
where there are too many, one is closed. Those that never sent anything come first, and of these the one that has been idle
longest. A connection over which a command came may be silent for as long as a recording takes; one that never sent anything is
closed after a while.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from bci.errors import RecordingError

MOST_CLIENTS = 32
SILENT_S = 30.0
"""A connection over which no command has come is closed after so long."""
MAX_LINE = 4096
LOOK_S = 0.1
ANSWER_S = 1.0
"""A client that does not read an answer for so long is disconnected."""
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Answer = Callable[[str], tuple[str, bool]]
"""Takes a line, returns what to answer, and whether the connection is kept."""


class _Client:
    """One connection."""

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.connection = connection
        self.heard_s = now
        self.known = False
        self.rest = b""

    @property
    def turn(self) -> tuple[bool, float]:
        """Sort key: which connection is closed first where there are too many."""
        return self.known, self.heard_s


class LineServer:
    """Listens on 127.0.0.1.

    Parameters
    ----------
    answer : callable
        Called from one thread; must not raise.
    port : int
        0 for any free one.

    Attributes
    ----------
    port : int
    clients : int
        Connections that are open.

    Raises
    ------
    RecordingError
        If the port is taken.
    """

    def __init__(self, answer: Answer, port: int) -> None:
        self._answer = answer
        try:
            self._server = socket.create_server(("127.0.0.1", port), backlog=128)
        except (OSError, OverflowError) as error:
            raise RecordingError(
                f"remote control: port {port} cannot be used ({error}); is LabRecorder running? Choose another port"
            ) from error
        self._server.setblocking(False)
        self.port: int = self._server.getsockname()[1]
        self._clients: dict[socket.socket, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="remote control", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def clients(self) -> int:
        """Connections that are open."""
        return len(self._clients)

    def close(self) -> None:
        """Stop listening. May be called twice."""
        self._closing = True
        self._thread.join()

    def _serve(self) -> None:
        """Until closed: take connections, answer lines."""
        while not self._closing:
            for key, _ in self._selector.select(LOOK_S):
                client = key.data
                if client is None:
                    self._accept()
                elif client.connection in self._clients:  # not closed since, for another one
                    self._read(client)
            self._close_silent()
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.close()
        self._server.close()

    def _accept(self) -> None:
        """Take a connection; where there are too many, another one is closed for it."""
        try:
            connection, _ = self._server.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._drop_one()
            return
        connection.settimeout(ANSWER_S)
        if len(self._clients) >= MOST_CLIENTS:
            self._drop_one()
        client = self._clients[connection] = _Client(connection, time.monotonic())
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _drop_one(self) -> None:
        """Close the connection that is least likely to belong to a person."""
        if self._clients:
            self._drop(min(self._clients.values(), key=lambda client: client.turn))
        else:
            time.sleep(LOOK_S)  # this process has no file left; what has one gives it back sooner or later

    def _close_silent(self) -> None:
        """Close the connections that never sent anything."""
        before = time.monotonic() - SILENT_S
        for client in [c for c in self._clients.values() if not c.known and c.heard_s < before]:
            self._drop(client)

    def _read(self, client: _Client) -> None:
        """Answer each complete line."""
        try:
            got = client.connection.recv(MAX_LINE)
        except OSError:
            got = b""
        if not got:
            self._drop(client)
            return
        *lines, client.rest = (client.rest + got).split(b"\n")
        for line in lines:
            if not self._say(client, line):
                return
        if len(client.rest) >= MAX_LINE:
            self._say(client, client.rest)
            self._drop(client)

    def _say(self, client: _Client, line: bytes) -> bool:
        """Answer one line; False where that was the last one of this connection."""
        try:
            text = line.decode().strip()
            if len(line) >= MAX_LINE:
                answer, kept = f"ERROR: a line must have fewer than {MAX_LINE} bytes", False
            elif not text:
                return True
            else:
                answer, kept = self._answer(text)
        except UnicodeDecodeError as error:
            answer, kept = f"ERROR: the command is not UTF-8 (byte {error.start})", True
        client.heard_s, client.known = time.monotonic(), True
        try:
            client.connection.sendall(answer.encode("utf-8", "replace"))
        except OSError:
            kept = False
        if not kept:
            self._drop(client)
        return kept

    def _drop(self, client: _Client) -> None:
        """Close a connection."""
        if self._clients.pop(client.connection, None) is not None:
            self._selector.unregister(client.connection)
            with suppress(OSError):
                client.connection.close()
