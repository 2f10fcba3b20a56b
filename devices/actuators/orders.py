"""Commands that every actuator refuses before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Collection

from bci.engine.command import Command
from bci.errors import ActuatorError


def check(command: Command, what: str, known: Collection[str] | None = None) -> None:
    """Refuse a command that is not one of the table, or whose fields are not what they should be.

    Parameters
    ----------
    command : Command
    what : str
        The actuator and its connection, for the message.
    known : collection of str or None
        Names in the actuator's table. None for an actuator that passes names on: any printable name will do.

    Raises
    ------
    ActuatorError
    """
    name, value, sequence = command.name, command.value, command.sequence
    if not isinstance(name, str) or not name or (known is None and (not name.isprintable() or len(name) > 64)):
        raise ActuatorError(f"{what}: command {name!r:.80} must be 1 to 64 printable characters; nothing was sent")
    if known is not None and name not in known:
        raise ActuatorError(f"{what}: no entry for command {name!r:.80}; the table has {', '.join(known)}; nothing was sent")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise ActuatorError(f"{what}: value {value!r} of command {name!r:.80} must be a number from 0 to 1; nothing was sent")
    if isinstance(sequence, bool) or not isinstance(sequence, int) or sequence < 0:
        raise ActuatorError(f"{what}: sequence {sequence!r} must be a whole number that is not negative; nothing was sent")


def closed(what: str) -> ActuatorError:
    """Make the error for a command that comes after the actuator was closed.

    Parameters
    ----------
    what : str
        The actuator and its connection, for the message.

    Returns
    -------
    ActuatorError
    """
    return ActuatorError(f"{what}: is closed; open it again before sending")
