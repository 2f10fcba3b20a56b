"""``bci info``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bci.stream.xdf_reader import XdfFile
    from bci.stream.xdf_summary import StreamSummary

HELP = """Say what a recording or a model file holds, and whether it is whole.

Of a recording: streams, counts, measured rates, gaps, checksums; ends with exit code 5 where it is damaged. Of a
model: channels, filters, window, classes, what it was trained on, and how well."""
EXAMPLES = """
bci info recordings/sub-P003/ses-1/eeg/sub-P003_ses-1_task-mi_run-001_eeg.xdf
bci info left-right.safetensors
bci info FILE --json
"""
MODEL = ".safetensors"
DAMAGED = 5
RATE_TOLERANCE = 0.02
VERDICTS = {
    "verified": "verified: every byte is as it was recorded",
    "unverified": "unverified: no contradiction found, but there is no sidecar of checksums to compare with",
    "damaged": "damaged: what contradicts the checksums, or itself, is left out (bci salvage writes the rest into a new file)",
}

MANY = 8
"""Numbers in a row that nobody reads; --json has them."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", type=Path, help="an XDF file or a model file")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what the file holds."""
    if args.file.suffix == MODEL:
        return _model(args.file, args.json)
    from bci.stream.xdf_reader import read_xdf
    from bci.stream.xdf_summary import summarise

    file = read_xdf(args.file)
    summaries = [summarise(stream) for stream in file.streams]
    if args.json:
        _print_json(file, summaries)
    else:
        _print_table(file, summaries)
    return DAMAGED if file.verified == "damaged" else 0


def _model(path: Path, as_json: bool) -> int:
    """Print a model's header."""
    from bci.session.model import load_model

    model = load_model(path)
    header = asdict(model.header)
    if as_json:
        print(json.dumps({"path": str(path), "sha256": model.sha256, **header}))
        return 0
    for key, value in {"sha256": model.sha256, **header, **header.pop("preprocessing")}.items():
        if key not in ("preprocessing", "channel_types", "units"):
            print(f"{key:20} {_plain(value)}")
    return 0


def _plain(value: object) -> str:
    """A value as people write it."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        if len(value) > MANY and all(isinstance(x, float) for x in value):
            return f"{len(value)} values"
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print_json(file: XdfFile, summaries: list[StreamSummary]) -> None:
    """Everything as one object."""
    document = {
        "path": str(file.path),
        "closed": file.closed,
        "verified": file.verified,
        "sha256": file.sha256,
        "left_out_bytes": file.left_out,
        "problems": list(file.problems),
        "streams": [asdict(s) for s in summaries],
    }
    print(json.dumps(document))


def _print_table(file: XdfFile, summaries: list[StreamSummary]) -> None:
    """A table for a person. Names come from the network, so they are never read as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("stream", "type", "channels", "samples", "rate Hz", "measured", "duration", "gaps", "clock offset", "notes")
    for s in summaries:
        gaps = f"{s.gaps} ({s.missing_s:.1f} s)" if s.gaps else "none" if s.nominal_hz else ""
        notes = "; ".join(
            filter(None, (s.notes, "" if s.closed else "no footer", f"{s.segments} segments" * (s.segments > 1), _rate(s)))
        )
        cells = (
            s.name,
            s.type,
            f"{s.channels} {s.channel_format}",
            str(s.samples),
            f"{s.nominal_hz:g}" if s.nominal_hz else "irregular",
            f"{s.measured_hz:.2f}" if s.measured_hz else "",
            f"{s.duration_s:.1f} s",
            gaps,
            "unknown" if s.clock_offset_s is None else _seconds(s.clock_offset_s),
            notes,
        )
        table.add_row(*(Text(cell) for cell in cells))
    console = Console(highlight=False)
    console.print(Text(str(file.path)))
    console.print(table)
    console.print("closed in good order" if file.closed else "not closed: the recorder was interrupted")
    console.print(VERDICTS[file.verified])
    for problem in file.problems:
        console.print(Text(f"  {problem}"))


def _rate(summary: StreamSummary) -> str:
    """What is wrong with the rate: the device's declaration, or samples lost in many small gaps."""
    if not summary.measured_hz or abs(summary.measured_hz / summary.nominal_hz - 1) < RATE_TOLERANCE:
        return ""
    return f"rate is {100 * summary.measured_hz / summary.nominal_hz:.0f} % of the declared one"


def _seconds(value: float) -> str:
    """A time in the unit that suits it."""
    return f"{value:.3f} s" if abs(value) >= 1 else f"{value * 1e3:.2f} ms"
