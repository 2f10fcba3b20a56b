"""A calibration in a process of its own, which the wizard starts, follows, answers and stops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from bci.calibration.progress_stream import PROGRESS_TYPE
from bci.errors import ConfigError
from bci.stream import keys
from gui.context import Context
from gui.launch import StartedProcess
from gui.message_values import CalibrationProgress
from gui.messages import progress
from gui.presentation.streams import MessageListener
from gui.wizard.plan import WizardPlan

PATIENCE_S = 6.0
"""Time in which a calibration must stop when asked; then its process is terminated."""
OVER = ("idle", "done", "stopped", "failed")


class CalibrationRun(QObject):
    """The calibration of this wizard: the one that it started, or one that was running already.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    heard : CalibrationProgress
        The newest message of the calibration.
    plan : WizardPlan or None
        The entries with which it was started; None if another program started it.
    result : dict
        Model, report, recordings, verdict, once it is done.
    problem : str
        Why it failed.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._ear = MessageListener(progress)
        self._process: StartedProcess | None = None
        self._old: set[str] = set()
        self._stop_s = 0.0
        self._noted = False
        self.heard = CalibrationProgress()
        self.plan: WizardPlan | None = None
        self.result: dict[str, Any] = {}
        self.problem = ""
        self._ended = "idle"

    @property
    def phase(self) -> str:
        """``idle``; as the calibration sends it (``starting``, ``trials``, …); at the end ``done``, ``stopped``, ``failed``."""
        if self._process is None and not self._ear.uid:
            return self._ended
        said = self.heard.phase
        return "fitting" if said == "done" else said  # until its result is here

    @property
    def running(self) -> bool:
        """Whether it is running."""
        return self.phase not in OVER

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and is still running."""
        return bool(self._stop_s) and self.running

    @property
    def can_grow(self) -> bool:
        """Whether its protocol allows a further block."""
        return self.heard.block < self.heard.blocks

    @property
    def trials(self) -> int:
        """Valid trials so far."""
        return sum(self.heard.kept.values())

    def start(self, plan: WizardPlan) -> None:
        """Start a new calibration.

        Parameters
        ----------
        plan : WizardPlan
        """
        self._launch(plan, plan.calibrate_words())

    def go_on(self, plan: WizardPlan, more: bool = False) -> None:
        """Continue where it was stopped; with ``more``, by a further block, whatever the verdict was.

        Parameters
        ----------
        plan : WizardPlan
        more : bool, optional
            Whether a further block is recorded first.
        """
        folder = self.folder()
        if folder is not None:
            self._launch(plan, plan.resume_words(folder, more))

    def folder(self) -> Path | None:
        """Return the folder of its recordings."""
        return Path(self.heard.recording).parent if self.heard.recording else None

    def _launch(self, plan: WizardPlan, words: tuple[str, ...]) -> None:
        self._old = {s.uid for s in self._context.feed.streams if s.type == PROGRESS_TYPE}
        self._ear.close()
        self._ear = MessageListener(progress)
        self.plan, self.result, self.problem, self._ended = plan, {}, "", "starting"
        self.heard = CalibrationProgress(recording=self.heard.recording, kept=self.heard.kept)
        self._stop_s, self._noted = 0.0, False
        self._process = self._context.launcher.start("calibration", words)

    def answer(self, choice: str) -> None:
        """Answer the current question.

        Parameters
        ----------
        choice : str
            Key of the answer.
        """
        if self.heard.question is not None:
            self._say("answer", number=self.heard.question.number, choice=choice)

    def hold(self, on: bool) -> None:
        """Begin a break before the next trial, or end it.

        Parameters
        ----------
        on : bool
            Whether the break begins, or ends.
        """
        self._say("freeze" if on else "resume", why="wizard")

    def stop(self) -> None:
        """Stop. The recorded trials are kept, and the calibration can be continued."""
        self._say("stop", why="wizard")
        self._stop_s = self._stop_s or self._context.feed.now()

    def _say(self, kind: str, **fields: object) -> None:
        """Send a message, signed with the key of the calibration if there is one."""
        try:
            key = keys.key_of(self.heard.id)
        except ConfigError as error:
            self._context.feed.say("bad", "window", str(error))
            key = None
        self._context.control.say(kind, key, to=self.heard.id, **fields)

    def tick(self) -> None:
        """Take new messages, and check whether the process has ended."""
        self._listen()
        for message in self._ear.messages():
            self.heard = message
        if self.plan is not None and self.plan.notes and not self._noted and self.heard.phase in ("ready", "trials"):
            self._noted = True
            self._say("note", text=self.plan.notes)
        if self._process is not None and not self._process.alive:
            self._over(self._process)
        elif self._process is not None and self._stop_s and self._context.feed.now() - self._stop_s > PATIENCE_S:
            self._process.process.terminate()
        elif self._process is None and self._ear.uid and self._ear.lost:
            self._gone()

    def close(self) -> None:
        """Stop reading; the calibration continues."""
        self._ear.close()

    def _listen(self) -> None:
        streams = [s for s in self._context.feed.streams if s.type == PROGRESS_TYPE and s.uid not in self._old]
        if streams and streams[-1].uid != self._ear.uid and (not self._ear.uid or self._ear.lost):
            self._ear.hear(streams[-1])

    def _over(self, process: StartedProcess) -> None:
        """Take the result of the process that this wizard started."""
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
        """Take the result of a calibration that another program started."""
        if self.heard.phase == "done":
            self.result = {key: getattr(self.heard, key) for key in ("model", "report", "verdict", "line", "recordings")}
            self.result["trials"] = dict(self.heard.kept)
        self._ended = "done" if self.result else "stopped"
        self._leave()

    def _leave(self) -> None:
        self._old.add(self._ear.uid)
        self._ear.close()
        self._ear = MessageListener(progress)


def last_object(path: Path) -> dict[str, Any]:
    """Return the last line of a file that is a JSON object.

    Parameters
    ----------
    path : Path
    """
    for line in reversed(path.read_text(errors="replace").splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}
