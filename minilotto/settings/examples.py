"""EXAMPLES: problems of scikit-learn's bundled data, standardised, and parted once for all into
training and held-out points.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import DataError, imported

Array = NDArray[np.float64]
SHUFFLED = 20231003  # key of the order from which the parts are cut
MADE = 2000  # points of a problem that is made, not measured


@dataclass(frozen=True, eq=False)
class Examples:
    """Points x (P, D) and targets y (P,) to train on; held_out_x (Q, D) and held_out_y (Q,) of the
    same kind, to judge by.
    """

    x: Array
    y: Array
    held_out_x: Array
    held_out_y: Array


def split(x: Any, y: Any, training: int) -> Examples:
    """Points (M, D) and targets (M,) in a fixed random order, the first `training` of them to train
    on, inputs standardised.

    Mean and deviation are those of the training points; an input that does not vary among them is 0
    everywhere. Raises DataError where either part would be empty.

    >>> parts = split(np.arange(8.0)[:, None], np.arange(8.0), 6)
    >>> parts.x.shape, parts.held_out_y.shape, bool(abs(parts.x.mean()) < 1e-15)
    ((6, 1), (2,), True)
    """
    points, targets = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not 0 < training < len(targets):
        raise DataError(
            f"{training} of {len(targets)} points for training leave one part empty; give a "
            "number in between"
        )
    order = np.argsort(np.random.Philox(key=SHUFFLED).random_raw(len(targets)), kind="stable")
    points, targets = points[order], targets[order]
    mean, deviation = points[:training].mean(axis=0), points[:training].std(axis=0)
    varies = deviation > 1e-12 * np.abs(mean)
    points = np.where(varies, (points - mean) / np.where(varies, deviation, 1.0), 0.0)
    return Examples(points[:training], targets[:training], points[training:], targets[training:])


def _datasets() -> Any:
    return imported("sklearn.datasets", "sklearn")


def _moons() -> Examples:
    x, y = _datasets().make_moons(MADE, noise=0.25, random_state=0)
    return split(x, y, 500)


def _circles() -> Examples:
    x, y = _datasets().make_circles(MADE, noise=0.15, factor=0.5, random_state=0)
    return split(x, y, 500)


def _breast_cancer() -> Examples:
    x, y = _datasets().load_breast_cancer(return_X_y=True)
    return split(x, y, 398)


def _digits() -> Examples:
    x, y = _datasets().load_digits(return_X_y=True)
    return split(x, y % 2 == 0, 1257)


def _diabetes() -> Examples:
    x, y = _datasets().load_diabetes(return_X_y=True)
    parts = split(x, y, 309)
    mean, deviation = parts.y.mean(), parts.y.std()
    return Examples(
        parts.x,
        (parts.y - mean) / deviation,
        parts.held_out_x,
        (parts.held_out_y - mean) / deviation,
    )


# What a task says of each: in words, how to load it, how many points for training and how many
# inputs.
EXAMPLES: dict[str, tuple[str, Callable[[], Examples], tuple[int, int]]] = {
    "moons": ("which of two moons", _moons, (500, 2)),
    "circles": ("which of two circles", _circles, (500, 2)),
    "breast_cancer": ("whether benign", _breast_cancer, (398, 30)),
    "digits": ("whether even", _digits, (1257, 64)),
    "diabetes": ("progression of diabetes, standardised", _diabetes, (309, 10)),
}
