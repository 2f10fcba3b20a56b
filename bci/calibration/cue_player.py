"""Cues shown and marked at their times, while the signal is taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bci.calibration.environment import CalibrationEnvironment
from bci.calibration.progress_stream import ProgressStream
from bci.calibration.watch import SignalWatch
from bci.paradigm.present import Presenter
from bci.paradigm.texts import Texts
from bci.paradigm.timeline import Cue
from bci.stream import messages

STEP_S = 0.1


class CuePlayer:
    """Shows cues, sends their markers, and lets time pass; the signal that comes meanwhile goes to the watch.

    Parameters
    ----------
    environment : CalibrationEnvironment
    presenter : Presenter
    texts : Texts
    progress : ProgressStream

    Attributes
    ----------
    due_s : float
        Time on the environment's clock at which the next item begins.
    watch : SignalWatch
        Set once the signal was found good enough.
    """

    watch: SignalWatch

    def __init__(self, environment: CalibrationEnvironment, presenter: Presenter, texts: Texts, progress: ProgressStream) -> None:
        self._environment, self._presenter, self._texts, self._progress = environment, presenter, texts, progress
        self.due_s = 0.0

    @property
    def now_s(self) -> float:
        """Time on the environment's clock."""
        return self._environment.clock.now()

    def say(self, text: str, **values: object) -> None:
        """Tell the participant a text of the chosen language.

        Parameters
        ----------
        text : str
            Its key.
        **values
            What stands in its placeholders.
        """
        self._presenter.say(self._texts(text, **values))

    def play(self, cues: Sequence[Cue], prefix: str = "") -> float:
        """Show cues, their times counted from ``due_s``.

        Parameters
        ----------
        cues : sequence of Cue
        prefix : str
            Stands before the marker of a class cue, for practice trials.

        Returns
        -------
        float
            When the class cue was seen, on the environment's clock; ``due_s`` without one.
        """
        seen_s = self.due_s
        for cue in cues:
            self.wait(self.due_s + cue.time_s)
            shown_s = self.send(replace(cue, time_s=self.due_s + cue.time_s), prefix if cue.class_ else "")
            seen_s = shown_s if cue.class_ else seen_s
        return seen_s

    def send(self, cue: Cue, prefix: str = "") -> float:
        """Show a cue, then send its marker.

        Parameters
        ----------
        cue : Cue
            With its time on the environment's clock.
        prefix : str
            Stands before the marker, for practice trials.

        Returns
        -------
        float
            The time of the marker: when the cue was seen, or when it was due where nobody can say.
        """
        shown_s = self._presenter.show(cue, self._texts(cue.name) if cue.name else "")
        time_s = cue.time_s if shown_s is None else shown_s
        self._environment.mark(f"{prefix}{cue.name if prefix else cue.marker}", time_s)
        return time_s

    def mark_now(self, code: int) -> None:
        """Send a code that nobody is shown, with the time that it is now.

        Parameters
        ----------
        code : int
            Of GDF (docs/reference/streams.md).
        """
        self.send(Cue(self.now_s, code, ""))

    def wait(self, until_s: float) -> None:
        """Let time pass up to a time on the environment's clock, and take in the signal.

        Parameters
        ----------
        until_s : float
            Time on the environment's clock.
        """
        while (now := self.now_s) < until_s:
            self.check()
            self.watch.pull(min(STEP_S, until_s - now))
        # What has come in the meantime is taken in too, so that a trial is judged with all that there is.
        while self.watch.pull(0.0):
            pass

    def pass_time(self) -> None:
        """Let a moment pass, and take in the signal."""
        self.check()
        self.watch.pull(STEP_S)

    def check(self) -> None:
        """Raise if the calibration must end, and record the notes that a window sent."""
        self._environment.check()
        for text in self._progress.look():
            self._environment.note(messages.line("note", text=text))
