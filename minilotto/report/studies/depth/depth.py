"""Study: loss against the number of hidden layers, and whether layers average their errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from minilotto.analysis.ensembling.decomposition import decompose
from minilotto.analysis.ensembling.ensembling import gram
from minilotto.analysis.stats.bootstrap import Estimate, Points, estimate, points
from minilotto.analysis.stats.differences import ratio
from minilotto.analysis.stats.estimates import bend, estimates
from minilotto.analysis.stats.exponents import exponent_change, exponent_over
from minilotto.analysis.stats.scaling import fit_law
from minilotto.analysis.tickets.apart import median_estimate
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import hidden
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Claim, Outcome, one_laws, tally
from minilotto.report.figure import Source, Table, commas, interval, training_words
from minilotto.report.rules import LEVEL, factor
from minilotto.report.studies.ensembling.analysis import cosine_between
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.report.tuning import Losses, best_of, medians
from minilotto.settings.arrays import Array
from minilotto.settings.config import Config
from minilotto.store.grid import Sweep

KINDS = ("plain", "residual")
USUAL, BEST, SHALLOW = "usual training", "best rate of each depth", "one layer"
TASK = "square"
PAIRS = 1000  # of seeds
COLUMNS = {
    "losses": "training, task, width, layers, kind, nets, loss, low, high",
    "exponents": "training, task, width, kind, exponent, low, high, from two layers on, "
    "beyond low, beyond high, bend, bend low, bend high, p of a power law",
    "layers": "width, layers, nets, cosine of two layers, low, high, loss / average of layers, "
    "ratio low, ratio high, loss without a layer / loss, lesion low, lesion high",
    "seeds": "layers, kind, cosine of two seeds, low, high, bias / loss, bias low, bias high",
    "parameters": "layers, width of one layer, kind, loss / loss of one layer, low, high",
}

Key = tuple[str, str, int, str]  # training, task, width, kind


@dataclass(frozen=True)
class Members:
    """R residual nets of L layers as means of M = L - 1.

    errors: (R, M, P) of each layer, whose mean is the net's; loss: (R,); cosine: (R,) median over
    pairs of layers, NaN for one; ratio: (R,) loss over that of an average of independent layers;
    lesion: (R,) loss without one layer over the loss, median over layers.
    """

    errors: Array
    loss: Array
    cosine: Array
    ratio: Array
    lesion: Array


def members(nets: Ensemble) -> Members:
    """The layers after the first of residual nets, in float64."""
    data, w = nets.data, nets.data.weight
    v, c = nets.v.astype(np.float64), nets.c.astype(np.float64)
    steps = added(nets)
    count = len(steps) - 1
    start = np.einsum("rn,rnp->rp", v, steps[0]) + c[:, None] - data.y
    parts = np.stack([np.einsum("rn,rnp->rp", v, step) for step in steps[1:]], axis=1)
    errors = start[:, None] + count * parts
    products = gram(errors, w)
    size = np.diagonal(products, axis1=1, axis2=2)
    loss = errors.mean(axis=1) ** 2 @ w
    first, second = np.triu_indices(count, 1)
    cosine = np.full(len(loss), np.nan)
    if count > 1:
        scale = np.sqrt(size[:, first] * size[:, second])
        cosine = np.median(products[:, first, second] / scale, axis=1)
    without = [
        (np.einsum("rn,rnp->rp", v, sum(added(nets, layer))) + c[:, None] - data.y) ** 2 @ w
        for layer in range(1, count + 1)
    ]
    lesion = np.median(np.stack(without) / loss, axis=0)
    return Members(errors, loss, cosine, loss / (size.mean(axis=1) / count), lesion)


def added(nets: Ensemble, without: int = 0) -> list[Array]:
    """What each layer adds to the state of a residual net, (R, N, P), the first layer its all; one
    that is left `without` adds nothing, which those after it see.
    """
    depth = nets.config.depth
    steps = [hidden(nets.activation, nets.w, nets.b, nets.data.x)]
    state = steps[0]
    for row in range(depth - 1):
        weights = nets.hidden_w[:, row].astype(np.float64)
        z = weights @ state + nets.hidden_b[:, row, :, None]
        step = np.asarray(nets.activation.value(z)) / depth * (row + 1 != without)
        steps.append(step)
        state = state + step
    return steps


@dataclass(frozen=True)
class DepthSettings(Settings):
    seeds: int = default(32, quick=20)
    steps: int = default(10_000, quick=3000)
    widths: tuple[int, ...] = default((4, 8, 16), quick=(8,))  # neurons of each layer
    depths: tuple[int, ...] = (1, 2, 3, 4, 6, 8)  # numbers of hidden layers, 1 among them
    main: int = 8  # width of the other tasks and of the controls
    others: tuple[str, ...] = ("teacher1",)  # tasks of one input beside x²
    rates: tuple[float, ...] = (0.003, 0.03)  # other than the paper's
    longer: int = 4  # times as many steps

    def wide(self, depth: int) -> int:
        """Neurons of one layer with as many parameters as the main width has at that depth."""
        return self.main + round((depth - 1) * self.main * (self.main + 1) / 3)

    def sweeps(self) -> list[Sweep]:
        if 1 not in self.depths or len(set(self.depths)) < 4:
            raise ConfigError(
                f"depths={self.depths!r} make no curve; give 1 and three more numbers of layers"
            )
        return [sweep for some in self.trainings().values() for sweep in some]

    def trainings(self) -> dict[tuple[str, str], list[Sweep]]:
        """By training and task: nets of one layer, and of several of both kinds."""
        deep = tuple(depth for depth in self.depths if depth > 1)

        def trained(
            widths: tuple[int, ...], task: str = TASK, times: int = 1, **fields: Any
        ) -> list[Sweep]:
            shared = {"seeds": self.seeds, "tasks": (task,), **scheduled(times * self.steps)}
            fields = {**shared, **fields}
            return [
                Sweep(widths=widths, depths=(1,), **fields),
                Sweep(widths=widths, depths=deep, residual=(False, True), **fields),
            ]

        widths, main = tuple(sorted({*self.widths, self.main})), (self.main,)
        equal = tuple(dict.fromkeys(self.wide(depth) for depth in deep))
        return {
            (USUAL, TASK): trained(widths),
            **{(USUAL, task): trained(main, task) for task in self.others},
            **{(f"rate {rate:g}", TASK): trained(main, lr=rate) for rate in self.rates},
            (f"{self.longer * self.steps:,} steps", TASK): trained(main, times=self.longer),
            ("float64", TASK): trained(main, dtype="float64"),
            (SHALLOW, TASK): trained(equal)[:1],
        }


class Depth(Study):
    """Exponents of loss against depth, errors of layers and of seeds, nets without a layer."""

    name = "depth"
    settings_type = DepthSettings

    def __init__(self, source: Source, settings: DepthSettings) -> None:
        s = self.settings = settings
        self.left_out = list[str]()
        self.nets: dict[Key, dict[int, Ensemble]] = {}
        self.shallow: dict[int, Ensemble] = {}
        losses: dict[Key, Losses] = {}
        for (name, task), sweeps in s.trainings().items():
            for config, nets in ((c, n) for one in sweeps for c, n in source.nets(one).items()):
                finite = nets.select(np.isfinite(nets.loss))
                if name == SHALLOW:
                    self.shallow[config.width] = finite
                for kind in KINDS if name != SHALLOW else ():
                    if config.depth == 1 or config.residual == (kind == "residual"):
                        key = name, task, config.width, kind
                        self.nets.setdefault(key, {})[config.depth] = finite
                        losses.setdefault(key, {})[config.depth] = nets.loss
        losses |= self._at_best_rates(losses)
        self.curves = {key: one for key, by in losses.items() if (one := self._curve(key, by))}
        if not self._usual:
            raise DataError(
                f"no curve of loss against {commas(s.depths)} layers is there; train them, as in "
                f"Depth.run(widths=({s.main},), seeds=32)"
            )
        self.training = training_words(
            [one for key, by in self.nets.items() if key[0] == USUAL for one in by.values()]
        )

    def _at_best_rates(self, losses: Mapping[Key, Losses]) -> dict[Key, Losses]:
        """Losses at the rate that is best at each depth, chosen on other seeds."""
        found = {}
        for kind in KINDS:
            main = TASK, self.settings.main, kind
            names = {Config().lr: USUAL, **{rate: f"rate {rate:g}" for rate in self.settings.rates}}
            known = {r: losses[key] for r, n in names.items() if (key := (n, *main)) in losses}
            if len(known) > 1:
                found[(BEST, *main)] = best_of(known)[0]
        return found

    def _curve(self, key: Key, losses: Losses) -> Points | None:
        """Median loss against depth; None for fewer than four depths or too few seeds."""
        name = commas(map(str, key))
        found = medians(losses, name, self.left_out, 1000, "depth")
        if found and len(found.widths) >= 4:
            return found
        self.left_out.append(f"{name}: {len(found.widths) if found else 0} depths are no curve")
        return None

    @property
    def _usual(self) -> dict[Key, Points]:
        return {key: one for key, one in self.curves.items() if key[0] == USUAL}

    @cached_property
    def layers(self) -> dict[tuple[int, int], dict[str, Estimate]]:
        """What the layers of residual nets are like, by width and depth."""
        found = {}
        for (name, task, width, kind), by in self.nets.items():
            for depth, nets in by.items() if (name, task, kind) == (USUAL, TASK, KINDS[1]) else ():
                if depth > 2 and len(nets):
                    one = members(nets)
                    parts = {what: getattr(one, what) for what in ("cosine", "ratio", "lesion")}
                    found[width, depth] = {n: median_estimate(part) for n, part in parts.items()}
        return dict(sorted(found.items()))

    @cached_property
    def seeds(self) -> dict[tuple[str, int], tuple[Estimate, Any]]:
        """Cosine of the errors of two seeds, and bias and variance, by kind and depth."""
        found = {}
        for kind in KINDS:
            for depth, nets in self.nets.get((USUAL, TASK, self.settings.main, kind), {}).items():
                errors, weight = nets.predict(nets.data.x) - nets.data.y, nets.data.weight
                cosine = cosine_between(errors, weight, PAIRS)
                found[kind, depth] = cosine, decompose(errors, weight, level=LEVEL)
        return found

    @cached_property
    def parameters(self) -> dict[tuple[str, int], Estimate]:
        """Median loss over that of one layer with as many parameters, by kind and depth."""
        wide = {n: one.loss for n, one in self.shallow.items() if len(one) >= 10}
        there = estimates(points(list(wide), list(wide.values()), level=LEVEL)) if wide else {}
        return {
            (kind, depth): ratio(loss, there[self.settings.wide(depth)])
            for kind in KINDS
            if (curve := self.curves.get((USUAL, TASK, self.settings.main, kind)))
            for depth, loss in estimates(curve).items()
            if depth > 1 and self.settings.wide(depth) in there
        }

    @cached_property
    def exponents(self) -> dict[Key, Estimate]:
        found = {key: exponent_over(one, 1, np.inf) for key, one in self.curves.items()}
        return {key: one for key, one in found.items() if one}

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {**super().facts(), "long": s.longer * s.steps, "training": self.training}

    def headline(self) -> str:
        none = Estimate(np.nan, np.nan, np.nan, LEVEL)
        main = [(USUAL, TASK, self.settings.main, kind) for kind in KINDS]
        one, two = (f"{self.exponents.get(key, none):.2f}" for key in main)
        said = (
            f"Over 1 to {max(self.settings.depths)} layers of {self.settings.main} neurons the "
            f"loss on x² falls with exponent {one} in plain nets and {two} in residual ones"
        )
        if not self.layers:
            return f"{said}."
        (width, depth), found = max(self.layers.items(), key=lambda each: each[0][::-1])
        return (
            f"{said}; but errors of two of the {depth} layers of residual nets of width {width} "
            f"have a cosine of {found['cosine'].value:.2f}, these nets lose "
            f"{found['ratio'].value:.2g} times what their layers would as an average, and without "
            f"one layer {found['lesion'].value:.2g} times as much as with it."
        )

    def tables(self) -> list[Table]:
        rows: dict[str, list[Sequence[Any]]] = {name: [] for name in COLUMNS}
        for (name, task, width, kind), curve in self.curves.items():
            place = name, task, width
            for i, (depth, loss) in enumerate(estimates(curve).items()):
                rows["losses"].append((*place, depth, kind, curve.seeds[i], loss))
            fit = fit_law(curve)
            beyond = interval(exponent_over(curve, 2, np.inf))
            numbers = (fit.estimates["exponent"], *beyond, bend(curve), fit.p_value)
            rows["exponents"].append((*place, kind, *numbers))
        for (width, depth), found in self.layers.items():
            nets = len(self.nets[USUAL, TASK, width, KINDS[1]][depth])
            rows["layers"].append((width, depth, nets, *found.values()))
        for (kind, depth), (cosine, parts) in self.seeds.items():
            rows["seeds"].append((depth, kind, cosine, parts.share))
        for (kind, depth), times in self.parameters.items():
            rows["parameters"].append((depth, self.settings.wide(depth), kind, times))
        return [Table.of(name, COLUMNS[name], some) for name, some in rows.items() if some]

    def claim_plain(self, claim: Claim) -> Outcome:
        found = {f"{n[1]}, N = {n[2]}": self.exponents[n] for n in self._usual if n[3] == claim.key}
        return tally(found, claim.near, "exponent: ")

    claim_residual = claim_plain

    def claim_law(self, claim: Claim) -> Outcome:
        found = {f"{kind}, {task}, N = {n}": e for (_, task, n, kind), e in self._usual.items()}
        return one_laws(found, lambda bent, p: bent.value)

    def _layers(self, what: str) -> dict[str, Estimate]:
        return {f"N = {n}, L = {depth}": one[what] for (n, depth), one in self.layers.items()}

    def claim_layers(self, claim: Claim) -> Outcome:
        return tally(self._layers("cosine"), claim.orthogonal)

    def claim_members(self, claim: Claim) -> Outcome:
        return tally(self._layers("ratio"), claim.similar)

    def claim_lesion(self, claim: Claim) -> Outcome:
        return tally(self._layers("lesion"), lambda one: factor(one, 0.0, claim["similar"]))

    def claim_seeds(self, claim: Claim) -> Outcome:
        found = {f"{kind}, L = {n}": one for (kind, n), (one, _) in self.seeds.items() if n > 1}
        return tally(found, claim.orthogonal)

    def claim_parameters(self, claim: Claim) -> Outcome:
        found = {f"{kind}, L = {depth}": one for (kind, depth), one in self.parameters.items()}
        return tally(found, lambda one: factor(one, 0.0, 1.0))

    def claim_variance(self, claim: Claim) -> Outcome:
        found = {}
        for kind in KINDS:
            by = {depth: parts for (one, depth), (_, parts) in self.seeds.items() if one == kind}
            if len(by) > 1 and 1 in by:
                first, last = by[1], by[max(by)]
                fell = first.replicates - last.replicates[::-1]
                drawn = (fell[:, 0] - fell[:, 1]) / fell[:, 0]
                loss, bias = first.loss.value - last.loss.value, first.bias.value - last.bias.value
                found[f"{kind}, L = 1 to {max(by)}"] = estimate((loss - bias) / loss, drawn, LEVEL)
        return tally(found, claim.mostly, "variance / loss, of what fell: ")

    def claim_controls(self, claim: Claim) -> Outcome:
        changes = {}
        for (name, task, width, kind), curve in self.curves.items():
            if name != USUAL:
                usual = self.curves.get((USUAL, task, width, kind))
                changes[f"{kind}, {name}"] = exponent_change(curve, usual, 1, np.inf)
        return tally(changes, claim.unchanged)
