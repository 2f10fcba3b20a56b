"""liblsl's service ports: counted, asked for sparingly, and named where they run short."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bci.errors import StreamError
from bci.stream.lsl_config import content_for_us, look_at_ports, port_hint, read_config, require_ports

COUNT = 8


@pytest.fixture
def base() -> int:
    """The first of some ports that nobody uses."""
    with socket.socket() as one:
        one.bind(("", 0))
        return min(int(one.getsockname()[1]), 65000)


@pytest.fixture
def config(tmp_path: Path, base: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lsl_api.cfg"
    path.write_text(f"[ports]\nBasePort = {base}\nPortRange = {COUNT}\n[multicast]\nResolveScope = machine\n")
    monkeypatch.setenv("LSLAPICFG", str(path))
    return path


@pytest.fixture
def taken(base: int) -> Iterator[None]:
    """Six of the eight are in use, by UDP alone."""
    with ExitStack() as stack:
        for port in range(base, base + 6):
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("", port))
        yield


def test_ports_in_use_are_counted_in_the_range_of_the_configuration(config: Path, base: int, taken: None) -> None:
    ports = look_at_ports()
    assert (ports.first, ports.count, ports.free, ports.where) == (base, COUNT, 2, str(config.resolve()))
    assert ports.only_way


def test_a_session_that_could_not_be_found_is_refused_with_cause_and_remedy(config: Path, taken: None) -> None:
    assert require_ports(2, "this session") == []
    with pytest.raises(StreamError, match=rf"2 of LSL's 8 service ports.*takes 3.*PortRange = 128 under \[ports\] in {config}"):
        require_ports(3, "this session")
    assert "service ports" in port_hint()


def test_who_allows_ipv6_pays_two_ports_for_each_stream(config: Path, taken: None) -> None:
    config.write_text(config.read_text() + "[ports]\nIPv6 = allow\n")
    with pytest.raises(StreamError, match="takes 4"):
        require_ports(2, "this session")


def test_without_want_of_ports_nothing_is_said(config: Path) -> None:
    assert require_ports(COUNT, "this session") == []
    assert port_hint() == ""


@pytest.mark.parametrize("more", ["", "[log]\nlevel = -2\n", "[ports]\nIPv6 = allow\n"])
def test_the_users_configuration_holds_in_our_processes_too(tmp_path: Path, more: str) -> None:
    path = tmp_path / "lsl_api.cfg"
    path.write_text("\ufeff[lab]\nSessionID = lab2\n" + more, encoding="utf-8")
    content = content_for_us({"LSLAPICFG": str(path)}) or path.read_text(encoding="utf-8")
    read = tmp_path / "read.cfg"
    read.write_text(content, encoding="utf-8")
    settings, problems = read_config(read)
    assert settings["sessionid"] == "lab2"
    assert settings.get("ipv6") == ("allow" if "IPv6" in more else "disable")
    assert problems == ()
