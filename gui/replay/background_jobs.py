"""The background jobs of the replay window: read a recording, and run it through the engine again (:mod:`bci.replay.replay`)."""

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
from bci.model.beside import find_model
from bci.model.file import Model, load_model
from bci.model.fingerprint import fingerprint
from bci.model.header import check_stream
from bci.progress import Progress
from bci.replay.recorded_session import RecordedSession, read_session
from bci.replay.replay import Changed, Verification, changed, compare, decode, instead, recompute
from bci.stream import messages
from bci.stream.clocks.clock_map import SAME_CLOCK
from bci.stream.files.readers import open_recording
from bci.stream.metadata import bci_fields
from bci.stream.recorded_signal import RecordedSignal, times_on
from bci.stream.recording import RecordedStreams
from bci.training.marked import bad_marks_in
from gui.replay.values import Difference, Recomputation, ReplayRecording, Track
from gui.sanitise import sanitise
from gui.stream_state import ShownMarker

SECOND_S = 1.0
LONGEST_GAP_S = 10.0
MOST_DIFFERENCES = 2000
OURS = "BCI-"


class ReplayJobs:
    """The jobs of the background process."""

    def __init__(self) -> None:
        self._path = Path()
        self._session: RecordedSession | None = None
        self._signal: RecordedSignal | None = None
        self._own: Model | None = None

    def open(self, path: Path, folder: Path, progress: Progress) -> ReplayRecording:
        """Read a recording, and write its signal to a file that the window reads.

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
        return ReplayRecording(path, signal.info, place, anchors, markers, meanings, recorded, model, models, tuple(notes))

    def again(self, model: Path | None, progress: Progress) -> Recomputation:
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
        said = f"{len(found)} of {met} windows would be decided differently"
        if met < len(self._session.rows):
            said += f"; {len(self._session.rows) - met} recorded windows end where this model has no window"
        listed = _in_a_row(found, self._session.rows[:, 3])[:MOST_DIFFERENCES]
        return Recomputation(model, _track(rows, other), met, met - len(found), None, said, listed)

    def _recorded(self, recording: RecordedStreams, notes: list[str]) -> Track | None:
        """Return the recorded decisions, with the classes that their stream declares."""
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

    def _verified(self, session: RecordedSession, progress: Progress) -> Recomputation:
        own = self._own or find_model(self._path, session.model)

        def models(sha256: str) -> Model:
            return own if sha256 == own.sha256 else find_model(self._path, sha256)

        same = session.fingerprint == fingerprint(own.header.kernel)
        result = Verification(len(session.rows), same_fingerprint=same)
        rows = recompute(session, models, result, progress=progress)
        compare(session, own, rows, result)
        said = f"{result.identical} of {result.outcomes} outcomes identical, {result.how}"
        if result.engine_only:
            said += f"; only the engine had: {result.engine_only[0]}"
        if result.not_recorded:
            said += f"; not recorded: {result.not_recorded[0]}"
        pairs = zip(result.places, result.different, strict=False)
        listed = tuple(
            Difference(float(session.rows[place][3]), float(session.rows[place][3]), "recorded", line.partition(": ")[2])
            for place, line in list(pairs)[:MOST_DIFFERENCES]
        )
        return Recomputation(None, _track(rows, own), result.outcomes, result.identical, result.ok, said, listed)

    def _decoded(self, model: Path | None, progress: Progress) -> Recomputation:
        """Decode a recording that has no decisions."""
        if model is None or self._signal is None:
            raise ConfigError("this is no recording of a live session: choose the model that is to decode it")
        other, signal = load_model(model), self._signal
        check_stream(other.header, signal.info)
        raw, settings = signal.chunk(), load_config().engine_settings()
        rows = decode(signal.info, raw.data, raw.stamps, other, settings, bad_marks_in(signal))
        progress("recomputing", 1.0)
        decided = sum(row[6] >= 0 for row in rows)
        return Recomputation(model, _track(rows, other), 0, 0, None, f"{len(rows)} windows, {decided} with a decision")


def _in_a_row(found: Sequence[Changed], stamps: FloatArray) -> tuple[Difference, ...]:
    """Merge consecutive windows that differ in the same way.

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


def _signal_of(recording: RecordedStreams, session: RecordedSession | None) -> RecordedSignal:
    """Return the input of the engine, or the EEG of any other recording."""
    if session is None:
        return recording.corrected().eeg()
    found = [s for s in recording.signals if s.info.source_id == session.info.source_id and s.info.rate_hz > 0]
    clock = found[0].clock if found else SAME_CLOCK
    return RecordedSignal(session.info, session.raw.data, session.raw.stamps, clock)


def _models_around(path: Path) -> tuple[Path, ...]:
    """Return the model files beside a recording and up to two folders above, where :func:`find_model` looks."""
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
    """Return the signal on the engine's sample grid, float32, NaN for missing samples; and row and time, twice a second."""
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


def _markers(recording: RecordedStreams, signal: RecordedSignal) -> tuple[tuple[ShownMarker, ...], dict[str, str]]:
    """Return the markers on the signal's clock, and the classes that the engine read them as."""
    found: list[ShownMarker] = []
    meanings: dict[str, str] = {}
    for stream in recording.markers:
        if stream.type == "BCI-Event":
            meanings |= _meanings(stream.texts)
        if not stream.type.startswith(OURS):
            pairs = zip(stream.texts, times_on(signal, stream).tolist(), strict=True)
            found += [ShownMarker(at, sanitise(text, 60), sanitise(stream.name, 40)) for text, at in pairs]
    return tuple(sorted(found, key=lambda m: m.time_s)), meanings


def _meanings(texts: Sequence[str]) -> dict[str, str]:
    """Return the classes of markers from events; other texts are ignored."""
    found = {}
    for text in texts:
        try:
            event = messages.parse(text, "events")
        except StreamError:
            continue
        if event["kind"] == "cue" and event.get("class"):
            found[sanitise(event.get("code", ""), 60)] = sanitise(event["class"], 60)
    return found
