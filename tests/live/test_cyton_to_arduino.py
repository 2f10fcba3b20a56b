"""The whole way in one session: a Cyton's bytes, LSL, engine, guard, an Arduino's pins; recorded, and verified by replay.

Board and Arduino are at the far ends of pseudo-terminals: the one speaks the documented bytes, the other is the example
sketch, compiled for this computer. Everything in between is what a person would start with one `bci run`.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

if os.name != "posix":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

from arduino import PIN_CLOSE, PIN_OPEN, Hand
from eeg_sender import LABELS, NOISE_UV
from fake_cyton import fake_cyton
from session_rig import Session, assert_verified, save_a_model, until

from bci.stream import messages
from bci.stream.lsl import local_clock
from bci.stream.xdf.reader import read_xdf
from devices.cyton_protocol import CHANNELS, microvolts_per_count

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(180)]

UV = microvolts_per_count(24)
NOISE = np.random.default_rng(0).normal(0, NOISE_UV / UV, (10_000, CHANNELS))
EACH = 750  # packets: three seconds of the left hand, three of the right


def imagery(number: int) -> np.ndarray:
    """Counts of packet ``number``: C3 is weak for a while, then C4."""
    values = NOISE[number % len(NOISE)].copy()
    values[LABELS.index("C3" if number // EACH % 2 == 0 else "C4")] *= 0.5
    return np.round(values).astype(np.int32)


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    found = Hand(tmp_path)
    yield found
    found.close()


def test_what_a_cyton_measures_moves_an_arduino_and_the_recording_holds_commands_delays_and_verifies(
    tmp_path: Path, hand: Hand
) -> None:
    hand.start()
    assert hand.process is not None
    name = f"cyton-{uuid.uuid4().hex[:8]}"
    with fake_cyton(packet=imagery) as board:
        serial = {"port": hand.port, "neutral": "S", "acknowledge": "echo", "heartbeat": "h", "table.left": "L",
                  "table.right": "R"}  # fmt: skip
        cyton = {"port": board.port, "name": name, "channels": ",".join(LABELS)}
        settings = [f"actuator.settings.{k}={v}" for k, v in serial.items()]
        settings += [f"source.settings.{k}={v}" for k, v in cyton.items()]
        settings += ["source.name=cyton", "pace.repeat_s=0.1", "decision.smoothing_s=0.1"]
        words = ["--device", "--actuator", "serial", "--arm", *(word for s in settings for word in ("--set", s))]
        session = Session(save_a_model(tmp_path / "m.safetensors"), name, tmp_path / "out", *words)
        try:
            session.until_deciding()
            for pin in (PIN_CLOSE, PIN_OPEN):
                until(lambda pin=pin: (pin, "1") in [row[1:] for row in hand.pins()], f"pin {pin}; {hand.pins()}")
            hung_s = local_clock()
            hand.process.send_signal(signal.SIGSTOP)
            time.sleep(2.0)
            hand.process.send_signal(signal.SIGCONT)
            hand.wait_for(PIN_CLOSE, "0")
            code, _, said = session.signal(signal.SIGINT)
        finally:
            session.clean()
        assert code == 0, said
        assert not board.streaming
    levels = dict([row[1:] for row in hand.pins()])
    assert (levels[PIN_CLOSE], levels[PIN_OPEN]) == ("0", "0"), "still at the end"
    streams = {s.header.type: s for s in read_xdf(session.path).streams}
    assert {"EEG", "BCI-Decision", "BCI-Outcome", "BCI-Event", "BCI-Guard", "BCI-Command"} <= set(streams)
    lines = [messages.parse(row[0], "command") for row in streams["BCI-Command"].values]
    commands = [m for m in lines if m["kind"] == "command"]
    assert {m["name"] for m in commands} == {"left", "right"}
    assert all(m["error"] == "" for m in lines if m["ended"] < hung_s)
    guard = streams["BCI-Guard"]
    hung = [m for m, t in zip((messages.parse(row[0], "guard") for row in guard.values), guard.stamps, strict=True) if t > hung_s]
    assert any((m.get("state"), m.get("cause")) == ("safe", "actuator") for m in hung), "fault 31: one that does not answer"
    assert not [m for m in commands if m["began"] > hung_s + 0.5], "and nothing is sent to it any more"
    sent = np.asarray(streams["BCI-Decision"].stamps)[np.asarray(streams["BCI-Decision"].values)[:, 1] >= 0]
    assert sent[-1] > hung_s + 1.5, "while decoding and recording go on"
    decided = {int(row[0]): int(row[1]) for row in streams["BCI-Decision"].values}
    assert all(("left", "right")[decided[m["decision"]]] == m["name"] for m in commands), "each follows from its decision"
    # A repetition follows from whatever decision stands by then; the first of a kind tells the delay of the chain.
    first = [
        m["delay_s"]
        for before, m in zip([{}, *lines], lines, strict=False)
        if m.get("name") != before.get("name") and m["kind"] == "command"
    ]
    print(f"\ndecision to acknowledgement: median {1000 * np.median(first):.2f} ms, largest {1000 * max(first):.2f} ms")
    assert 0 < np.median(first) < 0.05
    assert lines[-1]["kind"] == "neutral"
    assert_verified(session.path)
