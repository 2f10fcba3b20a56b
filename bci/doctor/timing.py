"""Does a stream come, at the rate it declares, with stamps of LSL's clock?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bci.doctor.finding import Finding, problem, warn
from bci.doctor.streams import StreamFacts
from bci.engine.stream_info import Channel, StreamInfo
from bci.engine.watch import RateWatch

DAY_S = 86400.0
OFF_S = 10.0
AHEAD_S = 0.1
SETTLE_S = 1.3
"""What :class:`RateWatch` leaves out at the start of what it measures, and a little more."""


def check_timing(s: StreamFacts) -> list[Finding]:
    """All that concerns when samples come and what stamps they carry.

    Parameters
    ----------
    s : StreamFacts
        One stream, with the stamps that were read.
    """
    if s.error:
        remedy = "Check that its program is running, and allow both programs in the firewalls of both computers."
        return [problem("connection", f"{s.title} answers, but cannot be read: {s.error}", remedy)]
    return [*_silence(s), *_rate(s), *_stamps(s), *_offset(s)]


def _silence(s: StreamFacts) -> Iterator[Finding]:
    if s.regular and not len(s.stamps):
        text = f"{s.title} sent nothing within {s.listened_s:.0f} s"
        yield problem("rate", text, "Start the measurement in the amplifier's program; if it hangs, restart it.")


def _rate(s: StreamFacts) -> Iterator[Finding]:
    """The declared rate, beside that at which samples arrive."""
    over_s = min(10.0, s.listened_s - SETTLE_S)
    if not s.regular or over_s < 1.0:
        return
    watch = RateWatch(StreamInfo(s.rate_hz, (Channel("any"),), name=s.name), over_s=over_s)
    verdicts = [v for time, n in s.arrivals if (v := watch.arrived(time, n)) is not None]
    if not verdicts or verdicts[-1].level == "ok":
        return
    v = verdicts[-1]
    text = f"{s.title} declares {v.declared_hz:g} Hz and delivers {v.effective_hz:.4g} Hz"
    remedy = "Set the device to the rate that it declares, or declare the true rate in a montage file (rate_hz)"
    remedy += "; if packets are lost on the way, bring the receiver nearer."
    yield (problem if v.level == "mismatch" else warn)("rate", text, remedy)


def _stamps(s: StreamFacts) -> Iterator[Finding]:
    """Stamps of another clock than LSL's."""
    if not len(s.stamps):
        return
    if not np.isfinite(s.stamps).all():
        yield problem(
            "stamps", f"{s.title} sends time stamps that are not numbers", "Correct its sender: let LSL set the time stamps."
        )
        return
    now = s.arrivals[-1][0]
    newest = float(np.median(s.stamps[-max(1, len(s.stamps) // 10) :]))
    age = now - newest - (s.offset_s or 0.0)
    remedy = "Let its sender use LSL's clock (local_clock), or give no time stamps: LSL then sets them."
    if abs(newest - (now + s.unix_offset_s)) < DAY_S and abs(age) > DAY_S:
        text = f"{s.title} uses the calendar time (unix time) for its time stamps, not LSL's clock"
        yield problem("stamps", text, remedy + " It cannot be aligned with other streams.")
    elif abs(age) > OFF_S:
        text = f"{s.title} has stamps that are {abs(age):.3g} s {'behind' if age > 0 else 'ahead of'} LSL's clock"
        yield problem("stamps", text, remedy)
    elif age < -AHEAD_S:
        yield warn("stamps", f"{s.title} has stamps {-age:.2f} s ahead of LSL's clock", remedy)


def _offset(s: StreamFacts) -> Iterator[Finding]:
    if s.offset_s is None:
        text = f"{s.title}: its sender does not answer requests for its clock"
        remedy = "Allow UDP between the computers (ports 16572 to 16604): without it, streams cannot be aligned."
        yield warn("clock", text, remedy)
