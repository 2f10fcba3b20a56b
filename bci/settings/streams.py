"""Sections ``stream`` and ``markers``: where the signal and the cues come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from bci.errors import ConfigError
from bci.settings.section import Seconds, SettingsSection, StreamText

if TYPE_CHECKING:
    from bci.stream.markers.triggers import MarkerTable
    from bci.stream.stream_query import StreamQuery


class StreamSection(SettingsSection):
    """Which EEG stream is used, live and in recordings (section ``stream``); an empty text matches any stream.

    Parameters
    ----------
    name : str
        Its name, type or source_id, or a query as in ``--stream``: ``source_id=abc,host=*``.
    type, source_id : str
        As the sender declares them. Where neither they nor ``name`` say which stream is meant, it is the one of type EEG.
    host : str
        Machine of the sender; empty for this one, ``"*"`` for any.
    montage : str
        TOML file with what the stream does not say: labels, types, reference, bad channels.
    unit : {"", "uV", "mV", "V", "nV"}
        Overrides the unit that the stream declares; empty to believe it.
    timeout_s : float
        How long to look for it.
    """

    name: StreamText = ""
    type: str = ""
    source_id: str = ""
    host: str = ""
    montage: str = ""
    unit: Literal["", "uV", "mV", "V", "nV"] = ""
    timeout_s: Seconds = 5.0

    def query(self) -> StreamQuery:
        """Query for the stream that is looked for."""
        from bci.stream.stream_query import EEG, StreamQuery

        said = StreamQuery.parse(self.name)
        given = {key: value for key in ("type", "source_id", "host") if (value := getattr(self, key))}
        query = replace(said, **given)
        return query if query.named else replace(EEG, host=query.host)


class MarkersSection(SettingsSection):
    """Which streams contain cues, and what the markers mean (section ``markers``).

    Parameters
    ----------
    stream : str
        Which marker streams, as in ``--stream``: name, type or source_id, or ``type=Markers,host=*``. Only their markers are
        cues, live and in files. The trigger channels of an amplifier go by the name of its stream, as ``Amp triggers``.
        Empty: live those trigger channels, in files all markers.
    table : dict of str to str
        Class of each marker text that is a cue. Numbers match however they are written:
        ``"2"`` stands for ``"2.000000"`` too.
    field : str
        Where in a marker the text stands: a column's number (from 1) or name, or a key of a JSON text (``"event"``,
        ``"trial.class"``). Empty: the first column.
    pattern : str
        Regular expression whose group is the text: ``"^Stimulus/S *([0-9]+)$"``. Empty: all of it.
    """

    stream: StreamText = ""
    table: dict[str, str] = Field(default_factory=dict)
    field: str | int = ""
    pattern: str = ""

    @field_validator("pattern")
    @classmethod
    def _bounded(cls, value: str) -> str:
        from bci.stream.markers.shapes import checked_pattern

        try:
            checked_pattern(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    def marker_table(self, table: Mapping[str, str] | None = None) -> MarkerTable:
        """Which class each marker stands for.

        Parameters
        ----------
        table : mapping of str to str, optional
            Instead of the one that is set.
        """
        from bci.stream.markers.triggers import MarkerTable

        return MarkerTable(self.table if table is None else table, str(self.field), self.pattern)
