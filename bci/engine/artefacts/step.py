"""The contract of a step that changes samples."""

from __future__ import annotations

from typing import Protocol

from bci.engine.chunk import FloatArray


class Step(Protocol):
    """Blocks of samples in, blocks of samples out.

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
        """The next block does not follow the last one."""
        ...
