"""What a session was asked to read: what a person says of the signal, and which markers are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bci.settings import SessionConfig
from bci.stream.lsl import FoundStream, StreamQuery
from bci.stream.lsl.discovery import listing, markers_among
from bci.stream.montage import Montage, load_montage


def montage_of(config: SessionConfig) -> Montage | None:
    """Return what the montage file and the unit option say about the stream."""
    montage = load_montage(config.stream.montage) if config.stream.montage else None
    if config.stream.unit:
        montage = replace(montage or Montage(), unit=config.stream.unit)
    return montage


def markers_there(query: StreamQuery, found: Sequence[FoundStream], timeout_s: float, without: bool) -> list[str]:
    """Return notes for the person on the marker streams that were found.

    Raises
    ------
    StreamNotFound
        If there is none, and nobody said that they may be missing.
    StreamMismatch
        If they are signals.
    """
    if not found and without:
        return [
            f"there is no stream with {query} yet: the session starts without markers, and uses them as soon as the stream "
            "appears"
        ]
    markers = markers_among(query, found, timeout_s)
    return [f"markers come from {len(markers)} streams, all of which are read:{listing(markers)}"] if len(markers) > 1 else []
