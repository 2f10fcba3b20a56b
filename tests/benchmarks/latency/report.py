"""From received decisions to the table."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latency import task

FloatArray = npt.NDArray[np.float64]
PACKAGES = ("numpy", "scipy", "scikit-learn", "pyriemann", "pylsl", "mne-lsl", "ezmsg", "ezmsg-lsl", "ezmsg-sigproc", "numba")


@dataclass(slots=True)
class Blocks:
    """What one contestant's decisions showed, block by block.

    Parameters
    ----------
    name : str
    rows : list of ndarray, shape (n_decisions, 3)
        Stamp of the newest sample used, time pushed, time received; seconds.
    silent : int
        Windows that were not decoded while measuring.
    missing : str
        Which packages are not installed.
    failures : list of str
        Turns that gave nothing, and why.
    """

    name: str
    rows: list[FloatArray] = field(default_factory=list)
    silent: int = 0
    missing: str = ""
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Latency:
    """One line of the table, milliseconds.

    Parameters
    ----------
    p50, p95, p99, max : float
        From the push of the newest sample to the decision at the receiver.
    p50_sent, p99_sent : float
        Of it, until the decision was handed to LSL.
    p50_return : float
        Of it, from there to the receiver.
    p50_blocks : list of float
        Median of each block: how steady the machine was.
    n_decisions, n_silent : int
    """

    p50: float
    p95: float
    p99: float
    max: float
    p50_sent: float
    p99_sent: float
    p50_return: float
    p50_blocks: list[float]
    n_decisions: int
    n_silent: int


def pushed_at(claimed: FloatArray, sent: FloatArray) -> FloatArray:
    """When the samples that decisions claim to be based on were pushed.

    A peer may carry time as a start and a rate, so what it claims can be off by the sender's jitter. And a
    sample waits in the sender until its chunk is full, which is no contestant's doing.

    Parameters
    ----------
    claimed : ndarray, shape (n_decisions,)
    sent : ndarray, shape (n_samples, 2)
        Stamp and time of pushing of every sample.

    Raises
    ------
    ValueError
        If a claimed stamp is more than half a sample away from every sample that was sent.
    """
    stamps = sent[:, 0]
    after = np.clip(np.searchsorted(stamps, claimed), 1, len(stamps) - 1)
    nearest = np.where(claimed - stamps[after - 1] < stamps[after] - claimed, after - 1, after)
    worst = np.abs(stamps[nearest] - claimed).max(initial=0.0)
    if worst > 0.5 / task.RATE_HZ:
        raise ValueError(f"a decision claims a sample that is {1e3 * worst:.1f} ms away from every sample sent")
    return np.asarray(sent[nearest, 1])


def latency(blocks: Blocks, sent: FloatArray) -> Latency | None:
    """Percentiles over all blocks; None where there was no decision.

    Parameters
    ----------
    blocks : Blocks
    sent : ndarray, shape (n_samples, 2)
        Stamp and time of pushing of every sample.
    """
    rows = [rows for rows in blocks.rows if len(rows)]
    if not rows:
        return None
    stamps = [pushed_at(part[:, 0], sent) for part in rows]
    total = [1e3 * (part[:, 2] - stamp) for part, stamp in zip(rows, stamps, strict=True)]
    pushed = np.concatenate([1e3 * (part[:, 1] - stamp) for part, stamp in zip(rows, stamps, strict=True)])
    back = np.concatenate([1e3 * (part[:, 2] - part[:, 1]) for part in rows])
    everything = np.concatenate(total)
    p50, p95, p99 = np.percentile(everything, (50, 95, 99))
    return Latency(
        p50=float(p50),
        p95=float(p95),
        p99=float(p99),
        max=float(everything.max()),
        p50_sent=float(np.median(pushed)),
        p99_sent=float(np.percentile(pushed, 99)),
        p50_return=float(np.median(back)),
        p50_blocks=[float(np.median(part)) for part in total],
        n_decisions=len(everything),
        n_silent=blocks.silent,
    )


def machine() -> dict[str, Any]:
    """Where these numbers come from."""
    import pylsl

    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "liblsl": pylsl.library_version() / 100,
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _cpu() -> str:
    """The processor's name."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def table(results: dict[str, Latency | str], base: str) -> str:
    """The table in Markdown; a contestant without numbers says why."""
    of_base = results.get(base)
    lines = [
        f"| | p50 ms | p95 | p99 | max | p50 / {base} | p50 until sent | p50 way back | blocks' p50 | decisions | not decoded |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        if isinstance(found, str):
            lines.append(f"| {name} | {found} |")
            continue
        ratio = f"{found.p50 / of_base.p50:.2f}" if isinstance(of_base, Latency) else ""
        spread = f"{min(found.p50_blocks):.2f}–{max(found.p50_blocks):.2f}"
        lines.append(
            f"| {name} | {found.p50:.2f} | {found.p95:.2f} | {found.p99:.2f} | {found.max:.2f} | {ratio} | {found.p50_sent:.2f} "
            f"| {found.p50_return:.2f} | {spread} | {found.n_decisions} | {found.n_silent} |"
        )
    return "\n".join(lines)


def shares(ours: Latency, echo: Latency) -> str:
    """How much of ours is the way there and back, and how much is work."""
    work = ours.p50_sent - echo.p50_sent
    back = ours.p50_return - echo.p50_return
    return (
        f"Of our p50 of {ours.p50:.2f} ms the transport alone takes {echo.p50:.2f} ms (echo). From the sample to the decision "
        f"handed to LSL we take {work:+.2f} ms against the echo, on the way back {back:+.2f} ms."
    )


def as_json(results: dict[str, Latency | str], about: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured."""
    found = {name: {"trouble": r} if isinstance(r, str) else asdict(r) for name, r in results.items()}
    return {**about, "machine": machine(), "contestants": found}
