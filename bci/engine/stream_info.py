"""What a stream is: rate, channels, reference and identity."""

from __future__ import annotations

from dataclasses import dataclass

from bci.errors import StreamMismatch


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a stream.

    Parameters
    ----------
    label : str
        Electrode or signal name, for instance ``"C3"``.
    type : str
        ``"EEG"``, ``"EOG"``, ``"EMG"``, ``"AUX"`` or ``"TRIG"``.
    unit : str
        Unit the sender declares: ``"uV"``, ``"mV"``, ``"V"`` or ``""`` where it says nothing.
    position : tuple of float or None
        ``(x, y, z)`` in metres, head coordinates (MNE: +x right, +y front, +z up).
    """

    label: str
    type: str = "EEG"
    unit: str = "uV"
    position: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Identity and layout of one regularly sampled stream.

    Parameters
    ----------
    rate_hz : float
        Nominal sampling rate. Zero for irregular streams (markers).
    channels : tuple of Channel
        In stream order.
    reference : str
        Reference electrode as the sender or a montage file names it; empty where unknown.
    source_id : str
        Stable identity of the device. Recovery after a loss needs it.
    name, type : str
        LSL stream name and content type.
    sample_clock : bool
        The sender declares that stamps are computed from its sample clock, so that a jump of
        ``k / rate_hz`` is exactly ``k`` lost samples (``desc/bci/sample_clock`` in the metadata).
    """

    rate_hz: float
    channels: tuple[Channel, ...]
    reference: str = ""
    source_id: str = ""
    name: str = ""
    type: str = "EEG"
    sample_clock: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Channel labels in stream order."""
        return tuple(c.label for c in self.channels)

    def columns(self, labels: tuple[str, ...]) -> list[int]:
        """Columns of this stream that carry ``labels``, matched by name and never by position.

        Parameters
        ----------
        labels : tuple of str
            Wanted labels, in the wanted order. Case and surrounding dots or blanks do not matter.

        Returns
        -------
        list of int

        Raises
        ------
        StreamMismatch
            If a label is missing or stands for two channels.
        """
        where: dict[str, list[int]] = {}
        for i, label in enumerate(self.labels):
            where.setdefault(canonical(label), []).append(i)
        missing = [x for x in labels if canonical(x) not in where]
        if missing:
            raise StreamMismatch(
                f"channels: stream {self.name!r} has no {', '.join(missing)}; it has {', '.join(self.labels)}. "
                "Rename them in a montage file or train a model for this montage."
            )
        double = [x for x in labels if len(where[canonical(x)]) > 1]
        if double:
            raise StreamMismatch(
                f"channels: stream {self.name!r} has several {', '.join(double)}; give each its own label in a montage."
            )
        return [where[canonical(x)][0] for x in labels]


def canonical(label: str) -> str:
    """Label as it is compared: no surrounding blanks or dots, lower case.

    >>> canonical(" C3.. ")
    'c3'
    """
    return label.strip(" .\t").lower()
