"""Find the chunks of an XDF file that may be damaged, cut short, or hostile.

Nothing is allocated by what the file claims: a count is believed only where the bytes at hand can hold
it. After damage the scan goes on behind the damaged chunk where the chunks that follow fit together,
else behind the next boundary chunk (https://github.com/sccn/xdf/wiki/Specifications).
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from bci.errors import RecordingError
from bci.stream.xdf.format import MAGIC, SIGNATURE, StreamHeader, Tag, parse_header, parse_xml
from bci.stream.xdf.samples import LENGTHS, Buffer, complete_samples

MAX_PROBLEMS = 100
MAX_STREAMS = 256
MAX_MARKUP = 250_000
"""Where XML elements begin or end in all headers and footers of a file together; two streams of 8,000 channels have 200,000."""
MAX_TEXTS, BYTES_PER_TEXT = 150_000, 40
"""Texts of a file that are read in any case, and bytes of the file for each further one: a text takes up to a hundred bytes of
memory, and a file of empty ones could fill it."""


class _Damaged(Exception):
    """The bytes at hand do not make sense, or end too early (``cut``); the text says why."""

    def __init__(self, reason: str, cut: bool = False) -> None:
        super().__init__(reason)
        self.cut = cut


@dataclass(slots=True)
class ScannedStream:
    """The positions of the parts of one stream in a file.

    Parameters
    ----------
    header : StreamHeader
    runs : array of int
        Flat triples, one for each Samples chunk: first byte of its samples, number of samples, end.
    offsets : list of (time_s, offset_s)
    footer : dict or None
        Texts of the footer's fields.
    """

    header: StreamHeader
    runs: array[int] = field(default_factory=lambda: array("q"))
    offsets: list[tuple[float, float]] = field(default_factory=list)
    footer: dict[str, str] | None = None

    @property
    def count(self) -> int:
        """Samples found."""
        return sum(self.runs[1::3])


@dataclass(slots=True)
class Scan:
    """The parts that were found in a file.

    Parameters
    ----------
    streams : dict
        By stream identifier, in the order of their headers.
    order : array of int
        Stream identifiers of all Samples (positive) and ClockOffset chunks (negative), in file order.
    problems : list of str
    damaged : bool
        Something does not make sense, beyond being cut short at the end.
    cut : bool
        The last chunk is not complete.
    left_out : int
        Bytes that could not be used.
    header : dict
        Texts of the file header's fields.
    checked : int
        Bytes from the beginning that were compared with checksums kept while the file was recorded; 0 for none.
    """

    streams: dict[int, ScannedStream] = field(default_factory=dict)
    order: array[int] = field(default_factory=lambda: array("q"))
    problems: list[str] = field(default_factory=list)
    damaged: bool = False
    cut: bool = False
    left_out: int = 0
    header: dict[str, str] = field(default_factory=dict)
    checked: int = 0

    def problem(self, text: str, damage: bool = True) -> None:
        """Note what is wrong; the list stays short however bad the file is.

        Parameters
        ----------
        text : str
        damage : bool
            Whether something does not make sense, beyond being cut short at the end.
        """
        self.damaged |= damage
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)
        elif len(self.problems) == MAX_PROBLEMS:
            self.problems.append("and more")


class Scanner:
    """Scan a buffer for chunks.

    Parameters
    ----------
    data : bytes or mmap
    where : str
        The file, for messages.
    tolerant : bool
        Take down an unusable stream header as a problem instead of raising.
    """

    def __init__(self, data: Buffer, where: str, tolerant: bool = False) -> None:
        self._data = data
        self._where = where
        self._tolerant = tolerant
        self._markup, self._texts = MAX_MARKUP, MAX_TEXTS + len(data) // BYTES_PER_TEXT
        self.found = Scan()

    def scan(self, skip: Iterable[tuple[int, int]] = ()) -> Scan:
        """Find all chunks outside of those parts of the file that are known to be damaged.

        Parameters
        ----------
        skip : iterable of tuple of (int, int)
            First byte of each damaged part, and the byte after it.

        Returns
        -------
        Scan

        Raises
        ------
        RecordingError
            If this is no XDF file, or a stream header is unusable.
        """
        if self._data[: len(MAGIC)] != MAGIC:
            raise RecordingError(f"{self._where}: is not an XDF file (it does not begin with {MAGIC.decode()!r})")
        start = len(MAGIC)
        for first, end in (*skip, (len(self._data), len(self._data))):
            self._stretch(start, first)
            start = max(start, end)
        return self.found

    def _stretch(self, start: int, end: int) -> None:
        """Scan chunks from ``start``; ``end`` is the end of a chunk, or of the file."""
        position = start
        while position < end:
            try:
                position = self._chunk(position, end)
            except _Damaged as damage:
                position = self._resume(position, end, damage)

    def _resume(self, position: int, end: int, damage: _Damaged) -> int:
        """Where to go on after damage at ``position``."""
        if damage.cut and end == len(self._data):
            self.found.cut = True
            self.found.left_out += end - position
            self.found.problem(f"byte {position}: the last chunk is cut short", damage=False)
            return end
        after = end + 1
        with suppress(_Damaged):
            _, after = self._frame(position, end)
        if after > end or not self._plausible(after, end):
            mark = self._data.find(SIGNATURE, position + 1, end)
            after = end if mark < 0 else mark + len(SIGNATURE)
        self.found.left_out += after - position
        self.found.problem(f"byte {position}: {damage}; {after - position} bytes are left out")
        return after

    def _plausible(self, position: int, end: int) -> bool:
        """Whether the next chunks fit together, so that the one before had the right length."""
        for _ in range(4):
            if position == end:
                return True
            try:
                start, after = self._frame(position, end)
            except _Damaged:
                return False
            if after > end or not self._known(start, after):
                return False
            position = after
        return True

    def _known(self, start: int, end: int) -> bool:
        """Whether the chunk content at ``start`` begins as chunks of this file do."""
        tag = int.from_bytes(self._data[start : start + 2], "little")
        if tag == Tag.BOUNDARY:
            return self._data[start + 2 : end] == SIGNATURE
        if tag in (Tag.STREAM_HEADER, Tag.STREAM_FOOTER):
            return self._data[start + 6 : start + 7] == b"<"
        return tag == Tag.SAMPLES or (tag == Tag.CLOCK_OFFSET and end - start == 22)

    def _frame(self, position: int, end: int) -> tuple[int, int]:
        """First byte (its tag) and end of the chunk at ``position``; the end may lie beyond ``end``."""
        length, start = self._varlen(position, end)
        if length < 2:
            raise _Damaged(f"chunk length {length}")
        return start, start + length

    def _varlen(self, position: int, end: int) -> tuple[int, int]:
        """A length, and the byte behind it."""
        width = self._data[position] if position < end else 1
        form = LENGTHS.get(width)
        if form is None:
            raise _Damaged(f"length field of {width} bytes")
        if position + 1 + width > end:
            raise _Damaged("length field is cut short", cut=True)
        return form.unpack_from(self._data, position + 1)[0], position + 1 + width

    def _chunk(self, position: int, end: int) -> int:
        """Take in the chunk at ``position``; return where the next one begins."""
        start, after = self._frame(position, end)
        cut = after > end
        if start + 2 > end:
            raise _Damaged("tag is cut short", cut=True)
        tag = int.from_bytes(self._data[start : start + 2], "little")
        content = start + 2
        if cut and tag != Tag.SAMPLES:
            raise _Damaged("chunk reaches beyond the end of the file", cut=not self._more_follows(position, end))
        if tag == Tag.SAMPLES:
            return self._samples(content, min(after, end), cut, position)
        if tag == Tag.STREAM_HEADER:
            self._header(content, after, position)
        elif tag == Tag.CLOCK_OFFSET:
            self._offset(content, after)
        elif tag == Tag.STREAM_FOOTER:
            self._footer(content, after, position)
        elif tag == Tag.FILE_HEADER:
            self._file_header(content, after, position)
        elif tag == Tag.BOUNDARY and self._data[content:after] != SIGNATURE:
            raise _Damaged("boundary chunk without its signature")
        elif tag != Tag.BOUNDARY:
            if not self._plausible(after, end):
                raise _Damaged(f"chunk of unknown kind {tag}")
            self.found.problem(f"byte {position}: chunk of unknown kind {tag} is left out")
        return after

    def _more_follows(self, position: int, end: int) -> bool:
        """Whether a boundary follows, so that a chunk that claims to reach beyond the end has a false length."""
        return self._data.find(SIGNATURE, position, end) >= 0

    def _stream_id(self, content: int, after: int) -> int:
        """The stream that a chunk belongs to."""
        if content + 4 > after:
            raise _Damaged("stream identifier is missing")
        return int.from_bytes(self._data[content : content + 4], "little")

    def _stream(self, content: int, after: int) -> ScannedStream:
        """The known stream that a chunk belongs to."""
        stream_id = self._stream_id(content, after)
        stream = self.found.streams.get(stream_id)
        if stream is None:
            raise _Damaged(f"stream {stream_id} has no header before its data")
        return stream

    def _header(self, content: int, after: int, position: int) -> None:
        """Take in a stream header."""
        stream_id = self._stream_id(content, after)
        where = f"{self._where}: header of stream {stream_id} at byte {position}"
        try:
            if stream_id in self.found.streams:
                raise RecordingError(f"{where}: the file contains this stream already; the two cannot be told apart")
            if len(self.found.streams) >= MAX_STREAMS:
                raise RecordingError(f"{where}: more than {MAX_STREAMS} streams are not read from one file")
            header = parse_header(self._xml(content + 4, after, where), where)
        except RecordingError as error:
            if not self._tolerant:
                raise
            raise _Damaged(str(error)) from error
        self.found.streams[stream_id] = ScannedStream(header)

    def _offset(self, content: int, after: int) -> None:
        """Take in a clock offset; what is not a number is left out (LabRecorder can write such)."""
        stream = self._stream(content, after)
        if after - content != 20:
            raise _Damaged(f"clock offset of {after - content} bytes; it has 20")
        time_s, offset_s = struct.unpack_from("<dd", self._data, content + 4)
        if not (math.isfinite(time_s) and math.isfinite(offset_s)):
            self.found.problem(f"byte {content}: clock offset {offset_s} at {time_s} s is left out", damage=False)
            return
        stream.offsets.append((time_s, offset_s))
        self.found.order.append(-self._stream_id(content, after))

    def _file_header(self, content: int, after: int, position: int) -> None:
        """Take in what the file header says; a file can be read without it."""
        try:
            where = f"file header at byte {position}"
            root = parse_xml(self._xml(content, after, where), where)
        except RecordingError as error:
            self.found.problem(str(error), damage=False)
            return
        self.found.header |= {element.tag: (element.text or "").strip() for element in root if not len(element)}

    def _footer(self, content: int, after: int, position: int) -> None:
        """Take in a footer: the texts of its fields."""
        stream = self._stream(content, after)
        where = f"footer at byte {position}"
        try:
            root = parse_xml(self._xml(content + 4, after, where), where)
        except RecordingError as error:
            raise _Damaged(str(error)) from error
        texts: dict[str, list[str]] = {}
        for element in root:
            if not len(element):
                texts.setdefault(element.tag, []).append((element.text or "").strip())
        stream.footer = {tag: "; ".join(several) for tag, several in texts.items()}

    def _xml(self, start: int, end: int, where: str) -> bytes:
        """The XML of a chunk, as long as that of the whole file is what a recording may have."""
        raw = self._data[start:end]
        self._markup -= raw.count(b"<") + raw.count(b"/>")
        if self._markup < 0:
            raise RecordingError(f"{where}: the headers and footers of the file hold more than {MAX_MARKUP // 2} XML elements")
        return raw

    def _samples(self, content: int, after: int, cut: bool, position: int) -> int:
        """Take in a Samples chunk, or the complete samples of the last one where the file is cut short."""
        if cut and self._more_follows(position, after):
            raise _Damaged("chunk reaches beyond the end of the file, yet others follow")
        if cut and content + 4 > after:
            raise _Damaged("stream identifier is cut short", cut=True)
        stream = self._stream(content, after)
        count, start = self._varlen(content + 4, after)
        header = stream.header
        held = (after - start) // header.smallest_sample
        if count > held and not cut:
            raise _Damaged(f"chunk claims {count} samples, but its bytes can hold {held} at most")
        if header.channel_format == "string":
            self._spend_texts(min(count, held) * header.n_channels)
        whole, end = complete_samples(self._data, header, start, after, min(count, held))
        if whole < count and not cut:
            raise _Damaged(f"sample {whole} of {count} is damaged")
        if end < after and (not cut or whole == count):
            raise _Damaged(f"{after - end} bytes too many after {count} samples")
        if whole:
            stream.runs.extend((start, whole, end))
            self.found.order.append(self._stream_id(content, after))
        if cut:
            self.found.cut = True
            self.found.left_out += after - end
            self.found.problem(
                f"byte {position}: the last chunk is cut short; {whole} of its {count} samples are complete", damage=False
            )
        return after

    def _spend_texts(self, count: int) -> None:
        """Refuse more texts than the file has bytes for."""
        if count > self._texts:
            raise _Damaged(f"{count} further texts are more than a file of {len(self._data)} bytes may hold")
        self._texts -= count
