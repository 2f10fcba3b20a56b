"""Checks of this machine's clocks, and of the priority that its processors give us."""

from __future__ import annotations

from dataclasses import dataclass

from bci.doctor.finding import Finding, ok, problem, warn

COARSE_S = 0.001
LATE_S = 0.004
APART_S = 0.001
FIRST_YEAR = 2024
ALLOW = (
    "On Linux, let your user use real-time scheduling: `USER - rtprio 20` in /etc/security/limits.d/bci.conf, then log in "
    "again (docs/results/performance.md)."
)


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """What was measured of the clocks.

    Parameters
    ----------
    step_s : float
        Smallest step of LSL's clock.
    backward_s : float
        Largest step backward.
    drift_s : float
        By how much LSL's clock and the system's monotonic one moved apart while the doctor worked.
    oversleep_s : float
        By how much a sleep of 1 ms is late (median).
    year : int
        On the calendar.
    first : bool
        Whether sources, engine and guard go before other programs.
    """

    step_s: float
    backward_s: float
    drift_s: float
    oversleep_s: float
    year: int
    first: bool


def check_clocks(facts: ClockFacts) -> list[Finding]:
    """All that concerns this machine's clocks.

    Parameters
    ----------
    facts : ClockFacts
        What was measured.
    """
    found = []
    if facts.backward_s > 0:
        text = f"LSL's clock ran backward by {1e3 * facts.backward_s:.3g} ms"
        found.append(
            problem("clock", text, "Update the system (or its virtual machine): time stamps of this computer cannot be trusted.")
        )
    if facts.step_s > COARSE_S:
        text = f"LSL's clock moves in steps of {1e3 * facts.step_s:.3g} ms"
        found.append(problem("clock", text, "Update the system; on Windows, enable the high precision event timer."))
    if abs(facts.drift_s) > APART_S:
        text = f"LSL's clock and the system's monotonic clock moved apart by {1e3 * facts.drift_s:.3g} ms during this check"
        found.append(warn("clock", text, "Do not let the computer sleep; in a virtual machine, turn time synchronisation off."))
    if facts.oversleep_s > LATE_S:
        text = f"a sleep of 1 ms takes {1e3 * facts.oversleep_s:.1f} ms longer"
        found.append(warn("timers", text, "Close other programs, and use the power plan for high performance."))
    if facts.year < FIRST_YEAR:
        text = f"the calendar says {facts.year}: recordings will have a wrong date"
        found.append(warn("calendar", text, "Set date and time, or switch on their synchronisation over the network."))
    if not facts.first:
        text = "the engine has no priority over other programs: beside them, one decision in a hundred is milliseconds later"
        found.append(warn("scheduling", text, ALLOW))
    late = f"steps below {max(1e6 * facts.step_s, 0.1):.1f} µs, a sleep is {1e3 * facts.oversleep_s:.1f} ms late"
    return found or [ok("clock", late)]
