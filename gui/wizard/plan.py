"""The entries of the wizard's pages, and the commands that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bci.calibration.virtual import subject_classes
from bci.errors import ConfigError
from bci.paradigm.protocol import CalibrationProtocol, load_protocol
from bci.paradigm.timeline import CLASS_CODES
from bci.stream.paths import label
from bci.stream.stream_query import StreamQuery

SIMULATED, STREAM = "simulated", "stream"
CHECKED = "name=simulated"


@dataclass(frozen=True, slots=True)
class WizardPlan:
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
        Whether the simulated subject runs faster than real time, without windows to follow it.
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
        """Whether the calibration runs faster than real time."""
        return self.amplifier == SIMULATED and self.fast

    def person_problem(self) -> str:
        """Return what is wrong with person or amplifier, or ""."""
        for kind, value in (("pseudonym", self.subject), ("session", self.session)):
            try:
                label(kind, value)
            except ConfigError as error:
                return str(error)
        if not any(c.isdigit() for c in self.subject):
            return f"The pseudonym {self.subject!r} looks like a name. Take one with a number, such as P003."
        if self.amplifier == STREAM and not self.source_id:
            return "There is no stream. Start the program of the amplifier, or choose another amplifier."
        wrong = [word for word in self.device.split() if "=" not in word]
        if wrong:
            return f"Write each setting of the device as key=value: {wrong[0]!r} is none."
        if self.montage and not Path(self.montage).is_file():
            return f"{self.montage}: there is no such montage file"
        return ""

    def chosen(self) -> CalibrationProtocol:
        """Return the protocol with the changed numbers.

        Raises
        ------
        ConfigError
        """
        changes = {"per_class": self.per_class, "most_blocks": self.most_blocks, "instruction": self.instruction}
        return load_protocol(self.protocol, **changes)

    def protocol_problem(self) -> str:
        """Return what is wrong with the protocol, or ""."""
        try:
            protocol = self.chosen()
        except ConfigError as error:
            return str(error)
        unknown = [c for c, code in protocol.class_codes.items() if code not in CLASS_CODES.values()]
        if self.amplifier == SIMULATED and not self.fast and unknown:
            return f"In real time the simulated subject cannot imagine {unknown[0]!r}. Let it run faster than real time."
        return ""

    def same_trials(self, other: WizardPlan) -> bool:
        """Return whether trials that were recorded with the other plan are valid for this one.

        Parameters
        ----------
        other : WizardPlan
        """
        return self._key() == other._key()

    def _key(self) -> tuple[object, ...]:
        simulated = (self.skill, self.fast) if self.amplifier == SIMULATED else ()
        who = (self.subject, self.session, self.amplifier, self.source_id, self.montage, self.out, *simulated)
        return (*who, self.protocol, self.instruction, self.per_class, self.most_blocks)

    # --- words after "bci"

    def check_words(self) -> tuple[str, ...]:
        """Return the command that puts the amplifier on LSL; empty if it is there already."""
        if self.amplifier == STREAM:
            return ()
        if self.amplifier == SIMULATED:
            return ("stream", *self._simulated(), "--set", "chunk=1", "--listen", "type=Markers")
        return ("stream", self.amplifier, *_sets(self.device.split()))

    def calibrate_words(self) -> tuple[str, ...]:
        """Return the command for a new calibration."""
        protocol = ["--protocol", self.protocol, "--per-class", self.per_class, "--most-blocks", self.most_blocks]
        how = ["--instruction", self.instruction, "--seed", self.seed, "--subject", self.subject]
        sets = _sets([f"record.session={self.session}", f"preprocessing.notch_hz={self.line_hz:g}"])
        montage = _sets([f"stream.montage={self.montage}"] if self.montage else [])
        out = ["--out", self.out] if self.out else []
        return _texts("calibrate", *protocol, *how, *sets, *montage, *out, *self._source(), *self._manner())

    def resume_words(self, folder: Path, more: bool) -> tuple[str, ...]:
        """Return the command that continues the newest calibration in a folder; with ``more``, by a further block.

        Parameters
        ----------
        folder : Path
        more : bool
            Whether a further block is recorded first.
        """
        device = ["--device"] if self.amplifier != STREAM and not self.virtual else []
        return _texts("calibrate", "--resume", folder, *(["--more"] if more else []), *device, *self._manner())

    def run_words(self, model: str, cues: bool, participant: bool) -> tuple[str, ...]:
        """Return the command for the live session.

        Parameters
        ----------
        model : str
            Model file.
        cues : bool
            Whether cues are shown.
        participant : bool
            Whether the participant's window is opened.
        """
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
        """Return the words that describe the simulated subject."""
        classes = subject_classes(load_protocol(self.protocol))
        return ["simulated", "--skill", f"{self.skill:g}", "--seed", str(self.seed), "--classes", ",".join(classes)]


def _sets(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def _texts(*words: object) -> tuple[str, ...]:
    return tuple(map(str, words))
