"""The engine: samples and inputs in, outcomes out. No clock, no socket, no file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from bci.engine.adaptation import Adaptation
from bci.engine.bad_channels import ChannelCompensator
from bci.engine.chunk import Chunk, FloatArray
from bci.engine.continuity import Continuity, ContinuitySettings
from bci.engine.control_inputs import (
    ChangeDecision,
    ControlInput,
    Freeze,
    MarkChannels,
    ReplaceModel,
    Resume,
    Skip,
    SwitchRebias,
    SwitchRecentring,
    TrialLabel,
)
from bci.engine.decide import DecisionRule, DecisionSettings
from bci.engine.decoder import LiveDecoder
from bci.engine.decoding import DecoderFailure, WindowDecoder
from bci.engine.frontend import Frontend, Window
from bci.engine.outcome import Outcome, Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.quality import QualitySettings
from bci.engine.rebias import RebiasSettings
from bci.engine.recentre import RecentreSettings
from bci.engine.stream_info import StreamInfo
from bci.engine.suspension import Suspension
from bci.errors import ModelError


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything about the engine that a model does not fix."""

    decision: DecisionSettings = field(default_factory=DecisionSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    continuity: ContinuitySettings = field(default_factory=ContinuitySettings)
    recentre: RecentreSettings = field(default_factory=RecentreSettings)
    rebias: RebiasSettings = field(default_factory=RebiasSettings)


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
        self._frontend = _frontend_of(info, decoder, self.settings)
        self._rule = DecisionRule(self.settings.decision, decoder.kernel.classes, p.hop / p.rate_hz)
        self._suspension = Suspension()
        self._unknown = np.full(len(decoder.kernel.classes), np.nan)
        self._adopt(decoder, self.settings.recentre, self.settings.rebias)

    @property
    def consumed(self) -> int:
        """Number of raw samples consumed so far: the place at which the next input is applied."""
        return self._frontend.consumed

    @property
    def preprocessing(self) -> Preprocessing:
        """Channels, filters and window grid in use."""
        return self._decoder.preprocessing

    @property
    def frontend(self) -> Frontend:
        """Continuity, quality and filters, for reading only."""
        return self._frontend

    @property
    def continuity(self) -> Continuity:
        """Clock, segments and losses of the stream."""
        return self._frontend.continuity

    @property
    def adaptation(self) -> Adaptation:
        """Recentring and bias."""
        return self._adaptation

    def push(self, chunk: Chunk) -> list[Outcome]:
        """Take the next raw samples; return an outcome for each point of the window grid reached.

        Parameters
        ----------
        chunk : Chunk
            Data as the stream carries them, shape (n_samples, n_stream_channels), µV, raw stamps.
        """
        return list(self.outcomes(chunk))

    def outcomes(self, chunk: Chunk) -> Iterator[Outcome]:
        """Do the same as :meth:`push`, but yield one outcome at a time.

        Parameters
        ----------
        chunk : Chunk
            The next samples of the stream.
        """
        for window in self._frontend.push(chunk):
            yield self._outcome(window)

    def apply(self, given: ControlInput) -> None:
        """Apply an input after the last sample pushed and before the next.

        Parameters
        ----------
        given : Input
            One of ``bci.engine.control_inputs``.

        Raises
        ------
        ModelError
            If a new decoder does not fit the running filters and windows.
        StreamMismatch
            If a marked channel does not exist.
        """
        match given:
            case ChangeDecision(settings):
                self._rule.change(settings)
            case Skip(until):
                self._suspension.skip(until)
            case Freeze(why, by):
                self._suspension.freeze(why, by)
            case Resume(_, by):
                self._suspension.resume(by)
            case ReplaceModel(decoder):
                _check_replacement(self._decoder, decoder)
                recentring, bias = (x is not None for x in (self._adaptation.recentred, self._adaptation.bias))
                self._adopt(decoder, replace(self.settings.recentre, on=recentring), replace(self.settings.rebias, on=bias))
                self._frontend.learn(decoder.preprocessing)
            case MarkChannels(labels, bad):
                self._frontend.mark(labels, bad)
            case SwitchRecentring(on):
                self._adaptation.switch_recentring(on)
                self._decoding.restart()
            case SwitchRebias(on):
                self._adaptation.switch_bias(on)
            case TrialLabel(class_, first, last):
                self._adaptation.label(class_, first, last)

    def begin(self, info: StreamInfo) -> None:
        """Begin another recording: clock, filters, windows, counts and decisions start anew; recentring keeps its state.

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
        self._frontend = _frontend_of(info, self._decoder, self.settings)
        self.info = info
        self._suspension.restart_counting()
        self._rule.restart()
        self._adaptation.restart_bias()
        self._decoding.restart()

    def prepare(self) -> None:
        """Compute early what the next samples will need. Call it while waiting; the bits of the results do not depend on it."""
        self._frontend.prepare()
        self._adaptation.prepare(self._compensation)

    def take_covariance(self) -> FloatArray | None:
        """Covariance of the newest of the windows that do not overlap, µV², shape (n_bands, n_channels, n_channels).

        None where there was none since the last call, or a channel was bad in it. Recentring is not in it.
        """
        return self._adaptation.take_covariance()

    @property
    def frozen(self) -> dict[str, str]:
        """Who has frozen decoding without resuming it, and why."""
        return self._suspension.frozen

    def end_of(self, outcome: Outcome) -> float:
        """When an outcome's window ended, seconds on the sender's clock; NaN where its segment is over, and its clock with it.

        Parameters
        ----------
        outcome : Outcome
            Of this engine.
        """
        continuity = self.continuity
        return continuity.time_of(outcome.index) if outcome.segment == continuity.segment else math.nan

    def take_failures(self) -> list[DecoderFailure]:
        """Return the failures of the decoder since the last call; each kind is returned once."""
        return self._decoding.take_failures()

    def bad_channels(self) -> dict[str, str]:
        """Channels that were not used in the last window, and why."""
        quality, bad = self._frontend.quality, self._compensation.bad
        return {x: quality.why(i) for i, x in enumerate(self._frontend.labels) if bad[i]}

    def _adopt(self, decoder: LiveDecoder, recentre: RecentreSettings, rebias: RebiasSettings) -> None:
        """Take over a decoder that fits; nothing is changed where it cannot be used."""
        compensator = ChannelCompensator(decoder, self.settings.quality, len(self._frontend.labels))
        adaptation = Adaptation(decoder, compensator, recentre, rebias)
        self._decoding = WindowDecoder(decoder)
        self._decoder, self._compensator, self._adaptation = decoder, compensator, adaptation
        self._compensation = compensator.none
        self._hop, self._partly = decoder.preprocessing.hop, decoder.preprocessing.partly

    def _outcome(self, window: Window) -> Outcome:
        """Decode one window, unless something speaks against it."""
        self._compensation = self._compensator.of(window.bad)
        reason, probabilities, decision = self._veto(window), self._unknown, -1
        if reason is Reason.DECIDED:
            reason, probabilities = self._decoded(window)
        if reason is Reason.DECIDED:
            decision = self._rule(probabilities)
            reason = Reason.DECIDED if decision >= 0 else Reason.IDLE
        else:
            self._decoding.pass_over(reason)
            if reason is not Reason.SKIPPED:
                self._rule.restart()
        return Outcome(
            window.segment,
            (window.number + 1) * self._hop - 1,
            window.consumed,
            window.stamp,
            window.crc,
            reason,
            decision,
            window.bridged,
            self._compensation.mask,
            probabilities,
            self._rule.evidence,
            self._decoding.velocity,
            window.filled if self._partly else None,
        )

    def _veto(self, window: Window) -> Reason:
        """What speaks against decoding this window; ``DECIDED`` where nothing does."""
        if window.reason is not Reason.DECIDED:
            return window.reason
        suspended = self._suspension.reason(window.consumed)
        if suspended is not Reason.DECIDED:
            return suspended
        return Reason.DECIDED if self._compensation.allowed else Reason.QUALITY

    def _decoded(self, window: Window) -> tuple[Reason, FloatArray]:
        """Probabilities of a window, ``DECIDED`` with them; or why there are none."""
        features = self._adaptation.features(window, self._compensation)
        if self._decoding.unlike(features):
            self._adaptation.discard()
            return Reason.QUALITY, self._unknown
        found = self._decoding(features)
        if found is None:
            return Reason.DECODER, self._unknown
        return Reason.DECIDED, self._adaptation.shift(found, window.consumed)


def _frontend_of(info: StreamInfo, decoder: LiveDecoder, settings: EngineSettings) -> Frontend:
    """Continuity, quality and filters from the first sample of a recording on."""
    return Frontend(info, decoder.preprocessing, decoder.kernel.features, settings.quality, settings.continuity)


def _check_replacement(old: LiveDecoder, new: LiveDecoder) -> None:
    """Refuse a decoder for which filters, windows or streams would have to change.

    Raises
    ------
    ModelError
    """
    if not new.preprocessing.same_path(old.preprocessing) or new.kernel.features != old.kernel.features:
        raise ModelError("the new model has other channels, filters or windows; start a new session with it")
    if new.kernel.classes != old.kernel.classes:
        raise ModelError(f"the new model has classes {new.kernel.classes}, the running one {old.kernel.classes}")
    if new.n_dims != old.n_dims:
        raise ModelError(
            f"the new model steers in {new.n_dims} dimensions, this one in {old.n_dims}; start a new session with it"
        )
