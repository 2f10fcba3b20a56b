"""Cues: trigger channels become markers, and marker texts become classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError
from bci.stream.toml import read_toml


def canonical_marker(text: str) -> str:
    """Text as it is compared: no blanks around it, numbers as short as they can be.

    >>> canonical_marker(" 2.000000000000000"), canonical_marker("769"), canonical_marker("left")
    ('2', '769', 'left')
    """
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    # "nan" and "1_0" are words to whoever wrote them.
    return f"{number:.15g}" if math.isfinite(number) and "_" not in text else text


class MarkerTable:
    """Which class each marker stands for.

    Parameters
    ----------
    texts : mapping of str to str
        From marker text to class name; ``"2"`` also stands for ``"2.0"`` and the like.

    Raises
    ------
    ConfigError
        With every fault at once.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._classes: dict[str, str] = {}
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
        """Class that a marker stands for, or ``""``.

        >>> MarkerTable({"2": "left"}).class_of("2.000000000000000")
        'left'
        """
        return self._classes.get(canonical_marker(text), "")


def load_markers(path: Path | str) -> MarkerTable:
    """Read a marker table: a TOML file of ``"text" = "class"`` lines.

    ::

        "2" = "left_hand"
        "3" = "right_hand"

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


class TriggerEdges:
    """Markers from amplifier trigger channels: one at each change to a value other than zero.

    The value at the start of the stream is the resting level and no marker. A pulse that was lost with its
    samples is lost; one that lasts over the loss is met by its level.

    Parameters
    ----------
    info : StreamInfo
        Channels of type TRIG are watched; values are rounded to whole numbers.
    """

    def __init__(self, info: StreamInfo) -> None:
        self.columns = [i for i, c in enumerate(info.channels) if c.type == "TRIG"]
        self._last: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None

    def __call__(self, chunk: Chunk) -> list[tuple[str, float]]:
        """Markers in these samples: the new level as text, and the stamp of its first sample."""
        if not self.columns or not len(chunk):
            return []
        levels = np.rint(np.nan_to_num(chunk.data[:, self.columns]))
        before = np.vstack([levels[:1] if self._last is None else self._last[None], levels[:-1]])
        self._last = levels[-1].copy()
        rows, which = np.nonzero((levels != before) & (levels != 0))
        return [(f"{levels[r, c]:.15g}", float(chunk.stamps[r])) for r, c in zip(rows.tolist(), which.tolist(), strict=True)]
