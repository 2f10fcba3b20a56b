"""``bci streams``: what is on the network."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bci.stream.lsl import FoundStream

HELP = """List the LSL streams that can be seen, on this computer or on the network.

With --listen, each stream is read for a while, and its measured rate is shown beside its declared rate.

How to name a stream in every option and setting that takes a QUERY, in live sessions and for files:
  Muse                     the stream with this name, type or source_id, which may contain commas: "EEG, 8 channels"
  type=EEG,host=*          conditions on name, type, source_id and host; all must match. Without host: this computer only
  Muse,host=lab2           the same, with a name in front
  name="a, type=b"         put quotes around a value that contains ", KEY=" or begins with a quote"""

EXAMPLES = """bci streams
bci streams --host '' --wait 3
bci streams --listen 5 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    parser.add_argument("--wait", type=float, default=1.0, metavar="SECONDS", help="wait this long for answers (default 1)")
    parser.add_argument(
        "--host", default="*", help="computer whose streams are listed: its name, '' for this one, or '*' for all (default)"
    )
    parser.add_argument(
        "--listen", type=float, default=0.0, metavar="SECONDS", help="read each stream this long, and measure its rate"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def run(args: argparse.Namespace) -> int:
    """Print a table or JSON; the exit code is 0 even if nothing was found.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.errors import ConfigError
    from bci.stream.lsl import list_streams

    wrong = [
        f"--{k} {v}: must be a number of seconds, 0 to 3600"
        for k in ("wait", "listen")
        if not 0 <= (v := getattr(args, k)) <= 3600
    ]
    if wrong:
        raise ConfigError(wrong)
    found = list_streams(args.wait, args.host)
    measured = measure(found, args.listen) if args.listen > 0 else [{} for _ in found]
    rows = [{**_fields(f), **m} for f, m in zip(found, measured, strict=True)]
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows, args.listen > 0)
    return 0


def _fields(found: FoundStream) -> dict[str, Any]:
    return {
        "name": found.name,
        "type": found.type,
        "channels": found.n_channels,
        "rate_hz": found.rate_hz,
        "format": found.channel_format,
        "source_id": found.source_id,
        "host": found.host,
    }


def measure(found: list[FoundStream], listen_s: float) -> list[dict[str, Any]]:
    """Read all streams at once and count what comes.

    Parameters
    ----------
    found : list of FoundStream
        Streams to read.
    listen_s : float
        How long.

    Returns
    -------
    list of dict
        ``samples`` and ``effective_hz`` of each; ``error`` where it did not answer.
    """
    import time

    from bci.errors import StreamError
    from bci.stream.lsl import LslRawInlet

    inlets: list[LslRawInlet | None] = []
    results: list[dict[str, Any]] = []
    for stream in found:
        try:
            inlets.append(LslRawInlet(stream, timeout_s=2.0))
            results.append({"samples": 0})
        except StreamError as error:
            inlets.append(None)
            results.append({"error": str(error)})
    first: list[float | None] = [None] * len(found)
    last = [0.0] * len(found)
    counted = [0] * len(found)
    end = time.monotonic() + listen_s
    while (now := time.monotonic()) < end:
        for i, inlet in enumerate(inlets):
            n = _count(inlet, results[i])
            results[i]["samples"] = results[i].get("samples", 0) + n
            if n and first[i] is None:
                first[i] = now  # what was waiting is no measure of the rate
            elif n:
                last[i], counted[i] = now, counted[i] + n
        time.sleep(0.01)
    for i, inlet in enumerate(inlets):
        started = first[i]
        if started is not None and last[i] > started:
            results[i]["effective_hz"] = round(counted[i] / (last[i] - started), 3)
        if inlet is not None:
            inlet.close()
    return results


def _count(inlet: Any, result: dict[str, Any]) -> int:
    """Samples at hand; a stream that is gone is noted and counts none."""
    from bci.errors import StreamLost

    if inlet is None or "error" in result:
        return 0
    try:
        pulled = inlet.pull(0.0)
    except StreamLost as error:
        result["error"] = str(error)
        return 0
    return 0 if pulled is None else len(pulled[1])


def show(rows: list[dict[str, Any]], listened: bool) -> None:
    """A table in the terminal; names of strangers are shown as text, never as markup.

    Parameters
    ----------
    rows : list of dict of str to object
        What is known of each stream.
    listened : bool
        Whether rates were measured, which is a column more.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not rows:
        console.print(
            "No LSL stream was found. Check that the sender is running, is on this network, and is not behind a firewall."
        )
        return
    table = Table(
        "name", "type", "channels", "rate (Hz)", *(["measured (Hz)"] if listened else []), "format", "source_id", "host"
    )
    for row in rows:
        rate = f"{row['rate_hz']:g}" if row["rate_hz"] else "irregular"
        cells = [row["name"], row["type"], str(row["channels"]), rate]
        if listened:
            cells.append("gone" if "error" in row else f"{row['effective_hz']:g}" if "effective_hz" in row else "silent")
        cells += [row["format"], row["source_id"] or "none", row["host"]]
        table.add_row(*(Text(c) for c in cells))
    console.print(table)
