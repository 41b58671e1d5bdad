"""What K tickets of a net lose, kept at random and combined in several ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from minilotto.analysis.ensembling.ensembling import gram, optimal_weights, orthogonal_loss
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.draws import exponent_over_draws
from minilotto.analysis.tickets.apart import median_estimate, taken_apart
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import hidden, output_layer
from minilotto.errors import DataError
from minilotto.report.rules import LEVEL
from minilotto.settings.arrays import Array, Ints

COMBINED = {
    "average": "averaged",
    "positive": "best weights ≥ 0",
    "gram": "best weights, 1/(1ᵀG⁻¹1)",
    "equation 9": "Eq. 9, (Σ 1/|eᵢ|²)⁻¹",
    "best": "the best ticket alone",
}
FITTED = {"tickets": "2K output weights, of tickets", "random": "2K output weights, of any neurons"}
LEAST_NETS = 10


@dataclass(frozen=True)
class Kept:
    """R nets of one training, of which `left_out` more have too few tickets.

    losses: by way of combining, (R, K) mean loss over draws for each of `counts` tickets; weight:
    (R, K) geometric mean of the sum of absolute best weights; independent: (R, K) mean of their
    participation ratio; every: (R,) what `combined` returns of all useful tickets; trained: (R,)
    loss of the nets.
    """

    counts: Ints
    losses: Mapping[str, Array]
    weight: Array
    independent: Array
    every: Mapping[str, Array]
    trained: Array
    left_out: int = 0

    def exponent(self, way: str) -> Estimate:
        """Of the loss against the number of tickets, mean over nets."""
        return exponent_over_draws(self.counts, self.losses[way], LEVEL)

    def by_count(self, values: Array) -> dict[int, Estimate]:
        """Median over nets for each number of tickets."""
        columns = zip(self.counts.tolist(), values.T, strict=True)
        return {count: median_estimate(column) for count, column in columns}

    @property
    def footnote(self) -> Array:
        """(R, K) best loss over that of Eq. 9 for the independent ones among the tickets."""
        expected = self.losses["equation 9"] * self.counts / self.independent
        return np.asarray(self.losses["gram"] / expected)


def positive_weights(errors: Array, weight: Array) -> Array:
    """The weights (K,), none below 0 and of sum one, whose combination of errors (K, P) is least.

    Those of min |sum_i a_i e_i|^2 + (sum_i a_i - 1)^2, scaled: of s a the least value over s is
    L / (1 + L) where L is the loss of a, so both have the same best direction.
    """
    columns = errors.T * np.sqrt(weight)[:, None]
    size = np.sqrt((columns**2).sum(axis=0).min())
    rows = np.vstack([columns / size, np.ones(len(errors))])
    found = nnls(rows, np.append(np.zeros(len(columns)), 1.0))[0]
    return np.asarray(found / found.sum())


def combined(errors: Array, weight: Array) -> dict[str, Array]:
    """Losses (B,) of B sets of tickets with errors (B, K, P), by way of combining; and the sum of
    absolute best "weights" (B,) and the "independent" ones (B,).
    """
    products = gram(errors, weight)
    best = optimal_weights(products)
    weights = {
        "average": np.full_like(best, 1 / best.shape[1]),
        "positive": np.stack([positive_weights(one, weight) for one in errors]),
        "gram": best,
    }
    losses = {way: np.einsum("bk,bkp->bp", a, errors) ** 2 @ weight for way, a in weights.items()}
    size = np.diagonal(products, axis1=1, axis2=2)
    losses |= {"equation 9": orthogonal_loss(size), "best": size.min(axis=1)}
    cosines = products / np.sqrt(size[:, :, None] * size[:, None])
    return {
        **losses,
        "weights": np.abs(best).sum(axis=1),
        "independent": best.shape[1] ** 2 / (cosines**2).sum(axis=(1, 2)),
    }


def orders(nets: Sequence[int], draws: int) -> list[Ints]:
    """Random orders (draws, T) of the T things that each net has."""
    random = np.random.default_rng(0)
    return [np.stack([random.permutation(many) for _ in range(draws)]) for many in nets]


def kept(
    errors: Sequence[Array], weight: Array, counts: Sequence[int], order: Sequence[Ints]
) -> dict[str, Array]:
    """Means over draws (R, K) of what `combined` returns (of "weights" geometric ones), for R nets
    with the errors (T, P) of their tickets; of each order the first ones are kept.
    """
    rows = list[dict[str, Array]]()
    for one, drawn in zip(errors, order, strict=True):
        found = [combined(one[drawn[:, :count]], weight) for count in counts]
        rows.append(
            {
                name: np.array([_mean(each[name], name == "weights") for each in found])
                for name in found[0]
            }
        )
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _mean(values: Array, geometric: bool = False) -> float:
    return float(np.exp(np.log(values).mean()) if geometric else values.mean())


def kept_of_nets(nets: Ensemble, counts: Sequence[int], draws: int, fitted: bool = True) -> Kept:
    """Tickets of trained nets, kept at random; `fitted`: also with 2K free output weights.

    Raises DataError where fewer than LEAST_NETS nets have as many tickets as the largest count.
    """
    nets = nets.select(np.isfinite(nets.loss))
    apart, most = taken_apart(nets), max(counts)
    useful = apart.working.useful()
    rows = np.flatnonzero((useful.sum(axis=1) >= most) & (apart.living.sum(axis=1) >= 2 * most))
    if len(rows) < LEAST_NETS:
        raise DataError(
            f"{len(rows)} of {len(nets)} nets of width {nets.config.width} have {most} tickets; "
            f"{LEAST_NETS} are needed: train more seeds, or ask for fewer tickets"
        )
    errors = [apart.working.errors[row, useful[row]] for row in rows]
    tickets = [apart.working.pairs[row, useful[row]] for row in rows]
    living = [np.flatnonzero(apart.living[row]) for row in rows]
    order = orders([*map(len, tickets)], draws)
    found = kept(errors, apart.working.weight, counts, order)
    every = [combined(one[None], apart.working.weight) for one in errors]
    neurons = {
        "tickets": [one[o].reshape(draws, -1) for one, o in zip(tickets, order, strict=True)],
        "random": [
            one[o] for one, o in zip(living, orders([*map(len, living)], draws), strict=True)
        ],
    }
    for way, of_nets in neurons.items() if fitted else ():
        found[way] = np.array(
            [
                [_refitted(nets, row, some[:, : 2 * count]) for count in counts]
                for row, some in zip(rows.tolist(), of_nets, strict=True)
            ]
        )
    return Kept(
        counts=np.array(counts),
        losses={way: found[way] for way in (*COMBINED, *FITTED) if way in found},
        weight=found["weights"],
        independent=found["independent"],
        every={way: np.concatenate([one[way] for one in every]) for way in every[0]},
        trained=nets.loss[rows],
        left_out=len(nets) - len(rows),
    )


def _refitted(nets: Ensemble, row: int, neurons: Ints) -> float:
    """Mean loss over draws of neurons (B, n) of one net with the best output weights."""
    data, weight = nets.data, nets.data.weight / nets.data.weight.sum()
    response = hidden(nets.activation, nets.w[row][neurons], nets.b[row][neurons], data.x)
    return float(((output_layer(response, data.y, weight).output - data.y) ** 2 @ weight).mean())
