"""What every contestant is asked to do, and how its decisions travel: the same for all of them."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

RATE_HZ = 250.0
N_CHANNELS = 32
BAND_HZ = (8.0, 30.0)
FILTER_ORDER = 4
WINDOW = 500
HOP = 10

LABELS = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "T7", "C5"),
    *("C3", "C1", "Cz", "C2", "C4", "C6", "T8", "CP5", "CP1", "CPz", "CP2", "CP6", "P3", "Pz", "P4", "Oz"),
)
SENDER_NAME = "bench-eeg"
DECISION_TYPE = "BCI-Decision"
COLUMNS = ("sequence", "decision", "confidence", "stamp", "expiry", "reason", "heartbeat")  # docs/reference/streams.md, Decisions
EXPIRY_S = 0.25


@dataclass(frozen=True, slots=True)
class Task:
    """What a contestant process is started with.

    Parameters
    ----------
    stream : str
        Name of the EEG stream.
    decoder : Path
        File written by :func:`latency.training.save`.
    """

    stream: str
    decoder: Path


def read_task() -> Task:
    """The task from the command line, with the process tied to its parent's pipe."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stream", default=SENDER_NAME)
    parser.add_argument("--decoder", type=Path, required=True)
    options = parser.parse_args()
    leave_with_parent()
    return Task(options.stream, options.decoder)


def leave_with_parent() -> None:
    """End this process when the pipe on its standard input closes, so that nothing is left behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, name="watches the parent", daemon=True).start()


def say(**fields: Any) -> None:
    """One JSON line to the parent."""
    print(json.dumps(fields), flush=True)


def say_missing(error: ImportError, packages: str) -> None:
    """Tell the parent which packages this contestant needs."""
    say(missing=f"not installed: pip install {packages} ({error})")


def find(predicate: str, timeout_s: float = 20.0) -> pylsl.StreamInfo:
    """The one stream that matches an XPath predicate.

    Raises
    ------
    TimeoutError
        If none answers in time.
    """
    found = pylsl.resolve_bypred(predicate, 1, timeout_s)
    if not found:
        raise TimeoutError(f"no LSL stream with {predicate} answered within {timeout_s:g} s; did its process start?")
    return found[0]


def load_decoder(path: Path) -> dict[str, Any]:
    """The fitted pipeline and the filter it was trained behind: keys ``pipeline`` and ``sos``."""
    import joblib

    return dict(joblib.load(path))


def decision_outlet(name: str) -> pylsl.StreamOutlet:
    """Outlet for rows with the columns of docs/reference/streams.md."""
    info = pylsl.StreamInfo(name, DECISION_TYPE, len(COLUMNS), pylsl.IRREGULAR_RATE, pylsl.cf_double64, f"{name}-{os.getpid()}")
    return pylsl.StreamOutlet(info)


def decision_row(sequence: int, probabilities: np.ndarray, stamp: float) -> list[float]:
    """One row, to be pushed at once: its expiry says when that was."""
    decision = int(np.argmax(probabilities))
    return [float(sequence), float(decision), float(probabilities[decision]), stamp, pylsl.local_clock() + EXPIRY_S, 0.0, 0.0]


def settle() -> None:
    """Everything that was loaded stays: no garbage collection may walk over it again."""
    gc.collect()
    gc.freeze()
