"""A wide net as a sum of tickets: how good each pair of neurons is by itself, and how many pairs
are independent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from minilotto.data.dataset import Dataset
from minilotto.ensemble.distillation import pair_errors
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

USELESS = 0.9  # a pair whose R^2 is below is useless
NUMERICAL = 0.01  # of the sum of eigenvalues: those above count for the numerical rank
ALIKE = 0.9  # absolute correlation from which two tickets belong to the same group


@dataclass(frozen=True, eq=False)
class Ranks:
    """How many independent tickets each of R nets has, counted in four ways from the eigenvalues l
    of a Gram matrix.

    participation: (sum l)^2 / sum l^2. entropy: exp(-sum p log p), p = l / sum l. numerical: how
    many l reach NUMERICAL of their sum. groups: connected groups of tickets whose absolute
    correlation reaches ALIKE: what an eye counts in a picture of the correlation matrix. n equal
    tickets give 1, n orthogonal ones of equal size n, in each way. Nets without a ticket have 0.
    """

    participation: Array
    entropy: Array
    numerical: NDArray[np.intp]
    groups: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Interval:
    """An estimate with its 95% bootstrap interval over nets."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Disentangled:
    """The tickets of R nets.

    pairs (R, K, 2): positions of neurons, -1 where there is none, as from `pair_neurons`; r2 (R,
    K): of the best linear predictor a p(x) + c of the target from the pair's output p; errors (R,
    K, P): that predictor less the target, the error function e(x); weight (P,) of the points.
    """

    pairs: NDArray[np.intp]
    r2: Array
    errors: Array
    weight: Array

    @property
    def incomplete(self) -> NDArray[np.bool_]:
        """(R, K) where there is no pair, or a neuron without a partner."""
        return self.pairs.min(axis=2) < 0

    def useful(self, cut: float = USELESS) -> NDArray[np.bool_]:
        """(R, K) whose R^2 is at least `cut`, among pairs that are whole."""
        return (self.r2 >= cut) & ~self.incomplete

    def useless_share(self, cut: float = USELESS) -> Array:
        """(R,) the part of the whole pairs whose R^2 is below `cut`. NaN for nets that are not
        finite.
        """
        count = (~self.incomplete).sum(axis=1)
        below = ((self.r2 < cut) & ~self.incomplete).sum(axis=1)
        share = np.divide(below, count, out=np.full(len(count), np.nan), where=count > 0)
        return np.where(np.isfinite(self.r2).all(axis=1), share, np.nan)

    def correlation(self, net: int) -> Array:
        """(K, K) correlations <e_i e_j> / sqrt(<e_i^2> <e_j^2>) of one net's error functions; these
        have mean zero by the fit.
        """
        unit = _units(self.errors[net], self.weight)
        return np.clip(unit @ unit.T, -1.0, 1.0)

    def ranks(self, cut: float = USELESS, normalised: bool = True) -> Ranks:
        """Effective ranks of the useful pairs of each net.

        normalised=True counts directions: the Gram matrix is the correlation matrix. False weights
        each pair by its own error, so that a few bad ones decide. Useless pairs are left out, for
        their error functions all are the target itself.
        """
        return effective_ranks(self.errors, self.weight, self.useful(cut), normalised)

    def needed(self, loss: Array, cut: float = USELESS) -> Array:
        """(R,) how many orthogonal tickets as good as each net's useful ones Eq. 9 needs for the
        net's loss (R,).

        n = K / (sum_k 1 / |e_k|^2) / loss over the K useful pairs: n = K if they are orthogonal and
        weighted by Eq. 8. NaN for nets without a useful pair.
        """
        useful = self.useful(cut)
        square = np.where(useful, np.nan_to_num(self.errors) ** 2 @ self.weight, np.inf)
        count, inverse = (
            useful.sum(axis=1),
            np.sum(1 / np.where(square > 0, square, np.inf), axis=1),
        )
        return np.divide(
            count,
            inverse * loss,
            out=np.full(len(count), np.nan),
            where=(count > 0) & (inverse * loss > 0),
        )


def disentangle(
    activation: Activation,
    parameters: Parameters,
    pairs: NDArray[np.intp],
    data: Dataset,
    predictor: str = "span",
) -> Disentangled:
    """R^2 and error function of each pair of neurons of R nets.

    e(x) = predictor(x) - y(x), R^2 = 1 - <e^2> / <(y - <y>)^2>, for the best linear predictor that
    `predictor` allows: "span" of the two neurons' responses, "output" of what they add to the net;
    see `pair_errors`, which raises where these do not fit.

    parameters: w (R, N, D), b, v (R, N), c (R,); pairs (R, K, 2) positions, -1 for none. Paper:
    figure 12. It leaves open which predictor it takes; almost all pairs have R^2 near 1 for N <= 50
    with "span" alone.

    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=2000), seeds=4)
    >>> disentangle(nets.activation, nets.parameters, np.zeros((4, 1, 2), int) + [0, 1], nets.data).r2.shape
    (4, 1)
    """
    errors, r2 = pair_errors(activation, parameters, pairs, data, predictor)
    return Disentangled(np.asarray(pairs), r2, errors, data.weight / data.weight.sum())


def effective_ranks(
    errors: Array, weight: Array, counted: NDArray[np.bool_] | None = None, normalised: bool = True
) -> Ranks:
    """Ranks of error functions (R, K, P) under the inner product sum_p weight_p e_i e_j, over those
    that are `counted` (R, K).

    >>> e = np.array([[[1.0, -1.0, 0.0, 0.0], [2.0, -2.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]])
    >>> found = effective_ranks(e, np.full(4, 0.25))
    >>> float(found.participation.round(6)[0]), int(found.numerical[0]), int(found.groups[0])
    (1.8, 2, 2)
    """
    nets, count, points = errors.shape
    counted = np.ones((nets, count), bool) if counted is None else counted
    rows = np.where(counted[:, :, None], np.nan_to_num(errors), 0.0)
    units = np.stack([_units(row, weight) for row in rows]) if nets else rows
    parts = units if normalised else rows * np.sqrt(weight)
    gram = parts @ parts.transpose(0, 2, 1) if count <= points else parts.transpose(0, 2, 1) @ parts
    eigenvalues = np.maximum(np.linalg.eigvalsh(gram), 0.0)
    total = eigenvalues.sum(axis=1, keepdims=True)
    p = np.divide(eigenvalues, total, out=np.zeros_like(eigenvalues), where=total > 0)
    some = total[:, 0] > 0
    participation = np.divide(1.0, (p**2).sum(axis=1), out=np.zeros(nets), where=some)
    entropy = np.where(some, np.exp(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1)), 0.0)
    groups = np.zeros(nets, np.intp)
    for i in range(nets):
        unit = units[i, units[i].any(axis=1)]
        groups[i] = (
            connected_components(np.abs(unit @ unit.T) >= ALIKE, directed=False)[0]
            if len(unit)
            else 0
        )
    return Ranks(participation, entropy, (p >= NUMERICAL).sum(axis=1), groups)


def median_interval(values: Array, resamples: int = 2000, seed: int = 0) -> Interval:
    """The median of the finite values with its 95% percentile bootstrap interval. Raises DataError
    where there is none.

    >>> median_interval(np.full(5, 2.0)).value
    2.0
    """
    kept = np.asarray(values, np.float64)[np.isfinite(values)]
    if kept.size == 0:
        raise DataError(f"none of {len(values)} values is finite; there is no median")
    drawn = kept[np.random.default_rng(seed).integers(len(kept), size=(resamples, len(kept)))]
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return Interval(float(np.median(kept)), float(low), float(high))


def _units(errors: Array, weight: Array) -> Array:
    """Rows (K, P) times the root of the weights, scaled to length one; zero rows stay zero."""
    rows = errors * np.sqrt(weight)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
