"""The numbers behind the study of dimension, as tables."""

from collections.abc import Iterable, Sequence

from minilotto.analysis.stats.rates import RULES, place, predicted
from minilotto.report.figure import Table
from minilotto.report.studies.dimension.dimension_curves import LONGER, Findings

CURVE = ("activation", "family", "inputs")
NAN = float("nan")


def tables(found: Findings) -> list[Table]:
    """Losses and exponents of all curves and of those trained longer, laws compared, and rules for
    exponents.
    """
    return [_losses(found), _exponents(found), _laws(found), _rules(found)]


def _table(name: str, columns: Sequence[str], rows: Iterable[Sequence]) -> Table:
    rows = list(rows)
    return Table(name, {column: [row[i] for row in rows] for i, column in enumerate(columns)})


def _losses(found: Findings) -> Table:
    rows = []
    for times, curves in ((1, found.curves), (LONGER, found.longer)):
        for case, one in curves.items():
            lead = (
                *case,
                found.settings.points(one.family, one.inputs),
                round(times * found.settings.steps),
            )
            held = one.held
            counts = (held.widths.astype(int), held.seeds, held.diverged)
            columns = (
                *counts,
                one.seen.value,
                held.value,
                held.low,
                held.high,
                one.by_heart,
                one.idle,
            )
            rows += [
                (*lead, *row) for row in zip(*(column.tolist() for column in columns), strict=True)
            ]
    more = (
        "points",
        "steps",
        "width",
        "seeds",
        "diverged",
        "on training points",
        "held out",
        "low",
        "high",
        "by heart",
        "hardly begun",
    )
    return _table("losses", (*CURVE, *more), rows)


def _exponents(found: Findings) -> Table:
    rows = []
    for times, curves in ((1, found.curves), (LONGER, found.longer)):
        for case, one in curves.items():
            exponent, fit, seen, stretch = one.exponent, one.fit, one.seen_fit, one.stretch
            if exponent is None or fit is None or seen is None or stretch is None:
                continue
            widths, seeds, trained = (
                fit.points.widths,
                fit.estimates["exponent"],
                seen.with_misfit["exponent"],
            )
            row: list = [
                *case,
                round(times * found.settings.steps),
                len(widths),
                int(widths[0]),
                int(widths[-1]),
            ]
            row += [
                exponent.value,
                exponent.low,
                exponent.high,
                seeds.low,
                seeds.high,
                trained.value,
                trained.low,
                trained.high,
            ]
            row += [place(exponent, predicted(rule, one.inputs)) for rule in RULES]
            rows.append([*row, stretch.low, stretch.high, stretch.share, stretch.possible])
    more = (
        "steps",
        "widths",
        "from",
        "to",
        "exponent",
        "low",
        "high",
        "low by seeds",
        "high by seeds",
    )
    others = ("on training points", "on training points low", "on training points high")
    last = (
        *(f"beside {rule}" for rule in RULES),
        "near 1/N from",
        "near 1/N to",
        "share that lasts",
        "possible",
    )
    return _table("exponents", (*CURVE, *more, *others, *last), rows)


def _laws(found: Findings) -> Table:
    rows = []
    for case, one in found.curves.items():
        for law in one.comparison.rows if one.comparison else ():
            if law.fit is None:
                continue
            error = law.fit.held_out_error
            lead = (
                *case,
                law.law,
                NAN if law.weight is None else law.weight,
                NAN if error is None else error,
            )
            rows += [
                (*lead, name, e.value, e.low, e.high) for name, e in law.fit.with_misfit.items()
            ]
    return _table(
        "laws",
        (*CURVE, "law", "weight", "held out decades", "parameter", "value", "low", "high"),
        rows,
    )


def _rules(found: Findings) -> Table:
    rows: list[tuple] = []
    for activation, misses in found.rules.items():
        rows += [
            (activation, "all", one.rule, one.miss, one.misfit, one.weight, *[NAN] * 6)
            for one in misses
        ]
    for (activation, family), line in found.lines.items():
        ends = [number for e in (line.offset, line.slope) for number in (e.value, e.low, e.high)]
        rows.append((activation, family, "offset + slope / D", NAN, NAN, NAN, *ends))
    more = ("offset", "offset low", "offset high", "slope", "slope low", "slope high")
    return _table(
        "rules", ("activation", "family", "rule", "miss", "misfit", "weight", *more), rows
    )
