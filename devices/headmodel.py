"""Electrode positions of the 10–10 system and the potential of a dipole in a layered sphere.

Everything is analytic and needs only numpy, so that a simulated subject starts at once; a test
compares the lead field with MNE-Python's spherical model.
"""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import canonical
from bci.errors import ConfigError

CENTRE_M = np.array([0.0026, 0.0165, 0.0384])
"""Centre of the sphere that fits these electrodes best, metres, head coordinates."""

RADIUS_M = 0.098
BRAIN_RADIUS = 0.90
"""Radius of the innermost layer as a fraction of the scalp's (layers 0.90, 0.92, 0.97, 1)."""

CONDUCTIVITY_S_PER_M = 0.33

BERG_MU = (0.9450681270, 0.6679974145, -0.2915794177)
BERG_LAMBDA = (0.1363958, 0.6840627, -0.0100889)
"""Berg & Scherg's three equivalent dipoles for conductivities 0.33, 1, 0.004, 0.33 S/m."""

# Template head "colin27" as distributed with MNE-Python (BSD-3), head coordinates, rounded to millimetres.
_TABLE_MM = """
    Fp1 -31 115 28,  Fpz -1 119 33,  Fp2 28 115 28,
    AF7 -56 99 25,  AF3 -35 109 56,  AFz -1 114 70,  AF4 34 110 57,  AF8 54 100 25,
    F7 -72 73 26,  F5 -66 80 54,  F3 -52 87 79,  F1 -29 91 97,  Fz -1 93 103,  F2 28 92 96,  F4 50 87 77,
    F6 66 82 53,  F8 71 75 25,
    FT7 -82 45 28,  FC5 -79 51 63,  FC3 -62 57 94,  FC1 -36 62 118,  FCz -1 63 127,  FC2 33 62 117,  FC4 61 58 94,
    FC6 78 52 63,  FT8 80 46 27,
    T9 -88 13 -8,  T7 -86 15 31,  C5 -82 19 69,  C3 -67 23 105,  C1 -38 26 130,  Cz -1 28 140,  C2 36 26 128,
    C4 65 24 104,  C6 82 20 69,  T8 83 15 31,  T10 84 12 -8,
    TP7 -87 -15 35,  CP5 -82 -13 73,  CP3 -65 -12 108,  CP1 -37 -11 133,  CPz -2 -11 142,  CP2 36 -11 133,
    CP4 65 -12 108,  CP6 81 -13 73,  TP8 84 -15 35,
    P7 -74 -42 41,  P5 -69 -43 72,  P3 -55 -44 100,  P1 -31 -45 119,  Pz -2 -45 127,  P2 30 -45 121,  P4 54 -44 101,
    P6 66 -43 72,  P8 71 -42 41,
    PO7 -57 -66 48,  PO3 -39 -67 82,  POz -2 -68 96,  PO4 35 -68 82,  PO8 54 -66 48,
    O1 -32 -81 55,  Oz -2 -83 61,  O2 28 -80 55,  Iz -2 -89 23,
    M1 -88 -17 -26,  M2 84 -18 -26,  A1 -88 3 -27,  A2 84 2 -27
"""
POSITIONS_M: dict[str, tuple[float, float, float]] = {
    label: (int(x) / 1000, int(y) / 1000, int(z) / 1000)
    for label, x, y, z in (entry.split() for entry in _TABLE_MM.replace("\n", " ").split(","))
}
"""Position of each electrode in metres (+x right, +y front, +z up)."""

_MONTAGES = {
    3: "C3 Cz C4",
    8: "FC3 FC4 C3 Cz C4 CP3 CP4 Pz",
    16: "FC3 FCz FC4 C5 C3 C1 Cz C2 C4 C6 CP3 CPz CP4 Pz O1 O2",
    22: "Fz FC3 FC1 FCz FC2 FC4 C5 C3 C1 Cz C2 C4 C6 CP3 CP1 CPz CP2 CP4 P1 Pz P2 POz",
    32: "Fp1 AF3 F7 F3 FC1 FC5 T7 C3 CP1 CP5 P7 P3 Pz PO3 O1 Oz O2 PO4 P4 P8 CP6 CP2 C4 T8 FC6 FC2 F4 F8 AF4 Fp2 Fz Cz",
    64: " ".join(label for label in POSITIONS_M if label not in ("M1", "M2", "A1", "A2")),
}
PRESETS: dict[int, tuple[str, ...]] = {count: tuple(labels.split()) for count, labels in _MONTAGES.items()}
"""Montages by number of channels. 22 is that of BCI Competition IV, data set 2a."""


def montage(channels: int | tuple[str, ...]) -> tuple[str, ...]:
    """Electrode labels of a preset, or the given labels in the table's spelling.

    Parameters
    ----------
    channels : int or tuple of str
        A key of ``PRESETS``, or labels of the 10–10 system.

    Returns
    -------
    tuple of str

    Raises
    ------
    ConfigError
        If there is no such preset, a label is unknown or named twice.

    Examples
    --------
    >>> montage(3)
    ('C3', 'Cz', 'C4')
    """
    if isinstance(channels, int):
        if channels not in PRESETS:
            known = ", ".join(map(str, PRESETS))
            raise ConfigError(f"channels = {channels}: there are presets of {known} channels; choose one, or name the electrodes")
        return PRESETS[channels]
    spelling = {canonical(label): label for label in POSITIONS_M}
    unknown = [x for x in channels if canonical(x) not in spelling]
    if unknown or not channels:
        raise ConfigError(f"channels = {', '.join(unknown) or 'none'}: not in the 10–10 system; use {', '.join(POSITIONS_M)}")
    labels = tuple(spelling[canonical(x)] for x in channels)
    if len(set(labels)) < len(labels):
        raise ConfigError(f"channels = {', '.join(labels)}: an electrode is named twice; name each one once")
    return labels


def on_sphere(labels: tuple[str, ...]) -> FloatArray:
    """Directions of electrodes from the centre of the sphere.

    Parameters
    ----------
    labels : tuple of str
        Of the electrodes, names of the 10-20 system.

    Returns
    -------
    ndarray, shape (n_labels, 3)
        Unit vectors.
    """
    offset = np.array([POSITIONS_M[label] for label in labels]) - CENTRE_M
    return np.asarray(offset / np.linalg.norm(offset, axis=1, keepdims=True))


def lead_field(labels: tuple[str, ...], places: FloatArray, moments: FloatArray) -> FloatArray:
    """Scalp potential of current dipoles in a head of four concentric shells, against infinity.

    The shells are replaced by three dipoles in a homogeneous sphere, of eccentricity scaled by
    ``BERG_MU`` and strength by ``BERG_LAMBDA`` (Berg & Scherg 1994, Electroenceph. clin.
    Neurophysiol. 90, 58–64); their potential on its surface is closed (Mosher, Leahy & Lewis
    1999, IEEE Trans. Biomed. Eng. 46, 245–259, equations 15–17).

    Parameters
    ----------
    labels : tuple of str
        Electrodes; each is moved along its radius onto the sphere.
    places : ndarray, shape (n_dipoles, 3)
        Relative to the sphere's centre, as a fraction of its radius; shorter than ``BRAIN_RADIUS``.
    moments : ndarray, shape (n_dipoles, 3)
        Ampere metres.

    Returns
    -------
    ndarray, shape (n_labels, n_dipoles)
        Volts.
    """
    if np.any(np.linalg.norm(places, axis=1) > BRAIN_RADIUS):
        raise ConfigError(f"places: a dipole lies outside the brain; keep its distance from the centre under {BRAIN_RADIUS}")
    surface = on_sphere(labels) * RADIUS_M
    potential = np.zeros((len(labels), len(places)))
    for mu, weight in zip(BERG_MU, BERG_LAMBDA, strict=True):
        potential += weight * _homogeneous(surface, mu * places * RADIUS_M, moments)
    return potential / (4 * np.pi * CONDUCTIVITY_S_PER_M)


def _homogeneous(surface: FloatArray, places: FloatArray, moments: FloatArray) -> FloatArray:
    """Potential on the surface of a homogeneous sphere, times 4π and its conductivity."""
    gap = surface[:, None, :] - places[None, :, :]
    d = np.linalg.norm(gap, axis=2)
    r = np.linalg.norm(surface, axis=1)[:, None]
    eccentricity_2 = np.sum(places**2, axis=1)
    along_place = surface @ places.T
    curve = d * (r * d + r**2 - along_place)
    c1 = (2 * np.sum(gap * places, axis=2) / d**3 + 1 / d - 1 / r) / eccentricity_2
    c2 = (2 / d**3 + (d + r) / (r * curve)) / eccentricity_2
    along_moment = np.sum(places * moments, axis=1)
    return np.asarray((c1 - c2 * along_place) * along_moment + c2 * eccentricity_2 * (surface @ moments.T))
