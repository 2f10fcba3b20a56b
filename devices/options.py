"""Settings of a source from a file or the command line: values of the right type, or text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any

from bci.errors import ConfigError

Reader = Callable[[str, object, object], object]
"""From a field's name, its default and what was given to its value; raises ValueError or TypeError where that cannot be."""


def like_default(name: str, default: object, value: object) -> object:
    """Read a value as the type of the field's default; lists have commas.

    Parameters
    ----------
    name : str
        Of the field.
    default : object
        Of the field.
    value : object

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it cannot be read so.
    TypeError
        If it cannot be read so.

    Examples
    --------
    >>> like_default("rate_hz", 250.0, " 125"), like_default("daisy", False, "true"), like_default("off", (), "A, B")
    (125.0, True, ('A', 'B'))
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
    """Read texts from a list, from text with commas, or from a single value.

    Parameters
    ----------
    value : object

    Returns
    -------
    tuple of str
    """
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
