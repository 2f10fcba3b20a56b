"""Lab Streaming Layer, by the rules of docs/reference/streams.md: one import for sending, finding and reading streams."""

from bci.stream.lsl.discovery import FoundStream, find, list_streams, resolve
from bci.stream.lsl.liblsl import local_clock, this_host
from bci.stream.lsl.marker_inlet import LslMarkerInlet
from bci.stream.lsl.outlet import LslOutlet, LslTextOutlet
from bci.stream.lsl.raw_inlet import LslRawInlet
from bci.stream.lsl.reconnect import Reopen, require_same
from bci.stream.lsl.signal_inlet import LslSignalInlet
from bci.stream.lsl.watcher import Watcher
from bci.stream.metadata import row_info, text_info
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
