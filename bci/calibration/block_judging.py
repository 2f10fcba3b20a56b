"""After each block the judge says whether it is enough, and the operator decides."""

from __future__ import annotations

from collections import Counter

from bci.calibration.cue_player import CuePlayer
from bci.calibration.environment import CalibrationEnvironment
from bci.calibration.interfaces import BlockVerdict, Judge
from bci.calibration.progress_stream import ProgressStream
from bci.calibration.trial_runner import TrialRunner
from bci.errors import TrainingError
from bci.paradigm.present import Presenter
from bci.settings import SessionConfig
from bci.stream import messages

GOES_ON = "more"


class BlockJudging:
    """Has the trials so far judged, and asks the operator whether to stop.

    Parameters
    ----------
    environment : CalibrationEnvironment
    presenter : Presenter
    progress : ProgressStream
    judge : Judge
    player : CuePlayer
    trials : TrialRunner

    Attributes
    ----------
    verdict : BlockVerdict or None
        The last one.
    overruled : bool
        Whether the operator decided otherwise at least once.
    """

    def __init__(
        self,
        environment: CalibrationEnvironment,
        presenter: Presenter,
        progress: ProgressStream,
        judge: Judge,
        player: CuePlayer,
        trials: TrialRunner,
    ) -> None:
        self._environment, self._presenter, self._progress = environment, presenter, progress
        self._judge, self._player, self._trials = judge, player, trials
        self.verdict: BlockVerdict | None = None
        self.overruled = False

    def overrule(self, answer: str) -> None:
        """Record that somebody decided otherwise than the verdict.

        Parameters
        ----------
        answer : str
            What was decided: ``"stop"`` or ``"go on"``.
        """
        self.overruled = True
        self._environment.note(messages.line("overruled", answer=answer))

    def stops(self, look: int, last: bool, config: SessionConfig) -> bool:
        """Judge the trials so far, and ask the operator.

        Parameters
        ----------
        look : int
            Which look at these trials it is, from 1.
        last : bool
            Whether the protocol has no further block.
        config : SessionConfig

        Returns
        -------
        bool
            Whether the calibration ends here.

        Raises
        ------
        bci.errors.TrainingError
            If every trial was rejected, so that there is nothing to judge.
        """
        self.verdict = verdict = self._judged(look, config)
        end = last or verdict.word != GOES_ON
        choices = {"s": "stop here", "g": "go on"} if end else {"g": "go on", "s": "stop here"}
        if last:
            choices.pop("g")
        answer = self._presenter.ask(verdict.line(), choices, self._player.pass_time)
        if (answer == "s") != end:
            self.overrule("stop" if answer == "s" else "go on")
        return answer == "s"

    def _judged(self, look: int, config: SessionConfig) -> BlockVerdict:
        """The verdict on the trials so far, shown and recorded."""
        recordings = self._trials.recordings()
        if not recordings:
            counts = Counter(a.class_ for a in self._trials.attempts)
            raise TrainingError(
                f"every trial was rejected ({', '.join(f'{c}: {n}' for c, n in counts.items())}): check the electrodes, ask the "
                "person to sit still, then continue with bci calibrate --resume"
            )
        self._progress.tell(phase="judging", recordings=list(map(str, recordings)))
        self._player.say("break")
        self._environment.written()
        self._judge.begin(recordings, look, config)
        while (verdict := self._judge.verdict()) is None:
            self._player.pass_time()
        n = len(self._trials.attempts)
        self._environment.note(messages.line("verdict", word=verdict.word, line=verdict.line(), trials=n))
        for advice in verdict.advice:
            if advice not in verdict.line():
                self._presenter.say(advice)
        self._progress.tell(phase="break", look=look, verdict=verdict.word, line=verdict.line())
        return verdict
