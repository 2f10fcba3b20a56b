"""Names that modules and classes of ours had when the case programs were written, for those programs alone.

``tests/cases.py`` puts this folder on their path, and Python imports a module of this name by itself. What is imported by an old
name is the very module that has the new one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

NOW = {
    "bci.session.arming": "bci.actuation.arming",
    "bci.session.calibration": "bci.calibration",
    "bci.session.calibration.protocol": "bci.paradigm.protocol",
    "bci.session.epochs": "bci.paradigm.cues",
    "bci.session.fit": "bci.training.fit",
    "bci.session.model": "bci.model.file",
    "bci.session.replay": "bci.replay.replay",
    "bci.session.simulate": "bci.simulation.simulate",
    "bci.session.timeline": "bci.paradigm.timeline",
    "bci.session.wire": "bci.stream.messages",
    "bci.stream.lsl_inlet": "bci.stream.lsl.raw_inlet",
    "bci.stream.openvibe": "bci.stream.files.openvibe",
    "bci.stream.readers": "bci.stream.files.readers",
    "bci.stream.recorder": "bci.recording.recorder",
    "bci.stream.salvage": "bci.stream.xdf.salvage",
    "bci.stream.triggers": "bci.stream.markers.triggers",
    "bci.stream.xdf_format": "bci.stream.xdf.format",
    "bci.stream.xdf_reader": "bci.stream.xdf.reader",
    "bci.stream.xdf_writer": "bci.stream.xdf.writer",
    "bci.calibration.protocol": "bci.paradigm.protocol",
}

CLASSES = {
    "bci.engine.guard": {"Engine": "EnginePresence", "Row": "DecisionRow", "Stop": "EmergencyStop"},
}
"""Old and new names of classes, by the module in which they are looked for."""


class OldNames(MetaPathFinder, Loader):
    """Finds a module by the name that it had."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module that has another name now; nothing for all others."""
        return ModuleSpec(name, self) if name in NOW else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of today."""
        module = import_module(NOW[spec.name])
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed already; give it back what says where it comes from."""
        module.__spec__ = self._own


class OldClasses(MetaPathFinder):
    """Gives classes the names that they had beside those that they have."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module as it is found without us, with the old names once it has been executed."""
        spec = PathFinder.find_spec(name, path, target) if name in CLASSES else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def with_old_names(module: ModuleType) -> None:
            execute(module)
            for old, new in CLASSES[name].items():
                setattr(module, old, getattr(module, new))

        spec.loader.exec_module = with_old_names  # type: ignore[method-assign]
        return spec


sys.meta_path.append(OldNames())
sys.meta_path.insert(0, OldClasses())
