"""``bci stream``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from bci.errors import ConfigError, PluginError, StreamLost, StreamMismatch

if TYPE_CHECKING:
    from bci.stream.bus import Source
    from bci.stream.lsl import FoundStream

HELP = """Offer a source as an LSL stream: the simulated subject, or a device.

Time stamps are computed from the sample clock of the source. Markers that a device sends itself (triggers, events) are on a
separate stream, NAME-markers. The simulated subject imagines the movements that the markers of another stream ask for
(--listen), and can get the decisions as feedback (--feedback)."""
EXAMPLES = """
bci stream simulated                                    8 channels, 250 Hz, until Ctrl-C
bci stream simulated --channels 22 --skill 0.9 --listen Cues
bci stream simulated --listen Cues --feedback bci-decisions
bci stream simulated --bursty --loss 0.01               like a consumer board with a bad connection
bci stream simulated --set blinks_per_min=0 --set line_hz=60
bci stream brainvision-rda --set host=192.168.1.2       a BrainVision Recorder with Remote Data Access
bci stream fieldtrip --set host=192.168.1.2 --set unit=V
"""

POLL_S = 0.05
_SIMULATED = ("channels", "rate_hz", "skill", "seed", "classes", "name", "loss", "bursty")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    add = parser.add_argument
    add("device", help="name of a source: simulated, or a plug-in that is registered under bci.sources")
    add("--channels", metavar="N", help="number of channels (3, 8, 16, 22, 32 or 64), or labels: C3,Cz,C4")
    add("--rate", dest="rate_hz", type=float, metavar="HZ", help="sampling rate")
    add("--skill", type=float, metavar="X", help="simulated: skill, from 0 (chance) to 1 (easy to decode)")
    add("--seed", type=int, metavar="N", help="simulated: seed of everything random")
    add("--classes", metavar="A,B", help="simulated: classes, among left_hand, right_hand, feet, tongue, rest")
    add("--name", help="name of the stream")
    add("--bursty", action="store_const", const=True, help="simulated: samples arrive in irregular bursts")
    add("--loss", type=float, metavar="X", help="simulated: share of samples that are lost")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="any other setting of the source (repeatable)")
    add("--listen", metavar="QUERY", help="marker stream that shows the cues: a name, or type=Markers")
    add("--feedback", metavar="QUERY", help="stream of decisions, which the simulated subject gets as feedback")
    add("--seconds", type=float, metavar="S", help="stop after this time")
    add("--json", action="store_true", help="print one JSON object per line: ready, done")
    add("--parent-pipe", action="store_true", help="stop when standard input closes; ignore Ctrl-C, which the parent handles")


def run(args: argparse.Namespace) -> int:
    """Stream until told to stop.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.processes.scheduling import SOURCE, ahead

    with ahead(SOURCE):
        return _stream(args)


def _stream(args: argparse.Namespace) -> int:
    from bci.processes.child import say_alive, say_ready, say_streams
    from bci.processes.stop import StopRequest
    from bci.stream.lsl import LslOutlet

    source = open_source(args.device, options(args))
    ears = _ears(args, source)
    outlet = LslOutlet(source.info)
    marked = Marked(source)
    stop = StopRequest(args.parent_pipe, args.seconds)
    info, sent = source.info, 0
    say_streams(device=outlet.uid, **marked.uids())
    try:
        if args.json:
            say_ready(name=info.name, source_id=info.source_id, rate_hz=info.rate_hz, channels=list(info.labels))
        else:
            print(f"{info.name}: {len(info.channels)} channels at {info.rate_hz:g} Hz on LSL; press Ctrl-C to end", flush=True)
        while not stop():
            for ear in ears:
                ear.listen()
            chunk = source.read(POLL_S)
            if chunk is not None:
                outlet.push_chunk(chunk.data, chunk.stamps)
                sent += len(chunk)
            marked.pass_on()
            say_alive(sent=sent)
    finally:
        for ear in ears:
            ear.close()
        marked.close()
        outlet.close()
        source.close()
    print(json.dumps({"event": "done", "samples": sent}) if args.json else f"{sent} samples sent", flush=True)
    return 0


def options(args: argparse.Namespace) -> dict[str, object]:
    """Settings that were given, for the source to check.

    Parameters
    ----------
    args : argparse.Namespace

    Raises
    ------
    ConfigError
        If a ``--set`` is no ``KEY=VALUE``.
    """
    given: dict[str, object] = {name: getattr(args, name) for name in _SIMULATED if getattr(args, name) is not None}
    wrong = [text for text in args.set if "=" not in text]
    if wrong:
        raise ConfigError([f"--set {text}: write it as KEY=VALUE" for text in wrong])
    return given | {key.strip(): value.strip() for key, _, value in (text.partition("=") for text in args.set)}


def open_source(device: str, settings: dict[str, object]) -> Source:
    """Start the source that a plug-in registered.

    Parameters
    ----------
    device : str
        Its name in the entry-point group ``bci.sources``.
    settings : dict
        For its ``from_settings``.

    Raises
    ------
    PluginError
        If there is none, or it has no ``from_settings``.
    """
    from bci import plugins

    plugin = plugins.load(plugins.SOURCES, device)
    build: Callable[[dict[str, object]], Any] | None = getattr(plugin, "from_settings", None)
    if build is None:
        raise PluginError(f"source {device!r} ({plugin!r}) has no from_settings(options); add this class method to it")
    return cast("Source", build(settings))


def _ears(args: argparse.Namespace, source: Source) -> list[Ear]:
    """What the source is told of other streams."""
    ears = []
    for option, query, method, kind in (
        ("--listen", args.listen, "cue", Cues),
        ("--feedback", args.feedback, "feedback", ShownDecisions),
    ):
        if query:
            tell = getattr(source, method, None)
            if tell is None:
                raise ConfigError(f"{option}: source {args.device!r} cannot receive other streams; leave the option out")
            ears.append(Ear(query, partial(kind, tell=tell)))
    return ears


class Marked:
    """What a source marks itself, on a stream ``NAME-markers``; nothing where it has no method ``markers``.

    Parameters
    ----------
    source : Source
        ``markers()``, where it has it, returns (text, stamp) of what has come since the last call.
    """

    def __init__(self, source: Source) -> None:
        from bci.stream.lsl import LslTextOutlet

        self._markers: Callable[[], list[tuple[str, float]]] | None = getattr(source, "markers", None)
        if self._markers is not None:
            info = source.info
            self._outlet = LslTextOutlet(f"{info.name}-markers", "Markers", f"{info.source_id}-markers")

    def uids(self) -> dict[str, str]:
        """What tells its stream from others."""
        return {} if self._markers is None else {"markers": self._outlet.uid}

    def pass_on(self) -> None:
        """Send what has come since the last call."""
        if self._markers is not None:
            for text, stamp in self._markers():
                self._outlet.push(text, stamp)

    def close(self) -> None:
        """End the stream."""
        if self._markers is not None:
            self._outlet.close()


class Hearing(Protocol):
    """A connected stream that is passed on."""

    def hear(self) -> None:
        """Pass on what has come, without waiting."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class Ear:
    """Waits for a stream, passes it on, and waits again when it is lost; nothing here blocks the signal.

    Parameters
    ----------
    query : str
    connect : callable
        Takes the stream that was found.
    """

    def __init__(self, query: str, connect: Callable[[FoundStream], Hearing]) -> None:
        from bci.stream.lsl import StreamQuery, Watcher

        self._watcher = Watcher(StreamQuery.parse(query))
        self._connect = connect
        self._hearing: Hearing | None = None

    def listen(self) -> None:
        """Pass on what has come since the last call."""
        try:
            if self._hearing is None:
                found = self._watcher.found()
                self._hearing = self._connect(found[0]) if found else None
            if self._hearing is not None:
                self._hearing.hear()
        except StreamLost:
            self._hang_up()

    def close(self) -> None:
        """Stop listening."""
        self._hang_up()
        self._watcher.close()

    def _hang_up(self) -> None:
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            hearing.close()


class Cues:
    """Markers, shown to the source.

    Parameters
    ----------
    found : FoundStream
    tell : callable
        Takes a marker's text and its stamp.
    """

    def __init__(self, found: FoundStream, tell: Callable[[str, float], object]) -> None:
        from bci.stream.lsl import LslMarkerInlet

        self._inlet = LslMarkerInlet(found)
        self._tell = tell

    def hear(self) -> None:
        """See :class:`Hearing`."""
        for text, stamp in self._inlet.pull(0.0):
            self._tell(text, stamp)

    def close(self) -> None:
        """See :class:`Hearing`."""
        self._inlet.close()


class ShownDecisions:
    """Rows of ``bci-decisions`` (docs/reference/streams.md), shown to the source.

    Parameters
    ----------
    found : FoundStream
    tell : callable
        Takes a class (empty for neutral) and the confidence in it.
    """

    def __init__(self, found: FoundStream, tell: Callable[[str, float], object]) -> None:
        from bci.stream.lsl import LslRawInlet
        from bci.stream.metadata import bci_fields, stream_info

        self._inlet = LslRawInlet(found)
        labels = stream_info(self._inlet.header_xml).labels
        classes = bci_fields(self._inlet.header_xml).get("classes", "")
        if "decision" not in labels or "confidence" not in labels or not classes:
            self._inlet.close()
            raise StreamMismatch(
                f"--feedback: {found} is not a stream of decisions: it has no decision, confidence or desc/bci/classes"
            )
        self._columns = labels.index("decision"), labels.index("confidence")
        self._classes = json.loads(classes)
        self._tell = tell

    def hear(self) -> None:
        """See :class:`Hearing`. Only the newest row counts: it is what a person sees."""
        pulled = self._inlet.pull(0.0)
        if pulled is not None:
            decision, confidence = (float(pulled[0][-1][i]) for i in self._columns)
            # Steps of a tenth are as fine as anybody sees, and each change costs the simulation some work.
            self._tell(self._classes[int(decision)] if decision >= 0 else "", round(confidence, 1))

    def close(self) -> None:
        """See :class:`Hearing`."""
        self._inlet.close()
