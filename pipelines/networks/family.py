"""Networks as decoder families. Torch is loaded when one is trained, and not before."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.errors import PluginError
from bci.model.family import FittedDecoder, TrainingContext
from pipelines.filter_bank import adjoining_bands
from pipelines.networks.recipe import Recipe

ASSUMED_WINDOW_S = 2.0
"""Length of a window for callers that do not say at which rate it was sampled."""


class NetworkFamily:
    """A network, trained on windows as they run live.

    Parameters
    ----------
    name : str
        Of the decoder.
    module : str
        Import path of the network: ``package.module:Class``, a ``torch.nn.Module``. It is imported to be trained, and never
        to run. What it is built with goes by the names of its arguments: see :func:`pipelines.networks.building.built`.
    bank : bool
        Whether it takes a filter bank.
    seed : int
        Of first weights, order, augmentation and dropout.
    epochs, patience : int
        At most so many passes over the trials, ended earlier where the loss over the last block of trials has not fallen for
        ``patience`` of them.
    batch : int
        Windows between two steps of the optimiser.
    learning_rate, weight_decay : float
        Of AdamW.
    validation : float
        Part of the trials set aside to find out when to stop, 0 to 0.5.
    reflect : bool
        Train on mirrored heads too, where channels and classes have a mirror image.
    recombine : bool
        Train on windows put together from segments of others of their class too.
    align : bool
        Whiten every session by its mean covariance.
    device : str
        ``auto`` for the GPU where there is one, else ``cpu`` or as torch names it.
    pretrained : str
        Model file of the same network to start from.
    fine_tune : {"full", "probe", "frozen"}
        With ``pretrained``: train all of it, its last layer, or nothing.
    """

    kernel = "network"
    slides = True
    tolerance = 1e-5

    def __init__(
        self,
        name: str,
        *,
        module: str = "",
        bank: bool = False,
        seed: int = 0,
        epochs: int = 100,
        patience: int = 25,
        batch: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        validation: float = 0.2,
        reflect: bool = True,
        recombine: bool = True,
        align: bool = True,
        device: str = "auto",
        pretrained: str = "",
        fine_tune: str = "full",
    ) -> None:
        self.name = name
        self._module = module
        self._bank = bank
        self.recipe = Recipe(
            seed,
            epochs,
            patience,
            batch,
            learning_rate,
            weight_decay,
            validation,
            reflect,
            recombine,
            align,
            device,
            pretrained,
            fine_tune,
        )

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """One band; adjoining ones of about 4 Hz for a network that takes a filter bank.

        Parameters
        ----------
        low_hz : float
            Lower edge of the frequency range.
        high_hz : float
            Upper edge of the frequency range.
        rate_hz : float
            Sampling rate.

        Returns
        -------
        tuple of (float, float)
        """
        return adjoining_bands(low_hz, high_hz, rate_hz) if self._bank else ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: npt.NDArray[np.str_]) -> FittedDecoder:
        """Train on windows, shape (n_windows, n_bands, n_samples, n_channels), µV, without knowing their rate or montage.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.

        Returns
        -------
        FittedDecoder
        """
        _, bands, samples, channels = windows.shape
        rate_hz = samples / ASSUMED_WINDOW_S
        unknown = tuple(f"channel {i}" for i in range(channels))
        edges = tuple((0.1 * rate_hz + i, 0.1 * rate_hz + i + 1) for i in range(bands))
        p = Preprocessing(rate_hz, unknown, notch_hz=0, bands=edges, window=samples, hop=1)
        return self.fit_informed(windows, labels, TrainingContext(p, np.arange(len(labels))))

    def fit_informed(self, windows: FloatArray, labels: npt.NDArray[np.str_], context: TrainingContext) -> FittedDecoder:
        """Train on windows of which all is known.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.
        context : TrainingContext
            Where the windows come from.

        Returns
        -------
        FittedDecoder
        """
        try:
            from pipelines.networks.fitting import fitted
        except ModuleNotFoundError as error:
            raise PluginError(
                f"decoder {self.name!r} is trained with {error.name}, which is not installed; "
                "install it with: pip install 'bci[networks]'"
            ) from error
        return fitted(self.name, self._module, windows, labels, context, self.recipe)


network = partial(NetworkFamily, "network")
"""Any module of the user's."""
eegnet = partial(NetworkFamily, "eegnet", module="pipelines.networks.eegnet:EEGNet")
shallow = partial(NetworkFamily, "shallow", module="pipelines.networks.shallow:ShallowConvNet")
conformer = partial(
    NetworkFamily, "conformer", module="pipelines.networks.conformer:Conformer", epochs=40, patience=10, learning_rate=5e-4
)
ctnet = partial(NetworkFamily, "ctnet", module="pipelines.networks.ctnet:CTNet", epochs=40, patience=10, learning_rate=1e-3)
fbcnet = partial(NetworkFamily, "fbcnet", module="pipelines.networks.filter_bank:FBCNet", bank=True)
