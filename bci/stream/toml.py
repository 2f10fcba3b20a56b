"""TOML files as people's editors save them."""

from __future__ import annotations

import codecs
import tomllib
from pathlib import Path
from typing import Any

from bci.errors import ConfigError

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
        If it cannot be read, is not encoded in UTF-8, or is no TOML.
    """
    where = where or str(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read ({error.strerror})") from error
    if content.startswith(_OTHER_UNICODE) or b"\0" in content[:2]:
        raise ConfigError(f"{where}: is saved in UTF-16, and TOML is UTF-8. Save it anew with the encoding UTF-8")
    return parse_toml(content, where)


def parse_toml(content: bytes, where: str) -> dict[str, Any]:
    """The content of a TOML file that has been read already.

    Raises
    ------
    ConfigError
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{where}: line {line} holds the byte 0x{content[error.start]:02x}, which is not UTF-8. "
            "Save the file anew with the encoding UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: is not a TOML file ({error})") from error
