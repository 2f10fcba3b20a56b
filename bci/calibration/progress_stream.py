"""The stream on which windows see a calibration's progress, and their answers (docs/reference/streams.md, ``BCI-Progress``)."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol, Self

from bci.paradigm.present import Presenter
from bci.paradigm.timeline import OFF, TRIAL_END, Cue
from bci.stream import keys, messages
from bci.stream.lsl import LslTextOutlet, StreamQuery, local_clock, this_host
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.signing import Checker, Message

PROGRESS_TYPE = "BCI-Progress"
BEAT_S = 1.0
"""Time between two messages, s: a window that joins late gets everything within this time."""
LINGER_S = 1.0
"""Time that the last message gets to arrive, s."""
SAID = 8
"""Lines for the operator that are kept."""
LONGEST = 500


class ProgressStream(Protocol):
    """Tells others how far a calibration is, and takes their requests.

    Attributes
    ----------
    held : bool
        A break is wanted before the next trial.
    """

    @property
    def held(self) -> bool:
        """Whether a person has stopped the calibration for the moment."""
        ...

    def tell(self, **fields: Any) -> None:
        """Change fields of the state, and send it."""
        ...

    def look(self) -> list[str]:
        """Take requests that have come; return the notes that somebody wants recorded. To be called often."""
        ...


class NoProgressStream:
    """Tells nobody."""

    held = False

    def tell(self, **fields: Any) -> None:
        """See :class:`ProgressStream`."""

    def look(self) -> list[str]:
        """See :class:`ProgressStream`."""
        return []


class LslProgressStream:
    """See :class:`ProgressStream`; the whole state on a stream of its own. A context manager.

    It obeys the control messages ``freeze`` and ``resume`` (a break), ``stop``, ``note`` and ``answer``, where they are signed
    with its key, and anybody's ``freeze``; those that are addressed (``to``) to another calibration are not for it. The key is
    kept under its ``id`` while it runs (:mod:`bci.stream.keys`).

    Parameters
    ----------
    name : str
        Prefix of the streams.
    fields : object
        What is known from the start.

    Attributes
    ----------
    id : str
        Of this calibration.
    stopped : str
        Why a window asked to stop, or "".

    Raises
    ------
    ConfigError
        If the key cannot be kept.
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
        key = (keys.key_of(self.id) if keys.KEY in os.environ else None) or keys.new_key()
        self._check = Checker(key, local_clock, this_host())
        self._kept = ExitStack()
        self._kept.enter_context(keys.kept(self.id, key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Send the state a last time, and close the stream."""
        self._push()
        time.sleep(LINGER_S)
        self._kept.close()
        self._ears.close()
        self._outlet.close()

    def tell(self, **fields: Any) -> None:
        """See :class:`ProgressStream`."""
        self._known |= fields
        self._push()

    def say(self, text: str) -> None:
        """Tell the operator something.

        Parameters
        ----------
        text : str
        """
        self.tell(said=[*self._known["said"], text][-SAID:])

    def look(self) -> list[str]:
        """See :class:`ProgressStream`."""
        notes = []
        for text, _ in self._ears.pull(0.0):
            message = self._check(text, "control")
            if message.counts:
                notes += self._obey(message)
        if time.monotonic() - self._told_s > BEAT_S:
            self._push()
        return notes

    def ask(self, text: str, choices: Mapping[str, str]) -> Callable[[], str]:
        """Put a question on the stream; what is returned gives the answer once there is one, "" before.

        Parameters
        ----------
        text : str
        choices : mapping of str to str
            Words for each answer.

        Returns
        -------
        callable
        """
        self._number += 1
        number, self._answer = self._number, {}
        self.tell(question={"number": number, "text": text, "choices": dict(choices)})

        def answer() -> str:
            given = self._answer if self._answer.get("number") == number else {}
            choice = str(given.get("choice", ""))
            return choice if choice in choices else ""

        return answer

    def answered(self) -> None:
        """The question is answered."""
        self.tell(question=None)

    def _obey(self, message: Message) -> list[str]:
        fields = message.fields
        if fields.get("to", self.id) != self.id:
            return []
        match message.kind:
            case "freeze" | "resume" as kind if not self._known.get("virtual"):  # where no time passes there are no breaks
                self.held = kind == "freeze"
                self.tell(held=self.held)
            case "stop":
                self.stopped = str(fields.get("why") or "a window")[:LONGEST]
            case "answer":
                self._answer = fields
            case "note":
                return [str(fields.get("text", ""))[:LONGEST]]
        return []

    def _push(self) -> None:
        self._told_s = time.monotonic()
        self._outlet.push(messages.line("progress", **self._known))


class _AnsweredError(Exception):
    """A window has answered the question while another presenter was still asking it."""


class AnsweredPresenter:
    """See :class:`~bci.paradigm.present.Presenter`: everything goes through another one, and windows may answer too.

    Parameters
    ----------
    inner : Presenter
    progress : LslProgressStream
    """

    def __init__(self, inner: Presenter, progress: LslProgressStream) -> None:
        self._inner, self._progress = inner, progress

    def show(self, cue: Cue, text: str) -> float | None:
        """See :class:`~bci.paradigm.present.Presenter`.

        Windows are told after the frame was shown.
        """
        seen_s = self._inner.show(cue, text)
        if cue.class_ or cue.code == TRIAL_END:
            self._progress.tell(cue="" if cue.code & OFF or cue.code == TRIAL_END else cue.class_)
        return seen_s

    def say(self, text: str) -> None:
        """See :class:`~bci.paradigm.present.Presenter`."""
        self._inner.say(text)
        self._progress.say(text)

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        """See :class:`~bci.paradigm.present.Presenter`: who answers first is heard."""
        answer = self._progress.ask(text, choices)

        def waiting() -> None:
            passing()
            if answer():
                raise _AnsweredError

        try:
            return self._inner.ask(text, choices, waiting)
        except _AnsweredError:
            return answer()
        finally:
            self._progress.answered()
