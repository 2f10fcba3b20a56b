"""Settings of a source as a file or the command line gives them: values of the right type, or text that says them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any

from bci.errors import ConfigError

Reader = Callable[[str, object, object], object]
"""From a field's name, its default and what was given to its value; raises ValueError or TypeError where that cannot be."""


def like_default(name: str, default: object, value: object) -> object:
    """The value as the type of the field's default; lists have commas.

    >>> like_default("rate_hz", 250.0, " 125"), like_default("daisy", False, "true"), like_default("off", (), "A, B")
    (125.0, True, ('A', 'B'))

    Raises
    ------
    ValueError, TypeError
    """
    if isinstance(default, tuple):
        return words(value)
    text = str(value).strip()
    if isinstance(default, bool):
        return ("false", "true").index(text.lower()) == 1
    if isinstance(default, int):
        return int(text)
    return float(text) if isinstance(default, float) else text


def words(value: object) -> tuple[str, ...]:
    """Texts of a list, of text with commas, or of a single value."""
    several = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else (value,)
    return tuple(str(word).strip() for word in several)


def read_fields(
    kind: type, options: Mapping[str, object], what: str, read: Reader = like_default, hidden: Collection[str] = ()
) -> dict[str, Any]:
    """Arguments of a settings class from loosely typed options, every problem reported at once.

    Parameters
    ----------
    kind : type
        A dataclass; what can be set are its fields with plain defaults.
    options : mapping
        Names of its fields; values of their type, or text.
    what : str
        The device, for messages.
    read : callable
        For fields that are not simply of their default's type.
    hidden : collection of str
        Fields that only a program can set.

    Raises
    ------
    ConfigError
    """
    defaults = {f.name: f.default for f in fields(kind) if f.default is not MISSING and f.name not in hidden}
    problems: list[str] = []
    found: dict[str, Any] = {}
    for name, value in options.items():
        if name not in defaults:
            problems.append(f"{name}: {what} has no such setting; it has {', '.join(defaults)}")
            continue
        try:
            found[name] = read(name, defaults[name], value)
        except (ValueError, TypeError):
            problems.append(f"{name} = {value!r}: must be like {defaults[name]!r}")
    if problems:
        raise ConfigError(problems)
    return found
