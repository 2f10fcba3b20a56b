"""System calls of recorder and actuators that fail, one case after another, with the real parts (``failing_calls.c``).

In a process of its own: ``python tests/support/failing_calls.py FOLDER CASE…`` with the compiled shim before the C library.
Prints a JSON object for each case. :func:`cases` lists them, :func:`run` compiles the shim and runs some.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__)
KINDS = {name: getattr(errno, name) for name in ("EIO", "ENOSPC", "EINTR", "EMFILE", "EACCES", "EDQUOT", "EPIPE", "ENOBUFS")}
KINDS |= {"SHORT": -1, "NONE": -2, "SLOW": -3}
FILES = (".xdf", ".checks.log", ".checks.json")
POLLS = 60


def cases() -> list[str]:
    """``what:call:part of the path:from which call on:how many:kind``."""
    found = []
    for part, nth, times in itertools.product(FILES, (1, 2, 3, 10, 40, 75), (1, 1000)):
        found += [f"record:write:{part}:{nth}:{times}:{kind}" for kind in ("EIO", "ENOSPC", "EDQUOT", "EINTR", "SHORT", "NONE")]
    for part, nth in itertools.product(FILES, (1, 2, 5)):
        found += [f"record:fdatasync:{part}:{nth}:{times}:{kind}" for times in (1, 1000) for kind in ("EIO", "ENOSPC", "EINTR")]
    for part in FILES:
        found += [f"record:fdatasync:{part}:2:1:SLOW"]
        found += [
            f"record:{call}:{part}:1:1:{kind}" for call in ("open", "rename", "close") for kind in ("EIO", "EMFILE", "EACCES")
        ]
    found += [f"record:fsync:{part}:1:1:{kind}" for part in (".checks.json", "case") for kind in ("EIO", "EINTR")]
    for nth, times in itertools.product((1, 2, 3), (1, 3, 1000)):
        found += [f"udp:send:socket:{nth}:{times}:{kind}" for kind in ("EIO", "ENOBUFS", "EINTR", "EPIPE")]
        found += [f"log:write:commands:{nth}:{times}:{kind}" for kind in ("EIO", "ENOSPC", "EINTR", "SHORT", "NONE")]
    # EINTR for ever is no system that anybody has: a call that is interrupted is made again until it is not.
    return [case for case in found if not case.endswith("1000:EINTR")]


def run(chosen: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """What became of some cases."""
    shim = folder / "failing_calls.so"
    source = HERE.with_suffix(".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True)
    words = [sys.executable, str(HERE), str(folder), *chosen]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "LD_PRELOAD": str(shim)})
    assert ended.returncode == 0, ended.stderr[-2000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]


def wrong(found: dict[str, Any]) -> str:
    """What a case shows that must not be; empty where all is well."""
    if found.get("raised"):
        return f"ended with {found['raised']}"
    return _wrong_recording(found) if found["case"].startswith("record") else _wrong_actuator(found)


def _wrong_recording(found: dict[str, Any]) -> str:
    """A recording ends whole and verified, or with an error, and then with all that was written before."""
    if not found["contiguous"]:
        return "samples are missing in the middle, or altered"
    if found["verified"] == "damaged":
        return "what is there looks damaged"
    if found["error"]:
        return "" if found["read"] >= found["written"] else f"{found['read']} of {found['written']} written samples are there"
    if found["read"] != found["taken"]:
        return f"{found['taken'] - found['read']} samples are lost in silence"
    if not (found["closed"] and found["verified"] == "verified"):
        return f"no error, yet closed {found['closed']}, {found['verified']}"
    call, part, kind = (found["case"].split(":")[i] for i in (1, 2, 5))
    lasting = call in ("write", "fdatasync") and kind not in ("EINTR", "SHORT", "SLOW")
    if found["failed"] and part == ".checks.log" and lasting and not found["told"]:
        return "the log failed, and nobody was told"
    return ""


def _wrong_actuator(found: dict[str, Any]) -> str:
    """A command or a neutral is whole at the other end, or an error; and when the call works again, so does neutral."""
    if found["silent"]:
        return f"of {found['silent']} nothing, or only a part, came, and no error"
    return "" if found["neutral_again"] else "neutral does not work when the system does again"


def main() -> None:
    """Run cases, each in a folder of its own."""
    folder = Path(sys.argv[1])
    for number, case in enumerate(sys.argv[2:]):
        what, call, part, nth, times, kind = case.split(":")
        place = folder / f"case{number}"
        place.mkdir()

        def arm(armed: tuple[str, str, int, int, int] = (call, part, int(nth), int(times), KINDS[kind])) -> None:
            name, where, *numbers = armed
            _shim().fail_calls(name.encode(), where.encode(), *numbers)

        try:
            found = {"record": _recorded, "udp": _udp, "log": _logged}[what](place, arm)
        except Exception as error:
            found = {"raised": f"{type(error).__name__}: {error}"}
        finally:
            _shim().fail_calls(b"", b"", 0, 0, 0)
        print(json.dumps({"case": case, **found}), flush=True)


def _shim() -> Any:
    return ctypes.CDLL(None)


def _recorded(place: Path, arm: Any) -> dict[str, Any]:
    """A recording of numbered samples while a call fails."""
    import numpy as np

    from bci.errors import RecordingError
    from bci.recording.recorder import Recorder
    from bci.stream.xdf.reader import read_xdf
    from bci.stream.xdf.writer import XdfWriter

    path, told, error = place / "a.xdf", [], ""
    clock, inlet = _Clock(), _Numbers()
    taken = written = 0
    arm()
    try:
        writer = XdfWriter(path, tell=told.append)
        recorder = Recorder(writer, clock, tell=told.append)
        recorder.add(inlet, "numbers")
        try:
            for _ in range(POLLS):
                clock.time_s += 0.1
                recorder.poll()
        finally:
            taken = recorder.taken
            try:
                recorder.stop()
            finally:
                taken = recorder.taken
                written = writer.counts().get("numbers (1)", 0)
    except RecordingError as failed:
        error = str(failed)
    failed_calls = _shim().failed_calls()
    _shim().fail_calls(b"", b"", 0, 0, 0)
    result = {"error": error, "told": told, "taken": taken, "written": written, "failed": failed_calls}
    if not path.exists():
        return result | {"read": 0, "contiguous": True, "closed": False, "verified": "unverified"}
    if not path.stat().st_size:
        return result | {"read": 0, "contiguous": True, "closed": False, "verified": "unverified"}
    file = read_xdf(path)
    values = np.concatenate([np.asarray(s.values)[:, 0] for s in file.streams]) if file.streams else np.zeros(0)
    contiguous = bool(np.array_equal(values, np.arange(len(values))))
    return result | {"read": len(values), "contiguous": contiguous, "closed": file.closed, "verified": file.verified}


class _Clock:
    """Time that is set."""

    time_s = 1000.0

    def now(self) -> float:
        return self.time_s


class _Numbers:
    """Ten numbered samples at each look."""

    header_xml = (
        "<info><name>numbers</name><type>EEG</type><channel_count>2</channel_count><nominal_srate>100</nominal_srate>"
        "<channel_format>double64</channel_format></info>"
    )

    def __init__(self) -> None:
        self.sent, self.rest = 0, False

    def pull(self, timeout_s: float) -> Any:
        import numpy as np

        self.rest = not self.rest
        if not self.rest:
            return None
        index = np.arange(self.sent, self.sent + 10)
        self.sent += 10
        return np.stack([index, index], 1).astype(float), index / 100

    def time_correction(self, timeout_s: float) -> tuple[float, float]:
        return 1000.0, 0.0

    def close(self) -> None:
        pass


def _udp(place: Path, arm: Any) -> dict[str, Any]:
    """Commands and neutrals as packets while a call fails."""
    import socket

    from devices.actuators.udp import UdpActuator

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)

        def heard() -> int:
            n = 0
            try:
                while json.loads(receiver.recv(4096)):
                    n += 1
            except BlockingIOError:
                return n

        actuator = UdpActuator.from_settings({"port": receiver.getsockname()[1]})
        return _driven(actuator, heard, arm)


def _logged(place: Path, arm: Any) -> dict[str, Any]:
    """Commands and neutrals as lines of a file while a call fails."""
    from devices.actuators.log import LogActuator, LogSettings

    actuator = LogActuator(LogSettings(str(place / "commands.jsonl")), _Clock())  # type: ignore[arg-type]
    seen = 0

    def heard() -> int:
        nonlocal seen
        n = 0
        for line in actuator.path.read_bytes().splitlines(keepends=True):
            try:
                n += line.endswith(b"\n") and "command" in json.loads(line)
            except ValueError:
                continue
        new, seen = n - seen, n
        return new

    return _driven(actuator, heard, arm)


def _driven(actuator: Any, heard: Any, arm: Any) -> dict[str, Any]:
    """Every order is carried out whole, or raises."""
    from bci.engine.command import Command
    from bci.errors import ActuatorError

    silent = []
    arm()
    for number in range(4):
        command = partial(actuator.send, Command("left", 1.0, number))
        for name, order in (("a command", command), ("a neutral", actuator.neutral)):
            try:
                order()
            except ActuatorError:
                heard()
                continue
            if heard() != 1:
                silent.append(name)
    _shim().fail_calls(b"", b"", 0, 0, 0)
    actuator.neutral()
    again = heard() >= 1
    actuator.close()
    return {"silent": silent, "neutral_again": again}


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[2]))
    main()
