"""Whether the session's recorder has what a process sends: only the recorder knows, any other listener looks the same to LSL."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Protocol

STEP_S = 0.1
SETTLE_S = 0.1
"""liblsl answers who subscribes, and begins to keep samples for it a moment later in a thread of its own."""


class RecordedOutlet(Protocol):
    """Something that is to be recorded."""

    @property
    def uid(self) -> str:
        """What tells this very outlet from any other."""
        ...

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait until somebody listens.

        Parameters
        ----------
        timeout_s : float
            Longest wait, seconds.

        Returns
        -------
        bool
            True as soon as somebody listens.
        """
        ...


class RecorderWord:
    """Knows which streams the recorder records, as the parent process passes it on: ``{"recorded": [uid, …]}``."""

    def __init__(self) -> None:
        self._uids: frozenset[str] = frozenset()

    def know(self, line: str) -> None:
        """Hear a line from the parent process; every other line is ignored.

        Parameters
        ----------
        line : str
        """
        try:
            uids = json.loads(line)["recorded"]
            self._uids |= {uid for uid in uids if isinstance(uid, str)}
        except (ValueError, RecursionError, KeyError, TypeError):
            return

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids


def unrecorded(
    outlets: Mapping[str, RecordedOutlet],
    word: RecorderWord | None,
    timeout_s: float,
    stopped: Callable[[], str],
    waiting: Callable[[], object] = lambda: None,
) -> list[str]:
    """Wait until all outlets are recorded, or until ``stopped`` gives a reason to wait no longer.

    Parameters
    ----------
    outlets : mapping of str to RecordedOutlet
        By the names that a person knows.
    word : RecorderWord or None
        None where nobody passes on what the recorder says: then whoever listens is taken for a recorder.
    timeout_s : float
    stopped : callable
    waiting : callable
        Called again and again while it waits.

    Returns
    -------
    list of str
        Names of the outlets that are not recorded.
    """
    end, deaf = time.monotonic() + timeout_s, dict(outlets)
    while deaf:
        waiting()
        began = time.monotonic()
        deaf = {name: outlet for name, outlet in deaf.items() if not _recorded(outlet, word)}
        if deaf and (stopped() or time.monotonic() >= end):
            break
        if deaf:
            time.sleep(max(0.0, began + STEP_S - time.monotonic()))
    if word is not None and not deaf:
        time.sleep(SETTLE_S)
    return list(deaf)


def _recorded(outlet: RecordedOutlet, word: RecorderWord | None) -> bool:
    return outlet.wait_for_consumers(0.0) and (word is None or outlet.uid in word)
