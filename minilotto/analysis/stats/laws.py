"""Three laws of log loss against log width, and weighted least squares for each, many data sets at
a time.

x (W,) is log width in ascending order, y (B, W) log loss, weight (B, W) or one row (1, W) for all;
a solver gives parameters (B, k) in the law's own units.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from minilotto.errors import DataError, shown
from minilotto.settings.arrays import Array, reals_of
from minilotto.settings.display import Shown

__all__ = ["Law"]

EXPONENTS = (0.02, 30.0)  # between which the exponent above a plateau is looked for
ITERATIONS = 60
MOST_KAPPA = 40.0  # a plateau of e^-40 of the loss at the largest width is none to rounding


@dataclass(frozen=True)
class Law(Shown):
    """L as a function of N.

    Parameters
    ----------
    name : str
    parameters : tuple of k str
    log_loss : callable
        (parameters (B, k), x (V,)) to (B, V).
    solve : callable
        (x, y, weight) to parameters (B, k).
    """

    name: str
    parameters: tuple[str, ...]
    log_loss: Callable[[Array, Array], Array]
    solve: Callable[[Array, Array, Array], Array]

    @property
    def least_widths(self) -> int:
        """One more than its parameters: a law meets as many widths as it has parameters exactly."""
        return len(self.parameters) + 1


def widths_of(widths: ArrayLike) -> Array:
    """Widths (V,) of a law. Raises DataError for any that is no finite number above 0."""
    values = reals_of("widths", widths)
    if values.ndim != 1 or not ((values > 0) & (values < np.inf)).all():
        raise DataError(f"widths={shown(widths)} are not numbers above 0, shape (V,)")
    return values


def _line(x: Array, y: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Intercept, slope and weighted squared residual (B,) of the lines through y (B, W)."""
    share = weight / weight.sum(axis=1, keepdims=True)
    middle, mean = share @ x, np.sum(y * share, axis=1)
    reach = x - middle[:, None]
    slope = np.sum(y * share * reach, axis=1) / np.sum(share * reach**2, axis=1)
    residual = y - mean[:, None] - slope[:, None] * reach
    return mean - slope * middle, slope, np.sum(residual**2 * weight, axis=1)


def _solve_power(x: Array, y: Array, weight: Array) -> Array:
    intercept, slope, _ = _line(x, y, weight)
    with np.errstate(over="ignore"):  # a steep line among wide nets may give any loss at width 1
        return np.stack([np.exp(intercept), -slope], axis=1)


def _power(parameters: Array, x: Array) -> Array:
    amplitude, exponent = parameters.T[:, :, None]
    return np.asarray(np.log(amplitude) - exponent * x)


def _solve_broken(x: Array, y: Array, weight: Array) -> Array:
    """The global optimum over breaks with at least two widths on either side (Hudson 1966).

    Either the break lies between two widths, and the two sides are lines of their own that happen
    to meet there; or it lies at a width, and the rest is linear.
    """
    least = np.full(len(y), np.inf)
    best = np.full((len(y), 4), np.nan)

    def offer(square: Array, at: Array, height: Array, before: Array, after: Array) -> None:
        better = square < least
        least[better] = square[better]
        best[better] = np.stack([height + before * at, before, after, at], axis=1)[better]

    for j in range(1, len(x) - 1):
        beyond = x - x[j]
        hinge = np.stack([np.ones_like(x), np.minimum(beyond, 0), np.maximum(beyond, 0)], axis=1)
        root = np.sqrt(weight)
        solution = (np.linalg.pinv(hinge * root[:, :, None]) @ (y * root)[:, :, None])[:, :, 0]
        square = np.sum((y - solution @ hinge.T) ** 2 * weight, axis=1)
        height, before, after = solution.T
        offer(square, np.full(len(y), x[j]), height, -before, -after)
    for j in range(2, len(x) - 1):
        start, slope, square = _line(x[:j], y[:, :j], weight[:, :j])
        end, steep, other = _line(x[j:], y[:, j:], weight[:, j:])
        with np.errstate(divide="ignore", invalid="ignore"):
            at = (start - end) / (steep - slope)
        inside = (at > x[j - 1]) & (at < x[j])
        at = np.where(inside, at, x[j])
        square = np.where(inside, square + other, np.inf)
        offer(square, at, start + slope * at, -slope, -steep)
    with np.errstate(over="ignore"):  # as in _solve_power
        best[:, 0], best[:, 3] = np.exp(best[:, 0]), np.exp(best[:, 3])
    return best


def _broken(parameters: Array, x: Array) -> Array:
    amplitude, before, after, place = parameters.T[:, :, None]
    beyond = np.maximum(x - np.log(place), 0)
    return np.asarray(np.log(amplitude) - before * x - (after - before) * beyond)


def _solve_plateau(x: Array, y: Array, weight: Array) -> Array:
    """L = E (1 + exp(kappa - alpha (x - x_W))), E, alpha > 0: log E is a mean, (alpha, kappa) are
    scanned, then refined. Where no plateau does better than none, E = 0.

    kappa is the logarithm of A N^-alpha over E at the largest width.
    """
    share = weight / weight.sum(axis=1, keepdims=True)
    reach = x - x[-1]
    flat = y - np.sum(y * share, axis=1)[:, None]
    alpha, kappa = _starts(reach)
    shape = np.logaddexp(0, kappa[:, None] - alpha[:, None] * reach)
    distance = share @ (shape**2).T - (share @ shape.T) ** 2 - 2 * (flat * share) @ shape.T
    chosen = np.argmin(distance, axis=1)
    found = _polished(flat, share, reach, np.stack([alpha[chosen], kappa[chosen]], axis=1))
    alpha, kappa = found.T
    height = np.sum((y - np.logaddexp(0, kappa[:, None] - alpha[:, None] * reach)) * share, axis=1)
    with_plateau = np.stack([np.exp(height + kappa + alpha * x[-1]), alpha, np.exp(height)], axis=1)
    without = np.concatenate([_solve_power(x, y, weight), np.zeros((len(y), 1))], axis=1)
    # A loss that rises with width falls to no plateau; the best of this law is then a level line.
    rising = without[:, 1] < 0
    level = np.exp(np.sum(y * share, axis=1))
    without[rising] = np.stack([np.zeros(len(y)), np.zeros(len(y)), level], axis=1)[rising]
    # Where a steep line's amplitude overflows, neither is better.
    with np.errstate(invalid="ignore"):
        gain = _square(without, x, y, share) - _square(with_plateau, x, y, share)
    enough = gain > 1e-12 * np.sum(flat**2 * share, axis=1)
    return np.where(enough[:, None], with_plateau, without)


def _starts(reach: Array) -> tuple[Array, Array]:
    """Exponents and kappas (G,) to scan: power law and plateau meet from below the widths on."""
    alpha = np.geomspace(*EXPONENTS, 40)
    meeting = np.linspace(reach[0] + 0.1, 0, 24)
    beyond = np.log([2, 4, 8, 16, 50, 200, 1e4])
    beyond = np.broadcast_to(beyond, (len(alpha), len(beyond)))
    kappa = np.concatenate([alpha[:, None] * meeting, beyond], axis=1)
    return np.repeat(alpha, kappa.shape[1]), kappa.ravel()


def _polished(flat: Array, share: Array, reach: Array, start: Array) -> Array:
    """Levenberg and Marquardt's steps in (alpha, kappa), for all rows that move; never uphill."""
    at: Array = start.copy()
    damping, moving = np.full(len(start), 1e-3), np.arange(len(start))
    for _ in range(ITERATIONS):
        y, weight = flat[moving], share if len(share) == 1 else share[moving]
        here = at[moving]
        rest, jacobian = _misses(here, y, weight, reach)
        weighted = jacobian * weight[:, None, :]
        normal = weighted @ jacobian.transpose(0, 2, 1)
        right = (weighted @ rest[:, :, None])[:, :, 0]
        a, d = ((1 + damping[moving]) * normal[:, i, i] + 1e-300 for i in (0, 1))
        b = normal[:, 0, 1]
        one, two = right.T
        step = np.stack([d * one - b * two, a * two - b * one], axis=1)
        step /= np.maximum(a * d - b * b, 1e-300)[:, None]
        trial = here + np.clip(step, -3, 3)
        trial[:, 0] = np.clip(trial[:, 0], *EXPONENTS)
        trial[:, 1] = np.clip(trial[:, 1], EXPONENTS[1] * reach[0], MOST_KAPPA)
        square = np.sum(rest**2 * weight, axis=1)
        reached = np.sum(_misses(trial, y, weight, reach)[0] ** 2 * weight, axis=1)
        better = reached < square
        at[moving[better]] = trial[better]
        damping[moving] *= np.where(better, 0.2, 5)
        moving = moving[np.where(better, reached < square * (1 - 1e-10), damping[moving] < 1e6)]
        if not len(moving):
            break
    return at


def _misses(at: Array, flat: Array, share: Array, reach: Array) -> tuple[Array, Array]:
    """Residual (B, W) and slopes (B, 2, W) of shapes at (alpha, kappa) (B, 2), without means."""
    alpha, kappa = at.T[:, :, None]
    inner = kappa - alpha * reach
    shape, slope = np.logaddexp(0, inner), np.exp(-np.logaddexp(0, -inner))
    jacobian = np.stack([-slope * reach, slope], axis=1)
    mean, slopes = np.sum(shape * share, axis=1), np.sum(jacobian * share[:, None, :], axis=2)
    return flat - shape + mean[:, None], jacobian - slopes[:, :, None]


def _square(parameters: Array, x: Array, y: Array, share: Array) -> Array:
    return np.asarray(np.sum((y - _plateau(parameters, x)) ** 2 * share, axis=1))


def _plateau(parameters: Array, x: Array) -> Array:
    amplitude, exponent, plateau = parameters.T[:, :, None]
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp(np.log(plateau), np.log(amplitude) - exponent * x))


# L = A N^-alpha; L = E + A N^-alpha; L = A N^-alpha up to N_b, then A N_b^(beta - alpha) N^-beta.
POWER_LAW = Law("power law", ("amplitude", "exponent"), _power, _solve_power)
PLATEAU = Law("plateau", ("amplitude", "exponent", "plateau"), _plateau, _solve_plateau)
BREAK = ("amplitude", "exponent", "exponent after", "break")
BROKEN = Law("broken power law", BREAK, _broken, _solve_broken)
LAWS = {law.name: law for law in (POWER_LAW, PLATEAU, BROKEN)}
