"""The engine: samples and inputs in, outcomes out. No clock, no socket, no file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bci.engine import inputs as steer
from bci.engine.artefacts.potato import Potato
from bci.engine.chunk import BoolArray, Chunk, FloatArray
from bci.engine.continuity import ContinuitySettings, Discontinuity
from bci.engine.control.decoder import Steering, Velocity
from bci.engine.decide import Decide, DecisionSettings
from bci.engine.decoder import LiveDecoder, scatter
from bci.engine.frontend import Frontend, Window
from bci.engine.outcome import Outcome, Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.quality import QualitySettings
from bci.engine.rebias import Rebias, RebiasSettings
from bci.engine.recentre import RecentreSettings, Recentring
from bci.engine.spatial import expectation, reference_matrix
from bci.engine.stream_info import StreamInfo
from bci.errors import ModelError

TOLERANCE = 1e-6
SETS_KEPT = 64


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything about the engine that a model does not fix."""

    decision: DecisionSettings = field(default_factory=DecisionSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    continuity: ContinuitySettings = field(default_factory=ContinuitySettings)
    recentre: RecentreSettings = field(default_factory=RecentreSettings)
    rebias: RebiasSettings = field(default_factory=RebiasSettings)


@dataclass(frozen=True, slots=True, eq=False)
class Without:
    """How to go on without one set of bad channels; made once for each set.

    Parameters
    ----------
    bad : ndarray of bool, shape (n_inputs,)
    mask : int
        Bit i is set where channel i of the decoder is bad.
    allowed : bool
        Few enough and none of the heaviest of the decoder's channels are bad.
    matrices : tuple of ndarray, each of shape (n_channels + 1, n_inputs + 1)
        Reference and fill-in for each band; empty where features stay as they are.
    residual : ndarray, shape (n_bands, n_channels, n_channels), or None
        What the fill-in cannot know, as scatter of a window, µV²; None where nothing is bad.
    """

    bad: BoolArray
    mask: int
    allowed: bool
    matrices: tuple[FloatArray, ...]
    residual: FloatArray | None


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
        self._whole: FloatArray | None = None
        self._unknown = np.full(len(decoder.kernel.classes), np.nan)
        self._adopt(decoder, self.settings.recentre.on)
        self._rebias_on(self.settings.rebias.on)

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
                self._frontend.mark(labels, bad)
            case steer.Recentre(on):
                self._adopt(self._decoder, on)
            case steer.Rebias(on):
                self._rebias_on(on)
            case steer.Known(class_, first, last):
                if self._rebias is not None:
                    self._rebias.expect(class_, first, last)

    def begin(self, info: StreamInfo) -> None:
        """Go on with another recording: clock, filters, windows, counts and decisions begin anew, recentring stays where it is.

        The stamps of one recording say nothing about those of the next: they may restart, or be of another clock.

        Parameters
        ----------
        info : StreamInfo
            Of that recording; its channels may have another order.

        Raises
        ------
        StreamMismatch
            If the decoder does not fit it.
        """
        p = self.preprocessing
        features = self._decoder.kernel.features
        self._frontend = Frontend(info, p, features, self.settings.quality, self.settings.continuity)
        self.info = info
        self._skip_until = 0
        self._decide.restart()
        self._rebias_on(self._rebias is not None)
        if self._steering is not None:
            self._steering.restart()

    def prepare(self) -> None:
        """Do early what the next samples will need. Call it while waiting; bits do not depend on it."""
        self._frontend.prepare()
        self._follow()
        if self._rebias is not None:
            self._rebias.settle()

    def take_covariance(self) -> FloatArray | None:
        """Covariance of the newest of the windows that do not overlap, µV², shape (n_bands, n_channels, n_channels).

        None where there was none since the last call, or a channel was bad in it. Recentring is not in it.
        """
        whole = self._whole
        self._whole = None
        if whole is None:
            return None
        n, sums = whole[0, -1, -1], whole[:, -1, :-1]
        covariance: FloatArray = whole[:, :-1, :-1] / n - sums[:, :, np.newaxis] * sums[:, np.newaxis, :] / n**2
        return covariance

    @property
    def recentred(self) -> float | None:
        """How far recentring has moved, see :class:`~bci.engine.recentre.Recentring`; None while it is off."""
        return self._recentring.distance if self._recentring else None

    @property
    def bias(self) -> tuple[float, ...] | None:
        """Shift of each class's log probability, see :class:`~bci.engine.rebias.Rebias`; None while it is off."""
        return tuple(self._rebias.bias.tolist()) if self._rebias else None

    def time_of(self, index: int) -> float:
        """Fitted time of a sample of the current segment, seconds on the sender's clock."""
        return self._frontend.continuity.time_of(index)

    @property
    def newest_s(self) -> float:
        """Fitted time of the newest sample, seconds on the sender's clock; NaN before there is one."""
        continuity = self._frontend.continuity
        return continuity.time_of(continuity.index - 1) if continuity.index else math.nan

    def end_of(self, outcome: Outcome) -> float:
        """When an outcome's window ended, seconds on the sender's clock; NaN where its segment is over, and its clock with it."""
        return self.time_of(outcome.index) if outcome.segment == self._frontend.continuity.segment else math.nan

    def take_discontinuities(self) -> list[Discontinuity]:
        """Gaps and new segments since the last call."""
        return self._frontend.continuity.take_discontinuities()

    def bad_channels(self) -> dict[str, str]:
        """Channels that the last window did without, and why."""
        quality = self._frontend.quality
        return {x: quality.why(i) for i, x in enumerate(self._frontend.labels) if self._without.bad[i]}

    def _adopt(self, decoder: LiveDecoder, recentred: bool) -> None:
        """Take over a decoder that fits."""
        if recentred and decoder.centre is None:
            raise ModelError("this model knows no centre to move the signal to; train it again to use recentring")
        n = len(decoder.preprocessing.labels)
        self._decoder = decoder
        self._n_classes = len(decoder.kernel.classes)
        self._hop = decoder.preprocessing.hop
        self._n_blocks = decoder.preprocessing.window // self._hop
        self._window, self._partly = decoder.preprocessing.window, decoder.preprocessing.partly
        self._heavy: BoolArray = decoder.weights > self.settings.quality.heavy_share / n
        self._few = self.settings.quality.bad_share * n
        self._sets: dict[bytes, Without] = {}
        shape = (len(decoder.preprocessing.bands), n + 1, n + 1)
        self._half = np.zeros((n + 1, len(self._frontend.labels) + 1))
        self._referred = np.zeros(shape)
        self._without = self._go_on_without(np.zeros(len(self._frontend.labels), dtype=np.bool_))
        self._potato = _potato_of(decoder)
        self._steering = None if decoder.velocity is None else Steering(decoder.velocity)
        self._velocity: Velocity | None = None
        centre = decoder.centre if recentred else None
        self._recentring = None if centre is None else Recentring(self.settings.recentre, centre)
        self._seen: FloatArray | None = None
        self._whole = None
        self._moved: tuple[Without | None, Without] = (None, self._without)

    def _swap(self, decoder: LiveDecoder) -> None:
        """Replace the decoder, if nothing upstream of it would have to change."""
        old, new = self._decoder, decoder
        if not new.preprocessing.same_path(old.preprocessing) or new.kernel.features != old.kernel.features:
            raise ModelError("the new model has other channels, filters or windows; start a new session with it")
        if new.kernel.classes != old.kernel.classes:
            raise ModelError(f"the new model has classes {new.kernel.classes}, the running one {old.kernel.classes}")
        if new.n_dims != old.n_dims:
            raise ModelError(
                f"the new model steers in {new.n_dims} dimensions, this one in {old.n_dims}; start a new session with it"
            )
        self._frontend.learn(new.preprocessing)
        self._adopt(new, self._recentring is not None)
        self._rebias_on(self._rebias is not None)

    def _rebias_on(self, on: bool) -> None:
        """Begin to follow the bias, or forget it."""
        self._rebias = Rebias(self.settings.rebias, self._decoder.kernel.classes) if on else None

    def _follow(self) -> None:
        """Let recentring take in the window that was kept for it; bits do not depend on when."""
        if self._recentring is not None and self._seen is not None:
            self._recentring(self._seen)
            self._seen = None
            self._moved = (self._without, self._recentred(self._without, self._recentring.matrices))

    def _recentred(self, without: Without, moves: FloatArray) -> Without:
        """The same set of bad channels with the recentring matrices on top."""
        n, n_inputs = len(moves[0]), len(without.bad)
        matrices = []
        for band, move in enumerate(moves):
            matrix = np.zeros((n + 1, n_inputs + 1))
            plain = without.matrices[band][:n, :n_inputs] if without.matrices else np.eye(n, n_inputs)
            matrix[:n, :n_inputs] = move @ plain
            matrix[n, n_inputs] = 1.0
            matrices.append(matrix)
        residual = None if without.residual is None else moves @ without.residual @ moves.transpose(0, 2, 1)
        return Without(without.bad, without.mask, without.allowed, tuple(matrices), residual)

    def _outcome(self, window: Window) -> Outcome:
        """Decode one window, unless something speaks against it."""
        reason = self._veto(window)
        probabilities = self._unknown
        decision = -1
        if reason is Reason.DECIDED:
            features = self._features(window)
            if self._potato is not None and self._unlike(features, self._potato):
                reason = Reason.QUALITY
            elif (found := self._decode(features)) is None:
                reason = Reason.DECODER
            else:
                probabilities = found if self._rebias is None else self._rebias(found, window.consumed)
                decision = self._decide(probabilities)
                reason = Reason.DECIDED if decision >= 0 else Reason.IDLE
        if reason not in (Reason.DECIDED, Reason.IDLE, Reason.SKIPPED):
            self._decide.restart()
        if self._steering is not None:
            self._steer(reason, self._steering)
        return Outcome(
            window.segment,
            (window.number + 1) * self._hop - 1,
            window.consumed,
            window.stamp,
            window.crc,
            reason,
            decision,
            window.bridged,
            self._without.mask,
            probabilities,
            self._decide.evidence,
            self._velocity,
            window.filled if self._partly else None,
        )

    def _veto(self, window: Window) -> Reason:
        """What speaks against decoding this window; ``DECIDED`` where nothing does."""
        key = window.bad.tobytes()
        self._without = self._sets.get(key) or self._go_on_without(window.bad)
        if window.reason is not Reason.DECIDED:
            return window.reason
        if self._frozen:
            return Reason.FROZEN
        if window.consumed <= self._skip_until:
            return Reason.SKIPPED
        return Reason.DECIDED if self._without.allowed else Reason.QUALITY

    def _steer(self, reason: Reason, steering: Steering) -> None:
        """The velocity after a window that was not decoded: none, unless it was only skipped; a gap ends what was known."""
        if reason in (Reason.DECIDED, Reason.IDLE):
            return
        if reason in (Reason.REFILL, Reason.NONFINITE, Reason.DECODER):
            steering.restart()
        self._velocity = steering.follow(None, keep=reason is Reason.SKIPPED)

    def _unlike(self, features: FloatArray, potato: Potato) -> bool:
        """Whether a window is unlike those of the training; then nothing is learned from it either."""
        unlike = potato.unlike(scatter(features) if self._decoder.kernel.features == "samples" else features)
        if unlike:
            self._seen = self._whole = None
        return unlike

    def _decode(self, features: FloatArray) -> FloatArray | None:
        """Probabilities of a window, or None where the decoder breaks its contract.

        The one boundary at which whatever a decoder raises becomes data: a plug-in's error must
        not stop the loop, and the outcome says that there was one.
        """
        try:
            found = np.array(self._decoder.kernel(features), dtype=np.float64)
            values = found.tolist()
            fine = found.shape == (self._n_classes,) and min(values) >= -TOLERANCE and abs(sum(values) - 1) <= TOLERANCE
            if fine and self._steering is not None:
                self._velocity = self._steering(features)
        except Exception:
            return None
        return found if fine else None

    def _features(self, window: Window) -> FloatArray:
        """A window's features, referred, filled in and, where that is on, recentred.

        Windows that do not overlap, with no channel bad, are kept for whoever compares the signal with that of the training.
        """
        kept = (window.number + 1) % self._n_blocks == 0 and not self._without.mask and window.filled == self._window
        if kept or self._recentring is None:
            plain = self._refer(window.features, self._without) if self._without.matrices else window.features
            if kept:
                self._whole = scatter(plain) if self._decoder.kernel.features == "samples" else plain.copy()
            if self._recentring is None:
                return plain
        self._follow()
        if self._moved[0] is not self._without:
            self._moved = (self._without, self._recentred(self._without, self._recentring.matrices))
        if kept:
            self._seen = self._whole
        return self._refer(window.features, self._moved[1])

    def _refer(self, features: FloatArray, without: Without) -> FloatArray:
        """Apply the reference and fill in for bad channels."""
        if self._decoder.kernel.features == "samples":
            return np.stack([f @ m[:-1, :-1].T for f, m in zip(features, without.matrices, strict=True)])
        for matrix, band, referred in zip(without.matrices, features, self._referred, strict=True):
            np.dot(matrix, band, out=self._half)
            np.dot(self._half, matrix.T, out=referred)
        if without.residual is not None:
            # What the fill-in cannot know is that of a full window; a window that holds less holds less of it.
            held = features[0, -1, -1]
            self._referred[:, :-1, :-1] += without.residual if held == self._window else without.residual * (held / self._window)
        return self._referred

    def _go_on_without(self, bad: BoolArray) -> Without:
        """Reference and fill-in for this set of bad channels, remembered."""
        if len(self._sets) >= SETS_KEPT:
            self._sets.clear()
        own = bad[: len(self._heavy)]
        allowed = not bad.any() or (int(own.sum()) < self._few and not bool((own & self._heavy).any()))
        matrices, residual = self._build_matrices(bad)
        mask = sum(1 << int(i) for i in np.flatnonzero(own))
        found = self._sets[bad.tobytes()] = Without(bad.copy(), mask, allowed, matrices, residual)
        return found

    def _build_matrices(self, bad: BoolArray) -> tuple[tuple[FloatArray, ...], FloatArray | None]:
        """Matrices and residual of :class:`Without`."""
        p = self._decoder.preprocessing
        if p.reference == "none" and not p.artefacts.eog and not bad.any():
            return (), None
        reference = reference_matrix(p, ~bad)
        n, n_inputs = reference.shape
        matrices = []
        residual = np.zeros((len(p.bands), n, n))
        for band, covariance in enumerate(self._decoder.covariance):
            fill, unknown = expectation(covariance, ~bad[:n])
            matrix = np.zeros((n + 1, n_inputs + 1))
            matrix[:n, :n_inputs] = fill @ reference
            matrix[n, n_inputs] = 1.0
            matrices.append(matrix)
            residual[band] = unknown * p.window
        return tuple(matrices), residual if bad.any() else None


def _potato_of(decoder: LiveDecoder) -> Potato | None:
    """What tells windows that are unlike those of the training, where the model asks for it."""
    artefacts = decoder.preprocessing.artefacts
    if not artefacts.potato_z:
        return None
    if decoder.centre is None or not artefacts.potato:
        raise ModelError("this model asks for the Riemannian potato and does not hold what it needs; train it again")
    mean, deviation = artefacts.potato
    return Potato(decoder.centre, mean, deviation, artefacts.potato_z)
