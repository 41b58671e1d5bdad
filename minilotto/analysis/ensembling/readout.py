"""What hidden neurons could do with other output weights: do they limit a net, or its training?"""

import numpy as np
from numpy.typing import ArrayLike

from minilotto.data.dataset import Dataset
from minilotto.ensemble.last_layer import hidden, singular
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.config import DTYPES
from minilotto.settings.limits import check_choice

# Of the largest singular value. All are tried, for the best cut depends on the precision.
CUTS = 10.0 ** -np.arange(1.0, 13.0)
TINY = 1e-150  # its square is a number still


def readout_loss(
    activation: Activation, w: ArrayLike, b: ArrayLike, data: Dataset, dtype: str = "float32"
) -> Array:
    """The least loss found for given hidden neurons with output weights that `dtype` can hold.

    min over cuts of loss(round(v), round(c)), where (v, c) is least squares on the singular
    directions of the responses and 1, each scaled to norm 1, above cut times the largest. Small
    cuts need large weights of opposite signs, whose rounding costs more than they gain, so the best
    cut is searched for; the loss is evaluated in float64. No other weights were tried: it is an
    upper bound.

    Parameters
    ----------
    activation : Activation
    w, b : (R, N, D), (R, N) array_like
    data : Dataset
        Of D inputs.
    dtype : {"float32", "float64"}

    Returns
    -------
    (R,) ndarray of float64
        NaN for nets that are not finite.

    Raises
    ------
    DataError
        For shapes that do not match the data.
    ConfigError
        For another dtype.

    References
    ----------
    Paper: appendix A, which leaves open whether plateaus come from tickets or from optimisation.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x = np.linspace(-2, 2, 100)
    >>> w, b = np.array([[[0.5], [-0.5]]]), np.array([[-1.0, -1.0]])  # mirror images
    >>> bool(readout_loss(ACTIVATIONS["silu"], w, b, given(x, x**2))[0] < 1e-4)
    True
    """
    check_choice("dtype", dtype, DTYPES)
    weights, biases = reals_of("w", w), reals_of("b", b)
    match = weights.shape == (*biases.shape, data.inputs) and biases.ndim == 2
    rule = f"(R, N, {data.inputs}), (R, N) for data of {data.inputs} inputs"
    check_match(match, rule, w=weights, b=biases)
    finite = np.isfinite(weights).all(axis=(1, 2)) & np.isfinite(biases).all(axis=1)
    result = np.full(len(biases), np.nan)
    root = np.sqrt(data.weight)
    for i in np.flatnonzero(finite):
        response = hidden(activation, weights[i : i + 1], biases[i : i + 1], data.x)[0]
        columns = np.concatenate([response, np.ones((1, data.points))])
        # Scaled by their size and not centred: so the shortest solution is the one that rounding
        # harms least.
        size = np.sqrt(columns**2 @ data.weight)
        size = np.where(size > TINY, size, np.inf)
        span = singular(columns * root / size[:, None], CUTS[-1])
        along = span.inverse(span.right @ (data.y * root))
        kept = span.values > CUTS[:, None] * span.values[0]
        solutions = ((along * kept) @ span.left.T) / size
        with np.errstate(over="ignore"):
            solutions = solutions.astype(dtype).astype(np.float64)
        solutions[~np.isfinite(solutions)] = 0.0  # what overflows in dtype
        losses = (solutions @ columns - data.y) ** 2 @ data.weight
        result[i] = np.min(losses) + data.offset
    return result
