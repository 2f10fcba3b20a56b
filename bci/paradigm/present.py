"""Who shows the cues: a terminal, nobody, or (elsewhere) a window."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from bci.paradigm.timeline import BEEP, CROSS, FEEDBACK, OFF, TONE, TRIAL_END, TRIAL_START, Cue

ARROWS = {"left_hand": "←", "right_hand": "→", "feet": "↓", "tongue": "↑", "rest": "○"}


class Presenter(Protocol):
    """Shows cues and asks people. A window is another presenter."""

    def show(self, cue: Cue, text: str) -> float | None:
        """Show at once what a cue stands for; its marker is sent when this returns.

        Parameters
        ----------
        cue : Cue
        text : str
            What is written, in the participant's language.

        Returns
        -------
        float or None
            When it was seen, on the clock of the session: the marker's stamp. None where nobody knows: the marker gets the time
            at which the cue was due.
        """
        ...

    def say(self, text: str) -> None:
        """Tell the operator or the participant something that needs no answer.

        Parameters
        ----------
        text : str
        """
        ...

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        """Ask, and wait for one of the choices.

        Parameters
        ----------
        text : str
        choices : mapping of str to str
            From answer to what it does; the first is taken where nobody can be asked.
        passing : callable
            To be called again and again, several times a second, while waiting: the signal goes on.

        Returns
        -------
        str
            The key of the choice that was taken.
        """
        ...


class Silent:
    """Shows nothing and takes the first choice.

    Parameters
    ----------
    tell : callable
        Takes what would have been shown.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell

    def show(self, cue: Cue, text: str) -> None:
        """Show nothing (:meth:`Presenter.show`).

        Parameters
        ----------
        cue : Cue
        text : str
        """

    def say(self, text: str) -> None:
        """Pass a text on (:meth:`Presenter.say`).

        Parameters
        ----------
        text : str
        """
        self._tell(text)

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        """Take the first choice (:meth:`Presenter.ask`).

        Parameters
        ----------
        text : str
        choices : mapping of str to str
        passing : callable

        Returns
        -------
        str
        """
        self._tell(text)
        return next(iter(choices))


class Waiting(Silent):
    """Shows nothing, and waits for an answer that comes by another way: ``passing`` ends it by raising."""

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        """Wait until ``passing`` raises (:meth:`Presenter.ask`).

        Parameters
        ----------
        text : str
        choices : mapping of str to str
        passing : callable

        Returns
        -------
        str
            Never.
        """
        self._tell(text)
        while True:
            passing()


class Terminal:
    """Shows cues as large text in a terminal, and takes answers from its keyboard.

    Parameters
    ----------
    bell : bool
        Sound tones by the terminal's bell.
    """

    def __init__(self, bell: bool = True) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bell = bell
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reading = self._ended = False

    def show(self, cue: Cue, text: str) -> None:
        """Draw a cue in the middle of the screen (:meth:`Presenter.show`).

        Parameters
        ----------
        cue : Cue
        text : str
        """
        if cue.code in (BEEP, TONE):
            if self._bell:
                self._console.bell()
        elif cue.code == TRIAL_END or cue.code & OFF:
            self._draw("")
        elif cue.code == CROSS:
            self._draw("+")
        elif cue.class_:
            self._draw(f"{ARROWS.get(cue.class_, '■')}  {text}")
        elif cue.code not in (TRIAL_START, FEEDBACK):
            self._console.print(text)

    def say(self, text: str) -> None:
        """Print a text (:meth:`Presenter.say`).

        Parameters
        ----------
        text : str
        """
        self._console.print(text, highlight=False)

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        """Print a question and read the answer (:meth:`Presenter.ask`).

        The Enter key takes the first choice, and so does an input that has ended.

        Parameters
        ----------
        text : str
        choices : mapping of str to str
        passing : callable

        Returns
        -------
        str
        """
        first = next(iter(choices))
        listing = ", ".join(f"{'Enter' if key == first else key} = {what}" for key, what in choices.items())
        self._console.print(f"{text}  \\[{listing}]", highlight=False)
        self._listen()
        while not self._ended:
            passing()
            if self._lines.empty():
                continue
            answer = self._lines.get()
            self._ended = answer is None
            if not answer:
                return first
            if answer in choices:
                return answer
            self._console.print(f"{answer!r}: type one of {', '.join(choices)}", highlight=False)
        return first

    def _draw(self, text: str) -> None:
        """Replace what is on the screen."""
        if self._console.is_terminal:
            self._console.clear()
            self._console.print("\n" * (self._console.height // 2 - 1))
        self._console.print(text, style="bold", justify="center", highlight=False)

    def _listen(self) -> None:
        """Read the keyboard from now on, and forget what was typed before."""
        while not self._lines.empty():
            self._ended |= self._lines.get() is None
        if not self._reading:
            self._reading = True
            threading.Thread(target=self._read, name="keyboard", daemon=True).start()

    def _read(self) -> None:
        # Unbuffered: the interpreter could not take a buffer's lock back at its end, and would abort.
        handle, rest = sys.stdin.fileno(), b""
        while data := os.read(handle, 1024):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._lines.put(line.decode(errors="replace").strip())
        self._lines.put(None)
