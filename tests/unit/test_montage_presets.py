"""Montages of amplifiers that people own: each loads, and fits a stream of that amplifier."""

from pathlib import Path

import pytest

from bci.engine.stream_info import Channel, StreamInfo, canonical
from bci.stream.montage import apply_montage, load_montage, standard_positions
from devices.cyton_settings import LABELS

FOLDER = Path(__file__).parents[2] / "devices" / "montages"
CHANNELS = {
    "cyton": 8,
    "cyton-daisy": 16,
    "ganglion": 4,
    "muse": 4,
    "unicorn": 8,
    "liveamp": 32,
    "actichamp": 32,
    "eego": 32,
    "gtec-lsl": 0,
}


def stream(n: int, kind: str = "EEG") -> StreamInfo:
    return StreamInfo(250.0, tuple(Channel(f"ch{i}", kind, "uV") for i in range(n)), name="amplifier", source_id="x")


def test_each_amplifier_has_its_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(CHANNELS)


@pytest.mark.parametrize("name", CHANNELS)
def test_a_preset_loads_and_names_its_channels(name: str) -> None:
    montage = load_montage(FOLDER / f"{name}.toml")
    assert len(montage.names) == CHANNELS[name]
    info = apply_montage(stream(CHANNELS[name] + 3), montage)
    assert info.labels[: CHANNELS[name]] == montage.names
    assert all(c.type == "EEG" for c in info.channels[: CHANNELS[name]])


@pytest.mark.parametrize("name", [n for n in CHANNELS if n not in ("ganglion", "gtec-lsl")])
def test_every_electrode_has_a_place_on_the_head_and_what_follows_is_no_eeg(name: str) -> None:
    montage = load_montage(FOLDER / f"{name}.toml")
    info = apply_montage(stream(CHANNELS[name] + 3), montage)
    for channel in info.channels[: CHANNELS[name]]:
        assert channel.position is not None, channel.label
    assert {c.type for c in info.channels[CHANNELS[name] :]} == {"AUX"}
    if montage.reference:
        assert canonical(montage.reference) in standard_positions((montage.reference,))


def test_a_unicorn_whose_channels_are_all_typed_aux_becomes_eeg() -> None:
    info = apply_montage(stream(17, "AUX"), load_montage(FOLDER / "unicorn.toml"))
    assert [c.type for c in info.channels] == ["EEG"] * 8 + ["AUX"] * 9


def test_the_cytons_own_labels_are_those_of_its_preset() -> None:
    assert load_montage(FOLDER / "cyton-daisy.toml").names == LABELS
    assert load_montage(FOLDER / "cyton.toml").names == LABELS[:8]


def test_g_tecs_bridge_keeps_its_labels_and_gets_places() -> None:
    bridge = StreamInfo(250.0, (Channel("Cz"), Channel("C3"), Channel("Digital IOs", "TRIG", "")), name="g", source_id="x")
    info = apply_montage(bridge, load_montage(FOLDER / "gtec-lsl.toml"))
    assert info.labels == ("Cz", "C3", "Digital IOs")
    assert info.channels[0].position is not None
