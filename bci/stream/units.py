"""Units of voltage: their spellings, and their size in microvolts."""

from __future__ import annotations

import unicodedata

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo

MICROVOLTS = {"uV": 1.0, "mV": 1e3, "V": 1e6, "nV": 1e-3}
"""Microvolts in one of each unit."""
_UNITS = {
    **dict.fromkeys(("microvolts", "microvolt", "uv", "\u03bcv", "-6"), "uV"),
    **dict.fromkeys(("millivolts", "millivolt", "mv", "-3"), "mV"),
    **dict.fromkeys(("volts", "volt", "v"), "V"),
    **dict.fromkeys(("nanovolts", "nanovolt", "nv", "-9"), "nV"),
}


def scale_to_microvolts(info: StreamInfo) -> FloatArray:
    """Compute the factor of each channel that turns its values into microvolts.

    Parameters
    ----------
    info : StreamInfo

    Returns
    -------
    ndarray, shape (n_channels,)
        1 where the unit is µV, unknown or not a voltage, and for trigger channels: their values are codes.
    """
    return np.array([1.0 if c.type == "TRIG" else MICROVOLTS.get(c.unit, 1.0) for c in info.channels], dtype=np.float64)


def microvolts_per(unit: str) -> float | None:
    """Number of microvolts in one of a unit, however the unit is spelled.

    Parameters
    ----------
    unit : str

    Returns
    -------
    float or None
        None where it is no unit of voltage.

    Examples
    --------
    >>> microvolts_per("millivolts"), microvolts_per("counts")
    (1000.0, None)
    """
    return MICROVOLTS.get("V" if unit.strip() == "0" else canonical_unit(unit))


def canonical_unit(text: str) -> str:
    """Write a unit in its common spelling; what is no unit of voltage stays as it is.

    Both letters for micro are accepted: the micro sign U+00B5, which NFKC turns into the other, and the Greek mu U+03BC.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> [canonical_unit(text) for text in ("\u00b5V", "\u03bcV", "Microvolts", "g", "none")]
    ['uV', 'uV', 'uV', 'g', '']
    """
    bare = unicodedata.normalize("NFKC", text).strip()
    return _UNITS.get(bare.lower(), "" if bare.lower() in ("none", "unknown", "n/a", "0") else text.strip())
