"""Every source keeps to the contract, and the contract notices who does not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bci import plugins
from bci.contracts.source import source_breaches
from bci.engine.chunk import Chunk
from bci.errors import StreamError
from bci.stream.bus import Source
from bci.stream.clock import VirtualClock
from devices.faulty import FaultySource
from devices.loss_faults import Loss
from devices.simulated import SimulatedSubject


def simulated(**settings: object) -> Callable[[], Source]:
    return lambda: SimulatedSubject.from_settings(settings, VirtualClock(50.0))


SOURCES: dict[str, Callable[[], Source]] = {
    "simulated": simulated(),
    "simulated, 3 channels at 125 Hz": simulated(channels=3, rate_hz=125.0),
    "simulated, 64 channels at 512 Hz": simulated(channels=64, rate_hz=512.0),
    "simulated, bursty with losses": simulated(bursty=True, loss=0.02),
    "simulated, sample by sample": simulated(chunk=1),
    "simulated, behind a source without faults": lambda: FaultySource(simulated()(), []),
    "simulated, behind a source that loses samples": lambda: FaultySource(simulated()(), [Loss(0.05, burst=4)]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_source_keeps_the_contract(name: str) -> None:
    assert source_breaches(SOURCES[name]) == []


def test_every_source_that_is_registered_is_held_to_the_contract() -> None:
    boards = {"cyton", "cyton-daisy"}  # test_device_sources.py
    network = {"brainvision-rda", "fieldtrip"}  # test_network_sources.py
    others = {"brainflow", "keyboard", "mne-realtime"}  # live/test_brainflow.py, unit/test_keyboard_source.py, …
    assert set(plugins.names(plugins.SOURCES)) == {"simulated"} | boards | network | others


class Wrapped:
    """A good source with one method or value replaced."""

    def __init__(self, **changed: object) -> None:
        self._source = simulated()()
        self.info = replace(self._source.info, **changed)  # type: ignore[arg-type]

    def read(self, timeout_s: float) -> Chunk | None:
        return self._source.read(timeout_s)

    def close(self) -> None:
        self._source.close()


class Float32(Wrapped):
    def read(self, timeout_s: float) -> Chunk | None:
        chunk = self._source.read(timeout_s)
        return chunk and Chunk(chunk.data.astype(np.float32), chunk.stamps)


class Volts(Wrapped):
    def read(self, timeout_s: float) -> Chunk | None:
        chunk = self._source.read(timeout_s)
        return chunk and Chunk(chunk.data * 1e-6, chunk.stamps)


class Backwards(Wrapped):
    def read(self, timeout_s: float) -> Chunk | None:
        chunk = self._source.read(timeout_s)
        return chunk and Chunk(chunk.data, chunk.stamps[::-1].copy())


class SharedBuffer(Wrapped):
    buffer = np.zeros((10, 8))

    def read(self, timeout_s: float) -> Chunk | None:
        chunk = self._source.read(timeout_s)
        if chunk is None:
            return None
        self.buffer[:] = chunk.data
        return Chunk(self.buffer, chunk.stamps)


class Zombie(Wrapped):
    def read(self, timeout_s: float) -> Chunk | None:
        try:
            return self._source.read(timeout_s)
        except StreamError:
            return None


class Silent(Wrapped):
    def read(self, timeout_s: float) -> Chunk | None:
        self._source.read(timeout_s)
        return None


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda: Wrapped(source_id=""), "source_id is empty"),
        (lambda: Wrapped(rate_hz=float("nan")), "info.rate_hz = nan"),
        (Float32, "must be float64"),
        (Volts, "no EEG in microvolts"),
        (Backwards, "do not rise"),
        (SharedBuffer, "changed a chunk"),
        (Zombie, "must raise StreamError"),
        (Silent, "no sample came"),
    ],
)
def test_contract_names_what_a_source_does_wrong(broken: Callable[[], Source], told: str) -> None:
    assert any(told in line for line in source_breaches(broken))
