"""The settings of a session: one class for each section of the configuration file.

Values are checked one by one, so that everything that is wrong is found in one go. :mod:`bci.config` reads
them from files, presets and the command line.
"""

from __future__ import annotations

from bci.settings.live import DecisionSection, EngineProcessSettings, RecordSection
from bci.settings.plugins import ActuatorSection, DecoderSection, SourceSection
from bci.settings.preprocessing import PreprocessingSection, TrialSection
from bci.settings.session_config import SessionConfig
from bci.settings.streams import MarkersSection, StreamSection

__all__ = [
    "ActuatorSection",
    "DecisionSection",
    "DecoderSection",
    "EngineProcessSettings",
    "MarkersSection",
    "PreprocessingSection",
    "RecordSection",
    "SessionConfig",
    "SourceSection",
    "StreamSection",
    "TrialSection",
]
