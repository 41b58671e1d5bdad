"""Losses of piecewise linear nets of one input on many points, from cumulative moments."""

import numpy as np

from minilotto.data.dataset import Dataset
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array


class PiecewiseLosses:
    """sum_p weight_p (f(x_p) - y_p)^2 for f of one input that is linear between its breakpoints.

    Between two of them f = alpha x + beta, and the points there add alpha^2 M_xx + 2 alpha beta M_x
    + beta^2 M_1 - 2 alpha M_xy - 2 beta M_y + M_yy, with moments M of these points: differences of
    sums in extended precision, where the machine has it, so that the terms may cancel down to some
    1e-18 of the labels' variance. The cost of a net does not grow with the number of points.
    """

    def __init__(self, data: Dataset) -> None:
        order = np.argsort(data.x[:, 0], kind="stable")
        x, y, weight = (
            array[order].astype(np.longdouble) for array in (data.x[:, 0], data.y, data.weight)
        )
        self.x = data.x[order, 0]
        self.mean = float(weight @ y / weight.sum())
        y = y - self.mean
        terms = np.stack([weight, weight * x, weight * x * x, weight * y, weight * x * y], axis=1)
        self.sums = np.concatenate([np.zeros((1, 5), np.longdouble), np.cumsum(terms, axis=0)])
        self.labels = np.sum(weight * y * y)

    def __call__(self, activation: Activation, parameters: Parameters) -> Array:
        """Losses (R,) of R nets; NaN where a parameter is not finite."""
        rows = zip(*(array.astype(np.float64) for array in parameters), strict=True)
        return np.array([self._one(activation, w[:, 0], b, v, float(c)) for w, b, v, c in rows])

    def _one(self, activation: Activation, w: Array, b: Array, v: Array, c: float) -> float:
        if not all(np.isfinite(array).all() for array in (w, b, v, c)):
            return float("nan")
        low, high = self.x[0] - 1.0, self.x[-1] + 1.0
        bends = -b[w != 0] / w[w != 0]
        edges = np.concatenate([[low], np.sort(bends[(bends > low) & (bends < high)]), [high]])
        middle = (edges[1:] + edges[:-1]) / 2
        slope = activation.slope(np.multiply.outer(middle, w) + b)
        alpha = (slope @ (v * w)).astype(np.longdouble)
        beta = (slope @ (v * b) + (c - self.mean)).astype(np.longdouble)
        inner = np.searchsorted(self.x, edges[1:-1])
        between = np.concatenate([[0], inner, [len(self.x)]])
        m_1, m_x, m_xx, m_y, m_xy = np.diff(self.sums[between], axis=0).T
        total = alpha * (alpha * m_xx + 2 * beta * m_x - 2 * m_xy) + beta * (beta * m_1 - 2 * m_y)
        return float(np.maximum(total.sum() + self.labels, 0.0))
