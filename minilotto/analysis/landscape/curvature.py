"""The exact Hessian's eigenvalues at trained nets, signs beyond rounding, Newton's decrease."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.ensemble.last_layer import EPSILON, checked_nets
from minilotto.initialisation import Parameters
from minilotto.interop.functional import loss_and_gradient
from minilotto.interop.second_derivatives import hessian
from minilotto.interop.vectors import pack
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks

Counts = NDArray[np.intp]
FLAT = 1e-6  # of the largest eigenvalue, below which a direction counts as flat
PARTS = 2**24  # numbers of Hessians that are held at a time


@dataclass(frozen=True, eq=False)
class Curvature(Shown):
    """Second derivatives of the loss at R nets of K = N (D + 2) + 1 parameters, in float64.

    NaN and zero counts for nets that are not finite.

    Parameters
    ----------
    eigenvalues : (R, K) ndarray of float64
        Ascending.
    loss, gradient : (R,) ndarray of float64
        The loss, and the Euclidean norm of its gradient.
    unresolved : (R,) ndarray of float64
        The size below which rounding decides an eigenvalue's sign.
    negative, undecided, positive : (R,) ndarray of int
        How many eigenvalues are below, within and above it.
    flat : (R,) ndarray of int
        How many are smaller than FLAT of the largest, whatever their sign.
    decrease : (R,) ndarray of float64
        By what Newton's step would lower the loss, along the positive directions only, if the loss
        were its quadratic: sum_k g_k^2 / (2 lambda_k).
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
        """(R,) whether some eigenvalue is below zero beyond rounding: the net is no minimum."""
        return self.negative > 0

    def settled(self, part: float = 0.01) -> NDArray[np.bool_]:
        """Which nets are at a minimum: no negative curvature, and a small Newton decrease.

        Parameters
        ----------
        part : float
            Largest decrease allowed, as a fraction of the loss.

        Returns
        -------
        (R,) ndarray of bool
        """
        with np.errstate(invalid="ignore"):
            return ~self.saddle & (self.decrease <= part * self.loss)


def curvature(activation: Activation, parameters: Parameters, data: Dataset) -> Curvature:
    """The spectrum of the exact Hessian of the loss at each net, and whether it could be a minimum.

    H = 2 sum_p weight_p (J_p J_p^T + (f(x_p) - y_p) H_p), as `ml.hessian`. An eigenvalue is
    known to K eps S, S the largest diagonal entry with every term taken by its size, sum_i |v_i
    sigma_i| + |c| + |y| in place of f - y: where the sum cancels, so does H. Eigenvalues
    are those of the parameters as they are; signs those of any linear change of them (Sylvester).
    Kinks of piecewise linear activations add nothing.

    Parameters
    ----------
    activation : Activation
        Of the table.
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,), of any dtype.
    data : Dataset
        Of D inputs.

    Returns
    -------
    Curvature

    Raises
    ------
    ConfigError
        For an activation that is none of the table's.
    DataError
        For shapes that do not fit.

    References
    ----------
    Paper: figures 2b and 9, which take losses and parameters for local minima without a test.

    Examples
    --------
    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=500), seeds=4)
    >>> found = curvature(nets.activation, nets.parameters, nets.data)
    >>> found.eigenvalues.shape, (found.negative + found.undecided + found.positive).tolist()
    ((4, 7), [7, 7, 7, 7])
    """
    raw = checked_nets(parameters, data)
    theta = pack(raw)
    nets, count = theta.shape
    finite = np.isfinite(theta).all(axis=1)
    values, slope, along = np.full((3, nets, count), np.nan)
    loss, unresolved = np.full((2, nets), np.nan)
    settings: dict[str, Any] = {
        "activation": activation.name,
        "negative_slope": activation.parameter,
    }
    places = np.flatnonzero(finite)
    for block in blocks(len(places), count**2, PARTS):
        rows = places[block]
        some = hessian(theta[rows], data.x, data.y, data.weight, **settings)
        values[rows], vectors = np.linalg.eigh(some)
        loss[rows], slope[rows] = loss_and_gradient(
            theta[rows], data.x, data.y, data.weight, **settings
        )
        along[rows] = np.einsum("rkm,rk->rm", vectors, slope[rows])
        sizes = np.array([_summed(activation, raw, i, data) for i in rows])
        unresolved[rows] = count * EPSILON * sizes
    cut = unresolved[:, None]
    with np.errstate(invalid="ignore"):
        positive, negative = values > cut, values < -cut
        flat = np.abs(values) < FLAT * np.nanmax(np.abs(values), axis=1, keepdims=True, initial=0.0)
    gains = np.divide(along**2, values, out=np.zeros_like(values), where=positive)
    decrease = 0.5 * np.sum(gains, axis=1)
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


def _summed(activation: Activation, raw: Parameters, i: int, data: Dataset) -> float:
    """S of one net: the largest diagonal entry of its Hessian, every term taken by its size."""
    z = data.x @ raw.w[i].T + raw.b[i]
    value, v, weight = activation.value(z), raw.v[i], 2.0 * np.abs(data.weight)
    terms = (np.abs(value) @ np.abs(v) + abs(raw.c[i]) + np.abs(data.y))[:, None]
    bent = np.maximum(np.abs(activation.curvature(z) * v), np.abs(activation.slope(z)))
    reach = np.maximum(1.0, np.max(data.x**2, axis=1))[:, None]
    hidden = ((activation.slope(z) * v) ** 2 + terms * bent) * reach
    return float(max(np.max(weight @ hidden), np.max(weight @ value**2), weight.sum()))
