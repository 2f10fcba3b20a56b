"""How long a network trains: on the processor, and on the GPU where there is one.

Run ``python tests/benchmarks/bench_training.py [--networks eegnet fbcnet] [--trials 120 1200] [--json]``. The same simulated
trials and seed on both, 15 channels, 3.5 s at 125 Hz; a fixed number of epochs, so that both do the same. Where there is no GPU
it says so, and the processor's time stands alone. The first epochs on a GPU, which load its libraries, are not counted.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch

from bci.engine.preprocessing import Preprocessing
from bci.model.family import load_family
from bci.training.fit import fit_family

NETWORKS = ("eegnet", "shallow", "conformer", "ctnet", "fbcnet")
LABELS = ("F3", "Fz", "F4", "FC3", "FC4", "C5", "C3", "Cz", "C4", "C6", "CP3", "CP4", "P3", "Pz", "P4")
RATE_HZ = 125.0
WINDOW = 437
BANK = tuple((4.0 * k, 4.0 * k + 4) for k in range(2, 8))


def trials(count: int, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a little more power in one channel for each class, µV."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    windows = 5 * rng.standard_normal((count, bands, WINDOW, len(LABELS)))
    windows[labels == 0, :, :, LABELS.index("C3")] *= 1.5
    windows[labels == 1, :, :, LABELS.index("C4")] *= 1.5
    return windows, np.array(["left", "right"])[labels]


def seconds(network: str, device: str, count: int, epochs: int) -> float:
    """Time of one training of so many epochs, export included."""
    bands = BANK if network == "fbcnet" else ((8.0, 30.0),)
    windows, labels = trials(count, len(bands))
    p = Preprocessing(RATE_HZ, LABELS, bands=bands, window=WINDOW, hop=1)
    settings = {"epochs": 2 * epochs, "validation": 0.0, "device": device}
    began = time.perf_counter()
    fit_family(load_family(network, settings), windows, labels, p)
    return time.perf_counter() - began


def measure(network: str, count: int, epochs: int) -> dict[str, object]:
    """Seconds on each device, and how many times faster the GPU is."""
    row: dict[str, object] = {"network": network, "trials": count, "epochs": epochs}
    row["cpu_s"] = round(seconds(network, "cpu", count, epochs), 2)
    if torch.cuda.is_available():
        seconds(network, "cuda", count, 1)
        row["gpu_s"] = round(seconds(network, "cuda", count, epochs), 2)
        row["times_faster"] = round(row["cpu_s"] / row["gpu_s"], 1)  # type: ignore[operator]
    return row


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--trials", type=int, nargs="+", default=[120])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    rows = [measure(name, count, options.epochs) for name in options.networks for count in options.trials]
    if options.json:
        print(json.dumps({"gpu": gpu, "rows": rows}))
        return
    print(f"GPU: {gpu}" if gpu else "no GPU here: the processor alone, one thread")
    print("network    trials  epochs   cpu s   gpu s  times faster")
    for row in rows:
        gpu_s, faster = row.get("gpu_s", "–"), row.get("times_faster", "–")
        print(f"{row['network']:10} {row['trials']:6} {row['epochs']:7} {row['cpu_s']:7} {gpu_s:>7} {faster:>13}")


if __name__ == "__main__":
    main()
