"""What the hidden neurons of a net could do with other output weights: whether they are its limit,
or its training is.
"""

import numpy as np
from numpy.typing import ArrayLike

from minilotto.data.dataset import Dataset
from minilotto.errors import ConfigError, DataError
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

CUTS = 10.0 ** -np.arange(1.0, 13.0)  # of the largest singular value
DTYPES = ("float32", "float64")
TINY = 1e-150  # its square is a number still


def readout_loss(
    activation: Activation, w: ArrayLike, b: ArrayLike, data: Dataset, dtype: str = "float32"
) -> Array:
    """The least loss (R,) found for hidden neurons w (R, N, D), b (R, N) with output weights v and
    c that `dtype` can hold.

    min over cuts of loss(round(v), round(c));  (v, c): least squares on the singular directions of
                                                the responses and 1, each scaled
    to norm 1, above cut times the largest. Small cuts need large weights of opposite signs, whose
    rounding costs more than they
    gain, so the best cut is looked for; the loss is evaluated in float64. No other weights were
    tried: it is an upper bound.

    Returns NaN for nets that are not finite. Raises DataError for shapes that do not match the
    data, ConfigError for another dtype. Paper: appendix A, which leaves open whether plateaus come
    from tickets or from optimisation.

    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x = np.linspace(-2, 2, 100)
    >>> w, b = np.array([[[0.5], [-0.5]]]), np.array([[-1.0, -1.0]])
    >>> bool(readout_loss(ACTIVATIONS["silu"], w, b, given(x, x**2))[0] < 1e-4)  # mirror images: one amplitude and a constant
    True
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype={dtype!r} is unknown; choose from {', '.join(DTYPES)}")
    weights, biases = np.asarray(w, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if weights.ndim != 3 or weights.shape[:2] != biases.shape or weights.shape[2] != data.inputs:
        raise DataError(
            f"w of shape {weights.shape} and b of shape {biases.shape} do not fit {data.inputs} "
            "inputs; see `Ensemble`"
        )
    finite = np.isfinite(weights).all(axis=(1, 2)) & np.isfinite(biases).all(axis=1)
    result = np.full(len(biases), np.nan)
    root = np.sqrt(data.weight)
    for i in np.flatnonzero(finite):
        response = np.asarray(
            activation.value(weights[i] @ data.x.T + biases[i][:, None]), dtype=np.float64
        )
        columns = np.concatenate([response, np.ones((1, data.points))])
        # Scaled by their size, not by their spread: so the shortest solution is the one that
        # rounding harms least.
        size = np.sqrt(columns**2 @ data.weight)
        size = np.where(size > TINY, size, np.inf)
        left, values, right = np.linalg.svd(columns * root / size[:, None], full_matrices=False)
        along = np.divide(
            right @ (data.y * root),
            values,
            out=np.zeros_like(values),
            where=values > CUTS[-1] * values[0],
        )
        solutions = ((along * (values > CUTS[:, None] * values[0])) @ left.T) / size
        result[i] = (
            np.min((_held(solutions, dtype) @ columns - data.y) ** 2 @ data.weight) + data.offset
        )
    return result


def _held(values: Array, dtype: str) -> Array:
    """Rounded to dtype; what overflows there is nothing to multiply with."""
    with np.errstate(over="ignore"):
        rounded = values.astype(dtype).astype(np.float64)
    return np.where(np.isfinite(rounded), rounded, 0.0)
