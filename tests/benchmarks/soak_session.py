"""The session that is soaked: an amplifier of its own, ``bci run`` at a terminal, and the far end of a UDP actuator."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import psutil
from udp_receiver import Receiver

from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.model.file import save_model
from bci.stream import messages
from bci.stream.lsl import LslOutlet, LslRawInlet, StreamQuery, find, local_clock
from bci.training.fit import fit_decoder

EVERY_S = 5.0
CHUNK_S = 0.02
READY_S = 90.0
END_S = 60.0
NOISE_UV = 10.0
ARM_S = 10.0


def labels_of(channels: int) -> tuple[str, ...]:
    """Names of so many electrodes."""
    return tuple(f"E{i + 1}" for i in range(channels))


def send(name: str, channels: int, rate_hz: float) -> None:
    """An amplifier, until it is killed: noise in which the first electrode is weak, which the model takes for the left hand."""
    info = StreamInfo(rate_hz, tuple(Channel(x, "EEG", "uV") for x in labels_of(channels)), source_id=name, name=name)
    outlet, n = LslOutlet(info, "float32"), round(CHUNK_S * rate_hz)
    noise = np.random.default_rng(0).normal(0, NOISE_UV, (round(7 * rate_hz), channels)).astype(np.float32)
    noise[:, 0] *= 0.5
    began, k = local_clock(), 0
    print("ready", flush=True)
    while True:
        time.sleep(max(0.0, began + (k + n) / rate_hz - local_clock()))
        at = np.arange(k, k + n)
        outlet.push_chunk(noise[at % len(noise)], began + at / rate_hz)
        k += n


def make_model(path: Path, channels: int, rate_hz: float) -> Path:
    """A tangent-space model of two-second windows that takes a weak first electrode for the left hand."""
    rng, labels = np.random.default_rng(0), labels_of(channels)
    p = Preprocessing(rate_hz, labels, window=round(2 * rate_hz), hop=round(0.04 * rate_hz))
    classes = np.array(["left", "right"] * 15)
    windows = rng.normal(0, NOISE_UV * np.sqrt(22 / (rate_hz / 2)), (len(classes), 1, p.window, channels))
    windows[classes == "left", :, :, 0] *= 0.5
    windows[classes == "right", :, :, 1] *= 0.5
    fitted = fit_decoder("ts-lr", windows, classes, p)
    info = StreamInfo(rate_hz, tuple(Channel(x, unit="uV") for x in labels), source_id="x", name="x")
    save_model(path, fitted.header(info, (0.0, 0.5)), fitted.arrays)
    return path


class SoakSession:
    """A context manager; everything that it started ends with it.

    Parameters
    ----------
    folder : Path
        For the model, the recording and what the session says.
    channels : int
    rate_hz : float
    largest_file : int
        Bytes that a file of the session may have, as on a disk that is full then; 0: any.

    Attributes
    ----------
    ages : ndarray, shape (n_decisions, 2)
        Time and age of the data of each decision, seconds.
    """

    def __init__(self, folder: Path, channels: int, rate_hz: float, largest_file: int = 0) -> None:
        self._largest_file = largest_file
        self._folder, self._channels, self._rate_hz = folder, channels, rate_hz
        self._name, self._amplifier_name = f"s{uuid.uuid4().hex[:8]}", f"amp{uuid.uuid4().hex[:8]}"
        self._receiver = Receiver()
        self._amplifier: subprocess.Popen[bytes] | None = None
        self._run: subprocess.Popen[bytes] | None = None
        self._leader = -1
        self._timing: LslRawInlet | None = None
        self._rows: list[FloatArray] = []
        self._armed_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in (self._run, self._amplifier):
            if process is None:
                continue
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self._leader >= 0:
            os.close(self._leader)
        if self._timing is not None:
            self._timing.close()
        self._receiver.close()

    def begin(self) -> None:
        """Until commands reach the actuator."""
        model = make_model(self._folder / "model.safetensors", self._channels, self._rate_hz)
        script = Path(__file__).with_name("soak.py")
        words = ["--send", self._amplifier_name, "--channels", str(self._channels), "--rate", str(self._rate_hz)]
        self._amplifier = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE)
        if self._amplifier.stdout is None or self._amplifier.stdout.readline().strip() != b"ready":
            raise RuntimeError("the amplifier did not start")
        self._run = self._begin_run(model)
        self._timing = LslRawInlet(self._until(lambda: find(StreamQuery(name=f"{self._name}-timing"), 2.0, 0.1), "timing")[0])
        self._until(lambda: self._arm() or self.received(), "commands")

    def processes(self) -> dict[str, psutil.Process]:
        """``run`` and what it began, by sub-command, and the amplifier."""
        if self._run is None or self._amplifier is None:
            return {}
        if self._run.poll() is not None:
            raise RuntimeError(f"the session ended with code {self._run.returncode}: {self.said()[-2000:]}")
        found = {"run": psutil.Process(self._run.pid), "amplifier": psutil.Process(self._amplifier.pid)}
        for child in found["run"].children():
            words = child.cmdline()
            if "bci" in words:
                found[words[words.index("bci") + 1]] = child
        return found

    def received(self, since_s: float = 0.0) -> int:
        """Commands, neutral apart, that the far end got."""
        return len(self._receiver.since(since_s))

    def neutral(self, since_s: float) -> list[float]:
        """When the far end got neutral, or stopped by itself, LSL clock."""
        own = [at for at in tuple(self._receiver.stopped) if at > since_s]
        return sorted([*self._receiver.since(since_s, "neutral"), *own])

    @property
    def recordings(self) -> list[Path]:
        """What was recorded."""
        return sorted((self._folder / "out").rglob("*.xdf"))

    def step(self, until_s: float) -> None:
        """Read until then (``time.monotonic``); where a person would arm again, arm."""
        while time.monotonic() < until_s:
            self._read()
            if not self._receiver.since(local_clock() - ARM_S):
                self._arm()
            time.sleep(0.2)

    @property
    def ages(self) -> FloatArray:
        """See the class."""
        rows = np.concatenate(self._rows)
        return rows[:, [messages.TIMING_FIELDS.index("time"), messages.TIMING_FIELDS.index("age_s")]]

    def end(self) -> None:
        """As a person ends it; everything must have gone well."""
        if self._run is not None:
            self._run.send_signal(signal.SIGINT)
            code = self._run.wait(END_S)
            if code:
                raise RuntimeError(f"the session ended with code {code}: {self.said()[-2000:]}")

    def _begin_run(self, model: Path) -> subprocess.Popen[bytes]:
        self._leader, follower = os.openpty()
        words = ["run", "--model", str(model), "--source", f"name={self._amplifier_name}", "--headless", "--json",
                 "--out", str(self._folder / "out"), "--actuator", "udp"]  # fmt: skip
        settings = [f"engine.name={self._name}", f"actuator.settings.port={self._receiver.port}", "pace.repeat_s=0.1"]
        with (self._folder / "said.txt").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "bci", *words, *(word for s in settings for word in ("--set", s))],
                stdin=follower, stdout=said, stderr=said, start_new_session=True,
                preexec_fn=self._before,
            )  # fmt: skip
        os.close(follower)
        return process

    def _before(self) -> None:
        """In the new process: the terminal is its own, and a file as large as it may be."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        if self._largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._largest_file, self._largest_file))

    def said(self) -> str:
        """Everything that it printed, without liblsl's own lines."""
        lines = (self._folder / "said.txt").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if "ERR|" not in line)

    def _arm(self) -> None:
        """Type what arms, not more often than a person would."""
        if time.monotonic() - self._armed_s > ARM_S / 2:
            self._armed_s = time.monotonic()
            os.write(self._leader, b"arm\n")

    def _read(self) -> None:
        pulled = self._timing.pull(0.0) if self._timing is not None else None
        if pulled is not None:
            self._rows.append(np.asarray(pulled[0], dtype=np.float64))

    def _until(self, ready: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + READY_S
        while not (found := ready()):
            if time.monotonic() > end:
                raise RuntimeError(f"no {what} within {READY_S:g} s: {self.said()[-2000:]}")
            self.processes()
            time.sleep(0.1)
        return found
