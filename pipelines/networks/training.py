"""Train a network on aligned windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bci.progress import Enough, Progress
from pipelines.networks.augment import SHARE, recombined
from pipelines.networks.layers import constrain
from pipelines.networks.recipe import Recipe
from pipelines.networks.stopping import GO_ON, Patience, set_aside

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingWindows:
    """The data on which a network is trained.

    Parameters
    ----------
    x : Tensor, shape (n, n_bands, n_channels, n_samples)
        Aligned and decimated.
    mirrored : Tensor or None
        The same of the mirrored heads; None where there is no mirror.
    codes, mirrored_codes : ndarray of int, shape (n,)
        Class of each, and of its mirror image.
    trials, people : ndarray of int, shape (n,)
    """

    x: Tensor
    mirrored: Tensor | None
    codes: IntArray
    mirrored_codes: IntArray
    trials: IntArray
    people: IntArray

    def __len__(self) -> int:
        return len(self.codes)


def chosen_device(name: str) -> torch.device:
    """The device of this name; the GPU where one is present, for ``auto``.

    Parameters
    ----------
    name : str
        ``auto``, or a device of torch.

    Returns
    -------
    torch.device
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, and random numbers of our own: the same seed gives the same network."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)


def train(build: Callable[[], nn.Module], windows: TrainingWindows, recipe: Recipe, progress: Progress) -> tuple[nn.Module, str]:
    """Build and train a network as :mod:`pipelines.networks.stopping` says.

    Parameters
    ----------
    build : callable
        Gives a network with its first weights.
    windows : TrainingWindows
    recipe : Recipe
    progress : callable
        Told after each epoch; where it raises :class:`~bci.progress.Enough`, the best so far is kept.

    Returns
    -------
    network : torch.nn.Module
        On the processor, in evaluation mode.
    note : str
        How long it was trained, and why.
    """
    run = TrainingRun(build, windows, recipe)
    if not run.trainable:
        return run.finished(), "not trained"
    everything = np.arange(len(windows))
    aside = set_aside(windows.codes, windows.trials, windows.people, recipe.validation)
    if not aside.any():
        run.go(everything, recipe.fixed_epochs, lambda done: progress("training", done))
        return run.finished(), f"trained for {recipe.fixed_epochs} epochs, fixed: too few trials to set some aside"
    judged = thinned(np.flatnonzero(aside), windows.trials)
    epochs, ended = run.until(np.flatnonzero(~aside), judged, lambda done: progress("training", 0.8 * done))
    trials = len(np.unique(windows.trials[aside]))
    note = f"trained for {epochs} epochs: the loss over {trials} trials set aside was lowest there ({recipe.rule})"
    if ended:
        return run.finished(), f"{note}; somebody ended the training, so those trials were not used"
    more = max(1, round(GO_ON * epochs))
    run.go(everything, more, lambda done: progress("training on all trials", 0.8 + 0.2 * done))
    return run.finished(), f"{note}; then {more} with all trials"


class TrainingRun:
    """One network being trained.

    Parameters
    ----------
    build : callable
    windows : TrainingWindows
    recipe : Recipe
    """

    def __init__(self, build: Callable[[], nn.Module], windows: TrainingWindows, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self._rng = np.random.default_rng(recipe.seed)
        self._windows, self._recipe = windows, recipe
        self._network = build().to(windows.x.device)
        self._weights = torch.tensor(class_weights(windows), dtype=torch.float32, device=windows.x.device)
        trained = [p for p in self._network.parameters() if p.requires_grad]
        self.trainable = bool(trained)
        if trained:
            self._optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)

    def go(self, which: IntArray, epochs: int, told: Callable[[float], None]) -> None:
        """Train on these windows for so many epochs.

        Parameters
        ----------
        which : ndarray of int
            Places of the windows.
        epochs : int
            How often all trials are seen.
        told : callable
            Told what is being done and the share done, 0 to 1.
        """
        try:
            for epoch in range(epochs):
                told(epoch / epochs)
                self._epoch(which)
        except Enough:
            return

    def until(self, which: IntArray, aside: IntArray, told: Callable[[float], None]) -> tuple[int, bool]:
        """Train until the loss over the windows set aside has stopped falling; the network goes back to where it was lowest.

        Parameters
        ----------
        which : ndarray of int
            Places of the windows.
        aside : ndarray of int
            Windows that say when to stop.
        told : callable
            Told what is being done and the share done, 0 to 1.

        Returns
        -------
        epochs : int
            After which it was.
        ended : bool
            Whether training was ended from outside.
        """
        patience = Patience(self._recipe.patience)
        best: dict[str, Any] = {}
        ended = False
        for epoch in range(1, self._recipe.epochs + 1):
            try:
                told(epoch / self._recipe.epochs)
            except Enough:
                ended = True
                break
            self._epoch(which)
            if patience.improved(epoch, self._loss_over(aside)):
                best = {name: value.clone() for name, value in self._network.state_dict().items()}
            if patience.over(epoch):
                break
        if best:
            self._network.load_state_dict(best)
        return max(1, patience.best), ended

    def finished(self) -> nn.Module:
        """The network, on the processor and in evaluation mode."""
        return self._network.cpu().eval()

    def _epoch(self, which: IntArray) -> None:
        """One window of each trial, at a place in the trial that changes from epoch to epoch."""
        self._network.train()
        _keep_frozen(self._network)
        chosen = one_of_each(which, self._windows.trials, self._rng)
        for batch in np.array_split(chosen, max(1, round(len(chosen) / self._recipe.batch))):
            x, codes = self._augmented(batch)
            self._optimiser.zero_grad()
            loss = F.cross_entropy(self._network(x), torch.from_numpy(codes).to(x.device), weight=self._weights)
            loss.backward()
            self._optimiser.step()
            constrain(self._network)

    def _augmented(self, batch: IntArray) -> tuple[Tensor, IntArray]:
        """Windows and classes of a batch, some mirrored, some recombined."""
        w, places = self._windows, torch.from_numpy(batch).to(self._windows.x.device)
        x, codes = w.x[places], w.codes[batch]
        if w.mirrored is not None:
            flip = self._rng.random(len(batch)) < SHARE
            mask = torch.from_numpy(flip).to(x.device)[:, None, None, None]
            x, codes = torch.where(mask, w.mirrored[places], x), np.where(flip, w.mirrored_codes[batch], codes)
        return (recombined(x, codes, self._rng) if self._recipe.recombine else x), codes

    @torch.inference_mode()
    def _loss_over(self, which: IntArray) -> float:
        """Mean loss over some windows, each class counting the same."""
        self._network.eval()
        device = self._windows.x.device
        codes = torch.from_numpy(self._windows.codes[which]).to(device)
        scores = torch.cat([self._network(self._windows.x[torch.from_numpy(p).to(device)]) for p in batches(which)])
        return float(F.cross_entropy(scores, codes, weight=self._weights))


def class_weights(windows: TrainingWindows) -> npt.NDArray[np.float64]:
    """What a trial of each class counts, so that all classes count the same; 1 on average.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV.

    Returns
    -------
    ndarray
    """
    _, first = np.unique(windows.trials, return_index=True)
    counts = np.bincount(windows.codes[first], minlength=int(windows.codes.max()) + 1)
    weights: npt.NDArray[np.float64] = counts.sum() / (np.maximum(counts, 1) * np.count_nonzero(counts))
    return weights


def one_of_each(which: IntArray, trials: IntArray, rng: np.random.Generator) -> IntArray:
    """One window of each trial in random order, so that a trial with more windows counts no more than another.

    Parameters
    ----------
    which : ndarray of int
        Places of the windows.
    trials : ndarray of int, shape (n_windows,)
        Trial of each window.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int
    """
    shuffled = rng.permutation(which)
    _, first = np.unique(trials[shuffled], return_index=True)
    return rng.permutation(shuffled[first])


def thinned(which: IntArray, trials: IntArray, most: int = 3) -> IntArray:
    """At most a number of windows of each trial, spread from its beginning to its end, because neighbours are alike.

    Parameters
    ----------
    which : ndarray of int
        Places of the windows.
    trials : ndarray of int, shape (n_windows,)
        Trial of each window.
    most : int
        Windows of each trial.

    Returns
    -------
    ndarray of int
    """
    places = [which[trials[which] == trial] for trial in np.unique(trials[which])]
    return np.concatenate([own[np.unique(np.linspace(0, len(own) - 1, most).round().astype(int))] for own in places])


def _keep_frozen(network: nn.Module) -> None:
    """Layers that are not trained stay in evaluation mode, or their batch norms would follow the new data."""
    for layer in network.modules():
        own = list(layer.parameters())
        if own and not any(p.requires_grad for p in own):
            layer.eval()


def batches(which: IntArray, size: int = 128) -> list[IntArray]:
    """Split windows into parts that fit into memory.

    Parameters
    ----------
    which : ndarray of int
        Places of the windows.
    size : int
        Windows in a part.

    Returns
    -------
    list of ndarray of int
    """
    return np.array_split(which, max(1, -(-len(which) // size)))
