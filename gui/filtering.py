"""The causal filter of the signals on screen; it does not affect decoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi

from bci.engine.chunk import FloatArray
from bci.engine.filters import notch

ORDER = 2


@dataclass(frozen=True, slots=True)
class ViewFilter:
    """The limits of the filters for the screen, Hz; 0 switches a filter off."""

    high_pass_hz: float = 1.0
    low_pass_hz: float = 40.0
    notch_hz: float = 50.0


class RunningFilter:
    """A view filter over a stream of samples; it restarts after a gap.

    Parameters
    ----------
    settings : ViewFilter
        Parts beyond half the sampling rate are left out.
    rate_hz : float
    """

    def __init__(self, settings: ViewFilter, rate_hz: float) -> None:
        parts = []
        if 0 < settings.high_pass_hz < rate_hz / 2:
            parts.append(butter(ORDER, settings.high_pass_hz, "highpass", fs=rate_hz, output="sos"))
        if 0 < settings.low_pass_hz < rate_hz / 2:
            parts.append(butter(ORDER, settings.low_pass_hz, "lowpass", fs=rate_hz, output="sos"))
        if 0 < settings.notch_hz < rate_hz / 2:
            parts.append(notch(settings.notch_hz, rate_hz))
        self._sos: FloatArray | None = np.vstack(parts) if parts else None
        self._rest: FloatArray = sosfilt_zi(self._sos) if self._sos is not None else np.empty((0, 2))
        self._state: FloatArray | None = None

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Filter the next rows, shape (n_rows, n_channels); rows of NaN stay and end the filter's memory."""
        if self._sos is None or not len(rows):
            return rows
        missing = np.asarray(np.isnan(rows).any(axis=1))
        if not missing.any():
            return self._run(self._sos, rows)
        out = np.full(rows.shape, np.nan)
        edges = np.flatnonzero(np.diff(missing.astype(np.int8), prepend=1, append=1))
        for start, stop in edges.reshape(-1, 2).tolist():
            if start:
                self._state = None
            out[start:stop] = self._run(self._sos, rows[start:stop])
        if missing[-1]:
            self._state = None
        return out

    def _run(self, sos: FloatArray, rows: FloatArray) -> FloatArray:
        state = self._rest[:, :, None] * rows[0] if self._state is None else self._state
        filtered, self._state = sosfilt(sos, rows, axis=0, zi=state)
        return np.asarray(filtered)
