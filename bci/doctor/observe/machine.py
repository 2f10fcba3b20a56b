"""Clocks, Qt and serial ports of this computer."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

from bci.doctor.clocks import ClockFacts
from bci.doctor.ports import PortFacts
from bci.doctor.windows import PACKAGES, WindowFacts
from bci.processes.scheduling import permitted
from bci.stream.lsl import local_clock

READINGS = 5000
NAPS = 40
NAP_S = 0.001
LINUX_PROCESSES = Path("/proc")


def clock_facts() -> ClockFacts:
    """What LSL's clock and a short sleep are like."""
    apart = local_clock() - time.monotonic()
    readings = [local_clock() for _ in range(READINGS)]
    steps = [b - a for a, b in pairwise(readings)]
    late = sorted(_nap() for _ in range(NAPS))
    return ClockFacts(
        step_s=min((s for s in steps if s > 0), default=1.0),
        backward_s=max(0.0, -min(steps)),
        drift_s=local_clock() - time.monotonic() - apart,
        oversleep_s=late[NAPS // 2],
        year=datetime.now().year,
        first=permitted(),
    )


def _nap() -> float:
    """By how much a short sleep is late, seconds."""
    began = time.perf_counter()
    time.sleep(NAP_S)
    return time.perf_counter() - began - NAP_S


def window_facts() -> WindowFacts:
    """What there is for windows; libraries are looked at where Qt needs them of the system, on Linux."""
    missing = tuple(name for name in PACKAGES if not _loads(name)) if sys.platform == "linux" else ()
    return WindowFacts(_qt(), sys.version_info[:2], missing, bool(os.environ.get("DISPLAY")))


def _qt() -> str:
    for package in ("PySide6-Essentials", "PySide6"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class User:
    """Who would open a port: user id (0: may all), and groups."""

    id: int
    groups: frozenset[int] = frozenset()


def this_user() -> User | None:
    """Who runs this process; None where the system knows no such numbers (Windows)."""
    if sys.platform == "win32":
        return None
    return User(os.geteuid(), frozenset((*os.getgroups(), os.getegid())))


def port_facts(named: Sequence[str] = ()) -> tuple[PortFacts, ...]:
    """Serial ports that are there, and those that a person named.

    Parameters
    ----------
    named : sequence of str
        Paths that have to be there.
    """
    from serial.tools import list_ports

    user = this_user()
    about = {p.device: (p.description if p.description != "n/a" else "", p.vid is not None) for p in list_ports.comports()}
    paths = dict.fromkeys((*named, *about))
    return tuple(
        one_port(path, user, about.get(path, ("", False))[0], path in named or about.get(path, ("", False))[1]) for path in paths
    )


def one_port(path: str, user: User | None, about: str = "", wanted: bool = True) -> PortFacts:
    """One port; it is not opened, because that resets some boards.

    Parameters
    ----------
    path : str
    user : User or None
        Whose permission counts.
    about : str
    wanted : bool
    """
    if sys.platform == "win32":
        return PortFacts(path, about, exists=bool(about), wanted=wanted)
    try:
        found = os.stat(path)
    except OSError:
        return PortFacts(path, about, exists=False, wanted=wanted)
    permitted = user is None or may_use(found, user)
    return PortFacts(path, about, True, permitted, _group(found.st_gid), wanted, _holders(path) if wanted else ())


def may_use(found: os.stat_result, user: User) -> bool:
    """Whether the mode of a file lets a user read and write it.

    Parameters
    ----------
    found : os.stat_result
        Of the file.
    user : User
        Whose rights count.
    """
    if user.id == 0:
        return True
    if found.st_uid == user.id:
        needed = stat.S_IRUSR | stat.S_IWUSR
    elif found.st_gid in user.groups:
        needed = stat.S_IRGRP | stat.S_IWGRP
    else:
        needed = stat.S_IROTH | stat.S_IWOTH
    return found.st_mode & needed == needed


def _group(number: int) -> str:
    if sys.platform == "win32":
        return ""
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _holders(path: str) -> tuple[str, ...]:
    """Other programs that hold a file open, as far as this user may see."""
    if not LINUX_PROCESSES.is_dir():
        return ()
    wanted = os.path.realpath(path)
    others = (p for p in LINUX_PROCESSES.iterdir() if p.name.isdecimal() and int(p.name) != os.getpid())
    return tuple(f"{_name(p)} (process {p.name})" for p in others if _holds(p, wanted))


def _holds(process: Path, wanted: str) -> bool:
    try:
        return any(os.readlink(link) == wanted for link in (process / "fd").iterdir())
    except OSError:
        return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"
