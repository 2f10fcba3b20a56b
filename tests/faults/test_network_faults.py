"""Faults 27, 29 and 30 for networks: hostile graphs are refused before they run, and a network answers the same twice."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra `networks` is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from parts import decoder, eeg, preprocessing, stream  # noqa: E402

from bci.contracts.kernel import kernel_breaches  # noqa: E402
from bci.engine.decoder import Kernel  # noqa: E402
from bci.engine.engine import Engine  # noqa: E402
from bci.engine.outcome import Reason  # noqa: E402
from bci.engine.preprocessing import Preprocessing  # noqa: E402
from bci.engine.stream_info import Channel, StreamInfo  # noqa: E402
from bci.errors import ModelError, TrainingError  # noqa: E402
from bci.model.family import FittedDecoder, load_family  # noqa: E402
from bci.model.file import MAX_FILE_BYTES, load_model, save_model  # noqa: E402
from bci.training.fit import FittedModel  # noqa: E402
from pipelines.kernels.network import load  # noqa: E402
from pipelines.kernels.onnx_graph import MAX_BYTES, MAX_ELEMENTS  # noqa: E402

CLASSES = ("left", "right")
SHAPE = (1, 50, 2)


def tensor(name: str, values: object, kind: type = np.float32) -> object:
    return numpy_helper.from_array(np.array(values, dtype=kind), name)


def model(nodes: list[object], tensors: list[object] | None = None, **changes: object) -> bytes:
    """A graph from windows of two channels to two scores; ``nodes`` come between ``windows`` and ``x``, shape (1, 1, 50, 2)."""
    given = {"opsets": [helper.make_opsetid("", 17)], "batch": 1, "classes": 2, **changes}
    means = helper.make_node("ReduceMean", ["x"], ["scores"], axes=[1, 2], keepdims=0)
    graph = helper.make_graph(
        [*nodes, means],
        "network",
        [helper.make_tensor_value_info("windows", TensorProto.FLOAT, [given["batch"], *SHAPE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, given["classes"]])],
        tensors or [],
    )
    made = helper.make_model(graph, opset_imports=given["opsets"], ir_version=8)
    return bytes(made.SerializeToString())


def arrays(graph: bytes) -> dict[str, np.ndarray]:
    return {"onnx": np.frombuffer(graph, dtype=np.uint8)}


SOUND = model([helper.make_node("Abs", ["windows"], ["x"])])


def loop() -> bytes:
    """An endless loop around the windows."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["y"], ["y_out"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, *SHAPE]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y_out", TensorProto.FLOAT, [1, *SHAPE]),
        ],
    )
    node = helper.make_node("Loop", ["", "true", "windows"], ["x"], body=body)
    return model([node], [numpy_helper.from_array(np.array(True), "true")])


def external() -> bytes:
    weights = tensor("w", [1.0])
    onnx.external_data_helper.set_external_data(weights, "/etc/passwd")
    weights.ClearField("raw_data")
    return model([helper.make_node("Mul", ["windows", "w"], ["x"])], [weights])


def claiming() -> bytes:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 40], raw_data=b"\0\0\0\0")
    return model([helper.make_node("Mul", ["windows", "w"], ["x"])], [weights])


def filled_with(size: int) -> bytes:
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["windows", "mean"], ["x"]),
    ]
    return model(nodes, [tensor("size", [size], np.int64)])


def outer() -> bytes:
    """A product of two vectors that each are small."""
    nodes = [
        helper.make_node("MatMul", ["a", "b"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["windows", "mean"], ["x"]),
    ]
    return model(nodes, [tensor("a", np.ones((1 << 16, 1))), tensor("b", np.ones((1, 1 << 16)))])


def padded() -> bytes:
    nodes = [
        helper.make_node("Conv", ["windows", "w"], ["huge"], pads=[1 << 30, 0, 0, 0]),
        helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["windows", "mean"], ["x"]),
    ]
    return model(nodes, [tensor("w", np.ones((1, 1, 1, 1)))])


def of_unknown_size() -> bytes:
    nodes = [
        helper.make_node("Cast", ["windows"], ["whole"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["whole"], ["most"], keepdims=0),
        helper.make_node("Unsqueeze", ["most", "axis"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["windows", "mean"], ["x"]),
    ]
    return model(nodes, [tensor("axis", [0], np.int64)])


def with_function() -> bytes:
    made = onnx.load_model_from_string(SOUND)
    body = [helper.make_node("Abs", ["a"], ["b"])]
    made.functions.append(helper.make_function("own", "f", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    return bytes(made.SerializeToString())


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "random operator": (
        lambda: model([helper.make_node("RandomNormalLike", ["windows"], ["x"])]),
        "RandomNormalLike, which is not among the operators",
    ),
    "operator of another domain": (
        lambda: model(
            [helper.make_node("Abs", ["windows"], ["x"], domain="evil")],
            opsets=[helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)],
        ),
        "operator sets .*evil",
    ),
    "loop": (loop, "Loop"),
    "function": (with_function, "functions"),
    "data in another file": (external, "another file"),
    "false claim": (claiming, "1099511627776 values"),
    "terabytes of a constant": (lambda: filled_with(1 << 40), "more than"),
    "just too large": (lambda: filled_with(MAX_ELEMENTS + 1), "more than"),
    "negative size": (lambda: filled_with(-5), "refused"),
    "outer product": (outer, "more than"),
    "padding": (padded, "more than"),
    "size that depends on the signal": (of_unknown_size, "not known beforehand"),
    "two windows at once": (lambda: model([helper.make_node("Abs", ["windows"], ["x"])], batch=2), "windows at once"),
    "open dimension": (lambda: model([helper.make_node("Abs", ["windows"], ["x"])], batch="n"), "known dimensions"),
    "three scores": (lambda: model([helper.make_node("Abs", ["windows"], ["x"])], classes=3), r"not of shape \(1, 2\)"),
    "other operator set": (
        lambda: model([helper.make_node("Abs", ["windows"], ["x"])], opsets=[helper.make_opsetid("", 99)]),
        "operator sets",
    ),
    "shapes that contradict": (
        lambda: model([helper.make_node("MatMul", ["windows", "w"], ["x"])], [tensor("w", np.ones((7, 7)))]),
        "contradict",
    ),
    "no node": (lambda: bytes(helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString()), "refused"),
    "nothing": (lambda: b"", "refused"),
    "noise": (lambda: np.random.default_rng(0).bytes(5000), "refused"),
    "pickle": (lambda: pickle.dumps(np.ones(3)), "refused"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_graph_is_refused_with_the_reason(what: str) -> None:
    make, reason = HOSTILE[what]
    with pytest.raises(ModelError, match=reason):
        load(arrays(make()), CLASSES)


def test_the_sound_graph_runs_and_keeps_the_contract() -> None:
    kernel = load(arrays(SOUND), CLASSES)
    assert kernel.shape == SHAPE
    windows = 10 * np.random.default_rng(0).standard_normal((4, *SHAPE))
    scores = np.abs(windows).mean(axis=(1, 2))
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.array([kernel(w).copy() for w in windows]) == pytest.approx(expected, abs=1e-5)
    assert not kernel_breaches(kernel, windows)


def test_a_graph_cut_short_or_with_a_flipped_bit_is_refused_or_runs_but_never_breaks() -> None:
    for length in range(0, len(SOUND), 3):
        with pytest.raises(ModelError):
            load(arrays(SOUND[:length]), CLASSES)
    for i in range(0, len(SOUND), 3):
        damaged = bytearray(SOUND)
        damaged[i] ^= 1 << (i % 8)
        try:
            kernel = load(arrays(bytes(damaged)), CLASSES)
        except ModelError:
            continue
        assert kernel(np.ones(kernel.shape)).shape == (2,)


def fitted_with(graph: bytes) -> FittedModel:
    """A model around any graph."""
    settings = Preprocessing(100.0, ("C3", "C4"), notch_hz=0, window=50, hop=2)
    identity = np.eye(2)[None]
    found = FittedDecoder(None, CLASSES, arrays(graph), np.full(2, 0.5))
    return FittedModel("eegnet", "network", settings, found, identity, identity, np.full(2, 0.5), dict.fromkeys(CLASSES, 10))


def written(path: Path, graph: bytes, **more: np.ndarray) -> Path:
    """A model file with this graph."""
    made = fitted_with(graph)
    header = made.header(StreamInfo(100.0, (Channel("C3"), Channel("C4"))), (0.5, 1.5))
    save_model(path, header, {**made.arrays, **more})
    return path


def test_a_graph_for_other_windows_than_the_header_says_is_refused(tmp_path: Path) -> None:
    made = fitted_with(SOUND)
    header = made.header(StreamInfo(100.0, (Channel("C3"), Channel("C4"))), (0.5, 1.5))
    from dataclasses import replace

    path = tmp_path / "model"
    save_model(path, replace(header, preprocessing=replace(header.preprocessing, window=60)), made.arrays)
    with pytest.raises(ModelError, match=r"windows of \(1, 50, 2\)"):
        load_model(path)


MEMORY = """
import sys, time
import numpy, safetensors.numpy
from bci.model.file import load_model
from bci.errors import ModelError
# Not ru_maxrss: that begins at what the process had that started this one.
peak = lambda: int(next(x for x in open("/proc/self/status") if x.startswith("VmHWM")).split()[1]) / 1024
before, start = peak(), time.process_time()
try:
    load_model(sys.argv[1])
except ModelError as error:
    assert sys.argv[1] in str(error)
    print(peak() - before, time.process_time() - start)
print(*[name for name in ("torch", "sklearn", "pyriemann", "PySide6") if name in sys.modules])
"""


def large(graph: bytes) -> bytes:
    """The graph with as much beside it as is allowed."""
    made = onnx.load_model_from_string(graph)
    rest = MAX_BYTES - len(graph) - 4096
    for part in range(3):
        made.graph.initializer.append(numpy_helper.from_array(np.zeros(rest // 12, dtype=np.float32), f"ballast {part}"))
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("what", ["loop", "terabytes of a constant", "data in another file", "large loop", "large outer product"])
def test_refusing_costs_less_than_a_second_and_100_mb_and_loads_no_torch(tmp_path: Path, what: str) -> None:
    make = HOSTILE[what.removeprefix("large ")][0]
    graph = large(make()) if what.startswith("large") else make()
    ballast = (MAX_FILE_BYTES - len(graph)) // 8 - 4096 if what.startswith("large") else 1
    path = written(tmp_path / "hostile", graph, ballast=np.zeros(ballast))
    done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True)
    costs, heavy = done.stdout.splitlines()
    memory_mb, seconds = map(float, costs.split())
    assert memory_mb < 100
    assert seconds < 1
    assert heavy == ""


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_pickles_inside_a_model_execute_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pickled = pickle.dumps(Canary(canary))
    with pytest.raises(ModelError):
        load_model(written(tmp_path / "instead", pickled))
    text = onnx.load_model_from_string(SOUND)
    text.doc_string = pickled.decode("latin-1")
    text.graph.node[0].attribute.append(helper.make_attribute("pickle", pickled))
    with pytest.raises(ModelError):
        load_model(written(tmp_path / "inside", bytes(text.SerializeToString())))
    beside = np.frombuffer(pickled, dtype=np.uint8)
    load_model(written(tmp_path / "beside", SOUND, **{"kernel.state.pickle": beside}))
    assert not canary.exists()


class Breaking:
    """A kernel that breaks its contract in one way."""

    classes = CLASSES
    features = "samples"

    def __init__(self, answer: Callable[[], np.ndarray], n_channels: int) -> None:
        self.answer, self.n_channels = answer, n_channels

    def __call__(self, window: np.ndarray) -> np.ndarray:
        return self.answer()


def raising() -> np.ndarray:
    raise RuntimeError("no memory")


@pytest.mark.parametrize(
    "answer",
    [
        raising,
        lambda: np.full(2, np.nan),
        lambda: np.full(3, 1 / 3),
        lambda: np.array([0.9, 0.9]),
        lambda: np.array([[0.5, 0.5]]),
    ],
    ids=["raises", "NaN", "three for two", "sum 1.8", "two rows"],
)
def test_fault_27_a_network_that_breaks_gives_a_reason_and_the_loop_lives(answer: Callable[[], np.ndarray]) -> None:
    p = preprocessing()
    broken: Kernel = Breaking(answer, len(p.labels))  # type: ignore[assignment]
    engine = Engine(stream(), decoder(broken, p))
    outcomes = engine.push(eeg(1500))
    tried = [o for o in outcomes if o.reason is Reason.DECODER]
    assert len(tried) > 50
    assert not [o for o in outcomes if o.decision >= 0]
    assert engine.consumed == 1500


def test_fault_30_a_kernel_that_answers_at_random_breaks_the_contract() -> None:
    rng = np.random.default_rng(0)
    kernel: Kernel = Breaking(lambda: rng.dirichlet((1.0, 1.0)), 2)  # type: ignore[assignment]
    assert any("asked twice" in breach for breach in kernel_breaches(kernel, np.ones((2, *SHAPE))))


def test_fault_30_a_network_that_goes_on_dropping_out_is_refused_when_it_is_trained() -> None:
    pytest.importorskip("torch", reason="the extra `networks` is not installed")
    family = load_family("network", {"module": "networks_of_users:Forgetful", "epochs": 1, "device": "cpu"})
    windows = 10 * np.random.default_rng(1).standard_normal((24, 1, 100, 3))
    with pytest.raises(TrainingError, match="answers differently when asked twice"):
        family.fit(windows, np.array(CLASSES * 12))
