"""The outcomes of a decoder for a whole recording, on the virtual clock, and the verification of a live session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bci.api.decoders import Decoder
from bci.api.recordings import Recording
from bci.engine.chunk import FloatArray
from bci.engine.outcome import Reason, fields
from bci.model.beside import find_model
from bci.model.header import check_stream
from bci.replay.recorded_session import read_session
from bci.replay.replay import Verification
from bci.replay.replay import decode as decode_signal
from bci.replay.replay import verify as verify_session
from bci.settings import SessionConfig
from bci.training.marked import bad_marks_in

if TYPE_CHECKING:
    import pandas

NOTHING = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Outcomes:
    """One row for each window, in order.

    Parameters
    ----------
    rows : ndarray, shape (n_windows, n_columns)
        As they go over the wire (docs/streams.md).
    columns : tuple of str
    classes : tuple of str
    """

    rows: FloatArray
    columns: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def stamps(self) -> FloatArray:
        """Time of the newest sample of each window, in seconds on the clock of the EEG stream, shape (n_windows,)."""
        return self._column("stamp")

    @property
    def decisions(self) -> list[str]:
        """Decided class of each window; empty if nothing was decided."""
        return [self.classes[int(i)] if i >= 0 else NOTHING for i in self._column("decision")]

    @property
    def reasons(self) -> list[str]:
        """Why a window has no decision, for instance ``"refill"`` or ``"quality"``; ``"decided"`` if it has one."""
        return [Reason(int(i)).name.lower() for i in self._column("reason")]

    @property
    def probabilities(self) -> FloatArray:
        """Probabilities of each window alone, shape (n_windows, n_classes); NaN if it was not decoded."""
        first = self.columns.index(f"p:{self.classes[0]}")
        return self.rows[:, first : first + len(self.classes)]

    def to_frame(self) -> pandas.DataFrame:
        """A table with a row for each window: its columns by name, ``reason`` and ``decision`` in words."""
        import pandas

        frame = pandas.DataFrame(self.rows, columns=list(self.columns))
        return frame.assign(reason=self.reasons, decision=self.decisions)

    def _column(self, name: str) -> FloatArray:
        return self.rows[:, self.columns.index(name)]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        decided = [name for name in self.decisions if name]
        counts = ", ".join(f"{decided.count(name)} {name}" for name in self.classes)
        return f"<Outcomes {len(self)} windows, {len(decided)} decisions: {counts}>"

    def _repr_html_(self) -> Any:
        return self.to_frame()._repr_html_()


def decode(recording: Recording, decoder: Decoder, config: SessionConfig | None = None) -> Outcomes:
    """Decode a recording as it would have been decoded live, by the engine on the virtual clock.

    Parameters
    ----------
    recording : Recording
    decoder : Decoder
        Fitted (:func:`bci.fit`) or loaded (:func:`bci.load_model`).
    config : SessionConfig, optional
        Sections ``decision``, ``quality``, ``continuity``, ``recentre`` and ``rebias``; those of the recording where it is not
        given.

    Returns
    -------
    Outcomes

    Raises
    ------
    bci.errors.StreamMismatch
        If the recording is not of the kind that the decoder was fitted to; names every difference.
    """
    header, signal = decoder.model.header, recording.eeg
    check_stream(header, signal.info)
    raw = signal.chunk()
    settings = (config or recording.config).engine_settings(header.decision)
    rows = decode_signal(signal.info, raw.data, raw.stamps, decoder.model, settings, bad_marks_in(signal))
    names = fields(len(header.preprocessing.labels), header.classes, header.preprocessing.partly)
    return Outcomes(np.array(rows).reshape(-1, len(names)), names, header.classes)


def verify(path: Path | str, models: Sequence[Path | str] = ()) -> Verification:
    """Run a recorded live session again, and compare every outcome bit for bit.

    Parameters
    ----------
    path : Path or str
        The session's recording.
    models : sequence of Path or str
        Model files, where they do not lie beside the recording.

    Returns
    -------
    Verification
        ``ok`` says whether everything was reproduced and nothing is missing.

    Raises
    ------
    bci.errors.VerificationError
        If the file holds no session that can be run again.
    """
    given = [Path(one) for one in models]
    return verify_session(read_session(Path(path)), lambda sha256: find_model(Path(path), sha256, given))
