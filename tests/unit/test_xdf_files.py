"""XDF files: what is written comes back, here and in pyxdf; what others wrote is read as pyxdf reads it."""

import hashlib
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.errors import ConfigError, RecordingError
from bci.stream.paths import free_path, recording_path
from bci.stream.xdf.format import DTYPES, MAGIC, Tag, chunk, clean_xml, varlen
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.salvage import salvage
from bci.stream.xdf.sidecar import read_sidecar, sidecar_path
from bci.stream.xdf.writer import XdfWriter

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FOLDERS = ("labrecorder-mi", "xdf-reference", "muse-xdf", "xdf-awkward")
REAL = sorted(p for folder in FOLDERS for p in (DATA / folder).glob("*.xdf"))


def header(name="eeg", channel_format="float32", n_channels=2, rate_hz=250.0, kind="EEG", desc=""):
    return (
        f'<?xml version="1.0"?><info><name>{name}</name><type>{kind}</type><channel_count>{n_channels}</channel_count>'
        f"<nominal_srate>{rate_hz!r}</nominal_srate><channel_format>{channel_format}</channel_format><desc>{desc}</desc></info>"
    )


def load(path):
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    return {s["info"]["stream_id"]: s for s in streams}


@pytest.mark.parametrize("channel_format", DTYPES)
def test_numbers_come_back_bit_for_bit_in_every_format(tmp_path, channel_format):
    dtype = DTYPES[channel_format]
    random = np.random.default_rng(1)
    values = np.frombuffer(random.bytes(30 * dtype.itemsize), dtype).reshape(10, 3)
    stamps = random.normal(1e6, 1, 10)
    with XdfWriter(tmp_path / "a.xdf") as writer:
        stream = writer.add_stream(header(channel_format=channel_format, n_channels=3))
        writer.write(stream, values[:4], stamps[:4])
        writer.write(stream, values[4:], stamps[4:])
    file = read_xdf(tmp_path / "a.xdf")
    assert file.closed
    assert file.verified == "verified"
    assert file.streams[0].values.tobytes() == values.tobytes()
    assert file.streams[0].stamps.tobytes() == stamps.tobytes()
    assert file.streams[0].chunk_ends.tolist() == [4, 10]
    theirs = load(tmp_path / "a.xdf")[1]
    assert np.array_equal(theirs["time_series"], values, equal_nan=True)
    assert np.array_equal(theirs["time_stamps"], stamps)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.text(max_size=300), st.text(max_size=3), st.floats()), min_size=1, max_size=20))
def test_texts_come_back_in_every_script_and_stamps_of_every_kind(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("texts") / "a.xdf"
    texts = [[a.encode(errors="replace").decode(), b.encode(errors="replace").decode()] for a, b, _ in rows]
    stamps = np.array([t for _, _, t in rows])
    with XdfWriter(path) as writer:
        writer.write(writer.add_stream(header(channel_format="string", rate_hz=0.0)), texts, stamps)
    file = read_xdf(path)
    assert file.verified == "verified"
    assert file.streams[0].values == texts == load(path)[1]["time_series"]
    assert np.array_equal(file.streams[0].stamps, stamps, equal_nan=True)


def test_every_text_length_field_is_read_back(tmp_path):
    texts = [["x" * n] for n in (0, 255, 256, 70_000)]
    with XdfWriter(tmp_path / "a.xdf") as writer:
        writer.write(writer.add_stream(header(channel_format="string", n_channels=1, rate_hz=0.0)), texts, np.arange(4.0))
    assert read_xdf(tmp_path / "a.xdf").streams[0].values == texts == load(tmp_path / "a.xdf")[1]["time_series"]


def test_the_footer_holds_counts_stamps_rate_offsets_and_notes(tmp_path):
    with XdfWriter(tmp_path / "a.xdf", created="2026-11-21T10:00:00+00:00") as writer:
        eeg, markers = writer.add_stream(header()), writer.add_stream(header("marks", "string", 1, 0.0, "Markers"))
        writer.write(eeg, np.zeros((5, 2), np.float32), np.arange(5) / 250)
        writer.write_offset(eeg, 10.0, -0.25)
        writer.note(markers, "lost & <found>")
    eeg, markers = read_xdf(tmp_path / "a.xdf").streams
    assert eeg.offset_times.tolist() == [10.0]
    assert eeg.offsets.tolist() == [-0.25]
    assert eeg.footer["sample_count"] == "5"
    assert float(eeg.footer["measured_srate"]) == pytest.approx(250)
    assert "note" not in eeg.footer
    assert markers.footer["note"] == "lost & <found>; clock offset unknown"
    footer = load(tmp_path / "a.xdf")[1]["footer"]["info"]
    assert footer["clock_offsets"][0]["offset"][0]["value"] == ["-0.25"]
    assert pyxdf.load_xdf(tmp_path / "a.xdf")[1]["info"]["datetime"] == ["2026-11-21T10:00:00+00:00"]


def test_an_existing_file_is_never_overwritten(tmp_path):
    path = tmp_path / "a.xdf"
    path.write_bytes(b"precious")
    with pytest.raises(RecordingError, match="exists already and is never overwritten"):
        XdfWriter(path)
    assert path.read_bytes() == b"precious"


def test_values_that_the_format_cannot_hold_are_refused(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as writer:
        stream = writer.add_stream(header())
        with pytest.raises(RecordingError, match="float64, which float32"):
            writer.write(stream, np.zeros((1, 2)), np.zeros(1))
        with pytest.raises(RecordingError, match=r"shape \(1, 3\)"):
            writer.write(stream, np.zeros((1, 3), np.float32), np.zeros(1))
        with pytest.raises(RecordingError, match="not a number"):
            writer.write_offset(stream, 1.0, float("nan"))
        writer.write(stream, np.ones((1, 2), np.float32), np.zeros(1))
    assert len(read_xdf(tmp_path / "a.xdf").streams[0]) == 1


def test_header_characters_that_xml_forbids_do_not_spoil_the_file(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as writer:
        writer.add_stream(header(name="a\x01b&#1;&#x0;c"))
    assert read_xdf(tmp_path / "a.xdf").streams[0].name == "a\ufffdb\ufffd\ufffdc"
    assert load(tmp_path / "a.xdf")[1]["info"]["name"] == ["a\ufffdb\ufffd\ufffdc"]
    assert clean_xml(header()) == header()


def test_stamps_that_were_left_out_follow_the_one_before(tmp_path):
    """Chunks whose first sample alone carries a stamp, with none, and with some."""
    body = struct.pack("<I", 7)
    value = [struct.pack("<h", k) for k in range(9)]
    stamp = struct.pack("<Bd", 8, 5.0)
    lead = stamp + value[0] + b"\0" + value[1] + b"\0" + value[2]
    none = b"\0" + value[3] + b"\0" + value[4]
    some = b"\0" + value[5] + struct.pack("<Bd", 8, 9.0) + value[6] + b"\0" + value[7] + b"\0" + value[8]
    raw = MAGIC + chunk(Tag.STREAM_HEADER, body + header(channel_format="int16", n_channels=1, rate_hz=10.0).encode())
    for count, samples in ((3, lead), (2, none), (4, some)):
        raw += chunk(Tag.SAMPLES, body + varlen(count) + samples)
    (tmp_path / "a.xdf").write_bytes(raw)
    (stream,) = read_xdf(tmp_path / "a.xdf").streams
    assert stream.values[:, 0].tolist() == list(range(9))
    assert np.allclose(stream.stamps, [5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 9.0, 9.1, 9.2])
    assert np.array_equal(stream.stamps, load(tmp_path / "a.xdf")[7]["time_stamps"])


@pytest.mark.skipif(not REAL, reason="the shared folder of real recordings is not there")
@pytest.mark.parametrize("path", [p for p in REAL if "truncated" not in p.name], ids=lambda p: p.name)
def test_real_files_are_read_as_pyxdf_reads_them(path):
    file = read_xdf(path)
    theirs = load(path)
    assert [s.id for s in file.streams] == list(theirs)
    assert file.closed
    assert file.verified == "unverified"
    for stream in file.streams:
        other = theirs[stream.id]
        assert np.array_equal(stream.stamps, other["time_stamps"])
        assert np.array_equal(stream.offset_times, other["clock_times"])
        assert np.array_equal(stream.offsets, other["clock_values"])
        if stream.channel_format == "string":
            assert stream.values == other["time_series"]
        else:
            assert np.array_equal(stream.values, other["time_series"], equal_nan=True)


@pytest.mark.skipif(not REAL, reason="the shared folder of real recordings is not there")
def test_a_real_file_cut_in_mid_chunk_gives_its_complete_samples(tmp_path):
    path = DATA / "xdf-awkward" / "openbci_truncated_no_footer.xdf"
    file = read_xdf(path)
    theirs = load(path)
    (stream,) = file.streams
    (other,) = theirs.values()
    n = len(other["time_stamps"])
    assert not file.closed
    assert "38 of its 65 samples are complete" in file.problems[0]
    assert len(stream) == n + 38
    assert np.array_equal(stream.values[:n], other["time_series"])
    assert np.array_equal(stream.stamps[:n], other["time_stamps"])
    result = salvage(path, tmp_path / "saved.xdf")
    saved = read_xdf(result.path)
    assert saved.closed
    assert saved.verified == "verified"
    assert np.array_equal(saved.streams[0].values, stream.values)


def test_the_sidecar_counts_and_sums_whatever_was_written(tmp_path):
    sums = []
    for name, cut in (("a.xdf", 3), ("b.xdf", 7)):
        with XdfWriter(tmp_path / name) as writer:
            stream = writer.add_stream(header())
            values, stamps = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10.0)
            writer.write(stream, values[:cut], stamps[:cut])
            writer.boundary()
            writer.write(stream, values[cut:], stamps[cut:])
        sidecar = read_sidecar(tmp_path / name)
        assert sidecar.size == (tmp_path / name).stat().st_size == sidecar.blocks[-1][0]
        assert sidecar.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert sidecar.streams[0].sample_count == 10
        assert json.loads(sidecar_path(tmp_path / name).read_text())["closed"] is True
        sums.append(sidecar.streams[0].sha256)
    assert sums[0] == sums[1], "the sum of a stream does not depend on its chunks"


def test_a_damaged_sidecar_is_noticed_and_does_not_hide_the_recording(tmp_path):
    path = tmp_path / "a.xdf"
    with XdfWriter(path) as writer:
        writer.write(writer.add_stream(header()), np.zeros((3, 2), np.float32), np.arange(3.0))
    good = sidecar_path(path).read_bytes()
    rounds = np.random.default_rng(0).integers(0, len(good), 60).tolist()
    for at in rounds:
        sidecar_path(path).write_bytes(good[:at] + bytes((good[at] ^ 4,)) + good[at + 1 :])
        file = read_xdf(path)
        same = file.verified == "verified"  # white space may change freely
        assert same or "damaged" in file.problems[0] or "unreadable" in file.problems[0]
        assert len(file.streams[0]) == 3


def test_paths_are_pseudonyms_in_bids_order_and_runs_count_up(tmp_path):
    first = recording_path(tmp_path, "P003", "1", "mi")
    assert first == tmp_path / "sub-P003/ses-1/eeg/sub-P003_ses-1_task-mi_run-001_eeg.xdf"
    XdfWriter(first).close()
    assert recording_path(tmp_path, "P003", "1", "mi").name == "sub-P003_ses-1_task-mi_run-002_eeg.xdf"
    assert recording_path(tmp_path, "P003", "1", "mi", run=1).name == "sub-P003_ses-1_task-mi_run-002_eeg.xdf"
    os.remove(first)
    assert recording_path(tmp_path, "P003", "1", "mi").name.endswith("run-002_eeg.xdf"), "its sidecar is still there"
    assert free_path(tmp_path / "x.xdf") == tmp_path / "x.xdf"


def test_labels_that_are_names_or_lead_elsewhere_are_refused_all_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        recording_path(tmp_path, "Jane Doe", "../1", "mi", run=-1)
    assert len(caught.value.problems) == 3
    assert "a pseudonym such as P003" in str(caught.value)
