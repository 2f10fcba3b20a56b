"""A decoder that could not be run is refused before the first trial of a calibration, not after the last one."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bci import plugins
from bci.commands import main
from bci.config import load_config
from bci.engine.chunk import FloatArray
from bci.errors import ConfigError, ModelError, PluginError
from bci.model.family import FittedDecoder, InformedFamily, load_family
from bci.training.rehearsal import rehearse

CLASSES = ("left_hand", "right_hand")
PROJECT = """
[project.entry-points."bci.decoders"]
mine = "rehearsed_{name}:Mine"
[project.entry-points."bci.kernels"]
mine = "rehearsed_{name}:load"
"""
DECODER = """
from tests.unit.test_rehearsal import Halves

class Mine(Halves):
    name = "mine"
    kernel = "{kernel}"

class Kernel:
    {attributes}

def load(arrays, classes):
    kernel = Kernel()
    kernel.classes = classes
    return kernel
"""


class Halves:
    """The half that trains: it always says one half."""

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        return ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: npt.NDArray[np.str_]) -> FittedDecoder:
        share = np.full(windows.shape[3], 1 / windows.shape[3])
        return FittedDecoder(None, tuple(sorted(set(labels.tolist()))), {}, share)


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, attributes: str, kernel: str = "mine") -> None:
    """A decoder of somebody else's, in a folder."""
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name))
    (folder / f"rehearsed_{name}.py").write_text(DECODER.format(kernel=kernel, attributes=attributes))
    monkeypatch.setenv(plugins.FOLDERS, str(folder))
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.parametrize("name", plugins.names(plugins.DECODERS))
def test_every_decoder_of_ours_may_begin_and_is_tried_if_that_is_quick(name: str) -> None:
    quick = not isinstance(load_family(name), InformedFamily)
    assert rehearse(load_config(overrides={"decoder.name": name}), CLASSES) == quick


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("without", "pass", "lacks n_channels, features; a kernel has"),
        ("wrong", "n_channels, features = None, 'samples'", "has n_channels = None .* says 8 channels"),
    ],
)
def test_a_kernel_that_could_not_run_is_refused_before_the_calibration(
    name: str, attributes: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, monkeypatch, name, attributes)
    with pytest.raises(ModelError, match=expected):
        rehearse(load_config(overrides={"decoder.name": "mine"}), CLASSES)


def test_a_kernel_that_is_not_registered_is_refused_before_the_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, monkeypatch, "unregistered", "pass", kernel="other")
    with pytest.raises(PluginError, match=r"bci\.kernels: nothing is registered as 'other'"):
        rehearse(load_config(overrides={"decoder.name": "mine"}), CLASSES)


def test_a_setting_that_the_decoder_does_not_have_is_refused_before_the_calibration() -> None:
    with pytest.raises(ConfigError, match="ts-lr has no setting color"):
        rehearse(load_config(overrides={"decoder.name": "ts-lr", "decoder.settings.color": "red"}), CLASSES)


def test_a_calibration_with_an_unknown_decoder_leaves_no_empty_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["calibrate", "--simulate", "--headless", "--set", "decoder.name=ts-lx", "--set", f"record.out={tmp_path}"]
    assert main(words) == PluginError.exit_code
    assert "did you mean ts-lr" in capsys.readouterr().err
    assert list(tmp_path.rglob("*.xdf")) == []
