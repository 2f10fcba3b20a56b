"""Decoders of velocity: trained on cued trials, one file, and the engine steers by it as it decodes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from parts import cut, decoder, eeg

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.control.decoder import VelocityDecoder, VelocityTracker
from bci.engine.control_inputs import Freeze, ReplaceModel, Resume
from bci.engine.decoder import scatter
from bci.engine.engine import Engine
from bci.engine.outcome import Outcome, Reason, velocity_fields
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, ModelError
from bci.model.family import load_family
from bci.model.file import load_model, save_model
from bci.training.fit import FittedModel, fit_decoder
from pipelines.kernels.velocity import load

LABELS = ("C3", "C1", "Cz", "C2", "C4", "CPz")
FAMILIES = ("velocity-ridge", "kalman", "dkf")
PREP = Preprocessing(250.0, LABELS, "none", 0.0, ((8.0, 30.0),), 4, 120, 10)
DRIVES = {"left": (0, -1.2), "right": (4, -1.2), "down": (2, -1.2), "up": (2, 1.0), "rest": (5, 0.0)}


def training(trials: int = 8, each: int = 5, seed: int = 0) -> tuple[FloatArray, np.ndarray, np.ndarray]:
    """Windows of trials in which one channel's power says where to."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.array(list(DRIVES) * trials), each)
    windows = 8.0 * rng.standard_normal((len(names), 1, 120, len(LABELS)))
    for window, name in zip(windows, names, strict=True):
        channel, gain = DRIVES[str(name)]
        window[0, :, channel] *= np.exp(gain / 2)
    return windows, names, np.repeat(np.arange(len(names) // each), each)


@cache
def fitted(family: str, **settings: object) -> FittedModel:
    windows, names, trials = training()
    return fit_decoder(load_family(family, settings), windows, names, PREP, trials=trials)


def stream() -> StreamInfo:
    return StreamInfo(250.0, tuple(Channel(x) for x in LABELS), source_id="test", name="test", sample_clock=True)


def outcomes(engine: Engine, raw: Chunk, places: list[int] | None = None) -> list[Outcome]:
    return [o for piece in cut(raw, places or []) for o in engine.push(piece)]


@pytest.mark.parametrize("features", ["tangent", "power"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_says_where_to_in_the_directions_of_the_cues(family: str, features: str) -> None:
    kernel = fitted(family, features=features).decoder().kernel
    assert isinstance(kernel, VelocityDecoder)
    steering = VelocityTracker(kernel)
    windows, names, _ = training(trials=4, each=12, seed=9)
    found = {name: np.zeros(2) for name in DRIVES}
    for i, (window, name) in enumerate(zip(windows, names, strict=True)):
        if i % 12 == 0:
            steering.restart()
        found[str(name)] += steering(scatter(window)).mean / 48
    assert found["left"][0] < -0.5 < 0.5 < found["right"][0]
    assert found["up"][1] < -0.5 < 0.5 < found["down"][1]
    assert np.linalg.norm(found["rest"]) < 0.5
    assert abs(found["left"][1]) < 0.5 > abs(found["down"][0])


def test_a_model_file_brings_the_very_same_velocities(tmp_path: Path) -> None:
    model = fitted("dkf")
    info = stream()
    save_model(tmp_path / "m.safetensors", model.header(info, (0.5, 2.0)), model.arrays)
    raw = eeg(3000, len(LABELS))
    a = outcomes(Engine(info, model.decoder()), raw)
    b = outcomes(Engine(info, load_model(tmp_path / "m.safetensors").decoder), raw)
    assert any(o.velocity is not None and o.velocity.mean.any() for o in a)
    for one, other in zip(a, b, strict=True):
        assert one.velocity is not None
        assert other.velocity is not None
        assert one.steered(one.velocity, 0.0).tobytes() == other.steered(other.velocity, 0.0).tobytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_velocities_do_not_depend_on_how_the_stream_is_cut(family: str) -> None:
    model, raw = fitted(family), eeg(2500, len(LABELS))
    whole = outcomes(Engine(stream(), model.decoder()), raw)
    places = sorted(np.random.default_rng(1).integers(1, 2500, 200).tolist())
    pieces = outcomes(Engine(stream(), model.decoder()), raw, places)
    assert len(whole) == len(pieces) > 100
    for a, b in zip(whole, pieces, strict=True):
        assert a.velocity is not None
        assert b.velocity is not None
        assert a.velocity.mean.tobytes() == b.velocity.mean.tobytes()


def test_what_is_not_decoded_moves_nothing_and_a_gap_begins_anew() -> None:
    model, raw = fitted("kalman"), eeg(4000, len(LABELS))
    engine = Engine(stream(), model.decoder())
    before = outcomes(engine, Chunk(raw.data[:2000], raw.stamps[:2000]))
    engine.apply(Freeze("pause"))
    frozen = outcomes(engine, Chunk(raw.data[2000:2100], raw.stamps[2000:2100]))
    engine.apply(Resume("pause"))
    after = outcomes(engine, Chunk(raw.data[2100:3000], raw.stamps[2100:3000] + 2.0))
    assert before[-1].velocity is not None
    assert before[-1].velocity.mean.all()
    for outcome in (*frozen, *(o for o in after if o.reason is Reason.REFILL)):
        assert outcome.velocity is not None
        assert not outcome.velocity.mean.any()
    refill = [o for o in after if o.reason is Reason.REFILL]
    assert refill
    assert refill[0].velocity is not None
    spread = model.decoder().velocity.dynamics.spread  # type: ignore[union-attr]
    gain = model.decoder().velocity.gain  # type: ignore[union-attr]
    np.testing.assert_allclose(refill[-1].velocity.deviation, gain * np.sqrt(np.diag(spread)), rtol=1e-6)  # type: ignore[union-attr]


def test_an_artefact_moves_the_cursor_no_faster_than_training_has_seen() -> None:
    kernel = fitted("velocity-ridge").decoder().kernel
    steering = VelocityTracker(kernel)  # type: ignore[arg-type]
    window = np.random.default_rng(0).standard_normal((1, 120, len(LABELS)))
    window[0, :, 0] *= 1e6
    assert np.linalg.norm(steering(scatter(window)).mean) < 5


def test_other_decoders_steer_nothing() -> None:
    assert decoder().velocity is None
    assert decoder().n_dims == 0


def test_two_classes_on_a_level_steer_in_one_dimension() -> None:
    windows, names, trials = training()
    level = np.isin(names, ("left", "right"))
    model = fit_decoder("dkf", windows[level], names[level], PREP, trials=trials[level])
    assert model.decoder().n_dims == 1
    assert velocity_fields(1) == ("expiry", "segment", "index", "reason", "v:x", "sd:x")


def test_a_model_of_other_dimensions_does_not_take_over() -> None:
    engine = Engine(stream(), fitted("dkf").decoder())
    other = fitted("kalman").decoder()
    engine.apply(ReplaceModel(other))
    plain = fit_decoder("ts-lr", *training()[:2], PREP).decoder()
    with pytest.raises(ModelError, match="steers in 0 dimensions"):
        engine.apply(ReplaceModel(plain))


def test_calibration_says_how_well_velocities_are_decoded() -> None:
    assert any("NMSE" in note and "correlation" in note for note in fitted("dkf").notes)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("spread", -np.eye(2), "spread"),
        ("transition", np.eye(2), "grow"),
        ("gain", np.array([0.0]), "gain"),
        ("share", np.array([2.0]), "share"),
        ("centres", np.zeros((3, 1)), "centres"),
        ("residuals", None, "residuals"),
        ("weights", np.full((2, 1, 6, 6), np.nan), "weights"),
    ],
)
def test_arrays_that_cannot_steer_are_refused(name: str, value: FloatArray | None, says: str) -> None:
    arrays = dict(fitted("dkf").fitted.arrays)
    if value is None:
        arrays[name] = -arrays[name]
    else:
        arrays[name] = value
    with pytest.raises(ModelError, match=says):
        load(arrays, tuple(DRIVES))


@pytest.mark.parametrize("settings", [{"features": "wavelets"}, {"memory_s": 0.0}])
def test_settings_that_are_none_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"decoder\.settings"):
        load_family("dkf", settings)
