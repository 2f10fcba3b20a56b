"""The participant's window as a presenter: it is told what to show, and says when it was seen."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from bci.errors import ConfigError, StreamError, StreamLost
from bci.paradigm.present import Presenter
from bci.paradigm.timeline import CROSS, FEEDBACK, OFF, Cue
from bci.processes.display import PARTICIPANT, WindowsProcess
from bci.stream import messages
from bci.stream.lsl import LslMarkerInlet, LslTextOutlet, StreamQuery, resolve
from bci.stream.metadata import bci_fields

READY_S = 60.0
LATE_S = 2.0
AGAIN_S = 1.0
"""A cue that was not seen after so long will not be: the calibration ends, and can be resumed."""
CLOSE_S = 5.0
NAMES = {CROSS: "cross", FEEDBACK: "feedback"}
GO_ON = ("g",)
"""What the participant is asked; whatever else can be answered is the operator's to decide."""
OPERATOR = ("signal:", "going on without")
"""Texts for the operator begin with one of these; the participant does not see them."""


class WindowPresenter:
    """See :class:`~bci.paradigm.present.Presenter`. A context manager: leaving it closes the window.

    The participant says when to go on; what is to be decided goes to the operator.

    Parameters
    ----------
    operator : Presenter
        Shows the operator every text, and asks for decisions.
    name : str
        Prefix of the streams.
    settings : mapping, optional
        Of the window, in place of those that it remembers and of those in the environment (docs/guides/gui.md).
    theme : str
        ``"light"``, ``"dark"``, or empty for the one of last time.

    Attributes
    ----------
    query : str
        Finds what the window says, to record it.
    frames : dict of str to str
        How frames come to be seen: display, refresh rate, how they are stamped, measured delay. For the header of the markers.
    """

    def __init__(
        self, operator: Presenter, name: str = "bci", settings: Mapping[str, object] | None = None, theme: str = ""
    ) -> None:
        self._operator, self._name, self._theme = operator, name, theme
        self._settings = dict(settings or {})
        self._id = uuid.uuid4().hex[:12]
        self._number = 0
        self.query = f"source_id={name}-screen-{self._id}"
        self.frames: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._stage = LslTextOutlet(f"{self._name}-stage", "BCI-Stage", f"{self._name}-stage-{self._id}")
        words = ["participant", "--name", self._name, "--recording", "", *(["--theme", self._theme] if self._theme else [])]
        self._window = WindowsProcess(words, {PARTICIPANT: json.dumps({**_asked(), **self._settings, "id": self._id})})
        try:
            self._found = resolve(StreamQuery.parse(self.query), READY_S, settle_s=0)
            self._screen = LslMarkerInlet(self._found)
            declared = bci_fields(self._screen.header_xml)
            self.frames = {key: value for key, value in declared.items() if key != "version"}
            if not self._stage.wait_for_consumers(READY_S):
                raise StreamError(f"the participant's window was not ready after {READY_S:g} s; begin without it with --headless")
        except BaseException:
            self._window.close()
            self._stage.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._say("end")
        self._window.wait_closed(CLOSE_S)
        self._window.close()
        self._screen.close()
        self._stage.close()

    def show(self, cue: Cue, text: str) -> float | None:
        """See :class:`~bci.paradigm.present.Presenter`.

        Raises
        ------
        StreamLost
            If the window is gone, or does not show it in time.
        """
        number = self._next()
        self._say("cue", number=number, code=cue.code, **{"class": cue.class_}, text=text)
        if not (cue.class_ or cue.code in NAMES or (cue.code & OFF and cue.name.endswith("_off"))):
            return None
        found = self._wait("shown", number, LATE_S)
        if found is None:
            raise self._gone(f"did not show a cue within {LATE_S:g} s")
        return found[1]

    def say(self, text: str) -> None:
        """See :class:`~bci.paradigm.present.Presenter`."""
        self._operator.say(text)
        if not text.startswith(OPERATOR):
            self._say("say", text=text)

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        """See :class:`~bci.paradigm.present.Presenter`."""
        if tuple(choices) != GO_ON:
            return self._operator.ask(text, choices, passing)
        number = self._next()
        self._say("ask", number=number, text=text, choices=dict(choices))
        try:
            while (found := self._wait("answer", number, 0.0)) is None:
                if not self._window.alive:
                    raise self._gone("was closed")
                passing()
        finally:  # the operator may have answered instead
            self._say("answered")
        return str(found[0].get("choice", ""))

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _say(self, kind: str, **fields: Any) -> None:
        self._stage.push(messages.line(kind, **fields))

    def _wait(self, kind: str, number: int, timeout_s: float) -> tuple[dict[str, Any], float] | None:
        """What the window says to one of our messages, and its stamp; None where it says nothing in time."""
        while True:
            try:
                pulled = self._screen.pull(timeout_s)
            except StreamLost as error:
                self._listen_again(error)
                continue
            for text, stamp in pulled:
                message = messages.parse(text, f"{self._name}-screen")
                if message["kind"] == kind and message.get("number") == number:
                    return message, stamp
            if not pulled:
                return None

    def _listen_again(self, error: StreamLost) -> None:
        """The connection broke; while the window lives it is made again."""
        self._screen.close()
        try:
            self._screen = LslMarkerInlet(self._found, AGAIN_S)
        except StreamLost:
            raise self._gone("was closed") from error

    def _gone(self, what: str) -> StreamLost:
        return StreamLost(f"the participant's window {what}. The recording so far is safe: continue with bci calibrate --resume")


def _asked() -> dict[str, object]:
    """Settings that our own environment holds for the window.

    Raises
    ------
    ConfigError
    """
    try:
        found = json.loads(os.environ.get(PARTICIPANT) or "{}")
    except ValueError as error:
        raise ConfigError(f"{PARTICIPANT}: is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{PARTICIPANT} = {found!r}: must be a JSON object of settings; see docs/guides/gui.md")
    return found
