"""From a raw stream to the filtered windows a decoder sees: the one implementation, live and offline."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bci.engine.artefacts.asr import Asr, AsrSettings
from bci.engine.blocks import BlockRun, Blocks
from bci.engine.chunk import BoolArray, Chunk, FloatArray
from bci.engine.continuity import Continuity, ContinuitySettings
from bci.engine.filters import FilterBank, band_pass, notch, settling
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.quality import QualitySettings, SignalQuality
from bci.engine.spatial import inputs
from bci.engine.stream_info import StreamInfo, canonical
from bci.engine.window import SampleWindow, ScatterWindow
from bci.errors import ConfigError, StreamMismatch

RATE_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """All settings that say which windows may be decoded, before a decoder is asked; the same live and offline.

    Parameters
    ----------
    quality : QualitySettings
    continuity : ContinuitySettings
    """

    quality: QualitySettings = field(default_factory=QualitySettings)
    continuity: ContinuitySettings = field(default_factory=ContinuitySettings)


@dataclass(slots=True)
class Window:
    """One point of the window grid.

    Parameters
    ----------
    segment, number : int
        Segment and absolute index of the newest block.
    stamp : float
        Raw stamp of the newest sample.
    consumed, crc : int
        Raw samples up to it, and their checksum, see :class:`~bci.engine.blocks.BlockRun`.
    reason : Reason
        ``DECIDED`` where the window may be decoded.
    bridged : int
        Interpolated samples in the window.
    filled : int
        Samples that it holds; fewer than its length where losses took some.
    bad : ndarray of bool, shape (n_inputs,)
        Channels that cannot be trusted in it.
    features : ndarray
        Scatter matrices or samples over the input channels; valid until the next push.
    """

    segment: int
    number: int
    stamp: float
    consumed: int
    crc: int
    reason: Reason
    bridged: int
    filled: int
    bad: BoolArray
    features: FloatArray


class Frontend:
    """Continuity, filters, quality and windows of one stream for one kind of preprocessing.

    Parameters
    ----------
    info : StreamInfo
        The raw stream. Its channels are matched by label.
    preprocessing : Preprocessing
    features : {"scatter", "samples"}
    quality : QualitySettings
    continuity : ContinuitySettings

    Raises
    ------
    StreamMismatch
        If rate or channels are not what ``preprocessing`` needs.
    """

    def __init__(
        self,
        info: StreamInfo,
        preprocessing: Preprocessing,
        features: str = "scatter",
        quality: QualitySettings | None = None,
        continuity: ContinuitySettings | None = None,
    ) -> None:
        p = preprocessing
        if abs(info.rate_hz - p.rate_hz) > RATE_TOLERANCE * p.rate_hz:
            raise StreamMismatch(
                f"rate: the model expects {p.rate_hz:g} Hz; stream {info.name!r} has {info.rate_hz:g} Hz. "
                "Set the amplifier to the model's rate or train a model at this one."
            )
        self.labels = inputs(p)
        columns = info.columns(self.labels)
        self.quality_settings = quality or QualitySettings()
        self.continuity = Continuity(info.rate_hz, info.sample_clock, continuity or ContinuitySettings())
        sections = [band_pass(low, high, p.order, p.rate_hz) for low, high in p.bands]
        self.quality = SignalQuality(self.quality_settings, p.rate_hz, len(columns), p.window, p.hop, sections)
        self._hop = p.hop
        self._blocks = Blocks(columns, p.hop)
        self._filters = FilterBank(notch(p.notch_hz, p.rate_hz) if p.notch_hz else None, sections, p.hop, len(columns))
        shape = (len(p.bands), len(columns), p.window, p.hop)
        self._window = ScatterWindow(*shape) if features == "scatter" else SampleWindow(*shape)
        self._nothing = np.zeros((len(p.bands), p.hop, len(columns)))
        self._n_blocks = p.window // p.hop
        self._step = _step_of(p, len(columns))
        settle = max(settling(sos) for sos in sections) + (self._step.settling if self._step else 0)
        self._settle = -(-settle // p.hop)
        self._bridged = [0] * self._n_blocks
        self._first, self._next, self._segment = 0, 0, 0
        self._unclear = 0
        self._held = [0] * self._n_blocks
        self._filled, self._least = 0, (p.least or p.window) // p.hop
        self._partly = p.partly
        self._none: BoolArray = np.zeros(len(columns), dtype=np.bool_)

    @property
    def consumed(self) -> int:
        """Raw samples consumed so far."""
        return self._blocks.consumed

    @property
    def crc(self) -> int:
        """CRC-32 chained over the raw samples consumed so far."""
        return self._blocks.crc

    def end_of(self, window: Window) -> float:
        """When a window ended, seconds on the sender's clock; NaN where its segment is over, and its clock with it."""
        over = window.segment != self.continuity.segment
        return math.nan if over else self.continuity.time_of((window.number + 1) * self._hop - 1)

    @property
    def room(self) -> int:
        """Samples until the next point of the window grid, if nothing is lost before."""
        return self._blocks.room

    @property
    def settling_blocks(self) -> int:
        """Blocks after a restart that no window may hold."""
        return self._settle

    def learn(self, preprocessing: Preprocessing) -> None:
        """Go by what another training measured of the same path (:meth:`~bci.engine.preprocessing.Preprocessing.same_path`)."""
        clean = preprocessing.artefacts.clean
        if self._step is not None and clean is not None:
            self._step.learn(clean)

    def push(self, chunk: Chunk) -> Iterator[Window]:
        """Points of the window grid that this chunk reaches, in order."""
        for piece in self.continuity.push(chunk):
            for run in self._blocks.push(piece):
                if self._in_range(run.data):
                    yield from self._advance(run)
                else:
                    for one in run.singly():
                        yield from self._advance(one) if self._in_range(one.data) else self._refuse(one)

    def mark(self, labels: tuple[str, ...], bad: bool) -> None:
        """Mark channels as bad, or as good again: all of them, or none if one of them is unknown.

        Raises
        ------
        StreamMismatch
            If a channel is not among the inputs.
        """
        known = [canonical(x) for x in self.labels]
        unknown = [label for label in labels if canonical(label) not in known]
        if unknown:
            raise StreamMismatch(f"channel {', '.join(map(repr, unknown))} is not in use; in use are {', '.join(self.labels)}")
        for label in labels:
            self.quality.mark(known.index(canonical(label)), bad)

    def prepare(self) -> None:
        """Do early what the next block will need; call it while waiting. Bits do not depend on it."""
        self._window.prepare()
        self.quality.prepare()

    def _advance(self, run: BlockRun) -> Iterator[Window]:
        """Filter blocks and say what the windows that they end are worth."""
        if run.fresh:
            self._restart(run.number, run.segment)
        notched, bands = self._filters(run.data if self._step is None else self._step(run.data))
        bad = self.quality.push(run.number, run.data, notched, bands)
        features = self._window.push(run.number, bands)
        self._next = run.number + len(run.bridged)
        for i, bridged in enumerate(run.bridged):
            number = run.number + i
            self._bridged[number % self._n_blocks] = bridged
            if number < self._first or self._filled < self._n_blocks:
                self._hold(number)
            lost = sum(self._bridged)
            yield Window(
                run.segment,
                number,
                run.stamps[i],
                run.consumed[i],
                run.crc[i],
                self._reason(number, lost),
                lost,
                self._filled * self._hop,
                bad[i],
                features[i],
            )

    def _refuse(self, run: BlockRun) -> Iterator[Window]:
        """A block with values that are none, or marked bad: no window that reaches over it is decoded, not even in part."""
        self._restart(run.number + 1, run.segment)
        self._unclear = run.number + self._n_blocks
        yield Window(
            run.segment,
            run.number,
            run.stamps[0],
            run.consumed[0],
            run.crc[0],
            Reason.NONFINITE,
            0,
            self._filled * self._hop,
            self._none,
            self._nothing,
        )

    def _in_range(self, data: FloatArray) -> bool:
        """Whether all values are numbers that an amplifier can give.

        The sum of squares is the cheapest bound: where even that stays below the limit, no value is beyond it.
        """
        limit = self.quality_settings.range_uv
        return bool(np.vdot(data, data) < 0.99 * limit * limit or np.abs(data).max() <= limit)

    def _reason(self, number: int, bridged: int) -> Reason:
        """Whether the window that ends with block ``number`` holds enough."""
        if number < self._first or number < self._unclear or self._filled < self._least:
            return Reason.REFILL
        too_many = bridged and bridged > int(self.quality_settings.bridged_share * self._filled * self._hop)
        return Reason.BRIDGED if too_many else Reason.DECIDED

    def _hold(self, number: int) -> None:
        """Count block ``number``, unless the filters still settle in it."""
        place, counts = number % self._n_blocks, int(number >= self._first)
        self._filled += counts - self._held[place]
        self._held[place] = counts
        if self._partly and not counts:
            self._bridged[place] = 0

    def _restart(self, block: int, segment: int) -> None:
        """Block ``block`` is the first of a new unbroken stretch.

        Where windows are decoded with a part missing, what was before a gap counts on: a scatter matrix is a sum over samples,
        wherever they are.
        """
        forget = not self._partly or segment != self._segment
        missing = self._n_blocks if forget else block - self._next
        for number in range(self._next, self._next + min(missing, self._n_blocks)):
            place = number % self._n_blocks
            self._filled -= self._held[place]
            self._held[place] = self._bridged[place] = 0
        self._unclear = self._unclear if segment == self._segment else 0
        self._next, self._segment, self._first = block, segment, block + self._settle
        if self._partly:
            self._window.restart(block, self._first, forget)
        self.quality.restart(block, forget)
        self._filters.restart()
        if self._step is not None:
            self._step.restart()


def _step_of(p: Preprocessing, n_inputs: int) -> Asr | None:
    """What changes samples ahead of the filters, where the model asks for it."""
    clean = p.artefacts.clean
    if clean is None:
        return None
    if len(clean.limits) != n_inputs:
        raise ConfigError(f"asr_limits: {len(clean.limits)} values, must be {n_inputs}: one for each input channel")
    return Asr(clean, p.rate_hz, p.hop, AsrSettings(p.artefacts.asr))
