"""``bci info``."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bci.stream.files.summary import FileSummary
    from bci.stream.xdf.summary import StreamSummary

HELP = """Show what a recording or a model file contains, and whether it is intact.

For a recording (in any format that bci reads), the command shows streams, channels and units, counts, declared and measured
rates, gaps, the texts of markers, and checksums. If the recording is damaged, the exit code is 5. For a model, it shows channels,
filters, window, classes, the recordings on which the model was trained, and its accuracy."""
EXAMPLES = """
bci info recordings/sub-P003/ses-1/eeg/sub-P003_ses-1_task-mi_run-001_eeg.xdf
bci info night.edf
bci info left-right.safetensors
bci info FILE --json
"""
MODEL = ".safetensors"
DAMAGED = 5
RATE_TOLERANCE = 0.02
VERDICTS = {
    "verified": "verified: every byte is as it was recorded",
    "unverified": "unverified: no contradiction was found, but there is no file of checksums to compare with",
    "damaged": "damaged: parts that contradict the checksums or each other are left out (bci salvage rescues the rest)",
}
CLOSED = {True: "closed in good order", False: "not closed: the recorder was interrupted"}

MANY = 8
"""Numbers in a row that nobody reads; --json has them."""
MOST_TEXTS = 30
"""Different markers of a stream that are listed; --json has all."""
NARROW = 80
INDENT = 14


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    parser.add_argument("file", type=Path, help="a recording (XDF, EDF, BDF, GDF, BrainVision, FIF, .set, .cnt, .ov) or a model")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what the file contains.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    if args.file.suffix == MODEL:
        return _model(args.file, args.json)
    from bci.stream.files.summary import summarise_file

    found = summarise_file(args.file)
    if args.json:
        print(json.dumps(_document(found)))
    else:
        print("\n".join(_page(found)))
    return DAMAGED if found.verified == "damaged" else 0


def _model(path: Path, as_json: bool) -> int:
    """Print a model's header."""
    from bci.model.file import load_model

    model = load_model(path)
    header = asdict(model.header)
    if as_json:
        print(json.dumps({"path": str(path), "sha256": model.sha256, **header}))
        return 0
    for key, value in {"sha256": model.sha256, **header, **header.pop("preprocessing")}.items():
        if key not in ("preprocessing", "channel_types", "units") and _says(value):
            shown = {k: v for k, v in value.items() if v} if key == "artefacts" and isinstance(value, dict) else value
            print(*_row(key, _plain(shown), 16), sep="\n", end="\n" if _says(shown) else "")
    return 0


def _says(value: object) -> bool:
    """Whether there is anything to say: not None, no empty text, list or table of such."""
    if isinstance(value, dict):
        return any(map(_says, value.values()))
    return value is not None and not (isinstance(value, (str, list, tuple)) and not value)


def _plain(value: object) -> str:
    """A value as people write it."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items() if _says(v))
    if isinstance(value, (list, tuple)):
        if len(value) > MANY and all(isinstance(x, float) for x in value):
            return f"{len(value)} values"
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _document(found: FileSummary) -> dict[str, object]:
    """Everything as one object."""
    return {
        "path": str(found.path),
        "format": found.format,
        "closed": found.closed,
        "verified": found.verified,
        "checked": found.checked,
        "sha256": found.sha256,
        "left_out_bytes": found.left_out,
        "problems": list(found.problems),
        "streams": [asdict(s) for s in found.streams],
    }


def _page(found: FileSummary) -> Iterator[str]:
    """A page for a person, as wide as the terminal; nothing is cut, what does not fit goes on in the next line."""
    yield _shown(str(found.path))
    n = len(found.streams)
    yield f"{found.format}, {n} stream{'s' * (n != 1)}"
    for stream in found.streams:
        yield ""
        yield from _stream(stream)
    yield ""
    if found.closed is not None:
        yield CLOSED[found.closed]
    if found.format.startswith("XDF"):
        yield from _wrapped(found.checked if found.checked and found.verified == "unverified" else VERDICTS[found.verified])
    for problem in found.problems:
        yield from _wrapped(f"- {problem}", "  ")


def _stream(s: StreamSummary) -> Iterator[str]:
    """One stream, a fact a line."""
    kind = f" ({s.type})" if s.type else ""
    yield from _wrapped(f"{s.name or 'without a name'}{kind}", "    ")
    is_signal = s.nominal_hz > 0 and s.channel_format != "string"
    what = "samples" if is_signal or not s.texts else "markers"
    over = f" over {s.duration_s:.1f} s" if s.samples > 1 else ""
    yield from _row(what, f"{s.samples}{over}{'' if s.nominal_hz else ', at no fixed rate'}")
    if s.nominal_hz:
        measured = f", {s.measured_hz:.2f} Hz measured" if s.measured_hz else ""
        yield from _row("rate", f"{s.nominal_hz:g} Hz declared{measured}{_rate(s)}")
    if is_signal:
        yield from _row("gaps", f"{s.gaps} ({s.missing_s:.3g} s)" if s.gaps else "none")
    yield from _row("channels", _channels(s))
    if s.texts:
        yield from _row("markers" if what == "samples" else "texts", _texts(s.texts))
    if s.bad_channels:
        yield from _row("marked bad", ", ".join(s.bad_channels))
    if s.bad_spans:
        yield from _row("bad parts", "; ".join(f"{a:.2f}-{b:.2f} s {why}" for a, b, why in s.bad_spans[:MOST_TEXTS]))
        yield from _more(len(s.bad_spans))
    if s.clock_offset_s is not None:
        yield from _row("clock", _clock(s.clock_offset_s, s.clock_ppm, s.clock_resets))
    notes = (s.notes, "" if s.closed else "no footer", f"{s.segments} segments" * (s.segments > 1))
    yield from _row("notes", "; ".join(filter(None, notes)))


def _channels(s: StreamSummary) -> str:
    """Labels by type and unit."""
    format = f"{s.channels} {s.channel_format}".strip()
    groups: dict[str, list[str]] = {}
    for channel in s.layout:
        groups.setdefault(", ".join(filter(None, (channel.type, channel.unit or "no unit"))), []).append(channel.label)
    if s.channel_format == "string" or not groups:
        return format
    return f"{format}: " + "; ".join(f"{' '.join(labels)} ({kind})" for kind, labels in groups.items())


def _texts(texts: dict[str, int]) -> str:
    """What markers say, the most common first."""
    common = sorted(texts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{text!r} \u00d7 {n}" for text, n in common[:MOST_TEXTS])
    return shown + (f", and {len(texts) - MOST_TEXTS} others (--json has all)" if len(texts) > MOST_TEXTS else "")


def _more(n: int) -> Iterable[str]:
    """That there are more than were listed."""
    return _row("", f"and {n - MOST_TEXTS} others (--json has all)") if n > MOST_TEXTS else ()


def _rate(summary: StreamSummary) -> str:
    """What is wrong with the rate: the device's declaration, or samples lost in many small gaps."""
    if not summary.measured_hz or abs(summary.measured_hz / summary.nominal_hz - 1) < RATE_TOLERANCE:
        return ""
    return f"; that is {100 * summary.measured_hz / summary.nominal_hz:.0f} % of the declared one"


def _row(name: str, text: str, width: int = INDENT) -> Iterator[str]:
    """A name and what it is; nothing where there is nothing to say."""
    if text:
        start = f"{name:{width - 1}} " if width > INDENT else f"  {name:{width - 3}} "
        yield from _wrapped(start + text, " " * width)


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Text in lines of the terminal's width, without a word cut; names come from the network and are shown as they are."""
    width = shutil.get_terminal_size((NARROW, 24)).columns
    return textwrap.wrap(
        _shown(text),
        max(40, width),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def _shown(text: str) -> str:
    """Text without characters that would steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _clock(offset_s: float, ppm: float, resets: int) -> str:
    """How its clock relates to the recorder's."""
    runs = f", drifts by {ppm:+.1f} \u00b5s a second" if abs(ppm) >= 0.1 else ""
    times = f", reset {'once' if resets == 1 else f'{resets} times'} while recorded" if resets else ""
    return f"offset {_seconds(offset_s)}{runs}{times}"


def _seconds(value: float) -> str:
    """A time in the unit that suits it."""
    return f"{value:.3f} s" if abs(value) >= 1 else f"{value * 1e3:.2f} ms"
