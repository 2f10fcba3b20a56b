"""liblsl's configuration: the file it reads, what that says of ports, and the two settings that we add to it."""

from __future__ import annotations

import configparser
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bci.errors import StreamError
from bci.safe_io.regular_file import read_regular

PLACES = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")
SCOPES = ("machine", "link", "site", "organization", "global")
NUMBERS = ("multicastport", "baseport", "portrange")
BASE_PORT, PORT_RANGE = 16572, 32  # liblsl's own (api_config.cpp)
ENOUGH = 128
SESSION_PORTS = 16  # what a session with everything takes at once (tests/live/test_ports_live.py)
MAX_BYTES = 1 << 20
MOST_TRIED = 1024
"""Ports; far more than anybody needs, and a second would go by with all that there are."""
SHOWN = 60
OUTLET_PORTS = 4  # what another program, with IPv6, needs for two streams


def config_files(environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the configuration files that liblsl would read, the first one first (``api_config.cpp`` of liblsl).

    Parameters
    ----------
    environment : mapping of str to str
        Environment variables.

    Returns
    -------
    tuple of str
        Paths.
    """
    named = environment.get("LSLAPICFG", "")
    places = ([named] if named else []) + list(PLACES)
    existing = [p for p in (Path(os.path.expanduser(place)) for place in places) if p.is_file()]
    return tuple(str(p) for p in dict.fromkeys(p.resolve() for p in existing))


def read_config(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read a configuration file of liblsl.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    tuple of (dict of str to str, tuple of str)
        Settings by name in small letters, and what is wrong with the file, a line each.
    """
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string(_text_of(path))
    except (OSError, configparser.Error) as error:
        return {}, (" ".join(str(error).split()),)
    settings = {key.lower(): value.strip() for section in parser.sections() for key, value in parser.items(section)}
    problems = [
        f"{key} = {settings[key][:SHOWN]!r} must be a number from 0 to 65535"
        for key in NUMBERS
        if _port(settings.get(key, "1")) is None
    ]
    scope = settings.get("resolvescope", "site").lower()
    if scope not in SCOPES:
        problems.append(f"ResolveScope = {scope[:SHOWN]!r} must be one of {', '.join(SCOPES)}")
    peers = settings.get("knownpeers", "{}")
    if not (peers.startswith("{") and peers.endswith("}")):
        problems.append(f"KnownPeers = {peers[:SHOWN]!r} must be in braces: {{host1, host2}}")
    return settings, tuple(problems)


def _text_of(path: Path) -> str:
    """What the file says, whatever its bytes.

    Raises
    ------
    OSError
        If it cannot be read, or is larger than any configuration.
    """
    return read_regular(path, MAX_BYTES).decode("utf-8-sig", "replace")


def _port(text: str) -> int | None:
    """A number of ports; None where it is none."""
    return int(text) if text.isdecimal() and len(text) <= 5 and int(text) <= 65535 else None


def content_for_us(environment: Mapping[str, str]) -> str:
    """Make the configuration that liblsl reads in our processes.

    It is the user's file with our settings for what the file leaves open, or our settings alone.

    Each outlet takes one port for IPv4 and another one for IPv6, and so does each search for streams, of 32 ports for all
    programs of a computer. A user who needs IPv6 says so in the file (``IPv6 = allow``). Without a file liblsl's log stays off
    the terminal: what matters is reported by errors.

    Parameters
    ----------
    environment : mapping of str to str
        Environment variables.

    Returns
    -------
    str
        Content of the file.
    """
    files = config_files(environment)
    if not files:
        return "[ports]\nIPv6 = disable\n[log]\nlevel = -3\n"
    settings, problems = read_config(Path(files[0]))
    if problems or "ipv6" in settings:
        return ""
    return _text_of(Path(files[0])) + "\n[ports]\nIPv6 = disable\n"


@dataclass(frozen=True, slots=True)
class Ports:
    """The service ports through which the streams of this computer are found.

    Parameters
    ----------
    first, count : int
        The range, for all programs together.
    free : int
        Of them; the fewer of TCP and UDP, as an outlet takes one of each.
    where : str
        The configuration file that says so, or the one to make.
    two_each : bool
        Whether our outlets take one for IPv6 too.
    only_way : bool
        Whether streams without one cannot be found at all: no network, or none to be used. Else multicast finds them.
    """

    first: int
    count: int
    free: int
    where: str
    two_each: bool = False
    only_way: bool = True

    @property
    def few(self) -> str:
        """A sentence that says what to do if too few ports are free."""
        return (
            f"Close programs that hold LSL streams open, or give LSL more ports: PortRange = {max(ENOUGH, 2 * self.count)} under "
            f"[ports] in {self.where}, then start all LSL programs again."
        )

    def __str__(self) -> str:
        return f"{self.free} of LSL's {self.count} service ports ({self.first} to {self.first + self.count - 1}) are free"


def look_at_ports(environment: Mapping[str, str] | None = None) -> Ports:
    """Count the ports that are free now, by trying each of them.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Environment variables; those of this process where omitted.

    Returns
    -------
    Ports
    """
    environment = os.environ if environment is None else environment
    files = config_files(environment)
    settings = read_config(Path(files[0]))[0] if files else {}
    first, count = (
        default if (said := _port(settings.get(key, ""))) is None else said
        for key, default in (("baseport", BASE_PORT), ("portrange", PORT_RANGE))
    )
    free = min(
        sum(_is_free(kind, port) for port in range(first, min(first + min(count, MOST_TRIED), 65536)))
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    )
    where = files[0] if files else str(Path(PLACES[1]).expanduser())
    only_way = settings.get("resolvescope", "site").lower() == "machine" or not _has_network()
    return Ports(first, count, free, where, settings.get("ipv6", "disable").lower() != "disable", only_way)


def require_ports(needed: int, what: str) -> list[str]:
    """Refuse to begin what could not be found; what a person should know where it could be found over a network alone.

    Parameters
    ----------
    needed : int
        Ports that it takes, for one version of the Internet protocol.
    what : str
        For the message, for instance "this session".

    Raises
    ------
    StreamError
        With the cause and the remedy.
    """
    ports = look_at_ports()
    needed *= 2 if ports.two_each else 1
    if ports.free >= needed:
        return []
    text = f"only {ports}, but {what} takes {needed}"
    if ports.only_way:
        raise StreamError(f"{text}: without a network, a stream that has no port cannot be found. {ports.few}")
    return [f"{text}: a stream that has no port can be found only over the network. {ports.few}"]


def port_hint() -> str:
    """A sentence for the message of a stream that was not found, where a want of ports may be why; else empty."""
    ports = look_at_ports()
    return (
        f"\nOnly {ports}, which may be the reason: a stream that has no port is not found. {ports.few}"
        if ports.free < OUTLET_PORTS
        else ""
    )


def _has_network() -> bool:
    """Whether LSL's multicast (of the scope "site") has a way out; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("239.255.172.215", 16571))
        except OSError:
            return False
        return not one.getsockname()[0].startswith("127.")


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as one:
        try:
            one.bind(("", port))
        except OSError:
            return False
        return True
