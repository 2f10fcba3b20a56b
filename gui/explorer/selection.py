"""What a person has selected, as values: with undo, as settings that ``bci train`` takes, and as a TOML file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from bci.engine.stream_info import StreamInfo
from bci.session.fit import load_family
from bci.session.judging.candidates import Candidate, on_grid
from bci.settings import SessionConfig

Band = tuple[float, float]
SECTIONS = ("stream", "markers", "preprocessing", "trial", "decoder")
"""What of a configuration decides about training."""
LEAST_AVERAGED = 8
"""Channels from which an average reference is kept."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Features and decoder that a person has in mind.

    Parameters
    ----------
    channels : tuple of str
        Empty: all.
    bands : tuple of (low_hz, high_hz)
    start_s, stop_s : float
        After the cue.
    decoder : str
        A family of ``bci.decoders``.
    reference : str
    """

    channels: tuple[str, ...]
    bands: tuple[Band, ...]
    start_s: float
    stop_s: float
    decoder: str
    reference: str = "none"

    @classmethod
    def of(cls, config: SessionConfig) -> Selection:
        """What a configuration selects."""
        p, trial = config.preprocessing, config.trial
        return cls(p.channels, p.bands, trial.start_s, trial.stop_s, config.decoder.name, p.reference)

    def toggled(self, channel: str, order: tuple[str, ...]) -> Selection:
        """With a channel more or less; from all channels to this one alone, and from the last one back to all.

        Parameters
        ----------
        channel : str
        order : tuple of str
            Of all channels.
        """
        chosen = set(self.channels) ^ {channel}
        return self.with_channels(tuple(c for c in order if c in chosen))

    def with_channels(self, channels: tuple[str, ...]) -> Selection:
        """With these channels alone; an average over few channels would take the signal away with it, so it is left out."""
        averaged = self.reference == "average" and 0 < len(channels) < LEAST_AVERAGED
        return replace(self, channels=channels, reference="none" if averaged else self.reference)

    def with_band(self, band: Band, more: bool = False) -> Selection:
        """With another band, or with one more."""
        kept = tuple(b for b in self.bands if b[1] <= band[0] or b[0] >= band[1]) if more else ()
        return replace(self, bands=tuple(sorted((*kept, band))))

    def configured(self, config: SessionConfig, info: StreamInfo) -> tuple[SessionConfig, Candidate]:
        """The settings and the candidate that this selection is: what is judged here is what ``bci train`` trains.

        Parameters
        ----------
        config : SessionConfig
            All that is not selected.
        info : StreamInfo

        Raises
        ------
        ConfigError
            If there is no such decoder, or its settings are not for it.
        """
        settings = dict(config.decoder.settings) if config.decoder.name == self.decoder else {}
        update = {"channels": self.channels, "bands": self.bands, "reference": self.reference}
        chosen = config.model_copy(
            update={
                "preprocessing": config.preprocessing.model_copy(update=update),
                "trial": config.trial.model_copy(update={"start_s": self.start_s, "stop_s": self.stop_s}),
                "decoder": config.decoder.model_copy(update={"name": self.decoder, "settings": settings}),
            }
        )
        everything = tuple(c.label for c in info.channels if c.type == "EEG")
        bands = self.bands
        if len(bands) == 1:
            bands = load_family(self.decoder, settings).bands(*bands[0], info.rate_hz)
        start_s, stop_s = on_grid((0.0, 1.0), info.rate_hz, chosen)
        channels = self.channels or everything
        given = tuple(sorted(settings.items()))
        candidate = Candidate(self.decoder, bands, start_s, stop_s, channels, given, channels == everything)
        return candidate.configured(chosen, info.rate_hz), candidate

    def channel_words(self) -> str:
        """The channels, in few words."""
        return " ".join(self.channels) if self.channels else "all"

    def band_words(self) -> str:
        """The bands, in few words."""
        return ", ".join(f"{low:g}–{high:g}" for low, high in self.bands)


class History:
    """What was selected, with a way back and forth.

    Parameters
    ----------
    first : Selection
    """

    def __init__(self, first: Selection) -> None:
        self._states, self._at = [first], 0

    @property
    def now(self) -> Selection:
        """The selection as it is."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there was something before."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return self._at + 1 < len(self._states)

    def do(self, selection: Selection) -> bool:
        """Select something else; what had been undone is forgotten. Whether anything has changed."""
        if selection == self.now:
            return False
        self._states[self._at + 1 :] = [selection]
        self._at += 1
        return True

    def undo(self) -> Selection:
        """One step back."""
        self._at = max(0, self._at - 1)
        return self.now

    def redo(self) -> Selection:
        """One step forth."""
        self._at = min(len(self._states) - 1, self._at + 1)
        return self.now


def toml_of(config: SessionConfig, head: str = "") -> str:
    """The sections of a configuration that decide about training, as TOML that ``--config`` reads.

    Parameters
    ----------
    config : SessionConfig
    head : str
        Lines of comment in front.
    """
    tree = config.model_dump(mode="json", include=set(SECTIONS))
    lines = [f"# {line}" for line in head.splitlines()]
    for section in SECTIONS:
        values = {k: v for k, v in tree[section].items() if v not in ("", {}, [])}
        tables = {k: v for k, v in values.items() if isinstance(v, dict)}
        if values:
            lines += ["", f"[{section}]", *(f"{k} = {_value(v)}" for k, v in values.items() if k not in tables)]
        for name, table in tables.items():
            lines += ["", f"[{section}.{name}]", *(f"{_text(k)} = {_value(v)}" for k, v in table.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _value(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(v) for v in value)}]"
    return repr(value)


def _text(text: str) -> str:
    """A basic string: the escapes of JSON are TOML's, but for DEL, which JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
