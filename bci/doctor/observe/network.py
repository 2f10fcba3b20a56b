"""Interfaces, their multicast, and firewalls."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from bci.doctor.network import Interface, NetworkFacts

GROUP = "239.255.172.215"  # liblsl's multicast group of the scope "site"
HEAR_S = 0.5
ASK_S = 3.0
UFW = Path("/etc/ufw/ufw.conf")
UFW_RULES = Path("/etc/ufw/user.rules")


def network_facts() -> NetworkFacts:
    """The network as this computer sees it."""
    running = programs()
    firewalls, allowed = firewalls_of(running)
    return NetworkFacts(interfaces(), firewalls, allowed)


def interfaces() -> tuple[Interface, ...]:
    """All network interfaces; through those that lead elsewhere a multicast message is sent."""
    import psutil

    addresses, found = psutil.net_if_addrs(), []
    for name, state in psutil.net_if_stats().items():
        ipv4 = tuple(a.address for a in addresses.get(name, ()) if a.family == socket.AF_INET)
        flags = set(state.flags.split(","))
        loopback = "loopback" in flags or any(a.startswith("127.") for a in ipv4)
        multicast = "multicast" in flags or not state.flags  # Windows names no flags
        heard, error = hear_multicast(ipv4[0]) if state.isup and ipv4 and not loopback and multicast else (None, "")
        found.append(Interface(name, state.isup, loopback, multicast, ipv4, heard, error))
    return tuple(found)


def hear_multicast(address: str) -> tuple[bool | None, str]:
    """Send a multicast message through the interface with this address, and listen for it there.

    Parameters
    ----------
    address : str
        IPv4 address of the interface.

    Returns
    -------
    heard : bool or None
        None where it could not be sent.
    error : str
        Why not.
    """
    own, group = socket.inet_aton(address), socket.inet_aton(GROUP)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        try:
            receiver.bind(("", 0))
            receiver.settimeout(HEAR_S)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + own)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
            sender.sendto(b"bci doctor", (GROUP, receiver.getsockname()[1]))
            return bool(receiver.recv(64)), ""
        except TimeoutError:
            return False, ""
        except OSError as error:
            return None, error.strerror or str(error)


def programs() -> frozenset[str]:
    """Names of the running programs that we may see."""
    import psutil

    return frozenset(p.info["name"] for p in psutil.process_iter(["name"]) if p.info["name"])


def firewalls_of(running: frozenset[str]) -> tuple[tuple[str, ...], bool]:
    """Firewalls that refuse by default, and whether a rule for LSL's first port was seen.

    Parameters
    ----------
    running : frozenset of str
        Names of the processes that run.

    Returns
    -------
    firewalls
        tuple of str
    """
    if sys.platform == "win32":  # untested: the words are those of the English system
        text = _ask("netsh", "advfirewall", "show", "currentprofile")
        return (("Windows firewall",) if re.search(r"BlockInbound", text) else ()), False
    if sys.platform == "darwin":  # untested
        text = _ask("/usr/libexec/ApplicationFirewall/socketfilterfw", "--getblockall")
        return (("macOS firewall",) if "enabled" in text.lower() else ()), False
    found = ["ufw"] if re.search(r"^ENABLED=yes", _read(UFW), re.MULTILINE) else []
    found += ["firewalld"] if "firewalld" in running else []
    rules = _ask("nft", "list", "ruleset") + _ask("iptables", "-S", "INPUT")
    if not found and re.search(r"hook input [^\n]*policy drop|^-P INPUT DROP", rules, re.MULTILINE):
        found = ["the packet filter"]
    return tuple(found), "16571" in rules + _read(UFW_RULES)


def _ask(*words: str) -> str:
    """What a program of the system prints; nothing where it is not there, or refuses."""
    if shutil.which(words[0]) is None:
        return ""
    try:
        return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=ASK_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
