"""What the mutation check plants faults into exists, and so do the places that it leaves out."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "mutation"))

from equivalent import EQUIVALENT  # noqa: E402
from plant import faults  # noqa: E402
from targets import TARGETS  # noqa: E402


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_files_with_places_for_faults_and_tests_that_are_there(name: str) -> None:
    target = TARGETS[name]
    assert [file for file in target.files if not faults(ROOT, file)] == []
    assert [test for test in target.tests if not (ROOT / test).is_file()] == []


@pytest.mark.parametrize("key", EQUIVALENT)
def test_every_fault_that_is_left_out_is_one_that_could_be_planted(key: tuple[str, str, str, str]) -> None:
    assert key in {fault.key() for fault in faults(ROOT, key[0])}
