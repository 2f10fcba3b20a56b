"""Hours of a session on the virtual clock, engine and recorder, as fast as the computer can (fault 50)."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from soak_session import CHUNK_S, NOISE_UV, labels_of, make_model

from bci.engine.engine import Engine
from bci.engine.stream_info import Channel, StreamInfo
from bci.model.file import load_model
from bci.recording.recorder import Recorder
from bci.session.live import LiveLoop
from bci.simulation.virtual import wires_on
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_outlets import InProcessOutlet
from bci.stream.xdf.writer import XdfWriter

BEGIN_S = 1000.0


@dataclass(slots=True)
class Look:
    """What was in memory, once a virtual minute.

    Parameters
    ----------
    rss_mb : list of float
    blocks : list of int
        Allocated by Python, after a garbage collection.
    step_ms : list of float
        99th percentile of one turn of the loop over the minute, in which a decision is computed.
    """

    rss_mb: list[float] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    step_ms: list[float] = field(default_factory=list)


def send(outlet: InProcessOutlet, info: StreamInfo) -> Iterator[float]:
    """An actor: an amplifier without end."""
    n, rng = round(CHUNK_S * info.rate_hz), np.random.default_rng(0)
    noise = rng.normal(0, NOISE_UV, (round(7 * info.rate_hz) // n * n, len(info.channels)))
    noise[:, 0] *= 0.5
    k = 0
    while True:
        yield BEGIN_S + (k + n) / info.rate_hz
        at = k % len(noise)
        outlet.push_chunk(noise[at : at + n], BEGIN_S + np.arange(k, k + n) / info.rate_hz)
        k += n


def virtual(minutes: float, channels: int, rate_hz: float, folder: Path) -> Look:
    """So many minutes of a session that is recorded; what it kept in memory.

    Parameters
    ----------
    minutes : float
        On the virtual clock.
    channels : int
    rate_hz : float
    folder : Path
        For model and recording.
    """
    model = load_model(make_model(folder / "model.safetensors", channels, rate_hz))
    clock = VirtualClock(BEGIN_S)
    bus = InProcessBus(clock)
    info = StreamInfo(rate_hz, tuple(Channel(x) for x in labels_of(channels)), source_id="eeg", name="eeg", sample_clock=True)
    outlet = bus.outlet(info)
    bus.text_outlet("cues", "Markers", "cues")
    wires = wires_on(bus, "bci", model)
    loop = LiveLoop(bus.signal("eeg"), Engine(info, model.decoder), model, wires, clock)
    found, taken, process = Look(), [time.perf_counter()], psutil.Process()
    turns: list[float] = []
    with Recorder(XdfWriter(folder / "soak.xdf"), clock) as recorder:
        for stream in bus.streams():
            recorder.add(bus.raw(stream.source_id), stream.name)
        clock.add(send(outlet, info))

        def over() -> str:
            now = time.perf_counter()
            turns.append(now - taken[0])
            if clock.now() - BEGIN_S >= 60.0 * (len(found.blocks) + 1):
                found.step_ms.append(1e3 * float(np.percentile(turns, 99)))
                turns.clear()
                gc.collect()
                found.rss_mb.append(process.memory_info().rss / 1e6)
                found.blocks.append(sys.getallocatedblocks())
            recorder.poll()
            taken[0] = time.perf_counter()
            return "it is over" if clock.now() - BEGIN_S >= 60.0 * minutes else ""

        loop.run(over)
    wires.close(linger_s=0.0)
    return found
