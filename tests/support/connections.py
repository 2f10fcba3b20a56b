"""Breaks TCP connections between two living processes as networks do: so that both ends see it, or so that neither does.

Linux only. Another process's socket is taken by ``pidfd_getfd`` (Linux 5.6), which needs no more rights than a debugger.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

PIDFD_GETFD = 438
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A packet filter of one instruction that lets nothing through (``BPF_RET``)."""

_libc = ctypes.CDLL(None, use_errno=True)


def cut(one: int, other: int) -> int:
    """Break all connections between two processes; both ends see it. Return how many there were."""
    ends = _ends(one, other)[::2]  # to shut one end down is enough: the other one sees it
    for pid, fd in ends:
        with _socket_of(pid, fd) as found:
            found.shutdown(socket.SHUT_RDWR)
    return len(ends)


def aborted(one: int, other: int) -> int:
    """End all connections between two processes from the kernel's side, as when an address is lost (``ss -K``, needs root)."""
    ends = [*_sockets(one).keys() & {key[::-1] for key in _sockets(other)}]
    for (_, port), (address, to) in ends:
        words = ["ss", "-K", "-t", "sport", "=", str(port), "dst", address, "dport", "=", str(to)]
        subprocess.run(words, check=True, capture_output=True)
    return len(ends)


@contextmanager
def silenced(one: int, other: int) -> Iterator[int]:
    """No packet comes through on the connections that are there between two processes, and neither end is told.

    What is connected meanwhile works: it is as if a firewall had forgotten the old connections.
    """
    ends = _ends(one, other)
    for pid, fd in ends:
        _filter(pid, fd, True)
    yield len(ends) // 2
    for pid, fd in ends:
        try:
            _filter(pid, fd, False)
        except OSError:
            continue  # the connection was given up, which is what was wanted


def connected(one: int, other: int) -> int:
    """How many connections there are between two processes."""
    return len(_ends(one, other)) // 2


def _ends(one: int, other: int) -> list[tuple[int, int]]:
    """Process and descriptor of both ends of each connection between two processes."""
    mine, theirs = _sockets(one), _sockets(other)
    pairs = [((one, mine[key]), (other, theirs[key[::-1]])) for key in mine if key[::-1] in theirs]
    return [end for pair in pairs for end in pair]


def _sockets(pid: int) -> dict[tuple[tuple[str, int], tuple[str, int]], int]:
    """Descriptors of a process's connections by their addresses."""
    open_ = [c for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_ESTABLISHED]
    return {((c.laddr.ip, c.laddr.port), (c.raddr.ip, c.raddr.port)): c.fd for c in open_}


@contextmanager
def _socket_of(pid: int, fd: int) -> Iterator[socket.socket]:
    """A socket of another process, as ours too."""
    handle = os.pidfd_open(pid)
    try:
        copy = _libc.syscall(PIDFD_GETFD, handle, fd, 0)
    finally:
        os.close(handle)
    if copy < 0:
        raise OSError(ctypes.get_errno(), f"descriptor {fd} of process {pid} cannot be taken")
    with socket.socket(fileno=copy) as found:
        yield found


def _filter(pid: int, fd: int, on: bool) -> None:
    with _socket_of(pid, fd) as found:
        if on:
            program = ctypes.create_string_buffer(RETURN_NOTHING)
            found.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
        else:
            found.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
