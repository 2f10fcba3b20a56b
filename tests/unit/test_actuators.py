"""Actuators: what each puts on its wire, how settings are checked, and that no socket reaches beyond this computer."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import psutil
import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer
from serial_peer import SerialPeer

from bci.engine.command import Command
from bci.errors import ActuatorError, ConfigError
from bci.stream.clock import VirtualClock
from devices.actuators.alarm import Alarm
from devices.actuators.log import LogActuator
from devices.actuators.lsl import LslActuator
from devices.actuators.options import to_bytes
from devices.actuators.osc import OscActuator
from devices.actuators.serial_commands import SerialActuator
from devices.actuators.serial_trigger import TriggerActuator
from devices.actuators.udp import UdpActuator

pytestmark = [pytest.mark.live, pytest.mark.alone]

LEFT = Command("left", 1.0, 7)


def serial(peer: SerialPeer, **more: object) -> SerialActuator:
    return SerialActuator.from_settings({"port": peer.port, "table": {"left": "L", "right": "R"}, "neutral": "S", **more})


# Serial


def test_serial_sends_exactly_the_bytes_of_the_table_and_neutral_first_and_last() -> None:
    with SerialPeer() as peer:
        actuator = serial(peer, table={"left": "L\\n", "right": [1, 255], "grip": "G{value}\\r", "turn": "T{byte}"})
        for command in (LEFT, Command("right"), Command("grip", 0.25), Command("turn", 123 / 255)):
            actuator.send(command)
        actuator.close()
        assert peer.wait_for(b"T{S")
        assert peer.received == b"SL\n\x01\xffG0.250\rT{S"


def test_serial_waits_for_the_acknowledgement_so_that_the_delay_can_be_measured() -> None:
    def answer(data: bytes) -> bytes:
        if data == b"L":
            time.sleep(0.01)
        return b"K"

    with SerialPeer(answer) as peer:
        actuator = serial(peer, acknowledge="K", deadline_s=0.03)
        began_s = time.monotonic()
        actuator.send(LEFT)
        assert 0.01 <= time.monotonic() - began_s < 0.06
        actuator.close()


def test_serial_can_wait_until_a_board_has_restarted() -> None:
    with SerialPeer(lambda data: data, greeting=b"\x00\xffboot.. hand 1\n") as peer:
        actuator = serial(peer, acknowledge="echo", ready="hand 1\\n")
        actuator.send(LEFT)
        actuator.close()
        assert peer.received == b"SLS"


def test_a_board_that_never_says_it_is_ready_is_an_error_and_its_port_is_free_again() -> None:
    with SerialPeer() as peer:
        with pytest.raises(ActuatorError, match=r"no answer b'hand' in time"):
            serial(peer, ready="hand", ready_s=0.1)
        serial(peer).close()


def test_heartbeats_go_out_while_a_command_stands_and_end_with_neutral() -> None:
    with SerialPeer() as peer:
        actuator = serial(peer, heartbeat="h", heartbeat_s=0.01, hold_s=60)
        time.sleep(0.05)
        assert b"h" not in peer.received  # nothing to keep going
        actuator.send(LEFT)
        assert peer.wait_for(b"Lhhh")
        actuator.neutral()
        assert peer.wait_for(b"hS")
        time.sleep(0.05)
        assert peer.received.endswith(b"S")
        actuator.close()


def test_a_command_that_is_not_renewed_ends_by_itself() -> None:
    with SerialPeer() as peer:
        actuator = serial(peer, heartbeat="h", heartbeat_s=0.02, hold_s=0.1)
        actuator.send(LEFT)
        began_s = time.monotonic()
        assert peer.wait_for(b"hS")
        assert 0.05 < time.monotonic() - began_s < 0.25
        actuator.send(LEFT)  # which is no failure: the next command stands again
        actuator.close()


# Trigger


def test_a_trigger_pulse_has_the_stated_width_and_nobody_waits_for_its_end() -> None:
    widths_s = []
    with SerialPeer() as peer:
        actuator = TriggerActuator.from_settings({"port": peer.port, "codes": {"left": 1}, "width_s": 0.02})
        assert peer.wait_for(b"\x00")
        for _ in range(10):
            peer.log.clear()
            began_s = time.monotonic()
            actuator.send(LEFT)
            assert time.monotonic() - began_s < 0.01
            assert peer.wait_for(b"\x01\x00")
            widths_s.append(peer.log[-1][0] - peer.log[0][0])
        actuator.close()
    assert 0.015 < statistics.median(widths_s) < 0.03


def test_a_pulse_during_another_replaces_it_and_lasts_as_long_as_every_pulse() -> None:
    with SerialPeer() as peer:
        actuator = TriggerActuator.from_settings({"port": peer.port, "codes": "left=1, right=2", "width_s": "0.1"})
        actuator.send(LEFT)
        time.sleep(0.05)
        sent_s = time.monotonic()
        actuator.send(Command("right"))
        assert peer.wait_for(b"\x00\x01\x02\x00")
        assert peer.log[-1][0] - sent_s > 0.09
        actuator.close()


def test_neutral_ends_a_pulse_at_once_and_only_once() -> None:
    with SerialPeer() as peer:
        actuator = TriggerActuator.from_settings({"port": peer.port, "codes": {"left": 1}, "width_s": 0.05})
        actuator.send(LEFT)
        actuator.neutral()
        time.sleep(0.1)
        assert peer.received == b"\x00\x01\x00"
        actuator.close()


def test_an_alarm_that_is_set_again_rings_once_and_at_the_later_time() -> None:
    rung: Queue[float] = Queue()
    alarm = Alarm(lambda: rung.put(time.monotonic()))
    due_s = time.monotonic() + 0.05
    alarm.set(due_s - 0.03)
    alarm.set(due_s)
    assert 0 <= rung.get(timeout=2) - due_s < 0.05
    alarm.set(time.monotonic() + 0.02)
    alarm.cancel()
    time.sleep(0.04)
    assert rung.empty()
    alarm.close()
    alarm.close()


# Network


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(2)
        yield found


def port_of(receiver: socket.socket) -> int:
    return int(receiver.getsockname()[1])


def test_udp_sends_json_and_neutral_as_a_command_of_value_0(receiver: socket.socket) -> None:
    actuator = UdpActuator.from_settings({"port": str(port_of(receiver))})
    actuator.send(Command("links «1»", 0.5, 7))
    actuator.close()
    assert json.loads(receiver.recv(1000)) == {"v": 1, "command": "links «1»", "value": 0.5, "sequence": 7, "alive": 1}
    assert json.loads(receiver.recv(1000)) == {"v": 1, "command": "neutral", "value": 0.0, "sequence": 7, "alive": 2}


def test_udp_sends_text(receiver: socket.socket) -> None:
    actuator = UdpActuator.from_settings({"port": port_of(receiver), "format": "text", "neutral": "stop"})
    actuator.send(LEFT)
    actuator.close()
    assert (receiver.recv(1000), receiver.recv(1000)) == (b"left 1.000\n", b"stop 0.000\n")


def test_udp_speaks_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this computer has no IPv6")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("::1", 0))
        receiver.settimeout(2)
        actuator = UdpActuator.from_settings({"port": port_of(receiver), "host": "::1", "format": "text"})
        actuator.send(LEFT)
        assert receiver.recv(1000) == b"left 1.000\n"
        actuator.close()


def test_osc_messages_arrive_with_their_types_at_a_server_of_somebody_else() -> None:
    got: Queue[tuple[Any, ...]] = Queue()
    dispatcher = Dispatcher()
    dispatcher.map("/hand", lambda address, *given: got.put((address, *given)))
    with ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        actuator = OscActuator.from_settings({"port": server.server_address[1], "address": "/hand"})
        actuator.send(Command("left", 1, 2**31 + 5))
        assert got.get(timeout=2) == ("/hand", "left", 1.0, 5)
        actuator.close()
        assert got.get(timeout=2) == ("/hand", "neutral", 0.0, 5)
        server.shutdown()
        thread.join()


def test_osc_bytes_are_those_of_the_specification(receiver: socket.socket) -> None:
    """Strings end with a NUL and are padded to 4 bytes; numbers are big-endian."""
    actuator = OscActuator.from_settings({"port": port_of(receiver), "address": "/a"})
    actuator.send(Command("left", 0.5, 3))
    assert receiver.recv(1000) == b"/a\0\0,sfi\0\0\0\0left\0\0\0\0\x3f\0\0\0\0\0\0\x03"
    actuator.close()


@pytest.mark.parametrize("kind", [UdpActuator, OscActuator])
def test_no_socket_reaches_beyond_this_computer_unless_the_settings_say_so(
    kind: type[UdpActuator] | type[OscActuator], receiver: socket.socket
) -> None:
    before = set(psutil.Process().net_connections("all"))
    actuator = kind.from_settings({"port": port_of(receiver)})
    new = set(psutil.Process().net_connections("all")) - before
    assert [(c.type, c.laddr.ip, c.raddr.ip) for c in new] == [(socket.SOCK_DGRAM, "127.0.0.1", "127.0.0.1")]
    assert actuator.sender.local_address == "127.0.0.1"
    actuator.close()


# LSL and log


def test_lsl_sends_markers_that_any_program_understands() -> None:
    from bci.stream.lsl import LslMarkerInlet, StreamQuery, resolve

    actuator = LslActuator.from_settings({"name": "test-markers"})
    inlet = LslMarkerInlet(resolve(StreamQuery(name="test-markers", type="Markers"), timeout_s=5))
    found = collect(inlet.pull, lambda: actuator.send(LEFT))
    assert found[0][0] == "left"
    actuator.close()
    assert [text for text, _ in inlet.pull(0.0)][-1] == "neutral"
    inlet.close()


def test_lsl_sends_numbers_with_a_code_for_each_command() -> None:
    from bci.stream.lsl import LslRawInlet, StreamQuery, resolve

    actuator = LslActuator.from_settings({"name": "test-numbers", "kind": "number", "codes": "left=3,right=4"})
    inlet = LslRawInlet(resolve(StreamQuery(name="test-numbers", type="BCI-Command"), timeout_s=5))

    def rows(timeout_s: float) -> list[list[float]]:
        pulled = inlet.pull(timeout_s)
        return [] if pulled is None else [[float(x) for x in row] for row in pulled[0]]

    assert collect(rows, lambda: actuator.send(Command("left", 0.5, 7)))[0] == [3.0, 0.5, 7.0]
    assert collect(lambda timeout_s: [row for row in rows(timeout_s) if row[0] == 0], actuator.neutral)[0] == [0.0, 0.0, 7.0]
    actuator.close()
    assert rows(0.0)[-1] == [0.0, 0.0, 7.0]
    inlet.close()


def collect(pull: Callable[[float], list[Any]], again: Callable[[], None]) -> list[Any]:
    """What comes; sends until the first has, for a subscription takes its time."""
    for _ in range(100):
        again()
        if found := pull(0.05):
            return found
    raise AssertionError("nothing came within 5 s")


def test_the_log_has_a_line_for_each_command_with_its_time(tmp_path: Path) -> None:
    clock = VirtualClock(12.5)
    actuator = LogActuator.from_settings({"path": str(tmp_path / "new" / "log.jsonl")}, clock)
    actuator.send(LEFT)
    lines = actuator.path.read_text().splitlines()  # nothing is kept back
    clock.wait_until(13.0)
    actuator.close()
    lines = actuator.path.read_text().splitlines()
    first, last = (json.loads(line) for line in lines)
    assert (first["time"], first["command"], first["value"], first["sequence"]) == (12.5, "left", 1.0, 7)
    assert (last["time"], last["command"]) == (13.0, None)
    assert first["utc"].endswith("+00:00")


def test_a_log_that_exists_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("mine\n")
    actuator = LogActuator.from_settings({"path": str(path)}, VirtualClock())
    actuator.close()
    assert path.read_text() == "mine\n"
    assert actuator.path.name == "log-2.jsonl"


# Settings


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        (SerialActuator, {}, ["port: is missing", "table: is missing", "neutral: is missing"]),
        (
            SerialActuator,
            {"port": "/dev/ttyACM*", "table": {"left": "S", "up": "", "x": "\\q"}, "neutral": "S", "baud": "fast", "bad": 1},
            ["port = '/dev/ttyACM*'", "table.left = b'S'", "table.up: is empty", "table.x", "baud = fast", "bad: "],
        ),
        (SerialActuator, {"port": "socket://10.0.0.1:7777", "deadline_s": "nan"}, ["socket://", "deadline_s = nan"]),
        (SerialActuator, {"port": "spy:///dev/ttyS0?file=/tmp/x", "hold_s": True}, ["spy://", "hold_s = True"]),
        (
            TriggerActuator,
            {"port": "/dev/../etc/passwd", "codes": {"left": 0, "right": 256, "x": 1.5, "y": True}, "width_s": 0},
            ["passwd", "codes.left = 0", "codes.right: 256", "codes.x: 1.5", "codes.y: True", "width_s = 0"],
        ),
        (
            UdpActuator,
            {"port": 0, "host": "example.org", "format": "xml"},
            ["port = 0", "host = 'example.org'", "format = 'xml'"],
        ),
        (UdpActuator, {"host": "255.255.255.255", "neutral": "a\nb"}, ["port: is missing", "not of many", "neutral = 'a\\nb'"]),
        (OscActuator, {"port": 1.5, "host": "239.0.0.1", "address": "/a/*"}, ["port = 1.5", "not of many", "address = '/a/*'"]),
        (LslActuator, {"name": "a\nb", "kind": "numbers"}, ["name = 'a\\nb'", "kind = 'numbers'"]),
        (LslActuator, {"kind": "number"}, ["codes: is missing"]),
        (LogActuator, {"path": "a\0b", "mode": "w"}, ["path = 'a\\x00b'", "mode: "]),
    ],
)
def test_everything_wrong_in_the_settings_is_told_at_once(kind: Any, settings: dict[str, object], told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        kind.from_settings(settings)
    for words in told:
        assert any(words in line for line in caught.value.problems), (words, caught.value.problems)


def test_a_port_that_is_not_there_is_told_with_what_to_look_for() -> None:
    with pytest.raises(ActuatorError, match=r"/dev/ttyNOWHERE: cannot be opened .*plugged in.*dialout"):
        SerialActuator.from_settings({"port": "/dev/ttyNOWHERE", "table.left": "L", "neutral": "S"})


@pytest.mark.parametrize("value", ["\\", "\\x4", "\\u0041", "é→", [256], [-1], [True], 3, None])
def test_what_is_no_byte_string_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"must|escape|character"):
        to_bytes(value)


@pytest.mark.parametrize("module", ["serial_commands", "serial_trigger", "udp", "osc", "log", "lsl"])
def test_an_actuator_loads_nothing_heavy(module: str) -> None:
    heavy = "{'pylsl', 'mne', 'sklearn', 'torch', 'PySide6', 'scipy.signal', 'pydantic'}"
    code = f"import sys, devices.actuators.{module}; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
