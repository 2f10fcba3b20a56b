"""An actuator: a lamp behind a file, such as the brightness of a Linux LED."""

from contextlib import suppress

from bci.errors import ActuatorError, ConfigError

LEVELS = {"on": "255", "dim": "40"}


class Lamp:
    def __init__(self, path):
        self._path, self._open = path, True
        self.neutral()

    @classmethod
    def from_settings(cls, options):
        problems = [f"{name}: a lamp has no such setting; it has path" for name in options if name != "path"]
        if not isinstance(options.get("path"), str):
            problems.append("path: is missing; it is the file that takes the brightness")
        if problems:
            raise ConfigError(problems)
        return cls(options["path"])

    def send(self, command):
        number = isinstance(command.value, float) and 0 <= command.value <= 1  # NaN is neither
        if (
            not self._open
            or command.name not in LEVELS
            or not number
            or not isinstance(command.sequence, int)
            or command.sequence < 0
        ):
            raise ActuatorError(
                f"lamp: cannot do {command.name!r} {command.value!r}; it is closed, or not one of {', '.join(LEVELS)}"
            )
        try:
            self._write(LEVELS[command.name])
        except OSError as error:
            raise ActuatorError(f"lamp {self._path}: {error.strerror}") from error

    def neutral(self):
        if not self._open:
            raise ActuatorError(f"lamp {self._path}: is closed")
        try:
            self._write("0")
        except OSError as error:
            raise ActuatorError(f"lamp {self._path}: {error.strerror}") from error  # the guard tells, and asks again

    def close(self):
        if self._open:
            with suppress(ActuatorError):
                self.neutral()
        self._open = False

    def _write(self, level):
        with open(self._path, "w") as file:
            file.write(level)
