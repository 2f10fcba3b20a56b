"""Checks whether streams can be told apart and are what they declare: names, types, channel descriptions."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from bci.doctor.finding import Finding, listed, problem, warn
from bci.doctor.streams import StreamFacts
from bci.engine.stream_info import canonical
from bci.stream.metadata import channel_type
from bci.stream.stream_query import StreamQuery

MONTAGE = "name the channels in a montage file (--set stream.montage=FILE)"


def check_names(streams: Sequence[StreamFacts]) -> list[Finding]:
    """Names and identifiers that stand for more than one stream, or for none.

    Parameters
    ----------
    streams : sequence of StreamFacts
        All that were found.
    """
    found = []
    for kind, name, n in _repeated(streams, lambda s: s.name):
        text = f"{n} streams of type {kind!r} are called {name!r}"
        found.append(warn("names", text, "Rename one of them, or name the one that you mean by source_id=… or host=…."))
    for kind, identity, n in _repeated(streams, lambda s: s.source_id):
        text = f"{n} streams of type {kind!r} have the source_id {identity!r}: after a loss, one may be taken for the other"
        found.append(problem("names", text, "Give each stream its own source_id, or end the program that was started twice."))
    for s in streams:
        if not s.source_id:
            text = f"{s.title} has no source_id: after a loss it cannot be told from another stream, and is not used again"
            found.append(warn("names", text, "Let its sender declare one that stays the same at each start."))
        if not s.name.strip():
            found.append(
                warn("names", f"a stream of type {s.type!r} on {s.host!r} has no name", "Let its sender give it a name.")
            )
    return found


def check_types(s: StreamFacts) -> list[Finding]:
    """Is the stream's type what its contents are?

    Parameters
    ----------
    s : StreamFacts
        One stream.
    """
    return [*_stream_type(s), *_description(s), *_channel_types(s)]


def _stream_type(s: StreamFacts) -> Iterator[Finding]:
    kind = s.type.upper()
    if kind == "EEG" and s.channel_format == "string":
        yield problem("types", f"{s.title} is of type EEG but sends text", "Declare its type as Markers, or send numbers.")
    elif kind == "EEG" and s.rate_hz <= 0:
        text = f"{s.title} is of type EEG but declares no sampling rate"
        remedy = "Let its sender declare the rate, or declare it in a montage file (rate_hz = 250, --set stream.montage=FILE)"
        yield problem("types", text, f"{remedy}: without one nothing can be filtered.")
    elif kind == "EEG" and s.type != "EEG":
        text = f"{s.title} is of type {s.type!r}; programs look for 'EEG', and LSL distinguishes upper and lower case"
        yield warn("types", text, "bci accepts it; for other programs, let its sender write EEG.")
    elif s.regular and kind == "MARKERS":
        text = f"{s.title} is of type Markers but sends numbers at {s.rate_hz:g} Hz"
        yield warn("types", text, "If it is a trigger channel, declare it as a trigger channel; markers have the rate 0.")
    elif s.regular and kind != "EEG" and _looks_like_eeg(s):
        text = f"{s.title} is of type {s.type!r}, but its channels have names of electrodes"
        option = shlex.quote(StreamQuery(name=s.name, source_id="" if s.name else s.source_id).words())
        yield warn("types", text, f"Let its sender declare the type EEG, or name the stream: --stream {option}")


def _description(s: StreamFacts) -> Iterator[Finding]:
    """Labels: there, as many as channels, and each once."""
    if s.type.upper() != "EEG" or not s.regular or s.error:
        return
    if s.channels and len(s.channels) != s.n_channels:
        text = f"{s.title} has {s.n_channels} channels, but its header describes {len(s.channels)}"
        yield problem("labels", text, f"Correct its sender, or {MONTAGE}. Otherwise it cannot be known which channel is which.")
    elif not any(c.label for c in s.channels):
        yield warn("labels", f"{s.title} does not name its channels", f"Let its sender name them, or {MONTAGE}.")
    double = [x for x, n in Counter(canonical(c.label) for c in s.channels if c.label).items() if n > 1]
    if double:
        text = f"{s.title} has several channels called {listed(double)}"
        yield problem("labels", text, f"Give each channel its own name, or {MONTAGE}.")


def _channel_types(s: StreamFacts) -> Iterator[Finding]:
    """Counters, batteries and triggers declared EEG; electrodes declared otherwise."""
    if not s.regular:
        return
    wrong = [s.label(i) for i in s.eeg() if i not in s.brain()]
    if wrong:
        text = f"{s.title} declares {listed(wrong)} as EEG, but the name says that it is not EEG"
        yield warn("types", text, f"bci leaves the channel out; for other programs, correct the sender, or {MONTAGE}.")
    hidden = [i for i in range(s.n_channels) if s.declared_type(i).upper() != "EEG" and _electrode(s.label(i))]
    if s.type.upper() == "EEG" and hidden:
        text = (
            f"{s.title} declares {listed(s.label(i) for i in hidden)} as {s.declared_type(hidden[0])!r}, although "
            "the names are those of electrodes"
        )
        yield warn("types", text, f"Correct the sender, or {MONTAGE}.")


def _electrode(label: str) -> bool:
    """Whether a channel of unknown type is taken for an electrode by its label."""
    return channel_type(label, "AUX", eeg_by_label=True) == "EEG"


def _looks_like_eeg(s: StreamFacts) -> bool:
    electrodes = [i for i in range(s.n_channels) if channel_type(s.label(i), s.declared_type(i), eeg_by_label=True) == "EEG"]
    return len(electrodes) >= 2 and not s.eeg()


def _repeated(streams: Sequence[StreamFacts], what: Callable[[StreamFacts], str]) -> list[tuple[str, str, int]]:
    """Type, text, number: texts that several streams of one type share. A Muse's EEG and motion may share theirs."""
    counted = Counter((s.type, what(s)) for s in streams)
    return sorted((kind, text, n) for (kind, text), n in counted.items() if text and n > 1)
