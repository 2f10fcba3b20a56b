"""What goes over the wires between processes, as docs/streams.md says: rows and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bci.engine.continuity import ContinuitySettings
from bci.engine.decide import DecisionSettings
from bci.engine.engine import EngineSettings
from bci.engine.quality import QualitySettings
from bci.engine.rebias import RebiasSettings
from bci.engine.recentre import RecentreSettings
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamError

VERSION = 1
DECISION_FIELDS = ("sequence", "decision", "confidence", "stamp", "expiry", "reason", "heartbeat")
TIMING_FIELDS = ("sequence", "segment", "index", "time", "age_s", "step_s", "backlog")


def line(kind: str, **fields: Any) -> str:
    """One JSON line of kind ``kind``."""
    return json.dumps({"v": VERSION, "kind": kind, **fields}, separators=(",", ":"), allow_nan=False)


def parse(text: str, what: str) -> dict[str, Any]:
    """A JSON line as a dictionary with its kind.

    Raises
    ------
    StreamError
        If it is no such line, or of another version.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StreamError(f"{what}: {text[:80]!r} is not JSON ({error}); see docs/streams.md") from error
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        raise StreamError(f"{what}: {text[:80]!r} has no 'kind'; see docs/streams.md")
    if found.get("v") != VERSION:
        raise StreamError(f"{what}: version {found.get('v')!r} of {found['kind']!r} is not known; this program speaks {VERSION}")
    return found


def info_to_json(info: StreamInfo) -> dict[str, Any]:
    """A stream's identity and layout as JSON can hold it."""
    return asdict(info)


def info_from_json(fields: Mapping[str, Any]) -> StreamInfo:
    """The inverse of :func:`info_to_json`."""
    channels = tuple(
        Channel(c["label"], c["type"], c["unit"], tuple(c["position"]) if c["position"] else None) for c in fields["channels"]
    )
    return StreamInfo(**{**fields, "channels": channels})


def settings_to_json(settings: EngineSettings) -> dict[str, Any]:
    """Engine settings as JSON can hold them."""
    return asdict(settings)


def settings_from_json(fields: Mapping[str, Any]) -> EngineSettings:
    """The inverse of :func:`settings_to_json`."""
    return EngineSettings(
        DecisionSettings(**fields["decision"]),
        QualitySettings(**fields["quality"]),
        ContinuitySettings(**fields["continuity"]),
        RecentreSettings(**fields.get("recentre", {})),
        RebiasSettings(**fields.get("rebias", {})),
    )
