"""What a recorder is given in tests: a clock that a test sets, and streams of which it knows every sample."""

import time

import numpy as np

from bci.errors import StreamLost


def header(name="eeg", channel_format="float32", n_channels=2, rate_hz=250.0):
    return (
        f"<info><name>{name}</name><type>EEG</type><channel_count>{n_channels}</channel_count>"
        f"<nominal_srate>{rate_hz}</nominal_srate><channel_format>{channel_format}</channel_format></info>"
    )


class HandClock:
    """Time that a test sets."""

    def __init__(self):
        self.time_s = 1000.0

    def now(self):
        return self.time_s

    def wait_until(self, time_s):
        self.time_s = max(self.time_s, time_s)


class ListInlet:
    """An in-process stream: what is in ``chunks`` is delivered, one at a pull."""

    def __init__(self, header_xml, chunks=(), offset=(1000.0, 0.5)):
        self.header_xml = header_xml
        self.chunks = list(chunks)
        self.offset = offset
        self.lost = False
        self.closed = False

    def pull(self, timeout_s):
        if self.chunks:
            return self.chunks.pop(0)
        if self.lost:
            raise StreamLost("the sender is gone")
        return None

    def time_correction(self, timeout_s):
        return self.offset

    def close(self):
        self.closed = True


def samples(start, n):
    index = np.arange(start, start + n)
    return np.stack([index, -index], axis=1).astype(np.float32), index / 250


def eventually(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)
