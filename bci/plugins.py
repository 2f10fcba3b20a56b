"""Sources, decoders, kernels, actuators and presets, found by name through entry points.

Ours are registered in our own ``pyproject.toml`` exactly as a third party's are in theirs, so nothing in
``bci`` imports the packages that stand on it, and nothing heavy is imported before it is used. While a plug-in is being
written, its package need not be installed: the environment variable ``BCI_PLUGINS`` names its folder.
"""

from __future__ import annotations

import os
import sys
import tomllib
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from bci.errors import ConfigError, PluginError

SOURCES = "bci.sources"
DECODERS = "bci.decoders"
KERNELS = "bci.kernels"
ACTUATORS = "bci.actuators"
PRESETS = "bci.presets"
WINDOWS = "bci.windows"
READERS = "bci.readers"
DESKTOPS = "bci.desktops"
GROUPS = (SOURCES, DECODERS, KERNELS, ACTUATORS, PRESETS, WINDOWS, READERS, DESKTOPS)

FOLDERS = "BCI_PLUGINS"
"""Environment variable: folders with a ``pyproject.toml`` whose plug-ins are found without being installed."""

EXTRAS = {
    "PySide6": "gui",
    "pyqtgraph": "gui",
    "torch": "networks",
    "onnx": "networks",
    "onnxruntime": "networks",
    "pythonosc": "hardware",
    "pynput": "keys",
    "brainflow": "brainflow",
    "moabb": "evaluate",
    "mne_bids": "evaluate",
}
"""Which extra of this package installs what a plug-in may miss, by import name."""


def names(group: str) -> tuple[str, ...]:
    """Names registered in a group, sorted; those of the folders in ``BCI_PLUGINS`` too.

    Parameters
    ----------
    group : str
        One of ``GROUPS``.

    Raises
    ------
    PluginError
        If a folder in ``BCI_PLUGINS`` has no ``pyproject.toml`` that can be read.
    """
    return tuple(sorted({point.name for point in _points(group)}))


def load(group: str, name: str) -> Any:
    """Import the plug-in that is registered under a name.

    Parameters
    ----------
    group : str
        One of ``GROUPS``.
    name : str

    Returns
    -------
    object
        The class, function or module that the entry point names.

    Raises
    ------
    PluginError
        If the name is unknown, stands for two different things, or cannot be imported, or if a folder in ``BCI_PLUGINS`` has
        no ``pyproject.toml`` that can be read.
    """
    found = {point.value: point for point in _points(group) if point.name == name}
    if not found:
        raise PluginError(_unknown(group, name))
    if len(found) > 1:
        raise PluginError(
            f"{group}: {name!r} is registered more than once ({', '.join(sorted(found))}); "
            "uninstall one of the packages, or rename its entry point"
        )
    (point,) = found.values()
    return _import(point)


def _points(group: str) -> list[EntryPoint]:
    """Entry points of a group: of what is installed, and of the folders in ``BCI_PLUGINS``."""
    folders = [Path(folder).resolve() for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    return [*entry_points(group=group), *(point for folder in folders for point in _points_of_folder(folder, group))]


def _points_of_folder(folder: Path, group: str) -> Iterator[EntryPoint]:
    """Entry points that a ``pyproject.toml`` registers; what they name can be imported from here on."""
    file = folder / "pyproject.toml"
    try:
        registered = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}).get("entry-points", {}).get(group, {})
        points = [EntryPoint(name, value, group) for name, value in registered.items()]
        unusable = [point.name for point in points if not isinstance(point.value, str) or not point.pattern.match(point.value)]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError) as error:
        raise PluginError(
            f"{FOLDERS}: {file}: cannot be read as the pyproject.toml of a package: {error}. Name folders that have one, "
            f"separated by {os.pathsep!r}, or unset {FOLDERS}"
        ) from error
    if unusable:
        raise PluginError(f'{FOLDERS}: {file}: {group}: {", ".join(unusable)}: must name "module:attribute" or a package')
    for place in (folder / "src", folder):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.append(str(place))
    yield from points


def _import(point: EntryPoint) -> Any:
    """Import one entry point; say what is missing where that fails."""
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise PluginError(f"{point.group}: {point.name!r} ({point.value}): {_missing(point, error.name or '')}") from error
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}"
        raise PluginError(f"{point.group}: {point.name!r} ({point.value}) is no valid Python: {where}: {error.msg}") from error
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{point.group}: {point.name!r} ({point.value}) cannot be imported: {error}") from error


def _missing(point: EntryPoint, module: str) -> str:
    """Which package is missing, and what installs it."""
    root = module.partition(".")[0]
    if root in EXTRAS:
        return f"needs the package {root}, which is not installed; install it with: pip install 'bci[{EXTRAS[root]}]'"
    if root == point.module.partition(".")[0]:
        return f"there is no module {module}; check its name, and install the package again if the name has changed since"
    return f"needs the package {root}, which is not installed"


def _unknown(group: str, name: str) -> str:
    """Message for a name nobody registered."""
    known = names(group)
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return (
        f"{group}: nothing is registered as {name!r}; {hint}Known: {', '.join(known) or 'none'}. "
        f'To add one, name it in your package\'s pyproject.toml under [project.entry-points."{group}"] and install the package, '
        f"or set {FOLDERS} to its folder."
    )


HOW_TO_INSTALL = 'Install it with: pip install "bci[evaluate]"'


def optional(module: str, package: str, what: str) -> ModuleType:
    """Import what only evaluation needs.

    Parameters
    ----------
    module : str
        Import name.
    package : str
        Name under which it is installed, for the message.
    what : str
        Who needs it, for the message: ``"bci evaluate"``.

    Raises
    ------
    ConfigError
        If it is not installed; says how to.
    """
    try:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{what} needs the package {package}, which is not installed. {HOW_TO_INSTALL}") from error
