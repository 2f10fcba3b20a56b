"""Texts that the participant reads, in a language of theirs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from bci.errors import ConfigError
from bci.safe_io.toml import parse_toml, read_toml


class Texts:
    """Texts for the participant in one language.

    Parameters
    ----------
    language : str
        A shipped language (``"en"``, ``"de"``), or the path of a TOML file of ``key = "text"`` lines. Keys that it leaves out are
        in English.

    Raises
    ------
    ConfigError
        If there is no such language, or its file holds what is no text.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self._texts = _shipped("en") | (_own(Path(language)) if language.endswith(".toml") else _shipped(language))

    def __call__(self, key: str, **fields: object) -> str:
        """The text of a key with its fields filled in.

        Parameters
        ----------
        key : str
        **fields : object
            Values by the names that stand in braces in the text.

        Returns
        -------
        str
            The key itself, made readable, where it has no text.

        >>> Texts("de")("left_hand"), Texts()("my_class")
        ('Linke Hand', 'my class')
        """
        text = self._texts.get(key)
        return key.replace("_", " ") if text is None else text.format(**fields)


def languages() -> tuple[str, ...]:
    """List the languages that are shipped.

    Returns
    -------
    tuple of str
    """
    return tuple(sorted(p.name[:-5] for p in files(__package__).joinpath("texts").iterdir() if p.name.endswith(".toml")))


def _shipped(language: str) -> dict[str, str]:
    place = files(__package__).joinpath("texts", f"{language}.toml")
    if not place.is_file():
        raise ConfigError(f"no texts in {language!r}; there are {', '.join(languages())}, or name a TOML file")
    return _checked(parse_toml(place.read_bytes(), language), language)


def _own(path: Path) -> dict[str, str]:
    return _checked(read_toml(path), str(path))


def _checked(tree: dict[str, Any], where: str) -> dict[str, str]:
    """The texts of a file.

    Raises
    ------
    ConfigError
    """
    wrong = [f"{where}: {key} = {value!r}: must be text" for key, value in tree.items() if not isinstance(value, str)]
    if wrong:
        raise ConfigError(wrong)
    return tree
