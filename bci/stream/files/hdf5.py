"""MATLAB files of version 7.3, which are HDF5: one struct out of them, where h5py is installed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from bci.errors import RecordingError
from bci.stream.files.unpack import ALWAYS_BYTES, MOST_RATIO

_MAGIC = b"\x89HDF\r\n\x1a\n"
_DEEPEST = 4


def is_hdf5(path: Path) -> bool:
    """Tell whether a MATLAB file is one of version 7.3, whose first 512 bytes are a header of text.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    bool
    """
    with path.open("rb") as file:
        head = file.read(520)
    return head.startswith(_MAGIC) or head[512:520] == _MAGIC


def read_hdf5_struct(path: Path, name: str, wanted: Collection[str]) -> dict[str, Any]:
    """Read the fields of a struct, as :func:`bci.stream.files.matlab.read_matlab` returns them.

    Parameters
    ----------
    path : Path
        Of the file.
    name : str
        Of the struct.
    wanted : collection of str
        Names of the fields that are read.

    Returns
    -------
    dict of str to object
        Fields by name.

    Raises
    ------
    RecordingError
        If h5py is not installed, or it is damaged.
    """
    try:
        import h5py
    except ImportError as error:
        raise RecordingError(
            f"{path}: is a MATLAB file of version 7.3 (HDF5). Install h5py, which reads such files (pip install h5py), or save "
            "it again as version 7 (in MATLAB: save -v7; in EEGLAB: the option for files larger than 2 GB off)"
        ) from error
    most = max(ALWAYS_BYTES, MOST_RATIO * path.stat().st_size)
    with h5py.File(path, "r") as file:
        group = file.get(name, file)
        for key in group:
            if key in wanted and not hasattr(group[key], "keys") and group[key].nbytes > most:
                raise RecordingError(f"{path}: its {key} grows to more than {most >> 20} MB when it is unpacked; it is not read")
        return {key: _value(file, group[key], key, 0) for key in group if key in wanted}


def _value(file: Any, item: Any, name: str, depth: int) -> Any:
    """A number, text, matrix, or list of structs; MATLAB stores a struct array as one dataset of references per field."""
    if depth > _DEEPEST:
        return None
    if hasattr(item, "keys"):
        return _structs(file, item, depth)
    if item.attrs.get("MATLAB_empty", 0):
        return np.empty(0)
    if item.dtype.kind == "O":
        return [_value(file, file[reference], name, depth + 1) for reference in np.ravel(item[()])]
    values = item[()]
    if item.attrs.get("MATLAB_class", b"") == b"char":
        return "".join(map(chr, np.ravel(values, "F")))
    return values.T if name == "data" else values


def _structs(file: Any, group: Any, depth: int) -> Any:
    """A struct as a dict, a struct array as a list of dicts."""
    fields = {key: _value(file, group[key], key, depth + 1) for key in group}
    sizes = {len(group[key]) for key in group if not hasattr(group[key], "keys") and group[key].dtype.kind == "O"}
    if len(sizes) != 1:
        return fields
    n = sizes.pop()
    columns = {key: value if isinstance(value, list) and len(value) == n else [value] * n for key, value in fields.items()}
    return [{key: column[i] for key, column in columns.items()} for i in range(n)]
