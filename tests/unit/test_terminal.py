"""Output under the code pages of other people's computers, and files as their editors save them."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bci.commands import COMMANDS, main
from bci.commands.terminal import plain
from bci.config import load_config
from bci.errors import ConfigError
from bci.safe_io.toml import read_toml
from bci.stream.xdf.writer import XdfWriter

pytestmark = pytest.mark.live

PAGES = ("cp1252", "cp932", "cp437", "ascii")


def written(page: str, *words: str) -> tuple[int, bytes]:
    """Exit code of a command line, and what it wrote to standard output and error in a code page."""
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, encoding=page, errors="strict", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(words)
    return code, buffer.getvalue()


@pytest.mark.parametrize("page", PAGES)
def test_every_help_can_be_written_in_every_code_page(page: str) -> None:
    for name in COMMANDS:
        code, text = written(page, name, "--help")
        assert code == 0
        assert f"bci {name}".encode() in text


@pytest.mark.parametrize("page", PAGES)
def test_names_out_of_a_recording_are_shown_in_every_code_page(page: str, tmp_path: Path) -> None:
    header = (
        "<info><name>Müller – 脳波 µ</name><type>EEG</type><channel_count>1</channel_count>"
        "<nominal_srate>250</nominal_srate><channel_format>float32</channel_format></info>"
    )
    with XdfWriter(tmp_path / "ä→.xdf") as writer:
        writer.write(writer.add_stream(header), np.zeros((500, 1), np.float32), np.arange(500) / 250)
    code, text = written(page, "info", str(tmp_path / "ä→.xdf"))
    assert code == 0
    assert b"500" in text


@pytest.mark.parametrize("page", [*PAGES, "utf-8"])
def test_an_error_that_names_a_strange_file_is_written_in_every_code_page(page: str) -> None:
    code, text = written(page, "info", "Aufnahme–µ\udcff→.xdf")
    assert code == 5
    assert b"cannot be read" in text


def test_what_a_code_page_lacks_is_written_as_its_nearest_plain_text() -> None:
    assert plain("12 µV / 3 μV – ≥ 5 Ω · café → 日") == "12 uV / 3 uV - >= 5 Ohm . cafe -> ?"


def test_a_handler_of_errors_that_somebody_chose_stays() -> None:
    chosen = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="xmlcharrefreplace")
    with contextlib.redirect_stdout(chosen):
        assert main(["version"]) == 0
    assert chosen.errors == "xmlcharrefreplace"


def test_a_configuration_saved_by_windows_editor_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b'\xef\xbb\xbf[markers.table]\r\n"1" = "left"\r\n')
    assert load_config(tmp_path / "c.toml").markers.table == {"1": "left"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('name = "x"'.encode("utf-16"), "UTF-16.*UTF-8"),
        ('name = "x"'.encode("utf-16-le"), "UTF-16.*UTF-8"),
        ('a = 1\nname = "Müller"'.encode("cp1252"), "line 2 contains the byte 0xfc.*UTF-8"),
        (b"name = [", "is not a TOML file"),
    ],
)
def test_a_toml_file_that_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        read_toml(tmp_path / "c.toml")
    with pytest.raises(ConfigError, match=says):
        load_config(tmp_path / "c.toml")


def test_every_kind_of_toml_file_may_carry_a_byte_order_mark(tmp_path: Path) -> None:
    from bci.paradigm.protocol import load_protocol
    from bci.paradigm.texts import Texts
    from bci.stream.markers.triggers import load_markers
    from bci.stream.montage import load_montage

    def marked(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8-sig"))
        return path

    assert load_montage(marked("m.toml", 'names = ["C3"]')).names == ("C3",)
    assert load_markers(marked("t.toml", '"1" = "left"')).classes == ("left",)
    assert Texts(str(marked("de.toml", 'left_hand = "Links"')))("left_hand") == "Links"
    from importlib.resources import files

    shipped = files("bci.paradigm").joinpath("protocols", "short.toml").read_text(encoding="utf-8")
    assert load_protocol(str(marked("p.toml", shipped))).classes


SPEAKS_TO_NOBODY = """
import os, pty, sys, time
leader, follower = pty.openpty()
{how}
from bci.commands.terminal import outlive_the_terminal
outlive_the_terminal()
print("ready", file=sys.stderr, flush=True)
{gone}
for _ in range(3):
    print("neutral", file=sys.stderr, flush=True)
os.write(result, b"came to its end")
"""


@pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX")
@pytest.mark.parametrize(
    ("how", "gone"),
    [
        ("os.dup2(follower, 2); os.close(follower); result = os.dup(1); os.dup2(2, 1)", "os.close(leader)"),
        ("r, w = os.pipe(); os.dup2(w, 2); os.close(w); result = 1", "os.close(r)"),
        ("os.dup2(os.open('/dev/full', os.O_WRONLY), 2); result = 1", ""),
    ],
    ids=["the terminal was closed", "the pipe's reader has ended", "the disk is full"],
)
def test_a_program_comes_to_its_end_though_its_words_reach_nobody(how: str, gone: str) -> None:
    words = [sys.executable, "-c", SPEAKS_TO_NOBODY.format(how=how, gone=gone)]
    done = subprocess.run(words, capture_output=True, timeout=30, check=True)
    assert done.stdout == b"came to its end"
