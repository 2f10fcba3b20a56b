"""What streams declare, and what they send while they are listened to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from bci.doctor.streams import DeclaredChannel, StreamFacts, Values
from bci.engine.chunk import FloatArray
from bci.errors import StreamError
from bci.progress import Progress, silent
from bci.stream.lsl import FoundStream, LslRawInlet, local_clock, this_host
from bci.stream.metadata import parse_header

CONNECT_S = 2.0
OFFSET_S = 2.0
LOOK_S = 0.02


@dataclass(slots=True)
class StreamObserver:
    """One stream that is listened to."""

    found: FoundStream
    inlet: LslRawInlet | None = None
    error: str = ""
    values: list[Values] = field(default_factory=list)
    stamps: list[FloatArray] = field(default_factory=list)
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    offset_s: float | None = None

    def open(self) -> None:
        """Connect."""
        try:
            self.inlet = LslRawInlet(self.found, timeout_s=CONNECT_S)
        except StreamError as error:
            self.error = str(error)

    def listen(self) -> None:
        """Take what has come."""
        if self.inlet is None or self.error:
            return
        try:
            pulled = self.inlet.pull(0.0)
        except StreamError as error:
            self.error = str(error)
            return
        if pulled is not None:
            self.arrivals.append((local_clock(), len(pulled[1])))
            self.stamps.append(pulled[1])
            if not isinstance(pulled[0], list):
                self.values.append(pulled[0])

    def close(self) -> None:
        """Ask for the clock, and disconnect."""
        if self.inlet is not None:
            answer = self.inlet.time_correction(OFFSET_S) if not self.error else None
            self.offset_s = answer[1] if answer else None
            self.inlet.close()


def listen(found: Sequence[FoundStream], seconds: float, told: Progress = silent) -> tuple[StreamFacts, ...]:
    """Listen to streams, all at once.

    Parameters
    ----------
    found : sequence of FoundStream
    seconds : float
        How long.
    told : callable
        Takes what is done and the share done.
    """
    ears = [StreamObserver(f) for f in found]
    for i, ear in enumerate(ears):
        told(f"connecting to {ear.found.name}", 0.2 * i / len(ears))
        ear.open()
    began = time.monotonic()
    while ears and (passed := time.monotonic() - began) < seconds:
        told(f"listening to {len(ears)} streams", 0.2 + 0.7 * passed / seconds)
        for ear in ears:
            ear.listen()
        time.sleep(LOOK_S)
    listened_s = time.monotonic() - began
    told("asking senders for their clocks", 0.9)
    with ThreadPoolExecutor(max(1, len(ears))) as pool:  # an answer takes up to a second
        list(pool.map(StreamObserver.close, ears))
    return tuple(_facts(ear, listened_s) for ear in ears)


def declared(header_xml: str) -> tuple[DeclaredChannel, ...]:
    """Channels as the header describes them, nothing corrected.

    Parameters
    ----------
    header_xml : str
        The sender's full header.
    """
    elements = parse_header(header_xml).findall("desc/channels/channel")
    return tuple(DeclaredChannel(_text(e, "label") or _text(e, "name"), _text(e, "type"), _text(e, "unit")) for e in elements)


def _facts(ear: StreamObserver, listened_s: float) -> StreamFacts:
    """All of one stream."""
    f, error = ear.found, ear.error
    channels: tuple[DeclaredChannel, ...] = ()
    if ear.inlet is not None:
        try:
            channels = declared(ear.inlet.header_xml)
        except StreamError as trouble:
            error = error or str(trouble)
    return StreamFacts(
        name=f.name,
        type=f.type,
        source_id=f.source_id,
        host=f.host,
        uid=f.uid,
        channel_format=f.channel_format,
        rate_hz=f.rate_hz,
        n_channels=f.n_channels,
        channels=channels,
        error=error,
        listened_s=listened_s,
        values=_joined(ear.values, np.empty((0, f.n_channels))),
        stamps=_joined(ear.stamps, np.empty(0)),
        arrivals=tuple(ear.arrivals),
        offset_s=ear.offset_s,
        unix_offset_s=time.time() - local_clock(),
        here=f.host == this_host(),
    )


def _joined(pieces: list[Any], none: Values) -> Values:
    return np.concatenate(pieces) if pieces else none


def _text(element: ET.Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()
