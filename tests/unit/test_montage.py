"""A montage file supplies what a stream leaves out, and says everything that is wrong with it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, StreamMismatch
from bci.stream.montage import Montage, apply_montage, load_montage

BARE = StreamInfo(125.0, tuple(Channel(f"ch{i}", "EEG", "") for i in range(1, 5)), name="obci")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "montage.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_names_types_reference_unit_positions_and_rate_are_supplied(tmp_path: Path) -> None:
    text = """
names = ["C3", "EOGh"]
reference = "A1"
unit = "mV"
rate_hz = 50
[types]
eogh = "eog"
[units]
EOGh = "uV"
[positions]
C3 = [-0.06, 0.0, 0.06]
"""
    info = apply_montage(BARE, load_montage(written(tmp_path, text)))
    assert info.rate_hz == 50
    assert info.reference == "A1"
    assert info.channels == (
        Channel("C3", "EEG", "mV", (-0.06, 0.0, 0.06)),
        Channel("EOGh", "EOG", "uV"),
        Channel("ch3", "AUX", ""),
        Channel("ch4", "AUX", ""),
    )


def test_channels_are_renamed_by_label_and_never_by_position() -> None:
    info = apply_montage(BARE, Montage(rename={"CH4": "Pz"}))
    assert info.labels == ("ch1", "ch2", "ch3", "Pz")


def test_an_empty_montage_changes_nothing() -> None:
    assert apply_montage(BARE, Montage()) == BARE


def test_standard_positions_are_looked_up_only_when_asked_for() -> None:
    info = apply_montage(BARE, Montage(names=("C3", "nowhere"), standard=True))
    x, _, z = info.channels[0].position or (0, 0, 0)
    assert x < -0.04 < 0.04 < z
    assert info.channels[1].position is None


def test_a_channel_the_stream_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(StreamMismatch, match=r"types: Oz.*bad: Fp9.*ch1, ch2"):
        apply_montage(BARE, Montage(types={"Oz": "EEG"}, bad=("Fp9",)))


def test_more_names_than_channels_are_refused() -> None:
    with pytest.raises(StreamMismatch, match="names 5, stream 'obci' has 4"):
        apply_montage(BARE, Montage(names=tuple("abcde")))


def test_all_faults_of_a_file_are_told_at_once_with_file_and_key(tmp_path: Path) -> None:
    text = 'names = ["C3", "c3 "]\nunit = "tesla"\nrate_hz = nan\n[types]\nC3 = "XYZ"\n[positions]\nC3 = [1, 2]\n'
    with pytest.raises(ConfigError) as error:
        load_montage(written(tmp_path, text))
    found = [p.removeprefix(f"{tmp_path / 'montage.toml'}: ").split(" ")[0] for p in error.value.problems]
    assert found == ["names:", "types.C3", "unit", "positions.C3", "rate_hz"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("unti = 'uV'", "unti: unknown key"), ("names = 3", "names = 3: must be a list"), ("names = [", "is not a TOML file")],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_montage(written(tmp_path, text))


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothere\.toml"):
        load_montage(tmp_path / "nothere.toml")
