"""Commands of the OpenBCI Cyton, and its answers. No port and no clock.

Sources: "Cyton Board SDK", docs.openbci.com/Cyton/CytonSDK; the lines of the greeting as firmware 3 prints them
(OpenBCI_Cyton_Library).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from devices.cyton_protocol import GAINS

END_OF_ANSWER = b"$$$"
_SELECT = "12345678QWERTYUI"
"""How a command names a channel."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The board's description of itself after a reset (``v``).

    Parameters
    ----------
    firmware : tuple of int
        Empty before version 2, which does not say it.
    daisy : bool or None
        None where the firmware does not tell.
    text : str
    """

    firmware: tuple[int, ...]
    daisy: bool | None
    text: str


def read_greeting(answer: bytes) -> Greeting | None:
    r"""Parse the answer to the command ``v``.

    Parameters
    ----------
    answer : bytes

    Returns
    -------
    Greeting or None
        None where these bytes are no such answer.

    Examples
    --------
    >>> read_greeting(b"OpenBCI V3 8-16 channel\nADS1299 Device ID: 0x3E\nFirmware: v3.1.1\n$$$").firmware
    (3, 1, 1)
    """
    text = answer.decode("ascii", errors="replace")
    if "OpenBCI" not in text or not answer.rstrip().endswith(END_OF_ANSWER):
        return None
    version = re.search(r"Firmware: v(\d+(?:\.\d+)*)", text)
    firmware = tuple(int(x) for x in version.group(1).split(".")) if version else ()
    # Firmware 3 tells "On Board" and "On Daisy" apart; older ones name one device whatever is plugged in.
    daisy = "On Daisy" in text if "On Board" in text else None
    return Greeting(firmware, daisy, text.strip())


def channel_command(channel: int, gain: int, on: bool = True, bias: bool = True, srb2: bool = True, srb1: bool = False) -> bytes:
    """``x (CHANNEL, POWER_DOWN, GAIN_SET, INPUT_TYPE_SET, BIAS_SET, SRB2_SET, SRB1_SET) X``.

    Parameters
    ----------
    channel : int
        1 to 16.
    gain : int
        One of ``GAINS``.
    on, bias, srb2, srb1 : bool
        Powered; part of the bias drive; connected to SRB2; all negative inputs connected to SRB1.

    Examples
    --------
    >>> channel_command(3, 2, bias=False, srb2=False)
    b'x3010000X'
    """
    flags = "".join(str(int(flag)) for flag in (bias, srb2, srb1))
    return f"x{_SELECT[channel - 1]}{int(not on)}{GAINS.index(gain)}0{flags}X".encode()


def lead_off_command(channel: int, positive: bool = False, negative: bool = False) -> bytes:
    """Write the command ``z (CHANNEL, PCHAN, NCHAN) Z``, which puts the test current on an input, or takes it off.

    Parameters
    ----------
    channel : int
        1 to 16.
    positive : bool
        Whether the current is on the positive input.
    negative : bool
        Whether the current is on the negative input.

    Returns
    -------
    bytes

    Examples
    --------
    >>> lead_off_command(4, positive=True)
    b'z410Z'
    """
    return f"z{_SELECT[channel - 1]}{int(positive)}{int(negative)}Z".encode()
