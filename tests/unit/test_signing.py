"""Who has the session's key can speak for it; nobody else can, and nothing counts twice."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import ConfigError, StreamError
from bci.stream import keys
from bci.stream.signing import FREE, Checker, Signer, row_is_ours, row_mac

KEY, OTHER = bytes(range(32)), bytes(32)


class Now:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def pair(key: bytes | None = KEY, checked_with: bytes | None = KEY) -> tuple[Signer, Checker, Now]:
    now = Now()
    return Signer(key, now, "here"), Checker(checked_with, now, "here"), now


def test_a_signed_message_is_ours_once() -> None:
    signer, checker, _ = pair()
    text = signer.line("set", key="threshold", value=0.7)
    first, again = checker(text, "test"), checker(text, "test")
    assert first.ours
    assert first.fields["value"] == 0.7
    assert json.loads(text)["kind"] == "set"  # whoever knows nothing of keys reads it as before
    assert not again.ours
    assert again.why == "its number was used before"
    assert checker.strangers == 1


@pytest.mark.parametrize("key", [None, OTHER])
def test_without_the_key_only_what_ends_movement_counts(key: bytes | None) -> None:
    signer, checker, _ = pair(key)
    counted = {kind for kind in ("stop_now", "disarm", "freeze", "resume", "set", "arm", "mark", "model", "stop", "note", "alive")
               if checker(signer.line(kind), "test").counts}  # fmt: skip
    assert counted == set(FREE)


def test_a_message_of_this_computer_that_waited_does_not_count() -> None:
    signer, checker, now = pair()
    text = signer.line("resume")
    now.s += 2.1
    assert checker(text, "test").why == "it was sent 2.1 s ago"


def test_without_a_key_every_message_is_ours() -> None:
    signer, checker, _ = pair(None, None)
    assert checker(signer.line("stop"), "test").ours


@given(st.integers(0, 10_000), st.characters())
def test_no_signed_message_can_be_changed(place: int, character: str) -> None:
    signer, checker, _ = pair()
    text = signer.line("set", key="threshold", value=0.7, why="none")
    at = place % len(text)
    changed = text[:at] + character + text[at + 1 :]
    ours = False
    with suppress(StreamError):  # it may be no message at all any more
        ours = checker(changed, "test").ours
    assert ours == (changed == text)


@given(st.lists(st.floats(), min_size=7, max_size=7), st.integers(0, 8), st.integers(0, 63))
def test_no_bit_of_a_signed_row_can_be_changed(values: list[float], column: int, bit: int) -> None:
    row = np.array(values)
    signed = np.concatenate([row, row_mac(KEY, "bci-decisions-1", row)])
    assert row_is_ours(KEY, "bci-decisions-1", signed)
    assert not row_is_ours(KEY, "bci-decisions-2", signed)
    assert not row_is_ours(OTHER, "bci-decisions-1", signed)
    signed.view(np.uint64)[column] ^= np.uint64(1 << bit)
    assert not row_is_ours(KEY, "bci-decisions-1", signed)


def test_a_key_is_kept_while_the_session_runs_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    environment = {keys.FOLDER: str(tmp_path / "keys")}
    key = keys.new_key()
    with keys.kept("abc", key, environment) as path:
        assert keys.key_of("abc", environment) == key
        assert sys.platform == "win32" or stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sys.platform == "win32" or stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert keys.key_of("abc", environment) is None


def test_programs_that_are_begun_by_hand_share_one_key(tmp_path: Path) -> None:
    environment = {keys.FOLDER: str(tmp_path)}
    assert keys.own_key("", environment) == keys.own_key("xyz", environment) == keys.key_of("", environment)


def test_the_environment_comes_first(tmp_path: Path) -> None:
    assert keys.key_of("abc", {keys.FOLDER: str(tmp_path), keys.KEY: KEY.hex()}) == KEY
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        keys.key_of("abc", {keys.KEY: "abc"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes; the user's folder is protected there")
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    environment = {keys.FOLDER: str(tmp_path)}
    keys.own_key("", environment)
    path = tmp_path / "by-hand.key"
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read or write it"):
        keys.own_key("", environment)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="is not a key file"):
        keys.own_key("", environment)


@pytest.mark.parametrize("session", ["../x", "a/b", "", "x" * 100])
def test_a_session_name_never_leads_out_of_the_folder(tmp_path: Path, session: str) -> None:
    (tmp_path / "x.key").write_text(KEY.hex())
    (tmp_path / "x.key").chmod(0o600)
    assert keys.key_of(session, {keys.FOLDER: str(tmp_path / "keys")}) is None


@pytest.mark.parametrize("what", ["folder is a file", "link to nowhere", "a folder", "a pipe", "empty", "too long"])
def test_a_place_where_no_key_can_be_is_refused_in_a_sentence(tmp_path: Path, what: str) -> None:
    folder = tmp_path / ("x" * 300 if what == "too long" else "keys")
    file = folder / "by-hand.key"
    if what == "folder is a file":
        folder.write_text("x")
    elif what != "too long":
        folder.mkdir()
    match what:
        case "link to nowhere":
            file.symlink_to(tmp_path / "nowhere")
        case "a folder":
            file.mkdir()
        case "a pipe":
            os.mkfifo(file, 0o600)
        case "empty":
            file.touch(0o600)
    with pytest.raises(ConfigError, match="key"):
        keys.own_key("", {keys.FOLDER: str(folder)})
    if what in ("folder is a file", "too long"):
        with pytest.raises(ConfigError, match=keys.FOLDER), keys.kept("abc", KEY, {keys.FOLDER: str(folder)}):
            pass


@pytest.mark.parametrize("what", ["removed", "a file", "a folder of its name"])
def test_a_session_whose_key_folder_goes_away_while_it_runs_ends_whole(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "keys"
    with keys.kept("abc", KEY, {keys.FOLDER: str(folder)}) as path:
        path.unlink()
        if what == "a folder of its name":
            path.mkdir()
        else:
            folder.rmdir()
        if what == "a file":
            folder.write_text("x")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are those of POSIX")
def test_a_key_that_the_disk_does_not_take_leaves_no_half_file(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10));"
        "from bci.errors import ConfigError; from bci.stream import keys\n"
        "try: keys.own_key()\n"
        "except ConfigError as error: print(error); sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, keys.FOLDER: str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert keys.FOLDER in done.stdout
    assert not list(tmp_path.iterdir())
    assert keys.own_key("", {keys.FOLDER: str(tmp_path)})  # and there is room for one later
