"""Whether a recorded signal can be what it declares: its sampling rate and its unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.watch import rate_of
from bci.errors import ConfigError, RecordingError, StreamMismatch
from bci.stream.recorded_signal import RecordedSignal

PLAUSIBLE_UV = (0.05, 5_000.0)
"""Between these lies the typical size of any scalp recording; a wrong unit is off by 10³ or 10⁶."""


def typical_size(data: FloatArray, rate_hz: float, columns: Sequence[int] | None = None) -> float:
    """Return the median over channels and seconds of the standard deviation within one second; NaN without a full second.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
    rate_hz : float
    columns : sequence of int
        The channels to look at; all where omitted.
    """
    n = max(2, round(rate_hz))
    n_blocks = len(data) // n
    chosen = [data[i * n : (i + 1) * n] for i in range(0, n_blocks, max(1, n_blocks // 60))]
    blocks = np.array([block if columns is None else block[:, columns] for block in chosen])
    spread = blocks.std(axis=1) if chosen else np.empty(0)
    spread = spread[np.isfinite(spread) & (spread > 0)]
    return float(np.median(spread)) if len(spread) else float("nan")


def check_rate(signal: RecordedSignal, where: str) -> None:
    """Refuse a signal that has no sampling rate.

    Parameters
    ----------
    signal : RecordedSignal
    where : str
        The file, for messages.

    Raises
    ------
    RecordingError
        With the rate that its stamps suggest, and where to declare it.
    """
    if signal.info.rate_hz > 0:
        return
    span_s = float(np.ptp(signal.stamps)) if len(signal.stamps) > 1 else 0.0
    about = f"{(len(signal.stamps) - 1) / span_s:.4g}" if span_s > 0 else ""
    raise RecordingError(
        f"{where}: stream {signal.info.name!r} declares no sampling rate (0 Hz), but without one nothing can be filtered. "
        f"{f'Its stamps suggest {about} Hz. ' if about else ''}"
        f"Declare the true rate in a montage file (rate_hz = {about or 250}), and give it with --set stream.montage=FILE."
    )


def check_unit(signal: RecordedSignal, where: str) -> None:
    """Refuse a signal whose size is impossible for EEG in microvolts.

    Parameters
    ----------
    signal : RecordedSignal
    where : str
        The file, for messages.

    Raises
    ------
    StreamMismatch
        With the size as the unit was taken and as it would be in others, and the option that declares the unit.
    """
    columns = [i for i, c in enumerate(signal.info.channels) if c.type == "EEG"]
    size = typical_size(signal.data, signal.info.rate_hz, columns) if columns else float("nan")
    low, high = PLAUSIBLE_UV
    if not np.isfinite(size) or low <= size <= high:
        return
    unit = signal.info.channels[columns[0]].unit
    number = size / {"V": 1e6, "mV": 1e3, "nV": 1e-3}.get(unit or signal.assumed_unit, 1.0)
    taken = f"declares {unit}" if unit else f"declares no unit, so its numbers were taken as {signal.assumed_unit or 'uV'}"
    fits = [
        f"{number * factor:.3g} µV as {u}"
        for u, factor in (("uV", 1.0), ("mV", 1e3), ("V", 1e6))
        if low <= number * factor <= high
    ]
    raise StreamMismatch(
        f"unit: {where}: the EEG's typical size would be {size:.3g} µV; stream {signal.info.name!r} {taken}. "
        f"It would be {' or '.join(fits) or 'implausible in any unit'}. "
        'Declare the true unit with --set stream.unit=uV (or mV, V), or unit = "uV" in a montage file.'
    )


def check_declared_rate(signal: RecordedSignal, where: str) -> str:
    """Refuse a signal whose stamps contradict its declared rate, as in live decoding.

    Parameters
    ----------
    signal : RecordedSignal
        With its montage.
    where : str
        File, for the message.

    Returns
    -------
    str
        A warning where the rates differ by less than that, but by more than clocks do; else empty.

    Raises
    ------
    StreamMismatch
        With both rates, and how to declare the true one.
    """
    verdict = rate_of(signal.info, signal.stamps)
    if verdict is None or verdict.level == "ok":
        return ""
    if verdict.level == "warning":
        return (
            f"stream {signal.info.name!r} declares {verdict.declared_hz:g} Hz, but by its stamps {verdict.effective_hz:.4g} Hz "
            "were recorded: frequencies and window lengths are wrong by that ratio. If that is the true rate, declare it in a "
            f"montage file (rate_hz = {verdict.effective_hz:.4g}) and name the file with --set stream.montage=FILE"
        )
    raise StreamMismatch(
        f"rate: {where}: stream {signal.info.name!r} declares {verdict.declared_hz:g} Hz, but by its stamps "
        f"{verdict.effective_hz:.4g} Hz were recorded: filters, windows and trials would be wrong. Declare the true rate in a "
        f"montage file (a line such as rate_hz = {verdict.effective_hz:.4g}) and name the file with --set stream.montage=FILE."
    )


def check_unit_option(unit: str) -> None:
    """Refuse a text that is not a unit of voltage.

    Parameters
    ----------
    unit : str
        What a user wrote; empty for none.

    Raises
    ------
    ConfigError
        If it is none of uV, mV, V and nV, and not empty.
    """
    if unit not in ("", "uV", "mV", "V", "nV"):
        raise ConfigError(f"unit = {unit!r}: must be one of uV, mV, V, nV")
