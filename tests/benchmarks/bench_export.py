"""Peak memory and time of `bci export`, 64 channels at 1 kHz: python tests/benchmarks/bench_export.py [MEGABYTES].

Prints for each format the largest resident size of the exporting process over the size of the file. To compare with another
state of the program, run it with that state's folder in PYTHONPATH.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bci.engine.stream_info import Channel, StreamInfo
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter

N_CHANNELS, RATE_HZ, BLOCK = 64, 1000, 1000


def make(path: Path, megabytes: float) -> None:
    """Noise with a cue every five seconds, each class by two texts."""
    info = StreamInfo(float(RATE_HZ), tuple(Channel(f"E{i}", unit="uV") for i in range(N_CHANNELS)), source_id="s", name="amp")
    seconds = round(megabytes * 1e6 / (RATE_HZ * (4 * N_CHANNELS + 9)))
    rng = np.random.default_rng(0)
    block = rng.normal(0, 20, (BLOCK, N_CHANNELS)).astype(np.float32)
    with XdfWriter(path) as writer:
        amp = writer.add_stream(header_xml(info, "float32"))
        cues = writer.add_stream(header_xml(text_info("cues", "Markers", "c"), "string"))
        for second in range(seconds):
            writer.write(amp, np.roll(block, second, axis=0), 1000.0 + second + np.arange(BLOCK) / RATE_HZ)
            if second % 5 == 0:
                writer.write(cues, [[("769", "770", "left", "right")[second // 5 % 4]]], np.array([1000.5 + second]))


def measured(words: list[str]) -> tuple[int, float, int]:
    """Exit code, seconds and peak resident bytes of a command in a process of its own."""
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-m", "bci", *words], os.environ)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), time.perf_counter() - began, usage.ru_maxrss * 1024


def main() -> None:
    """Make the recording, export it in both formats, print."""
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    table = ["--set", "markers.table.769=l", "--set", "markers.table.left=l", "--set", "markers.table.770=r"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sub-1_task-a_eeg.xdf"
        make(path, megabytes)
        size = path.stat().st_size
        print(f"recording {size / 1e6:.0f} MB")
        for format in ("brainvision", "edf"):
            words = [
                "export",
                str(path),
                "--out",
                str(Path(folder) / format),
                "--format",
                format,
                "--no-source",
                "--json",
                *table,
            ]
            code, seconds, peak = measured(words)
            print(f"{format}: exit code {code}, {seconds:.1f} s, peak {peak / 1e6:.0f} MB = {peak / size:.2f} × the file")


if __name__ == "__main__":
    main()
