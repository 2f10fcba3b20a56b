"""Fault 29: damaged and hostile model files are refused with path and reason, soon, and execute nothing."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ModelError
from bci.model.file import MAX_FILE_BYTES, load_model, save_model
from bci.training.fit import fit_decoder

LABELS = ("C3", "C4")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Bytes of a small, sound model."""
    rng = np.random.default_rng(0)
    settings = Preprocessing(100.0, LABELS, notch_hz=0, window=100, hop=4)
    model = fit_decoder("ts-lr", 10 * rng.standard_normal((20, 1, 100, 2)), ["left", "right"] * 10, settings)
    info = StreamInfo(100.0, tuple(Channel(x) for x in LABELS))
    path = tmp_path_factory.mktemp("good") / "model"
    save_model(path, model.header(info, (0.5, 1.5)), model.arrays)
    return path.read_bytes()


def parts(good: bytes) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Header and arrays of a sound model, to be spoiled."""
    from safetensors.numpy import load

    length = int.from_bytes(good[:8], "little")
    return json.loads(json.loads(good[8 : 8 + length])["__metadata__"]["bci"]), load(good)


def forged(header: object, arrays: dict[str, np.ndarray]) -> bytes:
    """A file with a valid checksum, as someone who knows the format would forge it."""
    text = header if isinstance(header, str) else json.dumps(header)
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"\n{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return save(arrays, metadata={"bci": text, "digest": digest.hexdigest()})


def refused(path: Path, data: bytes) -> str:
    """The message with which this content is refused."""
    path.write_bytes(data)
    start = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert time.perf_counter() - start < 1.0
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_sound_model_loads_and_forging_it_faithfully_gives_the_same(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(good)
    assert load_model(path).header.classes == ("left", "right")
    path.write_bytes(forged(*parts(good)))
    assert load_model(path).header.classes == ("left", "right")


def test_a_model_cut_at_any_byte_is_refused(good: bytes, tmp_path: Path) -> None:
    for length in range(len(good)):
        refused(tmp_path / "cut", good[:length])


def test_a_model_with_any_flipped_bit_is_refused(good: bytes, tmp_path: Path) -> None:
    for i in range(len(good)):
        damaged = bytearray(good)
        damaged[i] ^= 1 << (i % 8)
        refused(tmp_path / "flipped", bytes(damaged))


def test_a_model_with_anything_appended_is_refused(good: bytes, tmp_path: Path) -> None:
    refused(tmp_path / "longer", good + b"\0")


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_renamed_pickle_executes_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        refused(tmp_path / "model.safetensors", pickle.dumps(Canary(canary), protocol=protocol))
    pickle.loads(pickle.dumps(Canary(tmp_path / "control")))
    assert (tmp_path / "control").exists()
    assert not canary.exists()


@pytest.mark.parametrize("claim", [10 << 30, 2**63, 2**64 - 1, 300 << 10])
def test_a_header_that_claims_gigabytes_is_refused_by_its_claim(good: bytes, tmp_path: Path, claim: int) -> None:
    assert f"claims {claim} bytes" in refused(tmp_path / "claim", claim.to_bytes(8, "little") + good[8:])


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F64", "shape": [1 << 20, 1 << 20], "data_offsets": [0, 1 << 43]},
        {"dtype": "F64", "shape": [2**62, 2**62], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [1], "data_offsets": [8, 0]},
        {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]},
        {"dtype": "pickle", "shape": [1], "data_offsets": [0, 8]},
        {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]},
        {"dtype": "F64"},
        [],
    ],
)
def test_false_claims_about_an_array_are_refused(good: bytes, tmp_path: Path, tensor: object) -> None:
    length = int.from_bytes(good[:8], "little")
    metadata = json.loads(good[8 : 8 + length])["__metadata__"]
    index = json.dumps({"__metadata__": metadata, "weights": tensor}).encode()
    refused(tmp_path / "tensor", len(index).to_bytes(8, "little") + index + bytes(8))


@pytest.mark.parametrize(
    "index", [b"[" * 200_000, b"{}", b"[]", b"null", b'{"__metadata__":{"bci":1,"digest":2}}', b"\xff\xfe", b"1" * 9999]
)
def test_an_index_that_is_no_index_is_refused(tmp_path: Path, index: bytes) -> None:
    refused(tmp_path / "index", len(index).to_bytes(8, "little") + index)


@pytest.mark.parametrize("text", ["[" * 100_000, "", "null", "[]", '{"schema": 1}', "NaN"])
def test_a_header_that_is_no_header_is_refused(good: bytes, tmp_path: Path, text: str) -> None:
    refused(tmp_path / "header", forged(text, parts(good)[1]))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("schema", 2, "schema is 2, this version reads 1"),
        ("kernel", "os:system", "nothing is registered as 'os:system'; .*tangent-linear"),
        ("kernel", "csp-linear", "filters"),
        ("kernel", 7, "must be of type str"),
        ("classes", ["left"], "classes"),
        ("classes", ["left", "right", "rest"], "weights"),
        ("classes", "left", "must be a list"),
        ("channel_types", ["EEG"], "channel_types: 1 values for 2 channels"),
        ("trial_s", [0.5], "has 1 values, must have 2"),
        ("trial_s", [0.5, 1e999], "finite"),
        ("accuracy", "good", "accuracy"),
        ("accuracy", 10**400, "accuracy: is a whole number of more than 64 bits"),
        ("trials", {"left": 10**400}, "header.trials.left: is a whole number of more than 64 bits"),
        ("trials", {"left": -1}, "trials: must be from 0"),
        ("trials", {"left": True}, "must be of type int"),
        ("trial_s", [-1e300, 1e300], "within 3600 s of the cue"),
        ("notes", ["\ud800"], "half of a character"),
        ("surprise", 1, "header.surprise: unknown field"),
    ],
)
def test_a_header_that_does_not_fit_is_refused_with_the_field(
    good: bytes, tmp_path: Path, field: str, value: object, reason: str
) -> None:
    header, arrays = parts(good)
    assert re.search(reason, refused(tmp_path / "field", forged({**header, field: value}, arrays)))


BEYOND = {
    "rate": ({"rate_hz": 1e308}, "rate_hz = 1e+308: must be a number from 1 to 100000"),
    "slow rate": ({"rate_hz": 0.5}, "rate_hz = 0.5: must be"),
    "window": ({"window": 4_000_000}, "at most 60 s"),
    "one hop of a minute": ({"window": 6000, "hop": 6000}, "MiB of memory"),
    "two thousand bands": ({"bands": [[8.0, 30.0]] * 2000}, "at most 64 are possible"),
    "band from nothing": ({"bands": [[1e-300, 30.0]]}, "cannot be made"),
    "band of no width": ({"bands": [[8.0, 8.0000000000001]]}, "not settle within 60 s"),
    "notch at nothing": ({"notch_hz": 1e-9}, "not settle within 60 s"),
}


def test_nested_settings_are_checked_as_strictly(good: bytes, tmp_path: Path) -> None:
    header, arrays = parts(good)
    spoiled = {**header, "preprocessing": {**header["preprocessing"], "bands": [[30.0, 8.0]]}}
    assert "0 < low < high" in refused(tmp_path / "bands", forged(spoiled, arrays))
    for changes, reason in BEYOND.values():
        spoiled = {**header, "preprocessing": {**header["preprocessing"], **changes}}
        assert reason in refused(tmp_path / "beyond", forged(spoiled, arrays))
    spoiled = {**header, "decision": {**header["decision"], "threshold": "0.6"}}
    assert "header.decision.threshold" in refused(tmp_path / "threshold", forged(spoiled, arrays))
    spoiled = {**header, "decision": {**header["decision"], "idle": "rest"}}
    assert "idle" in refused(tmp_path / "idle", forged(spoiled, arrays))
    spoiled = {k: v for k, v in header.items() if k not in ("classes", "kernel")}
    message = refused(tmp_path / "missing", forged(spoiled, arrays))
    assert "header.classes: missing" in message
    assert "header.kernel: missing" in message


def test_every_array_that_is_missing_misshapen_or_not_finite_is_named(good: bytes, tmp_path: Path) -> None:
    header, arrays = parts(good)
    for name, array in arrays.items():
        short = name.removeprefix("kernel.")
        if name != "centre":  # a model from before there was one runs; it cannot be recentred
            without = {k: v for k, v in arrays.items() if k != name}
            assert short in refused(tmp_path / "missing", forged(header, without))
        for bad in (array.astype(np.float32), array[..., None], array[..., :0], np.full_like(array, np.nan)):
            assert short in refused(tmp_path / "array", forged(header, {**arrays, name: bad}))


def test_a_covariance_that_is_none_is_refused(good: bytes, tmp_path: Path) -> None:
    header, arrays = parts(good)
    for name in ("covariance", "centre"):
        for wrong in (0 * arrays[name], -arrays[name], 1e300 * arrays[name], arrays[name] * np.array([[1.0, 1e4], [1e4, 1.0]])):
            assert f"array '{name}': is not a covariance" in refused(
                tmp_path / "covariance", forged(header, {**arrays, name: wrong})
            )


def test_a_model_from_before_there_was_a_centre_runs_and_knows_none(good: bytes, tmp_path: Path) -> None:
    header, arrays = parts(good)
    path = tmp_path / "older"
    path.write_bytes(forged(header, {k: v for k, v in arrays.items() if k != "centre"}))
    assert load_model(path).decoder.centre is None


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(ModelError, match="larger than 32 MiB"):
        load_model(path)


MEMORY = """
import sys, time
from safetensors.numpy import load
from bci.model.file import load_model
from bci.errors import ModelError
# Not ru_maxrss: that begins at what the process had that started this one.
peak = lambda: int(next(x for x in open("/proc/self/status") if x.startswith("VmHWM")).split()[1]) / 1024
before, start = peak(), time.perf_counter()
try:
    load_model(sys.argv[1])
except ModelError as error:
    print(peak() - before, time.perf_counter() - start)
"""


@pytest.mark.parametrize("what", ["beyond the limit", "largest allowed", "largest index"])
def test_a_hostile_file_costs_less_than_100_mb_and_a_second(good: bytes, tmp_path: Path, what: str) -> None:
    header, arrays = parts(good)
    path = tmp_path / "hostile"
    if what == "beyond the limit":
        path.write_bytes(bytes(MAX_FILE_BYTES + 4096))
    elif what == "largest allowed":
        path.write_bytes(forged(header, {**arrays, "kernel.whitening": np.zeros((1, 1998, 1998)), "x": np.zeros(0)}))
    else:
        index = ("{" + ",".join(f'"{i:05x}":[]' for i in range(22_000)) + "}").encode()
        path.write_bytes(len(index).to_bytes(8, "little") + index)
    done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True)
    memory_mb, seconds = map(float, done.stdout.split())
    assert memory_mb < 100
    assert seconds < 1
