"""Let the kernel probe whether the other end of our connections is still there (TCP keepalive).

A connection can die without a word: a cable is pulled, a firewall forgets it, a computer loses its power. Who only reads would
wait for ever, and liblsl's own watchdog needs 15 s and belongs to inlets that recover by themselves. TCP has the question built
in (RFC 1122, 4.2.3.6), but liblsl does not turn it on and hands out no socket, so the sockets are found among this process's own.
Where descriptors cannot be listed (Windows) nothing is asked.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterator

DESCRIPTORS = "/dev/fd"
IDLE = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
"""After how long without a word the first question is asked; macOS has another name for it."""
_PORTS = re.compile(r"<v[46]data_port>(\d+)</v[46]data_port>")


def keep_alive(header_xml: str, dead_after_s: int) -> int:
    """Break the connections to a stream's sender when it does not answer; they then end as if it had closed them.

    Parameters
    ----------
    header_xml : str
        The sender's full header, which names the ports of its data.
    dead_after_s : int
        How long it may be unreachable, at least 2; it is asked every second.

    Returns
    -------
    int
        How many connections are watched from now on.
    """
    ports = {int(port) for port in _PORTS.findall(header_xml)} - {0}
    if IDLE is None or not ports or not os.path.isdir(DESCRIPTORS):
        return 0
    watched = 0
    for found in _sockets():
        with found:
            try:
                if found.getpeername()[1] in ports:
                    _watch(found, dead_after_s)
                    watched += 1
            except (OSError, IndexError, TypeError):
                continue  # not connected, or of another family
    return watched


def _watch(found: socket.socket, dead_after_s: int) -> None:
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    found.setsockopt(socket.IPPROTO_TCP, IDLE or 0, 1)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, max(1, dead_after_s - 1))


def _sockets() -> Iterator[socket.socket]:
    """Our open TCP sockets, through descriptors of their own: closing them closes nothing that liblsl uses."""
    for name in os.listdir(DESCRIPTORS):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            copy = os.dup(int(name))
        except (OSError, ValueError):
            continue  # closed meanwhile
        try:
            found = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            continue
        if found.type == socket.SOCK_STREAM and found.family in (socket.AF_INET, socket.AF_INET6):
            yield found
        else:
            found.close()
