"""The documentation site: ``make docs`` builds it into ``build/docs``, without network and with warnings as errors."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

from numpydoc.xref import DEFAULT_LINKS
from sphinx.application import Sphinx
from sphinx.config import Config

from bci.commands import COMMANDS, parser_of

os.environ["COLUMNS"] = "100"  # how wide the help of a command is
HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GALLERY = HERE / "examples" / "gallery"

project = PROJECT["name"]
author = "the bci developers"
version = release = PROJECT["version"]
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
]
exclude_patterns = ["examples", "**/README.md"]
nitpicky = True

# Pages are Markdown: a link to a heading is the heading's text in small letters, as it is on a page of a repository.
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4

# Pages of the Python API are made from numpydoc docstrings; a class shows its members on its own page.
API_PAGES = sorted(HERE.glob("reference/api/*.md"))
ENTRY = re.compile(r"^   ~([\w.]+)$", re.MULTILINE)
"""A name on a page of the Python API."""
API_NAMES = [name for page in API_PAGES for name in ENTRY.findall(page.read_text(encoding="utf-8"))]
SHORT = Counter(name.rpartition(".")[2] for name in API_NAMES)

autosummary_generate = [page.relative_to(HERE).as_posix() for page in API_PAGES]
autodoc_typehints = "none"
numpydoc_show_class_members = False
# A type in a list of parameters leads to its page where it has one; what others define (ndarray, Path) stays plain text.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {name: name for name in DEFAULT_LINKS} | {
    short: name for name in API_NAMES if SHORT[short := name.rpartition(".")[2]] == 1
}

# The gallery: each file whose name begins with plot_ is executed, in the order of the names; -D plot_gallery=0 executes none.
if GALLERY.is_dir():
    extensions.append("sphinx_gallery.gen_gallery")
    tempfile.tempdir = tempfile.mkdtemp(prefix="bci-gallery-")  # what the examples write is gone at the end
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)
sphinx_gallery_conf = {
    "examples_dirs": str(GALLERY),
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1,
}

# What is typed in a terminal is copied without its prompt.
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"{project} {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": project},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "footer_start": ["notice"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
templates_path = ["_templates"]
html_sidebars = {"index": []}

MADE = re.compile(r"^Made by (`[^`]+`); do not edit\.[ ]?(.*)$", re.MULTILINE)
"""How a page that a command writes begins."""


def forget_removed(app: Sphinx, config: Config) -> None:
    """Remove the pages of names that no page of the Python API lists any more."""
    for page in (HERE / "reference" / "generated").glob("*.rst"):
        if page.stem not in API_NAMES:
            page.unlink()


def without_protocols_arguments(
    app: Sphinx, what: str, name: str, thing: object, options: object, arguments: str | None, returns: str | None
) -> tuple[str, None] | None:
    """Leave out the arguments of a protocol: nobody builds one."""
    return ("", None) if getattr(thing, "_is_protocol", False) else None


def mark_generated(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the sentence that says which command wrote a page into a box that nobody overlooks."""
    source[0] = MADE.sub(
        r"""
:::{admonition} This page is generated
:class: note

The command \1 measures and writes this page. Do not edit it by hand. \2
:::
""",
        source[0],
    )


def list_commands(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the help of every command on the page of commands, as ``bci COMMAND --help`` prints it."""
    if page == "reference/commands":
        parts = (f"## bci {name}\n\n```text\n{parser_of(name).format_help()}```\n" for name in COMMANDS)
        source[0] += "\n" + "\n".join(parts)


def setup(app: Sphinx) -> None:
    """Connect what is done to pages."""
    app.connect("config-inited", forget_removed)
    app.connect("autodoc-process-signature", without_protocols_arguments)
    app.connect("source-read", mark_generated)
    app.connect("source-read", list_commands)
