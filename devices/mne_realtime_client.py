"""A client of mne-realtime in a process of its own, which may hang or occupy a processor without harm.

Started by :mod:`devices.mne_realtime`. Standard output carries one JSON line with rate and channels, then frames:
``lost`` and ``n_samples`` (little-endian uint32), then the samples, float64, shape (n_samples, n_channels), in the unit that the
settings say. It ends when standard input closes. docs/decisions/0005 lists the faults that are gone round here.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

BUFFERS = 1000
"""The FieldTrip client lists all buffers up to its end first; so many at a time cost nothing."""
CHUNK_RESOLUTIONS = 3
WAIT_S = 0.1
FRAME = struct.Struct("<II")

Emit = Callable[[int, Any], None]


class FrameOutput:
    """Writes the head and the frames.

    Parameters
    ----------
    file : binary file
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def head(self, rate_hz: float, labels: list[str], types: list[str]) -> None:
        """Write what will come.

        Parameters
        ----------
        rate_hz : float
            Sampling rate.
        labels : list of str
            Of the channels.
        types : list of str
            Of the channels, as MNE names them; empty where they are not known.
        """
        self._file.write(json.dumps({"rate_hz": rate_hz, "labels": labels, "types": types}).encode() + b"\n")
        self._file.flush()

    def frame(self, lost: int, data: Any) -> None:
        """Write samples.

        Parameters
        ----------
        lost : int
            Number of samples that were lost before them.
        data : object, shape (n_samples, n_channels)
        """
        samples = np.ascontiguousarray(data, dtype="<f8")
        self._file.write(FRAME.pack(lost, len(samples)) + samples.tobytes())
        self._file.flush()


def fieldtrip(settings: dict[str, Any], out: FrameOutput) -> None:
    """Pass on what a FieldTrip buffer contains, through ``FieldTripClient``.

    Parameters
    ----------
    settings : dict of str to object
        Fields of :class:`devices.mne_realtime.MneRealtimeSettings`.
    out : FrameOutput
    """
    import mne
    from mne_realtime import FieldTripClient

    header = _header(settings)
    # Given no info, the client cuts a number out of each label, and fails at one that has none.
    info = mne.create_info(list(header.labels), header.fSample, "eeg")
    client = FieldTripClient(info, settings["host"], settings["port"], buffer_size=settings["buffer"], verbose="ERROR")
    scale = np.ones(header.nChannels)
    if CHUNK_RESOLUTIONS in header.chunks:  # the client leaves them out, and integers are not microvolts
        scale = np.frombuffer(header.chunks[CHUNK_RESOLUTIONS], dtype="<f8")
    with client:
        out.head(header.fSample, list(header.labels), [])
        client._recv_thread = threading.current_thread()  # else it ends after one buffer
        following, lost = client.tmin_samp, 0
        while True:
            client.tmin_samp, client.tmax_samp = following, following + BUFFERS * client.buffer_size - 1
            try:
                for raw in client.iter_raw_buffers():
                    out.frame(lost, raw.T * scale)
                    following, lost = following + raw.shape[1], 0
            except AttributeError:  # samples that left the ring come as None
                newest = client.ft_client.getHeader().nSamples
                skipped = (newest - following + 1) // 2
                following, lost = following + skipped, lost + skipped


def _header(settings: dict[str, Any]) -> Any:
    """The buffer's header, as soon as there is one."""
    from mne_realtime.externals.FieldTrip import Client

    until_s = time.monotonic() + settings["timeout_s"]
    while True:
        client = Client()
        try:
            client.connect(settings["host"], settings["port"])
            header = client.getHeader()
            client.disconnect()
        except OSError:
            header = None
        if header is not None:
            return header
        if time.monotonic() > until_s:
            raise SystemExit(f"no FieldTrip buffer with a header at {settings['host']}:{settings['port']}")
        time.sleep(WAIT_S)


def mock(settings: dict[str, Any], out: FrameOutput) -> None:
    """Play a recording in real time, through ``MockRtClient``.

    Parameters
    ----------
    settings : dict of str to object
        Fields of :class:`devices.mne_realtime.MneRealtimeSettings`.
    out : FrameOutput
    """
    import mne
    from mne_realtime import MockRtClient

    raw = mne.io.read_raw(settings["file"], preload=True, verbose="ERROR")
    client = MockRtClient(raw)
    info = client.get_measurement_info()
    out.head(float(info["sfreq"]), list(info["ch_names"]), list(info.get_channel_types()))
    seconds = len(raw.times) / info["sfreq"]
    client.send_data(Paced(info, out.frame), None, 0.0, seconds, settings["buffer"])


class Paced:
    """Receives the client's buffers in place of epochs, each at the time when it would have been recorded.

    Parameters
    ----------
    info : mne.Info
    emit : callable
    """

    def __init__(self, info: Any, emit: Emit) -> None:
        self._emit, self._rate_hz = emit, float(info["sfreq"])
        # The client divides by these, as a device's numbers would be.
        self._calibration = np.array([channel["range"] * channel["cal"] for channel in info["chs"]])
        self._began_s, self._sent = time.monotonic(), 0

    def _process_raw_buffer(self, data: Any) -> None:
        self._sent += data.shape[1]
        time.sleep(max(0.0, self._began_s + self._sent / self._rate_hz - time.monotonic()))
        self._emit(0, data.T * self._calibration)


CLIENTS: dict[str, Callable[[dict[str, Any], FrameOutput], None]] = {"fieldtrip": fieldtrip, "mock": mock}


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Run the client that the settings name."""
    settings = json.loads(sys.argv[1])
    out = FrameOutput(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # clients print
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        CLIENTS[settings["client"]](settings, out)


if __name__ == "__main__":
    main()
