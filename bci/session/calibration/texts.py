"""What is said to the participant, in a language of theirs."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from bci.errors import ConfigError


class Texts:
    """Instruction texts.

    Parameters
    ----------
    language : str
        A shipped language (``"en"``, ``"de"``), or the path of a TOML file of ``key = "text"`` lines. What it leaves
        out is said in English.

    Raises
    ------
    ConfigError
        If there is no such language, or its file holds what is no text.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self._texts = _shipped("en") | (_own(Path(language)) if language.endswith(".toml") else _shipped(language))

    def __call__(self, key: str, **fields: object) -> str:
        """The text of a key with its fields filled in; the key itself, made readable, where there is none.

        >>> Texts("de")("left_hand"), Texts()("my_class")
        ('Linke Hand', 'my class')
        """
        text = self._texts.get(key)
        return key.replace("_", " ") if text is None else text.format(**fields)


def languages() -> tuple[str, ...]:
    """Languages that are shipped."""
    return tuple(sorted(p.name[:-5] for p in files(__package__).joinpath("texts").iterdir() if p.name.endswith(".toml")))


def _shipped(language: str) -> dict[str, str]:
    place = files(__package__).joinpath("texts", f"{language}.toml")
    if not place.is_file():
        raise ConfigError(f"no texts in {language!r}; there are {', '.join(languages())}, or name a TOML file")
    return _checked(place.read_text(encoding="utf-8"), language)


def _own(path: Path) -> dict[str, str]:
    try:
        return _checked(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error


def _checked(text: str, where: str) -> dict[str, str]:
    """The texts of a file.

    Raises
    ------
    ConfigError
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: is not TOML ({error})") from error
    wrong = [f"{where}: {key} = {value!r}: must be text" for key, value in tree.items() if not isinstance(value, str)]
    if wrong:
        raise ConfigError(wrong)
    return tree
