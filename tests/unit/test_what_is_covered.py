"""``bci replay --verify``: how much was compared, what is missing, and where the models of a session are."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from bci.commands import main
from bci.config import load_config
from bci.engine.chunk import Chunk
from bci.errors import BciError, ModelError, RecordingError
from bci.model.beside import find_model, keep, model_beside
from bci.model.file import Model, load_model
from bci.paradigm.timeline import short
from bci.recording.recorded_stream import lost_after
from bci.replay.engine_only import tails
from bci.replay.recorded_events import read_events
from bci.replay.recorded_session import read_session
from bci.replay.replay import Verification, verify
from bci.session import last_heard
from bci.session.last_heard import LastHeard
from bci.simulation.virtual import run_virtually
from bci.stream import messages
from bci.stream.clock import VirtualClock
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.streams import XdfStream
from bci.stream.xdf.writer import XdfWriter
from devices.simulated import SimulatedSettings, SimulatedSubject

GOLDEN = Path(__file__).parents[2] / "recordings" / "golden"
CLASSES = ("left_hand", "right_hand")
Cut = Callable[[XdfStream], np.ndarray | slice]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(GOLDEN / "golden_model.safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """A session of about twenty seconds, whole."""
    path = tmp_path_factory.mktemp("session") / "whole.xdf"
    clock = VirtualClock(100.0)
    subject = SimulatedSubject(SimulatedSettings(seed=3, channels=8, loss=0.005), clock)
    run_virtually(subject, clock, short(CLASSES, 1, 3), model, load_config(None, {"markers.stream": "cues"}), path)
    return path


def rewritten(whole: Path, path: Path, cut: Cut, parts: int = 1) -> Path:
    """The session with only those samples of each stream that ``cut`` keeps; its outcomes in several parts."""
    with XdfWriter(path) as writer:
        for stream in read_xdf(whole).streams:
            kept = np.arange(len(stream))[cut(stream)]
            for part in np.array_split(kept, parts if stream.type == "BCI-Outcome" else 1):
                number = writer.add_stream(stream.header_xml)
                rows = [stream.values[i] for i in part]
                writer.write(number, rows if stream.channel_format == "string" else np.array(rows), stream.stamps[part])
    return path


def verified(path: Path, model: Model) -> Verification:
    return verify(read_session(path), lambda _: model)


def kind(row: list[str]) -> str:
    found: str = json.loads(row[0])["kind"]
    return found


def last_s(stream: XdfStream, seconds: float) -> slice:
    return slice(0, max(0, int(np.searchsorted(stream.stamps, stream.stamps[-1] - seconds))) if len(stream) else 0)


def test_a_whole_session_is_verified_and_it_is_said_how_much_of_the_signal_the_outcomes_cover(whole: Path, model: Model) -> None:
    result = verified(whole, model)
    assert result.ok
    assert result.covered.startswith("outcomes cover 00:00–00:")
    assert "no outcomes" not in result.covered
    assert verified(GOLDEN / "golden.xdf", model).ok


@pytest.mark.parametrize("parts", [1, 3])
def test_outcomes_that_a_broken_connection_cut_into_parts_are_read_as_one(
    whole: Path, model: Model, tmp_path: Path, parts: int
) -> None:
    assert verified(rewritten(whole, tmp_path / "a.xdf", lambda _: slice(None), parts), model).ok


def test_outcomes_that_are_missing_in_the_middle_are_named_and_nothing_is_verified(
    whole: Path, model: Model, tmp_path: Path
) -> None:
    def cut(stream: XdfStream) -> np.ndarray | slice:
        n = np.arange(len(stream))
        return n[(n < 50) | (n >= 62)] if stream.type == "BCI-Outcome" else slice(None)

    result = verified(rewritten(whole, tmp_path / "a.xdf", cut), model)
    assert not result.ok
    assert result.missing[0].startswith("12 outcomes, from segment 0 index")


@pytest.mark.parametrize("lost", [("BCI-Outcome",), ("BCI-Outcome", "BCI-Decision", "BCI-Timing")])
def test_outcomes_that_end_before_the_engine_stopped_are_missing(
    whole: Path, model: Model, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    def cut(stream: XdfStream) -> np.ndarray | slice:
        return last_s(stream, 6.0) if stream.type in lost else slice(None)

    result = verified(rewritten(whole, tmp_path / "a.xdf", cut), model)
    assert not result.ok
    assert "outcomes, from segment" in result.missing[0]
    assert "s of it at the end have no outcomes" in result.covered


@pytest.mark.parametrize("told_by", ["BCI-Decision", "BCI-Timing"])
def test_without_the_engines_last_word_decisions_and_timing_tell_that_outcomes_are_missing(
    whole: Path, model: Model, tmp_path: Path, told_by: str
) -> None:
    def cut(stream: XdfStream) -> np.ndarray | slice:
        if stream.type == "BCI-Event":
            return np.array([i for i, row in enumerate(stream.values) if kind(row) == "start"])
        ours = stream.type.startswith("BCI-") and stream.type != told_by
        return last_s(stream, 6.0) if ours else slice(None)

    result = verified(rewritten(whole, tmp_path / "a.xdf", cut), model)
    assert not result.ok
    assert "missing" in result.missing[0]


def test_of_an_engine_that_was_killed_what_is_there_is_verified_and_its_silence_said(
    whole: Path, model: Model, tmp_path: Path
) -> None:
    def cut(stream: XdfStream) -> np.ndarray | slice:
        if stream.type == "BCI-Event":
            return np.array([i for i, row in enumerate(stream.values) if kind(row) == "start"])
        return last_s(stream, 6.0) if stream.type.startswith("BCI-") else slice(None)

    result = verified(rewritten(whole, tmp_path / "a.xdf", cut), model)
    assert result.ok
    assert "s of it at the end have no outcomes" in result.covered
    assert "the end of the engine was not recorded: it was killed or hung" in result.covered


def test_a_model_is_found_by_its_hash_whatever_else_lies_beside(whole: Path, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.xdf"
    path.parent.mkdir()
    shutil.copyfile(whole, path)
    own = model_beside(path, model.sha256)
    shutil.copyfile(model.path, own)
    data = model.path.read_bytes()
    for name, content in {"broken": b"broken", "a_model": data[:-1] + b"\0", "empty": b"", "huge": b"\0" * (33 << 20)}.items():
        path.with_name(f"{name}.safetensors").write_bytes(content)
    path.with_name("folder.safetensors").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path.with_name("pipe.safetensors"))
    began = time.monotonic()
    assert find_model(path, model.sha256).path == own
    own.rename(tmp_path / "elsewhere.safetensors")  # one folder up
    assert find_model(path, model.sha256).path.name == "elsewhere.safetensors"
    assert main(["replay", "--verify", str(path)]) == 0
    (tmp_path / "elsewhere.safetensors").unlink()
    with pytest.raises(RecordingError, match=r"looked at .*broken\.safetensors \([0-9a-f]{12}…\)"):
        find_model(path, model.sha256)
    assert find_model(path, model.sha256, [path.with_name("broken.safetensors"), model.path]).path == model.path
    words = ["replay", "--verify", str(path), "--model", str(path.with_name("broken.safetensors"))]
    assert main(words) != 0
    assert main([*words, "--model", str(model.path)]) == 0
    assert time.monotonic() - began < 30.0


def test_a_recording_is_decoded_with_one_model_at_a_time(whole: Path, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(whole), "--model", str(model.path), "--model", str(model.path)]) == 2
    assert "one model at a time" in capsys.readouterr().err


def altered(whole: Path, path: Path, kind_of: str, change: Callable[[int, dict], list[dict]]) -> Path:
    """The session with other lines in its events stream: ``change`` gives those that take the place of one of a kind."""
    with XdfWriter(path) as writer:
        for stream in read_xdf(whole).streams:
            number = writer.add_stream(stream.header_xml)
            values, stamps = stream.values, stream.stamps
            if stream.type == "BCI-Event":
                lines = [json.loads(row[0]) for row in stream.values]
                new = [
                    (x, t)
                    for i, (e, t) in enumerate(zip(lines, stamps, strict=True))
                    for x in (change(i, e) if e["kind"] == kind_of else [e])
                ]
                values, stamps = [[json.dumps(x)] for x, _ in new], np.array([t for _, t in new])
            writer.write(number, values, stamps)
    return path


def with_rows(
    whole: Path, path: Path, type_: str, change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> Path:
    """The session with other rows in one stream of numbers."""
    with XdfWriter(path) as writer:
        for stream in read_xdf(whole).streams:
            number = writer.add_stream(stream.header_xml)
            values, stamps = stream.values, stream.stamps
            if stream.type == type_:
                values, stamps = change(np.array(values), np.array(stamps))
            writer.write(number, values, stamps)
    return path


FOREIGN = (None, -1, 1e308, [], {"a": 1}, "0x" + "f" * 5000)


@pytest.mark.parametrize("key", ["consumed", "stamp", "stream", "settings", "model", "fingerprint"])
def test_a_recording_whose_engine_says_nonsense_at_its_start_is_refused_in_a_sentence(
    whole: Path, model: Model, tmp_path: Path, key: str
) -> None:
    paths = [altered(whole, tmp_path / "missing.xdf", "start", lambda _, e: [{k: v for k, v in e.items() if k != key}])]
    for number, value in enumerate(FOREIGN):
        paths.append(altered(whole, tmp_path / f"{number}.xdf", "start", lambda _, e, v=value: [{**e, key: v}]))
    for path in paths:
        with suppress(BciError):
            assert not verified(path, model).ok or key == "fingerprint"


NAMES = ("consumed", "decision", "until", "why", "by", "labels", "bad", "on", "class", "first", "last", "model")


@pytest.mark.parametrize("value", [None, 10**30, [], {"a": 1}, 1.5, "\ud800"])
@pytest.mark.parametrize("said", ["set", "skip", "freeze", "resume", "mark", "recentre", "rebias", "known", "model"])
def test_an_input_of_another_shape_in_a_recording_is_refused_in_a_sentence(said: str, value: object) -> None:
    line = json.dumps({"v": 1, "kind": said, **dict.fromkeys(NAMES, value)})
    (event,) = read_events([line], "session.xdf")
    for ask in (event.input, event.consumed):
        with pytest.raises(RecordingError, match=f"session.xdf: event 0: {said}"):
            ask()
    with pytest.raises(RecordingError, match="has no field"):
        read_events([json.dumps({"v": 1, "kind": said})], "session.xdf")[0].input()


def test_a_recording_whose_events_are_numbers_or_whose_outcomes_are_texts_is_refused(whole: Path, tmp_path: Path) -> None:
    for kind_of, other in (("BCI-Event", "BCI-Outcome"), ("BCI-Outcome", "BCI-Event")):
        path = tmp_path / f"{kind_of}.xdf"
        streams = read_xdf(whole).streams
        with XdfWriter(path) as writer:
            for stream in streams:
                taken = next(s for s in streams if s.type == other) if stream.type == kind_of else stream
                number = writer.add_stream(taken.header_xml.replace(taken.type, stream.type))
                writer.write(number, taken.values, taken.stamps)
        with pytest.raises(RecordingError):
            read_session(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, -1e18, -1.0])
@pytest.mark.parametrize("row", [0, 30, -1])
def test_an_outcome_of_no_window_is_refused_in_a_sentence(whole: Path, tmp_path: Path, row: int, value: float) -> None:
    def change(values: np.ndarray, stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values[row] = value
        return values, stamps

    with pytest.raises(RecordingError, match="belongs to no window"):
        read_session(with_rows(whole, tmp_path / "x.xdf", "BCI-Outcome", change))


def test_without_a_single_outcome_nothing_is_verified_and_all_are_missing(whole: Path, model: Model, tmp_path: Path) -> None:
    path = with_rows(whole, tmp_path / "x.xdf", "BCI-Outcome", lambda values, stamps: (values[:0], stamps[:0]))
    result = verified(path, model)
    assert not result.ok
    assert result.covered == "there are no outcomes"
    assert len(result.missing) >= 1


def test_outcomes_that_are_recorded_twice_or_out_of_order_are_not_verified(whole: Path, model: Model, tmp_path: Path) -> None:
    orders = {
        "recorded twice": lambda n: [*range(40), 40, *range(40, n)],
        "comes after": lambda n: [*range(n), *range(n - 5, n)],
        "index": lambda n: [1, 0, *range(2, n)],
    }
    for number, (said, order) in enumerate(orders.items()):
        path = with_rows(whole, tmp_path / f"{number}.xdf", "BCI-Outcome", lambda v, t, o=order: (v[o(len(v))], t[o(len(v))]))
        result = verified(path, model)
        assert not result.ok
        assert any(said in text for text in result.different)


def test_decisions_that_are_not_those_of_their_windows_are_found(whole: Path, model: Model, tmp_path: Path) -> None:
    def other(values: np.ndarray, stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decided = values[:, 1] >= 0
        assert decided.any()
        values[decided, 1] = 1 - values[decided, 1]
        return values, stamps

    result = verified(with_rows(whole, tmp_path / "x.xdf", "BCI-Decision", other), model)
    assert not result.ok
    assert "was sent as" in result.different[0]


def test_what_only_the_engine_heard_of_a_sender_that_died_is_named_as_not_recorded(
    whole: Path, model: Model, tmp_path: Path
) -> None:
    """A sender that is killed in between reaches one reader and not the other; the next run's samples do not stand in for it."""
    lost, path = 3, tmp_path / "two.xdf"
    file = read_xdf(whole)
    start = next(json.loads(row[0]) for s in file.streams if s.type == "BCI-Event" for row in s.values)
    with XdfWriter(path) as writer:
        for stream in file.streams:
            values, stamps = stream.values, stream.stamps
            if stream.name != start["stream"]["name"] or stream.channel_format == "string":
                writer.write(writer.add_stream(stream.header_xml), values, stamps)
                continue
            half = len(stream) // 2
            for uid, part in (("a", slice(0, half - lost)), ("b", slice(half, None))):
                header = re.sub("<uid>[^<]*</uid>", "", stream.header_xml).replace("</info>", f"<uid>{uid}</uid></info>")
                writer.write(writer.add_stream(header), values[part], stamps[part])
    result = verified(path, model)
    assert not result.ok
    assert "samples after consumed" in result.not_recorded[0]


def died(
    whole: Path, path: Path, missing: int, told: int, kept: int = 100, note: int = 0, change: float = 0.0, at: int = -1
) -> Path:
    """The session as if the sender's connection had broken in its middle, ``missing`` samples earlier for the recorder.

    The recorder says that it lost the sender after ``note`` samples more than it has, the engine put the last ``told`` on
    record, of which sample ``at`` is changed; ``kept`` is how many an event holds.
    """
    file = read_xdf(whole)
    events = next(s for s in file.streams if s.type == "BCI-Event")
    start = next(json.loads(row[0]) for row in events.values)
    source = next(s for s in file.streams if s.name == start["stream"]["name"] and s.channel_format != "string")
    data, half = np.array(source.values, float), len(source) // 2
    consumed = half - int(np.flatnonzero(source.stamps == float.fromhex(start["stamp"]))[0])
    last = LastHeard(250.0, data.shape[1])
    last._most = told  # what a forged recording holds may be longer than what an engine keeps
    heard = data[half - told : half].copy()
    heard[at, 0] += change
    last.push(Chunk(heard[:-1], source.stamps[half - told : half - 1]))
    last.push(Chunk(heard[-1:], source.stamps[half - 1 : half]))
    with XdfWriter(path) as writer, pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_heard, "PIECE_BYTES", kept * 8 * (data.shape[1] + 1))
        lines = [[messages.line("last", consumed=consumed, segment=0, index=0, **piece)] for piece in last.take(consumed)]
        assert len(lines) == -(-told // kept)
        for stream in file.streams:
            if stream is events:
                rows = [*stream.values[:-1], *lines, stream.values[-1]]
                stamps = np.r_[stream.stamps[:-1], np.full(len(lines), stream.stamps[-1]), stream.stamps[-1:]]
                writer.write(writer.add_stream(stream.header_xml), rows, stamps)
            elif stream is source:
                for part in (slice(0, half - missing), slice(half, None)):
                    number = writer.add_stream(stream.header_xml)
                    writer.write(number, stream.values[part], stream.stamps[part])
                    if not part.start:
                        writer.note(number, lost_after(half - missing + note))
            else:
                writer.write(writer.add_stream(stream.header_xml), stream.values, stream.stamps)
    return path


@pytest.mark.parametrize(("missing", "told"), [(1, 2), (23, 500), (499, 500)])
def test_what_the_engine_put_on_record_of_a_sender_that_died_is_computed_with_and_told(
    whole: Path, model: Model, tmp_path: Path, missing: int, told: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = died(whole, tmp_path / "two.xdf", missing, told)
    result = verified(path, model)
    assert (result.ok, result.different, result.not_recorded) == (True, [], [])
    assert result.identical == result.outcomes
    assert result.engine_only[0].startswith(f"{missing} samples up to consumed = ")
    shutil.copy(GOLDEN / "golden_model.safetensors", tmp_path)
    assert main(["replay", "--verify", str(path)]) == 0
    assert f"engine only   {missing} samples" in capsys.readouterr().out
    assert not verified(whole, model).engine_only


FORGED: dict[str, dict[str, float]] = {
    "the recorder has no such loss": {"note": 1},
    "more is missing than was in flight": {"missing": 520, "told": 600},
    "there is nothing that both have": {"missing": 100, "told": 100},
    "less was told than is missing": {"missing": 100, "told": 50},
    "what both have differs": {"change": 1e-6, "at": 0},
    "what only the engine had is changed": {"change": 1e-6},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_cut_recording_is_not_made_whole_by_what_an_engine_says(whole: Path, model: Model, tmp_path: Path, how: str) -> None:
    settings = {"missing": 23, "told": 100, **FORGED[how]}
    result = verified(died(whole, tmp_path / "two.xdf", **settings), model)  # type: ignore[arg-type]
    assert not result.ok
    assert bool(result.engine_only) == (how == "what only the engine had is changed")


@pytest.mark.parametrize(
    "field", [{"stamps": "?"}, {"stamps": "AAAA"}, {"samples": ""}, {"samples": 3}, {"first": 0.5}, {"first": None}]
)
def test_last_samples_that_are_none_are_refused_in_a_sentence(field: dict[str, object]) -> None:
    zeros = base64.b64encode(bytes(16)).decode()
    line = json.dumps({"v": 1, "kind": "last", "consumed": 2, "first": 0, "stamps": zeros, "samples": zeros, **field})
    with pytest.raises(RecordingError, match="event 0: last"):
        tails(read_events([line], "session.xdf"), 1)


def test_an_engine_keeps_two_seconds_of_what_it_heard_and_of_many_channels_less() -> None:
    for rate_hz, n_channels, kept in ((250.0, 8, 500), (20_000.0, 512, (4 << 20) // (513 * 8))):
        last = LastHeard(rate_hz, n_channels)
        for i in range(0, 2 * kept, 7):
            last.push(Chunk(np.full((7, n_channels), 1.0), np.arange(i, i + 7.0)))
        pieces = list(last.take(10_000_000))
        lines = [messages.line("last", consumed=10_000_000, **piece) for piece in pieces]
        assert max(map(len, lines)) < 65_536
        (tail,) = tails(read_events(lines, "x"), n_channels)
        assert np.array_equal(np.diff(tail.raw.stamps), np.ones(kept - 1))
        assert not list(last.take(10_000_000)), "it is told once"


def test_a_model_is_kept_in_place_of_a_link_and_what_the_link_leads_to_stays_as_it_is(tmp_path: Path) -> None:
    victim, place = tmp_path / "precious.txt", tmp_path / "x_model.safetensors"
    victim.write_text("precious")
    place.symlink_to(victim)
    keep(place, b"model")
    assert victim.read_text() == "precious"
    assert place.read_bytes() == b"model"
    assert not place.is_symlink()
    assert place.stat().st_mode & 0o077 == 0


def test_a_model_that_cannot_be_kept_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    place = tmp_path / "x_model.safetensors"
    place.mkdir()
    with pytest.raises(ModelError, match="cannot be kept"):
        keep(place, b"model")
    assert list(tmp_path.iterdir()) == [place]


def test_files_that_are_no_model_of_a_session_are_named_in_one_line_and_not_without_end(tmp_path: Path) -> None:
    (tmp_path / "a\n\x1b[31m.safetensors").write_bytes(b"x")
    for number in range(100):
        (tmp_path / f"s{number}.safetensors").write_bytes(b"x")
    with pytest.raises(RecordingError, match="and 93 more") as caught:
        find_model(tmp_path / "x.xdf", "0" * 64)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 4000


def test_what_a_recording_says_reaches_the_terminal_in_one_line(whole: Path, model: Model, tmp_path: Path) -> None:
    (event,) = read_events([json.dumps({"v": 1, "kind": "\x1b[31m" + "x" * 10**6, "consumed": -1})], "session.xdf")
    with pytest.raises(RecordingError) as caught:
        event.consumed()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
    path = altered(whole, tmp_path / "x.xdf", "stop", lambda _, e: [{**e, "why": "\x1b[31m\n" * 1000}])
    assert read_session(path).witness.why.isprintable()
