"""From a trained network to the bytes of an ONNX graph that the kernel runs."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from bci.engine.chunk import FloatArray
from bci.errors import ModelError, TrainingError
from pipelines.kernels.network import load
from pipelines.kernels.onnx_graph import INPUT, OUTPUT
from pipelines.networks.estimator import TrainedNetwork

OPSET = 17
TOLERANCE = 1e-5
COMPARED = 16


def exported(trained: TrainedNetwork, windows: FloatArray) -> npt.NDArray[np.uint8]:
    """The ONNX graph of a network, as the kernel will read it, after comparing their answers.

    Parameters
    ----------
    trained : TrainedNetwork
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        To compare on.

    Returns
    -------
    npt.NDArray[np.uint8]

    Raises
    ------
    TrainingError
        If the network cannot be written so, or the graph does not answer as the network does.
    """
    network = trained.network.eval()
    _check_repeats(trained, windows[:1])
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is called legacy
        try:
            torch.onnx.export(
                network,
                (torch.zeros((1, *windows.shape[1:])),),
                file,  # type: ignore[arg-type]  # it writes to an open file too
                dynamo=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
            )
        except (RuntimeError, ValueError, TypeError) as error:
            raise TrainingError(f"the network cannot be written as ONNX: {error}") from error
    graph = np.frombuffer(_simplified(file.getvalue()), dtype=np.uint8)
    _check_equal(trained, graph, windows[:: max(1, len(windows) // COMPARED)])
    return graph


def _simplified(graph: bytes) -> bytes:
    """The same graph with all worked out that can be beforehand, in standard operators."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "graph.onnx")
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        model = onnx.load(options.optimized_model_filepath)
    standard = [opset for opset in model.opset_import if not opset.domain]
    del model.opset_import[:]
    model.opset_import.extend(standard)  # it names every set of operators that it knows, used or not
    found: bytes = model.SerializeToString()
    return found


def _check_repeats(trained: TrainedNetwork, window: FloatArray) -> None:
    """A network that still drops units at random answers differently each time."""
    if not np.array_equal(trained.scores(window), trained.scores(window), equal_nan=True):
        raise TrainingError(
            "the network answers differently when asked twice about the same window, so something in it is random outside "
            "training; functional dropout needs training=self.training"
        )


def _check_equal(trained: TrainedNetwork, graph: npt.NDArray[np.uint8], windows: FloatArray) -> None:
    """The graph's answers are those of the network."""
    try:
        kernel = load({"onnx": graph}, tuple(map(str, trained.classes_)))
    except ModelError as error:
        raise TrainingError(f"the network cannot be run live: {error}") from error
    answers = np.array([kernel(window).copy() for window in windows])
    worst = float(np.abs(answers - trained.predict_proba(windows)).max())
    if not worst <= TOLERANCE:
        raise TrainingError(f"the network and its ONNX graph differ by {worst:.3g}, at most {TOLERANCE:g} is allowed")
