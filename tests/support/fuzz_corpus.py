"""What was found by attacks and campaigns, made by code where it is long; else in ``tests/corpus``, as ``KIND-NUMBER.bin``.

Each is the kind of target that it is for (:mod:`fuzz_files`, :mod:`fuzz_wires`), and its bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from fuzz_files import forged_model, model_parts, xdf_header, xdf_samples
from fuzzing import CORPUS

from bci.stream.xdf.format import MAGIC, SIGNATURE, Tag, chunk

CUES = {"type": "Markers", "format": "string", "count": 1, "rate": 0}
HUGE = "9" * 400
MODEL_CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a rate of 1e308 Hz": lambda h: h["preprocessing"].update(rate_hz=1e308),
    "a rate of 1e-300 Hz": lambda h: h["preprocessing"].update(rate_hz=1e-300),
    "a window of 10^12 samples": lambda h: h["preprocessing"].update(window=10**12),
    "a window of 2*10^8 samples": lambda h: h["preprocessing"].update(window=2 * 10**8),
    "a window of a minute, in one hop": lambda h: h["preprocessing"].update(window=15_000, hop=15_000),
    "a window of a minute at 100 kHz, a hop of 10 samples": lambda h: h["preprocessing"].update(
        rate_hz=1e5, window=6_000_000, hop=10
    ),
    "a band from 1e-300 Hz": lambda h: h["preprocessing"].update(bands=[[1e-300, 30.0]]),
    "a band of no width": lambda h: h["preprocessing"].update(bands=[[8.0, 8.0000000000001]]),
    "a band that ends just below Nyquist": lambda h: h["preprocessing"].update(bands=[[8.0, 124.9999999999]]),
    "an unstable filter: eighth order from 0.01 Hz": lambda h: h["preprocessing"].update(bands=[[0.01, 0.02]], order=8),
    "a notch at 1e-300 Hz": lambda h: h["preprocessing"].update(notch_hz=1e-300),
    "a trial of 1e300 s": lambda h: h.update(trial_s=[-1e300, 1e300]),
    "negative trials": lambda h: h.update(trials={"left": -1}),
    "a smoothing of 1e-320 s": lambda h: h["decision"].update(smoothing_s=1e-320),
    "true for a number": lambda h: h["preprocessing"].update(order=True),
    "half a character in a label": lambda h: h["preprocessing"].update(labels=["C3", "C4", "\ud800"]),
}


def specimens(good_model: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Name, target and bytes of each.

    Parameters
    ----------
    good_model : bytes
        A model that loads.
    """
    yield from ((name, "model", content) for name, content in models(good_model))
    yield from ((name, "xdf", MAGIC + content) for name, content in recordings())
    yield from ((name, kind, text.encode()) for name, kind, text in settings())
    for path in sorted(CORPUS.glob("*.bin")):
        yield path.name, path.stem.rpartition("-")[0].replace("-", " "), path.read_bytes()


def models(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Models with a right checksum."""
    header, arrays = model_parts(good)
    text = json.dumps(header)
    for field in ('"rate_hz": ', '"accuracy": ', '"threshold": ', '"window": ', '"schema": ', '"left": '):
        at = text.index(field) + len(field)
        end = next(i for i in range(at, len(text)) if text[i] in ",}")
        yield f"400 digits for {field.strip(': ')}", forged_model(text[:at] + HUGE + text[end:], arrays)
    for name, change in MODEL_CHANGES.items():
        changed = json.loads(text)
        change(changed)
        yield name, forged_model(json.dumps(changed), arrays)
    yield "a field twice", forged_model(text[:-1] + ', "schema": 1}', arrays)
    yield "lists in one another", forged_model("[" * 200_000, arrays)
    many = json.loads(text)
    many["preprocessing"]["bands"] = [[8.0, 30.0]] * 2000
    repeated = {name: np.repeat(a, 2000, 0) if name in ("covariance", "centre") else a for name, a in arrays.items()}
    yield "2000 bands", forged_model(json.dumps(many), repeated)
    copies = {name: np.ones_like(a) if name in ("covariance", "centre") else a for name, a in arrays.items()}
    yield "a covariance of channels that are copies of each other", forged_model(text, copies)
    for name, array in {"nothing": 0 * arrays["covariance"], "1e300": 1e300 * arrays["covariance"]}.items():
        yield f"a covariance of {name}", forged_model(text, {**arrays, "covariance": array})


def recordings() -> Iterator[tuple[str, bytes]]:
    """XDF files of a few megabytes that took seconds, or gigabytes."""

    def stamped(n: int, stamp: Callable[[int], float], value: bytes) -> bytes:
        return b"".join(b"\x08" + struct.pack("<d", stamp(k)) + value for k in range(n))

    def offsets(n: int, time: Callable[[int], float], offset: Callable[[int], float]) -> bytes:
        return b"".join(chunk(Tag.CLOCK_OFFSET, struct.pack("<Idd", 1, time(k), offset(k))) for k in range(n))

    one = xdf_header(1, count=1)
    narrow = xdf_header(1, count=1, format="int8")
    footer = b"<info>" + (b"<a>" + b"x" * 38 + b"</a>") * 90_000 + b"</info>"
    yield "a footer with one tag 90,000 times", one + chunk(Tag.STREAM_FOOTER, struct.pack("<I", 1) + footer)
    yield (
        "ten footers of 90,000 tags",
        one + chunk(Tag.STREAM_FOOTER, struct.pack("<I", 1) + b"<i>" + b"<a/>" * 90_000 + b"</i>") * 10,
    )
    yield "eight headers of 99,000 elements", b"".join(xdf_header(i, more="<a/>" * 99_000) for i in range(8))
    yield "a header of 300,000 attributes", xdf_header(1, more="<a " + " ".join(f'a{i}="1"' for i in range(300_000)) + "/>")
    yield "20,000 streams", b"".join(xdf_header(i) for i in range(20_000))
    yield "a million empty texts", xdf_header(1, **CUES) + xdf_samples(1, 10**6, b"\0\1\0" * 10**6)
    yield "100,000 single samples", one + xdf_samples(1, 1, b"\0" * 5) * 100_000
    yield "100,000 empty chunks", one + xdf_samples(1, 0, b"") * 100_000
    yield "50,000 boundaries", one + chunk(Tag.BOUNDARY, SIGNATURE) * 50_000
    yield "a million samples without stamps", narrow + xdf_samples(1, 1_000_000, b"\0\1" * 1_000_000)
    yield "a clock that jumps at each sample", narrow + xdf_samples(1, 50_000, stamped(50_000, lambda k: k % 2 * 1e9, b"\1"))
    rng = np.random.default_rng(0)
    yield "offsets that agree with none", one + offsets(10_000, lambda _: rng.normal(0, 1e6), lambda _: rng.normal(0, 1e6))
    yield "two offsets 1e300 s apart", one + offsets(2, lambda k: k * 1e300, lambda _: 0.1)
    yield "offsets over three centuries", one + offsets(10_000, lambda k: k * 3e5, lambda _: 0.1)


def settings() -> Iterator[tuple[str, str, str]]:
    """TOML, JSON and what else is written by hand."""
    yield "a window of 1e308 s", "config", "[preprocessing]\nwindow_s = 1e308\nhop_s = 1e307"
    yield "a key of 20,000 parts", "config", "a." * 20_000 + "a = 1"
    yield "a quoted key of 20,000 parts", "markers", '"a".' * 20_000 + '"a" = 1'
    yield "40,000 sections", "protocol", "".join(f"[a.b{i}]\n" for i in range(40_000))
    yield "a number of 5,000 digits", "montage", "rate_hz = " + "9" * 5000
    yield "a number of 9,000 hexadecimal digits", "protocol", "per_class = 0x" + "f" * 9000
    yield "lists 100,000 deep", "config", "x = " + "[" * 100_000
    yield "200,000 names of channels", "montage", "names = [" + '"a",' * 100_000 + "]"
    yield "10,000 unknown keys", "config", "[stream]\n" + "".join(f"nam{i} = 1\n" for i in range(9000))
    yield "a key of 300,000 letters", "config", "[stream]\n" + "n" * 300_000 + " = 1"
    yield "a trial that is a number", "protocol", 'title = "x"\nclasses = ["a", "b"]\ntrial = 0.1'
    yield (
        "10^15 trials",
        "protocol",
        f'title = "x"\nclasses = ["a", "b"]\nper_class = {10**15}\n[trial]\ncue_s = 1.0\nstop_s = 2.0\npause_s = [0, 1]',
    )
    yield "judgement 100,000 deep", "judgement", "[" * 100_000
    yield "a library that is a list", "library", "[[[]]]"
    yield "a port of 5,000 digits", "ports", "[ports]\nBasePort = " + "9" * 5000
    yield "a header line of 5,000 columns", "events", "onset\t" * 5000 + "\n" + "1\n" * 5000
    yield "a row of events without end", "events", "onset\tduration\n" + "1\t" * 100_000
    yield (
        "classes of 5,000 digits",
        "lsl header",
        (
            "<info><name>a</name><type>EEG</type><channel_count>1</channel_count><nominal_srate>250</nominal_srate>"
            f"<desc><bci><classes>{'9' * 5000}</classes></bci></desc></info>"
        ),
    )
    yield "a header of two million elements", "lsl header", "<info>" + "<a/>" * 1_900_000 + "</info>"
    yield "a message of lists", "message", "[" * 60_000
    yield "a cue of lists", "cue", "[" * 99_000
