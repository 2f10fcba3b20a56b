"""An evaluation of decoders on many recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bci.api.configuration import configure, with_classes
from bci.evaluation.background_jobs import workers
from bci.evaluation.evaluate import Evaluated
from bci.evaluation.evaluate import evaluate as evaluate_origins
from bci.evaluation.plan import Choices
from bci.evaluation.sources import find_sources
from bci.settings import SessionConfig


def evaluate(
    recordings: Path | str | Sequence[Path | str],
    out: Path | str,
    config: SessionConfig | None = None,
    *,
    classes: Mapping[str, str] | None = None,
    protocols: Sequence[str] = ("within",),
    decoders: Sequence[str] = (),
    pattern: str = "",
    jobs: int = 1,
    **choices: Any,
) -> Evaluated:
    """Evaluate decoders on recordings of many people and sessions, and compare them trial by trial.

    What was computed before and is kept in ``out`` is not computed again.

    Parameters
    ----------
    recordings : Path or str, or a sequence of them
        Files, folders of files, or BIDS folders.
    out : Path or str
        Folder for ``table.csv``, ``table.md`` and the finished results.
    config : SessionConfig, optional
        From :func:`bci.configure`; the defaults where it is not given.
    classes : mapping of str to str, optional
        Class of each marker; wins over the table of ``config``.
    protocols : sequence of str
        What is trained on, and what is tested on: ``"within"`` and the others of ``bci evaluate --help``.
    decoders : sequence of str
        Names; the configured one where none is given. The first is what the others are compared with, unless ``baseline`` names
        another one.
    pattern : str
        How file names say who and when, for instance ``"{subject}_S{session}R{run}"``; BIDS entities where it is empty.
    jobs : int
        Processes; -1 for one on each core.
    **choices : object
        ``head_start``, ``trials_per_class``, ``draws``, ``folds``, ``seed``, ``seeds``, ``task_s`` and ``baseline``, as
        :class:`bci.evaluation.plan.Choices` has them.

    Returns
    -------
    Evaluated
        ``rows`` has one result for each person, session and decoder; ``to_frame()`` is the same as a table.

    Raises
    ------
    bci.errors.ConfigError
        If a name or number is not one of those that are allowed.
    bci.errors.TrainingError
        If no recording holds a cue, or there is nothing to compute.
    """
    used = with_classes(config or configure(), classes)
    given = [recordings] if isinstance(recordings, Path | str) else recordings
    chosen = tuple(decoders) or (used.decoder.name,)
    wanted = Choices(protocols=tuple(protocols), decoders=chosen, **{"baseline": chosen[0], **choices})
    with workers(jobs) as run:
        return evaluate_origins(find_sources([Path(one) for one in given], pattern), used, wanted, Path(out), run)
