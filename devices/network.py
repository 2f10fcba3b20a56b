"""Common parts of sources on the network: a connection that never blocks for long, addresses, labels."""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Sequence
from typing import Protocol

from bci.engine.stream_info import Channel, StreamInfo, canonical
from bci.errors import StreamLost, StreamNotFound
from bci.stream.metadata import channel_type

MAX_CHANNELS = 8192
MAX_RATE_HZ = 1e6
MAX_LABEL = 256
RECEIVE_BYTES = 1 << 16

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
# Sensors of Brain Products on the auxiliary inputs, by the names that Recorder gives them.
_SENSOR = re.compile(r"[xyz][ _](?:dir|acc)|(?:gsr|resp|photo|temp|bloodpulse)(?:[ _-].*)?", re.I)
_UNITS = {"EEG": "uV", "EOG": "uV", "EMG": "uV"}


class TcpConnection:
    """A TCP connection that waits no longer than it is told and reports when the peer has gone.

    Parameters
    ----------
    host : str
    port : int
    timeout_s : float
        For connecting.
    peer : str
        What is expected there, for messages.

    Raises
    ------
    StreamNotFound
        If nobody answers.
    """

    def __init__(self, host: str, port: int, timeout_s: float, peer: str) -> None:
        self.where = f"{peer} at {host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise StreamNotFound(
                f"{self.where}: no connection within {timeout_s:g} s ({error}); start the server there, "
                "or give its address with --set host=ADDRESS --set port=NUMBER"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self, timeout_s: float) -> bytes:
        """Return the bytes that have come, at most 64 KiB.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        bytes
            Empty where nothing came in time.

        Raises
        ------
        StreamLost
            If the peer has closed the connection, or the network has.
        """
        try:
            self._socket.settimeout(max(timeout_s, 0.0))
            data = self._socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, TimeoutError):
            return b""
        except OSError as error:
            raise StreamLost(f"{self.where}: the connection broke ({error})") from error
        if not data:
            raise StreamLost(f"{self.where}: the peer closed the connection")
        return data

    def send(self, data: bytes, timeout_s: float = 1.0) -> None:
        """Send a request; requests are a few bytes, so a peer that does not take them hangs.

        Parameters
        ----------
        data : bytes
        timeout_s : float
            The longest time to wait, seconds.

        Raises
        ------
        StreamLost
            If they are not taken in time, or the connection broke.
        """
        try:
            self._socket.settimeout(timeout_s)
            self._socket.sendall(data)
        except OSError as error:
            raise StreamLost(f"{self.where}: the connection broke ({error})") from error

    def close(self) -> None:
        """Close the connection. May be called twice."""
        self._socket.close()


def address_problems(host: str, port: int, timeout_s: float, name: str) -> list[str]:
    """Explain why these settings cannot be used, a line for each problem.

    Parameters
    ----------
    host : str
    port : int
    timeout_s : float
    name : str
        Of the stream.

    Returns
    -------
    list of str
    """
    found = []
    if not host:
        found.append("host is empty: give a name or an address")
    if not 1 <= port <= 65535:
        found.append(f"port = {port}: must be from 1 to 65535")
    if not (math.isfinite(timeout_s) and 0 < timeout_s <= 600):
        found.append(f"timeout_s = {timeout_s}: must be above 0 and at most 600 s")
    if not name:
        found.append("name is empty: give the stream a name")
    return found


def channels(labels: Sequence[str]) -> tuple[Channel, ...]:
    """Make channels with labels that can be shown and told apart.

    Their types are known by the label, because these protocols carry none. Empty labels become ``ch1``, ``ch2``, …; a label that
    occurs again gets a number; control characters become U+FFFD.

    Parameters
    ----------
    labels : sequence of str
        As the device sends them.

    Returns
    -------
    tuple of Channel

    Examples
    --------
    >>> [(c.label, c.type, c.unit) for c in channels(["C3", "", "C3", "EOG_L", "x_dir"])]
    [('C3', 'EEG', 'uV'), ('ch2', 'EEG', 'uV'), ('C3-2', 'EEG', 'uV'), ('EOG_L', 'EOG', 'uV'), ('x_dir', 'AUX', '')]
    """
    taken: set[str] = set()
    found = []
    for number, label in enumerate(labels, start=1):
        label = _unique(_CONTROL.sub("\ufffd", label).strip()[:MAX_LABEL] or f"ch{number}", taken)
        taken.add(canonical(label))
        kind = "AUX" if _SENSOR.fullmatch(label) else channel_type(label, "EEG")
        found.append(Channel(label, kind, _UNITS.get(kind, "")))
    return tuple(found)


class NetworkSettings(Protocol):
    """The settings that all sources on the network have."""

    @property
    def host(self) -> str:
        """Name or address of the computer."""
        ...

    @property
    def port(self) -> int:
        """TCP port."""
        ...

    @property
    def name(self) -> str:
        """Name of the stream."""
        ...

    @property
    def reference(self) -> str:
        """Reference electrode."""
        ...


def counted_stream(rate_hz: float, labels: Sequence[str], kind: str, settings: NetworkSettings) -> StreamInfo:
    """The stream of a device on the network that counts its samples.

    Parameters
    ----------
    rate_hz : float
    labels : sequence of str
        As the device sends them; see :func:`channels`.
    kind : str
        Kind of the source, for the ``source_id``.
    settings : NetworkSettings

    Returns
    -------
    StreamInfo
    """
    return StreamInfo(
        rate_hz=rate_hz,
        channels=channels(labels),
        reference=settings.reference,
        source_id=f"bci-{kind}-{settings.host}-{settings.port}",
        name=settings.name,
        sample_clock=True,
    )


def text(data: bytes) -> str:
    """Decode the text of a device: UTF-8, or Latin-1 where it is not, as older programs on Windows write.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    str
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unique(label: str, taken: set[str]) -> str:
    """The label, numbered where it is taken."""
    name, number = label, 2
    while canonical(name) in taken:
        name, number = f"{label}-{number}", number + 1
    return name
