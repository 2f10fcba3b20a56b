"""A recording as the rest of the project sees it, whatever file it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError, RecordingError, StreamMismatch
from bci.stream.clock_map import SAME_CLOCK, ClockMap
from bci.stream.marked import BadSpan, without_spans
from bci.stream.metadata import parse_header, scale_to_microvolts
from bci.stream.montage import Montage, apply_montage
from bci.stream.stream_query import EEG, Identity, StreamQuery, rather_eeg, told_apart
from bci.stream.watch import rate_of

PLAUSIBLE_UV = (0.05, 5_000.0)
"""Between these lies the typical size of any scalp recording; a wrong unit is off by 10³ or 10⁶."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSignal:
    """One numeric stream.

    Parameters
    ----------
    info : StreamInfo
        As the file declares it, the units too.
    data : ndarray, shape (n_samples, n_channels)
        Float64; microvolts where a channel's unit is a voltage or unknown.
    stamps : ndarray, shape (n_samples,)
        Raw stamps, seconds on the sender's clock. They may run backwards. Where the clock was reset while it was recorded, and
        clock offsets tell by how much, they go on by the clock before.
    clock : ClockMap
        From the sender's clock to the recorder's, to compare stamps with those of other streams (:func:`times_on`).
    header_xml : str
        The sender's full header, where the file has it.
    assumed_unit : str
        The file declares no unit and its reader took the numbers as these.
    bad_channels : tuple of str
        Labels of those that somebody marked bad: in the file, beside it, or in the montage.
    bad_spans : tuple of BadSpan
        Stretches that somebody marked bad, pauses that the file fills with something, and seams.
    notes : tuple of str
        What a person should know of this signal, where :meth:`Recording.eeg` found something out.
    """

    info: StreamInfo
    data: FloatArray
    stamps: FloatArray
    clock: ClockMap = SAME_CLOCK
    header_xml: str = ""
    assumed_unit: str = ""
    bad_channels: tuple[str, ...] = ()
    bad_spans: tuple[BadSpan, ...] = ()
    notes: tuple[str, ...] = ()

    def chunk(self) -> Chunk:
        """All samples as the engine is to take them: no window reaches into a stretch that is marked bad, or across a seam."""
        period_s = 1.0 / self.info.rate_hz if self.info.rate_hz else 0.0
        return Chunk(without_spans(self.data, self.stamps, self.bad_spans, period_s), self.stamps)

    @property
    def identity(self) -> Identity:
        """What a query looks at."""
        host = (parse_header(self.header_xml).findtext("hostname") or "").strip() if self.header_xml else ""
        return Identity(self.info.name, self.info.type, self.info.source_id, host)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedMarkers:
    """One stream of markers.

    Parameters
    ----------
    name : str
    texts : tuple of str
        Their first column.
    stamps : ndarray, shape (n_markers,)
        Raw stamps, seconds on the sender's clock, as those of a signal.
    clock : ClockMap
        From the sender's clock to the recorder's, to compare stamps with those of other streams (:func:`times_on`).
    type, source_id, host : str
        As the sender declares them, for a stream of LSL.
    rows : tuple of tuple of str
        All columns of each marker, where there are more than one; see :meth:`row`.
    columns : tuple of str
        Names of the columns.
    on_samples : bool
        They come from a channel of the amplifier, and each is stamped when its sample was taken: as the sample is, unless that
        stamp is late (:mod:`bci.stream.trigger_times`).
    durations_s : tuple of float
        How long each lasts, where the file says so.
    """

    name: str
    texts: tuple[str, ...]
    stamps: FloatArray
    clock: ClockMap = SAME_CLOCK
    type: str = "Markers"
    source_id: str = ""
    host: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()
    on_samples: bool = False
    durations_s: tuple[float, ...] = ()

    @property
    def identity(self) -> Identity:
        """What a query looks at."""
        return Identity(self.name, self.type, self.source_id, self.host)

    def row(self, i: int) -> tuple[str, ...]:
        """All columns of one marker."""
        return self.rows[i] if self.rows else (self.texts[i],)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
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

    def corrected(self) -> Recording:
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
        """The one EEG stream, with the montage applied and its unit checked.

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
                f"{self.path}: holds no signal with {wanted.described()}; name one of those that it holds with --stream:"
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


def require_samples(signal: RecordedSignal, recording: Recording) -> RecordedSignal:
    """A signal of a recording, if it holds anything.

    Raises
    ------
    RecordingError
        With what the file holds.
    """
    if len(signal.stamps):
        return signal
    raise RecordingError(
        f"{recording.path}: stream {signal.info.name!r} was recorded without a single sample, so there is nothing to decode; "
        f"the file holds:{_listing(recording.signals)}"
    )


def times_on(signal: RecordedSignal | RecordedMarkers, markers: RecordedSignal | RecordedMarkers) -> FloatArray:
    """When markers came, as the signal's computer would have stamped them.

    Parameters
    ----------
    signal, markers : RecordedSignal or RecordedMarkers
        Of the same recording.

    Returns
    -------
    ndarray, shape (n_markers,)
        Seconds, to be compared with ``signal.stamps``; the markers' own stamps, bit for bit, where both come from one computer.
    """
    if markers.clock == signal.clock:
        return markers.stamps
    return signal.clock.to_sender(markers.clock.to_recorder(markers.stamps))


def with_montage(signal: RecordedSignal, montage: Montage) -> RecordedSignal:
    """The signal as a montage file corrects it; a unit given there replaces the one that was declared."""
    info = apply_montage(signal.info, montage)
    signal = _marked_by(signal, info, montage)
    taken_as = signal.info
    if signal.assumed_unit:
        taken_as = replace(taken_as, channels=tuple(replace(c, unit=signal.assumed_unit) for c in taken_as.channels))
    factor = scale_to_microvolts(info) / scale_to_microvolts(taken_as)
    changed = np.array([a.unit != b.unit for a, b in zip(info.channels, signal.info.channels, strict=True)])
    if not changed.any():
        return replace(signal, info=info)
    declared = all(c.unit for c in info.channels if c.type == "EEG")
    return replace(
        signal,
        info=info,
        data=signal.data * np.where(changed, factor, 1.0),
        assumed_unit="" if declared else signal.assumed_unit,
    )


def _marked_by(signal: RecordedSignal, info: StreamInfo, montage: Montage) -> RecordedSignal:
    """What is marked bad, by the labels that the montage gives; its own list added."""
    now = {canonical(a.label): b.label for a, b in zip(signal.info.channels, info.channels, strict=True)}

    def renamed(labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(now.get(canonical(x), x) for x in labels)

    spans = tuple(replace(span, channels=renamed(span.channels)) for span in signal.bad_spans)
    known = {canonical(x): x for x in (*renamed(signal.bad_channels), *montage.bad)}
    return replace(signal, bad_channels=tuple(known.values()), bad_spans=spans)


def typical_size(data: FloatArray, rate_hz: float, columns: Sequence[int] | None = None) -> float:
    """Median over channels and seconds of the standard deviation within one second; NaN without a full second.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
    rate_hz : float
    columns : sequence of int
        The channels to look at; all where omitted.
    """
    n = max(2, round(rate_hz))
    n_blocks = len(data) // n
    chosen = [data[i * n : (i + 1) * n] for i in range(0, n_blocks, max(1, n_blocks // 60))]
    blocks = np.array([block if columns is None else block[:, columns] for block in chosen])
    spread = blocks.std(axis=1) if chosen else np.empty(0)
    spread = spread[np.isfinite(spread) & (spread > 0)]
    return float(np.median(spread)) if len(spread) else float("nan")


def check_rate(signal: RecordedSignal, where: str) -> None:
    """Refuse a signal whose samples come at no rate.

    Raises
    ------
    RecordingError
        With the rate that its stamps suggest, and where to declare it.
    """
    if signal.info.rate_hz > 0:
        return
    span_s = float(np.ptp(signal.stamps)) if len(signal.stamps) > 1 else 0.0
    about = f"{(len(signal.stamps) - 1) / span_s:.4g}" if span_s > 0 else ""
    raise RecordingError(
        f"{where}: stream {signal.info.name!r} declares no sampling rate (0 Hz), and without one nothing can be filtered. "
        f"{f'Its stamps suggest {about} Hz. ' if about else ''}"
        f"Declare the true rate in a montage file (rate_hz = {about or 250}), and give it with --set stream.montage=FILE."
    )


def check_unit(signal: RecordedSignal, where: str) -> None:
    """Refuse a signal that cannot be microvolts.

    Raises
    ------
    StreamMismatch
        With the size as the unit was taken and as it would be in others, and the option that declares the unit.
    """
    columns = [i for i, c in enumerate(signal.info.channels) if c.type == "EEG"]
    size = typical_size(signal.data, signal.info.rate_hz, columns) if columns else float("nan")
    low, high = PLAUSIBLE_UV
    if not np.isfinite(size) or low <= size <= high:
        return
    unit = signal.info.channels[columns[0]].unit
    number = size / {"V": 1e6, "mV": 1e3, "nV": 1e-3}.get(unit or signal.assumed_unit, 1.0)
    taken = f"declares {unit}" if unit else f"declares no unit, so its numbers were taken as {signal.assumed_unit or 'uV'}"
    fits = [
        f"{number * factor:.3g} µV as {u}"
        for u, factor in (("uV", 1.0), ("mV", 1e3), ("V", 1e6))
        if low <= number * factor <= high
    ]
    raise StreamMismatch(
        f"unit: {where}: the EEG's typical size would be {size:.3g} µV; stream {signal.info.name!r} {taken}. "
        f"It would be {' or '.join(fits) or 'implausible in any unit'}. "
        'Declare the true one with --set stream.unit=uV (or mV, V), or unit = "uV" in a montage file.'
    )


def check_declared_rate(signal: RecordedSignal, where: str) -> str:
    """Refuse a signal whose stamps say that it was not recorded at the rate it declares, as decoding it live is refused.

    Returns
    -------
    str
        What to say where the rates differ by less than that, and more than any clock; else empty.

    Raises
    ------
    StreamMismatch
        With both rates, and how to declare the true one.
    """
    verdict = rate_of(signal.info, signal.stamps)
    if verdict is None or verdict.level == "ok":
        return ""
    if verdict.level == "warning":
        return (
            f"stream {signal.info.name!r} declares {verdict.declared_hz:g} Hz, but by its stamps {verdict.effective_hz:.4g} Hz "
            "were recorded: frequencies and lengths of windows are off by as much. If that is the true rate, declare it in a "
            f"montage file (rate_hz = {verdict.effective_hz:.4g}) and name the file with --set stream.montage=FILE"
        )
    raise StreamMismatch(
        f"rate: {where}: stream {signal.info.name!r} declares {verdict.declared_hz:g} Hz, but by its stamps "
        f"{verdict.effective_hz:.4g} Hz were recorded: filters, windows and trials would be wrong. Declare the true rate in a "
        f"montage file (a line such as rate_hz = {verdict.effective_hz:.4g}) and name the file with --set stream.montage=FILE."
    )


def check_unit_option(unit: str) -> None:
    """Refuse a unit that is none.

    Raises
    ------
    ConfigError
    """
    if unit not in ("", "uV", "mV", "V", "nV"):
        raise ConfigError(f"unit = {unit!r}: must be one of uV, mV, V, nV")


def _meant(wanted: StreamQuery, signal: RecordedSignal) -> bool:
    """Whether a query means a signal. Only a stream of LSL has a source_id and a host to be compared."""
    if not signal.header_xml:
        wanted = replace(wanted, source_id="", host="")
    i = signal.identity
    return wanted.matches(i.name, i.type, i.source_id, i.host)


def _listing(signals: Sequence[RecordedSignal]) -> str:
    """Signals, a line each, with the query that means each of them and no other."""
    queries = told_apart([s.identity for s in signals])
    lines = (f"\n  {query or 'like another one'}: {_describe(s)}" for query, s in zip(queries, signals, strict=True))
    return "".join(lines) or " no signal at all"


def _alike(signals: Sequence[RecordedSignal]) -> str:
    """What to do about streams of which no query means only one."""
    if all(told_apart([s.identity for s in signals])):
        return ""
    return (
        "\nNo query tells those apart that are alike in name, type, source_id and host. A device that came again while it was "
        "recorded is read as one signal only where its channels and its rate are the same: record what came before and behind "
        "such a change in files of their own."
    )


def _describe(signal: RecordedSignal) -> str:
    info = signal.info
    return f"{info.name!r} (type {info.type!r}, {len(info.channels)} channels, {info.rate_hz:g} Hz, {len(signal.stamps)} samples)"
