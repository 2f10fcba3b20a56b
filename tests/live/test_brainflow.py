"""BrainFlow's synthetic and playback boards as sources."""

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("brainflow", reason="the optional extra brainflow is not installed (pip install 'bci[brainflow]')")

from bci.contracts.source import read_for, source_breaches
from bci.errors import ConfigError, StreamError, StreamLost, StreamNotFound
from bci.stream.clock import LslClock
from devices.brainflow_board import BrainFlowSource

pytestmark = pytest.mark.live


def opened(**options: object) -> BrainFlowSource:
    return BrainFlowSource.from_settings(options, LslClock())


def play_to_the_end(source: BrainFlowSource, got: list[np.ndarray]) -> None:
    """Collect data until the source ends."""
    while True:
        chunk = source.read(0.2)
        if chunk is not None:
            got.append(chunk.data)


def test_the_synthetic_board_keeps_the_contract() -> None:
    assert source_breaches(opened, seconds=1.0) == []


def test_the_synthetic_board_has_names_places_and_stamps_on_our_clock() -> None:
    source = opened(board="synthetic")
    chunks = read_for(source, 1.0)
    age_s = LslClock().now() - chunks[-1].stamps[-1]
    source.close()
    assert source.info.labels[:3] == ("Fz", "C3", "Cz")
    assert source.info.rate_hz == 250.0
    assert source.info.channels[1].position is not None
    assert not source.info.sample_clock
    assert 0 <= age_s < 0.2


def test_labels_of_ones_own_replace_brainflows() -> None:
    labels = tuple(f"X{i}" for i in range(16))
    source = opened(channels=",".join(labels), name="mine")
    source.close()
    assert source.info.labels == labels
    assert source.info.name == "mine"


@pytest.mark.alone
def test_a_recording_plays_back_what_was_measured_and_keeps_the_contract_and_its_end_is_told(tmp_path: Path) -> None:
    from brainflow.board_shim import BoardShim, BrainFlowInputParams
    from brainflow.data_filter import DataFilter

    from devices import brainflow_board

    brainflow_board._board_shim()
    board = BoardShim(-1, BrainFlowInputParams())
    board.prepare_session()
    board.start_stream()
    time.sleep(1.0)
    rows = board.get_board_data()
    board.stop_stream()
    board.release_session()
    import brainflow.data_filter as data_filter

    data_filter.files = brainflow_board._files
    DataFilter.write_file(rows, str(tmp_path / "recorded.csv"), "w")
    played = {"board": "playback_file", "master_board": "synthetic", "file": str(tmp_path / "recorded.csv"), "silence_s": 1.0}
    assert source_breaches(lambda: opened(**played), seconds=0.5) == []
    source = opened(**played)
    got: list[np.ndarray] = []
    with pytest.raises(StreamLost, match="sent nothing for 1 s"):
        play_to_the_end(source, got)
    source.close()
    data = np.concatenate(got)
    assert len(data) > 0.9 * rows.shape[1]
    np.testing.assert_allclose(data, rows[1:17, : len(data)].T, atol=1e-5)


def test_a_board_that_is_not_there_is_told() -> None:
    with pytest.raises(StreamNotFound, match="cannot be opened"):
        opened(board="cyton", serial_port="no-such-port")


def test_wrong_settings_are_told() -> None:
    with pytest.raises(ConfigError, match="BrainFlow knows"):
        opened(board="cytn")
    with pytest.raises(ConfigError, match="16 EEG channels"):
        opened(channels="A,B")
    with pytest.raises(ConfigError, match="no such setting"):
        opened(rate_hz=100.0)


def test_a_closed_source_is_not_read() -> None:
    source = opened()
    source.close()
    source.close()
    with pytest.raises(StreamError, match="closed"):
        source.read(0.0)
