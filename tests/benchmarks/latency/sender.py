"""The amplifier: 32 channels at 250 Hz, one sample at a time, stamped when it is pushed."""

from __future__ import annotations

import argparse
import gc
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pylsl

from latency import task, training

TOLD_UNITS = "microvolts"


def outlet(name: str) -> pylsl.StreamOutlet:
    """An EEG outlet with the metadata that DESIGN asks of a device."""
    info = pylsl.StreamInfo(name, "EEG", task.N_CHANNELS, task.RATE_HZ, pylsl.cf_float32, name)
    channels = info.desc().append_child("channels")
    for label in task.LABELS:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label).append_child_value("unit", TOLD_UNITS).append_child_value("type", "EEG")
    info.desc().append_child("reference").append_child_value("label", "linked mastoids")
    return pylsl.StreamOutlet(info)


def send(out: pylsl.StreamOutlet, samples: list[list[float]], chunk: int, sent_at: np.ndarray, stop: threading.Event) -> int:
    """Push until told to stop; sleep until each is due, never spin. Return how many were sent.

    Parameters
    ----------
    out : pylsl.StreamOutlet
    samples : list of list of float
        Played again and again.
    chunk : int
        Samples per push.
    sent_at : ndarray, shape (n_max, 2)
        Takes the stamp of every sample and the time it was pushed: the same, except in a chunk.
    stop : threading.Event
    """
    period_s, n_samples, sent = chunk / task.RATE_HZ, len(samples), 0
    before_s = np.arange(chunk - 1, -1, -1) / task.RATE_HZ
    clock, sleep = pylsl.local_clock, time.sleep
    due = clock()
    while sent + chunk <= len(sent_at) and not stop.is_set():
        due += period_s
        while (left := due - clock()) > 0.0:
            sleep(left)
        place = sent % n_samples
        stamp = clock()
        if chunk == 1:
            out.push_sample(samples[place], stamp)
        else:
            out.push_chunk(samples[place : place + chunk], stamp)
        sent_at[sent : sent + chunk, 0] = stamp - before_s
        sent_at[sent : sent + chunk, 1] = stamp
        sent += chunk
    return sent


def main() -> None:
    """Send until standard input closes, then write the stamps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunk", type=int, default=1)
    parser.add_argument("--stamps", type=Path, required=True)
    parser.add_argument("--max-seconds", type=float, default=3600.0)
    options = parser.parse_args()
    data, _ = training.recording(80.0, seed=2)
    samples = data.astype(np.float32).tolist()
    sent_at = np.zeros((round(options.max_seconds * task.RATE_HZ), 2))
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), stop.set()), daemon=True).start()
    out = outlet(task.SENDER_NAME)
    task.settle()
    gc.disable()
    task.say(ready=True)
    sent = send(out, samples, options.chunk, sent_at, stop)
    np.save(options.stamps, sent_at[:sent])


if __name__ == "__main__":
    main()
