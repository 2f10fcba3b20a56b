"""Every actuator keeps to the contract, and the contract notices who does not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from serial_peer import SerialPeer

from bci import plugins
from bci.contracts.actuator import actuator_breaches, cut_breaches, settings_breaches
from bci.engine.command import Command
from bci.errors import ActuatorError, ConfigError
from bci.stream.bus import Actuator

pytestmark = pytest.mark.live

NAMES = ("left", "right")
SERIAL = {"table": {"left": "L", "right": "R{value};"}, "neutral": "S"}


def echo(data: bytes) -> bytes:
    return data


class Rig:
    """Settings for one kind of actuator, with its other end running."""

    def __init__(self, stack: ExitStack, tmp_path: Path) -> None:
        self._stack, self._tmp_path = stack, tmp_path

    def settings(self, kind: str) -> tuple[dict[str, Any], Callable[[], bytes] | None]:
        """Settings that work, and what has been received."""
        name, _, variant = kind.partition(", ")
        if name in ("serial", "trigger"):
            slow = variant.endswith("slow")
            peer = self._stack.enter_context(SerialPeer(echo if variant else lambda _: b"", byte_s=0.0005 if slow else 0.0))
            variant = variant.removesuffix(", slow")
            if name == "trigger":
                return {"port": peer.port, "codes": {"left": 1, "right": 2}, "width_s": 0.005}, lambda: peer.received
            more = {"acknowledge": "echo"} if variant == "acknowledged" else {"heartbeat": "h"} if variant else {}
            return {"port": peer.port, **SERIAL, **more}, lambda: peer.received
        if name in ("udp", "osc"):
            receiver = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            receiver.bind(("127.0.0.1", 0))
            return {"port": receiver.getsockname()[1], **({"format": variant} if variant else {})}, lambda: waiting(receiver)
        if name == "lsl":
            return {"name": "contract", **({"kind": "number", "codes": {"left": 1, "right": 2}} if variant else {})}, None
        path = self._tmp_path / "commands.jsonl"
        return {"path": str(path)}, lambda: b"".join(p.read_bytes() for p in self._tmp_path.glob("*.jsonl"))


def waiting(receiver: socket.socket) -> bytes:
    """All packets that came."""
    receiver.setblocking(False)
    found = b""
    while True:
        try:
            found += receiver.recv(65536)
        except BlockingIOError:
            return found


KINDS = (
    "serial",
    "serial, acknowledged",
    "serial, acknowledged, slow",
    "serial, heartbeat",
    "serial, heartbeat, slow",
    "trigger",
    "udp, json",
    "udp, text",
    "osc",
    pytest.param("lsl", marks=pytest.mark.live),
    pytest.param("lsl, number", marks=pytest.mark.live),
    "log",
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(stack, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_actuator_keeps_the_contract(kind: str, rig: Rig) -> None:
    good, received = rig.settings(kind)
    from_settings = plugins.load(plugins.ACTUATORS, kind.partition(",")[0]).from_settings
    assert actuator_breaches(lambda: from_settings(good), NAMES, received) == []
    assert settings_breaches(from_settings, good) == []


def test_every_actuator_that_is_registered_is_held_to_the_contract() -> None:
    tested = {getattr(kind, "values", (kind,))[0].partition(",")[0] for kind in KINDS}
    assert set(plugins.names(plugins.ACTUATORS)) == tested | {"keys"}  # on a display of their own, in tests/live/test_keys.py


@pytest.mark.parametrize("kind", ["serial", "serial, acknowledged", "trigger"])
def test_an_actuator_whose_cable_is_out_says_at_every_neutral_that_it_was_not_done(kind: str) -> None:
    name, _, more = kind.partition(", ")
    peer = SerialPeer(echo)
    settings = {"codes": {"left": 1}} if name == "trigger" else SERIAL | ({"acknowledge": "echo"} if more else {})
    actuator = plugins.load(plugins.ACTUATORS, name).from_settings({"port": peer.port, **settings})
    assert cut_breaches(actuator, peer.unplug) == []


@pytest.mark.parametrize("kind", ["udp", "osc"])
def test_an_actuator_whose_receiver_ended_says_at_every_neutral_that_it_was_not_done(kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        actuator = plugins.load(plugins.ACTUATORS, kind).from_settings({"port": receiver.getsockname()[1]})
        assert cut_breaches(actuator, receiver.close) == []


class Good:
    """Keeps the contract, moves nothing."""

    def __init__(self) -> None:
        self._open = True

    def send(self, command: Command) -> None:
        from devices.actuators.orders import check

        check(command, "test", NAMES)
        if not self._open:
            raise ActuatorError("is closed")

    def neutral(self) -> None:
        pass

    def close(self) -> None:
        self._open = False


class TakesAnything(Good):
    def send(self, command: Command) -> None:
        if not self._open:
            raise ActuatorError("is closed")


class Undead(Good):
    def close(self) -> None:
        pass


class Raw(Good):
    def send(self, command: Command) -> None:
        if command.name not in NAMES:
            raise ActuatorError(f"no {command.name}")
        super().send(command)


class Slow(Good):
    def neutral(self) -> None:
        import time

        time.sleep(0.06)


class Talks(Good):
    def neutral(self) -> None:
        return "done"  # type: ignore[return-value]


class Fails(Good):
    def neutral(self) -> None:
        raise ActuatorError("not now")


class Refuses(Good):
    def send(self, command: Command) -> None:
        raise ActuatorError("not today")


def test_the_contract_has_nothing_against_an_actuator_that_keeps_it() -> None:
    assert actuator_breaches(Good, NAMES) == []


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (TakesAnything, "nan, sequence=0): must be refused"),
        (Undead, "send() after close() must raise"),
        (Raw, "control characters"),
        (Slow, "neutral(): took"),
        (Talks, "neutral(): returned 'done'"),
        (Fails, "neutral(): raised although nothing is wrong: not now"),
        (Refuses, "raised although nothing is wrong"),
    ],
)
def test_contract_names_what_an_actuator_does_wrong(broken: Callable[[], Actuator], told: str) -> None:
    assert any(told in line for line in actuator_breaches(broken, NAMES))


def test_contract_names_a_neutral_that_claims_to_be_done_when_nobody_is_there() -> None:
    assert len(cut_breaches(Good(), lambda: None)) == 3


def test_contract_names_text_that_reaches_the_wire() -> None:
    assert any("reached the wire" in line for line in actuator_breaches(Good, NAMES, lambda: b"left\r\nRESET"))


def test_contract_names_settings_that_are_not_checked() -> None:
    def first_only(options: Mapping[str, object]) -> Actuator:
        raise ConfigError("no_such_setting: unknown")

    assert settings_breaches(lambda _: Good(), {}) == ["unknown settings are taken without a word"]
    assert settings_breaches(first_only, {}) == ["setting 'another_such' is unknown, and not told"]
