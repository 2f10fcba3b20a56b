"""Frozen dataclasses from JSON, with every type checked: the content of a file is never trusted."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from bci.errors import ConfigError

T = TypeVar("T")
LARGEST = 1 << 63
"""Whole numbers of more than 64 bits count nothing that there is."""
MOST_PROBLEMS = 20


def parse(text: str | bytes, where: str) -> object:
    """A JSON text as Python's own values.

    Parameters
    ----------
    text : str or bytes
        Short enough for the caller: parsing may take a second and a hundred times the memory.
    where : str
        Name of the text in error messages.

    Raises
    ------
    ConfigError
        If it is no JSON, is nested too deeply, or names a field twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: is not JSON ({error})") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The fields of an object; a field that comes twice is refused, because readers would differ in which one they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is named twice")
    return found


def from_json(kind: type[T], value: object, where: str) -> T:
    """Build a ``kind`` from a parsed JSON value.

    Parameters
    ----------
    kind : type
        A dataclass of str, int, float, bool, None, tuple, dict and further dataclasses.
    value : object
        As :func:`json.loads` gives it.
    where : str
        Name of the value in error messages.

    Raises
    ------
    ConfigError
        If a field is missing, unknown, of another type, no finite number, no whole number of 64 bits, or no text that can be
        written.

    Examples
    --------
    >>> from_json(tuple[float, ...], [1, 2.5], "band")
    (1.0, 2.5)
    """
    return cast(T, _convert(kind, value, where))


def _convert(kind: Any, value: object, where: str) -> object:
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        kinds = [k for k in get_args(kind) if k is not type(None)]
        return _convert(next((k for k in kinds if k is type(value)), kinds[0]), value, where)
    if origin is tuple:
        return _tuple(get_args(kind), value, where)
    if origin in (dict, Mapping):
        _expect(dict, value, where)
        of, items = get_args(kind)[1], cast(dict[str, object], value).items()
        return {_scalar(str, key, where): _convert(of, v, f"{where}.{_shown(key)}") for key, v in items}
    return _scalar(kind, value, where)


def _scalar(kind: type, value: object, where: str) -> object:
    """A str, int, bool, or finite float."""
    if type(value) is int and not -LARGEST <= value < LARGEST:
        raise ConfigError(f"{where}: is a whole number of more than 64 bits")
    if kind is float and type(value) in (int, float):
        number = float(cast(float, value))
        if not math.isfinite(number):
            raise ConfigError(f"{where} = {value!r}: must be a finite number")
        return number
    if type(value) is not kind:
        raise ConfigError(f"{where} = {_shown(value)!r}: must be of type {kind.__name__}")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise ConfigError(f"{where} = {value[:80]!a}: holds half of a character (a surrogate), so it cannot be written as text")
    return value


def _shown(value: object) -> str:
    """A value as it is shown in a message; a list of a million is not written out for it."""
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'table'} of {len(value)}"
    return str(value)[:80] if type(value) is not int or -LARGEST <= value < LARGEST else "a whole number of more than 64 bits"


def _tuple(of: tuple[Any, ...], value: object, where: str) -> tuple[object, ...]:
    """A tuple of any length (``tuple[X, ...]``) or of a fixed one."""
    _expect(list, value, where)
    items = cast(list[object], value)
    kinds = [of[0]] * len(items) if of[-1] is Ellipsis else list(of)
    if len(kinds) != len(items):
        raise ConfigError(f"{where}: has {len(items)} values, must have {len(kinds)}")
    return tuple(_convert(k, item, f"{where}[{i}]") for i, (k, item) in enumerate(zip(kinds, items, strict=True)))


def _dataclass(kind: Any, value: object, where: str) -> object:
    """All problems with the names of the fields at once, then each value."""
    _expect(dict, value, where)
    given = cast(dict[str, object], value)
    known = {f.name: f for f in fields(kind)}
    needed = {n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    problems = [f"{where}.{n}: missing" for n in sorted(needed - set(given))]
    problems += [f"{where}.{_shown(n)}: unknown field" for n in sorted(set(given) - set(known))]
    if problems:
        raise ConfigError(problems[:MOST_PROBLEMS])
    hints = get_type_hints(kind)
    return kind(**{name: _convert(hints[name], item, f"{where}.{name}") for name, item in given.items()})


def _expect(kind: type, value: object, where: str) -> None:
    """Refuse what is not a JSON list or object."""
    if type(value) is not kind:
        raise ConfigError(f"{where} = {_shown(value)!r}: must be {'a list' if kind is list else 'an object'}")
