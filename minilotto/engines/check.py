"""check: compares kernels' gradients with the oracles: NumPy, and torch where it is installed."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from minilotto.data.dataset import Dataset, given, sampled
from minilotto.errors import imported
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels.layers import layers
from minilotto.settings.activations import Reals, activation_of
from minilotto.settings.config import Config

WIDTH, NETS, ROOT_SEED = 5, 24, 20231003
# Errors are counted in units of rounding: machine epsilon times the sum of the absolute values that
# a gradient sums up. Summing P terms whose residuals sum N products loses a few units; a wrong
# formula loses 1 / epsilon of them.
TOLERANCE = 4.0


@dataclass(frozen=True)
class Comparison:
    """What was compared, and by oracle the largest error of all, in units of rounding."""

    activation: str
    task: str
    dtype: str
    loss: str
    errors: dict[str, float]
    depth: int = 1
    residual: bool = False

    @property
    def passed(self) -> bool:
        return all(error <= TOLERANCE for error in self.errors.values())


Oracle = Callable[..., tuple[Reals, tuple[Reals, ...]]]


def oracles(name: str) -> dict[str, Oracle]:
    """By name each oracle's loss_and_gradient that can compute with an activation."""
    from minilotto.oracles import numpy_reference, torch_reference

    found: dict[str, Oracle] = {
        "reference": partial(
            numpy_reference.loss_and_gradient, numpy_reference.second_opinion(activation_of(name))
        )
    }
    if torch_reference.installed():
        imported("torch", "torch")
        if torch_reference.knows(name):
            found["torch"] = partial(torch_reference.loss_and_gradient, name)
    return found


def compare(
    activations: Sequence[str],
    tasks: Sequence[str],
    dtypes: Sequence[str],
    losses: Sequence[str] = ("squared",),
    depths: Sequence[int] = (1,),
) -> Iterator[Comparison]:
    """Compare every coordinate of every gradient of NETS nets of width WIDTH, in all combinations.

    For the logistic loss, targets above their median are the label 1. Several layers are compared
    plain and residual.
    """
    against = {name: oracles(name) for name in activations}
    for dtype, loss, (depth, residual), task, name in itertools.product(
        dtypes, losses, architectures(depths), tasks, activations
    ):
        config = Config(
            width=WIDTH,
            activation=name,
            task=task,
            sampling="uniform",
            points=101,
            dtype=dtype,
            init="normal",
            init_scale=1.5 if depth == 1 else 0.7,  # signals of about 1 in every layer
            root_seed=ROOT_SEED,
            loss=loss,
            depth=depth,
            residual=residual,
        )
        yield _compare(config, against[name])


def architectures(depths: Sequence[int]) -> list[tuple[int, bool]]:
    """Depths, and whether nets are residual: several layers both ways.

    >>> architectures([1, 2])
    [(1, False), (2, False), (2, True)]
    """
    return [(depth, residual) for depth in depths for residual in (False, True)[: min(depth, 2)]]


def _compare(config: Config, against: dict[str, Oracle]) -> Comparison:
    from minilotto.engines.evaluate import gradients

    name, dtype, loss, residual = config.activation, config.dtype, config.loss, config.residual
    data = _rounded(sampled(config), dtype, loss)
    parameters = initial_parameters(config, data.inputs, np.arange(NETS))
    ours = gradients(activation_of(name), parameters, data, dtype, loss=loss, residual=residual)
    scale = sums_of_absolute_terms(name, parameters, data, loss, residual)
    errors = {}
    for oracle, loss_and_gradient in against.items():
        w, b, v, c, *hidden = (array.astype(np.float64) for array in parameters)
        nets, points = (w, b, v, c), (data.x, data.y, data.weight)
        _, theirs = loss_and_gradient(*nets, *points, loss=loss, hidden=hidden, residual=residual)
        ratios = [np.abs(a - b) / s for a, b, s in zip(ours, theirs, scale, strict=True)]
        errors[oracle] = float(max(ratio.max() for ratio in ratios) / np.finfo(dtype).eps)
    return Comparison(name, config.task, dtype, loss, errors, config.depth, residual)


def _rounded(data: Dataset, dtype: str, loss: str) -> Dataset:
    """The data as the kernel sees them, so that rounding x is no error."""
    y = data.y if loss == "squared" else data.y > np.median(data.y)
    return given(data.x.astype(dtype).astype(np.float64), y.astype(dtype).astype(np.float64))


def sums_of_absolute_terms(
    name: str, parameters: Parameters, data: Dataset, loss: str, residual: bool = False
) -> Parameters:
    """For each coordinate of the gradient, the sum of the absolute values of its terms."""
    from minilotto.oracles import numpy_reference

    exact = Parameters(*(array.astype(np.float64) for array in parameters))
    size = Parameters(*map(np.abs, exact))
    row = numpy_reference.second_opinion(activation_of(name))
    share = 1.0 / parameters.depth if residual else 1.0
    terms: list[Reals] = []
    slopes, before = [], np.abs(data.x).T
    for layer, (z, _) in enumerate(layers(activation_of(name), exact, data.x, residual)):
        value, slope = (np.abs(array) for array in numpy_reference.activation(row, z))
        weights, biases = _layer(size, layer)
        z_terms = weights @ before + biases[:, :, None]
        # an error in z changes value and slope by up to max(slope, 1) times as much
        after = value + np.maximum(slope, 1.0) * z_terms
        before = terms[-1] + share * after if residual and layer else after
        terms.append(before)
        slopes.append((slope + z_terms) * (share if layer else 1.0))
    output = np.einsum("rn,rnp->rp", size.v, before) + size.c[:, None] + np.abs(data.y)
    # the slope of the logistic loss is at most 1 and changes no faster than f
    df = (2 if loss == "squared" else 1) * data.weight * output
    dh = df[:, None, :] * size.v[:, :, None]
    hidden_w, hidden_b = np.empty_like(size.hidden_w), np.empty_like(size.hidden_b)
    for layer in range(parameters.depth - 1, 0, -1):
        dz = dh * slopes[layer]
        hidden_w[:, layer - 1] = dz @ terms[layer - 1].swapaxes(1, 2)
        hidden_b[:, layer - 1] = dz.sum(axis=2)
        dh = _layer(size, layer)[0].swapaxes(1, 2) @ dz + (dh if residual else 0.0)
    dz = dh * slopes[0]
    dw = np.einsum("rnp,pd->rnd", dz, np.abs(data.x))
    dv = np.einsum("rp,rnp->rn", df, before)
    return Parameters(dw, dz.sum(axis=2), dv, df.sum(axis=1), hidden_w, hidden_b)


def _layer(parameters: Parameters, layer: int) -> tuple[Reals, Reals]:
    """Weights and biases of a hidden layer, from 0."""
    if layer == 0:
        return parameters.w, parameters.b
    return parameters.hidden_w[:, layer - 1], parameters.hidden_b[:, layer - 1]


def table(comparisons: Sequence[Comparison]) -> str:
    """A row for each dtype, loss, depth and task, a column for each activation; what failed."""
    worst = {(_row(c), c.activation): max(c.errors.values()) for c in comparisons}
    lines = [*grid("", worst), agreement([c.passed for c in comparisons], comparisons[0].errors)]
    lines += [
        f"FAILED: {c.activation} on {c.task} in {c.dtype}, {c.loss} loss{_depth(c)}: {c.errors}"
        for c in comparisons
        if not c.passed
    ]
    return "\n".join(lines)


def grid(title: str, worst: Mapping[tuple[str, str], float]) -> list[str]:
    """Lines of a table of errors by row and column; a mark stands at those beyond TOLERANCE."""
    rows, columns = ([*dict.fromkeys(names)] for names in zip(*worst, strict=True))
    length = max(map(len, (title, *rows)))
    lines = [f"{title:{length}}" + "".join(f"{name:>12}" for name in columns)]
    for row in rows:
        entries = [worst[row, name] for name in columns]
        cells = "".join(f"{entry:11.2f}{' ' if entry <= TOLERANCE else '!'}" for entry in entries)
        lines.append(f"{row:{length}}{cells}")
    return lines


def agreement(passed: Sequence[bool], against: Iterable[str]) -> str:
    """How many comparisons agree with the oracles."""
    return (
        f"{sum(passed)} of {len(passed)} agree with {' and '.join(against)} within "
        f"{TOLERANCE:g} units of rounding"
    )


def _row(c: Comparison) -> str:
    return f"{c.dtype:9}{c.loss:9}{c.task:13}{_depth(c)[2:]}"


def _depth(c: Comparison) -> str:
    return f", depth {c.depth}{' residual' * c.residual}" if c.depth > 1 else ""
