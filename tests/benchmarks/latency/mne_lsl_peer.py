"""MNE-LSL: ``StreamLSL`` acquires and filters in its thread every millisecond, a loop takes the window."""

from __future__ import annotations

import time

import numpy as np

from latency import task

POLL_S = 0.0005


def main() -> None:
    """Decode until the parent goes."""
    asked = task.read_task()
    try:
        import mne_lsl
        from mne_lsl.stream import StreamLSL
    except ImportError as error:
        task.say_missing(error, "mne-lsl")
        return
    mne_lsl.set_log_level("ERROR")
    pipeline = task.load_decoder(asked.decoder)["pipeline"]
    pipeline.predict_proba(np.random.default_rng(0).standard_normal((1, task.N_CHANNELS, task.WINDOW)))
    window_s = task.WINDOW / task.RATE_HZ
    stream = StreamLSL(window_s, name=asked.stream).connect(acquisition_delay=0.001, timeout=20.0)
    stream.filter(*task.BAND_HZ, iir_params={"order": task.FILTER_ORDER, "ftype": "butter", "output": "sos"})
    outlet = task.decision_outlet("bench-mne-lsl")
    picks = np.arange(task.N_CHANNELS)  # indices are the fast way to pick, says its source
    task.settle()
    task.say(ready=True)
    time.sleep(window_s)
    sequence = 0
    while True:
        while stream.n_new_samples < task.HOP:
            time.sleep(POLL_S)
        window, stamps = stream.get_data(picks=picks)
        probabilities = pipeline.predict_proba(window[None].astype(np.float64))[0]
        sequence += 1
        outlet.push_sample(task.decision_row(sequence, probabilities, float(stamps[-1])))


if __name__ == "__main__":
    main()
