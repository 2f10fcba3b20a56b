"""A row of the decisions stream has a name for each column, and stays the bytes that it was."""

from __future__ import annotations

import numpy as np
import pytest

from bci.engine.outcome import Reason
from bci.stream.sent_decision import SentDecision

SENT = SentDecision(7.0, 1.0, 0.75, 1000.5, 1000.8, Reason.DECIDED)


def test_the_row_holds_seven_float64_in_the_documented_order() -> None:
    assert SENT._fields == ("sequence", "decision", "confidence", "stamp", "expiry", "reason", "heartbeat")
    assert SENT.row().tobytes() == np.array([7.0, 1.0, 0.75, 1000.5, 1000.8, 0.0, 0.0]).tobytes()


def test_a_row_with_a_signature_behind_it_reads_as_the_same_decision() -> None:
    assert SentDecision.of(np.append(SENT.row(), [12.0, 34.0])) == SENT


def test_a_row_of_texts_is_read_and_one_that_is_too_short_or_no_numbers_is_refused() -> None:
    assert SentDecision.of([str(x) for x in SENT.row()]) == SENT
    with pytest.raises(ValueError, match="7 columns, this row 6"):
        SentDecision.of(SENT.row()[:6])
    with pytest.raises(ValueError, match="could not convert"):
        SentDecision.of(["x"] * 7)
