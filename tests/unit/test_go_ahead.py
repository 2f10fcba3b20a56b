"""An engine that was started ahead of time does nothing before the session tells it to."""

import json
import threading
from pathlib import Path

import pytest

from bci.processes.go_ahead import GoAhead


def told(**fields: object) -> str:
    return json.dumps(fields)


def test_it_waits_until_the_stream_may_be_looked_for_and_the_recording_is_named() -> None:
    go_ahead, order = GoAhead(), list[object]()

    def engine() -> None:
        go_ahead.await_look(lambda: "")
        order.append("looked")
        order.append(go_ahead.await_recording(lambda: ""))

    thread = threading.Thread(target=engine)
    thread.start()
    assert order == []
    go_ahead.know(told(look=True))
    go_ahead.know(told(recording="a.xdf"))
    thread.join(10.0)
    assert order == ["looked", Path("a.xdf")]


@pytest.mark.parametrize("line", ["", "{", "[]", "1", "[" * 10_000, told(look=1), told(look="yes"), told(recorded=["uid"])])
def test_nothing_else_is_a_go_ahead(line: str) -> None:
    go_ahead = GoAhead()
    go_ahead.know(line)
    with pytest.raises(KeyboardInterrupt):
        go_ahead.await_look(lambda: "asked to end")


@pytest.mark.parametrize("line", ["{", told(recording=1), told(recording=None), told(look=True)])
def test_a_recording_must_be_named(line: str) -> None:
    go_ahead = GoAhead()
    go_ahead.know(line)
    with pytest.raises(KeyboardInterrupt):
        go_ahead.await_recording(lambda: "asked to end")
