"""The neurons of one wide net in the plane of w and b: their curve, and its symmetry."""

from dataclasses import dataclass

import numpy as np

from minilotto.analysis.tickets.attractor import Attractor, attractor, correlation_dimension
from minilotto.analysis.tickets.mirror import mirror_symmetry
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown

__all__: list[str] = []


@dataclass(frozen=True, eq=False)
class Cloud(Shown):
    """First-layer weights and biases (n,) of neurons, and measures of their shape: the running
    median of b against |w|, the correlation dimension (1 for a curve, 2 for an area), and what
    `mirror_symmetry` finds.
    """

    w: Array
    b: Array
    curve: Attractor
    dimension: float
    coefficient: float
    p_asymmetric: float
    p_paired: float

    def distance(self, abs_w: Array, right: Array, left: Array) -> float:
        """Root mean square distance of the running medians on either side from a curve: |w|, and b
        for w > 0 and for w < 0, each (K,); over the places that the neurons reach.
        """
        sides = ((self.w > 0, right), (self.w < 0, left))
        gaps = [attractor(self.w[side], self.b[side]).at(abs_w) - b for side, b in sides]
        return float(np.sqrt(np.nanmean(np.concatenate(gaps) ** 2)))


def measure_cloud(w: Array, b: Array, tested: int = 3000, seed: int = 0) -> Cloud:
    """The cloud of living neurons of one net of one input. Symmetry is tested on `tested` of them,
    at random, at a quadratic cost.

    Paper: section 3, figure 2a.
    """
    some = np.random.default_rng(seed).permutation(len(w))[:tested]
    symmetry = mirror_symmetry(w[None, some], b[None, some])
    return Cloud(
        w=w,
        b=b,
        curve=attractor(w, b),
        dimension=correlation_dimension(w, b),
        coefficient=float(symmetry.coefficient[0]),
        p_asymmetric=float(symmetry.p_asymmetric[0]),
        p_paired=float(symmetry.p_paired[0]),
    )
