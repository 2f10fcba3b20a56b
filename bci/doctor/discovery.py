"""Can LSL find streams at all, and what does its configuration hide?"""

from __future__ import annotations

from dataclasses import dataclass, field

from bci.doctor.finding import Finding, listed, ok, problem, warn
from bci.stream.lsl_config import BASE_PORT, OUTLET_PORTS, PORT_RANGE, SESSION_PORTS, Ports

SLOW_S = 2.0
OLD_LIBRARY = 116


@dataclass(frozen=True, slots=True)
class DiscoveryFacts:
    """How LSL finds streams here.

    Parameters
    ----------
    found_after_s : float or None
        Time until a stream of our own was found; None where it was not.
    library : int
        Version of liblsl, 118 for 1.18.
    configs : tuple of str
        Configuration files that exist, in liblsl's order: it reads the first.
    problems : tuple of str
        What is wrong with the one it reads.
    session, scope : str
        ``SessionID`` and ``ResolveScope`` there.
    ports : Ports
        Those through which streams of this machine can be found.
    streams_here, streams_elsewhere : int
        Streams of this machine and of others that answered.
    """

    found_after_s: float | None
    library: int
    configs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    session: str = "default"
    scope: str = "site"
    ports: Ports = field(default_factory=lambda: Ports(BASE_PORT, PORT_RANGE, PORT_RANGE, "lsl_api.cfg"))
    streams_here: int = 0
    streams_elsewhere: int = 0


def check_discovery(facts: DiscoveryFacts) -> list[Finding]:
    """All that concerns finding streams.

    Parameters
    ----------
    facts : DiscoveryFacts
        What was observed of liblsl and its configuration.
    """
    return [*_loop(facts), *_configuration(facts), *_ports(facts)]


def _loop(facts: DiscoveryFacts) -> list[Finding]:
    """A stream of our own, as the plainest test."""
    if facts.found_after_s is None:
        remedy = "Allow this program in the firewall on the loopback interface, and check whether lsl_api.cfg forbids it."
        return [problem("discovery", "a stream that was opened on this computer is not found on it", remedy)]
    found = []
    if facts.found_after_s > SLOW_S:
        text = f"a stream of this computer was found only after {facts.found_after_s:.1f} s"
        found.append(warn("discovery", text, "Close programs that hold many streams open, or raise PortRange in lsl_api.cfg."))
    if facts.library < OLD_LIBRARY:
        text = f"liblsl {facts.library // 100}.{facts.library % 100} is old"
        found.append(warn("discovery", text, "pip install --upgrade pylsl"))
    n = facts.streams_here + facts.streams_elsewhere
    return found or [ok("discovery", f"a test stream was found in {facts.found_after_s:.1f} s; {n} other streams answered")]


def _configuration(facts: DiscoveryFacts) -> list[Finding]:
    """What lsl_api.cfg says, and whether it can be why nothing is seen."""
    found = [
        problem("lsl_api.cfg", f"{facts.configs[0]}: {text}", "Correct that line, or remove the file.") for text in facts.problems
    ]
    if len(facts.configs) > 1:
        text = f"there are {len(facts.configs)} files; liblsl reads {facts.configs[0]} and ignores {listed(facts.configs[1:])}"
        found.append(warn("lsl_api.cfg", text, "Keep one of them."))
    hidden = _hidden(facts)
    if hidden and facts.configs and not facts.streams_here + facts.streams_elsewhere:
        text = f"no stream answered, and {facts.configs[0]} sets {hidden}"
        found.append(warn("lsl_api.cfg", text, "Give the sending program the same settings, or remove these."))
    return found or [ok("lsl_api.cfg", f"{facts.configs[0]} ({hidden or 'nothing hidden'})" if facts.configs else "none")]


def _hidden(facts: DiscoveryFacts) -> str:
    """Settings that hide streams."""
    session = "" if facts.session in ("", "default") else f"SessionID = {facts.session}"
    scope = f"ResolveScope = {facts.scope}" if facts.scope in ("machine", "link") else ""
    return ", ".join(x for x in (session, scope) if x)


def _ports(facts: DiscoveryFacts) -> list[Finding]:
    """Judge the ports: those of a machine's streams are in a short range, and liblsl finds nothing beyond it."""
    text = f"{facts.ports}; {facts.streams_here} streams of this computer answered"
    if facts.ports.free >= SESSION_PORTS:
        return [ok("ports", text)]
    level = problem if facts.ports.free < OUTLET_PORTS else warn
    return [level("ports", f"{text}; a session of bci takes up to {SESSION_PORTS}", facts.ports.few)]
