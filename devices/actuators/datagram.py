"""Datagrams to one receiver, and never more than datagrams: nothing is listened to, nothing waits."""

from __future__ import annotations

import ipaddress
import socket

from bci.errors import ActuatorError, ConfigError

LOOPBACK = "127.0.0.1"


def host_problem(host: str) -> str:
    """Why ``host`` cannot be sent to; empty where it can. Only plain addresses: a name would have to be looked up.

    >>> host_problem("127.0.0.1"), host_problem("::1"), host_problem("255.255.255.255") != ""
    ('', '', True)
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"host = {host!r}: must be the address of one computer, such as 127.0.0.1 (this one) or 192.168.1.20"
    if address.is_multicast or address.is_unspecified or host == "255.255.255.255":
        return f"host = {host!r}: must be the address of one computer, not of many"
    return ""


class DatagramWire:
    """A socket that is connected, so only its peer can reach it; on loopback nobody outside can.

    Parameters
    ----------
    host : str
        IP address.
    port : int
    """

    def __init__(self, host: str, port: int) -> None:
        self.what = f"{host}:{port}"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket: socket.socket | None = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._moved = False
        try:
            self._socket.connect((host, port))
        except OSError as error:
            self.close()
            raise ConfigError(
                f"host = {host}: nothing can be sent there ({error.strerror}); is this computer connected?"
            ) from error

    @property
    def local_address(self) -> str:
        """Where packets come from."""
        return str(self._open().getsockname()[0])

    def send(self, packet: bytes) -> None:
        """Send a command.

        Raises
        ------
        ActuatorError
            If the network does not take it, or says that nobody was there for the command before.
        """
        try:
            try:
                self._open().send(packet)
            except ConnectionRefusedError:
                # The system reports a packet that nobody took at the next one. A refused neutral is no news: whoever
                # receives may have been started since.
                if self._moved:
                    raise
                self._open().send(packet)
        except OSError as error:
            self._moved = False  # after this report the receiver may be started, and is tried anew
            raise ActuatorError(
                f"{self.what}: cannot be sent to ({error.strerror}); is the receiving program running?"
            ) from error
        self._moved = True

    def send_neutral(self, packet: bytes) -> None:
        """Send what stops, twice where the first only brings an old error to light; never raises."""
        self._moved = False
        for _ in range(2):
            try:
                self._open().send(packet)
                return
            except (OSError, ActuatorError):
                continue

    def close(self) -> None:
        """May be called twice."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return self._socket is not None

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise ActuatorError(f"{self.what}: is closed; open it again before sending")
        return self._socket
