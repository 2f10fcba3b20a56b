"""Control messages for the engine: read, checked and limited before the loop carries them out.

The messages are those of docs/reference/streams.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bci.engine.control_inputs import PERSON, ControlInput, Freeze, MarkChannels, Resume, SwitchRebias, SwitchRecentring
from bci.engine.decide import DecisionSettings
from bci.errors import StreamError
from bci.stream.bus import MarkerInlet
from bci.stream.signing import Checker, Message

TOLD_EVERY_S = 1.0
LONGEST_WHY = 500
LONGEST_NAME = 80
OF_OTHERS = frozenset({"arm", "disarm", "stop_now", "watching", "alive", "answer"})
"""For actuator hosts and calibrations, which listen by themselves and put on record what they do."""


@dataclass(frozen=True, slots=True)
class ApplyInput:
    """An input to apply, and the event that puts it on record."""

    given: ControlInput
    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeSetting:
    """One decision setting to change."""

    key: str
    value: float | str


@dataclass(frozen=True, slots=True)
class LoadModel:
    """A model file that is to take over."""

    path: str


@dataclass(frozen=True, slots=True)
class AddNote:
    """A sentence to be recorded."""

    text: str


@dataclass(frozen=True, slots=True)
class EndSession:
    """A request that the engine ends."""

    why: str


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A request that is not carried out, and why."""

    why: str


ControlRequest = ApplyInput | ChangeSetting | LoadModel | AddNote | EndSession | RefusedRequest


class ControlReceiver:
    """Reads control messages: those of the session become requests, those of other senders are counted.

    Parameters
    ----------
    inlet : MarkerInlet
    check : Checker
        Tells the session's own messages from others.
    frozen : callable
        Who has frozen decoding.

    Attributes
    ----------
    strangers : int
        Texts that were ignored, because they lack the session's key.
    """

    def __init__(self, inlet: MarkerInlet, check: Checker, frozen: Callable[[], Collection[str]]) -> None:
        self._inlet, self._check, self._frozen = inlet, check, frozen
        self._told_s, self._told = float("-inf"), 0
        self.strangers = 0

    def requests(self, now: float) -> Iterator[ControlRequest]:
        """Read the messages that have come; report at most once a second how many others were ignored.

        The one boundary at which a text of anybody becomes a request: whatever it holds, it is refused or ignored here.

        Parameters
        ----------
        now : float
            Seconds of any steady clock.
        """
        for text, _ in self._inlet.pull(0.0):
            try:
                yield from self._requests_of(self._check(text, "control message"))
            except StreamError as error:
                yield RefusedRequest(str(error))
        if self.strangers > self._told and now - self._told_s >= TOLD_EVERY_S:
            n, self._told, self._told_s = self.strangers - self._told, self.strangers, now
            yield RefusedRequest(f"{n} control messages without this session's key were ignored")

    def _requests_of(self, message: Message) -> list[ControlRequest]:
        """What one message asks for."""
        if message.ours:
            return requests_of(message.fields)
        if message.kind == "freeze" and PERSON not in self._frozen():
            # Once is enough: a flood of them must not fill the recording.
            return requests_of({**message.fields, "by": PERSON})
        self.strangers += message.kind not in OF_OTHERS
        return []


def requests_of(message: Mapping[str, Any]) -> list[ControlRequest]:
    """What one message asks for; one request for each channel that it marks, so that what is on record is what was applied.

    Parameters
    ----------
    message : mapping
        Read from JSON, with a ``kind``; everything else may be of any type.

    Raises
    ------
    StreamError
        If its kind is not known, or a field has the wrong type.
    """
    kind, why = message["kind"], str(message.get("why") or "")[:LONGEST_WHY]
    match kind:
        case "set":
            return [_setting(message.get("key"), message.get("value"))]
        case "freeze":
            by = _by(message)
            return [ApplyInput(Freeze(why, by), kind, {"why": why, "by": by})]
        case "resume":
            by = _by(message)
            return [ApplyInput(Resume(why, by), kind, {"why": why, "by": by})]
        case "mark":
            bad = _flag(message, "bad")
            return [ApplyInput(MarkChannels((x,), bad), kind, {"labels": [x], "bad": bad}) for x in _labels(message)]
        case "recentre":
            return [ApplyInput(SwitchRecentring(on := _flag(message, "on")), kind, {"on": on})]
        case "rebias":
            return [ApplyInput(SwitchRebias(on := _flag(message, "on")), kind, {"on": on})]
        case "model":
            return [LoadModel(str(message.get("path")))]
        case "note":
            return [AddNote(str(message.get("text", "")))]
        case "stop":
            return [EndSession(why or "asked to")]
        case _ if kind in OF_OTHERS:
            return []
    raise StreamError(f"control message of unknown kind {kind[:LONGEST_NAME]!r}; see docs/reference/streams.md")


def changed(settings: DecisionSettings, request: ChangeSetting) -> DecisionSettings:
    """Decision settings with one of them changed.

    Raises
    ------
    ConfigError
        If the value is out of its range.
    """
    return DecisionSettings(**{**asdict(settings), request.key: request.value})


def _setting(key: object, value: object) -> ChangeSetting:
    known = DecisionSettings.__dataclass_fields__
    if not isinstance(key, str) or key not in known:
        raise StreamError(
            f"set: {str(key)[:LONGEST_NAME]!r} is not a decision setting; the decision settings are {', '.join(known)}"
        )
    if isinstance(value, bool) or not isinstance(value, str if key == "idle" else (int, float)):
        raise StreamError(f"set: {key} = {str(value)[:LONGEST_NAME]!r} must be {'a text' if key == 'idle' else 'a number'}")
    return ChangeSetting(key, value)


def _by(message: Mapping[str, Any]) -> str:
    """Who freezes or resumes."""
    by = message.get("by", PERSON)
    if not isinstance(by, str) or not by or len(by) > LONGEST_NAME:
        raise StreamError(
            f"{message['kind']}: by = {str(by)[:LONGEST_NAME]!r} must be a name of at most {LONGEST_NAME} characters"
        )
    return by


def _flag(message: Mapping[str, Any], name: str) -> bool:
    """A field that is true or false; true where it is left out."""
    found = message.get(name, True)
    if not isinstance(found, bool):
        raise StreamError(f"{message['kind']}: {name} = {str(found)[:LONGEST_NAME]!r} must be true or false")
    return found


def _labels(message: Mapping[str, Any]) -> tuple[str, ...]:
    """The channels that a control message names."""
    found = message.get("labels")
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        raise StreamError(f"mark: labels = {str(found)[:LONGEST_NAME]!r} must be a list of channel names")
    return tuple(found)
