"""Clients of mne-realtime as a source: real clients in a real process, a real buffer, and the faults of decision 0005."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import mne
import numpy as np
import psutil
import pytest
from fieldtrip_server import FieldTripServer

from bci.engine.chunk import Chunk
from bci.errors import ConfigError, StreamError, StreamLost, StreamNotFound
from devices.mne_realtime import MneRealtimeSource

LABELS = ("Cz", "EEG without a number", "EOG")
DATA = np.arange(3 * 600, dtype=np.float32).reshape(600, 3)
PATIENCE_S = 30.0

pytestmark = pytest.mark.live


def read(source: MneRealtimeSource, n: int) -> Chunk:
    """So many samples."""
    chunks, end = [], time.monotonic() + PATIENCE_S
    while sum(map(len, chunks)) < n:
        assert time.monotonic() < end
        if (chunk := source.read(0.5)) is not None:
            chunks.append(chunk)
    return Chunk(np.concatenate([c.data for c in chunks]), np.concatenate([c.stamps for c in chunks]))


def loss_of(source: MneRealtimeSource) -> str:
    """Read until the stream is lost; what is said then."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            source.read(0.1)
        except StreamLost as error:
            return str(error)
    return "it was not lost"


def opened(server: FieldTripServer, **options: object) -> MneRealtimeSource:
    return MneRealtimeSource.from_settings({"port": server.port, "buffer": 10, **options})


def test_a_fieldtrip_buffer_comes_through_the_client_with_its_labels_and_resolutions():
    with FieldTripServer() as server:
        server.put_header(3, 250.0, "float32", LABELS, resolutions=(0.5, 1.0, 2.0))
        server.put_data(DATA[:1])
        source = opened(server)
        try:
            assert source.info.labels == LABELS
            assert source.info.rate_hz == 250.0
            server.put_data(DATA[1:200])
            got = read(source, 190)
        finally:
            source.close()
    np.testing.assert_array_equal(got.data, DATA[: len(got)] * [0.5, 1.0, 2.0])
    np.testing.assert_allclose(np.diff(got.stamps) * 250, 1.0, atol=1e-3)


def test_a_server_that_goes_is_a_lost_stream_and_nothing_is_left_behind():
    with FieldTripServer() as server:
        server.put_header(3, 250.0, "float32", LABELS)
        server.put_data(DATA[:1])
        source = opened(server, silence_s=1.0)
        server.put_data(DATA[1:50])
        read(source, 40)
        child = psutil.Process(source._process.pid)
    lost = loss_of(source)
    assert "nothing for 1 s" in lost or "ConnectionResetError" in lost  # the system may tell the client that the server has gone
    source.close()
    source.close()
    assert not child.is_running()
    with pytest.raises(StreamError, match="closed"):
        source.read(0.0)


def test_samples_that_left_the_ring_are_counted():
    with FieldTripServer(ring=100) as server:
        server.put_header(3, 250.0, "float32", LABELS)
        server.put_data(DATA[:1])
        source = opened(server)
        try:
            server.put_data(DATA[1:31])
            read(source, 30)
            os.kill(source._process.pid, signal.SIGSTOP)
            server.put_data(DATA[31:431])
            os.kill(source._process.pid, signal.SIGCONT)
            server.put_data(DATA[431:531])
            got = read(source, 10)
            assert source.lost > 0
            assert got.data[0, 0] == DATA[int(got.data[0, 0]) // 3, 0]
        finally:
            source.close()


def test_a_client_that_hangs_is_a_lost_stream_and_is_ended():
    with FieldTripServer() as server:
        server.put_header(3, 250.0, "float32", LABELS)
        server.put_data(DATA[:1])
        source = opened(server, silence_s=0.5)
        os.kill(source._process.pid, signal.SIGSTOP)
        server.put_data(DATA[1:50])
        assert "hangs" in loss_of(source)
        began = time.monotonic()
        source.close()
        assert time.monotonic() - began < 2.0


def test_the_mock_client_plays_what_mne_reads_in_microvolts_and_in_real_time(tmp_path: Path):
    info = mne.create_info(["Cz", "Pz", "STI"], 100.0, ["eeg", "eeg", "stim"])
    values = np.vstack([np.arange(150) * 1e-6, np.arange(150) * -2e-6, np.repeat([0.0, 5.0], 75)])
    mne.io.RawArray(values, info, verbose="ERROR").save(tmp_path / "one_raw.fif", verbose="ERROR")
    source = MneRealtimeSource.from_settings({"client": "mock", "file": str(tmp_path / "one_raw.fif"), "buffer": 10})
    began = time.monotonic()
    try:
        got = read(source, 150)
        assert "has ended" in loss_of(source)
    finally:
        source.close()
    assert time.monotonic() - began > 1.0
    assert [channel.type for channel in source.info.channels] == ["EEG", "EEG", "TRIG"]
    np.testing.assert_allclose(got.data, values.T * [1e6, 1e6, 1.0], rtol=1e-5, atol=1e-4)


def test_what_cannot_work_is_told(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"client = 'lsl'.*\n?.*unit = 'T'"):
        MneRealtimeSource.from_settings({"client": "lsl", "unit": "T"})
    with pytest.raises(ConfigError, match="file is empty"):
        MneRealtimeSource.from_settings({"client": "mock"})
    with pytest.raises(StreamNotFound, match=r"nowhere_raw\.fif"):
        MneRealtimeSource.from_settings({"client": "mock", "file": str(tmp_path / "nowhere_raw.fif")})
