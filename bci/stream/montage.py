"""Montage files: what a stream or a recording does not say of itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from bci.engine.stream_info import Channel, StreamInfo, canonical
from bci.errors import ConfigError, StreamMismatch
from bci.safe_io.toml import read_toml

_T = TypeVar("_T")
Position = tuple[float, float, float]
TYPES = ("EEG", "EOG", "EMG", "AUX", "TRIG")
MAX_RATE_HZ = 10_000_000
UNITS = ("uV", "mV", "V", "nV")
_KEYS = ("names", "rename", "types", "reference", "ground", "unit", "units", "positions", "bad", "rate_hz", "standard")


@dataclass(frozen=True, slots=True)
class Montage:
    """Metadata from a montage file; empty fields leave the stream as it is.

    Parameters
    ----------
    names : tuple of str
        Labels of the first channels, in stream order; the rest becomes AUX where names are given.
    rename : mapping of str to str
        From the stream's label to the right one.
    types : mapping of str to str
        By label: EEG, EOG, EMG, AUX or TRIG.
    reference, ground : str
    unit : str
        Of all EEG, EOG and EMG channels.
    units : mapping of str to str
        By label.
    positions : mapping of str to (float, float, float)
        By label, metres, head coordinates.
    bad : tuple of str
        Labels of channels known to be bad.
    rate_hz : float
        True sampling rate where the stream declares a wrong one; 0: as declared.
    standard : bool
        Fill missing positions of EEG channels from MNE's ``standard_1005``.
    path : str
        Where it was read from, for messages.
    """

    names: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    ground: str = ""
    unit: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    positions: Mapping[str, Position] = field(default_factory=dict)
    bad: tuple[str, ...] = ()
    rate_hz: float = 0.0
    standard: bool = False
    path: str = ""


def load_montage(path: Path | str) -> Montage:
    """Read a montage file.

    ::

        names = ["C3", "C4", "Cz"]      # the first channels, in stream order; what follows is AUX
        reference = "A1"
        ground = "A2"
        unit = "uV"                     # or mV, V
        bad = ["Cz"]
        rate_hz = 50                    # where the stream declares a wrong one
        standard = true                 # positions from the 10-05 system
        [rename]
        "EEG 1" = "C3"
        [types]
        EOGh = "EOG"
        [units]
        EOGh = "mV"
        [positions]
        C3 = [-0.065, -0.012, 0.064]    # metres

    Parameters
    ----------
    path : Path or str
        Of the file.

    Returns
    -------
    Montage

    Raises
    ------
    ConfigError
        With every fault of the file at once.
    """
    path = Path(path)
    content = read_toml(path)
    problems = [f"{key}: unknown key; there are {', '.join(_KEYS)}" for key in content if key not in _KEYS]
    problems += _shape_problems(content)
    if not problems:
        problems += _value_problems(content)
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return Montage(
        names=tuple(content.get("names", ())),
        rename=content.get("rename", {}),
        types={k: v.upper() for k, v in content.get("types", {}).items()},
        reference=content.get("reference", ""),
        ground=content.get("ground", ""),
        unit=content.get("unit", ""),
        units=content.get("units", {}),
        positions={k: (float(v[0]), float(v[1]), float(v[2])) for k, v in content.get("positions", {}).items()},
        bad=tuple(content.get("bad", ())),
        rate_hz=float(content.get("rate_hz", 0.0)),
        standard=content.get("standard", False),
        path=str(path),
    )


def apply_montage(info: StreamInfo, montage: Montage) -> StreamInfo:
    """Correct the description of a stream by a montage.

    Parameters
    ----------
    info : StreamInfo
    montage : Montage

    Returns
    -------
    StreamInfo

    Raises
    ------
    StreamMismatch
        If the montage names channels that the stream does not have.
    """
    if len(montage.names) > len(info.channels):
        raise StreamMismatch(
            f"channels: {montage.path or 'the montage'} names {len(montage.names)}, "
            f"stream {info.name!r} has {len(info.channels)} ({', '.join(info.labels)})"
        )
    channels = _named(info.channels, montage)
    _require_known(channels, info, montage)
    types, units, positions = _by_label(montage.types), _by_label(montage.units), _by_label(montage.positions)
    standard = standard_positions(tuple(c.label for c in channels)) if montage.standard else {}
    result = []
    for channel in channels:
        key = canonical(channel.label)
        kind = types.get(key, channel.type)
        unit = montage.unit if montage.unit and kind in ("EEG", "EOG", "EMG") else channel.unit
        position = positions.get(key) or channel.position or (standard.get(key) if kind == "EEG" else None)
        result.append(replace(channel, type=kind, unit=units.get(key, unit), position=position))
    return replace(
        info,
        channels=tuple(result),
        reference=montage.reference or info.reference,
        rate_hz=montage.rate_hz or info.rate_hz,
    )


def standard_positions(labels: tuple[str, ...]) -> dict[str, Position]:
    """Positions of 10-05 electrodes, from MNE's ``standard_1005``; what it does not know is left out.

    Parameters
    ----------
    labels : tuple of str

    Returns
    -------
    dict
        From :func:`~bci.engine.stream_info.canonical` label to metres, head coordinates.
    """
    from mne import create_info
    from mne.channels import get_builtin_montages, make_standard_montage

    names = ("colin27_1005", "standard_1005")  # MNE 1.13 renamed it
    standard = make_standard_montage(next(n for n in names if n in get_builtin_montages()))
    wanted = {canonical(label) for label in labels}
    known = [name for name in standard.ch_names if canonical(name) in wanted]
    if not known:
        return {}
    info = create_info(known, 1.0, "eeg").set_montage(standard)  # turns the positions into head coordinates
    places = ((canonical(c["ch_name"]), c["loc"]) for c in info["chs"])
    return {label: (float(at[0]), float(at[1]), float(at[2])) for label, at in places}


def _named(channels: tuple[Channel, ...], montage: Montage) -> list[Channel]:
    """Labels replaced by position (``names``) or by label (``rename``)."""
    n, rename = len(montage.names), _by_label(montage.rename)
    named = [replace(c, label=label, type="EEG") for c, label in zip(channels, montage.names, strict=False)]
    rest = [replace(c, type="AUX" if n and c.type == "EEG" else c.type) for c in channels[n:]]
    return [replace(c, label=rename.get(canonical(c.label), c.label)) for c in named + rest]


def _require_known(channels: list[Channel], info: StreamInfo, montage: Montage) -> None:
    has = {canonical(c.label) for c in channels}
    asked = {"types": montage.types, "units": montage.units, "bad": montage.bad}
    missing = [f"{key}: {label}" for key, labels in asked.items() for label in labels if canonical(label) not in has]
    if missing:
        raise StreamMismatch(
            f"channels: {montage.path or 'the montage'} names channels that stream {info.name!r} does not have "
            f"({'; '.join(missing)}); it has {', '.join(c.label for c in channels)}"
        )


def _by_label(mapping: Mapping[str, _T]) -> dict[str, _T]:
    return {canonical(k): v for k, v in mapping.items()}


def _shape_problems(content: Mapping[str, Any]) -> list[str]:
    """Values of the wrong type."""

    def is_texts(value: object) -> bool:
        return isinstance(value, list) and all(isinstance(v, str) and v.strip() for v in value)

    def is_table(value: object) -> bool:
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())

    rules = {
        "names": (is_texts, "a list of labels"),
        "bad": (is_texts, "a list of labels"),
        "rename": (is_table, "a table from label to label"),
        "types": (is_table, "a table from label to type"),
        "units": (is_table, "a table from label to unit"),
        "positions": (lambda v: isinstance(v, dict), "a table from label to [x, y, z]"),
        "reference": (lambda v: isinstance(v, str), "text"),
        "ground": (lambda v: isinstance(v, str), "text"),
        "unit": (lambda v: isinstance(v, str), "text"),
        "rate_hz": (lambda v: isinstance(v, (int, float)) and not isinstance(v, bool), "a number"),
        "standard": (lambda v: isinstance(v, bool), "true or false"),
    }
    wrong = {k: what for k, (fits, what) in rules.items() if k in content and not fits(content[k])}
    return [f"{k} = {_short(content[k])}: must be {what}" for k, what in wrong.items()]


def _value_problems(content: Mapping[str, Any]) -> list[str]:
    """Values of the right type that make no sense."""
    problems = []
    names = content.get("names", [])
    often = Counter(map(canonical, names))
    double = sorted({n for n in names if often[canonical(n)] > 1})
    if double:
        problems.append(f"names: {', '.join(double)} more than once; every label must be unique")
    for label, kind in content.get("types", {}).items():
        if kind.upper() not in TYPES:
            problems.append(f"types.{label} = {kind!r}: must be one of {', '.join(TYPES)}")
    units = {"unit": content.get("unit"), **{f"units.{k}": v for k, v in content.get("units", {}).items()}}
    problems += [f"{k} = {v!r}: must be one of {', '.join(UNITS)}" for k, v in units.items() if v is not None and v not in UNITS]
    for label, place in content.get("positions", {}).items():
        if not _is_position(place):
            allowed = "must be [x, y, z] in metres, each within 0.3 m of the head's centre"
            problems.append(f"positions.{label} = {_short(place)}: {allowed}")
    rate_hz = content.get("rate_hz", 1.0)
    if not 0 < rate_hz <= MAX_RATE_HZ:
        problems.append(f"rate_hz = {rate_hz}: must be above 0, at most {MAX_RATE_HZ}")
    return problems


def _is_position(place: object) -> bool:
    if not isinstance(place, list) or len(place) != 3:
        return False
    return all(isinstance(v, (int, float)) and math.isfinite(v) and abs(v) <= 0.3 for v in place)


def _short(value: object) -> str:
    """A value as it is shown in a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
