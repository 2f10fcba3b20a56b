"""
A device of your own
====================

A device is a class with an ``info``, which describes its stream, and two methods: ``read`` returns the new
samples, and ``close`` releases the device. The device of this example is a signal generator with two
channels.
"""

import matplotlib.pyplot as plt
import numpy as np

from bci.contracts.source import read_for, source_breaches
from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamError
from bci.stream.clock import LslClock


class Generator:
    """Sines of 10 and 20 Hz with noise; the stamp of each sample is the time at which it is due."""

    def __init__(self, rate_hz=250.0):
        channels = tuple(Channel(label, "EEG", "uV") for label in ("C3", "C4"))
        self.info = StreamInfo(
            rate_hz, channels, source_id="generator-1", name="generator", sample_clock=True
        )
        self._clock, self._noise = LslClock(), np.random.default_rng(1)
        self._begin_s, self._sent, self._open = self._clock.now(), 0, True

    def read(self, timeout_s):
        if not self._open:
            raise StreamError("generator: was read after it was closed; open a new one")
        self._clock.wait_until(self._clock.now() + min(timeout_s, 0.04))
        due = int((self._clock.now() - self._begin_s) * self.info.rate_hz)
        places, self._sent = np.arange(self._sent, due), due
        if not len(places):
            return None
        seconds = places[:, None] / self.info.rate_hz
        data = 20 * np.sin(2 * np.pi * seconds * [10.0, 20.0]) + self._noise.normal(0, 5, (len(places), 2))
        return Chunk(data, self._begin_s + seconds[:, 0])

    def close(self):
        self._open = False


# %%
# The contract suite opens the device, reads from it and closes it. It returns one line for each broken
# rule.

print(source_breaches(Generator, seconds=1.0) or "the generator keeps the contract")

# %%
# The data are in microvolts, with time along the first axis. To stream and record the device, make a
# plug-in of it: `Add a device <../tutorials/add-a-device.html>`_.

device = Generator()
chunks = read_for(device, 1.0)
device.close()
data, stamps = (
    np.concatenate([chunk.data for chunk in chunks]),
    np.concatenate([chunk.stamps for chunk in chunks]),
)

fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
ax.plot(stamps - stamps[0], data + np.array([0, 80]))
ax.set(
    xlabel="time (s)",
    yticks=[0, 80],
    yticklabels=device.info.labels,
    title=f"{len(data)} samples in {len(chunks)} chunks",
)
plt.show()
