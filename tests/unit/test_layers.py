"""Rooms do not know each other in a circle, and no import is hidden in a function to get round an arrow."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import grimp
import pytest

import bci

ROOT = Path(bci.__file__).parent
SESSION_LINES = 2500


@pytest.fixture(scope="module")
def rooms() -> dict[str, set[str]]:
    """Which rooms each room imports, however deep inside of a function."""
    graph = grimp.build_graph("bci", cache_dir=None)
    found: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            ours, theirs = room_of(module), room_of(imported)
            if ours and theirs and ours != theirs:
                found[ours].add(theirs)
    return found


def room_of(module: str) -> str:
    """The first part below bci."""
    return module.split(".")[1] if "." in module else ""


def test_no_circle_leads_from_a_room_to_itself(rooms: dict[str, set[str]]):
    done: set[str] = set()

    def walk(room: str, way: tuple[str, ...]) -> None:
        assert room not in way, " -> ".join((*way[way.index(room) :], room))
        if room not in done:
            for below in sorted(rooms.get(room, ())):
                walk(below, (*way, room))
            done.add(room)

    for room in sorted(rooms):
        walk(room, ())
    assert {"engine", "stream", "session", "commands"} <= done


def test_the_room_of_the_live_session_is_small():
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "session").rglob("*.py"))
    assert lines <= SESSION_LINES


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_imported_in_a_function_is_not_imported_to_get_round_a_circle_of_modules(path: Path):
    """An import in a function saves time at start-up; two modules of one room that import each other so hide a circle."""
    own = ".".join(("bci", *path.relative_to(ROOT).with_suffix("").parts))
    for name in hidden_imports(path):
        other = ROOT.parent.joinpath(*name.split(".")).with_suffix(".py")
        if other.exists() and room_of(name) == room_of(own):
            assert own not in imports(other), f"{own} and {name} import each other"


def hidden_imports(path: Path) -> set[str]:
    """Modules of ours that are imported inside of functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {name for function in functions for node in ast.walk(function) for name in names(node)}


def imports(path: Path) -> set[str]:
    """All modules of ours that a module imports while it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {inner for node in ast.walk(tree) if is_for_types(node) for inner in ast.walk(node)}
    return {name for node in ast.walk(tree) if node not in typing for name in names(node)}


def is_for_types(node: ast.AST) -> bool:
    """A block that only type checkers read."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def names(node: ast.AST) -> list[str]:
    """The modules of ours that an import names."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bci."):
        return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.startswith("bci.")]
    return []
