"""Commands written to a file, one JSON object per line: for trying out, and as a record of its own.

``{"time": LSL clock in s, "utc": ISO 8601, "command": name or null for neutral, "value": …, "sequence": …}``, nothing kept back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from bci.engine.command import Command
from bci.errors import ActuatorError
from bci.stream.bus import Clock
from devices.actuators.options import Options
from devices.actuators.orders import check, closed


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Which file.

    Parameters
    ----------
    path : str
        Its folder is made where it is missing. Where the file exists, ``NAME-2`` is written, and so on.
    """

    path: str

    @classmethod
    def read(cls, given: Mapping[str, object]) -> LogSettings:
        """From loosely typed settings.

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = Options("log", given)
        path = o.text("path", None)
        if "\0" in path or (path and not Path(path).name):
            o.problem(f"path = {path!r}: must name a file")
        o.done()
        return cls(path)


class LogActuator:
    """Writes a line for each command.

    Parameters
    ----------
    settings : LogSettings
    clock : Clock, optional
        None for the LSL clock.

    Attributes
    ----------
    path : Path
        The file that is written.

    Raises
    ------
    ActuatorError
        If the file cannot be made.
    """

    def __init__(self, settings: LogSettings, clock: Clock | None = None) -> None:
        self._clock = clock or _real_clock()
        self._sequence = 0
        self._file: FileIO | None
        try:
            self.path, self._file = _create(Path(settings.path))
        except OSError as error:
            raise ActuatorError(f"log {settings.path}: cannot be written ({error.strerror}); choose another path") from error

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> LogActuator:
        """As a configuration asks for it; see :class:`LogSettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        ActuatorError
            If the file cannot be made.
        """
        return cls(LogSettings.read(options), clock)

    def send(self, command: Command) -> None:
        """Write one line.

        Raises
        ------
        ActuatorError
            If the command is not what it should be, or the file cannot be written.
        """
        check(command, f"log {self.path}")
        self._sequence = command.sequence
        self._write(command.name, command.value)

    def neutral(self) -> None:
        """Write one line that says stop."""
        with suppress(ActuatorError):  # closed, or the disk is full: a log moves nothing, and the next command tells
            self._write(None, 0.0)

    def close(self) -> None:
        """Neutral, then close the file."""
        self.neutral()
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # every line was written when it came
                file.close()

    def _write(self, name: str | None, value: float) -> None:
        if self._file is None:
            raise closed(f"log {self.path}")
        now = {"time": self._clock.now(), "utc": datetime.now(UTC).isoformat(timespec="microseconds")}
        try:
            line = json.dumps({**now, "command": name, "value": float(value), "sequence": self._sequence})
            self._file.write(line.encode() + b"\n")
        except OSError as error:
            raise ActuatorError(f"log {self.path}: cannot be written ({error.strerror}); is the disk full?") from error


def _create(path: Path) -> tuple[Path, FileIO]:
    """A new file; one that exists is never touched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate, number = path, 2
    while True:
        try:
            return candidate, candidate.open("xb", buffering=0)
        except FileExistsError:
            candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
            number += 1


def _real_clock() -> Clock:
    """The LSL clock; liblsl is loaded only by who wants real time."""
    from bci.stream.clock import LslClock

    return LslClock()
