"""Trained tickets in the valley of mirror pairs, and how the loss falls along it."""

from dataclasses import dataclass

import numpy as np

from minilotto.analysis.tickets.valley import Descent, Valley
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer

__all__: list[str] = []

EQ2 = Parameters(  # the ticket that the paper prints in Eq. 2
    np.array([[[-0.83010483], [0.83010304]]]),
    np.array([[-1.16842330, -1.16842365]]),
    np.array([[5.68583536, 5.68586636]]),
    np.array([3.1539197]),
)
ASYMMETRY = 0.05  # of |w|, b and v of two neurons, below which they are a mirror pair


@dataclass(frozen=True, eq=False)
class Tickets(Shown):
    """Mirror pairs near the valley's floor, their mean |w| (T,), and among how many nets."""

    nets: Ensemble
    w: Array
    of: int


def tickets(nets: Ensemble, bias: float) -> Tickets:
    """The nets of two neurons (w, b, v) and (-w, b, v) to ASYMMETRY, whose loss is finite and whose
    b is nearer to `bias`, that of the valley's far end, than to 0.
    """
    check_one_layer("an analysis of neurons", nets.config.depth)
    w, b, v = (part.astype(np.float64) for part in (nets.w[:, :, 0], nets.b, nets.v))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = [
            np.abs(one[:, 0] - other) / np.abs(one).mean(axis=1)
            for one, other in ((w, -w[:, 1]), (b, b[:, 1]), (v, v[:, 1]))
        ]
        near = np.abs(b.mean(axis=1) - bias) < abs(bias) / 2
        chosen = (np.max(apart, axis=0) < ASYMMETRY) & near & np.isfinite(nets.loss)
    return Tickets(nets.select(chosen), np.abs(w[chosen]).mean(axis=1), len(nets))


@dataclass(frozen=True, eq=False)
class Fall(Shown):
    """How the loss falls along a valley, down to where rounding decides.

    w, loss: (K,) from the start on, w descending; bias: at the end; rises: whether the loss rises
    by more than 1% on the way; power, factor: exponent of w in the lower half of the points below
    `far`, and the loss over that of the expansion at the first of them.
    """

    w: Array
    loss: Array
    bias: float
    rises: bool
    power: float
    factor: float


def fall(line: Valley, law: Descent, start: float, far: float) -> Fall:
    """Follows a valley from |w| = start; compares its end from |w| = far on with the expansion."""
    order = np.argsort(-line.w)
    hidden = ~line.resolved[order]
    order = order[: np.argmax(hidden)] if hidden.any() else order  # down to rounding
    w, loss = line.w[order], line.loss[order]
    below, end = w <= 1.01 * start, np.flatnonzero(w <= far)
    falling = loss[below]
    if len(falling) < 3 or len(end) < 3:
        raise DataError("too little of the valley is above rounding; look at more |w|")
    end = end[len(end) // 2 :]
    return Fall(
        w=w[below],
        loss=falling,
        bias=float(line.b[order][-1]),
        rises=bool((falling > 1.01 * np.minimum.accumulate(falling)).any()),
        power=float(np.polyfit(np.log(w[end]), np.log(loss[end]), 1)[0]),
        factor=float(loss[end[0]] / law.loss(w[end[0]])),
    )
