"""How a recorder works: its periods and its limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """Settings of a recorder.

    Parameters
    ----------
    period_s : float
        Time between two pulls of all inlets, seconds: what comes in between becomes one chunk.
    offset_every_s : float
        Time between two measurements of a stream's clock offset, seconds.
    boundary_every_s, sync_every_s : float
        Time between boundary chunks, and between two calls that put everything on the disk, seconds.
    limit_bytes : int
        The most bytes that may wait to be written.
    """

    period_s: float = 0.1
    offset_every_s: float = 5.0
    boundary_every_s: float = 10.0
    sync_every_s: float = 1.0
    limit_bytes: int = 256 << 20
