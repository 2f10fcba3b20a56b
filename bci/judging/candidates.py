"""Candidates: the decoders, bands, windows and channels that may be chosen for a person, as data in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bci import plugins
from bci.engine.chunk import window_grid
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError
from bci.model.family import DecoderFamily, load_family
from bci.safe_io.toml import read_toml
from bci.settings import DecoderSection, SessionConfig
from bci.training.resolved import resolve_decoder

FILES = ("live", "full")
CONFIGURED = "configured"
GRIDS = (*FILES, CONFIGURED)
_ROWS = ("FC", "C", "CP")
"""Rows of the 10–10 system over the sensorimotor cortex."""
LEAST_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """One choice of decoder, bands, window and channels.

    Parameters
    ----------
    family : str
        Decoder (entry point group ``bci.decoders``).
    settings : tuple of (name, value)
        For the decoder.
    bands : tuple of (low_hz, high_hz)
    start_s, stop_s : float
        Window, after the cue.
    channels : tuple of str
    all_channels : bool
        Whether these are all there are; for the name only.
    """

    family: str
    bands: tuple[tuple[float, float], ...]
    start_s: float
    stop_s: float
    channels: tuple[str, ...]
    settings: tuple[tuple[str, bool | int | float | str], ...] = ()
    all_channels: bool = True

    @property
    def name(self) -> str:
        """In one line: ``ts-lr 8–30 Hz 0.5–2.5 s``."""
        low, high = min(b[0] for b in self.bands), max(b[1] for b in self.bands)
        settings = "".join(f" {key}={value}" for key, value in self.settings)
        bank = f" in {len(self.bands)} bands" if len(self.bands) > 1 else ""
        few = "" if self.all_channels else f" {len(self.channels)} ch"
        return f"{self.family}{settings} {low:g}–{high:g} Hz{bank} {self.start_s:.3g}–{self.stop_s:.3g} s{few}"

    def load_family(self) -> DecoderFamily:
        """The decoder family with this candidate's settings."""
        return load_family(self.family, dict(self.settings))

    def configured(self, config: SessionConfig, rate_hz: float) -> SessionConfig:
        """The session's settings with this candidate's choices.

        Parameters
        ----------
        config : SessionConfig
            The session's settings.
        rate_hz : float
            Sampling rate.

        Returns
        -------
        SessionConfig
        """
        _, hop = window_grid(config.preprocessing.window_s, config.preprocessing.hop_s, rate_hz)
        length = round((self.stop_s - self.start_s) * rate_hz)
        preprocessing = config.preprocessing.model_copy(
            update={"channels": self.channels, "bands": self.bands, "window_s": length / rate_hz, "hop_s": hop / rate_hz}
        )
        trial = config.trial.model_copy(update={"start_s": self.start_s, "stop_s": self.stop_s})
        decoder = config.decoder.model_copy(update={"name": self.family, "settings": dict(self.settings)})
        return config.model_copy(update={"preprocessing": preprocessing, "trial": trial, "decoder": decoder})


@dataclass(frozen=True, slots=True)
class SearchGrid:
    """The candidates that are compared. The first is the default; another is chosen only if it is clearly better.

    Parameters
    ----------
    name : str
    candidates : tuple of Candidate
    notes : tuple of str
        What was left out, and why.
    """

    name: str
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()


def load_grid(name: str, info: StreamInfo, config: SessionConfig) -> SearchGrid:
    """The candidates of a grid for one stream.

    Parameters
    ----------
    name : str
        ``live``, ``full``, ``configured`` for the configured decoder alone, or the path of a TOML file like the first two.
    info : StreamInfo
    config : SessionConfig
        Its band, window and channels are those of the default; windows are shares of its trial.

    Returns
    -------
    SearchGrid

    Raises
    ------
    ConfigError
        If the grid is unknown or says nothing that can be run.
    """
    if name == CONFIGURED:
        return SearchGrid(name, (_configured(info, config),))
    path = Path(__file__).with_name(f"{name}.toml") if name in FILES else Path(name)
    try:
        table = read_toml(path, f"grid {name!r}")
    except ConfigError as error:
        raise ConfigError(f"{error}; give {', '.join(GRIDS)} or a TOML file") from error
    return expand(name, table.get("candidates", []), info, config)


def grid_for(config: SessionConfig) -> str:
    """Which grid a calibration compares: ``configured`` where the settings name another decoder than the default, else ``live``.

    Parameters
    ----------
    config : SessionConfig
        Section ``decoder``.

    Returns
    -------
    str
    """
    return FILES[0] if config.decoder == DecoderSection() else CONFIGURED


def _configured(info: StreamInfo, config: SessionConfig) -> Candidate:
    """The configured decoder with the configured bands and channels, over the whole trial."""
    wanted = resolve_decoder(info, config).preprocessing
    start_s, stop_s = on_grid((0.0, 1.0), info.rate_hz, config)
    settings = tuple(sorted(config.decoder.settings.items()))
    return Candidate(config.decoder.name, wanted.bands, start_s, stop_s, wanted.labels, settings)


def expand(name: str, entries: Sequence[Mapping[str, Any]], info: StreamInfo, config: SessionConfig) -> SearchGrid:
    """Build every combination of a grid's entries that this stream allows.

    Parameters
    ----------
    name : str
        Of the grid, for messages.
    entries : sequence of mapping of str to object
        Tables of the grid's TOML file.
    info : StreamInfo
    config : SessionConfig

    Returns
    -------
    SearchGrid
    """
    known = plugins.names(plugins.DECODERS)
    found: dict[Candidate, None] = {}
    notes: list[str] = []
    for entry in entries:
        unknown = set(entry) - {"family", "settings", "bands", "windows", "channels", "most_channels"}
        if unknown or "family" not in entry:
            raise ConfigError(
                f"grid {name!r}: an entry has family, settings, bands, windows, channels, most_channels, not {sorted(entry)}"
            )
        if entry["family"] not in known:
            notes.append(f"{entry['family']}: this decoder is not installed, so it was not tried")
            continue
        found |= dict.fromkeys(_combinations(entry, info, config))
    if not found:
        raise ConfigError(
            f"grid {name!r}: none of its candidates can be run at {info.rate_hz:g} Hz; installed decoders: {', '.join(known)}"
        )
    return SearchGrid(name, tuple(found), tuple(notes))


def _combinations(entry: Mapping[str, Any], info: StreamInfo, config: SessionConfig) -> list[Candidate]:
    settings = tuple(sorted(entry.get("settings", {}).items()))
    family = load_family(entry["family"], dict(settings))
    everything = _channels("all", info, config)
    found = []
    for band in entry.get("bands", [CONFIGURED]):
        low, high = _range(config) if band == CONFIGURED else band
        if high >= 0.98 * info.rate_hz / 2:
            continue
        bands = family.bands(float(low), float(high), info.rate_hz)
        for window in entry.get("windows", [(0.0, 1.0)]):
            start_s, stop_s = on_grid(window, info.rate_hz, config)
            for which in entry.get("channels", ["all"]):
                channels = _channels(which, info, config)
                if 0 < len(channels) <= entry.get("most_channels", len(channels)):
                    all_of_them = channels == everything
                    found.append(Candidate(entry["family"], bands, start_s, stop_s, channels, settings, all_of_them))
    return found


def _range(config: SessionConfig) -> tuple[float, float]:
    """From the lowest to the highest configured frequency."""
    bands = config.preprocessing.bands
    return min(b[0] for b in bands), max(b[1] for b in bands)


def on_grid(share: Sequence[float], rate_hz: float, config: SessionConfig) -> tuple[float, float]:
    """Seconds after the cue for a share of the trial, in whole hops from its end, because live windows end on this grid.

    Parameters
    ----------
    share : sequence of float, length 2
        Beginning and end, as shares of the trial.
    rate_hz : float
        Sampling rate.
    config : SessionConfig

    Returns
    -------
    (float, float)
    """
    trial, p = config.trial, config.preprocessing
    window, hop = window_grid(trial.stop_s - trial.start_s, p.hop_s, rate_hz)
    hops = window // hop
    first, last = round(share[0] * hops), round(share[1] * hops)
    if not 0 <= first < last <= hops:
        raise ConfigError(f"window {list(share)}: must be shares of the trial, 0 to 1, and at least one hop long")
    hop_s = hop / rate_hz
    return trial.stop_s - (hops - first) * hop_s, trial.stop_s - (hops - last) * hop_s


def _channels(which: str, info: StreamInfo, config: SessionConfig) -> tuple[str, ...]:
    """Labels of a named set of channels, in the stream's order; empty if it would be the same as all channels."""
    labels = info.eeg_labels(config.preprocessing.channels)
    if which == "all":
        return labels
    if which != "motor":
        raise ConfigError(f"channels {which!r}: must be all or motor")
    motor = tuple(label for label in labels if canonical(label).rstrip("0123456789zZ").upper() in _ROWS)
    whole = len(motor) in (0, len(labels)) or len(motor) < LEAST_CHANNELS or config.preprocessing.reference != "none"
    return () if whole else motor
