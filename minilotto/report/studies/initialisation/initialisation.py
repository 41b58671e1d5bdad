"""Study: do the exponent, the tickets and the likeness of errors depend on how the networks start?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.rules import LEVEL
from minilotto.report.studies.initialisation.start_verdicts import start_verdicts
from minilotto.report.studies.initialisation.starts import (
    DEFAULT,
    NEAR,
    TICKET,
    Start,
    Started,
    started,
)
from minilotto.report.study import Settings, Study
from minilotto.settings.config import Config
from minilotto.settings.schemes import SCHEMES
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

PAPER_RANGE = (10, 50)
EXPONENTS_SHOWN = (-3.0, 3.0)


@dataclass(frozen=True)
class InitialisationSettings(Settings):
    """inits: schemes, at scale one. init_scales: of those schemes that have a scale. output_scales:
    of torch's default.

    widths and wide: with `seeds` and wide_seeds networks of each start; narrow_seeds networks of
    two neurons, for the tickets.
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
        """Five widths, none of them wide."""
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
        found += [
            Start(name, init_scale=float(scale)) for name in scaled for scale in self.init_scales
        ]
        found += [Start(output_scale=float(scale)) for scale in self.output_scales]
        return tuple(dict.fromkeys(found))


class Initialisation(Study):
    """Every way to start, by exponent, tickets, likeness of errors, and how far training moves the
    parameters.
    """

    name = "initialisation"
    title = "how networks start"
    question = (
        "The paper does not say how its networks were initialised; torch's default fits. Are the "
        "exponent 1, the share of "
        "tickets and the likeness of the errors properties of that start, and what changes from "
        "lazy networks, which hardly "
        "move, to rich ones?"
    )
    settings_type = InitialisationSettings

    @classmethod
    def trainings(cls, settings: InitialisationSettings) -> tuple[Sweep, ...]:
        sweeps = []
        for start in settings.starts:
            common: dict[str, Any] = {**start.fields, "steps": settings.steps}
            sweeps += [
                Sweep(width=2, seeds=settings.narrow_seeds, **common),
                Sweep(
                    widths=tuple(width for width in settings.widths if width != 2),
                    seeds=settings.seeds,
                    **common,
                ),
            ]
            if settings.wide:
                sweeps.append(Sweep(widths=settings.wide, seeds=settings.wide_seeds, **common))
        return tuple(sweeps)

    def __init__(self, source: Source, scale: Scale | InitialisationSettings) -> None:
        self.settings: InitialisationSettings = self.chosen(scale)
        nets: dict[Start, dict[int, Ensemble]] = {}
        for sweep in self.trainings(self.settings):
            for config, one in source.nets(sweep).items():
                nets.setdefault(_start_of(config), {})[config.width] = one
        others = max(1, len(self.settings.starts) - 1)
        strict = (
            1 - (1 - LEVEL) / others
        )  # so that all differences to the default together err as seldom as one
        self.starts: dict[Start, Started] = {}
        for start in self.settings.starts:
            try:
                self.starts[start] = started(nets.get(start, {}), PAPER_RANGE, strict)
            except DataError as error:
                source.missing.append(f"{start}: {error}")
        if DEFAULT not in self.starts:
            raise DataError(
                "torch's default start, with which all are compared, has no three widths from 10 "
                "to 50 with ten or more "
                "finite losses; train more widths or seeds"
            )
        self.count = sum(len(one) for widths in nets.values() for one in widths.values())

    @property
    def default(self) -> Started:
        return self.starts[DEFAULT]

    # What it says
    def design(self) -> str:
        chosen = self.settings
        wide = f", {chosen.wide_seeds} at {', '.join(map(str, chosen.wide))}" if chosen.wide else ""
        return (
            f"SiLU, x², 100 equally spaced points, {chosen.steps:,} Adam steps; "
            f"{len(chosen.starts)} starts: "
            f"{'; '.join(map(str, chosen.starts))} (scale: of all parameters; output: of v and c, "
            "from lazy to rich as it "
            f"falls). {chosen.seeds} networks of each of the widths "
            f"{', '.join(map(str, chosen.widths))}{wide}, and "
            f"{chosen.narrow_seeds} of two neurons, whose tickets (losses up to {TICKET:g}) are "
            "counted. Lazy or rich is "
            f"measured by |theta - theta0| / |theta0|. {chosen.seeds} seeds a width give an "
            "exponent to about "
            f"{1.2 / chosen.seeds**0.5:.2g}, where differences are judged at {NEAR:g}; "
            f"{chosen.narrow_seeds} nets give a "
            f"share of a fifth to ±{1.96 * (0.16 / chosen.narrow_seeds) ** 0.5:.0%}. All could "
            "agree, or the default could "
            "stand alone."
        )

    def headline(self) -> str:
        exponents = [one.exponent.value for one in self.starts.values()]
        lawful = next(
            verdict for verdict in self.verdicts() if "lawful" in verdict.numbers
        ).numbers["lawful"]
        text = (
            f"Over {len(self.starts)} ways to start, the exponent runs from {min(exponents):.2f} "
            f"to {max(exponents):.2f} "
            f"({self.default.exponent.value:.2f} with torch's default), and {lawful:.0f} of them "
            "have 1"
        )
        shares = [one.tickets.value for one in self.starts.values() if one.tickets]
        if shares:
            text += (
                f"; the share of tickets at width 2 runs from {min(shares):.0%} to "
                f"{max(shares):.0%}"
            )
        return f"{text}."

    def caption(self) -> str:
        return (
            "Left: median loss against width; grey: starts that are not singled out. Then, for "
            "each start: the exponent "
            f"over widths 10 to 50 (band: the default's ± {NEAR:g}); the share of two-neuron nets "
            "with a loss up to "
            f"{TICKET:g}; the median cosine of the errors of two seeds at N = "
            f"{self.default.widest}; how far parameters move "
            f"from where they started, there; the median loss there. Bars: {LEVEL:.0%} intervals. "
            f"{self.count:,} networks, "
            f"{self.settings.steps:,} Adam steps."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.starts import forest, losses_of_starts
        from minilotto.report.plots.style import mosaic

        columns = ("exponent", "tickets", "likeness", "moved", "loss")
        figure, axes = mosaic([["losses", "losses", *columns]], 14.0, 1.2 + 0.3 * len(self.starts))
        losses_of_starts(
            {str(start): one.points for start, one in self.starts.items()}, axes["losses"]
        )
        band = (self.default.exponent.value - NEAR, self.default.exponent.value + NEAR)
        labels = [str(start) for start in self.starts]
        found: dict[str, tuple[str, list[Estimate | None], str]] = {
            "exponent": ("exponent", [one.exponent for one in self.starts.values()], "linear"),
            "tickets": (
                "share of tickets, N = 2",
                [one.tickets for one in self.starts.values()],
                "linear",
            ),
            "likeness": (
                "cosine between seeds",
                [one.likeness for one in self.starts.values()],
                "linear",
            ),
            "moved": (
                r"$|\theta - \theta_0|\,/\,|\theta_0|$",
                [one.moved for one in self.starts.values()],
                "log",
            ),
            "loss": ("median loss", [one.loss for one in self.starts.values()], "log"),
        }
        for name, (title, rows, scale) in found.items():
            limits = EXPONENTS_SHOWN if name == "exponent" else None
            forest(
                labels if name == "exponent" else [""] * len(labels),
                rows,
                axes[name],
                title,
                scale,
                limits,
            )
        axes["exponent"].axvspan(*band, color="#0072B2", alpha=0.12, linewidth=0)
        return figure

    def tables(self) -> list[Table]:
        losses: dict[str, list] = {
            name: [] for name in ("start", "width", "seeds", "diverged", "median", "low", "high")
        }
        rows: dict[str, list] = {
            name: [] for name in ("start", "quantity", "width", "value", "low", "high")
        }
        for start, one in self.starts.items():
            found = one.points
            for i, width in enumerate(found.widths.astype(int).tolist()):
                values = (str(start), width, int(found.seeds[i]), int(found.diverged[i]))
                for name, value in zip(
                    losses,
                    (*values, float(found.value[i]), float(found.low[i]), float(found.high[i])),
                    strict=True,
                ):
                    losses[name].append(value)
            for quantity, width, estimate in one.quantities():
                told = (str(start), quantity, width, estimate.value, estimate.low, estimate.high)
                for name, item in zip(rows, told, strict=True):
                    rows[name].append(item)
        return [Table("losses", losses), Table("quantities", rows)]

    def verdicts(self) -> list[Verdict]:
        return start_verdicts(self.starts)


def _start_of(config: Config) -> Start:
    return Start(config.init, config.init_scale, config.output_scale)
