"""Networks by their import path, ours and those of a user. Only training imports them; loading a model never does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn

from bci.errors import ConfigError
from pipelines.networks.shape import Shape

WHERE = "decoder.settings.module"


def imported(path: str) -> Any:
    """Import what a path names, ``package.module:Class``; the current folder is searched too.

    Parameters
    ----------
    path : str
        ``package.module:Class``.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        If there is nothing.
    """
    module, _, name = path.partition(":")
    if not module or not name:
        raise ConfigError(f"{WHERE} = {path!r}: give the network as package.module:Class")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{WHERE} = {path!r}: {error}; give package.module:Class of something that can be imported") from error


def built(path: str, shape: Shape) -> nn.Module:
    """A network for windows of this shape.

    Arguments are given by name: ``shape`` for a network that takes windows (n, bands, channels, samples); else ``n_chans``,
    ``n_outputs``, ``n_times`` and ``sfreq``, as braindecode names them, for one that takes (n, bands * channels, samples).

    Parameters
    ----------
    path : str
        ``package.module:Class``.
    shape : Shape

    Returns
    -------
    nn.Module

    Raises
    ------
    ConfigError
        If it asks for something else, is no ``torch.nn.Module``, or does not give one score for each class.
    """
    make: Callable[..., nn.Module] = imported(path)
    known = {
        "shape": shape,
        "n_chans": shape.rows,
        "n_outputs": shape.classes,
        "n_times": shape.samples,
        "sfreq": shape.rate_hz,
    }
    asked = _arguments(make, path)
    missing = [p.name for p in asked.values() if _must(p) and p.name not in known]
    if missing:
        raise ConfigError(f"{WHERE} = {path!r} asks for {', '.join(missing)}; what is given by name is {', '.join(known)}")
    network = make(**{name: value for name, value in known.items() if name in asked})
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{WHERE} = {path!r}: is a {type(network).__name__}, must be a torch.nn.Module")
    whole = network if "shape" in asked else Rows(network)
    _check(whole, shape, path)
    return whole


def _arguments(make: Callable[..., Any], path: str) -> Mapping[str, Parameter]:
    """Arguments that a network is built with, by name."""
    try:
        return signature(make).parameters
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{WHERE} = {path!r}: {error}; must be a torch.nn.Module") from error


def _must(parameter: Parameter) -> bool:
    """Whether a call cannot do without this argument."""
    return parameter.default is Parameter.empty and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def _check(network: nn.Module, shape: Shape, path: str) -> None:
    """One score for each class."""
    network.eval()
    with torch.no_grad():
        found = network(torch.zeros(2, shape.bands, shape.channels, shape.samples))
    if not isinstance(found, Tensor) or found.shape != (2, shape.classes):
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ConfigError(f"{WHERE} = {path!r}: gives {what} for 2 windows, must be a score for each of {shape.classes} classes")


class Rows(nn.Module):
    """A network that knows of no bands: they are more channels to it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of aligned windows (n, bands, channels, samples).

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        found: Tensor = self.network(x.flatten(1, 2))
        return found


def head_of(network: nn.Module) -> nn.Module:
    """The layer that a linear probe trains: ``head``, or the last one that has weights.

    Parameters
    ----------
    network : nn.Module

    Returns
    -------
    nn.Module
    """
    named = getattr(network, "head", None)
    if isinstance(named, nn.Module):
        return named
    return [layer for layer in network.modules() if list(layer.parameters(recurse=False))][-1]
