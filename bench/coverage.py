"""How often intervals hold the truth, tests of shape err, and verdicts are given: `python -m
bench.coverage [--trials 200] [--parts exponents,shapes,laws,verdicts] [--out FILE] [--force]`.

exponents: power laws whose widths scatter about them by 0 to 1, three to nine widths, 30 to 1000
seeds of three kinds of losses; the fraction of intervals that hold the exponent. shapes: how often
the dip test and the number of proven peaks call losses of one, two or four peaks multimodal, also
when they are rounded to 1, 2 or 3 digits or many are the same. laws: losses are drawn from three
laws at the paper's widths, with one or with two peaks a width; the fraction of intervals that hold
each parameter. verdicts: truths are planted at the report's numbers of seeds and judged by the
report's rules; how often each verdict is given, which --out writes as the table that the report
prints (minilotto/report/verdict-rates.csv).
"""

import csv
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from bench.command import chosen_of, run_command
from minilotto.analysis.ensembling.decomposition import over_noise
from minilotto.analysis.stats.bootstrap import Points, median_interval, points
from minilotto.analysis.stats.differences import ratio
from minilotto.analysis.stats.draws import exponent_over_draws
from minilotto.analysis.stats.estimates import bend, estimates, share
from minilotto.analysis.stats.exponents import exponent_over, geometric_mean
from minilotto.analysis.stats.modality import dip_test, normality
from minilotto.analysis.stats.modes import modes
from minilotto.analysis.stats.scaling import fit_law
from minilotto.analysis.tickets.apart import median_estimate
from minilotto.cli.arguments import FileName
from minilotto.errors import imported
from minilotto.files import check_output, write_bytes
from minilotto.report import rules
from minilotto.report.paper.histograms import is_normal
from minilotto.report.rules import FAILS, HOLDS, UNDECIDED, Judged
from minilotto.report.studies.depth.depth import DepthSettings
from minilotto.report.studies.dimension.curve import Curve
from minilotto.report.studies.dimension.dimension import Dimension, DimensionSettings
from minilotto.report.studies.ensembling.analysis import cosine_between
from minilotto.report.studies.inside.inside import InsideSettings
from minilotto.report.studies.time.analysis import PLACES, collapse, from_mean
from minilotto.report.studies.time.trainings import TimeSettings
from minilotto.report.studies.time.trajectories import POWERS
from minilotto.settings.arrays import Array
from minilotto.settings.numbers import real_number

PARTS = ("exponents", "shapes", "laws", "verdicts")
WIDTHS = np.array([1, 2, 3, 4, 10, 20, 30, 40, 50.0])


@dataclass(frozen=True)
class Spread:
    """How the losses of one width lie about their law: a mixture of normals of log loss."""

    name: str
    place: tuple[float, ...]
    deviation: tuple[float, ...]
    share: tuple[float, ...]

    def draw(self, random: np.random.Generator, seeds: int) -> Array:
        part = random.choice(len(self.share), seeds, p=self.share)
        return np.exp(random.normal(np.array(self.place)[part], np.array(self.deviation)[part]))

    def truth(self, statistic: str | float) -> float:
        """The statistic of one loss's distribution."""
        place, deviation, share = (
            np.array(part) for part in (self.place, self.deviation, self.share)
        )
        if statistic == "mean":
            return float(share @ np.exp(place + deviation**2 / 2))
        if statistic == "geometric mean":
            return float(np.exp(share @ place))
        quantile = 0.5 if statistic == "median" else float(statistic)
        beyond = lambda z: share @ norm.cdf(z, place, deviation) - quantile  # noqa: E731
        return float(np.exp(brentq(beyond, -50, 50)))


@dataclass(frozen=True)
class Planted:
    """A law with known parameters."""

    law: str
    widths: Array
    parameters: dict[str, float]
    loss: Callable[[Array], Array]


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


COUNTS = (3, 4, 5, 7, 9)  # widths of a fit
SCATTERS = (0.0, 0.2, 0.5, 1.0)  # of widths about the law, in natural logarithms
HEAVY = Spread("heavy-tailed", (0.0, 0.0), (0.4, 2.0), (0.8, 0.2))
LOSSES = (ONE_PEAK, HEAVY, TWO_PEAKS)


def exponent_coverage(
    spread: Spread,
    statistic: str | float,
    seeds: int,
    trials: int,
    level: float = 0.9,
    scatters: tuple[float, ...] = SCATTERS,
    counts: tuple[int, ...] = COUNTS,
) -> dict[tuple[float, int], tuple[float, float]]:
    """Fraction of intervals of a power law's exponent that hold it, by scatter and number of
    widths: `estimates` and `seeds_only`.
    """
    held = {(scatter, count): np.zeros(2) for scatter in scatters for count in counts}
    case = zlib.crc32(f"{spread.name} {statistic} {seeds}".encode())
    for trial in range(trials):
        random = np.random.default_rng((case, trial))
        places = np.arange(1.0, max(counts) + 1)
        drawn = [spread.draw(random, seeds) for _ in places]
        measured = points(places, drawn, statistic, level=level, resamples=200, seed=trial)
        for (scatter, count), found in held.items():
            few = measured.select(np.arange(count))
            widths = np.geomspace(10, 50, count)
            moved = scatter * random.normal(size=count) - np.log(widths)
            value, logs = few.value * np.exp(moved), few.replicates + moved
            fit = fit_law(replace(few, widths=widths, value=value, replicates=logs))
            for i, one in enumerate((fit.estimates, fit.seeds_only)):
                found[i] += one["exponent"].low <= 1 <= one["exponent"].high
    return {
        case: (float(a), float(b)) for case, (a, b) in ((c, h / trials) for c, h in held.items())
    }


def print_exponents(trials: int, level: float) -> None:
    """A row a kind of losses, statistic and number of seeds."""
    shown = " / ".join(f"{scatter:g}" for scatter in SCATTERS)
    print(
        f"Percent of {trials} intervals of level {level} that hold a power law's exponent, least "
        f"and most over scatters of {shown}; widths 10 to 50\n"
    )
    heads = [f"{count} widths" for count in COUNTS] + [f"seeds only, 5 widths, scatter {shown}"]
    print(f"| losses | statistic | seeds | {' | '.join(heads)} |")
    print("|---|---|---:|" + "---:|" * len(heads))
    kinds = [(one, each) for one in LOSSES for each in ("median", "mean", "trimmed mean")]
    for (spread, statistic), seeds in product(kinds, (30, 100, 1000)):
        found = exponent_coverage(spread, statistic, seeds, trials, level)
        cells = []
        for count in COUNTS:
            held = [100 * found[scatter, count][0] for scatter in SCATTERS]
            cells.append(f"{min(held):.0f} to {max(held):.0f}")
        cells.append(" / ".join(f"{100 * found[scatter, 5][1]:.0f}" for scatter in SCATTERS))
        print(f"| {spread.name} | {statistic} | {seeds} | {' | '.join(cells)} |", flush=True)
    print()


def coverage(
    planted: Planted,
    spread: Spread,
    statistic: str | float,
    seeds: int,
    trials: int,
    level: float,
    resamples: int,
) -> dict[str, tuple[float, float]]:
    """Fraction of `trials` intervals that hold each parameter: `seeds_only`, `estimates`."""
    truth = spread.truth(statistic)
    held = {name: np.zeros(2) for name in planted.parameters}
    case = zlib.crc32(f"{planted.law} {spread.name} {statistic} {seeds}".encode())
    for trial in range(trials):
        random = np.random.default_rng((case, trial))
        widths = planted.widths
        losses = [loss * spread.draw(random, seeds) / truth for loss in planted.loss(widths)]
        measured = points(widths, losses, statistic, level=level, resamples=resamples, seed=trial)
        fit = fit_law(measured, planted.law)
        for name, value in planted.parameters.items():
            for i, estimate in enumerate((fit.seeds_only[name], fit.estimates[name])):
                held[name][i] += estimate.low <= value <= estimate.high
    fractions = {name: count / trials for name, count in held.items()}
    return {name: (float(alone), float(wide)) for name, (alone, wide) in fractions.items()}


# log10 losses. Uniform is the hardest to tell from two peaks for the dip; a peak above a level
# density, for the count.
SHAPES: dict[str, tuple[int, Callable[[np.random.Generator, int], Array]]] = {
    "uniform": (1, lambda random, n: random.uniform(size=n)),
    "normal": (1, lambda random, n: random.normal(size=n)),
    "exponential": (1, lambda random, n: random.exponential(size=n)),
    "Student's t, 3 degrees": (1, lambda random, n: random.standard_t(3, n)),
    "one value in half of all": (
        1,
        lambda random, n: np.where(random.random(n) < 0.5, 0.0, random.normal(size=n)),
    ),
    "uniform, half of it in a twentieth": (
        1,
        lambda random, n: random.uniform(size=n) * np.where(random.random(n) < 0.475, 0.1, 2),
    ),
    "normals 4 deviations apart, 1 : 1": (
        2,
        lambda random, n: random.normal(size=n) + 4 * (random.random(n) < 0.5),
    ),
    "normals 6 deviations apart, 19 : 1": (
        2,
        lambda random, n: random.normal(size=n) + 6 * (random.random(n) < 0.05),
    ),
    "four, 0.2 decades wide, a decade apart": (
        4,
        lambda random, n: random.normal(scale=0.2, size=n) + random.integers(0, 4, n),
    ),
}


def shape_rates(
    trials: int, seeds: int, name: str, error: float = 0.05, digits: int | None = None
) -> tuple[float, float, float]:
    """Of `trials` draws: fraction with a dip p-value below `error`, mean number of proven peaks,
    fraction with more than there are; of losses rounded to so many digits.
    """
    count, draw = SHAPES[name]
    random = np.random.default_rng((seeds, zlib.crc32(name.encode())))
    dips, found = np.empty(trials), np.empty(trials)
    for trial in range(trials):
        loss = 10.0 ** draw(random, seeds)
        if digits:
            loss = np.array([float(f"{one:.{digits - 1}e}") for one in loss.tolist()])
        dips[trial], found[trial] = dip_test(loss).p_value, modes(loss, error).count
    return float(np.mean(dips < error)), float(found.mean()), float(np.mean(found > count))


SEEDS = (200, 1000)  # of the report with and without --quick
FAMILY = 6  # tests of a figure, the others undecided: no planted one may then err more often
SEVEN = np.array([10, 15, 20, 25, 30, 40, 50.0])  # figure 1c's widths
# Loss against width, up to a factor; whether its exponent is 1, and whether it is one power law
# (None: neither is claimed nor far enough off to be told).
CURVES: dict[str, tuple[Callable[[Array], Array], bool | None, bool | None]] = {
    "power law, exponent 1": (lambda n: n**-1.0, True, True),
    "power law, exponent 1/2": (lambda n: n**-0.5, False, True),
    "no fall with width": (np.ones_like, False, True),
    "break of 0.3 in the middle": (lambda n: np.where(n < 22.4, n**-0.85, 22.4**0.3 * n**-1.15),
                                   True, False),
    "break of 1 in the middle": (lambda n: np.where(n < 22.4, n**-1.5, n**-0.5 / 22.4), True,
                                 False),
    "plateau, half of the loss at 50": (lambda n: 1 / n + 0.02, False, None),
}  # fmt: skip
# Fractions of one decade's second group, log10 deviation 0.2; normal losses are one peak.
GROUPS = {"one peak": 0.0, "a group of a fifth, a decade apart": 0.2}
RATIOS = {"equal medians": 1.0, "medians 1.6 apart": 1.6, "medians 4 apart": 4.0}
FRACTIONS = {
    "all of 64 nets": 1.0,
    "0.97 of 64 nets": 0.97,
    "0.6 of 64 nets": 0.6,
    "0.1 of 64 nets": 0.1,
}
# log10 losses, as the normalities of one width that figure 3 judges.
NORMAL: dict[str, tuple[Callable[[np.random.Generator, int], Array], bool]] = {
    "normal": (lambda random, n: random.normal(size=n), True),
    "an exponential tail": (lambda random, n: random.exponential(size=n), False),
    "a fifth has five times the spread": (lambda random, n: np.log(HEAVY.draw(random, n)), False),
}
# Parts of the mean squared error that all nets have in common: the cosine of two.
COMMON = {
    "no error in common": 0.0,
    "a quarter of the error in common": 0.25,
    "all but a tenth of the error in common": 0.9,
}
# Exponents of nets of two inputs, each over the widths and seeds of the study of dimension.
TWO_INPUTS = {"exponent 4/D": 2.0, "exponent 1": 1.0, "no fall with width": 0.0}
INPUTS_SPREADS = (0.1, 0.4)  # of log loss: a tenth of that study's nets have less, half of them
# Exponents of the variance over gradient noise: STARTS starts with three noises of each of five
# batches; fractions of a net's loss or neurons.
STARTS, STARTED = 16, np.geomspace(10, 56, 11)
NOISES = {"variance over noise falls as 1/N": 1.0, "variance over noise stays": 0.0}
PARTS_OF = {"fractions about 0.7": 0.7, "fractions about 0.3": 0.3}
Rate = tuple[str, str, str, int, bool | None]  # claim, truth, losses, seeds, whether it is true


def curve_verdicts(measured: Points) -> dict[str, Judged]:
    """The claims of figure 1c about a curve, as it judges them."""
    fit = fit_law(measured)
    return {
        "the exponent is 1": rules.near(fit.estimates["exponent"], 1.0),
        "one power law": rules.one_law(bend(measured), fit.p_value),
    }


def planted_verdicts(trial: int, seeds: int, spread: Spread) -> Iterator[tuple[Rate, Judged]]:
    """One draw of every planted truth, and how each claim about it is judged."""
    random = np.random.default_rng((zlib.crc32(f"{spread.name} {seeds}".encode()), trial))
    drawn = [spread.draw(random, seeds) for _ in SEVEN]
    flat = points(SEVEN, drawn, level=rules.LEVEL, seed=trial)
    for truth, (loss, one, lawful) in CURVES.items():
        curve = loss(SEVEN)
        bent = replace(flat, value=flat.value * curve, replicates=flat.replicates + np.log(curve))
        for (claim, judged), true in zip(curve_verdicts(bent).items(), (one, lawful), strict=True):
            yield (claim, truth, spread.name, seeds, true), judged
    first, second, *_ = estimates(flat).values()
    for truth, times in RATIOS.items():
        apart = ratio(second.mapped(lambda x: x * times), first)  # noqa: B023
        for claim, name in (("equal", "same"), ("similar", "similar")):
            most = rules.THRESHOLDS[name]
            place = (f"two medians are {claim}", truth, spread.name, seeds, times <= most)
            yield place, rules.factor(apart, 1 / most, most)
    if spread is ONE_PEAK:
        yield from planted_shapes(random, seeds)
        yield from planted_nets(random, seeds)
        yield from planted_starts(trial)
    if spread is ONE_PEAK and seeds == SEEDS[0]:
        yield from planted_inputs(random)


def planted_shapes(random: np.random.Generator, seeds: int) -> Iterator[tuple[Rate, Judged]]:
    """Peaks and normality of the losses of one width, as figure 3 judges them."""
    for truth, part in GROUPS.items():
        logs = random.normal(0, 0.2, seeds) + (random.random(seeds) < part)
        count = rules.at_least(modes(10**logs).count, seeds)
        for claim, ends, true in (("one peak", (1, 1), not part),
                                  ("several peaks", (2, np.inf), bool(part))):  # fmt: skip
            yield (claim, truth, "normal", seeds, true), rules.inside(count, *ends)
    for truth, (draw, true) in NORMAL.items():
        found = is_normal(normality(10 ** draw(random, seeds)), rules.THRESHOLDS["moment"])
        yield ("log loss is normal", truth, "-", seeds, true), found


def planted_nets(random: np.random.Generator, seeds: int) -> Iterator[tuple[Rate, Judged]]:
    """Fractions of nets, and cosines between the errors of nets, as the studies judge them."""
    for truth, part in FRACTIONS.items():
        found = share(int(np.count_nonzero(random.random(64) < part)), 64)
        for claim, name in (("almost all", "most"), ("most", "half")):
            least = rules.THRESHOLDS[name]
            place = (f"{claim} nets agree", truth, "-", 64, part > least)
            yield place, rules.inside(found, least, np.inf)
    weight, near = np.full(100, 0.01), rules.THRESHOLDS["orthogonal"]
    own, common = random.normal(size=(seeds, 100)), random.normal(size=100)
    for truth, part in COMMON.items():
        errors = np.sqrt(1 - part) * own + np.sqrt(part) * common
        judged = rules.inside(cosine_between(errors, weight), -near, near)
        yield ("errors are orthogonal", truth, "normal", seeds, not part), judged


def planted_inputs(random: np.random.Generator) -> Iterator[tuple[Rate, Judged]]:
    """One target of two inputs, as the study of dimension judges it."""
    settings, case = DimensionSettings(), ("silu", "radial", 2)
    widths = np.array(settings.widths, float)
    for (truth, exponent), spread in product(TWO_INPUTS.items(), INPUTS_SPREADS):
        drawn = random.lognormal(sigma=spread, size=(len(widths), settings.seeds))
        losses = list(0.1 * (widths[:, None] / widths[0]) ** -exponent * drawn)
        study = object.__new__(Dimension)
        study.settings = settings
        study._study({case: Curve(case, settings.widths, losses, losses)}, {})
        for claim, key, one in (("D = 2: the exponent is 4/D", "four_over_d", 2.0),
                                ("D = 2: 1/N persists", "persists", 1.0)):  # fmt: skip
            (outcome,) = getattr(study, f"claim_{key}")(study.entry.claims[key])
            (judged,) = outcome.judged
            yield (claim, truth, f"spread {spread:g}", settings.seeds, exponent == one), judged


def planted_starts(trial: int) -> Iterator[tuple[Rate, Judged]]:
    """One draw of what is known of fixed starts and of fractions of nets."""
    random = np.random.default_rng((zlib.crc32(b"starts"), trial))
    drawn = random.normal(size=(5, len(STARTED), 3, STARTS, 5))
    for truth, exponent in NOISES.items():
        scale = STARTED[:, None, None, None] ** (-exponent / 2)
        rows = [[over_noise(e, np.full(5, 0.2))[1] for e in batch] for batch in 0.5 + scale * drawn]
        several = [points(STARTED, row, level=rules.LEVEL, seed=trial) for row in rows]
        found = exponent_over(geometric_mean(several), 0, np.inf)
        place = ("variance over noise is 1/N", truth, "normal", STARTS, exponent == 1)
        yield place, rules.near(found, 1.0)
    for truth, middle in PARTS_OF.items():
        part = median_interval(random.beta(10 * middle, 10 - 10 * middle, STARTS), seed=trial)
        judged = rules.inside(part, rules.THRESHOLDS["half"], np.inf)
        yield ("the larger part", truth, "beta", STARTS, middle > 0.5), judged


# Exponents of loss against tickets kept and against layers; medians over nets of a ratio that an
# average of layers makes 1.
FALLS = {"exponent 1": 1.0, "exponent 2": 2.0, "exponent 1/2": 0.5}
LAYER_SPREADS = (0.2, 0.7)  # of log loss: the latter is that of most of the study's nets
AVERAGES = {"an average of layers": 1.0, "four times as much": 4.0, "a tenth": 0.1}


def planted_members(trial: int) -> Iterator[tuple[Rate, Judged]]:
    """Tickets inside a net and layers of a net, as the studies of them judge them."""
    random, inside, depth = np.random.default_rng((7, trial)), InsideSettings(), DepthSettings()
    own = random.lognormal(0, 0.7, (inside.seeds, 1))
    kept = own * random.lognormal(0, 0.7, (inside.seeds, len(inside.counts)))
    layers = np.array(depth.depths, float)
    for truth, exponent in FALLS.items():
        found = exponent_over_draws(
            inside.counts, kept * np.array(inside.counts) ** -exponent, rules.LEVEL
        )
        place = (truth, "one peak", inside.seeds, exponent == 1)
        yield ("K tickets of a net lose 1/K", *place), rules.near(found, 1.0)
    for spread in LAYER_SPREADS:
        drawn = [random.lognormal(0, spread, depth.seeds) for _ in layers]
        flat = points(layers, drawn, level=rules.LEVEL, seed=trial)
        for truth, exponent in FALLS.items():
            curve = layers**-exponent
            logs = flat.replicates + np.log(curve)
            fit = fit_law(replace(flat, value=flat.value * curve, replicates=logs))
            place = (truth, f"spread {spread:g}", depth.seeds, exponent == 1)
            yield ("L layers lose 1/L", *place), rules.near(fit.estimates["exponent"], 1.0)
    for truth, times in AVERAGES.items():
        found = median_estimate(times * ONE_PEAK.draw(random, depth.seeds))
        most = rules.THRESHOLDS["similar"]
        place = ("a net is the average of its layers", truth, "one peak", depth.seeds, times == 1)
        yield place, rules.factor(found, 1 / most, most)


# Variance of functions of two random directions over widths, and curves of widths by their horizon:
# x^-1.5 but for what seeds have of their own, or with exponents that differ from width to width.
VARIANCES = {"1/N": 1.0, "N^(-1/2)": 0.5, "N^(-3/2)": 1.5}
BENT = {"one curve": 0.0, "exponents 0.2 apart": 0.2}


def planted_times(trial: int) -> Iterator[tuple[Rate, Judged]]:
    """Variance over seeds and loss curves by width, as the study of time judges them."""
    random, s = np.random.default_rng((8, trial)), TimeSettings()
    widths = np.array([n for n in (*s.widths, *s.wide) if n >= s.least], float)
    shapes = random.normal(size=(2, 5))
    drawn = [random.normal(size=(s.early_seeds, 2)) @ shapes for _ in widths]
    for truth, exponent in VARIANCES.items():
        rows = [from_mean(n ** (-exponent / 2) * one, np.full(5, 0.2))
                for n, one in zip(widths, drawn, strict=True)]  # fmt: skip
        found = exponent_over(points(widths, rows, level=rules.LEVEL, seed=trial), 0, np.inf)
        place = ("early, variance over seeds is 1/N", truth, "normal", s.early_seeds, exponent == 1)
        yield place, rules.exactly(found, 1.0, rules.THRESHOLDS["near"])
    logs = np.log(np.append(PLACES, 1.0))[:, None]
    own = [random.normal(size=(2, s.seeds)) for _ in s.widths]
    for truth, apart in BENT.items():
        curves = [0.2 * one[0] - (1.5 + apart * k + 0.05 * one[1]) * logs
                  for k, one in enumerate(own)]  # fmt: skip
        found = collapse(dict.fromkeys(POWERS, curves), rules.LEVEL, seed=trial).ratio
        place = ("curves of all widths collapse", truth, "normal", s.seeds, not apart)
        yield place, rules.factor(found, 0.0, 1.0)


def verdict_rates(
    trials: int, seeds: tuple[int, ...] = SEEDS, spreads: tuple[Spread, ...] = LOSSES
) -> dict[Rate, dict[str, float]]:
    """How often each verdict is given, by what is planted."""
    found: dict[Rate, list[str]] = {}
    taken = rules.ERROR / FAMILY
    for count, spread, trial in product(seeds, spreads, range(trials)):
        for rate, judged in planted_verdicts(trial, count, spread):
            found.setdefault(rate, []).append(rules.decided(judged, taken))
    for trial in range(trials):
        for rate, judged in (*planted_members(trial), *planted_times(trial)):
            found.setdefault(rate, []).append(rules.decided(judged, taken))
    states = (HOLDS, FAILS, UNDECIDED)
    return {rate: {s: each.count(s) / len(each) for s in states} for rate, each in found.items()}


def rates_table(trials: int) -> str:
    """The rates as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("claim", "truth", "losses", "seeds", "true", "trials", HOLDS, FAILS, UNDECIDED)
    )
    for (*place, true), each in verdict_rates(trials).items():
        words = {True: "yes", False: "no", None: ""}[true]
        writer.writerow((*place, words, trials, *(f"{part:.3f}" for part in each.values())))
    return text.getvalue()


def main(
    *,
    trials: int = 200,
    level: float = 0.9,
    resamples: int = 200,
    parts: list[str] | None = None,
    out: FileName | None = None,
    force: bool = False,
) -> None:
    """Coverage of the bootstrap intervals of the laws, and errors of the tests of shape.

    `parts`: some of exponents,shapes,laws,verdicts (default the first two). `out`: a file for the
    table of the verdicts, as CSV. `force` overwrites.
    """
    path = None if out is None else check_output(out, (".csv",), force)
    real_number("level", level, "below 1", lambda real: 0 < real < 1)
    chosen = chosen_of("parts", parts or PARTS[:2], PARTS)
    if "verdicts" in chosen:
        imported("diptest", "report")
    if "exponents" in chosen:
        print_exponents(trials, level)
    if "shapes" in chosen:
        print_shapes(trials)
    if "laws" in chosen:
        print_laws(trials, level, resamples)
    if "verdicts" in chosen:
        table = rates_table(trials)
        print(table, end="")
        if path is not None:
            write_bytes(path, table.encode())


def print_shapes(trials: int) -> None:
    """A row a shape and number of seeds."""
    print(f"Of {trials} sets of losses, at a chance of error of 5 percent:\n")
    print(
        "| log10 loss | peaks | digits | seeds | dip rejects one | mean proven peaks | more than "
        "there are |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for (name, (count, _)), digits in product(SHAPES.items(), (None, 1, 2, 3)):
        for seeds in (50, 200, 1000):
            rejected, mean, wrong = shape_rates(trials, seeds, name, digits=digits)
            print(
                f"| {name} | {count} | {digits or 'all'} | {seeds} | {rejected:.1%} | {mean:.2f} | "
                f"{wrong:.1%} |",
                flush=True,
            )
    print()


def print_laws(trials: int, level: float, resamples: int) -> None:
    """A row a law, way of losses and parameter."""
    print(
        f"Fraction of {trials} intervals of level {level} that hold the truth, in percent; "
        f"{resamples} resamples\n"
    )
    print(
        "| law | losses | statistic | seeds | parameter | seeds only | with scatter "
        "|\n|---|---|---|---:|---|---:|---:|"
    )
    cases = [(law, ONE_PEAK, "median", seeds) for law in LAWS for seeds in (30, 100, 1000)]
    cases += [(law, TWO_PEAKS, "median", seeds) for law in LAWS for seeds in (100, 1000)]
    cases += [
        (law, ONE_PEAK, statistic, 100)
        for law in LAWS
        for statistic in ("mean", "geometric mean", 0.1)
    ]
    for law, spread, statistic, seeds in cases:
        found = coverage(law, spread, statistic, seeds, trials, level, resamples)
        for name, (alone, wide) in found.items():
            error = np.sqrt(level * (1 - level) / trials)
            shown = f"{100 * alone:.1f} ± {100 * error:.1f}"
            row = (law.law, spread.name, statistic, seeds, name, shown, f"{100 * wide:.1f}")
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
        done = f"{law.law}, {spread.name}, {statistic}, {seeds} seeds: done"
        print(done, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.coverage"))
