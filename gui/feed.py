"""The data of a session for the windows: its streams, signal, rows, messages and log, in limited memory.

Nothing here is Qt, and nothing reads a stream: :class:`gui.feed_reader.FeedReader` fills it. Both belong to the windows' thread.
"""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path

from bci.stream.lsl import FoundStream, local_clock
from bci.stream.signing import MAC_FIELDS
from gui.message_values import CommandReport, EngineEvent, GuardReport
from gui.sanitise import sanitise
from gui.session_key import SessionKey
from gui.store import RowStore, SignalStore
from gui.stream_state import LogLine, SessionState, ShownMarker

KEPT = 2000
LONGEST_LINE = 400
MOST_NAMES = 200


class Feed:
    """The data of one session, and of the chosen signal, that windows show.

    Parameters
    ----------
    name : str
        Prefix of the session's streams.
    session : str
        Identifier of the session; empty: one that is there, for as long as it is.
    place : Path, optional
        The growing recording, or a folder in which it is looked for; gives the past.

    Attributes
    ----------
    streams : tuple of FoundStream
        In reach.
    connected : set of str
        Unique identifiers of the streams that are being read.
    signal : SignalStore or None
        The one that is shown.
    signal_stream : FoundStream or None
        The stream that it comes from.
    recording : Path or None
        From which the past was read.
    markers : deque of ShownMarker
    outcomes, decisions, timing, velocity : RowStore or None
    events : deque of EngineEvent
    commands : deque of CommandReport
    guard : dict
        Newest report of each actuator host, by its ``actuator``.
    senseless : Counter
        Messages and rows that make no sense, by the name of their stream.
    strangers : int
        Lines of guards and decisions that are not signed with the session's key.
    others : tuple of str
        Further sessions of this name, which the windows neither show nor steer.
    meanings : dict
        Class of a marker's text, as far as the engine has sent it.
    generation : int
        Increased when the past was put in front of rows and events, which renumbers them.
    log : deque of LogLine
    log_total, markers_total, events_total : int
        How many there ever were.
    """

    def __init__(self, name: str = "bci", session: str = "", place: Path | None = None) -> None:
        self.name, self.pinned, self.place = name, session, place
        self.begun_here = self.chosen = ""
        self.recording: Path | None = None
        self.streams: tuple[FoundStream, ...] = ()
        self.connected: set[str] = set()
        self.log: deque[LogLine] = deque(maxlen=KEPT)
        self.log_total = 0
        self.markers: deque[ShownMarker] = deque(maxlen=KEPT)
        self.markers_total = 0
        self.signal: SignalStore | None = None
        self.signal_stream: FoundStream | None = None
        self.senseless: Counter[str] = Counter()
        self.generation = 0
        self.signing = SessionKey(self.now, lambda wrong: self.say_once("bad", "window", wrong))
        self.begin_session("")

    def begin_session(self, id_: str) -> None:
        """Show another session: nothing of the old one stays, except the log and the markers.

        Parameters
        ----------
        id_ : str
            Identifier of the session; empty: none.
        """
        self.session = SessionState(id_)
        self.outcomes: RowStore | None = None
        self.decisions: RowStore | None = None
        self.timing: RowStore | None = None
        self.velocity: RowStore | None = None
        self.events: deque[EngineEvent] = deque(maxlen=KEPT)
        self.events_total = 0
        self.commands: deque[CommandReport] = deque(maxlen=KEPT)
        self.guard: dict[str, GuardReport] = {}
        self.meanings: dict[str, str] = {}
        self.others: tuple[str, ...] = ()
        self.strangers = 0
        self.signing.begin(id_)

    @property
    def key(self) -> bytes | None:
        """The session's key, where this user has it."""
        return self.signing.key

    @property
    def keyed(self) -> bool:
        """Whether the session that is shown obeys only what is signed with its key."""
        return self.signing.signed or (self.decisions is not None and MAC_FIELDS[0] in self.decisions.names)

    def now(self) -> float:
        """Our LSL clock, seconds."""
        return float(local_clock())

    def choose(self, stream: FoundStream) -> None:
        """Show this signal from the next update on.

        Parameters
        ----------
        stream : FoundStream
        """
        self.chosen = stream.uid

    def keep_to(self, session: str) -> None:
        """Show and steer only this session, which was started here; an empty text means any session that is there.

        Parameters
        ----------
        session : str
            Identifier of the session; empty: none.
        """
        self.begun_here = session

    def joined(self, uid: str) -> bool:
        """Whether a stream is being read.

        Parameters
        ----------
        uid : str
            Unique identifier of the stream.
        """
        return uid in self.connected

    def say(self, level: str, source: str, text: str, at_s: float | None = None) -> None:
        """Write a line into the log.

        Parameters
        ----------
        level : str
            ``"info"``, ``"warn"`` or ``"bad"``.
        source : str
            Name of a stream, or ``"window"``.
        text : str
        at_s : float, optional
            Our LSL clock, seconds; without it, now.
        """
        line = LogLine(self.now() if at_s is None else at_s, level, sanitise(source, 40), sanitise(text, LONGEST_LINE))
        self.log.append(line)
        self.log_total += 1

    def say_once(self, level: str, source: str, text: str) -> None:
        """Write a line into the log, unless the same text is in it already.

        Parameters
        ----------
        level : str
            ``"info"``, ``"warn"`` or ``"bad"``.
        source : str
            Name of a stream, or ``"window"``.
        text : str
        """
        if not any(line.text == sanitise(text, LONGEST_LINE) for line in self.log):
            self.say(level, source, text)

    def count_senseless(self, name: str, why: str, count: int = 1) -> None:
        """Count messages that are not valid; the first one of each stream is written into the log.

        Parameters
        ----------
        name : str
            Name of the stream.
        why : str
            What is wrong.
        count : int, optional
            How many.
        """
        name = sanitise(name, 60)
        if name not in self.senseless and len(self.senseless) >= MOST_NAMES:
            name = "other streams"
        if name not in self.senseless:
            text = f"A message is not valid: {sanitise(why, 200)}. Further ones are counted in the panel Streams."
            self.say("warn", name, text)
        self.senseless[name] += count

    def count_strangers(self, name: str, count: int) -> None:
        """Count what is not signed with the session's key; the first one is written into the log.

        Parameters
        ----------
        name : str
            Name of the stream.
        count : int
            How many.
        """
        if count and not self.strangers:
            text = "This stream sends messages that are not signed with the key of this session. They are ignored and counted."
            self.say("bad", name, text)
        self.strangers += count
