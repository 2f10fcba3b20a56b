"""A name that a reader meets means one class, wherever it stands."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("bci", "devices", "pipelines", "gui")


def classes(text: str) -> Iterator[str]:
    """Names of the public classes that a module defines, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def twice(texts: dict[str, str]) -> dict[str, list[str]]:
    """Where each name is defined that more than one place defines."""
    places: dict[str, list[str]] = defaultdict(list)
    for place, text in texts.items():
        for name in classes(text):
            places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_two_public_classes_share_a_name() -> None:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(paths) > 400
    assert twice({str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}) == {}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("class A: ...", "class A: ...", {"A": ["one.py", "other.py"]}),
        ("class A:\n    class B: ...", "def f():\n    class B: ...", {"B": ["one.py", "other.py"]}),
        ("class _A: ...", "class _A: ...", {}),
        ("class A: ...", "A = 1", {}),
    ],
)
def test_a_name_that_is_taken_is_found(one: str, other: str, found: dict[str, list[str]]) -> None:
    assert twice({"one.py": one, "other.py": other}) == found
