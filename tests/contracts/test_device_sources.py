"""Devices on wires keep the contract of every source."""

import os
from collections.abc import Iterator

import pytest

if os.name != "posix":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import numpy as np
from fake_cyton import FakeCyton, fake_cyton

from bci.contracts.source import source_breaches
from bci.stream.clock import LslClock
from devices.cyton import Cyton, CytonDaisy

pytestmark = pytest.mark.live


@pytest.fixture(params=[False, True], ids=["cyton", "cyton-daisy"])
def board(request: pytest.FixtureRequest) -> Iterator[FakeCyton]:
    with fake_cyton(daisy=request.param) as fake:
        yield fake


def test_cyton_keeps_the_contract(board: FakeCyton, request: pytest.FixtureRequest) -> None:
    kind = CytonDaisy if "daisy" in request.node.name else Cyton
    assert source_breaches(lambda: kind.from_settings({"port": board.port}, LslClock())) == []


def test_cyton_with_acceleration_keeps_the_contract() -> None:
    with fake_cyton() as fake:
        options = {"port": fake.port, "acceleration": "true"}
        assert source_breaches(lambda: Cyton.from_settings(options, LslClock()), seconds=1.0) == []


def misbehaves(number: int, data: bytes) -> bytes:
    """Every twentieth packet is damaged in one of four ways, once the stream runs."""
    if number < 400 or number % 20:
        return data
    garbage = np.random.default_rng(number).bytes(40)
    return (b"", data[:7] + data[9:], garbage + data, data[:20])[number // 20 % 4]


@pytest.mark.parametrize("daisy", [False, True], ids=["cyton", "cyton-daisy"])
def test_cyton_keeps_the_contract_while_packets_are_lost_torn_split_and_mixed_with_garbage(daisy: bool) -> None:
    kind = CytonDaisy if daisy else Cyton
    with fake_cyton(daisy=daisy, damage=misbehaves, piece_bytes=11) as fake:
        assert source_breaches(lambda: kind.from_settings({"port": fake.port}, LslClock())) == []
