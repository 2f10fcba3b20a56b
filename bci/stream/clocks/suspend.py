"""Whether the computer was suspended: a clock that stands still then, compared with one that goes on.

LSL and Python take a clock that stands still while the computer sleeps (Linux: ``CLOCK_MONOTONIC``, clock_gettime(2);
macOS: ``mach_absolute_time``), so everything that waited looks fresh afterwards. Each system has a second clock that goes on
(``CLOCK_BOOTTIME``; ``mach_continuous_time``; Windows: ``QueryInterruptTime``, whose counterpart without sleep is
``QueryUnbiasedInterruptTime``). A virtual machine that its host suspends has none, and is not noticed.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

JUMP_S = 0.2
APART_S = 0.05
TRIES = 5

Read = Callable[[], float]


class Suspends:
    """For how long the computer slept since the last look.

    Parameters
    ----------
    awake, always : callable
        Seconds of a clock that stands still while the computer sleeps, and of one that goes on; default: this system's.
    """

    def __init__(self, awake: Read | None = None, always: Read | None = None) -> None:
        if awake is None or always is None:
            awake, always = system_clocks()
        self._awake, self._always = awake, always
        self._slept_s = self._difference()

    def __call__(self) -> float:
        """Seconds slept since the last call; 0.0 where it was less than 0.2 s, which clocks of a busy computer may seem apart."""
        slept_s = self._difference()
        new_s = slept_s - self._slept_s
        if abs(new_s) < JUMP_S:
            return 0.0
        self._slept_s = slept_s
        return max(0.0, new_s)

    def _difference(self) -> float:
        """How much further the one clock is; read again where this process was held up between the two."""
        for _ in range(TRIES):
            before = self._awake()
            always = self._always()
            after = self._awake()
            if after - before < APART_S:
                break
        return always - (before + after) / 2


def system_clocks() -> tuple[Read, Read]:
    """The system's clock that stands still while it sleeps, and the one that goes on."""
    if sys.platform == "darwin":
        return _mac_clocks()
    if sys.platform == "win32":
        return _windows_clocks()
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if boot is None:  # another Unix: what cannot be seen is not claimed
        return time.monotonic, time.monotonic
    return time.monotonic, lambda: time.clock_gettime(boot)


def _mac_clocks() -> tuple[Read, Read]:
    class Timebase(ctypes.Structure):
        _fields_ = (("numer", ctypes.c_uint32), ("denom", ctypes.c_uint32))

    system, base = ctypes.CDLL("libSystem.dylib"), Timebase()
    system.mach_timebase_info(ctypes.byref(base))
    tick_s = base.numer / base.denom / 1e9
    awake, always = system.mach_absolute_time, system.mach_continuous_time
    awake.restype = always.restype = ctypes.c_uint64
    return lambda: awake() * tick_s, lambda: always() * tick_s


def _windows_clocks() -> tuple[Read, Read]:
    loader = ctypes.__dict__["WinDLL"]
    unbiased = loader("kernel32").QueryUnbiasedInterruptTime
    biased = loader("api-ms-win-core-realtime-l1-1-1").QueryInterruptTime

    def seconds_of(query: Callable[[object], object]) -> Read:
        count = ctypes.c_uint64()

        def read() -> float:
            query(ctypes.byref(count))
            return count.value * 1e-7

        return read

    return seconds_of(unbiased), seconds_of(biased)
