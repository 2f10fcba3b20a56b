"""Which stream is meant: one small language for streams that are live and for those in files. Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from bci.errors import ConfigError

KEYS = ("name", "type", "source_id", "host")
_KEY = rf"\s*({'|'.join(KEYS)})\s*=\s*"
_FIRST = re.compile(_KEY, re.IGNORECASE)
_NEXT = re.compile(rf",{_KEY}", re.IGNORECASE)
_UNKNOWN = re.compile(r",\s*(\w+)\s*=")
_QUOTED = re.compile(r"\"((?:[^\"]|\"\")*)\"\s*(?=,|$)|'((?:[^']|'')*)'\s*(?=,|$)")
_PLAIN = re.compile(r"[^\s,\"'=](?:[^,=]*[^\s,=])?")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Identity:
    """The properties that distinguish one stream from another; empty if they are not known.

    Parameters
    ----------
    name, type, source_id, host : str
        As the sender declares them.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """The properties of the stream that is looked for; empty fields match anything.

    Parameters
    ----------
    name, source_id : str
        Must be equal.
    type : str
        Must be equal but for the case of its letters: ``eeg`` is EEG.
    anything : str
        Must be equal to name, type or source_id.
    host : str
        Name of the machine. Live, empty means this one and ``"*"`` any on the network; in files both mean any.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""
    anything: str = ""
    host: str = ""

    @classmethod
    def parse(cls, text: str) -> StreamQuery:
        """Read a query as people write it: ``Muse``, ``type=EEG,host=*``, ``name="EEG, 8 channels"``.

        Pairs of a key (``name``, ``type``, ``source_id``, ``host``) and a value are separated by commas. A part without a key
        is a name, a type or a source_id, with the commas and signs that it may contain. Quotes of either kind may stand around
        a value, and a quote of that kind inside it is written twice; they are needed only where a value begins with a quote or
        contains ``, KEY=``.

        Parameters
        ----------
        text : str

        Returns
        -------
        StreamQuery

        Raises
        ------
        ConfigError
            If the text is no query.

        Examples
        --------
        >>> StreamQuery.parse("type=EEG,host=*")
        StreamQuery(name='', type='EEG', source_id='', anything='', host='*')
        >>> StreamQuery.parse("EEG, 8 channels").anything
        'EEG, 8 channels'
        """
        fields: dict[str, str] = {}
        rest = f",{text}"
        if not _FIRST.match(text):
            fields["anything"], rest, _ = _value(text.strip())
        while rest:
            at = _NEXT.match(rest)
            if at is None:
                raise ConfigError(f"stream query {text!r}: {rest.strip(', ')!r} is not one of {', '.join(KEYS)}; write type=EEG")
            key = at[1].lower()
            if key in fields:
                raise ConfigError(f"stream query {text!r}: {key} is given twice")
            fields[key], rest, quoted = _value(rest[at.end() :])
            unknown = None if quoted else _UNKNOWN.search(fields[key])
            if unknown:
                raise ConfigError(
                    f"stream query {text!r}: {unknown[1]} is not one of {', '.join(KEYS)}; "
                    f'if it belongs to the {key}, put quotes around the value: {key}="…"'
                )
        return cls(**fields)

    @property
    def named(self) -> bool:
        """Whether it says which stream is meant, and not only on which machine."""
        return bool(self.name or self.type or self.source_id or self.anything)

    def matches(self, name: str = "", type: str = "", source_id: str = "", host: str = "") -> bool:
        """Tell whether the query means a stream in a file.

        Parameters
        ----------
        name : str
            Of the stream.
        type : str
            Of the stream.
        source_id : str
            Of the stream.
        host : str
            Of the stream.

        Returns
        -------
        bool

        Examples
        --------
        >>> StreamQuery.parse("eeg").matches(name="Amp", type="EEG")
        True
        """
        return (
            self.name in ("", name)
            and self.source_id in ("", source_id)
            and self.host in ("", "*", host)
            and (not self.type or folded(self.type) == folded(type))
            and (not self.anything or self.anything in (name, source_id) or folded(self.anything) == folded(type))
        )

    def words(self) -> str:
        """The query as :meth:`parse` reads it.

        >>> StreamQuery(name="EEG, 8 channels", host="*").words()
        'name="EEG, 8 channels",host=*'
        """
        plain = [] if not self.anything else [self.anything if _reads_back(self.anything) else _quoted(self.anything)]
        pairs = [f"{key}={_quoted(value)}" for key in KEYS if (value := getattr(self, key))]
        return ",".join(plain + pairs)

    def __str__(self) -> str:
        """For messages about live streams."""
        where = {"": "on this machine", "*": "on the network"}.get(self.host, f"on {self.host!r}")
        return f"{self.described()} {where}"

    def described(self) -> str:
        """For messages: what is looked for, without the machine."""
        terms = [f"{k} {v!r}" for k in ("name", "type", "source_id") if (v := getattr(self, k))]
        terms += [f"name, type or source_id {self.anything!r}"] if self.anything else []
        return " and ".join(terms) or "any stream"


EEG = StreamQuery(type="EEG")
"""What is meant where no stream is named."""


def folded(text: str) -> str:
    """Write a text without regard to the case of its ASCII letters.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return text.translate(_LOWER)


def rather_eeg(streams: Sequence[Identity]) -> list[int]:
    """Choose, of several streams that match where EEG is wanted, those of type EEG, or all where none is.

    A device's EEG and motion may share name and source_id.

    Parameters
    ----------
    streams : sequence of Identity

    Returns
    -------
    list of int
        Positions in ``streams``.
    """
    found = [i for i, s in enumerate(streams) if folded(s.type) == "eeg"]
    return found or list(range(len(streams)))


def told_apart(streams: Sequence[Identity]) -> list[str]:
    """Find for each stream the shortest query that means it and no other.

    Parameters
    ----------
    streams : sequence of Identity

    Returns
    -------
    list of str
        Empty where there is none.

    Examples
    --------
    >>> told_apart([Identity("Amp", "EEG", "a1"), Identity("Amp", "EEG", "a2")])
    ['source_id=a1', 'source_id=a2']
    """
    return [_shortest(s, [other for k, other in enumerate(streams) if k != i]) for i, s in enumerate(streams)]


def _shortest(stream: Identity, others: Sequence[Identity]) -> str:
    keys = ("name", "source_id", "type", "host")
    for n in range(1, len(keys) + 1):
        for chosen in combinations(keys, n):
            query = replace(StreamQuery(), **{key: getattr(stream, key) for key in chosen})
            full = all(getattr(stream, key) for key in chosen)
            if full and not any(query.matches(o.name, o.type, o.source_id, o.host) for o in others):
                return query.words()
    return ""


def _value(text: str) -> tuple[str, str, bool]:
    """A value at the beginning of a text, what follows it, and whether it stood in quotes."""
    at = _QUOTED.match(text)
    if at:
        inside = at[1].replace('""', '"') if at[1] is not None else at[2].replace("''", "'")
        return inside, text[at.end() :], True
    following = _NEXT.search(text)
    end = following.start() if following else len(text)
    return text[:end].strip(), text[end:], False


def _quoted(value: str) -> str:
    """With quotes where a reader could stumble without."""
    return value if _PLAIN.fullmatch(value) else '"' + value.replace('"', '""') + '"'


def _reads_back(text: str) -> bool:
    """Whether a text without a key stands for itself."""
    return text[0] not in "\"'" and not _FIRST.match(text) and _value(text) == (text, "", False)
