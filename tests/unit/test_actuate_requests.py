"""Who may ask an actuator host for what, on a virtual clock: stops come first, old wishes do not count, nothing ends it."""

from __future__ import annotations

import itertools
import json
import math

import pytest
from guard_parts import HOP_S, TOKEN, HostRig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bci.actuation.arming import proof
from bci.actuation.host import arm_message
from bci.actuation.requests import NONCE_AGE_S, PROOF_S, Nonces, Refusals, Request
from bci.engine import guard as g
from bci.engine.guard import Cause, State
from bci.engine.pace import PaceSettings
from bci.stream import messages
from bci.stream.inprocess_outlets import Sender
from bci.stream.signing import Signer

KEY, OTHER = bytes(range(32)), bytes(32)


def ready(key: bytes | None = None, **more) -> HostRig:
    """A host that may be armed."""
    return HostRig(key=key, **more).start_engine().rows(2.4)


def refusals(rig: HostRig) -> str:
    return " | ".join(m["why"] for m in rig.heard("guard", "refused"))


# Stops first


@pytest.mark.parametrize("first", ["stop", "arm"])
@pytest.mark.parametrize("read_first", [0, 1])
@pytest.mark.parametrize("what", ["stop_now", "disarm"])
def test_a_stop_or_disarm_wins_over_an_arm_read_in_the_same_turn_whoever_was_first(first, read_first, what):
    rig = ready()
    windows = [rig.window, rig.lines.window()]
    arm, stop = arm_message(TOKEN, rig.nonce, "A"), messages.line(what, why="B")
    now = rig.clock.now()
    earlier, later = (stop, arm) if first == "stop" else (arm, stop)
    windows[read_first].push(earlier, now - 0.06)
    windows[1 - read_first].push(later, now - 0.001)
    rig.rows(1.0, 0)
    assert rig.guard.state is (State.SAFE if what == "stop_now" else State.DISARMED)
    assert "left" not in rig.actuator.told
    assert "stopped or disarmed at the same time" in refusals(rig)


@pytest.mark.parametrize("event", [g.EmergencyStop("keyboard"), g.Disarm("keyboard")])
def test_a_stop_at_the_keyboard_wins_over_an_arm_over_the_network_and_the_other_way_round(event):
    rig = ready()
    rig.window.push(arm_message(TOKEN, rig.nonce, "A"))
    rig.host._terminal = lambda: [event]
    rig.host.step()
    rig.host._terminal = lambda: [g.Arm("keyboard")]
    rig.window.push(messages.line("stop_now", why="B"))
    rig.host.step()
    rig.host._terminal = list
    rig.rows(0.5, 0)
    assert (rig.guard.state, rig.guard.cause, rig.actuator.told) == (State.SAFE, Cause.STOP, [])


def test_an_arm_that_was_sent_before_a_stop_and_comes_after_it_does_not_count():
    rig = ready()
    sent = rig.clock.now()
    rig.wait(0.2)
    rig.tell("stop_now", why="B")
    rig.rows(0.2)
    rig.window.push(arm_message(TOKEN, rig.nonce, "A"), sent)
    rig.rows(0.5, 0)
    assert rig.guard.state is State.SAFE
    assert "the request is older than the change to safe" in refusals(rig)


def test_of_several_stops_in_one_turn_the_first_one_is_the_reason_and_all_are_counted():
    rig = ready().arm().rows(0.1, 0)
    other, now = rig.lines.window(), rig.clock.now()
    rig.window.push(messages.line("stop_now", why="second"), now - 0.001)
    other.push(messages.line("stop_now", why="first"), now - 0.003)
    rig.host.step()
    rig.wait(0.2)
    report = rig.heard("guard", "guard")[-1]
    assert (report["state"], report["why"]) == ("safe", "first")
    assert (report["heard"]["count"], report["heard"]["at"]) == (2, pytest.approx(now - 0.001))


def test_a_stop_without_a_time_goes_before_all_others_that_came_in_the_same_turn():
    rig = ready().arm().rows(0.1, 0)
    other, now = rig.lines.window(), rig.clock.now()
    rig.window.push(messages.line("stop_now", why="first of those with a time"), now - 0.003)
    other.push(messages.line("stop_now", why="without a time"), math.nan)
    rig.host.step()
    assert (rig.guard.state, rig.guard.why) == (State.SAFE, "without a time")


@pytest.mark.parametrize("at_s", [None, math.nan, math.inf, -math.inf])
def test_a_time_that_is_not_known_or_no_time_puts_a_stop_first(at_s):
    assert Request("stop_now", True, "stream", at_s, {}).order_s == -math.inf
    assert Request("stop_now", True, "stream", 1000.5, {}).order_s == 1000.5


@pytest.mark.parametrize("stamp", [math.nan, math.inf, -math.inf])
def test_of_a_stop_without_a_time_no_time_is_reported(stamp):
    rig = ready()
    rig.window.push(messages.line("stop_now", why="B"), stamp)
    rig.host.step()
    heard = rig.heard("guard", "guard")[-1]["heard"]
    assert heard == {"id": "unsigned:1", "at": None, "count": 1}


def test_after_each_disarm_the_number_that_serves_next_is_told_within_a_tenth_of_a_second():
    rig = ready().tell("disarm", why="B").wait(0.3)
    before, asked_s = rig.nonce, rig.clock.now()
    rig.tell("disarm", why="B").wait(0.2)
    first = next(m for m in rig.heard("guard", "guard") if m["at"] >= asked_s)
    assert first["nonce"] == rig.host._nonces.newest != before
    assert first["at"] - asked_s <= 0.1


def test_what_changes_many_times_a_second_is_told_ten_times_a_second():
    rig = ready().tell("stop_now", why="B").wait(0.3)
    began_s = rig.clock.now()
    for _ in range(100):
        rig.tell("stop_now", why="B")
    times = [m["at"] for m in rig.heard("guard", "guard") if m["at"] >= began_s]
    assert len(times) == 5
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([0.1] * 4, abs=0.006)  # a turn takes 5 ms


def test_a_flood_of_stops_is_obeyed_and_does_not_fill_the_recording():
    rig = ready().arm().rows(0.1, 0)
    before = len(rig.heard("guard"))
    for _ in range(200):
        for _ in range(50):
            rig.window.push(messages.line("stop_now", why="again"))
        rig.host.step()
    assert rig.guard.state is State.SAFE
    assert len(rig.heard("guard")) - before <= 15  # in a second
    assert rig.heard("guard", "guard")[-1]["heard"]["count"] > 9_000


# Old wishes


def test_an_arm_of_twenty_seconds_ago_is_refused_by_its_number_and_by_its_stamp():
    rig = ready()
    message, stamp = arm_message(TOKEN, rig.nonce, "a window that hung"), rig.clock.now()
    rig.rows(20.0)
    rig.window.push(message, stamp)
    rig.rows(0.2, 0)
    rig.window.push(arm_message(TOKEN, rig.nonce, "an old stamp"), stamp)
    rig.rows(0.2, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.DISARMED, [])
    assert "the request is older than 2 s" in refusals(rig)
    assert "the request is 20.2 s old" in refusals(rig)


@pytest.mark.parametrize("stamp", [math.nan, math.inf, -math.inf, 1e300, -5.0, 2000.0])
def test_an_arm_whose_stamp_is_no_time_of_now_is_refused(stamp):
    rig = ready()
    rig.window.push(arm_message(TOKEN, rig.nonce, "A"), stamp)
    rig.rows(0.2, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.DISARMED, [])


def test_an_arm_of_another_computer_counts_by_its_number_whatever_its_clock_shows():
    rig = ready()
    far = rig.lines.window(Sender("elsewhere", lambda now: now - 432_000.0))
    rig.arm(window=far)
    assert rig.guard.state is State.ARMED


def test_the_number_changes_by_itself_every_second_and_two_are_good_for_two_seconds():
    nonces = Nonces(TOKEN, 0.0)
    first = nonces.newest
    nonces.turn(1.0)
    assert nonces.newest != first
    assert nonces.spend(proof(TOKEN, first), NONCE_AGE_S)
    nonces, first = Nonces(TOKEN, 0.0), ""
    first = nonces.newest
    assert not nonces.spend(proof(TOKEN, first), NONCE_AGE_S + 0.01)
    nonces.turn(1.0)
    nonces.turn(2.0)
    assert not nonces.spend(proof(TOKEN, first), 2.0)


@pytest.mark.parametrize(("age_s", "good"), [(2.0, True), (2.01, False)])
def test_a_number_serves_for_two_seconds(age_s, good):
    nonces = Nonces(TOKEN, 0.0)
    assert nonces.spend(proof(TOKEN, nonces.newest), age_s) is good


@pytest.mark.parametrize(("age_s", "changes"), [(0.99, False), (1.0, True)])
def test_a_number_is_changed_when_it_is_a_second_old(age_s, changes):
    nonces = Nonces(TOKEN, 0.0)
    first = nonces.newest
    nonces.turn(age_s)
    assert (nonces.newest != first) is changes


def test_a_number_that_served_serves_no_more_nor_does_the_one_before_it():
    nonces = Nonces(TOKEN, 0.0)
    before = nonces.newest
    nonces.turn(1.0)
    newest = nonces.newest
    assert nonces.spend(proof(TOKEN, newest), 1.1)
    assert not nonces.spend(proof(TOKEN, newest), 1.1)
    assert not nonces.spend(proof(TOKEN, before), 1.1)


def test_wrong_attempts_use_up_no_number_so_that_nobody_can_keep_a_person_from_arming():
    rig = ready()
    nonce = rig.nonce
    for _ in range(50):
        rig.window.push(arm_message("guessed", nonce, "stranger"))
    rig.host.step()
    rig.window.push(arm_message(TOKEN, nonce, "window"))
    rig.host.step()
    assert rig.guard.state is State.ARMED
    assert len(rig.heard("guard", "refused")) == 1


@pytest.mark.parametrize("key", [None, KEY], ids=["no key", "key"])
@pytest.mark.parametrize("what", ["stop_now", "disarm"])
@pytest.mark.parametrize("already", [False, True], ids=["moving before", "at rest before"])
def test_who_has_not_heard_of_a_stop_does_not_arm_after_it_however_little_later(what, already, key):
    rig = ready(key) if already else ready(key).arm().rows(0.2, 0)
    if key:
        rig.window.push(rig.signer.line("stop_now", why="proof test before arming"))
        rig.rows(0.3)
    arm = {"proof": proof(TOKEN, rig.nonce), "by": "A", "actuator": ""}
    rig.lines.window().push(messages.line(what, why="B"))
    rig.rows(HOP_S, 0)
    rig.window.push(rig.signer.line("arm", **arm))
    rig.rows(0.2, 0)
    assert rig.guard.state in (State.SAFE, State.DISARMED)
    assert "does not know this session's token" in refusals(rig)
    rig.window.push(rig.signer.line("arm", **{**arm, "proof": proof(TOKEN, rig.nonce)}))
    rig.rows(0.2, 0)
    assert rig.guard.state is State.ACTIVE


def test_the_report_that_says_that_a_stop_was_heard_has_the_number_that_serves_after_it():
    rig = ready(KEY)
    text = rig.signer.line("stop_now", why="proof test before arming")
    rig.window.push(text)
    rig.host.step()
    id_ = "{from}:{n}".format(**json.loads(text))
    first = next(m for m in rig.heard("guard", "guard") if m["heard"]["id"] == id_)
    assert first["nonce"] == rig.nonce


def test_after_an_arm_that_the_guard_refused_the_number_that_serves_next_is_told_at_once():
    rig = HostRig().start_engine().rows(1.5)
    before = rig.nonce
    rig.arm()
    assert "the signal has been good for" in refusals(rig)
    assert rig.nonce != before


# Sessions with a key


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"from": "window", "n": 0}, "window:0"),
        ({"from": "window", "n": 2**63 - 1}, f"window:{2**63 - 1}"),
        ({"from": "window", "n": 2**63}, ""),
        ({"from": "window", "n": -1}, ""),
        ({"from": "window", "n": True}, ""),
        ({"from": "window", "n": "5"}, ""),
        ({"from": "", "n": 5}, ""),
        ({"n": 5}, ""),
    ],
)
def test_a_stop_is_named_by_its_sender_and_number_from_0_on_where_it_is_signed(fields, right):
    assert Request("stop_now", True, "stream", None, fields).id == right
    assert Request("stop_now", False, "stream", None, fields).id == ""


def test_in_a_session_with_a_key_a_person_arms_after_a_stop_was_heard_through_the_same_stream():
    rig = ready(KEY).arm().rows(0.2, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.ACTIVE, ["left"])


def test_the_guard_says_which_stop_it_heard_last_and_that_neutral_is_confirmed():
    rig = ready(KEY)
    text = rig.signer.line("stop_now", why="proof test")
    rig.window.push(text)
    rig.rows(0.2)
    sent, report = json.loads(text), rig.heard("guard", "guard")[-1]
    assert report["heard"]["id"] == f"{sent['from']}:{sent['n']}"
    assert (report["neutral"], report["keyed"]) == ("confirmed", True)


def armed_without(rig: HostRig, window=None) -> str:
    """An arm that is right but for the stop before it; what was refused."""
    (window or rig.window).push(rig.signer.line("arm", proof=proof(TOKEN, rig.nonce), by="w", actuator=""))
    rig.rows(0.2, 0)
    return refusals(rig)


def test_without_a_stop_before_it_an_arm_does_not_count():
    rig = ready(KEY)
    assert "no stop was received through this stream" in armed_without(rig)
    assert rig.guard.state is State.DISARMED


@pytest.mark.parametrize(("age_s", "state"), [(9.8, State.ARMED), (10.2, State.SAFE)])
def test_a_stop_proves_for_ten_seconds_that_its_stream_is_heard(age_s, state):
    rig = ready(KEY)
    rig.window.push(rig.signer.line("stop_now"))
    rig.host.step()
    rig.rows(age_s)
    rig.window.push(rig.signer.line("arm", proof=proof(TOKEN, rig.nonce), by="w", actuator=""))
    rig.host.step()
    assert rig.guard.state is state
    assert ("in the last 10 s" in refusals(rig)) is (state is State.SAFE)


def test_a_stop_through_another_stream_or_long_ago_or_before_a_break_proves_nothing():
    rig = ready(KEY)
    other = rig.lines.window()
    other.push(rig.signer.line("stop_now"))
    rig.rows(0.1)
    armed_without(rig)
    rig.window.push(rig.signer.line("stop_now"))
    rig.rows(PROOF_S + 0.2)
    armed_without(rig)
    rig.window.push(rig.signer.line("stop_now"))
    rig.rows(0.1)
    rig.lines.cut(rig.window)
    rig.rows(0.1)
    rig.lines.restore(rig.window)
    armed_without(rig)
    assert (rig.guard.state, rig.actuator.told) == (State.SAFE, [])


def test_a_stop_that_is_not_the_sessions_own_stops_and_proves_nothing():
    rig = ready(KEY)
    rig.window.push(messages.line("stop_now"))
    rig.rows(0.2)
    assert rig.guard.cause is Cause.STOP
    armed_without(rig)
    assert rig.guard.state is State.SAFE


@pytest.mark.parametrize("key", [None, OTHER], ids=["not signed", "another key"])
def test_a_stranger_stops_and_disarms_and_can_do_nothing_else(key):
    rig = ready(KEY).arm().rows(0.2, 0)
    stranger = Signer(key, rig.clock.now, "this computer")
    for kind in ("stop", "arm", "watching", "alive", "resume", "set", "note", "model"):
        rig.window.push(stranger.line(kind, why="x", doubt="nothing is well", proof=proof(TOKEN, rig.nonce), by="stranger"))
        rig.rows(0.1, 0)
    rig.rows(1.0, 0)
    assert rig.guard.state is State.ACTIVE
    assert rig.heard("guard", "guard")[-1]["strangers"] == 8
    why = (
        "'stop' was ignored"
        if key
        else "do not belong to this session are ignored; the first one was ignored because it is not signed"
    )
    assert why in refusals(rig)
    rig.window.push(stranger.line("stop_now", why="help"))
    rig.rows(0.1, 0)
    assert (rig.guard.state, rig.guard.why) == (State.SAFE, "help")


def test_rows_of_a_stranger_are_told_once_however_long_they_come():
    rig = ready(KEY)
    for _ in range(5):
        now = rig.clock.now()
        rig.engine.push([1.0, 1.0, 0.9, now, now + 0.25, 0.0, 0.0, 0.0, 0.0])
        rig.rows(1.2)
    assert rig.heard("guard", "guard")[-1]["strangers"] == 5
    assert refusals(rig) == "decisions that do not belong to this session are ignored; another program sends under its name"


def test_arming_in_another_session_of_the_name_stops_nothing_here_and_its_emergency_stop_does():
    rig = ready(KEY).arm().rows(0.2, 0)
    other = Signer(OTHER, rig.clock.now, "this computer")
    rig.window.push(other.line("stop_now", why="proof test before arming", proof_test=True))
    rig.rows(0.2, 0)
    assert rig.guard.state is State.ACTIVE
    rig.window.push(other.line("stop_now", why="help"))
    rig.rows(0.2, 0)
    assert (rig.guard.state, rig.guard.cause) == (State.SAFE, Cause.STOP)


def test_the_proof_test_of_this_session_is_a_stop():
    rig = ready(KEY).arm().rows(0.2, 0)
    rig.window.push(rig.signer.line("stop_now", why="proof test before arming", proof_test=True))
    rig.rows(0.2, 0)
    assert (rig.guard.state, rig.guard.cause) == (State.SAFE, Cause.STOP)


def test_a_signed_stop_that_is_played_again_from_a_recording_does_not_end_the_host():
    rig = ready(KEY).arm().rows(0.2, 0)
    old = Signer(KEY, lambda: rig.clock.now() - 3600.0, "this computer").line("stop", why="from a recording")
    rig.window.push(old)
    rig.rows(0.2, 0)
    assert (rig.host._ending, rig.guard.state) == ("", State.ACTIVE)


def test_a_session_with_a_key_is_ended_by_its_own_programs():
    rig = ready(KEY)
    rig.window.push(rig.signer.line("stop", why="done"))
    assert rig.host.run() == "done"
    assert rig.actuator.told[-1] == "closed"


# Sessions without a key


def test_without_a_key_a_message_that_would_end_the_host_stops_it_instead_unless_it_proves_the_token():
    rig = ready().arm().rows(0.2, 0)
    rig.tell("stop", why="from a recording").rows(0.2, 0)
    assert (rig.host._ending, rig.guard.state, rig.guard.cause) == ("", State.SAFE, Cause.STOP)
    assert "it counts as an emergency stop" in refusals(rig)
    rig.window.push(messages.line("stop", why="done", proof=proof(TOKEN, rig.nonce)))
    assert rig.host.run() == "done"


# Anything at all


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("why", "by", "proof", "actuator", "doubt", "cause", "from", "n", "at", "host", "mac", "v", "kind")
KINDS = st.sampled_from(["arm", "disarm", "stop", "alive", "watching", "freeze", "guard"])


@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=KINDS, fields=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5))
def test_a_message_with_fields_of_any_type_ends_nothing_and_arms_nothing(key, kind, fields):
    rig = HostRig(key=key).start_engine()
    rig.window.push(json.dumps({"v": 1, "kind": kind, **fields}))
    rig.rows(0.12, 0)
    assert rig.guard.state in (State.DISARMED, State.SAFE)
    assert rig.host._ending == ""
    assert rig.actuator.told == []
    for message in rig.heard("guard"):
        assert len(json.dumps(message)) < 5000


@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
@pytest.mark.parametrize(
    "text",
    [
        '{"v":1,"kind":"arm","proof":"\\ud800"}',
        '{"v":1,"kind":"arm","proof":"' + "é" * 64 + '"}',
        '{"v":1,"kind":"arm","proof":' + "9" * 5000 + "}",
        '{"v":1,"kind":"arm","proof":1e999,"by":-1e999}',
        '{"v":1,"kind":"arm","by":' + "[" * 900 + "]" * 900 + "}",
        '{"v":1,"kind":"arm","by":' + '{"a":' * 400 + "1" + "}" * 401,
        '{"v":1,"kind":"disarm","why":"' + "x" * 3_000_000 + '"}',
        '{"v":1,"kind":"arm","actuator":["test"]}',
        '{"v":1,"kind":"alive","doubt":["a"],"cause":{"b":1}}',
        '{"v":1,"kind":"alive","doubt":"d","cause":"no such cause"}',
        '{"v":1,"kind":null}',
        '{"v":1,"kind":"arm","v":2}',
        "\ud800\udfff",
        "\x00" * 1000,
        "9" * 5000,
    ],
)
def test_control_messages_of_an_exotic_shape_end_nothing(key, text):
    rig = HostRig(key=key).start_engine().rows(0.2, 0)
    rig.window.push(text, math.nan)
    rig.window.push(text)
    rig.rows(0.3, 0)
    rig.tell("stop_now", why="still heard").rows(0.1)
    assert rig.guard.state is State.SAFE
    assert rig.guard.why == "still heard"


def test_what_is_ignored_is_counted_and_told_once_a_second():
    rig = ready(KEY)
    stranger = Signer(OTHER, rig.clock.now, "this computer")
    for _ in range(100):
        rig.window.push(stranger.line("arm", proof="x"))
        rig.window.push("nonsense")
        rig.rows(0.04)
    rig.rows(1.1)
    assert rig.heard("guard", "guard")[-1]["strangers"] == 200
    told = rig.heard("guard", "refused")
    assert 3 <= len(told) <= 6
    assert "more that were refused" in told[-1]["why"]


def test_a_refusal_that_waits_is_told_a_second_after_the_one_before_although_nobody_asks_again():
    rig = ready().arm("guessed").arm("guessed")
    assert len(rig.heard("guard", "refused")) == 1
    rig.wait(1.1)
    first, second = rig.heard("guard", "refused")
    assert second["why"] == first["why"]
    assert second["at"] - first["at"] == pytest.approx(1.0, abs=0.006)


def test_of_refusals_in_one_second_the_last_one_is_told_with_the_number_of_the_others():
    said, now = [], [100.0]
    refusals = Refusals(said.append, lambda: now[0])
    for why in "abcde":
        refusals(why)
    now[0] += 1.0
    refusals.flush()
    now[0] += 1.0
    refusals("f")
    assert said == ["a", "e (and 3 more that were refused)", "f"]


def test_reasons_that_others_sent_are_shortened_and_printable():
    rig = ready()
    rig.tell("stop_now", why="\x1b[2Jfire" + "!" * 10_000).wait(0.2)
    assert len(rig.guard.why) == 200
    assert rig.guard.why.isprintable()


def test_blanking_freezes_and_resumes_in_its_own_name_and_signed():
    rig = ready(KEY, pace=PaceSettings(blanking_s=0.3)).arm().rows(0.1, 0).rows(0.5)
    steps = rig.heard("steer")
    assert [(m["kind"], m["by"]) for m in steps] == [("freeze", "blanking test"), ("resume", "blanking test")]
    assert all("mac" in m for m in steps)


# The person at the terminal of the host


def test_the_person_at_the_keyboard_is_told_what_changes_and_what_is_refused():
    rig = HostRig().start_engine().rows(1.0)
    rig.host._terminal = lambda: [g.Arm("keyboard")]
    rig.host.step()
    rig.host._terminal = list
    assert any("not armed: the signal has been good for" in text for text in rig.told)
    rig.tell("stop_now", why="window").wait(0.2)
    assert any(text.startswith("safe: window") for text in rig.told)
