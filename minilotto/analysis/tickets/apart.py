"""Nets of one width taken apart into mirror pairs, each studied by itself."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import spearmanr

from minilotto.analysis.stats.bootstrap import Estimate, median_interval
from minilotto.analysis.tickets.disentangling import ALIKE, NUMERICAL, Disentangled, disentangle
from minilotto.analysis.tickets.error_shapes import ErrorShapes, error_shapes
from minilotto.analysis.tickets.tickets import alive, pair_neurons
from minilotto.ensemble.ensemble import Ensemble
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown

__all__: list[str] = []

LEVEL = 0.95
NONE = Estimate(float("nan"), float("nan"), float("nan"), LEVEL)
PREDICTORS = {"span": "both weights free", "output": "the net's weights"}
COUNTS = {
    "participation": "participation ratio",
    "entropy": "exp(entropy)",
    "numerical": f"eigenvalues above {NUMERICAL:.0%} of the largest",
    "groups": f"groups with |correlation| above {ALIKE:g}",
}


@dataclass(frozen=True, eq=False)
class Apart(Shown):
    """The mirror pairs of R nets of one width N.

    living, unpaired: neurons (R, N) that are alive, and those without a partner; apart: the pairs
    with each of PREDICTORS; working: that with free weights, where pairs of two dead neurons, whose
    errors are rounding, do not count; counts: independent pairs by predictor and way of counting,
    medians over nets that have one; useless, both_dead: fractions (R,) of the pairs that explain
    less than USELESS, and that are two dead neurons; dead_useless: fraction of all useless pairs
    that are two dead neurons; shapes: of the errors of the useful pairs; mirror: rank correlation,
    over useful pairs, of the distance from mirror symmetry with the cubic fraction of the error.
    """

    nets: Ensemble
    living: NDArray[np.bool_]
    unpaired: NDArray[np.bool_]
    apart: dict[str, Disentangled]
    working: Disentangled
    counts: dict[tuple[str, str], Estimate]
    useless: Array
    both_dead: Array
    dead_useless: float
    shapes: ErrorShapes
    mirror: float

    @property
    def typical(self) -> int:
        """The net of the median loss."""
        return int(np.argsort(self.nets.loss)[len(self.nets) // 2])


def taken_apart(nets: Ensemble) -> Apart:
    """Pairs neurons that are near mirror images, and studies each pair by itself. Nets are of one
    input.

    Paper: appendix C, figure 12; it pairs visually, this by least cost.
    """
    living = alive(nets.activation, nets.parameters, nets.data)
    pairing = pair_neurons(nets.w, nets.b)
    given = nets.activation, nets.parameters, pairing.pairs, nets.data
    apart = {kind: disentangle(*given, kind) for kind in PREDICTORS}
    span = apart["span"]
    row = np.arange(len(nets))[:, None, None]
    dead = ~np.any(living[row, pairing.pairs], axis=2) & ~span.incomplete
    useless = ~span.useful() & ~span.incomplete
    working = {kind: replace(one, r2=np.where(dead, 0.0, one.r2)) for kind, one in apart.items()}
    counts = {}
    for kind, one in working.items():
        ranks = one.ranks()
        some = ranks.groups > 0  # nets without a useful pair have no number of independent ones
        for count in COUNTS:
            counts[kind, count] = median_estimate(np.where(some, getattr(ranks, count), np.nan))
    whole, none = np.count_nonzero(~span.incomplete, axis=1), np.full(len(nets), np.nan)
    shapes = error_shapes(working["span"], nets.data.x[:, 0])
    size = np.abs(nets.w[row, pairing.pairs, 0].astype(np.float64)).mean(axis=2)
    useful = working["span"].useful()
    return Apart(
        nets=nets,
        living=living,
        unpaired=pairing.unpaired,
        apart=apart,
        working=working["span"],
        counts=counts,
        useless=span.useless_share(),
        both_dead=np.divide(dead.sum(axis=1), whole, out=none, where=whole > 0),
        dead_useless=float((useless & dead).sum() / max(int(useless.sum()), 1)),
        shapes=shapes,
        mirror=_rank_correlation(pairing.distance[useful] / size[useful], shapes.cubic[useful]),
    )


def _rank_correlation(first: Array, second: Array) -> float:
    """Spearman's, NaN for fewer than three values or constant ones."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)


def whole_pairs(apart: Disentangled) -> Array:
    """R^2 (R, K) of the pairs of two neurons, NaN where a partner is missing."""
    return np.where(apart.incomplete, np.nan, apart.r2)


def median_estimate(values: Array) -> Estimate:
    """Median over nets with its 95% bootstrap interval, without NaN; NaN where all are."""
    return median_interval(values) if np.isfinite(values).any() else NONE


def mean_estimate(values: Array) -> Estimate:
    """Mean over nets without NaN, with the 95% normal interval of its standard error, infinite for
    one or two.
    """
    kept = values[np.isfinite(values)]
    if not kept.size:
        return NONE
    error = kept.std(ddof=1) / np.sqrt(kept.size) if kept.size > 2 else np.inf
    mean, reach = float(kept.mean()), float(ndtri((1 + LEVEL) / 2) * error)
    return Estimate(mean, mean - reach, mean + reach, LEVEL)
