"""System calls of recorder and actuators that fail (the whole campaign: ``tests/campaigns/system_calls.py``)."""

import sys

import pytest
from failing_calls import cases, run, wrong

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="calls are made to fail by the means of Linux")


def test_a_system_call_that_fails_loses_nothing_in_silence(tmp_path):
    """Short writes, EIO, ENOSPC, EINTR, EMFILE and slow syncs: the recording is whole, or an error and valid up to there."""
    found = run(cases()[::4], tmp_path)
    assert len(found) > 80
    assert [(one["case"], why) for one in found if (why := wrong(one))] == []
    assert sum(bool(one.get("error")) for one in found) > 15
