"""Who shows the cues."""

import os
import sys
import threading

import pytest

from bci.paradigm.present import Terminal

CHOICES = {"g": "go on", "s": "stop here"}


def ask(monkeypatch: pytest.MonkeyPatch, typed: bytes, times: int = 1) -> list[str]:
    """Answers that a terminal takes from a keyboard at which this is typed, and which then goes away."""
    out, into = os.pipe()
    terminal = Terminal(bell=False)
    waited = []

    def passing() -> None:
        waited.append(1)
        if len(waited) == 2:
            os.write(into, typed)
            os.close(into)

    with os.fdopen(out, "rb") as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        answers = [terminal.ask("What now?", CHOICES, passing) for _ in range(times)]
        for thread in threading.enumerate():
            if thread.name == "keyboard":
                thread.join()
    assert len(waited) >= 2
    return answers


def test_enter_and_an_input_that_has_ended_take_the_first_choice_however_often(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, b"\n") == ["g"]
    assert ask(monkeypatch, b"", 3) == ["g", "g", "g"]


def test_what_is_no_choice_is_asked_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(monkeypatch, b"x\ns\n") == ["s"]
    assert "type one of g, s" in capsys.readouterr().err


def test_a_cue_is_drawn_with_its_arrow_and_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    from bci.paradigm.timeline import Cue

    terminal = Terminal(bell=False)
    terminal.show(Cue(0.0, 769, "left_hand", "left_hand"), "Linke Hand")
    assert "←  Linke Hand" in capsys.readouterr().err
    terminal.show(Cue(0.0, 769 + 0x8000, "left_hand_off"), "")
    assert "Linke" not in capsys.readouterr().err
