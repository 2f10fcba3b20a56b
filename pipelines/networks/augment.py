"""More trials than were recorded: mirrored heads, and trials put together from parts of others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bci.engine.stream_info import canonical

SEGMENTS = 8
SHARE = 0.5
"""Of the windows of a batch, those that are mirrored, and those that are recombined."""
PLACE = re.compile("(n|fp|aff?|f|fft?|ffc|ftt?|fcc?|t|ttp|c|ccp|tpp?|cpp?|p|ppo?|poo?|o|oi|i|a|m)(z|[0-9]{1,2})(h?)")
SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))


def mirrored_channel(label: str) -> str | None:
    """The electrode on the other side: odd numbers are left, even ones right; None for a name that is no place on the head.

    Oostenveld, Praamstra 2001 (Clinical Neurophysiology 112, 713): the 10-20 system and its extensions.

    Parameters
    ----------
    label : str
        Of an electrode.

    Returns
    -------
    str or None

    Examples
    --------
    >>> mirrored_channel("C3"), mirrored_channel("Cz"), mirrored_channel("FC10"), mirrored_channel("E7")
    ('c4', 'cz', 'fc9', None)
    """
    name = canonical(label)
    found = PLACE.fullmatch(name)
    if not found:
        return None
    if found[2] == "z":
        return name
    number = int(found[2])
    return f"{found[1]}{number + 1 if number % 2 else number - 1}{found[3]}"


def mirrored_columns(labels: Sequence[str]) -> list[int] | None:
    """For each channel the column that takes its place in the mirror; None where the montage has no mirror image.

    Parameters
    ----------
    labels : sequence of str
        Channels.

    Returns
    -------
    list of int or None

    Examples
    --------
    >>> mirrored_columns(["C3", "Cz", "C4"])
    [2, 1, 0]
    >>> mirrored_columns(["C3", "Cz"]) is None
    True
    """
    known = [canonical(x) for x in labels]
    wanted = [mirrored_channel(x) for x in labels]
    if wanted == known or not set(wanted) <= set(known):
        return None
    return [known.index(w) for w in wanted if w is not None]


def mirrored_classes(classes: Sequence[str]) -> list[int] | None:
    """For each class the one that it is in the mirror; None where left or right lacks its counterpart.

    Parameters
    ----------
    classes : sequence of str
        Class names, in the order of the probabilities.

    Returns
    -------
    list of int or None

    Examples
    --------
    >>> mirrored_classes(["feet", "left_hand", "right_hand"])
    [0, 2, 1]
    >>> mirrored_classes(["rest", "right"]) is None
    True
    """
    swapped = [_other_side(name) for name in classes]
    if swapped == list(classes) or not set(swapped) <= set(classes):
        return None
    return [list(classes).index(name) for name in swapped]


def _other_side(name: str) -> str:
    for left, right in SIDES:
        if left in name:
            return name.replace(left, right)
        if right in name:
            return name.replace(right, left)
    return name


def recombined(x: Tensor, codes: npt.NDArray[np.int64], rng: np.random.Generator) -> Tensor:
    """Some windows of a batch put together from segments of others of their class, each at its own place in time.

    Lotte 2015 (Proceedings of the IEEE 103(6), 871), section III.A; in EEG Conformer and CTNet with eight segments.

    Parameters
    ----------
    x : Tensor, shape (n, n_bands, n_channels, n_samples)
    codes : ndarray of int, shape (n,)
    rng : numpy.random.Generator

    Returns
    -------
    Tensor
        A new one.
    """
    n, samples = len(codes), x.shape[3]
    source = np.tile(np.arange(n), (SEGMENTS, 1))
    chosen = rng.random(n) < SHARE
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        into = np.flatnonzero((codes == code) & chosen)
        source[:, into] = rng.choice(own, size=(SEGMENTS, len(into)))
    edges = np.linspace(0, samples, SEGMENTS + 1).round().astype(int)
    places = torch.from_numpy(source).to(x.device)
    return torch.cat([x[places[k], :, :, a:b] for k, (a, b) in enumerate(pairwise(edges))], dim=3)
