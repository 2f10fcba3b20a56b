"""``bci version``."""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import PackageNotFoundError, version

HELP = "Print the versions of bci and of the packages that it uses. Add them when you report a problem."
EXAMPLES = """
bci version
bci version --json
"""
PACKAGES = ("bci", "numpy", "scipy", "pylsl", "pyriemann", "scikit-learn", "mne", "onnxruntime", "torch", "PySide6-Essentials")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the versions.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    found = {name: _version(name) for name in PACKAGES}
    found |= {"python": platform.python_version(), "platform": platform.platform()}
    if args.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:<20}{text or 'not installed'}" for name, text in found.items()))
    return 0


def _version(name: str) -> str | None:
    """Version of an installed package, read without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
