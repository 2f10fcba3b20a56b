"""The verdict of a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bci.api.recordings import Recording, same_settings
from bci.judging.judge import judge as judge_runs
from bci.judging.judgement import Judgement
from bci.judging.settings import JudgeSettings
from bci.settings import SessionConfig


def judge(
    recordings: Recording | Sequence[Recording],
    config: SessionConfig | None = None,
    *,
    trials_per_class: int | None = None,
    seed: int = 0,
    grid: str = "live",
    jobs: int = 1,
) -> Judgement:
    """Compare candidate decoders, and judge with nested cross-validation and null tests whether one of them works.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        Of one person, in order.
    config : SessionConfig, optional
        The settings of the first recording where it is not given.
    trials_per_class : int, optional
        How many are planned in all, for the forecast.
    seed : int
        Of the permutations.
    grid : str
        Candidates: ``"live"``, ``"full"``, ``"configured"`` for the configured decoder alone, or a TOML file.
    jobs : int
        Processes; -1 for as many as there are cores.

    Returns
    -------
    Judgement
        ``verdict.word`` is ``"works"``, ``"more"`` or ``"unlikely"``.

    Raises
    ------
    bci.errors.TrainingError
        If there are too few trials to judge.
    """
    found, own = same_settings(recordings if isinstance(recordings, Recording) else list(recordings))
    settings = JudgeSettings() if trials_per_class is None else replace(JudgeSettings(), trials_per_class=trials_per_class)
    runs = [one.labelled() for one in found]
    return judge_runs(runs, config or own, seed=seed, settings=settings, grid=grid, jobs=jobs)
