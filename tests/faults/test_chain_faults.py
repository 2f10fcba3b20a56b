"""What faults of the signal and of the engine do to what may move: device, engine, guard and actuator on one virtual clock.

``faults/test_engine_faults.py`` shows what the engine says of each; here is what reaches the actuator. Times are exact to the
host's turn of 5 ms and the device's chunk of 20 ms.
"""

from __future__ import annotations

import numpy as np
import pytest
from chain_rig import Chain
from guard_parts import HOP_S
from live_rig import CHUNK_S, START_S, Imagery
from parts import PowerKernel, stream

from bci.actuation.arming import arm_message
from bci.engine import guard as g
from bci.engine.chunk import FloatArray
from bci.engine.decide import DecisionSettings
from bci.engine.outcome import Reason
from bci.stream import messages
from bci.stream.inprocess_outlets import InProcessTextOutlet
from devices.loss_faults import Loss, Stall

STALE_S, LATCH_S = 0.25, 1.0
TURN_S = 0.005 + CHUNK_S
GOOD_S = 2.0


@pytest.mark.parametrize("trickle", [10**9, 25], ids=["in one burst", "in a trickle"])
def test_fault_3_a_backlog_of_12_s_moves_nothing_and_is_good_for_2_s_before_a_person_can_arm_again(trickle: int) -> None:
    chain = Chain(Imagery(80), faults=[Stall(20, 32)], trickle=trickle).active().run(20 - 4.5)
    chain.run(12.1)
    hold_s, safe_s = chain.first("hold", 20), chain.first("safe", 20)
    assert hold_s <= 20 + CHUNK_S + STALE_S + TURN_S
    assert safe_s <= hold_s + LATCH_S + TURN_S
    chain.arm().run(1.0)
    assert chain.state == "safe", "not armed before two seconds of good windows"
    chain.run(9.0)
    assert chain.state == "safe", "and never by itself"
    assert chain.moved(20 + CHUNK_S + STALE_S + TURN_S, 45) == []
    assert chain.rig.engine.consumed == chain.rig.n_delivered
    chain.arm().run(0.5)
    assert chain.state == "active"


def test_fault_15_an_engine_that_stood_still_for_5_s_is_safe_meanwhile_and_its_backlog_moves_nothing() -> None:
    chain = Chain(Imagery(80)).active().run(10)
    began = chain.now
    chain.stand_still(5.0)
    assert chain.first("hold", began) <= began + STALE_S + TURN_S + 0.05
    assert chain.first("safe", began) <= began + STALE_S + LATCH_S + 2 * TURN_S + 0.05
    chain.run(8.0)
    assert chain.state == "safe"
    assert chain.moved(began + STALE_S + TURN_S + 0.05) == []
    (skip,) = chain.rig.events("skip")
    assert skip["until"] - skip["consumed"] == pytest.approx(5 * 250, abs=20), "what was left out is counted in samples"


def test_fault_15_a_host_that_stood_still_for_5_s_is_safe_within_250_ms_of_its_next_turn_and_takes_no_backlog() -> None:
    chain = Chain(Imagery(80)).active().run(10)
    chain.hangs = True
    chain.run(5.0)
    chain.hangs, woke = False, chain.now
    chain.run(3.0)
    assert chain.first("safe", woke) <= woke + STALE_S
    assert chain.moved(woke) == []


def test_fault_11_when_more_than_a_tenth_is_lost_for_2_s_it_holds_and_then_is_safe() -> None:
    chain = Chain(Imagery(80), faults=[Loss(0.2, start_s=15)]).active().run(25)
    hold_s = chain.first("hold", 15)
    assert hold_s <= 15 + 2.0
    assert chain.first("safe", 15) <= hold_s + chain.host.guard.settings.refill_s + TURN_S
    assert chain.state == "safe"
    assert chain.moved(hold_s + TURN_S) == []


def test_fault_14_a_stream_a_tenth_off_its_rate_is_safe_and_the_reason_has_both_rates() -> None:
    chain = Chain(Imagery(120), true_rate_hz=210.0)
    chain.run(8.0).arm().run(40.0)
    assert chain.state in ("safe", "disarmed")
    assert chain.moved(20) == []
    assert any("250" in e["why"] and "210" in e["why"] for e in chain.rig.events("rate"))


class AtRest(Imagery):
    """A person who does nothing: no channel tells the classes apart."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._data[:, 0] = np.random.default_rng(8).normal(0, 10, len(self._data)) + self._data[0, 0]


def test_fault_38_before_a_person_at_rest_nothing_arms_by_itself_and_once_armed_nothing_moves() -> None:
    chain = Chain(AtRest(80), decision=DecisionSettings(threshold=0.8)).run(30)
    assert {state for _, state, _ in chain.changes()} == {"disarmed"}
    decided = [d for d in chain.rig.decided if d["at"] > 5]
    chain.arm().run(20)
    assert chain.state == "armed"
    assert chain.moved(0) == []
    assert decided == []


def test_fault_38_a_stream_that_is_bad_from_the_start_is_never_armed_whoever_asks() -> None:
    flat = Imagery(80)
    flat._data[:] = 3.0
    chain = Chain(flat)
    for _ in range(20):
        chain.run(1.0).arm()
    assert {state for _, state, _ in chain.changes()} == {"disarmed"}
    assert chain.moved(0) == []


class Fails(PowerKernel):
    """Fails, or answers what is none, from its 400th window on."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self._how, self._n = how, 0

    def __call__(self, window: FloatArray) -> FloatArray:
        self._n += 1
        found = super().__call__(window)
        if self._n < 400:
            return found
        if self._how == "raises":
            raise ValueError("a decoder's own mistake")
        return {"NaN": found * np.nan, "sum": found * 0.5, "shape": np.ones(3) / 3}[self._how]


@pytest.mark.parametrize("how", ["raises", "NaN", "sum", "shape"])
def test_fault_27_a_decoder_that_breaks_is_safe_within_250_ms_and_the_loop_lives(how: str) -> None:
    chain = Chain(Imagery(80), kernel=Fails(how)).active().run(20)
    broke = next(o["at"] for o in chain.rig.outcomes if o["reason"] == Reason.DECODER)
    assert chain.first("safe", broke - TURN_S) <= broke + STALE_S
    assert chain.moved(broke + TURN_S) == []
    assert chain.rig.engine.consumed == chain.rig.n_delivered


def test_fault_33_an_engine_that_ends_of_an_error_leaves_the_actuator_neutral_within_250_ms() -> None:
    chain = Chain(Imagery(80)).active().run(5)
    failed = chain.now

    def fail(*_: object) -> None:
        raise RuntimeError("an error of our own")

    chain.rig.loop._streams.decisions.push = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="our own"):
        chain.rig.loop.run()
    chain.stand_still(3.0)
    assert chain.state == "safe"
    assert chain.moved(failed + STALE_S + TURN_S) == []
    assert chain.host.actuator.told[-1] == "neutral"


def test_fault_48_ten_thousand_control_messages_a_second_delay_neither_engine_nor_stop_and_arm_nothing() -> None:
    texts = ["junk", "{}", '["/bci/command", 1]', arm_message("guessed", "0" * 32, "stranger"), messages.line("note", text="x")]
    texts += [messages.line("set", key="threshold", value="x"), messages.line("watching"), "[" * 2000]
    quiet, flooded = (Chain(Imagery(60), pace=g.PaceSettings(repeat_s=0.08)).active().run(5) for _ in range(2))

    def flood(outlets: list[InProcessTextOutlet]):  # type: ignore[no-untyped-def]
        for k in range(2000):
            yield START_S + began + k * 0.001
            for i in range(10):
                for outlet in outlets:
                    outlet.push(texts[(10 * k + i) % len(texts)])

    began = flooded.now
    flooded.clock.add(flood([flooded.rig.control_outlet, flooded.host.window]))
    for chain in (quiet, flooded):
        chain.run(1.0)
    pressed = flooded.now
    flooded.host.window.push(messages.line("stop_now", why="a person"))
    for chain in (quiet, flooded):
        chain.run(2.0)
    same = [
        [(d["sequence"], d["decision"], d["reason"]) for d in chain.rig.decided if d["at"] < pressed]
        for chain in (quiet, flooded)
    ]
    assert same[0] == same[1], "every decision was sent, and as without the flood"
    late_s = max(np.diff([d["at"] for d in flooded.rig.decided if began < d["at"] < pressed]))
    assert late_s <= HOP_S + TURN_S + CHUNK_S
    assert max(np.diff(flooded.moved(began, pressed))) <= STALE_S
    assert flooded.first("safe", pressed) <= pressed + 0.05
    assert flooded.moved(pressed + 0.05) == []


def test_fault_37_the_stop_is_neutral_within_50_ms_while_the_engine_catches_up_and_the_device_sends_a_burst() -> None:
    chain = Chain(Imagery(120), g.GuardSettings(), faults=[Stall(t, t + 0.2) for t in range(10, 60)]).active().run(6)
    for k in range(20):
        chain.run(0.97 + 0.011 * k)
        if chain.state != "active":
            chain.run(GOOD_S + 0.5).arm().run(0.3)
        pressed = chain.now
        chain.host.window.push(messages.line("stop_now", why="a person"))
        chain.run(0.3)
        assert chain.first("safe", pressed) <= pressed + 0.05
        assert chain.moved(pressed + 0.05) == []


def test_what_the_engine_streams_is_what_the_guard_is_given() -> None:
    chain = Chain(Imagery(30, stream())).active().run(5)
    assert chain.host.actuator.told[0] == "right"
    assert {m["name"] for m in chain.host.heard("commands", "command")} == {"right"}
