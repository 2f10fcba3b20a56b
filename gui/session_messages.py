"""What the text streams of a session say, put where windows find it."""

from __future__ import annotations

from bci.actuation.arming import NOT_CONFIRMED
from bci.errors import StreamError
from gui import messages
from gui.feed import Feed
from gui.message_values import CommandReport, EngineEvent, EngineState, GuardReport, Refusal
from gui.sanitise import sanitise
from gui.stream_state import ShownMarker

WARNINGS = ("gap", "segment", "skip", "rate", "mask", "contradicted", "unmapped", "clock")
"""Kinds of events that the log shows as warnings."""
FAILURES = ("lost", "refused", "decoder_failed")
"""Kinds of events that the log shows as failures."""
MOST_HOSTS = 16
MOST_MEANINGS = 1000


def hear(feed: Feed, type_: str, name: str, text: str, stamp: float) -> None:
    """Take one text of one stream. A text that makes no sense is counted, and goes no further.

    Parameters
    ----------
    feed : Feed
    type_, name : str
        Of the stream.
    text : str
    stamp : float
        When it was sent, our LSL clock, seconds.
    """
    try:
        match type_:
            case "BCI-State":
                hear_state(feed, messages.state(text, name, stamp))
            case "BCI-Event":
                hear_event(feed, messages.event(text, name, stamp), name)
            case "BCI-Guard":
                checker = feed.signing.checker(text, feed.keyed)
                hear_guard(feed, messages.guard(text, name, checker, stamp), name)
            case "BCI-Command":
                hear_command(feed, messages.command(text, name, stamp), name)
            case _:
                feed.markers.append(ShownMarker(stamp, sanitise(text, 60), name))
                feed.markers_total += 1
    except StreamError as error:
        feed.count_senseless(name, str(error))


def hear_state(feed: Feed, state: EngineState) -> None:
    """Take a line of the engine's state.

    Parameters
    ----------
    feed : Feed
    state : EngineState
    """
    session = feed.session
    session.state, session.state_at_s = state, state.at
    session.settings, session.bad = dict(state.settings), dict(state.bad)


def hear_event(feed: Feed, event: EngineEvent, name: str) -> None:
    """Take an event of the engine; all but cues and samples are written into the log.

    Parameters
    ----------
    feed : Feed
    event : EngineEvent
    name : str
        Name of the stream.
    """
    if event.kind == "last":  # samples, for the record only
        return
    feed.events.append(event)
    feed.events_total += 1
    if event.bad is not None:
        feed.session.bad = dict(event.bad)
    if event.settings is not None:
        feed.session.settings = dict(event.settings)
    if event.kind == "cue" and event.class_:
        if len(feed.meanings) < MOST_MEANINGS or event.code in feed.meanings:
            feed.meanings[event.code] = event.class_
    elif event.kind not in ("cue", "copy"):
        level = "bad" if event.kind in FAILURES else "warn" if event.kind in WARNINGS else "info"
        feed.say(level, name, event.line, event.at)


def hear_guard(feed: Feed, report: GuardReport | Refusal | None, name: str) -> None:
    """Take a report of an actuator host; changes are written into the log.

    Parameters
    ----------
    feed : Feed
    report : GuardReport or Refusal or None
    name : str
        Name of the stream.
    """
    if isinstance(report, Refusal):
        feed.say("bad", name, f"refused: {report.why}", report.at)
    if not isinstance(report, GuardReport) or not _is_believed(feed, report, name):
        return
    before = feed.guard.get(report.actuator)
    feed.guard[report.actuator] = report
    if len(feed.guard) > MOST_HOSTS:
        del feed.guard[min(feed.guard, key=lambda actuator: feed.guard[actuator].at)]
    if before is None or (before.state, before.why) != (report.state, report.why):
        level = {"safe": "bad", "hold": "warn"}.get(report.state, "info")
        feed.say(level, name, f"{report.actuator} {report.state}: {report.why}", report.at)
    if report.neutral != (before.neutral if before is not None else "") and report.neutral == NOT_CONFIRMED:
        text = f"{report.actuator}: neutral NOT CONFIRMED, it may still move: {report.why}"
        feed.say("bad", name, text, report.at)


def _is_believed(feed: Feed, report: GuardReport, name: str) -> bool:
    """Whether a report is shown: once one was signed with the session's key, no other is."""
    first = feed.signing.hear(report)
    if not report.ours:
        feed.count_strangers(name, 1)
        return not feed.signing.verified and not report.signed
    if first:
        feed.guard = {actuator: one for actuator, one in feed.guard.items() if one.ours and one.signed}
    return True


def hear_command(feed: Feed, command: CommandReport, name: str) -> None:
    """Take what an actuator was told.

    Parameters
    ----------
    feed : Feed
    command : CommandReport
    name : str
        Name of the stream.
    """
    feed.commands.append(command)
    if command.error:
        feed.say("bad", name, f"{command.kind}: {command.error}", command.at)
