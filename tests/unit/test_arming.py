"""A session's end of its actuator host: what is typed, what is asked, and who may."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from guard_parts import TOKEN, HostRig
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.actuation.arming import GuardLink, proof, report_of
from bci.commands.actuate import checked, sections
from bci.config import load_config
from bci.engine.guard import GuardSettings, State
from bci.engine.pace import PaceSettings
from bci.processes.terminal_input import terminal_command
from bci.session.plan import actuator_words
from bci.stream import messages
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.signing import Checker, Signer


def linked(rig: HostRig, arm_once: str = "") -> GuardLink:
    """A session beside the host."""
    return GuardLink(
        rig.bus.markers("bci-guard"),
        lambda kind, **fields: rig.window.push(messages.line(kind, **fields)),
        TOKEN,
        arm_once,
        now=rig.clock.now,
    )


@pytest.mark.parametrize("line", ["", "  ", "amr", "arm me", "disarm now", "mark", "stop", "\x1b[A", "MARKC3"])
def test_whatever_is_typed_and_not_understood_stops(line: str) -> None:
    assert terminal_command(line).kind == "stop"


def test_words_do_what_they_say() -> None:
    assert [terminal_command(line).kind for line in ("arm", " ARM ", "Disarm", "mark C3", "good C3,Pz")] == [
        "arm", "arm", "disarm", "mark", "good",
    ]  # fmt: skip
    assert terminal_command("good C3, Pz").labels == ("C3", "Pz")


def test_a_person_arms_disarms_and_stops_through_the_session() -> None:
    rig = HostRig()
    link = linked(rig)
    rig.start_engine().rows(2.3)
    assert "disarmed: not armed yet" in link.update()
    link.arm("keyboard")
    rig.rows(0.1, 0)
    assert rig.guard.state is State.ACTIVE
    assert link.update()[-1] == "active: first decision"
    link.stop_now("keyboard")
    rig.wait(0.005)
    assert (rig.guard.state, link.update()) == (State.SAFE, ["safe: keyboard"])
    link.disarm("keyboard")
    rig.wait(0.005)
    assert rig.guard.state is State.DISARMED


def test_a_refusal_is_told() -> None:
    rig = HostRig()
    link = linked(rig)
    rig.start_engine().rows(1.2)
    link.update()
    link.arm("keyboard")
    rig.wait(0.005)
    assert any("2 s are needed" in text for text in link.update())


def test_who_asked_for_it_is_armed_once_by_itself_and_never_again() -> None:
    rig = HostRig()
    link = linked(rig, "the option --arm")
    rig.start_engine()
    for _ in range(40):
        rig.rows(0.1, 0)
        link.update()
    assert rig.guard.state is State.ACTIVE
    rig.tell("stop_now", why="operator")
    for _ in range(40):
        rig.rows(0.1, 0)
        link.update()
    assert rig.guard.state is State.SAFE


def test_without_that_nothing_is_armed_by_itself() -> None:
    rig = HostRig()
    link = linked(rig)
    rig.start_engine()
    for _ in range(60):
        rig.rows(0.1, 0)
        link.update()
    assert rig.guard.state is State.DISARMED


def test_the_section_actuator_of_a_configuration_says_what_bci_actuate_is_told() -> None:
    config = load_config(
        None,
        {
            "actuator.name": "serial",
            "actuator.settings.port": "/dev/ttyACM0",
            "actuator.settings.table.open": "O",
            "actuator.commands.left": "open",
            "guard.stale_s": "0.1",
            "pace.mode": "continuous",
        },
    )
    name, *words = actuator_words(config)
    given = sections(words[1::2])
    assert name == "serial"
    assert given[""] == {"port": "/dev/ttyACM0", "table.open": "O"}
    assert given["commands"] == {"left": "open"}
    problems: list[str] = []
    assert checked(GuardSettings, "guard", given["guard"], problems) == GuardSettings(stale_s=0.1)
    assert checked(PaceSettings, "pace", given["pace"], problems) == PaceSettings(mode="continuous")
    assert problems == []


def test_without_an_actuator_nothing_is_started() -> None:
    assert actuator_words(load_config()) == ()


# The proof test of the stop channel, and a guard whose lines are signed

KEY, HERE = bytes(range(32)), "here"
GUARD_FIELDS = ("state", "why", "nonce", "good_s", "settings", "neutral", "heard", "strangers")


class Host:
    """An actuator host of a session with a key, as its guard stream shows it; what the session asks of it is in ``asked``."""

    def __init__(self, arm_once: str = "", key: bytes | None = KEY) -> None:
        self.clock = VirtualClock(100.0)
        self.bus = InProcessBus(self.clock)
        self.outlet = self.bus.text_outlet("bci-guard", "BCI-Guard")
        self.sign = Signer(key, self.clock.now, HERE)
        self.asked: list[dict[str, Any]] = []
        self.link = GuardLink(
            self.bus.markers("bci-guard"), self._send, TOKEN, arm_once, Checker(KEY, self.clock.now, HERE), self.clock.now
        )

    def _send(self, kind: str, **fields: Any) -> str:
        self.asked.append({"kind": kind, **fields})
        return f"session:{len(self.asked)}"

    def says(self, state: str = "disarmed", after_s: float = 0.1, **fields: Any) -> list[str]:
        """The guard says this; what the session tells a person then."""
        self.clock.wait_until(self.clock.now() + after_s)
        usual = {"why": "", "nonce": "n", "good_s": 9.0, "settings": {"settle_s": 2.0}, "neutral": "confirmed", "heard": None}
        self.outlet.push(self.sign.line("guard", state=state, **{**usual, **fields}))
        return self.link.update()

    @property
    def kinds(self) -> list[str]:
        return [m["kind"] for m in self.asked]


def test_before_arming_a_stop_is_sent_and_must_have_been_heard_with_its_neutral_confirmed() -> None:
    host = Host()
    host.says()
    host.link.arm("keyboard")
    assert host.kinds == ["stop_now"]
    host.says("safe", neutral="waiting", heard={"id": "session:1"})
    assert host.kinds == ["stop_now"], "heard, and the device has not confirmed"
    host.says("safe", heard={"id": "session:1"}, nonce="newest")
    assert host.kinds == ["stop_now", "arm"]
    assert host.asked[1] == {"kind": "arm", "proof": proof(TOKEN, "newest"), "by": "keyboard", "actuator": ""}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"heard": None}, "it was not received"),
        ({"heard": {"id": "session:1"}, "neutral": "NOT CONFIRMED"}, "not confirmed"),
        ({"heard": {"id": "session:1"}, "neutral": "waiting"}, "not confirmed"),
    ],
)
def test_where_the_stop_channel_does_not_work_nothing_is_armed_and_a_person_is_told(said: dict[str, Any], told: str) -> None:
    host = Host()
    host.says()
    host.link.arm("keyboard")
    news = [text for _ in range(60) for text in host.says("safe", **said)]
    assert host.kinds == ["stop_now"]
    assert [told in text for text in news if text.startswith("not armed")] == [True]


@pytest.mark.parametrize("how", ["another program", "another program before ours was heard", "this one", "disarmed here"])
def test_whoever_stops_while_the_stop_channel_is_tested_is_obeyed(how: str) -> None:
    host = Host("the option --arm")
    host.says()
    assert host.kinds == ["stop_now"], "as soon as the signal is good it is tested, because of the option"
    if how == "another program before ours was heard":
        news = host.says("safe", heard={"id": "session:1", "count": 2})
        assert "not armed: somebody stopped while the stop channel was tested" in news
    elif how == "another program":
        assert "not armed: somebody stopped while the stop channel was tested" in host.says("safe", heard={"id": "another:7"})
    else:
        (host.link.stop_now if how == "this one" else host.link.disarm)("keyboard")
    for _ in range(60):
        host.says("safe", heard={"id": "session:1"})
    assert "arm" not in host.kinds


def test_what_was_armed_by_itself_is_not_stopped_by_another_test_and_is_tried_again_only_where_it_was_not_granted() -> None:
    host = Host("the option --arm")
    host.says()
    heard = {"id": "session:1", "count": 1}
    host.says("safe", heard=heard)
    host.says("safe", heard=heard)
    assert host.kinds == ["stop_now", "arm"]
    host.says("safe", after_s=1.0, heard=heard)
    assert host.kinds == ["stop_now", "arm", "stop_now"], "nothing came of it"
    host.says("armed", heard=heard)
    for _ in range(60):
        host.says("safe", heard={"id": "session:3", "count": 2})
    assert host.kinds == ["stop_now", "arm", "stop_now"], "it was armed once"


def test_by_itself_it_is_armed_from_the_very_moment_from_which_the_guard_would_grant_it() -> None:
    host = Host("the option --arm")
    host.says(good_s=1.999)
    assert host.kinds == []
    host.says(good_s=2.0)
    assert host.kinds == ["stop_now"]


def test_a_proof_test_has_four_seconds_and_a_person_is_told_each_time_that_it_failed() -> None:
    host = Host()
    for _ in range(2):
        host.says("safe", after_s=0.5)
        host.link.arm("keyboard")
        assert host.says("safe", after_s=4.0) == []
        (told,) = host.says("safe", after_s=0.5)
        assert told.startswith("not armed: a stop tested the stop channel, but within 4 s")


def test_what_is_tried_again_and_again_by_itself_is_told_once_that_it_fails() -> None:
    host = Host("the option --arm")
    news = [text for _ in range(200) for text in host.says("safe", heard=None)]
    assert len(host.kinds) > 3
    assert sum(text.startswith("not armed") for text in news) == 1


def test_strangers_are_told_with_their_number_every_ten_seconds_at_most() -> None:
    host = Host()
    told = [[text for text in host.says(after_s=5.0, strangers=n) if "ignored" in text] for n in (3, 4, 9, 9, 9)]
    assert [[int(text.split()[1]) for text in texts] for texts in told] == [[3], [], [6], [], []]


def test_a_part_of_a_second_is_a_time_and_what_no_clock_shows_is_none() -> None:
    assert [report_of({"good_s": s}).good_s for s in (0.5, 0, 1e14, 1e15, -1.0, True, "1", None)] == [0.5, 0, 1e14, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("how", ["stop_now", "disarm"])
def test_a_stop_at_the_very_moment_of_arming_is_sent_after_it_and_so_ends_it(how: str) -> None:
    """The keyboard is read in another thread than the guard is heard in."""
    host = Host()
    send, person = host._send, threading.Thread(target=lambda: getattr(host.link, how)("keyboard"))

    def slow(kind: str, **fields: Any) -> str:
        if kind == "arm":
            person.start()
            person.join(0.1)
        return send(kind, **fields)

    host.link._send = slow
    host.says()
    host.link.arm("keyboard")
    host.says("safe", heard={"id": "session:1"})
    person.join()
    assert host.kinds == ["stop_now", "arm", how]


def test_a_device_that_does_not_confirm_its_neutral_is_told_at_once_and_when_it_does_again() -> None:
    host = Host()
    host.says("safe")
    assert any("NOT CONFIRMED" in text for text in host.says("safe", neutral="NOT CONFIRMED"))
    assert host.says("safe", neutral="NOT CONFIRMED") == []
    assert host.says("safe", neutral="confirmed") == ["neutral: confirmed now"]


def test_strangers_are_told_now_and_then() -> None:
    host = Host()
    news = [text for i in range(300) for text in host.says(strangers=i) if "do not belong to this session" in text]
    assert len(news) == 3


def test_what_another_guard_says_is_not_heard() -> None:
    host = Host(key=bytes(32))
    assert host.says("active", nonce="theirs") == []
    assert host.link.state == ""


GUARD_LINES = [
    "{", "", "[" * 100_000, '{"v":1,"kind":["guard"]}', '{"v":1,"kind":"guard","state":"safe","settings":"x"}', "x" * 3_000_000,
    '{"v":1,"kind":"guard","state":"safe","good_s":[1],"settings":{"settle_s":"x"}}', '{"v":1,"kind":"guard","good_s":NaN}',
    '{"v":1,"kind":"guard","state":"safe","why":"' + "x" * 1_000_000 + '"}', '{"v":1,"kind":"refused","why":[1]}',
    '{"v":1,"kind":"guard","state":{},"why":[],"nonce":5,"heard":[1],"neutral":1e400,"strangers":1' + "0" * 400 + "}",
]  # fmt: skip


@pytest.mark.parametrize("key", [None, KEY], ids=["no key", "key"])
def test_a_line_of_any_shape_on_the_guards_stream_does_not_stop_who_reads_it(key: bytes | None) -> None:
    clock = VirtualClock(100.0)
    bus = InProcessBus(clock)
    outlet = bus.text_outlet("bci-guard", "BCI-Guard")
    link = GuardLink(bus.markers("bci-guard"), lambda kind, **_: "", TOKEN, "", Checker(key, clock.now, HERE), clock.now)
    for text in GUARD_LINES:
        outlet.push(text)
        assert all(len(line) < 600 for line in link.update())
    outlet.push(Signer(key, clock.now, HERE).line("guard", state="hold", why="no row"))
    assert link.update() == ["hold: no row"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(GUARD_FIELDS), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["settle_s", "id"]), inner, max_size=2),
    max_leaves=5,
)))  # fmt: skip
def test_fields_of_any_type_are_as_if_they_were_not_there(fields: dict[str, Any]) -> None:
    report = report_of(fields)
    assert 0 <= report.good_s < 1e15
    assert 0 <= report.settle_s < 1e15
    assert all(isinstance(text, str) for text in (report.state, report.why, report.nonce, report.heard, report.neutral))
