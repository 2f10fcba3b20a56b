"""The engine: samples and inputs in, outcomes out. No clock, no socket, no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bci.engine import inputs as steer
from bci.engine.chunk import BoolArray, Chunk, FloatArray
from bci.engine.continuity import ContinuitySettings, Discontinuity
from bci.engine.decide import Decide, DecisionSettings
from bci.engine.decoder import LiveDecoder
from bci.engine.frontend import Frontend, Window
from bci.engine.outcome import Outcome, Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.quality import QualitySettings
from bci.engine.spatial import expectation, reference_matrix
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ModelError, StreamMismatch

TOLERANCE = 1e-6
MATRICES_KEPT = 64


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything about the engine that a model does not fix."""

    decision: DecisionSettings = field(default_factory=DecisionSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    continuity: ContinuitySettings = field(default_factory=ContinuitySettings)


class Engine:
    """Decode one stream with one model.

    However the stream is cut into chunks, the outcomes are the same, bit for bit.

    Parameters
    ----------
    info : StreamInfo
        The raw stream, microvolts.
    decoder : LiveDecoder
    settings : EngineSettings

    Raises
    ------
    StreamMismatch
        If the stream is not what the decoder was trained for.
    """

    def __init__(self, info: StreamInfo, decoder: LiveDecoder, settings: EngineSettings | None = None) -> None:
        self.info = info
        self.settings = settings or EngineSettings()
        p = decoder.preprocessing
        self._frontend = Frontend(info, p, decoder.kernel.features, self.settings.quality, self.settings.continuity)
        self._decide = Decide(self.settings.decision, decoder.kernel.classes, p.hop / p.rate_hz)
        self._skip_until = 0
        self._frozen = ""
        self._unknown = np.full(len(decoder.kernel.classes), np.nan)
        self._adopt(decoder)

    @property
    def consumed(self) -> int:
        """Raw samples consumed so far: the place at which the next input is applied."""
        return self._frontend.consumed

    @property
    def crc(self) -> int:
        """CRC-32 chained over the raw samples consumed so far."""
        return self._frontend.crc

    @property
    def lost(self) -> int:
        """Samples declared lost so far, bridged ones included."""
        return self._frontend.continuity.lost

    @property
    def preprocessing(self) -> Preprocessing:
        """Channels, filters and window grid in use."""
        return self._decoder.preprocessing

    @property
    def frontend(self) -> Frontend:
        """Continuity, quality and filters, to look at."""
        return self._frontend

    def push(self, chunk: Chunk) -> list[Outcome]:
        """Take the next raw samples; return an outcome for each point of the window grid reached.

        Parameters
        ----------
        chunk : Chunk
            Data as the stream carries them, shape (n_samples, n_stream_channels), µV, raw stamps.
        """
        return list(self.outcomes(chunk))

    def outcomes(self, chunk: Chunk) -> Iterator[Outcome]:
        """As :meth:`push`, one at a time."""
        for window in self._frontend.push(chunk):
            yield self._outcome(window)

    def apply(self, given: steer.Input) -> None:
        """Apply an input after the last sample pushed and before the next.

        Raises
        ------
        ModelError
            If a new decoder does not fit the running filters and windows.
        StreamMismatch
            If a marked channel does not exist.
        """
        match given:
            case steer.Decide(settings):
                self._decide.change(settings)
            case steer.Skip(until):
                self._skip_until = max(self._skip_until, until)
            case steer.Freeze(why):
                self._frozen = why or "asked to"
            case steer.Resume():
                self._frozen = ""
            case steer.Swap(decoder):
                self._swap(decoder)
            case steer.Mark(labels, bad):
                self._mark(labels, bad)

    def prepare(self) -> None:
        """Do early what the next samples will need. Call it while waiting; bits do not depend on it."""
        self._frontend.prepare()

    def time_of(self, index: int) -> float:
        """Fitted time of a sample of the current segment, seconds on the sender's clock."""
        return self._frontend.continuity.time_of(index)

    def take_discontinuities(self) -> list[Discontinuity]:
        """Gaps and new segments since the last call."""
        return self._frontend.continuity.take_discontinuities()

    def bad_channels(self) -> dict[str, str]:
        """Channels that the last window did without, and why."""
        quality = self._frontend.quality
        return {x: quality.why(i) for i, x in enumerate(self._frontend.labels) if self._bad[i]}

    def _adopt(self, decoder: LiveDecoder) -> None:
        """Take over a decoder that fits."""
        n = len(decoder.preprocessing.labels)
        self._decoder = decoder
        self._n_classes = len(decoder.kernel.classes)
        self._heavy: BoolArray = decoder.weights > self.settings.quality.heavy_share / n
        self._few = self.settings.quality.bad_share * n
        self._plain = decoder.preprocessing.reference == "none"
        self._matrices: dict[bytes, tuple[FloatArray, FloatArray]] = {}
        self._bad: BoolArray = np.zeros(len(self._frontend.labels), dtype=np.bool_)

    def _swap(self, decoder: LiveDecoder) -> None:
        """Replace the decoder, if nothing upstream of it would have to change."""
        old, new = self._decoder, decoder
        if new.preprocessing != old.preprocessing or new.kernel.features != old.kernel.features:
            raise ModelError("the new model has other channels, filters or windows; start a new session with it")
        if new.kernel.classes != old.kernel.classes:
            raise ModelError(f"the new model has classes {new.kernel.classes}, the running one {old.kernel.classes}")
        self._adopt(new)

    def _mark(self, labels: tuple[str, ...], bad: bool) -> None:
        """Mark channels by hand."""
        known = [canonical(x) for x in self._frontend.labels]
        for label in labels:
            if canonical(label) not in known:
                raise StreamMismatch(f"channel {label!r} is not in use; in use are {', '.join(self._frontend.labels)}")
            self._frontend.quality.mark(known.index(canonical(label)), bad)

    def _outcome(self, window: Window) -> Outcome:
        """Decode one window, unless something speaks against it."""
        reason = self._veto(window)
        probabilities = self._unknown
        decision = -1
        if reason is Reason.DECIDED:
            found = self._decode(window)
            if found is None:
                reason = Reason.DECODER
            else:
                probabilities = found
                decision = self._decide(found)
                reason = Reason.DECIDED if decision >= 0 else Reason.IDLE
        if reason not in (Reason.DECIDED, Reason.IDLE, Reason.SKIPPED):
            self._decide.restart()
        block, n = window.block, len(self._decoder.preprocessing.labels)
        mask = sum(1 << int(i) for i in np.flatnonzero(self._bad[:n])) if self._bad.any() else 0
        return Outcome(
            segment=block.segment,
            index=(block.number + 1) * self._decoder.preprocessing.hop - 1,
            consumed=block.consumed,
            stamp=block.stamp,
            crc=block.crc,
            reason=reason,
            decision=decision,
            bridged=window.bridged,
            mask=mask,
            probabilities=probabilities,
            evidence=self._decide.evidence.copy(),
        )

    def _veto(self, window: Window) -> Reason:
        """What speaks against decoding this window; ``DECIDED`` where nothing does."""
        self._bad = window.bad
        if window.reason is not Reason.DECIDED:
            return window.reason
        if self._frozen:
            return Reason.FROZEN
        if window.block.consumed <= self._skip_until:
            return Reason.SKIPPED
        if window.bad.any() and not self._can_do_without(window.bad):
            return Reason.QUALITY
        return Reason.DECIDED

    def _can_do_without(self, bad: BoolArray) -> bool:
        """Whether few enough and none of the heaviest of the decoder's channels are bad."""
        own = bad[: len(self._heavy)]
        return int(own.sum()) < self._few and not bool((own & self._heavy).any())

    def _decode(self, window: Window) -> FloatArray | None:
        """Probabilities of a window, or None where the decoder breaks its contract.

        The one boundary at which whatever a decoder raises becomes data: a plug-in's error must
        not stop the loop, and the outcome says that there was one.
        """
        features = window.features
        if not self._plain or window.bad.any():
            features = self._refer(features, window.bad)
        try:
            found = self._decoder.kernel(features)
            low, total = float(found.min()), float(found.sum())
        except Exception:
            return None
        if found.shape != (self._n_classes,) or not (low >= -TOLERANCE and abs(total - 1) <= TOLERANCE):
            return None
        return np.array(found, dtype=np.float64)

    def _refer(self, features: FloatArray, bad: BoolArray) -> FloatArray:
        """Apply the reference and fill in for bad channels."""
        matrix, residual = self._matrix(bad)
        if self._decoder.kernel.features == "samples":
            samples: FloatArray = np.matmul(features, matrix[:, :-1, :-1].transpose(0, 2, 1))
            return samples
        referred: FloatArray = np.matmul(np.matmul(matrix, features), matrix.transpose(0, 2, 1))
        referred[:, :-1, :-1] += residual * self._decoder.preprocessing.window
        return referred

    def _matrix(self, bad: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Reference and fill-in for this set of bad channels, one matrix per band."""
        key = bad.tobytes()
        if key not in self._matrices:
            if len(self._matrices) >= MATRICES_KEPT:
                self._matrices.clear()
            self._matrices[key] = self._build_matrix(bad)
        return self._matrices[key]

    def _build_matrix(self, bad: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Matrices (n_bands, n_channels + 1, n_inputs + 1) and residuals (n_bands, n_channels, n_channels)."""
        reference = reference_matrix(self._decoder.preprocessing, ~bad)
        n, n_inputs = reference.shape
        n_bands = len(self._decoder.preprocessing.bands)
        matrix = np.zeros((n_bands, n + 1, n_inputs + 1))
        residual = np.zeros((n_bands, n, n))
        for band in range(n_bands):
            fill, residual[band] = expectation(self._decoder.covariance[band], ~bad[:n])
            matrix[band, :n, :n_inputs] = fill @ reference
            matrix[band, n, n_inputs] = 1.0
        return matrix, residual
