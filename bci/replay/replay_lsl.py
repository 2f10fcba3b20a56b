"""Recorded samples on their way to the engine through LSL, as in the session they come from."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.stream_info import StreamInfo
from bci.errors import StreamLost
from bci.stream.lsl import LslOutlet, LslSignalInlet, StreamQuery, resolve

PATIENCE_S = 5.0
LONGEST_S = 0.06


@contextmanager
def through_lsl(info: StreamInfo, speed: float = 1.0) -> Iterator[Callable[[Chunk, int], Iterator[Chunk]]]:
    """A feed for :func:`bci.replay.replay.verify` that sends samples over LSL, stamps unchanged.

    Parameters
    ----------
    info : StreamInfo
        Of the recorded stream.
    speed : float
        Times real time.
    """
    channels = tuple(replace(c, unit="uV") for c in info.channels)
    source_id = f"replay-{uuid.uuid4().hex[:12]}"
    outlet = LslOutlet(replace(info, channels=channels, name="replay", source_id=source_id))
    inlet = LslSignalInlet(resolve(StreamQuery(source_id=source_id)))
    outlet.wait_for_consumers(PATIENCE_S)
    rng = np.random.default_rng(0)

    def feed(raw: Chunk, limit: int) -> Iterator[Chunk]:
        sent, due = 0, time.monotonic()
        received = 0
        while received < limit:
            if sent < limit:
                n = min(limit - sent, 1 + int(rng.integers(max(1, round(LONGEST_S * info.rate_hz)))))
                outlet.push_chunk(raw.data[sent : sent + n], raw.stamps[sent : sent + n])
                sent += n
                due += n / info.rate_hz / speed
                time.sleep(max(0.0, due - time.monotonic()))
            chunk = inlet.pull(0.0 if sent < limit else PATIENCE_S)
            if chunk is not None:
                received += len(chunk)
                yield chunk
            elif sent == limit:
                raise StreamLost(f"only {received} of {limit} samples came back through LSL within {PATIENCE_S:g} s")

    try:
        yield feed
    finally:
        inlet.close()
        outlet.close()
