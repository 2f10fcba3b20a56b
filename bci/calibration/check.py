"""Checks whether the signal is good enough to begin a calibration."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from bci.calibration.environment import CalibrationEnvironment
from bci.engine.chunk import Chunk, FloatArray
from bci.engine.frontend import Frontend, FrontSettings
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.errors import StreamLost, StreamMismatch
from bci.stream.recorded_signal import RecordedSignal
from bci.stream.signal_checks import check_unit

MISMATCH, WARN = 0.10, 0.02
BAD_SHARE = 0.5
ADVICE = {
    "flat": "check that the electrode is connected",
    "railed": "the amplifier is saturated: check the electrode and the reference",
    "amplitude": "let the person relax jaw and neck, and check that the electrode sits firmly",
    "line": "check ground and reference, and move cables away from power supplies",
    "bridged": "it carries the same signal as another one: clean the gel between them",
}


@dataclass(frozen=True, slots=True)
class ChannelCheck:
    """One channel.

    Parameters
    ----------
    label : str
    size_uv : float
        Standard deviation in the decoder's bands.
    fault : str
        What is wrong for most of the time; "" for nothing.
    """

    label: str
    size_uv: float
    fault: str


@dataclass(frozen=True, slots=True)
class SignalCheck:
    """The result of the check.

    Parameters
    ----------
    channels : tuple of ChannelCheck
    rate_hz, declared_hz : float
        Samples that came each second, and that should have.
    few : float
        So many bad channels are too many.
    """

    channels: tuple[ChannelCheck, ...]
    rate_hz: float
    declared_hz: float
    few: float

    @property
    def bad(self) -> tuple[ChannelCheck, ...]:
        """Channels that cannot be used."""
        return tuple(c for c in self.channels if c.fault)

    @property
    def good_enough(self) -> bool:
        """Whether a calibration makes sense without the bad channels."""
        return not self.bad or len(self.bad) < self.few

    def lines(self) -> list[str]:
        """Sentences on what is wrong and what to do; empty if nothing is."""
        found = [f"{c.label}: {c.fault}; {ADVICE.get(c.fault, 'check the electrode')}" for c in self.bad]
        if abs(self.rate_hz / self.declared_hz - 1) > WARN:
            found.append(f"rate: {self.rate_hz:.1f} samples came each second, but {self.declared_hz:g} are declared")
        return found


def check_signal(
    environment: CalibrationEnvironment, preprocessing: Preprocessing, front: FrontSettings, seconds: float
) -> tuple[SignalCheck, list[Chunk]]:
    """Look at the signal for some seconds.

    Parameters
    ----------
    environment : CalibrationEnvironment
    preprocessing : Preprocessing
    front : FrontSettings
    seconds : float
        Besides the time that the filters need.

    Returns
    -------
    check : SignalCheck
    chunks : list of Chunk
        The signal that was looked at.

    Raises
    ------
    StreamMismatch
        If its unit or its rate cannot be what the stream declares.
    StreamLost
        If nothing comes.
    """
    info = environment.signal.info
    # No value is too large here: to find that out is what this is for.
    frontend = Frontend(info, preprocessing, "samples", replace(front.quality, range_uv=1e300), front.continuity)
    n = len(preprocessing.labels)
    faults = [Counter[str]() for _ in range(n)]
    sizes: list[FloatArray] = []
    chunks: list[Chunk] = []
    arrivals: list[tuple[float, int]] = []
    end_s = environment.clock.now() + seconds + preprocessing.window / preprocessing.rate_hz + 1.0
    while environment.clock.now() < end_s:
        environment.check()
        chunk = environment.signal.pull(0.1)
        if chunk is None:
            continue
        chunks.append(chunk)
        arrivals.append((environment.clock.now(), len(chunk)))
        for window in frontend.push(chunk):
            if window.reason is Reason.DECIDED:
                sizes.append(window.features[0].std(axis=0))
                for c in range(n):
                    faults[c][frontend.quality.why(c) if window.bad[c] else ""] += 1
    if not chunks:
        raise StreamLost(
            f"stream {info.name!r} has sent nothing for {seconds:g} s. Check that the amplifier is on and that its "
            "program is running."
        )
    data = np.concatenate([c.data for c in chunks])
    check_unit(RecordedSignal(info, data, np.concatenate([c.stamps for c in chunks])), f"stream {info.name!r}")
    rate_hz = _rate(arrivals)
    if abs(rate_hz / info.rate_hz - 1) > MISMATCH:
        raise StreamMismatch(
            f"rate: stream {info.name!r} declares {info.rate_hz:g} Hz, but {rate_hz:.1f} samples come each second. "
            "Set the amplifier's program to the rate that it declares."
        )
    size = np.median(sizes, axis=0) if sizes else np.zeros(n)
    channels = tuple(ChannelCheck(label, float(size[c]), _fault(faults[c])) for c, label in enumerate(preprocessing.labels))
    return SignalCheck(channels, rate_hz, info.rate_hz, front.quality.bad_share * n), chunks


def _fault(seen: Counter[str]) -> str:
    """What is wrong with a channel for more than half of the time."""
    total = seen.total()
    wrong = {fault: n for fault, n in seen.items() if fault}
    return max(wrong, key=lambda f: wrong[f]) if total and sum(wrong.values()) > BAD_SHARE * total else ""


def _rate(arrivals: list[tuple[float, int]]) -> float:
    """Samples each second between the first and the last arrival."""
    first, last = arrivals[0][0], arrivals[-1][0]
    return sum(n for _, n in arrivals[1:]) / (last - first) if last > first else float("nan")
