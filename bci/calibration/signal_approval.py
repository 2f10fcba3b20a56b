"""The signal is looked at before anything is recorded of it, until it is good enough or the operator decides to begin."""

from __future__ import annotations

from bci.calibration.check import SignalCheck, check_signal
from bci.calibration.cue_player import STEP_S, CuePlayer
from bci.calibration.environment import CalibrationEnvironment
from bci.calibration.progress_stream import ProgressStream
from bci.calibration.watch import SignalWatch
from bci.engine.chunk import Chunk
from bci.errors import StreamError
from bci.paradigm.present import Presenter
from bci.settings import SessionConfig
from bci.training.left_out import LEAST_CHANNELS
from bci.training.resolved import resolve_decoder

CHECK_S = 2.0


class SignalApproval:
    """Asks for a better signal, or for the decision to begin with this one.

    Parameters
    ----------
    environment : CalibrationEnvironment
    presenter : Presenter
    progress : ProgressStream
    player : CuePlayer
        Its ``check`` is called while somebody is asked.
    force : bool
        Begin even if the signal is not good enough.
    """

    def __init__(
        self,
        environment: CalibrationEnvironment,
        presenter: Presenter,
        progress: ProgressStream,
        player: CuePlayer,
        force: bool,
    ) -> None:
        self._environment, self._presenter, self._progress = environment, presenter, progress
        self._player, self._force = player, force

    def approve(self, config: SessionConfig) -> tuple[SessionConfig, SignalWatch]:
        """Look at the signal until it is good enough, or the operator begins all the same.

        Parameters
        ----------
        config : SessionConfig

        Returns
        -------
        config : SessionConfig
            Without the channels that cannot be used.
        watch : SignalWatch
            Has taken in the signal that was looked at.

        Raises
        ------
        bci.errors.StreamError
            If the operator does not want to begin with this signal.
        """
        preprocessing = resolve_decoder(self._environment.signal.info, config).preprocessing
        while True:
            check, chunks = check_signal(self._environment, preprocessing, config.front(), CHECK_S)
            self._tell(check)
            if not check.bad or self._begin_with(check, chunks):
                break
        used = self._without_bad(config, check)
        if used is not config:
            preprocessing = resolve_decoder(self._environment.signal.info, used).preprocessing
        watch = SignalWatch(self._environment.signal, preprocessing, used.front(), lambda: self._environment.offset_s)
        for chunk in chunks:
            watch.take(chunk)
        return used, watch

    def _tell(self, check: SignalCheck) -> None:
        """Show what was found."""
        bad = [{"label": c.label, "fault": c.fault} for c in check.bad]
        self._progress.tell(channels=len(check.channels), bad=bad, rate_hz=check.rate_hz)
        for line in check.lines():
            self._presenter.say(f"signal: {line}")

    def _without_bad(self, config: SessionConfig, check: SignalCheck) -> SessionConfig:
        """The settings without the bad channels, where enough others are left."""
        left = tuple(c.label for c in check.channels if not c.fault)
        if not check.bad or len(left) < LEAST_CHANNELS:
            return config
        self._presenter.say(f"going on without {', '.join(c.label for c in check.bad)}")
        section = config.preprocessing.model_copy(update={"channels": left})
        return config.model_copy(update={"preprocessing": section})

    def _begin_with(self, check: SignalCheck, chunks: list[Chunk]) -> bool:
        """Whether to begin although channels are bad; the signal that comes while asking is added to ``chunks``.

        Raises
        ------
        bci.errors.StreamError
            If the operator quits.
        """
        if self._force:
            return True
        if check.good_enough:
            choices = {"w": "go on without them", "c": "check again"}
        else:
            choices = {"q": "quit", "c": "check again", "f": "go on all the same"}

        def passing() -> None:
            self._player.check()
            chunk = self._environment.signal.pull(STEP_S)
            if chunk is not None:
                chunks.append(chunk)

        answer = self._presenter.ask("These channels cannot be used.", choices, passing)
        if answer == "q":
            raise StreamError(
                f"the signal is not good enough: {len(check.bad)} of {len(check.channels)} channels are bad, fewer than "
                f"{check.few:g} may be.\n" + "\n".join(check.lines()) + "\nCorrect this, or begin anyway with --force."
            )
        return answer != "c"
