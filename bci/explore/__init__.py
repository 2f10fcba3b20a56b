"""What in the signal tells the classes apart: spectra, r² maps, ERD/ERS, maps and connectivity.

Each module is loaded when it is used for the first time:

>>> import bci
>>> bci.explore.epochs.around_cues.__name__
'around_cues'
"""

from importlib import import_module
from types import ModuleType

_MODULES = ("connectivity", "epochs", "exploration", "separability", "spectra", "suggestions", "time_frequency", "topography")


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module 'bci.explore' has no attribute {name!r}; it has {', '.join(_MODULES)}")
    return import_module(f"bci.explore.{name}")


def __dir__() -> list[str]:
    return list(_MODULES)
