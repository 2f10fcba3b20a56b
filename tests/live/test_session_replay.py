"""What was decided live over LSL is what a replay of the recording decides: every session, every bit."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from parts import LABELS

from bci.config import load_config
from bci.engine.chunk import Chunk
from bci.engine.engine import Engine
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.model.file import Model, load_model, save_model
from bci.recording.lsl_recording import LslRecording, LslWatch
from bci.replay.recorded_session import read_session
from bci.replay.replay import verify
from bci.replay.replay_lsl import through_lsl
from bci.session.engine_process import EngineJob, lsl_session_streams
from bci.session.live import LiveLoop
from bci.stream import messages
from bci.stream.clock import LslClock
from bci.stream.lsl import LslOutlet, LslSignalInlet, LslTextOutlet, StreamQuery, resolve
from bci.stream.xdf.reader import read_xdf
from bci.training.fit import fit_decoder

pytestmark = [pytest.mark.live, pytest.mark.slow]

RATE = 250.0
SECONDS = 12.0
SPEED = 6.0
SESSIONS = 20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A tangent-space model of half-second windows, fitted to noise of two sizes."""
    rng = np.random.default_rng(0)
    p = Preprocessing(RATE, LABELS, window=120, hop=10)
    labels = np.array(["left", "right"] * 10)
    windows = rng.normal(0, 8, (20, 1, p.window, len(LABELS)))
    windows[labels == "left", :, :, 0] *= 0.5
    fitted = fit_decoder("ts-lr", windows, labels, p)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, fitted.header(info("x"), (0.0, 0.5)), fitted.arrays)
    return load_model(path)


def info(source_id: str) -> StreamInfo:
    return StreamInfo(RATE, tuple(Channel(x) for x in LABELS), source_id=source_id, name=source_id)


@dataclass
class Sent:
    """What a sender thread does: how it cuts the stream, and whether stamps are one per chunk."""

    source_id: str
    seed: int
    one_stamp_per_chunk: bool = False

    def run(self) -> None:
        """Send SECONDS of signal at SPEED times real time, with a loss and an artefact in it."""
        rng = np.random.default_rng(self.seed)
        speed = 2.0 if self.one_stamp_per_chunk else SPEED  # slow enough to be joined on the way
        n = round(SECONDS * RATE)
        data = rng.normal(0, 10, (n, len(LABELS))) + rng.normal(0, 5000, len(LABELS))
        data[900:920] += 3000.0
        kept = np.delete(np.arange(n), np.arange(1500, 1500 + 2 + self.seed % 40))
        stamps = 5000.0 + kept / RATE
        began, taken = time.monotonic(), 0
        while taken < len(kept):
            m = int(rng.integers(1, 60)) if self.one_stamp_per_chunk else int(rng.integers(1, 12))
            rows = kept[taken : taken + m]
            if self.one_stamp_per_chunk:
                self.outlet._outlet.push_chunk(data[rows], float(stamps[taken : taken + m][-1]))
            else:
                self.outlet.push_chunk(data[rows], stamps[taken : taken + m])
            taken += m
            time.sleep(max(0.0, began + taken / RATE / speed - time.monotonic()))

    def open(self) -> None:
        self.outlet = LslOutlet(info(self.source_id))


def live_session(folder: Path, model: Model, number: int, one_stamp: bool = False, hang: bool = False) -> Path:
    """One session over LSL: sender, recorder and engine; returns the recording."""
    name = f"s{number}{'c' if one_stamp else ''}{'h' if hang else ''}"
    sent = Sent(f"amp-{name}", number, one_stamp)
    sent.open()
    path = folder / f"{name}.xdf"
    config = load_config(None, {"engine.name": name})
    sending = threading.Thread(target=sent.run)
    with LslWatch(
        [StreamQuery(source_id=sent.source_id), StreamQuery(name=f"{name}-outcomes"), StreamQuery(name=f"{name}-events")]
    ) as watch:
        recording = LslRecording(path, watch)
        watch.wait([StreamQuery(source_id=sent.source_id)], 10.0)
        recording.update()
        if one_stamp:
            sending.start()  # the engine joins somewhere inside a chunk
            time.sleep(0.05)
        inlet = LslSignalInlet(resolve(StreamQuery(source_id=sent.source_id), 5.0))
        wires = lsl_session_streams(EngineJob(model.path, config, StreamQuery()), model)
        until(lambda: len(recording.streams) == 3, recording.update, told=lambda: recording.streams)
        control = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control")
        until(lambda: wires.control.streams == 1)
        loop = LiveLoop(inlet, Engine(inlet.info, model.decoder), model, wires, LslClock())
        if not one_stamp:
            sending.start()
        steer(loop, control, sending, hang)
        wires.close()
        recording.stop()
    control.close()
    inlet.close()
    sent.outlet.close()
    return path


def steer(loop: LiveLoop, control: LslTextOutlet, sending: threading.Thread, hang: bool) -> None:
    """Let the loop work, change settings on the way, and once let it hang."""
    began = time.monotonic()
    plan = [
        (0.4, lambda: control.push(messages.line("set", key="threshold", value=0.8))),
        (0.8, lambda: control.push(messages.line("freeze", why="pause"))),
        (0.9, lambda: control.push(messages.line("resume"))),
        (1.1, lambda: control.push(messages.line("mark", labels=["Pz"], bad=True))),
        (1.4, lambda: time.sleep(0.3) if hang else None),
    ]
    last = [0.0]

    def stopped() -> str:
        while plan and time.monotonic() - began > plan[0][0]:
            plan.pop(0)[1]()
        if sending.is_alive():
            last[0] = time.monotonic()
        return "sent" if time.monotonic() - last[0] > 0.3 else ""

    loop.run(stopped)
    sending.join()


def until(done, work=lambda: None, timeout_s: float = 15.0, told=lambda: "") -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"timed out: {told()}"
        work()
        time.sleep(0.02)


def kinds(path: Path) -> list[str]:
    events = next(s for s in read_xdf(path).streams if s.header.type == "BCI-Event")
    return [messages.parse(row[0], "events")["kind"] for row in events.values]


@pytest.mark.parametrize("number", range(SESSIONS))
def test_twenty_live_sessions_of_twenty_are_reproduced_from_their_recordings(tmp_path: Path, model: Model, number: int) -> None:
    path = live_session(tmp_path, model, number, one_stamp=number % 5 == 4, hang=number % 5 == 3)
    result = verify(read_session(path), lambda _: model)
    assert result.ok, (number, result.different[:3], result.not_recorded)
    assert result.outcomes > 100
    assert {"start", "set", "freeze", "resume", "mark", "stop"} <= set(kinds(path))
    assert ("skip" in kinds(path)) or number % 5 != 3


def test_a_replay_through_lsl_gives_the_recorded_outcomes_too(tmp_path: Path, model: Model) -> None:
    path = live_session(tmp_path, model, 100)
    session = read_session(path)
    with through_lsl(session.info, SPEED) as feed:
        assert verify(session, lambda _: model, feed).ok


def test_two_replays_give_the_same_bytes_and_an_altered_sample_is_found(tmp_path: Path, model: Model) -> None:
    session = read_session(live_session(tmp_path, model, 101))
    assert verify(session, lambda _: model).ok
    data = session.raw.data.copy()
    place = int(np.flatnonzero(session.raw.stamps == session.joins[0][1])[0]) + 700
    data[place, 2] += 0.001
    altered = type(session)(
        session.info, session.settings, session.model, session.fingerprint, session.inputs, session.joins, session.rows,
        Chunk(data, session.raw.stamps),
    )  # fmt: skip
    result = verify(altered, lambda _: model)
    assert not result.ok
    assert 0 < result.identical < result.outcomes
    assert "crc" in result.different[0]


def test_samples_missing_from_the_recording_are_told_apart_from_different_outcomes(tmp_path: Path, model: Model) -> None:
    session = read_session(live_session(tmp_path, model, 102))
    short = Chunk(session.raw.data[:2000], session.raw.stamps[:2000])
    cut = type(session)(
        session.info, session.settings, session.model, session.fingerprint, session.inputs, session.joins, session.rows, short
    )
    result = verify(cut, lambda _: model)
    assert not result.ok
    assert result.not_recorded
    assert not result.different
