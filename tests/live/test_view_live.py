"""The view of a session in the terminal, beside streams of strangers under the session's own names (fault: forged streams)."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from rich.console import Console
from session_rig import save_a_model, until

from bci.engine.outcome import fields
from bci.model.file import load_model
from bci.model.header import ModelHeader
from bci.processes.session_view import LiveView, ShownState
from bci.stream import messages
from bci.stream.lsl import LslOutlet, LslTextOutlet, StreamQuery, row_info

pytestmark = [pytest.mark.live]


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> ModelHeader:
    return load_model(save_a_model(tmp_path_factory.mktemp("model") / "m.safetensors")).header


class Offered:
    """Streams of an engine's names."""

    def __init__(self, name: str, widths: dict[str, int], value: float, state: str) -> None:
        self.rows = {what: LslOutlet(row_info(f"{name}-{what}", "X", f"{name}-{what}", tuple(f"c{i}" for i in range(n)))) for
                     what, n in widths.items()}  # fmt: skip
        self.state = LslTextOutlet(f"{name}-state", "X", f"{name}-state")
        self._value, self._said, self._widths = value, state, widths

    def speak(self) -> None:
        for what, outlet in self.rows.items():
            outlet.push(np.full(self._widths[what], self._value))
        self.state.push(self._said)

    @property
    def uids(self) -> dict[str, str]:
        return {**{what: outlet.uid for what, outlet in self.rows.items()}, "state": self.state.uid}

    def close(self) -> None:
        for outlet in (*self.rows.values(), self.state):
            outlet.close()


def shown(view: LiveView) -> str:
    """The picture as text."""
    console = Console(file=io.StringIO(), width=100)
    console.print(view.render())
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def stage(header: ModelHeader) -> Iterator[tuple[Callable[..., Offered], Callable[..., LiveView]]]:
    name = f"v{uuid.uuid4().hex[:8]}"
    widths = {
        "outcomes": len(fields(len(header.preprocessing.labels), tuple(header.classes), header.preprocessing.partly)),
        "decisions": len(messages.DECISION_FIELDS),
        "timing": len(messages.TIMING_FIELDS),
    }
    with ExitStack() as stack:

        def offer(value: float, state: str, **other: int) -> Offered:
            offered = Offered(name, {**widths, **other}, value, state)
            stack.callback(offered.close)
            return offered

        def look(uids: Callable[[], dict[str, str]] = dict) -> LiveView:
            view = LiveView(header, lambda what: StreamQuery(source_id=f"{name}-{what}").words(), uids)
            stack.callback(view.close)
            return view

        yield offer, look


def test_of_several_streams_of_one_name_only_the_sessions_own_are_shown(stage) -> None:  # type: ignore[no-untyped-def]
    offer, look = stage
    forged = offer(0.0, messages.line("state", phase="FORGED", consumed=1))
    own = offer(1.0, messages.line("state", phase="running", consumed=77))
    time.sleep(0.2)
    view = look(lambda: own.uids)

    def heard() -> bool:
        forged.speak()
        own.speak()
        view.update()
        return view.state.consumed == 77 and view.decision.get("decision") == 1.0 and view.windows > 3

    until(heard, "the session's own")
    assert "FORGED" not in shown(view)
    assert view.word() == "right"


def test_a_failure_of_the_decoder_is_shown_and_told_once(stage) -> None:  # type: ignore[no-untyped-def]
    offer, look = stage
    own = offer(1.0, messages.line("state", phase="running", consumed=77, decoder="ValueError: no such band (in f (x.py:3))"))
    view = look(lambda: own.uids)
    news: list[str] = []

    def heard() -> bool:
        own.speak()
        view.update()
        news.extend(view.take_news())
        return view.windows > 3 and bool(news)

    until(heard, "the failure")
    assert "ValueError: no such band" in shown(view)
    own.speak()
    time.sleep(0.2)
    view.update()
    assert [*news, *view.take_news()] == [
        "The decoder failed, so such windows have no decision. ValueError: no such band (in f (x.py:3))"
    ]


@pytest.mark.parametrize(
    ("value", "state", "other"),
    [
        (float("nan"), "{", {}),
        (float("inf"), messages.line("state", drift="x", bad="y", cues=[1], phase=7, consumed="many", lost=None), {}),
        (99.0, json.dumps({"v": 1, "kind": "state", "phase": "\x1b[2J" + "x" * 1_000_000}), {}),
        (-1e300, json.dumps({"v": 1, "kind": "state", "consumed": 1e300, "lost": 10**400}), {}),
        (1.0, '{"v":1,"kind":"state","phase":"\\ud800","bad":{"\\u001b[31m":"\\u202e"}}', {}),
        (1.0, "[" * 100_000, {"decisions": 3, "outcomes": 2, "timing": 1}),
    ],
    ids=["NaN", "other types", "1 MB", "huge numbers", "surrogates and escapes", "other columns"],
)
def test_no_forged_stream_ends_the_view_and_none_reaches_the_terminal_with_control_characters(  # type: ignore[no-untyped-def]
    stage, value: float, state: str, other: dict[str, int]
) -> None:
    offer, look = stage
    forged, view = offer(value, state, **other), look()
    end = time.monotonic() + 20.0
    spoken = 0
    while spoken < 30:
        assert time.monotonic() < end
        forged.speak()
        view.update()
        picture = shown(view) + view.line()
        assert all(c.isprintable() or c == "\n" for c in picture)
        assert len(picture) < 5_000
        spoken += view.complete
        time.sleep(0.01)


def test_what_has_another_shape_counts_as_not_said() -> None:
    assert ShownState.of(
        {"phase": None, "bad": 3, "drift": [], "cues": "x", "consumed": True, "lost": float("nan")}
    ) == ShownState(phase="None", consumed=1, lost=-1)
