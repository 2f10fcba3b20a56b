"""The one module that imports pylsl: what the rest of ``bci/stream`` uses of it, with types.

The hot paths call liblsl's C functions with pointers made once, because pylsl builds lists, arrays and ctypes
objects at every call (see ``docs/results/performance.md``). Functions: ``lsl_c.h`` of liblsl 1.16 and later.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pylsl
from pylsl.lib import fmt2npdtype, fmt2pull_chunk, fmt2push_chunk_n, fmt2push_sample, fmt2string, lib

from bci.engine.chunk import FloatArray
from bci.errors import StreamError, StreamLost
from bci.stream.lsl_config import content_for_us

TIMEOUT, LOST = -1, -2  # lsl_error_code_t
ASKS_EVERY_S = 0.5

# Before anything else is asked of liblsl: it reads its configuration once.
if _content := content_for_us(os.environ):
    lib.lsl_set_config_content(_content.encode())

local_clock: Callable[[], float] = lib.lsl_local_clock
library_version: Callable[[], int] = lib.lsl_library_version  # 118 for 1.18
ContinuousResolver: Any = pylsl.ContinuousResolver
Inlet: Any = pylsl.StreamInlet
Outlet: Any = pylsl.StreamOutlet
Info: Any = pylsl.StreamInfo
LslTimeout: type[Exception] = pylsl.util.TimeoutError
LslLost: type[Exception] = pylsl.util.LostError


def format_of(info: Any) -> str:
    """Name of a resolved stream's channel format, as in the XDF header.

    Parameters
    ----------
    info : object
        A ``pylsl.StreamInfo``.

    Returns
    -------
    str
    """
    return str(fmt2string[info.channel_format()])


def this_host() -> str:
    """The machine's name as liblsl writes it into a stream's ``hostname``."""
    return socket.gethostname()


def resolve(predicate: str, minimum: int, timeout_s: float) -> list[Any]:
    """Find the streams that match an XPath predicate.

    Parameters
    ----------
    predicate : str
    minimum : int
        Return as soon as so many have answered.
    timeout_s : float
        The longest time to wait, seconds.

    Returns
    -------
    list of object
        ``pylsl.StreamInfo`` objects.
    """
    return list(pylsl.resolve_bypred(predicate, minimum, _between_questions(timeout_s)))


def resolve_all(wait_s: float) -> list[Any]:
    """Find every stream that answers.

    Parameters
    ----------
    wait_s : float
        How long answers are waited for, seconds.

    Returns
    -------
    list of object
        ``pylsl.StreamInfo`` objects.
    """
    return list(pylsl.resolve_streams(_between_questions(wait_s)))


def _between_questions(timeout_s: float) -> float:
    """The time-out, moved away from the moments at which liblsl asks the network again.

    A resolver that is to end just when it asks again may wait for the answers to that question, which takes 5 s more (measured
    with a time-out of 0.5 s: every third time).
    """
    nearest_s = ASKS_EVERY_S * round(timeout_s / ASKS_EVERY_S)
    return timeout_s + 0.1 if nearest_s and abs(timeout_s - nearest_s) < 0.05 else timeout_s


def check(code: int, what: str) -> None:
    """Turn an error code of liblsl into one of our errors.

    Parameters
    ----------
    code : int
        As liblsl's functions return it; 0 and above are no errors.
    what : str
        The stream, for the message.

    Raises
    ------
    StreamLost
        If the stream is lost.
    """
    if code == LOST:
        raise StreamLost(f"{what}: the sender is gone")
    if code < 0 and code != TIMEOUT:
        raise StreamError(f"{what}: liblsl reports error {code}")


class NumericPull:
    """Pull samples of a numeric stream into one buffer that is kept.

    Parameters
    ----------
    inlet : pylsl.StreamInlet
    what : str
        The stream, for error messages.
    native : bool
        Deliver the stream's own format; otherwise liblsl converts to float64.
    max_samples : int
        Room of the buffer.
    """

    def __init__(self, inlet: Any, what: str, native: bool, max_samples: int) -> None:
        self._inlet, self._what, self.max_samples = inlet, what, max_samples
        code = inlet.channel_format if native else pylsl.cf_double64
        n, dtype = inlet.channel_count, np.dtype(fmt2npdtype[code])
        self._pull: Callable[..., int] = fmt2pull_chunk[code]
        self._values: npt.NDArray[Any] = np.empty((max_samples, n), dtype)
        self._stamps = np.empty(max_samples)
        self._n_channels = n
        self._error = ctypes.c_int()
        error = ctypes.byref(self._error)
        values, stamps = self._values.ctypes.data, self._stamps.ctypes.data
        self._timeout = ctypes.c_double()
        size = ctypes.c_size_t
        self._first = (
            inlet.obj, ctypes.c_void_p(values), ctypes.c_void_p(stamps), size(n), size(1), self._timeout, error,
        )  # fmt: skip
        self._rest = (
            inlet.obj, ctypes.c_void_p(values + n * dtype.itemsize), ctypes.c_void_p(stamps + 8),
            size(n * (max_samples - 1)), size(max_samples - 1), ctypes.c_double(0.0), error,
        )  # fmt: skip

    def __call__(self, timeout_s: float) -> tuple[npt.NDArray[Any], FloatArray]:
        """Wait for the first sample, then take everything that is there.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        values : ndarray, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
            Views of the buffer: valid until the next call.

        Raises
        ------
        StreamLost
            If the sender is gone.
        """
        self._timeout.value = timeout_s
        got = self._pull(*self._first)
        if self._error.value:
            check(self._error.value, self._what)
        if not got:
            return self._values[:0], self._stamps[:0]
        # No error check: a loss after the first sample is met again at the next call.
        n = 1 + max(0, self._pull(*self._rest)) // self._n_channels
        return self._values[:n], self._stamps[:n]


class NumericPush:
    """Push float64 rows and chunks; liblsl converts to the stream's format.

    Parameters
    ----------
    outlet : pylsl.StreamOutlet
    n_channels : int
    """

    def __init__(self, outlet: Any, n_channels: int) -> None:
        self._outlet = outlet  # keeps the handle alive
        self._n_channels = n_channels
        self._row = np.empty(n_channels)
        self._stamp = ctypes.c_double()
        self._sample = fmt2push_sample[pylsl.cf_double64]
        self._chunk = fmt2push_chunk_n[pylsl.cf_double64]
        self._arguments = (outlet.obj, ctypes.c_void_p(self._row.ctypes.data), self._stamp, ctypes.c_int(1))

    def row(self, row: npt.ArrayLike, stamp: float) -> None:
        """Send one row.

        Parameters
        ----------
        row : array_like, shape (n_channels,)
        stamp : float
            Seconds of the LSL clock; 0 means the time of sending.
        """
        self._row[:] = row
        self._stamp.value = stamp
        self._sample(*self._arguments)

    def chunk(self, data: FloatArray, stamps: FloatArray) -> None:
        """Send consecutive rows, each with its own stamp.

        Parameters
        ----------
        data : ndarray, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
            Seconds of the LSL clock.
        """
        data, stamps = np.ascontiguousarray(data, np.float64), np.ascontiguousarray(stamps, np.float64)
        if data.shape != (len(stamps), self._n_channels):
            raise StreamError(f"data of shape {data.shape} does not fit {len(stamps)} stamps of {self._n_channels} channels")
        if len(stamps):
            self._chunk(
                self._outlet.obj,
                ctypes.c_void_p(data.ctypes.data),
                ctypes.c_ulong(data.size),
                ctypes.c_void_p(stamps.ctypes.data),
                ctypes.c_int(1),
            )
