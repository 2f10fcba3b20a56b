"""Who may steer a live session: its own messages are done, what anybody may ask for ends movement, the rest is counted."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_rig import HOST, START_S, Imagery, Rig, model_of, recorded, same_stream
from parts import LABELS, preprocessing, stream

from bci.engine.control_inputs import Freeze, Resume
from bci.engine.outcome import Reason
from bci.errors import ModelError, StreamNotFound
from bci.model.beside import model_beside
from bci.model.file import Model, save_model
from bci.model.kept import WAITING, ModelReader, load_and_keep
from bci.paradigm.live_cues import LiveCues
from bci.processes.recorder_word import RecorderWord
from bci.replay.recorded_events import RecordedEvent
from bci.replay.replay import Verification, recompute
from bci.session import engine_process
from bci.session.engine_process import await_recorder
from bci.session.session_streams import SessionStreams, open_session_streams
from bci.stream import messages
from bci.stream.bus import Marker
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.markers.triggers import MarkerTable
from bci.stream.signing import LONGEST, MAC_FIELDS, Signer, row_is_ours
from bci.training.fit import fit_decoder
from devices.stamp_faults import ClockDrift

KEY, OTHER = bytes(range(32)), bytes(32)
KINDS = ("set", "freeze", "resume", "mark", "recentre", "rebias", "model", "note", "stop", "stop_now", "alive", "arm", "explode")
FIELDS = ("key", "value", "why", "by", "labels", "bad", "on", "text")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def saved_model(path: Path) -> Path:
    """A model file, trained on noise."""
    rng = np.random.default_rng(0)
    labels = np.array(["left", "right"] * 15)
    windows = rng.normal(0, 10, (30, 1, 120, len(LABELS)))
    windows[labels == "left", :, :, 0] *= 0.5
    fitted = fit_decoder("ts-lr", windows, labels, preprocessing())
    save_model(path, fitted.header(stream(), (0.0, 0.5)), fitted.arrays)
    return path


def reasons(rig: Rig, start_s: float, stop_s: float) -> set[Reason]:
    return {Reason(int(d["reason"])) for d in rig.decisions if start_s <= d["at"] < stop_s}


def steady(rig: Rig) -> bool:
    """No row was late."""
    return bool(max(np.diff([d["at"] for d in rig.decisions])) <= 0.05 + 1e-6)


def assert_replays(rig: Rig) -> None:
    """A second run over what is on record gives the same bytes."""
    session = recorded(rig)
    again = np.array(recompute(session, lambda _: model_of(), Verification()))
    assert again.tobytes() == session.rows.tobytes()


def test_a_stranger_can_end_movement_and_nothing_else() -> None:
    rig = Rig(Imagery(60), key=KEY).run(5)
    for signer in (Signer(None, rig.clock.now, HOST), Signer(OTHER, rig.clock.now, HOST)):
        for kind in ("set", "resume", "mark", "recentre", "rebias", "model", "note", "stop"):
            fields = {"key": "threshold", "value": 0.9, "labels": ["Pz"], "on": True, "path": "x", "text": "x", "why": "x"}
            rig.control_outlet.push(signer.line(kind, **fields))
        for kind in ("stop_now", "disarm"):  # the actuator host listens to these
            rig.control_outlet.push(signer.line(kind))
    rig.run(2)
    assert [e["why"] for e in rig.events("refused")] == ["16 control messages without this session's key were ignored"]
    assert len(rig.events()) == 2
    assert rig.state["strangers"] == 16
    assert reasons(rig, 5, 7) == {Reason.DECIDED}
    rig.control_outlet.push(messages.line("freeze", why="a passer-by"))
    rig.run(1)
    assert reasons(rig, 7.1, 8) == {Reason.FROZEN}
    assert rig.state["frozen"] == {"person": "a passer-by"}
    rig.tell("resume", why="operator")
    rig.run(1)
    assert reasons(rig, 8.1, 9) == {Reason.DECIDED}
    assert_replays(rig)


def test_a_message_that_was_overheard_does_nothing_when_it_is_sent_again() -> None:
    rig = Rig(Imagery(60), key=KEY).run(5)
    text = Signer(KEY, rig.clock.now, HOST).line("resume", why="overheard")
    rig.control_outlet.push(text)
    rig.tell("freeze", why="operator")
    rig.run(0.1)
    for _ in range(3):
        rig.control_outlet.push(text)
        rig.run(1.2)
    assert reasons(rig, 5.1, 8) == {Reason.FROZEN}


def test_a_flood_of_strangers_neither_delays_decisions_nor_fills_the_recording() -> None:
    rig = Rig(Imagery(60), key=KEY).run(5)
    texts = [
        *("junk", "{}", "{" * 500, "freeze " * 90),
        messages.line("note", text="x"),
        messages.line("set", key="nothing", value=1),
        messages.line("mark", labels=["nothing"]),
        messages.line("freeze", why="x"),
        messages.line("stop_now"),
        messages.line("resume"),
    ]
    began = time.process_time()
    for _ in range(50):
        for i in range(200):  # 10,000 a second
            rig.control_outlet.push(texts[i % len(texts)])
        rig.run(0.02)
    flooded_s = time.process_time() - began
    size = sum(len(json.dumps(e)) for e in rig.events()[1:])
    assert steady(rig)
    assert [e["kind"] for e in rig.events()[1:]].count("freeze") == 1, "said once, however often it is asked for"
    assert len(rig.events()[1:]) <= 4
    assert size < 2000
    assert flooded_s < 1.0, "10,000 messages cost less than the second in which they came"


def test_messages_of_the_session_that_cannot_be_done_are_told_one_by_one() -> None:
    rig = Rig(Imagery(60), key=KEY).run(5)
    for fields in ({"key": "threshold", "value": "high"}, {"key": ["a"], "value": 0.5}, {"key": "threshold", "value": 7}):
        rig.tell("set", **fields)
    rig.tell("mark", labels=["Oz"])
    rig.tell("recentre", on="no")
    rig.tell("freeze", by="")
    rig.tell("explode")
    rig.run(1)
    assert len(rig.events("refused")) == 7
    assert reasons(rig, 5, 6) == {Reason.DECIDED}


@given(
    st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["key", "value", "why", "by", "labels", "bad", "on", "text"]), JSON)
)
def test_a_message_of_the_session_with_any_content_is_an_order_or_refused(kind: str, fields: dict[str, Any]) -> None:
    rig = RIG
    rig.tell(kind, **fields)
    rig.loop._poll()
    rig.loop._stopping = ""
    assert all(len(e["why"]) <= 500 for e in rig.events("refused"))


@settings(deadline=None)
@given(st.text(max_size=200) | JSON.map(json.dumps))
@pytest.mark.parametrize("key", [None, KEY])
def test_a_text_with_any_content_is_refused_or_ignored(key: bytes | None, text: str) -> None:
    rig = KEYED if key else RIG
    before = dict(rig.engine.frozen)
    rig.control_outlet.push(text)
    rig.loop._poll()
    assert rig.loop._stopping == ""
    assert rig.engine.frozen == before


HUGE = {
    "letters": "x" * 3_000_000,
    "deep": "[" * 3_000_000,
    "objects": '{"a":' * 500_000,
    "a free kind": '{"v":1,"kind":"freeze","why":"' + "x" * 3_000_000 + '"}',
    "escapes": "\\" * 3_000_000,
    "a mac": "x" * 3_000_000 + ',"mac":"00"}',
    "digits": '{"v":1,"kind":"freeze","why":' + "1" * 60_000 + "}",
}


@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("key", [None, KEY], ids=["no key", "key"])
def test_a_text_of_megabytes_costs_less_than_a_row(name: str, key: bytes | None) -> None:
    rig = Rig(Imagery(60), key=key).run(3)
    began = time.process_time()
    for _ in range(10):
        rig.control_outlet.push(HUGE[name])
    rig.loop._poll()
    assert time.process_time() - began < 0.25
    assert rig.engine.frozen == {}
    assert all(len(e["why"]) <= 500 for e in rig.events("refused"))


def test_a_message_may_not_be_longer_than_is_said() -> None:
    rig = Rig(Imagery(20), key=KEY).run(3)
    rig.tell("note", text="x" * (LONGEST - 300))
    rig.tell("note", text="x" * LONGEST)
    rig.run(1.1)
    assert len(rig.events("note")) == 1
    assert len(rig.events("refused")) == 1


# Who has frozen


def test_the_end_of_a_blanking_interval_does_not_undo_a_freeze_of_a_person() -> None:
    rig = Rig(Imagery(60), key=KEY).run(5)
    rig.tell("freeze", why="after a command", by="blanking hand")
    rig.run(0.5)
    rig.tell("freeze", why="operator: pause")
    rig.run(0.5)
    rig.tell("resume", why="blanking is over", by="blanking hand")
    rig.run(2)
    assert reasons(rig, 5.1, 8) == {Reason.FROZEN}
    assert rig.state["frozen"] == {"person": "operator: pause"}
    rig.tell("resume", why="operator")
    rig.run(1)
    assert reasons(rig, 8.1, 9) == {Reason.DECIDED}
    assert [(e["kind"], e["by"]) for e in rig.events("freeze", "resume")] == [
        ("freeze", "blanking hand"), ("freeze", "person"), ("resume", "blanking hand"), ("resume", "person"),
    ]  # fmt: skip
    assert_replays(rig)


@given(st.lists(st.tuples(st.sampled_from("fr"), st.sampled_from(["person", "blanking a", "blanking b", "rate"])), max_size=12))
@settings(max_examples=25, deadline=None)
def test_decoding_goes_on_once_everybody_who_froze_it_has_resumed_it(asked: list[tuple[str, str]]) -> None:
    rig, frozen = Rig(Imagery(20), key=KEY).run(3), set()
    for what, by in asked:
        rig.tell("freeze" if what == "f" else "resume", why="x", by=by)
        frozen = frozen | {by} if what == "f" else frozen - {by}
    rig.run(0.2)
    assert set(rig.engine.frozen) == frozen
    assert reasons(rig, 3.1, 3.2) == {Reason.FROZEN if frozen else Reason.DECIDED}
    assert_replays(rig)


def test_nobody_but_who_is_told_the_rate_is_right_undoes_a_freeze_for_a_wrong_rate() -> None:
    rig = Rig(Imagery(60), [ClockDrift(0)], true_rate_hz=125.0, key=KEY).run(20)
    assert set(rig.engine.frozen) == {"rate"}
    for by in ("person", "blanking hand"):
        rig.tell("resume", by=by)
    rig.run(1)
    assert set(rig.engine.frozen) == {"rate"}
    rig.tell("resume", why="it is known", by="rate")
    rig.run(0.5)
    assert rig.engine.frozen == {}


def test_recordings_that_do_not_say_who_froze_replay_as_before() -> None:
    assert RecordedEvent("freeze", {"why": "x"}, "x").input() == Freeze("x", "person")
    assert RecordedEvent("resume", {"why": "y"}, "x").input() == Resume("y", "person")
    assert RecordedEvent("freeze", {"why": "x", "by": "rate"}, "x").input() == Freeze("x", "rate")


# Decisions are signed


def wires_on(bus: InProcessBus, key: bytes | None = None) -> SessionStreams:
    """All streams of an engine."""
    bus.text_outlet("n-control", "BCI-Control", "c")
    return open_session_streams(
        "n", "s", model_of().header,
        lambda info, bci: bus.outlet(info, bci=bci),
        lambda info, bci: bus.text_outlet(info.name, info.type, info.source_id, bci),
        bus.markers("n-control"), key=key,
    )  # fmt: skip


def test_an_engine_that_is_asked_to_end_waits_no_longer_for_its_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock(START_S)
    wires = wires_on(InProcessBus(clock))
    await_recorder(wires, True, lambda: "asked to")
    assert clock.now() - START_S < 2.0
    monkeypatch.setattr(engine_process, "RECORDER_S", 0.0)
    with pytest.raises(StreamNotFound, match="no recorder has connected"):
        await_recorder(wires, True)


def test_who_listens_is_no_recorder_until_the_recorder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = InProcessBus(VirtualClock(START_S))
    wires, word = wires_on(bus), RecorderWord()
    monkeypatch.setattr(engine_process, "RECORDER_S", 0.0)
    for what in wires.uids:
        bus.raw(f"n-{what}")
    await_recorder(wires, True)  # nobody passes on what a recorder says
    first, *others = wires.uids.values()
    for line in ("", "[]", '{"recorded": 3}', '{"ours": ["x"]}', "{", json.dumps({"recorded": [3, *others]})):
        word.know(line)
    with pytest.raises(StreamNotFound, match=r"no recorder has connected to the engine's streams \(decisions\) within"):
        await_recorder(wires, True, word=word)
    word.know(json.dumps({"recorded": [first]}))
    await_recorder(wires, True, word=word)


def test_decisions_of_a_keyed_engine_verify_and_their_first_seven_columns_are_as_before() -> None:
    rows = {}
    for key in (None, KEY):
        bus = InProcessBus(VirtualClock(START_S))
        wires = wires_on(bus, key)
        inlet = bus.raw("n-decisions")
        for i in range(5):
            wires.decisions.push(np.array([i, 1.0, 0.8, np.nan, np.inf, 0.0, -0.0]))
        pulled = inlet.pull(0.0)
        assert pulled is not None
        rows[key] = np.asarray(pulled[0])
        assert set(wires.uids) == {"decisions", "outcomes", "timing", "events", "state"}
        assert len(set(wires.uids.values())) == 5
    assert rows[KEY].shape == (5, 7 + len(MAC_FIELDS))
    assert rows[KEY][:, :7].tobytes() == rows[None].tobytes()
    assert all(row_is_ours(KEY, "n-decisions-s", row) for row in rows[KEY])
    swapped = rows[KEY][0].copy()
    swapped[7:] = rows[KEY][1][7:]
    assert not row_is_ours(KEY, "n-decisions-s", swapped)


# Models that take over


def test_the_loop_decides_while_a_model_is_read_and_asks_for_each_in_turn() -> None:
    asked: list[str] = []

    def load(path: Path) -> Model:
        asked.append(path.name)
        time.sleep(0.05)
        if path.name == "bad":
            raise ModelError("bad: damaged")
        if path.name == "odd":
            raise RuntimeError("a kernel of somebody else's")
        return model_of()

    rig = Rig(Imagery(60), key=KEY, reader=ModelReader(load)).run(5)
    for name in ("a", "bad", "odd", "b"):
        rig.tell("model", path=name)
    end = time.monotonic() + 10
    while len(rig.events("model", "refused")) < 4 and time.monotonic() < end:
        rig.run(0.02)
    assert asked == ["a", "bad", "odd", "b"]
    assert [e["kind"] for e in rig.events("model", "refused")] == ["model", "refused", "refused", "model"]
    assert steady(rig)


def test_models_that_wait_behind_one_that_cannot_be_read_are_refused_at_last() -> None:
    rig = Rig(Imagery(60), key=KEY, reader=ModelReader(lambda _: time.sleep(3600))).run(5)  # type: ignore[arg-type,return-value]
    for i in range(WAITING + 5):
        rig.tell("model", path=f"{i}")
    rig.run(1)
    assert rig.events("refused")
    assert all("waiting to be read" in e["why"] for e in rig.events("refused"))
    assert steady(rig)


@pytest.mark.parametrize("what", ["pipe", "folder", "device", "missing", "null", "long", "empty"])
def test_what_is_no_model_file_is_refused_without_waiting_for_it(tmp_path: Path, what: str) -> None:
    path = {"folder": tmp_path, "device": Path("/dev/zero"), "null": "a\0b", "long": "x" * 5000}.get(what, tmp_path / what)
    if what == "pipe":
        if sys.platform == "win32":
            return
        os.mkfifo(tmp_path / "pipe")
    if what == "empty":
        (tmp_path / "empty").write_bytes(b"")
    rig = Rig(Imagery(200), key=KEY).run(3)
    rig.tell("model", path=str(path))
    end = time.monotonic() + 5
    while not rig.events("refused") and time.monotonic() < end:
        rig.run(0.02)
    assert len(rig.events("refused")) == 1
    assert steady(rig)


def test_a_model_that_takes_over_is_kept_beside_the_recording_before_it_decides(tmp_path: Path) -> None:
    model, recording = saved_model(tmp_path / "elsewhere.safetensors"), tmp_path / "session" / "run_eeg.xdf"
    recording.parent.mkdir()
    found = load_and_keep(recording, model)
    place = model_beside(recording, found.sha256)
    assert place.read_bytes() == model.read_bytes()
    assert [p.name for p in recording.parent.iterdir()] == [place.name]
    assert sys.platform == "win32" or stat.S_IMODE(place.stat().st_mode) == 0o600
    place.write_bytes(b"damaged")
    load_and_keep(recording, model)
    assert place.read_bytes() == model.read_bytes(), "one that was damaged since is written again"


@pytest.mark.skipif(sys.platform == "win32", reason="folders there have no such modes")
def test_a_model_that_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "elsewhere.safetensors")
    with pytest.raises(ModelError, match="cannot be kept with the recording"):
        load_and_keep(tmp_path / "no such folder" / "run_eeg.xdf", model)


# Cues of other programs are foreign too


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=40) | st.sampled_from(["left", "[" * 5000, '{"a":' * 3000, "1" * 9000]),
            st.floats(),
            st.floats() | st.sampled_from([0.0, float("nan")]),
        ),
        max_size=20,
    )
)
def test_a_cue_with_any_text_and_any_stamp_can_be_put_on_record(sent: list[tuple[str, float, float]]) -> None:
    cues = LiveCues(MarkerTable({"left": "left"}), stream(), "cues")
    heard = cues.markers([Marker((text,), stamp, "uid", "cues", (), offset) for text, stamp, offset in sent])
    for one in (*heard, *cues.settled()):
        assert len(messages.line(one.kind, **one.fields)) < 5000


def test_a_cue_of_megabytes_costs_less_than_a_row() -> None:
    cues = LiveCues(MarkerTable({"left": "left"}), stream(), "cues")
    text = json.dumps({f"k{i}": i for i in range(200_000)})
    sent = [Marker((text,), 100.0 + k, "uid", "cues") for k in range(20)]
    began = time.process_time()
    heard = cues.markers(sent)
    assert time.process_time() - began < 0.25
    assert all(len(messages.line(one.kind, **one.fields)) < 5000 for one in heard)


RIG = Rig(Imagery(10), reopen=same_stream).run(3)
KEYED = Rig(Imagery(10), key=KEY).run(3)
