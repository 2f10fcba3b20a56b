"""The benchmark of docs/guides/adaptation.md, made small.

Following a drift keeps the accuracy, and a hostile session is bounded.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

pytestmark = pytest.mark.slow

REACHES = {"recentring": (0.7, 0.0), "known cues": (0.0, 1.0), "both": (0.7, 1.0)}


def test_a_session_whose_gains_drift_keeps_with_adaptation_what_it_loses_without() -> None:
    from adaptation.sessions import decoded, session

    accuracy: dict[str, list[float]] = {"steady": [], "none": [], "both": []}
    for seed in range(4):
        accuracy["steady"].append(decoded(*session(seed, 0.6, "none"), "none", ["none"])["none"].accuracy)
        found = decoded(*session(seed, 0.6, "gains"), "gains", ["none", "both"])
        for way in found:
            accuracy[way].append(found[way].accuracy)
    mean = {name: float(np.mean(values)) for name, values in accuracy.items()}
    assert mean["none"] < mean["steady"] - 0.02
    assert mean["both"] > mean["none"]
    assert mean["both"] > mean["steady"] - 0.03


@pytest.mark.parametrize("drift", ["one class only", "artefacts", "wrong cues"])
def test_a_hostile_session_moves_nothing_beyond_its_reach(drift: str) -> None:
    from adaptation.sessions import decoded, session

    found = decoded(*session(1, 0.6, drift), drift, list(REACHES))
    for way, (recentred, bias) in REACHES.items():
        assert found[way].finite
        assert found[way].recentred <= recentred + 1e-9
        assert found[way].bias <= bias + 1e-9
    if drift == "one class only":
        assert found["known cues"].bias == 0.0
