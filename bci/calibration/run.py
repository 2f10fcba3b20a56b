"""A calibration from the first look at the signal to the verdict, live or virtual: one implementation."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from bci.calibration.block_judging import BlockJudging
from bci.calibration.cue_player import STEP_S, CuePlayer
from bci.calibration.environment import CalibrationEnvironment
from bci.calibration.external_cues import ExternalCues
from bci.calibration.history import CalibrationHistory, block_over, start_note
from bci.calibration.interfaces import Calibrated, CalibrationSettings, Judge
from bci.calibration.progress_stream import NoProgressStream, ProgressStream
from bci.calibration.signal_approval import SignalApproval
from bci.calibration.trial_runner import READY_S, TrialRunner
from bci.paradigm.present import Presenter
from bci.paradigm.protocol import PRACTICE, Baseline, waiting
from bci.paradigm.texts import Texts
from bci.paradigm.timeline import EXPERIMENT_START, EXPERIMENT_STOP, SEGMENT_START, SEGMENT_STOP, SESSION_END
from bci.settings import SessionConfig


class Calibration:
    """Asks for trials, block by block, until it is enough.

    Parameters
    ----------
    environment : CalibrationEnvironment
    presenter : Presenter
    texts : Texts
    judge : Judge
    config : SessionConfig
        With the protocol's cues in its marker table.
    settings : CalibrationSettings
    history : CalibrationHistory, optional
        What was recorded before; the calibration goes on from there.
    simulated : dict, optional
        Settings of the simulated subject, for going on later.
    external_cues : ExternalCues, optional
        Another program, which presents the trials.
    progress : ProgressStream, optional
        Where windows see how far the calibration is.
    """

    def __init__(
        self,
        environment: CalibrationEnvironment,
        presenter: Presenter,
        texts: Texts,
        judge: Judge,
        config: SessionConfig,
        settings: CalibrationSettings,
        history: CalibrationHistory | None = None,
        simulated: dict[str, object] | None = None,
        external_cues: ExternalCues | None = None,
        progress: ProgressStream | None = None,
    ) -> None:
        self.config = config
        self._environment, self._presenter, self._texts = environment, presenter, texts
        self._progress: ProgressStream = progress or NoProgressStream()
        self._settings, self._protocol = settings, settings.protocol
        self._history = before = history or CalibrationHistory()
        self._simulated, self._external = simulated, external_cues
        self._player = player = CuePlayer(environment, presenter, texts, self._progress)
        self._approval = SignalApproval(environment, presenter, self._progress, player, settings.force)
        stop_s = config.trial.stop_s
        self._trials = TrialRunner(environment, presenter, texts, player, self._protocol, settings.seed, stop_s, before)
        self._judging = BlockJudging(environment, presenter, self._progress, judge, player, self._trials)

    def run(self) -> Calibrated:
        """Run it from the signal check to the last marker.

        Returns
        -------
        Calibrated

        Raises
        ------
        bci.errors.StreamError
            If the signal is not good enough, or lost.
        KeyboardInterrupt
            If somebody asked to stop; what was recorded can be resumed.
        """
        self._progress.tell(phase="checking", recording=str(self._environment.recording))
        self.config, self._player.watch = self._approval.approve(self.config)
        self._begin()
        self._baselines()
        self._practice()
        self._blocks()
        self._end()
        judging = self._judging
        return Calibrated(self._trials.recordings(), self.config, judging.verdict, judging.overruled, **self._trials.counts())

    def _blocks(self) -> None:
        """Ask for one block after the other, until it is enough."""
        blocks = self._history.blocks(self._protocol, self._settings.seed)
        judged = self._judged_before([[a.kept for a in block] for block in blocks])
        most = self._protocol.most_blocks
        for number in range(most):
            self._block(number, [a.kept for a in blocks[number]] if number < len(blocks) else [])
            if number < judged:
                continue  # it was judged, and gone on from, before
            if self._judging.stops(number + 1, number + 1 == most, self.config):
                break
            self._rest()

    def _judged_before(self, blocks: Sequence[Sequence[bool]]) -> int:
        """Blocks after which nobody is asked again whether it is enough."""
        last = len(blocks) - 1
        over = self._over(last, blocks[last])
        if not (self._settings.more and over and len(blocks) < self._protocol.most_blocks):
            return last
        self._judging.overrule("go on")
        return len(blocks)

    def _over(self, number: int, kept: Sequence[bool]) -> bool:
        """Whether nothing is left of a block."""
        return block_over(self._protocol, self._settings.seed, number, kept, self._external is not None)

    def _begin(self) -> None:
        """Say on the streams what this is, and go to where it was left."""
        begun_before = self._history.start
        self._note_start(begun_before.get("id", uuid.uuid4().hex[:12]))
        if self._environment.resumed_s is not None:
            self._player.wait(self._environment.resumed_s)
            self._player.due_s = self._environment.resumed_s + self._trials.pause_s()
        else:
            if not begun_before:
                self._player.mark_now(EXPERIMENT_START)
                self._player.say("welcome", blocks=self._protocol.most_blocks, trials=self._protocol.block_size)
            self._player.say(self._protocol.instruction)
            if self._external is None:
                self._ready()
        if self._external is not None:
            self._external.forget()

    def _note_start(self, calibration: str) -> None:
        """Record all that is needed to go on with this calibration, and tell the windows."""
        fields = {
            "id": calibration,
            "part": len(self._history.recordings),
            "begun": time.time(),
            "config": self.config.model_dump_json(),
            "simulated": self._simulated,
            "outside": self._external.settings if self._external else None,
        }
        self._environment.note(start_note(self._protocol, self._settings.seed, **fields))
        self._progress.tell(
            config=self.config.model_dump(mode="json"), blocks=self._protocol.most_blocks, of=self._protocol.block_size,
            recordings=list(map(str, self._trials.recordings())), **self._trials.counts(),
        )  # fmt: skip

    def _ready(self) -> None:
        """Wait until the participant is."""
        self._progress.tell(phase="ready")
        self._presenter.ask(self._texts("ready"), {"g": "go on"}, self._player.pass_time)
        self._player.due_s = self._player.now_s + READY_S

    def _baselines(self) -> None:
        """Play the baselines that are left."""
        if self._external is not None:
            return
        for baseline in self._protocol.baselines[self._history.baselines :]:
            self._baseline(baseline)

    def _baseline(self, baseline: Baseline) -> None:
        """Play one baseline."""
        self._progress.tell(phase="baseline", seconds=baseline.seconds)
        self._player.say(baseline.name)
        self._player.play(baseline.cues)
        self._player.due_s += baseline.seconds + READY_S

    def _practice(self) -> None:
        """Play the practice trials that are left; nobody counts them."""
        order = self._protocol.practice_order(self._settings.seed)
        left = order[self._history.practised :] if not self._trials.attempts and self._external is None else ()
        if left:
            self._progress.tell(phase="practice")
            self._player.say("practice", trials=len(left))
        for class_ in left:
            self._player.play(self._protocol.trial(class_), PRACTICE)
            self._player.due_s += self._protocol.paradigm.stop_s + READY_S

    def _block(self, number: int, kept: list[bool]) -> None:
        """Ask for what is left of a block."""
        order = self._protocol.order(self._settings.seed, number)
        if self._over(number, kept):
            return
        self._progress.tell(phase="trials", block=number + 1, done=sum(kept))
        self._player.say("block", block=number + 1)
        self._player.mark_now(SEGMENT_START)
        while not self._over(number, kept):
            self._hold()
            kept.append(self._trial(waiting(order, kept)[0] if self._external is None else ""))
            self._progress.tell(done=sum(kept), **self._trials.counts())
        self._player.mark_now(SEGMENT_STOP)

    def _trial(self, class_: str) -> bool:
        """One trial, of ours or of the other program; whether it counts."""
        return self._trials.run(class_) if self._external is None else self._trials.run_external(self._external)

    def _hold(self) -> None:
        """Make a break, where the operator wants one."""
        if not self._progress.held or self._external is not None:
            return
        self._player.say("break")
        while self._progress.held:
            self._player.pass_time()
        self._player.due_s = max(self._player.due_s, self._player.now_s + READY_S)

    def _rest(self) -> None:
        """Give the participant the break between two blocks."""
        if self._external is None:
            self._player.wait(self._trials.attempts[-1].end_s + self._protocol.break_s)
            self._ready()

    def _end(self) -> None:
        """Send the last markers."""
        self._progress.tell(phase="fitting")
        for code in (SESSION_END, EXPERIMENT_STOP):
            self._player.mark_now(code)
        self._player.wait(self._player.now_s + 2 * STEP_S)
        self._player.say("finished")
