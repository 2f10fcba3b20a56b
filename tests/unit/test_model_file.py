"""What anybody may rely on in model files; fault 24 and the stream half of 29."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from bci import plugins
from bci.engine.decide import DecisionSettings
from bci.engine.decoder import scatter
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, ModelError, StreamMismatch
from bci.model.file import build_decoder, load_model, read_model, save_model
from bci.model.header import ModelHeader, check_stream
from bci.training.fit import FittedModel, fit_decoder

LABELS = ("C3", "Cz", "C4")
INFO = StreamInfo(100.0, tuple(Channel(x) for x in LABELS), reference="A1", name="amplifier")


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    rng = np.random.default_rng(0)
    settings = Preprocessing(100.0, LABELS, notch_hz=0, window=100, hop=4)
    return fit_decoder("ts-lr", 10 * rng.standard_normal((20, 1, 100, 3)), ["left", "right"] * 10, settings)


@pytest.fixture(scope="module")
def header(fitted: FittedModel) -> ModelHeader:
    decision = DecisionSettings(threshold=0.7, idle="left")
    return fitted.header(INFO, (0.5, 1.5), decision, recordings=("ab" * 32,), accuracy=0.75, verdict="usable")


def test_a_model_comes_back_as_it_was_saved(fitted: FittedModel, header: ModelHeader, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    digest = save_model(path, header, fitted.arrays)
    model = load_model(path)
    assert model.header == header
    assert model.sha256 == digest
    window = scatter(np.random.default_rng(1).standard_normal((1, 100, 3)))
    assert model.decoder.kernel(window).tobytes() == fitted.decoder().kernel(window).tobytes()
    np.testing.assert_array_equal(model.decoder.covariance, fitted.covariance)
    np.testing.assert_array_equal(model.decoder.weights, fitted.weights)
    assert {"numpy", "scipy", "pyriemann", "python"} <= set(model.header.versions)


def test_any_safetensors_program_can_open_a_model(fitted: FittedModel, header: ModelHeader, tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", header, fitted.arrays)
    with safe_open(tmp_path / "m.safetensors", "numpy") as file:
        assert set(file.keys()) == set(fitted.arrays)
        assert set(file.metadata()) == {"bci", "digest"}


def test_an_array_of_one_number_comes_back_as_a_number(fitted: FittedModel, header: ModelHeader, tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", header, {**fitted.arrays, "kernel.depth": np.array(7)})
    _, arrays, _ = read_model(tmp_path / "m.safetensors")
    assert arrays["kernel.depth"].shape == ()
    assert arrays["kernel.depth"] == 7


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("arrays['depths']", "KeyError: 'depths'"),
        ("int(arrays['depth'])", "TypeError: only 0-dim"),
        ("arrays['depth'][9]", "IndexError: index 9"),
    ],
)
def test_a_fault_in_the_load_of_a_plug_in_is_told_with_its_kernel_and_arrays(
    fault: str, expected: str, fitted: FittedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project.entry-points."bci.kernels"]\nfaulty = "faulty_kernel:load"\n')
    (tmp_path / "faulty_kernel.py").write_text(f"def load(arrays, classes):\n    return {fault}\n")
    monkeypatch.setenv(plugins.FOLDERS, str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "faulty_kernel", raising=False)
    arrays = {**fitted.arrays, "kernel.depth": np.array([7, 8])}
    with pytest.raises(ModelError, match=f"kernel 'faulty' cannot be built from its arrays .*depth.*{expected}"):
        build_decoder("faulty", fitted.classes, fitted.preprocessing, arrays)


def test_a_model_is_never_overwritten(fitted: FittedModel, header: ModelHeader, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"precious")
    with pytest.raises(ModelError, match=r"model\.safetensors: exists"):
        save_model(path, header, fitted.arrays)
    assert path.read_bytes() == b"precious"


def test_a_folder_that_is_not_there_is_a_clear_error(fitted: FittedModel, header: ModelHeader, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none.model: cannot be written"):
        save_model(tmp_path / "none" / "model", header, fitted.arrays)
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / "none")


def test_all_problems_of_a_header_are_reported_at_once(header: ModelHeader) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(header, classes=("left",), units=("uV",), trial_s=(2.0, 1.0), accuracy=1.5)
    assert [p.split()[0].rstrip(":") for p in caught.value.problems] == ["units", "classes", "trial_s", "accuracy"]


def test_permuted_channels_are_put_in_order_by_name_and_decode_the_same(fitted: FittedModel, header: ModelHeader) -> None:
    permuted = replace(INFO, channels=tuple(Channel(x) for x in ("Fz", "c4..", "C3", "CZ")))
    columns = check_stream(header, permuted)
    assert columns == [2, 3, 1]
    data = np.random.default_rng(2).standard_normal((1, 100, 3))
    wire = np.concatenate((np.zeros((1, 100, 1)), data[..., [2, 0, 1]]), axis=-1)
    kernel = fitted.decoder().kernel
    assert kernel(scatter(wire[..., columns])).tobytes() == kernel(scatter(data)).tobytes()


def test_renamed_channels_are_refused_and_never_taken_by_position(header: ModelHeader) -> None:
    with pytest.raises(StreamMismatch, match="has no C4; it has C3, Cz, CP4"):
        check_stream(header, replace(INFO, channels=tuple(Channel(x) for x in ("C3", "Cz", "CP4"))))


def test_a_label_that_stands_for_two_channels_is_refused(header: ModelHeader) -> None:
    with pytest.raises(StreamMismatch, match="C3; give each"):
        check_stream(header, replace(INFO, channels=(*INFO.channels, Channel("c3"))))


def test_every_field_that_differs_is_named_with_both_values(header: ModelHeader) -> None:
    channels = (Channel("C3"), Channel("Cz", type="EOG"), Channel("C4", unit=""))
    with pytest.raises(StreamMismatch) as caught:
        check_stream(header, replace(INFO, rate_hz=128.0, reference="Cz", channels=channels))
    for part in (
        "rate: model 100 Hz, stream 128 Hz",
        "reference: model A1, stream Cz",
        "type of Cz: model EEG, stream EOG",
        "unit of C4: model uV, stream not declared",
    ):
        assert part in str(caught.value)


def test_units_that_are_converted_on_arrival_and_an_unknown_reference_do_not_differ(header: ModelHeader) -> None:
    channels = tuple(Channel(x, unit="V") for x in LABELS)
    assert check_stream(header, replace(INFO, channels=channels, reference="")) == [0, 1, 2]
