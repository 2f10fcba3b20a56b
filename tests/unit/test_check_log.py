"""What a recording that was never closed can be checked by, and where an open file is."""

import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

from bci.commands import main
from bci.errors import RecordingError
from bci.model.file import read_model, save_model
from bci.recording.own_streams import OwnStreams
from bci.stream.paths import free_path
from bci.stream.stream_query import StreamQuery
from bci.stream.xdf.check_log import log_path, read_log
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.sidecar import sidecar_path
from bci.stream.xdf.writer import XdfWriter

HEADER = (
    "<info><name>eeg</name><type>EEG</type><channel_count>4</channel_count>"
    "<nominal_srate>250</nominal_srate><channel_format>float32</channel_format></info>"
)
posix = pytest.mark.skipif(os.name != "posix", reason="open files cannot be moved on Windows, and rights are other ones")


def write(writer, seconds, start=0):
    """So many seconds of numbered samples, put on the disk once a second."""
    for second in range(start, start + seconds):
        index = np.arange(second * 250, (second + 1) * 250)
        writer.write(1, np.repeat(index[:, None], 4, 1).astype(np.float32), index / 250)
        writer.sync()


@pytest.fixture
def crashed(tmp_path):
    """A recording of 20 s whose last second was not on the disk yet when the power failed, as it lies there."""
    writer = XdfWriter(tmp_path / "running.xdf")
    writer.add_stream(HEADER)
    write(writer, 19)
    index = np.arange(19 * 250, 20 * 250)
    writer.write(1, np.repeat(index[:, None], 4, 1).astype(np.float32), index / 250)
    path = tmp_path / "a.xdf"
    shutil.copyfile(writer.path, path)
    shutil.copyfile(log_path(writer.path), log_path(path))
    writer.close()
    return path


def test_a_recording_that_was_never_closed_is_verified_up_to_its_last_seconds(crashed):
    file = read_xdf(crashed)
    assert len(file.streams[0]) == 20 * 250
    assert (file.closed, file.verified, file.problems) == (False, "unverified", ())
    assert file.checked == "verified up to sample 4750 of 'eeg' (0:18 of 0:19), the rest is unverified"


def test_every_flipped_byte_in_the_part_that_is_covered_is_found(crashed):
    raw = crashed.read_bytes()
    covered = read_log(crashed)[-1][0]
    for at in range(500, covered, 4001):
        crashed.write_bytes(raw[:at] + bytes((raw[at] ^ 0x10,)) + raw[at + 1 :])
        file = read_xdf(crashed)
        assert file.verified == "damaged"
        assert any("are not those that were recorded" in text for text in file.problems)
        values = file.streams[0].values
        assert np.array_equal(values[:, 0], values[:, 3])  # what is left is as it was


def test_a_log_of_another_file_never_makes_a_good_one_look_damaged(crashed, tmp_path):
    other = tmp_path / "other.xdf"
    with XdfWriter(other, created="2026-11-29T12:00:00") as writer:
        writer.add_stream(HEADER)
        write(writer, 10)
    sidecar_path(other).unlink()
    shutil.copyfile(log_path(crashed), log_path(other))
    file = read_xdf(other)
    assert (file.verified, file.checked, len(file.streams[0])) == ("unverified", "", 2500)
    assert "is not the log of this file" in file.problems[0]


@pytest.mark.parametrize("damage", [lambda raw: raw[:-5], lambda raw: b"", lambda raw: raw[:40] + b"\xff" + raw[41:]])
def test_a_log_that_is_damaged_itself_covers_less_and_condemns_nothing(crashed, damage):
    path = log_path(crashed)
    path.write_bytes(damage(path.read_bytes()))
    file = read_xdf(crashed)
    assert (file.verified, len(file.streams[0])) == ("unverified", 5000)


def test_a_file_that_is_shorter_than_its_log_says_is_damaged(crashed):
    raw = crashed.read_bytes()
    crashed.write_bytes(raw[: len(raw) // 2])
    file = read_xdf(crashed)
    assert file.verified == "damaged"
    assert "bytes; it had" in file.problems[0]


def test_a_file_that_is_closed_needs_its_log_no_more_and_a_name_with_a_log_is_taken(tmp_path, crashed):
    with XdfWriter(tmp_path / "b.xdf") as writer:
        writer.add_stream(HEADER)
        write(writer, 1)
    assert read_xdf(tmp_path / "b.xdf").verified == "verified"
    assert not log_path(tmp_path / "b.xdf").exists()
    crashed.unlink()
    assert free_path(crashed) != crashed
    with pytest.raises(RecordingError, match="never overwritten"):
        XdfWriter(crashed)


@posix
def test_a_folder_that_is_moved_while_recording_is_noticed_and_the_file_found_where_it_is(tmp_path):
    told = []
    writer = XdfWriter(tmp_path / "rec" / "a.xdf", tell=told.append)
    writer.add_stream(HEADER)
    write(writer, 2)
    (tmp_path / "rec").rename(tmp_path / "elsewhere")
    write(writer, 2, start=2)
    assert len(told) == 1
    assert f"{tmp_path / 'rec' / 'a.xdf'}: is no longer there" in told[0]
    assert str(tmp_path / "elsewhere" / "a.xdf") in told[0]
    writer.close()
    assert writer.path == tmp_path / "elsewhere" / "a.xdf"
    assert read_xdf(writer.path).verified == "verified"
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["a.xdf", "a.xdf.checks.json"]


@posix
def test_a_recording_that_took_the_place_of_one_that_was_moved_is_left_alone(tmp_path):
    first = XdfWriter(tmp_path / "rec" / "a.xdf")
    first.add_stream(HEADER)
    (tmp_path / "rec").rename(tmp_path / "old")
    second = XdfWriter(tmp_path / "rec" / "a.xdf")
    second.add_stream(HEADER)
    write(first, 2)
    write(second, 3)
    first.close()
    assert log_path(second.path).exists()
    second.close()
    for folder, n in (("old", 500), ("rec", 750)):
        file = read_xdf(tmp_path / folder / "a.xdf")
        assert (file.verified, len(file.streams[0])) == ("verified", n)


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_recordings_and_their_folders_are_readable_by_their_owner_only(tmp_path, umask):
    there = tmp_path / "there"
    there.mkdir(0o755)
    before = os.umask(umask)
    try:
        with XdfWriter(there / "sub-1" / "eeg" / "a.xdf") as writer:
            writer.add_stream(HEADER)
            write(writer, 1)
            made = [log_path(writer.path)]
            rights = {p: stat.S_IMODE(p.stat().st_mode) for p in made}
    finally:
        os.umask(before)
    rights |= {p: stat.S_IMODE(p.stat().st_mode) for p in there.rglob("*")}
    assert {p.name: oct(mode) for p, mode in rights.items()} == {
        "sub-1": "0o700", "eeg": "0o700", "a.xdf": "0o600", "a.xdf.checks.json": "0o600", "a.xdf.checks.log": "0o600",
    }  # fmt: skip
    assert stat.S_IMODE(there.stat().st_mode) == 0o755  # somebody's choice, which stays


class Found:
    """A stream as discovery finds it."""

    def __init__(self, uid, source_id, kind="BCI-Outcome"):
        self.uid, self.source_id, self.type = uid, source_id, kind


def test_of_the_sessions_own_names_only_its_own_streams_are_recorded():
    told = []
    ids = ("bci-control-5e", "bci-outcomes-5e", "bci-guard-5e", "amplifier")
    own = OwnStreams([StreamQuery(source_id=x) for x in ids], told.append)
    ours, stranger = Found("1", "bci-outcomes-5e"), Found("2", "bci-outcomes-5e")
    assert not own.refuses(stranger)  # nobody has said yet which are the session's
    own.add([])
    assert own.refuses(ours)
    own.add(["1"])
    assert not own.refuses(ours)
    assert own.refuses(stranger)
    assert own.refuses(stranger)
    assert len(told) == 2  # the first before it was known, each told once
    assert not own.refuses(Found("3", "amplifier"))
    assert not own.refuses(Found("4", "bci-control-another-program", "BCI-Control"))


def test_control_messages_of_others_are_recorded_as_evidence_and_a_flood_of_them_fills_no_disk():
    own = OwnStreams([StreamQuery(source_id="bci-control-5e")])
    own.add(["1"])
    assert own.limit(Found("1", "bci-control-5e", "BCI-Control")) is None
    limit = own.limit(Found("2", "window", "BCI-Control"))
    taken = sum(limit.admitted(10, 0.001 * k) for k in range(10_000))
    assert 20 * 10 <= taken <= 20 * 11
    assert limit.left_out == 100_000 - taken
    assert own.limit(Found("3", "amplifier", "EEG")) is None


@posix
def test_models_and_whatever_else_bci_makes_are_readable_by_their_owner_only(tmp_path):
    golden = Path(__file__).parents[2] / "recordings" / "golden"
    header, arrays, _ = read_model(golden / "golden_model.safetensors")
    before = os.umask(0)
    try:
        save_model(tmp_path / "m.safetensors", header, arrays)
        assert main(["salvage", str(golden / "golden.xdf"), "-o", str(tmp_path / "deep" / "salvaged.xdf")]) == 0
        assert os.umask(0) == 0  # as it was
    finally:
        os.umask(before)
    rights = {p.name: oct(stat.S_IMODE(p.stat().st_mode)) for p in tmp_path.rglob("*")}
    assert rights == {
        "m.safetensors": "0o600", "deep": "0o700", "salvaged.xdf": "0o600", "salvaged.xdf.checks.json": "0o600",
    }  # fmt: skip
