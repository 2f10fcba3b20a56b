"""Cues: trigger channels become markers, and markers become classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError
from bci.safe_io.toml import read_toml
from bci.stream.markers.shapes import MarkerShape
from bci.stream.stream_query import StreamQuery

TRIGGERS = " triggers"


def canonical_marker(text: str) -> str:
    """Write a text as it is compared.

    There are no blanks or NULs around it and one blank between its words, and numbers are as short as they can be.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> canonical_marker(" 2.000000000000000"), canonical_marker("769"), canonical_marker("Stimulus/S  1")
    ('2', '769', 'Stimulus/S 1')
    """
    text = " ".join(text.replace("\0", " ").split())
    try:
        number = float(text)
    except ValueError:
        return text
    # "nan" and "1_0" are words, not numbers.
    return f"{number:.15g}" if math.isfinite(number) and "_" not in text else text


class MarkerTable:
    """Which class each marker stands for.

    Parameters
    ----------
    texts : mapping of str to str
        From marker text to class name; ``"2"`` also stands for ``"2.0"`` and the like.
    field, pattern : str
        Where in a marker the text stands (:class:`~bci.stream.markers.shapes.MarkerShape`).

    Raises
    ------
    ConfigError
        With every fault at once.
    """

    def __init__(self, texts: Mapping[str, str], field: str = "", pattern: str = "") -> None:
        self._classes: dict[str, str] = {}
        self.shape = MarkerShape(field, pattern)
        problems = []
        for text, class_ in texts.items():
            key = canonical_marker(text)
            if not key or not class_.strip():
                problems.append(f"{text!r} = {class_!r}: marker and class must not be empty")
            elif self._classes.get(key, class_) != class_:
                problems.append(f"{text!r} = {class_!r}: the same marker already stands for {self._classes[key]!r}")
            else:
                self._classes[key] = class_
        if problems:
            raise ConfigError([f"marker table: {p}" for p in problems])

    @property
    def texts(self) -> tuple[str, ...]:
        """Markers that stand for a class."""
        return tuple(self._classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes, each once, in the order of the table."""
        return tuple(dict.fromkeys(self._classes.values()))

    def class_of(self, text: str) -> str:
        """Class that a marker stands for.

        Parameters
        ----------
        text : str
            Of the marker.

        Returns
        -------
        str
            Empty where it stands for none.

        Examples
        --------
        >>> MarkerTable({"2": "left"}).class_of("2.000000000000000")
        'left'
        """
        return self._classes.get(canonical_marker(text), "")

    def code(self, row: Sequence[str], columns: Sequence[str] = ()) -> str:
        """Find what a marker of one or more columns says, as the table is asked for it.

        Parameters
        ----------
        row : sequence of str
            One text for each column.
        columns : sequence of str
            Names of the columns.

        Returns
        -------
        str
            The first column where the marker says nothing else.
        """
        text = self.shape.text(row, columns)
        return canonical_marker(text) if text else " ".join(row[0].split())

    def class_of_row(self, row: Sequence[str], columns: Sequence[str] = ()) -> str:
        """Class that a marker of one or more columns stands for.

        Parameters
        ----------
        row : sequence of str
            One text for each column.
        columns : sequence of str
            Names of the columns.

        Returns
        -------
        str
            Empty where it stands for none.
        """
        return self.class_of(self.shape.text(row, columns))

    def knows(self, text: str) -> bool:
        """Tell whether a text stands for a class.

        Parameters
        ----------
        text : str
            Of a marker.

        Returns
        -------
        bool
        """
        return canonical_marker(text) in self._classes


def load_markers(path: Path | str) -> MarkerTable:
    """Read a marker table: a TOML file of ``"text" = "class"`` lines.

    ::

        "2" = "left_hand"
        "3" = "right_hand"

    Parameters
    ----------
    path : Path or str
        Of the file.

    Returns
    -------
    MarkerTable

    Raises
    ------
    ConfigError
        With every fault of the file at once.
    """
    content = read_toml(path)
    problems = [
        f'{key} = {value!r}: must be text, "{key}" = "class"' for key, value in content.items() if not isinstance(value, str)
    ]
    table = {key: value for key, value in content.items() if isinstance(value, str)}
    try:
        found = MarkerTable(table)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError([f"{path}: {p}" for p in problems])
    return found


def trigger_stream(info: StreamInfo) -> str:
    """Name under which the trigger channels of a signal are a stream of markers.

    Parameters
    ----------
    info : StreamInfo
        Of the signal.

    Returns
    -------
    str

    Examples
    --------
    >>> trigger_stream(StreamInfo(250.0, (), name="Amp"))
    'Amp triggers'
    """
    return info.name + TRIGGERS


def trigger_owner(stream: str) -> str:
    """Name of the signal whose trigger channels a query for markers names.

    Parameters
    ----------
    stream : str
        The query.

    Returns
    -------
    str
        Empty where it names something else.

    Examples
    --------
    >>> trigger_owner("Amp triggers"), trigger_owner("type=Markers")
    ('Amp', '')
    """
    query = StreamQuery.parse(stream)
    name = query.name or query.anything
    return name.removesuffix(TRIGGERS) if name.endswith(TRIGGERS) else ""


def no_triggers(info: StreamInfo) -> str:
    """Make the message for a signal without trigger channels whose trigger channels were named as markers.

    Parameters
    ----------
    info : StreamInfo
        Of the signal.

    Returns
    -------
    str
    """
    channels = ", ".join(f"{c.label} ({c.type})" for c in info.channels)
    return (
        f"{trigger_stream(info)!r} means the trigger channels of stream {info.name!r}, which has none; its channels are "
        f"{channels}. Declare the channel's type as TRIG in a montage file, or name another stream of markers."
    )
