"""Loss on infinitely many uniform points, by quadrature with error control."""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from minilotto.data.dataset import (
    QUADRATURE_INPUTS,
    Dataset,
    frozen,
    gauss_legendre,
    population_rule,
)
from minilotto.errors import ConfigError
from minilotto.initialisation import Parameters
from minilotto.kernels.layers import layers
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, Ints
from minilotto.settings.tasks import Task

RELATIVE_ERROR = 1e-9  # one input; two and three inputs get TENSOR_ERROR
TENSOR_ERROR = 1e-6
PANEL_NODES = 16
MOST_PANELS = 4096
GRADINGS = (2.0, 2.0**0.5, 2.0**0.25)  # of panels about the transitions of very sharp nets
TENSOR_NODES = (24, 36, 54)


def population_losses(
    activation: Activation,
    parameters: Parameters,
    task: Task,
    loss: str = "squared",
    residual: bool = False,
) -> Array:
    """Integral (R,) of (f(x) - y(x))^2, or another of Config's losses, over the task's domain,
    divided by its volume.

    For one input and a smooth activation it is composite Gauss-Legendre quadrature, with panels
    doubled for those nets whose value still changes by more than RELATIVE_ERROR, and at last with
    panels that grow geometrically from -b/w of each neuron on, for nets of very large w. For a
    piecewise linear activation the domain is split at each net's breakpoints, which is exact up to
    the target's smoothness. For two or three inputs it is tensor rules of growing order. NaN for
    nets that are not finite and where the quadrature does not converge. Raises ConfigError for
    examples, more than three inputs, or more than one with a piecewise linear activation.
    """
    if task.examples is not None:
        raise ConfigError(
            f"task {task.name!r} is a set of examples, which has no population; see nets.held_out"
        )
    if task.inputs > QUADRATURE_INPUTS or (task.inputs > 1 and activation.kinks):
        raise ConfigError(
            f"the population loss of {activation.name} on {task.inputs} inputs is out of reach; "
            "average (nets.predict(x) - y)**2 over many points of your own"
        )
    from minilotto.engines.evaluate import losses

    losses_on = partial(losses, activation, loss=loss, residual=residual)
    if task.inputs > 1:
        tensors = [population_rule(task, nodes) for nodes in TENSOR_NODES]
        return _settled(losses_on, parameters, tensors, TENSOR_ERROR)
    if activation.kinks:
        nets = (_taken(parameters, np.array([i])) for i in range(len(parameters.c)))
        places_of = partial(_breakpoints, activation, task=task, residual=residual)
        return np.array(
            [_split_at(places_of, losses_on, one, task, loss == "squared") for one in nets]
        )
    panels = [_composite(task, 2**k) for k in range(2, MOST_PANELS.bit_length())]
    result = _settled(losses_on, parameters, panels, RELATIVE_ERROR)
    for i in np.flatnonzero(np.isnan(result) & np.isfinite(parameters.c)):
        one = _taken(parameters, np.array([i]))
        rules = [_composite(task, 64, _graded(one, ratio)) for ratio in GRADINGS]
        result[i] = _settled(losses_on, one, rules, RELATIVE_ERROR)[0]
    return result


def _settled(
    losses_on: Callable[..., Array], parameters: Parameters, rules: list[Dataset], tolerance: float
) -> Array:
    """Losses by the first rule that agrees with the one before it, for each net; NaN where none
    does.
    """
    result = np.full(len(parameters.c), np.nan)
    pending = np.flatnonzero(np.isfinite(parameters.c))
    before = losses_on(_taken(parameters, pending), rules[0])
    for rule in rules[1:]:
        if not pending.size:
            break
        after = losses_on(_taken(parameters, pending), rule)
        done = np.abs(after - before) <= tolerance * after
        result[pending[done]] = after[done]
        pending, before = pending[~done], after[~done]
    return result


def _composite(task: Task, panels: int, bends: Iterable[float] = ()) -> Dataset:
    """The mean over the domain of one input, from equal panels, split at kinks and bends."""
    low, high = task.domain[0]
    edges = np.unique([*np.linspace(low, high, panels + 1), *task.kinks, *bends])
    edges = edges[(edges >= low) & (edges <= high)]
    x, weight = gauss_legendre(edges, PANEL_NODES)
    return frozen(x[:, None], task(x[:, None]), weight / (high - low))


def _graded(one: Parameters, ratio: float) -> Array:
    """Places x where a neuron of one net has z = 0 or |z| = ratio^k, from nearly linear to flat."""
    w, b = one.w[0, :, 0].astype(np.float64), one.b[0].astype(np.float64)
    w, b = w[w != 0], b[w != 0]
    z = ratio ** np.arange(np.log(1 / 16) / np.log(ratio), np.log(1024) / np.log(ratio))
    z = np.concatenate([-z[::-1], [0.0], z])
    with np.errstate(over="ignore"):
        places: Array = (z[:, None] - b) / w
    return places.ravel()


def _breakpoints(activation: Activation, one: Parameters, task: Task, residual: bool) -> Array:
    """Places inside the domain where a neuron of one net, of piecewise linear activation, bends:
    layer by layer, as z is linear between those of the layers before.
    """
    low, high = task.domain[0]
    w, b = one.w[0, :, 0].astype(np.float64), one.b[0].astype(np.float64)
    places = -b[w != 0] / w[w != 0]
    for row in range(one.depth - 1):
        x = np.unique([low, *places[(places > low) & (places < high)], high])
        z = list(layers(activation, one, x[:, None], residual))[row + 1][0][0]
        neuron, left = np.nonzero(z[:, :-1] * z[:, 1:] < 0)
        before, after = z[neuron, left], z[neuron, left + 1]
        crossing = x[left] + (x[left + 1] - x[left]) * (before / (before - after))
        places = np.concatenate([places, crossing])
    inside: Array = places[(places > low) & (places < high)]
    return inside


def _split_at(
    places_of: Callable[..., Array],
    losses_on: Callable[..., Array],
    one: Parameters,
    task: Task,
    squared: bool,
) -> float:
    """The population loss of one net, whose output is linear between its breakpoints."""
    if not all(np.isfinite(array).all() for array in one):
        return float("nan")
    places = places_of(one)
    if not squared:  # a steep output makes it vary fast, even where the output is linear
        rules = [_composite(task, 2**k, places) for k in range(5, MOST_PANELS.bit_length())]
        return float(_settled(losses_on, one, rules, RELATIVE_ERROR)[0])
    # Between breakpoints only the target is curved, and 32 panels are enough for it.
    return float(losses_on(one, _composite(task, 32, places))[0])


def _taken(parameters: Parameters, places: Ints) -> Parameters:
    return Parameters(*(array[places] for array in parameters))
