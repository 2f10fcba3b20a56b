"""An engine that was begun by hand: who has its key steers it, nobody else does; the programs on the page of threats work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from eeg_sender import amplifier
from session_rig import PATIENCE_S, save_a_model, until

from bci.errors import ConfigError
from bci.session.marking import mark
from bci.stream import keys, messages
from bci.stream.lsl import LslRawInlet, LslTextOutlet, StreamQuery
from bci.stream.lsl.discovery import find
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.signing import row_is_ours

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAGE = Path(__file__).parents[2] / "docs" / "explanations" / "threats.md"
PLACE = ".local/state/bci/keys"


class Engine:
    """``bci engine`` in a process of its own, with a home of its own; its events so far, and what it prints."""

    def __init__(self, home: Path, source: str) -> None:
        self.name = f"k{uuid.uuid4().hex[:8]}"
        self.environment = {**os.environ, "HOME": str(home), keys.FOLDER: str(home / PLACE), "BCI_WATCHED": "1"}
        words = ["engine", "--model", str(save_a_model(home / "m.safetensors")), "--source", f"name={source}", "--parent-pipe"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bci", *words, "--json", "--set", f"engine.name={self.name}"],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.said: list[dict[str, object]] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.ears = LateMarkers(StreamQuery(name=f"{self.name}-events"))
        self.events: list[dict[str, object]] = []
        until(lambda: any("ready" in line for line in self.said), "ready")
        until(lambda: self.ears.streams, "events")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def heard(self, kind: str) -> list[dict[str, object]]:
        """Events of this kind so far."""
        self.events += [messages.parse(text, "event") for text, _ in self.ears.pull(0.0)]
        return [e for e in self.events if e["kind"] == kind]

    def example(self, number: int, name: str = "") -> str:
        """One of the programs on the page, for this engine."""
        code = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[number]
        return code.replace("bci-decisions", f"{self.name}-decisions").replace("bci-control", f"{self.name}-control")

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.ears.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    name = f"amp{uuid.uuid4().hex[:8]}"
    with amplifier(name, "--source-id", name):
        found = Engine(tmp_path_factory.mktemp("home"), name)
        yield found
        found.close()


def test_the_controller_on_the_page_of_threats_is_obeyed(engine: Engine) -> None:
    subprocess.run([sys.executable, "-c", engine.example(1)], env=engine.environment, check=True, timeout=PATIENCE_S)
    until(lambda: engine.heard("set"), "the setting")
    assert engine.heard("set")[0]["decision"]["threshold"] == 0.7  # type: ignore[index]


def test_the_reader_on_the_page_of_threats_reads_the_decisions_of_a_keyed_engine(engine: Engine) -> None:
    reader = subprocess.Popen([sys.executable, "-u", "-c", engine.example(0)], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        assert [reader.stdout.readline().split()[0] for _ in range(20)] == ["class"] * 20
    finally:
        reader.kill()
        reader.communicate()


def test_every_row_is_signed_and_the_engine_says_which_streams_are_its_own_and_that_it_lives(engine: Engine) -> None:
    (found,) = find(StreamQuery(name=f"{engine.name}-decisions"), 5.0)
    (streams,) = [line["streams"] for line in engine.said if "streams" in line]
    assert streams["decisions"] == found.uid  # type: ignore[index]
    key = keys.key_of("", {keys.FOLDER: engine.environment[keys.FOLDER]})
    assert key is not None
    inlet = LslRawInlet(found)
    rows: list[object] = []
    while len(rows) < 50:
        pulled = inlet.pull(1.0)
        assert pulled is not None
        rows += list(np.asarray(pulled[0]))
    inlet.close()
    assert all(row_is_ours(key, found.source_id, row) for row in rows)  # type: ignore[arg-type]
    before = len(engine.said)
    time.sleep(2.0)
    alive = [line["consumed"] for line in engine.said[before:] if "alive" in line]
    assert 8 <= len(alive) <= 12
    assert alive == sorted(alive)


def test_who_has_not_the_key_is_ignored_told_and_can_stop_decoding(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = LslTextOutlet(f"{engine.name}-control", "BCI-Control", f"stranger-{engine.name}")
    assert stranger.wait_for_consumers(PATIENCE_S)
    time.sleep(0.5)
    stranger.push(messages.line("stop", why="a stranger"))
    stranger.push(messages.line("mark", labels=["Pz"]))

    def ignored() -> int:
        told = [str(e["why"]) for e in engine.heard("refused")]
        return sum(
            int(why.split()[0]) for why in told if why.endswith("control messages without this session's key were ignored")
        )

    until(lambda: ignored() == 2, "what was ignored is told")
    stranger.push(messages.line("freeze", why="a passer-by"))
    until(lambda: engine.heard("freeze"), "the freeze")
    stranger.push(messages.line("resume"))
    stranger.close()
    with pytest.raises(ConfigError, match="accepts only messages that are signed with its key"):
        mark(engine.name, ["Pz"], True, 5.0)
    monkeypatch.setenv(keys.FOLDER, engine.environment[keys.FOLDER])
    assert mark(engine.name, ["Pz"], True, 10.0)[0]["labels"] == ["Pz"]
    assert engine.heard("resume") == []
    assert engine.process.poll() is None
