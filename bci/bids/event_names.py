"""Names and codes of markers in a BIDS folder."""

from __future__ import annotations

import itertools

from bci.bids.signal_files import FILLED_UP
from bci.paradigm.timeline import NAMES, cue_code
from bci.stream.files.even_grid import BOUNDARY, GAP, NONFINITE
from bci.stream.markers.triggers import MarkerTable, canonical_marker

OWN_CODES = {GAP: 32001, BOUNDARY: 32002, NONFINITE: 32003, FILLED_UP: 32004}
FIRST_FREE_CODE = 40001
"""Codes that texts without one get: beyond those of GDF, OpenViBE and 8-bit triggers."""
LONGEST = 64


def one_line(text: str) -> str:
    """A marker's text as a cell of a table, without what steers a file or a terminal; what is nothing there is n/a.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "n/a"


class EventNames:
    """One name and one code for all markers that mean the same.

    A class has one code, however many texts stand for it, because readers of BIDS folders rename events of which one name has
    several codes. What was sent stands beside it in the column ``marker``.

    Parameters
    ----------
    table : MarkerTable
    """

    def __init__(self, table: MarkerTable) -> None:
        self._table = table
        self.codes: dict[str, int] = {}

    def of(self, text: str) -> str:
        """Readable name of a marker: its class, else what its code is known as, else its text; notes the code.

        Parameters
        ----------
        text : str

        Returns
        -------
        str
        """
        clean = one_line(canonical_marker(text))
        code = OWN_CODES.get(clean) or cue_code(clean)
        name = (self._table.class_of(text) or NAMES.get(code or 0, clean))[:LONGEST]
        if name not in self.codes:
            self.codes[name] = self._free(code)
        return name

    def _free(self, code: int | None) -> int:
        """The code itself, or the next free one where there is none or another name has it."""
        taken = set(self.codes.values())
        if code and code not in taken:
            return code
        return next(n for n in itertools.count(FIRST_FREE_CODE) if n not in taken)
