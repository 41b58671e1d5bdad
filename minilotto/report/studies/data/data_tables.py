"""The numbers behind the study of data."""

from collections.abc import Mapping

import numpy as np

from minilotto.analysis.stats.draws import typical_over_draws
from minilotto.analysis.stats.scaling import Fit
from minilotto.report.figure import Table
from minilotto.report.rules import LEVEL
from minilotto.report.studies.data.samples import Drawn, Samples

_LOSSES = (
    "activation", "sampling", "points", "noise", "width", "nets", "draws", "training median", "median on all x", "low", "high"
)  # fmt: skip
_EXPONENTS = (
    "activation",
    "points",
    "loss",
    "widths",
    "exponent",
    "low",
    "high",
    "low over seeds",
    "high over seeds",
)
_NOISE = (
    "activation",
    "noise",
    "points",
    "width",
    "parameters",
    "learnt",
    "low",
    "high",
    "absorbed",
    "absorbed low",
    "absorbed high",
)


def tables(
    samples: Mapping[str, Samples], fits: Mapping[tuple[str, float, bool], Fit]
) -> list[Table]:
    """Losses, exponents in width, and how much noise was learnt."""
    losses, exponents, noise = _Rows(_LOSSES), _Rows(_EXPONENTS), _Rows(_NOISE)
    for activation, found in samples.items():
        for (count, width), one in sorted(found.lattice.items()):
            middle = found.middle(count, width)
            interval = (middle.value, middle.low, middle.high) if middle else (float("nan"),) * 3
            where = ("lattice", int(count)) if np.isfinite(count) else ("all x", "infinite")
            losses.add(
                activation,
                *where,
                0.0,
                width,
                len(one.training),
                1,
                float(np.nanmedian(one.training)),
                *interval,
            )
        for (few, width), drawn in sorted(found.uniform.items()):
            losses.add(activation, "uniform", few, 0.0, width, *_drawn(drawn))
        for (size, few, width), drawn in sorted(found.noisy.items()):
            losses.add(activation, "lattice", few, size, width, *_drawn(drawn))
            learnt, absorbed = found.learnt(size, few, width), found.absorbed(size, few, width)
            if learnt and absorbed:
                intervals = (
                    learnt.value,
                    learnt.low,
                    learnt.high,
                    absorbed.value,
                    absorbed.low,
                    absorbed.high,
                )
                noise.add(activation, size, few, width, 3 * width + 1, *intervals)
    for (activation, count, everywhere), fit in fits.items():
        wide, seeds = fit.with_misfit["exponent"], fit.estimates["exponent"]
        widths = " ".join(f"{width:g}" for width in fit.points.widths)
        what = "on all x" if everywhere else "training"
        points = int(count) if np.isfinite(count) else "infinite"
        exponents.add(
            activation, points, what, widths, wide.value, wide.low, wide.high, seeds.low, seeds.high
        )
    named = {"losses": losses, "exponents": exponents, "noise": noise}
    return [
        Table(name, rows.columns)
        for name, rows in named.items()
        if rows.columns[next(iter(rows.columns))]
    ]


class _Rows:
    """Columns that are filled row by row."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.columns: dict[str, list] = {name: [] for name in names}

    def add(self, *values: object) -> None:
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)


def _drawn(one: Drawn) -> tuple[object, ...]:
    typical = typical_over_draws(one.everywhere, LEVEL)
    training = typical_over_draws(one.training, LEVEL).value
    return one.nets, one.draws, training, typical.value, typical.low, typical.high
