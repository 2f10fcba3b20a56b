"""Hostile files, made with knowledge of their layout: models, recordings, what lies beside them, settings."""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import NUMBERS, Target, damaged, spoiled_json
from safetensors.numpy import load, save

from bci.calibration.findings import read_judgement
from bci.config import _allowed, load_config
from bci.engine.chunk import Chunk
from bci.engine.engine import Engine
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.model.file import load_model, save_model
from bci.paradigm.protocol import load_protocol
from bci.settings import SessionConfig
from bci.stream.files import openvibe as ov
from bci.stream.files.bids_events import read_events
from bci.stream.files.readers import open_recording
from bci.stream.lsl_config import read_config
from bci.stream.markers.triggers import load_markers
from bci.stream.montage import apply_montage, load_montage
from bci.stream.xdf.check_log import HEAD, log_path
from bci.stream.xdf.format import MAGIC, SIGNATURE, Tag, chunk, varlen
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.sidecar import sidecar_path
from bci.stream.xdf.writer import XdfWriter
from bci.training.fit import fit_decoder
from bci.transfer.library import Library

SMALL = 100_000
DECODERS = ("ts-lr", "mdm", "fgmdm", "csp-lda", "acm")
LABELS = ("C3", "C4", "Cz")
STREAM = StreamInfo(250.0, tuple(Channel(x, "EEG", "uV") for x in LABELS), name="x", source_id="x")
HEADER = (
    "<info><name>{name}</name><type>{type}</type><channel_count>{count}</channel_count><nominal_srate>{rate}</nominal_srate>"
    "<channel_format>{format}</channel_format>{more}</info>"
)


def written(content: bytes, path: Path) -> Path:
    """A file with this content."""
    path.write_bytes(content)
    return path


@lru_cache(maxsize=8)
def good_model(folder: Path, decoder: str = "ts-lr") -> bytes:
    """A small model that loads."""
    rng = np.random.default_rng(0)
    settings = Preprocessing(250.0, LABELS, window=250, hop=10)
    model = fit_decoder(decoder, 10 * rng.standard_normal((20, 1, 250, 3)), ["left", "right"] * 10, settings)
    path = folder / f"good {decoder}"
    save_model(path, model.header(STREAM, (0.5, 1.5)), model.arrays)
    return path.read_bytes()


def model_parts(good: bytes) -> tuple[Any, dict[str, np.ndarray]]:
    """Header and arrays of a model."""
    length = int.from_bytes(good[:8], "little")
    return json.loads(json.loads(good[8 : 8 + length])["__metadata__"]["bci"]), load(good)


def forged_model(text: str, arrays: dict[str, np.ndarray]) -> bytes:
    """A file with a right checksum."""
    digest = hashlib.sha256(text.encode("utf-8", "replace"))
    for name in sorted(arrays):
        digest.update(f"\n{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return save(arrays, metadata={"bci": text, "digest": digest.hexdigest()})


ARTEFACTS: tuple[dict[str, object], ...] = (
    {},
    {"potato_z": 3.0, "potato": [0.0, 1e-300]},
    {"asr": 20.0, "asr_limits": [1e-300] * 3, "asr_covariance": [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]},
    {"asr": 1.0, "asr_limits": [1e300] * 3, "asr_covariance": [1e300, 0.0, 1e-300, 0.0, 0.0, 1.0]},
    {"eog": ["Fp1"], "eog_weights": [[1e300, 1e300, 1e300]]},
    {"eog": ["Fp1"] * 9},
)


def make_model(rng: random.Random, sound: tuple[bytes, ...]) -> bytes:
    """A model with a right checksum and spoiled settings or arrays."""
    good = rng.choice(sound)
    header, arrays = model_parts(good)
    if rng.random() < 0.2:
        return damaged(rng, good)
    if rng.random() < 0.4:
        name = rng.choice(sorted(arrays))
        arrays[name] = spoiled_array(rng, arrays[name])
    if rng.random() < 0.5:
        p = header["preprocessing"]
        p["artefacts"] |= rng.choice(ARTEFACTS)
        p[rng.choice(sorted(p))] = rng.choice([1, 0, 1e9, 10**12, 1e-9, [[1e-5, 2e-5]], [[8, 30]] * 70, 100_000, 6_000_000, 40.0])
        if rng.random() < 0.3:
            p["window"] = p["hop"] = rng.choice([5000, 50_000, 6_000_000])
    text = json.dumps(header) if rng.random() < 0.3 else spoiled_json(rng, header)
    return forged_model(text.encode("utf-8", "replace").decode(), arrays)


def spoiled_array(rng: random.Random, array: np.ndarray) -> np.ndarray:
    """An array of another type, shape or content."""
    changes = (
        lambda a: a * rng.choice((0.0, -1.0, 1e300, 1e-300, np.nan, np.inf)),
        lambda a: a.astype(np.float32),
        lambda a: a[..., None],
        lambda a: a[..., :0],
        lambda a: np.zeros_like(a),
        lambda a: np.ones_like(a),
        lambda a: np.random.default_rng(rng.randrange(99)).normal(0, 10.0 ** rng.randrange(-9, 30), a.shape),
        lambda a: np.repeat(a, 50, 0),
    )
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(rng.choice(changes)(array))


def run_model(content: bytes, folder: Path) -> None:
    """Load a model, and let an engine take its first steps: the file decides how large they are."""
    model = load_model(written(content, folder / "model"))
    p = model.header.preprocessing
    info = StreamInfo(p.rate_hz, tuple(Channel(x, unit="uV") for x in (*p.labels, "Fp1")), source_id="x", name="x")
    engine = Engine(info, model.decoder)
    data = np.random.default_rng(0).normal(0, 10, (500, len(info.channels)))
    data[300:, 0] = 0.0  # an electrode goes flat, and is replaced by what the model expects of it
    list(engine.push(Chunk(data, np.arange(500) / p.rate_hz)))


def xdf_header(number: int, **changes: object) -> bytes:
    """A chunk with the header of a stream."""
    fields = {"name": "eeg", "type": "EEG", "count": 2, "rate": 250, "format": "float32", "more": ""} | changes
    return chunk(Tag.STREAM_HEADER, struct.pack("<I", number) + HEADER.format(**fields).encode())


def xdf_samples(number: int, count: int, content: bytes) -> bytes:
    """A chunk of samples."""
    return chunk(Tag.SAMPLES, struct.pack("<I", number) + varlen(count) + content)


@lru_cache(maxsize=1)
def good_xdf(folder: Path) -> bytes:
    """A small recording with two streams."""
    path = folder / "good.xdf"
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(HEADER.format(name="eeg", type="EEG", count=2, rate=250, format="float32", more=""))
        cues = writer.add_stream(HEADER.format(name="cues", type="Markers", count=1, rate=0, format="string", more=""))
        for k in range(4):
            writer.write(eeg, np.arange(40, dtype=np.float32).reshape(20, 2), k + np.arange(20) / 250)
            writer.write(cues, [["left"], ["right"]], np.array([k, k + 0.5]))
            writer.write_offset(eeg, float(k), 0.001)
            writer.boundary()
    return path.read_bytes()


def make_xdf(rng: random.Random, good: bytes) -> bytes:
    """A recording that was damaged, or put together from odd chunks."""
    odd = (
        SIGNATURE * rng.randrange(1, 50),
        b"<a>" * rng.randrange(1, 300),
        xdf_header(
            rng.choice((1, 2, 9)), count=rng.choice((1, 8, 65_536, 10**9, -1, "1e3")), rate=rng.choice((0, -1, "nan", 1e308, 250))
        ),
        xdf_header(
            9, format=rng.choice(("string", "int8", "double64")), more="<desc>" + "<a b='1'/>" * rng.randrange(9000) + "</desc>"
        ),
        xdf_samples(rng.choice((1, 2, 9)), rng.choice((0, 1, 1000, 2**31, 2**62)), rng.randbytes(rng.randrange(300))),
        xdf_samples(9, 30_000, b"\0\1\0" * 30_000),
        chunk(
            Tag.CLOCK_OFFSET,
            struct.pack("<Idd", 1, rng.choice((0.0, 1e308, 1e18, 7.0, float("nan"))), rng.choice((0.0, 1e308, -1e9, 3.0))),
        ),
        chunk(
            Tag.STREAM_FOOTER,
            struct.pack("<I", 1) + b"<info>" + b"<sample_count>9</sample_count>" * rng.randrange(5000) + b"</info>",
        ),
    )
    data = (
        good
        if rng.random() < 0.6
        else MAGIC + b"".join(rng.choice(odd) * rng.choice((1, 1, 20)) for _ in range(rng.randrange(1, 6)))
    )
    return damaged(rng, data, list(odd)) if rng.random() < 0.9 else data


def read_recording(content: bytes, folder: Path) -> None:
    """Read an XDF file, as one and as a recording."""
    path = written(content, folder / "a.xdf")
    for beside in (sidecar_path(path), log_path(path)):
        beside.unlink(missing_ok=True)
    open_recording(path)
    if len(content) < SMALL:
        read_xdf(path, verify=False)


def make_sidecar(rng: random.Random, good: bytes) -> bytes:
    """Checksums with a right checksum of their own, of a recording that does not know of them."""
    known = {"name": "eeg", "sample_count": 9, "clock_offsets": 1, "notes": ["a"], "sha256": ""}
    streams = [{"id": i, "first_timestamp": 0.0, "last_timestamp": 1.0, **known} for i in (1, 2)]
    ends = [rng.randrange(-5, 2 * len(good)) for _ in range(rng.choice((0, 3, 40)))]
    value = {"version": 1, "closed": True, "file": "a.xdf", "size": len(good), "sha256": "", "streams": streams}
    blocks = [[end, zlib.crc32(good[:end])] for end in (sorted(set(ends)) if rng.random() < 0.5 else ends)]
    try:
        fields = json.loads(spoiled_json(rng, {**value, "blocks": blocks}))
        fields["sidecar_crc32"] = zlib.crc32(json.dumps(fields, sort_keys=True).encode())
        return json.dumps(fields).encode()
    except (ValueError, TypeError, RecursionError):
        return HEAD + rng.randbytes(50) if rng.random() < 0.3 else b"[" * rng.choice((10, 2_000_000))


def read_beside(content: bytes, folder: Path, good: bytes) -> None:
    """Read a sound recording with such a file beside it."""
    path = written(good, folder / "b.xdf")
    written(content, sidecar_path(path))
    written(content, log_path(path))
    read_xdf(path)
    sidecar_path(path).unlink()
    read_xdf(path)


WORDS = (
    *(word for word in NUMBERS if word not in ("NaN", "-Infinity", "null", '"\\ud800"')), "nan", "-inf",
    '["C3", "C3"]', '["C3", 5]', "1979-05-27T07:32:00Z", "07:32:00",
     '"\\u0000"', "[" * 40 + "]" * 40, "[" * 5000 + "]" * 5000, '"/dev/zero"', '"../../x"',
    "0x" + "f" * 9000, '"' + "y" * 3000 + '"', "{a={b={c=1}}}", "[8, 30]", '"left"', '"uV"',
)  # fmt: skip


def make_toml(rng: random.Random, keys: tuple[str, ...], sections: tuple[str, ...]) -> bytes:
    """A TOML file of known keys and odd values, now and then none at all."""
    lines = []
    for _ in range(rng.randrange(1, 8)):
        if sections and rng.random() < 0.4:
            lines.append(rng.choice(("[{}]", "[{}]", "[[{}]]")).format(rng.choice(sections)))
        lines.append(f"{rng.choice(keys)} = {rng.choice(WORDS)}")
    text = "\n".join(lines)
    if rng.random() < 0.1:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(("\0", "\ufeff", "\u2028", '"', "[", "\n" * 9999, "a." * 20_000)) + text[at:]
    return text.encode("utf-16" if rng.random() < 0.02 else "utf-8")


SECTIONS = tuple(SessionConfig.model_fields)
CONFIG_KEYS = tuple(sorted({key for section in SECTIONS for key in _allowed([section])}))
PROTOCOL_KEYS = (
    "title", "classes", "per_class", "most_blocks", "practice", "break_s", "instruction", "codes", "name", "paradigm", "baseline",
    "cue_s", "feedback_s", "stop_s", "pause_s", "beep_s", "cue_stop_s", "beep", "seconds", "trial",
)  # fmt: skip
MONTAGE_KEYS = (
    "names",
    "rename",
    "types",
    "reference",
    "ground",
    "unit",
    "units",
    "positions",
    "bad",
    "rate_hz",
    "standard",
    "C3",
)


def make_openvibe(rng: random.Random) -> bytes:
    """A file of OpenViBE with odd counts, sizes and dates."""

    def element(identifier: int, content: bytes) -> bytes:
        n = len(content)
        size = bytes([0x80 | n]) if n < 127 else b"\x01" + n.to_bytes(7, "big")
        return ov._identifier_bytes(identifier) + size + content

    def number(n: int) -> bytes:
        return n.to_bytes(8, "big")

    def part(content: bytes, index: int) -> bytes:
        where = element(ov._CHUNK_STREAM, number(index)) + element(ov._CHUNK_START, number(rng.randrange(2**40)))
        return element(ov._CHUNK, where + element(ov._CHUNK_CONTENT, content))

    channels, samples = rng.choice((1, 2, 8, 0, 9000, 2**63)), rng.choice((1, 4, 32, 0))
    labels = b"".join(element(ov._LABEL, rng.choice((b"C3", b"", b"\xff", b"<b>" * 900))) for _ in range(min(channels, 9)))
    sizes = element(ov._DIMENSION, element(ov._SIZE, number(channels)) + labels) + element(
        ov._DIMENSION, element(ov._SIZE, number(samples))
    )
    rate = element(ov._RATE, number(rng.choice((250, 0, 1, 2**64 - 1))))
    out = element(ov._FILE, element(ov._COMPRESSION, b"\0"))
    out += part(element(ov._HEADER, element(ov._SIGNAL, rate) + element(ov._MATRIX, sizes)), 0)
    for _ in range(rng.randrange(6)):
        values = rng.randbytes(8 * min(channels, 8) * min(samples, 32))
        out += part(
            element(ov._BUFFER, element(ov._MATRIX_BUFFER, element(ov._VALUES, values))), rng.choice((0, 0, 1))
        ) * rng.choice((1, 1, 400))
    for _ in range(rng.randrange(4)):
        said = element(ov._CODE, number(rng.randrange(2**64))) + element(ov._DATE, number(rng.randrange(2**64)))
        out += part(element(ov._BUFFER, element(ov._STIMULATIONS, element(ov._STIMULATION, said))), rng.choice((0, 2)))
    return damaged(rng, out) if rng.random() < 0.7 else out


def make_table(rng: random.Random) -> bytes:
    """Events of a BIDS folder."""
    rows = ["onset\tduration\ttrial_type\tvalue"]
    cells = ("1.0", "n/a", "", "left", "1e999", "nan", "-5", '"', "9" * 400, "=1+1", "\0")
    rows += ["\t".join(rng.choice(cells) for _ in range(rng.choice((4, 4, 1, 9)))) for _ in range(rng.choice((1, 9, 3000)))]
    rows += [rng.choice(("x\t" * 5000, "\n" * 9999, ""))]
    return damaged(rng, "\n".join(rows).encode()) if rng.random() < 0.5 else "\n".join(rows).encode()


JUDGEMENT = {"verdict": {"word": "works", "accuracy": 0.7}, "trials": {"left": 3}, "rejected": [], "schema": 1}
INDEX = {
    "version": 1,
    "entries": [{"name": "P1-S1", "note": {"subject": "P1"}, "recordings": {}, "rate_hz": 250.0, "labels": ["C3"]}],
}
PORTS = b"[ports]\nBasePort = %s\nPortRange = %s\nIPv6 = %s\n[multicast]\nResolveScope = %s\n[lab]\nKnownPeers = {%s}\n"


def make_ports(rng: random.Random) -> bytes:
    """A configuration file of liblsl."""
    values = (b"16572", b"-1", b"9" * 5000, b"", b"\xff", b"machine", b"a\n b", b"%(x)s", b"99999999")
    return damaged(rng, PORTS % tuple(rng.choice(values) for _ in range(5)))


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """Reads bytes from a file of this name."""
    return lambda content, folder: read(written(content, folder / name))


def as_json(value: object) -> Callable[[random.Random], bytes]:
    """Makes spoiled JSON of this value."""
    return lambda rng: spoiled_json(rng, value).encode("utf-8", "replace")


def of_keys(*keys: str, sections: tuple[str, ...] = ()) -> Callable[[random.Random], bytes]:
    """Makes TOML of these keys."""
    return lambda rng: make_toml(rng, keys, sections)


def file_targets(folder: Path) -> tuple[Target, ...]:
    """Everything that is read from files.

    Parameters
    ----------
    folder : Path
        For the sound files that hostile ones are made of.
    """
    models, xdf = tuple(good_model(folder, decoder) for decoder in DECODERS), good_xdf(folder)
    protocol = of_keys(*PROTOCOL_KEYS, sections=("trial", "baseline", "codes"))
    montage = of_keys(*MONTAGE_KEYS, sections=("rename", "types", "units", "positions"))
    return (
        Target("model", lambda rng: make_model(rng, models), run_model),
        Target("xdf", lambda rng: make_xdf(rng, xdf), read_recording),
        Target("sidecar", lambda rng: make_sidecar(rng, xdf), lambda content, at: read_beside(content, at, xdf)),
        Target("openvibe", make_openvibe, in_file("a.ov", open_recording)),
        Target("config", of_keys(*CONFIG_KEYS, sections=SECTIONS), in_file("c.toml", lambda p: load_config(p).at_rate(250.0))),
        Target("protocol", protocol, in_file("p.toml", lambda p: load_protocol(str(p)))),
        Target("montage", montage, in_file("m.toml", lambda p: apply_montage(STREAM, load_montage(p)))),
        Target("markers", of_keys("2", '"a b"', "left", '""'), in_file("t.toml", load_markers)),
        Target("judgement", as_json(JUDGEMENT), in_file("j.json", read_judgement)),
        Target("library", as_json(INDEX), in_file("index.json", lambda p: Library.open(p.parent))),
        Target("events", make_table, in_file("s_events.tsv", lambda p: read_events(p.with_name("s_eeg.edf")))),
        Target("ports", make_ports, in_file("lsl_api.cfg", read_config)),
    )
