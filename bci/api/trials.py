"""Trials, cut exactly as in a live session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bci.api.recordings import Recording, html_table, same_settings
from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo
from bci.settings import SessionConfig
from bci.training.epochs import Epochs, impute_bad_channels, join
from bci.training.labelled import LabelledRun
from bci.training.resolved import resolve_decoder
from bci.training.train import run_epochs

if TYPE_CHECKING:
    import mne


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrialEpochs:
    """The trials of one or more recordings, filtered causally and referenced as in a live session.

    Parameters
    ----------
    epochs : Epochs
    preprocessing : Preprocessing
        Channels, bands, filters and window.
    info : StreamInfo
        Of the first recording.
    runs : tuple of LabelledRun
    config : SessionConfig
    """

    epochs: Epochs
    preprocessing: Preprocessing
    info: StreamInfo
    runs: tuple[LabelledRun, ...]
    config: SessionConfig

    @property
    def windows(self) -> FloatArray:
        """Windows in µV for training a decoder family, shape (n_trials, n_bands, n_samples, n_channels)."""
        return self.epochs.windows

    @property
    def X(self) -> FloatArray:
        """Windows in µV for pyRiemann and scikit-learn, shape (n_trials, n_bands × n_channels, n_samples)."""
        n, bands, samples, channels = self.windows.shape
        return self.windows.transpose(0, 1, 3, 2).reshape(n, bands * channels, samples)

    @property
    def y(self) -> npt.NDArray[np.str_]:
        """Class of each trial."""
        return self.epochs.labels

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """Number of the recording of each trial, for cross-validation."""
        return self.epochs.runs

    @property
    def times(self) -> FloatArray:
        """Time of each sample of a window after the cue, in seconds, shape (n_samples,)."""
        n, rate_hz = self.preprocessing.window, self.preprocessing.rate_hz
        return self.config.trial.stop_s + (np.arange(n) - n + 1) / rate_hz

    @property
    def rejected(self) -> list[tuple[str, float, str]]:
        """Trials that were left out: class, time of the cue in seconds on the EEG stream's clock, and why."""
        return [(cue.class_, cue.time_s, why) for cue, why in self.epochs.rejected]

    def to_mne(self, band: int = 0) -> mne.EpochsArray:
        """Return the trials as MNE epochs, in volts.

        Parameters
        ----------
        band : int
            Place in the filter bank.
        """
        import mne

        names = sorted(set(self.y.tolist()))
        codes = {name: code for code, name in enumerate(names, 1)}
        info = mne.create_info(list(self.preprocessing.labels), self.preprocessing.rate_hz, "eeg")
        events = np.array([(i, 0, codes[name]) for i, name in enumerate(self.y.tolist())], dtype=np.int64).reshape(-1, 3)
        volts = self.windows[:, band].transpose(0, 2, 1) * 1e-6
        made = mne.EpochsArray(volts, info, events, tmin=float(self.times[0]), event_id=codes, verbose="ERROR")
        made.set_montage("standard_1005", match_case=False, on_missing="ignore", verbose="ERROR")
        return made

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        p = self.preprocessing
        counts = ", ".join(f"{n} {name}" for name, n in sorted(Counter(self.y.tolist()).items()))
        return (
            f"<TrialEpochs {counts}; {len(self.epochs.rejected)} left out; {len(p.bands)} bands, {len(p.labels)} channels, "
            f"{self.times[0]:.2f} to {self.times[-1]:.2f} s after the cue at {p.rate_hz:g} Hz>"
        )

    def _repr_html_(self) -> str:
        kept, lost = Counter(self.y.tolist()), Counter(name for name, _, _ in self.rejected)
        rows = [(name, kept[name], lost[name]) for name in sorted({*kept, *lost})]
        return html_table("Trials", ("class", "kept", "left out"), rows)


def cut_epochs(recordings: Recording | Sequence[Recording], config: SessionConfig | None = None) -> TrialEpochs:
    """Cut the trials of recordings with the filters and windows of a live session.

    A trial that would not be decoded live is left out, and ``rejected`` says why.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        Of the same person, rate and channels, in order.
    config : SessionConfig, optional
        Sections ``preprocessing``, ``trial``, ``decoder`` and ``quality``; those of the first recording where it is not given.

    Returns
    -------
    TrialEpochs

    Raises
    ------
    bci.errors.TrainingError
        If a recording holds no cue.
    """
    found, own = same_settings(recordings if isinstance(recordings, Recording) else list(recordings))
    used = config or own
    runs = tuple(one.labelled() for one in found)
    decoder = resolve_decoder(runs[0].info, used)
    parts = [run_epochs(run, decoder, used) for run in runs]
    numbered = [replace(part, runs=np.full(len(part.labels), i)) for i, part in enumerate(parts)]
    return TrialEpochs(
        impute_bad_channels(join(numbered), decoder.preprocessing.labels), decoder.whole_windows, runs[0].info, runs, used
    )
