"""Exceptions that windows raise while Qt calls them: each is reported once.

Qt calls the slots and paint events of a window, and gives an exception in them to ``sys.excepthook``. Then it goes on, and calls
the same slot again. The window of a plug-in that is updated 30 times a second would print the same error 30 times a second.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from traceback import walk_tb
from types import TracebackType

Place = tuple[str, int]
Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


class ErrorsReportedOnce:
    """A ``sys.excepthook`` that reports an exception only when it is the first of its type at its place in the code.

    Parameters
    ----------
    report : callable
        The hook that prints the whole exception.
    say : callable
        Gets a level, a source and a line for the log of the windows (:meth:`gui.feed.Feed.say`).
    """

    def __init__(self, report: Hook, say: Callable[[str, str, str], object]) -> None:
        self._report, self._say = report, say
        self._reported: set[tuple[type[BaseException], Place, Place]] = set()

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Report an exception, unless it was reported before.

        Parameters
        ----------
        kind : type
        error : BaseException
        trace : traceback or None
        """
        places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(trace)] or [("", 0)]
        # The text is no part of it: it may contain a time or a value, which differs with each call.
        this = (kind, places[0], places[-1])
        if this in self._reported:
            return
        self._reported.add(this)
        self._report(kind, error, trace)
        file, line = places[0]
        print("bci gui: a window has this error. If it occurs again, it is not printed again.", file=sys.stderr, flush=True)
        self._say(
            "bad", "window", f"a window may show old values, because of an error at {file}:{line}: {kind.__name__}: {error}"
        )
