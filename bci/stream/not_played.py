"""Which streams of a recording are not played: those that would steer a program that receives them now.

A recording holds what a person and an engine said in a session that is over. Engines and actuator hosts find their control
stream by its name alone, so a stream of that name, whatever its type, would be obeyed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

OURS = "bci-"
CONTROL = "-control"
SUFFIXES = (
    *("-outcomes", "-decisions", "-velocity", "-timing", "-events", "-state"),
    *("-guard", "-commands", "-stage", "-screen", "-progress"),
)
"""How streams of ours end (docs/reference/streams.md), beside those of markers."""


def why_not(name: str, type: str, texts: Iterable[str] = ()) -> str:
    """Why a stream is not played; empty where it may be.

    Parameters
    ----------
    name, type : str
        As it would be played.
    texts : iterable of str
        What it says, where it is a stream of texts.

    Examples
    --------
    >>> why_not("bci-control", "Markers")
    'its name is that of a control stream'
    """
    if type.strip().lower().startswith(OURS):
        return f"its type {type!r} is one of a session's own"
    if name.strip().lower().endswith(CONTROL):
        return "its name is that of a control stream"
    if any(map(_is_message, texts)):
        return "its texts are messages of a session"
    return ""


def other_name(name: str) -> str:
    """Name under which a stream is played: another one where a session may have a stream of that name.

    Parameters
    ----------
    name : str
        As it was recorded.

    Returns
    -------
    str

    Examples
    --------
    >>> other_name("Cyton"), other_name("bci-decisions")
    ('Cyton', 'played bci-decisions')
    """
    return f"played {name}" if name.strip().lower().endswith(SUFFIXES) else name


def _is_message(text: str) -> bool:
    """Whether a text is a message as sessions send them: a JSON object with its kind."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "kind" in found
