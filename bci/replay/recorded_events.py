"""The events of an engine in a recording; every field is checked, because a recording may come from anybody."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bci.engine.control_inputs import (
    PERSON,
    ChangeDecision,
    ControlInput,
    Freeze,
    MarkChannels,
    Resume,
    Skip,
    SwitchRebias,
    SwitchRecentring,
    TrialLabel,
)
from bci.engine.decide import DecisionSettings
from bci.errors import ConfigError, RecordingError, StreamError
from bci.safe_io.json_values import from_json
from bci.safe_io.printable import printable
from bci.stream import messages

T = TypeVar("T")
MOST = 1 << 53
"""Samples are not counted further than this: columns of outcomes hold larger numbers no more exactly."""


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One line of the events stream.

    Parameters
    ----------
    kind : str
    fields : mapping
        As JSON gave them.
    where : str
        For messages: the recording, which event of it, and its kind.
    """

    kind: str
    fields: Mapping[str, Any]
    where: str

    def get(self, key: str, kind: type[T]) -> T:
        """Return a field, which must have the given type.

        Raises
        ------
        RecordingError
            If it is missing, or something else.
        """
        if key not in self.fields:
            raise RecordingError(f"{self.where} has no field {key!r}")
        try:
            return from_json(kind, self.fields[key], f"{self.where}.{key}")
        except ConfigError as error:
            raise RecordingError(str(error)) from error

    def count(self, key: str) -> int:
        """Raw samples.

        Raises
        ------
        RecordingError
        """
        found = self.get(key, int)
        if abs(found) > MOST:
            raise RecordingError(f"{self.where}.{key} = {found}: no recording has so many samples")
        return found

    def consumed(self) -> int:
        """Raw samples that the engine had consumed.

        Raises
        ------
        RecordingError
        """
        found = self.count("consumed")
        if found < 0:
            raise RecordingError(f"{self.where}.consumed = {found}: must not be negative")
        return found

    def stamp(self) -> float:
        """Raw stamp of the first sample that was read from here on, seconds; written in hexadecimal, so that no bit is lost.

        Raises
        ------
        RecordingError
        """
        text = self.get("stamp", str)
        try:
            found = float.fromhex(text)
        except (ValueError, OverflowError):
            found = math.nan
        if not math.isfinite(found):
            raise RecordingError(f"{self.where}.stamp = {text[:40]!r}: is no stamp")
        return found

    def model(self) -> str:
        """SHA-256 of a model file.

        Raises
        ------
        RecordingError
        """
        found = self.get("model", str)
        if not re.fullmatch("[0-9a-f]{64}", found):
            raise RecordingError(f"{self.where}.model = {found[:80]!r}: is no SHA-256 of a model file")
        return found

    def input(self) -> ControlInput | str | None:
        """The input that it stands for, a model by its hash; None where it did not control_inputs.

        Raises
        ------
        RecordingError
        """
        by = self.get("by", str) if "by" in self.fields and self.kind in ("freeze", "resume") else PERSON
        match self.kind:
            case "set":
                return ChangeDecision(self.get("decision", DecisionSettings))
            case "skip":
                return Skip(self.count("until"))
            case "freeze":
                return Freeze(self.get("why", str), by)
            case "resume":
                return Resume(self.get("why", str), by)
            case "mark":
                return MarkChannels(self.get("labels", tuple[str, ...]), self.get("bad", bool))
            case "recentre":
                return SwitchRecentring(self.get("on", bool))
            case "rebias":
                return SwitchRebias(self.get("on", bool))
            case "known":
                return TrialLabel(self.get("class", str), self.count("first"), self.count("last"))
            case "model":
                return self.model()
        return None


def read_events(lines: Iterable[str], what: str) -> list[RecordedEvent]:
    """The lines of an events stream.

    Parameters
    ----------
    lines : iterable of str
    what : str
        Name of the recording, for messages.

    Raises
    ------
    RecordingError
        If one is no message.
    """
    found = []
    for number, text in enumerate(lines):
        where = f"{what}: event {number}"
        try:
            fields = messages.parse(text, where)
        except StreamError as error:
            raise RecordingError(str(error)) from error
        found.append(RecordedEvent(fields["kind"], fields, f"{where}: {printable(fields['kind'], 40)}"))
    return found
