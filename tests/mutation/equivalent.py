"""Faults that change nothing anybody can see, each with the reason; they are not planted.

A fault is named by its file, the function it is in, the text before and the text after (:meth:`plant.Fault.key`).
"""

from __future__ import annotations

NO_CLASS = "it stands for no decision, and every number below 0 is the number of no class"

ALWAYS_SAID = "the thread says it of every action; what is assumed otherwise concerns tests only"
CHANGED = "the guard answers every stop and disarm with a change of state, which says it too; a host that ends reports anyway"
EQUIVALENT: dict[tuple[str, str, str, str], str] = {
    (
        "bci/actuation/host.py",
        "ActuatorHost._fields",
        "3",
        "6",
    ): "digits of a time that people read and programs compare with seconds; no page promises how many there are",
    ("bci/actuation/host.py", "ActuatorHost._obey", "self._reports.changed = True", "pass"): CHANGED,
    ("bci/actuation/host.py", "ActuatorHost._obey", "True", "False"): CHANGED,
    ("bci/actuation/host.py", "ActuatorHost._stop", "self._reports.changed = True", "pass"): CHANGED,
    ("bci/actuation/host.py", "ActuatorHost._stop", "True", "False"): CHANGED,
    ("bci/actuation/worker.py", "Done", "False", "True"): ALWAYS_SAID,
    ("bci/engine/guard_doubts.py", "Doubts.forget_decision", "1", "2"): NO_CLASS,
    (
        "bci/engine/guard_doubts.py",
        "Doubts.restart",
        "-math.inf",
        "math.inf",
    ): "it is looked at only for a row whose number is not above the newest, and none is below -1",
    ("bci/engine/pace.py", "CommandPace.rest", "1", "2"): NO_CLASS,
    (
        "bci/engine/pace.py",
        "CommandPace.rest",
        "0.0",
        "1.0",
    ): "a value counts only while its decision stands, and none does after this",
}
