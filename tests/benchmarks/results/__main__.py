"""``make results``: train on each person's first runs, decode the later ones live, and write ``docs/results/results.md``.

Examples
--------
::

    make results                                            # everything, about nine minutes
    make results ARGS="--decoders ts-lr --no-real-time"     # a look, about two minutes
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from bci.progress import Progress, progress_bar

from .live import model_of, trained
from .recordings import DATA, people
from .report import page
from .table import Line, as_required, give_way, line

if TYPE_CHECKING:
    from .real_time import RealTime

DECODERS = ("ts-lr", "csp-lda", "mdm", "fgmdm", "fbcsp")
PLAYED = ("physionet S001", "ds003810 S05", "labrecorder day 2")
OTHERS = "<!-- per-person choice -->"
PAGE = Path(__file__).parents[3] / "docs" / "results" / "results.md"


def main() -> int:
    """Compute, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--decoders", default=",".join(DECODERS), help="comma-separated; the first is shown in full")
    parser.add_argument("--no-real-time", action="store_true", help="leave out the runs that are played through LSL")
    parser.add_argument("--out", type=Path, default=PAGE, help="default docs/results/results.md")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"the real recordings are not here (looked in {DATA.parent.name}/{DATA.name} beside the project)", file=sys.stderr)
        return 2
    decoders = tuple(args.decoders.split(","))
    with progress_bar("starting") as progress, _played(decoders[0], () if args.no_real_time else PLAYED, progress) as played:
        tables = _tables(decoders, progress)
        progress("waiting for the runs that are played in real time", 1.0)
        real = [future.result() for future in played]
    text = page(tables, real, decoders[0])
    args.out.write_text(text + other_sections(args.out), encoding="utf-8")
    print(text)
    return 0 if as_required(tables[decoders[0]]) else 1


def other_sections(page: Path) -> str:
    """What another command has put at the end of the page (``python -m verdict.real``)."""
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    begin = old.find(OTHERS)
    return "" if begin < 0 else f"\n{old[begin:]}"


def _tables(decoders: tuple[str, ...], progress: Progress) -> dict[str, list[Line]]:
    """Person by person, so that decoders of the same bands share what was cut.

    In a process of its own that gives way: this one plays recordings in real time and must not be late.
    """
    tables: dict[str, list[Line]] = {name: [] for name in decoders}
    lines = [person for row in zip(*(people(name) for name in decoders), strict=True) for person in row]
    with ProcessPoolExecutor(1, get_context("spawn"), give_way) as pool:
        for done, (person, found) in enumerate(zip(lines, pool.map(line, lines), strict=True)):
            progress(f"{person.name}, {person.config.decoder.name}", (done + 1) / len(lines))
            tables[person.config.decoder.name].append(found)
    return tables


@contextmanager
def _played(decoder: str, names: tuple[str, ...], progress: Progress) -> Iterator[list[Future[RealTime]]]:
    """Runs that are played through LSL while the block computes; they take hardly any processor."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max(1, len(names))) as pool:
        _own_session(Path(folder))
        from .real_time import in_real_time  # loads liblsl, which reads its settings once

        futures = []
        over = threading.Event()
        for person in people(decoder):
            if person.name in names:
                place = Path(folder) / person.data_set
                place.mkdir()
                model = model_of(trained(person, progress), person.config, place)
                job = (person.data_set, person.test[0], model, person.config, place)
                futures.append(pool.submit(in_real_time, *job, stopped=over.is_set))
        try:
            yield futures
        finally:
            over.set()


def _own_session(folder: Path) -> None:
    """Streams and ports that nobody else's programs see, and that see nobody else's; before liblsl is first used."""
    identifier = uuid.uuid4()
    port = 26000 + 100 * (identifier.int % 50)
    config = folder / "lsl_api.cfg"
    ports = f"[ports]\nMulticastPort = {port}\nBasePort = {port + 1}\nPortRange = 80\n"
    config.write_text(f"[lab]\nSessionID = bci-results-{identifier.hex[:12]}\n{ports}[log]\nlevel = -3\n", encoding="utf-8")
    os.environ["LSLAPICFG"] = str(config)


if __name__ == "__main__":
    sys.exit(main())
