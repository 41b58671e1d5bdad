"""Study: do the exponent, the tickets and the likeness of errors depend on how networks start?"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2_contingency

from minilotto.analysis.landscape.starts import DEFAULT, LIKENESS, MOVED, Start, Started, started
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.ranks import rank_correlation
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Claim, Outcome, as_numbers, register, untested, values
from minilotto.report.figure import Scale, Source, Table, commas, interval, width_rows
from minilotto.report.rules import (
    FAILS,
    HOLDS,
    IN_PART,
    LEVEL,
    SEPARATED,
    UNTESTED,
    reaches,
    together,
    within,
)
from minilotto.report.study import Settings, Study
from minilotto.settings.schemes import SCHEMES
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

PAPER_RANGE = (10, 50)
EXPONENTS_SHOWN = (-3.0, 3.0)
LEAST_FRACTION = 1e-3  # of nets, in place of none


@dataclass(frozen=True)
class InitialisationSettings(Settings):
    """What is trained.

    Parameters
    ----------
    inits : tuple of str
        Schemes, at scale one.
    init_scales, output_scales : tuple of float
        Of those schemes that have a scale; of torch's default.
    widths, wide : tuple of int
        With `seeds` and wide_seeds networks of each start.
    narrow_seeds : int
        Networks of two neurons, for the tickets.

    Raises
    ------
    ConfigError
        For an unknown scheme.
    """

    seeds: int = 64
    inits: tuple[str, ...] = tuple(SCHEMES)
    init_scales: tuple[float, ...] = (0.3, 3.0)
    output_scales: tuple[float, ...] = (0.01, 0.1, 3.0, 10.0, 100.0)
    widths: tuple[int, ...] = (10, 15, 20, 25, 30, 40, 50)
    wide: tuple[int, ...] = (200,)
    wide_seeds: int = 24
    narrow_seeds: int = 320

    def __post_init__(self) -> None:
        for name in self.inits:
            if name not in SCHEMES:
                raise ConfigError(f"init {name!r} is unknown; choose from {', '.join(SCHEMES)}")

    @classmethod
    def quick(cls) -> "InitialisationSettings":
        return cls(
            seeds=16,
            init_scales=(3.0,),
            output_scales=(0.1, 10.0),
            widths=(10, 15, 20, 30, 50),
            wide=(),
            narrow_seeds=160,
        )

    @property
    def starts(self) -> tuple[Start, ...]:
        """Torch's default, and the others, each once."""
        scaled = [name for name in self.inits if SCHEMES[name].scalable]
        found = [DEFAULT, *(Start(name) for name in self.inits)]
        found += [Start(name, float(scale)) for name in scaled for scale in self.init_scales]
        found += [Start(output_scale=float(scale)) for scale in self.output_scales]
        return tuple(dict.fromkeys(found))


class Initialisation(Study):
    """Every way to start, by exponent, tickets, likeness of errors, and how far training moves the
    parameters.
    """

    name = "initialisation"
    entry = register(__package__, "claims.toml", name)
    title, question = entry.title, entry.question
    settings_type = InitialisationSettings

    @classmethod
    def trainings(cls, settings: InitialisationSettings) -> tuple[Sweep, ...]:
        usual = tuple(width for width in settings.widths if width != 2)
        sweeps = []
        for start in settings.starts:
            common: dict[str, Any] = {**asdict(start), "steps": settings.steps}
            sweeps.append(Sweep(width=2, seeds=settings.narrow_seeds, **common))
            sweeps.append(Sweep(widths=usual, seeds=settings.seeds, **common))
            if settings.wide:
                sweeps.append(Sweep(widths=settings.wide, seeds=settings.wide_seeds, **common))
        return tuple(sweeps)

    def __init__(self, source: Source, scale: Scale | InitialisationSettings) -> None:
        self.settings: InitialisationSettings = self.chosen(scale)
        nets: dict[Start, dict[int, Ensemble]] = {start: {} for start in self.settings.starts}
        for sweep in self.trainings(self.settings):
            for config, one in source.nets(sweep).items():
                start = Start(config.init, config.init_scale, config.output_scale)
                nets[start][config.width] = one
        # So that all differences to the default together err as seldom as one.
        strict = 1 - (1 - LEVEL) / max(1, len(nets) - 1)
        ticket = self.entry.claims["tickets"]["ticket"]
        self.starts: dict[Start, Started] = {}
        for start, by_width in nets.items():
            try:
                self.starts[start] = started(by_width, PAPER_RANGE, ticket, LEVEL, strict)
            except DataError as error:
                source.missing.append(f"{start}: {error}")
        if DEFAULT not in self.starts:
            raise DataError(
                "torch's default start, with which all are compared, has no three widths from 10 "
                "to 50 with ten or more finite losses; train more widths or seeds"
            )
        self.default = self.starts[DEFAULT]
        self.count = sum(len(one) for by_width in nets.values() for one in by_width.values())

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {
            **super().facts(),
            "separated": SEPARATED,
            "ticket": self.entry.claims["tickets"]["ticket"],
            "count": len(s.starts),
            "starts": "; ".join(map(str, s.starts)),
            "wider": f", {s.wide_seeds} at {commas(s.wide)}" if s.wide else "",
            "precision": 1.2 / s.seeds**0.5,
            "fraction_precision": 1.96 * (0.16 / s.narrow_seeds) ** 0.5,
            "widest": self.default.widest,
            "networks": self.count,
        }

    def headline(self) -> str:
        exponents = [one.exponent.value for one in self.starts.values()]
        lawful = self.outcomes()["own"].numbers["lawful"]
        found, runs = [one.tickets.value for one in self.starts.values() if one.tickets], ""
        if found:
            runs = f"; the fraction of tickets at width 2 runs from {min(found):.0%} to "
            runs += f"{max(found):.0%}"
        return (
            f"Over {len(self.starts)} ways to start, the exponent runs from {min(exponents):.2f} "
            f"to {max(exponents):.2f} ({self.default.exponent.value:.2f} with torch's default), "
            f"and {lawful:.0f} of them have 1{runs}."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import BLUE, mosaic
        from minilotto.report.studies.initialisation import plots

        labels, every = [str(start) for start in self.starts], self.starts.values()
        likeness, moved = ([one.at_widest(what) for one in every] for what in (LIKENESS, MOVED))
        panels: dict[str, tuple[str, list[Estimate | None], str]] = {
            "exponent": ("exponent", [one.exponent for one in every], "linear"),
            "tickets": ("fraction of tickets, N = 2", [one.tickets for one in every], "linear"),
            "likeness": ("cosine between seeds", likeness, "linear"),
            "moved": (r"$|\theta - \theta_0|\,/\,|\theta_0|$", moved, "log"),
            "loss": ("median loss", [one.loss for one in every], "log"),
        }
        figure, axes = mosaic([["losses", "losses", *panels]], 14.0, 1.2 + 0.3 * len(labels))
        medians = {str(start): one.points for start, one in self.starts.items()}
        plots.losses_of_starts(medians, axes["losses"])
        for name, (title, rows, scale) in panels.items():
            first = name == "exponent"
            names, limits = (labels, EXPONENTS_SHOWN) if first else ([""] * len(labels), None)
            plots.forest(names, rows, axes[name], title, scale, limits)
        middle, near = self.default.exponent.value, self.entry.claims["exponents"]["near"]
        axes["exponent"].axvspan(middle - near, middle + near, color=BLUE, alpha=0.12, linewidth=0)
        return figure

    def tables(self) -> list[Table]:
        found = self.starts.items()
        losses = ((str(start), *row) for start, one in found for row in width_rows(one.points))
        quantities = (
            (str(start), quantity, width, *interval(estimate))
            for start, one in found
            for quantity, width, estimate in one.quantities()
        )
        return [
            Table.of("losses", "start, width, seeds, diverged, median, low, high", losses),
            Table.of("quantities", "start, quantity, width, value, low, high", quantities),
        ]

    def outcomes(self) -> dict[str, Outcome]:
        rules = {
            "exponents": self._exponents,
            "own": self._own,
            "tickets": self._tickets,
            "alike": self._alike,
            "lazy": self._lazy,
        }
        return {key: rule(self.entry.claims[key]) for key, rule in rules.items()}

    def _exponents(self, claim: Claim) -> Outcome:
        default, near = self.default, claim["near"]
        changes = {
            start: difference(one.strict_exponent, default.strict_exponent)
            for start, one in self.starts.items()
            if start != DEFAULT
        }
        if not changes:
            none = "There is no other start to compare with."
            return untested(none, f"default {default.exponent}")
        judged = [within(change, -near, near) for change in changes.values()]
        outside = [str(start) for start, one in zip(changes, judged, strict=True) if one == FAILS]
        verdict = FAILS if outside else together(judged)
        furthest = max(changes, key=lambda start: abs(changes[start].value))
        measured = (
            f"default {default.exponent}; furthest from it {furthest}: "
            f"{self.starts[furthest].exponent}, by {changes[furthest]}"
        )
        numbers = {str(start): one.exponent.value for start, one in self.starts.items()}
        counts = {"same": judged.count(HOLDS), "others": len(outside), "of": len(judged)}
        facts = {**counts, "outside": "; ".join(outside)}
        return Outcome(verdict, measured, "", numbers, facts)

    def _own(self, claim: Claim) -> Outcome:
        judged = {start: _is_one(one.exponent, claim) for start, one in self.starts.items()}
        default = judged.pop(DEFAULT)
        others = [str(start) for start, one in judged.items() if one]
        unknown = list(judged.values()).count(None)
        lawful, of = len(others) + bool(default), len(self.starts)
        measured = f"exponent 1 in {lawful} of {of} starts; default {self.default.exponent}"
        measured += f"; undecided in {unknown}" if unknown else ""
        numbers = {"lawful": lawful, "undecided": unknown, "starts": of}
        if not judged:
            return untested("There is no other start to compare with.", measured, numbers)
        if default is None:
            return untested("The default's interval is too wide to decide.", measured, numbers)
        if not default:
            return Outcome(FAILS, measured, "Not even the default has exponent 1.", numbers)
        if not others:
            verdict, reason = UNTESTED if unknown else HOLDS, "No other start is known to have it."
        else:
            verdict = FAILS if 2 * len(others) >= len(judged) else IN_PART
            count = f"{len(others)} of {len(judged)}"
            reason = f"Of the others {count} have it too: {'; '.join(others)}."
        return Outcome(verdict, measured, reason, numbers)

    def _tickets(self, claim: Claim) -> Outcome:
        tried = {start: one for start, one in self.starts.items() if one.tickets}
        if len(tried) < 2:
            return untested("Two-neuron nets of two starts are needed.")
        won = np.array([[one.won, one.tried - one.won] for one in tried.values()])
        fractions = won[:, 0] / won.sum(axis=1)
        if not won.any(axis=0).all():
            reason = "All nets end alike; there is nothing to compare."
            return untested(reason, f"{fractions[0]:.0%} in all")
        chance = float(chi2_contingency(won).pvalue)
        most, least = (list(tried)[int(at)] for at in (np.argmax(fractions), np.argmin(fractions)))
        factor = fractions.max() / max(fractions.min(), LEAST_FRACTION)
        wide = factor > claim["similar"]
        if chance < claim["chance"]:
            verdict = FAILS if wide else IN_PART
        else:
            verdict = UNTESTED if wide else HOLDS
        times = f"{factor:.2g} times as many with {most} as with {least}"
        measured = (
            f"default {self.default.tickets or 'missing'}; most {most}: {tried[most].tickets}; "
            f"fewest {least}: {tried[least].tickets}; chance {chance:.2g}"
        )
        numbers = {str(start): float(one) for start, one in zip(tried, fractions, strict=True)}
        facts = {"times": times if fractions.min() > 0 else f"none with {least}"}
        return Outcome(verdict, measured, "", {**numbers, "chance": chance}, facts)

    def _alike(self, claim: Claim) -> Outcome:
        rows = {
            str(start): e for start, one in self.starts.items() if (e := one.at_widest(LIKENESS))
        }
        if not rows:
            return untested("Nets of that width are missing.")
        judged = [within(one, claim["some"], 1.0) for one in rows.values()]
        limit, least = claim["orthogonal"], min(rows, key=lambda start: rows[start].value)
        orthogonal = [start for start, one in rows.items() if one.high < limit]
        reason = f"None is below {limit:g} for certain."
        if orthogonal:
            reason = f"Below {limit:g}, not alike at all: {'; '.join(orthogonal)}."
        measured = (
            f"above {claim['some']:g} in {judged.count(HOLDS)} of {len(rows)} starts; least "
            f"{least}: {rows[least]}"
        )
        return Outcome(together(judged), measured, reason, values(rows))

    def _lazy(self, claim: Claim) -> Outcome:
        rows = {
            start: (moved.value, one.loss.value)
            for start, one in self.starts.items()
            if (moved := one.at_widest(MOVED)) and one.loss
        }
        if len(rows) < claim["least"]:
            few = f"{len(rows)} starts are too few for a correlation; "
            return untested(few + f"{claim['least']:g} are needed.")
        moved, loss = np.array(list(rows.values())).T
        found = rank_correlation(moved, loss)
        verdict = HOLDS if found.high < 0 else FAILS if found.low > 0 else UNTESTED
        least, most = (list(rows)[int(at)] for at in (np.argmin(moved), np.argmax(moved)))
        measured = (
            f"correlation {found}; laziest {least} moves {moved.min():.2g} to loss "
            f"{rows[least][1]:.2g}, richest {most} {moved.max():.2g} to {rows[most][1]:.2g}"
        )
        facts = {"compared": len(rows)}
        return Outcome(verdict, measured, "", as_numbers("correlation", found), facts)


def _is_one(exponent: Estimate, claim: Claim) -> bool | None:
    """Whether it is 1 to the paper's precision; None where that is not known."""
    if exponent.high - exponent.low > claim["wide"]:
        return None
    return reaches(exponent, claim["claimed"], claim["stated"], claim["near"]) == HOLDS
