"""Datagrams to one receiver: nothing is received, and nothing waits."""

from __future__ import annotations

import ipaddress
import socket

from bci.errors import ActuatorError, ConfigError

LOOPBACK = "127.0.0.1"


def host_problem(host: str) -> str:
    """Explain why nothing can be sent to a host. Only plain addresses are accepted: a name would have to be looked up.

    Parameters
    ----------
    host : str

    Returns
    -------
    str
        Empty where packets can be sent to it.

    Examples
    --------
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


class DatagramSender:
    """A connected UDP socket: only its peer can reach it, and on loopback no other computer can.

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
                f"host = {host}: nothing can be sent there ({error.strerror}); check the network connection of this computer"
            ) from error

    @property
    def local_address(self) -> str:
        """Where packets come from."""
        return str(self._open().getsockname()[0])

    def send(self, packet: bytes) -> None:
        """Send a command.

        Parameters
        ----------
        packet : bytes

        Raises
        ------
        ActuatorError
            If the network does not take it, or reports that nobody received the command before.
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
            self._moved = False  # after this report the receiver may be started, and is tried again
            raise self._not_taken(error.strerror) from error
        self._moved = True

    def send_neutral(self, packet: bytes) -> None:
        """Send the packet that stops what moves.

        Parameters
        ----------
        packet : bytes

        Raises
        ------
        ActuatorError
            If the network does not take it, or reports that nobody received it. It does not report this of every packet, and of
            one to another computer only later; then this is raised for the packet before, once the new one is sent.
        """
        self._moved = False
        wire, refused = self._open(), False
        try:
            try:
                wire.send(packet)
            except ConnectionRefusedError:  # of the packet before
                refused = True
                wire.send(packet)
            # On this computer the answer is there as soon as the packet was sent.
            refused = bool(wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) or refused
        except OSError as error:
            raise self._not_taken(error.strerror) from error
        if refused:
            raise self._not_taken("no program receives packets there")

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

    def _not_taken(self, why: str | None) -> ActuatorError:
        return ActuatorError(
            f"{self.what}: cannot be sent to ({why or 'no reason given'}); check that the receiving program is running"
        )
