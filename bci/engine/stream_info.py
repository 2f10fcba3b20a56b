"""The description of a stream: rate, channels, reference and identity."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bci.errors import StreamMismatch

POSITION = r"(?:fp|afp|af|aff|f|ffc|fft|fc|ft|fcc|ftt|c|t|ccp|ttp|cp|tp|cpp|tpp|p|ppo|po|poo|o|oi|i|n|a|m)(?:z|[1-9]|10)h?"
"""Positions of the 10-5 system by their spelling (Oostenveld & Praamstra 2001), in small letters."""

# What stands behind an electrode in the labels of clinical systems: the common reference. Another electrode of the
# scalp there makes the channel a bipolar one, which is no electrode.
_REFERENCE = r"ref\d*|le|ar|av|avg|cav|car|org|(?:[am][12]){1,2}|[am]1\s*\+\s*[am]2"
_CLINICAL = re.compile(rf"(?:eeg\s*[-_:.]?\s*)?({POSITION})(?:\s*[-_/:]\s*({_REFERENCE})|\s+({_REFERENCE}))?")


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

    def eeg_labels(self, chosen: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Labels of the EEG channels in stream order, or those that were chosen.

        Parameters
        ----------
        chosen : tuple of str
            Labels that somebody named; where there are any, they are meant.

        Raises
        ------
        StreamMismatch
            If there are none.
        """
        labels = chosen or tuple(c.label for c in self.channels if c.type == "EEG")
        if not labels:
            kinds = ", ".join(sorted({c.type for c in self.channels}))
            raise StreamMismatch(
                f"stream {self.name!r} (type {self.type!r}) has no EEG channel: it declares its {len(self.channels)} channels as "
                f"{kinds}, and none is named like an electrode ({', '.join(self.labels[:8])}). Say in a montage file which are "
                'EEG: names = ["C3", "C4", …] in the order of the stream, or types = { LABEL = "EEG" }, and give it with '
                "--set stream.montage=FILE."
            )
        return labels

    def columns(self, labels: tuple[str, ...]) -> list[int]:
        """Columns of this stream that carry ``labels``, matched by name and never by position.

        Parameters
        ----------
        labels : tuple of str
            Wanted labels, in the wanted order, compared as :func:`canonical`.

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
    """Return a label in the form in which labels are compared: lower case, without "EEG", reference, outer blanks or dots.

    Channels between two electrodes of the scalp stay as they are.

    Parameters
    ----------
    label : str
        As a sender or a model writes it.

    Examples
    --------
    >>> canonical(" C3.. "), canonical("EEG C3-REF"), canonical("C3-A2"), canonical("C3-C4"), canonical("EEG 1")
    ('c3', 'c3', 'c3', 'c3-c4', 'eeg 1')
    """
    bare = label.strip(" .\t").lower()
    clinical = _CLINICAL.fullmatch(bare)
    return clinical[1] if clinical else bare


def reference_in(labels: tuple[str, ...]) -> str:
    """Return the reference that all labels name, as "C3-A1" does; empty if they name none, several or no electrode.

    Parameters
    ----------
    labels : tuple of str
        Of all channels of a stream.

    Examples
    --------
    >>> reference_in(("EEG C3-A1", "EEG C4-A1")), reference_in(("C3-A2", "C4-A1")), reference_in(("EEG C3-REF",))
    ('A1', '', '')
    """
    found = {(m[2] or m[3] or "") if (m := _CLINICAL.fullmatch(x.strip(" .\t").lower())) else "" for x in labels}
    one = found.pop() if len(found) == 1 else ""
    return one.upper() if re.fullmatch("[am][12]", one) else ""
