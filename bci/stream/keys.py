"""The key of a session: only its own programs have it, and it is never sent.

``bci run`` makes a key for its session, hands it to the programs that it starts in the environment variable
``BCI_KEY``, and keeps it for as long as the session runs in a file that only its owner can read, so that ``bci mark``
and windows that are opened by hand can speak to the session too. Engine and actuator host that are begun by hand share
one such file. What is signed with the key: :mod:`bci.stream.signing`. What that protects against:
``docs/explanations/threats.md``.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bci.errors import ConfigError
from bci.safe_io.regular_file import open_regular

KEY = "BCI_KEY"
"""Environment variable with the key, in hexadecimal digits."""
FOLDER = "BCI_KEYS"
"""Environment variable with another folder for key files than :func:`keys_folder` chooses."""
BY_HAND = "by-hand"
LENGTH = 32
LARGEST = 4096


def new_key() -> bytes:
    """Make a random key, which nobody can guess."""
    return secrets.token_bytes(LENGTH)


def key_of(session: str, environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The key of a session: from the environment, else from its file; None where there is neither.

    Parameters
    ----------
    session : str
        The session's identifier; empty for engine and host that were begun by hand.
    environment : mapping of str to str

    Raises
    ------
    ConfigError
        If the variable or the file holds no key, or others can read the file.
    """
    if text := environment.get(KEY, ""):
        return _parsed(text, KEY)
    for name in dict.fromkeys((session or BY_HAND, BY_HAND)):
        # A link that leads nowhere is there too; reading it says what is wrong.
        if re.fullmatch("[A-Za-z0-9-]{1,64}", name) and os.path.lexists(path := keys_folder(environment) / f"{name}.key"):
            return _read(path)
    return None


def has_own_key(session: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a session has a key of its own, and not only the one that programs begun by hand share.

    Parameters
    ----------
    session : str
        Identifier of the session.
    environment : mapping of str to str
    """
    return bool(environment.get(KEY)) or (bool(session) and os.path.lexists(keys_folder(environment) / f"{session}.key"))


def own_key(session: str = "", environment: Mapping[str, str] = os.environ) -> bytes:
    """Return the key for an engine or an actuator host that was started alone; it is made where there is none.

    Parameters
    ----------
    session : str
        Identifier of the session.
    environment : mapping of str to str
        Environment variables.

    Returns
    -------
    bytes
        As of :func:`key_of`.

    Raises
    ------
    ConfigError
        If the key file cannot be read or written.
    """
    key = key_of(session, environment)
    if key is not None:
        return key
    made = new_key()
    path = keys_folder(environment) / f"{BY_HAND}.key"
    return made if _write(path, made) else _read(path)  # another program was faster


@contextmanager
def kept(session: str, key: bytes, environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Keep a session's key in its file for as long as the session runs.

    Parameters
    ----------
    session : str
        Identifier of the session.
    key : bytes
    environment : mapping of str to str
        Environment variables.

    Yields
    ------
    Path
        Path of the file.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    path = keys_folder(environment) / f"{session}.key"
    if not _write(path, key):
        raise ConfigError(f"{path}: this file contains the key of another session; remove it if that session has ended")
    try:
        yield path
    finally:
        with suppress(OSError):  # whoever took the folder away, or its rights, took the file too; the session must end whole
            path.unlink()


def keys_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the key files: the user's own, beside the state of other programs.

    Parameters
    ----------
    environment : mapping of str to str
        Environment variables.

    Returns
    -------
    Path
    """
    if chosen := environment.get(FOLDER, ""):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "bci" / "keys"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "bci" / "keys"
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "bci" / "keys"


def _write(path: Path, key: bytes) -> bool:
    """Make a file that only its owner can read, whole or not at all; False where there is one, which is left alone."""
    draft = path.with_name(f"{path.stem}-{secrets.token_hex(8)}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(key.hex() + "\n")
            return _named(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{path}: the session's key cannot be kept there ({error}); name another folder with {FOLDER}"
        ) from error


def _named(draft: Path, path: Path) -> bool:
    """Give a file its name, in one step; False where another one has it."""
    try:
        if sys.platform == "win32":
            os.rename(draft, path)  # refuses there what is there already
        else:
            os.link(draft, path)
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> bytes:
    """The key in a file, if nobody else can read it."""
    try:
        with open_regular(path, follow=False) as file:
            found, text = os.fstat(file.fileno()), file.read(LARGEST)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error}); if it is not a key file, remove it") from error
    if found.st_size > LARGEST:
        raise ConfigError(f"{path}: is not a key file; remove it")
    if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
        raise ConfigError(f"{path}: others can read or write it, so it protects nothing; remove it, and bci makes a new one")
    return _parsed(text.decode("ascii", "replace"), str(path))


def _parsed(text: str, where: str) -> bytes:
    digits = text.strip()
    if not re.fullmatch(f"[0-9a-fA-F]{{{2 * LENGTH}}}", digits):
        raise ConfigError(f"{where}: contains no key; it must be {2 * LENGTH} hexadecimal digits")
    return bytes.fromhex(digits)
