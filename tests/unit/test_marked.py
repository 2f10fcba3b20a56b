"""What people marked bad in a recording is neither trained on nor decoded, and it is said what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from format_writers import write_brainvision
from hypothesis import given, settings
from hypothesis import strategies as st
from live_rig import Imagery, Rig, model_of
from parts import LABELS, decoder, stream

from bci.engine.chunk import Chunk
from bci.engine.control_inputs import MarkChannels
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import RecordingError, TrainingError
from bci.paradigm.cues import CueEvent
from bci.replay.recorded_session import RecordedSession
from bci.replay.replay import Verification, decode, recompute
from bci.settings import SessionConfig
from bci.stream.files.readers import open_recording
from bci.stream.markers.marked import BadSpan, span_of
from bci.stream.montage import Montage
from bci.stream.recorded_signal import RecordedSignal
from bci.training.decoding import decode_at_cues, decode_recording
from bci.training.epochs import reasons
from bci.training.extraction import extract_epochs
from bci.training.labelled import LabelledRun, open_labelled
from bci.training.marked import BadMarks, bad_marks_in
from bci.training.resolved import resolve_decoder
from bci.training.train import train

RATE = 100
STOP_S = 1.0
CUES = tuple(CueEvent(4.0 + 2 * i, "left" if i % 2 else "right") for i in range(20))
PREPROCESSING = Preprocessing(RATE, LABELS, notch_hz=0.0, window=120, hop=10)
CONFIG = SessionConfig.model_validate(
    {
        "markers": {"table": {"left": "left", "right": "right"}},
        "preprocessing": {"window_s": 1.0, "hop_s": 0.1, "notch_hz": 0.0},
        "trial": {"start_s": 0.0, "stop_s": STOP_S},
    }
)


def volts(seconds: float = 48.0, rate_hz: int = RATE) -> np.ndarray:
    """Noise with a rhythm of its own in trials of each class, shape (n_channels, n_samples), volts."""
    x = np.random.default_rng(0).normal(0, 10, (round(seconds * rate_hz), len(LABELS)))
    for cue in CUES:
        a = round(cue.time_s * rate_hz)
        x[a : a + rate_hz, 0 if cue.class_ == "left" else 2] += 15 * np.sin(2 * np.pi * 11 * np.arange(rate_hz) / rate_hz)
    return x.T * 1e-6


def fif(
    path: Path, notes: Sequence[tuple[float, float, str]] = (), bads: Sequence[str] = (), data: np.ndarray | None = None
) -> Path:
    import mne

    raw = mne.io.RawArray(volts() if data is None else data, mne.create_info(list(LABELS), RATE, "eeg"), verbose="ERROR")
    raw.info["bads"] = list(bads)
    all_notes = [(cue.time_s, 0.0, cue.class_) for cue in CUES] + list(notes)
    raw.set_annotations(mne.Annotations(*(list(column) for column in zip(*all_notes, strict=True))))
    raw.save(path, verbose="ERROR")
    return path


@pytest.mark.parametrize("text", ["BAD_talking", "bad blink", "Bad", "EDGE boundary", "BAD_ACQ_SKIP", "edge artefact"])
def test_a_trial_in_a_stretch_that_is_annotated_bad_is_left_out_under_its_name(tmp_path: Path, text: str) -> None:
    run = open_labelled(fif(tmp_path / "a_raw.fif", [(CUES[5].time_s + 0.2, 0.3, text)]), CONFIG)
    trained = train([run], CONFIG)
    assert trained.epochs.rejected == ((CUES[5], text),)
    assert reasons(trained.epochs.rejected) == {text: 1}
    assert sum(trained.model.trials.values()) == len(CUES) - 1


def test_no_trial_reaches_across_the_seam_of_joined_files(tmp_path: Path) -> None:
    import mne

    raw = mne.io.read_raw_fif(fif(tmp_path / "a_raw.fif"), preload=True, verbose="ERROR")
    cut_s = CUES[5].time_s + 0.5
    joined = mne.concatenate_raws([raw.copy().crop(0, cut_s - 1 / RATE), raw.copy().crop(cut_s)], verbose="ERROR")
    joined.save(tmp_path / "joined_raw.fif", verbose="ERROR")
    epochs = train([open_labelled(tmp_path / "joined_raw.fif", CONFIG)], CONFIG).epochs
    assert [cue for cue, _ in epochs.rejected] == [CUES[5]]
    assert "boundary" in epochs.rejected[0][1]


@pytest.mark.parametrize(("from_s", "length_s"), [(0.12, 0.05), (0.4, 0.1), (0.93, 0.05), (0.5, 0.0)])
def test_a_window_that_holds_a_short_bad_stretch_is_left_out_and_not_trained_on_in_part(
    tmp_path: Path, from_s: float, length_s: float
) -> None:
    run = open_labelled(fif(tmp_path / "a_raw.fif", [(CUES[5].time_s + from_s, length_s, "BAD_blink")]), CONFIG)
    p = replace(resolve_decoder(run.info, CONFIG).preprocessing, least=10)
    epochs = extract_epochs(run.info, run.raw, run.cues, p, STOP_S, marked=run.marked)
    assert epochs.rejected == ((CUES[5], "BAD_blink"),)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("boundary", BadSpan(3.0, 3.0, "boundary")),
        ("New Segment/", BadSpan(3.0, 3.0, "New Segment/")),
        ("BAD_gap", BadSpan(3.0, 5.0, "BAD_gap")),
        ("left", None),
        ("basic", None),
    ],
)
def test_what_annotations_mark_bad(text: str, span: BadSpan | None) -> None:
    assert span_of(3.0, 2.0, text) == span


def test_a_bad_channel_of_the_file_is_left_out_of_the_model_and_named(tmp_path: Path) -> None:
    run = open_labelled(fif(tmp_path / "a_raw.fif", bads=["Pz"]), CONFIG)
    other = open_labelled(fif(tmp_path / "b_raw.fif", bads=["FC1"]), CONFIG)
    model = train([run, other], CONFIG).model
    assert model.preprocessing.labels == ("C3", "Cz", "C4", "CP1", "CP2", "FC2")
    assert "Pz is marked bad in a_raw.fif and is left out of the model" in model.notes
    assert "FC1 is marked bad in b_raw.fif and is left out of the model" in model.notes


def test_what_the_table_of_channels_beside_a_file_calls_bad_is_bad(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path / "sub-1_task-mi_eeg.vhdr", volts().T * 1e6, RATE, LABELS, [])
    table = tmp_path / "sub-1_task-mi_channels.tsv"
    assert open_recording(path).eeg().bad_channels == ()
    table.write_text("\ufeffname\ttype\tstatus\nPZ\tEEG\tbad\nC3\tEEG\tgood\nECG\tECG\tBad\n", encoding="utf-8")
    assert open_recording(path).eeg().bad_channels == ("Pz",)
    table.write_text("name\ttype\nPz\tEEG\n", encoding="utf-8")  # nobody said which are bad
    assert open_recording(path).eeg().bad_channels == ()
    table.write_bytes(b"name\tstatus\nF\xfc\xdfe\tbad\n")
    with pytest.raises(RecordingError, match="must be a table in UTF-8"):
        open_recording(path)


def test_a_bad_channel_is_left_out_also_where_the_settings_name_it(tmp_path: Path) -> None:
    run = open_labelled(fif(tmp_path / "a_raw.fif", bads=["Pz"]), CONFIG)
    named = CONFIG.preprocessing.model_copy(update={"channels": ("C3", "C4", "Pz")})
    assert train([run], CONFIG.model_copy(update={"preprocessing": named})).model.preprocessing.labels == ("C3", "C4")


def test_where_all_channels_are_marked_bad_it_is_said(tmp_path: Path) -> None:
    run = open_labelled(fif(tmp_path / "a_raw.fif", bads=LABELS), CONFIG)
    with pytest.raises(TrainingError, match=r"all channels of the decoder .*C3.* are marked bad"):
        train([run], CONFIG)


def test_bad_channels_of_the_montage_count_by_the_labels_that_it_gives(tmp_path: Path) -> None:
    path = fif(tmp_path / "a_raw.fif", bads=["Cz"])
    signal = open_recording(path, Montage(rename={"Cz": "FCz"}, bad=("Pz",))).eeg()
    assert signal.bad_channels == ("FCz", "Pz")


def run_of(spans: Sequence[BadSpan], stamps: np.ndarray, data: np.ndarray) -> LabelledRun:
    info = StreamInfo(RATE, tuple(Channel(x) for x in LABELS), name="x", sample_clock=True)
    signal = RecordedSignal(info, data, stamps, bad_spans=tuple(spans))
    return LabelledRun("x", info, signal.chunk(), CUES, "", BadMarks((), tuple(spans)))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 46), st.floats(0, 3)), max_size=4),
    st.lists(st.tuples(st.floats(1, 46), st.sampled_from([0.05, 0.5, 5.0, 30.0])), max_size=2),
)
def test_no_window_that_is_trained_on_reaches_into_a_bad_stretch_or_across_a_pause(
    bad: list[tuple[float, float]], pauses: list[tuple[float, float]]
) -> None:
    x = volts().T * 1e6
    recorded_s = np.arange(len(x)) / RATE
    stamps = recorded_s + sum((length_s * (recorded_s >= at_s) for at_s, length_s in pauses), np.zeros(len(x)))
    spans = [BadSpan(float(stamps[round(at_s * RATE)]), float(stamps[round(at_s * RATE)]) + n, "BAD") for at_s, n in bad]
    p = PREPROCESSING
    run = run_of(spans, stamps, x)
    epochs = extract_epochs(run.info, run.raw, run.cues, p, STOP_S, marked=run.marked)
    left_out = {cue for cue, _ in epochs.rejected}
    kept = [cue for cue in CUES if cue not in left_out]
    jumps = stamps[1:][np.diff(stamps) > 1.5 / RATE]
    whole_s = p.window / RATE
    for cue in kept:
        first_s, last_s = cue.time_s + STOP_S - whole_s + 1 / RATE, cue.time_s + STOP_S
        assert not any(s.start_s <= last_s and max(s.stop_s, s.start_s + 1 / RATE) > first_s + p.hop / RATE for s in spans)
        assert not any(first_s + p.hop / RATE < at_s <= last_s for at_s in jumps)
    # What was before the last break, filters included, changes no bit of what comes after.
    breaks = [s.stop_s for s in spans] + list(map(float, jumps))
    if breaks and max(breaks) < stamps[-1]:
        other = x + np.where((stamps < max(breaks) - 0.5 / RATE)[:, None], 40.0 * np.sin(np.arange(len(x)))[:, None], 0.0)
        again = run_of(spans, stamps, other)
        found = extract_epochs(again.info, again.raw, again.cues, p, STOP_S, marked=again.marked)
        gone = {cue for cue, _ in found.rejected}
        later = [cue for cue in kept if cue.time_s + STOP_S - whole_s > max(breaks)]
        assert not gone & set(later)
        for cue in later:
            here, there = kept.index(cue), [c for c in CUES if c not in gone].index(cue)
            assert epochs.windows[here].tobytes() == found.windows[there].tobytes()


def test_a_channel_that_is_bad_for_a_while_is_done_without_so_long_and_trusted_after() -> None:
    x = volts().T * 1e6
    stamps = np.arange(len(x)) / RATE
    marked = BadMarks(("Pz",), (BadSpan(10.0, 20.0, "BAD_loose", ("CP1",)), BadSpan(15.0, 25.0, "BAD_wet", ("CP1",))))
    info, p = stream(rate_hz=RATE), PREPROCESSING
    engine = Engine(info, decoder(prep=p))
    seen = [(o.stamp, o.mask) for o in decode_recording(engine, Chunk(x, stamps), marked)]
    cp1, pz = 1 << LABELS.index("CP1"), 1 << LABELS.index("Pz")
    assert all(mask & pz for _, mask in seen)
    bad = [stamp for stamp, mask in seen if mask & cp1]
    assert bad[0] == pytest.approx(10.0, abs=0.2)
    assert 25.0 + p.window / RATE <= bad[-1] < 28.0
    assert not any(seen[i][1] & cp1 for i in range(len(seen)) if not bad[0] <= seen[i][0] <= bad[-1])
    assert not engine.frontend.quality.marked.any()  # the next recording has marks of its own


def test_live_and_trained_trials_do_without_the_same_marked_channel() -> None:
    x = volts().T * 1e6
    raw = Chunk(x, np.arange(len(x)) / RATE)
    info, p, marked = stream(rate_hz=RATE), PREPROCESSING, BadMarks((), (BadSpan(10.0, 20.0, "BAD_loose", ("CP1",)),))
    epochs = extract_epochs(info, raw, CUES, p, STOP_S, marked=marked)
    said = decode_at_cues(Engine(info, decoder(prep=p)), raw, CUES, STOP_S, marked)
    masks = [bool(o.mask >> LABELS.index("CP1") & 1) for _, o in said if o is not None]
    assert masks == epochs.bad[:, LABELS.index("CP1")].tolist()
    assert 4 <= sum(masks) <= 8


def test_channels_that_the_montage_calls_bad_are_marked_from_the_first_sample_of_a_session_on_and_on_record() -> None:
    rig = Rig(Imagery(20), bad=("pz", "EOGh", "CP1")).run(5)
    first = rig.events()[:3]
    assert [(e["kind"], e.get("labels"), e["consumed"]) for e in first] == [
        ("start", None, 0),
        ("mark", ["Pz"], 0),
        ("mark", ["CP1"], 0),
    ]
    bad = (1 << LABELS.index("Pz")) | (1 << LABELS.index("CP1"))
    assert {int(o["mask0"]) for o in rig.outcomes} == {bad}
    session = RecordedSession(
        rig.engine.info,
        rig.engine.settings,
        "0" * 64,
        {},
        [(e["consumed"], MarkChannels(tuple(e["labels"]), e["bad"])) for e in first[1:]],
        [(0, float(rig.delivered[0].stamps[0]))],
        rig.rows,
        Chunk(np.concatenate([c.data for c in rig.delivered]), np.concatenate([c.stamps for c in rig.delivered])),
    )
    again = recompute(session, lambda _: model_of(decoder()), Verification())
    assert np.array(again)[: len(rig.rows)].tobytes() == rig.rows.tobytes()


def test_a_replay_with_a_model_goes_by_what_was_marked() -> None:
    x = volts().T * 1e6
    stamps = np.arange(len(x)) / RATE
    spans = (BadSpan(10.0, 12.0, "BAD_talking"), BadSpan(30.0, math.inf, "marked bad by hand", ("CP1",)))
    signal = RecordedSignal(stream(rate_hz=RATE), x, stamps, bad_channels=("Pz",), bad_spans=spans)
    raw = signal.chunk()
    rows = np.array(
        decode(signal.info, raw.data, raw.stamps, model_of(decoder(prep=PREPROCESSING)), EngineSettings(), bad_marks_in(signal))
    )
    stamp, reason, mask = rows[:, 3], rows[:, 5], rows[:, 8].astype(int)
    assert set(reason[(stamp >= 10.0) & (stamp < 12.0)]) == {Reason.NONFINITE}
    assert set(mask[stamp < 10.0]) == {1 << LABELS.index("Pz")}
    assert set(mask[stamp > 30.2]) == {(1 << LABELS.index("Pz")) | (1 << LABELS.index("CP1"))}
