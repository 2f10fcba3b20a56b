"""Fault 46: whatever is wrong with a configuration is reported at once, with file and key, and exit code 2."""

import json
from pathlib import Path

import pytest

from bci.commands import main
from bci.config import add_config_options, config_of, load_config
from bci.errors import ConfigError

RATE_HZ = 250.0

WRONG = {
    "unknown key": ('[stream]\nnam = "x"', "stream.nam: no such key; did you mean name?"),
    "unknown section": ('[strem]\nname = "x"', "strem: no such section; did you mean stream?"),
    "unknown empty section": ("[strem]", "strem: no such section; did you mean stream?"),
    "unknown decision key": ("[decision]\nthresold = 0.5", "decision.thresold: no such key; did you mean threshold?"),
    "key outside of any section": ("window_s = 2", "window_s = 2: is outside any [section]"),
    "text for a number": ('[preprocessing]\norder = "four"', "preprocessing.order = 'four': input should be a valid integer"),
    "number for a text": ("[stream]\nname = 3", "stream.name = 3: input should be a valid string"),
    "number for a truth": ("[record]\nrequired = 1", "record.required = 1: input should be a valid boolean"),
    "band above Nyquist": ("[preprocessing]\nbands = [8, 130]", "must end below the Nyquist frequency 125 Hz"),
    "notch above Nyquist": ("[preprocessing]\nnotch_hz = 125", "must be 0 (none) or below the Nyquist frequency 125 Hz"),
    "low above high": ("[preprocessing]\nbands = [30, 8]", "band [30, 8] Hz must satisfy 0 < low < high"),
    "low equals high": ("[preprocessing]\nbands = [[8, 8]]", "band [8, 8] Hz must satisfy 0 < low < high"),
    "band of three": ("[preprocessing]\nbands = [[8, 12, 30]]", "preprocessing.bands"),
    "hop 0": ("[preprocessing]\nhop_s = 0", "preprocessing.hop_s = 0: input should be greater than 0"),
    "window shorter than hop": ("[preprocessing]\nwindow_s = 0.1\nhop_s = 0.5", "preprocessing.hop_s = 0.5: must be at most"),
    "window shorter than the usual hop": ("[preprocessing]\nwindow_s = 0.01", "preprocessing.hop_s = 0.04: must be at most"),
    "NaN": ("[preprocessing]\nwindow_s = nan", "preprocessing.window_s = nan: input should be a finite number"),
    "infinity": ("[preprocessing]\nwindow_s = inf", "preprocessing.window_s = inf: input should be a finite number"),
    "NaN in the engine's own": ("[decision]\nsmoothing_s = nan", "decision.smoothing_s = nan: "),
    "endless timeout": (
        "[stream]\ntimeout_s = 1e300",
        "stream.timeout_s = 1e+300: input should be less than or equal to 4000000",
    ),
    "negative timeout": ("[stream]\ntimeout_s = -1", "stream.timeout_s = -1: input should be greater than 0"),
    "duplicate port": (
        "[source.settings]\ndata_port = 5000\nport = 5000",
        "source.settings.port = 5000: is also the port of source.settings.data_port",
    ),
    "name for a subject": ('[record]\nsubject = "Jane Doe"', "record.subject = 'Jane Doe': must be 1 to 32 letters or digits"),
    "path for a subject": ('[record]\nsubject = "../etc"', "record.subject = '../etc': must be 1 to 32 letters or digits"),
    "newline in a subject": ('[record]\nsubject = "P1\\n"', "record.subject = 'P1\\n': must be 1 to 32 letters or digits"),
    "threshold beyond 1": ("[decision]\nthreshold = 2", "decision.threshold = 2.0: must be between 0 and 1"),
    "release above threshold": (
        "[decision]\nthreshold = 0.7\nrelease = 0.9",
        "decision.release = 0.9: must be between 0 and threshold",
    ),
    "trial that ends before it starts": ("[trial]\nstart_s = 3", "trial.stop_s = 2.5: must be more than start_s = 3"),
    "trial of no length": ("[trial]\nstart_s = 3\nstop_s = 3", "trial.stop_s = 3: must be more than start_s = 3"),
    "unknown reference": ('[preprocessing]\nreference = "car"', "preprocessing.reference = 'car': must be one of none, average"),
    "a date": ("[stream]\nname = 2026-01-01", "stream.name"),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "pilot.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_named_with_file_and_key(case: str, tmp_path: Path) -> None:
    text, expected = WRONG[case]
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_config(path, rate_hz=RATE_HZ)
    lines = [line for line in raised.value.problems if expected in line]
    assert lines, raised.value
    assert lines[0].startswith(f"{path}: ")
    assert raised.value.exit_code == 2


def test_everything_wrong_is_reported_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[stream]\nnam = "x"\ntimeout_s = -1\n'
        '[preprocessing]\nbands = [30, 8]\nhop_s = 0\nwindow_s = nan\norder = "four"\nnotch_hz = 500\n'
        '[decision]\nthreshold = "high"\nsmoothing_s = -1.0\n'
        '[record]\nsubject = "Jane Doe"\n[source.settings]\ndata_port = 5000\nport = 5000\n',
    )
    with pytest.raises(ConfigError) as raised:
        load_config(path, {"trial.stop_s": "0.1"}, rate_hz=RATE_HZ)
    text = str(raised.value)
    wrong = [
        "stream.nam", "stream.timeout_s", "preprocessing.bands", "preprocessing.hop_s", "preprocessing.window_s",
        "preprocessing.order", "preprocessing.notch_hz", "decision.threshold", "decision.smoothing_s", "record.subject",
        "source.settings.port", "trial.stop_s",
    ]  # fmt: skip
    assert [key for key in wrong if key not in text] == []
    assert len(raised.value.problems) == len(wrong)


def test_a_problem_from_the_command_line_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[preprocessing]\nhop_s = 0.1\n")
    with pytest.raises(ConfigError, match=r"^command line: preprocessing\.hop_s = 0: "):
        load_config(path, {"preprocessing.hop_s": "0"})


@pytest.mark.parametrize("key", ["window_s", "stream.", ".name", ""])
def test_a_key_without_section_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=r"must be SECTION\.KEY"):
        load_config(None, {key: "1"})


def test_set_without_a_value_is_refused() -> None:
    from argparse import ArgumentParser

    parser = ArgumentParser()
    add_config_options(parser)
    with pytest.raises(ConfigError, match=r"must be SECTION\.KEY=VALUE"):
        config_of(parser.parse_args(["--set", "stream.name"]))


def test_a_text_where_a_table_is_needed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"stream\.name"):
        load_config(None, {"stream.name.inner": "1"})


@pytest.mark.parametrize(("content", "expected"), [(b"[stream\n", "not a TOML file"), (b"\xff\xfe\x00", "saved in UTF-16")])
def test_a_file_that_is_no_toml_is_refused_with_its_name(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "pilot.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected) as raised:
        load_config(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_and_a_wrong_option_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "none.toml", {"stream.timeout_s": "-1"})
    assert len(raised.value.problems) == 2
    assert "No such file" in raised.value.problems[0]


def test_a_wrong_option_ends_the_command_with_code_2_and_json_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json", "--nonsense"]) == 2
    printed = capsys.readouterr()
    assert "--nonsense" in printed.err
    assert json.loads(printed.out)["exit_code"] == 2
