"""A head start: a decoder that learns from other people's calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bci.api.configuration import configure
from bci.api.decoders import Decoder, decoder_of
from bci.api.recordings import Recording, same_settings
from bci.settings import SessionConfig
from bci.transfer.library import Library
from bci.transfer.training import head_start


def add_to_library(
    library: Path | str, recordings: Recording | Sequence[Recording], subject: str, session: str = "S001"
) -> Library:
    """Copy one session's calibration into a library; the folder is created if it does not exist.

    Parameters
    ----------
    library : Path or str
        Folder of the library.
    recordings : Recording or sequence of Recording
        Of one session, in order.
    subject : str
        A pseudonym of letters and digits, never a name.
    session : str
        Letters and digits.

    Returns
    -------
    Library
        ``entries`` says what it holds.

    Raises
    ------
    bci.errors.ConfigError
        If this session is in the library already, or a name holds other characters.
    bci.errors.TrainingError
        If a recording holds no cue.
    """
    found, config = same_settings(recordings if isinstance(recordings, Recording) else list(recordings))
    return Library.scan(library).add([one.path for one in found], subject, session, config)


def fit_from_library(
    library: Path | str,
    recordings: Recording | Sequence[Recording] = (),
    config: SessionConfig | None = None,
    *,
    exclude: str = "",
) -> Decoder:
    """Fit a decoder to other people's calibrations, and to the person's own trials if there are some.

    Parameters
    ----------
    library : Path or str
        Folder of the library (:func:`bci.add_to_library`).
    recordings : Recording or sequence of Recording, optional
        Of the person, in order; none for a decoder for somebody who was never recorded.
    config : SessionConfig, optional
        The settings of the first recording where it is not given, and the defaults where there is none.
    exclude : str
        The person's own pseudonym, so that older sessions of the same person do not count as somebody else's.

    Returns
    -------
    Decoder
        In the tangent space, on the channels that all have in common.

    Raises
    ------
    bci.errors.RecordingError
        If the folder is no library, or a recording in it cannot be read.
    bci.errors.TrainingError
        If no session of somebody else has the same classes and enough of the channels.
    """
    given = [recordings] if isinstance(recordings, Recording) else list(recordings)
    used = config or (given[0].config if given else configure())
    opened, runs = Library.open(library), [one.labelled() for one in given]
    info = runs[0].info if runs else opened.info()
    return decoder_of(head_start(opened, runs, info, used, exclude=exclude).trained, used)
