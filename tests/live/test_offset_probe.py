"""Clock offsets of a real sender are measured for hours: without a pause, in bounded memory, and with no handle left too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bci.stream.lsl import LslOutlet, StreamQuery, liblsl, resolve, row_info
from bci.stream.lsl.offset_probe import OffsetProbe, measured

pytestmark = pytest.mark.live
PATIENCE_S = 20.0

WAVES = "[tuning]\nTimeUpdateInterval = 0.05\nTimeProbeInterval = 0.005\nTimeProbeMaxRTT = 0.01\n[log]\nlevel = -3\n"
"""liblsl asks forty times as often as it does by itself, so that minutes pass in seconds."""
MEASURES = """
import ctypes, time
from bci.stream.lsl import liblsl
from bci.stream.lsl import LslOutlet, StreamQuery, resolve, row_info
from bci.stream.lsl.offset_probe import OffsetProbe, measured

class InUse(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "a b c d e f g in_use h i".split()]

of_malloc = ctypes.CDLL(None).mallinfo2
of_malloc.restype = InUse
outlet = LslOutlet(row_info("waves", "Test", "waves-1", ["a"]), "float32")
handle = resolve(StreamQuery(name="waves"), settle_s=0).handle
def make():
    return liblsl.Inlet(handle, max_buflen=1, recover=False, processing_flags=0)
probes = [OffsetProbe(make, renew_s=0.5) for _ in range(10)]
began, seen, answers = time.monotonic(), [], 0
while time.monotonic() - began < 6.0:
    answers += sum(measured(probe, 0.0) is not None for probe in probes)
    if time.monotonic() - began > 2.0:
        seen.append(of_malloc().in_use)
    time.sleep(0.05)
third = len(seen) // 3
print(answers, max(seen[-third:]) - max(seen[:third]))
"""
AT_THE_LIMIT = """
import os, resource, time
from bci.stream.lsl import liblsl, offset_probe
from bci.stream.lsl import LslOutlet, StreamQuery, resolve, row_info

outlet = LslOutlet(row_info("limit", "Test", "limit-1", ["a"]), "float32")
handle = resolve(StreamQuery(name="limit"), settle_s=0).handle
probe = offset_probe.OffsetProbe(lambda: liblsl.Inlet(handle, max_buflen=1, recover=False, processing_flags=0), renew_s=0.3)
while offset_probe.measured(probe, 5.0) is None:
    pass
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")), hard))
time.sleep(0.4)
print([offset_probe.measured(probe, 0.1) is not None for _ in range(5)])
"""
SENDS = """
import sys
from bci.stream.lsl import LslOutlet, row_info

outlet = LslOutlet(row_info("hangs", "Test", "hangs-1", ["a"]), "float32")
print("sends", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def handle() -> Iterator[Any]:
    outlet = LslOutlet(row_info("probed", "Test", "probed-1", ["a"]), "float32")
    yield resolve(StreamQuery(name="probed"), settle_s=0).handle
    outlet.close()


def said(program: str, **environment: str) -> str:
    """What a program prints."""
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env, timeout=60).stdout


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds within the patience of these tests."""
    end = time.monotonic() + PATIENCE_S
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.1)
    return held


def test_offsets_go_on_while_inlets_are_changed_and_those_of_before_are_given_back(handle: Any) -> None:
    made: list[weakref.ref[Any]] = []

    def make() -> Any:
        inlet = liblsl.Inlet(handle, max_buflen=1, recover=False, processing_flags=0)
        made.append(weakref.ref(inlet))
        return inlet

    probe, end = OffsetProbe(make, renew_s=0.3), time.monotonic() + PATIENCE_S
    assert measured(probe, 5.0) is not None
    while len(made) < 4 and time.monotonic() < end:
        found = measured(probe, 0.0)
        assert found is not None
        assert abs(found[1]) < 0.01
        assert sum(inlet() is not None for inlet in made) <= 2
        time.sleep(0.02)
    assert len(made) == 4
    probe.close()
    assert [inlet() for inlet in made] == [None] * 4
    assert measured(probe, 0.1) is None


@pytest.mark.skipif(os.name != "posix", reason="a sender is made to hang by a signal of Unix")
def test_a_sender_that_hangs_is_not_said_to_have_the_clock_it_had_before_and_is_measured_again_when_it_wakes() -> None:
    made: list[weakref.ref[Any]] = []
    with subprocess.Popen([sys.executable, "-c", SENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        sender.stdout.readline()
        found = resolve(StreamQuery(name="hangs"), settle_s=0).handle

        def make() -> Any:
            inlet = liblsl.Inlet(found, max_buflen=1, recover=False, processing_flags=0)
            made.append(weakref.ref(inlet))
            return inlet

        probe = OffsetProbe(make, renew_s=1.0)
        assert until(lambda: measured(probe, 0.0) is not None)
        os.kill(sender.pid, signal.SIGSTOP)
        try:
            assert until(lambda: measured(probe, 0.0) is None)
            assert sum(inlet() is not None for inlet in made) <= 2
        finally:
            os.kill(sender.pid, signal.SIGCONT)
        assert until(lambda: measured(probe, 0.0) is not None)
        probe.close()
        sender.communicate()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="what malloc has given out is asked of glibc")
def test_what_liblsl_keeps_of_every_wave_of_questions_does_not_add_up(tmp_path: Path) -> None:
    config = tmp_path / "lsl_api.cfg"
    config.write_text(WAVES)
    answers, grown = map(int, said(MEASURES, LSLAPICFG=str(config)).split())
    print(f"\n{answers} answers, {grown} bytes more in use")
    assert answers > 100
    assert grown < 50_000  # with inlets that are kept: 130,000


@pytest.mark.skipif(os.name != "posix", reason="the limit of handles is that of Unix")
def test_where_no_handle_is_left_offsets_are_measured_on_with_the_inlet_that_is_there() -> None:
    assert said(AT_THE_LIMIT).strip() == str([True] * 5)
