"""What all sections of the configuration share: how they are checked, and the types of their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from bci.errors import ConfigError

LONGEST_S = 4e6
"""Longer, some systems cannot wait (46 days)."""
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$")]
Scalar = bool | int | float | str
_T = TypeVar("_T")


class SettingsSection(BaseModel):
    """Base of all sections: no unknown keys, no conversion of types, no NaN, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


def checked_by_engine(value: Any, check: Callable[[Any], _T]) -> _T:
    """Settings of the engine, which check themselves; their problems become those of the configuration.

    Parameters
    ----------
    value : object
        As read from a file.
    check : callable
        Makes settings of it.
    """
    try:
        return check(value)
    except ConfigError as error:
        raise PydanticCustomError("settings", "{problems}", {"problems": "\n".join(error.problems)}) from error


def nyquist_hz(info: ValidationInfo) -> float:
    """Half the rate of the stream; infinite where the rate is not known."""
    rate_hz: float = (info.context or {}).get("rate_hz", math.inf)
    return rate_hz / 2


def _stream_query(text: str) -> str:
    """A text that names a stream, if it can be understood."""
    from bci.stream.stream_query import StreamQuery

    try:
        StreamQuery.parse(text)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return text


StreamText = Annotated[str, AfterValidator(_stream_query)]
