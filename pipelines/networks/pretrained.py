"""Start from a network that was trained on others: its weights, out of a model file, and which of them to train.

Every model file of a network holds its weights as plain arrays beside the graph that runs, so any of them can be a start.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import canonical
from bci.errors import ConfigError
from bci.model.file import KERNEL_PREFIX, read_model
from bci.model.header import ModelHeader
from pipelines.networks.building import head_of
from pipelines.networks.recipe import Recipe

STATE = "state."
WHERE = "decoder.settings.pretrained"


class PretrainedWeights:
    """Weights to start from.

    Parameters
    ----------
    name : str
        Of the decoder.
    classes : tuple of str
        Of the newcomer. With others than the file's, the last layer starts anew.
    preprocessing : Preprocessing
        Of the newcomer.
    recipe : Recipe

    Raises
    ------
    ConfigError
        If the file is of another network, or of windows that were made otherwise.
    """

    def __init__(self, name: str, classes: tuple[str, ...], preprocessing: Preprocessing, recipe: Recipe) -> None:
        self._path, self._way = recipe.pretrained, recipe.fine_tune
        header, arrays, self._sha256 = read_model(recipe.pretrained)
        self._same_classes = header.classes == classes
        self._refuse(header, name, classes, preprocessing)
        prefix = KERNEL_PREFIX + STATE
        self._state = {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}

    def __call__(self, network: nn.Module) -> nn.Module:
        """The network with these weights; those that are not to be trained are frozen."""
        own = network.state_dict()
        last = {id(p) for p in head_of(network).parameters()}
        fresh = () if self._same_classes else tuple(n for n, p in network.named_parameters() if id(p) in last)
        given = {name: torch.from_numpy(np.array(array)) for name, array in self._state.items() if name not in fresh}
        wanted = {n for n, value in own.items() if n not in fresh and value.is_floating_point()}
        misfits = sorted(wanted ^ set(given)) or [n for n in given if given[n].shape != own[n].shape]
        if misfits:
            raise ConfigError(f"{WHERE} = {self._path!r}: it holds weights of a network of another form ({misfits[0]})")
        network.load_state_dict({**own, **given})
        if self._way != "full":
            for parameter in network.parameters():
                parameter.requires_grad_(self._way == "probe" and id(parameter) in last)
        return network

    @property
    def note(self) -> str:
        """Which model the weights come from, and which layers are trained further."""
        ways = {
            "full": "all layers are trained further",
            "probe": "only its last layer is trained",
            "frozen": "it is not trained further",
        }
        return f"started from {self._path} (SHA-256 {self._sha256[:12]}), {ways[self._way]}"

    def _refuse(self, header: ModelHeader, name: str, classes: tuple[str, ...], wanted: Preprocessing) -> None:
        given, problems = header.preprocessing, []
        if header.decoder != name:
            problems.append(f"is a {header.decoder}, not a {name}")
        if tuple(map(canonical, given.labels)) != tuple(map(canonical, wanted.labels)):
            problems.append(f"was trained on the channels {', '.join(given.labels)}, not {', '.join(wanted.labels)}")
        pairs = {what: (getattr(given, what), getattr(wanted, what)) for what in ("rate_hz", "window", "bands", "reference")}
        problems += [f"was trained with {what} = {old}, not {new}" for what, (old, new) in pairs.items() if old != new]
        if not self._same_classes and self._way == "frozen":
            problems.append(
                f"has the classes {', '.join(header.classes)}, not {', '.join(classes)}; with fine_tune = 'frozen' they "
                "must be the same"
            )
        if problems:
            raise ConfigError([f"{WHERE} = {self._path!r}: {problem}" for problem in problems])
