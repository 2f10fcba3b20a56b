"""Settings of an actuator from a file or the command line, read one by one; all problems are reported at once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from bci.errors import ConfigError

_T = TypeVar("_T")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[nrt0\\]|.|$)", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\"}


class ActuatorOptions:
    """The settings of an actuator, and the problems that were found while they were read.

    Parameters
    ----------
    what : str
        Name of the actuator, for messages.
    given : mapping

    Examples
    --------
    >>> options = ActuatorOptions("UDP", {"port": "70000", "hots": "x"})
    >>> options.number("port", None, 1, 65535), options.text("host", "127.0.0.1")
    (0, '127.0.0.1')
    >>> options.problems()
    ['port = 70000: must be from 1 to 65535', 'hots: the UDP actuator has no such setting; it has port, host']
    """

    def __init__(self, what: str, given: Mapping[str, object]) -> None:
        self._what = what
        self._given = dict(given)
        self._read: list[str] = []
        self._problems: list[str] = []

    def text(self, name: str, default: str | None, allowed: Collection[str] = ()) -> str:
        """Read a text.

        Parameters
        ----------
        name : str
            Of the setting.
        default : str or None
            None where it must be given.
        allowed : collection of str
            The texts that are allowed; any where empty.

        Returns
        -------
        str
            Empty where it is wrong.
        """
        value = self._take(name, default)
        if value is None:
            return ""
        if not isinstance(value, str) or (allowed and value not in allowed):
            self.problem(f"{name} = {value!r}: must be {'one of ' + ', '.join(allowed) if allowed else 'text'}")
            return ""
        return value

    def number(self, name: str, default: float | None, low: float, high: float) -> float:
        """Read a number, which may be written as text.

        Parameters
        ----------
        name : str
            Of the setting.
        default : float or None
            None where it must be given.
        low : float
            The smallest that is allowed; where it is an int, the number must be whole.
        high : float
            The largest that is allowed.

        Returns
        -------
        float
            0 where it is wrong.
        """
        value = self._take(name, default)
        if value is None:
            return 0
        kind: type[float] = int if isinstance(low, int) else float
        try:
            found = kind(str(value)) if not isinstance(value, bool) else math.nan
        except ValueError:
            found = math.nan
        if not low <= found <= high:
            self.problem(f"{name} = {value}: must be from {low:g} to {high:g}")
            return 0
        return found

    def parsed(self, name: str, default: str, read: Callable[[object], _T]) -> _T | None:
        """Read a value by a function of the actuator's; its ValueError becomes a problem.

        Parameters
        ----------
        name : str
            Of the setting.
        default : str
        read : callable
            Turns the value into the result.

        Returns
        -------
        _T or None
            None where it is wrong.
        """
        value = self._take(name, default)
        try:
            return read(value)
        except ValueError as error:
            self.problem(f"{name}: {error}")
            return None

    def table(self, name: str, read: Callable[[object], _T], *, needed: bool = True) -> dict[str, _T]:
        """Read names and values: a table, text such as ``left=L,right=R``, or settings such as ``NAME.left``.

        Parameters
        ----------
        name : str
            Of the setting.
        read : callable
            Turns each value into its result.
        needed : bool
            Whether it must have an entry.

        Returns
        -------
        dict of str to _T
            Results by name; those that are wrong are left out.
        """
        dotted = {key: entry for key, entry in self._given.items() if key.startswith(f"{name}.")}
        value = self._take(name, None if needed and not dotted else "")
        if value is None:
            return {}
        try:
            rows = _rows(value) | {key.partition(".")[2]: self._given.pop(key) for key in dotted}
        except ValueError as error:
            self.problem(f"{name}: {error}")
            return {}
        found = {}
        for key, entry in rows.items():
            try:
                found[key] = read(entry)
            except ValueError as error:
                self.problem(f"{name}.{key}: {error}")
        if needed and not rows:
            self.problem(f"{name}: is empty; it must have an entry for each command")
        return found

    def problem(self, line: str) -> None:
        """Add a problem that only the actuator can see.

        Parameters
        ----------
        line : str
        """
        self._problems.append(line)

    def problems(self) -> list[str]:
        """All problems so far, and every setting that the actuator does not have."""
        unknown = [name for name in self._given if name not in self._read]
        known = ", ".join(self._read)
        return self._problems + [f"{n}: the {self._what} actuator has no such setting; it has {known}" for n in unknown]

    def done(self) -> None:
        """Raise an error that lists all problems, if there are any.

        Raises
        ------
        ConfigError
            With every problem.
        """
        if problems := self.problems():
            raise ConfigError(problems)

    def _take(self, name: str, default: object) -> object:
        self._read.append(name)
        if name not in self._given and default is None:
            self.problem(f"{name}: is missing; the {self._what} actuator needs it")
        return self._given.get(name, default)


def to_bytes(value: object) -> bytes:
    r"""Read bytes from text with the escapes ``\n \r \t \0 \\ \xHH``, or from a list of numbers from 0 to 255.

    Parameters
    ----------
    value : object

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> to_bytes("L\\n"), to_bytes([76, 10]), to_bytes("\\x02")
    (b'L\n', b'L\n', b'\x02')
    """
    if isinstance(value, list | tuple):
        if not all(isinstance(x, int) and not isinstance(x, bool) and 0 <= x <= 255 for x in value):
            raise ValueError(f"{value!r} must contain whole numbers from 0 to 255")
        return bytes(value)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} must be text, or a list of numbers from 0 to 255")
    try:
        return _ESCAPE.sub(_unescape, value).encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"{value!r} contains a character that is not a byte; write it as \\xHH") from error


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code in _NAMED:
        return _NAMED[code]
    if len(code) == 3:
        return chr(int(code[1:], 16))
    raise ValueError(f"{match[0]!r} is not an escape; the escapes are \\n \\r \\t \\0 \\\\ \\xHH")


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """Make a function that reads whole numbers within limits.

    Parameters
    ----------
    low : int
        The smallest that is allowed.
    high : int
        The largest that is allowed.

    Returns
    -------
    callable
        It raises ValueError for anything else.
    """

    def read(value: object) -> int:
        found = -1 if isinstance(value, bool | float) or not re.fullmatch(r"-?[0-9]{1,9}", str(value)) else int(str(value))
        if not low <= found <= high:
            raise ValueError(f"{value!r} must be a whole number from {low} to {high}")
        return found

    return read


def _rows(value: object) -> dict[str, object]:
    if isinstance(value, str):
        pairs = [entry.partition("=") for entry in value.split(",") if entry.strip()]
        if wrong := [name for name, equals, _ in pairs if not equals or not name.strip()]:
            raise ValueError(f"{wrong[0]!r} must look like name=value")
        value = {name.strip(): entry for name, _, entry in pairs}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{value!r} must be a table of names and values")
    return dict(value)
