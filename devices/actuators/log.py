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
from bci.safe_io.private import make_folder, opener
from bci.stream.bus import Clock
from bci.stream.xdf.unbuffered import write_whole
from devices.actuators.options import ActuatorOptions
from devices.actuators.orders import check, closed
from devices.opening import or_lsl_clock


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Settings of the actuator that writes a file.

    Parameters
    ----------
    path : str
        Its folder is made where it is missing. Where the file exists, ``NAME-2`` is written, and so on.
    """

    path: str

    @classmethod
    def read(cls, given: Mapping[str, object]) -> LogSettings:
        """Read the settings from values of their type, or text.

        Parameters
        ----------
        given : mapping of str to object
            Names of settings; values of their type, or text.

        Returns
        -------
        LogSettings

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = ActuatorOptions("log", given)
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
        self._clock = or_lsl_clock(clock)
        self._sequence = self._size = 0
        self._file: FileIO | None
        try:
            self.path, self._file = _create(Path(settings.path))
        except OSError as error:
            raise ActuatorError(f"log {settings.path}: cannot be written ({error.strerror}); choose another path") from error

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> LogActuator:
        """As :meth:`bci.stream.bus.ActuatorPlugin.from_settings`; the options are the fields of :class:`LogSettings`."""
        return cls(LogSettings.read(options), clock)

    def send(self, command: Command) -> None:
        """Write one line.

        Parameters
        ----------
        command : Command

        Raises
        ------
        ActuatorError
            If the command is not what it should be, or the file cannot be written.
        """
        check(command, f"log {self.path}")
        self._sequence = command.sequence
        self._write(command.name, command.value)

    def neutral(self) -> None:
        """Write one line with the neutral command.

        Raises
        ------
        ActuatorError
            If the file cannot be written.
        """
        self._write(None, 0.0)

    def close(self) -> None:
        """Neutral, then close the file."""
        with suppress(ActuatorError):  # closed before, or the disk is full
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
            write_whole(self._file, line.encode() + b"\n")
            self._size += len(line.encode()) + 1
        except OSError as error:
            with suppress(OSError):  # no half line is left
                self._file.truncate(self._size)
                self._file.seek(self._size)
            raise ActuatorError(
                f"log {self.path}: cannot be written ({error.strerror}); check that the disk is not full"
            ) from error


def _create(path: Path) -> tuple[Path, FileIO]:
    """Create a new file; an existing one is never changed."""
    make_folder(path.parent)
    candidate, number = path, 2
    while True:
        try:
            return candidate, FileIO(candidate, "xb", opener=opener)
        except FileExistsError:
            candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
            number += 1
