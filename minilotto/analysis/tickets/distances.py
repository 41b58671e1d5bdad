"""Distances of narrow nets by what their neurons add, over orders of neurons and symmetries."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from minilotto.analysis.tickets.symmetries import TargetSymmetry
from minilotto.data.dataset import Dataset
from minilotto.ensemble.last_layer import hidden
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks, check_one_layer

__all__: list[str] = []

IDLE = 1e-3  # of the target's spread: a neuron that adds less is idle
BLOCK = 2**22  # neuron pairs whose distances are held at a time


def contributions(activation: Activation, parameters: Parameters, data: Dataset) -> Array:
    """g_i(x_p) = v_i sigma(w_i x_p + b_i) less its weighted mean over the points: (R, N, P)."""
    check_one_layer("an analysis of neurons", parameters.depth)
    response = hidden(activation, parameters.w, parameters.b, data.x)
    g = np.asarray(parameters.v, np.float64)[:, :, None] * response
    return np.asarray(g - (g @ (data.weight / data.weight.sum()))[:, :, None])


@dataclass(frozen=True, eq=False)
class Scene(Shown):
    """R nets to be compared: g (R, N, P), their contributions times the root of the points'
    weights; the target's symmetries, the identity first; and its standard deviation, the spread.
    """

    g: Array
    symmetries: tuple[TargetSymmetry, ...]
    spread: float

    @cached_property
    def squares(self) -> Array:
        """(R, N) squared sizes of the contributions."""
        return np.asarray(np.einsum("rnp,rnp->rn", self.g, self.g))

    def costs(
        self,
        rows: slice | NDArray[np.intp],
        others: slice | NDArray[np.intp],
        symmetry: TargetSymmetry,
    ) -> Array:
        """Squared distances (N, N, rows, others) of some nets' neurons to images of others'."""
        here, there = self.g[rows], symmetry.sign * self.g[others][:, :, symmetry.order]
        square = self.squares[rows][:, :, None, None] + self.squares[others]
        costs: Array = np.maximum(square - 2 * np.tensordot(here, there, (2, 2)), 0.0)
        return np.asarray(costs.transpose(1, 3, 0, 2))

    def distances(self) -> Array:
        """Distances (R, R) of nets, least over orders and symmetries, in units of `spread`."""
        nets, width, _ = self.g.shape
        result = np.full((nets, nets), np.inf)
        for rows in blocks(nets, nets * width * width, BLOCK):
            for symmetry in self.symmetries:
                images = cheapest(self.costs(rows, slice(None), symmetry))
                result[rows] = np.minimum(result[rows], images)
        np.fill_diagonal(result, 0.0)
        return np.asarray(np.sqrt(np.minimum(result, result.T)) / self.spread)

    def asymmetry(self) -> Array:
        """Distance (R,) of each net to its nearest proper image, relative to its contributions'
        size; NaN where the target has no symmetry but the identity.
        """
        best = np.full(len(self.g), np.inf)
        for symmetry in self.symmetries[1:]:
            for i in range(len(self.g)):
                one = slice(i, i + 1)
                best[i] = min(best[i], cheapest(self.costs(one, one, symmetry))[0, 0])
        whole = self.squares.sum(axis=1)
        active = whole > (IDLE * self.spread) ** 2  # else a constant, which is its own image
        relative = np.divide(best, whole, out=np.zeros_like(best), where=active)
        return np.where(np.isfinite(best), np.sqrt(relative), np.nan)


def cheapest(costs: Array) -> Array:
    """The cheapest assignment (...) of N neurons to N, costs (N, N, ...), over sets of columns."""
    width = len(costs)
    best: dict[int, Array] = {0: np.zeros(costs.shape[2:])}
    for i in range(width):
        following: dict[int, Array] = {}
        for taken, so_far in best.items():
            for j in range(width):
                if not taken >> j & 1:
                    total, key = so_far + costs[i, j], taken | 1 << j
                    following[key] = np.minimum(following.get(key, np.inf), total)
        best = following
    return best[(1 << width) - 1]
