"""Misfit of a scaling law: the scatter of widths about it that seeds do not explain."""

import numpy as np

from minilotto.analysis.stats.laws import Law
from minilotto.settings.arrays import Array

__all__: list[str] = []

SCANNED = 16  # sizes of misfit that are tried at a time


def fitted_misfit(law: Law, x: Array, y: Array, variance: Array) -> tuple[float, float]:
    """Scatter tau of log loss y about a law beyond that of seeds, by maximum likelihood; and the
    logarithm of the likelihood there.

    Why not weights 1 / error^2 alone: with 1000 seeds a median is known to some percent and no
    simple law is true to that, so one width of little error would determine the fit, and
    differences of chi-square in the hundreds would declare one wrong law certain over another. With
    tau, many seeds give the widths equal weight (ordinary least squares), and few seeds give more
    to those with little error; the likelihood then measures how far the law misses the widths.
    """

    def log_likelihood(tau: Array) -> Array:
        total = variance + tau[:, None] ** 2
        many = np.broadcast_to(y, total.shape)
        rest = many - law.log_loss(law.solve(x, many, 1 / total), x)
        return np.asarray(-0.5 * np.sum(rest**2 / total + np.log(2 * np.pi * total), axis=1))

    # It may have two maxima, so grids are searched, three times finer: to about a percent of tau.
    low, high = 1e-2 * np.sqrt(variance.min()), max(float(np.ptp(y)), 1e-3)
    for _ in range(3):
        grid = np.geomspace(low, high, SCANNED)
        found = log_likelihood(grid)
        at = int(np.argmax(found))
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, SCANNED - 1)]
    none = log_likelihood(np.zeros(1))[0]
    return (float(grid[at]), float(found[at])) if found[at] > none else (0.0, float(none))


def corrected_aic(likelihood: float, parameters: int, widths: int) -> float | None:
    """-2 log L + 2 k + 2 k (k + 1) / (n - k - 1), n = W and k with tau; None for fewer than 2 k + 2
    widths.

    n counts widths, however many seeds each has: more seeds at the same widths say nothing of a law
    between and beyond them. With fewer than 2 k + 2 the correction exceeds the penalty that it
    corrects, and decides by itself: of seven widths from 10 to 50 every break, however large, is
    called a power law.
    """
    if widths < 2 * parameters + 2:
        return None
    correction = 2 * parameters * (parameters + 1) / (widths - parameters - 1)
    return -2 * likelihood + 2 * parameters + correction
