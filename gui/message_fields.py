"""The fields of one message: each is taken as the type that it must have, or refused.

Any program on the network can send any text on a stream with one of our names. Fields that windows do not show are ignored.
Fields that they show must have the right type; ``null`` means that a field is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bci.errors import StreamError
from gui.sanitise import sanitise

LARGEST = 1e15
MOST = 512
"""Largest number of entries of a list or an object."""
DEEPEST = 8
WORD, SENTENCE = 80, 400
"""Longest texts of one word or name, and of one sentence, characters."""


class Fields:
    """The fields of one message, each taken as what it must be.

    Parameters
    ----------
    found : mapping
        As JSON gave it.
    what : str
        Where it came from, for errors.

    Raises
    ------
    StreamError
        By every method, where a field is of another kind.
    """

    def __init__(self, found: Mapping[str, Any], what: str) -> None:
        self._found, self._what = found, what

    def text(self, key: str, longest: int = SENTENCE) -> str:
        """Return a sanitised text; empty if it is missing.

        Parameters
        ----------
        key : str
            Name of the field.
        longest : int, optional
            Longest text, characters.
        """
        return sanitise(self._of(key, str, "a text", ""), longest)

    def path(self, key: str) -> str:
        """Return the name of a file, unchanged; empty if it is missing.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        text: str = self._of(key, str, "the name of a file", "")
        if not _is_path(text):
            raise self._wrong(key, text, "the name of a file")
        return text

    def lines(self, key: str) -> list[str]:
        """Return the lines of a text, unchanged; none if it is missing.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        return str(self._of(key, str, "a text", "")).splitlines()

    def flag(self, key: str) -> bool:
        """Return true or false; false if it is missing.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        return bool(self._of(key, bool, "true or false", False))

    def number(self, key: str, low: float = -LARGEST, high: float = LARGEST) -> float:
        """Return a number within limits; NaN if it is missing.

        Parameters
        ----------
        key : str
            Name of the field.
        low : float, optional
            Smallest value.
        high : float, optional
            Largest value.
        """
        value = self._found.get(key)
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def count(self, key: str) -> int:
        """Return a whole number; 0 if it is missing.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        value = self._of(key, int, "a whole number", 0)
        if isinstance(value, bool) or not abs(value) <= LARGEST:
            raise self._wrong(key, value, "a whole number")
        return int(value)

    def either(self, key: str) -> str:
        """Return a text or a number as text.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        value = self._found.get(key)
        return self.text(key, WORD) if isinstance(value, str) else "" if value is None else f"{self.number(key):.15g}"

    def inside(self, key: str) -> Fields | None:
        """Return an object; None if it is missing.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        value = self._of(key, dict, "an object", None)
        return None if value is None else Fields(value, f"{self._what}: {key}")

    def whole(self, key: str) -> dict[str, Any]:
        """Return an object unchanged, for a reader with rules of its own; refuse one that is too deep.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        found = self._of(key, dict, "an object", {})
        if not _shallow(found):
            raise self._wrong(key, found, f"an object of at most {DEEPEST} levels")
        return dict(found)

    def words(self, key: str, longest: int = WORD) -> dict[str, str]:
        """Return an object of texts.

        Parameters
        ----------
        key : str
            Name of the field.
        longest : int, optional
            Longest text, characters.
        """
        found = self._entries(key)
        return {sanitise(name, WORD): Fields(found, f"{self._what}: {key}").text(name, longest) for name in found}

    def counts(self, key: str) -> dict[str, int]:
        """Return an object of whole numbers.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        found = self._entries(key)
        return {sanitise(name, WORD): Fields(found, f"{self._what}: {key}").count(name) for name in found}

    def numbers(self, key: str) -> dict[str, float]:
        """Return the numbers of an object that has texts, too.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        found = self._entries(key)
        inside = Fields(found, f"{self._what}: {key}")
        return {sanitise(name, WORD): inside.number(name) for name, value in found.items() if not isinstance(value, str | bool)}

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        return tuple(sanitise(one, SENTENCE) for one in self._listed(key, str, "a list of texts"))

    def paths(self, key: str) -> tuple[str, ...]:
        """Return a list of names of files.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        found = self._listed(key, str, "a list of names of files")
        if not all(map(_is_path, found)):
            raise self._wrong(key, found, "a list of names of files")
        return tuple(found)

    def parts(self, key: str) -> list[Fields]:
        """Return a list of objects.

        Parameters
        ----------
        key : str
            Name of the field.
        """
        return [Fields(one, f"{self._what}: {key}") for one in self._listed(key, dict, "a list of objects")]

    def _of(self, key: str, kind: type, needed: str, otherwise: Any) -> Any:
        value = self._found.get(key)
        if value is None:
            return otherwise
        if not isinstance(value, kind):
            raise self._wrong(key, value, needed)
        return value

    def _entries(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self._of(key, dict, "an object", {})
        if len(found) > MOST:
            raise StreamError(f"{self._what}: {key} has {len(found)} entries; at most {MOST} are allowed")
        return {name: value for name, value in found.items() if value is not None}

    def _listed(self, key: str, kind: type, needed: str) -> list[Any]:
        found: list[Any] = self._of(key, list, needed, [])
        if len(found) > MOST or not all(isinstance(one, kind) for one in found):
            raise self._wrong(key, found, f"{needed}, at most {MOST}")
        return found

    def _wrong(self, key: str, value: object, needed: str) -> StreamError:
        return StreamError(
            f"{self._what}: {sanitise(key, WORD)} = {shown(value)}: must be {needed}; see docs/reference/streams.md"
        )


def shown(value: object, depth: int = 0) -> str:
    """Return any value of a message as a short text.

    Parameters
    ----------
    value : object
    depth : int, optional
        Level inside the message.
    """
    if isinstance(value, str):
        return sanitise(value, 80)
    if isinstance(value, int) and not abs(value) <= LARGEST:
        return "a number of very many digits"
    if isinstance(value, bool | int | float) or value is None:
        return str(value)
    if depth >= 2:
        return "…"
    if isinstance(value, Mapping):
        return ", ".join(f"{sanitise(k, 40)} {shown(v, depth + 1)}" for k, v in first_of(value.items())) or "nothing"
    if isinstance(value, list):
        return ", ".join(shown(v, depth + 1) for v in first_of(value)) or "nothing"
    return type(value).__name__


def _is_path(text: str) -> bool:
    """Whether a text can be the name of a file."""
    return len(text) <= 4096 and all(c.isprintable() for c in text)


def _shallow(value: object, depth: int = 0) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth <= DEEPEST and all(_shallow(one, depth + 1) for one in inside)


def first_of(found: Any) -> list[Any]:
    """The first entries of a collection: enough for a sentence.

    Parameters
    ----------
    found : Any
    """
    return [one for one, _ in zip(found, range(16), strict=False)]
