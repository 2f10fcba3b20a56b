"""Docstrings can be read by numpydoc, which the reference is made with."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^(Parameters|Attributes|Returns|Yields|Raises|Notes|Examples)\n-{4,}$", re.MULTILINE)


def docstrings(top: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'module')}", text


@pytest.mark.parametrize("top", ["bci", "devices", "pipelines", "gui"])
def test_no_docstring_has_a_section_twice(top: str) -> None:
    found = [(where, SECTION.findall(text)) for where, text in docstrings(top)]
    assert [where for where, names in found if len(set(names)) < len(names)] == []
