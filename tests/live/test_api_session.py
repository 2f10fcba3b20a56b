"""A live session from Python: started, listened to, stopped, and run again bit for bit."""

from __future__ import annotations

import time
import uuid
import warnings
from pathlib import Path

import numpy as np
import pytest

import bci
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamNotFound
from bci.stream.lsl import LslOutlet, LslTextOutlet, local_clock

pytestmark = pytest.mark.live


def test_a_session_is_run_listened_to_and_verified_from_python(tmp_path: Path):
    name = f"api{uuid.uuid4().hex[:8]}"
    recording = bci.simulate(tmp_path / "calibration.xdf", trials_per_class=8, seed=2, channels=8)
    bci.fit(recording, "ts-lr").save(tmp_path / "model.safetensors")
    heard: list[str] = []
    with bci.run(
        tmp_path / "model.safetensors",
        simulate=True,
        tell=heard.append,
        engine={"name": name},
        record={"out": str(tmp_path), "subject": "P001"},
    ) as session:
        with session.decisions() as own, bci.listen(name) as found:
            assert own.classes == found.classes == ("left_hand", "right_hand")
            first = next(iter(found))
            assert first.class_ in ("", *found.classes)
            assert first.reason not in ("", "unknown")
        assert session.wait(2.0)
    assert session.failures == [], heard
    assert bci.verify(session.recording).ok
    session.stop()  # a second time


def test_code_for_mne_realtime_gets_live_epochs_at_their_cues():
    name = f"mne{uuid.uuid4().hex[:8]}"
    info = StreamInfo(250.0, (Channel("C3", "EEG", "uV"), Channel("C4", "EEG", "uV")), source_id=name, name=name)
    outlet, cues = LslOutlet(info), LslTextOutlet(f"{name}-cues", "Markers", f"{name}-cues")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own announcement that it is discontinued
        from mne_realtime import RtEpochs
    try:
        with bci.MneClient(name, f"{name}-cues", {"769": 1, "770": 2}) as client:
            epochs = RtEpochs(client, {"left": 1, "right": 2}, 0.0, 0.2, baseline=None, verbose="ERROR")
            epochs.start()
            began = local_clock()
            for k in range(150):  # 3 s of 5 samples every 20 ms; the first channel counts samples
                at = np.arange(5 * k, 5 * k + 5)
                outlet.push_chunk(np.column_stack([at, -at]).astype(float), began + at / 250.0)
                if k in (50, 100):
                    cues.push("769" if k == 50 else "770", began + 5 * k / 250.0)
                time.sleep(max(0.0, began + 5 * (k + 1) / 250.0 - local_clock()))
            found = np.array([epoch for epoch, _ in zip(epochs, range(2), strict=False)])
            codes = epochs.events[:, 2].tolist()
            epochs.stop()
    finally:
        outlet.close()
        cues.close()
    assert codes == [1, 2]
    np.testing.assert_allclose(found[:, 0, 0] * 1e6, [250, 500])
    np.testing.assert_allclose(np.diff(found[:, 0], axis=1) * 1e6, 1.0)


def test_a_session_that_is_not_there_is_told_in_words():
    with pytest.raises(StreamNotFound, match="nobody-is-here-decisions"):
        bci.listen("nobody-is-here", timeout_s=1.0)
