"""``bci run`` in a process of its own, what it says while it runs, and what its recording holds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from eeg_sender import CHUNK, LABELS, NOISE_UV, RATE_HZ

from bci.engine.chunk import FloatArray
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.model.file import save_model
from bci.stream import messages
from bci.stream.lsl import LslRawInlet, StreamQuery
from bci.stream.lsl.discovery import find
from bci.stream.xdf.reader import XdfFile, read_xdf
from bci.training.fit import fit_decoder

STALE_S = 0.25
HEARTBEAT_S = 0.05
END_S = 2.0
STALL_S = 5.0
PATIENCE_S = 40.0
DUE_S = CHUNK / RATE_HZ


def until(done: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.02)


def save_a_model(path: Path) -> Path:
    """A tangent-space model that takes a weak C3 for the left hand."""
    rng = np.random.default_rng(0)
    p = Preprocessing(RATE_HZ, LABELS, window=120, hop=10)
    labels = np.array(["left", "right"] * 15)
    windows = rng.normal(0, NOISE_UV * np.sqrt(22 / 125), (30, 1, p.window, len(LABELS)))
    windows[labels == "left", :, :, 0] *= 0.5
    windows[labels == "right", :, :, 2] *= 0.5
    fitted = fit_decoder("ts-lr", windows, labels, p)
    info = StreamInfo(RATE_HZ, tuple(Channel(x, unit="uV") for x in LABELS), source_id="x", name="x")
    save_model(path, fitted.header(info, (0.0, 0.5)), fitted.arrays)
    return path


class Session:
    """``bci run`` in a process of its own."""

    def __init__(self, model: Path, source: str, out: Path, *options: str, stdin: int = subprocess.DEVNULL) -> None:
        self.out, self.name = out, f"t{uuid.uuid4().hex[:8]}"
        words = ["run", "--model", str(model), "--source", f"name={source}", "--out", str(out), "--headless", "--json"]
        words += ["--set", f"engine.name={self.name}", *options]
        self.source = source
        self.children: dict[str, psutil.Process] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bci", *words], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._readers: dict[str, LslRawInlet] = {}
        self._rows: list[FloatArray] = []

    def reader(self, what: str) -> LslRawInlet:
        """One of the streams of its engine."""
        end = time.monotonic() + PATIENCE_S
        while what not in self._readers:
            found = find(StreamQuery(name=f"{self.name}-{what}"), 2.0, 0.1)  # a stream may hear only the second call
            if found:
                self._readers[what] = LslRawInlet(found[0])
            elif self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise AssertionError(f"no stream {what!r}; the session said {self.process.communicate()}")
        return self._readers[what]

    def decisions(self) -> FloatArray:
        """Decision rows so far, shape (n_rows, n_fields)."""
        pulled = self.reader("decisions").pull(0.0)
        if pulled is not None:
            self._rows += list(np.asarray(pulled[0])[:, : len(messages.DECISION_FIELDS)])
        return np.array(self._rows).reshape(len(self._rows), len(messages.DECISION_FIELDS))

    def until_deciding(self) -> Session:
        """Until it decides on what comes from now on."""
        seen = len(self.decisions())
        until(lambda: (self.decisions()[seen:, 1] >= 0).sum() > 5 or self.process.poll() is not None, "decisions")
        assert self.process.poll() is None, self.process.communicate()
        for child in psutil.Process(self.process.pid).children():
            words = child.cmdline()
            self.children[words[words.index("bci") + 1]] = child
        assert {"engine", "record"} <= set(self.children)
        return self

    def forget(self) -> Session:
        """Its engine is another from now on."""
        for reader in self._readers.values():
            reader.close()
        self._readers, self._rows = {}, []
        return self

    def until_reason(self, reason: Reason) -> None:
        """Until the newest row is neutral for this reason."""
        until(lambda: len(self.decisions()) and self.decisions()[-1, 5] == reason, f"a neutral row, {reason.name}")

    def signal(self, *numbers: int) -> tuple[int, float, str]:
        """Send it signals; its exit code, how long it took to end, and what it said."""
        began = time.monotonic()
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(0.05 if len(numbers) > 1 else 0.0)
        code = self.process.wait(timeout=PATIENCE_S)
        took_s = time.monotonic() - began
        return code, took_s, "\n".join(self.process.communicate())

    def gone(self) -> list[psutil.Process]:
        """Its processes that still run."""
        return [p for p in self.children.values() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    @property
    def path(self) -> Path:
        """Its one recording."""
        (found,) = self.out.rglob("*.xdf")
        return found

    def clean(self) -> None:
        """Kill what is left."""
        for reader in self._readers.values():
            reader.close()
        for process in (*self.children.values(), self.process):
            if isinstance(process, subprocess.Popen):
                process.kill()
                process.communicate()
            elif process.is_running():
                process.kill()


class Recorded:
    """What a session's recording holds; its only one, where none is named."""

    def __init__(self, session: Session, path: Path | None = None) -> None:
        self.file: XdfFile = read_xdf(path or session.path)
        self.decisions, self.sent = self._of(f"{session.name}-decisions")
        self.outcomes, _ = self._of(f"{session.name}-outcomes")
        texts, self.event_times = self._of(f"{session.name}-events")
        self.events = [messages.parse(row[0], "event") for row in texts]
        signals = [s for s in self.file.streams if s.header.name == session.source]
        self.counts = [np.asarray(s.values)[:, len(LABELS)].astype(int) for s in signals]
        self.stamps = [np.asarray(s.stamps) for s in signals]

    def _of(self, name: str):  # type: ignore[no-untyped-def]
        (found,) = [s for s in self.file.streams if s.header.name == name]
        return found.values, np.asarray(found.stamps)

    def kinds(self) -> list[str]:
        """Events in their order, without those of every session."""
        return [e["kind"] for e in self.events if e["kind"] not in ("start", "stop", "mask")]

    def at(self, kind: str, number: int = 0) -> float:
        """When the engine told of an event."""
        return [t for e, t in zip(self.events, self.event_times, strict=True) if e["kind"] == kind][number]

    def assert_neutral_in_time(self, last_s: float, until_s: float) -> None:
        """Neutral no later than promised after the sample that did not come was due, and for as long as none came.

        What the machine adds to a wait is measured on the heartbeats of the same silence.
        """
        silent = (self.sent > last_s) & (self.sent < until_s)
        lost = silent & (self.decisions[:, 5] == Reason.LOST)
        assert lost.sum() > 3
        first_s = self.sent[lost][0]
        late_s = max(0.0, float(np.diff(self.sent[silent]).max()) - HEARTBEAT_S)
        assert first_s - (last_s + DUE_S) <= STALE_S + late_s + 0.01
        after = silent & (self.sent >= first_s)
        assert set(self.decisions[after, 1]) == {-1.0}
        assert not (self.decisions[silent & (self.decisions[:, 6] == 0) & (self.sent > last_s + STALE_S + late_s), 1] >= 0).any()

    def assert_everything_delivered_is_here(self) -> None:
        """No sample is missing between the first and the last one, and none that the engine had."""
        for counts in self.counts:
            assert np.array_equal(counts, np.arange(counts[0], counts[0] + len(counts)))
        consumed = max(e["consumed"] for e in self.events)
        assert sum(map(len, self.counts)) >= consumed


def bci(*words: str) -> subprocess.CompletedProcess[str]:
    """Another command, to its end."""
    return subprocess.run([sys.executable, "-m", "bci", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def assert_verified(path: Path) -> str:
    """The recording gives the same outcomes again; what was said of it."""
    result = bci("replay", "--verify", "--json", str(path))
    found = json.loads(result.stdout)
    assert (result.returncode, found["ok"]) == (0, True), (found["different"][:3], found["missing"], result.stderr)
    assert found["identical"] == found["outcomes"] > 20
    return result.stdout
