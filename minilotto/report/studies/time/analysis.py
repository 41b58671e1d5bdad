"""Variance over seeds of nets at one time, and collapse of loss curves on one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, estimate
from minilotto.settings.arrays import Array

PLACES = np.geomspace(0.01, 0.5, 8)  # fractions of the horizon at which curves are compared


def from_mean(errors: Array, weight: Array) -> Array:
    """|f_r - mean f|^2 R / (R - 1) of each of R nets from their errors (R, P): its mean is the
    variance over seeds, free of bias.
    """
    apart = errors - errors.mean(axis=0)
    return np.asarray((apart**2 @ weight) * len(errors) / (len(errors) - 1))


def to_horizon(steps: Array, losses: Array, horizon: float) -> Array:
    """Logarithms of losses (S, R) at steps (S,), from 1 on, at PLACES of a horizon and, last, at
    its end: between steps by straight lines of both logarithms.
    """
    at = np.log(horizon * np.append(PLACES, 1.0))
    rows = [np.interp(at, np.log(steps), row) for row in np.log(losses).T]
    return np.stack(rows, axis=1)


@dataclass(frozen=True)
class Collapse:
    """How far curves of widths, each divided by its own end, lie apart, over how far seeds of one
    width lie apart.

    ratio: the least over horizons, in each resample too, so that the choice favours the collapse;
    best: the power of its horizons; ratios: by power; between, within: (B,) standard deviations of
    log loss at PLACES of the best horizons, between widths, and between seeds as geometric mean
    over widths.
    """

    ratio: Estimate
    best: float
    ratios: dict[float, Estimate]
    between: Array
    within: Array


def collapse(
    curves: Mapping[float, Sequence[Array]], level: float, resamples: int = 400, seed: int = 0
) -> Collapse:
    """The collapse of curves (U + 1, R) of at least two widths, from `to_horizon`, by the power of
    their horizons in the width. Seeds are resampled, those of a width alike at all horizons.
    """
    random, counts = np.random.default_rng(seed), []
    for one in next(iter(curves.values())):
        drawn = random.multinomial(one.shape[1], np.full(one.shape[1], 1 / one.shape[1]), resamples)
        counts.append(np.vstack([np.ones(one.shape[1]), drawn]) / one.shape[1])
    spreads = {power: _spreads(several, counts) for power, several in curves.items()}
    logs = {power: np.log(a / b).mean(axis=1) for power, (a, b) in spreads.items()}
    best = min(logs, key=lambda power: logs[power][0])
    ratios = {p: estimate(row[0], row[1:], level).mapped(np.exp) for p, row in logs.items()}
    least = np.min([row[1:] for row in logs.values()], axis=0)
    ratio = estimate(logs[best][0], least, level).mapped(np.exp)
    between, within = (one[0] for one in spreads[best])
    return Collapse(ratio, best, ratios, between, within)


def _spreads(curves: Sequence[Array], counts: Sequence[Array]) -> tuple[Array, Array]:
    """Spreads (B, U) of log loss between widths and between seeds, of nets counted (B, R)."""
    means, own = [], []
    for curve, count in zip(curves, counts, strict=True):
        raw = curve[:-1] - curve[:-1].mean(axis=1, keepdims=True)
        means.append(count @ (curve[:-1] - curve[-1]).T)
        variance = count @ (raw**2).T - (count @ raw.T) ** 2
        own.append(0.5 * np.log(np.maximum(variance, 1e-12)))
    return np.maximum(np.std(means, axis=0, ddof=1), 1e-6), np.exp(np.mean(own, axis=0))
