"""Messages of other programs, read in one place: each becomes a value of known shape and size, or is refused.

Windows show these values and nothing else, so that no message can end a window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bci.errors import StreamError
from bci.stream import messages
from bci.stream.signing import Checker
from gui.message_fields import SENTENCE, WORD, Fields, first_of, shown
from gui.message_values import (
    CalibrationProgress,
    CommandReport,
    EngineEvent,
    EngineState,
    GuardReport,
    JudgementReport,
    PresentationMessage,
    Question,
    Refusal,
)
from gui.sanitise import sanitise

LONGEST = 1 << 20
"""Largest number of characters of a message."""


def guard(text: str, what: str, checker: Checker, at: float) -> GuardReport | Refusal | None:
    """Read a line of a guard; return None for a kind that windows do not know.

    Parameters
    ----------
    text : str
    what : str
        Where the text came from, for errors.
    checker : Checker
        Tells the session's own lines from others.
    at : float
        When it was sent, our LSL clock, seconds.

    Raises
    ------
    StreamError
        If the text makes no sense. The other functions of this module raise it, too.
    """
    message = checker(_short(text, what), what)
    f = Fields(message.fields, what)
    if message.kind == "refused":
        return Refusal(f.text("why"), at) if message.ours else None
    if message.kind != "guard":
        return None
    settings = f.inside("settings") or Fields({}, what)
    texts = {key: f.text(key, SENTENCE if key == "why" else 200) for key in ("actuator", "state", "cause", "why", "nonce")}
    return GuardReport(
        **texts,
        good_s=f.number("good_s"),
        settle_s=settings.number("settle_s", 0, 1e6),
        stale_s=settings.number("stale_s", 0, 1e6),
        latch_s=settings.number("latch_s", 0, 1e6),
        neutral=f.text("neutral", WORD),
        heard=_heard(message.fields.get("heard")),
        strangers=f.count("strangers"),
        ours=message.ours,
        signed=isinstance(message.fields.get("mac"), str),
        at=at,
    )


def _heard(value: object) -> str:
    """Return sender and number of a stop as text."""
    return shown(value.get("id") if isinstance(value, Mapping) else value) if value is not None else ""


def state(text: str, what: str, at: float) -> EngineState:
    """Read a line of the engine's state.

    Parameters
    ----------
    text : str
    what : str
        Where the text came from, for errors.
    at : float
        When it was sent, our LSL clock, seconds.
    """
    f = _fields(text, what)
    consumed, phase = f.number("consumed", 0), f.text("phase", 20) or "none"
    rate_hz = f.number("rate_hz", 0, 1e6)
    settings = f.numbers("settings")
    return EngineState(
        phase, f.text("source_id", 500), 0.0 if math.isnan(consumed) else consumed, rate_hz, settings, f.words("bad"), at
    )


def event(text: str, what: str, at: float) -> EngineEvent:
    """Read an event of the engine.

    Parameters
    ----------
    text : str
    what : str
        Where the text came from, for errors.
    at : float
        When it was sent, our LSL clock, seconds.
    """
    found = messages.parse(_short(text, what), what)
    f, kind = Fields(found, what), sanitise(found["kind"], WORD)
    cue = {"class_": f.text("class", WORD), "code": f.either("code"), "stamp": f.number("stamp")} if kind == "cue" else {}
    return EngineEvent(
        kind,
        _sentence(kind, found),
        **cue,  # type: ignore[arg-type]
        text=f.text("text") if kind == "note" else "",
        settings=f.numbers("decision") if kind == "set" else None,
        bad=f.words("bad") if kind == "mask" else None,
        at=at,
    )


def command(text: str, what: str, at: float) -> CommandReport:
    """Read what was sent to an actuator.

    Parameters
    ----------
    text : str
    what : str
        Where the text came from, for errors.
    at : float
        When it was sent, our LSL clock, seconds.
    """
    found = messages.parse(_short(text, what), what)
    f = Fields(found, what)
    return CommandReport(
        sanitise(found["kind"], 20), f.text("name", WORD), f.number("delay_s"), f.number("ended"), f.text("error"), at
    )


def presentation(text: str, what: str) -> PresentationMessage:
    """Read a line of a presenter.

    Parameters
    ----------
    text : str
    what : str
        Where the text came from, for errors.
    """
    found = messages.parse(_short(text, what), what)
    f = Fields(found, what)
    written = "\n".join(sanitise(line, 300) for line in f.lines("text")[:12])
    choices = {name[:8]: text for name, text in f.words("choices").items() if name}
    number, code = (min(max(f.count(key), 0), 1 << 31) for key in ("number", "code"))
    return PresentationMessage(sanitise(found["kind"], 20), number, code, f.text("class", WORD), written, choices)


def progress(text: str, what: str) -> CalibrationProgress | None:
    """Read the progress of a calibration; return None for another kind.

    Parameters
    ----------
    text : str
    what : str
        Where the text came from, for errors.
    """
    found = messages.parse(_short(text, what), what)
    if found["kind"] != "progress":
        return None
    f = Fields(found, what)
    asked, judged = f.inside("question"), f.inside("judgement")
    return CalibrationProgress(
        id=f.text("id", WORD),
        phase=f.text("phase", WORD),
        cue=f.text("cue", WORD),
        verdict=f.text("verdict", WORD),
        rejected=f.count("rejected"),
        block=f.count("block"),
        blocks=f.count("blocks"),
        done=f.count("done"),
        of=f.count("of"),
        look=f.count("look"),
        recording=f.path("recording"),
        model=f.path("model"),
        report=f.path("report"),
        held=f.flag("held"),
        virtual=f.flag("virtual"),
        kept=f.counts("kept"),
        line=f.text("line"),
        said=f.texts("said"),
        recordings=f.paths("recordings"),
        question=None if asked is None else Question(asked.count("number"), asked.text("text", 300), asked.words("choices")),
        judgement=None if judged is None else judgement(judged),
        config=f.whole("config"),
    )


def judgement(f: Fields) -> JudgementReport | None:
    """Read a judgement; return None if it holds no verdict.

    Parameters
    ----------
    f : Fields
        Fields of the judgement.
    """
    verdict, ahead = f.inside("verdict"), f.inside("forecast") or Fields({}, "forecast")
    if verdict is None:
        return None
    shares = [verdict.number(key, 0, 1) for key in ("accuracy", "low", "high", "chance")]
    points = [(p.number("trials", 0, 1e6), p.number("accuracy", -1, 2)) for p in ahead.parts("points")]
    advice = verdict.texts("advice")
    if not all(math.isfinite(x) for x in shares):
        return None
    known = tuple(p for p in points if math.isfinite(p[0]) and math.isfinite(p[1]))
    trials = min(max(sum(f.counts("trials").values()), 0), 1_000_000)
    forecast = (ahead.number("low", -1, 2), ahead.number("high", -1, 2))
    accuracy, low, high, chance = shares
    return JudgementReport(trials, accuracy, low, high, chance, advice, known, forecast)


def _sentence(kind: str, found: Mapping[str, Any]) -> str:
    """Return an event as one line."""
    skipped = ("v", "kind", "consumed", "segment", "index", "fingerprint", "settings", "stream")
    rest = ", ".join(
        f"{sanitise(k, 40)} {shown(v)}" for k, v in first_of(found.items()) if k not in skipped and v not in ("", None)
    )
    return sanitise(f"{kind}: {rest}" if rest else kind, SENTENCE)


def _short(text: str, what: str) -> str:
    if len(text) > LONGEST:
        raise StreamError(f"{what}: a message of {len(text)} characters; at most {LONGEST} are allowed")
    return text


def _fields(text: str, what: str) -> Fields:
    return Fields(messages.parse(_short(text, what), what), what)
