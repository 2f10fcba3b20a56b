"""Lab Streaming Layer, by the rules of docs/streams.md: one import for who sends, finds or reads streams."""

from bci.stream.discovery import FoundStream, Watcher, find, list_streams, resolve
from bci.stream.liblsl import local_clock, this_host
from bci.stream.lsl_inlet import LslMarkerInlet, LslRawInlet, LslSignalInlet
from bci.stream.lsl_outlet import LslOutlet, LslTextOutlet
from bci.stream.metadata import row_info, text_info
from bci.stream.reconnect import Reopen, require_same
from bci.stream.stream_query import StreamQuery

__all__ = [
    "FoundStream",
    "LslMarkerInlet",
    "LslOutlet",
    "LslRawInlet",
    "LslSignalInlet",
    "LslTextOutlet",
    "Reopen",
    "StreamQuery",
    "Watcher",
    "find",
    "list_streams",
    "local_clock",
    "require_same",
    "resolve",
    "row_info",
    "text_info",
    "this_host",
]
