"""TOML files as people's editors save them."""

from __future__ import annotations

import codecs
import re
import tomllib
from pathlib import Path
from typing import Any

from bci.errors import ConfigError
from bci.safe_io.regular_file import read_regular

MAX_BYTES = 512 << 10
"""What training measures of 256 channels (``asr_covariance``) just fits; more takes longer than a second to read."""
MAX_DEPTH = 16
MAX_VALUES = 200_000
MAX_KEYS, MAX_SECTIONS = 10_000, 2000
_SECTION = re.compile(r"^[ \t]*\[", re.MULTILINE)
_LONG_KEY = re.compile(rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH},}}""")
"""A key of many parts, for which the standard library's reader takes memory by the square of their number."""
LARGEST = 1 << 63
"""TOML's whole numbers have 64 bits (toml.io/en/v1.0.0#integer)."""
_OTHER_UNICODE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_toml(path: Path | str, where: str = "") -> dict[str, Any]:
    """The content of a TOML file; a byte order mark, as editors on Windows write it, is passed over.

    Parameters
    ----------
    path : Path or str
    where : str
        How messages name the file; its path where omitted.

    Raises
    ------
    ConfigError
        If it cannot be read, is no regular file, is too large, is not encoded in UTF-8, or is no TOML.
    """
    where = where or str(path)
    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read ({error.strerror})") from error
    if content.startswith(_OTHER_UNICODE) or b"\0" in content[:2]:
        raise ConfigError(f"{where}: is saved in UTF-16, but TOML must be UTF-8. Save it again with the encoding UTF-8")
    return parse_toml(content, where)


def parse_toml(content: bytes, where: str) -> dict[str, Any]:
    """Parse the content of a TOML file that has been read already.

    Parameters
    ----------
    content : bytes
        All bytes of the file.
    where : str
        The file, for messages.

    Returns
    -------
    dict of str to object

    Raises
    ------
    ConfigError
        If it is no TOML.
    """
    try:
        tree = toml_of(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{where}: line {line} contains the byte 0x{content[error.start]:02x}, which is not UTF-8. "
            "Save the file again with the encoding UTF-8"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{where}: is not a TOML file ({error})") from error
    return tree


def toml_of(text: str) -> dict[str, Any]:
    """Parse a text in TOML.

    Parameters
    ----------
    text : str
        Of any origin.

    Returns
    -------
    dict of str to object

    Raises
    ------
    ValueError
        If it is no TOML, or contains whole numbers beyond 64 bits, or tables and lists that are nested too deeply.
    """
    if _LONG_KEY.search(text):
        raise ValueError(f"a key of more than {MAX_DEPTH} parts")
    if text.count("=") > 2 * MAX_KEYS or sum(1 for _ in _SECTION.finditer(text)) > MAX_SECTIONS:
        raise ValueError(f"more than {MAX_KEYS} keys, or {MAX_SECTIONS} sections")
    try:
        tree = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(f"over {MAX_DEPTH} levels of nested tables and lists") from error
    _require_bounded(tree)
    return tree


def _require_bounded(tree: dict[str, Any]) -> None:
    """Refuse values beyond the limits, one level of tables and lists after the other."""
    level: list[Any] = [tree]
    keys = 0
    for _ in range(MAX_DEPTH):
        keys += sum(len(one) for one in level if isinstance(one, dict))
        inner = [value for one in level for value in (one.values() if isinstance(one, dict) else one)]
        if len(inner) > MAX_VALUES or keys > MAX_KEYS:
            raise ValueError(f"more than {MAX_VALUES} values, or {MAX_KEYS} keys")
        if any(isinstance(value, int) and not -LARGEST <= value < LARGEST for value in inner):
            raise ValueError("a whole number of more than 64 bits")
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return
    raise ValueError(f"over {MAX_DEPTH} levels of nested tables and lists")
