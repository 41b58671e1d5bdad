"""Curvature: the exact Hessian's eigenvalues at trained nets, what rounding leaves of their signs,
and Newton's decrease.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.interop.functional import hessian, loss_and_gradient, pack
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

Counts = NDArray[np.intp]
EPSILON = float(np.finfo(np.float64).eps)
FLAT = 1e-6  # of the largest eigenvalue, below which a direction counts as flat
PARTS = 2**24  # numbers of Hessians that are held at a time


@dataclass(frozen=True, eq=False)
class Curvature:
    """Second derivatives of the loss at R nets of K = N (D + 2) + 1 parameters, in float64; NaN and
    zero counts where not finite.

    eigenvalues (R, K), ascending; loss, gradient (R,): the loss and the Euclidean norm of its
    gradient. unresolved (R,): the size below which rounding decides an eigenvalue's sign. negative,
    undecided, positive (R,): how many eigenvalues are below, within and above it; flat (R,): how
    many are smaller than FLAT of the largest, whatever their sign. decrease (R,): by what Newton's
    step would lower the loss, along the positive directions only, if the loss were its quadratic:
    sum_k g_k^2 / (2 lambda_k).
    """

    eigenvalues: Array
    loss: Array
    gradient: Array
    unresolved: Array
    negative: Counts
    undecided: Counts
    positive: Counts
    flat: Counts
    decrease: Array

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def saddle(self) -> NDArray[np.bool_]:
        """(R,) whether some eigenvalue is below zero beyond rounding, so that the net is no minimum
        whatever its gradient.
        """
        return self.negative > 0

    def settled(self, part: float = 0.01) -> NDArray[np.bool_]:
        """(R,) whether no curvature is negative and Newton's decrease is at most this part of the
        loss.
        """
        with np.errstate(invalid="ignore"):
            return ~self.saddle & (self.decrease <= part * self.loss)


def curvature(activation: Activation, parameters: Parameters, data: Dataset) -> Curvature:
    """The spectrum of the exact Hessian of the loss at each net, and whether it could be a minimum.

    H = 2 sum_p weight_p (J_p J_p^T + (f(x_p) - y_p) H_p), as `embedding.hessian`. An eigenvalue is
    known to K eps S, S the largest diagonal entry with every term taken by its size, sum_i |v_i
    sigma_i| + |c| + |y| in place of f - y: where the sum cancels, H knows no better. Eigenvalues
    are those of the parameters as they are; signs those of any linear change of them (Sylvester).

    parameters: w (R, N, D), b, v (R, N), c (R,), in any precision; they are taken to float64 as
    they are. Kinks of piecewise linear activations add nothing. Raises ConfigError for an
    activation that is none of the table's, DataError for shapes that do not fit. Paper: figures 2b
    and 9, which take losses and parameters for local minima without a test.

    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=500), seeds=4)
    >>> found = curvature(nets.activation, nets.parameters, nets.data)
    >>> found.eigenvalues.shape, bool((found.negative + found.undecided + found.positive == 7).all())
    ((4, 7), True)
    """
    raw = Parameters(*(np.array(part, np.float64) for part in parameters))
    if raw.w.ndim != 3 or raw.w.shape[2] != data.inputs:
        raise DataError(
            f"nets have w of shape {raw.w.shape} where data have {data.inputs} inputs; pass (R, "
            f"N, {data.inputs})"
        )
    theta = pack(raw)
    nets, count = theta.shape
    finite = np.isfinite(theta).all(axis=1)
    values, loss, slope = (
        np.full((nets, count), np.nan),
        np.full(nets, np.nan),
        np.full((nets, count), np.nan),
    )
    unresolved, along = np.full(nets, np.nan), np.full((nets, count), np.nan)
    settings: dict[str, Any] = {"activation": activation.name, "negative_slope": _slope(activation)}
    step = max(1, PARTS // count**2)
    places = np.flatnonzero(finite)
    for first in range(0, len(places), step):
        rows = places[first : first + step]
        some = hessian(theta[rows], data.x, data.y, data.weight, **settings)
        values[rows], vectors = np.linalg.eigh(some)
        loss[rows], slope[rows] = loss_and_gradient(
            theta[rows], data.x, data.y, data.weight, **settings
        )
        along[rows] = np.einsum("rkm,rk->rm", vectors, slope[rows])
        unresolved[rows] = (
            count * EPSILON * np.array([_summed(activation, raw, i, data) for i in rows])
        )
    cut = unresolved[:, None]
    with np.errstate(invalid="ignore"):
        positive, negative = values > cut, values < -cut
        flat = np.abs(values) < FLAT * np.nanmax(np.abs(values), axis=1, keepdims=True, initial=0.0)
    decrease = 0.5 * np.sum(
        np.divide(along**2, values, out=np.zeros_like(values), where=positive), axis=1
    )
    decrease[~finite] = np.nan
    return Curvature(
        eigenvalues=values,
        loss=loss + data.offset,
        gradient=np.linalg.norm(slope, axis=1),
        unresolved=unresolved,
        negative=np.count_nonzero(negative, axis=1),
        undecided=np.where(finite, count - np.count_nonzero(negative | positive, axis=1), 0),
        positive=np.count_nonzero(positive, axis=1),
        flat=np.where(finite, np.count_nonzero(flat, axis=1), 0),
        decrease=decrease,
    )


def _slope(activation: Activation) -> float:
    """What the embedding calls negative_slope."""
    if activation.name == "leaky_relu":
        return activation.parameter
    return 0.01


def _summed(activation: Activation, raw: Parameters, i: int, data: Dataset) -> float:
    """S of one net: the largest diagonal entry of its Hessian, with every term of its sums taken by
    its size.
    """
    z = data.x @ raw.w[i].T + raw.b[i]
    value, v, weight = activation.value(z), raw.v[i], 2.0 * np.abs(data.weight)
    terms = (np.abs(value) @ np.abs(v) + abs(raw.c[i]) + np.abs(data.y))[:, None]
    bent = np.maximum(np.abs(activation.curvature(z) * v), np.abs(activation.slope(z)))
    reach = np.maximum(1.0, np.max(data.x**2, axis=1))[:, None]
    hidden = ((activation.slope(z) * v) ** 2 + terms * bent) * reach
    return float(max(np.max(weight @ hidden), np.max(weight @ value**2), weight.sum()))
