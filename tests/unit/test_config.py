"""Settings come from preset, file and command line, in this order, with the types that the file format promises."""

import argparse
from pathlib import Path

import pytest

from bci.config import add_config_options, config_of, load_config, presets
from bci.engine.decide import DecisionSettings
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    return parser.parse_args(words)


def written(folder: Path, text: str) -> Path:
    path = folder / "pilot.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_file_the_defaults_make_a_valid_session() -> None:
    config = load_config()
    assert config.stream.query().type == "EEG"
    assert config.preprocessing.build(250.0, ("C3", "C4")) == Preprocessing(250.0, ("C3", "C4"))


def test_the_command_line_wins_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    path = written(tmp_path, "[preprocessing]\nwindow_s = 1\norder = 3\n")
    config = config_of(
        parsed("--preset", "few-channels", "--config", str(path), "--set", "preprocessing.order=2", "--stream", "Cyton")
    )
    assert config.preprocessing.window_s == 1.0
    assert config.preprocessing.order == 2
    assert len(config.preprocessing.bands) == 4
    assert config.stream.name == "Cyton"


def test_short_options_set_stream_folder_and_subject() -> None:
    config = config_of(parsed("--stream", "Cyton", "--out", "elsewhere", "--subject", "P07"))
    assert (config.stream.name, config.record.out, config.record.subject) == ("Cyton", "elsewhere", "P07")


def test_a_stream_on_the_command_line_replaces_the_one_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[stream]\nname = "Muse"\nsource_id = "abc"\n')
    query = config_of(parsed("--config", str(path), "--stream", "name=Cyton,host=*")).stream.query()
    assert (query.name, query.type, query.source_id, query.host) == ("Cyton", "", "", "*")


@pytest.mark.parametrize("text", ["[8, 30]", "[[8, 30]]"])
def test_one_band_may_be_written_as_a_plain_pair(text: str) -> None:
    overrides = {"preprocessing.bands": text}
    assert load_config(None, overrides).preprocessing.bands == ((8.0, 30.0),)


def test_texts_on_the_command_line_need_no_quotes_even_when_they_look_like_numbers() -> None:
    config = load_config(None, {"record.session": "01", "markers.table.2": "left", "stream.name": "my amp #2"})
    assert config.record.session == "01"
    assert config.markers.table == {"2": "left"}
    assert config.stream.name == "my amp #2"


def test_tables_from_file_and_command_line_are_joined(tmp_path: Path) -> None:
    path = written(tmp_path, '[markers.table]\n1 = "rest"\n2 = "left"\n')
    assert load_config(path, {"markers.table.2": "right"}).markers.table == {"1": "rest", "2": "right"}


def test_a_montage_is_looked_for_beside_the_file_that_names_it(tmp_path: Path) -> None:
    path = written(tmp_path, '[stream]\nmontage = "cap.toml"\n')
    assert load_config(path).stream.montage == str(tmp_path / "cap.toml")


def test_a_montage_from_the_command_line_is_looked_for_where_one_stands(tmp_path: Path) -> None:
    path = written(tmp_path, '[stream]\nmontage = "cap.toml"\n')
    assert load_config(path, {"stream.montage": "mine.toml"}).stream.montage == "mine.toml"


def test_engine_settings_hold_what_the_sections_say() -> None:
    settings = load_config(None, {"decision.threshold": "0.8", "quality.flat_uv": "1"}).engine_settings()
    assert settings.decision.threshold == 0.8
    assert settings.quality.flat_uv == 1.0


def test_a_decision_setting_wins_over_the_models_and_the_others_stay_as_the_model_has_them() -> None:
    model = DecisionSettings(smoothing_s=1.0, threshold=0.9, release=0.8, dwell_s=0.5)
    assert load_config().engine_settings(model).decision == model
    softer = load_config(None, {"decision.threshold": "0.7"}).engine_settings(model).decision
    assert softer == DecisionSettings(smoothing_s=1.0, threshold=0.7, release=0.7, dwell_s=0.5)
    same = load_config(None, {"decision.threshold": "0.6"}).engine_settings(model).decision
    assert same.threshold == 0.6  # said, though it is the default
    assert load_config(None, {"decision.release": "0.85"}).engine_settings(model).decision.release == 0.85


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_valid_at_consumer_rates(name: str) -> None:
    for rate_hz in (125.0, 250.0, 256.0):
        load_config(preset=name, rate_hz=rate_hz).at_rate(rate_hz)


def test_the_presets_of_this_release_are_found() -> None:
    assert {"motor-imagery", "few-channels"} <= set(presets())


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean motor-imagery"):
        load_config(preset="motor-imagry")
