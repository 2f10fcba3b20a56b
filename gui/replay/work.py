"""The replay's background: reads the recording, and runs it again through the engine (:mod:`bci.session.replay`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bci.config import load_config
from bci.engine.chunk import Chunk, FloatArray
from bci.engine.continuity import Continuity
from bci.errors import BciError, ConfigError, ModelError, StreamError
from bci.session import wire
from bci.session.fingerprint import fingerprint
from bci.session.marked import marked_in
from bci.session.model import Model, check_stream, load_model
from bci.session.progress import Progress
from bci.session.replay import (
    Changed,
    RecordedSession,
    Verification,
    changed,
    compare,
    decode,
    find_model,
    instead,
    read_session,
    recompute,
)
from bci.stream.clock_map import SAME_CLOCK
from bci.stream.metadata import bci_fields
from bci.stream.readers import open_recording
from bci.stream.recording import RecordedSignal, Recording, times_on
from gui.replay.shapes import Again, Difference, Opened, Track
from gui.said import Marker
from gui.tidy import tidy

SECOND_S = 1.0
LONGEST_GAP_S = 10.0
MOST_DIFFERENCES = 2000
OURS = "BCI-"


class Work:
    """What is done in the other process."""

    def __init__(self) -> None:
        self._path = Path()
        self._session: RecordedSession | None = None
        self._signal: RecordedSignal | None = None
        self._own: Model | None = None

    def open(self, path: Path, folder: Path, progress: Progress) -> Opened:
        """Read a recording, and put its signal where the window can look into it.

        Parameters
        ----------
        path : Path
        folder : Path
            For the signal.
        progress : callable
        """
        progress("reading", 0.0)
        self._path, self._session, self._own = path, None, None
        recording = open_recording(path)
        notes = list(recording.notes)
        if any(s.info.type == "BCI-Outcome" for s in recording.signals):
            self._session = read_session(path)
        signal = self._signal = _signal_of(recording, self._session)
        recorded = self._recorded(recording, notes)
        models = _models_around(path)
        if self._own is not None:
            models = (self._own.path, *(m for m in models if m.resolve() != self._own.path.resolve()))
        rows, anchors = _gridded(signal, progress)
        place = folder / f"signal-{len(list(folder.glob('signal-*.npy')))}.npy"
        np.save(place, rows)
        markers, meanings = _markers(recording, signal)
        model = self._session.model if self._session is not None else ""
        return Opened(path, signal.info, place, anchors, markers, meanings, recorded, model, models, tuple(notes))

    def again(self, model: Path | None, progress: Progress) -> Again:
        """Run the recording again, with the session's model or another.

        Parameters
        ----------
        model : Path or None
            None: that of the session; every bit is compared.
        progress : callable
        """
        progress("recomputing", 0.0)
        if self._session is None:
            return self._decoded(model, progress)
        if model is None:
            return self._verified(self._session, progress)
        other = load_model(model)
        check_stream(other.header, self._session.info)
        rows = instead(self._session, other, progress)
        own = self._own or find_model(self._path, self._session.model)
        classes = tuple(other.header.classes)
        found = changed(self._session.rows, own.header.classes, rows, classes)
        met = len({row[3] for row in rows} & set(self._session.rows[:, 3].tolist()))
        said = f"{len(found)} of {met} windows would be decided otherwise"
        if met < len(self._session.rows):
            said += f"; {len(self._session.rows) - met} recorded windows end where this model has none"
        listed = _in_a_row(found, self._session.rows[:, 3])[:MOST_DIFFERENCES]
        return Again(model, _track(rows, other), met, met - len(found), None, said, listed)

    def _recorded(self, recording: Recording, notes: list[str]) -> Track | None:
        """What was decided, with the classes that its stream names."""
        session = self._session
        if session is None:
            return None
        try:
            self._own = find_model(self._path, session.model)
        except BciError as error:
            notes.append(str(error))
        header = next(s.header_xml for s in recording.signals if s.info.type == "BCI-Outcome")
        said = bci_fields(header)
        classes, channels = (tuple(map(str, json.loads(said.get(k, "[]")))) for k in ("classes", "channels"))
        return Track.of(session.rows, len(channels), classes)

    def _verified(self, session: RecordedSession, progress: Progress) -> Again:
        own = self._own or find_model(self._path, session.model)

        def models(sha256: str) -> Model:
            return own if sha256 == own.sha256 else find_model(self._path, sha256)

        same = session.fingerprint == fingerprint(own.header.kernel)
        result = Verification(len(session.rows), same_fingerprint=same)
        rows = recompute(session, models, result, progress=progress)
        compare(session, own, rows, result)
        said = f"{result.identical} of {result.outcomes} outcomes identical, {result.how}"
        if result.not_recorded:
            said += f"; not recorded: {result.not_recorded[0]}"
        pairs = zip(result.places, result.different, strict=False)
        listed = tuple(
            Difference(float(session.rows[place][3]), float(session.rows[place][3]), "recorded", line.partition(": ")[2])
            for place, line in list(pairs)[:MOST_DIFFERENCES]
        )
        return Again(None, _track(rows, own), result.outcomes, result.identical, result.ok, said, listed)

    def _decoded(self, model: Path | None, progress: Progress) -> Again:
        """Of a recording without decisions: what this model says."""
        if model is None or self._signal is None:
            raise ConfigError("this is not the recording of a live session: choose a model to decode it with")
        other, signal = load_model(model), self._signal
        check_stream(other.header, signal.info)
        raw, settings = signal.chunk(), load_config().engine_settings()
        rows = decode(signal.info, raw.data, raw.stamps, other, settings, marked_in(signal))
        progress("recomputing", 1.0)
        decided = sum(row[6] >= 0 for row in rows)
        return Again(model, _track(rows, other), 0, 0, None, f"{len(rows)} windows, {decided} with a decision")


def _in_a_row(found: Sequence[Changed], stamps: FloatArray) -> tuple[Difference, ...]:
    """Neighbouring windows that differ in the same way as one difference.

    Parameters
    ----------
    found : sequence of Changed
        In order.
    stamps : ndarray, shape (n_outcomes,)
        Of all recorded outcomes, in order.
    """
    places = {stamp: i for i, stamp in enumerate(stamps.tolist())}
    listed: list[Difference] = []
    last = -2
    for one in found:
        place = places[one.stamp]
        before = listed[-1] if listed else None
        if before is not None and place == last + 1 and (before.was, before.now) == (one.was, one.now):
            listed[-1] = replace(before, last_s=one.stamp, windows=before.windows + 1)
        else:
            listed.append(Difference(one.stamp, one.stamp, one.was, one.now))
        last = place
    return tuple(listed)


def _track(rows: list[FloatArray] | FloatArray, model: Model) -> Track:
    header = model.header
    return Track.of(np.array(rows), len(header.preprocessing.labels), tuple(header.classes))


def _signal_of(recording: Recording, session: RecordedSession | None) -> RecordedSignal:
    """The engine's input, or the EEG of any other recording."""
    if session is None:
        return recording.corrected().eeg()
    found = [s for s in recording.signals if s.info.source_id == session.info.source_id and s.info.rate_hz > 0]
    clock = found[0].clock if found else SAME_CLOCK
    return RecordedSignal(session.info, session.raw.data, session.raw.stamps, clock)


def _models_around(path: Path) -> tuple[Path, ...]:
    """Model files beside a recording and one or two folders above, as :func:`find_model` looks for them."""
    found: dict[Path, None] = {}
    for folder in (path.resolve().parent, *list(path.resolve().parents)[1:3]):
        for file in sorted(folder.glob("*.safetensors"))[:50]:
            try:
                load_model(file)
            except (ModelError, OSError):
                continue
            found[file] = None
    return tuple(found)


def _gridded(signal: RecordedSignal, progress: Progress) -> tuple[np.ndarray, FloatArray]:
    """The signal on the engine's own sample grid, float32, NaN where samples are missing; and row and time, twice a second."""
    info, rate_hz = signal.info, signal.info.rate_hz
    continuity = Continuity(rate_hz, info.sample_clock)
    pieces: list[np.ndarray] = []
    anchors: list[tuple[float, float]] = []
    total, segment, expected = 0, 0, 0
    step = max(1, round(SECOND_S * rate_hz / 2))
    for start in range(0, len(signal.data), step):
        end = min(start + step, len(signal.data))
        for piece in continuity.push(Chunk(signal.data[start:end], signal.stamps[start:end])):
            missing = piece.start - expected if piece.segment == segment else 1
            if missing > 0 and total:
                blank = min(missing, round(LONGEST_GAP_S * rate_hz))
                pieces.append(np.full((blank, len(info.channels)), np.nan, np.float32))
                total += blank
            pieces.append(np.asarray(piece.data, np.float32))
            total += len(piece)
            segment, expected = piece.segment, piece.start + len(piece)
        time_s = continuity.time_of(expected)
        if np.isfinite(time_s):
            anchors.append((float(total), time_s))
        progress("reading", end / len(signal.data))
    if not total:
        raise ConfigError("the recording holds no samples")
    return np.concatenate(pieces), np.array(anchors)


def _markers(recording: Recording, signal: RecordedSignal) -> tuple[tuple[Marker, ...], dict[str, str]]:
    """Markers on the signal's clock, and the classes that the engine took them for."""
    found, meanings = [], {}
    for stream in recording.markers:
        if stream.type == "BCI-Event":
            meanings |= _meanings(stream.texts)
        if not stream.type.startswith(OURS):
            pairs = zip(stream.texts, times_on(signal, stream).tolist(), strict=True)
            found += [Marker(at, tidy(text, 60), tidy(stream.name, 40)) for text, at in pairs]
    return tuple(sorted(found, key=lambda m: m.time_s)), meanings


def _meanings(texts: Sequence[str]) -> dict[str, str]:
    """Classes of markers, as events say them; what is no event says nothing."""
    found = {}
    for text in texts:
        try:
            event = wire.parse(text, "events")
        except StreamError:
            continue
        if event["kind"] == "cue" and event.get("class"):
            found[tidy(event.get("code", ""), 60)] = tidy(event["class"], 60)
    return found
