"""The cursor task: somebody steers, the engine decodes, the cursor moves, and the recording can be verified."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cursor_run import TABLE, CursorTask, TargetFollower, correlation, nmse, observation, run_cursor, wish

from bci.config import load_config
from bci.engine.chunk import FloatArray
from bci.errors import ConfigError
from bci.model.file import load_model
from bci.paradigm.cursor import KNOWN, moved, reached, towards
from bci.replay.recorded_session import read_session
from bci.replay.replay import verify
from bci.settings import SessionConfig
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.labelled import open_labelled
from bci.training.resolved import resolve_decoder
from bci.training.train import fit, run_epochs, write_model
from devices.simulated import SimulatedSettings, SimulatedSubject

FOUR = ("left", "right", "up", "down")
FAMILIES = ("velocity-ridge", "kalman", "dkf")


def config_of(decoder: str) -> SessionConfig:
    given = {
        "decoder.name": decoder, "preprocessing.window_s": "0.4", "preprocessing.hop_s": "0.1",
        "trial.start_s": "0.7", "trial.stop_s": "4.0", "markers.stream": "cues",
    }  # fmt: skip
    return load_config(None, given | {f"markers.table.{code}": name for code, name in TABLE.items()})


def person(clock: VirtualClock, seed: int = 5, **changes: object) -> SimulatedSubject:
    return SimulatedSubject(SimulatedSettings(seed=seed, skill=0.9, chunk=25, **changes), clock)  # type: ignore[arg-type]


def signal(velocity: tuple[float, float], seconds: float = 40.0, **changes: object) -> FloatArray:
    clock = VirtualClock(0.0)
    subject = person(clock, **changes)
    subject.intend(*velocity, 0.0)
    clock.wait_until(seconds)
    chunk = subject.read(0.0)
    assert chunk is not None
    return chunk.data[500:]


@cache
def mu_power(velocity: tuple[float, float]) -> dict[str, float]:
    """Power from 8 to 13 Hz of C3, C4 and Cz, relative to rest."""
    labels = [c.label for c in person(VirtualClock(0.0)).info.channels]

    def power(data: FloatArray) -> FloatArray:
        spectrum = np.abs(np.fft.rfft(data - data.mean(axis=0), axis=0)) ** 2
        freqs = np.fft.rfftfreq(len(data), 1 / 250)
        return np.asarray(spectrum[(freqs >= 8) & (freqs <= 13)].sum(axis=0))

    change = power(signal(velocity)) / power(signal((0.0, 0.0)))
    return {label: float(change[labels.index(label)]) for label in ("C3", "C4", "Cz")}


def test_somebody_steers_sideways_by_one_hand_upwards_by_both_and_downwards_by_the_feet() -> None:
    right, up, down = mu_power((1.0, 0.0)), mu_power((0.0, -1.0)), mu_power((0.0, 1.0))
    assert right["C3"] < 0.8 * right["C4"]
    assert up["C3"] < 0.8 > up["C4"]
    assert down["Cz"] < min(down["C3"], down["C4"])


def test_the_effect_is_graded_by_the_velocity_and_saturates() -> None:
    half, whole = mu_power((0.4, 0.0))["C3"], mu_power((1.0, 0.0))["C3"]
    assert whole < half < 1.0
    assert math.log(half) / math.log(whole) > 0.4  # more than its share


def test_what_is_intended_is_not_seen_in_the_signal_before_the_reaction() -> None:
    data = []
    for velocity in ((1.0, 0.0), (-1.0, 0.0)):
        clock = VirtualClock(0.0)
        subject = person(clock)
        clock.wait_until(2.0)
        subject.intend(*velocity)
        clock.wait_until(4.0)
        chunk = subject.read(0.0)
        assert chunk is not None
        data.append(chunk.data)
    first = int(np.flatnonzero((data[0] != data[1]).any(axis=1))[0])
    assert first / 250 == pytest.approx(2.3, abs=0.01)


def test_without_skill_nothing_can_be_told_from_the_signal() -> None:
    clock = VirtualClock(0.0)
    found = []
    for velocity in ((1.0, 0.0), (0.0, 0.0)):
        clock = VirtualClock(0.0)
        subject = SimulatedSubject(SimulatedSettings(skill=0.0), clock)
        subject.intend(*velocity, 0.0)
        clock.wait_until(3.0)
        chunk = subject.read(0.0)
        assert chunk is not None
        found.append(chunk.data)
    assert found[0].tobytes() == found[1].tobytes()


def test_how_the_signal_is_read_changes_no_bit_of_it() -> None:
    data = []
    for step_s in (0.1, 0.7):
        clock = VirtualClock(0.0)
        subject = person(clock)
        parts = []
        for k in range(1, round(5.6 / step_s) + 1):
            now = round(k * step_s, 6)
            clock.wait_until(now)
            if now in (1.4, 2.8):
                subject.intend(1.0, -0.5, now)
            chunk = subject.read(0.0)
            if chunk is not None:
                parts.append(chunk.data)
        data.append(np.concatenate(parts)[:1300])
    assert data[0].tobytes() == data[1].tobytes()


def test_a_cursor_stays_in_its_field_and_touches_what_is_near() -> None:
    at = (0.0, 0.0)
    for _ in range(100):
        at = moved(at, (1.0, -2.0), 0.1, 1.0)
    assert at == (1.0, -1.0)
    assert reached((0.9, 0.1), tuple(KNOWN.values())) == (1.0, 0.0)
    assert reached((0.3, 0.1), tuple(KNOWN.values())) is None
    assert all(math.hypot(*d) == pytest.approx(1.0) for d in KNOWN.values())


def test_the_wish_points_to_the_target_and_calms_down_in_it() -> None:
    task = CursorTask(("right",))
    assert wish(task, (0.0, 0.0), (0.8, 0.0)) == (1.0, 0.0)
    assert wish(task, (0.8, -0.05), (0.8, 0.0)) == pytest.approx((0.0, 0.2))
    assert towards((0.5, 0.5), (0.5, 0.5)) == (0.0, 0.0)


def test_errors_are_those_of_the_books() -> None:
    rng = np.random.default_rng(0)
    z = [tuple(x) for x in rng.standard_normal((500, 2))]
    noisy = [(x + e, y + f) for (x, y), (e, f) in zip(z, rng.standard_normal((500, 2)), strict=True)]
    assert nmse(z, z) == pytest.approx(0.0, abs=1e-12)
    assert nmse(z, noisy) == pytest.approx(0.5, abs=0.06)
    assert correlation(z, noisy) == pytest.approx(math.sqrt(0.5), abs=0.05)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"targets": ("nowhere",)}, "nowhere"),
        ({"radius": 0.9}, "radius"),
        ({"limit_s": 0.0}, "limit_s"),
        ({"targets": ("rest",)}, "rest"),
    ],
)
def test_a_task_that_cannot_be_played_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        CursorTask(**{"targets": ("left",), **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration, and a model of each decoder trained on it."""
    folder = tmp_path_factory.mktemp("cursor")
    clock = VirtualClock(1000.0)
    record_virtually(TargetFollower(person(clock)), clock, observation((*FOUR, "rest"), 4, 0), folder / "calibration.xdf")
    run = open_labelled(folder / "calibration.xdf", config_of("dkf"))
    epochs = run_epochs(run, resolve_decoder(run.info, config_of("dkf")), config_of("dkf"))
    for name in FAMILIES:
        decoder = resolve_decoder(run.info, config_of(name))
        write_model(folder / f"{name}.safetensors", fit([epochs], [run], decoder, config_of(name)), config_of(name))
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_somebody_with_skill_reaches_targets_and_the_recording_is_verified(family: str, models: Path, tmp_path: Path) -> None:
    clock = VirtualClock(1000.0)
    subject = person(clock)
    clock.wait_until(1130.0)
    subject.read(0.0)
    model = load_model(models / f"{family}.safetensors")
    found = run_cursor(subject, clock, CursorTask(("right", "up", "left")), model, config_of(family), tmp_path / "session.xdf")
    assert found.hits == 1.0
    assert correlation(found.wanted, found.decoded) > 0.2
    session = read_session(tmp_path / "session.xdf")
    assert len(session.velocities) == len(session.rows) > 50
    result = verify(session, lambda _: model)
    assert result.ok
    assert len(result.velocities) >= len(session.velocities)


def test_a_velocity_that_was_changed_afterwards_is_found(models: Path, tmp_path: Path) -> None:
    clock = VirtualClock(1000.0)
    model = load_model(models / "dkf.safetensors")
    run_cursor(person(clock), clock, CursorTask(("right",), limit_s=2.0), model, config_of("dkf"), tmp_path / "session.xdf")
    session = read_session(tmp_path / "session.xdf")
    session.velocities[-1, 4] += 1e-12
    result = verify(session, lambda _: model)
    assert not result.ok
    assert "velocity" in result.different[0]


def test_a_model_without_velocity_is_refused(models: Path, tmp_path: Path) -> None:
    config = config_of("ts-lr")
    run = open_labelled(models / "calibration.xdf", config)
    decoder = resolve_decoder(run.info, config)
    trained = fit([run_epochs(run, decoder, config)], [run], decoder, config)
    write_model(tmp_path / "plain.safetensors", trained, config)
    clock = VirtualClock(1000.0)
    with pytest.raises(ConfigError, match="decodes no velocity"):
        run_cursor(person(clock), clock, CursorTask(("left",)), load_model(tmp_path / "plain.safetensors"), config)
