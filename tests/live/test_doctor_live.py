"""``bci doctor`` beside real streams: each planted problem is found, a healthy set-up has no finding."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pylsl
import pytest

from bci.doctor.checkup import check_streams
from bci.doctor.finding import Finding
from bci.doctor.observe.discovery import find_own
from bci.doctor.observe.streams import listen
from bci.stream.lsl import list_streams, local_clock

pytestmark = pytest.mark.live

CHUNK, RATE_HZ, LISTEN_S = 10, 250.0, 5.0


class Sender:
    """An amplifier's program with one thing wrong.

    Parameters
    ----------
    name : str
    unit, kind : str
        Of all channels.
    labels : tuple of str
    real_hz : float
        Rate at which samples go out.
    add_s : callable
        What is added to the stamps.
    scale : float
        Of the values.
    counter : bool
        The last channel counts.
    text : bool
        It sends text.
    source_id : str
    """

    def __init__(
        self,
        name: str,
        *,
        unit: str = "microvolts",
        labels: tuple[str, ...] = ("C3", "Cz", "C4"),
        real_hz: float = RATE_HZ,
        add_s: Callable[[], float] = lambda: 0.0,
        scale: float = 1.0,
        counter: bool = False,
        text: bool = False,
        source_id: str = "",
    ) -> None:
        form = "string" if text else "float32"
        info = pylsl.StreamInfo(name, "EEG", len(labels), 0.0 if text else RATE_HZ, form, source_id or name)
        described = info.desc().append_child("channels")
        for label in labels:
            channel = described.append_child("channel")
            channel.append_child_value("label", label).append_child_value("unit", unit).append_child_value("type", "EEG")
        self._outlet = pylsl.StreamOutlet(info)
        self._settings = (real_hz, add_s, scale, counter, text, len(labels))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        real_hz, add_s, scale, counter, text, n_channels = self._settings
        rng, began, k = np.random.default_rng(0), local_clock(), 0
        while not self._stop.wait(max(0.0, began + (k + CHUNK) / real_hz - local_clock())):
            data = scale * (3000 + rng.normal(0, 15, (CHUNK, n_channels)))
            if counter:
                data[:, -1] = np.arange(k, k + CHUNK) % 1000
            stamps = began + np.arange(k, k + CHUNK) / real_hz + add_s()
            if text:
                self._outlet.push_sample(["hello"] * n_channels)
            else:
                self._outlet.push_chunk(data.astype(np.float32), stamps.tolist())
            k += CHUNK

    def close(self) -> None:
        """End the stream."""
        self._stop.set()
        self._thread.join()
        self._outlet = None


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    """What is found with all problems planted at once."""
    senders = [
        Sender("volts-as-uv", scale=1e-6),
        Sender("uv-as-volts", unit="volts"),
        Sender("odd-unit", unit="counts"),
        Sender("unix", add_s=lambda: time.time() - local_clock()),
        Sender("twin", source_id="twin-1"),
        Sender("twin", source_id="twin-2"),
        Sender("one", source_id="shared"),
        Sender("other", source_id="shared"),
        Sender("slow", real_hz=200.0),
        Sender("counting", counter=True),
        Sender("named-counter", labels=("C3", "Cz", "COUNTER"), counter=True),
        Sender("text", text=True, labels=("text",)),
        Sender("healthy"),
    ]
    try:
        found = list_streams(2.0)
        assert len(found) == len(senders)
        return check_streams(listen(found, LISTEN_S))
    finally:
        for sender in senders:
            sender.close()


@pytest.mark.parametrize(
    ("name", "topic", "level", "word"),
    [
        ("'volts-as-uv'", "units", "problem", "stream.unit=V"),
        ("'uv-as-volts'", "units", "problem", "stream.unit=uV"),
        ("'odd-unit'", "units", "problem", "counts"),
        ("'unix'", "stamps", "problem", "unix time"),
        ("'twin'", "names", "warn", "2 streams"),
        ("'shared'", "names", "problem", "2 streams"),
        ("'slow'", "rate", "problem", "declares 250 Hz and delivers"),
        ("'counting'", "types", "problem", "C4"),
        ("'named-counter'", "types", "warn", "COUNTER"),
        ("'text'", "types", "problem", "text"),
    ],
)
def test_a_planted_problem_is_found_with_its_remedy(
    findings: list[Finding], name: str, topic: str, level: str, word: str
) -> None:
    about = [f for f in findings if f.level != "ok" and name in f.what]
    assert [(f.topic, f.level) for f in about] == [(topic, level)]
    assert word in about[0].what + about[0].remedy
    assert about[0].remedy


def test_the_healthy_stream_beside_them_has_no_finding(findings: list[Finding]) -> None:
    assert [f.level for f in findings if "'healthy'" in f.what] == ["ok"]


def test_a_stream_of_this_machine_is_found_on_it() -> None:
    after_s = find_own()
    assert after_s is not None
    assert after_s < 2.0


def test_a_healthy_set_up_has_no_finding_of_its_streams() -> None:
    sender = [sys.executable, "-m", "bci", "stream", "simulated", "--json", "--parent-pipe", "--name", "subject"]
    doctor = [sys.executable, "-m", "bci", "doctor", "--json", "--seconds", "4"]
    with subprocess.Popen(sender, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["ready"]
        done = subprocess.run(doctor, capture_output=True, text=True, timeout=60, check=False)
        assert process.stdin
        process.stdin.close()
    report = json.loads(done.stdout)
    of_lsl = [f for f in report["findings"] if f["section"] in ("LSL", "streams", "clocks")]
    assert [f for f in of_lsl if f["level"] != "ok"] == []
    assert any("'subject'" in f["what"] for f in of_lsl)
    assert done.returncode == (0 if report["verdict"] != "problem" else 11)
