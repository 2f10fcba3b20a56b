"""Rows of the engine's streams: their columns, and which of them make sense and are the session's own."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.outcome import FILLED, fields, velocity_fields
from bci.errors import StreamError
from bci.stream.lsl import FoundStream
from bci.stream.messages import DECISION_FIELDS, TIMING_FIELDS
from bci.stream.metadata import bci_fields
from bci.stream.signing import MAC_FIELDS, row_is_ours
from gui.feed import Feed
from gui.plausible_rows import sensible_rows
from gui.sanitise import sanitise
from gui.store import RowStore
from gui.stream_types import ROWS

MOST_CLASSES = 64


def columns_of(type_: str, n_columns: int, header: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the columns of one of the engine's streams.

    Parameters
    ----------
    type_ : str
        A key of :data:`gui.stream_types.ROWS`.
    n_columns : int
        That the stream has.
    header : mapping of str to str
        What its header declares.

    Raises
    ------
    StreamError
        If the stream has another number of columns than docs/reference/streams.md says, or too many classes.
    """
    classes, channels = names_in(header.get("classes", "")), names_in(header.get("channels", ""))
    names = {
        "outcomes": fields(len(channels), classes),
        "decisions": DECISION_FIELDS,
        "timing": TIMING_FIELDS,
        "velocity": velocity_fields((n_columns - 4) // 2),
    }[ROWS[type_]]
    if type_ == "BCI-Outcome" and n_columns == len(names) + 1:
        names = (*names, FILLED)
    if type_ == "BCI-Decision" and n_columns == len(names) + len(MAC_FIELDS):
        names = (*names, *MAC_FIELDS)
    if n_columns != len(names):
        raise StreamError(f"{n_columns} columns; it must have {len(names)} (see docs/reference/streams.md)")
    if len(classes) > MOST_CLASSES:
        raise StreamError(f"{len(classes)} classes; at most {MOST_CLASSES} are allowed")
    return names


def begin_rows(feed: Feed, found: FoundStream, header_xml: str) -> None:
    """Make room for the rows of a stream, as its header declares them.

    Parameters
    ----------
    feed : Feed
    found : FoundStream
    header_xml : str

    Raises
    ------
    StreamError
        As :func:`columns_of`.
    """
    header = bci_fields(header_xml)
    names, what = columns_of(found.type, found.n_channels, header), ROWS[found.type]
    if what == "outcomes":
        feed.session.classes, feed.session.channels = names_in(header.get("classes", "")), names_in(header.get("channels", ""))
    if what == "timing":
        feed.session.scheduling = sanitise(header.get("scheduling", ""), 20)
    known: RowStore | None = getattr(feed, what)
    if known is None or known.names != names:
        setattr(feed, what, RowStore(names))


def take_rows(feed: Feed, found: FoundStream, rows: FloatArray, stamps: FloatArray) -> None:
    """Keep the rows of a stream that make sense and are the session's own.

    Parameters
    ----------
    feed : Feed
    found : FoundStream
    rows : ndarray, shape (n_rows, n_columns)
    stamps : ndarray, shape (n_rows,)
        Our LSL clock, seconds.
    """
    what = ROWS[found.type]
    store: RowStore = getattr(feed, what)
    good = sensible_rows(store.names, rows)
    if not good.all():
        feed.count_senseless(found.name, "rows with values that cannot be", int((~good).sum()))
    if what == "decisions" and feed.key is not None and MAC_FIELDS[0] in store.names:
        ours = np.array([row_is_ours(feed.key, found.source_id, row) for row in rows])
        feed.count_strangers(found.name, int((~ours).sum()))
        good &= ours
    store.append(rows[good], stamps[good])


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in a JSON list of a header; empty if it is no list.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> names_in('["left", "right"]')
    ('left', 'right')
    """
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        found = []
    return tuple(sanitise(x, 80) for x in found if isinstance(x, str)) if isinstance(found, list) else ()
