"""Second-order descent of trained nets in float64, and the precision it would need to go on."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from minilotto.data.dataset import Dataset
from minilotto.ensemble.distillation import refit
from minilotto.ensemble.last_layer import (
    EPSILON,
    NEAR,
    TO_ROUNDING,
    centred,
    checked_nets,
    directions,
    finite_nets,
    orthogonal,
    singular,
)
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_whole
from minilotto.settings.numbers import real_number

__all__ = ["Polished", "polish"]

VALLEY = 0.25  # terms grow as loss^-VALLEY down a valley: v ~ w^-2 and loss ~ w^8, see valley.py


@dataclass(frozen=True, eq=False)
class Polished(Shown):
    """Nets after Levenberg-Marquardt, in float64.

    Parameters
    ----------
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,).
    start, loss : (R,) ndarray of float64
        Before and after.
    evaluations : (R,) ndarray of int
        Of the net.
    cancellation : (R,) ndarray of float64
        Root mean square of sum_i |v_i sigma_i| + |c| over that of the output.
    rounding : (R,) ndarray of float64
        (eps times that sum)^2, the loss that rounding alone may make.
    """

    parameters: Parameters
    start: Array
    loss: Array
    evaluations: NDArray[np.intp]
    cancellation: Array
    rounding: Array

    @property
    def cancelled(self) -> NDArray[np.bool_]:
        """(R,) whether rounding ended the descent: a loss within NEAR times `rounding`."""
        return self.loss <= NEAR * self.rounding

    def digits(self, loss: float | None = None) -> Array:
        """Decimal digits of arithmetic (16 is float64) that keep rounding a hundredth of the error.

        log10(100 T / sqrt(loss)), T the root mean square of sum_i |v_i sigma_i| + |c|.

        Parameters
        ----------
        loss : float or None
            By default that of each net; or a lower one further down its valley, where T grows as
            loss^-VALLEY, for mirror pairs whose b keeps the quartic error at 0, as a descent does.

        Returns
        -------
        (R,) ndarray of float64

        Raises
        ------
        ConfigError
            For a loss not above 0.
        """
        terms, reached = np.sqrt(self.rounding) / EPSILON, self.loss
        if loss is not None:
            loss = real_number("loss", loss, "above 0", lambda x: x > 0)
            terms, reached = terms * (reached / loss) ** VALLEY, np.full_like(reached, loss)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log10(100.0 * terms) - 0.5 * np.log10(reached))


def polish(
    activation: Activation, parameters: Parameters, data: Dataset, evaluations: int = 500
) -> Polished:
    """Levenberg-Marquardt from each net over all of w, b, v and c, in float64.

    v and c are at their least squares at every step (variable projection), so the search is over w
    and b, with residuals r = P (y - offset) and Jacobian -P (v sigma' x, v sigma'), P the
    projection off (1, sigma_1 ... sigma_N). Over all parameters at once it takes hundreds of times
    as many steps: in the valleys that these nets lie in, w goes to 0 while v goes to infinity as
    w^-2. Such a valley has no minimum; the loss falls until cancellation stops it. The descent ends
    at a minimum, after `evaluations` of the net, or where rounding hides any further descent.

    Parameters
    ----------
    activation : Activation
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,); nets that are not finite stay so.
    data : Dataset
        Of D inputs and at least N (D + 1) points, weights at least 0.
    evaluations : int
        At least 1.

    Returns
    -------
    Polished

    Raises
    ------
    DataError
        For fewer points than weights and biases, negative weights, or shapes that do not fit.
    ConfigError
        For `evaluations` below 1.

    References
    ----------
    Golub and Pereyra 1973, Kaufman 1975. Paper: appendix D, where fine-tuning "seems impossible".

    Examples
    --------
    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=2000), seeds=4)
    >>> bool((polish(nets.activation, nets.parameters, nets.data).loss < 1e-6).any())
    True
    """
    check_whole("evaluations", evaluations, 1)
    raw = checked_nets(parameters, data)
    # v and c are fitted again, which would hide that they are not finite
    raw = raw._replace(w=np.where(finite_nets(raw)[:, None, None], raw.w, np.nan))
    nets, width, inputs = raw.w.shape
    if data.points < width * (inputs + 1):
        raise DataError(
            f"{data.points} points are fewer than the {width * (inputs + 1)} weights and biases "
            "of a net; pass more points"
        )
    before = refit(activation, raw.w, raw.b, data)
    start, spent = np.full(nets, np.nan), np.zeros(nets, np.intp)
    w, b = raw.w.copy(), raw.b.copy()
    for i in range(nets):
        net = Projected(activation, data, width)
        output = activation.value(data.x @ w[i].T + b[i]) @ raw.v[i] + raw.c[i]
        start[i] = data.weight @ (output - data.y) ** 2 + data.offset
        if not np.isfinite(before.loss[i]):
            continue
        theta = np.concatenate([w[i].ravel(), b[i]])
        end = least_squares(net.residual, theta, net.jacobian, max_nfev=evaluations, **TO_ROUNDING)
        spent[i] = end.nfev
        w[i], b[i] = net.split(end.x)
    after = refit(activation, w, b, data)
    better = after.loss <= before.loss  # a step that only rounding favoured is not taken
    w, b = np.where(better[:, None, None], w, raw.w), np.where(better[:, None], b, raw.b)
    best = refit(activation, w, b, data)
    return Polished(best.parameters, start, best.loss, spent, best.cancellation, best.rounding)


class Basis(NamedTuple):
    """The span of one net's responses at the points: pre-activations z (P, N), orthonormal rows q
    (K, P) that span the responses, `Projected.residual` (P,), and output weights v (N,) of least
    squares.
    """

    z: Array
    q: Array
    residual: Array
    v: Array


class Projected:
    """Residual and Jacobian of one net in theta, w (N, D) then b (N,); v and c are the best."""

    def __init__(self, activation: Activation, data: Dataset, width: int) -> None:
        self.activation, self.x, self.width = activation, data.x, width
        self.root = np.sqrt(data.weight / data.weight.sum())
        self.target = centred(data.y, self.root)
        self.last: tuple[bytes, Basis] | None = None

    def split(self, theta: Array) -> tuple[Array, Array]:
        """w (N, D) and b (N,)."""
        cut = self.width * self.x.shape[1]
        return theta[:cut].reshape(self.width, -1), theta[cut:]

    def residual(self, theta: Array) -> Array:
        """The target less its projection on 1 and the responses, times root weights: (P,)."""
        return self._at(theta).residual

    def jacobian(self, theta: Array) -> Array:
        """Kaufman's Jacobian J (P, N (D + 1)) of the residual r: exact in J^T r, and at r = 0."""
        here = self._at(theta)
        slope = -self.activation.slope(here.z) * here.v
        columns = np.concatenate(
            [(slope[:, :, None] * self.x[:, None, :]).reshape(len(self.x), -1), slope], axis=1
        )
        return np.asarray(orthogonal(centred(columns.T, self.root), here.q).T)

    def _at(self, theta: Array) -> Basis:
        key = theta.tobytes()
        if self.last is None or self.last[0] != key:
            w, b = self.split(theta)
            z = self.x @ w.T + b
            units, length = directions(self.activation.value(z).T, self.root)
            span = singular(units)
            left, values, q = span.left[:, span.kept], span.values[span.kept], span.right[span.kept]
            part = q @ self.target
            rest = self.target - part @ q
            more = q @ rest
            self.last = key, Basis(z, q, rest - more @ q, left @ ((part + more) / values) / length)
        return self.last[1]
