"""What a person has selected: with undo, as settings of ``bci train``, and as a TOML file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from bci.engine.stream_info import StreamInfo
from bci.judging.candidates import Candidate, on_grid
from bci.model.family import load_family
from bci.settings import SessionConfig

Band = tuple[float, float]
SECTIONS = ("stream", "markers", "preprocessing", "trial", "decoder")
"""Sections of a configuration that training depends on."""
LEAST_AVERAGED = 8
"""With fewer channels the average reference is switched off."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Features and decoder that a person has selected.

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
        """Return what a configuration selects.

        Parameters
        ----------
        config : SessionConfig
        """
        p, trial = config.preprocessing, config.trial
        return cls(p.channels, p.bands, trial.start_s, trial.stop_s, config.decoder.name, p.reference)

    def toggled(self, channel: str, order: tuple[str, ...]) -> Selection:
        """Return the selection with a channel added or removed.

        From all channels, only this one is kept; when the last one is removed, all are selected.

        Parameters
        ----------
        channel : str
        order : tuple of str
            Of all channels.
        """
        chosen = set(self.channels) ^ {channel}
        return self.with_channels(tuple(c for c in order if c in chosen))

    def with_channels(self, channels: tuple[str, ...]) -> Selection:
        """Return the selection with these channels only.

        An average reference is switched off with few channels, from which it would remove the signal.

        Parameters
        ----------
        channels : tuple of str
            Names of channels.
        """
        averaged = self.reference == "average" and 0 < len(channels) < LEAST_AVERAGED
        return replace(self, channels=channels, reference="none" if averaged else self.reference)

    def with_band(self, band: Band, more: bool = False) -> Selection:
        """Return the selection with another band, or with one more.

        Parameters
        ----------
        band : tuple of float
            Lower and upper end, Hz.
        more : bool, optional
            Whether it is added to the others.
        """
        kept = tuple(b for b in self.bands if b[1] <= band[0] or b[0] >= band[1]) if more else ()
        return replace(self, bands=tuple(sorted((*kept, band))))

    def configured(self, config: SessionConfig, info: StreamInfo) -> tuple[SessionConfig, Candidate]:
        """Return the settings and the candidate of this selection, which are what ``bci train`` trains.

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
        """Return the channels as text."""
        return " ".join(self.channels) if self.channels else "all"

    def band_words(self) -> str:
        """Return the bands as text."""
        return ", ".join(f"{low:g}–{high:g}" for low, high in self.bands)


class SelectionHistory:
    """The selections so far, with undo and redo.

    Parameters
    ----------
    first : Selection
    """

    def __init__(self, first: Selection) -> None:
        self._states, self._at = [first], 0

    @property
    def now(self) -> Selection:
        """The current selection."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier selection."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone selection."""
        return self._at + 1 < len(self._states)

    def do(self, selection: Selection) -> bool:
        """Select something else, forget what was undone, and return whether anything has changed.

        Parameters
        ----------
        selection : Selection
        """
        if selection == self.now:
            return False
        self._states[self._at + 1 :] = [selection]
        self._at += 1
        return True

    def undo(self) -> Selection:
        """Undo one step."""
        self._at = max(0, self._at - 1)
        return self.now

    def redo(self) -> Selection:
        """Redo one step."""
        self._at = min(len(self._states) - 1, self._at + 1)
        return self.now


def toml_of(config: SessionConfig, head: str = "") -> str:
    """Return the sections of a configuration that training depends on, as TOML for ``--config``.

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
    """Write a value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(v) for v in value)}]"
    return repr(value)


def _text(text: str) -> str:
    """Write a string in TOML. Its escapes are those of JSON, except for DEL, which JSON does not escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
