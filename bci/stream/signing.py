"""Signatures that show that a message belongs to the session: HMAC-SHA-256 (RFC 2104) with the session's key.

A signed text is a JSON line of :mod:`bci.stream.messages` with four more fields: ``from`` (the sender, new for each
program that starts), ``n`` (counts up by one), ``at`` (its LSL clock when it was sent, seconds), ``host``, and in the end
``mac`` over every byte before it. A number of a sender counts once, and what a program of this computer sent more than
``AGE_S`` ago does not count; clocks of other computers are not compared, because the sender can invent the offset.

A signed row of the decisions stream has two more columns in the end, ``mac0`` and ``mac1``: 48 bits each, as whole
numbers, of the MAC over the stream's ``source_id`` and the bytes of the other columns. Who reads columns by name, or the
first seven, need not know of it.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import StreamError
from bci.stream import messages

FREE = frozenset({"stop_now", "disarm", "freeze"})
"""What anybody may ask for, without a key: it can only end movement."""
AGE_S = 2.0
SENDERS = 1000
MAC_FIELDS = ("mac0", "mac1")
LONGEST = 65_536
"""Characters that a message may have; one that has more is not read."""
NOTHING = {"kind": ""}
"""Fields of a stranger's text that was not read or is no message."""
_MARK = ',"mac":"'
_PART = 6


@dataclass(frozen=True, slots=True)
class Message:
    """One message, and whether it is the session's own.

    Parameters
    ----------
    fields : dict
    ours : bool
        Signed with the session's key, new, and not too old; also where there is no key.
    why : str
        Why it is not; else empty.
    """

    fields: dict[str, Any]
    ours: bool
    why: str = ""

    @property
    def kind(self) -> str:
        """Kind of the message."""
        kind: str = self.fields["kind"]
        return kind

    @property
    def counts(self) -> bool:
        """Whether it is to be obeyed: it is ours, or what anybody may ask for."""
        return self.ours or self.kind in FREE


class Signer:
    """Makes the messages of one program.

    Parameters
    ----------
    key : bytes or None
        The session's; None: messages are not signed.
    now : callable
        The LSL clock.
    host : str
        This computer, as LSL names it.
    """

    def __init__(self, key: bytes | None, now: Callable[[], float], host: str) -> None:
        self._key, self._now, self._host = key, now, host
        self._from, self._n = secrets.token_hex(8), 0

    def line(self, kind: str, **fields: Any) -> str:
        """Write one signed message.

        Parameters
        ----------
        kind : str
            Of the message.
        **fields
            Its other fields; JSON must be able to hold them.

        Returns
        -------
        str
        """
        if self._key is None:
            return messages.line(kind, **fields)
        self._n += 1
        text = messages.line(kind, {**fields, "from": self._from, "n": self._n, "at": self._now(), "host": self._host})
        return f'{text[:-1]}{_MARK}{_mac(self._key, "message", text.encode()).hex()}"}}'


class Checker:
    """Tells the session's own messages from others.

    Parameters
    ----------
    key : bytes or None
        The session's; None: there is no key, and every message counts as ours.
    now : callable
        The LSL clock.
    host : str
        This computer, as LSL names it.

    Attributes
    ----------
    strangers : int
        Texts that were not ours.
    """

    def __init__(self, key: bytes | None, now: Callable[[], float], host: str) -> None:
        self._key, self._now, self._host = key, now, host
        self._newest: OrderedDict[str, int] = OrderedDict()
        self.strangers = 0

    @property
    def keyed(self) -> bool:
        """Whether there is a key, so that there can be strangers."""
        return self._key is not None

    def __call__(self, text: str, what: str) -> Message:
        """A message and whether it is ours.

        Parameters
        ----------
        text : str
        what : str
            Where it comes from, for the error.

        Raises
        ------
        StreamError
            Without a key: if it is no message at all (:func:`bci.stream.messages.parse`), or too long for one. With a key
            that is a stranger's message like others, and its kind is empty.
        """
        if self._key is None:
            if len(text) > LONGEST:
                raise StreamError(f"{what}: has {len(text)} characters; a message may have at most {LONGEST}")
            return Message(messages.parse(text, what), True)
        fields, why = self._read(self._key, text, what)
        self.strangers += bool(why)
        return Message(fields, not why, why)

    def _read(self, key: bytes, text: str, what: str) -> tuple[dict[str, Any], str]:
        """The message, and why it is not ours; most of a flood is not parsed."""
        if len(text) > LONGEST:
            return dict(NOTHING), f"it has {len(text)} characters"
        if _asks_for_nothing(text):
            return dict(NOTHING), "it is not signed"
        try:
            fields = messages.parse(text, what)
        except StreamError as error:
            return dict(NOTHING), str(error)
        return fields, self._wrong(key, text, fields)

    def _wrong(self, key: bytes, text: str, fields: Mapping[str, Any]) -> str:
        """Why a message is not ours; empty where it is."""
        body, mark, end = text.rpartition(_MARK)
        if not mark or not end.endswith('"}'):
            return "it is not signed"
        try:
            right = hmac.compare_digest(_mac(key, "message", f"{body}}}".encode()).hex().encode(), end[:-2].encode())
        except UnicodeEncodeError:  # a lone surrogate
            return "it cannot be encoded"
        if not right:
            return "it is signed with another key"
        return self._again(str(fields.get("from")), fields.get("n"), fields.get("at"), fields.get("host"))

    def _again(self, sender: str, n: object, at: object, host: object) -> str:
        """Why a message that was signed with our key does not count all the same."""
        if not isinstance(n, int) or not isinstance(at, float):
            return "it has no number or time"
        if n <= self._newest.get(sender, 0):
            return "its number was used before"
        if host == self._host and not abs(self._now() - at) <= AGE_S:
            return f"it was sent {self._now() - at:.1f} s ago"
        self._newest[sender] = n
        self._newest.move_to_end(sender)
        if len(self._newest) > SENDERS:
            self._newest.popitem(last=False)
        return ""


def looks_signed(text: str) -> bool:
    """Tell whether a text ends as signed ones do, with whichever key.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return _MARK in text


def _asks_for_nothing(text: str) -> bool:
    """Whether a text is not signed and can be none that anybody may send; what has escapes in it must be read to know."""
    return not looks_signed(text) and "\\" not in text and not any(kind in text for kind in FREE)


def row_mac(key: bytes, source_id: str, row: FloatArray) -> tuple[float, float]:
    """The two columns that sign a row.

    Parameters
    ----------
    key : bytes
    source_id : str
        Of the stream.
    row : ndarray, shape (n_columns,)
        The columns that are signed, float64.
    """
    mac = _mac(key, f"row {source_id}", np.ascontiguousarray(row, "<f8").tobytes())
    return float(int.from_bytes(mac[:_PART])), float(int.from_bytes(mac[_PART : 2 * _PART]))


def row_is_ours(key: bytes, source_id: str, row: FloatArray) -> bool:
    """Tell whether the last two columns of a row sign the others.

    Parameters
    ----------
    key : bytes
        Of the session.
    source_id : str
        Of the stream that the row came from.
    row : ndarray, shape (n_columns,)

    Returns
    -------
    bool
    """
    expected = np.array(row_mac(key, source_id, row[:-2]))
    return hmac.compare_digest(expected.tobytes(), np.ascontiguousarray(row[-2:], np.float64).tobytes())


def _mac(key: bytes, what: str, content: bytes) -> bytes:
    """HMAC-SHA-256; ``what`` keeps messages and rows of different streams apart."""
    return hmac.digest(key, what.encode() + b"\0" + content, "sha256")
