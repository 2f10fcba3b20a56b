"""A calibration from the first look at the signal to the verdict, live or virtual: one implementation."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bci.engine.chunk import Chunk
from bci.errors import StreamError, StreamLost, TrainingError
from bci.session import wire
from bci.session.calibration.board import Board, NoBoard
from bci.session.calibration.check import SignalCheck, check_signal
from bci.session.calibration.history import Attempt, History, block_over, start_note
from bci.session.calibration.outside import Outside
from bci.session.calibration.present import Presenter
from bci.session.calibration.protocol import PRACTICE, Baseline, waiting
from bci.session.calibration.room import Room
from bci.session.calibration.shapes import Calibrated, CalibrationSettings, Judge, Verdict
from bci.session.calibration.texts import Texts
from bci.session.calibration.watch import SignalWatch
from bci.session.left_out import LEAST_CHANNELS
from bci.session.timeline import (
    EXPERIMENT_START,
    EXPERIMENT_STOP,
    REJECTED,
    SEGMENT_START,
    SEGMENT_STOP,
    SESSION_END,
    TRIAL_END,
    TRIAL_START,
    Cue,
)
from bci.session.training import preprocessing_for
from bci.settings import SessionConfig

CHECK_S = 2.0
READY_S = 3.0
"""From the moment that somebody is ready to the first cross."""
LATE_S = 1.0
"""So long the signal of a trial may be late before the trial is given up."""
STEP_S = 0.1
GOES_ON = "more"


class Calibration:
    """Asks for trials, block by block, until it is enough.

    Parameters
    ----------
    room : Room
    presenter : Presenter
    texts : Texts
    judge : Judge
    config : SessionConfig
        With the protocol's cues in its marker table.
    settings : CalibrationSettings
    history : History
        What was recorded before: it goes on from there.
    simulated : dict
        Settings of the simulated subject, for who resumes.
    outside : Outside, optional
        Somebody else's program, which presents the trials.
    board : Board, optional
        Where windows see how far it is.
    """

    def __init__(
        self,
        room: Room,
        presenter: Presenter,
        texts: Texts,
        judge: Judge,
        config: SessionConfig,
        settings: CalibrationSettings,
        history: History | None = None,
        simulated: dict[str, object] | None = None,
        outside: Outside | None = None,
        board: Board | None = None,
    ) -> None:
        self._board: Board = board or NoBoard()
        self._room, self._presenter, self._texts, self._judge = room, presenter, texts, judge
        self._settings = settings
        self._protocol = settings.protocol
        self._history = history or History()
        self._simulated, self._outside = simulated, outside
        self.config = config
        self._attempts: list[Attempt] = list(self._history.attempts)
        self._due_s = 0.0
        self._overruled = False
        self._verdict: Verdict | None = None

    def run(self) -> Calibrated:
        """From the signal check to the last word.

        Raises
        ------
        StreamError
            If the signal is not good enough, or lost.
        KeyboardInterrupt
            If somebody asked to stop; what was recorded can be resumed.
        """
        self._watch = self._checked()
        self._begin()
        self._baselines()
        self._practice()
        blocks = self._history.blocks(self._protocol, self._settings.seed)
        judged = self._judged([[a.kept for a in block] for block in blocks])
        for number in range(self._protocol.most_blocks):
            self._block(number, [a.kept for a in blocks[number]] if number < len(blocks) else [])
            if number < judged:
                continue  # it was judged, and gone on from, before
            if self._enough(number + 1):
                break
        self._end()
        return Calibrated(self._recordings(), self.config, self._verdict, self._overruled, **self._counts())

    def _judged(self, blocks: Sequence[Sequence[bool]]) -> int:
        """Blocks after which nobody is asked again whether it is enough."""
        last = len(blocks) - 1
        over = block_over(self._protocol, self._settings.seed, last, blocks[last], self._outside is not None)
        if not (self._settings.more and over and len(blocks) < self._protocol.most_blocks):
            return last
        self._room.note(wire.line("overruled", answer="go on"))
        self._overruled = True
        return len(blocks)

    def _recordings(self) -> tuple[Path, ...]:
        """Those that hold trials which count."""
        before = self._history
        used = [path for path, kept in zip(before.recordings, before.kept, strict=True) if kept]
        if any(a.kept for a in self._attempts[len(before.attempts) :]):
            used.append(self._room.recording)
        return tuple(used)

    def _checked(self) -> SignalWatch:
        """Look at the signal, until it is good enough or the operator goes on regardless."""
        self._board.tell(phase="checking", recording=str(self._room.recording))
        while True:
            preprocessing = preprocessing_for(self._room.signal.info, self.config)
            check, chunks = check_signal(self._room, preprocessing, self.config.front(), CHECK_S)
            bad = [{"label": c.label, "fault": c.fault} for c in check.bad]
            self._board.tell(channels=len(check.channels), bad=bad, rate_hz=check.rate_hz)
            for line in check.lines():
                self._presenter.say(f"signal: {line}")
            if not check.bad or self._go_on_without(check, chunks):
                break
        left = tuple(c.label for c in check.channels if not c.fault)
        if check.bad and len(left) >= LEAST_CHANNELS:
            section = self.config.preprocessing.model_copy(update={"channels": left})
            self.config = self.config.model_copy(update={"preprocessing": section})
            self._presenter.say(f"going on without {', '.join(c.label for c in check.bad)}")
        preprocessing = preprocessing_for(self._room.signal.info, self.config)
        watch = SignalWatch(self._room.signal, preprocessing, self.config.front(), lambda: self._room.offset_s)
        for chunk in chunks:
            watch.take(chunk)
        return watch

    def _go_on_without(self, check: SignalCheck, chunks: list[Chunk]) -> bool:
        """Whether to begin although channels are bad; the signal that comes while asking is added to ``chunks``.

        Raises
        ------
        StreamError
            If nobody says that a signal that is not good enough shall be used all the same.
        """
        if self._settings.force:
            return True
        if check.good_enough:
            choices = {"w": "go on without them", "c": "check again"}
        else:
            choices = {"q": "quit", "c": "check again", "f": "go on all the same"}

        def passing() -> None:
            self._check()
            chunk = self._room.signal.pull(STEP_S)
            if chunk is not None:
                chunks.append(chunk)

        answer = self._presenter.ask("These channels cannot be used.", choices, passing)
        if answer == "q":
            raise StreamError(
                f"the signal is not good enough: {len(check.bad)} of {len(check.channels)} channels are bad, fewer than "
                f"{check.few:g} may be.\n" + "\n".join(check.lines()) + "\nPut that right, or begin all the same with --force."
            )
        return answer != "c"

    def _begin(self) -> None:
        """Say on the streams what this is, and go to where it was left."""
        old = self._history.start
        fields = {
            "id": old.get("id", uuid.uuid4().hex[:12]),
            "part": len(self._history.recordings),
            "begun": time.time(),
            "config": self.config.model_dump_json(),
            "simulated": self._simulated,
            "outside": self._outside.settings if self._outside else None,
        }
        self._room.note(start_note(self._protocol, self._settings.seed, **fields))
        self._board.tell(
            config=self.config.model_dump(mode="json"), blocks=self._protocol.most_blocks, of=self._protocol.block_size,
            recordings=list(map(str, self._recordings())), **self._counts(),
        )  # fmt: skip
        if self._room.resumed_s is not None:
            self._wait(self._room.resumed_s)
            self._due_s = self._room.resumed_s + self._pause()
        else:
            p = self._protocol
            if not old:
                self._send(Cue(self._room.clock.now(), EXPERIMENT_START, ""))
                self._presenter.say(self._texts("welcome", blocks=p.most_blocks, trials=p.block_size))
            self._presenter.say(self._texts(p.instruction))
            if self._outside is None:
                self._ready()
        if self._outside is not None:
            self._outside.forget()

    def _pause(self) -> float:
        """Time between what was finished last and what comes next."""
        return self._protocol.pause_s(self._settings.seed, len(self._attempts) - 1) if self._attempts else READY_S

    def _ready(self) -> None:
        """Wait until the participant is."""
        self._board.tell(phase="ready")
        self._presenter.ask(self._texts("ready"), {"g": "go on"}, self._pass)
        self._due_s = self._room.clock.now() + READY_S

    def _baselines(self) -> None:
        """Those that are left."""
        if self._outside is not None:
            return
        for baseline in self._protocol.baselines[self._history.baselines :]:
            self._baseline(baseline)

    def _baseline(self, baseline: Baseline) -> None:
        """One stretch with one instruction."""
        self._board.tell(phase="baseline", seconds=baseline.seconds)
        self._presenter.say(self._texts(baseline.name))
        self._play(baseline.cues)
        self._due_s += baseline.seconds + READY_S

    def _practice(self) -> None:
        """Trials that nobody counts."""
        order = self._protocol.practice_order(self._settings.seed)
        left = order[self._history.practised :] if not self._attempts and self._outside is None else ()
        if left:
            self._board.tell(phase="practice")
            self._presenter.say(self._texts("practice", trials=len(left)))
        for class_ in left:
            self._play(self._protocol.trial(class_), PRACTICE)
            self._due_s += self._protocol.paradigm.stop_s + READY_S

    def _block(self, number: int, kept: list[bool]) -> None:
        """Ask for what is left of a block."""
        order, outside = self._protocol.order(self._settings.seed, number), self._outside
        if block_over(self._protocol, self._settings.seed, number, kept, outside is not None):
            return
        self._board.tell(phase="trials", block=number + 1, done=sum(kept))
        self._presenter.say(self._texts("block", block=number + 1))
        self._send(Cue(self._room.clock.now(), SEGMENT_START, ""))
        while not block_over(self._protocol, self._settings.seed, number, kept, outside is not None):
            self._hold()
            kept.append(self._trial(waiting(order, kept)[0]) if outside is None else self._outside_trial(outside))
            self._board.tell(done=sum(kept), **self._counts())
        self._send(Cue(self._room.clock.now(), SEGMENT_STOP, ""))

    def _hold(self) -> None:
        """A break, where the operator wants one."""
        if not self._board.held or self._outside is not None:
            return
        self._presenter.say(self._texts("break"))
        while self._board.held:
            self._pass()
        self._due_s = max(self._due_s, self._room.clock.now() + READY_S)

    def _counts(self) -> dict[str, Any]:
        """Trials that count, of each class, and those that do not."""
        kept = {c: sum(a.kept for a in self._attempts if a.class_ == c) for c in self._protocol.classes}
        return {"kept": kept, "rejected": sum(not a.kept for a in self._attempts)}

    def _trial(self, class_: str) -> bool:
        """One trial; whether it can be used."""
        begin_s = self._due_s
        *cues, end = self._protocol.trial(class_)
        cue_s = self._play(cues)
        self._wait(begin_s + end.time_s)
        return self._over(class_, begin_s, cue_s, begin_s + end.time_s)

    def _outside_trial(self, outside: Outside) -> bool:
        """One trial of somebody else's program, told on our streams in our codes; whether it can be used."""
        while (cue := outside.cue()) is None:
            self._pass()
        class_, cue_s = cue
        code = self._protocol.class_codes[class_]
        for marker in (TRIAL_START, code):
            self._room.mark(str(marker), cue_s)
        end_s = cue_s + self.config.trial.stop_s
        self._wait(end_s)
        return self._over(class_, cue_s, cue_s, end_s)

    def _over(self, class_: str, begin_s: float, cue_s: float, end_s: float) -> bool:
        """Look at the trial that has just ended, and say so; whether it can be used."""
        fault = self._fault(cue_s + self.config.trial.stop_s)
        if fault:
            self._send(Cue(end_s, REJECTED, "rejected"))
        self._send(Cue(end_s, TRIAL_END, "trial_end"))
        if fault:
            self._presenter.say(f"{self._texts('rejected')} {fault}")
        self._attempts.append(Attempt(class_, begin_s, end_s, not fault))
        self._room.note(wire.line("trial", number=len(self._attempts), **{"class": class_}, kept=not fault, why=fault))
        self._due_s = max(end_s + self._pause(), self._room.clock.now() - STEP_S)
        return not fault

    def _fault(self, stop_s: float) -> str:
        """What is wrong with the trial whose window ends at a time, "" for nothing.

        Raises
        ------
        StreamLost
            If its signal does not come.
        """
        give_up_s = self._room.clock.now() + LATE_S
        while (fault := self._watch.fault_at(stop_s)) is None:
            if self._room.clock.now() > give_up_s:
                raise StreamLost(
                    f"stream {self._room.signal.info.name!r}: nothing has come for {LATE_S:g} s. What was recorded is safe: "
                    "start the amplifier again, then go on with bci calibrate --resume"
                )
            self._pass()
        return fault

    def _enough(self, look: int) -> bool:
        """Judge what there is; whether to end here.

        Raises
        ------
        TrainingError
            If there is nothing to judge.
        """
        last = look == self._protocol.most_blocks
        recordings = self._recordings()
        if not recordings:
            counts = Counter(a.class_ for a in self._attempts)
            raise TrainingError(
                f"every trial was rejected ({', '.join(f'{c}: {n}' for c, n in counts.items())}): see to the electrodes, let the "
                "person sit still, then go on with bci calibrate --resume"
            )
        self._board.tell(phase="judging", recordings=list(map(str, recordings)))
        self._presenter.say(self._texts("break"))
        self._room.written()
        self._judge.begin(recordings, look, self.config)
        while (verdict := self._judge.verdict()) is None:
            self._pass()
        self._verdict = verdict
        self._room.note(wire.line("verdict", word=verdict.word, line=verdict.line(), trials=len(self._attempts)))
        for advice in verdict.advice:
            if advice not in verdict.line():
                self._presenter.say(advice)
        self._board.tell(phase="break", look=look, verdict=verdict.word, line=verdict.line())
        end = last or verdict.word != GOES_ON
        choices = {"s": "stop here", "g": "go on"} if end else {"g": "go on", "s": "stop here"}
        if last:
            choices.pop("g")
        answer = self._presenter.ask(verdict.line(), choices, self._pass)
        if (answer == "s") != end:
            self._overruled = True
            self._room.note(wire.line("overruled", answer="stop" if answer == "s" else "go on"))
        if answer == "g" and self._outside is None:
            self._wait(self._attempts[-1].end_s + self._protocol.break_s)
            self._ready()
        return answer == "s"

    def _end(self) -> None:
        """The last markers."""
        self._board.tell(phase="fitting")
        for code in (SESSION_END, EXPERIMENT_STOP):
            self._send(Cue(self._room.clock.now(), code, ""))
        self._wait(self._room.clock.now() + 2 * STEP_S)
        self._presenter.say(self._texts("finished"))

    def _play(self, cues: Sequence[Cue], before: str = "") -> float:
        """Show cues, with times from now on due; class cues with a word before their marker. When a class was seen."""
        seen_s = self._due_s
        for cue in cues:
            self._wait(self._due_s + cue.time_s)
            shown_s = self._send(replace(cue, time_s=self._due_s + cue.time_s), before if cue.class_ else "")
            seen_s = shown_s if cue.class_ else seen_s
        return seen_s

    def _send(self, cue: Cue, before: str = "") -> float:
        """Show a cue, then send its marker, with the time at which it was seen, or else at which it was due."""
        shown_s = self._presenter.show(cue, self._texts(cue.name) if cue.name else "")
        time_s = cue.time_s if shown_s is None else shown_s
        self._room.mark(f"{before}{cue.name if before else cue.marker}", time_s)
        return time_s

    def _wait(self, until_s: float) -> None:
        """Let time pass, and take in the signal."""
        while (now := self._room.clock.now()) < until_s:
            self._check()
            self._watch.pull(min(STEP_S, until_s - now))
        # What has come in the meantime is taken in too, so that a trial is judged with all that there is.
        while self._watch.pull(0.0):
            pass

    def _pass(self) -> None:
        """Let a moment pass."""
        self._check()
        self._watch.pull(STEP_S)

    def _check(self) -> None:
        """Let time be seen to pass, and put on record what somebody wants there."""
        self._room.check()
        for text in self._board.look():
            self._room.note(wire.line("note", text=text))
