"""What is shipped is complete, pinned, and says the same everywhere."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bci.commands import COMMANDS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in pairs}


def requirements() -> list[Requirement]:
    project = PROJECT["project"]
    texts = [*project["dependencies"], *(x for extra in project["optional-dependencies"].values() for x in extra)]
    return [Requirement(text) for text in texts]


def test_every_package_is_in_the_wheel() -> None:
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("bci", "devices", "pipelines", "gui")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert folders == set(PROJECT["tool"]["setuptools"]["packages"])


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_every_dependency_is_pinned_to_a_version_that_is_allowed(requirement: Requirement) -> None:
    version = pins().get(canonicalize_name(requirement.name))
    assert version, f"{requirement.name} is missing in constraints.txt; run: make lock"
    assert requirement.specifier.contains(version)


def test_constraints_hold_nothing_but_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wrong = [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", line)]
    assert wrong == []


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_every_dependency_stands_with_its_versions_on_the_page_of_third_party_software(requirement: Requirement) -> None:
    page = (ROOT / "docs" / "reference" / "third-party.md").read_text(encoding="utf-8")
    row = next((line for line in page.splitlines() if re.search(rf"(^|[| ]){re.escape(requirement.name)}[\[ ,(]", line)), "")
    assert row, f"{requirement.name} is missing in docs/reference/third-party.md"
    assert all(str(part) in page[page.index(row) :] for part in requirement.specifier), row


def test_the_qt_that_aborts_on_python_3_11_is_excluded() -> None:
    gui = Requirement(next(x for x in PROJECT["project"]["optional-dependencies"]["gui"] if x.startswith("PySide6")))
    assert not gui.specifier.contains("6.12.0")


def test_the_readme_lists_every_command_as_the_command_line_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `bci (\w+)` \| (.*) \|$", readme, flags=re.MULTILINE))
    assert rows == COMMANDS


@pytest.mark.parametrize("page", sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]))
def test_every_link_in_the_documentation_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]
    assert [t for t in targets if t and not ((ROOT / page).parent / t).exists()] == []


def test_the_changelog_knows_this_version() -> None:
    assert f"## {PROJECT['project']['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_continuous_integration_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")


def test_nothing_committed_names_a_folder_of_somebodys_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of what is committed")
    private = re.compile(rb"/(?:home/[a-z]|Users/[A-Z]|root/|work/[a-z])")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    named = [p.name for p in files if p.is_file() and p.suffix not in (".xdf", ".npz") and private.search(p.read_bytes())]
    assert named == []


def test_users_recordings_are_never_committed() -> None:
    for name in ("sub-P003/ses-1/eeg/a.xdf", "anything.xdf"):
        ignored = subprocess.run(["git", "check-ignore", "-q", f"recordings/{name}"], cwd=ROOT, check=False).returncode
        if ignored == 128:
            pytest.skip("not a git checkout: nothing can be committed")
        assert ignored == 0
