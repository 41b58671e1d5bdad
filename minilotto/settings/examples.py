"""EXAMPLES: data of scikit-learn, standardised, split into training and held-out points."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minilotto.errors import DataError, imported
from minilotto.settings.arrays import Array

SHUFFLED = 20231003  # key of the random order that is split


@dataclass(frozen=True, eq=False)
class Examples:
    """Points x (P, D) and targets y (P,) for training, and held-out ones of one distribution."""

    x: Array
    y: Array
    held_out_x: Array
    held_out_y: Array


def split(x: ArrayLike, y: ArrayLike, training: int) -> Examples:
    """Points x (M, D), y (M,) in a fixed random order, split in two, with standardised inputs: so
    many for training, the others held out.

    Mean and standard deviation are those of the training points; an input that does not vary among
    them is 0 everywhere. Raises DataError where a subset would be empty.

    >>> parts = split(np.arange(8.0)[:, None], np.arange(8.0), 6)
    >>> parts.x.shape, parts.held_out_y.shape, bool(abs(parts.x.mean()) < 1e-15)
    ((6, 1), (2,), True)
    """
    points, targets = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not 0 < training < len(targets):
        raise DataError(
            f"{training} of {len(targets)} points for training leave one subset empty; give a "
            "number in between"
        )
    order = np.argsort(np.random.Philox(key=SHUFFLED).random_raw(len(targets)), kind="stable")
    points, targets = points[order], targets[order]
    mean, deviation = points[:training].mean(axis=0), points[:training].std(axis=0)
    varies = deviation > 1e-12 * np.abs(mean)
    points = np.where(varies, (points - mean) / np.where(varies, deviation, 1.0), 0.0)
    return Examples(points[:training], targets[:training], points[training:], targets[training:])


def _loaded(training: int, name: str, **settings: Any) -> Examples:
    """What a function of sklearn.datasets returns, split."""
    x, y = getattr(imported("sklearn.datasets", "sklearn"), name)(**settings)
    return split(x, y, training)


def _digits() -> Examples:
    parts = _loaded(1257, "load_digits", return_X_y=True)
    y, held_out_y = ((one % 2 == 0).astype(np.float64) for one in (parts.y, parts.held_out_y))
    return replace(parts, y=y, held_out_y=held_out_y)


def _diabetes() -> Examples:
    parts = _loaded(309, "load_diabetes", return_X_y=True)
    y, held_out_y = ((t - parts.y.mean()) / parts.y.std() for t in (parts.y, parts.held_out_y))
    return replace(parts, y=y, held_out_y=held_out_y)


_MADE: dict[str, Any] = {"n_samples": 2000, "random_state": 0}
_moons = partial(_loaded, 500, "make_moons", noise=0.25, **_MADE)
_circles = partial(_loaded, 500, "make_circles", noise=0.15, factor=0.5, **_MADE)
_breast_cancer = partial(_loaded, 398, "load_breast_cancer", return_X_y=True)
# Of each: description, how to load it, (points for training, inputs).
EXAMPLES: dict[str, tuple[str, Callable[[], Examples], tuple[int, int]]] = {
    "moons": ("which of two moons", _moons, (500, 2)),
    "circles": ("which of two circles", _circles, (500, 2)),
    "breast_cancer": ("whether benign", _breast_cancer, (398, 30)),
    "digits": ("whether even", _digits, (1257, 64)),
    "diabetes": ("progression of diabetes, standardised", _diabetes, (309, 10)),
}
