"""Study: how much of each law is the number of training points, and what label noise does to it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.differences import difference, ratio
from minilotto.analysis.stats.draws import typical_over_draws
from minilotto.analysis.stats.scaling import Fit, compare_laws, fit_law, local_exponents
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.rules import (
    FAILS,
    HOLDS,
    IN_PART,
    LEVEL,
    SEPARATED,
    UNTESTED,
    together,
    within,
)
from minilotto.report.studies.data.samples import INFINITE, NAMES, NEAR, gathered, nearest
from minilotto.report.study import Settings, Study
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

DTYPES = {
    "relu": "float64",
    "leaky_relu": "float64",
}  # what the exact engine, which takes any number of points, works in
PAPER_RANGE, PAPER_POINTS = (10, 50), 100
APART = 2.0  # ratio of losses from which on the training points do not tell the loss on all x
MANY = 1_000_000  # times, beyond which the exact number says nothing


@dataclass(frozen=True)
class DataSettings(Settings):
    """seeds: networks of each of `widths` on all x and on that number of `points` which is nearest
    to 100, whose exponents are compared; other_seeds: at the other numbers of points.

    draws: draws of uniform points, and of label noise, each with nets_per_draw networks of the
    drawn_widths. noises: standard deviations; the largest at each of noisy_points, the others at
    that number nearest to 100.
    """

    seeds: int = 128
    other_seeds: int = 32
    activations: tuple[str, ...] = ("silu", "leaky_relu")
    widths: tuple[int, ...] = (10, 15, 20, 25, 30, 40, 50)
    points: tuple[int, ...] = (10, 30, 100, 300, 1000)
    draws: int = 12
    nets_per_draw: int = 8
    drawn_widths: tuple[int, ...] = (10, 20, 50)
    noises: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    noisy_points: tuple[int, ...] = (30, 100, 300, 1000)

    def __post_init__(self) -> None:
        for name in ("activations", "widths", "points", "drawn_widths", "noises", "noisy_points"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is empty; give at least one, or leave it out")
        if not all(noise > 0 for noise in self.noises):
            raise ConfigError(
                f"noises={self.noises} has one that is not above 0; nets without noise are "
                "trained anyway"
            )

    @classmethod
    def quick(cls) -> "DataSettings":
        """Four widths, three numbers of points, four draws."""
        return cls(
            seeds=16,
            other_seeds=16,
            widths=(10, 20, 30, 50),
            points=(10, 100, 1000),
            draws=4,
            nets_per_draw=4,
            noises=(1e-2, 1e-1),
            noisy_points=(100, 1000),
        )

    @property
    def usual(self) -> int:
        """The number of points that stands for the paper's."""
        return nearest(self.points, PAPER_POINTS)


class Data(Study):
    """Losses on the training points and on all x, against width, number of points and label noise."""

    name = "data"
    title = "few points and noisy labels"
    question = (
        "The paper's networks see 100 points without noise. Which part of its two laws is due to "
        "that: are the exponents "
        "the same on infinitely many points, where are points too few, and what do noisy labels "
        "leave of 1/N?"
    )
    settings_type = DataSettings

    @classmethod
    def trainings(cls, settings: DataSettings) -> tuple[Sweep, ...]:
        wide = sorted({*settings.widths, *settings.drawn_widths})
        others = sorted({*settings.points, *settings.noisy_points} - {settings.usual})
        noisy = [(max(settings.noises), tuple(settings.noisy_points))]
        noisy += [(noise, (settings.usual,)) for noise in sorted(settings.noises)]
        if settings.usual in settings.noisy_points:
            noisy.pop()  # the largest noise has been there
        sweeps = []
        for activation in settings.activations:
            common: dict[str, Any] = {
                "activation": activation,
                "dtype": DTYPES.get(activation, "float32"),
                "steps": settings.steps,
            }
            several: dict[str, Any] = {
                "widths": settings.drawn_widths,
                "root_seeds": tuple(range(settings.draws)),
                **common,
            }
            several["seeds"] = settings.nets_per_draw
            sweeps += [
                Sweep(widths=wide, points=settings.usual, seeds=settings.seeds, **common),
                Sweep(widths=wide, sampling="population", seeds=settings.seeds, **common),
                Sweep(points=settings.points, sampling="uniform", **several),
                *(
                    [Sweep(widths=wide, points=others, seeds=settings.other_seeds, **common)]
                    if others
                    else []
                ),
                *(Sweep(points=at, noise=noise, **several) for noise, at in noisy),
            ]
        return tuple(sweeps)

    def __init__(self, source: Source, scale: Scale | DataSettings) -> None:
        self.settings: DataSettings = self.chosen(scale)
        self.usual = self.settings.usual
        nets = {
            config: one
            for sweep in self.trainings(self.settings)
            for config, one in source.nets(sweep).items()
        }
        self.samples = {
            name: one for name, one in gathered(nets).items() if len(one.widths(self.usual)) >= 3
        }
        if not self.samples:
            raise DataError(
                f"no activation has three widths of nets on {self.usual} equally spaced points, "
                "with ten or more seeds each; "
                "train more widths or seeds"
            )
        self.count = sum(len(one) for one in nets.values())
        self.fits = {
            (activation, count, everywhere): fit
            for activation, found in self.samples.items()
            for count in found.counts
            for everywhere in (False, True)
            if (fit := _fit(found.by_width(count, everywhere))) is not None
        }

    # What it says
    def design(self) -> str:
        chosen = self.settings
        return (
            f"x² on [-2, 2], {chosen.steps:,} Adam steps, widths "
            f"{', '.join(map(str, chosen.widths))}. Training data: "
            f"{', '.join(map(str, chosen.points))} equally spaced points, and all of [-2, 2] (the "
            "loss is then an integral), "
            f"{chosen.seeds} networks on the latter and on {self.usual} points, "
            f"{chosen.other_seeds} on the others; as many "
            f"independent uniform points, {chosen.draws} draws of {chosen.nets_per_draw} "
            "networks; Gaussian label noise of "
            f"standard deviation {', '.join(f'{noise:g}' for noise in chosen.noises)}, "
            f"{chosen.draws} draws. SiLU in "
            "float32, LeakyReLU in float64 with exact gradients for any number of points. Each "
            "network is judged twice: on "
            f"what it was trained on, and on all of [-2, 2] against x² itself. {chosen.seeds} "
            "seeds a width give an exponent "
            f"to about {1.2 / chosen.seeds**0.5:.1g}; differences are judged at {NEAR:g}. If the "
            "laws are the networks' own, "
            "exponents do not move with the points and noise adds sigma² (3N + 1) / P, the price "
            "of 3N + 1 free parameters."
        )

    def headline(self) -> str:
        exponents, costs = [], []
        for activation, found in self.samples.items():
            name, width = NAMES.get(activation, activation), max(self.settings.drawn_widths)
            here, all_x = (
                self._exponent(activation, count, False) for count in (self.usual, INFINITE)
            )
            if here and all_x:
                exponents.append(f"{all_x.value:.2f} for {name} ({here.value:.2f} on {self.usual})")
            learnt = found.learnt(max(self.settings.noises), max(self.settings.noisy_points), width)
            if learnt:
                costs.append(
                    f"a {name} net of {3 * width + 1} parameters as much as {learnt.value:.2g} "
                    "would"
                )
        told = (
            [f"On infinitely many points the exponent is {' and '.join(exponents)}"]
            if exponents
            else []
        )
        told += [f"label noise costs {' and '.join(costs)}"] if costs else []
        return f"{'; '.join(told)}." if told else ""

    def caption(self) -> str:
        return (
            "Top: SiLU; bottom: LeakyReLU. Left: median loss on all x (filled) and on the "
            "training points (open; nets that "
            "fit them exactly lie below the frame) against width, for networks trained on P "
            "equally spaced points and on "
            "infinitely many. Middle: loss on all x against P at widths "
            f"{' and '.join(map(str, self._shown_widths()))}: "
            "equally spaced points, uniform points, equally spaced points with noise of "
            f"{max(self.settings.noises):g}; "
            "dotted: the straight lines between P points, h⁴/30 with h = 4/(P - 1), and sigma² "
            "(3N + 1) / P at the larger "
            f"width. Right: loss on all x against width with noisy labels at {self.usual} points. "
            f"Bars: {LEVEL:.0%} "
            "intervals, over seeds on the left, over draws of points or noise elsewhere. "
            f"{self.count:,} networks, "
            f"{self.settings.steps:,} Adam steps."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.samples import (
            against_points,
            against_width,
            noise_against_width,
        )
        from minilotto.report.plots.style import grid

        figure, axes = grid(len(self.samples), 3, 11.5, 3.7 * len(self.samples), sharey="row")
        widths = self._shown_widths()
        noise = max(self.settings.noises)
        for (activation, found), (left, middle, right) in zip(
            self.samples.items(), axes, strict=True
        ):
            against_width(
                {
                    count: (found.by_width(count, True), found.by_width(count, False))
                    for count in found.counts
                },
                left,
            )
            series = {}
            for width in widths:
                series["equally spaced", width] = _estimates(found.by_count(width))
                series["uniform", width] = {
                    count: typical_over_draws(one.everywhere, LEVEL)
                    for (count, at), one in sorted(found.uniform.items())
                    if at == width
                }
                series[f"noise {noise:g}", width] = {
                    count: typical_over_draws(one.everywhere, LEVEL)
                    for (at, count, wide), one in sorted(found.noisy.items())
                    if (at, wide) == (noise, width)
                }
            against_points(
                series,
                {width: found.median(INFINITE, width) for width in widths},
                {
                    "sigma² (3N + 1) / P": lambda count: noise**2 * (3 * widths[-1] + 1) / count,
                    "h⁴ / 30": _straight_lines,
                },
                middle,
            )
            clean = found.by_width(self.usual, True)
            noisy = {0.0: _estimates(clean)}
            noisy |= {
                at: found.noisy_by_width(at, self.usual) for at in sorted(self.settings.noises)
            }
            noise_against_width(noisy, right)
            # A net that fits its points exactly has a training loss of rounding; it lies below the
            # frame.
            shown = [
                one.low
                for rows in (*series.values(), *noisy.values())
                for one in rows.values()
                if one.value > 0
            ]
            if shown:
                left.set_ylim(bottom=0.03 * min(shown))
            for ax, what in (
                (left, "loss against width"),
                (middle, "against points"),
                (right, f"noise, {self.usual} points"),
            ):
                ax.set_title(f"{NAMES.get(activation, activation)}: {what}")
        return figure

    def _shown_widths(self) -> tuple[int, ...]:
        return tuple(sorted({min(self.settings.drawn_widths), max(self.settings.drawn_widths)}))

    def tables(self) -> list[Table]:
        from minilotto.report.studies.data.data_tables import tables

        return tables(self.samples, self.fits)

    def verdicts(self) -> list[Verdict]:
        from minilotto.report.studies.data.data_noise import noise_verdicts

        equal = [self._equal(name) for name in self.samples]
        return [
            *equal,
            self._few_points(),
            self._resolution(),
            self._where(),
            *noise_verdicts(self.settings, self.samples),
        ]

    def _exponent(self, activation: str, count: float, everywhere: bool) -> Estimate | None:
        fit = self.fits.get((activation, count, everywhere))
        return None if fit is None else fit.with_misfit["exponent"]

    def _equal(self, activation: str) -> Verdict:
        name = NAMES.get(activation, activation)
        claim = f"{name}: the same exponent on infinitely many points"
        says = (
            "The exponent over widths 10 to 50 is the networks' own, not that of the points "
            "they are trained on."
        )
        how = (
            f"Power laws fitted to the median training loss on {self.usual} equally spaced points "
            "and on all of [-2, 2], "
            f"with seeds' and widths' scatter; the difference against ±{NEAR:g}: {SEPARATED}."
        )
        here, all_x = (self._exponent(activation, count, False) for count in (self.usual, INFINITE))
        if here is None or all_x is None:
            return Verdict(
                claim,
                says,
                "",
                how,
                UNTESTED,
                "One of the two fits is missing: train three widths or more on both.",
            )
        change = difference(all_x, here)
        verdict = within(change, -NEAR, NEAR)
        laws = _evidence(self.fits[activation, INFINITE, False].points)
        reason = {
            HOLDS: "The points play no part in it.",
            FAILS: "On infinitely many points the loss falls "
            f"{'faster' if change.value > 0 else 'more slowly'} with width.",
            UNTESTED: f"The interval reaches both sides of {NEAR:g}; these seeds and widths cannot "
            "tell.",
        }[verdict]
        return Verdict(
            claim,
            says,
            f"{self.usual} points: {here}; infinitely many: {all_x}; difference {change}. On "
            f"infinitely many points: {laws}",
            how,
            verdict,
            reason,
            {
                "on points": here.value,
                "on all x": all_x.value,
                "difference": change.value,
                "low": change.low,
                "high": change.high,
            },
        )

    def _few_points(self) -> Verdict:
        few = min(self.settings.points)
        claim = f"SiLU: {few} points do as well as infinitely many"
        says = (
            "A smooth network that fits few points of a smooth function fits it in between as well."
        )
        how = (
            f"Median loss on all x of nets trained on {few} equally spaced points over that of "
            "nets trained on all x, at "
            f"each width; holds where all intervals lie below {APART:g}, fails where all lie "
            "above, in part where some do."
        )
        found = self.samples.get("silu")
        rows = {}
        for width in found.widths(few) if found else ():
            here, all_x = (
                (found.middle(count, width) for count in (few, INFINITE)) if found else (None, None)
            )
            if here and all_x:
                rows[width] = ratio(here, all_x)
        if not rows:
            return Verdict(
                claim,
                says,
                "",
                how,
                UNTESTED,
                "SiLU nets on the fewest points and on all x are missing.",
            )
        judged = [within(one, 0.0, APART) for one in rows.values()]
        reason = {
            HOLDS: "Resolution does not limit SiLU nets.",
            IN_PART: f"Of {len(judged)} widths {judged.count(HOLDS)} are below {APART:g} for "
            f"certain, {judged.count(FAILS)} above.",
            FAILS: "So few points leave the function between them open.",
            UNTESTED: f"All intervals reach both sides of {APART:g}.",
        }
        verdict = together(judged)
        told = "; ".join(f"N = {width}: {one}" for width, one in rows.items())
        return Verdict(
            claim,
            says,
            f"ratio {told}",
            how,
            verdict,
            reason[verdict],
            {f"ratio at {w}": r.value for w, r in rows.items()},
        )

    def _resolution(self) -> Verdict:
        claim = "LeakyReLU: with few points the loss is the gap between them"
        says = (
            "Where points are fewer than neurons, the loss on all x is that of straight lines "
            "between the points, h⁴/30."
        )
        how = (
            "Median loss on all x of the widest nets over h⁴/30, h = 4 / (P - 1), for each "
            "number of equally spaced points "
            f"below that of neurons, interval over seeds; within a factor of {APART:g} of 1: "
            f"{SEPARATED}; over these numbers "
            "together. Beside it the exponent in P between the first two."
        )
        found = self.samples.get("leaky_relu")
        width = max(found.widths(self.usual)) if found else 0
        by_count = found.by_count(width) if found else None
        few = None if by_count is None else by_count.select(by_count.widths <= width)
        if few is None or not len(few.widths):
            return Verdict(
                claim,
                says,
                "",
                how,
                UNTESTED,
                "Nets on fewer points than they have neurons are missing.",
            )
        lines = _straight_lines(few.widths)
        rows = {
            int(count): Estimate(value / line, low / line, high / line, LEVEL)
            for count, value, low, high, line in zip(
                few.widths, few.value, few.low, few.high, lines, strict=True
            )
        }
        verdict = together([within(one, 1 / APART, APART) for one in rows.values()])
        told = f"N = {width}: " + "; ".join(f"{one} at P = {count}" for count, one in rows.items())
        numbers = {f"ratio at {count}": one.value for count, one in rows.items()}
        if len(rows) > 1:
            local = local_exponents(few.select([0, 1]))
            exponent = Estimate(
                float(local.exponent[0]), float(local.low[0]), float(local.high[0]), LEVEL
            )
            told += f"; exponent from {few.widths[0]:g} to {few.widths[1]:g} points {exponent}"
            numbers["exponent"] = exponent.value
        reason = {
            HOLDS: "Resolution limits the nets there.",
            IN_PART: "At some numbers of points resolution limits the nets, at others something "
            "else, or that is not certain.",
            FAILS: "Something else than the gaps between the points decides.",
            UNTESTED: f"The intervals reach both sides of a factor of {APART:g}.",
        }[verdict]
        return Verdict(claim, says, told, how, verdict, reason, numbers)

    def _where(self) -> Verdict:
        claim = "The training loss misleads where points are fewer than parameters"
        says = (
            "A net of 3N + 1 parameters fits as many points, or fewer, and not the function; "
            "more points it cannot."
        )
        how = (
            "Median loss on all x over that on the training points, for each activation, P and "
            "N, equally spaced and "
            f"uniform; above {APART:g} counts as misled. Holds where the rule P ≤ 3N + 1 is right "
            "in 90% of these, in part "
            "from 70%."
        )
        gaps = [
            (name, *place, gap)
            for name, found in self.samples.items()
            for place, gap in found.gaps().items()
        ]
        misled = [row for row in gaps if row[-1] > APART]
        right = sum((gap > APART) == (count <= 3 * width + 1) for _, _, count, width, gap in gaps)
        cells = len(gaps)
        share = right / cells
        verdict = HOLDS if share >= 0.9 else IN_PART if share >= 0.7 else FAILS
        told = []
        for activation in self.samples:
            mine = [row for row in misled if row[0] == activation]
            name = NAMES.get(activation, activation)
            if mine:
                _, kind, count, width, gap = max(mine, key=lambda row: row[-1])
                times = f"{gap:.2g}" if gap < MANY else f"over {MANY:,}"
                told.append(
                    f"{name}: up to P = {max(row[2] for row in mine)}, {times} times on {count} "
                    f"{kind} points, N = {width}"
                )
            else:
                told.append(f"{name}: nowhere")
        return Verdict(
            claim,
            says,
            f"misled in {len(misled)} of {cells} cases ({'; '.join(told)}); the rule is right in "
            f"{share:.0%}",
            how,
            verdict,
            "Counting parameters tells where."
            if verdict == HOLDS
            else "Counting parameters does not tell where.",
            {"right": share, "misled": len(misled), "cases": cells},
        )


def _fit(found: Points | None) -> Fit | None:
    """The power law over the paper's widths, None for fewer than three."""
    if found is None:
        return None
    chosen = found.select((found.widths >= PAPER_RANGE[0]) & (found.widths <= PAPER_RANGE[1]))
    return fit_law(chosen) if len(chosen.widths) >= 3 else None


def _evidence(found: Points) -> str:
    """Weights of the laws that could be compared, in words."""
    weights = [
        f"{row.law} {row.weight:.2f}" for row in compare_laws(found).rows if row.weight is not None
    ]
    return f"evidence {', '.join(weights)}" if weights else "too few widths to compare laws"


def _estimates(found: Points | None) -> dict[int, Estimate]:
    if found is None:
        return {}
    rows = zip(
        found.widths.tolist(),
        found.value.tolist(),
        found.low.tolist(),
        found.high.tolist(),
        strict=True,
    )
    return {int(at): Estimate(value, low, high, found.level) for at, value, low, high in rows}


def _straight_lines(count: np.ndarray) -> np.ndarray:
    """Mean squared error of the straight lines between P equally spaced points of x² on [-2, 2]:
    h^4 / 30.
    """
    return (4.0 / (np.asarray(count, dtype=np.float64) - 1.0)) ** 4 / 30.0
