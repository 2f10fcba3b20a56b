"""Page two: the signal check."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from bci.engine.quality import QualitySettings
from gui.context import Context
from gui.launch import StartedProcess
from gui.text import Label
from gui.widgets.quality import QualityPanel
from gui.widgets.streams import health
from gui.widgets.trace_view import TraceView
from gui.wizard.form import WizardPage
from gui.wizard.plan import SIMULATED, STREAM, WizardPlan

EVERY = 6
SIGN = {"good": "●", "warn": "▲", "bad": "■", "none": "○"}


class SignalPage(WizardPage):
    """Signals, all electrodes on a head, and what to do about bad ones.

    The amplifier is on LSL while this page is shown; the calibration starts it again for itself.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Signal check"
    SHORT = "Signal"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._device: StartedProcess | None = None
        self._plan = WizardPlan()
        self.verdict = Label("", "big", wrap=True)
        self.advice = Label("", "muted", wrap=True)
        self.quality = QualityPanel(context)
        self.traces = TraceView(context)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.traces, 5)
        row.addWidget(self.quality, 6)
        holder = QWidget()
        holder.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.verdict)
        box.addWidget(self.advice)
        box.addWidget(holder, 1)

    def begin(self, plan: WizardPlan, running: bool) -> None:
        """Show the signal: start the amplifier, unless a calibration uses it already.

        Parameters
        ----------
        plan : WizardPlan
        running : bool
            Whether a calibration or a session uses the amplifier.
        """
        self._plan = plan
        words = plan.check_words()
        if self._device is not None and (self._device.words != words or not self._device.alive):
            self.end()
        if self._device is None and words and not running:
            self._device = self._context.launcher.start("amplifier", words)
        for stream in self._context.feed.streams:
            if plan.amplifier == STREAM and stream.source_id == plan.source_id:
                self._context.feed.choose(stream)

    def end(self) -> None:
        """Stop the amplifier, so that another program can use it."""
        if self._device is not None:
            self._context.launcher.stop(self._device)
        self._device = None

    def tick(self) -> None:
        """Update the traces, and at intervals the quality."""
        self._choose()
        self.traces.refresh()
        if self._context.ticks % EVERY == 0:
            self.quality.refresh()
            self._judge()

    def problem(self) -> str:
        """Return why the trials cannot begin, or "". Whether a bad signal is accepted is the person's decision."""
        failed = self._device is not None and not self._device.alive and self._device.process.returncode
        return (self._device.last_words() if failed and self._device else "") or ""

    def _choose(self) -> None:
        """Show the simulated subject if there are several streams."""
        if self._plan.amplifier == SIMULATED and self._context.feed.signal_stream is None:
            for stream in self._context.feed.streams:
                if stream.name == "simulated":
                    self._context.feed.choose(stream)

    def _judge(self) -> None:
        feed = self._context.feed
        problem = self.problem()
        if problem or feed.signal is None:
            self.verdict.tell("■ The amplifier does not start" if problem else "○ Waiting for the signal …", "big")
            self.advice.tell(problem or "Looking for it on LSL.")
            return
        verdicts = self._context.analysis.verdicts(feed.signal, feed.session.bad)
        eeg = [v for v, c in zip(verdicts, feed.signal.info.channels, strict=True) if c.type == "EEG"]
        bad, few = sum(v.level == "bad" for v in eeg), QualitySettings().bad_share * len(eeg)
        level, words = health(self._context)
        if level != "good":
            text, advice = f"{SIGN[level]} The signal {words}", "Correct this first: trials with gaps are repeated."
        elif not bad:
            text, advice = (
                "● The signal is good",
                "Ask the person to blink and to clench the teeth. The traces must show it.",
            )
        elif bad < few:
            text = f"▲ {bad} of {len(eeg)} channels {'is' if bad == 1 else 'are'} bad"
            advice = "Correct them as the list says, or go on: the decoder then works without them."
        else:
            text = f"■ {bad} of {len(eeg)} channels are bad: too many to begin"
            advice = f"Fewer than {few:g} may be bad. Correct them as the list says."
        self.verdict.tell(text, "big")
        self.advice.tell(f"{advice} {words}." if level == "good" else advice)
