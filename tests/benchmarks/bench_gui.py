"""How fast the operator window draws, against the obvious way of drawing, and whether its memory stays flat.

64 channels, 10 s, 1 kHz, fed at its own rate into the real widgets; every frame is painted into memory by Qt's own
raster engine (offscreen), as on a screen without OpenGL. Frames are drawn as fast as they can be, and timed by
the processor time that they take, so that other programs on the computer do not count.

``python tests/benchmarks/bench_gui.py [--channels 64] [--rate 1000] [--seconds 10] [--frames 300] [--json]``
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import psutil
import pyqtgraph as pg
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from gui.app import WindowOptions, make_context
from gui.context import Context
from gui.store import SignalStore
from gui.widgets.traces import TracesPanel

FRAME_S = 1 / 30


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--repaints", type=int, default=0, help="also repaint so often, and report memory")
    parser.add_argument("--hours", type=float, default=0.0, help="also so much signal, a repaint each 10 s; report memory")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        context = make_context(WindowOptions(settings=str(Path(folder) / "windows.ini"), theme="light"))
        context._timer.stop()
        result = {size: measure(context, args, *size) for size in ((1280, 720), (2560, 1440))}
        if args.repaints:
            result["memory over repaints"] = soak(context, args, args.repaints, FRAME_S)
        if args.hours:
            result["memory over hours"] = soak(context, args, round(args.hours * 360), 10.0)
        context.close()
    show(result, args)
    return 0


class Feeder:
    """Noise at its own pace, without a network: what is measured is the window."""

    def __init__(self, channels: int, rate_hz: float) -> None:
        info = StreamInfo(rate_hz, tuple(Channel(f"ch{i}") for i in range(channels)), name="x", source_id="x", sample_clock=True)
        self.store, self._sent = SignalStore(info), 0
        self._data = np.random.default_rng(0).normal(0, 15, (round(rate_hz), channels))

    def push(self, seconds: float) -> None:
        """So much more signal."""
        n = round(seconds * self.store.info.rate_hz)
        at = self._sent + np.arange(n)
        self.store.push(Chunk(self._data[at % len(self._data)], 100.0 + at / self.store.info.rate_hz), 0.0)
        self._sent += n


def measure(context: Context, args: argparse.Namespace, width: int, height: int) -> dict[str, float]:
    """Frames per second of our traces and of one PlotCurveItem a channel, at one size; interleaved."""
    feeder = Feeder(args.channels, args.rate)
    feeder.push(args.seconds + 5)
    context.feed.signal = feeder.store
    ours, theirs = TracesPanel(context), Curves(feeder.store, args.seconds)
    ours.view.seconds = args.seconds
    picture = QImage(width, height, QImage.Format.Format_RGB32)
    times: dict[str, list[float]] = {"ours": [], "curves": []}
    for widget in (ours, theirs):
        widget.resize(width, height)
        widget.show()
    for frame in range(args.frames):
        feeder.push(FRAME_S)
        for name, widget in (("ours", ours), ("curves", theirs)):
            if name == "curves" and frame % 10:
                continue  # it is slow, and every tenth frame tells as much
            began = time.process_time()
            widget.refresh()
            paint(widget, picture)
            times[name].append(time.process_time() - began)
    began = time.process_time()
    ours.view.forget()
    paint(ours, picture)
    anew = time.process_time() - began
    for widget in (ours, theirs):
        widget.close()
    middle = {name: float(np.median(t)) for name, t in times.items()}
    return {
        "frames_per_s": 1 / middle["ours"],
        "frame_ms": 1e3 * middle["ours"],
        "frame_p99_ms": 1e3 * float(np.percentile(times["ours"], 99)),
        "anew_ms": 1e3 * anew,
        "curves_frame_ms": 1e3 * middle["curves"],
        "ratio": middle["curves"] / middle["ours"],
    }


def paint(widget: QWidget, picture: QImage) -> None:
    """One frame, into memory."""
    QWidget.render(widget, picture)


class Curves(pg.PlotWidget):
    """The obvious way: one PlotCurveItem a channel, decimated to two points a pixel, pen width 1, no antialiasing."""

    def __init__(self, store: SignalStore, seconds: float) -> None:
        super().__init__()
        self._store, self._n = store, round(seconds * store.info.rate_hz)
        self._curves = [pg.PlotCurveItem(pen=pg.mkPen("k", width=1)) for _ in store.info.channels]
        for curve in self._curves:
            self.addItem(curve)
        self.setRange(xRange=(0, seconds), yRange=(0, 50 * len(self._curves)), padding=0)

    def refresh(self) -> None:
        """Hand the newest samples to every curve."""
        rows = self._store.rows.newest(self._n).astype(float)
        per = max(1, len(rows) // max(1, self.width()))
        blocks = rows[: len(rows) // per * per].reshape(-1, per, rows.shape[1])
        points = np.stack((blocks.min(axis=1), blocks.max(axis=1)), axis=1).reshape(-1, rows.shape[1])
        x = np.arange(len(points)) * self._n / self._store.info.rate_hz / len(points)
        for i, curve in enumerate(self._curves):
            curve.setData(x, points[:, i] + 50 * i)


def soak(context: Context, args: argparse.Namespace, repaints: int, step_s: float) -> dict[str, float]:
    """Resident memory over many repaints of the whole operator window, with so much signal between two of them."""
    feeder = Feeder(args.channels, args.rate)
    feeder.push(args.seconds + 5)
    context.feed.signal = feeder.store
    window: QWidget = context.open("operator")
    window.resize(1280, 720)
    picture, process = QImage(1280, 720, QImage.Format.Format_RGB32), psutil.Process()
    sizes = []
    for k in range(repaints):
        feeder.push(step_s)
        if k % 10 == 0 or step_s > 1:
            window.refresh()
        window.panels["traces"].refresh()
        window.render(picture)
        QApplication.processEvents()
        if k % max(1, repaints // 50) == 0:
            sizes.append(process.memory_info().rss / 1e6)
    late = np.array(sizes[len(sizes) // 2 :])
    slope = np.polyfit(np.arange(len(late)), late, 1)[0] * len(late)
    return {"first_mb": sizes[0], "last_mb": sizes[-1], "second_half_growth_mb": float(slope)}


def show(result: dict[object, dict[str, float]], args: argparse.Namespace) -> None:
    """Print for a person or a program."""
    if args.json:
        print(json.dumps({str(k): v for k, v in result.items()}))
        return
    print(f"{args.channels} channels, {args.rate:g} Hz, {args.seconds:g} s")
    for size, found in result.items():
        print(size, ", ".join(f"{k} {v:.1f}" for k, v in found.items()))


if __name__ == "__main__":
    raise SystemExit(main())
