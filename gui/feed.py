"""What the windows know: every stream of the session, read through :mod:`bci.stream`, kept in bounded memory.

Nothing here is Qt and nothing waits. :meth:`Feed.update` takes what has come; it and all that it fills belong to one
thread, the windows' own. Finding and connecting is :class:`~gui.joiner.Joiner`'s, in another.
"""

from __future__ import annotations

import json
import math
import queue
from collections import deque
from pathlib import Path
from typing import Any

from bci.engine.outcome import FILLED, fields, velocity_fields
from bci.engine.stream_info import StreamInfo
from bci.errors import BciError, StreamError
from bci.session import wire
from bci.stream.lsl import FoundStream, LslSignalInlet, local_clock
from bci.stream.metadata import bci_fields
from bci.stream.montage import Montage
from bci.stream.stream_query import folded
from gui.history import Past, growing, tail
from gui.joiner import Joined, Joiner
from gui.said import Line, Marker, Session
from gui.store import RowStore, SignalStore
from gui.tidy import tidy

ROWS = {"BCI-Outcome": "outcomes", "BCI-Decision": "decisions", "BCI-Timing": "timing", "BCI-Velocity": "velocity"}
TEXTS = {"BCI-Event": "events", "BCI-State": "state", "BCI-Guard": "guard", "BCI-Command": "commands"}
WARNINGS = ("gap", "segment", "skip", "rate", "mask", "contradicted", "unmapped", "clock")
RETRY_S = 3.0
FORGET_S = 5.0
KEPT = 2000


class Feed:
    """All streams of one session, and the signal that is looked at.

    Parameters
    ----------
    name : str
        Prefix of the session's streams.
    host : str
        Machine whose streams are shown; empty: this one; ``"*"``: any.
    session : str
        Identifier of the session; empty: the newest that is there.
    recording : Path, optional
        The growing recording, or a folder in which it is looked for; gives the past.
    montage : Montage, optional
        What the signal leaves out.

    Attributes
    ----------
    streams : tuple of FoundStream
        In reach.
    signal : SignalStore or None
        The one that is looked at.
    markers : deque of Marker
    outcomes, decisions, timing, velocity : RowStore or None
    events, commands : deque of dict
        With ``at``, our LSL clock, added.
    guard : dict
        Newest line of each actuator host, by its ``actuator``, with ``at`` added.
    meanings : dict
        Class that a marker's text stands for, as far as the engine has said it.
    log : deque of Line
    log_total : int
        Lines ever written.
    """

    def __init__(
        self,
        name: str = "bci",
        host: str = "",
        session: str = "",
        recording: Path | None = None,
        montage: Montage | None = None,
    ) -> None:
        self.name, self._pinned, self._place = name, session, recording
        self.recording: Path | None = None
        self._joiner = Joiner(host, montage)
        self._inlets: dict[str, Joined] = {}
        self._asked: dict[str, float] = {}
        self._choice = ""
        self._seen: dict[str, tuple[float, FoundStream]] = {}
        self._tail: queue.SimpleQueue[tuple[str, list[Past]]] = queue.SimpleQueue()
        self.streams: tuple[FoundStream, ...] = ()
        self.log: deque[Line] = deque(maxlen=KEPT)
        self.log_total = 0
        self.markers: deque[Marker] = deque(maxlen=KEPT)
        self.markers_total = 0
        self.signal: SignalStore | None = None
        self.signal_stream: FoundStream | None = None
        self._forget()

    def _forget(self) -> None:
        """A new session: nothing of the old one stays, except the log and the markers."""
        self.session = Session()
        self.outcomes: RowStore | None = None
        self.decisions: RowStore | None = None
        self.timing: RowStore | None = None
        self.velocity: RowStore | None = None
        self.events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.events_total = 0
        self.commands: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.guard: dict[str, dict[str, Any]] = {}
        self.meanings: dict[str, str] = {}
        self._history_asked = False

    @property
    def place(self) -> Path | None:
        """Where recordings are looked for: a file, a folder, or nowhere."""
        return self._place

    def now(self) -> float:
        """Our LSL clock, seconds."""
        return float(local_clock())

    def choose(self, stream: FoundStream) -> None:
        """Look at this signal."""
        self._choice = stream.uid
        if self.signal_stream is not None and self.signal_stream.uid != stream.uid:
            self._leave(self.signal_stream.uid)

    def joined(self, uid: str) -> bool:
        """Whether a stream is being read."""
        return uid in self._inlets

    def update(self) -> None:
        """Take all that has come. Never waits."""
        now = self.now()
        self.streams = self._in_reach(now)
        self._follow_session()
        for stream in self.streams:
            if self._wanted(stream) and stream.uid not in self._inlets and now >= self._asked.get(stream.uid, 0.0):
                self._asked[stream.uid] = now + 3600.0
                self._joiner.want(stream)
        for found, why in self._joiner.failed():
            self._asked[found.uid] = now + RETRY_S
            self.say("warn", found.name, why)
        for joined in self._joiner.joined():
            self._take_in(joined, now)
        for joined in tuple(self._inlets.values()):
            self._pull(joined, now)
        self._take_history()

    def close(self) -> None:
        """Unsubscribe from everything. May be called twice."""
        self._joiner.close()
        for uid in tuple(self._inlets):
            self._leave(uid)

    def say(self, level: str, source: str, text: str, at_s: float | None = None) -> None:
        """Write a line into the log."""
        self.log.append(Line(self.now() if at_s is None else at_s, level, tidy(source, 40), tidy(text, 400)))
        self.log_total += 1

    # --- which streams

    def _in_reach(self, now: float) -> tuple[FoundStream, ...]:
        """Streams that answered lately, or that are being read: on a busy computer not every question is answered."""
        for stream in self._joiner.found:
            self._seen[stream.uid] = (now, stream)
        self._seen = {uid: seen for uid, seen in self._seen.items() if now - seen[0] < FORGET_S or uid in self._inlets}
        return tuple(sorted((s for _, s in self._seen.values()), key=lambda s: (s.host, s.name, s.source_id)))

    def _id_of(self, stream: FoundStream) -> str:
        """Identifier of the session that a stream of ours belongs to, or ""."""
        what = ROWS.get(stream.type) or TEXTS.get(stream.type)
        prefix = f"{self.name}-{what}-"
        return stream.source_id.removeprefix(prefix) if what and stream.source_id.startswith(prefix) else ""

    def _follow_session(self) -> None:
        """Watch the session that is there; a new one takes over once nothing of the old one is left."""
        there = {self._id_of(s) for s in self.streams if s.type == "BCI-State"} - {""}
        wanted = self._pinned or (self.session.id if self.session.id in there else next(iter(sorted(there)), ""))
        if not wanted or wanted == self.session.id:
            return
        for uid, joined in tuple(self._inlets.items()):
            if joined.found.type in ROWS or joined.found.type in TEXTS:
                self._leave(uid)
        self._forget()
        self.session.id = wanted
        self.say("info", "window", f"watching session {wanted}")

    def _wanted(self, stream: FoundStream) -> bool:
        if stream.type in ("BCI-Guard", "BCI-Command"):
            return stream.name.startswith(f"{self.name}-")
        if stream.type in ROWS or stream.type in TEXTS:
            # An engine begins once somebody listens to all that it sends, and takes that for the recorder. Windows that are open
            # already must not be taken for it: they listen when it has begun, which its state says.
            begun = stream.type == "BCI-State" or bool(self.session.state)
            return begun and bool(self.session.id) and self._id_of(stream) == self.session.id
        if stream.type == "BCI-Control":
            return False
        if stream.rate_hz == 0:
            return stream.type == "Markers" and stream.n_channels == 1
        return self._is_choice(stream)

    def _is_choice(self, stream: FoundStream) -> bool:
        """Whether this is the signal to look at: the chosen one, the engine's, or the only EEG."""
        if self._choice and any(s.uid == self._choice for s in self.streams):
            return stream.uid == self._choice
        if self.signal_stream is not None and self.signal_stream.uid in self._inlets:
            return False
        source = self.session.state.get("source_id")
        if self.signal_stream is not None and self.signal_stream.source_id:
            source = self.signal_stream.source_id
        if source and any(s.source_id == source for s in self.streams):
            return bool(stream.source_id == source)
        eeg = [s for s in self.streams if folded(s.type) == "eeg" and s.rate_hz > 0]
        return len(eeg) == 1 and eeg[0].uid == stream.uid

    # --- joining and leaving

    def _take_in(self, joined: Joined, now: float) -> None:
        """A stream is connected: make room for what it brings."""
        found = joined.found
        if not self._wanted(found) and not (joined.info is not None and self._choice in ("", found.uid)):
            joined.inlet.close()
            self._asked.pop(found.uid, None)
            return
        try:
            if joined.info is not None:
                self._begin_signal(joined, joined.info)
            elif found.type in ROWS:
                self._begin_rows(joined)
        except (StreamError, ValueError) as error:
            joined.inlet.close()
            self.say("bad", found.name, f"not shown: {error}")
            return
        self._inlets[found.uid] = joined
        self.say("info", found.name, "joined")
        if found.type == "BCI-Outcome" and not self._history_asked and self._place is not None:
            self._history_asked = True
            self._ask_history(found.source_id)

    def _begin_signal(self, joined: Joined, info: StreamInfo) -> None:
        same = self.signal is not None and _layout(self.signal.info) == _layout(info)
        back = same and self.signal_stream is not None and self.signal_stream.source_id == joined.found.source_id
        if not back:
            self.signal = SignalStore(info, joined.offset_s)
        self.signal_stream = joined.found
        if not self._history_asked and self._place is not None and self._place.is_file():
            self._ask_history(joined.found.source_id)

    def _begin_rows(self, joined: Joined) -> None:
        """The columns of one of the engine's streams, as its header declares them."""
        said = bci_fields(joined.inlet.header_xml)
        classes, channels = _names(said.get("classes", "")), _names(said.get("channels", ""))
        what = ROWS[joined.found.type]
        names = {
            "outcomes": fields(len(channels), classes),
            "decisions": wire.DECISION_FIELDS,
            "timing": wire.TIMING_FIELDS,
            "velocity": velocity_fields((joined.found.n_channels - 4) // 2),
        }[what]
        if what == "outcomes" and joined.found.n_channels == len(names) + 1:
            names = (*names, FILLED)
        if joined.found.n_channels != len(names):
            raise StreamError(f"{joined.found.n_channels} columns where docs/streams.md has {len(names)}")
        if what == "outcomes":
            self.session.classes, self.session.channels = classes, channels
        if what == "timing":
            self.session.scheduling = tidy(said.get("scheduling", ""), 20)
        known: RowStore | None = getattr(self, what)
        if known is None or known.names != names:
            setattr(self, what, RowStore(names))

    def _leave(self, uid: str) -> None:
        joined = self._inlets.pop(uid, None)
        self._asked.pop(uid, None)
        if joined is not None:
            joined.inlet.close()

    # --- reading

    def _pull(self, joined: Joined, now: float) -> None:
        found = joined.found
        try:
            if isinstance(joined.inlet, LslSignalInlet):
                chunk = joined.inlet.pull(0.0)
                if chunk is not None and self.signal is not None:
                    self.signal.push(chunk, now)
                return
            pulled = joined.inlet.pull(0.0)
        except StreamError as error:
            self._leave(found.uid)
            self._seen.pop(found.uid, None)
            self._asked[found.uid] = now + RETRY_S
            self.say("warn", found.name, f"gone: {error}")
            return
        if pulled is None:
            return
        values, stamps = pulled
        stamps = stamps + joined.offset_s
        if found.type in ROWS and not isinstance(values, list):
            getattr(self, ROWS[found.type]).append(values, stamps)
            return
        for row, stamp in zip(values, stamps.tolist(), strict=True):
            text = row[0] if isinstance(row[0], str) else f"{row[0]:.15g}"
            self._hear(found.type, found.name, text, stamp)

    def _hear(self, type_: str, name: str, text: str, stamp: float) -> None:
        """One text of one stream."""
        if type_ not in TEXTS:
            self.markers.append(Marker(stamp, tidy(text, 60), name))
            self.markers_total += 1
            return
        try:
            message = {**wire.parse(text, name), "at": stamp}
        except StreamError as error:
            self.say("warn", name, str(error))
            return
        getattr(self, f"_hear_{TEXTS[type_]}")(message, name)

    def _hear_state(self, message: dict[str, Any], _name: str) -> None:
        session = self.session
        session.state, session.state_at_s = message, message["at"]
        session.settings = _mapping(message.get("settings"))
        session.bad = {tidy(k, 40): tidy(v, 40) for k, v in _mapping(message.get("bad")).items()}

    def _hear_events(self, message: dict[str, Any], name: str) -> None:
        self.events.append(message)
        self.events_total += 1
        kind = message["kind"]
        if kind == "mask":
            self.session.bad = {tidy(k, 40): tidy(v, 40) for k, v in _mapping(message.get("bad")).items()}
        if kind == "set":
            self.session.settings = _mapping(message.get("decision"))
        if kind == "cue" and message.get("class"):
            self.meanings[tidy(message.get("code", ""), 60)] = tidy(message["class"], 60)
        elif kind not in ("cue", "copy"):
            level = "bad" if kind in ("lost", "refused") else "warn" if kind in WARNINGS else "info"
            self.say(level, name, _sentence(message), message["at"])

    def _hear_guard(self, message: dict[str, Any], name: str) -> None:
        if message["kind"] == "refused":
            self.say("bad", name, f"refused: {message.get('why', '')}", message["at"])
            return
        actuator = tidy(message.get("actuator", ""), 40)
        before = self.guard.get(actuator, {})
        self.guard[actuator] = message
        if (before.get("state"), before.get("why")) != (message.get("state"), message.get("why")):
            level = {"safe": "bad", "hold": "warn"}.get(str(message.get("state")), "info")
            self.say(level, name, f"{actuator} {message.get('state')}: {message.get('why', '')}", message["at"])

    def _hear_commands(self, message: dict[str, Any], name: str) -> None:
        self.commands.append(message)
        if message.get("error"):
            self.say("bad", name, f"{message['kind']}: {message['error']}", message["at"])

    # --- the past

    def _ask_history(self, source_id: str) -> None:
        place, id_ = self._place, self.session.id

        def look() -> None:
            path = place if place is None or place.is_file() else growing(place, source_id)
            if path is None:
                return
            try:
                self._tail.put((id_, tail(path)))
                self.recording = path
            except BciError:
                return  # it is being written, or gone: the window shows what comes from now on

        self._joiner.do(look)

    def _take_history(self) -> None:
        while not self._tail.empty():
            id_, pasts = self._tail.get()
            if id_ == self.session.id:
                for past in pasts:
                    self._prepend(past)
                self.say("info", "window", f"the past was read from {self.recording}")

    def _prepend(self, past: Past) -> None:
        """One recorded stream, in front of what came live."""
        type_ = past.info.type
        if isinstance(past.values, list):
            self._prepend_texts(past.info, past.values, past.stamps.tolist())
        elif type_ in ROWS:
            store: RowStore | None = getattr(self, ROWS[type_])
            if store is not None and past.values.shape[1] == len(store.names):
                store.prepend(past.values, past.stamps)
        elif self.signal is not None and past.info.source_id == self.signal.info.source_id:
            self.signal.prepend(past.values, past.stamps + self.signal.offset_s)

    def _prepend_texts(self, info: StreamInfo, texts: list[str], stamps: list[float]) -> None:
        if info.type == "Markers":
            first = min((m.time_s for m in self.markers if m.stream == info.name), default=math.inf)
            old = [Marker(t, tidy(x, 60), info.name) for x, t in zip(texts, stamps, strict=True) if t < first]
            self.markers = deque(sorted((*old, *self.markers), key=lambda m: m.time_s), maxlen=KEPT)
            self.markers_total += len(old)
        elif info.type == "BCI-Event":
            first = min((e["at"] for e in self.events), default=math.inf)
            live, self.events = self.events, deque(maxlen=KEPT)
            for text, stamp in zip(texts, stamps, strict=True):
                if stamp < first:
                    self._hear(info.type, info.name, text, stamp)
            self.events.extend(live)


def _layout(info: StreamInfo) -> tuple[float, tuple[str, ...]]:
    return info.rate_hz, info.labels


def _names(text: str) -> tuple[str, ...]:
    """A JSON list of names in a header; empty where it is none."""
    try:
        found = json.loads(text) if text else []
    except ValueError:
        found = []
    return tuple(str(x) for x in found) if isinstance(found, list) else ()


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sentence(message: dict[str, Any]) -> str:
    """An event in one line."""
    skipped = ("v", "kind", "at", "consumed", "segment", "index", "fingerprint", "settings", "stream")
    rest = ", ".join(f"{k} {v}" for k, v in message.items() if k not in skipped and v not in ("", None))
    return f"{message['kind']}: {rest}" if rest else str(message["kind"])
