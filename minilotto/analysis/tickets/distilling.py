"""Narrow nets made of neurons of wide ones in several ways, and their losses. Paper: figure 13."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from minilotto.analysis.tickets.tickets import alive, pair_neurons
from minilotto.data.dataset import sampled
from minilotto.ensemble.distillation import Distilled, distill_pairs, distill_path, refit
from minilotto.ensemble.ensemble import Ensemble
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.settings.activations import ACTIVATIONS
from minilotto.settings.arrays import Array
from minilotto.settings.config import Config
from minilotto.settings.display import Shown

__all__: list[str] = []

KEPT = (1, 2, 3, 4, 6, 10)  # neurons that are kept
DIGITS = 80  # of exact arithmetic; 3 columns alike to 1e-10 need some 50
SOME = 100  # nets that are cut down to several widths
EQ11 = {"w": (-5.9e-8, 1.2e-5), "b": (-2.8e-7, 7.6e-5), "v": (5.5e12, 2.6e10), "c": (-2.2e5,)}
WAYS = {
    "pairs": "best mirror pair, refitted",
    "output": "pair of the best own output, refitted",
    "living": "best pair of living neurons, refitted",
    "untrained": "best pair before training, refitted",
    "keep": "best mirror pair, subnormals kept",
}


@dataclass(frozen=True, eq=False)
class Way(Shown):
    """Nets of width 2, each made of a pair of neurons of one of R wide nets, last layer refitted;
    and how many (R,) of the two neurons do something in the wide net.
    """

    label: str
    seeds: NDArray[np.int64]
    nets: Distilled
    living: NDArray[np.intp]

    @property
    def loss(self) -> Array:
        return self.nets.loss

    def below(self, loss: float) -> NDArray[np.bool_]:
        """Which nets (R,) are below a loss even with the largest rounding error added."""
        return self.nets.loss + self.nets.rounding < loss


def ways(wide: Ensemble, kept: Ensemble | None) -> dict[str, Way]:
    """Nets of width 2 by each of WAYS, from finite wide nets and the same trained with float32's
    subnormal numbers kept; None leaves that way out.

    Paper: appendix D, where the pair is chosen by R². Differs: other pairs are there to compare.
    """
    start = initial_parameters(wide.config, wide.data.inputs, wide.seeds)
    trained, living = wide.parameters, alive(wide.activation, wide.parameters, wide.data)
    found = {
        "pairs": _way("pairs", wide, trained),
        "output": _way("output", wide, trained, predictor="output"),
        "living": _way("living", wide, trained, among=living),
        "untrained": _way("untrained", wide, start),
    }
    return found if kept is None else {**found, "keep": _way("keep", kept, kept.parameters)}


def _way(
    name: str,
    nets: Ensemble,
    parameters: Parameters,
    among: NDArray[np.bool_] | None = None,
    predictor: str = "span",
) -> Way:
    pairs = pair_neurons(parameters.w, parameters.b, among=among).pairs
    found = distill_pairs(nets.activation, parameters, pairs, nets.data, predictor)
    living = alive(nets.activation, parameters, nets.data)
    chosen = np.take_along_axis(living, np.maximum(found.chosen, 0), axis=1) & (found.chosen >= 0)
    return Way(WAYS[name], nets.seeds, found, chosen.sum(axis=1))


def curves(
    wide: Ensemble, trained: Mapping[int, Ensemble]
) -> dict[str, list[tuple[int, float, float, float]]]:
    """Loss against the number of neurons, (neurons, 5% quantile, median, 95% quantile), of nets
    that are "distilled" from the first SOME wide ones, "trained", and trained with the last layer
    "refitted".
    """
    few = wide.select(np.arange(min(SOME, len(wide))))
    path = distill_path(few.activation, few.parameters, list(KEPT), few.data)
    again = {}
    for width, nets in trained.items():
        w, b = (np.asarray(part, np.float64)[:SOME] for part in (nets.w, nets.b))
        again[width] = refit(nets.activation, w, b, nets.data).loss
    losses = {
        "distilled": {width: one.loss for width, one in zip(KEPT, path, strict=True)},
        "trained": {width: nets.loss for width, nets in trained.items()},
        "refitted": again,
    }
    return {
        name: [(k, *np.nanquantile(loss, (0.05, 0.5, 0.95)).tolist()) for k, loss in found.items()]
        for name, found in losses.items()
    }


def equation_11() -> dict[str, float]:
    """Loss of x² on 100 points from Eq. 11's first layer, which states 1.6e-19, by several ways of
    finding v and c: least squares in DIGITS digits, which is exact to all that are printed; with
    columns centred and scaled, scaled, plain, and plain in float32; and v and c as printed. All but
    the first depend on rounding.
    """
    data, value = sampled(Config()), ACTIVATIONS["silu"].value
    w, b = np.array(EQ11["w"])[None, :, None], np.array(EQ11["b"])[None]
    columns = np.concatenate([value(data.x @ w[0].T + b[0]), np.ones((data.points, 1))], axis=1)
    single = columns.astype(np.float32), data.y.astype(np.float32)
    scale = np.linalg.norm(columns, axis=0)

    def loss(solution: Array) -> float:
        return float(np.mean((columns @ solution - data.y) ** 2))

    return {
        f"in {DIGITS} digits": _exactly(),
        "centred and scaled": float(refit(ACTIVATIONS["silu"], w, b, data).loss[0]),
        "scaled": loss(np.linalg.lstsq(columns / scale, data.y, rcond=None)[0] / scale),
        "plain": loss(np.linalg.lstsq(columns, data.y, rcond=None)[0]),
        "plain, float32": loss(np.linalg.lstsq(*single, rcond=None)[0].astype(np.float64)),
        "v and c as printed": loss(np.array([*EQ11["v"], *EQ11["c"]])),
    }


def _exactly() -> float:
    """The least loss that Eq. 11's printed w and b allow, by normal equations in DIGITS digits."""
    with localcontext() as context:
        context.prec = DIGITS
        x = [Decimal(-2) + Decimal(4 * i) / 99 for i in range(100)]
        columns = [[z * z for z in x]]
        for slope, bias in zip(EQ11["w"], EQ11["b"], strict=True):
            inside = [Decimal(repr(slope)) * each + Decimal(repr(bias)) for each in x]
            columns.append([z / (1 + (-z).exp()) for z in inside])
        for column in columns:
            mean = sum(column, Decimal(0)) / 100
            column[:] = [value - mean for value in column]
        (yy, ya, yb), (_, aa, ab), (_, _, bb) = [
            [sum(map(Decimal.__mul__, one, other), Decimal(0)) for other in columns]
            for one in columns
        ]
        # What Gram's matrix leaves of y² after a and b, as a ratio of its determinants.
        pair = aa * bb - ab * ab
        left = yy - (ya * ya * bb - 2 * ya * yb * ab + yb * yb * aa) / pair
        return float(left / 100)
