"""What another model would have decided in a recorded session: the same windows, steered by the same inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.engine.control_inputs import Freeze, MarkChannels, Resume
from bci.engine.outcome import Reason
from bci.model.beside import find_model
from bci.model.file import Model
from bci.replay.recorded_session import RecordedSession, read_session
from bci.replay.replay import Verification, changed, compare, differences, instead, recompute, verify

GOLDEN = Path(__file__).parents[2] / "recordings" / "golden" / "golden.xdf"


@pytest.fixture(scope="module")
def session() -> RecordedSession:
    return read_session(GOLDEN)


@pytest.fixture(scope="module")
def model(session: RecordedSession) -> Model:
    return find_model(GOLDEN, session.model)


def joined_later(session: RecordedSession, n: int) -> RecordedSession:
    """As if the recorder had been there for ``n`` samples before the engine was."""
    raw, rate_hz = session.raw, session.info.rate_hz
    data = np.vstack((raw.data[:n], raw.data))
    stamps = np.concatenate((raw.stamps[0] - np.arange(n, 0, -1) / rate_hz, raw.stamps))
    return replace(session, raw=Chunk(data, stamps))


@pytest.mark.parametrize("n", [0, 3])
def test_the_same_model_decides_the_same_wherever_the_engine_joined(session: RecordedSession, model: Model, n: int) -> None:
    rows = instead(joined_later(session, n), model)
    # Bits belong to a processor (tests/replay/test_golden.py): those of the recording are compared as its replay compares them.
    here = Verification(0)
    assert np.array(rows).tobytes() == np.array(recompute(session, lambda _: model, here)).tobytes()
    assert verify(session, lambda _: model).ok
    assert differences(session.rows, model.header.classes, rows, model.header.classes) == []


def test_a_difference_is_told_with_its_place_in_time(session: RecordedSession, model: Model) -> None:
    rows = [row.copy() for row in instead(session, model)]
    place = next(i for i, row in enumerate(rows) if row[6] == 0)
    rows[place][6] = -1
    (one,) = changed(session.rows, model.header.classes, rows, model.header.classes)
    assert (one.stamp, one.was, one.now) == (session.rows[place][3], model.header.classes[0], "nothing")
    assert str(one).startswith("segment 0 index ")


def test_pauses_apply_and_a_channel_that_the_other_model_does_not_use_is_no_error(session: RecordedSession, model: Model) -> None:
    given = [(2000, MarkChannels(("Fpz",), True)), (2500, Freeze("pause")), (3000, Resume("on"))]
    rows = instead(replace(session, inputs=given), model)
    frozen = [row for row in rows if 2500 < row[2] <= 3000]
    assert frozen
    assert {row[5] for row in frozen} == {Reason.FROZEN}


def test_a_verification_names_the_rows_that_differ_and_tells_how_far_it_is(session: RecordedSession, model: Model) -> None:
    told: list[float] = []
    assert verify(session, lambda _: model, progress=lambda _, share: told.append(share)).places == []
    assert told == sorted(told)
    assert told[-1] == 1.0
    rows = [row.copy() for row in session.rows]
    rows[7][3] += 1.0
    result = Verification(len(rows))
    compare(session, model, rows, result)
    assert result.places == [7]
    assert not result.ok
