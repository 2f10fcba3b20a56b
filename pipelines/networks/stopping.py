"""When training ends: a rule that is fixed before it begins, and looks at nothing but calibration data.

The last block of trials is set aside, with all the windows of its trials, so that no window of it overlaps one that is
trained on. The network is trained on the rest until the loss over the block has not fallen for ``patience`` epochs, and goes
back to where it was lowest. From there it goes on with all trials, the newest included, for a quarter as many epochs. (Going
on with all trials is what Schirrmeister et al. 2017 do; their end, the training loss of before, need not come.) With too few
trials to set any aside, the number of epochs is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
LEAST_LEFT = 4
"""Trials of each class that must remain to train on."""
LEAST_ASIDE = 2
"""Trials of each class in the block."""
GO_ON = 0.25
"""With all trials, as part of the epochs before."""
LEAST_PEOPLE = 3
"""With so many people, whole people are set aside."""


@dataclass(slots=True)
class Patience:
    """The lowest loss so far, and how long ago it was.

    Parameters
    ----------
    epochs : int
        So many without a new lowest are enough.
    """

    epochs: int
    best: int = field(default=0, init=False)
    lowest: float = field(default=float("inf"), init=False)

    def improved(self, epoch: int, loss: float) -> bool:
        """Whether this epoch's loss is the lowest so far.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        loss : float
            Validation loss of this epoch.

        Returns
        -------
        bool
        """
        if not loss < self.lowest:
            return False
        self.best, self.lowest = epoch, loss
        return True

    def over(self, epoch: int) -> bool:
        """Whether to stop after this epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.

        Returns
        -------
        bool
        """
        return epoch - self.best >= self.epochs


def set_aside(codes: IntArray, trials: IntArray, people: IntArray, share: float) -> npt.NDArray[np.bool_]:
    """Which windows are for validation; none where that would leave too few.

    Parameters
    ----------
    codes, trials, people : ndarray of int, shape (n_windows,)
        Class, trial and person of each window; trials are numbered in order of time.
    share : float
        Of the trials, or of the people where there are :data:`LEAST_PEOPLE` or more.

    Returns
    -------
    ndarray of bool, shape (n_windows,)
    """
    unit = people if len(np.unique(people)) >= LEAST_PEOPLE else trials
    units = np.unique(unit)
    for count in range(max(1, round(share * len(units))), len(units)):
        aside = np.isin(unit, units[-count:])
        if _least(codes[~aside], trials[~aside], codes) < LEAST_LEFT:
            break
        if _least(codes[aside], trials[aside], codes) >= LEAST_ASIDE:
            return aside
    return np.zeros(len(codes), dtype=np.bool_)


def _least(codes: IntArray, trials: IntArray, all_codes: IntArray) -> int:
    """Trials of the class that has fewest of them."""
    return min(len(np.unique(trials[codes == code])) for code in np.unique(all_codes))
