"""Hostile files and messages end within a second and 100 MB, well or with an error of this project's own.

The long form is ``tests/campaigns/fuzz.py``.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fuzz_corpus import specimens
from fuzz_files import file_targets, good_model
from fuzz_wires import WIRE_TARGETS
from fuzzing import Target, attempt

from bci.calibration.findings import read_judgement
from bci.config import load_config
from bci.errors import BciError
from bci.model.file import load_model
from bci.paradigm.protocol import load_protocol
from bci.safe_io.regular_file import read_regular
from bci.stream.files.readers import open_recording
from bci.stream.files.summary import summarise_file
from bci.stream.lsl_config import read_config
from bci.stream.markers.triggers import load_markers
from bci.stream.montage import load_montage

ATTEMPTS = 25
KINDS = [
    "model", "xdf", "sidecar", "openvibe", "config", "protocol", "montage", "markers", "judgement", "library", "events", "ports",
    *(target.name for target in WIRE_TARGETS),
]  # fmt: skip


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    """Everything that reads foreign bytes, by its name."""
    return {target.name: target for target in (*file_targets(tmp_path_factory.mktemp("good")), *WIRE_TARGETS)}


def test_every_reader_has_its_generated_attacks(targets: dict[str, Target]) -> None:
    assert sorted(targets) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_generated_attacks_are_refused_or_harmless(targets: dict[str, Target], kind: str, tmp_path: Path) -> None:
    rng = random.Random(zlib.crc32(kind.encode()))
    for _ in range(ATTEMPTS):
        content = targets[kind].make(rng)
        found = attempt(targets[kind], content, tmp_path)
        assert not found.failure, f"{found}: {content[:200]!r}"


def test_what_was_found_once_is_refused_or_harmless(targets: dict[str, Target], tmp_path: Path) -> None:
    wrong = []
    for name, kind, content in specimens(good_model(tmp_path)):
        found = attempt(targets[kind], content, tmp_path)
        if found.failure:
            wrong.append(f"{kind}, {name}: {found}")
    assert not wrong, "\n".join(wrong)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "model": ("m.safetensors", load_model),
    "configuration": ("c.toml", load_config),
    "montage": ("m.toml", load_montage),
    "markers": ("t.toml", load_markers),
    "protocol": ("p.toml", lambda path: load_protocol(str(path))),
    "judgement": ("j.json", read_judgement),
    "XDF": ("a.xdf", open_recording),
    "XDF, measured": ("a.xdf", summarise_file),
    "OpenViBE": ("a.ov", open_recording),
    "EDF": ("a.edf", open_recording),
    "EEGLAB": ("a.set", open_recording),
}


def no_files(folder: Path, name: str) -> Iterator[Path]:
    """What a name may lead to that is no file."""
    for kind in ("pipe", "folder", "socket", "link", "zeros"):
        (folder / kind).mkdir(parents=True)
    os.mkfifo(folder / "pipe" / name)
    yield folder / "pipe" / name
    (folder / "folder" / name).mkdir()
    yield folder / "folder" / name
    here = os.getcwd()
    os.chdir(folder / "socket")  # a socket's name may have a hundred letters
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(name)
    finally:
        os.chdir(here)
    yield folder / "socket" / name
    (folder / "link" / name).symlink_to(folder / "pipe" / name)
    yield folder / "link" / name
    (folder / "zeros" / name).symlink_to("/dev/zero")
    yield folder / "zeros" / name
    yield folder / "none" / name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders, and no /dev/zero")
@pytest.mark.parametrize("reader", READERS)
def test_a_name_that_leads_to_no_regular_file_is_refused_at_once(reader: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    for path in no_files(tmp_path / "x", name):
        found = attempt(Target(reader, lambda _: b"", lambda _, __, path=path: read(path)), b"", tmp_path)
        assert (found.outcome, found.failure) == ("refused", ""), path


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has /proc")
@pytest.mark.parametrize(
    "place", ["/proc/self/mem", "/proc/self/pagemap", "/proc/kmsg", "/dev/tty", "/dev/stdin", "\0", "a" * 5000]
)
def test_no_place_of_the_system_is_taken_for_a_model(place: str) -> None:
    with pytest.raises(BciError):
        load_model(place)


def test_a_file_of_ten_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    with path.open("wb") as file:
        file.truncate(10 << 30)
    for read in (load_config, load_montage, load_markers, load_model, read_judgement):
        with pytest.raises(BciError, match=r"larger than \d+ .iB"):
            read(path)


def read_until_refused(path: Path) -> None:
    """Read it again and again."""
    while True:
        assert len(read_regular(path, 1 << 20)) <= 1 << 20


def test_a_file_that_grows_while_it_is_read_is_read_up_to_the_limit_and_no_further(tmp_path: Path) -> None:
    path, stop = tmp_path / "grows", threading.Event()
    path.write_bytes(b"x")

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set() and file.tell() < 64 << 20:
                file.write(bytes(1 << 16))

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(OSError, match="larger than 1 MiB"):
            read_until_refused(path)
    finally:
        stop.set()
        writer.join()


def test_a_hostile_configuration_of_liblsl_is_told_and_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "lsl_api.cfg"
    path.write_text("[ports]\nBasePort = " + "9" * 5000 + "\n")
    _, problems = read_config(path)
    assert ["must be a number from 0 to 65535" in problem and len(problem) < 200 for problem in problems] == [True]
