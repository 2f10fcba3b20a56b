"""Windows with streams whose messages and rows have any shape: what makes no sense is counted, and nothing else happens."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from gui_rig import LABELS, Engine, Subject
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from bci.engine.outcome import fields as outcome_fields
from bci.errors import StreamError
from bci.stream import messages as wire
from bci.stream.lsl import LslTextOutlet
from bci.stream.signing import Checker
from gui import messages
from gui.context import Context
from gui.message_fields import LARGEST
from gui.operator import OperatorWindow
from gui.plausible_rows import sensible_rows
from gui.presentation.director import Director
from gui.presentation.settings import PresentationSettings
from gui.widgets.guard import ORDER, guard_state

WORDS: list[Any] = [
    None, True, 0, -1, 0.5, 1e308, -1e308, 10**18, 10**400, "x", "<b>" * 50, "\u202e\x07\x00", "\ud800", [], {}, [1], {"a": 1},
    ["C3"], {"C3": "flat"}, {"C3": 5}, "active", "safe", "left", {"why": 5}, {"threshold": "x"}, {"threshold": 1e300},
    {"settle_s": "x"}, {"settle_s": -1e300}, [[1]], "running", "9" * 400, {"stale_s": None}, "NOT CONFIRMED",
    {"trials": {"a": 10**30}, "verdict": {"accuracy": 9}}, {"number": 1, "text": "?", "choices": {"y": "yes"}}, ["\x00"],
]  # fmt: skip
KEYS = {
    "guard": "state cause why good_s nonce actuator settings pace neutral heard strangers mac n at from host",
    "state": "session phase stream model classes consumed rate_hz bad drift settings source_id",
    "commands": "sequence name value decision delay_s began ended error why",
    "events": "consumed class code labels bad stamp on why text decision",
    "stage": "number code class text choices",
    "progress": "phase id subject config block blocks done of kept rejected cue verdict judgement said question model "
    "recordings recording line look held",
}
KINDS = {
    "guard": "guard refused",
    "state": "state",
    "commands": "command neutral",
    "stage": "cue say ask answered end",
    "events": "start cue set mark mask gap lost found model note stop refused rate new",
    "progress": "progress",
}
NOT_JSON = ("", "{", "[]", "null", "\x00", "[" * 5000, '{"a":' * 900, '{"v":1,"kind":"state","consumed":' + "9" * 9999 + "}")
NUMBERS = (0.0, 1.0, -1.0, 0.4, math.nan, math.inf, -math.inf, 1e300, -1e300, 99.0, 2.0**53)


def any_message(rng: random.Random, what: str) -> str:
    """A message of our kind with values of any."""
    if rng.random() < 0.05:
        return rng.choice(NOT_JSON)
    share = rng.choice((0.1, 0.7))
    found = {key: rng.choice(WORDS) for key in KEYS[what].split() if rng.random() < share}
    return json.dumps({"v": 1, "kind": rng.choice(KINDS[what].split()), **found})


def read(what: str, text: str) -> object:
    """As the windows read it."""
    checker = Checker(b"k" * 32 if len(text) % 2 else None, lambda: 100.0, "here")
    match what:
        case "guard":
            return messages.guard(text, what, checker, 100.0)
        case "state":
            return messages.state(text, what, 100.0)
        case "commands":
            return messages.command(text, what, 100.0)
        case "events":
            return messages.event(text, what, 100.0)
        case "stage":
            return messages.presentation(text, what)
        case _:
            return messages.progress(text, what)


def leaves(value: object) -> list[object]:
    """Everything in a value."""
    if is_dataclass(value):
        return [x for f in fields(value) if f.name != "config" for x in leaves(getattr(value, f.name))]
    if isinstance(value, dict):
        return [x for pair in value.items() for one in pair for x in leaves(one)]
    return [x for one in value for x in leaves(one)] if isinstance(value, tuple) else [value]


@pytest.mark.parametrize("what", sorted(KEYS))
def test_any_message_is_read_as_values_that_can_be_shown_or_refused_in_a_sentence(what: str) -> None:
    rng, refused, longest = random.Random(what), 0, 0
    for _ in range(4000):
        try:
            found = read(what, any_message(rng, what))
        except StreamError as error:
            refused += 1
            longest = max(longest, len(str(error)))
            continue
        for leaf in leaves(found):
            assert not isinstance(leaf, float) or math.isnan(leaf) or abs(leaf) <= LARGEST or leaf == -math.inf
            assert not isinstance(leaf, int) or abs(leaf) <= LARGEST
            if isinstance(leaf, str):
                assert len(leaf) <= 4096
                assert all(c.isprintable() or c == "\n" for c in leaf), repr(leaf)
    assert 0 < refused < 4000
    assert longest < 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(KEYS)), st.data())
def test_no_field_of_any_message_raises_anything_but_a_sentence(what: str, data: st.DataObject) -> None:
    found = data.draw(st.dictionaries(st.sampled_from(KEYS[what].split()), JSON, max_size=6))
    text = json.dumps({"v": 1, "kind": data.draw(st.sampled_from(KINDS[what].split())), **found})
    with suppress(StreamError):
        read(what, text)


def test_what_an_engine_and_a_host_of_ours_say_is_read_whole() -> None:
    state = messages.state(
        wire.line("state", phase="running", consumed=500, settings={"threshold": 0.6, "idle": ""}, bad={"C3": "flat"}),
        "state",
        1.0,
    )
    assert (state.phase, state.consumed, state.settings, state.bad) == ("running", 500.0, {"threshold": 0.6}, {"C3": "flat"})
    event = messages.event(wire.line("cue", code="769", **{"class": "left"}, stamp=3.5, time=None, source="x"), "events", 1.0)
    assert (event.class_, event.code, event.stamp) == ("left", "769", 3.5)
    start = messages.event(wire.line("start", stamp=(3.5).hex(), settings={}, model="ab"), "events", 1.0)
    assert start.line == "start: stamp 0x1.c000000000000p+1, model ab"


def test_rows_with_impossible_values_are_told_from_those_of_an_engine() -> None:
    names = outcome_fields(3, ("left", "right"))
    row = dict.fromkeys(names, 0.0) | {"p:left": math.nan, "p:right": math.nan, "crc": 2.0**32, "stamp": 1.7e9, "decision": -1.0}
    wrong = ({"reason": math.nan}, {"decision": math.inf}, {"p:left": 99.0}, {"stamp": 1e300}, {"index": -math.inf})
    rows = np.array([list((row | more).values()) for more in ({}, *wrong)])
    assert sensible_rows(names, rows).tolist() == [True] + [False] * len(wrong)


@pytest.mark.live
def test_windows_live_on_with_messages_and_rows_of_any_shape_and_say_how_many_made_no_sense(
    context: Context, window: OperatorWindow, subject: Callable[..., Subject], engine: Engine, qtbot: QtBot
) -> None:
    subject()
    windows = [window, *(context.open(name) for name in ("therapist", "wizard", "participant", "welcome"))]
    more = {what: LslTextOutlet(f"bci-{what}", type_, f"bci-{what}-1") for what, type_ in
            (("stage", "BCI-Stage"), ("progress", "BCI-Progress"))}  # fmt: skip
    feed, rng = context.feed, random.Random(7)
    qtbot.waitUntil(lambda: engine.state() or (feed.timing is not None and feed.signal is not None), timeout=20_000)
    for dock in window.docks.values():
        dock.raise_()
    columns = {
        "outcomes": outcome_fields(len(LABELS), ("left", "right")),
        "decisions": wire.DECISION_FIELDS,
        "timing": wire.TIMING_FIELDS,
    }
    for round_ in range(60):
        for what in (*engine.texts, *more):
            for _ in range(6):
                (more.get(what) or engine.texts[what]).push(any_message(rng, what), rng.choice((0.0, 0.0, 1e12, 5.0)))
        for what, names in columns.items():
            engine.rows[what].push(np.array([rng.choice(NUMBERS) for _ in names]))
        engine.decide(round_, 0.9, 100.0)
        qtbot.wait(20)
        if round_ % 10 == 0:
            context.dress(rng.choice(("light", "dark")))
            for one in windows:
                if isinstance(one, OperatorWindow):
                    one.refresh()
                one.grab()
    assert sum(feed.senseless.values()) > 500
    window.panels["streams"].refresh()
    assert window.panels["streams"].values["messages"].text() == f"{sum(feed.senseless.values())} invalid"
    assert len([line for line in feed.log if "is not valid" in line.text]) == len(feed.senseless)
    assert guard_state(context)[0] in ORDER
    assert all(one.isVisible() for one in windows)
    for one in windows:
        assert all(len(label.text()) < 2000 for label in one.findChildren(QLabel))
    for outlet in more.values():
        outlet.close()


def test_a_participant_is_shown_any_presenters_words_and_any_evidence(qapp: object) -> None:
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QImage, QPainter

    from gui.presentation.scene import SceneColours
    from gui.theme import LIGHT

    rng = random.Random(3)
    for task in ("graz", "cursor1d", "cursor2d", "neurofeedback"):
        director, picture = Director(PresentationSettings(task=task)), QImage(320, 240, QImage.Format.Format_RGB32)
        for _ in range(300):
            try:
                message = messages.presentation(any_message(rng, "stage"), "stage")
            except StreamError:
                continue
            director.cue(message.code, message.class_, message.text)
            director.evidence({"left": rng.random(), "right": rng.random()})
            director.step(0.02)
            painter = QPainter(picture)
            director.scene.paint(painter, QRectF(0, 0, 320, 240), SceneColours.of(LIGHT))
            painter.end()
