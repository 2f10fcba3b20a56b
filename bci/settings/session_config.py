"""The configuration of a session: all sections together."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, WrapValidator

from bci.engine.continuity import ContinuitySettings
from bci.engine.decide import DecisionSettings
from bci.engine.engine import EngineSettings
from bci.engine.frontend import FrontSettings
from bci.engine.guard import GuardSettings
from bci.engine.pace import PaceSettings
from bci.engine.quality import QualitySettings
from bci.engine.rebias import RebiasSettings
from bci.engine.recentre import RecentreSettings
from bci.settings.live import USUAL, DecisionSection, EngineProcessSettings, RecordSection
from bci.settings.plugins import ActuatorSection, DecoderSection, SourceSection
from bci.settings.preprocessing import PreprocessingSection, TrialSection
from bci.settings.section import SettingsSection, checked_by_engine
from bci.settings.streams import MarkersSection, StreamSection


class SessionConfig(SettingsSection):
    """All settings of a session, by section."""

    model_config = ConfigDict(validate_default=False)

    OWN_CHECKS: ClassVar[dict[str, type]] = {
        "decision": DecisionSettings,
        "quality": QualitySettings,
        "continuity": ContinuitySettings,
        "guard": GuardSettings,
        "pace": PaceSettings,
    }

    stream: StreamSection = StreamSection()
    markers: MarkersSection = MarkersSection()
    preprocessing: PreprocessingSection = PreprocessingSection()
    decision: Annotated[DecisionSection, WrapValidator(checked_by_engine)] = DecisionSection()
    quality: Annotated[QualitySettings, WrapValidator(checked_by_engine)] = QualitySettings()
    continuity: Annotated[ContinuitySettings, WrapValidator(checked_by_engine)] = ContinuitySettings()
    recentre: Annotated[RecentreSettings, WrapValidator(checked_by_engine)] = RecentreSettings()
    rebias: Annotated[RebiasSettings, WrapValidator(checked_by_engine)] = RebiasSettings()
    record: RecordSection = RecordSection()
    trial: TrialSection = TrialSection()
    source: SourceSection = SourceSection()
    decoder: DecoderSection = DecoderSection()
    engine: EngineProcessSettings = EngineProcessSettings()
    actuator: ActuatorSection = ActuatorSection()
    guard: Annotated[GuardSettings, WrapValidator(checked_by_engine)] = GuardSettings()
    pace: Annotated[PaceSettings, WrapValidator(checked_by_engine)] = PaceSettings()

    def engine_settings(self, decision: DecisionSettings = USUAL) -> EngineSettings:
        """The settings that the engine needs in addition to a model.

        Parameters
        ----------
        decision : DecisionSettings
            Of the model; they hold where the configuration says nothing else.
        """
        return EngineSettings(self.decision.over(decision), self.quality, self.continuity, self.recentre, self.rebias)

    def front(self) -> FrontSettings:
        """The settings that say which windows may be decoded; training, judging and evaluation use the same."""
        return FrontSettings(self.quality, self.continuity)

    def at_rate(self, rate_hz: float) -> Self:
        """These settings, checked against a stream's rate.

        Parameters
        ----------
        rate_hz : float
            Nominal rate of the stream.

        Raises
        ------
        ConfigError
            If a filter does not fit below the Nyquist frequency.
        """
        self.preprocessing.build(rate_hz, ("any",))
        return self
