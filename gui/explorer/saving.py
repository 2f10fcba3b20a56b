"""What the explorer saves for ``bci train``, and how it describes its recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gui.explorer.selection import Selection, toml_of
from gui.explorer.values import ClassDifferences, Estimate, ExplorerRecordings, JudgedSelection
from gui.sanitise import recording_name, sanitise

HEAD = """Selected in the feature explorer, by looking at the trials of {recordings}.
Cross-validated on the same trials: {accuracy}. This is too optimistic, because these trials were looked at to select."""
LONGEST_NAMES = 80


def names_of(recordings: Sequence[Path]) -> str:
    """Return the file names of recordings in one line.

    Parameters
    ----------
    recordings : sequence of Path
    """
    return ", ".join(sanitise(path.name, LONGEST_NAMES) for path in recordings)


def accuracy_words(own: Estimate | None) -> str:
    """Return the accuracy of a selection, for the head of its file.

    Parameters
    ----------
    own : Estimate or None
        None: it was not judged yet.
    """
    return f"{100 * own.accuracy:.0f} % right of {own.n}" if own is not None else "not yet"


def configuration_text(opened: ExplorerRecordings, selection: Selection, judged: Sequence[JudgedSelection]) -> str:
    """Return a selection as a configuration file for ``bci train --config``.

    Parameters
    ----------
    opened : ExplorerRecordings
    selection : Selection
    judged : sequence of JudgedSelection
        The accuracy of the selection is taken from here, if it is among them.

    Raises
    ------
    ConfigError
        If there is no such decoder, or its settings are not for it.
    """
    own = next((one.own for one in judged if one.selection == selection), None)
    config, _ = selection.configured(opened.config, opened.info)
    return toml_of(config, HEAD.format(recordings=names_of(opened.recordings), accuracy=accuracy_words(own)))


def training_command(opened: ExplorerRecordings, path: Path) -> str:
    """Return the command that trains what was saved.

    Parameters
    ----------
    opened : ExplorerRecordings
        The open recordings.
    path : Path
    """
    return f"bci train {names_of(opened.recordings)} --config {sanitise(path, 200)} -o model.safetensors"


def facts(opened: ExplorerRecordings, look: ClassDifferences | None) -> str:
    """Return recordings, trials of each class and notes in one line.

    Parameters
    ----------
    opened : ExplorerRecordings
        The open recordings.
    look : ClassDifferences or None
        The analysis of the trials.
    """
    trials = ", ".join(f"{n} {sanitise(c, 24)}" for c, n in opened.counts.items())
    left = f"; {look.left_out} incomplete trials left out" if look is not None and look.left_out else ""
    names = sanitise(", ".join(map(recording_name, opened.recordings)), LONGEST_NAMES)
    notes = "".join(f"; {sanitise(note, 200)}" for note in opened.notes[:2])
    return f"{names}: {trials}{left}{notes}"
