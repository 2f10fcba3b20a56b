"""What windows look at in tests: an amplifier whose every sample is known, and the streams of an engine."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import Any

import numpy as np
from PySide6.QtWidgets import QLabel, QWidget

from bci.engine.outcome import fields
from bci.engine.stream_info import Channel, StreamInfo
from bci.stream import messages
from bci.stream.lsl import LslMarkerInlet, LslOutlet, LslTextOutlet, StreamQuery, local_clock, resolve
from bci.stream.metadata import row_info
from gui.context import Context

ROWS = {"outcomes": "BCI-Outcome", "decisions": "BCI-Decision", "timing": "BCI-Timing"}
TEXTS = {"events": "BCI-Event", "state": "BCI-State", "guard": "BCI-Guard", "commands": "BCI-Command"}
LABELS = ("Fz", "C3", "Cz", "C4", "Pz", "O1", "Oz", "O2")


def cut_off(window: QWidget) -> list[str]:
    """Words that a window shows and that do not fit into their place, but for those that may end in an ellipsis."""
    labels = [x for x in window.findChildren(QLabel) if x.isVisible() and not x.wordWrap() and not getattr(x, "_elastic", False)]
    return [x.text() for x in labels if x.width() < x.fontMetrics().horizontalAdvance(x.text())]


class Subject:
    """Noise of an EEG's size with 10 Hz at the back and mains hum on one channel.

    Parameters
    ----------
    labels : tuple of str
    rate_hz : float
    name, source_id : str
    hum_uv : dict
        Amplitude of 50 Hz by label.
    flat : tuple of str
        Channels that carry nothing.
    """

    def __init__(
        self,
        labels: tuple[str, ...] = LABELS,
        rate_hz: float = 250.0,
        name: str = "amplifier",
        source_id: str = "",
        hum_uv: dict[str, float] | None = None,
        flat: tuple[str, ...] = (),
    ) -> None:
        self.info = StreamInfo(
            rate_hz,
            tuple(Channel(x) for x in labels),
            source_id=source_id or f"{name}-{uuid.uuid4().hex[:8]}",
            name=name,
            sample_clock=True,
        )
        self._hum, self._flat = hum_uv or {}, flat
        self._outlet = LslOutlet(self.info)
        self.skip = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def lose(self, samples: int) -> None:
        """Leave out so many samples, once."""
        self.skip = samples

    def close(self) -> None:
        """End the stream."""
        self._closing.set()
        self._thread.join()
        self._outlet.close()

    def _send(self) -> None:
        rng, rate = np.random.default_rng(0), self.info.rate_hz
        labels, sent, began = self.info.labels, 0, local_clock()
        n = max(1, round(rate * 0.02))
        while not self._closing.is_set():
            at = sent + np.arange(n)
            data = rng.normal(0, 6, (n, len(labels))) + 300.0
            for i, label in enumerate(labels):
                data[:, i] += 12 * np.sin(2 * np.pi * 10 * at / rate) * label.startswith("O")
                data[:, i] += self._hum.get(label, 0.0) * np.sin(2 * np.pi * 50 * at / rate)
                if label in self._flat:
                    data[:, i] = 5.0
            if self.skip:
                sent, self.skip = sent + self.skip, 0
            else:
                self._outlet.push_chunk(data, began + at / rate)
            sent += n
            time.sleep(max(0.0, began + sent / rate - local_clock()))


class Engine:
    """The streams of an engine and an actuator host, written by the test."""

    def __init__(self, classes: tuple[str, ...] = ("left", "right")) -> None:
        self.classes, session = classes, uuid.uuid4().hex[:12]
        self._columns = {
            "outcomes": fields(len(LABELS), classes),
            "decisions": messages.DECISION_FIELDS,
            "timing": messages.TIMING_FIELDS,
        }
        bci = {"session": session, "classes": json.dumps(classes), "channels": json.dumps(LABELS)}
        self.rows = {
            what: LslOutlet(row_info(f"bci-{what}", type_, f"bci-{what}-{session}", self._columns[what]), bci=bci)
            for what, type_ in ROWS.items()
        }
        self.texts = {
            what: LslTextOutlet(f"bci-{what}", type_, f"bci-{what}-{session}", {"session": session})
            for what, type_ in TEXTS.items()
        }
        self._n = 0

    def say(self, what: str, kind: str, **more: Any) -> None:
        """A line on one of the text streams."""
        self.texts[what].push(messages.line(kind, **more))

    def state(self, **more: Any) -> None:
        """The engine's state."""
        known = {"phase": "running", "consumed": 500, "rate_hz": 250.0, "settings": {"threshold": 0.6, "dwell_s": 0.0}, "bad": {}}
        self.say("state", "state", **{**known, **more})

    def guard(self, state: str, why: str = "", actuator: str = "hand", good_s: float = 9.0, **more: Any) -> None:
        """The guard's state."""
        known = {"state": state, "why": why, "nonce": "n0nce", "actuator": actuator, "good_s": good_s}
        self.say("guard", "guard", **known, settings={"settle_s": 2.0, "stale_s": 0.25, "latch_s": 1.0}, **more)

    def decide(self, index: int, p: float, time_s: float, timed: bool = True) -> None:
        """One window with probability ``p`` for the first of two classes: outcome, decision and, where ``timed``, timing."""
        self._n += 1
        row = dict.fromkeys(self._columns["outcomes"], 0.0)
        row |= {"index": index, "consumed": index, "stamp": time_s, "decision": float(p < 0.5)}
        row |= {f"{what}:{c}": q for what in ("p", "evidence") for c, q in zip(self.classes, (p, 1 - p), strict=True)}
        self.rows["outcomes"].push(np.array(list(row.values())))
        self.rows["decisions"].push(np.array([self._n, float(p < 0.5), max(p, 1 - p), time_s, time_s + 0.25, 0, 0]))
        if timed:
            self.rows["timing"].push(np.array([self._n, 0, index, time_s, 0.004, 0.0005, 5]))

    def close(self) -> None:
        """End all streams."""
        for outlet in (*self.rows.values(), *self.texts.values()):
            outlet.close()


class Ear:
    """What the windows of one process ask for, as the engine would hear it.

    Parameters
    ----------
    context : Context
        Theirs: other windows of this computer speak too.
    """

    def __init__(self, context: Context) -> None:
        spoken = context.control._outlet
        self._inlet = LslMarkerInlet(resolve(StreamQuery(source_id=spoken.info.source_id), 5.0, settle_s=0))
        if not spoken.wait_for_consumers(5.0):  # a connection that is open here need not be served there yet
            raise TimeoutError("the windows do not serve who listens to them")
        self.texts: list[str] = []

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """All messages of a kind so far."""
        self.texts += [text for text, _ in self._inlet.pull(0.0)]
        return [m for m in (messages.parse(text, "control") for text in self.texts) if m["kind"] == kind]

    def close(self) -> None:
        """Unsubscribe."""
        self._inlet.close()
