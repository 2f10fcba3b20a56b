"""The errors a user may meet: one small tree.

A message says what happened, where, with which value, what is allowed and what to do. Each class
carries the process exit code that the command line ends with, so scripts can tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence


class BciError(Exception):
    """Base class of all errors that this project raises on purpose."""

    exit_code = 1


class ConfigError(BciError):
    """One or more settings are wrong; all of them are listed.

    Parameters
    ----------
    problems : sequence of str
        One line each: file, key, the value found and what is allowed.
    """

    exit_code = 2

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class StreamError(BciError):
    """A stream cannot be found, told apart, matched or kept."""

    exit_code = 3


class StreamNotFound(StreamError):
    """No stream answered the query in time."""


class StreamAmbiguous(StreamError):
    """More than one stream answered the query."""


class StreamLost(StreamError):
    """A stream that was connected sends nothing any more."""


class StreamMismatch(StreamError):
    """A stream is not what the model (or the session so far) expects."""


class ModelError(BciError):
    """A model file is damaged, hostile, of another version, or does not fit."""

    exit_code = 4


class RecordingError(BciError):
    """A recording cannot be written, read or trusted."""

    exit_code = 5


class TrainingError(BciError):
    """The trials at hand do not allow a decoder to be fitted."""

    exit_code = 6


class VerificationError(BciError):
    """A replay did not reproduce what was recorded."""

    exit_code = 7


class PluginError(BciError):
    """A source, decoder, kernel or actuator cannot be found or loaded."""

    exit_code = 8


class ActuatorError(BciError):
    """An actuator did not accept a command in time, or its connection is lost."""

    exit_code = 10
