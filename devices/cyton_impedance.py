"""Impedance of a Cyton's electrodes, measured while nothing is decoded.

The board sends 6 nA at 31.2 Hz through one electrode at a time (ADS1299 data sheet, LOFF register: ILEAD_OFF and
FLEAD_OFF as OpenBCI's firmware sets them; OpenBCI, "Cyton Board SDK", LeadOff Impedance Commands). The amplitude
of the voltage at that frequency over the current, less the board's 2.2 kΩ in series, is the impedance, as OpenBCI's
own GUI computes it. 50 to 120 kΩ is ordinary there for gel and for dry electrodes.

The current would be in the decoder's signal, so the port is opened exclusively: a stream that runs refuses this,
and this refuses a stream. ``python -m devices.cyton_impedance --port PORT`` prints and, with ``--log``, appends.
"""

from __future__ import annotations

import argparse
import enum
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import BciError, ConfigError, StreamLost
from devices.cyton_board import CytonBoard
from devices.cyton_commands import channel_command, lead_off_command
from devices.cyton_protocol import CHANNELS, PacketCount, PacketParser, microvolts_per_count
from devices.cyton_settings import PACKET_RATE_HZ, CytonSettings

CURRENT_A = 6e-9
CURRENT_HZ = 31.2
SERIES_OHM = 2200.0


class Electrode(enum.Enum):
    """Kind of electrode, with the largest impedances (kΩ) that count as good and as fair.

    A choice of ours, around what is ordinary on this board; a laboratory's own rule goes before it.
    """

    WET = (120.0, 750.0)
    DRY = (750.0, 2500.0)


@dataclass(frozen=True, slots=True)
class Impedance:
    """One electrode.

    Parameters
    ----------
    label : str
    ohm : float
    verdict : str
        ``good``, ``fair`` or ``poor`` for the kind of electrode.
    """

    label: str
    ohm: float
    verdict: str


def measure(
    settings: CytonSettings,
    electrode: Electrode,
    inputs: tuple[int, ...] = (),
    seconds: float = 2.0,
    settle_s: float = 1.0,
) -> list[Impedance]:
    """Measure electrodes one after the other; the board ends as it began.

    Parameters
    ----------
    settings : CytonSettings
    electrode : Electrode
    inputs : tuple of int
        From 1; empty for all.
    seconds : float
        Signal for each; before it, ``settle_s`` are thrown away.

    Raises
    ------
    StreamNotFound
        If the port is taken, for instance by a stream.
    """
    wrong = [i for i in inputs if not 1 <= i <= settings.n_inputs]
    if wrong:
        raise ConfigError(f"inputs {wrong}: they are numbered from 1 to {settings.n_inputs}")
    with CytonBoard(settings.port) as board:
        board.use_daisy(settings.daisy)
        return [_one(board, settings, electrode, i, seconds, settle_s) for i in inputs or range(1, settings.n_inputs + 1)]


def amplitude(signal: FloatArray, rate_hz: float, hz: float = CURRENT_HZ) -> float:
    """Peak amplitude of a sine of known frequency, by least squares together with offset and trend.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,)
    rate_hz : float
    hz : float
    """
    t = np.arange(len(signal)) / rate_hz
    design = np.stack([np.cos(2 * np.pi * hz * t), np.sin(2 * np.pi * hz * t), np.ones_like(t), t], axis=1)
    cosine, sine, *_ = np.linalg.lstsq(design, signal, rcond=None)[0]
    return float(np.hypot(cosine, sine))


def _one(
    board: CytonBoard, settings: CytonSettings, electrode: Electrode, channel: int, seconds: float, settle_s: float
) -> Impedance:
    s = settings
    gain = s.gains[channel - 1]
    board.command(channel_command(channel, gain, True, s.bias, s.srb2, s.srb1))
    # The electrode is at the negative input (SRB2 is on the positive side of the Cyton's wiring).
    board.command(lead_off_command(channel, negative=True))
    try:
        signal, rate_hz = _record(board, settings.daisy, channel, seconds, settle_s)
    finally:
        board.command(lead_off_command(channel))
    ohm = max(0.0, amplitude(signal * microvolts_per_count(gain), rate_hz) * 1e-6 / CURRENT_A - SERIES_OHM)
    good, fair = electrode.value
    verdict = "good" if ohm <= good * 1e3 else "fair" if ohm <= fair * 1e3 else "poor"
    return Impedance(settings.labels[channel - 1], ohm, verdict)


def _record(board: CytonBoard, daisy: bool, channel: int, seconds: float, settle_s: float) -> tuple[FloatArray, float]:
    """Counts of one input, lost packets interpolated, and their rate."""
    parser, count = PacketParser(), PacketCount()
    numbers: list[int] = []
    values: list[int] = []
    wanted = round((settle_s + seconds) * PACKET_RATE_HZ)
    board.start()
    until = time.monotonic() + 2 * (settle_s + seconds) + 1.0
    try:
        while not numbers or numbers[-1] - numbers[0] < wanted:
            if time.monotonic() > until:
                raise StreamLost(f"port {board.port!r}: only {len(numbers)} of {wanted} packets came; bring the board nearer")
            packets = parser.push(board.read())
            numbers += count(packets.counter).tolist()
            values += packets.counts[:, (channel - 1) % CHANNELS].tolist()
    finally:
        board.stop()
    step = 2 if daisy else 1
    at, raw = np.array(numbers), np.array(values, dtype=np.float64)
    if daisy:
        mine = at % 2 == (channel <= CHANNELS)  # odd packets are the Cyton's
        at, raw = at[mine], raw[mine]
    grid = np.arange(at[0] + round(settle_s * PACKET_RATE_HZ), at[-1] + 1, step)
    return np.interp(grid, at, raw), PACKET_RATE_HZ / step


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the impedances of a board; ``--log`` appends them to a file, one JSON object a line.

    Parameters
    ----------
    arguments : list of str, optional
        Of the command line; those of this process where omitted.

    Returns
    -------
    int
        Exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m devices.cyton_impedance", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", required=True)
    parser.add_argument("--daisy", action="store_true")
    parser.add_argument("--electrode", choices=[e.name.lower() for e in Electrode], default="wet")
    parser.add_argument("--log", type=Path)
    args = parser.parse_args(arguments)
    electrode = Electrode[args.electrode.upper()]
    try:
        found = measure(CytonSettings(port=args.port, daisy=args.daisy), electrode)
    except BciError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for one in found:
        print(f"{one.label:>6} {one.ohm / 1e3:8.1f} kΩ  {one.verdict}")
    if args.log:
        with args.log.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({"time": time.time(), "electrode": args.electrode, **asdict(x)}) + "\n" for x in found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
