"""A certificate's figures, limits, loop-back and page: right on data whose truth is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import group_delay as scipy_group_delay
from scipy.signal import sos2tf

from bci.certify.certificate import Certificate
from bci.certify.delays import group_delay, signal_delays
from bci.certify.device_classes import BY_NAME, CLASSES, class_of
from bci.certify.limits import Limits, judge, limits_from
from bci.certify.loopback import Loopback, command_times, match, rising_edges, watched
from bci.certify.page import page
from bci.certify.receiver import column_of
from bci.certify.stages import RECEIVED_FIELDS, STAGES, Measured, measured, spread
from bci.engine.chunk import FloatArray
from bci.engine.decide import DecisionSettings
from bci.engine.filters import band_pass
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError, StreamError

HOP_S, STALE_S = 0.04, 0.25
WIRE_S, STEP_S, DELIVERY_S = 0.0004, 0.0005, 0.0002


def session(n: int = 500, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """What a receiver notes, and the telemetry, of a chain whose delays are known; a heartbeat after every decision."""
    rng = np.random.default_rng(seed)
    rows, timing = np.zeros((2 * n, len(RECEIVED_FIELDS))), np.zeros((n, 7))
    column = {name: i for i, name in enumerate(RECEIVED_FIELDS)}
    stamps = 100.0 + HOP_S * np.arange(n)
    wire, step, delivery = (x * rng.uniform(0.9, 1.1, n) for x in (WIRE_S, STEP_S, DELIVERY_S))
    fresh, beat = rows[::2], rows[1::2]
    rows[:, column["sequence"]] = np.arange(2 * n)
    fresh[:, column["stamp"]] = beat[:, column["stamp"]] = stamps
    fresh[:, column["sent"]] = stamps + wire + step
    fresh[:, column["received"]] = fresh[:, column["sent"]] + delivery
    beat[:, column["heartbeat"]] = 1
    beat[:, column["received"]] = fresh[:, column["received"]] + 0.01
    timing[:, 0], timing[:, 5] = fresh[:, column["sequence"]], step
    return rows, timing


def result(rows: FloatArray, timing: FloatArray, **more: object) -> Measured:
    return measured(rows, timing, HOP_S, STALE_S, **more)  # type: ignore[arg-type]


def set_column(rows: FloatArray, name: str, at: slice | int, value: float) -> FloatArray:
    rows = rows.copy()
    rows[at, RECEIVED_FIELDS.index(name)] = value
    return rows


def test_each_stage_is_what_it_was() -> None:
    m = result(*session())
    truth = {"wire": WIRE_S, "engine": STEP_S, "delivery": DELIVERY_S, "whole": WIRE_S + STEP_S + DELIVERY_S}
    assert {name: spread(m.delays[name]).p50 for name in STAGES} == pytest.approx(
        {k: 1e3 * v for k, v in truth.items()}, rel=0.02
    )
    assert m.decisions == 500
    assert (m.missing, m.late, m.undecoded) == (0, 0, {})


def test_the_stages_of_every_decision_add_up_to_the_whole() -> None:
    d = result(*session()).delays
    np.testing.assert_allclose(d["wire"] + d["engine"] + d["delivery"], d["whole"], atol=1e-12)


def test_an_amplifier_on_another_machine_is_corrected_for_its_clock() -> None:
    rows, timing = session()
    rows = set_column(rows, "stamp", slice(None), 0.0) + 0.0
    original, _ = session()
    rows[:, 3] = original[:, 3] - 5000.0
    assert spread(result(rows, timing, offset_s=5000.0).delays["whole"]).p50 == pytest.approx(1.1, rel=0.02)


def test_rows_that_never_came_are_counted() -> None:
    rows, timing = session()
    assert result(np.delete(rows, (10, 11, 50), axis=0), timing).missing == 3


def test_windows_that_were_not_decoded_are_counted_by_reason_and_no_delay() -> None:
    rows, timing = session()
    rows = set_column(rows, "reason", slice(0, 20, 2), Reason.QUALITY)
    rows = set_column(rows, "reason", 20, Reason.STALE)
    m = result(rows, timing)
    assert m.undecoded == {"quality": 10, "stale": 1}
    assert (m.decisions, m.windows, m.late) == (489, 500, 1)


def test_a_decision_that_came_too_late_to_steer_is_counted() -> None:
    rows, timing = session()
    m = result(set_column(rows, "received", 40, rows[40, -1] + 0.3), timing)
    assert m.late == 1
    assert not next(line for line in judge(m, Limits()) if line.name == "late_percent").passed


def test_where_nothing_was_decoded_the_reasons_are_named() -> None:
    rows, timing = session()
    with pytest.raises(StreamError, match="quality"):
        result(set_column(rows, "reason", slice(None), Reason.QUALITY), timing)


def test_a_steady_chain_has_no_jitter_and_an_unsteady_one_has() -> None:
    rows, timing = session()
    steady = {line.name: line for line in judge(result(rows, timing), Limits())}
    assert steady["jitter_ms"].value < 0.3
    rows[::2, -1] += np.random.default_rng(0).uniform(0, 0.03, 500)
    assert not {line.name: line for line in judge(result(rows, timing), Limits())}["jitter_ms"].passed


def test_a_chain_passes_only_where_every_limit_is_kept() -> None:
    m = result(*session(), samples=(5000, 10))
    assert all(line.passed for line in judge(m, Limits()))
    assert [line.name for line in judge(m, Limits(p50_ms=0.5, lost_percent=0.1)) if not line.passed] == ["p50_ms", "lost_percent"]


def test_a_figure_that_is_no_number_does_not_pass() -> None:
    m = result(*session())
    assert not all(line.passed for line in judge(m, Limits(), Loopback(np.empty(0), 0, 0, 0)))


def test_limits_are_read_and_all_that_is_wrong_is_named_at_once() -> None:
    assert limits_from(["p99_ms=5", "missing=2"]) == Limits(p99_ms=5.0, missing=2.0)
    with pytest.raises(ConfigError) as caught:
        limits_from(["p99=5", "p50_ms=fast", "max_ms=-1"])
    assert len(caught.value.problems) == 3


def test_commands_count_from_when_they_began_and_neutrals_not_at_all() -> None:
    lines = [{"kind": "command", "began": 3.0}, {"kind": "neutral", "began": 4.0}, {"kind": "command", "began": 2.0}]
    texts = [(json.dumps(x), 9.0) for x in lines]
    assert command_times(texts).tolist() == [2.0, 3.0]


def test_markers_of_another_program_count_from_their_stamps() -> None:
    assert command_times([("flash", 1.0), ("7", 2.0), ('{"trial": 1}', 3.0)]).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("width_s", [0.004, 0.1, 0.46])
def test_edges_of_a_noisy_photodiode_are_found_within_a_sample(width_s: float) -> None:
    rate_hz = 1000.0
    stamps = 50.0 + np.arange(0, 20, 1 / rate_hz)
    truth = 50.0 + np.arange(1.0, 19.0, 0.5)
    level = np.zeros(len(stamps))
    for t in truth:
        level[(stamps >= t) & (stamps < t + width_s)] = 1.0
    found = rising_edges(300 + 50 * level + np.random.default_rng(0).normal(0, 1, len(level)), stamps)
    np.testing.assert_allclose(found, truth, atol=1.5 / rate_hz)


def test_noise_alone_has_no_edges() -> None:
    values = np.random.default_rng(0).normal(0, 1, 5000)
    assert len(rising_edges(values, np.arange(5000.0))) == 0
    assert len(rising_edges(np.zeros(5000), np.arange(5000.0))) == 0


def test_effects_are_matched_with_commands_missed_ones_and_strays_counted() -> None:
    sent = np.array([1.0, 2.0, 3.0, 4.0])
    seen = np.array([0.2, 1.02, 3.03, 3.5, 4.01])
    loop = match(sent, seen)
    assert loop.delays == pytest.approx([0.02, 0.03, 0.01])
    assert (loop.sent, loop.missed, loop.unasked) == (4, 1, 2)


def test_a_command_whose_effect_had_no_time_to_come_is_not_missed_and_old_effects_are_no_strays() -> None:
    sent, seen = np.array([1.0, 2.0, 3.0, 3.8]), np.array([0.5, 1.02, 2.02, 3.02, 3.82])
    loop = match(*watched(sent, seen, since=0.0, until=4.2))
    assert (len(loop.delays), loop.sent, loop.missed, loop.unasked) == (3, 3, 0, 0)
    assert match(*watched(sent, seen, since=0.0, until=0.5)).sent == 0
    assert match(*watched(sent, seen, since=1.5, until=4.2)).sent == 2


@given(
    st.lists(st.floats(0, 100), max_size=30, unique=True).map(sorted),
    st.lists(st.floats(0, 100), max_size=30, unique=True).map(sorted),
)
def test_no_command_and_no_effect_is_used_twice_or_lost_in_the_count(sent: list[float], seen: list[float]) -> None:
    loop = match(np.array(sent), np.array(seen))
    assert len(loop.delays) + loop.missed == loop.sent == len(sent)
    assert len(loop.delays) + loop.unasked == len(seen)
    assert all(-0.006 < d <= 1.0 for d in loop.delays)


def test_the_channel_of_the_loop_back_must_be_named_where_there_are_several() -> None:
    assert column_of(("Photo",), "", "q") == 0
    assert column_of(("C3", "Photo"), "Photo", "q") == 1
    with pytest.raises(StreamError, match="C3, Photo"):
        column_of(("C3", "Photo"), "", "q")


def test_group_delay_is_that_of_scipy() -> None:
    sos = band_pass(8.0, 30.0, 4, 250.0)
    frequencies = np.linspace(9.0, 28.0, 40)
    reference = scipy_group_delay(sos2tf(sos), w=frequencies, fs=250.0)[1] / 250.0
    np.testing.assert_allclose(group_delay(sos, frequencies, 250.0), reference, rtol=1e-5)


def test_window_and_group_delay_are_stated_apart() -> None:
    found = signal_delays(Preprocessing(250.0, ("C3", "C4")), DecisionSettings(smoothing_s=0.3))
    assert (found.window_s, found.hop_s, found.smoothing_s) == (2.0, 0.04, 0.3)
    assert 20 < found.bands[0].centre_ms < 60
    assert found.bands[0].least_ms <= found.bands[0].centre_ms <= found.bands[0].most_ms


def test_every_device_class_has_a_range_and_a_source() -> None:
    assert all(0 <= c.low_ms <= c.high_ms and c.how for c in CLASSES)
    assert class_of("cyton-daisy") is BY_NAME["cyton"]


def certificate(**changes: object) -> Certificate:
    delays = signal_delays(Preprocessing(250.0, ("C3", "C4")), DecisionSettings())
    made = Certificate(result(*session()), Limits(), delays, BY_NAME["cyton"], {"source": "amp"})
    return replace(made, **changes)  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Names of all tags, and every attribute that could fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [name for name, _ in attrs if name in ("src", "href", "srcset", "xlink:href", "action", "onload")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_anywhere_and_is_well_formed() -> None:
    html = page(certificate(loop=Loopback(np.array([0.02, 0.03]), 3, 1, 0)))
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    assert parser.fetched == []
    assert {"svg", "table", "rect"} <= parser.tags
    assert not parser.tags & {"script", "link", "img", "iframe"}
    assert not re.search(r"url\(|@import", html)


def test_what_strangers_named_is_shown_as_text() -> None:
    html = page(certificate(chain={"source": "<script>alert(1)</script>&\"'"}))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_page_says_pass_or_fail_and_what_was_not_kept() -> None:
    assert ">PASS<" in page(certificate())
    failed = page(certificate(limits=Limits(p99_ms=0.5)))
    assert ">FAIL<" in failed
    assert "Not kept: whole way, 99th percentile" in failed


def test_the_document_is_json_even_where_a_figure_is_no_number() -> None:
    document = certificate(loop=Loopback(np.empty(0), 2, 2, 0)).as_json()
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["loopback"] == {"delay_ms": None, "sent": 2, "missed": 2, "unasked": 0}
    assert document["passed"] is False
    assert set(document["stages_ms"]) == set(STAGES)
