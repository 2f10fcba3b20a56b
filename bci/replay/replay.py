"""Run a recorded session again, and say whether the same came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.control_inputs import ControlInput, MarkChannels, ReplaceModel
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Reason, fields
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import VerificationError
from bci.model.file import Model
from bci.model.fingerprint import fingerprint
from bci.progress import Progress, silent
from bci.replay.coverage import covered, engine_only, missing
from bci.replay.recorded_session import RecordedSession
from bci.training.decoding import decode_recording
from bci.training.marked import UNMARKED, BadMarks

CHUNK_S = 1.0
ELSEWHERE = 1e-9
ELSEWHERE_OF = {"network": 1e-5}
"""Kernels that compute in single precision."""
UNDECIDED = (Reason.STALE, Reason.LOST, Reason.OPENING)
"""Reasons that a decision can have and its outcome cannot."""
Feed = Callable[[Chunk, int], Iterator[Chunk]]


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
    engine_only : list of str
        What the recorder did not get when the sender died, and was computed from what the engine put on record itself.
    not_recorded : list of str
        What the engine consumed that the recording does not hold.
    missing : list of str
        Outcomes that the engine made and the recording does not hold.
    covered : str
        How much of the recorded signal the outcomes cover, and why they end where they do.
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
    engine_only: list[str] = field(default_factory=list)
    not_recorded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    covered: str = ""
    velocities: list[FloatArray] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything was reproduced, and nothing is missing."""
        same = self.outcomes > 0 and self.identical == self.outcomes
        return same and not (self.different or self.not_recorded or self.missing)

    @property
    def how(self) -> str:
        """How exact the comparison was, in words."""
        if not self.tolerance:
            return "bit for bit"
        return f"to {self.tolerance:g} (another processor or library than when it was recorded)"


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
    if session.rows.shape[1:] != (len(names),):
        raise VerificationError(f"outcomes have {session.rows.shape[1]} columns; those of the session's model have {len(names)}")
    _require_order(session, result)
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
    _compare_sent(session, result)
    result.missing += missing(session, rows)
    result.covered = covered(session)
    result.engine_only = engine_only(session)
    _compare_velocities(session, result)


def _require_order(session: RecordedSession, result: Verification) -> None:
    """Add the outcomes that are recorded twice, or not in the order in which an engine makes them."""
    before = (-1.0, -1.0)
    for place, row in enumerate(session.rows):
        key = (float(row[0]), float(row[1]))
        if key <= before:
            how = "recorded twice" if key == before else f"comes after segment {before[0]:.0f} index {before[1]:.0f}"
            result.different.append(f"segment {row[0]:.0f} index {row[1]:.0f}: {how}")
            result.places.append(place)
        before = max(before, key)


def _compare_sent(session: RecordedSession, result: Verification) -> None:
    """Add the decisions that were sent and are not those of their windows; one that came too late was sent as nothing."""
    made: dict[float, set[tuple[float, float]]] = {}
    places: dict[float, int] = {}
    for place, row in enumerate(session.rows):
        made.setdefault(float(row[3]), set()).add((float(row[6]), float(row[5])))
        places[float(row[3])] = place
    for stamp, decision, reason in session.witness.sent:
        if stamp in made and (decision, reason) not in made[stamp] and (decision >= 0 or reason not in UNDECIDED):
            row = session.rows[places[stamp]]
            result.different.append(f"segment {row[0]:.0f} index {row[1]:.0f}: decision {row[6]:.0f} was sent as {decision:.0f}")
            result.places.append(places[stamp])


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
    if not tolerance or len(a) != len(b):
        return a.tobytes() == b.tobytes()
    return bool(np.allclose(a, b, rtol=0, atol=tolerance))


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
    waiting = [(n, ReplaceModel(models(given).decoder) if isinstance(given, str) else given) for n, given in session.inputs]
    rows = []
    total = float(session.rows[-1][2]) if len(session.rows) else float(len(session.raw))
    for stretch in _stretches(session, result):
        for chunk in _until_inputs(stretch, waiting, engine, feed or _virtual):
            for outcome in engine.outcomes(chunk):
                rows.append(outcome.row(n_channels))
                if outcome.velocity is not None:
                    result.velocities.append(outcome.steered(outcome.velocity, 0.0))
            progress("recomputing", min(1.0, engine.consumed / max(1.0, total)))
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
    inputs: list[tuple[int, ControlInput | str]] = []
    for n, given in session.inputs:
        if isinstance(given, MarkChannels):
            inputs.append((n, replace(given, labels=tuple(x for x in given.labels if canonical(x) in used))))
        elif not isinstance(given, str):
            inputs.append((n, given))
    other = replace(session, model=model.sha256, inputs=inputs)
    return recompute(other, lambda _: model, Verification(), progress=progress)


def decode(
    info: StreamInfo, data: FloatArray, stamps: FloatArray, model: Model, settings: EngineSettings, marked: BadMarks = UNMARKED
) -> list[FloatArray]:
    """Outcome rows of any recorded signal, on the virtual clock.

    Parameters
    ----------
    info : StreamInfo
    data : ndarray, shape (n_samples, n_channels)
        Microvolts; no numbers where a stretch is marked bad (:meth:`~bci.stream.recorded_signal.RecordedSignal.chunk`).
    stamps : ndarray, shape (n_samples,)
    model : Model
    settings : EngineSettings
    marked : BadMarks
        Channels that people marked bad, and when.
    """
    engine = Engine(info, model.decoder, settings)
    n_channels = len(model.header.preprocessing.labels)
    raw = Chunk(data, stamps)
    if marked.of_channels:
        return [outcome.row(n_channels) for outcome in decode_recording(engine, raw, marked)]
    return [outcome.row(n_channels) for chunk in _virtual(raw, len(raw)) for outcome in engine.outcomes(chunk)]


@dataclass(frozen=True, slots=True)
class Changed:
    """One window that would be decided differently.

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
    """Return each window that would be decided differently.

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


def _until_inputs(raw: Chunk, waiting: list[tuple[int, ControlInput]], engine: Engine, feed: Feed) -> Iterator[Chunk]:
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
    """What the engine consumed from each of its joins on, found in the recording by its first stamp.

    The last stretch goes on to where the engine was by its last event, as far as that was recorded.
    """
    raw, place = session.raw, 0
    total = int(session.rows[-1][2]) if len(session.rows) else 0
    ends = [consumed for consumed, _ in session.joins[1:]] + [total]
    for number, ((consumed, stamp), end) in enumerate(zip(session.joins, ends, strict=True), 1):
        here = np.flatnonzero(raw.stamps[place:] == stamp)
        if not len(here):
            _not_aligned(result, consumed, stamp)
            return
        first = place + int(here[0])
        # What a sender sent last, and only the engine heard, is not what it sends first when it is begun again.
        own = min((run for run in session.runs if run > first), default=len(raw))
        place = min(first + end - consumed, own)
        if place - first < end - consumed:
            result.not_recorded.append(f"{end - consumed - (place - first)} samples after consumed = {consumed + place - first}")
        if number == len(ends):
            place = max(place, min(first + session.witness.consumed - consumed, own))
        yield Chunk(raw.data[first:place], raw.stamps[first:place])


def _not_aligned(result: Verification, consumed: int, stamp: float) -> None:
    """No recorded sample carries the stamp the engine began with."""
    if consumed == 0:
        raise VerificationError(
            f"no recorded sample carries the stamp {stamp!r} that the engine began with: recording and outcomes cannot be aligned"
        )
    result.not_recorded.append(f"everything after consumed = {consumed}: no recorded sample carries the stamp {stamp!r}")


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
