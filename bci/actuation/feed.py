"""The engine's decisions as events of the guard, and the commands they stand for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bci.engine import guard as g
from bci.engine.chunk import FloatArray
from bci.engine.outcome import Reason
from bci.errors import BciError, ConfigError, StreamError, StreamLost
from bci.stream import messages
from bci.stream.bus import Clock, RawInlet
from bci.stream.metadata import bci_fields, parse_header, stream_info
from bci.stream.sent_decision import SentDecision
from bci.stream.signing import MAC_FIELDS, row_is_ours

OFFSET_EVERY_S = 10.0
REJOIN_S = 1.0
"""After its connection breaks, the engine that was listened to is waited for this long, seconds, before another one is taken."""
DRAIN_EVERY_S = 0.1
LOOKED_AT = 16
"""Number of the newest rows that are checked to see whether a stream is ours, since strangers may send any number of rows."""
NOTHING: tuple[Any, Any] = ((), ())
NAME_LENGTH = 64
MOST_CLASSES = 256
N_FIELDS = len(messages.DECISION_FIELDS)


def command_names(classes: tuple[str, ...], table: Mapping[str, str]) -> tuple[str, ...]:
    """Name the command for each class: by the table, else by the class's own name.

    Parameters
    ----------
    classes : tuple of str
        Those of the decoder.
    table : mapping of str to str
        Command for each class that is to have another name than its own.

    Returns
    -------
    tuple of str
        Class by class.

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


@dataclass(slots=True, eq=False)
class DecisionStream:
    """A decisions stream that is open.

    Parameters
    ----------
    inlet : RawInlet
    uid, source_id, host : str
        As its header says; ``uid`` is new for every program that sends.
    signed : bool
        Whether its rows have the columns of a signature.
    refused : str
        Why it cannot be listened to; empty where it may be.
    told : bool
        Whether a person was told about it already.
    offset_s, compared_s : float
        What brings its times to our clock, and when that was asked for last.
    """

    inlet: RawInlet
    uid: str = ""
    source_id: str = ""
    host: str = ""
    signed: bool = False
    refused: str = ""
    told: bool = False
    offset_s: float = 0.0
    compared_s: float = -math.inf

    @classmethod
    def of(cls, inlet: RawInlet) -> DecisionStream:
        """Read whose stream this is.

        Never raises: a header of any shape only describes a stream that cannot be used.

        Parameters
        ----------
        inlet : RawInlet

        Returns
        -------
        DecisionStream
        """
        try:
            root = parse_header(inlet.header_xml)
            labels = stream_info(inlet.header_xml).labels
        except BciError as error:
            return cls(inlet, refused=str(error))
        uid, source_id, host, form = (root.findtext(name) or "" for name in ("uid", "source_id", "hostname", "channel_format"))
        columns = ", ".join(messages.DECISION_FIELDS)
        right = labels[:N_FIELDS] == messages.DECISION_FIELDS and form == "double64"
        refused = "" if right else f"it sends {form} of {', '.join(labels)[:80]}, not double64 of {columns}"
        return cls(inlet, uid, source_id, host, right and labels[N_FIELDS:] == MAC_FIELDS, refused)

    def __str__(self) -> str:
        return f"{self.source_id[:NAME_LENGTH]!r} on {self.host[:NAME_LENGTH]!r}, stream {self.uid[:8]!r}"


class DecisionFeed:
    """The engine's decisions as events of the guard; the engine may come, go and come back.

    One stream is listened to at a time. With a key it is one whose rows are signed with it, whatever else there is of that
    name; without, the first that came, until it goes.

    Parameters
    ----------
    find : callable
        Returns a new inlet of a decisions stream, or None while there is none. Must not block.
    clock : Clock
    table : mapping of str to str
        Command for each class (:func:`command_names`).
    offset_of : callable, optional
        Offset in seconds that brings the sender's times to our clock, or None where it cannot be had just now;
        default: 0, the engine runs on this machine.
    key : bytes, optional
        The session's; None: rows are not signed.

    Attributes
    ----------
    commands : tuple of str
        Of the engine that is listened to, class by class.
    strangers : int
        Rows that were not signed with the key.
    """

    def __init__(
        self,
        find: Callable[[], RawInlet | None],
        clock: Clock,
        table: Mapping[str, str],
        offset_of: Callable[[RawInlet], float | None] = lambda _: 0.0,
        key: bytes | None = None,
    ) -> None:
        self.commands: tuple[str, ...] = ()
        self.strangers = 0
        self._find, self._clock, self._table, self._offset_of, self._key = find, clock, table, offset_of, key
        self._current: DecisionStream | None = None
        self._others: list[DecisionStream] = []
        self._last_uid, self._lost_at = "", -math.inf
        self._classes: tuple[str, ...] = ()
        self._bound = False
        self._drained = -math.inf

    @property
    def current(self) -> DecisionStream | None:
        """The engine that is listened to."""
        return self._current

    def pull(self, timeout_s: float) -> list[g.Event]:
        """Take what has come.

        Parameters
        ----------
        timeout_s : float
            Longest wait for something to come, seconds.

        Returns
        -------
        list of Event
        """
        self._meet()
        if self._current is None:
            found = self._choose()
            if not found:
                self._clock.wait_until(self._clock.now() + timeout_s)
            return found
        self._drain()
        return self._pull(self._current, timeout_s)

    def bind(self) -> None:
        """Take note that somebody armed: an engine that decides between other classes than this one is a fault from now on."""
        self._bound = True

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        for engine in (*self._others, *((self._current,) if self._current else ())):
            engine.inlet.close()
        self._current, self._others = None, []

    def _meet(self) -> None:
        """A stream that was opened since; one at a time, for strangers may open hundreds."""
        inlet = self._find()
        if inlet is not None:
            self._others.append(DecisionStream.of(inlet))

    def _choose(self) -> list[g.Event]:
        """Nobody is listened to: the first that is right, with a key the first that proves to have it."""
        found: list[g.Event] = []
        waits = self._clock.now() - self._lost_at < REJOIN_S
        for engine in tuple(self._others):
            rows, stamps = self._ours(engine, self._take(engine), LOOKED_AT)
            if self._current is None and self._proven(engine, rows) and not (waits and engine.uid != self._last_uid):
                found += [*self._greet(engine), *self._events(engine, rows, stamps)]
        return found

    def _proven(self, engine: DecisionStream, rows: Any) -> bool:
        """Whether this is an engine of ours about which nobody was told yet."""
        if engine not in self._others or engine.told:
            return False
        return len(rows) > 0 if self._key is not None else True

    def _pull(self, engine: DecisionStream, timeout_s: float) -> list[g.Event]:
        try:
            pulled = engine.inlet.pull(timeout_s)
        except StreamError as error:
            engine.inlet.close()
            self._current, self._last_uid, self._lost_at = None, engine.uid, self._clock.now()
            return [g.EnginePresence(False, "the engine is gone" if isinstance(error, StreamLost) else str(error), str(engine))]
        if pulled is None:
            return []
        self._compare_clocks(engine)
        return self._events(engine, *self._ours(engine, pulled, len(pulled[0])))

    def _drain(self) -> None:
        """Rows of the streams that are not listened to must not wait until one of them is."""
        now = self._clock.now()
        if now - self._drained >= DRAIN_EVERY_S:
            self._drained = now
            for engine in tuple(self._others):
                self._ours(engine, self._take(engine), LOOKED_AT)

    def _take(self, engine: DecisionStream) -> tuple[Any, Any]:
        """Take the rows that have come from one of the others; it is forgotten where it is gone."""
        try:
            return engine.inlet.pull(0.0) or NOTHING
        except StreamError:
            self._others.remove(engine)
            engine.inlet.close()
            return NOTHING

    def _ours(self, engine: DecisionStream, pulled: tuple[Any, Any], n: int) -> tuple[Any, Any]:
        """Of the last ``n`` rows that came, those that are signed with the key; where there is none, all.

        Earlier ones are taken for what these are: an engine of ours may have sent many before it was chosen.
        """
        rows, stamps = pulled
        if self._key is None or not len(rows):
            return pulled
        looked_at = zip(rows[-n:], stamps[-n:], strict=True) if engine.signed else ()
        ours = [(row, stamp) for row, stamp in looked_at if row_is_ours(self._key, engine.source_id, np.asarray(row))]
        self.strangers += min(n, len(rows)) - len(ours) if ours else len(rows)
        return [row for row, _ in ours], [stamp for _, stamp in ours]

    def _events(self, engine: DecisionStream, rows: Any, stamps: Any) -> list[g.Event]:
        if engine is not self._current:
            return []
        return [row_event(row, stamp, engine.offset_s, len(self._classes)) for row, stamp in zip(rows, stamps, strict=True)]

    def _greet(self, engine: DecisionStream) -> list[g.Event]:
        """Whether this engine decides what we were set up for; one that does not is told once, and never listened to."""
        engine.told = True
        try:
            if engine.refused:
                raise StreamError(f"the decisions stream {engine} cannot be used: {engine.refused}")
            classes = classes_of(engine.inlet.header_xml)
            if self._bound and classes != self._classes:
                raise StreamError(f"the engine now decides between {', '.join(classes)}, not {', '.join(self._classes)}")
            commands = command_names(classes, self._table)
        except BciError as error:
            return [g.LastingFault(g.Cause.MISMATCH, str(error)), g.EnginePresence(False, str(error), str(engine))]
        self._others.remove(engine)
        self._current, self._classes, self.commands = engine, classes, commands
        self._compare_clocks(engine)
        return [g.EnginePresence(True, source=str(engine))]

    def _compare_clocks(self, engine: DecisionStream) -> None:
        """Now and then, because clocks of two computers drift apart."""
        now = self._clock.now()
        if now - engine.compared_s >= OFFSET_EVERY_S:
            engine.compared_s = now
            offset = self._offset_of(engine.inlet)
            engine.offset_s = engine.offset_s if offset is None else offset


def classes_of(header_xml: str) -> tuple[str, ...]:
    """Read the class names in the header of a decisions stream.

    Parameters
    ----------
    header_xml : str

    Returns
    -------
    tuple of str

    Raises
    ------
    StreamError
        If the header names no classes.
    """
    try:
        found = json.loads(bci_fields(header_xml).get("classes", ""))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not 0 < len(found) <= MOST_CLASSES or not all(isinstance(c, str) for c in found):
        raise StreamError("the decisions stream does not say its classes (desc/bci/classes); see docs/reference/streams.md")
    return tuple(found)


def row_event(values: FloatArray | list[str], stamp: float, offset_s: float, n_classes: int) -> g.DecisionRow | g.LastingFault:
    """Read one row of the decisions stream (:class:`~bci.stream.sent_decision.SentDecision`), its times on our clock.

    Parameters
    ----------
    values : ndarray, shape (n_columns,)
        Columns beyond the seven are a signature, or another program's.
    stamp : float
        LSL stamp of the row: when it was sent, seconds.
    offset_s : float
        Added to the sender's times, seconds.
    n_classes : int

    Returns
    -------
    DecisionRow or LastingFault
        A fault where the row makes no sense.
    """
    try:
        sent = SentDecision.of(values)
        whole = all(value.is_integer() for value in (sent.sequence, sent.decision, sent.reason, sent.heartbeat))
        row = g.DecisionRow(
            int(sent.sequence),
            int(sent.decision),
            sent.confidence,
            sent.expiry + offset_s,
            Reason(int(sent.reason)),
            sent.heartbeat == 1,
            float(stamp) + offset_s,
        )
    except (ValueError, OverflowError) as error:
        return _nonsense(values, f" ({error})")
    confident = 0 <= row.confidence <= 1 + 1e-9
    if not (whole and sent.heartbeat in (0, 1) and -1 <= row.decision < n_classes and confident and math.isfinite(row.expiry_s)):
        return _nonsense(values)
    return row


def _nonsense(values: FloatArray | list[str], why: str = "") -> g.LastingFault:
    return g.LastingFault(
        g.Cause.MISMATCH, f"a row of the decisions stream is not valid: {np.asarray(values).tolist()!s:.200}{why}"
    )
