"""Common parts of all sources for opening and reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from bci.errors import StreamError
from bci.stream.bus import Clock


class Closable(Protocol):
    """Something that is released by :meth:`close`."""

    def close(self) -> None:
        """Release it."""
        ...


@contextmanager
def closed_on_error(opened: Closable) -> Iterator[None]:
    """Release what has been opened where the rest of the opening fails.

    Parameters
    ----------
    opened : Closable
    """
    try:
        yield
    except BaseException:
        opened.close()
        raise


def or_lsl_clock(clock: Clock | None) -> Clock:
    """The clock that was given, or the LSL clock.

    liblsl is loaded only where real time is wanted.

    Parameters
    ----------
    clock : Clock or None

    Returns
    -------
    Clock
    """
    if clock is not None:
        return clock
    from bci.stream.clock import LslClock

    return LslClock()


def require_open(closed: bool, name: str) -> None:
    """Refuse to read a source that was closed.

    Parameters
    ----------
    closed : bool
    name : str
        Of its stream, for the message.

    Raises
    ------
    StreamError
    """
    if closed:
        raise StreamError(f"source {name!r} was read after it was closed; open a new one")
