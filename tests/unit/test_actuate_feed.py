"""Whose decisions an actuator host obeys: the engine's that was armed for, signed where the session has a key, and no other's."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from guard_parts import HOP_S, HostRig, signed_row

from bci.actuation.feed import REJOIN_S
from bci.engine import guard as g
from bci.engine.guard import State
from bci.engine.stream_info import Channel, StreamInfo
from bci.stream import messages
from bci.stream.signing import MAC_FIELDS

KEY, OTHER = bytes(range(32)), bytes(32)
BCI = {"classes": '["left", "right"]'}


class Another:
    """A further decisions stream of the same name beside that of a rig."""

    def __init__(
        self,
        rig: HostRig,
        columns: tuple[str, ...] = messages.DECISION_FIELDS,
        key: bytes | None = None,
        form: str = "double64",
        bci: dict[str, str] | None = None,
        source_id: str = "bci-decisions",
    ) -> None:
        self._rig, self._key, self.n = rig, key, 0
        info = StreamInfo(0.0, tuple(map(Channel, columns)), source_id=source_id, name="bci-decisions", type="BCI-Decision")
        mine, rig.engine = (rig.engine, rig.cable), rig.bus.outlet(info, form, BCI if bci is None else bci)
        rig.connect()
        self.outlet, self.cable = rig.engine, rig.cable
        rig.engine, rig.cable = mine

    def decide(self, decision: int = 1, **more: float) -> None:
        """It decides."""
        self.n += 1
        now = self._rig.clock.now()
        row = [self.n + 10**6, decision, 0.9, now, now + 0.25, 0.0, 0.0]
        row = signed_row(self.outlet, self._key, *row) if len(self.outlet.info.channels) == 9 else row
        self.outlet.push(row[: len(self.outlet.info.channels)])


def both(rig: HostRig, other: Another, seconds: float, decision: int = -1, own: bool = True) -> HostRig:
    """Both engines decide: ours ``decision``, the other one right."""
    for _ in range(round(seconds / HOP_S)):
        rig.wait(HOP_S)
        if own:
            rig.row(decision)
        other.decide()
    return rig.wait(0.005)


# Without a key


def test_another_engine_of_the_same_name_is_not_listened_to_while_the_first_one_is_there():
    rig = HostRig().start_engine()
    other = Another(rig)
    both(rig, other, 2.4).arm()
    both(rig, other, 1.0, 0)
    assert set(rig.actuator.told) == {"left"}


@pytest.mark.parametrize("source_id", ["bci-decisions", "bci-decisions-other"])
def test_another_engine_does_not_take_over_when_the_one_that_was_armed_for_is_gone(source_id):
    rig = HostRig().start_engine()
    other = Another(rig, source_id=source_id)
    both(rig, other, 2.4).arm()
    both(rig, other, 0.5, 0)
    rig.engine.close()
    both(rig, other, 5.0, own=False)
    assert (rig.guard.state, rig.actuator.told.count("right")) == (State.SAFE, 0)
    assert rig.heard("guard", "guard")[-1]["engine"]["uid"] == other.outlet.uid
    rig.arm()
    both(rig, other, 0.2, own=False)
    assert rig.actuator.told[-1] == "right"  # a person armed for this one


def test_an_engine_whose_connection_breaks_is_waited_for_before_another_one_is_taken():
    rig = HostRig().start_engine()
    other = Another(rig)
    both(rig, other, 2.4).arm()
    both(rig, other, 0.4, 0)
    rig.cable.cut = True
    both(rig, other, REJOIN_S - 0.2, 0)
    rig.connect()
    both(rig, other, 1.0, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.ACTIVE, ["left", "neutral", "left"])


def test_what_another_engine_said_before_it_was_listened_to_moves_nothing():
    rig = HostRig().start_engine()
    other = Another(rig)
    both(rig, other, 3.0)
    rig.engine.close()
    rig.wait(0.1)
    events = [event for _ in range(400) for event in rig.feed.pull(0.005)]
    assert [type(event) for event in events] == [g.EnginePresence]


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": ("a", "b", "c")},
        {"columns": tuple(reversed(messages.DECISION_FIELDS))},
        {"form": "float32"},
        {"bci": {}},
        {"bci": {"classes": "[" * 5000}},
        {"bci": {"classes": '["left", 5]'}},
        {"bci": {"classes": '["le\\nft", "right"]'}},
        {"bci": {"classes": '["\\ud800", "right"]'}},
        {"bci": {"classes": "[" + ",".join(['"a"'] * 1000) + "]"}},
    ],
)
def test_a_stream_that_cannot_be_used_is_told_and_neither_blocks_nor_disturbs_the_one_that_can(wrong):
    rig = HostRig()
    other = Another(rig, **wrong)
    rig.wait(0.1)
    assert rig.feed.current is None
    rig.start_engine()
    both(rig, other, 2.4).arm()
    assert rig.guard.state is State.ARMED
    late = Another(rig, **wrong)
    both(rig, late, 0.5, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.ACTIVE, ["left"])


def test_a_stream_that_cannot_be_used_is_told_in_a_short_sentence_however_many_columns_it_has():
    rig = HostRig()
    Another(rig, tuple(f"column{k}" for k in range(1000)))
    (why,) = [event.why for event in rig.feed.pull(0.0) if isinstance(event, g.LastingFault)]
    assert "double64 of column0, column1, " in why
    assert "column10" not in why


def test_before_anybody_armed_an_engine_of_other_classes_may_come():
    rig = HostRig().start_engine(("up", "down"))
    rig.engine.close()
    rig.wait(0.1)
    rig.start_engine().wait(REJOIN_S)
    rig.rows(2.4).arm().rows(0.2, 0)
    assert rig.actuator.told == ["left"]


# With a key


def test_signed_decisions_move_and_unsigned_or_wrongly_signed_rows_of_the_same_stream_are_counted_and_move_nothing():
    rig = HostRig(key=KEY).start_engine().rows(2.4).arm()
    for _ in range(10):
        now = rig.clock.now()
        rig.engine.push([10**6, 1, 0.9, now, now + 0.25, 0, 0, 0, 0])
        rig.engine.push(signed_row(rig.engine, OTHER, 10**6, 1, 0.9, now, now + 0.25, 0, 0))
        rig.engine.push([math.nan] * 9)
        rig.rows(HOP_S, 0)
    rig.rows(1.1, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.ACTIVE, ["left"])
    assert rig.heard("guard", "guard")[-1]["strangers"] == 30
    assert [m["why"] for m in rig.heard("guard", "refused")] == [
        "decisions that do not belong to this session are ignored; another program sends under its name"
    ]


def test_rows_that_our_engine_sent_before_it_was_chosen_and_over_a_second_connection_are_nobody_elses():
    rig = HostRig(key=KEY).start_engine().wait(0.01)
    for n in range(40):
        now = rig.clock.now()
        rig.engine.push(signed_row(rig.engine, KEY, n, -1, 0.9, now, now + 0.25, 0, 0))
    rig.wait(0.01)
    assert (rig.feed.current is not None, rig.feed.strangers) == (True, 0)
    rig.connect()
    rig.rows(1.0)
    assert rig.feed.strangers == 0
    assert not rig.heard("guard", "refused")


@pytest.mark.parametrize("changed", range(9))
def test_no_column_of_a_signed_row_can_be_changed(changed):
    rig = HostRig(key=KEY).start_engine().rows(2.4).arm()
    now = rig.clock.now()
    row = signed_row(rig.engine, KEY, 10**6, 0, 0.9, now, now + 0.25, 0, 0)
    row[changed] += 1e-9 if changed not in (7, 8) else 1
    rig.engine.push(row)
    rig.wait(0.02)
    assert (rig.feed.strangers, rig.actuator.told) == (1, [])


def test_a_row_of_another_stream_is_not_ours_although_it_is_signed_with_the_key():
    rig = HostRig(key=KEY).start_engine()
    other = Another(rig, messages.DECISION_FIELDS + MAC_FIELDS, KEY, source_id="bci-decisions-before")
    rig.cable.cut = True  # only the other one is there
    now = rig.clock.now()
    row = signed_row(rig.engine, KEY, 1, 1, 0.9, now, now + 0.25, 0, 0)
    other.outlet.push(row)
    rig.wait(REJOIN_S + 0.5)
    assert (rig.feed.current, rig.feed.strangers) == (None, 1)


@pytest.mark.parametrize("signed_with", [None, OTHER])
@pytest.mark.parametrize("first", [True, False])
def test_a_forged_stream_neither_takes_the_place_of_the_engine_nor_blocks_it(signed_with, first):
    columns = messages.DECISION_FIELDS + (MAC_FIELDS if signed_with else ())
    rig = HostRig(key=KEY)
    if first:
        forged = [Another(rig, columns, signed_with) for _ in range(5)][-1]
        for _ in range(20):
            rig.wait(HOP_S)
            forged.decide()
        rig.start_engine()
    else:
        rig.start_engine()
        forged = [Another(rig, columns, signed_with) for _ in range(5)][-1]
    both(rig, forged, 2.4).arm()
    both(rig, forged, 0.4, 0)
    assert (rig.guard.state, set(rig.actuator.told)) == (State.ACTIVE, {"left"})
    rig.cable.cut = True
    both(rig, forged, 3.0, 0)
    assert (rig.guard.state, set(rig.actuator.told)) == (State.SAFE, {"left", "neutral"})
    rig.connect()
    both(rig, forged, 2.6)
    rig.arm()
    both(rig, forged, 0.4, 0)
    assert rig.guard.state is State.ACTIVE


@pytest.mark.alone
def test_a_flood_of_forged_rows_is_counted_and_costs_no_more_than_looking_at_a_few():
    rig = HostRig(key=KEY)
    forged = Another(rig, messages.DECISION_FIELDS + MAC_FIELDS, OTHER)
    rig.wait(0.01)
    rows = np.zeros((20_000, 9))
    forged.outlet.push_chunk(rows, np.full(len(rows), rig.clock.now()))
    began = time.thread_time()
    rig.host.step()
    took_s = time.thread_time() - began
    rig.start_engine().rows(2.4).arm()
    forged.outlet.push_chunk(rows, np.full(len(rows), rig.clock.now()))
    rig.rows(0.2, 0)
    assert rig.actuator.told == ["left"]
    assert rig.feed.strangers == 40_000
    assert took_s < 0.05


def test_an_engine_that_does_not_sign_is_not_listened_to_in_a_session_with_a_key():
    rig = HostRig(key=KEY).start_engine(signed=False).rows(2.4).arm().rows(0.2, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.SAFE, [])  # by the stop that is to prove the channel
    assert "the engine sends nothing" in rig.heard("guard", "refused")[-1]["why"]


def test_an_engine_of_the_session_with_other_classes_is_told_as_before():
    rig = HostRig(key=KEY).start_engine().rows(2.4).arm()
    rig.engine.close()
    rig.wait(0.1)
    rig.start_engine(("up", "down")).rows(3.0, 0).arm()
    assert "up, down, not left, right" in rig.heard("guard", "refused")[-1]["why"]


def test_decisions_stream_missing_for_a_second_is_safe_and_a_sentence():
    rig = HostRig(key=KEY).start_engine().rows(2.4).arm().rows(0.2, 0)
    rig.cable.cut = True
    broke = rig.clock.now()
    rig.rows(1.5, 0)
    states = {m["state"]: m["at"] - broke for m in reversed(rig.heard("guard", "guard")) if m["at"] >= broke}
    assert states["hold"] <= 0.05
    assert states["safe"] == pytest.approx(1.0, abs=0.05)
    assert "the engine is gone" in rig.guard.why


# Housekeeping


def test_closing_unsubscribes_from_every_stream_and_may_be_done_twice():
    rig = HostRig().start_engine()
    other = Another(rig)
    both(rig, other, 0.2)
    rig.feed.close()
    assert (rig.cable.closed, other.cable.closed, rig.feed.current) == (True, True, None)
    rig.feed.close()


def test_a_stream_that_ends_is_closed_and_asked_for_no_more_whether_or_not_it_was_listened_to():
    rig = HostRig().start_engine()
    other = Another(rig)
    both(rig, other, 0.2)
    other.outlet.close()
    rig.engine.close()
    rig.wait(0.3)
    assert (rig.cable.closed, other.cable.closed) == (True, True)
    asked: list[float] = []
    rig.cable.pull = other.cable.pull = asked.append
    rig.wait(0.3)
    assert not asked


def test_what_comes_from_streams_that_nobody_listens_to_waits_for_a_tenth_of_a_second_and_does_not_pile_up():
    rig = HostRig().start_engine()
    other = Another(rig)
    oldest_s = [0.0]
    for _ in range(50):
        both(rig, other, HOP_S)
        oldest_s += [rig.clock.now() - stamps[0] for _, stamps in other.cable._raw._mine.pieces]
    assert max(oldest_s) <= 0.11


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("key", [None, KEY], ids=["no key", "key"])
def test_rows_that_come_without_a_time_each_end_the_host_in_neutral_and_are_not_passed_over(key, n):
    rig = HostRig(key=key).active()
    pull = rig.cable.pull

    def without_the_last(timeout_s):
        rows, stamps = pull(timeout_s)
        return rows, stamps[:-1]

    rig.cable.pull = without_the_last
    for _ in range(n):
        rig.row(0)
    turns = iter(["", "", ""])
    with pytest.raises(ValueError, match="shorter"):
        rig.host.run(lambda: next(turns, "nobody noticed"))
    assert rig.actuator.told == ["left", "neutral", "closed"]


@pytest.mark.parametrize(("n", "right"), [(1, True), (256, True), (257, False), (0, False)])
def test_an_engine_decides_between_at_most_256_classes(n, right):
    rig = HostRig().start_engine(tuple(f"c{k}" for k in range(n)) or None).wait(0.1)
    assert (rig.feed.current is not None) is right
    assert len(rig.feed.commands) == (n if right else 0)


@pytest.mark.parametrize(("length", "right"), [(64, True), (65, False)])
def test_a_command_has_at_most_64_characters(length, right):
    rig = HostRig(table={"left": "x" * length}).start_engine().wait(0.1)
    assert (rig.feed.current is not None) is right


def test_an_engine_is_named_by_its_source_its_computer_and_its_stream():
    rig = HostRig().start_engine().wait(0.1)
    assert rig.feed.current is not None
    assert str(rig.feed.current) == f"'bci-decisions' on '', stream {rig.engine.uid[:8]!r}"


def test_a_header_that_is_none_is_no_more_than_that_of_a_stream_that_cannot_be_used():
    class Nonsense:
        header_xml = "<info><name>x</name"

        def pull(self, timeout_s):
            return None

        def close(self):
            pass

    rig = HostRig()
    rig.cables.append(Nonsense())
    rig.wait(0.1)
    rig.start_engine().rows(2.4).arm()
    assert rig.guard.state is State.ARMED


def test_the_feed_waits_for_as_long_as_it_is_told_and_no_longer():
    rig = HostRig()
    began = rig.clock.now()
    rig.feed.pull(0.25)
    assert rig.clock.now() - began == pytest.approx(0.25)
    rig.start_engine()
    began = rig.clock.now()
    rig.feed.pull(0.25)
    assert rig.clock.now() - began == pytest.approx(0.25)
