"""A recording decoded by the engine, with what people marked bad in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bci.engine.chunk import Chunk, hop_chunks
from bci.engine.engine import Engine
from bci.engine.outcome import Outcome
from bci.paradigm.cues import CueEvent
from bci.training.extraction import TrialEndMatcher
from bci.training.marked import UNMARKED, BadMarks, PendingMarks


def decode_recording(engine: Engine, raw: Chunk, marked: BadMarks) -> Iterator[Outcome]:
    """Decode a recording hop by hop; the engine is told which channels people marked bad, and when.

    Parameters
    ----------
    engine : Engine
    raw : Chunk
        As :meth:`~bci.stream.recorded_signal.RecordedSignal.chunk` gives it.
    marked : BadMarks

    Yields
    ------
    Outcome
    """
    p, frontend, begin = engine.preprocessing, engine.frontend, engine.consumed
    memory = p.window + (frontend.settling_blocks + 1) * p.hop
    marks: PendingMarks = marked.inputs(raw.stamps, engine.info.rate_hz, frontend.labels, memory)
    for piece in hop_chunks(raw, p.hop):
        for mark in marks.due(engine.consumed - begin + len(piece)):
            engine.apply(mark)
        yield from engine.outcomes(piece)
    for mark in marks.ended():
        engine.apply(mark)


def decode_at_cues(
    engine: Engine, raw: Chunk, cues: Sequence[CueEvent], stop_s: float, marked: BadMarks = UNMARKED
) -> list[tuple[CueEvent, Outcome | None]]:
    """Decode a recording, and pick the outcome of each cue: that of the first window that ends at or after cue + ``stop_s``.

    Parameters
    ----------
    engine : Engine
    raw : Chunk
        Samples in µV with their raw stamps.
    cues : sequence of CueEvent
        On the clock of the recording.
    stop_s : float
        End of the part of a trial that counts, seconds after the cue.
    marked : BadMarks
        What people marked bad.

    Returns
    -------
    list of (Trial, Outcome or None)
        In the order of the cues; None where the recording ended first or there was no outcome.
    """
    grid = TrialEndMatcher(cues, stop_s, 0.5 / engine.info.rate_hz)
    found: list[tuple[CueEvent, Outcome | None]] = []
    for outcome in decode_recording(engine, raw, marked):
        found += [(cue, outcome) for cue in grid.take(engine.end_of(outcome))]
    return found + [(cue, None) for cue in grid.left]
