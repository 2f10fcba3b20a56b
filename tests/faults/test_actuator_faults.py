"""Faults 31, 32, 48 and 49: cables, devices that misbehave, a killed host, hostile packets and hostile names."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from arduino import PIN_CLOSE, PIN_OPEN, SKETCH, Hand
from machine import within
from serial_peer import SerialPeer

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.osc import OscActuator
from devices.actuators.serial_commands import SerialActuator, SerialSettings
from devices.actuators.serial_trigger import TriggerActuator
from devices.actuators.udp import UdpActuator

pytestmark = [pytest.mark.live, pytest.mark.alone]

LEFT = Command("left", 1.0, 1)
DEADLINE_S = 0.02
SLACK_S = 0.03  # of a busy machine
INJECTION = "left\r\nRESET"


def serial(peer: SerialPeer, **more: object) -> SerialActuator:
    return SerialActuator.from_settings({"port": peer.port, "table": {"left": "L", "right": "R"}, "neutral": "S", **more})


def trigger(peer: SerialPeer) -> TriggerActuator:
    return TriggerActuator.from_settings({"port": peer.port, "codes": {"left": 76}, "clear": 83, "width_s": 1.0})


def within_deadline(action: Callable[[], None]) -> None:
    began_s = time.monotonic()
    action()
    assert time.monotonic() - began_s < within(DEADLINE_S + SLACK_S)


def not_confirmed(actuator: SerialActuator | TriggerActuator | UdpActuator | OscActuator, told: str = ".") -> None:
    """Neutral says in time that the device did not take it."""

    def refused() -> None:
        with pytest.raises(ActuatorError, match=told):
            actuator.neutral()

    within_deadline(refused)


def send_until_refused(actuator: SerialActuator | TriggerActuator, name: str = "left") -> str:
    """The message of the first command that is not taken; none may take longer than it should."""
    for sequence in range(100_000):
        began_s = time.monotonic()
        try:
            actuator.send(Command(name, 1.0, sequence))
        except ActuatorError as error:
            assert time.monotonic() - began_s < within(DEADLINE_S + SLACK_S)
            return str(error)
    raise AssertionError("100,000 commands were taken by a device that never reads")


# 31: cable pulled, port busy, write blocks


@pytest.mark.parametrize("opened", [serial, trigger])
def test_a_device_that_never_reads_is_an_error_within_20_ms_and_neutral_is_the_last_it_finds(
    opened: Callable[[SerialPeer], SerialActuator | TriggerActuator],
) -> None:
    with SerialPeer(reads=False) as peer:
        actuator = opened(peer)
        assert "were not accepted within 10 ms" in send_until_refused(actuator)
        peer.drain()
        within_deadline(actuator.neutral)
        assert peer.drain()[-1:] == b"S"
        within_deadline(lambda: actuator.send(LEFT))  # the device reads again: after re-arming, work goes on
        actuator.close()


def test_closing_does_not_wait_for_a_device_that_never_reads() -> None:
    with SerialPeer(reads=False) as peer:
        actuator = serial(peer)
        send_until_refused(actuator)
        began_s = time.monotonic()
        actuator.close()
        assert time.monotonic() - began_s < 0.3


@pytest.mark.parametrize("opened", [serial, trigger, lambda peer: serial(peer, acknowledge="echo")])
def test_a_pulled_cable_is_an_error_at_the_next_command_and_at_every_neutral_and_closing_is_quiet(
    opened: Callable[[SerialPeer], SerialActuator | TriggerActuator],
) -> None:
    peer = SerialPeer(lambda data: data)
    actuator = opened(peer)
    actuator.send(LEFT)
    peer.unplug()
    with pytest.raises(ActuatorError, match="is gone"):
        actuator.send(LEFT)
    not_confirmed(actuator, "check that it is plugged in")
    not_confirmed(actuator, "check that it is plugged in")
    with pytest.raises(ActuatorError, match="is gone; plug it in again"):
        actuator.send(LEFT)
    actuator.close()
    actuator.close()


def test_a_cable_pulled_while_a_command_stands_is_told_with_the_next_one() -> None:
    peer = SerialPeer()
    actuator = serial(peer, heartbeat="h", heartbeat_s=0.01, hold_s=10)
    actuator.send(LEFT)
    peer.unplug()
    time.sleep(0.05)
    with pytest.raises(ActuatorError, match="is gone"):
        actuator.send(LEFT)
    actuator.close()


def test_a_port_that_another_program_uses_is_refused() -> None:
    with SerialPeer() as peer:
        first = serial(peer)
        with pytest.raises(ActuatorError, match=r"cannot be opened.*no other program"):
            serial(peer)
        first.send(LEFT)
        first.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda data: b"", "no answer b'K' in time"),
        (lambda data: b"?", r"answered b'\?' instead of b'K'"),
        (lambda data: b"\xff\x00\xfeK", "instead of b'K'"),
        (lambda data: b"Z" * 4000, "instead of b'K'"),
    ],
    ids=["none", "an error", "garbage before the right one", "a flood"],
)
def test_an_answer_that_is_not_the_acknowledgement_is_an_error_within_20_ms(answer: Callable[[bytes], bytes], told: str) -> None:
    with SerialPeer(answer) as peer:
        actuator = serial(peer, acknowledge="K")

        def refused() -> None:
            with pytest.raises(ActuatorError, match=told):
                actuator.send(LEFT)

        within_deadline(refused)
        not_confirmed(actuator, told)
        actuator.close()


@pytest.mark.parametrize("opened", [serial, trigger])
def test_a_neutral_that_a_device_does_not_take_is_told_each_time_and_done_once_it_reads_again(
    opened: Callable[[SerialPeer], SerialActuator | TriggerActuator],
) -> None:
    with SerialPeer(reads=False) as peer:
        actuator = opened(peer)
        for _ in range(3):
            peer.fill()
            not_confirmed(actuator, "were not accepted within 10 ms")
        peer.drain()
        actuator.neutral()
        assert peer.drain()[-1:] == b"S"
        actuator.close()


@pytest.mark.parametrize("kind", ["serial", "serial, ready", "trigger"])
def test_a_device_that_comes_back_gets_neutral_before_anything_else(kind: str, tmp_path: Path) -> None:
    """The port's name stays, as those in /dev/serial/by-id do; behind it is another device."""
    port = Path("/dev/shm") / f"bci-test-{uuid.uuid4().hex[:8]}"
    ready = {"ready": "hand 1\\n", "acknowledge": "echo"} if kind.endswith("ready") else {}
    say = {"answer": lambda data: data, "greeting": b"boot.. hand 1\n"} if ready else {}
    first = SerialPeer(**say)
    port.symlink_to(first.port)
    try:
        if kind == "trigger":
            actuator: Any = TriggerActuator.from_settings({"port": str(port), "codes": {"left": 76}, "clear": 83, "width_s": 1.0})
        else:
            actuator = serial(first, port=str(port), **ready)
        actuator.send(LEFT)
        first.unplug()
        port.unlink()
        not_confirmed(actuator)
        not_confirmed(actuator, "cannot be opened")
        with SerialPeer(**say) as second:
            port.symlink_to(second.port)
            for _ in range(20):
                with suppress(ActuatorError):
                    actuator.neutral()
                    break
            actuator.send(LEFT)
            assert second.wait_for(b"L")
            assert second.received.startswith(b"S")
            actuator.close()
    finally:
        port.unlink(missing_ok=True)


def test_the_late_answer_to_one_command_is_not_taken_for_that_to_the_next() -> None:
    """A device that answers 50 ms late, and then dies: its answer waits in the port, and proves nothing."""
    late = threading.Event()

    def answer(data: bytes) -> bytes:
        if late.is_set():
            return b""
        time.sleep(0.05)
        return b"K"

    with SerialPeer(answer) as peer:
        actuator = serial(peer, acknowledge="K")
        with pytest.raises(ActuatorError, match="no answer"):
            actuator.send(LEFT)
        time.sleep(0.3)
        late.set()
        with pytest.raises(ActuatorError, match="no answer"):
            actuator.send(LEFT)
        actuator.close()


def test_a_device_that_floods_without_being_asked_disturbs_nothing() -> None:
    with SerialPeer() as peer:
        actuator = serial(peer)
        for _ in range(50):
            peer.say(b"\x00\xff" * 40)
            within_deadline(lambda: actuator.send(LEFT))
            actuator._port.forget_input()  # a terminal's buffer is small; a real driver drops what nobody reads
        actuator.close()


FULL = """
import resource, signal, sys
from bci.engine.command import Command
from bci.errors import ActuatorError
from bci.stream.clock import VirtualClock
from devices.actuators.log import LogActuator
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
actuator = LogActuator.from_settings({"path": sys.argv[1]}, VirtualClock())
actuator.send(Command("left", 1.0, 1))
size = actuator.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    actuator.send(Command("left", 1.0, 2))
except ActuatorError as error:
    print(error)
try:
    actuator.neutral()
except ActuatorError as error:
    print(error)
actuator.close()
"""


def test_a_log_that_cannot_grow_is_an_error_and_what_was_written_stays(tmp_path: Path) -> None:
    """The system's limit on the size of a file stands for a full disk: the same call fails in the same way."""
    path = tmp_path / "log.jsonl"
    told = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True).stdout
    assert told.count("cannot be written (File too large); check that the disk is not full") == 2  # the command, and neutral
    assert [json.loads(line)["sequence"] for line in path.read_text().splitlines()] == [1]


# 32: the process that commands is killed

HOST = """
import sys, time
from bci.engine.command import Command
from devices.actuators.serial_commands import SerialActuator, SerialSettings
actuator = SerialActuator.from_settings({
    "port": sys.argv[1], "table": {"left": "L"}, "neutral": "S", "acknowledge": "echo", "heartbeat": "h",
    "heartbeat_s": 0.05})
for sequence in range(10_000):
    actuator.send(Command("left", 1.0, sequence))
    time.sleep(0.1)
"""


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    found = Hand(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_the_motor_stops_within_250_ms_when_the_commanding_process_is_gone(hand: Hand, how: signal.Signals) -> None:
    hand.start()
    host = subprocess.Popen([sys.executable, "-c", HOST, hand.port])
    try:
        hand.wait_for(PIN_CLOSE, "1", 15.0)
        time.sleep(0.5)
        assert hand.pins()[-1][1:] == (PIN_CLOSE, "1")  # heartbeats keep it going
        gone_s = time.monotonic()
        host.send_signal(how)
        assert hand.wait_for(PIN_CLOSE, "0") - gone_s < 0.25 + SLACK_S
    finally:
        host.kill()
        host.wait()


def test_the_sketch_obeys_refuses_what_it_does_not_know_and_never_drives_both_ways(hand: Hand) -> None:
    hand.start()
    settings = {"port": hand.port, "neutral": "S", "acknowledge": "echo", "heartbeat": "h"}
    actuator = SerialActuator.from_settings({**settings, "table": {"left": "L", "right": "R", "wrong": "X"}})
    actuator.send(LEFT)
    hand.wait_for(PIN_CLOSE, "1")
    actuator.send(Command("right"))
    hand.wait_for(PIN_OPEN, "1")
    with pytest.raises(ActuatorError, match=r"answered b'\?'"):
        actuator.send(Command("wrong"))
    hand.wait_for(PIN_OPEN, "0")
    actuator.close()
    levels = {PIN_CLOSE: "0", PIN_OPEN: "0"}
    for _, pin, level in hand.pins():
        levels |= {pin: level} if pin in levels else {}
        assert set(levels.values()) != {"1"}


def test_the_settings_in_the_sketch_are_settings_that_this_actuator_takes() -> None:
    lines = [line.removeprefix("//   ") for line in SKETCH.read_text(encoding="utf-8").splitlines() if line.startswith("//   ")]
    settings = tomllib.loads("\n".join(lines))
    found = SerialSettings.read({**settings, "port": "/dev/ttyACM0"})
    assert found.ready in SKETCH.read_text(encoding="utf-8").replace("\\n", "\n").encode()
    assert (found.acknowledge, found.heartbeat) == (b"echo", b"h")


# 48: packets


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.setblocking(False)
        yield found


@pytest.mark.parametrize("kind", [UdpActuator, OscActuator])
def test_a_flood_of_packets_from_the_receiver_or_a_stranger_delays_no_command(
    kind: type[UdpActuator] | type[OscActuator], receiver: socket.socket
) -> None:
    actuator = kind.from_settings({"port": receiver.getsockname()[1]})
    actuator.send(LEFT)
    _, address = receiver.recvfrom(1000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(10_000):  # nobody reads: the system's buffer fills, and drops
            receiver.sendto(b"/bci/command\0\0\0\0,b\0\0junk", address)
            stranger.sendto(b"\xff" * 100, address)
        for _ in range(20):
            within_deadline(lambda: actuator.send(LEFT))
    actuator.close()


@pytest.mark.parametrize("kind", [UdpActuator, OscActuator])
def test_a_receiver_that_is_gone_is_an_error_and_one_that_starts_later_is_found(
    kind: type[UdpActuator] | type[OscActuator],
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
    actuator = kind.from_settings({"port": port})
    for _ in range(5):
        not_confirmed(actuator, "check that the receiving program is running")
    with suppress(ActuatorError):  # OSC sends two packets, and hears of the first
        actuator.send(LEFT)
    time.sleep(0.05)
    with pytest.raises(ActuatorError, match="check that the receiving program is running"):
        actuator.send(LEFT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(2)
        with suppress(ActuatorError):  # of the packet before
            actuator.neutral()
        actuator.neutral()
        actuator.send(LEFT)
        got = b""
        while b"left" not in got:
            got += receiver.recv(1000)
        assert b"neutral" in got[: got.index(b"left")]
    actuator.close()


@pytest.mark.parametrize("kind", [UdpActuator, OscActuator])
@pytest.mark.parametrize(
    "command",
    [Command("left", "1"), Command("left", float("nan")), Command(["left"]), Command("left", 1.0, "7"), Command(INJECTION)],  # type: ignore[arg-type]
)
def test_wrong_types_and_hostile_names_leave_no_packet(
    kind: type[UdpActuator] | type[OscActuator], command: Command, receiver: socket.socket
) -> None:
    actuator = kind.from_settings({"port": receiver.getsockname()[1]})
    with pytest.raises(ActuatorError, match="nothing was sent"):
        actuator.send(command)
    with pytest.raises(BlockingIOError):
        receiver.recv(1000)
    actuator.close()


# 49: bytes injected by a label


def test_a_label_can_inject_no_byte_because_no_label_is_ever_sent() -> None:
    with SerialPeer() as peer:
        actuator = serial(peer)
        with pytest.raises(
            ActuatorError, match=r"no entry for command 'left\\r\\nRESET'; the table has left, right; nothing was"
        ):
            actuator.send(Command(INJECTION))
        actuator.close()
        assert peer.wait_for(b"SS")
        assert peer.received == b"SS"


def test_a_hostile_label_that_is_in_the_table_sends_its_entry_and_not_itself() -> None:
    with SerialPeer() as peer:
        actuator = serial(peer, table={INJECTION: "L"})
        actuator.send(Command(INJECTION))
        actuator.close()
        assert peer.wait_for(b"SLS")
        assert peer.received == b"SLS"
