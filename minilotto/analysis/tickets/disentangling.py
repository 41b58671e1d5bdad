"""A wide net as a sum of tickets: how good each pair of neurons is, how many are independent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from minilotto.data.dataset import Dataset
from minilotto.ensemble.distillation import pair_errors
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown

__all__ = ["Disentangled", "Ranks", "disentangle"]

USELESS = 0.9  # a pair whose R^2 is below is useless
NUMERICAL = 0.01  # of the largest eigenvalue: those above count for the numerical rank
ALIKE = 0.9  # least absolute correlation of two tickets of a group


@dataclass(frozen=True, eq=False)
class Ranks(Shown):
    """How many independent tickets each of R nets has, counted in four ways.

    l are the eigenvalues of a Gram matrix. n equal tickets give 1, n orthogonal ones of equal size
    n, in each way. Nets without a ticket have 0.

    Parameters
    ----------
    participation : (R,) ndarray of float64
        (sum l)^2 / sum l^2.
    entropy : (R,) ndarray of float64
        exp(-sum p log p), p = l / sum l.
    numerical : (R,) ndarray of int
        How many l reach NUMERICAL of the largest.
    groups : (R,) ndarray of int
        Connected groups of tickets whose absolute correlation reaches ALIKE, which are visible in a
        picture of the correlation matrix.
    """

    participation: Array
    entropy: Array
    numerical: NDArray[np.intp]
    groups: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Disentangled(Shown):
    """The tickets of R nets.

    Parameters
    ----------
    pairs : (R, K, 2) ndarray of int
        Positions of neurons, -1 where there is none, as from `pair_neurons`.
    r2 : (R, K) ndarray of float64
        Of the best linear predictor of the target from the pair.
    errors : (R, K, P) ndarray of float64
        That predictor less the target, the error function e(x).
    weight : (P,) ndarray of float64
        Of the points.
    """

    pairs: NDArray[np.intp]
    r2: Array
    errors: Array
    weight: Array

    @property
    def incomplete(self) -> NDArray[np.bool_]:
        """(R, K) where there is no pair, or a neuron without a partner."""
        return np.asarray(self.pairs.min(axis=2) < 0)

    def useful(self) -> NDArray[np.bool_]:
        """Pairs of two neurons that predict the target, with an R^2 from USELESS on.

        Returns
        -------
        (R, K) ndarray of bool
        """
        return (self.r2 >= USELESS) & ~self.incomplete

    def useless_share(self) -> Array:
        """Fraction of each net's pairs of two neurons that do not predict the target.

        Returns
        -------
        (R,) ndarray of float64
            NaN for nets that are not finite or have no such pair.
        """
        count = (~self.incomplete).sum(axis=1)
        below = ((self.r2 < USELESS) & ~self.incomplete).sum(axis=1)
        share = np.divide(below, count, out=np.full(len(count), np.nan), where=count > 0)
        return np.where(np.isfinite(self.r2).all(axis=1), share, np.nan)

    def correlation(self, net: int) -> Array:
        """Correlations of one net's error functions, which have mean zero by the fit.

        Parameters
        ----------
        net : int
            Its row.

        Returns
        -------
        (K, K) ndarray of float64
        """
        unit = unit_errors(self.errors[net], self.weight)
        return np.asarray(np.clip(unit @ unit.T, -1.0, 1.0))

    def ranks(self) -> Ranks:
        """Effective ranks of the useful pairs of each net.

        They count directions: the Gram matrix is that of correlations. Useless pairs are left out,
        for their error functions all are the target itself.

        Returns
        -------
        Ranks
        """
        rows = np.where(self.useful()[:, :, None], np.nan_to_num(self.errors), 0.0)
        nets, count, points = rows.shape
        units = unit_errors(rows, self.weight)
        turned = units.transpose(0, 2, 1)
        gram = units @ turned if count <= points else turned @ units
        eigenvalues = np.maximum(np.linalg.eigvalsh(gram), 0.0)
        total = eigenvalues.sum(axis=1, keepdims=True)
        p = np.divide(eigenvalues, total, out=np.zeros_like(eigenvalues), where=total > 0)
        some = total[:, 0] > 0
        participation = np.divide(1.0, (p**2).sum(axis=1), out=np.zeros(nets), where=some)
        entropy = np.where(some, np.exp(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1)), 0.0)
        groups = np.zeros(nets, np.intp)
        for i in np.flatnonzero(some):
            unit = units[i, units[i].any(axis=1)]
            alike = np.abs(unit @ unit.T) >= ALIKE
            groups[i] = connected_components(alike, directed=False)[0]
        numerical = ((p >= NUMERICAL * p.max(axis=1, initial=0.0, keepdims=True)) & (p > 0)).sum(
            axis=1
        )
        return Ranks(participation, entropy, numerical, groups)

    def needed(self, loss: Array) -> Array:
        """How many orthogonal tickets as good as a net's useful ones Eq. 9 needs for its loss.

        n = K / (sum_k 1 / |e_k|^2) / loss over the K useful pairs: n = K if they are orthogonal and
        weighted by Eq. 8.

        Parameters
        ----------
        loss : (R,) ndarray of float64

        Returns
        -------
        (R,) ndarray of float64
            NaN for nets without a useful pair.
        """
        useful = self.useful()
        square = np.where(useful, np.nan_to_num(self.errors) ** 2 @ self.weight, np.inf)
        inverse = loss * np.sum(1 / np.where(square > 0, square, np.inf), axis=1)
        count = np.where(useful.any(axis=1) & (inverse > 0), useful.sum(axis=1), np.nan)
        return np.asarray(count / np.where(inverse > 0, inverse, np.nan))


def disentangle(
    activation: Activation,
    parameters: Parameters,
    pairs: NDArray[np.intp],
    data: Dataset,
    predictor: str = "span",
) -> Disentangled:
    """R^2 and error function of each pair of neurons of R nets.

    e(x) = predictor(x) - y(x), R^2 = 1 - <e^2> / <(y - <y>)^2>, for the best linear predictor that
    `predictor` allows.

    Parameters
    ----------
    activation : Activation
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,).
    pairs : (R, K, 2) ndarray of int
        Positions of neurons, -1 for none.
    data : Dataset
    predictor : {"span", "output"}
        Of the two neurons' responses, or of what they add to the net; see `pair_errors`.

    Returns
    -------
    Disentangled

    Raises
    ------
    ConfigError, DataError
        As `pair_errors`.

    References
    ----------
    Paper: figure 12. It does not state the predictor; almost all pairs have R^2 near 1 for N <= 50
    with "span" alone.

    Examples
    --------
    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=2000), seeds=4)
    >>> pairs = np.zeros((4, 1, 2), int) + [0, 1]
    >>> disentangle(nets.activation, nets.parameters, pairs, nets.data).r2.shape
    (4, 1)
    """
    errors, r2 = pair_errors(activation, parameters, pairs, data, predictor)
    return Disentangled(np.asarray(pairs), r2, errors, data.weight / data.weight.sum())


def unit_errors(errors: Array, weight: Array) -> Array:
    """Rows (..., P) times the root of the weights, scaled to length one; zero rows stay zero."""
    rows = errors * np.sqrt(weight)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 0))
