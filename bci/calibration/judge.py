"""The judge of a calibration: in this process on a virtual clock, in a process of its own while a person waits."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bci.calibration.interfaces import BlockVerdict
from bci.calibration.progress_stream import ProgressStream
from bci.errors import TrainingError
from bci.judging.candidates import grid_for
from bci.judging.judge import judge
from bci.judging.judgement import Judgement
from bci.judging.settings import JudgeSettings
from bci.paradigm.protocol import CalibrationProtocol
from bci.processes.child import Child, ChildError
from bci.safe_io.json_values import from_json
from bci.settings import SessionConfig
from bci.training.labelled import open_labelled

NICE = 15


def judge_settings(protocol: CalibrationProtocol) -> JudgeSettings:
    """Settings of the judge for a protocol, whose looks share the allowed error.

    Parameters
    ----------
    protocol : CalibrationProtocol

    Returns
    -------
    JudgeSettings
    """
    return JudgeSettings(looks=protocol.most_blocks, trials_per_class=max(4, protocol.most_blocks * protocol.per_class))


class InProcessJudge:
    """Judges at once, in this thread.

    Parameters
    ----------
    settings : JudgeSettings

    """

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._found: Judgement | None = None

    @property
    def judgement(self) -> Judgement:
        """The last one."""
        return _there(self._found)

    def begin(self, recordings: Sequence[Path], look: int, config: SessionConfig) -> None:
        """See :class:`~bci.calibration.interfaces.Judge`."""
        runs = [open_labelled(path, config) for path in recordings]
        self._found = judge(runs, config, look=look, settings=self._settings, grid=grid_for(config))

    def verdict(self) -> BlockVerdict | None:
        """See :class:`~bci.calibration.interfaces.Judge`."""
        return None if self._found is None else self._found.verdict


class BackgroundJudge:
    """Judges in a process of its own that gives way to everything else. A context manager.

    Parameters
    ----------
    settings : JudgeSettings

    """

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._logs = Path(tempfile.mkdtemp(prefix="bci-"))
        self._child: Child | None = None
        self._found: Judgement | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        shutil.rmtree(self._logs, ignore_errors=True)

    @property
    def judgement(self) -> Judgement:
        """The last one."""
        return _there(self._found)

    def begin(self, recordings: Sequence[Path], look: int, config: SessionConfig) -> None:
        """See :class:`~bci.calibration.interfaces.Judge`."""
        self._stop()
        self._found = None
        looks = ["--look", str(look), "--looks", str(self._settings.looks)]
        most = ["--trials-per-class", str(self._settings.trials_per_class)]
        grid = ["--grid", grid_for(config)]
        words = ["judge", *map(str, recordings), "--json", *looks, *most, *grid, *setting_words(config)]
        self._child = Child("judge", words, self._logs / "judge.log")
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, self._child.pid, NICE)

    def verdict(self) -> BlockVerdict | None:
        """See :class:`~bci.calibration.interfaces.Judge`.

        Raises
        ------
        ChildError
            If the judge ended without a word.
        """
        child = self._child
        if self._found is None and child is not None:
            found = child.message(0.0)
            if found is not None and "error" in found:
                raise ChildError("judge: " + "\n".join(map(str, found["problems"])), int(found["exit_code"]))
            if found is not None:
                found.pop("line", None)
                self._found = from_json(Judgement, found, "judge")
            elif not child.alive:
                raise ChildError(child.obituary())
        return None if self._found is None else self._found.verdict

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()


class PublishingJudge:
    """A judge whose every judgement is told to the windows.

    Parameters
    ----------
    inner : InProcessJudge or BackgroundJudge
    progress : ProgressStream
    """

    def __init__(self, inner: InProcessJudge | BackgroundJudge, progress: ProgressStream) -> None:
        self._inner, self._progress = inner, progress

    def begin(self, recordings: Sequence[Path], look: int, config: SessionConfig) -> None:
        """See :class:`~bci.calibration.interfaces.Judge`."""
        self._inner.begin(recordings, look, config)

    def verdict(self) -> BlockVerdict | None:
        """See :class:`~bci.calibration.interfaces.Judge`."""
        found = self._inner.verdict()
        if found is not None:
            self._progress.tell(judgement=json.loads(self._inner.judgement.to_json()))
        return found


def _there(found: Judgement | None) -> Judgement:
    """A judgement.

    Raises
    ------
    TrainingError
        If there is none yet.
    """
    if found is None:
        raise TrainingError("nothing has been judged yet; a calibration judges after each block")
    return found


def setting_words(config: SessionConfig) -> list[str]:
    """Command-line words that give another process this configuration.

    Parameters
    ----------
    config : SessionConfig

    Returns
    -------
    list of str
    """
    tree = json.loads(config.model_dump_json(exclude_defaults=True))
    return [word for key, value in _leaves(tree) for word in ("--set", f"{key}={value}")]


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and their values as text."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
