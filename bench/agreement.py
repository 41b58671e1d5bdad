"""Before anything is timed: does every contestant compute the same thing?

The bounds are first-order rounding bounds of float32 (unit roundoff u = 2^-24), so that they need
no tuning and leave a wrong formula nowhere to hide.
"""

import numpy as np

from bench.work import Contestant, Minilotto, Work
from minilotto.initialisation import Parameters
from minilotto.oracles import numpy_reference

UNIT_ROUNDOFF = 2.0**-24
STEPS = 10  # of the short training
OUTLIERS = 0.01  # share of coordinates whose gradient may pass close to zero in it


class Disagreement(Exception):
    """A contestant computes something else. The message says who, what and by how much."""


def relative_rounding(work: Work) -> float:
    """(P + N + 16) u: a sum over P points of terms that hold a sum over N neurons, added in any
    order; 16 for what makes a term.

    It is relative to the sum of the terms' magnitudes.
    """
    return (work.data.points + work.config.width + 16) * UNIT_ROUNDOFF


def rounding_bounds(work: Work) -> tuple[np.ndarray, Parameters]:
    """How far float32 may be off: losses (R,), and gradients shaped as the parameters.

    Every factor of a term is replaced by the magnitude of what it is summed from: the residual f -
    y by sum |v sigma| + |c| + |y|, sigma by |w x| + |b| (never less than |sigma|, and it bounds the
    error that z brings), sigma' by its maximum, 1.1.
    """
    w, b, v, c = (np.abs(a.astype(np.float64)) for a in work.parameters)
    x, y = np.abs(work.data.x[:, 0]), np.abs(work.data.y)
    value = w * x + b[:, :, None]
    residual = np.einsum("rn,rnp->rp", v, value) + c[:, None] + y
    df = 2 * work.data.weight * residual
    gamma = 2 * relative_rounding(work)
    slope = 1.1 * gamma * v
    gradient = Parameters(
        (slope * (df @ x)[:, None])[:, :, None],
        slope * df.sum(axis=1)[:, None],
        gamma * np.einsum("rp,rnp->rn", df, value),
        gamma * df.sum(axis=1),
    )
    return gamma * (work.data.weight * residual**2).sum(axis=1), gradient


def check_gradient(contestant: Contestant, work: Work) -> float:
    """Loss and gradient at the initial parameters against `kernels.reference` in float64. Returns
    the worst error over its bound.

    The gradient is read from Adam's first moment after one step, (1 - beta1) g, so that what is
    checked is the very program that is timed. Raises Disagreement.
    """
    config, data = work.config, work.data
    w, b, v, c = (a.astype(np.float64) for a in work.parameters)
    loss, gradient = numpy_reference.loss_and_gradient(
        config.activation, w, b, v, c, data.x, data.y, data.weight
    )
    loss_bound, bounds = rounding_bounds(work)
    contestant.start()
    worst = _worst(contestant, work, "loss", contestant.losses(), loss, loss_bound)
    contestant.advance(1)
    for name, moment, want, bound in zip(
        ("dw", "db", "dv", "dc"), contestant.first_moment(), gradient, bounds, strict=True
    ):
        got = moment.astype(np.float64) / (1 - config.beta1)
        worst = max(worst, _worst(contestant, work, name, got, want, bound))
    return worst


def _worst(
    contestant: Contestant,
    work: Work,
    name: str,
    got: np.ndarray,
    want: np.ndarray,
    bound: np.ndarray,
) -> float:
    share = float(np.max(np.abs(got - want) / bound))
    if not share <= 1:  # NaN must fail, too
        raise Disagreement(
            f"{_who(contestant, work)}: {name} is {share:.3g} times its rounding bound away from "
            "the reference"
        )
    return share


def check_training(contestant: Contestant, work: Work) -> float:
    """Ten Adam steps against minilotto's engine. Returns the worst distance over its bound. Raises
    Disagreement.

    Adam moves each coordinate by about lr a step, whatever its gradient's size, so a gradient's
    error counts relative to itself: where |g| is a share q of what it is made from, the move errs
    by lr gamma / q. Gradients have a smooth density, so about a share q lies below q. Hence: all
    but 1 % of each array's coordinates within steps * lr * gamma / 1 %.
    """
    ours = Minilotto(work)
    for one in (ours, contestant):
        one.start()
        one.advance(STEPS)
    bound = STEPS * work.config.lr * relative_rounding(work) / OUTLIERS
    worst = 0.0
    for name, got, want in zip("wbvc", contestant.parameters(), ours.parameters(), strict=True):
        distance = float(np.quantile(np.abs(got - want), 1 - OUTLIERS))
        if not distance <= bound:
            raise Disagreement(
                f"{_who(contestant, work)}: after {STEPS} steps, 1 % of {name} differ from "
                f"minilotto's by {distance:.3g} or more "
                f"(bound {bound:.3g})"
            )
        worst = max(worst, distance / bound)
    return worst


def _who(contestant: Contestant, work: Work) -> str:
    return f"{contestant.family} ({contestant.way}), width {work.config.width}"
