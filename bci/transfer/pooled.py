"""One decoder that is trained on the sessions of many people, from which a network starts for a new person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bci.engine.preprocessing import Preprocessing
from bci.errors import TrainingError
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.epochs import Epochs, impute_bad_channels, join
from bci.training.extraction import earlier_ends, extract_epochs
from bci.training.fit import fit_decoder
from bci.training.resolved import resolve_decoder
from bci.training.train import Trained
from bci.transfer.library import Library, shared_labels
from bci.transfer.session_folder import Entry

SAME_RATE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """A decoder that was trained on many people.

    Parameters
    ----------
    trained : Trained
        To be written with :func:`bci.training.train.write_model`.
    sessions : tuple of str
        Those that took part.
    """

    trained: Trained
    sessions: tuple[str, ...]


def pool(
    library: Library, config: SessionConfig, *, classes: Sequence[str] = (), exclude: str = "", progress: Progress = silent
) -> Pooled:
    """Train the configured decoder on all sessions of a library together.

    Each session is told apart, so that a decoder can align each by itself, and hold out people rather than trials.

    Parameters
    ----------
    library : Library
    config : SessionConfig
        Sections ``preprocessing``, ``decoder`` and ``quality``. Channels are those that all sessions share.
    classes : sequence of str
        Classes to tell apart; those of the first session where omitted.
    exclude : str
        Pseudonym whose sessions are left out.
    progress : callable

    Returns
    -------
    Pooled

    Raises
    ------
    TrainingError
        If no session fits.
    """
    info = library.info()
    wanted = tuple(classes) or tuple(sorted(library.entries[0].trials))
    labels = config.preprocessing.build(info.rate_hz, info.eeg_labels(config.preprocessing.channels)).labels
    useful = library.useful(labels, wanted, exclude)
    entries = [e for e in useful if abs(e.rate_hz - info.rate_hz) <= SAME_RATE * info.rate_hz]
    if not entries:
        raise TrainingError(
            f"{library.path}: no session has the classes {', '.join(wanted)}, half of the channels {', '.join(labels)} and "
            f"{info.rate_hz:g} Hz. Name classes and channels alike, or add sessions."
        )
    shared = shared_labels(labels, entries)
    chosen = config.model_copy(update={"preprocessing": config.preprocessing.model_copy(update={"channels": shared})})
    decoder = resolve_decoder(info, chosen)
    p = decoder.preprocessing
    parts, recordings = [], []
    for number, entry in enumerate(entries):
        progress(f"cutting {entry.name}", number / len(entries))
        parts.append(_cut(library, entry, p, chosen, wanted, number))
        recordings += sorted(entry.recordings.values())
    epochs = join(parts)
    windows, names, trials = epochs.sliding()
    model = fit_decoder(decoder.family, windows, names, p, trials=trials, people=epochs.runs[trials], progress=progress)
    left_out = len(useful) - len(entries)
    notes = (f"trained on {len(entries)} sessions of other people", *_rate_note(left_out, info.rate_hz), *model.notes)
    return Pooled(Trained(replace(model, notes=notes), epochs, info, tuple(recordings), decoder), tuple(e.name for e in entries))


def _cut(library: Library, entry: Entry, p: Preprocessing, config: SessionConfig, classes: Sequence[str], number: int) -> Epochs:
    """One session's trials of these classes; ``runs`` says whose they are."""
    start_s, stop_s = entry.note.trial_s
    earlier_s = earlier_ends(p, start_s, stop_s)
    parts = []
    for run in library.runs(entry):
        cues = [cue for cue in run.cues if cue.class_ in classes]
        parts.append(
            extract_epochs(run.info, run.raw, cues, p, stop_s, number, config.front(), earlier_s=earlier_s, marked=run.marked)
        )
    return impute_bad_channels(join(parts), p.labels)


def _rate_note(left_out: int, rate_hz: float) -> tuple[str, ...]:
    return (f"{left_out} sessions left out: not recorded at {rate_hz:g} Hz",) if left_out else ()
