"""One certified run: a live session as ``bci run`` starts it, a receiver, and what the recording says."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bci.certify.loopback import Loopback
from bci.certify.receiver import Received, ReceiverPlan
from bci.certify.stages import Measured, measured
from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.model.file import load_model
from bci.processes.child import Child, ChildError
from bci.progress import Progress, silent
from bci.session.plan import SessionPlan
from bci.session.run import LiveSession
from bci.stream import messages
from bci.stream.lsl.liblsl import this_host
from bci.stream.metadata import parse_header
from bci.stream.xdf.reader import XdfFile, read_xdf
from bci.stream.xdf.streams import XdfStream

START_S = 60.0
PATIENCE_S = 40.0


@dataclass(frozen=True, slots=True)
class RunTimes:
    """How long to measure, seconds."""

    seconds: float = 30.0
    warm_up_s: float = 3.0


@dataclass(frozen=True, slots=True)
class LoopbackPlan:
    """Where commands are sent, and where their effects are seen (queries; empty for no loop-back)."""

    sent: str = ""
    seen: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ChainRun:
    """The result of one run."""

    measured: Measured
    loop: Loopback | None
    recording: Path


def certified_run(
    plan: SessionPlan,
    times: RunTimes,
    loop: LoopbackPlan,
    stopped: Callable[[], str] = lambda: "",
    told: Progress = silent,
) -> ChainRun:
    """Start everything, measure, stop, and work out the figures.

    Parameters
    ----------
    plan : SessionPlan
        What is started.
    times : Times
        How long is measured, and how long the session settles before.
    loop : LoopbackPlan
        Through which streams a round trip is measured; empty for none.
    stopped : callable
        Asked again and again; why to stop, empty to go on.
    told : Progress
        Told how far it is.

    Raises
    ------
    ChildError
        If a process of the session does not start, or ends.
    StreamError
        If nothing is decoded.
    """
    told("starting device, recorder and engine", 0.0)
    with tempfile.TemporaryDirectory(prefix="bci-certify-") as folder, LiveSession(plan, stopped) as session:
        place = Path(folder)
        query = session.stream_query("decisions")
        order = ReceiverPlan(query, times.seconds, times.warm_up_s, PATIENCE_S, loop.sent, loop.seen, loop.channel)
        received = _received(order, place, session, stopped, told)
        recording = session.recording
    told("reading the recording", 0.98)
    e = plan.config.engine
    header = load_model(plan.model).header
    hop_s = header.preprocessing.hop / header.preprocessing.rate_hz
    found = _figures(read_xdf(recording), recording, received.rows, hop_s, e.stale_s)
    return ChainRun(found, received.loop, recording)


def _received(plan: ReceiverPlan, place: Path, session: LiveSession, stopped: Callable[[], str], told: Progress) -> Received:
    """What the receiver's process measured; progress while it works."""
    plan.save(place / "plan.json")
    child = Child("receiver", ["certify", "--receive", str(place), "--parent-pipe", "--json"], place / "receiver.log")
    try:
        child.wait_ready(START_S, stopped)
        told("waiting for the first decision", 0.1)
        deadline = time.monotonic() + PATIENCE_S + plan.warm_up_s + plan.seconds + START_S
        while time.monotonic() < deadline:
            session.check()
            if stopped():
                raise KeyboardInterrupt
            message = child.message(0.5)
            if message is not None and "error" in message:
                raise ChildError("receiver: " + "\n".join(map(str, message["problems"])), int(message["exit_code"]))
            if message is not None and "share" in message:
                told(f"measuring for {plan.seconds:g} s", 0.1 + 0.85 * float(message["share"]))
            if message is not None and message.get("done"):
                return load_received(place)
            if not child.alive and message is None:
                break
        raise ChildError(f"receiver ended with code {child.exit_code}, or gave no answer:\n{child.last_words()}")
    finally:
        child.stop()


def save_received(received: Received, place: Path) -> None:
    """Write what came, for the parent process.

    Parameters
    ----------
    received : Received
    place : Path
        An existing folder.
    """
    np.save(place / "rows.npy", received.rows)
    loop = received.loop
    if loop is not None:
        fields = {"delays": loop.delays.tolist(), "sent": loop.sent, "missed": loop.missed, "unasked": loop.unasked}
        (place / "loop.json").write_text(json.dumps(fields), encoding="utf-8")


def load_received(place: Path) -> Received:
    """What :func:`save_received` wrote.

    Parameters
    ----------
    place : Path
        The folder.
    """
    loop = None
    if (place / "loop.json").exists():
        fields = json.loads((place / "loop.json").read_text(encoding="utf-8"))
        loop = Loopback(**{**fields, "delays": np.array(fields["delays"], np.float64)})
    return Received(np.load(place / "rows.npy"), loop)


def _figures(file: XdfFile, path: Path, rows: FloatArray, hop_s: float, stale_s: float) -> Measured:
    """Delays and losses, from what came and what the recording holds."""
    begin, end = float(rows[0, -1]), float(rows[-1, -1])
    states = _states(_of_type(file, "BCI-State", path))
    inside = [s for t, s in states if begin <= t <= end] or [s for _, s in states]
    first, last = inside[0], inside[-1]
    came = int(last["consumed"]) - int(first["consumed"])
    lost = int(last["lost"]) - int(first["lost"])
    timing = _of_type(file, "BCI-Timing", path)
    if isinstance(timing.values, list):
        raise RecordingError(f"{path}: the stream BCI-Timing contains texts, not numbers")
    offset_s = _offset_s(_named(file, str(last["stream"]), path))
    return measured(rows, np.asarray(timing.values, np.float64), hop_s, stale_s, offset_s, (came, lost))


def _states(stream: XdfStream) -> list[tuple[float, dict[str, Any]]]:
    """States that the engine sent, with the time of each."""
    texts = stream.values if isinstance(stream.values, list) else []
    return [(t, messages.parse(row[0], "state")) for t, row in zip(stream.stamps.tolist(), texts, strict=True)]


def _offset_s(stream: XdfStream) -> float:
    """What to add to stamps of another machine; this one's need nothing."""
    host = parse_header(stream.header_xml).findtext("hostname") or ""
    return 0.0 if host in ("", this_host()) or not len(stream.offsets) else float(np.median(stream.offsets))


def _of_type(file: XdfFile, type_: str, path: Path) -> XdfStream:
    return _only([s for s in file.streams if s.type == type_], type_, path)


def _named(file: XdfFile, name: str, path: Path) -> XdfStream:
    return _only([s for s in file.streams if s.name == name], name, path)


def _only(found: Sequence[XdfStream], what: str, path: Path) -> XdfStream:
    if not found:
        raise RecordingError(f"{path}: contains no stream {what!r}; the recorder may have been stopped during the measurement")
    return found[0]
