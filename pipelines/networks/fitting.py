"""From labelled windows to a trained network and its arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.errors import TrainingError
from bci.model.family import FittedDecoder, TrainingContext
from pipelines.networks import alignment
from pipelines.networks.augment import mirrored_classes, mirrored_columns
from pipelines.networks.building import built
from pipelines.networks.estimator import TrainedNetwork, channel_shares
from pipelines.networks.export import exported
from pipelines.networks.layers import Front
from pipelines.networks.pretrained import STATE, PretrainedWeights
from pipelines.networks.recipe import Recipe
from pipelines.networks.shape import Shape
from pipelines.networks.training import TrainingWindows, chosen_device, one_thread, train

LEAST_RATE_HZ = 100.0
RATE_FOR_BAND = 2.5
"""Samples for each period of the fastest rhythm that a band lets through."""


def decimation(preprocessing: Preprocessing) -> int:
    """Number of samples that are averaged into one: networks are as good at 100 Hz as at 500 Hz, and five times as fast.

    Parameters
    ----------
    preprocessing : Preprocessing

    Returns
    -------
    int
    """
    needed_hz = max(LEAST_RATE_HZ, RATE_FOR_BAND * max(high for _, high in preprocessing.bands))
    return max(1, int(preprocessing.rate_hz / needed_hz))


def fitted(
    name: str,
    module: str,
    windows: FloatArray,
    labels: npt.NDArray[np.str_],
    context: TrainingContext,
    recipe: Recipe,
) -> FittedDecoder:
    """Train a network.

    Parameters
    ----------
    name : str
        Of the decoder.
    module : str
        Import path of the network.
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV.
    labels : ndarray of str, shape (n_windows,)
    context : TrainingContext
    recipe : Recipe

    Returns
    -------
    FittedDecoder
    """
    classes, codes = np.unique(labels, return_inverse=True)
    names = tuple(map(str, classes))
    people = np.zeros(len(labels), dtype=np.int64) if context.people is None else context.people
    factor = decimation(context.preprocessing)
    start = PretrainedWeights(name, names, context.preprocessing, recipe) if recipe.pretrained else None
    with one_thread():
        data = _aligned(windows, codes, names, people, context, recipe, factor)
        _, bands, channels, samples = data.x.shape
        shape = Shape(bands, channels, samples, len(names), context.preprocessing.rate_hz / factor)

        def first() -> nn.Module:
            network = built(module, shape)
            return start(network) if start else network

        core, note = train(first, data, recipe, context.progress)
        network = nn.Sequential(Front(_tensor(_white(windows, recipe)), factor), core).eval()
        trained = TrainedNetwork(network, names)
        state = _state(core)
        arrays = {"onnx": exported(trained, windows), **state}
        weights = channel_shares(network, windows)
    return FittedDecoder(trained, names, arrays, weights, (*([start.note] if start else []), note))


def _white(windows: FloatArray, recipe: Recipe) -> FloatArray:
    """The matrices by which a session's channels are multiplied."""
    covariance = alignment.mean_covariance(windows)
    return alignment.whitening(covariance) if recipe.align else alignment.scaling(covariance)


def _aligned(
    windows: FloatArray,
    codes: npt.NDArray[np.int64],
    names: tuple[str, ...],
    people: npt.NDArray[np.int64],
    context: TrainingContext,
    recipe: Recipe,
    factor: int,
) -> TrainingWindows:
    """All windows as the network sees them, each person's aligned by themselves, and their mirror images."""
    device = chosen_device(recipe.device)
    columns = mirrored_columns(context.preprocessing.labels) if recipe.reflect else None
    other = mirrored_classes(names) if recipe.reflect else None
    fronts = {int(who): Front(_tensor(_white(windows[people == who], recipe)), factor) for who in np.unique(people)}

    def seen(given: FloatArray) -> Tensor:
        parts = [fronts[int(who)](_tensor(given[people == who])) for who in np.unique(people)]
        order = np.argsort(np.concatenate([np.flatnonzero(people == who) for who in np.unique(people)]))
        return torch.cat(parts)[torch.from_numpy(order)].to(device)

    mirror = columns is not None and other is not None
    return TrainingWindows(
        seen(windows),
        seen(windows[..., columns]) if mirror else None,
        codes,
        np.asarray(other)[codes] if mirror else codes,
        context.trials,
        people,
    )


def _tensor(array: npt.ArrayLike) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _state(core: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """The trained weights as arrays, for whoever goes on training from them."""
    floats = {name: value for name, value in core.state_dict().items() if value.is_floating_point()}
    found = {STATE + name: value.detach().cpu().numpy() for name, value in floats.items()}
    broken = [name for name, array in found.items() if not np.isfinite(array).all()]
    if broken:
        raise TrainingError(f"training diverged: {', '.join(broken)} are not finite; lower decoder.settings.learning_rate")
    return found
