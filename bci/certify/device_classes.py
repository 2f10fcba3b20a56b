"""Delays that an amplifier adds before the first stamp; no program on this computer can measure them.

They are of two kinds: *derived* from documents (what must pass at the least), and *measured* by others, each with
its source. A loop-back with a photodiode or a trigger cable measures the rig itself, and goes before any of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """One kind of amplifier.

    Parameters
    ----------
    name : str
    about : str
    low_ms, high_ms : float
        From the electrode to the first stamp, or to the sample's arrival where its program stamps at arrival.
    how : str
        Where the figure comes from, with sources.
    """

    name: str
    about: str
    low_ms: float
    high_ms: float
    how: str


CLASSES = (
    DeviceClass(
        "simulated",
        "simulated subject, player, keyboard",
        0.0,
        0.0,
        "There is no device: stamps are the times at which samples are due.",
    ),
    DeviceClass(
        "cyton",
        "OpenBCI Cyton with its USB dongle",
        10.0,
        30.0,
        "Derived for 250 Hz: the ADS1299's third-order sinc filter delays by 1.5 samples = 6 ms (data sheet SBAS499, digital "
        "decimation filter); 33 bytes at 115200 baud take 2.9 ms; then the radio, and the dongle's FTDI chip, which waits for "
        "up to 16 ms by default and 1 ms in the low-latency mode that bci asks for (FTDI AN232B-04, latency timer). Lost radio "
        "packets add to it.",
    ),
    DeviceClass(
        "ble",
        "Bluetooth Low Energy boards (Muse, Ganglion, Unicorn and the like)",
        20.0,
        150.0,
        "Measured by others: acquisition delays of wireless EEG instruments from a few tens to a hundred ms (IEEE Trans. Neural "
        "Syst. Rehabil. Eng. 2025, doi 10.1109/TNSRE.2025.3575695). Derived: a Muse packs 12 samples at 256 Hz, so the oldest "
        "waits 43 ms, and its maker's developers speak of about 15 ms for Bluetooth itself (forum.choosemuse.com, topic 38).",
    ),
    DeviceClass(
        "emotiv",
        "Emotiv EPOC and Insight",
        60.0,
        70.0,
        "By its maker: 60 ms in the headset's filters and a few ms of radio and processing (emotiv.com, knowledge base, 'The "
        "latency of Emotiv data streams'); its own display adds 200 ms that LSL does not have.",
    ),
    DeviceClass(
        "usb",
        "laboratory amplifiers on USB, with their own LSL program",
        2.0,
        40.0,
        "Derived: one block of the driver, which is chosen in the amplifier's program (a few samples to about 30 ms), the "
        "anti-aliasing filter of one or two samples, and 1 ms of USB. Wilson et al., IEEE Trans. Biomed. Eng. 57(7), 2010, "
        "describe how to measure it.",
    ),
    DeviceClass(
        "tcp",
        "amplifiers through a server on the network (BrainVision RDA, FieldTrip buffer)",
        5.0,
        60.0,
        "Derived: one block of the recording program, as it is set there (20 ms is usual), waits until it is full, and the "
        "network and the client's polling add a few ms. Sudre et al., Comput. Intell. Neurosci. 2011, 327953, measured a "
        "FieldTrip buffer: the delay follows the block's length.",
    ),
    DeviceClass(
        "unknown",
        "a device that was not named",
        0.0,
        150.0,
        "Name the kind of device with --device-class, or measure the delay with --loopback.",
    ),
)
BY_NAME = {c.name: c for c in CLASSES}
_SOURCES = {
    "simulated": "simulated",
    "keyboard": "simulated",
    "cyton": "cyton",
    "cyton-daisy": "cyton",
    "brainvision-rda": "tcp",
    "fieldtrip": "tcp",
}


def class_of(source: str) -> DeviceClass:
    """The class of a source of ours, by its name.

    Parameters
    ----------
    source : str
        Name in the entry point group ``bci.sources``.

    Examples
    --------
    >>> class_of("cyton-daisy").name, class_of("something").name
    ('cyton', 'unknown')
    """
    return BY_NAME[_SOURCES.get(source, "unknown")]
