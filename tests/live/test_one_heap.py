"""The recorder's many threads share one heap, whose holes do not add up over hours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

RECORDS = """
import ctypes, os, sys
from bci.__main__ import main

out = sys.argv[1]
main(["record", "--stream", "name=nobody-sends-this", "--timeout", "0.2", "--out", out])
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(c.fopen(os.path.join(out, "heaps.xml").encode(), b"w"))
c.malloc_info(0, file)
c.fclose(file)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone gives threads heaps of their own")
def test_all_threads_of_the_recorder_take_memory_from_one_heap(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RECORDS, str(tmp_path)], capture_output=True, text=True, timeout=60)
    heaps = (tmp_path / "heaps.xml").read_text().count("<heap nr=")
    assert "nobody-sends-this" in done.stderr
    assert heaps == 1
