"""The configured decoder and its preprocessing for one stream: resolved once, then passed on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo
from bci.model.family import DecoderFamily, InformedFamily, load_family
from bci.settings import SessionConfig


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedDecoder:
    """A decoder with its settings, and the preprocessing that it wants for one stream.

    Parameters
    ----------
    family : DecoderFamily
        Built with the configured settings; its ``fit`` makes the decoder.
    preprocessing : Preprocessing
        Filters, channels and windows as they run live.
    """

    family: DecoderFamily
    preprocessing: Preprocessing

    @property
    def whole_windows(self) -> Preprocessing:
        """The preprocessing that cuts training windows: nothing is learned from windows that losses shortened."""
        return replace(self.preprocessing, least=0)

    @property
    def sliding(self) -> bool:
        """Whether the family trains on several windows of each trial."""
        return isinstance(self.family, InformedFamily) and self.family.slides


def resolve_decoder(info: StreamInfo, config: SessionConfig) -> ResolvedDecoder:
    """Load the decoder that the settings name, and build the preprocessing with the bands and windows that it wants.

    Parameters
    ----------
    info : StreamInfo
        Rate and channels of the stream.
    config : SessionConfig
        Sections ``decoder`` and ``preprocessing``.

    Returns
    -------
    ResolvedDecoder

    Raises
    ------
    bci.errors.PluginError
        If no decoder of this name is installed.
    bci.errors.ConfigError
        If the decoder has no such setting.
    bci.errors.StreamMismatch
        If the stream lacks a configured channel.
    """
    section = config.preprocessing
    family = load_family(config.decoder.name, config.decoder.settings)
    built = section.build(info.rate_hz, info.eeg_labels(section.channels))
    if getattr(family, "partly", False):
        hops = math.ceil(section.least_filled * built.window / built.hop - 1e-9)
        built = replace(built, least=hops * built.hop)
    if len(built.bands) == 1:
        built = replace(built, bands=family.bands(*built.bands[0], info.rate_hz))
    return ResolvedDecoder(family, built)
