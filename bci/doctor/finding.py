"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "problem"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "problem")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    topic : str
        What was looked at, in a word or two.
    level : {"ok", "warn", "problem"}
        ``warn``: it may cost something; ``problem``: something will not work, or give wrong results.
    what : str
        What was found, in a sentence.
    remedy : str
        What to do; never empty where the level is not ``ok``.
    """

    topic: str
    level: Level
    what: str
    remedy: str = ""


def ok(topic: str, what: str) -> Finding:
    """Nothing wrong here.

    Parameters
    ----------
    topic : str
        What was looked at, in a word or two.
    what : str
        What was found, in a sentence.
    """
    return Finding(topic, "ok", what)


def warn(topic: str, what: str, remedy: str) -> Finding:
    """Something that may cost a session.

    Parameters
    ----------
    topic : str
        What was looked at, in a word or two.
    what : str
        What was found, in a sentence.
    remedy : str
        What to do.
    """
    return Finding(topic, "warn", what, remedy)


def problem(topic: str, what: str, remedy: str) -> Finding:
    """Something that will not work, or gives wrong results.

    Parameters
    ----------
    topic : str
        What was looked at, in a word or two.
    what : str
        What was found, in a sentence.
    remedy : str
        What to do.
    """
    return Finding(topic, "problem", what, remedy)


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level of all.

    Parameters
    ----------
    findings : iterable of Finding
        Any number of them; of none the level is ``"ok"``.

    Examples
    --------
    >>> worst([ok("clock", "fine"), warn("VPN", "tun0 is up", "end it")])
    'warn'
    """
    return max((f.level for f in findings), key=LEVELS.index, default="ok")


def listed(words: Iterable[str], most: int = 6) -> str:
    """Words as a list for people, cut where it grows too long.

    Parameters
    ----------
    words : iterable of str
        In the order in which they are shown.
    most : int
        How many are shown before the others are only counted.

    Examples
    --------
    >>> listed(["C3", "C4", "Cz"], most=2)
    'C3, C4 and 1 more'
    """
    words = list(words)
    rest = len(words) - most
    return ", ".join(words[:most]) + (f" and {rest} more" if rest > 0 else "")
