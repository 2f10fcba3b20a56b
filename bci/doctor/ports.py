"""Serial ports: may we open them, and who else holds them?"""

from __future__ import annotations

from dataclasses import dataclass

from bci.doctor.finding import Finding, listed, ok, problem, warn

GRABBERS = {
    "ModemManager": "checks for up to half a minute whether a new serial port is a modem",
    "brltty": "mistakes some USB serial chips for Braille displays",
}
"""Programs known to take hold of boards' serial ports."""


@dataclass(frozen=True, slots=True)
class PortFacts:
    """One serial port.

    Parameters
    ----------
    path : str
    about : str
        As the system describes it.
    exists, permitted : bool
        Whether it is there, and may be read and written.
    group : str
        To which it belongs, where the system has groups.
    wanted : bool
        Whether a person named it, or something is plugged in (a USB device); else it is the computer's own.
    holders : tuple of str
        Other programs that hold it open.
    """

    path: str
    about: str = ""
    exists: bool = True
    permitted: bool = True
    group: str = ""
    wanted: bool = True
    holders: tuple[str, ...] = ()


def check_ports(ports: tuple[PortFacts, ...], running: frozenset[str] = frozenset()) -> list[Finding]:
    """All that concerns serial ports.

    Parameters
    ----------
    ports : tuple of PortFacts
    running : frozenset of str
        Names of running programs.

    Returns
    -------
    list of Finding
    """
    wanted = [p for p in ports if p.wanted]
    found = [f for port in wanted for f in _port(port)]
    if any(p.exists for p in wanted):
        for name in sorted(GRABBERS.keys() & running):
            text = f"{name} is running: it {GRABBERS[name]}"
            found.append(warn("serial ports", text, f"Stop it while you use a board: sudo systemctl stop {name}"))
    return found or [
        ok("serial ports", listed(f"{p.path} ({p.about or 'no description'})" for p in wanted) or "nothing is plugged in")
    ]


def _port(port: PortFacts) -> list[Finding]:
    if not port.exists:
        text = f"{port.path} does not exist"
        return [problem("serial ports", text, "Plug the device in and check its name (bci doctor lists the ports that exist).")]
    if not port.permitted:
        group = port.group or "its owner"
        remedy = (
            f"sudo usermod -a -G {group} $USER, then log in again." if port.group else "Ask for permission to read and write it."
        )
        return [problem("serial ports", f"{port.path} belongs to {group}; you may not read and write it", remedy)]
    if port.holders:
        text = f"{port.path} is used by {listed(port.holders)}"
        return [
            problem(
                "serial ports",
                text,
                "Close that program: two programs that read the same port each get only a part of the bytes.",
            )
        ]
    return []
