"""What has been written of one stream of an XDF file, for its footer and for the sidecar."""

from __future__ import annotations

import hashlib
from array import array
from xml.sax.saxutils import escape

from bci.engine.chunk import FloatArray
from bci.stream.xdf.format import StreamHeader, clean_xml
from bci.stream.xdf.sidecar import StreamSums


class WrittenStream:
    """Counts of what has been written of one stream so far.

    Parameters
    ----------
    header : StreamHeader
    """

    def __init__(self, header: StreamHeader) -> None:
        self.header = header
        self.count = 0
        self.first: float | None = None
        self.last: float | None = None
        # Numbers by the thousand in a recording of hours: as objects they would take five times the memory.
        self.offset_times, self.offsets = array("d"), array("d")
        self.notes: list[str] = []
        self.digest = hashlib.sha256()

    def add(self, payload: bytes, times: FloatArray) -> None:
        """Count consecutive samples that have been written.

        Parameters
        ----------
        payload : bytes
            As they are in the file.
        times : ndarray, shape (n_samples,)
            Their raw stamps, seconds; at least one.
        """
        self.digest.update(payload)
        self.count += len(times)
        self.first = float(times[0]) if self.first is None else self.first
        self.last = float(times[-1])

    def footer(self) -> str:
        """The stream footer, with the fields that LabRecorder writes and our notes."""
        fields = []
        if self.first is not None and self.last is not None:
            fields.append(f"<first_timestamp>{self.first!r}</first_timestamp><last_timestamp>{self.last!r}</last_timestamp>")
            if self.last > self.first:
                fields.append(f"<measured_srate>{(self.count - 1) / (self.last - self.first)!r}</measured_srate>")
        measured = zip(self.offset_times, self.offsets, strict=True)
        offsets = "".join(f"<offset><time>{t!r}</time><value>{v!r}</value></offset>" for t, v in measured)
        notes = "".join(f"<note>{escape(clean_xml(note))}</note>" for note in self.all_notes())
        return (
            f'<?xml version="1.0"?><info><writer>bci</writer>{"".join(fields)}<sample_count>{self.count}</sample_count>'
            f"<clock_offsets>{offsets}</clock_offsets>{notes}</info>"
        )

    def all_notes(self) -> tuple[str, ...]:
        """Notes given, and whether the clock offset stayed unknown."""
        return (*self.notes, *(() if self.offsets else ("clock offset unknown",)))

    def sums(self, stream_id: int) -> StreamSums:
        """Make the counts and the checksum for the sidecar.

        Parameters
        ----------
        stream_id : int

        Returns
        -------
        StreamSums
        """
        return StreamSums(
            id=stream_id,
            name=self.header.name,
            sample_count=self.count,
            first_timestamp=self.first,
            last_timestamp=self.last,
            clock_offsets=len(self.offsets),
            notes=self.all_notes(),
            sha256=self.digest.hexdigest(),
        )
