"""One decoder trained on the sessions of many people: what a network starts from with somebody new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bci.engine.preprocessing import Preprocessing
from bci.errors import TrainingError
from bci.session.epochs import Epochs, cut, earlier_ends, filled, join
from bci.session.fit import fit_decoder, load_family
from bci.session.headstart.library import Entry, Library, shared_labels
from bci.session.progress import Progress, silent
from bci.session.training import Trained, preprocessing_for
from bci.settings import SessionConfig

SAME_RATE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """What was trained on many.

    Parameters
    ----------
    trained : Trained
        To be written with :func:`bci.session.training.write_model`.
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

    Raises
    ------
    TrainingError
        If no session fits.
    """
    info = library.info()
    wanted = tuple(classes) or tuple(sorted(library.entries[0].trials))
    labels = preprocessing_for(info, config).labels
    useful = library.useful(labels, wanted, exclude)
    entries = [e for e in useful if abs(e.rate_hz - info.rate_hz) <= SAME_RATE * info.rate_hz]
    if not entries:
        raise TrainingError(
            f"{library.path}: no session has the classes {', '.join(wanted)}, half of the channels {', '.join(labels)} and "
            f"{info.rate_hz:g} Hz. Name classes and channels alike, or add sessions."
        )
    shared = shared_labels(labels, entries)
    chosen = config.model_copy(update={"preprocessing": config.preprocessing.model_copy(update={"channels": shared})})
    p = preprocessing_for(info, chosen)
    parts, recordings = [], []
    for number, entry in enumerate(entries):
        progress(f"cutting {entry.name}", number / len(entries))
        parts.append(_cut(library, entry, p, chosen, wanted, number))
        recordings += sorted(entry.recordings.values())
    epochs = join(parts)
    windows, names, trials = epochs.sliding()
    family = load_family(config.decoder.name, config.decoder.settings)
    model = fit_decoder(family, windows, names, p, trials=trials, people=epochs.runs[trials], progress=progress)
    left_out = len(useful) - len(entries)
    notes = (f"trained on {len(entries)} sessions of other people", *_rate_note(left_out, info.rate_hz), *model.notes)
    return Pooled(Trained(replace(model, notes=notes), epochs, info, tuple(recordings)), tuple(e.name for e in entries))


def _cut(library: Library, entry: Entry, p: Preprocessing, config: SessionConfig, classes: Sequence[str], number: int) -> Epochs:
    """One session's trials of these classes; ``runs`` says whose they are."""
    start_s, stop_s = entry.note.trial_s
    earlier_s = earlier_ends(p, start_s, stop_s)
    parts = []
    for run in library.runs(entry):
        cues = [cue for cue in run.cues if cue.class_ in classes]
        parts.append(cut(run.info, run.raw, cues, p, stop_s, number, config.front(), earlier_s=earlier_s, marked=run.marked))
    return filled(join(parts), p.labels)


def _rate_note(left_out: int, rate_hz: float) -> tuple[str, ...]:
    return (f"{left_out} sessions left out: not recorded at {rate_hz:g} Hz",) if left_out else ()
