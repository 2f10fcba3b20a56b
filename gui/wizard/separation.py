"""The differences between classes so far, computed in the background as for the report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bci.calibration.findings import explored
from bci.explore.exploration import Exploration
from bci.progress import Progress
from bci.settings import SessionConfig
from bci.training.labelled import labelled, open_with


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """The result of an analysis.

    Parameters
    ----------
    exploration : Exploration or None
    why : str
        Why there is none.
    """

    exploration: Exploration | None
    why: str


class SeparationJobs:
    """The jobs of the background process."""

    def look(self, recordings: list[str], config: dict[str, Any], told: Progress) -> Separation:
        """Analyse the recorded trials; the last recording may still be growing.

        Parameters
        ----------
        recordings : list of str
        config : mapping of str to Any
        told : callable
            Takes a description, and the share that is done.
        """
        told("reading", 0.0)
        chosen = SessionConfig.model_validate_json(json.dumps(config))
        runs = [labelled(open_with(Path(path), chosen), chosen) for path in recordings]
        missing: dict[str, str] = {}
        found = explored(runs, chosen, missing)
        return Separation(found, missing.get("features", ""))
