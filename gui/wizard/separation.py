"""What tells the classes apart so far: looked at in the background, by the steps that the report takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bci.session.calibration.findings import explored
from bci.session.explore.exploration import Exploration
from bci.session.progress import Progress
from bci.session.training import labelled, open_with
from bci.settings import SessionConfig


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was found.

    Parameters
    ----------
    exploration : Exploration or None
    why : str
        Why there is none.
    """

    exploration: Exploration | None
    why: str


class Looker:
    """The background's work."""

    def look(self, recordings: list[str], config: dict[str, Any], told: Progress) -> Seen:
        """Explore the trials that there are; the last recording may still be growing."""
        told("reading", 0.0)
        chosen = SessionConfig.model_validate_json(json.dumps(config))
        runs = [labelled(open_with(Path(path), chosen), chosen) for path in recordings]
        missing: dict[str, str] = {}
        found = explored(runs, chosen, missing)
        return Seen(found, missing.get("features", ""))
