"""Train a model from a library and the newcomer's recordings, if there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bci.engine.stream_info import StreamInfo
from bci.errors import TrainingError
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.alignment import covariances
from bci.training.epochs import Epochs, impute_bad_channels, join
from bci.training.labelled import LabelledRun
from bci.training.left_out import leave_out
from bci.training.resolved import ResolvedDecoder, resolve_decoder
from bci.training.train import Trained, run_epochs
from bci.transfer.adapted_prior import AdaptedPrior, adapt_prior, held_out_correct, learn_prior, strength_for
from bci.transfer.library import Library, shared_labels
from bci.transfer.prior_regression import fitted_model


@dataclass(frozen=True, slots=True, eq=False)
class HeadStart:
    """A model with a head start, and its held-out result.

    Parameters
    ----------
    trained : Trained
        To be written with :func:`bci.training.train.write_model`.
    start : AdaptedPrior
    donors : tuple of str
        Sessions that took part.
    correct : int
        Own trials that were decoded rightly while held out; of as many as ``trained.epochs`` holds.
    """

    trained: Trained
    adapt_prior: AdaptedPrior
    donors: tuple[str, ...]
    correct: int


def head_start(
    library: Library,
    runs: Sequence[LabelledRun],
    info: StreamInfo,
    config: SessionConfig,
    *,
    classes: Sequence[str] = (),
    exclude: str = "",
    metric: str = "riemannian",
    progress: Progress = silent,
) -> HeadStart:
    """Train a decoder for a newcomer from a library and the newcomer's trials so far.

    Parameters
    ----------
    library : Library
    runs : sequence of LabelledRun
        The newcomer's recordings; none for what the others have in common.
    info : StreamInfo
        The newcomer's stream.
    config : SessionConfig
        Sections ``preprocessing``, ``trial`` and ``quality``. Of its channels those are used that all sessions
        share; the decoder is tangent space with the configured bands.
    classes : sequence of str
        What the newcomer is to do; those of the cues where omitted, and those of the first session without any.
    exclude : str
        The newcomer's own pseudonym: sessions under it are no donors.
    metric : {"riemannian", "euclidean"}
        Of the recentring.
    progress : callable

    Returns
    -------
    HeadStart

    Raises
    ------
    TrainingError
        If no session fits.
    """
    config = config.model_copy(update={"decoder": config.decoder.model_copy(update={"name": "ts-lr", "settings": {}})})
    left = leave_out(runs, config, progress)
    config = left.config
    labels = config.preprocessing.build(info.rate_hz, info.eeg_labels(config.preprocessing.channels)).labels
    own_classes = tuple(classes) or tuple(sorted({cue.class_ for run in runs for cue in run.cues}))
    entries = library.useful(labels, own_classes, exclude)
    if entries and not own_classes:
        own_classes = tuple(sorted(entries[0].trials))
        entries = library.useful(labels, own_classes, exclude)
    if not entries:
        there = "; ".join(f"{e.name}: {', '.join(e.trials)}, {len(e.labels)} channels" for e in library.entries) or "nothing"
        raise TrainingError(
            f"{library.path}: no session of somebody else has the classes {', '.join(own_classes) or '(any)'} and half of the "
            f"channels {', '.join(labels)}; it holds {there}. Name classes and channels alike, or add sessions."
        )
    shared = shared_labels(labels, entries)
    chosen = config.model_copy(update={"preprocessing": config.preprocessing.model_copy(update={"channels": shared})})
    decoder = resolve_decoder(info, chosen)
    preprocessing = decoder.preprocessing
    prior = learn_prior(library.donors(entries, preprocessing, chosen, own_classes, progress), metric)
    epochs = _own(runs, decoder, chosen, progress)
    progress("fitting", 0.0)
    matrices = covariances(epochs.windows) if len(epochs.labels) else np.zeros((0, *prior.mean.shape))
    counts = {name: int((epochs.labels == name).sum()) for name in prior.classes}
    strength = strength_for(prior, max(1, min(counts.values()))) if len(epochs.labels) else np.inf
    found = adapt_prior(prior, matrices, epochs.labels, strength)
    correct = held_out_correct(prior, matrices, epochs.labels, strength)
    model = fitted_model(prior, found, preprocessing, counts)
    model = replace(model, notes=(*model.notes, *left.why.values()))
    trained = Trained(model, epochs, info, tuple(run.sha256 for run in runs), decoder)
    return HeadStart(trained, found, prior.names, correct)


def _own(runs: Sequence[LabelledRun], decoder: ResolvedDecoder, config: SessionConfig, progress: Progress) -> Epochs:
    """The newcomer's trials; none where there are no recordings."""
    p = decoder.preprocessing
    if not runs:
        n = len(p.labels)
        none = np.zeros(0, dtype=np.int64)
        return Epochs(np.zeros((0, len(p.bands), p.window, n)), none.astype(np.str_), none, np.zeros((0, n), dtype=np.bool_))
    parts = [run_epochs(run, decoder, config, progress) for run in runs]
    numbered = [replace(part, runs=np.full(len(part.labels), i)) for i, part in enumerate(parts)]
    return impute_bad_channels(join(numbered), p.labels)
