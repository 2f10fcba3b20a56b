"""LSL header XML to StreamInfo and back; tolerant of what is found in the wild, wary of what is hostile.

Layout of the header: the XDF project's meta-data page (github.com/sccn/xdf/wiki/Meta-Data and /EEG-Meta-Data);
the same XML stands in an XDF file's stream header and in an LSL stream's full info.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from bci.engine.stream_info import POSITION, Channel, StreamInfo, canonical, reference_in
from bci.errors import ConfigError, StreamError
from bci.stream.units import canonical_unit

VERSION = "1"  # of docs/reference/streams.md
FORMATS = ("float32", "double64", "string", "int32", "int16", "int8", "int64")
MAX_LABEL = 256
MAX_CHANNELS = 8192
MAX_HEADER = 8_000_000
MAX_MARKUP = 250_000

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_CONTROL_REFERENCE = re.compile(r"&#(?:x0*(?:[0-8bcBC]|0?[eEfF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));")
# Positions, and a device's "EEG 1".
_ELECTRODE = re.compile(rf"{POSITION}|eeg[ _-]?(?:ch[ _-]?)?\d+", re.IGNORECASE)
_OF_EEG = re.compile(r"eeg[ _:.-]+(?=[a-z])", re.IGNORECASE)
# A stream of these kinds may label its columns by electrodes and hold no signal of them.
_ABOUT_EEG = re.compile(r"quality|impedance|power|band|metric|feature|marker|^bci-|^acc|gyro|motion|gaze", re.IGNORECASE)
_TRIGGER = re.compile(
    r"(?:digital|hardware)?[ _-]?trig(?:ger)?s?[ _-]?\d*|(?:trg|ttl|din)[ _-]?\d*"
    r"|sti ?\d*|stim|status|markerhardware|hardwaremarker",
    re.I,
)
_NOT_EEG = re.compile(
    r".*(?:counter|interpolat|timestamp|time ?stamp|battery|validation|accel|gyro|sample ?(?:number|index|id)|packet|cq_|quality)"
    r".*|acc[ _-]?[xyz]?|gyr[ _-]?[xyz]?|marker.*|aux.*|misc.*|eog.*|[hv]eog|emg.*|ecg.*|ekg.*",
    re.I,
)
_TYPES = {
    **dict.fromkeys(("EEG", "REF", "EEGREF"), "EEG"),
    **dict.fromkeys(("EOG", "HEOG", "VEOG"), "EOG"),
    "EMG": "EMG",
    **dict.fromkeys(("TRIG", "TRIGGER", "STIM", "STI", "STATUS", "MARKER", "MARKERS", "EVENT"), "TRIG"),
}


def stream_info(header_xml: str) -> StreamInfo:
    """Identity and layout of a stream from its LSL or XDF header.

    Labels may stand in ``label`` or ``name``; missing ones become ``ch1``, ``ch2``, …; units in any common
    spelling, or as MNE-LSL's powers of ten; a channel's type is corrected where its label contradicts it (counters typed
    EEG; electrodes typed otherwise, where no channel is typed EEG); a reference that all labels name is that of the
    stream; control characters become U+FFFD.

    Parameters
    ----------
    header_xml : str
        The ``<info>`` document.

    Returns
    -------
    StreamInfo

    Raises
    ------
    StreamError
        If the document is no header, is hostile (DOCTYPE, megabyte labels) or has an impossible rate or count.
    """
    root = parse_header(header_xml)
    name, kind = _text(root, "name"), _text(root, "type")
    count = round(_number(root, "channel_count", name, 1, MAX_CHANNELS))
    rate_hz = _number(root, "nominal_srate", name, 0, 1e7)
    desc = root.find("desc")
    desc = ET.Element("desc") if desc is None else desc
    elements = [*desc.findall("channels/channel")][:count]
    elements += [ET.Element("channel")] * (count - len(elements))
    eeg_by_label = not any(_text(e, "type").upper() == "EEG" for e in elements) and not _ABOUT_EEG.search(kind)
    channels = tuple(_channel(e, i, kind, eeg_by_label) for i, e in enumerate(elements, start=1))
    return StreamInfo(
        rate_hz=rate_hz,
        channels=channels,
        reference=_text(desc, "reference/label") or reference_in(tuple(c.label for c in channels if c.type == "EEG")),
        source_id=_text(root, "source_id"),
        name=name,
        type=kind,
        sample_clock=_text(desc, "bci/sample_clock") == "1",
    )


def parse_header(header_xml: str) -> ET.Element:
    """Parse a header into an element tree; what is no header, or could do harm, is refused.

    Parameters
    ----------
    header_xml : str
        The sender's full description, as LSL gives it.

    Returns
    -------
    ET.Element

    Raises
    ------
    StreamError
        If it is refused.
    """
    if len(header_xml) > MAX_HEADER:
        raise StreamError(f"stream header of {len(header_xml)} characters; at most {MAX_HEADER} are read")
    if header_xml.count("<") > MAX_MARKUP or header_xml.count("=") > MAX_MARKUP:
        raise StreamError(
            f"stream header of more than {MAX_MARKUP // 2} XML elements or attributes; no device has so many channels"
        )
    if "<!DOCTYPE" in header_xml or "<!ENTITY" in header_xml:
        raise StreamError("stream header declares a DOCTYPE or ENTITY, which no LSL header has; it is not read")
    text = _CONTROL_REFERENCE.sub("\ufffd", _CONTROL.sub("\ufffd", header_xml))
    try:
        root = ET.fromstring(text.lstrip("\ufeff \r\n\t"))
    except (ET.ParseError, ValueError) as error:
        raise StreamError(f"stream header is not well-formed XML ({error}): {text[:80]!r}") from error
    if root.tag != "info":
        raise StreamError(f"stream header begins with <{root.tag[:40]}>; an LSL or XDF header begins with <info>")
    return root


def sender_host(header_xml: str) -> str:
    """Name of the computer that sent a stream.

    Parameters
    ----------
    header_xml : str
        The sender's full description, as LSL gives it.

    Returns
    -------
    str
        Empty where the header does not say.
    """
    return _text(parse_header(header_xml), "hostname")


def bci_fields(header_xml: str) -> dict[str, str]:
    """Read what our own streams say of themselves in ``desc/bci`` (docs/reference/streams.md).

    Parameters
    ----------
    header_xml : str
        The sender's full description, as LSL gives it.

    Returns
    -------
    dict of str to str
        Texts by name.
    """
    element = parse_header(header_xml).find("desc/bci")
    return {} if element is None else {child.tag: (child.text or "").strip() for child in element}


def header_xml(info: StreamInfo, channel_format: str, bci: Mapping[str, str] | None = None) -> str:
    """The LSL header of a stream of ours.

    Parameters
    ----------
    info : StreamInfo
    channel_format : str
        One of ``float32 double64 string int32 int16 int8 int64``.
    bci : mapping of str to str, optional
        Further children of ``desc/bci``, for instance ``session``; ``version`` is always there.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        All that is wrong with names, labels, rate or format, at once.
    """
    check(info, channel_format)
    root = ET.Element("info")
    core = {
        "name": info.name,
        "type": info.type,
        "channel_count": str(len(info.channels)),
        "channel_format": channel_format,
        "source_id": info.source_id,
        "nominal_srate": repr(float(info.rate_hz)),
    }
    for tag, text in core.items():
        ET.SubElement(root, tag).text = text
    desc = ET.SubElement(root, "desc")
    _describe(desc, info)
    ours = {"version": VERSION, **({"sample_clock": "1"} if info.sample_clock else {}), **(bci or {})}
    element = ET.SubElement(desc, "bci")
    for tag, text in ours.items():
        ET.SubElement(element, tag).text = text
    return '<?xml version="1.0"?>\n' + ET.tostring(root, encoding="unicode")


def text_info(name: str, type: str, source_id: str, columns: Sequence[str] = ("text",)) -> StreamInfo:
    """Describe a stream of strings, usually one per sample, at no fixed rate.

    Parameters
    ----------
    name : str
        Of the stream.
    type : str
        Of the stream.
    source_id : str
        Of the stream.
    columns : sequence of str
        Names of its columns.

    Returns
    -------
    StreamInfo

    Examples
    --------
    >>> text_info("cues", "Markers", "c1").rate_hz
    0.0
    """
    return StreamInfo(0.0, tuple(Channel(c, "AUX", "") for c in columns), source_id=source_id, name=name, type=type)


def row_info(name: str, type: str, source_id: str, columns: Sequence[str]) -> StreamInfo:
    """Describe a stream of rows of numbers at no fixed rate: decisions, outcomes, timing.

    Parameters
    ----------
    name : str
        Of the stream.
    type : str
        Of the stream.
    source_id : str
        Of the stream.
    columns : sequence of str
        Names of its columns.

    Returns
    -------
    StreamInfo

    Examples
    --------
    >>> row_info("bci-decisions", "BCI-Decision", "d1", ["sequence", "decision"]).labels
    ('sequence', 'decision')
    """
    channels = tuple(Channel(c, "AUX", "") for c in columns)
    return StreamInfo(0.0, channels, source_id=source_id, name=name, type=type)


def check(info: StreamInfo, channel_format: str) -> None:
    """Refuse a description that must not be sent or written into a file.

    Parameters
    ----------
    info : StreamInfo
    channel_format : str
        As in LSL.

    Raises
    ------
    ConfigError
        With one line per fault.
    """
    problems = []
    if channel_format not in FORMATS:
        problems.append(f"channel_format = {channel_format!r}: must be one of {', '.join(FORMATS)}")
    if not math.isfinite(info.rate_hz) or info.rate_hz < 0:
        problems.append(f"rate_hz = {info.rate_hz}: must be finite and not negative")
    if not 1 <= len(info.channels) <= MAX_CHANNELS:
        problems.append(f"{len(info.channels)} channels: must be 1 to {MAX_CHANNELS}")
    texts = [("name", info.name), ("type", info.type), ("source_id", info.source_id), ("reference", info.reference)]
    texts += [(f"channel {i} label", c.label) for i, c in enumerate(info.channels, start=1)]
    for what, text in texts:
        if len(text) > MAX_LABEL:
            problems.append(f"{what} has {len(text)} characters: at most {MAX_LABEL} are allowed")
        elif _CONTROL.search(text) or any(c in text for c in "\t\r\n"):
            problems.append(f"{what} = {text!r}: control characters are not allowed")
    if problems:
        raise ConfigError([f"stream {info.name[:MAX_LABEL]!r}: {p}" for p in problems])


def channel_type(label: str, declared: str, eeg_by_label: bool = False) -> str:
    """One of our five types; the label overrules a declared type that contradicts it.

    Parameters
    ----------
    label, declared : str
    eeg_by_label : bool
        Take channels named like electrodes for EEG although they are declared otherwise.

    Examples
    --------
    >>> channel_type("Counter", "EEG"), channel_type("EEG C3-REF", "signal", eeg_by_label=True)
    ('AUX', 'EEG')
    """
    bare = _OF_EEG.sub("", canonical(label))
    kind = _TYPES.get(declared.upper(), "AUX")
    if kind == "EEG" and _TRIGGER.fullmatch(bare):
        return "TRIG"
    if kind == "EEG" and _NOT_EEG.fullmatch(bare):
        return next((t for t in ("EOG", "EMG") if t in bare.upper()), "AUX")
    if kind == "AUX" and eeg_by_label and _ELECTRODE.fullmatch(bare) and not _ABOUT_EEG.search(declared):
        return "EEG"
    return kind


def _describe(desc: ET.Element, info: StreamInfo) -> None:
    """Reference and channels, as the XDF EEG meta-data page lays them out; positions in millimetres."""
    if info.reference:
        ET.SubElement(ET.SubElement(desc, "reference"), "label").text = info.reference
    channels = ET.SubElement(desc, "channels")
    for channel in info.channels:
        element = ET.SubElement(channels, "channel")
        unit = "microvolts" if channel.unit == "uV" else channel.unit
        for tag, text in (("label", channel.label), ("type", channel.type), ("unit", unit)):
            if text:
                ET.SubElement(element, tag).text = text
        if channel.position is not None:
            location = ET.SubElement(element, "location")
            for axis, metres in zip("XYZ", channel.position, strict=True):
                ET.SubElement(location, axis).text = repr(metres * 1e3)


def _channel(element: ET.Element, number: int, stream_type: str, eeg_by_label: bool) -> Channel:
    label = _text(element, "label") or _text(element, "name") or f"ch{number}"
    unit = _text(element, "unit")
    declared = _text(element, "type").upper() or stream_type.upper()
    kind = channel_type(label, declared, eeg_by_label)
    # MNE-LSL's player writes units as powers of ten of a volt, and 0 for what is no voltage too.
    volts = unit == "0" and kind in ("EEG", "EOG", "EMG")
    return Channel(label=label, type=kind, unit="V" if volts else canonical_unit(unit), position=_position(element))


def _position(element: ET.Element) -> tuple[float, float, float] | None:
    """``location/{X,Y,Z}`` in millimetres as metres, or None where it is missing or not finite."""
    try:
        x, y, z = (float(_text(element, f"location/{axis}")) * 1e-3 for axis in "XYZ")
    except ValueError:
        return None
    return (x, y, z) if all(map(math.isfinite, (x, y, z))) else None


def _text(element: ET.Element, path: str) -> str:
    text = (element.findtext(path) or "").strip()
    if len(text) > MAX_LABEL:
        raise StreamError(f"stream header: {path} has {len(text)} characters ({text[:40]!r}…); at most {MAX_LABEL} are read")
    return re.sub(r"\s+", " ", text)


def _number(root: ET.Element, tag: str, name: str, low: float, high: float) -> float:
    text = _text(root, tag)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise StreamError(f"stream {name!r}: {tag} = {text!r}; must be a number from {low:g} to {high:g}")
    return value
