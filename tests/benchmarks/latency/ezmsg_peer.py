"""ezmsg: LSL inlet → Butterworth filter → window → decoder → LSL outlet, as units of one process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import numpy as np

from latency import task


def main() -> None:
    """Decode until the parent goes."""
    asked = task.read_task()
    try:
        import ezmsg.core as ez
        from ezmsg.lsl.inlet import LSLInfo, LSLInletSettings, LSLInletUnit
        from ezmsg.lsl.outlet import LSLOutletSettings, LSLOutletUnit
        from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings
        from ezmsg.sigproc.window import Window, WindowSettings
        from ezmsg.util.messages.axisarray import AxisArray
    except ImportError as error:
        task.say_missing(error, "ezmsg ezmsg-lsl ezmsg-sigproc")
        return
    pipeline: Any = task.load_decoder(asked.decoder)["pipeline"]
    pipeline.predict_proba(np.random.default_rng(0).standard_normal((1, task.N_CHANNELS, task.WINDOW)))

    class Decoder(ez.Unit):
        """Probabilities of a window, as a row that the outlet sends."""

        INPUT = ez.InputStream(AxisArray)
        OUTPUT = ez.OutputStream(AxisArray)

        async def initialize(self) -> None:
            self.sequence = 0

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def decode(self, message: AxisArray) -> AsyncGenerator:
            window = np.asarray(message.data, np.float64)
            probabilities = pipeline.predict_proba(window.T[None])[0]
            axis = message.axes["time"]
            newest = float(axis.offset + axis.gain * (len(window) - 1))
            self.sequence += 1
            row = np.array([task.decision_row(self.sequence, probabilities, newest)])
            axes = {"time": AxisArray.TimeAxis(fs=task.RATE_HZ / task.HOP, offset=newest)}
            yield self.OUTPUT, AxisArray(row, dims=["time", "ch"], axes=axes, key="decisions")

    low, high = task.BAND_HZ
    units = {
        "INLET": LSLInletUnit(LSLInletSettings(LSLInfo(name=asked.stream), use_lsl_clock=True, processing_flags=0)),
        "FILTER": ButterworthFilter(
            ButterworthFilterSettings(axis="time", coef_type="sos", order=task.FILTER_ORDER, cuton=low, cutoff=high)
        ),
        "WINDOW": Window(
            WindowSettings(window_dur=task.WINDOW / task.RATE_HZ, window_shift=task.HOP / task.RATE_HZ, zero_pad_until="none")
        ),
        "DECODER": Decoder(),
        "OUTLET": LSLOutletUnit(
            LSLOutletSettings("bench-ezmsg", task.DECISION_TYPE, use_message_timestamp=False, assume_lsl_clock=True)
        ),
    }
    order = list(units.values())
    edges = [
        (order[0].OUTPUT_SIGNAL, order[1].INPUT_SIGNAL),
        (order[1].OUTPUT_SIGNAL, order[2].INPUT_SIGNAL),
        (order[2].OUTPUT_SIGNAL, order[3].INPUT),
        (order[3].OUTPUT, order[4].INPUT_SIGNAL),
    ]
    task.settle()
    task.say(ready=True)
    ez.run(components=units, connections=edges, force_single_process=True)


if __name__ == "__main__":
    main()
