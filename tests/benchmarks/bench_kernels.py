"""One decoding step: the compiled kernel against the pyriemann + scikit-learn pipeline it was compiled from.

Run ``python tests/benchmarks/bench_kernels.py [--decoder ts-lr] [--channels 8 32] [--json]``. Both sides
take turns in one process with one BLAS thread, so the ratio of their medians holds on a busy machine
where the times themselves do not. The signal is a 2 s window at 250 Hz, one band.

``--decoder eegnet`` (or shallow, conformer, ctnet, fbcnet) compares onnxruntime with torch, both on one thread, at 22 channels
unless others are named; ``--decoder networks`` does so for all of them. Targets there are times.

Columns: *reference* is ``predict_proba`` from the window, *kernel* starts from the scatter matrices
that the engine keeps summed up, *with hop* also computes and adds the newest 10 samples' scatter.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable

import numpy as np
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from bci.engine.decoder import scatter
from bci.engine.preprocessing import Preprocessing
from bci.model.family import load_family
from bci.training.fit import FittedModel, fit_decoder

RATE_HZ = 250.0
WINDOW = 500
HOP = 10
TRIALS = 24
TARGETS = {8: 15.0, 32: 7.0, 64: 3.5, 128: 3.5}
NETWORKS = {"eegnet": 1.0, "shallow": 10.0, "conformer": 10.0, "ctnet": 10.0, "fbcnet": 10.0}
"""Longest step of each network, ms, at :data:`NETWORK_CHANNELS`."""
NETWORK_CHANNELS = 22
BANK = tuple((4.0 * k, 4.0 * k + 4) for k in range(1, 10))


def signal(channels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Windows like band-passed EEG (neighbours correlated, rhythm), and labels; shape (TRIALS, 1, WINDOW, channels)."""
    place = np.arange(channels)
    mixing = np.exp(-np.abs(place[:, None] - place) / 4.0)
    noise = rng.standard_normal((TRIALS, 1, WINDOW, channels))
    labels = np.arange(TRIALS) % 2
    noise[labels == 1, :, :, channels // 3] *= 1.6
    return 5.0 * noise @ mixing, np.array(["left", "right"])[labels]


def plain_pipeline(model: FittedModel, decoder: str) -> Callable[[np.ndarray], np.ndarray]:
    """The pipeline that a user of pyriemann writes, from the same fitted parts, without our adapters."""
    from pyriemann.estimation import Covariances

    steps = list(model.estimator)[1:]
    parts = [s.transformers_[0] if hasattr(s, "transformers_") else s for s in steps if type(s).__name__ != "OnlyBand"]
    return make_pipeline(Covariances("oas"), *parts).predict_proba


def interleaved(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Times in µs of each call, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in list(calls.values()) * 3:
        call()
    gc.collect()
    gc.disable()
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1e6)
    gc.enable()
    return times


def measure(decoder: str, channels: int, repeats: int) -> dict[str, float]:
    """Medians in µs, ratios, and the largest difference of the probabilities."""
    windows, labels = signal(channels, np.random.default_rng(channels))
    names = tuple(f"E{i}" for i in range(channels))
    settings = Preprocessing(RATE_HZ, names, bands=((8.0, 30.0),), window=WINDOW, hop=HOP)
    model = fit_decoder(decoder, windows, labels, settings)
    kernel = model.decoder().kernel
    predict = plain_pipeline(model, decoder)
    window = windows[3]
    first = np.ascontiguousarray(window.transpose(0, 2, 1))
    hop = np.ascontiguousarray(np.concatenate((window[:, -HOP:], np.ones((1, HOP, 1))), axis=2))
    whole, rest = scatter(window), scatter(window[:, :-HOP])
    block, total = np.empty_like(whole), np.empty_like(whole)

    def with_hop() -> np.ndarray:
        np.matmul(hop.transpose(0, 2, 1), hop, out=block)
        return kernel(np.add(rest, block, out=total))

    difference = float(np.abs(predict(first)[0] - kernel(whole)).max())
    times = interleaved({"reference": lambda: predict(first), "kernel": lambda: kernel(whole), "with_hop": with_hop}, repeats)
    median = {name: float(np.median(t)) for name, t in times.items()}
    return {
        "channels": channels,
        **{f"{name}_us": round(value, 1) for name, value in median.items()},
        "ratio": round(median["reference"] / median["kernel"], 1),
        "ratio_with_hop": round(median["reference"] / median["with_hop"], 1),
        "difference": difference,
    }


def measure_network(decoder: str, channels: int, repeats: int) -> dict[str, object]:
    """Median and 99th percentile of a step in ms, that of torch, and the largest difference of the probabilities."""
    bands = BANK if decoder == "fbcnet" else BANK[1:2]
    windows, labels = signal(channels, np.random.default_rng(channels))
    windows = np.concatenate([windows] * len(bands), axis=1)
    names = tuple(f"E{i}" for i in range(channels))
    settings = Preprocessing(RATE_HZ, names, bands=bands, window=WINDOW, hop=HOP)
    model = fit_decoder(load_family(decoder, {"epochs": 1, "device": "cpu"}), windows, labels, settings)
    kernel, predict, window = model.decoder().kernel, model.estimator.predict_proba, windows[3]
    difference = max(float(np.abs(predict(w[None])[0] - kernel(w)).max()) for w in windows)
    times = interleaved({"torch": lambda: predict(window[None]), "kernel": lambda: kernel(window)}, repeats)
    median, torch_median = (float(np.median(times[name])) for name in ("kernel", "torch"))
    return {
        "decoder": decoder,
        "channels": channels,
        "torch_ms": round(torch_median / 1000, 3),
        "kernel_ms": round(median / 1000, 3),
        "p99_ms": round(float(np.percentile(times["kernel"], 99)) / 1000, 3),
        "target_ms": NETWORKS[decoder],
        "weights": sum(a.size for name, a in model.arrays.items() if name.startswith("kernel.state.")),
        "difference": difference,
    }


def networks(options: argparse.Namespace) -> None:
    """The table of the networks."""
    import torch

    torch.set_num_threads(1)
    wanted = list(NETWORKS) if options.decoder == "networks" else [options.decoder]
    rows = [measure_network(name, n, options.repeats) for name in wanted for n in options.channels or [NETWORK_CHANNELS]]
    if options.json:
        print(json.dumps({"decoder": options.decoder, "rows": rows}))
        return
    print("decoder    channels  weights   torch  kernel     p99  target  difference     (ms)")
    for row in rows:
        print(
            f"{row['decoder']:10} {row['channels']:8} {row['weights']:8} {row['torch_ms']:7.2f} {row['kernel_ms']:7.2f} "
            f"{row['p99_ms']:7.2f} {row['target_ms']:7g}  {row['difference']:.1e}"
        )


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoder", default="ts-lr", help="ts-lr, mdm, fgmdm, csp-lda (one band); a network, or networks")
    parser.add_argument("--channels", type=int, nargs="+", help="8 16 32 64 128 where omitted; networks 22")
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.decoder in (*NETWORKS, "networks"):
        networks(options)
        return
    with threadpool_limits(1):
        rows = [measure(options.decoder, n, options.repeats) for n in options.channels or (8, 16, 32, 64, 128)]
    if options.json:
        print(json.dumps({"decoder": options.decoder, "rows": rows}))
        return
    print_table(options.decoder, rows)


def print_table(decoder: str, rows: list[dict[str, float]]) -> None:
    """One line for each number of channels; times in µs."""
    print(f"{decoder}, median µs\nchannels  reference  kernel  with hop  ratio  with hop  target  difference")
    for row in rows:
        target = f"{TARGETS[int(row['channels'])]:g}" if decoder == "ts-lr" and row["channels"] in TARGETS else "–"
        print(
            f"{row['channels']:8} {row['reference_us']:10.0f} {row['kernel_us']:7.0f} {row['with_hop_us']:9.0f} "
            f"{row['ratio']:6.1f} {row['ratio_with_hop']:9.1f} {target:>7}  {row['difference']:.1e}"
        )


if __name__ == "__main__":
    main()
