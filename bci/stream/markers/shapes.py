"""Markers as they are sent, and where in them the cue stands: a column, a place in a JSON text, a part of a text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from bci.errors import ConfigError

Row = tuple[str, ...]
LONGEST_PATTERN, LONGEST_TEXT = 200, 160
"""Of a pattern, and of the part of a marker that it is compared with, in characters."""
MOST_OPEN, MOST_CHOICES = 2, 6
"""Repetitions without a bound, and optional parts and alternatives, that a pattern may have."""
MOST_JSON = 100_000
MOST_FIELDS, MOST_WORDS = 200, 16
"""Places in one marker, and words of its text, in which a cue is looked for unasked: a session goes on meanwhile."""
SHOWN = 60


def row_of(values: Iterable[Any]) -> Row:
    """Turn one sample of a marker stream into texts; numbers become as short as they can be.

    Parameters
    ----------
    values : iterable of object
        One for each column.

    Returns
    -------
    Row

    Examples
    --------
    >>> row_of([769.0, 3]), row_of(["left"])
    (('769', '3'), ('left',))
    """
    return tuple(v if isinstance(v, str) else f"{v:.15g}" for v in values)


class MarkerShape:
    """Which part of a marker is its cue.

    Parameters
    ----------
    field : str
        Empty: the first column. A column's number (from 1) or name; in JSON texts a key, or a path of keys and list numbers
        with dots between (``"trial.class"``); a column and a path in it (``"2.trial.class"``).
    pattern : str
        Regular expression; its group, or all of it where it has none, is the cue. Markers in which it is not found are no cues.

    Raises
    ------
    ConfigError
        If the pattern is no regular expression, has more than one group, or could take very long.

    Examples
    --------
    >>> MarkerShape("event").text(('{"event": "left", "trial": 3}',))
    'left'
    >>> MarkerShape(pattern="^Stimulus/S *([0-9]+)$").text(("Stimulus/S  2",))
    '2'
    """

    def __init__(self, field: str = "", pattern: str = "") -> None:
        self.field, self.pattern = field.strip(), pattern
        self._pattern = checked_pattern(pattern) if pattern else None

    def text(self, row: Sequence[str], columns: Sequence[str] = ()) -> str:
        """Return the text that is looked up in the table; empty if the marker does not contain it.

        Parameters
        ----------
        row : sequence of str
            All columns of one marker.
        columns : sequence of str
            Names of the columns, where they have some.
        """
        found = at(row, columns, self.field) if row else ""
        if self._pattern is None or not found:
            return found
        match = self._pattern.search(found[:LONGEST_TEXT])
        return (match[match.re.groups] or "") if match else ""


def at(row: Sequence[str], columns: Sequence[str], field: str) -> str:
    """Return the part of a marker that a field names.

    Parameters
    ----------
    row : sequence of str
        One text for each column.
    columns : sequence of str
        Names of the columns.
    field : str
        A name or number of a column, or a path in a JSON text.

    Returns
    -------
    str
        Empty where the marker has no such part.
    """
    if not field:
        return row[0]
    if len(row) == 1:  # its name says nothing: it may well be the same as a key
        return _in_json(row[0], field) or (row[0] if field == "1" else _in_json(row[0], field.removeprefix("1.")))
    if field in columns:
        return row[list(columns).index(field)] if list(columns).index(field) < len(row) else ""
    head, _, path = field.partition(".")
    names = [name.lower() for name in columns]
    place = names.index(head.lower()) if head.lower() in names else _number(head) - 1
    if 0 <= place < len(row):
        return _in_json(row[place], path) if path else row[place]
    return _in_json(row[0], field)


def _in_json(text: str, path: str) -> str:
    """The value at a path of keys in a JSON text; empty where there is none."""
    found = parsed(text)
    if isinstance(found, dict) and path in found:
        return _as_text(found[path])
    for key in path.split("."):
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and 0 <= _number(key) < len(found):
            found = found[_number(key)]
        else:
            return ""
    return _as_text(found)


def _number(text: str) -> int:
    """A place in a list; -1 where it is none: keys of a JSON text may be digits without end."""
    return int(text) if text.isdecimal() and len(text) < 10 else -1


@lru_cache(maxsize=32)
def parsed(text: str) -> Any:
    """Parse a JSON object or list.

    Parameters
    ----------
    text : str

    Returns
    -------
    object
        None for all other texts. What is returned is cached and must not be changed.
    """
    if len(text) > MOST_JSON or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value) if isinstance(value, int) else ""


def checked_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression whose search ends soon, whatever it is searched in.

    Repeated groups, references and look-around are refused, and so are many parts of open length: the number of ways in which a
    text can be tried grows with the product of what may vary.

    Parameters
    ----------
    pattern : str

    Returns
    -------
    re.Pattern

    Raises
    ------
    ConfigError
        If it is no regular expression, or could take too long.
    """
    bare = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)
    choices = len(re.findall(r"(?<![*+?}(])\?|\|", bare))
    problem = ""
    if len(pattern) > LONGEST_PATTERN:
        problem = f"has {len(pattern)} characters; at most {LONGEST_PATTERN} are allowed"
    elif re.search(r"\)[*+{]", bare):
        problem = "repeats a group, which can take for ever"
    elif re.search(r"\(\?(?!:|P<)", bare) or re.search(r"(?<!\\)(?:\\\\)*\\[1-9]", pattern):
        problem = "contains a look-around or a back-reference, which is not allowed"
    elif len(re.findall(r"[*+{]", bare)) > MOST_OPEN or choices > MOST_CHOICES:
        problem = f"has more than {MOST_OPEN} repetitions or {MOST_CHOICES} choices, which can take for ever"
    if problem:
        raise ConfigError(f"markers.pattern = {pattern!r}: {problem}. Write for instance ^cue/(.+)$")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ConfigError(f"markers.pattern = {pattern!r}: is not a regular expression ({error})") from error
    if compiled.groups > 1:
        raise ConfigError(f"markers.pattern = {pattern!r}: has {compiled.groups} groups; only one is allowed, around the cue")
    return compiled


def suggestion(rows: Sequence[Row], columns: Sequence[str], known: Callable[[str], bool]) -> str:
    """The setting under which markers would be cues; empty where none would do.

    Parameters
    ----------
    rows : sequence of tuple of str
        Some markers of one stream.
    columns : sequence of str
    known : callable
        Whether the table has a text.

    Examples
    --------
    >>> suggestion([("cue/left",), ("cue/right",)], (), {"left", "right"}.__contains__)
    '--set "markers.pattern=^cue/(.+)$"'
    """
    width = max((len(row) for row in rows), default=0)
    named = [columns[i] if i < len(columns) and columns[i] else str(i + 1) for i in range(width)]
    fields = [named[i] for i in range(1, width)]
    for i in range(width):
        inside = dict.fromkeys(path for row in rows if i < len(row) for path in paths(parsed(row[i])))
        fields += [path if i == 0 else f"{named[i]}.{path}" for path in inside]
    hits = dict.fromkeys(fields[:MOST_FIELDS], 0)
    for row in rows:
        for field in hits:
            hits[field] += known(at(row, columns, field))
    best = max(hits, key=lambda field: hits[field], default="")
    if best and hits[best]:
        return f"--set {_quoted(f'markers.field={best}')}"
    patterns = dict.fromkeys(p for row in rows[:50] for p in _patterns(row[0][:LONGEST_TEXT], known))
    fits = {p: sum(known(MarkerShape("", p).text(row)) for row in rows) for p in patterns}
    best = max(fits, key=lambda p: fits[p], default="")
    # The setting stands in double quotes on the command line, so there are none in it.
    return f'--set "markers.pattern={best.replace(chr(34), chr(92) + "x22")}"' if best else ""


def _quoted(setting: str) -> str:
    return setting if re.fullmatch(r"[\w.=-]+", setting) else f'"{setting}"'


def paths(value: Any, depth: int = 3) -> list[str]:
    """List the paths of the texts and numbers in a JSON value, the first 200 of them.

    Parameters
    ----------
    value : object
        As :func:`json.loads` returns it.
    depth : int
        How many levels are looked into.

    Returns
    -------
    list of str

    Examples
    --------
    >>> paths({"cue": {"class": "left"}, "n": 1, "at": [3, 4]})
    ['cue.class', 'n', 'at.0', 'at.1']
    """
    return list(islice(_paths(value, depth), MOST_FIELDS))


def _paths(value: Any, depth: int) -> Iterator[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, found in inner if depth else ():
        if isinstance(found, dict | list):
            yield from (f"{key}.{rest}" for rest in _paths(found, depth - 1))
        else:
            yield f"{key}"


def _patterns(text: str, known: Callable[[str], bool]) -> list[str]:
    """Patterns that take a known text out of a longer one: for this marker, and for others that begin or go on otherwise."""
    words = list(islice(re.finditer(r"[^\s/:;,=|_\"'<>(){}\[\]-]+", text), MOST_WORDS))
    spans = [(a.start(), b.end()) for i, a in enumerate(words) for b in reversed(words[i:])]
    begin, end = next(((a, b) for a, b in spans if known(text[a:b])), (0, 0))
    if begin == end:
        return []
    before, after = (re.sub(r"[0-9]+", "[0-9]+", re.escape(part)) for part in (text[:begin], text[end:]))
    same = re.escape(text[:begin])
    if not after:
        found = [f"^{same}(.+)$", f"^{before}(.+)$"]
    else:
        delimiter = re.escape(text[end])
        found = [f"^{same}(.+?){after}$", f"^{same}(.+?){delimiter}", f"^{before}(.+?){delimiter}"]
    return [pattern for pattern in found if _allowed(pattern)]


def _allowed(pattern: str) -> bool:
    try:
        checked_pattern(pattern)
    except ConfigError:
        return False
    return True


def shown(row: Sequence[str]) -> str:
    """Write one marker for people, not too long.

    Parameters
    ----------
    row : sequence of str
        One text for each column.

    Returns
    -------
    str

    Examples
    --------
    >>> shown(("1", "17")), shown(("left",))
    ("'1', '17'", "'left'")
    """
    return ", ".join(repr(text if len(text) <= SHOWN else text[:SHOWN] + "…") for text in row[:6])
