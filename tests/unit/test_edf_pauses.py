"""EDF+ and BDF+ files that were interrupted: samples, annotations and cues stand where they belong in true time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.engine.continuity import Continuity
from bci.errors import RecordingError
from bci.stream.files.edf_pauses import Records
from bci.stream.files.readers import open_recording

RATE, LABELS = 100, ("C3", "Cz", "C4")


def write(
    path: Path,
    starts: Sequence[float],
    notes: Sequence[tuple[float, str]] = (),
    *,
    record_s: float = 1.0,
    kind: str = "EDF+D",
    encoding: str = "utf-8",
) -> np.ndarray:
    """An interrupted file; notes are written into the last record that began before them. Returns the numbers, µV."""
    width = 3 if path.suffix == ".bdf" else 2
    per, room, ns = round(RATE * record_s), 120, len(LABELS) + 1
    top = 2 ** (8 * width - 1) - 1
    numbers = np.random.default_rng(0).integers(-3000, 3000, (len(starts) * per, len(LABELS)))

    def field(values: Sequence[object], size: int) -> bytes:
        return b"".join(str(v).encode().ljust(size)[:size] for v in values)

    version = b"\xffBIOSEMI" if width == 3 else b"0".ljust(8)
    head = version + field(["X X X X"], 80) + field(["Startdate X X X X"], 80)
    head += field(["01.02.26", "10.11.12", 256 * (ns + 1)], 8) + field([kind], 44) + field([len(starts), f"{record_s:g}"], 8)
    head += field([ns], 4) + field([*LABELS, f"{kind[:3]} Annotations"], 16) + field([""] * ns, 80) + field(["uV"] * 3 + [""], 8)
    head += field([-top] * 3 + [-1], 8) + field([top] * 3 + [1], 8) + field([-top] * ns, 8) + field([top] * ns, 8)
    head += field([""] * ns, 80) + field([per] * 3 + [room], 8) + field([""] * ns, 32)
    body = b""
    for r, start in enumerate(starts):
        for column in numbers[r * per : (r + 1) * per].T:
            body += b"".join(int(v).to_bytes(width, "little", signed=True) for v in column)
        said = f"+{start:g}".encode() + b"\x14\x14\x00"
        until = starts[r + 1] if r + 1 < len(starts) else np.inf
        for at_s, text in notes:
            if start <= at_s < until:
                said += f"+{at_s:g}".encode() + b"\x14" + text.encode(encoding) + b"\x14\x00"
        body += said.ljust(room * width, b"\x00")
    path.write_bytes(head + body)
    return numbers.astype(float)


@pytest.mark.parametrize("name", ["a.edf", "a.bdf"])
@pytest.mark.parametrize("first_s", [0.0, 0.25])
def test_samples_and_annotations_after_a_pause_stand_at_their_true_time(tmp_path: Path, name: str, first_s: float) -> None:
    starts = [first_s + r + (20 if r >= 6 else 0) for r in range(10)]
    kind = "BDF+D" if name.endswith("bdf") else "EDF+D"
    numbers = write(tmp_path / name, starts, [(first_s + 2.5, "left"), (first_s + 27.5, "right")], kind=kind)
    recording = open_recording(tmp_path / name)
    signal, notes = recording.eeg(), recording.markers[0]
    np.testing.assert_allclose(signal.data, numbers, atol=1e-6)
    np.testing.assert_allclose(signal.stamps, np.repeat(np.array(starts) - first_s, RATE) + np.tile(np.arange(RATE), 10) / RATE)
    assert notes.texts == ("left", "right")
    np.testing.assert_allclose(notes.stamps, [2.5, 27.5])
    assert any("interrupted once (20 s from 6 s on)" in note for note in recording.notes)


def test_records_of_less_than_a_second_and_texts_in_latin_1_are_placed_too(tmp_path: Path) -> None:
    starts = [0.0, 0.5, 3.0, 3.5, 10.0]
    write(tmp_path / "a.edf", starts, [(3.25, "Händedruck"), (10.25, "Füße")], record_s=0.5, encoding="latin-1")
    recording = open_recording(tmp_path / "a.edf")
    assert recording.markers[0].texts == ("Händedruck", "Füße")
    np.testing.assert_allclose(recording.markers[0].stamps, [3.25, 10.25])
    np.testing.assert_allclose(recording.eeg().stamps[::50], starts)


def test_a_file_that_is_called_interrupted_and_is_not_is_read_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "a.edf", list(range(5)), [(2.5, "left")])
    recording = open_recording(tmp_path / "a.edf")
    np.testing.assert_allclose(recording.eeg().stamps, np.arange(5 * RATE) / RATE)
    assert not any("interrupted" in note for note in recording.notes)


def test_a_file_whose_time_goes_back_is_refused_with_the_records(tmp_path: Path) -> None:
    write(tmp_path / "a.edf", [0, 1, 2, 1, 2], [(2.5, "left")])
    with pytest.raises(RecordingError, match="record 4 begins at 1 s, but record 3 begins at 2 s and lasts 1 s"):
        open_recording(tmp_path / "a.edf")


@pytest.mark.parametrize("pause_s", [0.03, 0.5, 9.0, 300.0])
def test_the_engine_sees_each_pause_as_a_gap_of_its_length(tmp_path: Path, pause_s: float) -> None:
    write(tmp_path / "a.edf", [0, 1, 2, 3 + pause_s, 4 + pause_s])
    signal = open_recording(tmp_path / "a.edf").eeg()
    continuity = Continuity(RATE, signal.info.sample_clock)
    pieces = continuity.push(signal.chunk())
    if pause_s < 0.04:
        assert continuity.lost == continuity.bridged == round(pause_s * RATE)
    elif pause_s < 10:
        assert [(p.segment, p.start) for p in pieces] == [(0, 0), (0, 300 + round(pause_s * RATE))]
    else:
        assert [(p.segment, p.start) for p in pieces] == [(0, 0), (1, 0)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 100.0).map(lambda x: round(x, 3)), min_size=2, max_size=8), st.sampled_from([0.1, 1.0, 2.0]))
def test_each_sample_has_the_time_of_its_record_and_of_its_place_in_it(pauses: list[float], record_s: float) -> None:
    starts = np.cumsum([0.0, *(record_s + p for p in pauses)])
    per = round(record_s * RATE)
    stamps = Records(starts, record_s, ()).stamps(len(starts) * per, RATE)
    np.testing.assert_allclose(stamps, (starts[:, None] + np.arange(per) / RATE).ravel(), atol=1e-9)
