"""Loss on infinitely many uniform points: an integral over the task's domain, by quadrature with an
estimate of its error.
"""

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import (
    QUADRATURE_INPUTS,
    Dataset,
    frozen,
    gauss_legendre,
    population_rule,
)
from minilotto.errors import ConfigError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.tasks import Task

RELATIVE_ERROR = 1e-9  # one input; two and three inputs get TENSOR_ERROR
TENSOR_ERROR = 1e-6
PANEL_NODES = 16
MOST_PANELS = 4096
TENSOR_NODES = (24, 36, 54)


def population_losses(
    activation: Activation, parameters: Parameters, task: Task, loss: str = "squared"
) -> NDArray[np.float64]:
    """Integral of (f(x) - y(x))^2 over the task's domain, divided by its volume, for R nets, in
    float64: (R,).

    `loss`: another of Config's losses in place of the square.

    One input and a smooth activation: composite Gauss-Legendre, panels doubled for those nets whose
    value still moves by more than RELATIVE_ERROR. A piecewise linear activation: split at each
    net's own breakpoints, exact up to the target's smoothness. Two or three inputs: tensor rules of
    growing order. Nets that are not finite, and nets whose quadrature does not settle, get NaN.

    Raises ConfigError for examples, for more than three inputs, or more than one with a piecewise
    linear activation.
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
    if task.inputs > 1:
        rules = (population_rule(task, nodes) for nodes in TENSOR_NODES)
        return _settled(activation, parameters, list(rules), TENSOR_ERROR, loss)
    if activation.kinks:
        return np.array(
            [
                _split_at_breakpoints(activation, parameters, i, task, loss)
                for i in range(len(parameters.c))
            ]
        )
    panels = [2**k for k in range(2, MOST_PANELS.bit_length())]
    return _settled(
        activation, parameters, [_composite(task, count) for count in panels], RELATIVE_ERROR, loss
    )


def _settled(
    activation: Activation,
    parameters: Parameters,
    rules: list[Dataset],
    tolerance: float,
    loss: str,
) -> NDArray[np.float64]:
    """Losses by the first rule that agrees with the one before it, net by net; else NaN."""
    from minilotto.engines.evaluate import losses

    result = np.full(len(parameters.c), np.nan)
    pending = np.flatnonzero(np.isfinite(parameters.c))
    before = losses(activation, _taken(parameters, pending), rules[0], loss)
    for rule in rules[1:]:
        if not pending.size:
            break
        after = losses(activation, _taken(parameters, pending), rule, loss)
        done = np.abs(after - before) <= tolerance * after
        result[pending[done]] = after[done]
        pending, before = pending[~done], after[~done]
    return result


def _composite(task: Task, panels: int, bends: NDArray[np.float64] | None = None) -> Dataset:
    """The mean over the domain of one input, from `panels` equal panels, kinks (and bends of a net)
    among their edges.
    """
    low, high = task.domain[0]
    edges = np.unique(
        [*np.linspace(low, high, panels + 1), *task.kinks, *(() if bends is None else bends)]
    )
    x, weight = gauss_legendre(edges, PANEL_NODES)
    return frozen(x[:, None], task(x[:, None]), weight / (high - low))


def _split_at_breakpoints(
    activation: Activation, parameters: Parameters, i: int, task: Task, loss: str
) -> float:
    """The population loss of net i, whose output is linear between its breakpoints -b/w."""
    from minilotto.engines.evaluate import losses

    one = _taken(parameters, np.array([i]))
    if not all(np.isfinite(array).all() for array in one):
        return float("nan")
    low, high = task.domain[0]
    w, b = one.w[0, :, 0].astype(np.float64), one.b[0].astype(np.float64)
    breakpoints = -b[w != 0] / w[w != 0]
    inside = breakpoints[(breakpoints > low) & (breakpoints < high)]
    if loss != "squared":  # of a linear output, this loss is curved
        panels = [2**k for k in range(5, MOST_PANELS.bit_length())]
        return float(
            _settled(
                activation, one, [_composite(task, n, inside) for n in panels], RELATIVE_ERROR, loss
            )[0]
        )
    # Between breakpoints only the target is curved, so a few panels resolve it.
    return float(losses(activation, one, _composite(task, 32, inside))[0])


def _taken(parameters: Parameters, places: NDArray[np.intp]) -> Parameters:
    return Parameters(*(array[places] for array in parameters))
