"""What every actuator must keep to; run it on your own before you ship it.

Each function returns one line for every breach it found, so ``assert not actuator_breaches(...)`` is a test. An exception
other than those of :mod:`bci.errors` is let through: it is the breach.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bci.engine.command import Command
from bci.errors import ActuatorError, ConfigError
from bci.stream.bus import Actuator

DEADLINE_S = 0.02
SLACK_S = 0.03
"""What a busy machine may add to the deadline."""

HOSTILE_NAMES = ("left\r\nRESET", "", "x" * 100_000, "left\0", "\x1b[2J")
HOSTILE_VALUES: tuple[Any, ...] = (math.nan, math.inf, -math.inf, -0.5, 1e308, "1", None)


def actuator_breaches(
    open_actuator: Callable[[], Actuator], commands: Sequence[str], received: Callable[[], bytes] | None = None
) -> list[str]:
    """Return how an actuator breaks its contract while its receiver works properly.

    Parameters
    ----------
    open_actuator : callable
        Opens the actuator anew; it is called twice.
    commands : sequence of str
        Names that it takes.
    received : callable, optional
        All that its other end has got so far; what must not get there is then looked for.

    Returns
    -------
    list of str
    """
    threads = threading.active_count()
    actuator = open_actuator()
    try:
        found = list(_sending_breaches(actuator, commands))
        found += _refusing_breaches(actuator, commands[0])
        found += _neutral_breaches(actuator, commands[0])
    finally:
        actuator.close()
    found += _closing_breaches(actuator, commands[0])
    if threading.active_count() > threads:
        found.append(f"{threading.active_count() - threads} threads are left after close()")
    again = open_actuator()  # raises where the wire was not released
    again.close()
    if received is not None and b"RESET" in received():
        found.append("text of a command's name reached the wire as it was")
    return found


def cut_breaches(actuator: Actuator, cut: Callable[[], None]) -> list[str]:
    """Return how an actuator breaks its contract after its receiver has disappeared.

    Parameters
    ----------
    actuator : Actuator
        Opened, its other end working; closed here.
    cut : callable
        Takes the other end away, in a way of which the actuator can know.
    """
    found = []
    try:
        actuator.neutral()
        cut()
        for _ in range(3):
            began_s = time.perf_counter()
            try:
                actuator.neutral()
            except ActuatorError as error:
                found += [] if str(error).isprintable() else ["neutral(): its error holds control characters"]
            else:
                found.append("neutral() with nobody at the other end: must raise ActuatorError, for whatever moves may go on")
            took_s = time.perf_counter() - began_s
            if took_s > DEADLINE_S + SLACK_S:
                found.append(f"neutral() with nobody at the other end: took {took_s * 1e3:.0f} ms")
    finally:
        actuator.close()
    return found


def settings_breaches(from_settings: Callable[[Mapping[str, object]], Actuator], good: Mapping[str, object]) -> list[str]:
    """Return the faults in how an actuator checks its settings.

    Parameters
    ----------
    from_settings : callable
        Of the actuator's class.
    good : mapping
        Settings that work.
    """
    wrong = {**good, "no_such_setting": 1, "another_such": "x"}
    try:
        from_settings(wrong).close()
    except ConfigError as error:
        return [
            f"setting {name!r} is unknown, and not told" for name in ("no_such_setting", "another_such") if name not in str(error)
        ]
    return ["unknown settings are taken without a word"]


def _sending_breaches(actuator: Actuator, commands: Sequence[str]) -> Iterator[str]:
    for sequence, name in enumerate([*commands, *commands], start=1):
        for value in (1.0, 0.5, 0.0):
            began_s = time.perf_counter()
            try:
                actuator.send(Command(name, value, sequence))
            except ActuatorError as error:
                yield f"send({name!r}, {value}): raised although nothing is wrong: {error}"
            took_s = time.perf_counter() - began_s
            if took_s > DEADLINE_S + SLACK_S:
                yield f"send({name!r}, {value}): took {took_s * 1e3:.0f} ms, at most {DEADLINE_S * 1e3:g} are allowed"


def _refusing_breaches(actuator: Actuator, name: str) -> Iterator[str]:
    bad = [Command(hostile) for hostile in HOSTILE_NAMES]
    bad += [Command(name, value) for value in HOSTILE_VALUES]
    untyped: Any = Command
    bad += [untyped(7), untyped(name.encode()), untyped(name, 1.0, "1"), untyped(name, 1.0, -1)]
    for command in bad:
        try:
            actuator.send(command)
        except ActuatorError as error:
            if any(character in str(error) for character in "\r\n\0\x1b"):
                yield f"{command!r:.80}: control characters are in the message that refuses it"
            continue
        yield f"{command!r:.80}: must be refused with ActuatorError"


def _neutral_breaches(actuator: Actuator, name: str) -> Iterator[str]:
    for _ in range(3):
        began_s = time.perf_counter()
        try:
            said: object = actuator.neutral()
        except ActuatorError as error:
            yield f"neutral(): raised although nothing is wrong: {error}"
        else:
            if not (said is None or isinstance(said, bool)):
                yield f"neutral(): returned {said!r:.80}; it must be True (the device itself says so), False or None"
        took_s = time.perf_counter() - began_s
        if took_s > DEADLINE_S + SLACK_S:
            yield f"neutral(): took {took_s * 1e3:.0f} ms, at most {DEADLINE_S * 1e3:g} are allowed"
    try:
        actuator.send(Command(name))
    except ActuatorError as error:
        yield f"send({name!r}) after neutral(): raised although nothing is wrong: {error}"


def _closing_breaches(actuator: Actuator, name: str) -> Iterator[str]:
    actuator.close()  # for the second time: must not raise
    with suppress(ActuatorError):  # it may say that it is closed
        actuator.neutral()
    try:
        actuator.send(Command(name))
    except ActuatorError:
        return
    yield "send() after close() must raise ActuatorError"
