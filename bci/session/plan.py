"""What a live session is made of, and the words with which each of its processes is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bci import plugins
from bci.model.header import ModelHeader
from bci.settings import SessionConfig
from bci.stream.lsl import StreamQuery

ENGINE_STREAMS = ("outcomes", "decisions", "timing", "events", "state", "velocity")
HOST_STREAMS = ("guard", "commands")


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """The parts of a live session, and their settings.

    Parameters
    ----------
    model : Path
    config : SessionConfig
    options : tuple of str
        The command-line options that ``config`` came from; the engine's process reads them again.
    source : str
        Query for the EEG stream.
    device : tuple of str
        Words after ``bci stream`` for a source to start first; empty where the stream is there already.
    actuator : tuple of str
        Words after ``bci actuate``; empty where nothing is to be moved.
    without : str
        The markers, where they may be missing at the start.
    arm_once : str
        Arm the actuator once, without a person, on behalf of whoever this names; empty for waiting for a person.
    begin_again : bool
        Whether what dies is begun again; else the session ends with its engine or its recorder, which is what a
        measurement wants.
    """

    model: Path
    config: SessionConfig
    options: tuple[str, ...]
    source: str
    device: tuple[str, ...] = ()
    actuator: tuple[str, ...] = ()
    arm_once: str = ""
    begin_again: bool = False
    without: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """The command line of each process of one session, after ``bci``.

    Parameters
    ----------
    plan : SessionPlan
    session : str
        Its identifier.
    """

    plan: SessionPlan
    session: str

    def query(self, what: str) -> str:
        """Query for one of the session's own streams, for instance ``"decisions"``."""
        return StreamQuery(source_id=f"{self.plan.config.engine.name}-{what}-{self.session}").words()

    def of(self, name: str) -> list[str]:
        """All words for one process.

        Parameters
        ----------
        name : {"device", "recorder", "actuator", "engine"}
        """
        match name:
            case "device":
                words = ["stream", *self.plan.device]
            case "recorder":
                words = ["record", *self._recorder()]
            case "actuator":
                words = ["actuate", *self.plan.actuator, *self._name(), "--wait-recorder", "--supervised"]
            case _:
                words = ["engine", "--model", str(self.plan.model), "--go-ahead", *self._engine()]
        return [*words, "--parent-pipe", "--json"]

    def ports(self) -> int:
        """Service ports that the session takes: one for each outlet, two for each process that looks for streams."""
        outlets = len(ENGINE_STREAMS) + (len(HOST_STREAMS) if self.plan.actuator else 0) + bool(self.plan.device)
        return outlets + 2 * (3 + (2 if self.plan.actuator else 0))

    def _recorder(self) -> Sequence[str]:
        """Options that make the recorder take this session's streams, and no other's."""
        config = self.plan.config
        ours = (*ENGINE_STREAMS, "control", *(HOST_STREAMS if self.plan.actuator else ()))
        later = [*(self.query(what) for what in ours), StreamQuery(name=f"{config.engine.name}-screen").words()]
        if config.markers.stream:
            later.append(config.markers.stream)
        record = config.record
        words = ["--stream", self.plan.source, *(word for query in later for word in ("--later", query))]
        place = ["--out", record.out, "--subject", record.subject, "--session", record.session, "--task", record.task]
        return [*words, *place, "--timeout", f"{config.stream.timeout_s:g}"]

    def _engine(self) -> Sequence[str]:
        return [*self.plan.options, "--stream", self.plan.source, "--session-id", self.session, "--wait-recorder"]

    def _name(self) -> Sequence[str]:
        return ["--name", self.plan.config.engine.name, "--session-id", self.session]


def simulated_words(header: ModelHeader, skill: float, seed: int, cues: str) -> tuple[str, ...]:
    """Words for ``bci stream`` that start a subject with the channels and classes of a model."""
    p = header.preprocessing
    words = ["simulated", "--channels", ",".join(p.labels), "--rate", f"{p.rate_hz:g}", "--skill", f"{skill:g}"]
    words += ["--seed", str(seed), "--classes", ",".join(header.classes)]
    words += ["--name", "simulated", "--set", "chunk=1"]
    return tuple(words + (["--listen", cues] if cues else []))


def source_words(config: SessionConfig) -> tuple[str, ...]:
    """Words for ``bci stream`` that start the source of the configuration; only one that has a method ``cue`` gets the cues."""
    settings = [word for key, value in config.source.settings.items() for word in ("--set", f"{key}={value}")]
    hears = bool(config.markers.stream) and hasattr(plugins.load(plugins.SOURCES, config.source.name), "cue")
    cues = ["--listen", config.markers.stream] if hears else []
    return (config.source.name, *settings, *cues)


def actuator_words(config: SessionConfig) -> tuple[str, ...]:
    """Words for ``bci actuate`` that start the actuator of the configuration; none where it has none."""
    chosen = config.actuator
    if not chosen.name:
        return ()
    given: dict[str, object] = {}
    for key, value in chosen.settings.items():
        given |= {f"{key}.{inner}": one for inner, one in value.items()} if isinstance(value, dict) else {key: value}
    given |= {f"commands.{name}": command for name, command in chosen.commands.items()}
    for section, settings in (("guard", config.guard), ("pace", config.pace)):
        given |= {f"{section}.{key}": value for key, value in asdict(settings).items()}
    return (chosen.name, *(word for key, value in given.items() for word in ("--set", f"{key}={value}")))
