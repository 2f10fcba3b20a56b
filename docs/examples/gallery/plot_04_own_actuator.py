"""
An actuator of your own
=======================

An actuator is a class with three methods: ``send`` carries out a command, ``neutral`` stops the device, and
``close`` releases it. This example moves a cart on the screen. In a live session a guard stands between the
decisions and the actuator. Here the example passes the decisions of a recording directly to the actuator.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import bci
from bci.contracts.actuator import actuator_breaches
from bci.engine.command import Command
from bci.errors import ActuatorError

STEPS = {"left_hand": -1.0, "right_hand": 1.0}
COLORS = {"left_hand": "tab:blue", "right_hand": "tab:orange"}


class Cart:
    """Moves one step to the left or to the right."""

    def __init__(self):
        self.position, self.open = 0.0, True

    def send(self, command):
        known = self.open and command.name in STEPS and isinstance(command.value, float)
        numbered = isinstance(command.sequence, int) and command.sequence >= 0
        if not (known and numbered and 0 <= command.value <= 1):
            raise ActuatorError(f"cart: cannot do {command.name!r}; it is closed, or knows no such command")
        self.position += STEPS[command.name] * command.value

    def neutral(self):
        """Do nothing: the cart stands still after each step."""

    def close(self):
        self.open = False


# %%
# The contract suite tests how the actuator reacts to wrong names, to values that are not numbers, and to
# use after closing. It returns one line for each broken rule.

print(actuator_breaches(Cart, tuple(STEPS)) or "the cart keeps the contract")

# %%
# A simulated person controls the cart: each decision is a command.

folder = Path(tempfile.mkdtemp())
decoder = bci.fit(bci.simulate(folder / "calibration.xdf", trials_per_class=15, seed=1, skill=0.9))
recording = bci.simulate(folder / "next_day.xdf", trials_per_class=4, seed=2, skill=0.9)
outcomes = bci.decode(recording, decoder)
cart, positions = Cart(), []
for number, decision in enumerate(outcomes.decisions):
    if decision:
        cart.send(Command(decision, 0.1, number))
    positions.append(cart.position)

fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
ax.plot(outcomes.stamps - outcomes.stamps[0], positions, color="black")
for cue in recording.cues():
    begin_s = cue.time_s - outcomes.stamps[0]
    ax.axvspan(begin_s, begin_s + 3, color=COLORS[cue.class_], alpha=0.3)
ax.set(
    xlabel="time (s)", ylabel="position", title="Blue: the cue asks for left, which is down. Orange: right."
)
plt.show()
