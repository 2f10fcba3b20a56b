"""On real people's EEG the live, causal path is as good as the same pipeline offline, and LSL changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from benchmarks.results.live import model_of, trained
from benchmarks.results.real_time import RealTime, in_real_time
from benchmarks.results.recordings import Person, people
from benchmarks.results.table import line

PLAYED_S = 60.0
LATER = ("physionet S001", "ds003810 S04", "labrecorder day 2")


def person(name: str, data: Path) -> Person:
    return next(p for p in people("ts-lr", data) if p.name == name)


@pytest.mark.parametrize(
    "name", [pytest.param(LATER[0], marks=pytest.mark.slow), pytest.param(LATER[1], marks=pytest.mark.slow), LATER[2]]
)
def test_a_later_run_decoded_live_is_within_3_points_or_2_trials_of_the_same_offline(name: str, shared_data: Path) -> None:
    found = line(person(name, shared_data))
    assert found.within, (found.live.correct, found.offline, found.n)
    assert found.live.decoded >= 0.95 * found.n
    assert found.live.correct >= 0.8 * found.n


@pytest.mark.slow
def test_a_lossy_training_run_does_no_harm_where_time_is_judged_by_continuity(shared_data: Path) -> None:
    found = line(person("labrecorder day 1 with its lossy run → day 2", shared_data))
    assert found.usual <= 60
    assert found.live.correct >= 70


@pytest.mark.live
@pytest.mark.slow
def test_runs_played_through_lsl_in_real_time_are_decoded_bit_for_bit_as_in_virtual_time(
    tmp_path: Path, shared_data: Path
) -> None:
    with ThreadPoolExecutor(len(LATER)) as pool:
        jobs = []
        for name in LATER:
            who = person(name, shared_data)
            place = tmp_path / who.data_set
            place.mkdir()
            model = model_of(trained(who), who.config, place)
            jobs.append(pool.submit(in_real_time, who.data_set, who.test[0], model, who.config, place, PLAYED_S))
        found: list[RealTime] = [job.result() for job in jobs]
    for run in found:
        assert run.verified
        assert run.windows > 20 * PLAYED_S
        assert run.skipped < 0.02 * run.windows
        assert run.identical == run.windows - run.skipped
        assert len(run.truth) >= 2
        assert run.skipped or run.live == run.virtual
