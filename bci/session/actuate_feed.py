"""The engine's decisions as events of the guard, and the commands they stand for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping

from bci.engine import guard as g
from bci.engine.chunk import FloatArray
from bci.engine.outcome import Reason
from bci.errors import BciError, ConfigError, StreamError, StreamLost
from bci.stream.bus import Clock, RawInlet
from bci.stream.metadata import bci_fields

OFFSET_EVERY_S = 10.0
NAME_LENGTH = 64


def command_names(classes: tuple[str, ...], table: Mapping[str, str]) -> tuple[str, ...]:
    """Name of the command for each class: that of the table, else the class's own.

    Raises
    ------
    ConfigError
        If the table names a class that is none, or a name holds what no command's name may hold.
    """
    problems = [
        f"commands.{key}: the decoder has no such class; there are {', '.join(classes)}" for key in table if key not in classes
    ]
    names = tuple(table.get(c, c) for c in classes)
    problems += [
        f"command {name!r}: must be at most {NAME_LENGTH} printable characters; give it a name with --set commands.CLASS=NAME"
        for name in names
        if not name.isprintable() or len(name) > NAME_LENGTH
    ]
    if problems:
        raise ConfigError(problems)
    return names


class DecisionFeed:
    """The engine's decisions as events of the guard; the engine may come, go and come back.

    Parameters
    ----------
    find : callable
        Returns a new inlet of the decisions stream, or None while there is none. Must not block.
    clock : Clock
    table : mapping of str to str
        Command for each class (:func:`command_names`).
    offset_of : callable, optional
        Offset in seconds that brings the sender's times to our clock, or None where it cannot be had just now;
        default: 0, the engine runs on this machine.
    """

    def __init__(
        self,
        find: Callable[[], RawInlet | None],
        clock: Clock,
        table: Mapping[str, str],
        offset_of: Callable[[RawInlet], float | None] = lambda _: 0.0,
    ) -> None:
        self.commands: tuple[str, ...] = ()
        self._find, self._clock, self._table, self._offset_of = find, clock, table, offset_of
        self._inlet: RawInlet | None = None
        self._classes: tuple[str, ...] = ()
        self._refused = False
        self._offset, self._offset_at = 0.0, -math.inf

    def pull(self, timeout_s: float) -> list[g.Event]:
        """What has come, waiting at most ``timeout_s`` for it."""
        if self._inlet is None:
            self._inlet = self._find()
            if self._inlet is not None:
                return self._greet(self._inlet)
            self._clock.wait_until(self._clock.now() + timeout_s)
            return []
        try:
            pulled = self._inlet.pull(timeout_s)
        except StreamError as error:
            self._inlet.close()
            self._inlet = None
            why = "the engine is gone" if isinstance(error, StreamLost) else str(error)
            return [g.Engine(False, why)]
        if pulled is None or self._refused:
            return []
        self._compare_clocks(self._inlet)
        rows, stamps = pulled
        return [row_event(values, stamp, self._offset, len(self._classes)) for values, stamp in zip(rows, stamps, strict=True)]

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        if self._inlet is not None:
            self._inlet.close()
        self._inlet = None

    def _greet(self, inlet: RawInlet) -> list[g.Event]:
        """Whether this engine decides what we were set up for; one that does not is never listened to."""
        self._offset_at = -math.inf
        self._compare_clocks(inlet)
        self._refused = True
        try:
            classes = _classes(inlet.header_xml)
            if self._classes and classes != self._classes:
                raise StreamError(f"the engine now decides between {', '.join(classes)}, not {', '.join(self._classes)}")
            self.commands = command_names(classes, self._table)
        except BciError as error:
            return [g.Fault(g.Cause.MISMATCH, str(error)), g.Engine(False, str(error))]
        self._classes, self._refused = classes, False
        return [g.Engine(True)]

    def _compare_clocks(self, inlet: RawInlet) -> None:
        """Now and then, because clocks of two computers drift apart."""
        now = self._clock.now()
        if now - self._offset_at >= OFFSET_EVERY_S:
            self._offset_at = now
            offset = self._offset_of(inlet)
            self._offset = self._offset if offset is None else offset


def _classes(header_xml: str) -> tuple[str, ...]:
    """Class names in the header of a decisions stream."""
    try:
        found = json.loads(bci_fields(header_xml).get("classes", ""))
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(c, str) for c in found):
        raise StreamError("the decisions stream does not say its classes (desc/bci/classes); see docs/streams.md")
    return tuple(found)


def row_event(values: FloatArray | list[str], stamp: float, offset_s: float, n_classes: int) -> g.Row | g.Fault:
    """One row of the decisions stream (``wire.DECISION_FIELDS``), its times on our clock.

    Parameters
    ----------
    values : ndarray, shape (7,)
    stamp : float
        LSL stamp of the row: when it was sent.
    offset_s : float
        Added to the sender's times.
    n_classes : int
    """
    try:
        sequence, decision, confidence, _, expiry, reason, heartbeat = map(float, values)
        row = g.Row(
            int(sequence),
            int(decision),
            confidence,
            expiry + offset_s,
            Reason(int(reason)),
            heartbeat != 0,
            float(stamp) + offset_s,
        )
    except (ValueError, OverflowError) as error:
        return g.Fault(g.Cause.MISMATCH, f"a row of the decisions stream makes no sense: {list(values)} ({error})")
    if not (-1 <= row.decision < n_classes and 0 <= row.confidence <= 1 + 1e-9 and math.isfinite(row.expiry_s)):
        return g.Fault(g.Cause.MISMATCH, f"a row of the decisions stream makes no sense: {list(values)}")
    return row
