"""The contract of a step that changes samples."""

from __future__ import annotations

from typing import Protocol

from bci.engine.chunk import FloatArray


class Step(Protocol):
    """A step that takes blocks of samples and returns blocks of samples.

    A step is causal: what it says of a sample depends on that sample's block and on those before it, and on nothing else. Each
    block is computed by itself, in the same way however many come together, so no bit depends on chunks. It never changes
    its input. A restart forgets everything but what it was built from.

    Attributes
    ----------
    delay : int
        Samples by which the output lags behind the input.
    """

    delay: int

    def __call__(self, data: FloatArray) -> FloatArray:
        """Blocks as they follow each other, shape (n_blocks, hop, n_inputs), to (n_blocks, hop, n_channels), µV."""
        ...

    def restart(self) -> None:
        """Forget the past: the next block does not follow the last one."""
        ...
