"""The format of a store: its version, and where the blocks of a config begin.

Boundaries follow from the config and the constants of this module alone, so that a later sweep of
more seeds finds the blocks of an earlier one, whatever the machine and the version of minilotto.
The constants are a model of cost as it was when version 1 was declared. The engines have a model
of their own, which is tuned; these numbers are frozen, and a change of any of them is a new
version of the format.
"""

from math import ceil

import numpy as np

from minilotto.initialisation import parameter_count
from minilotto.settings.config import Config
from minilotto.settings.tasks import task_of
from minilotto.training.train import checkpoint_steps

SCHEMA = 1  # version of the format

# A block takes at most BLOCK_SECONDS of one core and BLOCK_BYTES of disk; one vector of nets,
# though, may take MOST_SECONDS.
BLOCK_SECONDS, MOST_SECONDS = 30.0, 300.0
BLOCK_BYTES = 2**25
BLOCK_SEEDS = 2**20
LANES = 16

# Nanoseconds of one core: for one neuron at one point in one step of one net, for Adam's update of
# one parameter, and for one neuron with exact gradients.
UNIT = {
    "silu": {"float32": 0.43, "float64": 1.08},  # of activations without a row here too
    "relu": {"float32": 0.18, "float64": 0.40},
    "leaky_relu": {"float32": 0.20, "float64": 0.41},
    "tanh": {"float32": 0.55, "float64": 1.39},
    "gelu": {"float32": 0.87, "float64": 3.05},
    "softplus": {"float32": 0.78, "float64": 2.50},
    "sigmoid": {"float32": 0.48, "float64": 1.45},
}
FURTHER_INPUT = {"float32": 0.09, "float64": 0.2}
UPDATE = {"float32": 0.9, "float64": 2.6}
WEIGHT = {"float32": 0.06, "float64": 0.12}  # between hidden layers, at one point
EXACT_NEURON = 27.0
PIECEWISE_LINEAR = ("relu", "leaky_relu")
# One lane a neuron: factors of a unit below and from WIDE neurons on, and the cost of a step.
WIDE, WIDE_UNIT, WIDE_STEP = 256, (1.2, 0.95), 500.0
NEURONS = 20_000  # in all nets of one call
NODES = {"float32": 16, "float64": 48}  # of a compressed data set
AUDITED_POINTS = 4096
RULE_NODES = {2: 48**2, 3: 24**3}  # of the quadrature of a population, by number of inputs
RULE_NODES_OF_A_PIECE = 256  # of one input, between kinks
# Levenberg-Marquardt: one neuron at one point, in units above; one product of its equations.
SECOND_ORDER_UNIT, PRODUCT = 1.6, 0.04


def seconds_per_seed(config: Config) -> float:
    """Time that one net takes one core, by the frozen model of cost."""
    inputs, points = task_of(config.task).inputs, _points(config)
    width, dtype = config.width, config.dtype
    lanes = 64 // np.dtype(dtype).itemsize
    nets = max(1.0, NEURONS / width)
    idle = ceil(nets / lanes) * lanes / nets
    unit = UNIT.get(config.activation, UNIT["silu"])[dtype] + (inputs - 1) * FURTHER_INPUT[dtype]
    update = parameter_count(config, inputs) * UPDATE[dtype]
    if config.depth > 1:
        audits = 4 * _audits(config.steps) * min(points, AUDITED_POINTS) / config.steps
        compressed = config.loss == "squared" and inputs == 1
        compressed = compressed and config.activation not in PIECEWISE_LINEAR
        count = config.batch or (min(points, NODES[dtype] + audits) if compressed else points)
        hidden = (config.depth - 1) * width**2 * WEIGHT[dtype]
        cost = count * (config.depth * width * unit + hidden) + update
        return cost * idle * 1e-9 * config.steps

    def on_points(count: float) -> float:
        units = width * count * unit
        return min((units + update) * idle, units * WIDE_UNIT[width >= WIDE] + update + WIDE_STEP)

    if config.optimizer == "lm":
        few, many = sorted((width * (inputs + 2) + 1, points))
        products = few * few * many / 2 + few**3 / 6
        cost = SECOND_ORDER_UNIT * width * points * unit + PRODUCT * products
        return cost * 1e-9 * config.steps
    if config.batch:
        return (width * config.batch * unit + update) * idle * 1e-9 * config.steps
    cost = on_points(points)
    if config.loss == "squared" and inputs == 1:
        if config.activation not in PIECEWISE_LINEAR:
            audited = 4 * _audits(config.steps) * min(points, AUDITED_POINTS) / config.steps
            cost = min(cost, on_points(min(NODES[dtype], points) + audited))
        elif dtype == "float64":
            cost = min(cost, width * EXACT_NEURON)
    return cost * 1e-9 * config.steps


def _points(config: Config) -> int:
    """Number of points that a config trains on."""
    task = task_of(config.task)
    if config.sampling == "examples" and task.shape is not None:
        return task.shape[0]
    if config.sampling != "population":
        return config.points
    if task.inputs > 1:
        return RULE_NODES[task.inputs]
    return RULE_NODES_OF_A_PIECE * (len({*task.domain[0], *task.kinks}) - 1)


def _audits(steps: int) -> int:
    """Number of audits of a training on compressed data."""
    early = sum(step < steps for step in (0, 100, 300, 1000, 3000))
    return early + len(range(10_000, steps, max(10_000, steps // 50))) + 1


def bytes_per_seed(config: Config) -> int:
    """Size of one net on disk: parameters, losses at the checkpoints, and four numbers."""
    parameters = parameter_count(config, task_of(config.task).inputs)
    numbers = len(checkpoint_steps(config.steps)) + 4
    return parameters * np.dtype(config.dtype).itemsize + 8 * numbers


def block_size(config: Config) -> int:
    """Seeds of a whole block, a power of two; blocks begin at its multiples."""
    seconds, size = seconds_per_seed(config), bytes_per_seed(config)

    def fits(seeds: int, limit: float) -> bool:
        return seeds * seconds <= limit and seeds * size <= BLOCK_BYTES and seeds <= BLOCK_SEEDS

    seeds = 1
    while fits(2 * seeds, MOST_SECONDS if 2 * seeds <= LANES else BLOCK_SECONDS):
        seeds *= 2
    return seeds
