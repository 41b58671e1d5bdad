"""How many neurons of a trained net can go, by which rule, and whether small nets do as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilotto.analysis.landscape.pruned_losses import (
    RULES,
    UNFITTED,
    PrunedLosses,
    Readout,
    median_loss,
    pruned_losses,
    ratio_of_medians,
    whole_losses,
)
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Case, Claim, Outcome, over, tally, untested
from minilotto.report.figure import Source, Table, commas, training_words
from minilotto.report.rules import Every, factor
from minilotto.report.study import Settings, Study, default
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

LEAST_SEEDS = 10
OTHERS = 40  # nets of each width beyond the first
LESS = 1 - 1e-9  # a ratio of losses that is below 1
AWARE = ("tickets", "merging", "elimination")  # rules that use what neurons have in common
# By claim: a rule, and the readouts after it.
HALF: dict[str, tuple[str, tuple[Readout, ...]]] = {
    "trained": ("elimination", ("float32", "float64")),
    "refitted": ("elimination", ("float32", "float64")),
    "merged": ("merging", (None,)),
}
# By claim: rules, the one that they are compared with, and the readout.
BETTER: dict[str, tuple[tuple[str, ...], str, Readout]] = {
    "aware": (AWARE, "magnitude", "float32"),
    "unfitted": (("merging",), "magnitude", None),
    "chance": (("magnitude", *AWARE), "random", "float32"),
}


@dataclass(frozen=True)
class PruningSettings(Settings):
    seeds: int = default(100, quick=24)
    # from 2 on, of nets that are cut down; rules are compared on the first
    wide: tuple[int, ...] = default((50, 20, 200), quick=(50, 20))
    # of nets that are trained to compare with
    small: tuple[int, ...] = (1, 2, 3, 4, 5, 10, 15, 20, 25, 30, 40)
    activation: str = "silu"  # of all nets

    def sweeps(self) -> list[Sweep]:
        if not self.wide or min(self.wide) < 2:
            raise ConfigError(
                f"wide={self.wide!r} leaves nothing to prune; give widths from 2 on, such as (50,)"
            )
        small = (width for width in self.small if width < max(self.wide))
        widths, activations = sorted({*self.wide, *small}), (self.activation,)
        return [Sweep(self.seeds, widths=widths, activations=activations, steps=self.steps)]


class Pruning(Study):
    """Loss against neurons kept, by rule and precision of the refit, beside nets trained small."""

    name = "pruning"
    settings_type = PruningSettings

    def __init__(self, source: Source, settings: PruningSettings) -> None:
        (sweep,) = settings.sweeps()
        nets: dict[int, Ensemble] = {}
        for width, one in source.by_width(sweep).items():
            good = np.isfinite(one.loss) & (one.loss > 0)
            if good.sum() >= LEAST_SEEDS:
                nets[width] = one.select(good)
        self.cuts: dict[int, PrunedLosses] = {}
        for width in (width for width in settings.wide if width in nets):
            one, first = nets[width], not self.cuts
            some = one if first else one.select(np.arange(min(OTHERS, len(one))))
            self.cuts[width] = pruned_losses(some, search=first)
        if not self.cuts:
            raise DataError(
                f"no width of {commas(settings.wide)} has {LEAST_SEEDS} finite nets to prune; "
                f"train them, as in Pruning.run(wide=({settings.wide[0]},), seeds=100)"
            )
        self.small: dict[int, Mapping[Readout, Array]] = {
            width: whole_losses(nets[width]) for width in sorted(nets) if width < max(self.cuts)
        }
        self.training = training_words(nets.values())

    @property
    def main(self) -> int:
        return next(iter(self.cuts))

    def facts(self) -> dict[str, Any]:
        return {"main": self.main, "others": OTHERS, "training": self.training}

    def headline(self) -> str:
        cut, same = self.cuts[self.main], self.entry.claims["trained"]["same"]
        elimination, magnitude, random = (
            _enough(cut.fewest(rule, "float32", None, same))
            for rule in ("elimination", "magnitude", "random")
        )
        return (
            f"Of {self.main} neurons {elimination} for the trained loss when the last layer is "
            "fitted again for float32 and backward elimination chooses them (by magnitude "
            f"{magnitude}, at random {random}); merged without a fit, "
            f"{_enough(cut.fewest('merging', None, None, same))}."
        )

    def tables(self) -> list[Table]:
        kept = [
            (
                *(width, RULES[rule] if readout else UNFITTED[rule], readout or "not fitted", k),
                median,
                np.median(cut.growth[rule, k]) if readout == "float64" else None,
            )
            for width, cut in self.cuts.items()
            for (rule, k, readout), median in cut.medians.items()
        ]
        every = [(width, "cut down", cut.whole) for width, cut in self.cuts.items()]
        every += [(width, "small", losses) for width, losses in self.small.items()]
        whole = [
            (width, kind, readout or "as trained", len(loss), median_loss(loss))
            for width, kind, losses in every
            for readout, loss in losses.items()
        ]
        header = "from, rule, output weights, kept, loss, low, high, cancellation"
        other = "width, kind, output weights, nets, loss, low, high"
        return [Table.of("kept", header, kept), Table.of("whole", other, whole)]

    def claim_trained(self, claim: Claim) -> Outcome:
        """Whether half of the neurons are enough; the first readout decides."""
        same, cases, (rule, readouts) = claim["same"], [], HALF[claim.key]
        for width, cut in self.cuts.items():
            words, numbers = [], {}
            against = {one: one if claim.key == "refitted" else None for one in readouts}
            for readout in readouts:
                fewest = cut.fewest(rule, readout, against[readout], same)
                words.append(_enough(fewest) + (f" in {readout}" if readout else ""))
                if fewest is not None:
                    name = f"N = {width}" + (f", {readout}" if readout else "")
                    numbers[name] = float(fewest)
            first, whole = readouts[0], cut.whole[against[readouts[0]]]
            half = [k for k in cut.kept(rule, first) if k >= width / 2]
            ratios = [median_loss(cut.losses[rule, k, first] / whole) for k in half]
            judged = Every([factor(one, 0.0, same) for one in ratios])
            cases.append(Case(f"N = {width}", judged, ", ".join(words), numbers))
        return over(cases, "neurons from which on nothing is lost: ")

    claim_refitted = claim_merged = claim_trained

    def claim_aware(self, claim: Claim) -> Outcome:
        """Whether rules lose less than another one, at all numbers of neurons."""
        rules, than, readout = BETTER[claim.key]
        ratios = {
            f"{RULES[rule] if readout else rule} / {than}, k = {k}": ratio
            for rule in rules
            for k, ratio in self.cuts[self.main].ratios(rule, than, readout).items()
        }
        return tally(ratios, lambda ratio: factor(ratio, 0.0, LESS))

    claim_unfitted = claim_chance = claim_aware

    def claim_search(self, claim: Claim) -> Outcome:
        found = self.cuts[self.main].ratios("elimination", "distilled", "float64", least=1)
        ratios = {f"k = {k}": ratio for k, ratio in found.items()}
        return tally(ratios, lambda ratio: factor(ratio, 0.0, claim["same"]))

    def claim_small(self, claim: Claim) -> Outcome:
        cut = self.cuts[self.main]
        shared = [k for k in cut.kept("elimination", "float32") if k in self.small]
        if not shared:
            return untested("No nets were trained at a width that was pruned to.")
        ratios = {
            f"k = {k} against small nets {name}": ratio_of_medians(
                cut.losses["elimination", k, "float32"], self.small[k][readout]
            )
            for readout, name in (("float32", "fitted likewise"), (None, "as trained"))
            for k in shared
        }
        return tally(ratios, lambda ratio: factor(ratio, 0.0, LESS))


def _enough(count: int | None) -> str:
    if count is None:
        return "none can go"
    return "1 is enough" if count == 1 else f"{count} are enough"
