"""What windows need of the system: Qt and the libraries it loads."""

from __future__ import annotations

from dataclasses import dataclass

from bci.doctor.finding import Finding, listed, ok, problem

ABORTS = "6.12.0"
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
}
"""Libraries that Qt's wheels leave to the system, and the Debian package of each; the first four always, the rest for X11."""
ALWAYS = 4


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """What there is for windows.

    Parameters
    ----------
    qt : str
        Version of PySide6; empty where it is not installed.
    python : tuple of int
        Major and minor version.
    missing : tuple of str
        Libraries that cannot be loaded, of those in ``PACKAGES``.
    display : bool
        Whether there is an X11 display; without one Qt draws off screen.
    """

    qt: str
    python: tuple[int, int]
    missing: tuple[str, ...] = ()
    display: bool = False


def check_windows(facts: WindowFacts) -> list[Finding]:
    """All that concerns Qt.

    Parameters
    ----------
    facts : WindowFacts
        Versions of Qt and Python.
    """
    if not facts.qt:
        return [ok("windows", "Qt is not installed; it is needed only for windows (extra: gui)")]
    found = []
    if facts.qt == ABORTS and facts.python <= (3, 11):
        text = f"PySide6 {ABORTS} aborts on Python 3.11 after it has painted some hundred times"
        found.append(problem("windows", text, "pip install 'PySide6-Essentials!=6.12.0'"))
    needed = list(PACKAGES)[: len(PACKAGES) if facts.display else ALWAYS]
    missing = [name for name in needed if name in facts.missing]
    if missing:
        packages = " ".join(PACKAGES[name] for name in missing)
        text = f"Qt cannot start, because these libraries are missing: {listed(missing, 9)}"
        found.append(
            problem(
                "windows",
                text,
                f"Debian, Ubuntu: apt-get install {packages}; on other systems, install the packages that contain them.",
            )
        )
    return found or [ok("windows", f"PySide6 {facts.qt} has the libraries it needs")]
