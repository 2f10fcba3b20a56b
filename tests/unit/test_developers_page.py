"""The page for developers names files, folders, entry point groups and makefile targets that are there."""

import re
import tomllib
from pathlib import Path

import pytest

from bci import plugins

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "developers.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", PAGE)
PATHS = sorted(set(re.findall(r"\b(?:bci|devices|pipelines|gui|tests)/[\w./]*[\w/]", PAGE)))
GROUPS = sorted({text for text in CODE if re.fullmatch(r"bci\.[a-z]+", text)})


@pytest.mark.parametrize("path", PATHS)
def test_every_path_that_the_page_names_is_there(path: str) -> None:
    assert any(ROOT.glob(path.replace("NAME", "*"))), f"{path}: nothing in the repository has this name"


def test_every_group_of_plug_ins_that_the_page_names_is_looked_for() -> None:
    assert set(GROUPS) <= set(plugins.GROUPS)


@pytest.mark.parametrize("group", [group for group in GROUPS if group != plugins.READERS])  # ours are in a table, see below
def test_every_group_of_plug_ins_that_the_page_names_has_members_of_ours(group: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"].get(group)


def test_the_page_names_a_file_for_each_kind_of_plug_in() -> None:
    assert {"pipelines/NAME.py", "devices/NAME.py", "devices/actuators/NAME.py", "gui/NAME.py", "bci/commands/NAME.py"} <= set(
        PATHS
    )
    assert {"bci.decoders", "bci.kernels", "bci.sources", "bci.actuators", "bci.windows", "bci.presets"} <= set(GROUPS)


def test_every_makefile_target_that_the_page_names_is_there() -> None:
    named = re.findall(r"\bmake ([a-z]+)", PAGE)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


def test_the_tables_in_the_code_that_the_page_names_are_there() -> None:
    assert re.search(r"^READERS\b", (ROOT / "bci/stream/files/readers.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    commands = (ROOT / "bci/commands/__init__.py").read_text(encoding="utf-8")
    assert re.search(r"^COMMANDS\b", commands, flags=re.MULTILINE)
