"""From a cue's stamp to its light: the participant's window on a virtual display, watched by a second X client.

``python tests/benchmarks/bench_cue.py [--cues 200]`` starts Xvfb, ``bci gui participant`` and a presenter, sends cues, and reads
the pixel of the photodiode's patch over X11 (XGetImage) as fast as it can. What it prints is the distribution of *pixel seen
minus stamp*: what software adds. A display adds its own delay; docs/guides/gui.md says how to measure that with a photodiode.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

READY_S = 60.0
CUE_S, PAUSE_S, JITTER_S = 0.12, 0.1, 0.05


def main(n_cues: int, surface: str, as_json: bool) -> int:
    """Measure, and print the distribution."""
    with tempfile.TemporaryDirectory(prefix="bci-cue-") as place:
        config = Path(place, "lsl_api.cfg")
        config.write_text(
            f"[lab]\nSessionID = cue-{uuid.uuid4().hex[:8]}\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n"
        )
        os.environ["LSLAPICFG"] = str(config)
        with display() as name, window(name, Path(place), surface) as (stage, screen):
            rows = measure(name, stage, screen, n_cues)
    result = summary(rows, n_cues)
    print(json.dumps(result) if as_json else "\n".join(f"{key:34}{value}" for key, value in result.items()))
    return 0


@contextmanager
def display() -> Iterator[str]:
    """A virtual display of 1280×720; its name."""
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x720x24", "-nolisten", "tcp"]
    server = subprocess.Popen(words, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as said:
            yield f":{said.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def window(name: str, place: Path, surface: str) -> Iterator[tuple[Any, Any]]:
    """The participant's window; the presenter's outlet, and what the window says."""
    from bci.stream.lsl import LslMarkerInlet, LslTextOutlet, StreamQuery, resolve

    id_ = uuid.uuid4().hex[:12]
    stage = LslTextOutlet("bci-stage", "BCI-Stage", f"bci-stage-{id_}")
    settings = json.dumps({"id": id_, "patch": "top-left", "surface": surface})
    environment = {**os.environ, "DISPLAY": name, "QT_QPA_PLATFORM": "xcb", "BCI_PARTICIPANT": settings}
    words = [sys.executable, "-m", "bci", "gui", "participant", "--settings", str(place / "windows.ini"), "--recording", ""]
    process = subprocess.Popen(words, env=environment)
    try:
        screen = LslMarkerInlet(resolve(StreamQuery(source_id=f"bci-screen-{id_}"), READY_S, settle_s=0))
        if not stage.wait_for_consumers(READY_S):
            raise SystemExit("the window does not listen")
        time.sleep(1.0)
        yield stage, screen
    finally:
        process.terminate()
        process.wait()


def measure(name: str, stage: Any, screen: Any, n_cues: int) -> list[tuple[float, float, float]]:
    """When each cue was sent, stamped and seen, LSL seconds."""
    from Xlib.display import Display

    from bci.stream import messages
    from bci.stream.lsl import local_clock

    root = Display(name).screen().root
    rng = np.random.default_rng(0)
    rows = []
    for number in range(1, n_cues + 1):
        sent = local_clock()
        stage.push(messages.line("cue", number=number, code=769, **{"class": "left_hand", "text": "Left hand"}))
        seen = watch(root, bright=True)
        stamp = stamped(screen, number)
        rows.append((sent, stamp, seen))
        time.sleep(CUE_S)
        stage.push(messages.line("cue", number=0, code=800))
        watch(root, bright=False)
        time.sleep(PAUSE_S + float(rng.uniform(0, JITTER_S)))
    return rows


def watch(root: Any, bright: bool) -> float:
    """When the patch has become bright, or dark: middle of the request that found it so."""
    from Xlib import X

    from bci.stream.lsl import local_clock

    deadline = local_clock() + 5.0
    while (begin := local_clock()) < deadline:
        image = root.get_image(8, 8, 1, 1, X.ZPixmap, 0xFFFFFFFF)
        end = local_clock()
        if (image.data[1] > 127) is bright:
            return (begin + end) / 2
    raise SystemExit("the patch did not change within 5 s")


def stamped(screen: Any, number: int) -> float:
    """The stamp with which the window said that it has shown a cue."""
    from bci.stream import messages

    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        for text, stamp in screen.pull(0.5):
            message = messages.parse(text, "screen")
            if message["kind"] == "shown" and message["number"] == number:
                return float(stamp)
    raise SystemExit(f"cue {number} was not said to be shown within 5 s")


def summary(rows: list[tuple[float, float, float]], n_cues: int) -> dict[str, Any]:
    """Distributions, milliseconds."""
    sent, stamp, seen = 1000 * np.array(rows).T
    result: dict[str, Any] = {"cues": n_cues, "load (1 min)": round(os.getloadavg()[0], 1)}
    for what, values in (
        ("pixel seen - stamp", seen - stamp),
        ("stamp - sent", stamp - sent),
        ("pixel seen - sent", seen - sent),
    ):
        quantiles = np.quantile(values, (0, 0.01, 0.5, 0.99, 1))
        result[f"{what}: mean, SD (ms)"] = [round(float(values.mean()), 3), round(float(values.std(ddof=1)), 3)]
        result[f"{what}: min 1 50 99 % max"] = [round(float(q), 2) for q in quantiles]
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cues", type=int, default=200)
    parser.add_argument("--surface", default="raster", choices=("raster", "opengl"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    raise SystemExit(main(given.cues, given.surface, given.json))
