"""How often intervals hold the truth: `python -m bench.coverage [--trials 1000] [--level 0.9] [--resamples 1000]`.

Losses are drawn from laws whose parameters are known, at the paper's widths, with one or with two peaks a width and with 30 to 1000
seeds; each set is fitted as a user would, and the share of intervals that hold the planted parameter is printed with its standard
error.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from minilotto.analysis.bootstrap import points
from minilotto.analysis.scaling import fit_law

WIDTHS = np.array([1, 2, 3, 4, 10, 20, 30, 40, 50.0])


@dataclass(frozen=True)
class Spread:
    """How the losses of one width lie about their law: a mixture of normals of log loss."""

    name: str
    place: tuple[float, ...]
    deviation: tuple[float, ...]
    share: tuple[float, ...]

    def draw(self, random: np.random.Generator, seeds: int) -> np.ndarray:
        part = random.choice(len(self.share), seeds, p=self.share)
        return np.exp(random.normal(np.array(self.place)[part], np.array(self.deviation)[part]))

    def truth(self, statistic: str | float) -> float:
        """The statistic of one loss's distribution."""
        place, deviation, share = np.array(self.place), np.array(self.deviation), np.array(self.share)
        if statistic == "mean":
            return float(share @ np.exp(place + deviation**2 / 2))
        if statistic == "geometric mean":
            return float(np.exp(share @ place))
        quantile = 0.5 if statistic == "median" else float(statistic)
        return float(np.exp(brentq(lambda z: share @ norm.cdf(z, place, deviation) - quantile, -50, 50)))


@dataclass(frozen=True)
class Planted:
    """A law with known parameters."""

    law: str
    widths: np.ndarray
    parameters: dict[str, float]
    loss: Callable[[np.ndarray], np.ndarray]


ONE_PEAK = Spread("one peak", (0.0,), (0.7,), (1.0,))
TWO_PEAKS = Spread("two peaks", (0.0, 2.5), (0.5, 0.4), (0.7, 0.3))
LAWS = (
    Planted("power law", WIDTHS[4:], {"exponent": 1.0, "amplitude": 4e-6}, lambda n: 4e-6 / n),
    Planted("plateau", WIDTHS, {"exponent": 2.0, "plateau": 1e-4}, lambda n: 1e-4 + 0.1 * n**-2),
    Planted(
        "broken power law",
        WIDTHS,
        {"exponent": 4.0, "exponent after": 1.0, "break": 7.0},
        lambda n: np.where(n < 7, n**-4.0, 7.0**-3 / n),
    ),
)


def coverage(
    planted: Planted, spread: Spread, statistic: str | float, seeds: int, trials: int, level: float, resamples: int
) -> dict[str, tuple[float, float]]:
    """Share of `trials` intervals that hold each planted parameter: without and with the widths' misfit."""
    truth = spread.truth(statistic)
    held = {name: np.zeros(2) for name in planted.parameters}
    for trial in range(trials):
        random = np.random.default_rng((trial, seeds))
        losses = [loss * spread.draw(random, seeds) / truth for loss in planted.loss(planted.widths)]
        measured = points(planted.widths, losses, statistic, level=level, resamples=resamples, seed=trial)
        fit = fit_law(measured, planted.law)
        for name, value in planted.parameters.items():
            for i, estimate in enumerate((fit.estimates[name], fit.with_misfit[name])):
                held[name][i] += estimate.low <= value <= estimate.high
    return {name: (float(count[0]) / trials, float(count[1]) / trials) for name, count in held.items()}


def main(*, trials: int = 1000, level: float = 0.9, resamples: int = 1000) -> None:
    """Coverage of the bootstrap intervals of exponents, plateaus and breaks, as a Markdown table."""
    print(f"Share of {trials} intervals of level {level} that hold the truth, in percent; {resamples} resamples\n")
    print("| law | losses | statistic | seeds | parameter | from seeds | with misfit |\n|---|---|---|---:|---|---:|---:|")
    cases = [(law, ONE_PEAK, "median", seeds) for law in LAWS for seeds in (30, 100, 1000)]
    cases += [(law, TWO_PEAKS, "median", seeds) for law in LAWS for seeds in (100, 1000)]
    cases += [(law, ONE_PEAK, statistic, 100) for law in LAWS for statistic in ("mean", "geometric mean", 0.1)]
    for law, spread, statistic, seeds in cases:
        found = coverage(law, spread, statistic, seeds, trials, level, resamples)
        for name, (alone, wide) in found.items():
            error = np.sqrt(level * (1 - level) / trials)
            row = (law.law, spread.name, statistic, seeds, name, f"{100 * alone:.1f} ± {100 * error:.1f}", f"{100 * wide:.1f}")
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
        print(f"{law.law}, {spread.name}, {statistic}, {seeds} seeds: done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    import fire

    fire.Fire(main)
