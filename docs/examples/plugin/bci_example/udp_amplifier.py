"""A source: an amplifier that sends each sample as a packet of little-endian float32 in µV to a port of this computer."""

import socket

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, StreamError
from bci.stream.clock import LslClock

LABELS = ("C3", "Cz", "C4")


class UdpAmplifier:
    def __init__(self, port, rate_hz):
        channels = tuple(Channel(label, "EEG", "uV") for label in LABELS)
        self.info = StreamInfo(rate_hz, channels, source_id=f"udp-amplifier-{port}", name="udp-amplifier")
        self._clock = LslClock()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))

    @classmethod
    def from_settings(cls, options):
        known = {"port": 0, "rate_hz": 250}
        problems = [f"{name}: no such setting; there are {', '.join(known)}" for name in options if name not in known]
        values = known | dict(options)  # numbers, or text from --set
        if not (str(values["port"]).isdecimal() and 0 < int(values["port"]) < 65536):
            problems.append(f"port = {values['port']!r}: must be from 1 to 65535")
        if not (str(values["rate_hz"]).isdecimal() and int(values["rate_hz"]) > 0):
            problems.append(f"rate_hz = {values['rate_hz']!r}: must be a positive whole number")
        if problems:
            raise ConfigError(problems)
        return cls(int(values["port"]), float(values["rate_hz"]))

    def read(self, timeout_s):
        rows, wait_s = [], timeout_s
        try:
            while len(rows) < self.info.rate_hz:  # what has come, and not more than a second of it
                self._socket.settimeout(wait_s)
                packet, wait_s = self._socket.recv(65536), 0.0  # wait for the first packet only
                if len(packet) == 4 * len(LABELS):
                    rows.append(np.frombuffer(packet, "<f4"))
        except (TimeoutError, BlockingIOError):
            pass
        except OSError as error:
            raise StreamError(f"{self.info.name}: cannot be read ({error.strerror}); open it again") from error
        if not rows:
            return None
        back_s = np.arange(len(rows))[::-1] / self.info.rate_hz  # the newest came now; the engine fits the sender's clock
        return Chunk(np.array(rows, dtype=np.float64), self._clock.now() - back_s)

    def close(self):
        self._socket.close()
