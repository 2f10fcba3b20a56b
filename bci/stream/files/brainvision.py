"""BrainVision headers as they are found: renamed, without markers, in any code page, with either letter for micro.

Layout: Brain Products, "BrainVision Core Data Format 1.0": a text header (.vhdr) that names a data file and a marker file.
"""

from __future__ import annotations

import re
from pathlib import Path

from bci.errors import RecordingError
from bci.safe_io.regular_file import read_regular
from bci.stream.files.boundary import refuse_text_transfer
from bci.stream.units import canonical_unit

MOST_TEXT = 64 << 20
"""Bytes of a header or of markers; those of a day take a tenth of it."""

_KEY = r"(?im)^[ \t]*{}[ \t]*=(.*)$"
_CHANNEL = re.compile(r"(?im)^(Ch\d+[ \t]*=[^,\r\n]*,[^,\r\n]*,[^,\r\n]*,)([^,\r\n]*)")
_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}


def prepare_brainvision(path: Path, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write a header that any reader understands, and that names the files that are really there.

    Parameters
    ----------
    path : Path
        The header as it is.
    folder : Path
        Where to write the other one, and the markers.

    Returns
    -------
    header : Path
    notes : tuple of str
        What was put right.

    Raises
    ------
    RecordingError
        If there is no data file, or it contradicts the header.
    """
    text = _decoded(read_regular(path, MOST_TEXT))
    if "brain" not in text[:200].lower():
        raise RecordingError(f"{path}: is not a BrainVision header (its first line does not say so)")
    notes: list[str] = []
    data = _beside(path, _value(text, "DataFile"), (".eeg", ".dat"), notes)
    if data is None:
        raise RecordingError(
            f"{path}: names {_value(text, 'DataFile')!r} as its data file (DataFile=), but neither that file nor "
            f"{path.stem}.eeg is in the same folder. If the files were renamed, give all three the same name, or write the "
            "new name "
            "after DataFile="
        )
    notes += _size_notes(path, text, data)
    marks = _beside(path, _value(text, "MarkerFile"), (".vmrk",), notes)
    if marks is None:
        notes.append("has no marker file (.vmrk) in the same folder, so it is read without markers")
    else:
        content = _decoded(read_regular(marks, MOST_TEXT))
        if "[marker infos]" not in content.lower():
            raise RecordingError(
                f"{path}: {marks.name} is not a marker file (it has no section [Marker Infos]). Copy it again, or move it "
                "to another folder to read the recording without markers"
            )
        (folder / "markers.vmrk").write_text(_utf8(content), encoding="utf-8")
    text = _set(_set(_utf8(text), "DataFile", str(data.absolute())), "MarkerFile", "markers.vmrk" if marks else "")
    header = folder / "header.vhdr"
    header.write_text(_CHANNEL.sub(lambda m: m[1] + canonical_unit(m[2]), text), encoding="utf-8")
    return header, tuple(notes)


def _decoded(content: bytes) -> str:
    """Text in the code page that it declares; else UTF-8, else that of Windows in the west."""
    declared = re.search(rb"(?im)^Codepage=([\w-]+)", content)
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    for page in (name if name != "ansi" else "cp1252", "utf-8-sig", "cp1252"):
        try:
            return content.decode(page)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("latin-1")


def _utf8(text: str) -> str:
    """The text with its code page declared as it will be written."""
    return re.sub(r"(?im)^Codepage=.*$", "Codepage=UTF-8", text.lstrip("\ufeff")).replace("\r\n", "\n")


def _value(text: str, key: str) -> str:
    found = re.search(_KEY.format(key), text)
    return found[1].strip() if found else ""


def _set(text: str, key: str, value: str) -> str:
    """The text with a key of its first section set, or without it where the value is empty."""
    line = f"{key}={value}" if value else ""
    if re.search(_KEY.format(key), text):
        return re.sub(_KEY.format(key), lambda _: line, text, count=1)
    return re.sub(r"(?im)^(\[Common Infos\])$", lambda m: f"{m[1]}\n{line}", text, count=1)


def _beside(path: Path, declared: str, endings: tuple[str, ...], notes: list[str]) -> Path | None:
    """The file that a header names, or where it is not there, the one that has the header's own name."""
    # The base name may stand as $b, and a path of the computer that it was recorded on before it.
    name = re.split(r"[\\/]", declared.replace("$b", path.stem))[-1]
    there = {p.name.lower(): p for p in sorted(path.parent.iterdir()) if p.is_file()}
    own = [there[(path.stem + e).lower()] for e in (Path(name).suffix.lower(), *endings) if (path.stem + e).lower() in there]
    named = path.parent / name if name and (path.parent / name).is_file() else there.get(name.lower())
    if named is not None:
        if own and own[0].name.lower() != named.name.lower():
            notes.append(
                f"names {named.name} (DataFile=, MarkerFile=), so this file is read, although {own[0].name} has the name of "
                "the header"
            )
        return named
    if own:
        named_is = f"names {name}, which does not exist" if name else f"names no {endings[0]} file"
        notes.append(f"{named_is}; {own[0].name} in the same folder is read instead")
        return own[0]
    return None


def _size_notes(path: Path, text: str, data: Path) -> list[str]:
    """Whether the data are as many as the header says; refused where what is there could not be told apart."""
    width = _BYTES.get(_value(text, "BinaryFormat").upper())
    channels = _value(text, "NumberOfChannels")
    if _value(text, "DataFormat").upper() != "BINARY" or width is None or not channels.isdecimal() or channels == "0":
        return []
    refuse_text_transfer(data)
    held, rest = divmod(data.stat().st_size, width * int(channels))
    points = _value(text, "DataPoints")
    promised = int(points) if points.isdecimal() and int(points) else held
    if not held:
        raise RecordingError(f"{path}: {data.name} contains no complete sample of {channels} channels; copy it again")
    if not rest and promised == held:
        return []
    if _value(text, "DataOrientation").upper() == "VECTORIZED":
        raise RecordingError(
            f"{path}: {data.name} contains {held} samples per channel and {rest} more bytes, but {promised} samples are "
            "declared. The file stores one channel after the other, so nobody can know where each channel begins; copy it again"
        )
    if promised > held:
        return [f"was cut short: {promised - held} of {promised} samples are missing at the end of {data.name}"]
    return [f"{data.name} does not end with a whole sample, or is longer than declared; {held} samples are read"]
