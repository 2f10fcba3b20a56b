"""Numbers that people set: whether they are any, and how an error message shows them."""

from __future__ import annotations

LARGEST = 1e300  # an integer beyond it is no float any more
LARGEST_BITS = 256


def shown(value: object) -> str:
    """A value for an error message; Python does not write integers of thousands of digits."""
    huge = isinstance(value, int) and value.bit_length() > LARGEST_BITS
    return f"an integer of {value.bit_length()} bits" if isinstance(value, int) and huge else repr(value)


def is_number(value: object) -> bool:
    """Whether a value is a finite number; ``True`` is not, although Python counts with it."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST
