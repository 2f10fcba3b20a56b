"""The documented plug-in package: installed as a third party's is, found by name, and held to every contract."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci import plugins
from bci.config import load_config
from bci.contracts.actuator import actuator_breaches, settings_breaches
from bci.contracts.kernel import family_breaches
from bci.contracts.source import source_breaches
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError, ModelError, RecordingError
from bci.model.family import load_family
from bci.paradigm.protocol import load_protocol
from bci.paradigm.timeline import short
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.stream.files.readers import open_recording
from bci.stream.files.summary import summarise_file
from devices.simulated import SimulatedSettings, SimulatedSubject

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "plugin"
CLASSES = ("left_hand", "right_hand")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which pip installed the example; beside this environment, not into it."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    target = folder / "installed"
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    install = [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(folder / "source")]
    done = subprocess.run(install, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def found(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example, findable from here for one test."""
    monkeypatch.syspath_prepend(str(installed))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "bci_example"]:
        del sys.modules[name]


def bci(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which knows the example only from its entry points."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "bci", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def amplifier(port: int) -> Iterator[None]:
    """Three channels of noise, 20 µV, 250 packets a second, and now and then one that is no sample."""
    stopped = threading.Event()
    rng = np.random.default_rng(1)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            begin, sent = time.monotonic(), 0
            while not stopped.wait(0.01):
                while sent < 250 * (time.monotonic() - begin):
                    wire.sendto((20 * rng.standard_normal(3)).astype("<f4").tobytes(), ("127.0.0.1", port))
                    sent += 1
                wire.sendto(b"garbage", ("127.0.0.1", port))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def test_every_kind_of_plug_in_is_in_the_example(installed: Path) -> None:
    (package,) = [d for d in distributions(path=[str(installed)]) if d.metadata["Name"] == "bci-example"]
    assert {point.group for point in package.entry_points} == {
        plugins.SOURCES,
        plugins.DECODERS,
        plugins.KERNELS,
        plugins.ACTUATORS,
        plugins.WINDOWS,
        plugins.PRESETS,
        plugins.READERS,
    }


@pytest.mark.usefixtures("found")
def test_the_documented_source_keeps_the_contract() -> None:
    port = free_port()
    with amplifier(port):
        source = plugins.load(plugins.SOURCES, "udp-amplifier")
        assert source_breaches(lambda: source.from_settings({"port": port}), 1.0) == []
    with pytest.raises(ConfigError) as raised:
        source.from_settings({"port": "x", "rate_hz": "-1", "hots": 1})
    assert [line.split(" ")[0] for line in raised.value.problems] == ["hots:", "port", "rate_hz"]


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("decoder", ["power-lda", "power-forest"])
@pytest.mark.parametrize(("classes", "bands"), [(2, 1), (3, 2)])
def test_the_documented_decoders_and_their_kernels_keep_the_contracts(decoder: str, classes: int, bands: int) -> None:
    rng = np.random.default_rng(classes)
    labels = np.array([f"class {k % classes}" for k in range(16 * classes)])
    windows = 6.0 * rng.standard_normal((len(labels), bands, 200, 5))
    for k in range(classes):
        windows[labels == f"class {k}", :, :, k] *= 1.1
    filters = ((8.0, 13.0), (13.0, 30.0))[:bands]
    settings = Preprocessing(100.0, tuple("ABCDE"), notch_hz=0, bands=filters, window=200, hop=4)
    assert family_breaches(load_family(decoder), windows, labels, windows[:8] * 1.1, settings) == []


@pytest.mark.usefixtures("found")
def test_the_documented_kernel_refuses_arrays_that_do_not_fit() -> None:
    load = plugins.load(plugins.KERNELS, "power-linear")
    for arrays in ({}, {"coefficients": np.ones((3, 1, 2)), "intercept": np.ones(3)}):
        with pytest.raises(ModelError, match="power-linear"):
            load(arrays, CLASSES)


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    "changed", [{"left": [9]}, {"feature": [4]}, {"roots": [-1]}, {"answer": [[0.2, 0.3, 0.5]]}, {"threshold": [0.0, 1.0]}]
)
def test_the_documented_forest_refuses_nodes_that_do_not_fit(changed: dict[str, list[Any]]) -> None:
    load = plugins.load(plugins.KERNELS, "forest")
    one_leaf = {"left": [0], "right": [0], "feature": [0], "threshold": [0.0], "roots": [0], "depth": 0}
    nodes = {name: np.array(a) for name, a in {**one_leaf, "importance": [[0.5, 0.5]], "answer": [[0.3, 0.7]]}.items()}
    window = np.random.default_rng(0).standard_normal((1, 50, 2))
    np.testing.assert_array_equal(load(nodes, CLASSES)(window), [0.3, 0.7])
    with pytest.raises(ModelError, match="forest: the nodes do not fit"):
        load({**nodes, **{name: np.array(a) for name, a in changed.items()}}, CLASSES)
    with pytest.raises(ModelError, match="forest: roots missing"):
        load({name: array for name, array in nodes.items() if name != "roots"}, CLASSES)


@pytest.mark.usefixtures("found")
def test_the_documented_actuator_keeps_the_contract(tmp_path: Path) -> None:
    lamp = plugins.load(plugins.ACTUATORS, "lamp")
    good = {"path": str(tmp_path / "brightness")}
    assert actuator_breaches(lambda: lamp.from_settings(good), ["on", "dim"], (tmp_path / "brightness").read_bytes) == []
    assert settings_breaches(lamp.from_settings, good) == []


@pytest.mark.usefixtures("found")
def test_the_documented_preset_is_found_by_name() -> None:
    session = load_config(preset="feet-and-hands", rate_hz=250.0)
    assert (session.trial.stop_s, session.record.task) == (4.0, "feethands")


def test_the_documented_protocol_has_a_code_for_each_class() -> None:
    protocol = load_protocol(str(EXAMPLE.parent / "protocol" / "feet-and-hands.toml"))
    assert protocol.class_codes == {"feet": 771, "both_hands": 774}


def table(path: Path, rows: int) -> np.ndarray:
    """A file as the documented reader takes it: three channels at 250 Hz, a cue at sample 100. Returns the samples."""
    data = np.random.default_rng(0).normal(0, 15, (rows, 3)).round(3)
    lines = [f"{i / 250},{','.join(map(str, row))},{'769' if i == 100 else ''}" for i, row in enumerate(data.tolist())]
    path.write_text("\n".join(["time,C3,Cz,C4,marker", *lines]) + "\n")
    return data


@pytest.mark.usefixtures("found")
def test_the_documented_reader_gives_what_the_table_holds(tmp_path: Path) -> None:
    data = table(tmp_path / "a.csv", 500)
    recording = open_recording(tmp_path / "a.csv")
    signal = recording.eeg()
    assert (signal.info.labels, signal.info.rate_hz) == (("C3", "Cz", "C4"), 250.0)
    np.testing.assert_array_equal(signal.data, data)
    assert (recording.markers[0].texts, recording.markers[0].stamps.tolist()) == (("769",), [0.4])
    assert recording.sha256
    told = summarise_file(tmp_path / "a.csv")
    assert (told.format, told.streams[0].samples) == ("CSV", 500)


@pytest.mark.usefixtures("found")
def test_the_documented_reader_refuses_other_files_in_a_sentence(tmp_path: Path) -> None:
    for content in (b"", b"a,b,c\n", b"time,C3,marker\n0.0,1,\n", b"time,C3,marker\n0,x,\n1,2,\n", bytes(range(256)) * 9):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(RecordingError, match=r"a\.csv"):
            open_recording(tmp_path / "a.csv")


@pytest.mark.usefixtures("found")
def test_a_file_that_no_reader_knows_is_refused_with_those_of_plug_ins_too(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")
    with pytest.raises(RecordingError, match=r"files of type '\.xyz' cannot be read; these can: .*\.cnt, \.csv, \.edf"):
        open_recording(tmp_path / "a.xyz")


def test_commands_find_the_documented_package_by_its_folder(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 500)
    environment = {**os.environ, plugins.FOLDERS: str(EXAMPLE)}
    command = [sys.executable, "-m", "bci", "info", str(tmp_path / "a.csv"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert '"CSV"' in done.stdout


@pytest.mark.live
def test_commands_find_the_documented_source_and_actuator_by_name(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    with amplifier(port):
        streamed = bci(installed, "stream", "udp-amplifier", "--set", f"port={port}", "--seconds", "1", "--json")
    assert streamed.returncode == 0, streamed.stderr
    assert json.loads(streamed.stdout.splitlines()[-1])["samples"] > 100
    lamp = tmp_path / "brightness"
    moved = bci(installed, "actuate", "lamp", "--set", f"path={lamp}", "--seconds", "1")
    assert moved.returncode == 0, moved.stderr
    assert lamp.read_text() == "0"


@pytest.mark.parametrize(
    ("decoder", "kernel", "module"),
    [("power-lda", "power-linear", "power_kernel"), ("power-forest", "forest", "power_forest")],
)
def test_commands_train_the_documented_decoder_and_run_its_kernel_by_name(
    decoder: str, kernel: str, module: str, installed: Path, tmp_path: Path
) -> None:
    clock, recording, model = VirtualClock(1000.0), tmp_path / "calibration.xdf", tmp_path / "model.safetensors"
    subject = SimulatedSubject(SimulatedSettings(seed=3, skill=0.9), clock)
    record_virtually(subject, clock, short(CLASSES, 8, 3), recording)
    cues = ["--set", f"markers.table.769={CLASSES[0]}", "--set", f"markers.table.770={CLASSES[1]}"]
    train = ["train", str(recording), *cues, "--set", f"decoder.name={decoder}", "-o", str(model), "--json"]
    trained = bci(installed, *train)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["decoder"] == decoder
    # A process that only decodes needs the kernel's module, and none that trains.
    decode = (
        f"from bci.model.file import load_model; import numpy, sys; d = load_model({str(model)!r}).decoder; p = d.preprocessing"
    )
    decode += "; w = numpy.random.default_rng(0).normal(0, 10, (len(p.bands), p.window, len(p.labels))); y = d.kernel(w)"
    decode += "; assert abs(y.sum() - 1) < 1e-9, y"
    loads = f"{decode}; assert 'bci_example.{module}' in sys.modules and 'sklearn' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    subprocess.run([sys.executable, "-c", loads], check=True, timeout=60, env=environment)
    without = subprocess.run([sys.executable, "-c", decode], capture_output=True, text=True, timeout=60, check=False)
    assert f"'{kernel}'" in without.stderr, "where the package is not installed, the error names the kernel"
