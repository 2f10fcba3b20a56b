"""Frozen dataclasses from JSON, with every type checked: what a file says is never taken on trust."""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from bci.errors import ConfigError

T = TypeVar("T")


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
        If a field is missing, unknown, of another type, or not a finite number.

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
    if origin is dict:
        _expect(dict, value, where)
        of = get_args(kind)[1]
        return {key: _convert(of, v, f"{where}.{key}") for key, v in cast(dict[str, object], value).items()}
    return _scalar(kind, value, where)


def _scalar(kind: type, value: object, where: str) -> object:
    """A str, int, bool, or finite float."""
    if kind is float and type(value) in (int, float):
        number = float(cast(float, value))
        if not math.isfinite(number):
            raise ConfigError(f"{where} = {value!r}: must be a finite number")
        return number
    if type(value) is not kind:
        raise ConfigError(f"{where} = {str(value)[:80]!r}: must be of type {kind.__name__}")
    return value


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
    problems += [f"{where}.{str(n)[:80]}: unknown field" for n in sorted(set(given) - set(known))]
    if problems:
        raise ConfigError(problems)
    hints = get_type_hints(kind)
    return kind(**{name: _convert(hints[name], item, f"{where}.{name}") for name, item in given.items()})


def _expect(kind: type, value: object, where: str) -> None:
    """Refuse what is not a JSON list or object."""
    if type(value) is not kind:
        raise ConfigError(f"{where} = {str(value)[:80]!r}: must be {'a list' if kind is list else 'an object'}")
