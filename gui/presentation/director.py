"""Decides which scene is shown, from cues, texts and evidence. It has no clock, no stream and no widget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bci.paradigm.cursor import moved, reached
from bci.paradigm.timeline import (
    BASELINE_STOP,
    BEEP,
    CROSS,
    EXPERIMENT_STOP,
    FEEDBACK,
    HIT,
    MISS,
    NAMES,
    OFF,
    REST_STOP,
    SESSION_END,
    TONE,
    TRIAL_END,
    TRIAL_START,
)
from gui.presentation.cues import cue_for
from gui.presentation.cursor import Cursor
from gui.presentation.directions import Direction, directions, pull
from gui.presentation.graz import Graz
from gui.presentation.instruction_page import InstructionPage
from gui.presentation.neurofeedback import Thermometer
from gui.presentation.scene import Scene
from gui.presentation.settings import PresentationSettings

SOUNDS = (BEEP, TONE, BASELINE_STOP, REST_STOP)
ENDS = (SESSION_END, EXPERIMENT_STOP)
MOST_LINES = 6
SMOOTH_S = 0.12
"""Time constant with which feedback follows the evidence: smooth to the eye, with little delay."""
ACROSS_S = 1.5
LONGEST_S = 6.0
"""A cue of a program that never sends its end is removed after this time."""


@dataclass(slots=True)
class Director:
    """The state of the participant's screen.

    Parameters
    ----------
    settings : PresentationSettings
    """

    settings: PresentationSettings
    _lines: list[str] = field(init=False, default_factory=list)
    _hint: str = field(init=False, default="")
    _page: bool = field(init=False, default=True)
    _cross: bool = field(init=False, default=False)
    _class: str = field(init=False, default="")
    _text: str = field(init=False, default="")
    _shown: bool = field(init=False, default=False)
    _fed: bool = field(init=False, default=False)
    _open_s: float | None = field(init=False, default=None)
    _evidence: dict[str, float] = field(init=False, default_factory=dict)
    _bar: Direction = field(init=False, default=(0.0, 0.0))
    _velocity: Direction | None = field(init=False, default=None)
    _value: float | None = field(init=False, default=None)
    _at: Direction = field(init=False, default=(0.0, 0.0))
    _result: str = field(init=False, default="")
    trials: int = field(init=False, default=0)

    def say(self, text: str) -> None:
        """Add a line to the page, which stays until the next trial.

        Parameters
        ----------
        text : str
        """
        if not self._page:
            self._lines = []
        self._page = True
        self._hint = ""
        self._lines = [*self._lines, text][-MOST_LINES:]

    def ask(self, text: str, hint: str) -> None:
        """Show a page with a question.

        Parameters
        ----------
        text : str
        hint : str
            How to answer.
        """
        self._page, self._lines, self._hint = True, [text], hint

    def answered(self) -> None:
        """The question is answered: clear the page for the next line."""
        self._lines, self._hint = [], ""

    def cue(self, code: int, class_: str = "", text: str = "") -> None:
        """Take an event of a trial.

        Parameters
        ----------
        code : int
            Of :mod:`bci.paradigm.timeline`; 0 for a cue of another program, which has only a class.
        class_, text : str
            The class, and how the participant reads it.
        """
        if code == TRIAL_START:
            self._begin()
        elif code == CROSS:
            self._page, self._cross = False, True
        elif class_:
            self._show(code, class_, text)
        elif code == FEEDBACK:
            self._fed = True
        elif code == TRIAL_END:
            self._end()
        elif code & OFF and code not in NAMES:
            self._shown = False

    def evidence(self, evidence: Mapping[str, float]) -> None:
        """Take the newest evidence of every class; empty if it is unknown or too old.

        Parameters
        ----------
        evidence : mapping of str to float
            Of every class, summing to 1.
        """
        self._evidence = dict(evidence)

    def velocity(self, velocity: Direction | None) -> None:
        """Take the decoded velocity, by which the cursor moves; None: it moves by evidence.

        Parameters
        ----------
        velocity : tuple of float or None
            To the right and downwards, -1 to 1; None if the model decodes none.
        """
        self._velocity = velocity

    def step(self, dt_s: float) -> int:
        """Advance by one frame; return the code of what happened in it (a target was hit or missed), or 0.

        Parameters
        ----------
        dt_s : float
            Time since the last call.
        """
        keep = math.exp(-dt_s / SMOOTH_S)
        x, y = pull(self._evidence)
        self._bar = (keep * self._bar[0] + (1 - keep) * x, keep * self._bar[1] + (1 - keep) * y)
        self._value = self._smoothed(keep)
        if self._open_s is not None:
            self._open_s += dt_s
            if self._open_s > LONGEST_S:
                self._end()
        return self._move(dt_s)

    @property
    def feeding(self) -> bool:
        """Whether feedback is shown."""
        free = not self.trials and not self._page
        return bool(self._evidence) and (self._fed or free or self.settings.task == "neurofeedback") and not self._page

    @property
    def cued(self) -> bool:
        """Whether the cue of a class is shown."""
        return self._shown and not self._page

    def free(self) -> None:
        """A session without trials has begun: show feedback all the time."""
        if not self.trials:
            self._page, self._cross = False, True

    @property
    def scene(self) -> Scene:
        """The scene that is to be shown now."""
        if self._page:
            return InstructionPage("\n".join(self._lines), self._hint)
        task = self.settings.task
        if task == "neurofeedback":
            value = None if self._value is None else round(self._value, 3)
            return Thermometer(value, 0.5, self._text if self._shown else "")
        if task != "graz" and self._cross:
            return self._cursor()
        cue = cue_for(self.settings.cues, self._class, self._text, self.settings.pictures) if self._shown else None
        bar = (round(self._bar[0], 3), round(self._bar[1], 3)) if self.feeding else None
        return Graz(self._cross, cue, bar)

    def _begin(self) -> None:
        self.trials += 1
        self._page = self._shown = self._fed = self._cross = False
        self._class = self._text = self._result = self._hint = ""
        self._at, self._open_s, self._lines = (0.0, 0.0), None, []

    def _show(self, code: int, class_: str, text: str) -> None:
        if code == 0:
            self._begin()
            self._fed, self._open_s = True, 0.0
        self._page, self._cross, self._shown = False, True, True
        self._class, self._text = class_, text

    def _end(self) -> None:
        self._cross = self._shown = self._fed = False
        self._class = self._text = ""
        self._open_s = None

    def _smoothed(self, keep: float) -> float | None:
        """Return the smoothed neurofeedback value; None without evidence."""
        if not self._evidence:
            return None
        wanted = self._evidence.get(self.settings.class_ or next(iter(self._evidence)), 0.0)
        return wanted if self._value is None else keep * self._value + (1 - keep) * wanted

    def _move(self, dt_s: float) -> int:
        """Move the cursor by evidence or velocity, until it reaches a target."""
        if not self.settings.task.startswith("cursor") or not self.feeding or self._result:
            return 0
        x, y = self._bar if self._velocity is None else self._velocity
        towards = (x, 0.0 if self.settings.task == "cursor1d" else y)
        self._at = moved(self._at, towards, dt_s, ACROSS_S)
        wanted, touched = self._wanted(), reached(self._at, self._targets())
        if touched is None or wanted is None:
            return 0
        self._result = "hit" if touched == wanted else "miss"
        return HIT if touched == wanted else MISS

    def _targets(self) -> tuple[Direction, ...]:
        known = directions(tuple(self._evidence) or tuple(filter(None, (self._class,))))
        level_only = self.settings.task == "cursor1d"
        return tuple(d for d in known.values() if d != (0.0, 0.0) and not (level_only and d[1]))

    def _wanted(self) -> Direction | None:
        return directions(tuple(self._evidence) or (self._class,)).get(self._class) if self._class else None

    def _cursor(self) -> Cursor:
        at = (round(self._at[0], 3), round(self._at[1], 3))
        wanted = self._wanted() if self._shown or self._result else None
        word = {"hit": "✓", "miss": "×"}.get(self._result, "")
        return Cursor(at, self._targets(), wanted, self._result, word)
