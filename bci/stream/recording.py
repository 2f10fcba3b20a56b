"""A recording as the rest of the project uses it, whatever file it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bci.errors import RecordingError
from bci.stream.montage import Montage
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, with_montage
from bci.stream.signal_checks import check_declared_rate, check_rate, check_unit
from bci.stream.stream_query import EEG, StreamQuery, rather_eeg, told_apart


@dataclass(frozen=True, slots=True, eq=False)
class RecordedStreams:
    """All streams of a file.

    Parameters
    ----------
    path : Path
    signals : tuple of RecordedSignal
    markers : tuple of RecordedMarkers
    sha256 : str
        Of the file.
    notes : tuple of str
        What the reader had to put right or to guess, and what is damaged.
    montage : Montage or None
        Applied to what :meth:`eeg` returns.
    """

    path: Path
    signals: tuple[RecordedSignal, ...]
    markers: tuple[RecordedMarkers, ...]
    sha256: str
    notes: tuple[str, ...] = ()
    montage: Montage | None = field(default=None)

    def corrected(self) -> RecordedStreams:
        """The recording with the montage and the unit that were given with it written into its EEG streams.

        Raises
        ------
        StreamMismatch
            If a signal's size cannot be that of microvolts.
        """
        if self.montage is None:
            return self
        signals = []
        for signal in self.signals:
            if signal.info.type.upper() == "EEG":
                signal = with_montage(signal, self.montage)
                check_unit(signal, str(self.path))
            signals.append(signal)
        return replace(self, signals=tuple(signals), montage=None)

    def eeg(self, query: StreamQuery | str | None = None) -> RecordedSignal:
        """Return the one EEG stream, with the montage applied and its unit checked.

        Parameters
        ----------
        query : StreamQuery or str, optional
            Which stream is meant, where there is more than one of type EEG.

        Raises
        ------
        ConfigError
            If a text is no query.
        RecordingError
            If there is no such stream or more than one; lists what there is. If it has no sampling rate.
        StreamMismatch
            If the signal's size cannot be that of microvolts: the unit is not what it is taken for. If it was not recorded at the
            rate that it declares.
        """
        wanted = StreamQuery.parse(query) if isinstance(query, str) else query
        wanted = wanted if wanted and wanted.named else replace(EEG, host=wanted.host if wanted else "")
        found = [s for s in self.signals if _meant(wanted, s)]
        found = [found[i] for i in rather_eeg([s.identity for s in found])]
        found = [s for s in found if len(s.stamps)] or found
        if not found:
            raise RecordingError(
                f"{self.path}: contains no signal with {wanted.described()}; name one of those that it contains with --stream:"
                f"{_listing(self.signals)}"
            )
        if len(found) > 1:
            raise RecordingError(
                f"{self.path}: {len(found)} EEG streams match {wanted.described()}; say which one is meant with --stream:"
                f"{_listing(found)}{_alike(found)}"
            )
        signal = with_montage(found[0], self.montage) if self.montage else found[0]
        check_rate(signal, str(self.path))
        check_unit(signal, str(self.path))
        doubt = check_declared_rate(signal, str(self.path))
        return replace(signal, notes=(*signal.notes, doubt)) if doubt else signal


def require_samples(signal: RecordedSignal, recording: RecordedStreams) -> RecordedSignal:
    """Check that a signal of a recording contains samples.

    Parameters
    ----------
    signal : RecordedSignal
        One of the recording's.
    recording : RecordedStreams
        For the message.

    Returns
    -------
    RecordedSignal
        The signal itself.

    Raises
    ------
    RecordingError
        If it contains none; the message lists what the file contains.
    """
    if len(signal.stamps):
        return signal
    raise RecordingError(
        f"{recording.path}: stream {signal.info.name!r} was recorded without a single sample, so there is nothing to decode; "
        f"the file contains:{_listing(recording.signals)}"
    )


def _meant(wanted: StreamQuery, signal: RecordedSignal) -> bool:
    """Whether a query means a signal. Only a stream of LSL has a source_id and a host to be compared."""
    if not signal.header_xml:
        wanted = replace(wanted, source_id="", host="")
    i = signal.identity
    return wanted.matches(i.name, i.type, i.source_id, i.host)


def _listing(signals: Sequence[RecordedSignal]) -> str:
    """Signals, a line each, with the query that means each of them and no other."""
    queries = told_apart([s.identity for s in signals])
    lines = (
        f"\n  {query or 'not different from another one'}: {_describe(s)}" for query, s in zip(queries, signals, strict=True)
    )
    return "".join(lines) or " no signal at all"


def _alike(signals: Sequence[RecordedSignal]) -> str:
    """What to do about streams of which no query means only one."""
    if all(told_apart([s.identity for s in signals])):
        return ""
    return (
        "\nStreams with the same name, type, source_id and host cannot be told apart by a query. A device that came back while "
        "it was recorded is read as one signal only if its channels and its rate are the same: record the time before "
        "and the time after such a change in separate files."
    )


def _describe(signal: RecordedSignal) -> str:
    info = signal.info
    return f"{info.name!r} (type {info.type!r}, {len(info.channels)} channels, {info.rate_hz:g} Hz, {len(signal.stamps)} samples)"
