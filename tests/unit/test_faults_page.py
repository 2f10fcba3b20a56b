"""The pages of faults and hazards: every fault that must be covered, a control for every hazard, no test that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE, HAZARDS = ROOT / "docs" / "reference" / "faults.md", ROOT / "docs" / "reference" / "hazards.md"
COVERED = [*range(1, 184)]
TEXTS = [page.read_text(encoding="utf-8") for page in (PAGE, HAZARDS)]
NAMED = sorted({name for text in TEXTS for name in re.findall(r"`([\w/]+\.py)::(\w+)`", text)})


def test_every_fault_of_the_list_has_a_row_with_tests() -> None:
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == COVERED
    assert all("::test_" in row for _, row in rows)


def test_every_hazard_says_what_is_left_or_names_a_test_and_its_control_is_there() -> None:
    rows = re.findall(r"^\| (\d\.\d+) \|(.*)\|$", TEXTS[1], re.MULTILINE)
    assert [number.partition(".")[0] for number, _ in rows] == sorted(number.partition(".")[0] for number, _ in rows)
    for number, row in rows:
        _, control, tests, left = (cell.strip() for cell in row.split("|"))
        assert "::test_" in tests or left, number
        places = re.findall(r"`((?:bci|devices)/[\w/]+(?:\.py|/))`", control)
        assert [place for place in places if not (ROOT / place).exists()] == [], number


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)
