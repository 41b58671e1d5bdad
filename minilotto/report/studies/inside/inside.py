"""Study: tickets of one net, kept at random and combined: does any way of it give 1/K?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls

from minilotto.analysis.ensembling.ensembling import gram, optimal_weights, orthogonal_loss
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.draws import exponent_over_draws
from minilotto.analysis.tickets.apart import median_estimate, taken_apart
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import hidden, output_layer
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Claim, Outcome, tally
from minilotto.report.figure import PAPER_COUNTS, Source, Table, commas, training_words
from minilotto.report.rules import LEVEL, factor
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.settings.arrays import Array, Ints
from minilotto.store.grid import Sweep

PAPER = "the paper's protocol"
JUDGED = ("average", "positive", "gram")
COLUMNS = {
    "losses": "width, training, nets, combined, tickets, loss, low, high",
    "exponents": "width, training, combined, exponent, low, high",
    "tickets": "width, training, tickets, sum of absolute best weights, low, high, independent, "
    "independent low, independent high, best / Eq. 9 for the independent, ratio low, ratio high",
    "whole": "width, training, nets, too few tickets, trained loss, low, high, trained / Eq. 9, "
    "Eq. 9 low, Eq. 9 high, trained / non-negative, non-negative low, non-negative high, "
    "independent of all, independent low, independent high, independent in the paper",
}


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
    made = [
        [combined(one[drawn[:, :count]], weight) for count in counts]
        for one, drawn in zip(errors, order, strict=True)
    ]
    every = {name: np.array([[e[name] for e in row] for row in made]) for name in made[0][0]}
    means = {name: values.mean(axis=2) for name, values in every.items()}
    return {**means, "weights": np.exp(np.log(every["weights"]).mean(axis=2))}


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
    any_order = orders([*map(len, living)], draws)
    for way, things, drawn in (("tickets", tickets, order), ("random", living, any_order)):
        if fitted:
            each = zip(rows.tolist(), things, drawn, strict=True)
            some = [(row, one[o].reshape(draws, -1)) for row, one, o in each]
            found[way] = np.array(
                [[_refitted(nets, row, n[:, : 2 * k]) for k in counts] for row, n in some]
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
    _, _, output, _ = output_layer(response, data.y, weight)
    return float(((output - data.y) ** 2 @ weight).mean())


@dataclass(frozen=True)
class InsideSettings(Settings):
    widths: tuple[int, ...] = default((30, 50, 100), quick=(50,))
    main: int = 50  # the width that is also trained otherwise
    counts: tuple[int, ...] = (1, 2, 3, 4, 6, 8)  # numbers K of tickets kept, from 1 on
    draws: int = 8  # of tickets, for each net
    rates: tuple[float, ...] = (0.003, 0.03)  # other than the paper's
    longer: int = 4  # times as many steps
    points: int = 1000  # other than the paper's

    def sweeps(self) -> list[Sweep]:
        if min(self.counts, default=0) < 1 or max(self.counts) < 2:
            raise ConfigError(
                f"counts={self.counts!r} are no numbers of tickets to compare; give whole "
                "numbers from 1 on, such as (1, 2, 4)"
            )
        return [*self.trainings().values()]

    def trainings(self) -> dict[str, Sweep]:
        """The trainings by name, the paper's protocol first."""

        def sweep(times: int = 1, **fields: Any) -> Sweep:
            fields = {"widths": (self.main,), **scheduled(times * self.steps), **fields}
            return Sweep(self.seeds, **fields)

        widths = tuple(sorted({*self.widths, self.main}))
        return {
            PAPER: sweep(widths=widths),
            **{f"rate {rate:g}": sweep(lr=rate) for rate in self.rates},
            f"{self.longer * self.steps:,} steps": sweep(self.longer),
            "float64": sweep(dtype="float64"),
            f"{self.points:,} points": sweep(points=self.points),
        }


class Inside(Study):
    """Losses of K tickets of a net by way of combining, their exponents, and what the best weights
    and the trained net are beside them.
    """

    name = "inside"
    settings_type = InsideSettings

    def __init__(self, source: Source, settings: InsideSettings) -> None:
        s = self.settings = settings
        self.left_out = list[str]()
        self.found: dict[tuple[str, int], Kept] = {}
        trained = []
        for name, sweep in s.trainings().items():
            for width, nets in source.by_width(sweep).items():
                try:
                    self.found[name, width] = kept_of_nets(nets, s.counts, s.draws, name == PAPER)
                except DataError as error:
                    self.left_out.append(f"{name}: {error}")
                else:
                    trained += [nets] * (name == PAPER)
        if not self.widths:
            none = f"no nets of widths {commas(s.widths)} are there; train them, as in "
            none += f"Inside.run(widths=({s.main},), seeds=100)"
            raise DataError("; ".join(self.left_out) or none)
        self.training = training_words(trained)

    @property
    def widths(self) -> dict[int, Kept]:
        """What was found by the paper's protocol, by width."""
        return {width: one for (name, width), one in self.found.items() if name == PAPER}

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {**super().facts(), "long": s.longer * s.steps, "training": self.training}

    def headline(self) -> str:
        width = self.settings.main if self.settings.main in self.widths else max(self.widths)
        one = self.widths[width]
        ways = (*JUDGED, "equation 9")
        average, positive, gram, equation = (f"K^-{one.exponent(way):.2f}" for way in ways)
        most = one.counts[-1]
        size, count = (one.by_count(v)[most].value for v in (one.weight, one.independent))
        return (
            f"The loss of K tickets of a net of width {width}, kept at random, falls as {average} "
            f"if they are averaged, as {positive} with the best non-negative weights (Eq. 9 for "
            f"tickets of such unequal quality: {equation}) and as {gram} with the best weights of "
            f"any sign; at K = {most} the absolute values of these sum to {size:.2g} (of an "
            f"average: 1), and {count:.1f} tickets are independent."
        )

    def tables(self) -> list[Table]:
        rows: dict[str, list[Sequence[Any]]] = {name: [] for name in COLUMNS}
        for (name, width), one in self.found.items():
            place, nets = (width, name), len(one.trained)
            for way, losses in one.losses.items():
                for count, loss in one.by_count(losses).items():
                    rows["losses"].append((*place, nets, way, count, loss))
                rows["exponents"].append((*place, way, one.exponent(way)))
            parts = [one.by_count(v) for v in (one.weight, one.independent, one.footnote)]
            rows["tickets"] += [(*place, k, *(part[k] for part in parts)) for k in parts[0]]
            ratios = (one.trained / one.every[way] for way in ("equation 9", "positive"))
            values = (one.trained, *ratios, one.every["independent"])
            whole = (*map(median_estimate, values), PAPER_COUNTS.get(width))
            rows["whole"].append((*place, nets, one.left_out, *whole))
        return [Table.of(name, COLUMNS[name], some) for name, some in rows.items()]

    def claim_average(self, claim: Claim) -> Outcome:
        way = "equation 9" if claim.key == "equal" else claim.key
        found = {f"N = {width}": one.exponent(way) for width, one in self.widths.items()}
        return tally(found, claim.near, "exponent: ")

    claim_positive = claim_gram = claim_equal = claim_average

    def claim_footnote(self, claim: Claim) -> Outcome:
        return tally(self._each(lambda one: one.footnote), claim.similar)

    def claim_selection(self, claim: Claim) -> Outcome:
        found = self._each(lambda one: one.losses["best"] / one.losses["positive"])
        return tally(found, lambda one: factor(one, 0.0, claim["similar"]))

    def claim_weights(self, claim: Claim) -> Outcome:
        found = self._each(lambda one: one.weight)
        return tally(found, lambda one: factor(one, 0.0, claim["same"]))

    def claim_trained(self, claim: Claim) -> Outcome:
        return tally(self._whole("equation 9"), claim.similar)

    def claim_signs(self, claim: Claim) -> Outcome:
        return tally(self._whole("positive"), lambda one: factor(one, 1 / claim["same"], np.inf))

    def claim_units(self, claim: Claim) -> Outcome:
        found = self._each(lambda one: one.losses["random"] / one.losses["tickets"], first=1)
        return tally(found, lambda one: factor(one, claim["similar"], np.inf))

    def _whole(self, way: str) -> dict[str, Estimate]:
        """The loss of the nets over that of all their useful tickets, combined."""
        every = {width: one.trained / one.every[way] for width, one in self.widths.items()}
        return {f"N = {width}": median_estimate(one) for width, one in every.items()}

    def _each(self, what: Callable[[Kept], Array], first: int = 2) -> dict[str, Estimate]:
        """Medians for each width and number of tickets, from `first` on."""
        return {
            f"N = {width}, K = {count}": number
            for width, one in self.widths.items()
            for count, number in one.by_count(what(one)).items()
            if count >= first
        }

    def claim_controls(self, claim: Claim) -> Outcome:
        usual = self.widths.get(self.settings.main)
        changes = {
            f"{way}, {name}": difference(one.exponent(way), usual.exponent(way))
            for (name, width), one in self.found.items()
            for way in JUDGED
            if usual and name != PAPER and width == self.settings.main
        }
        return tally(changes, claim.unchanged)
