"""
The guard on a virtual clock
============================

The guard stands between the decisions and the actuator. It is a state machine that gets the time as an
argument. Therefore you can test a minute of its behaviour in a moment, and every run gives the same result.
This example arms the guard, lets the signal become bad twice, and then lets the engine become silent.
"""

import matplotlib.pyplot as plt
import numpy as np

from bci.engine import guard as g
from bci.engine.outcome import Reason

HOP_S = 0.04
ARMING = [round(second / HOP_S) for second in (2.5, 9.5, 11.0)]
guard = g.Guard(commands=("left", "right"))
guard.step(0.0, g.EnginePresence(True))


def signal_at(second):
    """Return DECIDED for class 0, QUALITY while the signal is bad, and None from 12.5 s on."""
    if second >= 12.5:
        return None
    return Reason.QUALITY if 4 <= second < 4.3 or 7 <= second < 8.5 else Reason.DECIDED


# %%
# Every 40 ms there is a decision, and the guard says what to do. A person asks the guard to arm at 2.5 s,
# at 9.5 s (which is too soon after the bad signal), and at 11 s. Whenever the guard asks for neutral, the
# actuator confirms that it is at neutral.

states, orders = [], []
for number, now in enumerate(np.arange(0.0, 14.5, HOP_S)):
    actions = list(guard.step(now, g.Arm("a person")) if number in ARMING else ())
    reason = signal_at(now)
    if reason is not None:
        decision = 0 if reason is Reason.DECIDED else -1
        actions += guard.step(now, g.DecisionRow(number, decision, 0.9, now + 0.25, reason, sent_s=now))
    actions += guard.step(now)
    for action in actions:
        if isinstance(action, g.Neutral):
            guard.step(now, g.Confirmed(True, number=action.number))
        if isinstance(action, g.StateChange):
            print(f"{now:5.2f} s  {action.state:8} {action.why}")
        if isinstance(action, g.ArmingRefused):
            print(f"{now:5.2f} s           {action.why}")
        if isinstance(action, g.SendCommand):
            orders.append(now)
    states.append(str(guard.state))

# %%
# After a short bad signal, commands continue. After a longer bad signal, or a silent engine, the guard
# stays at neutral until a person arms it again.

fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
ax.step(HOP_S * np.arange(len(states)), states, where="post", color="black")
ax.plot(orders, ["active"] * len(orders), "o", color="tab:green", label="a command is sent")
ax.axvspan(4, 4.3, color="tab:orange", alpha=0.3, label="bad signal")
ax.axvspan(7, 8.5, color="tab:orange", alpha=0.3)
ax.axvspan(12.5, 14.5, color="tab:red", alpha=0.3, label="no engine")
ax.set(xlabel="time (s)", title="State of the guard")
ax.legend(loc="lower right")
plt.show()
