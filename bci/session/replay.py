"""Run a recorded session again, and say whether the same came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bci.engine import inputs as steer
from bci.engine.chunk import Chunk, FloatArray
from bci.engine.decide import DecisionSettings
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import fields
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import RecordingError, VerificationError
from bci.session import wire
from bci.session.epochs import decoded
from bci.session.fingerprint import fingerprint
from bci.session.marked import UNMARKED, Marked
from bci.session.model import Model, load_model
from bci.session.progress import Progress, silent
from bci.stream.metadata import scale_to_microvolts, stream_info
from bci.stream.xdf_reader import XdfFile, XdfStream, read_xdf

CHUNK_S = 1.0
ELSEWHERE = 1e-9
ELSEWHERE_OF = {"network": 1e-5}
"""Kernels that compute in single precision."""
Feed = Callable[[Chunk, int], Iterator[Chunk]]


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """What a recording holds of one run of the engine.

    Parameters
    ----------
    info : StreamInfo
        The input as the engine saw it.
    settings : EngineSettings
    model : str
        SHA-256 of the model file.
    fingerprint : dict
    inputs : list of (consumed, Input or model hash)
        In the order in which they were applied.
    joins : list of (consumed, stamp)
        Raw sample counts at which the engine began to read, and the stamp of the first sample there.
    rows : ndarray, shape (n_outcomes, n_fields)
    raw : Chunk
        All recorded samples of the input, µV, raw stamps.
    velocities : ndarray, shape (n_outcomes, n_fields)
        Rows of the velocity stream; none where the model decodes no velocity.
    """

    info: StreamInfo
    settings: EngineSettings
    model: str
    fingerprint: dict[str, str]
    inputs: list[tuple[int, steer.Input | str]]
    joins: list[tuple[int, float]]
    rows: FloatArray
    raw: Chunk
    velocities: FloatArray = field(default_factory=lambda: np.zeros((0, 4)))


@dataclass(slots=True)
class Verification:
    """Recorded and recomputed outcomes, side by side.

    Parameters
    ----------
    outcomes : int
        Recorded.
    identical : int
        Reproduced: every bit under the recorded fingerprint; elsewhere to ``tolerance`` with equal decisions.
    tolerance : float
        0 for every bit; known once compared.
    different : list of str
        One line for each outcome that is not.
    places : list of int
        Which of the recorded outcomes each of these is.
    not_recorded : list of str
        What the engine consumed that the recording does not hold.
    velocities : list of ndarray
        Rows of velocity of the second run, where the model decodes one.
    same_fingerprint : bool
    """

    outcomes: int = 0
    identical: int = 0
    same_fingerprint: bool = True
    tolerance: float = 0.0
    different: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    not_recorded: list[str] = field(default_factory=list)
    velocities: list[FloatArray] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything was reproduced."""
        return self.outcomes > 0 and self.identical == self.outcomes and not self.different and not self.not_recorded

    @property
    def how(self) -> str:
        """How exactly it was compared, for people."""
        if not self.tolerance:
            return "bit for bit"
        return f"to {self.tolerance:g} (another processor or library than when it was recorded)"


def read_session(path: Path) -> RecordedSession:
    """The run of the engine that a recording holds.

    Raises
    ------
    RecordingError
        If it holds none, or not all that belongs to one.
    """
    file = read_xdf(path)
    events = [wire.parse(row[0], f"{path}: events") for row in _only(file, "BCI-Event", path).values]
    starts = [e for e in events if e["kind"] == "start"]
    if len(starts) != 1:
        raise RecordingError(f"{path}: holds {len(starts)} starts of an engine; a session to verify has exactly one")
    start = starts[0]
    info = wire.info_from_json(start["stream"])
    return RecordedSession(
        info,
        wire.settings_from_json(start["settings"]),
        start["model"],
        start["fingerprint"],
        [(e["consumed"], given) for e in events if (given := _input(e)) is not None],
        [(e["consumed"], float.fromhex(e["stamp"])) for e in events if e["kind"] in ("start", "found")],
        np.asarray(_only(file, "BCI-Outcome", path).values, dtype=np.float64),
        _raw(file, info, path),
        _velocities(file),
    )


def find_model(recording: Path, sha256: str) -> Model:
    """The model with this hash, from the folders around a recording.

    Raises
    ------
    RecordingError
        If no file beside it or one or two folders above has the hash.
    """
    tried = []
    for folder in (recording.parent, *list(recording.resolve().parents)[1:3]):
        for path in sorted(folder.glob("*.safetensors")):
            model = load_model(path)
            if model.sha256 == sha256:
                return model
            tried.append(str(path))
    raise RecordingError(
        f"{recording}: the model with SHA-256 {sha256[:12]}… is not beside it (looked at {', '.join(tried) or 'no file'}); "
        "name it with --model"
    )


def verify(
    session: RecordedSession, models: Callable[[str], Model], feed: Feed | None = None, progress: Progress = silent
) -> Verification:
    """Recompute every outcome from raw samples and inputs, and compare.

    Parameters
    ----------
    session : RecordedSession
    models : callable
        Model file of a hash.
    feed : callable, optional
        How the raw samples reach the engine: takes all of them and the place of the next input (in
        samples from here), yields chunks. Default: one second at a time on the virtual clock.
    progress : callable

    Raises
    ------
    VerificationError
        If the recorded outcomes cannot be aligned with the recorded samples.
    """
    model = models(session.model)
    same = session.fingerprint == fingerprint(model.header.kernel)
    result = Verification(len(session.rows), same_fingerprint=same)
    compare(session, model, recompute(session, models, result, feed, progress), result)
    return result


def compare(session: RecordedSession, model: Model, rows: Sequence[FloatArray], result: Verification) -> None:
    """Fill a verification from the rows of a second run.

    Parameters
    ----------
    session : RecordedSession
    model : Model
        The session's first.
    rows : sequence of ndarray
        As :func:`recompute` gave them for ``result``.
    result : Verification
    """
    found = dict(_keyed(rows))
    result.tolerance = 0.0 if result.same_fingerprint else ELSEWHERE_OF.get(model.header.kernel, ELSEWHERE)
    names = fields(len(model.header.preprocessing.labels), tuple(model.header.classes), model.header.preprocessing.partly)
    for place, row in enumerate(session.rows):
        again = found.get((row[0], row[1]))
        if again is None:
            if not result.not_recorded:
                result.different.append(f"segment {row[0]:.0f} index {row[1]:.0f}: recorded, not reproduced")
                result.places.append(place)
        elif _equal(row, again, result.tolerance):
            result.identical += 1
        else:
            result.different.append(_difference(row, again, names))
            result.places.append(place)
    _compare_velocities(session, result)


def _compare_velocities(session: RecordedSession, result: Verification) -> None:
    """Add the recorded velocities that did not come out again; when they were sent, the first column, is no part of it."""
    found = {(row[1], row[2]): row for row in result.velocities}
    places = {(row[0], row[1]): place for place, row in enumerate(session.rows)}
    for row in session.velocities:
        key = (row[1], row[2])
        again = found.get(key)
        if again is None and result.not_recorded:
            continue
        if again is None or not _equal_velocity(row[1:], again[1:], result.tolerance):
            came = "nothing" if again is None else again[4:].tolist()
            result.different.append(f"segment {row[1]:.0f} index {row[2]:.0f}: velocity {row[4:].tolist()} → {came}")
            result.places.append(places.get(key, 0))


def _equal_velocity(a: FloatArray, b: FloatArray, tolerance: float) -> bool:
    return bool(np.allclose(a, b, rtol=0, atol=tolerance)) if tolerance else a.tobytes() == b.tobytes()


def recompute(
    session: RecordedSession,
    models: Callable[[str], Model],
    result: Verification,
    feed: Feed | None = None,
    progress: Progress = silent,
) -> list[FloatArray]:
    """Outcome rows of a second run over the recorded samples and inputs."""
    model = models(session.model)
    engine = Engine(session.info, model.decoder, session.settings)
    n_channels = len(model.header.preprocessing.labels)
    waiting = [(n, steer.Swap(models(given).decoder) if isinstance(given, str) else given) for n, given in session.inputs]
    rows = []
    for stretch in _stretches(session, result):
        for chunk in _until_inputs(stretch, waiting, engine, feed or _virtual):
            for outcome in engine.outcomes(chunk):
                rows.append(outcome.row(n_channels))
                if outcome.velocity is not None:
                    result.velocities.append(outcome.steered(outcome.velocity, 0.0))
            progress("recomputing", min(1.0, engine.consumed / max(1.0, float(session.rows[-1][2]))))
    return rows


def instead(session: RecordedSession, model: Model, progress: Progress = silent) -> list[FloatArray]:
    """Outcome rows that another model would have given in a session, everything else as it was.

    The engine begins with the very sample it began with then, so that windows are the same ones; pauses, channels marked
    bad and settings changed live apply as recorded, other models do not take over.

    Parameters
    ----------
    session : RecordedSession
    model : Model
    progress : callable

    Raises
    ------
    VerificationError
        If the recorded outcomes cannot be aligned with the recorded samples.
    """
    used = {canonical(label) for label in model.header.preprocessing.labels}
    inputs: list[tuple[int, steer.Input | str]] = []
    for n, given in session.inputs:
        if isinstance(given, steer.Mark):
            inputs.append((n, replace(given, labels=tuple(x for x in given.labels if canonical(x) in used))))
        elif not isinstance(given, str):
            inputs.append((n, given))
    other = replace(session, model=model.sha256, inputs=inputs)
    return recompute(other, lambda _: model, Verification(), progress=progress)


def decode(
    info: StreamInfo, data: FloatArray, stamps: FloatArray, model: Model, settings: EngineSettings, marked: Marked = UNMARKED
) -> list[FloatArray]:
    """Outcome rows of any recorded signal, on the virtual clock.

    Parameters
    ----------
    info : StreamInfo
    data : ndarray, shape (n_samples, n_channels)
        Microvolts; no numbers where a stretch is marked bad (:meth:`~bci.stream.recording.RecordedSignal.chunk`).
    stamps : ndarray, shape (n_samples,)
    model : Model
    settings : EngineSettings
    marked : Marked
        Channels that people marked bad, and when.
    """
    engine = Engine(info, model.decoder, settings)
    n_channels = len(model.header.preprocessing.labels)
    raw = Chunk(data, stamps)
    if marked.of_channels:
        return [outcome.row(n_channels) for outcome in decoded(engine, raw, marked)]
    return [outcome.row(n_channels) for chunk in _virtual(raw, len(raw)) for outcome in engine.outcomes(chunk)]


@dataclass(frozen=True, slots=True)
class Changed:
    """One window that is decided otherwise.

    Parameters
    ----------
    segment, index : int
        Of the recorded outcome.
    stamp : float
        Raw, of the window's newest sample.
    was, now : str
        Class, or ``"nothing"``.
    """

    segment: int
    index: int
    stamp: float
    was: str
    now: str

    def __str__(self) -> str:
        return f"segment {self.segment} index {self.index}: {self.was} → {self.now}"


def changed(
    recorded: Sequence[FloatArray] | FloatArray, classes: Sequence[str], found: Sequence[FloatArray], others: Sequence[str]
) -> list[Changed]:
    """Each window whose decision would have been another.

    Windows are matched by the raw stamp of their newest sample, since another model may use another grid.
    """
    said = {row[3]: others[int(row[6])] if row[6] >= 0 else "nothing" for row in found}
    windows = []
    for row in recorded:
        was = classes[int(row[6])] if row[6] >= 0 else "nothing"
        now = said.get(row[3])
        if now is not None and now != was:
            windows.append(Changed(int(row[0]), int(row[1]), float(row[3]), was, now))
    return windows


def differences(
    recorded: Sequence[FloatArray] | FloatArray, classes: Sequence[str], found: Sequence[FloatArray], others: Sequence[str]
) -> list[str]:
    """One line for each of :func:`changed`."""
    return [str(one) for one in changed(recorded, classes, found, others)]


def _virtual(raw: Chunk, limit: int) -> Iterator[Chunk]:
    """The first ``limit`` samples, a second or so at a time."""
    step = 250
    for start in range(0, limit, step):
        end = min(start + step, limit)
        yield Chunk(raw.data[start:end], raw.stamps[start:end])


def _until_inputs(raw: Chunk, waiting: list[tuple[int, steer.Input]], engine: Engine, feed: Feed) -> Iterator[Chunk]:
    """Chunks of ``raw``, with every input applied after the sample that it followed."""
    begin, taken = engine.consumed, 0
    while taken < len(raw):
        while waiting and waiting[0][0] <= begin + taken:
            engine.apply(waiting.pop(0)[1])
        limit = len(raw) - taken
        if waiting:
            limit = min(limit, waiting[0][0] - begin - taken)
        rest = Chunk(raw.data[taken : taken + limit], raw.stamps[taken : taken + limit])
        yield from feed(rest, limit)
        taken += limit


def _stretches(session: RecordedSession, result: Verification) -> Iterator[Chunk]:
    """What the engine consumed from each of its joins on, found in the recording by its first stamp."""
    raw, place = session.raw, 0
    total = int(session.rows[-1][2]) if len(session.rows) else 0
    ends = [consumed for consumed, _ in session.joins[1:]] + [total]
    for (consumed, stamp), end in zip(session.joins, ends, strict=True):
        here = np.flatnonzero(raw.stamps[place:] == stamp)
        if not len(here):
            _not_aligned(result, consumed, stamp)
            return
        first = place + int(here[0])
        place = min(first + end - consumed, len(raw))
        if place - first < end - consumed:
            result.not_recorded.append(f"{end - consumed - (place - first)} samples after consumed = {consumed + place - first}")
        yield Chunk(raw.data[first:place], raw.stamps[first:place])


def _not_aligned(result: Verification, consumed: int, stamp: float) -> None:
    """No recorded sample carries the stamp the engine began with."""
    if consumed == 0:
        raise VerificationError(
            f"no recorded sample carries the stamp {stamp!r} that the engine began with: recording and outcomes cannot be aligned"
        )
    result.not_recorded.append(f"everything after consumed = {consumed}: no recorded sample carries the stamp {stamp!r}")


def _velocities(file: XdfFile) -> FloatArray:
    """Rows of the velocity stream, where there is one."""
    found = [np.asarray(s.values, dtype=np.float64) for s in file.streams if s.header.type == "BCI-Velocity" and len(s.values)]
    return found[0] if found else np.zeros((0, 4))


def _keyed(rows: Sequence[FloatArray]) -> Iterator[tuple[tuple[float, float], FloatArray]]:
    return (((row[0], row[1]), row) for row in rows)


def _equal(a: FloatArray, b: FloatArray, tolerance: float) -> bool:
    """Bit for bit where nothing else is tolerated; else with the counts and decision equal."""
    if not tolerance:
        return a.tobytes() == b.tobytes()
    counts = a[:8].tobytes() == b[:8].tobytes()
    return counts and bool(np.allclose(a[8:], b[8:], rtol=0, atol=tolerance, equal_nan=True))


def _difference(row: FloatArray, again: FloatArray, names: Sequence[str]) -> str:
    """One line: where, and which columns differ."""
    columns = [
        f"{name} {a!r} → {b!r}"
        for name, a, b in zip(names, row.tolist(), again.tolist(), strict=True)
        if a != b and not (np.isnan(a) and np.isnan(b))
    ]
    return f"segment {row[0]:.0f} index {row[1]:.0f}: {'; '.join(columns) or 'sign or payload of a NaN'}"


def _input(event: dict[str, Any]) -> steer.Input | str | None:
    """The input that an event stands for; None where it did not steer."""
    match event["kind"]:
        case "set":
            return steer.Decide(DecisionSettings(**event["decision"]))
        case "skip":
            return steer.Skip(int(event["until"]))
        case "freeze":
            return steer.Freeze(event["why"])
        case "resume":
            return steer.Resume(event["why"])
        case "mark":
            return steer.Mark(tuple(event["labels"]), bool(event["bad"]))
        case "recentre":
            return steer.Recentre(bool(event["on"]))
        case "rebias":
            return steer.Rebias(bool(event["on"]))
        case "known":
            return steer.Known(str(event["class"]), int(event["first"]), int(event["last"]))
        case "model":
            return str(event["model"])
    return None


def _only(file: XdfFile, type_: str, path: Path) -> XdfStream:
    """The one stream of a type."""
    found = [s for s in file.streams if s.header.type == type_]
    if len(found) != 1:
        raise RecordingError(f"{path}: holds {len(found)} streams of type {type_!r}; a session to verify has exactly one")
    return found[0]


def _raw(file: XdfFile, info: StreamInfo, path: Path) -> Chunk:
    """All recorded samples of the engine's input, in microvolts, exactly as the inlet converted them."""
    found: list[tuple[XdfStream, StreamInfo]] = []
    for stream in file.streams:
        recorded = stream_info(stream.header.xml)
        # A device's markers may share its name. EEG may declare no rate, and have it from a montage file.
        signal = stream.header.channel_format != "string" and len(recorded.channels) == len(info.channels)
        if (recorded.name, recorded.source_id) != (info.name, info.source_id) or not signal:
            continue
        # A sender that came back is a stream of its own in the file; one that came back different was refused.
        if not found or (recorded.rate_hz, recorded.channels) == (found[0][1].rate_hz, found[0][1].channels):
            found.append((stream, recorded))
    if not found:
        raise RecordingError(f"{path}: the engine's input {info.name!r} ({json.dumps(info.source_id)}) was not recorded")
    values = np.concatenate([np.asarray(stream.values, dtype=np.float64) for stream, _ in found])
    stamps = np.concatenate([np.asarray(stream.stamps, dtype=np.float64) for stream, _ in found])
    return Chunk(values * scale_to_microvolts(info), stamps)
