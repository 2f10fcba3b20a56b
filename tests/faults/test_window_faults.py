"""Fault 35: the operator's window hangs or dies. Real windows, a real actuator host, a real session; times at the receiver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eeg_sender import amplifier
from machine import condition, stalled_s, within
from session_rig import Recorded, Session, assert_verified, save_a_model, until
from udp_receiver import Receiver

from bci.actuation.arming import proof
from bci.engine.outcome import Reason
from bci.processes.child import Child
from bci.stream import messages
from bci.stream.keys import KEY
from bci.stream.lsl import LslOutlet, LslTextOutlet, StreamQuery, local_clock, this_host
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.metadata import row_info
from bci.stream.signing import MAC_FIELDS, Signer, row_mac

pytest.importorskip("PySide6", reason="windows need the extra gui: pip install 'bci[gui]'")
pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.name != "posix", reason="signals are POSIX"),
]

SESSION_KEY = b"w" * 32
PATIENCE_S = 60.0
VIEW_S = 1.0
WATCHING_S = 0.1
LATCH_S = 1.0
FROZEN_S = 5.0
RESUME_S = 0.5
END_S = 2.0
STANDSTILL_S = 0.1
"""Of the machine, less than which no row is too old."""


@contextmanager
def operator(name: str, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The operator window of a session, in a process of its own."""
    words = ["gui", "operator", "--name", name, "--settings", str(place / "w.ini"), "--recording", str(place)]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    window = subprocess.Popen([sys.executable, "-m", "bci", *words], env=env, **quiet)
    try:
        yield window
    finally:
        window.kill()
        window.wait()


class Deciding:
    """Decisions for one class, a row every 40 ms, signed."""

    def __init__(self, name: str) -> None:
        self._source_id = f"{name}-decisions"
        info = row_info(self._source_id, "BCI-Decision", self._source_id, messages.DECISION_FIELDS + MAC_FIELDS)
        self._outlet = LslOutlet(info, bci={"classes": '["left", "right"]'})
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        sequence = 0
        while not self._ending.wait(0.04):
            sequence += 1
            now = local_clock()
            row = np.array((sequence, 0, 0.9, now, now + 0.25, Reason.DECIDED, 0), dtype=np.float64)
            self._outlet.push(np.concatenate((row, row_mac(SESSION_KEY, self._source_id, row))))

    def close(self) -> None:
        """End the stream."""
        self._ending.set()
        self._thread.join()
        self._outlet.close()


class Host:
    """An actuator host, what its guard says, and the far end of its wire."""

    def __init__(self, place: Path, view_s: float) -> None:
        self.name, self.receiver = f"w{uuid.uuid4().hex[:8]}", Receiver()
        self._person = LslTextOutlet(f"{self.name}-control", "BCI-Control", f"{self.name}-person")
        self._ears = LateMarkers(StreamQuery(name=f"{self.name}-guard"))
        self._said: list[dict[str, Any]] = []
        self._signer = Signer(SESSION_KEY, local_clock, this_host())
        words = ["actuate", "udp", "--set", f"port={self.receiver.port}", "--set", "pace.repeat_s=0.08"]
        words += ["--set", "pace.min_interval_s=0.04", "--set", f"guard.view_s={view_s}", "--name", self.name]
        self._child = Child("host", [*words, "--parent-pipe", "--json"], place / "host.log")
        self._token = self._child.wait_ready(PATIENCE_S)["token"]
        self._engine = Deciding(self.name)

    def said(self) -> list[dict[str, Any]]:
        """What the guard said, with ``at``: when."""
        self._said += [{**messages.parse(text, "guard"), "at": at} for text, at in self._ears.pull(0.0)]
        return [m for m in self._said if m["kind"] == "guard"]

    def state(self) -> str:
        """Of the guard."""
        said = self.said()
        return str(said[-1]["state"]) if said else ""

    def arm(self) -> None:
        """Until it moves: a person tests the stop, and arms."""

        def moving() -> bool:
            said = self.said()
            if said and said[-1]["state"] in ("disarmed", "safe") and said[-1]["good_s"] >= 2.0:
                self._person.push(self._signer.line("stop_now", why="proof test"))
                until(lambda: self.said()[-1]["heard"]["count"] > said[-1]["heard"]["count"], "the stop is heard", PATIENCE_S)
                nonce = self.said()[-1]["nonce"]
                self._person.push(self._signer.line("arm", proof=proof(self._token, nonce), by="test", actuator=""))
                time.sleep(0.1)
            return self.state() == "active" and bool(self.receiver.since(local_clock() - 0.2))

        until(moving, "active", PATIENCE_S)

    def close(self) -> None:
        """End everything."""
        self._engine.close()
        self._child.stop()
        self._ears.close()
        self._person.close()
        self.receiver.close()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this test starts has one key, as what a session starts has."""
    monkeypatch.setenv(KEY, SESSION_KEY.hex())


@pytest.fixture
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host that requires the window, or with the parameter 0 does not."""
    made = Host(tmp_path, getattr(request, "param", VIEW_S))
    yield made
    made.close()


@pytest.mark.alone
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM], ids=["hangs", "killed", "closed"])
def test_fault_35_without_the_window_that_is_required_it_is_neutral_then_safe_and_its_return_moves_nothing(
    host: Host, tmp_path: Path, how: signal.Signals
) -> None:
    with operator(host.name, tmp_path) as window:
        host.arm()
        began = local_clock()
        os.kill(window.pid, how)
        until(lambda: host.state() == "safe", "safe", 20.0)
        neutral_s = host.receiver.since(began, "neutral")[0] - began
        safe = next(m for m in host.said() if m["state"] == "safe" and m["at"] > began)
        print(f"\nwindow {how.name}: neutral {neutral_s:.2f} s, SAFE {safe['at'] - began:.2f} s ({condition()})")
        assert VIEW_S - WATCHING_S - 0.1 - stalled_s() <= neutral_s <= VIEW_S + within(0.25)
        assert safe["at"] - began <= neutral_s + LATCH_S + within(0.25)
        assert "window" in safe["why"]
        if how == signal.SIGSTOP:
            os.kill(window.pid, signal.SIGCONT)
            time.sleep(3.0)
        if how == signal.SIGTERM:  # fault 34: a window that is closed in good order
            assert window.wait(END_S) == 0
        assert host.state() == "safe"
        assert not host.receiver.since(began + neutral_s)


@pytest.mark.parametrize("host", [0.0], indirect=True)
def test_fault_35_where_no_window_is_required_commands_go_on_while_it_is_frozen_and_killed(host: Host, tmp_path: Path) -> None:
    with operator(host.name, tmp_path) as window:
        host.arm()
        ear = LateMarkers(StreamQuery(name=f"{host.name}-control"))
        until(lambda: any('"watching"' in text for text, _ in ear.pull(0.0)), "the window lives", PATIENCE_S)
        began = local_clock()
        os.kill(window.pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        os.kill(window.pid, signal.SIGKILL)
        time.sleep(1.0)
        ear.close()
    moved = host.receiver.since(began)
    assert host.state() == "active"
    # Where the whole machine stands still for a quarter of a second, rows are too old and it holds, as it must.
    held = {(m["state"], m["why"]) for m in host.said() if m["at"] > began and m["state"] != "active"}
    print(f"\nwindow frozen and killed: longest gap {max(np.diff(moved)):.2f} s, held {held or 'never'} ({condition()})")
    assert not [why for _, why in held if "window" in why]
    assert {state for state, _ in held} <= {"hold"}
    assert stalled_s() > STANDSTILL_S or not (held or host.receiver.since(began, "neutral"))
    assert len(moved) > 0.5 * (FROZEN_S + 1.0) / 0.08
    assert max(np.diff(moved)) < within(0.25) + (RESUME_S if held else 0.0)


def test_fault_35_engine_and_recorder_do_not_notice_a_window_that_is_frozen_killed_and_opened_again(tmp_path: Path) -> None:
    model, name = save_a_model(tmp_path / "m.safetensors"), f"amp{uuid.uuid4().hex[:8]}"
    with amplifier(name, "--source-id", name):
        session = Session(model, name, tmp_path / "out")
        try:
            session.until_deciding()
            with operator(session.name, tmp_path / "out") as window:
                time.sleep(8.0)
                frozen = local_clock()
                os.kill(window.pid, signal.SIGSTOP)
                time.sleep(FROZEN_S)
                os.kill(window.pid, signal.SIGKILL)
                killed = local_clock()
            with operator(session.name, tmp_path / "out"):
                time.sleep(5.0)
            session.until_deciding()
            code, _, said = session.signal(signal.SIGINT)
            assert code == 0, said
        finally:
            session.clean()
    recorded = Recorded(session)
    recorded.assert_everything_delivered_is_here()
    assert not {"lost", "found", "gap", "segment"} & set(recorded.kinds())
    held = recorded.decisions[(recorded.sent > frozen) & (recorded.sent < killed)]
    assert len(held) > 0.8 * (killed - frozen) / 0.04
    late_s = max(np.diff(recorded.sent[(recorded.sent > frozen) & (recorded.sent < killed)]))
    print(f"\nwindow frozen: {len(held)} rows in {killed - frozen:.1f} s, longest pause {1e3 * late_s:.0f} ms ({condition()})")
    assert late_s < within(0.25)
    assert_verified(session.path)
