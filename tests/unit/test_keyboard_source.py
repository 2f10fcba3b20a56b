"""The keyboard as a device: keys imagine movements and make faults."""

import os
import time

import numpy as np
import pytest

from bci.contracts.source import source_breaches
from bci.engine.chunk import Chunk
from bci.errors import ConfigError, StreamError
from bci.stream.clock import VirtualClock
from devices.keyboard import FAULT_S, KEYS, KeyboardSource, TerminalKeys
from devices.simulated import SimulatedSettings, SimulatedSubject

SETTINGS = SimulatedSettings(channels=3, skill=1.0, lapse=0.0, classes=tuple(KEYS.values()))


def typed(presses: dict[float, str], seconds: float) -> Chunk:
    """Samples while keys are pressed at these times."""
    clock = VirtualClock(50.0)
    waiting = dict(presses)

    def keys() -> str:
        due = [t for t in waiting if clock.now() >= 50.0 + t]
        return "".join(waiting.pop(t) for t in due)

    source = KeyboardSource(SETTINGS, keys, clock=clock)
    chunks = []
    while clock.now() < 50.0 + seconds:
        chunk = source.read(0.1)
        if chunk is not None:
            chunks.append(chunk)
    source.close()
    return Chunk(np.concatenate([c.data for c in chunks]), np.concatenate([c.stamps for c in chunks]))


def test_the_keyboard_keeps_the_contract() -> None:
    def opened() -> KeyboardSource:
        return KeyboardSource(SETTINGS, lambda: "", clock=VirtualClock(50.0))

    assert source_breaches(opened) == []


def imagined(class_: str, seconds: float) -> np.ndarray:
    """What a person does who is shown a cue after two seconds."""
    clock = VirtualClock(50.0)
    person = SimulatedSubject(SETTINGS, clock)
    clock.wait_until(52.0)
    before = person.read(0.0)
    person.cue(class_, 52.0)
    clock.wait_until(50.0 + seconds)
    after = person.read(0.0)
    assert before is not None
    assert after is not None
    return np.concatenate([before.data, after.data])


@pytest.mark.parametrize(("key", "class_"), [("a", "left_hand"), ("d", "right_hand"), ("s", "feet"), ("w", "tongue")])
def test_a_key_is_what_the_simulated_subject_imagines(key: str, class_: str) -> None:
    got = typed({2.0: key}, 6.0).data
    assert (got[: round(2.2 * 250)] == typed({}, 6.0).data[: round(2.2 * 250)]).all()
    distance = {c: np.abs(imagined(c, 7.0)[: len(got)] - got).mean() for c in KEYS.values() if c != "rest"}
    assert min(distance, key=distance.__getitem__) == class_
    assert distance[class_] < 0.2 * sorted(distance.values())[1]


def test_space_ends_what_was_imagined() -> None:
    on, off = typed({1.0: "a"}, 6.0), typed({1.0: "a", 2.0: " "}, 6.0)
    differs = np.flatnonzero((on.data != off.data).any(axis=1))
    assert 2.0 <= differs[0] / 250 < 2.7


def test_a_fault_key_makes_one_electrode_flat_and_with_shift_all() -> None:
    for key, flat in (("f", [True, False, False]), ("F", [True, True, True])):
        data = typed({1.0: key}, 1.5 + FAULT_S).data
        middle = data[round(1.5 * 250) : round(3.5 * 250)]
        assert (middle.std(axis=0) < 2.0).tolist() == flat


def test_p_holds_samples_back_and_then_delivers_them_all() -> None:
    got = typed({1.0: "p"}, 6.0)
    np.testing.assert_allclose(np.diff(got.stamps), 0.004, atol=1e-9)
    assert len(got) > 5.5 * 250


def test_keys_that_mean_nothing_do_nothing() -> None:
    source = KeyboardSource(SETTINGS, lambda: "", clock=VirtualClock())
    assert not source.press("z")
    source.close()
    with pytest.raises(StreamError):
        source.read(0.0)


def test_keys_come_from_the_terminal_one_by_one_and_it_is_given_back() -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")  # POSIX only
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with TerminalKeys(os.ttyname(slave)) as keys:
        assert keys() == ""
        os.write(master, b"ad")
        until, got = time.monotonic() + 2.0, ""
        while len(got) < 2 and time.monotonic() < until:
            got += keys()
        assert got == "ad"
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_without_a_terminal_it_says_so(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="no terminal"):
        TerminalKeys(f"{tmp_path}/none")
