"""The certificate: everything that was measured, judged and stated, for programs and for people."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bci.certify.delays import SignalDelays
from bci.certify.device_classes import DeviceClass
from bci.certify.limits import LimitCheck, Limits, jitter_ms, judge
from bci.certify.loopback import Loopback
from bci.certify.stages import STAGES, Measured, block_medians, spread
from bci.model.fingerprint import fingerprint
from bci.model.header import ModelHeader

FAIL_EXIT = 12
CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """One certified run.

    Parameters
    ----------
    measured : Measured
    limits : Limits
    delays : SignalDelays
    device : DeviceClass
    chain : mapping of str to str
        What was certified, in words.
    loop : Loopback or None
    load : tuple of float
        Of the computer before and after, in running processes; empty where the system does not say.
    """

    measured: Measured
    limits: Limits
    delays: SignalDelays
    device: DeviceClass
    chain: Mapping[str, str]
    loop: Loopback | None = None
    load: tuple[float, ...] = ()

    @property
    def lines(self) -> tuple[LimitCheck, ...]:
        """Each limit beside what was found."""
        return judge(self.measured, self.limits, self.loop)

    @property
    def passed(self) -> bool:
        """Whether every limit was kept."""
        return all(line.passed for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs; numbers that are none are null."""
        m = self.measured
        loop = self.loop
        found = {
            "v": 1,
            "kind": "certificate",
            "passed": self.passed,
            "limits": [{**asdict(line), "passed": line.passed} for line in self.lines],
            "stages_ms": {name: asdict(spread(m.delays[name])) for name in STAGES},
            "p50_ms_of_blocks": block_medians(m.delays["whole"]),
            "jitter_p99_ms": jitter_ms(m),
            "hop_ms": 1e3 * m.hop_s,
            "decisions": m.decisions,
            "undecoded": m.undecoded,
            "missing": m.missing,
            "late": m.late,
            "lost_samples": m.lost_samples,
            "samples": m.samples,
            "seconds": m.seconds,
            "apart": {**asdict(self.delays), "device": asdict(self.device)},
            "loopback": None if loop is None else _loop_json(loop),
            "chain": dict(self.chain),
            "machine": machine(),
            "load": list(self.load),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return dict(_finite(found))


def _loop_json(loop: Loopback) -> dict[str, Any]:
    delays = asdict(spread(loop.delays)) if len(loop.delays) else None
    return {"delay_ms": delays, "sent": loop.sent, "missed": loop.missed, "unasked": loop.unasked}


def describe(header: ModelHeader, source: str, sha256: str) -> dict[str, str]:
    """Describe the chain in words.

    Parameters
    ----------
    header : ModelHeader
        Of the model.
    source : str
        Where the samples come from, for people.
    sha256 : str
        Of the model file.
    """
    p = header.preprocessing
    bands = ", ".join(f"{low:g} to {high:g} Hz" for low, high in p.bands)
    return {
        "source": source,
        "channels": f"{len(p.labels)} at {p.rate_hz:g} Hz ({', '.join(p.labels)})",
        "reference": p.reference,
        "filters": bands + (f", notch {p.notch_hz:g} Hz" if p.notch_hz else ""),
        "decoder": f"{header.decoder} (kernel {header.kernel})",
        "classes": ", ".join(header.classes),
        "model": sha256,
        "processes": "device, recorder, engine and receiver, each its own, joined by LSL",
    }


def machine() -> dict[str, str]:
    """Which computer these figures are of."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count() or "unknown"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{key: text for key, text in fingerprint().items() if key in ("blas", "numpy", "scipy", "bci")},
    }


def load() -> tuple[float, ...]:
    """Running processes over the last minute, where the system says."""
    return (round(os.getloadavg()[0], 2),) if hasattr(os, "getloadavg") else ()


def _processor() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _finite(value: Any) -> Any:
    """The same with null for what is no finite number, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(x) for x in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
