"""Sections ``preprocessing`` and ``trial``: what a decoder sees of the signal."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from bci.engine.artefacts.settings import Artefacts
from bci.engine.chunk import window_grid
from bci.engine.preprocessing import REFERENCES, Preprocessing
from bci.engine.stream_info import canonical
from bci.settings.section import Seconds, SettingsSection, nyquist_hz


class PreprocessingSection(SettingsSection):
    """How the signal is processed before a decoder receives it (section ``preprocessing``).

    Parameters
    ----------
    channels : list of str
        The decoder's channels; empty for all EEG channels of the stream.
    reference : {"none", "average", "laplacian", "mastoids"}
    notch_hz : float
        Line frequency, 0 for no notch.
    bands : list of [low, high]
        Hz. One pair may stand alone: ``bands = [8, 30]``.
    order : int
        Of the Butterworth filters.
    window_s, hop_s : float
        Length of the sliding window, and the time between decisions.
    least_filled : float
        Share of the window that must be there where lost samples took the rest, 0 to 1; 1 for all of it. Decoders that need
        whole windows (networks, augmented covariances, velocities) wait for them whatever is set.
    eog : list of str
        Channels that see the eyes; what they explain is subtracted from the others, and they are not decoded.
    eog_weights : list of list of float
        Measured by training, which fills it in.
    potato_z : float
        Windows whose covariance lies further from those of the training than so many standard deviations are not decoded;
        0 for no such limit, 2.5 to 4 are usual.
    asr : float
        Artifact subspace reconstruction: directions that are stronger than in clean signal by more than so many standard
        deviations are replaced; 0 for none, 10 to 30 are usual.
    asr_covariance, asr_limits : list of float
        Measured by training, which fills them in.
    """

    channels: tuple[str, ...] = ()
    reference: str = "none"
    notch_hz: Annotated[float, Field(ge=0)] = 50.0
    bands: tuple[tuple[float, float], ...] = ((8.0, 30.0),)
    order: Annotated[int, Field(ge=1, le=8)] = 4
    window_s: Seconds = 2.0
    hop_s: Seconds = 0.04
    least_filled: Annotated[float, Field(gt=0, le=1)] = 0.75
    eog: tuple[str, ...] = ()
    eog_weights: tuple[tuple[float, ...], ...] = ()
    potato_z: Annotated[float, Field(ge=0, le=100)] = 0.0
    asr: Annotated[float, Field(ge=0, le=1000)] = 0.0
    asr_covariance: tuple[float, ...] = ()
    asr_limits: tuple[float, ...] = ()

    @field_validator("reference")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in REFERENCES:
            raise ValueError(f"must be one of {', '.join(REFERENCES)}")
        return value

    @field_validator("notch_hz")
    @classmethod
    def _below_nyquist(cls, value: float, info: ValidationInfo) -> float:
        if value >= nyquist_hz(info):
            raise ValueError(f"must be 0 (none) or below the Nyquist frequency {nyquist_hz(info):g} Hz")
        return value

    @field_validator("bands", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        pairs = value if any(isinstance(x, list) for x in value) or not value else [value]
        return tuple(tuple(x) if isinstance(x, list) else x for x in pairs)

    @field_validator("bands")
    @classmethod
    def _ascending(cls, value: tuple[tuple[float, float], ...], info: ValidationInfo) -> tuple[tuple[float, float], ...]:
        if not value:
            raise ValueError("at least one [low, high] pair is needed")
        for low, high in value:
            if not 0 < low < high:
                raise ValueError(f"band [{low:g}, {high:g}] Hz must satisfy 0 < low < high")
            if high >= nyquist_hz(info):
                raise ValueError(f"band [{low:g}, {high:g}] Hz must end below the Nyquist frequency {nyquist_hz(info):g} Hz")
        return value

    @field_validator("hop_s")
    @classmethod
    def _fits(cls, value: float, info: ValidationInfo) -> float:
        window_s = info.data.get("window_s", math.inf)
        if window_s < value:
            raise ValueError(f"must be at most window_s = {window_s:g}; make the window at least one hop long")
        return value

    def build(self, rate_hz: float, labels: tuple[str, ...]) -> Preprocessing:
        """These settings for one stream.

        Parameters
        ----------
        rate_hz : float
        labels : tuple of str
            EEG channels of the stream, for where ``channels`` is empty.

        Raises
        ------
        ConfigError
            If they cannot be run at this rate.
        """
        window, hop = window_grid(self.window_s, self.hop_s, rate_hz)
        eyes = {canonical(label) for label in self.eog}
        chosen = tuple(x for x in self.channels or labels if canonical(x) not in eyes)
        artefacts = Artefacts(
            eog=self.eog,
            eog_weights=self.eog_weights,
            potato_z=self.potato_z,
            asr=self.asr,
            asr_covariance=self.asr_covariance,
            asr_limits=self.asr_limits,
        )
        return Preprocessing(rate_hz, chosen, self.reference, self.notch_hz, self.bands, self.order, window, hop, artefacts)


class TrialSection(SettingsSection):
    """Which part of a trial is decoded (section ``trial``).

    Parameters
    ----------
    start_s, stop_s : float
        Relative to the cue. A trial's decision is that of the first window that ends at or after ``stop_s``.
    """

    start_s: Annotated[float, Field(ge=0)] = 0.5
    stop_s: Seconds = 2.5

    @field_validator("stop_s")
    @classmethod
    def _after_start(cls, value: float, info: ValidationInfo) -> float:
        start_s = info.data.get("start_s", -math.inf)
        if value <= start_s:
            raise ValueError(f"must be more than start_s = {start_s:g}")
        return value
