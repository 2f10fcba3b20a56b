"""A session's end of its actuator host: what is typed, what is asked, and who may."""

from __future__ import annotations

import pytest
from guard_parts import TOKEN, HostRig

from bci.commands.actuate import checked, sections
from bci.commands.run import actuator_words
from bci.config import load_config
from bci.engine.guard import GuardSettings, State
from bci.engine.pace import PaceSettings
from bci.session.arming import GuardLink
from bci.session.desk import order_of


def linked(rig: HostRig, arm_once: str = "") -> GuardLink:
    """A session beside the host."""
    return GuardLink(rig.bus.markers("bci-guard"), rig.window.push, TOKEN, arm_once)


@pytest.mark.parametrize("line", ["", "  ", "amr", "arm me", "disarm now", "mark", "stop", "\x1b[A", "MARKC3"])
def test_whatever_is_typed_and_not_understood_stops(line: str) -> None:
    assert order_of(line).kind == "stop"


def test_words_do_what_they_say() -> None:
    assert [order_of(line).kind for line in ("arm", " ARM ", "Disarm", "mark C3", "good C3,Pz")] == [
        "arm", "arm", "disarm", "mark", "good",
    ]  # fmt: skip
    assert order_of("good C3, Pz").labels == ("C3", "Pz")


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
