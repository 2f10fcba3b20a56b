"""Single trials of a calibration: shown or heard of, and looked at when they end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bci.calibration.cue_player import STEP_S, CuePlayer
from bci.calibration.environment import CalibrationEnvironment
from bci.calibration.external_cues import ExternalCues
from bci.calibration.history import CalibrationHistory, TrialAttempt
from bci.errors import StreamLost
from bci.paradigm.present import Presenter
from bci.paradigm.protocol import CalibrationProtocol
from bci.paradigm.texts import Texts
from bci.paradigm.timeline import REJECTED, TRIAL_END, TRIAL_START, Cue
from bci.stream import messages

READY_S = 3.0
"""From the moment that somebody is ready to the first cross."""
LATE_S = 1.0
"""So long the signal of a trial may be late before the trial is given up."""


class TrialRunner:
    """Runs single trials, and knows which of them count.

    Parameters
    ----------
    environment : CalibrationEnvironment
    presenter : Presenter
    texts : Texts
    player : CuePlayer
    protocol : CalibrationProtocol
    seed : int
        Of the pauses between trials.
    stop_s : float
        End of the part of a trial that is decoded, seconds after the cue.
    history : CalibrationHistory
        Trials that were recorded before.

    Attributes
    ----------
    attempts : list of TrialAttempt
        All trials so far, in order.
    """

    def __init__(
        self,
        environment: CalibrationEnvironment,
        presenter: Presenter,
        texts: Texts,
        player: CuePlayer,
        protocol: CalibrationProtocol,
        seed: int,
        stop_s: float,
        history: CalibrationHistory,
    ) -> None:
        self._environment, self._presenter, self._texts, self._player = environment, presenter, texts, player
        self._protocol, self._seed, self._stop_s, self._history = protocol, seed, stop_s, history
        self.attempts: list[TrialAttempt] = list(history.attempts)

    def run(self, class_: str) -> bool:
        """Show one trial of a class; whether it counts.

        Parameters
        ----------
        class_ : str
            One of the protocol's classes.

        Returns
        -------
        bool
        """
        begin_s = self._player.due_s
        *cues, end = self._protocol.trial(class_)
        cue_s = self._player.play(cues)
        self._player.wait(begin_s + end.time_s)
        return self._finish(class_, begin_s, cue_s, begin_s + end.time_s)

    def run_external(self, cues: ExternalCues) -> bool:
        """Wait for one trial of another program, and repeat it on our streams in our codes; whether it counts.

        Parameters
        ----------
        cues : ExternalCues

        Returns
        -------
        bool
        """
        while (cue := cues.cue()) is None:
            self._player.pass_time()
        class_, cue_s = cue
        for marker in (TRIAL_START, self._protocol.class_codes[class_]):
            self._environment.mark(str(marker), cue_s)
        end_s = cue_s + self._stop_s
        self._player.wait(end_s)
        return self._finish(class_, cue_s, cue_s, end_s)

    def pause_s(self) -> float:
        """Time between the last trial and what comes next, seconds."""
        return self._protocol.pause_s(self._seed, len(self.attempts) - 1) if self.attempts else READY_S

    def counts(self) -> dict[str, Any]:
        """Trials of each class that count (``kept``), and how many do not (``rejected``)."""
        kept = {c: sum(a.kept for a in self.attempts if a.class_ == c) for c in self._protocol.classes}
        return {"kept": kept, "rejected": sum(not a.kept for a in self.attempts)}

    def recordings(self) -> tuple[Path, ...]:
        """Recordings that hold trials which count."""
        before = self._history
        used = [path for path, kept in zip(before.recordings, before.kept, strict=True) if kept]
        if any(a.kept for a in self.attempts[len(before.attempts) :]):
            used.append(self._environment.recording)
        return tuple(used)

    def _finish(self, class_: str, begin_s: float, cue_s: float, end_s: float) -> bool:
        """Look at the trial that has just ended, and say so; whether it counts."""
        fault = self._fault(cue_s + self._stop_s)
        if fault:
            self._player.send(Cue(end_s, REJECTED, "rejected"))
        self._player.send(Cue(end_s, TRIAL_END, "trial_end"))
        if fault:
            self._presenter.say(f"{self._texts('rejected')} {fault}")
        self.attempts.append(TrialAttempt(class_, begin_s, end_s, not fault))
        note = messages.line("trial", number=len(self.attempts), **{"class": class_}, kept=not fault, why=fault)
        self._environment.note(note)
        self._player.due_s = max(end_s + self.pause_s(), self._player.now_s - STEP_S)
        return not fault

    def _fault(self, stop_s: float) -> str:
        """What is wrong with the trial whose window ends at a time, "" for nothing.

        Raises
        ------
        bci.errors.StreamLost
            If its signal does not come.
        """
        give_up_s = self._player.now_s + LATE_S
        while (fault := self._player.watch.fault_at(stop_s)) is None:
            if self._player.now_s > give_up_s:
                raise StreamLost(
                    f"stream {self._environment.signal.info.name!r}: nothing has come for {LATE_S:g} s. What was recorded is "
                    "safe: start the amplifier again, then go on with bci calibrate --resume"
                )
            self._player.pass_time()
        return fault
