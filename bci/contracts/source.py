"""What every source must keep to; run it on your own before you ship it.

:func:`source_breaches` returns one line for every breach it found, so ``assert not source_breaches(...)``
is a test. An exception that a source raises where it must not is let through: it is the breach.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import StreamError
from bci.stream.bus import Source

TYPES = ("EEG", "EOG", "EMG", "AUX", "TRIG")
UNITS = ("uV", "mV", "V", "")
LARGEST_UV = 1e6
READ_S = 0.5
"""What one read may wait for."""


def source_breaches(open_source: Callable[[], Source], seconds: float = 2.0) -> list[str]:
    """Return how a source breaks its contract while its device works properly.

    Parameters
    ----------
    open_source : callable
        Opens the source anew; it is called twice.
    seconds : float
        Signal to read, by its own stamps.

    Returns
    -------
    list of str
    """
    source = open_source()
    try:
        found = list(_info_breaches(source.info))
        if found:
            return found  # what is read cannot be judged by such an info
        chunks = read_for(source, seconds)
        found += _chunk_breaches(chunks, source.info)
        found += _ownership_breaches(source, chunks)
    finally:
        source.close()
    found += _closing_breaches(source)
    again = open_source()
    try:
        if again.info != source.info:
            found.append(
                f"info differs when opened again, so nobody finds the device after a loss: {again.info} and {source.info}"
            )
    finally:
        again.close()
    return found


def read_for(source: Source, seconds: float) -> list[Chunk]:
    """Read chunks that cover ``seconds``; give up after ten times as many reads without any.

    Parameters
    ----------
    source : Source
        Opened.
    seconds : float
        Signal to read, by the number of samples.
    """
    chunks: list[Chunk] = []
    wanted, got, silent = round(seconds * source.info.rate_hz), 0, 0
    while got < wanted and silent < 10 * seconds / READ_S:
        chunk = source.read(READ_S)
        if chunk is None:
            silent += 1
        else:
            chunks.append(chunk)
            got += len(chunk)
    return chunks


def _info_breaches(info: StreamInfo) -> Iterator[str]:
    if not (math.isfinite(info.rate_hz) and info.rate_hz > 0):
        yield f"info.rate_hz = {info.rate_hz}: must be positive and finite"
    if not info.source_id:
        yield "info.source_id is empty: recovery after a loss needs it"
    if not info.name:
        yield "info.name is empty: nobody can choose the stream"
    if not info.channels:
        yield "info.channels is empty"
    if len({canonical(label) for label in info.labels}) < len(info.labels):
        yield f"labels {', '.join(info.labels)}: each must be unique"
    for channel in info.channels:
        if not channel.label or channel.type not in TYPES or channel.unit not in UNITS:
            yield f"{channel}: needs a label, a type of {', '.join(TYPES)} and a unit of uV, mV, V"
        if channel.position is not None and not 0.03 < math.hypot(*channel.position) < 0.25:
            yield f"{channel}: its position is not on a head; it is in metres"


def _chunk_breaches(chunks: list[Chunk], info: StreamInfo) -> Iterator[str]:
    if not chunks:
        yield "no sample came"
        return
    for number, chunk in enumerate(chunks):
        if chunk.data.dtype != np.float64 or chunk.stamps.dtype != np.float64:
            yield f"chunk {number}: data and stamps must be float64, not {chunk.data.dtype} and {chunk.stamps.dtype}"
        if chunk.data.shape != (len(chunk.stamps), len(info.channels)) or not len(chunk.stamps):
            yield f"chunk {number}: shape {chunk.data.shape} with {len(chunk.stamps)} stamps and {len(info.channels)} channels"
        elif not np.isfinite(chunk.data).all() or not np.isfinite(chunk.stamps).all():
            yield f"chunk {number}: data and stamps of a working device are finite"
    data = np.concatenate([c.data for c in chunks])
    eeg = [i for i, c in enumerate(info.channels) if c.type == "EEG"]
    if eeg and not 0.01 < float(np.median(np.ptp(data[:, eeg], axis=0))) < LARGEST_UV:
        yield f"EEG spans {np.ptp(data[:, eeg], axis=0)}: that is no EEG in microvolts"
    yield from _stamp_breaches(np.concatenate([c.stamps for c in chunks]), info)


def _stamp_breaches(stamps: FloatArray, info: StreamInfo) -> Iterator[str]:
    if not info.sample_clock or len(stamps) < 2:
        return
    steps = np.diff(stamps) * info.rate_hz
    if not np.all(steps > 0.5):
        yield "sample_clock is declared, but stamps do not rise by a sample each"
    whole = np.round(steps)
    if np.any(np.abs(steps - whole) > 1e-3 * np.maximum(whole, 1)):  # a clock that follows the device bends a gap as a whole
        yield "sample_clock is declared, but steps of the stamps are not whole samples"


def _ownership_breaches(source: Source, chunks: list[Chunk]) -> Iterator[str]:
    if not chunks:
        return
    before = chunks[-1].data.tobytes()
    following = read_for(source, 2 / source.info.rate_hz)
    if chunks[-1].data.tobytes() != before:
        yield "reading on changed a chunk that was delivered before"
    if following and following[0].stamps[0] == chunks[-1].stamps[0]:
        yield "the same samples were delivered twice"


def _closing_breaches(source: Source) -> Iterator[str]:
    source.close()  # for the second time: must not raise
    try:
        source.read(0.0)
    except StreamError:
        return
    yield "read() after close() must raise StreamError"
