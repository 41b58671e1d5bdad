"""Study: tickets of one net, kept at random and combined: does any way of it give 1/K?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilotto.analysis.stats.differences import difference
from minilotto.analysis.tickets.apart import median_estimate
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Outcome, tally
from minilotto.report.figure import Scale, Source, Table, commas, interval, training_words
from minilotto.report.rules import factor
from minilotto.report.studies.ensembling.analysis import PAPER_COUNTS
from minilotto.report.studies.inside.analysis import COMBINED, Kept, kept_of_nets
from minilotto.report.study import Settings, Study, scheduled
from minilotto.store.grid import Sweep

PAPER = "the paper's protocol"
JUDGED = ("average", "positive", "gram")
COLUMNS = {
    "losses": "width, training, nets, combined, tickets, loss, low, high",
    "exponents": "width, training, combined, exponent, low, high",
    "tickets": "width, training, tickets, sum of absolute best weights, low, high, independent, "
    "independent low, independent high, best / Eq. 9 for the independent, ratio low, ratio high",
    "whole": "width, training, nets, too few tickets, trained loss, low, high, trained / Eq. 9, "
    "Eq. 9 low, Eq. 9 high, trained / non-negative, non-negative low, non-negative high, "
    "independent of all, independent low, independent high, independent in the paper",
}


@dataclass(frozen=True)
class InsideSettings(Settings):
    """What is trained."""

    widths: tuple[int, ...] = (30, 50, 100)
    main: int = 50  # the width that is also trained otherwise
    counts: tuple[int, ...] = (1, 2, 3, 4, 6, 8)  # numbers K of tickets kept, from 1 on
    draws: int = 8  # of tickets, for each net
    rates: tuple[float, ...] = (0.003, 0.03)  # other than the paper's
    longer: int = 4  # times as many steps
    points: int = 1000  # other than the paper's

    @classmethod
    def quick(cls) -> "InsideSettings":
        return cls(seeds=20, widths=(50,))

    def sweeps(self) -> dict[str, Sweep]:
        """The trainings by name, the paper's protocol first."""

        def sweep(times: int = 1, **fields: Any) -> Sweep:
            fields = {"widths": (self.main,), **scheduled(times * self.steps), **fields}
            return Sweep(self.seeds, **fields)

        widths = tuple(sorted({*self.widths, self.main}))
        return {
            PAPER: sweep(widths=widths),
            **{f"rate {rate:g}": sweep(lr=rate) for rate in self.rates},
            f"{self.longer * self.steps:,} steps": sweep(self.longer),
            "float64": sweep(dtype="float64"),
            f"{self.points:,} points": sweep(points=self.points),
        }


class Inside(Study):
    """Losses of K tickets of a net by way of combining, their exponents, and what the best weights
    and the trained net are beside them.
    """

    name = "inside"
    settings_type = InsideSettings

    @classmethod
    def trainings(cls, settings: InsideSettings) -> tuple[Sweep, ...]:
        if min(settings.counts, default=0) < 1 or max(settings.counts) < 2:
            raise ConfigError(
                f"counts={settings.counts!r} are no numbers of tickets to compare; give whole "
                "numbers from 1 on, such as (1, 2, 4)"
            )
        return tuple(settings.sweeps().values())

    def __init__(self, source: Source, scale: Scale | InsideSettings) -> None:
        self.settings: InsideSettings = self.chosen(scale)
        s, self.left_out = self.settings, list[str]()
        self.found: dict[tuple[str, int], Kept] = {}
        trained = []
        for name, sweep in s.sweeps().items():
            for width, nets in source.by_width(sweep).items():
                try:
                    self.found[name, width] = kept_of_nets(nets, s.counts, s.draws, name == PAPER)
                except DataError as error:
                    self.left_out.append(f"{name}: {error}")
                else:
                    trained += [nets] * (name == PAPER)
        if not self.widths:
            raise DataError(
                "; ".join(self.left_out)
                or f"no nets of widths {commas(s.widths)} are there; train them, as in "
                f"Inside.run(widths=({s.main},), seeds=100)"
            )
        self.training = training_words(trained)

    @property
    def widths(self) -> dict[int, Kept]:
        """What was found by the paper's protocol, by width."""
        return {width: one for (name, width), one in self.found.items() if name == PAPER}

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {**super().facts(), "long": s.longer * s.steps, "training": self.training}

    def headline(self) -> str:
        width = self.settings.main if self.settings.main in self.widths else max(self.widths)
        one = self.widths[width]
        average, positive, gram, equation = (
            "K^-{:.2f} ({:.2f} to {:.2f})".format(*interval(one.exponent(way)))
            for way in (*JUDGED, "equation 9")
        )
        most = one.counts[-1]
        size, count = (one.by_count(v)[most].value for v in (one.weight, one.independent))
        return (
            f"The loss of K tickets of a net of width {width}, kept at random, falls as {average} "
            f"if they are averaged, as {positive} with the best non-negative weights, where Eq. 9 "
            f"for tickets of such unequal quality gives {equation}, and as {gram} with the best "
            f"weights of any sign, whose absolute values sum to {size:.2g} at K = {most} (an "
            f"average: 1), where {count:.1f} tickets are independent."
        )

    def tables(self) -> list[Table]:
        rows: dict[str, list[Sequence[Any]]] = {name: [] for name in COLUMNS}
        for (name, width), one in self.found.items():
            place, nets = (width, name), len(one.trained)
            for way, losses in one.losses.items():
                for count, loss in one.by_count(losses).items():
                    rows["losses"].append((*place, nets, way, count, loss))
                rows["exponents"].append((*place, way, one.exponent(way)))
            parts = [one.by_count(v) for v in (one.weight, one.independent, one.footnote)]
            rows["tickets"] += [(*place, k, *(part[k] for part in parts)) for k in parts[0]]
            ratios = (one.trained / one.every[way] for way in ("equation 9", "positive"))
            values = (one.trained, *ratios, one.every["independent"])
            whole = (*map(median_estimate, values), PAPER_COUNTS.get(width))
            rows["whole"].append((*place, nets, one.left_out, *whole))
        return [Table.of(name, COLUMNS[name], some) for name, some in rows.items()]

    def outcomes(self) -> dict[str, Outcome]:
        claims = self.entry.claims
        ways = dict(zip(("average", "positive", "gram", "equal"), COMBINED, strict=False))
        same, similar = claims["weights"]["same"], claims["footnote"]["similar"]
        size = self._each(lambda one: one.by_count(one.weight))
        footnote = self._each(lambda one: one.by_count(one.footnote))
        selection = self._each(
            lambda one: one.by_count(one.losses["best"] / one.losses["positive"])
        )
        units = self._each(
            lambda one: one.by_count(one.losses["random"] / one.losses["tickets"]), first=True
        )
        whole = {
            way: {
                f"N = {width}": median_estimate(one.trained / one.every[way])
                for width, one in self.widths.items()
            }
            for way in ("equation 9", "positive")
        }
        return {
            **{key: self._exponent(key, way) for key, way in ways.items()},
            "footnote": tally(footnote, claims["footnote"].similar),
            "selection": tally(selection, lambda one: factor(one, 0.0, similar)),
            "weights": tally(size, lambda one: factor(one, 0.0, same)),
            "trained": tally(whole["equation 9"], claims["footnote"].similar),
            "signs": tally(whole["positive"], lambda one: factor(one, 1 / same, np.inf)),
            "units": tally(units, lambda one: factor(one, similar, np.inf)),
            "controls": self._controls(),
        }

    def _exponent(self, key: str, way: str) -> Outcome:
        found = {f"N = {width}": one.exponent(way) for width, one in self.widths.items()}
        return tally(found, self.entry.claims[key].near, "exponent: ")

    def _each(self, what: Any, first: bool = False) -> dict[str, Any]:
        """Numbers of each width and number of tickets; of one ticket only where `first`."""
        return {
            f"N = {width}, K = {count}": number
            for width, one in self.widths.items()
            for count, number in what(one).items()
            if first or count > 1
        }

    def _controls(self) -> Outcome:
        usual = self.widths.get(self.settings.main)
        changes = {
            f"{way}, {name}": difference(one.exponent(way), usual.exponent(way))
            for (name, width), one in self.found.items()
            for way in JUDGED
            if usual and name != PAPER and width == self.settings.main
        }
        return tally(changes, self.entry.claims["controls"].unchanged)
