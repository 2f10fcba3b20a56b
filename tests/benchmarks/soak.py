"""A long session, watched from outside: memory, threads and handles of every process, and how late decisions are (fault 50).

``bci run`` with 64 channels at 1 kHz from an amplifier in a process of its own, a recorder and an actuator that is armed; each
process is looked at every 5 s, and lateness is what ``bci-timing`` says. Exit code 1 where memory grows by 1 MB/h or more
after the warm-up, threads or handles have become more, or the last ten minutes are later than the first.

``python tests/benchmarks/soak.py [--minutes 40] [--repaints 20000] [--channels 64] [--rate 1000] [--json]``

``--minutes 1.5`` is too short to say anything of a slope, and judges the rest. ``--repaints`` also paints the operator
window so often, in a process of its own, with the same signal. ``--virtual-hours 8`` is engine and recorder on the virtual
clock instead, as fast as the computer can: every sample of eight hours in about half an hour, and 7.4 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import SOCK_DGRAM

import numpy as np
import psutil
from scipy.stats import theilslopes

from bci.engine.chunk import FloatArray

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]
from machine import condition, stalled_s  # noqa: E402
from soak_session import EVERY_S, SoakSession, send  # noqa: E402
from soak_virtual import virtual  # noqa: E402

LEAST_SLOPE_S = 900.0
"""What is looked at for less, after the warm-up, says nothing of a slope in megabytes an hour."""
LIMIT_MB_H = 1.0
LATER_MS = 2.0
PART_S = 600.0


@dataclass(slots=True)
class Watched:
    """What one process was seen to use.

    Parameters
    ----------
    at_s : list of float
        Since the beginning.
    rss_mb, uss_mb : list of float
        Memory that is resident, and the part of it that is this process's alone. A process's share of what several use (PSS)
        says nothing of it: the share grows when another process ends.
    threads, handles : list of int
    opened : list of Counter
        How many handles of each kind, where the system tells.
    """

    at_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    uss_mb: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)
    opened: list[Counter[str]] = field(default_factory=list)

    def look(self, process: psutil.Process, at_s: float) -> None:
        """Look once."""
        memory = process.memory_full_info()
        self.at_s.append(at_s)
        self.rss_mb.append(memory.rss / 1e6)
        self.uss_mb.append(memory.uss / 1e6)
        self.threads.append(process.num_threads())
        self.handles.append(process.num_fds() if hasattr(process, "num_fds") else process.num_handles())
        self.opened.append(kinds_of_handles(process))


def kinds_of_handles(process: psutil.Process) -> Counter[str]:
    """How many handles of each kind a process has: sockets by protocol and state, files by name; empty where no system tells."""
    found: Counter[str] = Counter()
    sockets = Counter(f"{'UDP' if c.type == SOCK_DGRAM else 'TCP'} {c.status}" for c in process.net_connections())
    folder = Path(f"/proc/{process.pid}/fd")
    for handle in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # closed meanwhile
            found[re.sub(r":\[\d+\]$", "", os.readlink(handle))] += 1
    found["socket"] -= sockets.total()
    return +(found + sockets)


def became_more(watched: Watched, warm_up_s: float) -> str:
    """Of which kinds a process has more handles than it had, by its smallest counts in the first and the last minute."""
    if not watched.opened:
        return ""
    names = sorted(set().union(*watched.opened))
    pairs = {name: kept([looked[name] for looked in watched.opened], watched.at_s, warm_up_s) for name in names}
    return ", ".join(f"{name}: {first:g} → {last:g}" for name, (first, last) in pairs.items() if last > first)


@dataclass(frozen=True, slots=True)
class Slope:
    """How memory grows, MB/h: Theil and Sen's median of all slopes between medians of a minute, with its 95 % interval."""

    mb_h: float
    low: float
    high: float


def slope(at_s: Sequence[float], mb: Sequence[float], warm_up_s: float) -> Slope | None:
    """How memory grows after the warm-up; None where too little of it was seen.

    Parameters
    ----------
    at_s, mb : sequence of float
    warm_up_s : float
    """
    times, values = np.array(at_s), np.array(mb)
    minutes = np.floor(times / 60.0)
    kept = [minute for minute in np.unique(minutes) if minute * 60.0 >= warm_up_s]
    if len(kept) < 3:
        return None
    at_h = np.array([np.median(times[minutes == minute]) for minute in kept]) / 3600.0
    middle = np.array([np.median(values[minutes == minute]) for minute in kept])
    found = theilslopes(middle, at_h)
    return Slope(float(found.slope), float(found.low_slope), float(found.high_slope))


def parts(values: Sequence[float], at_s: Sequence[float], warm_up_s: float) -> tuple[FloatArray, FloatArray]:
    """The first and the last minute after the warm-up."""
    times, found = np.array(at_s), np.array(values, dtype=float)
    after = times >= min(warm_up_s, times[-1] / 2)
    times, found = times[after], found[after]
    part_s = min(60.0, (times[-1] - times[0]) / 2)
    return found[times <= times[0] + part_s], found[times >= times[-1] - part_s]


def ends(values: Sequence[float], at_s: Sequence[float], warm_up_s: float) -> tuple[float, float]:
    """Medians of the first and of the last minute after the warm-up."""
    first, last = parts(values, at_s, warm_up_s)
    return float(np.median(first)), float(np.median(last))


def kept(values: Sequence[float], at_s: Sequence[float], warm_up_s: float) -> tuple[float, float]:
    """Smallest numbers of the first and of the last minute after the warm-up: what is never given back.

    Threads that connect to a stream, and handles of files that are read, come and go; what leaks raises the smallest number.
    """
    first, last = parts(values, at_s, warm_up_s)
    return float(first.min()), float(last.min())


def lateness_ms(ages: FloatArray, part_s: float) -> tuple[float, float]:
    """99th percentiles of the first and the last part, ms; rows of (time, age) in seconds."""
    ages = ages[np.isfinite(ages[:, 1])]
    first = ages[ages[:, 0] <= ages[0, 0] + part_s, 1]
    last = ages[ages[:, 0] >= ages[-1, 0] - part_s, 1]
    return 1e3 * float(np.percentile(first, 99)), 1e3 * float(np.percentile(last, 99))


def judge(seen: dict[str, Watched], ages: FloatArray, commands: int, minutes: float) -> dict[str, object]:
    """All figures, and what is over its limit."""
    warm_up_s = min(600.0, 15.0 * minutes)
    over, processes = [], {}
    for name, watched in seen.items():
        figures: dict[str, object] = {}
        for measure in ("rss_mb", "uss_mb"):
            found = slope(watched.at_s, getattr(watched, measure), warm_up_s)
            figures[f"{measure}_h"] = None if found is None else [round(x, 2) for x in (found.mb_h, found.low, found.high)]
            figures[measure] = [round(x, 1) for x in ends(getattr(watched, measure), watched.at_s, warm_up_s)]
            if found is not None and watched.at_s[-1] - warm_up_s >= LEAST_SLOPE_S and found.mb_h >= LIMIT_MB_H:
                over.append(f"{name}: {measure.removesuffix('_mb').upper()} grows by {found.mb_h:.2f} MB/h")
        for measure in ("threads", "handles"):
            first, last = kept(getattr(watched, measure), watched.at_s, warm_up_s)
            figures[measure] = [first, last]
            if last > first:
                kinds = became_more(watched, warm_up_s) if measure == "handles" else ""
                over.append(f"{name}: {first:g} {measure} have become {last:g}" + (f" ({kinds})" if kinds else ""))
        processes[name] = figures
    first_ms, last_ms = lateness_ms(ages, min(PART_S, 20.0 * minutes))
    if last_ms > first_ms + LATER_MS + 1e3 * stalled_s():
        over.append(f"lateness p99 {first_ms:.1f} ms has become {last_ms:.1f} ms")
    if not commands:
        over.append("no command reached the actuator")
    return {
        "minutes": minutes, "processes": processes, "lateness_p99_ms": [round(first_ms, 2), round(last_ms, 2)],
        "commands": commands, "machine": condition(), "over": over,
    }  # fmt: skip


def soak(minutes: float, channels: int, rate_hz: float, folder: Path) -> dict[str, object]:
    """Run the session and watch it."""
    with SoakSession(folder, channels, rate_hz) as session:
        session.begin()
        seen: dict[str, Watched] = {name: Watched() for name in session.processes()}
        began = time.monotonic()
        armed = session.received()
        while (at_s := time.monotonic() - began) < 60.0 * minutes:
            for name, process in session.processes().items():
                seen.setdefault(name, Watched()).look(process, at_s)
            session.step(began + at_s + EVERY_S)
        commands = session.received() - armed
        session.end()
        return judge(seen, session.ages, commands, minutes)


def soak_virtually(hours: float, channels: int, rate_hz: float, folder: Path) -> int:
    """Hours on the virtual clock, printed; the exit code."""
    found = virtual(60.0 * hours, channels, rate_hz, folder)
    at_s = [60.0 * (k + 1) for k in range(len(found.rss_mb))]
    grown, part = slope(at_s, found.rss_mb, 600.0), max(1, len(at_s) // 10)
    turns = [float(np.median(ms)) for ms in (found.step_ms[:part], found.step_ms[-part:])]
    print(f"{hours:g} h: RSS {found.rss_mb[0]:.1f} → {found.rss_mb[-1]:.1f} MB, blocks {found.blocks[0]} → {found.blocks[-1]}")
    print(f"after ten minutes RSS grows by {grown} MB/h; a turn of the loop, p99: {turns[0]:.1f} → {turns[1]:.1f} ms")
    return 1 if grown is None or grown.mb_h >= LIMIT_MB_H else 0


def repaint(count: int, channels: int, rate_hz: float) -> dict[str, object]:
    """The operator window, painted so often (``bench_gui.py``)."""
    words = [sys.executable, str(Path(__file__).parent / "bench_gui.py"), "--repaints", str(count), "--frames", "30", "--json"]
    words += ["--channels", str(channels), "--rate", str(rate_hz)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    found: dict[str, object] = json.loads(done.stdout)["memory over repaints"]
    return found


def show(result: dict[str, object]) -> None:
    """Print for a person what the session did, before the windows are painted for minutes."""
    print(f"{'process':10} {'RSS MB/h':>22} {'USS MB/h':>22} {'RSS MB':>15} {'threads':>9} {'handles':>9}")
    for name, found in dict(result["processes"]).items():  # type: ignore[call-overload]
        grown = [
            f"{s[0]:+.2f} [{s[1]:+.2f}, {s[2]:+.2f}]" if (s := found[key]) else "too short" for key in ("rss_mb_h", "uss_mb_h")
        ]
        pairs = ["{:g} → {:g}".format(*found[key]) for key in ("rss_mb", "threads", "handles")]
        print(f"{name:10} {grown[0]:>22} {grown[1]:>22} {pairs[0]:>15} {pairs[1]:>9} {pairs[2]:>9}")
    print("lateness p99, first and last part: {:.2f} and {:.2f} ms".format(*result["lateness_p99_ms"]))  # type: ignore[misc]
    print(f"{result['commands']} commands in {result['minutes']:g} minutes; {result['machine']}")


def main() -> int:
    """Soak, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--repaints", type=int, default=0)
    parser.add_argument("--virtual-hours", type=float, default=0.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--send", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.send:
        send(args.send, args.channels, args.rate)
        return 0
    with tempfile.TemporaryDirectory(prefix="bci-soak-") as folder:
        if args.virtual_hours:
            return soak_virtually(args.virtual_hours, args.channels, args.rate, Path(folder))
        result = soak(args.minutes, args.channels, args.rate, Path(folder))
    if not args.json:
        show(result)
    if args.repaints:
        result["repaints"] = painted = repaint(args.repaints, args.channels, args.rate)
        if not args.json:
            print(f"repaints: {painted}")
        if painted["second_half_growth_mb"] >= 2.0:  # type: ignore[operator]
            result["over"].append(f"window: grows by {painted['second_half_growth_mb']:.1f} MB over {args.repaints} repaints")  # type: ignore[attr-defined]
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"over its limit: {line}" for line in result["over"]) or "everything is within its limits")  # type: ignore[attr-defined]
    return 1 if result["over"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
