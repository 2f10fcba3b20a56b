"""Sources on the network keep the contract, against servers that speak the documents in real time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest
import rda_server as rda
from fieldtrip_server import FieldTripServer
from rda_server import RdaServer

from bci import plugins
from bci.contracts.source import source_breaches
from bci.stream.bus import Source

LABELS = ("C3", "Cz", "C4", "VEOG")
STEPS = np.random.default_rng(3).integers(-400, 400, (1000, 4))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def recorder(stack: ExitStack, dtype: str) -> Callable[[], Source]:
    server = stack.enter_context(RdaServer(rda.start(LABELS, 500.0, (0.1, 0.1, 0.1, 0.5))))
    server.play(STEPS.astype(dtype), 500.0, 10)
    return lambda: plugins.load(plugins.SOURCES, "brainvision-rda").from_settings({"port": server.port})


def buffer(stack: ExitStack, dtype: str) -> Callable[[], Source]:
    server = stack.enter_context(FieldTripServer())
    server.put_header(4, 250.0, dtype, LABELS, resolutions=(0.1, 0.1, 0.1, 0.5))
    server.play(STEPS.astype(dtype), 250.0, 10)
    return lambda: plugins.load(plugins.SOURCES, "fieldtrip").from_settings({"port": server.port})


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("serve", [recorder, buffer])
def test_network_source_keeps_the_contract(
    stack: ExitStack, serve: Callable[[ExitStack, str], Callable[[], Source]], dtype: str
) -> None:
    assert source_breaches(serve(stack, dtype), seconds=1.0) == []
