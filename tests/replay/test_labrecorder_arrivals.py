"""A consumer board's recordings, played with their own arrival pattern through the live loop on a virtual clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from parts import PowerKernel, decoder

from bci.config import load_config
from bci.engine.engine import Engine
from bci.engine.outcome import FIXED_FIELDS, Reason
from bci.engine.preprocessing import Preprocessing
from bci.model.file import Model
from bci.model.header import ModelHeader
from bci.session.live import LiveLoop
from bci.session.session_streams import open_session_streams
from bci.stream.clock import VirtualClock
from bci.stream.files.readers import open_recording
from bci.stream.inprocess import InProcessBus
from bci.stream.montage import Montage, apply_montage
from bci.stream.played_outlets import bus_outlets
from bci.stream.player import Player

pytestmark = pytest.mark.slow

LABELS = ("C3", "C4", "Cz", "FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6")
CLEAN = [f"subjT_2022-04-07_run{i:02d}.xdf" for i in (2, 3, 4, 5, 6)] + [f"subjT_2022-04-08_run{i:02d}.xdf" for i in range(1, 6)]
LATCH_S = 1.0
DECODED = (Reason.DECIDED, Reason.IDLE)


def played(path: Path) -> tuple[list[float], np.ndarray, float, int]:
    """Times without data over LATCH_S, outcome rows, duration, and last segment of one recording."""
    clock = VirtualClock(100.0)
    bus = InProcessBus(clock)
    recording = open_recording(path)
    player = Player(recording, bus_outlets(recording, bus))
    eeg = next(s.info for s in recording.signals if s.info.type == "EEG")
    montage = Montage(names=LABELS)
    info = apply_montage(bus.signal(eeg.name).info, montage)
    p = Preprocessing(info.rate_hz, LABELS, window=250, hop=5)
    live = decoder(PowerKernel(len(LABELS)), p)
    header = ModelHeader(
        "x", "x", p, ("EEG",) * len(LABELS), ("uV",) * len(LABELS), "", ("left", "right"),
        load_config().decision.over(), (0.5, 2.5), (), {}, {}, "",
    )  # fmt: skip
    bus.text_outlet("control", "BCI-Control", "control")
    wires = open_session_streams(
        "t", "s", header,
        lambda i, bci: bus.outlet(i, bci=bci), lambda i, bci: bus.text_outlet(i.name, i.type, i.source_id, bci),
        bus.markers("control"),
    )  # fmt: skip
    decisions, outcomes = bus.raw("t-decisions"), bus.raw("t-outcomes")
    engine = Engine(info, live)
    loop = LiveLoop(bus.signal(eeg.name, montage), engine, Model(path, header, live, ""), wires, clock)
    clock.add(player.steps(clock))
    end = clock.now() + player.duration_s + 0.2
    loop.run(lambda: "over" if clock.now() >= end else "")
    rows, stamps = decisions.pull(0.0)
    while (more := decisions.pull(0.0)) is not None:
        rows, stamps = np.concatenate((rows, more[0])), np.concatenate((stamps, more[1]))
    kept = [outcomes.pull(0.0)[0]]
    while (more := outcomes.pull(0.0)) is not None:
        kept.append(more[0])
    return silences(rows, stamps), np.concatenate(kept), player.duration_s, engine.frontend.continuity.segment


def silences(rows: np.ndarray, stamps: np.ndarray) -> list[float]:
    """Lengths of the stretches of decision rows that say that the stream is lost, beyond LATCH_S, seconds."""
    lost = rows[:, 5] == Reason.LOST
    edges = np.flatnonzero(np.diff(np.concatenate(([False], lost, [False])).astype(int)))
    lengths = [stamps[min(b, len(stamps) - 1)] - stamps[a] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [x + 0.25 for x in lengths if x + 0.25 > LATCH_S]


@pytest.mark.timeout(900)
def test_clean_runs_have_no_false_segment_hardly_a_silence_and_are_decoded(shared_data: Path) -> None:
    found = [played(shared_data / "labrecorder-mi" / name) for name in CLEAN]
    minutes = sum(duration for _, _, duration, _ in found) / 60
    silent = sum(len(s) for s, _, _, _ in found)
    reasons = np.concatenate([rows[:, FIXED_FIELDS.index("reason")] for _, rows, _, _ in found])
    assert [segment for _, _, _, segment in found] == [0] * len(CLEAN)
    assert minutes > 30
    assert silent <= minutes / 30
    assert np.isin(reasons, DECODED).mean() >= 0.95
