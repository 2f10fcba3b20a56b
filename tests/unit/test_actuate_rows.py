"""What is read of one row of a decisions stream, and which rows make no sense."""

from __future__ import annotations

import math

import numpy as np
import pytest
from guard_parts import CLASSES

from bci.actuation.feed import row_event
from bci.engine import guard as g
from bci.engine.guard import Cause
from bci.engine.outcome import Reason


@pytest.mark.parametrize(
    "row",
    [
        (5.5, 0, 0.9, 0, 9e9, 0, 0),
        (5, 0.4, 0.9, 0, 9e9, 0, 0),
        (5, 0, 0.9, 0, 9e9, 0.7, 0),
        (5, 0, 0.9, 0, 9e9, 0, 0.5),
        (5, 0, 0.9, 0, 9e9, 0, 2),
        (5, 0, 0.9, 0, 9e9, 0, math.nan),
        (5, math.nan, 0.9, 0, 9e9, 0, 0),
        (5, 0, -0.1, 0, 9e9, 0, 0),
        (5, 0, 1.1, 0, 9e9, 0, 0),
        (5, 2, 0.9, 0, 9e9, 0, 0),
        (),
        ("5", "left", "", "", "", "", ""),
    ],
)
def test_a_row_with_a_value_that_its_column_cannot_have_is_a_fault(row):
    found = row_event(list(row), 1000.0, 0.0, len(CLASSES))
    assert isinstance(found, g.LastingFault)
    assert found.cause is Cause.MISMATCH
    assert len(found.why) < 400


@pytest.mark.parametrize(("confidence", "right"), [(1 + 1e-9, True), (1 + 1.5e-9, False)])
def test_a_confidence_is_at_most_1_but_for_the_last_digits_of_a_sum(confidence, right):
    found = row_event([5, 0, confidence, 0, 9e9, 0, 0], 1000.0, 0.0, len(CLASSES))
    assert isinstance(found, g.DecisionRow if right else g.LastingFault)


def test_a_row_is_read_by_its_first_seven_columns_and_whatever_follows():
    found = row_event(np.array([5, 1, 0.5, 0, 1000.25, 0, 1, 77.0, 88.0]), 1000.0, 0.0, len(CLASSES))
    assert found == g.DecisionRow(5, 1, 0.5, 1000.25, Reason.DECIDED, True, 1000.0)
