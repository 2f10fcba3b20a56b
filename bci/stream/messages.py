"""Messages between processes, as docs/reference/streams.md defines them: rows and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bci.engine.stream_info import StreamInfo
from bci.errors import StreamError
from bci.stream.sent_decision import SentDecision

if TYPE_CHECKING:  # a window that speaks to a session needs no engine: half a second of imports
    from bci.engine.engine import EngineSettings

VERSION = 1
DECISION_FIELDS = SentDecision._fields
TIMING_FIELDS = ("sequence", "segment", "index", "time", "age_s", "step_s", "backlog")


def line(kind: str, given: Mapping[str, Any] | None = None, /, **fields: Any) -> str:
    """Write one message as a line of JSON.

    Parameters
    ----------
    kind : str
        Of the message.
    given : mapping of str to object, optional
        Fields that come first. What is sent every second gives them so: Python 3.11 keeps the 20 names of a call with 20
        keywords when the call is over, up to 2,000 times.
    **fields
        Its other fields; JSON must be able to hold them.

    Returns
    -------
    str
    """
    return json.dumps({"v": VERSION, "kind": kind, **(given or {}), **fields}, separators=(",", ":"), allow_nan=False)


def parse(text: str, what: str) -> dict[str, Any]:
    """Read a line of JSON as a message.

    Parameters
    ----------
    text : str
        The line.
    what : str
        What sent it, for the error.

    Returns
    -------
    dict of str to object
        Its fields, with its kind.

    Raises
    ------
    StreamError
        If it is no such line, or of another version.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StreamError(f"{what}: {text[:80]!r} is not JSON ({error}); see docs/reference/streams.md") from error
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        raise StreamError(f"{what}: {text[:80]!r} has no 'kind'; see docs/reference/streams.md")
    if found.get("v") != VERSION:
        raise StreamError(f"{what}: version {found.get('v')!r} of {found['kind']!r} is not known; this program speaks {VERSION}")
    return found


def readable(value: object, length: int = 200) -> str:
    r"""Make a text that somebody sent fit to be shown to a person: printable and short.

    Parameters
    ----------
    value : object
    length : int
        The most characters.

    Returns
    -------
    str
        Empty where the value is no text.

    Examples
    --------
    >>> readable("a\nb\ud800"), readable(["a"]), readable("abcdef", 4)
    ('a b?', '', 'abc…')
    """
    if not isinstance(value, str):
        return ""
    short = value if len(value) <= length else value[: length - 1] + "…"
    return "".join(c if c.isprintable() else "?" if "\ud800" <= c <= "\udfff" else " " for c in short)


def info_to_json(info: StreamInfo) -> dict[str, Any]:
    """Turn a stream's identity and layout into values that JSON can hold.

    Parameters
    ----------
    info : StreamInfo

    Returns
    -------
    dict of str to object
    """
    return asdict(info)


def settings_to_json(settings: EngineSettings) -> dict[str, Any]:
    """Turn engine settings into values that JSON can hold.

    Parameters
    ----------
    settings : EngineSettings

    Returns
    -------
    dict of str to object
    """
    return asdict(settings)
