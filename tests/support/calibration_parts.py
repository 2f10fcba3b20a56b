"""A calibration of a simulated subject on a virtual clock, with a judge that only counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bci.calibration.history import CalibrationHistory, read_history
from bci.calibration.interfaces import Calibrated, CalibrationSettings
from bci.calibration.run import Calibration
from bci.calibration.virtual import VirtualEnvironment
from bci.commands.calibrate import with_cues
from bci.config import load_config
from bci.judging.verdict import Verdict
from bci.paradigm.present import Silent
from bci.paradigm.protocol import Baseline, CalibrationProtocol
from bci.paradigm.texts import Texts
from bci.paradigm.timeline import Cue
from bci.paradigm.trial_times import Paradigm
from bci.settings import SessionConfig
from bci.stream.clock import VirtualClock
from devices.simulated import SimulatedSettings, SimulatedSubject
from devices.simulated_settings import Artefact

HANDS = ("left_hand", "right_hand")
SEED = 3


def quick(**changes: object) -> CalibrationProtocol:
    """Ten trials of 3.5 s, with a baseline and two practice trials."""
    fields = {
        "name": "quick",
        "title": "quick",
        "classes": HANDS,
        "paradigm": Paradigm(0.5, None, 3.5, (0.2, 0.6)),
        "per_class": 5,
        "most_blocks": 2,
        "practice": 1,
        "break_s": 2.0,
        "baselines": (Baseline("eyes_closed", 3.0),),
    }
    return CalibrationProtocol(**{**fields, **changes})  # type: ignore[arg-type]


class CountingJudge:
    """Says "works" once there are so many trials that count.

    Attributes
    ----------
    looks : list of (int, int)
        Number of each look, and trials that counted by then.
    """

    def __init__(self, enough: int, word: str = "works") -> None:
        self._enough, self._word = enough, word
        self.looks: list[tuple[int, int]] = []

    def begin(self, recordings: Sequence[Path], look: int, config: SessionConfig) -> None:
        self.looks.append((look, sum(a.kept for a in read_history(recordings).attempts)))

    def verdict(self) -> Verdict:
        n = self.looks[-1][1]
        word = self._word if n >= self._enough else "more"
        return Verdict(word, 0.8, 0.7, 0.9, 0.5, 0.001, 0.002, max(0, self._enough - n), 0.9, "stand-in", ())


class Operator(Silent):
    """Answers as told, the first choice otherwise, and keeps what was shown.

    Parameters
    ----------
    answers : mapping of str to str
        From a part of the question to the answer.
    """

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        self.said: list[str] = []
        self.shown: list[tuple[str, str]] = []
        super().__init__(self.said.append)
        self._answers = answers or {}

    def show(self, cue: Cue, text: str) -> None:
        self.shown.append((cue.name, text))

    def ask(self, text: str, choices: Mapping[str, str], passing: Callable[[], None]) -> str:
        passing()
        first = super().ask(text, choices, passing)
        return next((answer for part, answer in self._answers.items() if part in text and answer in choices), first)


def config_for(protocol: CalibrationProtocol, **settings: str) -> SessionConfig:
    """The default configuration with a protocol's cues."""
    return with_cues(load_config(None, settings), protocol)


def subject(artefacts: Sequence[Artefact] = (), **settings: object) -> Callable[[VirtualClock], SimulatedSubject]:
    """What builds a simulated subject on a clock."""
    fields = {"seed": SEED, "skill": 0.9, "channels": 8, "artefacts": tuple(artefacts), **settings}
    return lambda clock: SimulatedSubject(SimulatedSettings(**fields), clock)  # type: ignore[arg-type]


def calibrate(
    path: Path,
    protocol: CalibrationProtocol | None = None,
    make: Callable[[VirtualClock], SimulatedSubject] | None = None,
    judge: CountingJudge | None = None,
    operator: Operator | None = None,
    history: CalibrationHistory | None = None,
    force: bool = False,
    language: str = "en",
    more: bool = False,
) -> Calibrated:
    """Run one from beginning to end, or from where a recording of it ends."""
    protocol = protocol or quick()
    with VirtualEnvironment(make or subject(), protocol, path, history) as environment:
        settings = CalibrationSettings(protocol, SEED, force, more)
        parts = (environment, operator or Operator(), Texts(language), judge or CountingJudge(10))
        return Calibration(*parts, config_for(protocol), settings, history).run()
