"""The engine's state, once a second: all that a program needs that joins late."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bci.engine.decide import DecisionSettings
from bci.engine.drift import SignalDrift
from bci.engine.engine import Engine
from bci.model.file import Model
from bci.stream import messages
from bci.stream.outlets import TextOutlet


class StateReport:
    """Sends the state, and follows how far the signal has drifted from that of the training.

    Parameters
    ----------
    outlet : TextOutlet
    engine : Engine
    model : Model
        With which the session begins; drift is measured from its training data.
    """

    def __init__(self, outlet: TextOutlet, engine: Engine, model: Model) -> None:
        self._outlet, self._engine = outlet, engine
        self._drift = SignalDrift(model.decoder.covariance)
        self._decision: DecisionSettings | None = None
        self._settings: dict[str, Any] = {}

    def send(self, phase: str, model: Model, decision: DecisionSettings, place: dict[str, Any], **more: Any) -> None:
        """Send the state.

        Parameters
        ----------
        phase : {"waiting", "running", "lost", "stopped"}
        model : Model
            That decodes.
        decision : DecisionSettings
        place : dict
            Segment and index of the newest window, and the age of its data.
        **more
            What else the loop knows: bad channels, how the decoder failed, strangers, cues.
        """
        engine, info = self._engine, self._engine.info
        covariance = engine.take_covariance()
        if covariance is not None:
            self._drift.push(covariance, engine.preprocessing.window / info.rate_hz)
        if decision is not self._decision:
            self._decision, self._settings = decision, asdict(decision)
        state = {
            "phase": phase,
            "stream": info.name,
            "source_id": info.source_id,
            "model": model.sha256,
            "classes": model.header.classes,
            "consumed": engine.consumed,
            **place,
            "rate_hz": info.rate_hz,
            "lost": engine.continuity.lost,
            "drift": {"gain": round(self._drift.gain, 3), "shape": round(self._drift.shape, 3), "why": self._drift.line()},
            "recentred": engine.adaptation.recentred,
            "bias": engine.adaptation.bias,
            "settings": self._settings,
            "frozen": engine.frozen,
        }
        self._outlet.push(messages.line("state", {**state, **more}))
