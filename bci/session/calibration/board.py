"""How far a calibration is, told to windows; and what they answer (docs/streams.md, ``BCI-Progress``)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self

from bci.errors import StreamError
from bci.session import wire
from bci.session.calibration.present import Presenter
from bci.session.timeline import OFF, TRIAL_END, Cue
from bci.stream.late_markers import LateMarkers
from bci.stream.lsl import LslTextOutlet, StreamQuery

PROGRESS_TYPE = "BCI-Progress"
BEAT_S = 1.0
"""All is said again so often, for who comes late."""
LINGER_S = 1.0
"""The last word is heard in so long."""
SAID = 8
"""Lines that are kept of what was said."""


class Board(Protocol):
    """What a calibration tells of itself beside what it records.

    Attributes
    ----------
    held : bool
        A break is wanted before the next trial.
    """

    @property
    def held(self) -> bool: ...

    def tell(self, **fields: Any) -> None:
        """Change what is known."""
        ...

    def look(self) -> list[str]:
        """Let time be seen to pass, and hear what is asked; notes that somebody wants on record."""
        ...


class NoBoard:
    """Nobody looks."""

    held = False

    def tell(self, **fields: Any) -> None:
        """See :class:`Board`."""

    def look(self) -> list[str]:
        """See :class:`Board`."""
        return []


class LslBoard:
    """See :class:`Board`; the whole state on a stream of its own. A context manager.

    It obeys the control messages ``freeze`` and ``resume`` (a break), ``stop``, ``note`` and ``answer``; those that are addressed
    (``to``) to another calibration are not for it.

    Parameters
    ----------
    name : str
        Prefix of the streams.
    fields : object
        What is known from the start.

    Attributes
    ----------
    stopped : str
        Why a window asked to stop, or "".
    """

    def __init__(self, name: str = "bci", **fields: Any) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.held = False
        self.stopped = ""
        self._known: dict[str, Any] = {"id": self.id, "phase": "starting", "held": False, "question": None, "said": [], **fields}
        self._answer: dict[str, Any] = {}
        self._number = 0
        self._told_s = 0.0
        self._outlet = LslTextOutlet(f"{name}-progress", PROGRESS_TYPE, f"{name}-progress-{self.id}")
        self._ears = LateMarkers(StreamQuery(name=f"{name}-control"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Say the last word, and end."""
        self._push()
        time.sleep(LINGER_S)
        self._ears.close()
        self._outlet.close()

    def tell(self, **fields: Any) -> None:
        """See :class:`Board`."""
        self._known |= fields
        self._push()

    def say(self, text: str) -> None:
        """Tell the operator something."""
        self.tell(said=[*self._known["said"], text][-SAID:])

    def look(self) -> list[str]:
        """See :class:`Board`."""
        notes = []
        for text, _ in self._ears.pull(0.0):
            with suppress(StreamError):  # a line that cannot be read asks for nothing
                notes += self._obey(wire.parse(text, "control"))
        if time.monotonic() - self._told_s > BEAT_S:
            self._push()
        return notes

    def ask(self, text: str, choices: Mapping[str, str]) -> Callable[[], str]:
        """Put a question on the board; what is returned gives the answer once there is one, "" before."""
        self._number += 1
        number, self._answer = self._number, {}
        self.tell(question={"number": number, "text": text, "choices": dict(choices)})

        def answer() -> str:
            given = self._answer if self._answer.get("number") == number else {}
            choice = str(given.get("choice", ""))
            return choice if choice in choices else ""

        return answer

    def asked(self) -> None:
        """The question is answered."""
        self.tell(question=None)

    def _obey(self, message: Mapping[str, Any]) -> list[str]:
        if message.get("to", self.id) != self.id:
            return []
        match message["kind"]:
            case "freeze" | "resume" as kind if not self._known.get("virtual"):  # where no time passes there are no breaks
                self.held = kind == "freeze"
                self.tell(held=self.held)
            case "stop":
                self.stopped = str(message.get("why") or "a window")
            case "answer":
                self._answer = dict(message)
            case "note":
                return [str(message.get("text", ""))[:500]]
        return []

    def _push(self) -> None:
        self._told_s = time.monotonic()
        self._outlet.push(wire.line("progress", **self._known))


class _AnsweredError(Exception):
    """The board has the answer while somebody else is being asked."""


class AtBoard:
    """See :class:`~bci.session.calibration.present.Presenter`: everything goes through another one, and windows may answer too.

    Parameters
    ----------
    inner : Presenter
    board : LslBoard
    """

    def __init__(self, inner: Presenter, board: LslBoard) -> None:
        self._inner, self._board = inner, board

    def show(self, cue: Cue, text: str) -> float | None:
        """See :class:`~bci.session.calibration.present.Presenter`. The board comes after the frame."""
        seen_s = self._inner.show(cue, text)
        if cue.class_ or cue.code == TRIAL_END:
            self._board.tell(cue="" if cue.code & OFF or cue.code == TRIAL_END else cue.class_)
        return seen_s

    def say(self, text: str) -> None:
        """See :class:`~bci.session.calibration.present.Presenter`."""
        self._inner.say(text)
        self._board.say(text)

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        """See :class:`~bci.session.calibration.present.Presenter`: who answers first is heard."""
        answer = self._board.ask(text, choices)

        def waiting() -> None:
            passing()
            if answer():
                raise _AnsweredError

        try:
            return self._inner.ask(text, choices, waiting)
        except _AnsweredError:
            return answer()
        finally:
            self._board.asked()
