"""Any board that BrainFlow knows, by name: Ganglion, Unicorn, Muse, its synthetic board, its recordings.

BrainFlow (brainflow.readthedocs.io) is an optional extra: ``pip install 'bci[brainflow]'``. It stamps samples when
they reach the computer, by the wall clock, and its packet counters mean something else on every board; so stamps are
passed on as they are, on our clock, and losses are found by the fit of the sender's clock, not by counting. For an
OpenBCI Cyton the source ``cyton`` counts them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo, canonical
from bci.errors import ConfigError, PluginError, StreamLost, StreamNotFound
from bci.stream.bus import Clock
from devices.headmodel import POSITIONS_M
from devices.opening import closed_on_error, or_lsl_clock, require_open
from devices.options import read_fields

POLL_S = 0.004
BUFFER_SAMPLES = 45_000
STEP_S = 0.1
"""The wall clock was set when it has moved against ours by more than this."""


@dataclass(frozen=True, slots=True)
class BrainFlowSettings:
    """Which board; the fields from ``serial_port`` to ``timeout`` are BrainFlow's own input parameters.

    Parameters
    ----------
    board : str
        Name (``synthetic``, ``ganglion``, ``unicorn``, ``playback_file``) or number.
    channels : tuple of str
        Labels in the board's order; empty for what BrainFlow says.
    master_board : str
        Playback: the board that was recorded, by name or number.
    name : str
        Of the stream; empty for the board's.
    silence_s : float
        After this long without a sample the board counts as lost.
    """

    board: str = "synthetic"
    channels: tuple[str, ...] = ()
    serial_port: str = ""
    mac_address: str = ""
    ip_address: str = ""
    ip_port: int = 0
    serial_number: str = ""
    other_info: str = ""
    file: str = ""
    master_board: str = ""
    timeout: int = 0
    name: str = ""
    silence_s: float = 5.0

    def __post_init__(self) -> None:
        problems = []
        if not self.board:
            problems.append("board: name one, for instance board=synthetic or board=ganglion")
        if len({canonical(label) for label in self.channels}) < len(self.channels):
            problems.append(f"channels = {', '.join(self.channels)}: each label must be unique")
        if not 0 < self.silence_s < math.inf:
            problems.append(f"silence_s = {self.silence_s}: must be positive and finite")
        if problems:
            raise ConfigError(problems)


class BrainFlowSource:
    """A streaming board, as a :class:`~bci.stream.bus.Source`; EEG channels only, in µV.

    Parameters
    ----------
    settings : BrainFlowSettings
    clock : Clock, optional
        None for the LSL clock.

    Raises
    ------
    PluginError
        If BrainFlow is not installed.
    ConfigError
        If it knows no such board, or the labels do not fit.
    StreamNotFound
        If the board does not answer.
    """

    def __init__(self, settings: BrainFlowSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = or_lsl_clock(clock)
        self._shim = _board_shim()
        number = board_number(self._shim, settings.board)
        params = _parameters(self._shim, settings)
        self._error = self._shim.BrainFlowError
        self._board = self._shim.BoardShim(number, params)
        try:
            self._board.prepare_session()
        except self._error as error:
            raise StreamNotFound(
                f"BrainFlow board {settings.board!r} cannot be opened ({error}); check its parameters "
                "(serial_port, mac_address, ip_address, file, master_board), its power, and that no other program uses it"
            ) from error
        self._closed = False
        with closed_on_error(self):
            description = self._shim.BoardShim.get_board_descr(self._board.get_board_id())
            self._rows, labels = eeg_channels(description, settings)
            self._stamp_row = description["timestamp_channel"]
            self.info = _stream_info(settings, description, labels)
            self._board.start_stream(BUFFER_SAMPLES)
        self._offset_s = self._wall_to_ours()
        self._heard_s = self._clock.now()

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> BrainFlowSource:
        """As :meth:`bci.stream.bus.SourcePlugin.from_settings`; the options are the fields of :class:`BrainFlowSettings`."""
        return cls(BrainFlowSettings(**read_options(options)), clock)

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the samples that have come since the last call.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None where no sample came in time.

        Raises
        ------
        StreamLost
            If no sample came for ``silence_s``, or BrainFlow has lost the board.
        StreamError
            After :meth:`close`.
        """
        require_open(self._closed, self.info.name)
        until = self._clock.now() + timeout_s
        while True:
            try:
                rows = self._board.get_board_data()
            except self._error as error:
                raise StreamLost(f"source {self.info.name!r}: BrainFlow has lost the board ({error})") from error
            now = self._clock.now()
            if rows.shape[1]:
                self._heard_s = now
                return self._chunk(rows)
            if now - self._heard_s > self.settings.silence_s:
                raise StreamLost(
                    f"source {self.info.name!r}: the board sent nothing for {self.settings.silence_s:g} s; "
                    "check that it is switched on and near. A recording that is played back also ends with this message"
                )
            if now >= until:
                return None
            self._clock.wait_until(min(now + POLL_S, until))

    def close(self) -> None:
        """Stop the board and release it. May be called twice; a board that has gone is no error."""
        if self._closed:
            return
        self._closed = True
        try:
            self._board.stop_stream()
        except self._error:
            pass  # never started, or gone
        finally:
            self._board.release_session()

    def _chunk(self, rows: Any) -> Chunk:
        moved = self._wall_to_ours()
        if abs(moved - self._offset_s) > STEP_S:
            self._offset_s = moved
        data = np.ascontiguousarray(rows[self._rows].T, dtype=np.float64)
        return Chunk(data, np.array(rows[self._stamp_row], dtype=np.float64) + self._offset_s)

    def _wall_to_ours(self) -> float:
        return self._clock.now() - time.time()


def board_number(shim: Any, name: str) -> int:
    """BrainFlow's number of a board.

    Parameters
    ----------
    shim : module
        ``brainflow.board_shim``.
    name : str
        ``synthetic``, ``SYNTHETIC_BOARD`` or ``-1``.

    Raises
    ------
    ConfigError
        Lists the boards it knows.
    """
    known = {member.name.removesuffix("_BOARD").lower(): int(member) for member in shim.BoardIds if member.value != -100}
    wanted = name.strip().lower().replace("-", "_").removesuffix("_board")
    if wanted in known:
        return known[wanted]
    if wanted.lstrip("_").isdigit():
        number = int(name)
        if number in known.values():
            return number
    raise ConfigError(f"board = {name!r}: BrainFlow knows {', '.join(sorted(known))}")


def eeg_channels(description: Mapping[str, Any], settings: BrainFlowSettings) -> tuple[list[int], tuple[str, ...]]:
    """Rows of the EEG channels and their labels.

    Parameters
    ----------
    description : mapping
        BrainFlow's ``get_board_descr``.
    settings : BrainFlowSettings

    Raises
    ------
    ConfigError
        If the board has no EEG, or not as many channels as there are labels.
    """
    rows = [int(row) for row in description.get("eeg_channels", ())]
    if not rows:
        raise ConfigError(f"board = {settings.board!r}: BrainFlow's {description.get('name')} has no EEG channels")
    names = [name for name in str(description.get("eeg_names", "")).split(",") if name]
    labels = settings.channels or tuple(names if len(names) == len(rows) else [f"EEG{i + 1}" for i in range(len(rows))])
    if len(labels) != len(rows):
        raise ConfigError(f"channels = {', '.join(labels)}: the board has {len(rows)} EEG channels, give as many labels")
    return rows, labels


def read_options(options: Mapping[str, object]) -> dict[str, Any]:
    """Read the arguments of :class:`BrainFlowSettings` from values of their type, or text.

    Parameters
    ----------
    options : mapping of str to object
        By the names of the fields.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> read_options({"board": "ganglion", "ip_port": "6677", "channels": "C3,C4"})
    {'board': 'ganglion', 'ip_port': 6677, 'channels': ('C3', 'C4')}
    """
    return read_fields(BrainFlowSettings, options, "the BrainFlow source")


def _stream_info(settings: BrainFlowSettings, description: Mapping[str, Any], labels: tuple[str, ...]) -> StreamInfo:
    positions = {canonical(label): place for label, place in POSITIONS_M.items()}
    name = settings.name or f"brainflow-{str(description.get('name', settings.board)).lower()}"
    where = (settings.serial_port, settings.mac_address, settings.ip_address, settings.serial_number, settings.file)
    return StreamInfo(
        rate_hz=float(description["sampling_rate"]),
        channels=tuple(Channel(label, "EEG", "uV", positions.get(canonical(label))) for label in labels),
        source_id="-".join(["bci", name, f"{len(labels)}ch", *(part for part in where if part)]),
        name=name,
    )


def _parameters(shim: Any, settings: BrainFlowSettings) -> Any:
    params = shim.BrainFlowInputParams()
    for name in ("serial_port", "mac_address", "ip_address", "ip_port", "serial_number", "other_info", "file", "timeout"):
        setattr(params, name, getattr(settings, name))
    if settings.master_board:
        params.master_board = board_number(shim, settings.master_board)
    return params


def _board_shim() -> Any:
    """Import BrainFlow's module, and switch off its log.

    Raises
    ------
    PluginError
        If it is not installed.
    """
    try:
        from brainflow import board_shim
    except ModuleNotFoundError as error:
        raise PluginError(
            "source 'brainflow' needs the package brainflow, which is not installed; "
            "install it with: pip install 'bci[brainflow]'"
        ) from error
    if hasattr(board_shim, "files"):
        board_shim.files = _files
    board_shim.BoardShim.disable_board_logger()
    return board_shim


def _files(_module: str) -> Any:
    """Folder of BrainFlow's libraries.

    BrainFlow 5 asks importlib for the folder of a module, which Python before 3.12 refuses; its own way out,
    pkg_resources, has left setuptools 81. So it is given the folder of its package.
    """
    return files("brainflow")
