"""A keyboard as a fake device: keys imagine movements, so that an operator can train without a subject.

The signal is the simulated subject's; a decoder trained on ``bci stream simulated`` decodes what is pressed here.
Keys make the faults that an operator should know by sight, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from bci.engine.chunk import Chunk
from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError
from bci.paradigm.timeline import CLASS_CODES, EYES_CLOSED, EYES_OPEN, TRIAL_END
from bci.stream.bus import Clock
from devices.opening import or_lsl_clock, require_open
from devices.simulated import SimulatedSubject
from devices.simulated_settings import Artefact, SimulatedSettings, read_options

KEYS = {"a": "left_hand", "d": "right_hand", "w": "tongue", "s": "feet", " ": "rest"}
"""Key to class; ``rest`` ends what was imagined."""

FAULTS = {"f": "flat", "r": "railed", "j": "jaw", "l": "line"}
"""Key to a disturbance of ``FAULT_S``; capital letters: of every channel instead of the first."""

FAULT_S = 3.0
STALL_S = 3.0
STALL, EYES = "p", "e"


class KeyboardSource:
    """A simulated person whose imagined movements are keys, as a :class:`~bci.stream.bus.Source`.

    ``a`` and ``d`` imagine the left and the right hand, ``w`` the tongue, ``s`` the feet, space nothing; ``f`` makes the
    first electrode flat, ``r`` railed, ``l`` loose, ``j`` clenches the teeth, each for 3 s, and with Shift on all
    electrodes; ``p`` holds the samples back for 3 s; ``e`` closes and opens the eyes.

    Parameters
    ----------
    settings : SimulatedSettings
    keys : callable
        Returns what was pressed since the last call, without waiting.
    close_keys : callable
        Called when the source is closed.
    clock : Clock, optional
        None for the LSL clock.
    """

    def __init__(
        self,
        settings: SimulatedSettings,
        keys: Callable[[], str],
        close_keys: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = or_lsl_clock(clock)
        self._person = SimulatedSubject(settings, self._clock)
        self._keys = keys
        self._close_keys = close_keys
        self._begin_s = self._clock.now()
        self._stalled_until_s = self._begin_s
        self._eyes_closed = settings.eyes_closed
        self._closed = False

    @property
    def info(self) -> StreamInfo:
        """Description of the stream, as of the simulated person."""
        return self._person.info

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> KeyboardSource:
        """As :meth:`bci.stream.bus.SourcePlugin.from_settings`; the options are the fields of :class:`SimulatedSettings`."""
        classes = tuple(KEYS.values())
        settings = SimulatedSettings(**{"name": "keyboard", "lapse": 0.0, "classes": classes, **read_options(options)})
        keys = TerminalKeys()
        return cls(settings, keys, keys.close, clock)

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the samples that have come since the last call.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None where no sample came in time.

        Raises
        ------
        StreamError
            After :meth:`close`.
        """
        require_open(self._closed, self.info.name)
        for key in self._keys():
            self.press(key)
        now = self._clock.now()
        if now < self._stalled_until_s:
            self._clock.wait_until(min(self._stalled_until_s, now + timeout_s))
            return None
        return self._person.read(timeout_s)

    def press(self, key: str) -> bool:
        """Do what a key stands for.

        Parameters
        ----------
        key : str

        Returns
        -------
        bool
            False where it stands for nothing.
        """
        if key in KEYS:
            class_ = KEYS[key]
            return self._person.cue(TRIAL_END if class_ == "rest" else CLASS_CODES[class_])
        if key.lower() in FAULTS:
            now = max(0.0, self._clock.now() - self._begin_s)
            where = self.info.labels[:1] if key.islower() else ()
            self._person.disturb(Artefact(FAULTS[key.lower()], now, now + FAULT_S, where))
            return True
        if key == STALL:
            self._stalled_until_s = self._clock.now() + STALL_S
            return True
        if key == EYES:
            self._eyes_closed = not self._eyes_closed
            return self._person.cue(EYES_CLOSED if self._eyes_closed else EYES_OPEN)
        return False

    def close(self) -> None:
        """Restore the terminal. May be called twice."""
        if not self._closed:
            self._closed = True
            self._person.close()
            self._close_keys()


class TerminalKeys:
    """Keys of the terminal, one by one and without waiting; Ctrl-C still interrupts.

    Parameters
    ----------
    path : str
        The terminal; empty for the one this process was started in, even if its standard input is a pipe.

    Raises
    ------
    ConfigError
        If there is none.
    """

    def __init__(self, path: str = "") -> None:
        self._terminal = _windows_keys() if sys.platform == "win32" else _posix_keys(path or "/dev/tty")
        self._next = self._terminal.__enter__()

    def __call__(self) -> str:
        """What was pressed since the last call."""
        return self._next()

    def __enter__(self) -> TerminalKeys:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Restore the terminal as it was."""
        self._terminal.__exit__(None, None, None)


@contextmanager
def _posix_keys(path: str) -> Iterator[Callable[[], str]]:
    import termios
    import tty

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise ConfigError(
            f"source 'keyboard': there is no terminal to read keys from ({error.strerror}); start it in one"
        ) from error
    before = termios.tcgetattr(handle)
    tty.setcbreak(handle)

    def pressed() -> str:
        try:
            return os.read(handle, 64).decode(errors="ignore")
        except BlockingIOError:
            return ""

    try:
        yield pressed
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
        os.close(handle)


@contextmanager
def _windows_keys() -> Iterator[Callable[[], str]]:
    import msvcrt  # untested until somebody has a Windows machine

    def pressed() -> str:
        found = ""
        while msvcrt.kbhit():  # type: ignore[attr-defined]
            found += msvcrt.getwch()  # type: ignore[attr-defined]
        return found

    yield pressed
