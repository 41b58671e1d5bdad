"""The neurons of one wide net in the plane of w and b: their curve, and its symmetry."""

from dataclasses import dataclass

import numpy as np

from minilotto.analysis.tickets.attractor import Attractor, attractor, correlation_dimension
from minilotto.analysis.tickets.mirror import mirror_symmetry
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown


@dataclass(frozen=True, eq=False)
class Cloud(Shown):
    """First-layer weights and biases of n neurons, and measures of their shape.

    Parameters
    ----------
    w, b : (n,) ndarray of float64
    curve : Attractor
        Running median of b against |w|.
    dimension : float
        Correlation dimension, 1 for a curve and 2 for an area.
    coefficient, p_asymmetric, p_paired : float
        Of `mirror_symmetry`.
    """

    w: Array
    b: Array
    curve: Attractor
    dimension: float
    coefficient: float
    p_asymmetric: float
    p_paired: float

    def distance(self, abs_w: Array, right: Array, left: Array) -> float:
        """Root mean square distance of the running medians on either side from a given curve.

        Parameters
        ----------
        abs_w, right, left : (K,) ndarray of float64
            The curve: |w|, and b for w > 0 and for w < 0.

        Returns
        -------
        float
            Over the places that the neurons reach.
        """
        sides = ((self.w > 0, right), (self.w < 0, left))
        gaps = [attractor(self.w[side], self.b[side]).at(abs_w) - b for side, b in sides]
        return float(np.sqrt(np.nanmean(np.concatenate(gaps) ** 2)))


def measure_cloud(w: Array, b: Array, tested: int = 3000, seed: int = 0) -> Cloud:
    """Measures the cloud of some neurons.

    Parameters
    ----------
    w, b : (n,) ndarray of float64
        Living neurons of one net of one input.
    tested : int
        Neurons, chosen at random, on which symmetry is tested at a quadratic cost.
    seed : int
        Of that choice.

    Returns
    -------
    Cloud

    References
    ----------
    Section 3, figure 2a.
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
