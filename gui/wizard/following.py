"""A calibration that goes on in a process of its own: started, watched, answered and stopped from the wizard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from bci.session.calibration.board import PROGRESS_TYPE
from gui.context import Context
from gui.launch import Started
from gui.stage.link import StageEar
from gui.wizard.plan import Plan

PATIENCE_S = 6.0
"""So long a calibration may take to stop as it was asked, before its process is told."""
OVER = ("idle", "done", "stopped", "failed")


class Calibrating(QObject):
    """The calibration of this wizard: the one that it started, or one that is going on already.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    heard : dict
        What the calibration last said of itself (docs/streams.md, ``BCI-Progress``).
    plan : Plan or None
        With which it was started; None where somebody else did.
    result : dict
        Model, report, recordings, verdict, once it is done.
    problem : str
        Why it failed.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._ear = StageEar()
        self._process: Started | None = None
        self._old: set[str] = set()
        self._stop_s = 0.0
        self._noted = False
        self.heard: dict[str, Any] = {}
        self.plan: Plan | None = None
        self.result: dict[str, Any] = {}
        self.problem = ""
        self._ended = "idle"

    @property
    def phase(self) -> str:
        """``idle``; what it says itself (``starting``, ``trials``, …); once it is over: ``done``, ``stopped``, ``failed``."""
        if self._process is None and not self._ear.uid:
            return self._ended
        said = str(self.heard.get("phase", "starting"))
        return "fitting" if said == "done" else said  # until its result is here

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.phase not in OVER

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop, and has not yet."""
        return bool(self._stop_s) and self.running

    @property
    def can_grow(self) -> bool:
        """Whether its protocol allows a further block."""
        block, blocks = self.heard.get("block"), self.heard.get("blocks")
        return isinstance(block, int) and isinstance(blocks, int) and block < blocks

    @property
    def trials(self) -> int:
        """Trials that count so far."""
        kept = self.heard.get("kept")
        return sum(n for n in kept.values() if isinstance(n, int)) if isinstance(kept, dict) else 0

    def start(self, plan: Plan) -> None:
        """Begin a new one."""
        self._launch(plan, plan.calibrate_words())

    def go_on(self, plan: Plan, more: bool = False) -> None:
        """Go on where it was stopped; with a further block first, whatever the verdict was, where ``more``."""
        folder = self.folder()
        if folder is not None:
            self._launch(plan, plan.resume_words(folder, more))

    def folder(self) -> Path | None:
        """Where it is recorded."""
        path = str(self.heard.get("recording") or "")
        return Path(path).parent if path else None

    def _launch(self, plan: Plan, words: tuple[str, ...]) -> None:
        self._old = {s.uid for s in self._context.feed.streams if s.type == PROGRESS_TYPE}
        self._ear.close()
        self._ear = StageEar()
        self.plan, self.result, self.problem, self._ended = plan, {}, "", "starting"
        self.heard = {"phase": "starting", "recording": self.heard.get("recording", ""), "kept": self.heard.get("kept", {})}
        self._stop_s, self._noted = 0.0, False
        self._process = self._context.launcher.start("calibration", words)

    def answer(self, choice: str) -> None:
        """Answer the question that is asked."""
        question = self.heard.get("question")
        if isinstance(question, dict):
            self._say("answer", number=question.get("number"), choice=choice)

    def hold(self, on: bool) -> None:
        """A break before the next trial; or its end."""
        self._say("freeze" if on else "resume", why="wizard")

    def stop(self) -> None:
        """Stop. What was recorded stays, and can be gone on with."""
        self._say("stop", why="wizard")
        self._stop_s = self._stop_s or self._context.feed.now()

    def _say(self, kind: str, **fields: object) -> None:
        self._context.control.say(kind, to=self.heard.get("id", ""), **fields)

    def tick(self) -> None:
        """Hear what is new."""
        self._listen()
        for message in self._ear.messages():
            if message["kind"] == "progress":
                self.heard = message
        if self.plan is not None and self.plan.notes and not self._noted and self.heard.get("phase") in ("ready", "trials"):
            self._noted = True
            self._say("note", text=self.plan.notes)
        if self._process is not None and not self._process.alive:
            self._over(self._process)
        elif self._process is not None and self._stop_s and self._context.feed.now() - self._stop_s > PATIENCE_S:
            self._process.process.terminate()
        elif self._process is None and self._ear.uid and self._ear.lost:
            self._gone()

    def close(self) -> None:
        """Listen no longer; the calibration goes on."""
        self._ear.close()

    def _listen(self) -> None:
        streams = [s for s in self._context.feed.streams if s.type == PROGRESS_TYPE and s.uid not in self._old]
        if streams and streams[-1].uid != self._ear.uid and (not self._ear.uid or self._ear.lost):
            self._ear.hear(streams[-1])

    def _over(self, process: Started) -> None:
        """Our process has ended."""
        code = process.process.returncode
        found = last_object(process.log) if code == 0 else {}
        self._process = None
        self._leave()
        if found.get("model"):
            self.result, self._ended = found, "done"
        elif self._stop_s:
            self._ended = "stopped"
        else:
            self._ended, self.problem = "failed", process.last_words() or f"the calibration ended with code {code}"

    def _gone(self) -> None:
        """Somebody else's calibration has ended."""
        if self.heard.get("phase") == "done":
            self.result = {key: self.heard.get(key, "") for key in ("model", "report", "verdict", "line", "recordings")}
            self.result["trials"] = self.heard.get("kept", {})
        self._ended = "done" if self.result else "stopped"
        self._leave()

    def _leave(self) -> None:
        self._old.add(self._ear.uid)
        self._ear.close()
        self._ear = StageEar()


def last_object(path: Path) -> dict[str, Any]:
    """The last line that is a JSON object."""
    for line in reversed(path.read_text(errors="replace").splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}
