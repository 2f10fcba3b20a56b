"""What is filled in on the wizard's pages, and the commands that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bci.errors import ConfigError
from bci.session.calibration.protocol import CalibrationProtocol, load_protocol
from bci.session.calibration.virtual import subject_classes
from bci.session.timeline import CLASS_CODES
from bci.stream.paths import label
from bci.stream.stream_query import StreamQuery

SIMULATED, STREAM = "simulated", "stream"
CHECKED = "name=simulated"


@dataclass(frozen=True, slots=True)
class Plan:
    """A calibration and the session after it.

    Parameters
    ----------
    subject, session : str
        Pseudonym and session label.
    amplifier : str
        ``"simulated"``, ``"stream"`` (the one with ``source_id``), or a name under ``bci.sources``.
    source_id : str
    device : str
        Settings of a device: ``key=value``, separated by spaces.
    montage : str
        Montage file.
    line_hz : float
    notes : str
        Go on record when the calibration begins.
    out : str
        Folder for recordings; empty: the usual one.
    protocol, instruction, language : str
    per_class, most_blocks : int
    fast : bool
        The simulated subject faster than real time, without anything to look at.
    skill : float
        Of the simulated subject.
    seed : int
    """

    subject: str = "P001"
    session: str = "S001"
    amplifier: str = SIMULATED
    source_id: str = ""
    device: str = ""
    montage: str = ""
    line_hz: float = 50.0
    notes: str = ""
    out: str = ""
    protocol: str = "short"
    instruction: str = "imagine"
    language: str = "en"
    per_class: int = 5
    most_blocks: int = 16
    fast: bool = True
    skill: float = 0.8
    seed: int = 1

    @property
    def virtual(self) -> bool:
        """Whether nobody has to wait for it."""
        return self.amplifier == SIMULATED and self.fast

    def person_problem(self) -> str:
        """What is wrong with person or amplifier, or ""."""
        for kind, value in (("pseudonym", self.subject), ("session", self.session)):
            try:
                label(kind, value)
            except ConfigError as error:
                return str(error)
        if not any(c.isdigit() for c in self.subject):
            return f"pseudonym = {self.subject!r} looks like a name: take one with a number, such as P003"
        if self.amplifier == STREAM and not self.source_id:
            return "no stream is there: start the amplifier's program, or choose another amplifier"
        wrong = [word for word in self.device.split() if "=" not in word]
        if wrong:
            return f"settings of the device: write {wrong[0]!r} as key=value"
        if self.montage and not Path(self.montage).is_file():
            return f"{self.montage}: there is no such montage file"
        return ""

    def chosen(self) -> CalibrationProtocol:
        """The protocol with what was changed.

        Raises
        ------
        ConfigError
        """
        changes = {"per_class": self.per_class, "most_blocks": self.most_blocks, "instruction": self.instruction}
        return load_protocol(self.protocol, **changes)

    def protocol_problem(self) -> str:
        """What is wrong with the protocol, or ""."""
        try:
            protocol = self.chosen()
        except ConfigError as error:
            return str(error)
        unknown = [c for c, code in protocol.class_codes.items() if code not in CLASS_CODES.values()]
        if self.amplifier == SIMULATED and not self.fast and unknown:
            return f"in real time the simulated subject knows no {unknown[0]!r}: let it run faster than real time"
        return ""

    def same_trials(self, other: Plan) -> bool:
        """Whether trials of the other plan are trials of this one."""
        return self._key() == other._key()

    def _key(self) -> tuple[object, ...]:
        simulated = (self.skill, self.fast) if self.amplifier == SIMULATED else ()
        who = (self.subject, self.session, self.amplifier, self.source_id, self.montage, self.out, *simulated)
        return (*who, self.protocol, self.instruction, self.per_class, self.most_blocks)

    # --- words after "bci"

    def check_words(self) -> tuple[str, ...]:
        """Put the amplifier on LSL to look at it; nothing where it is there."""
        if self.amplifier == STREAM:
            return ()
        if self.amplifier == SIMULATED:
            return ("stream", *self._simulated(), "--set", "chunk=1", "--listen", "type=Markers")
        return ("stream", self.amplifier, *_sets(self.device.split()))

    def calibrate_words(self) -> tuple[str, ...]:
        """A new calibration."""
        protocol = ["--protocol", self.protocol, "--per-class", self.per_class, "--most-blocks", self.most_blocks]
        how = ["--instruction", self.instruction, "--seed", self.seed, "--subject", self.subject]
        sets = _sets([f"record.session={self.session}", f"preprocessing.notch_hz={self.line_hz:g}"])
        montage = _sets([f"stream.montage={self.montage}"] if self.montage else [])
        out = ["--out", self.out] if self.out else []
        return _texts("calibrate", *protocol, *how, *sets, *montage, *out, *self._source(), *self._manner())

    def resume_words(self, folder: Path, more: bool) -> tuple[str, ...]:
        """Go on with the newest calibration in a folder; with a further block first, where ``more``."""
        device = ["--device"] if self.amplifier != STREAM and not self.virtual else []
        return _texts("calibrate", "--resume", folder, *(["--more"] if more else []), *device, *self._manner())

    def run_words(self, model: str, cues: bool, participant: bool) -> tuple[str, ...]:
        """The live session."""
        words = ["run", "--json", "--model", model, "--subject", self.subject, "--seed", self.seed]
        words += _sets([f"record.session={self.session}"])
        words += ["--out", self.out] if self.out else []
        words += _sets([f"stream.montage={self.montage}"] if self.montage else [])
        words += ["--cues", self.protocol] if cues else []
        words += ["--windows", "participant" if participant else ""]
        if self.amplifier == SIMULATED:
            return _texts(*words, "--simulate", "--skill", self.skill)
        return _texts(*words, *self._source())

    def _manner(self) -> list[str]:
        windows = [] if self.virtual else ["--windows", "participant"]
        return ["--watched", "--json", "--language", self.language, *windows]

    def _source(self) -> list[str]:
        if self.amplifier == STREAM:
            return ["--stream", StreamQuery(source_id=self.source_id).words()]
        if self.virtual:
            return ["--simulate", "--skill", f"{self.skill:g}"]
        own = [f"source.settings.{word}" for word in self.device.split()]
        if self.amplifier == SIMULATED:
            given = {"classes": ",".join(subject_classes(self.chosen())), "skill": f"{self.skill:g}", "seed": str(self.seed)}
            own = [f"source.settings.{key}={value}" for key, value in given.items()]
        return ["--device", *_sets([f"source.name={self.amplifier}", *own])]

    def _simulated(self) -> list[str]:
        """The subject that will be calibrated."""
        classes = subject_classes(load_protocol(self.protocol))
        return ["simulated", "--skill", f"{self.skill:g}", "--seed", str(self.seed), "--classes", ",".join(classes)]


def _sets(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def _texts(*words: object) -> tuple[str, ...]:
    return tuple(map(str, words))
