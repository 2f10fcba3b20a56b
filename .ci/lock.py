"""Print constraints: the installed version of everything that this package and its extras need, directly or not."""

from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement

EXTRAS = ("gui", "networks", "hardware", "keys", "brainflow", "evaluate", "notebook", "docs", "dev")
HEADER = """\
# Versions that the tests ran with; `make lock` writes this file from what is installed.
# torch is pinned without a local label: where the registry offers a CPU build under that version, that is what comes.
# PySide6 6.12.0 aborts on Python 3.11, so it stays below."""


def closure(name: str, extras: tuple[str, ...], seen: dict[str, str], done: set[tuple[str, str]]) -> None:
    """Collect ``name`` and what it needs into ``seen``."""
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        for wanted in ("", *requirement.extras):
            if (requirement.name.lower(), wanted) in done:
                continue
            done.add((requirement.name.lower(), wanted))
            try:
                found = distribution(requirement.name)
            except PackageNotFoundError:
                continue
            seen[found.metadata["Name"]] = found.version.partition("+")[0]
            closure(requirement.name, tuple(requirement.extras), seen, done)


versions: dict[str, str] = {}
closure("bci", EXTRAS, versions, set())
print(HEADER)
for package in sorted(versions, key=str.lower):
    if package != "bci":
        print(f"{package}=={versions[package]}")
