"""Cues in a live session: block after block of trials with feedback, until the session ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Self

from bci.paradigm.protocol import CalibrationProtocol
from bci.paradigm.timeline import CUE_STREAM, cue_fields
from bci.stream.bus import Clock
from bci.stream.lsl import LslTextOutlet

FEEDBACK_AFTER_S = 0.5
LEAD_S = 3.0
"""From the beginning of the session to the first trial."""


class Cueing:
    """Sends the cues of a protocol on the stream ``cues``, each at the time it is due. A context manager.

    The stream is there at once, so that it can be recorded; cues come from :meth:`begin` on.

    Parameters
    ----------
    protocol : CalibrationProtocol
    clock : Clock
    seed : int
        Of the order of trials and of the pauses.
    """

    def __init__(self, protocol: CalibrationProtocol, clock: Clock, seed: int = 1) -> None:
        self._protocol, self._clock, self._seed = protocol, clock, seed
        self._outlet = LslTextOutlet(CUE_STREAM, "Markers", f"{CUE_STREAM}-live-{seed}", cue_fields(protocol.names()))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, name="cues", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def begin(self) -> None:
        """Begin to send cues now."""
        self._thread.start()

    def close(self) -> None:
        """Stop sending cues. May be called twice."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._outlet.close()

    def _send(self) -> None:
        for due_s, text in timeline(self._protocol, self._seed, self._clock.now() + LEAD_S):
            if self._over.wait(max(0.0, due_s - self._clock.now())):
                return
            self._outlet.push(text, due_s)


def with_feedback(protocol: CalibrationProtocol) -> CalibrationProtocol:
    """The protocol itself where it has feedback; else with feedback from half a second after the cue on."""
    times = protocol.paradigm
    if times.feedback_s is not None:
        return protocol
    return replace(protocol, paradigm=replace(times, feedback_s=times.cue_s + FEEDBACK_AFTER_S))


def timeline(protocol: CalibrationProtocol, seed: int, begin_s: float) -> Iterator[tuple[float, str]]:
    """When each marker is due, and its text, without end.

    Parameters
    ----------
    protocol : CalibrationProtocol
    seed : int
    begin_s : float
        Of the first trial.
    """
    number = count()
    for block in count():
        for class_ in protocol.order(seed, block):
            for cue in protocol.trial(class_):
                yield begin_s + cue.time_s, cue.marker
            begin_s += protocol.paradigm.stop_s + protocol.pause_s(seed, next(number))
