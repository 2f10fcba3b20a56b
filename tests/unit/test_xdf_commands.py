"""``bci info`` and ``bci salvage``: what a person and a program are told about a recording."""

import json
from pathlib import Path

import numpy as np
import pytest

from bci.commands import main
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.sidecar import sidecar_path
from bci.stream.xdf.summary import summarise
from bci.stream.xdf.writer import XdfWriter

DATA = Path(__file__).parents[2].parent / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the shared folder of real recordings is not there")


def header(name="eeg", rate_hz=250.0):
    return (
        f"<info><name>{name}</name><type>EEG</type><channel_count>1</channel_count>"
        f"<nominal_srate>{rate_hz}</nominal_srate><channel_format>float32</channel_format></info>"
    )


def write(path, stamps, name="eeg"):
    with XdfWriter(path) as writer:
        writer.write(writer.add_stream(header(name)), np.zeros((len(stamps), 1), np.float32), np.asarray(stamps))


@pytest.fixture
def path(tmp_path):
    index = np.arange(2500)
    write(tmp_path / "a.xdf", 100 + index[(index < 1000) | (index >= 1500)] / 250)
    return tmp_path / "a.xdf"


def test_info_tells_a_program_counts_rates_gaps_and_verdict(path, capsys):
    assert main(["info", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (stream,) = told["streams"]
    assert told["closed"]
    assert told["verified"] == "verified"
    assert stream["samples"] == 2000
    assert stream["gaps"] == 1
    assert stream["missing_s"] == pytest.approx(2.0)
    assert stream["measured_hz"] == pytest.approx(250, rel=0.001)
    assert stream["duration_s"] == pytest.approx(9.996)
    assert stream["clock_offset_s"] is None


def test_info_tells_a_person_the_same_and_reads_no_name_as_markup(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path / "a.xdf", np.arange(500) / 250, name="[red]x[/red]")
    assert main(["info", str(tmp_path / "a.xdf")]) == 0
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "closed in good order" in shown
    assert "every byte is as it was recorded" in shown


def test_a_damaged_recording_ends_info_with_an_exit_code_and_can_be_salvaged(path, tmp_path, capsys):
    raw = bytearray(path.read_bytes())
    raw[-2000] ^= 1
    path.write_bytes(raw)
    assert main(["info", str(path), "--json"]) == 5
    told = json.loads(capsys.readouterr().out)
    assert told["verified"] == "damaged"
    assert any("are not those that were recorded" in p for p in told["problems"])
    assert main(["salvage", str(path), "-o", str(tmp_path / "b.xdf"), "--json"]) == 0
    saved = json.loads(capsys.readouterr().out)
    assert saved["missing"] == {"eeg (1)": 2000}
    assert main(["salvage", str(path), "-o", str(tmp_path / "b.xdf")]) == 5
    assert "never overwritten" in capsys.readouterr().err


def test_a_file_that_is_no_recording_is_an_error(tmp_path, capsys):
    (tmp_path / "x.xdf").write_bytes(b"hello")
    assert main(["info", str(tmp_path / "x.xdf")]) == 5
    assert "is not an XDF file" in capsys.readouterr().err
    assert main(["info", str(tmp_path / "none.xdf")]) == 5


def test_an_interrupted_recording_is_said_not_to_be_closed_with_its_count(path, capsys):
    sidecar_path(path).unlink()
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["info", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["closed"]
    assert told["streams"][0]["samples"] == 2000


@real
def test_a_board_that_sends_at_another_rate_than_it_declares_is_seen():
    summary = summarise(read_xdf(DATA / "xdf-awkward" / "openbci_declared125_real50Hz.xdf").stream("EEG"))
    assert summary.nominal_hz == 125
    assert summary.measured_hz == pytest.approx(50, abs=1)


@real
def test_stamps_that_run_backwards_as_a_matter_of_course_are_no_gaps():
    summary = summarise(read_xdf(DATA / "labrecorder-mi" / "subjT_2022-04-07_run02.xdf").stream("EEG"))
    assert summary.backward > 1000
    assert summary.gaps == 0
    assert summary.segments == 1


@real
def test_a_clock_that_was_reset_makes_two_segments():
    summary = summarise(read_xdf(DATA / "xdf-reference" / "clock_resets.xdf").stream("BioSemi"))
    assert summary.segments == 2
