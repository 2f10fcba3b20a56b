"""LabRecorder's remote control: text commands over TCP, on this machine only.

The commands are those of https://github.com/labstreaminglayer/App-LabRecorder#remote-control, one a line,
each answered with ``OK`` or ``ERROR: …``: ``select all``, ``select none``, ``update``, ``start``, ``stop`` and
``filename {root:…} {template:…} {participant:…} {session:…} {task:…} {run:…} {acquisition:…} {modality:…}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from bci.errors import BciError, ConfigError, RecordingError
from bci.recording.line_server import LineServer
from bci.stream.paths import free_path, label, named_by, recording_path

PORT = 22345
LABELS = ("participant", "session", "task", "acquisition", "modality")
OPTIONS = ("root", "template", "run", *LABELS)
_OPTION = re.compile(r"\{(\w+):([^{}]*)\}")
_WILDCARD = re.compile(r"%(.)")


class Remote(Protocol):
    """What a remote control can order a recorder to do."""

    def start(self) -> None:
        """Begin a new recording."""
        ...

    def stop(self) -> None:
        """End it."""
        ...

    def select(self, everything: bool) -> None:
        """Record all streams, or none, from the next start on.

        Parameters
        ----------
        everything : bool
            Whether all.
        """
        ...

    def rename(self, name: FileName) -> None:
        """Use other file names from the next start on.

        Parameters
        ----------
        name : FileName
        """
        ...


@dataclass(frozen=True, slots=True)
class FileName:
    """Name of the next recording, composed from LabRecorder's options.

    Parameters
    ----------
    root : Path
    template : str
        With ``%p`` participant, ``%s`` session, ``%b`` task, ``%n`` or ``%r`` run, ``%a`` acquisition, ``%m``
        modality; empty for our own (:func:`bci.stream.paths.recording_path`).
    participant, session, task, acquisition, modality : str
        Letters and digits.
    run : int or None
        None: the next free one.
    """

    root: Path
    template: str = ""
    participant: str = "P001"
    session: str = "S001"
    task: str = "default"
    acquisition: str = ""
    modality: str = "eeg"
    run: int | None = None

    def path(self) -> Path:
        """Path of a file that does not exist yet.

        Raises
        ------
        ConfigError
            If the template leads out of ``root`` or holds an unknown wildcard, or a name is none that a file can have.
        """
        named_by("root", self.root)
        if not self.template:
            return recording_path(self.root, self.participant, self.session, self.task, self.run, self.modality)
        run = f"{1 if self.run is None else self.run:03d}"
        values = {"p": self.participant, "s": self.session, "b": self.task, "n": run, "r": run}
        values |= {"a": self.acquisition, "m": self.modality}

        def fill(match: re.Match[str]) -> str:
            if match[1] not in values:
                raise ConfigError(f"template: {match[0]!r} is not a wildcard; allowed are %{', %'.join(values)}")
            return values[match[1]]

        relative = Path(_WILDCARD.sub(fill, self.template.replace("\\", "/")))
        if relative.is_absolute() or ".." in relative.parts or not relative.name or ":" in str(relative):
            raise ConfigError(f"template = {self.template!r}: must name a file below the root folder")
        path = self.root / named_by("template", relative)
        return free_path(path if path.suffix == ".xdf" else path.with_name(path.name + ".xdf"))

    def with_options(self, text: str) -> FileName:
        """Change the name by the options of a ``filename`` command.

        Parameters
        ----------
        text : str
            The options, each in braces.

        Returns
        -------
        FileName

        Raises
        ------
        ConfigError
            If an option is unknown or not allowed; all such are listed.

        Examples
        --------
        >>> FileName(Path("x")).with_options("{participant:P003} {run:2}").run
        2
        """
        options = dict(_OPTION.findall(text))
        problems = list(_option_problems(options, _OPTION.sub("", text).strip()))
        if problems:
            raise ConfigError(problems)
        root = Path(options.pop("root", self.root))
        run = int(options.pop("run")) if "run" in options else self.run
        return replace(self, root=root, run=run, **options)


def _option_problems(options: dict[str, str], rest: str) -> Iterator[str]:
    """Every reason why the options of a ``filename`` command cannot be used."""
    if rest:
        yield f"filename: {rest!r} is not understood; options look like {{task:rest}}"
    for key, value in options.items():
        if key not in OPTIONS:
            yield f"filename: no option {key!r}; there are {', '.join(OPTIONS)}"
        elif key == "run" and not re.fullmatch("[0-9]{1,4}", value):
            yield f"run = {value!r}: must be a number from 0 to 9999"
        elif key in LABELS and not (key == "acquisition" and not value):
            try:
                label(key, value)
            except ConfigError as error:
                yield from error.problems


class Commands:
    """Read command lines and pass them on.

    Parameters
    ----------
    remote : Remote
    name : FileName
        Names until a ``filename`` command changes them.
    """

    def __init__(self, remote: Remote, name: FileName) -> None:
        self._remote = remote
        self._name = name

    def __call__(self, line: str) -> str:
        """Answer one command.

        Parameters
        ----------
        line : str
            The command, without the end of its line.

        Returns
        -------
        str

        Raises
        ------
        RecordingError
            If it is no command at all: what sends such a thing is no client of LabRecorder's remote control.
        """
        verb, _, rest = line.strip().partition(" ")
        try:
            self._obey(verb, rest.strip())
        except _Unknown:
            raise
        except (BciError, OSError, ValueError) as error:  # what the system refuses is an answer too
            return f"ERROR: {' '.join(str(error).split())}"
        return "OK"

    def _obey(self, verb: str, rest: str) -> None:
        """Do what one command says."""
        match verb, rest:
            case "start", "":
                self._remote.start()
            case "stop", "":
                self._remote.stop()
            case "update", "":
                pass  # streams are looked for all the time
            case "select", "all" | "none":
                self._remote.select(rest == "all")
            case "filename", _:
                name = self._name.with_options(rest)
                name.path()
                self._remote.rename(name)
                self._name = name
            case _:
                raise _Unknown(
                    f"{verb[:40]!r} is not a command; the commands are select all, select none, update, start, stop, filename"
                )


class _Unknown(RecordingError):
    """Not a command."""


class RemoteControl(LineServer):
    """Listen for commands on 127.0.0.1.

    Parameters
    ----------
    commands : callable
        Takes a line, returns the answer; called from one thread.
    port : int
        0 for any free one.

    Raises
    ------
    RecordingError
        If the port is taken.
    """

    def __init__(self, commands: Commands, port: int = PORT) -> None:
        super().__init__(partial(_answered, commands), port)


def _answered(commands: Commands, line: str) -> tuple[str, bool]:
    """The answer, and whether the sender of the line may send more.

    A browser can be made to send lines to this port; its first line is no command, so it gets no second.
    """
    try:
        return commands(line), True
    except _Unknown as error:
        return f"ERROR: {error}", False
