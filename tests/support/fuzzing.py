"""Attempts to break what reads foreign bytes: each is measured, and whatever is no error of this project's own is a failure.

A :class:`Target` makes bytes from a seeded generator, and reads them. The long campaign is ``tests/campaigns/fuzz.py``; what it
found is kept (``tests/corpus`` and ``fuzz_corpus.py``) and read anew by ``tests/faults/test_fuzz_corpus.py``.
"""

from __future__ import annotations

import gc
import json
import random
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bci.errors import BciError

LIMIT_S, LIMIT_MB = 1.0, 100.0
LONGEST_S = 20.0
ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus"
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Target:
    """One kind of foreign bytes.

    Parameters
    ----------
    name : str
    make : callable
        Bytes from a generator of random numbers.
    read : callable
        Reads them; may put them into a file in the folder that it is given.
    """

    name: str
    make: Callable[[random.Random], bytes]
    read: Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt.

    Parameters
    ----------
    outcome : str
        ``"fine"``, ``"refused"``, or what was raised and where.
    seconds : float
        Of the processor.
    megabytes : float
        Memory at its highest, beyond what it was before; 0 where the system does not tell.
    """

    outcome: str
    seconds: float
    megabytes: float

    @property
    def failure(self) -> str:
        """What is wrong, always the same words for the same fault; empty where nothing is."""
        found = [] if self.outcome in ("fine", "refused") else [self.outcome]
        found += ["takes too long"] if self.seconds > LIMIT_S else []
        found += ["takes too much memory"] if self.megabytes > LIMIT_MB else []
        return ", ".join(found)


class TooLong(BaseException):
    """Nothing may catch it on its way."""


def attempt(target: Target, content: bytes, folder: Path) -> Attempt:
    """Read some bytes, and measure it."""
    gc.freeze()  # what a thousand tests have left in this process is not to be searched for garbage in the reader's time
    before, began = _forget_highest(), time.process_time()
    try:
        with _at_most(LONGEST_S), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(content, folder)
        outcome = "fine"
    except BciError:
        outcome = "refused"
    except TooLong:
        outcome = "did not end"
    except Exception as error:
        outcome = f"{type(error).__name__} at {_place(error)}"
    finally:
        gc.unfreeze()
    return Attempt(outcome, time.process_time() - began, _megabytes("VmHWM") - before)


def _place(error: Exception) -> str:
    """The last line of this project that an error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if ROOT in Path(f.filename).parents and "tests" not in Path(f.filename).parts] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Interrupt what does not end."""

    def ring(_: int, __: FrameType | None) -> None:
        raise TooLong

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    left = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)  # the time that the whole test may take, where somebody counts it


def _forget_highest() -> float:
    """Begin to measure memory anew; how much is in use now."""
    if not RESET.exists():
        return 0.0
    RESET.write_text("5")
    return _megabytes("VmRSS")


def _megabytes(field: str) -> float:
    if not STATUS.exists():
        return 0.0
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field)) / 1024


def damaged(rng: random.Random, content: bytes, pieces: list[bytes] | None = None) -> bytes:
    """Bytes that were changed here and there: flipped, cut, repeated, overwritten by extreme numbers or given pieces."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at : at + rng.randrange(1, 64)]
            case 3:
                data[at:at] = bytes(data[at : at + rng.randrange(1, 200)]) * rng.choice((1, 2, 50))
            case 4:
                data[at : at + 8] = rng.choice((b"\xff" * 8, bytes(8), b"\0" * 7 + b"\x40", b"\x7f" + b"\xff" * 7))
            case _:
                data[at:at] = rng.choice(pieces) if pieces else rng.randbytes(rng.randrange(1, 64))
    return bytes(data)


NUMBERS = (
    "0", "-1", "1", "2.5", "1e308", "1e-308", "1e999", "NaN", "-Infinity", "true", "null", '""', "[]", "{}", '"x"', "[1,[2]]",
    "9" * 400, "9" * 5000, str(2**63), str(-(2**63) - 1), "0.1", "250", "1e15", '"\\ud800"', "-0.0", '{"a":{"b":1}}',
)  # fmt: skip
"""Values in JSON that nobody expects in a place."""


def spoiled_json(rng: random.Random, value: object) -> str:
    """A JSON text in which one or more values are something else, or fields are missing, added or there twice."""
    text = json.dumps(value)
    places = [i for i, c in enumerate(text) if c in ":,["]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.choice(places) + 1 if places else 0
        end = next((i for i in range(at, len(text)) if text[i] in ",]}"), len(text))
        match rng.randrange(6):
            case 0 | 1 | 2:
                text = text[:at] + rng.choice(NUMBERS) + text[end:]
            case 3:
                text = text[:at] + text[end + 1 :]
            case 4:
                text = text[:end] + "," + text[at:end] + text[end:]
            case _:
                text = text[:at] + "[" * rng.choice((1, 20, 100_000)) + text[at:]
        places = [i for i, c in enumerate(text) if c in ":,["] if len(text) < 100_000 else []
        if not places:
            break
    return text
