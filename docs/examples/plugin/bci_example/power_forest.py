"""A decoder in one file: a random forest on the power of each channel in two bands.

The engine loads this file too, to run the decoder live. Therefore scikit-learn is imported where the forest is trained.
"""

import numpy as np

from bci.errors import ModelError
from bci.model.family import FittedDecoder

TREES = 100


def log_power(windows):
    """Features, shape (n_windows, n_bands * n_channels)."""
    return np.log(windows.var(axis=2)).reshape(len(windows), -1)


class PowerForest:
    name = "power-forest"
    kernel = "forest"

    def bands(self, low_hz, high_hz, rate_hz):
        middle_hz = (low_hz * high_hz) ** 0.5
        return ((low_hz, middle_hz), (middle_hz, high_hz))

    def fit(self, windows, labels):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        forest = RandomForestClassifier(TREES, random_state=0)  # the same windows give the same forest
        estimator = make_pipeline(FunctionTransformer(log_power), forest).fit(windows, labels)
        importance = forest.feature_importances_.reshape(windows.shape[1], windows.shape[3])
        share = importance.sum(axis=0)
        return FittedDecoder(
            estimator=estimator,
            classes=tuple(map(str, forest.classes_)),
            arrays={"importance": importance, **nodes_of([tree.tree_ for tree in forest.estimators_])},
            channel_weights=share / share.sum(),
        )


def nodes_of(trees):
    """The nodes of all trees in one table. A leaf is its own child, so that one may go on asking."""
    ends = np.cumsum([tree.node_count for tree in trees])
    places, roots = np.arange(ends[-1]), np.append(0, ends[:-1])
    leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    left = np.concatenate([tree.children_left + root for tree, root in zip(trees, roots, strict=True)])
    right = np.concatenate([tree.children_right + root for tree, root in zip(trees, roots, strict=True)])
    return {
        "roots": roots,
        "left": np.where(leaf, places, left),
        "right": np.where(leaf, places, right),
        "feature": np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])),
        "threshold": np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees])),
        "answer": np.concatenate([tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True) for tree in trees]),
        "depth": np.array(max(tree.max_depth for tree in trees)),
    }


class ForestKernel:
    features = "samples"

    def __init__(self, classes, arrays):
        self.classes, self.n_channels = classes, arrays["importance"].shape[1]
        self._nodes = arrays

    def __call__(self, window):  # shape (n_bands, n_samples, n_channels)
        nodes, places = self._nodes, self._nodes["roots"]
        with np.errstate(all="ignore"):  # a flat window has no answer, and that is one: NaN
            asked = log_power(window[None])[0].astype(np.float32)  # scikit-learn's trees compare single precision too
        if not np.isfinite(asked).all():
            return np.full(len(self.classes), np.nan)
        for _ in range(int(nodes["depth"])):  # one step in all trees at once
            low = asked[nodes["feature"][places]] <= nodes["threshold"][places]
            places = np.where(low, nodes["left"][places], nodes["right"][places])
        return nodes["answer"][places].mean(axis=0)


def load(arrays, classes):
    missing = {"importance", "roots", "left", "right", "feature", "threshold", "answer", "depth"} - set(arrays)
    if missing:
        raise ModelError(f"forest: {', '.join(sorted(missing))} missing in the model; train it again")
    count, features = len(arrays["answer"]), arrays["importance"].size
    alike = all(arrays[name].shape == (count,) for name in ("left", "right", "feature", "threshold"))
    inside = all(((arrays[name] >= 0) & (arrays[name] < count)).all() for name in ("roots", "left", "right"))
    asks = ((arrays["feature"] >= 0) & (arrays["feature"] < features)).all()
    if not (alike and inside and asks and arrays["importance"].ndim == 2 and arrays["answer"].shape[1:] == (len(classes),)):
        raise ModelError(f"forest: the nodes do not fit each other or {len(classes)} classes; train it again")
    return ForestKernel(classes, arrays)
