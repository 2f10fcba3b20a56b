"""The reference of the Python API holds what users and authors of plug-ins import, and nothing that is not there."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import bci
from bci import errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("reference/api/*.md"))
ENTRY = re.compile(r"^   ~([\w.]+)$", re.MULTILINE)
IMPORT = re.compile(r"^\s*from ((?:bci|devices|pipelines|gui)(?:\.\w+)+) import ", re.MULTILINE)
TAUGHT = (
    *DOCS.glob("tutorials/*.md"),
    DOCS / "guides" / "plugins.md",
    *DOCS.glob("examples/plugin/**/*.py"),
)
NAMED = re.compile(r"`((?:bci|devices|pipelines|gui)(?:\.[a-z_]+)+\.[A-Z]\w+)`")
IMPLEMENTED = (
    "bci.stream.bus.Source",
    "bci.stream.bus.Actuator",
    "bci.stream.bus.Clock",
    "bci.model.family.DecoderFamily",
    "bci.engine.decoder.Kernel",
    "gui.context.Context",
    "gui.context.Panel",
)
"""What the author of a plug-in implements or is given without importing it."""


def entries() -> list[str]:
    return [name for page in PAGES for name in ENTRY.findall(page.read_text(encoding="utf-8"))]


def taught_modules() -> list[str]:
    return sorted({name for page in TAUGHT for name in IMPORT.findall(page.read_text(encoding="utf-8"))})


def public_names(module: ModuleType) -> list[str]:
    """Functions and classes that a module defines and does not keep to itself."""
    found = inspect.getmembers(module, lambda x: inspect.isclass(x) or inspect.isroutine(x))
    return [f"{module.__name__}.{name}" for name, x in found if x.__module__ == module.__name__ and not name.startswith("_")]


def test_every_name_of_import_bci_is_in_the_reference() -> None:
    assert {f"bci.{name}" for name in bci.__all__} - set(entries()) == set()


def test_every_error_is_in_the_reference() -> None:
    assert set(public_names(errors)) - set(entries()) == set()


def test_tutorials_tell_authors_of_plug_ins_what_to_import() -> None:
    assert {"bci.engine.chunk", "bci.model.family", "bci.contracts.source", "gui.text"} <= set(taught_modules())


@pytest.mark.parametrize("name", taught_modules())
def test_every_public_name_of_a_module_that_authors_of_plug_ins_import_is_in_the_reference(name: str) -> None:
    assert set(public_names(import_module(name))) - set(entries()) == set()


@pytest.mark.parametrize("name", IMPLEMENTED)
def test_what_authors_of_plug_ins_implement_is_in_the_reference(name: str) -> None:
    assert name in entries()


def test_every_class_that_a_guide_names_in_full_is_in_the_reference() -> None:
    pages = [page for folder in ("tutorials", "guides") for page in DOCS.glob(f"{folder}/*.md")]
    named = {name for page in pages for name in NAMED.findall(page.read_text(encoding="utf-8"))}
    assert named
    assert named - set(entries()) == set()


@pytest.mark.parametrize("name", sorted(set(entries())))
def test_every_name_in_the_reference_is_in_the_code_and_documented(name: str) -> None:
    module, _, last = name.rpartition(".")
    assert inspect.getdoc(getattr(import_module(module), last, None)), f"{name} is not there, or says nothing"


def test_no_name_is_in_the_reference_twice() -> None:
    assert len(entries()) == len(set(entries()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_of_the_reference_says_in_a_sentence_what_it_is_for(page: Path) -> None:
    title, sentence, *_ = page.read_text(encoding="utf-8").split("\n\n")
    assert title.startswith("# ")
    assert sentence.rstrip().endswith(".")
