"""Sections ``engine``, ``decision`` and ``record``: how a live session runs, and where it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field, model_validator

from bci.engine.decide import DecisionSettings
from bci.settings.section import Label, Seconds, SettingsSection

USUAL = DecisionSettings()


class EngineProcessSettings(SettingsSection):
    """The engine's process (section ``engine``): the name of its streams, and the times of its loop.

    Parameters
    ----------
    name : str
        Prefix of its streams: ``bci-decisions`` and so on.
    stale_s : float
        Data older than this steer nothing.
    expiry_s : float
        A decision must not move anything this long after it was sent.
    max_backlog_s : float
        With more than this waiting, only the newest window is decoded.
    heartbeat_s : float
        A row goes out at least this often.
    rehearse_s : float
        A step is rehearsed this long before the last sample of a window is due, so that the processor's caches are
        warm when it comes; 0 for never.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")] = "bci"
    stale_s: Seconds = 0.25
    expiry_s: Seconds = 0.25
    max_backlog_s: Seconds = 0.25
    heartbeat_s: Seconds = 0.05
    rehearse_s: Annotated[float, Field(ge=0, le=0.01)] = 0.0015


class DecisionSection(SettingsSection):
    """How much evidence is needed for a decision; settings that are not given are those of the model.

    Parameters
    ----------
    smoothing_s, threshold, release, dwell_s, refractory_s, idle
        See :class:`~bci.engine.decide.DecisionSettings`.
    """

    smoothing_s: float | None = None
    threshold: float | None = None
    release: float | None = None
    dwell_s: float | None = None
    refractory_s: float | None = None
    idle: str = ""

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self.over(DecisionSettings(threshold=1.0, release=0.0))
        return self

    def over(self, base: DecisionSettings = USUAL) -> DecisionSettings:
        """Return these settings, completed by those of ``base``; ``release`` is lowered to the given threshold if necessary.

        Parameters
        ----------
        base : DecisionSettings
            Of the model.
        """
        said = {name: value for name, value in self if value is not None and value != ""}
        if "threshold" in said and "release" not in said:
            said["release"] = min(base.release, said["threshold"])
        return replace(base, **said)


class RecordSection(SettingsSection):
    """Where and how a session is recorded (section ``record``).

    Parameters
    ----------
    out : str
        Folder, relative to where the command is started.
    subject, session, task : str
        Letters and digits. The subject is a pseudonym such as P003, never a name.
    required : bool
        Whether a session may not go on when it cannot be recorded.
    """

    out: str = "recordings"
    subject: Label = "P001"
    session: Label = "S001"
    task: Label = "mi"
    required: bool = True
