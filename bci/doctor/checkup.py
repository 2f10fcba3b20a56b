"""All checks: from facts to findings, by section."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bci.doctor.clocks import ClockFacts, check_clocks
from bci.doctor.discovery import DiscoveryFacts, check_discovery
from bci.doctor.finding import LEVELS, Finding, ok, worst
from bci.doctor.identity import check_names, check_types
from bci.doctor.network import NetworkFacts, check_network
from bci.doctor.ports import PortFacts, check_ports
from bci.doctor.signals import check_signal
from bci.doctor.streams import StreamFacts
from bci.doctor.timing import check_timing
from bci.doctor.windows import WindowFacts, check_windows

PROBLEM_EXIT = 11


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was observed."""

    discovery: DiscoveryFacts
    network: NetworkFacts
    clocks: ClockFacts
    streams: tuple[StreamFacts, ...]
    windows: WindowFacts
    ports: tuple[PortFacts, ...]
    running: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the examination."""

    title: str
    findings: tuple[Finding, ...]


def examine(facts: Facts) -> tuple[Section, ...]:
    """Run all checks.

    Parameters
    ----------
    facts : Facts
        What was observed.
    """
    return (
        Section("LSL", tuple(check_discovery(facts.discovery))),
        Section("network", tuple(check_network(facts.network))),
        Section("clocks", tuple(check_clocks(facts.clocks))),
        Section("streams", tuple(check_streams(facts.streams))),
        Section("windows", tuple(check_windows(facts.windows))),
        Section("serial ports", tuple(check_ports(facts.ports, facts.running))),
    )


def check_streams(streams: Iterable[StreamFacts]) -> list[Finding]:
    """All streams: each by itself, and beside the others.

    Parameters
    ----------
    streams : iterable of StreamFacts
        What was observed of each.
    """
    streams = tuple(streams)
    found = check_names(streams)
    for s in streams:
        own = [*check_timing(s), *check_types(s), *check_signal(s)]
        about = f"{len(s.stamps)} samples in {s.listened_s:.0f} s, {s.n_channels} channels"
        found += own or [ok(s.type or "stream", f"{s.title}: {about}" + (f", {s.rate_hz:g} Hz" if s.regular else ""))]
    return found or [ok("streams", "none answered")]


def trouble(sections: Iterable[Section]) -> list[Finding]:
    """All findings that are not ok, the worst first.

    Parameters
    ----------
    sections : iterable of Section
        Of the whole check-up.
    """
    found = [f for section in sections for f in section.findings if f.level != "ok"]
    return sorted(found, key=lambda f: -LEVELS.index(f.level))


def exit_code(sections: Iterable[Section]) -> int:
    """0, or ``PROBLEM_EXIT`` where something will not work.

    Parameters
    ----------
    sections : iterable of Section
        Of the whole check-up.
    """
    return PROBLEM_EXIT if worst(trouble(sections)) == "problem" else 0


def as_json(sections: Iterable[Section]) -> dict[str, Any]:
    """Everything, for programs.

    Parameters
    ----------
    sections : iterable of Section
        Of the whole check-up.
    """
    sections = tuple(sections)
    rows = [
        {"section": s.title, "topic": f.topic, "level": f.level, "what": f.what, "remedy": f.remedy}
        for s in sections
        for f in s.findings
    ]
    count = {level: sum(row["level"] == level for row in rows) for level in LEVELS}
    return {"v": 1, "verdict": worst(trouble(sections)), "count": count, "findings": rows}
