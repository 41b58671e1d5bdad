"""What the training kernels take: tuples of arrays and numbers, which Numba compiles away."""

from typing import NamedTuple

from numpy.typing import NDArray

from minilotto.kernels.compile import kernel
from minilotto.kernels.spec import load, store
from minilotto.kernels.updates import Coefficients, update


class Nets(NamedTuple):
    """Parameters of nets and the optimiser's m and s, three arrays in the layout of the kernel."""

    theta: NDArray
    m: NDArray
    s: NDArray


class Points(NamedTuple):
    """Weighted points in the kernel's precision; their number P is a multiple of the group.

    x (P * D,), y (P,) and slope_weight (P,): weight times the loss formula's factor, 2 weight for
    squares.
    """

    x: NDArray
    y: NDArray
    slope_weight: NDArray


class SpacedPoints(NamedTuple):
    """Equally spaced Points of one input, P a multiple of four: spans of eight, the last one of
    four where P is no multiple of eight, each as pairs at equal distances from its middle, the
    inner pair first, and of each pair the point beyond the middle first.

    middle (spans,) and distance (4,): of the pairs, in the direction from the first to the last.
    """

    x: NDArray
    y: NDArray
    slope_weight: NDArray
    middle: NDArray
    distance: NDArray


class FreshPoints(NamedTuple):
    """Points that each lane has for itself at each step: as Points, with a row of lanes in
    place of each number.

    x (blocks, steps, P * D * lanes), y (blocks, steps, P * lanes) and slope_weight (1, P * lanes),
    the same for all.
    """

    x: NDArray
    y: NDArray
    slope_weight: NDArray


class Batches(NamedTuple):
    """Rows of a table, of which each seed draws a batch at each step, a window of steps at a time.

    table (pairs, padded, 2) of `rows` rows: the coordinates of x, y and, if `weighted`, the slope
                             weight, two columns a pair; the last one twice where they are odd
    planes (pairs, 8, SMALL) of the first rows, in float32: the first bytes of all pairs, then the
                             second ones, ...
    batch                    points of a batch; P is batch, or more to fill the last group
    first                    number of the first step
    places                   space for the rows drawn, (blocks, window, P * lanes) of int32
    keys (blocks, lanes)     of the seeds, by `random.seed_keys`
    x, y, slope_weight       space for the points, as in FreshPoints, of the steps of the window;
                             slope_weight is (blocks, window, P * lanes), or, unless `weighted`, the
                             same for all, (1, 1, P * lanes)
    """

    table: NDArray
    planes: NDArray
    rows: int
    weighted: bool
    batch: int
    first: int
    places: NDArray
    keys: NDArray
    x: NDArray
    y: NDArray
    slope_weight: NDArray


class FreshBatches(NamedTuple):
    """As Batches, of fresh points from `low` (D,) to low + span, with targets.TARGETS[target] there
    in place of rows of a table.
    """

    target: int
    low: NDArray
    span: NDArray
    first: int
    keys: NDArray
    x: NDArray
    y: NDArray
    slope_weight: NDArray


class Schedule(NamedTuple):
    """Steps of an optimiser: what `updates.Coefficients` names, of which the first three are
    (steps,), and whether subnormal numbers count as zero.
    """

    lr: NDArray
    adam_rate: NDArray
    correction: NDArray
    beta1: float
    beta2: float
    epsilon: float
    momentum: float
    weight_decay: float
    flush: bool


class Scratch(NamedTuple):
    """Of seed_parallel: the gradient, as theta, and workspace (blocks, size)."""

    gradient: NDArray
    workspace: NDArray


class NeuronScratch(NamedTuple):
    """Of neuron_parallel, for one net of S parameters.

    scaled (S,)                theta with w, b over the activation's input unit and v times its
                               output unit
    gradient (S,)
    residuals ((D + 1) Q,)     r_p = slope_weight_p times the loss formula's slope from 0 on, r_p
                               x_p from Q on; Q is P rounded up to whole vectors
    sums (tiles, Q)            outputs of each tile of neurons
    activations (parts, size)  value and slope of two points and one vector after the other
    """

    scaled: NDArray
    gradient: NDArray
    residuals: NDArray
    sums: NDArray
    activations: NDArray


class BreakpointScratch(NamedTuple):
    """Of piecewise_linear: gradient (R, 3 N + 1), floats (R, 3 N) and integers (R, 4 N)."""

    gradient: NDArray
    floats: NDArray
    integers: NDArray


@kernel(inline="always")
def coefficients_of(schedule, step):
    """What `updates.update` takes at that step, read once for all parameters."""
    return Coefficients(
        schedule.lr[step],
        schedule.adam_rate[step],
        schedule.correction[step],
        schedule.beta1,
        schedule.beta2,
        schedule.epsilon,
        schedule.momentum,
        schedule.weight_decay,
    )


@kernel(inline="always")
def step_lanes(spec, nets, gradient, at, coefficients):
    """One step of the parameters in the vector at `at`, with that gradient; returns them."""
    theta, m, s = update(
        spec,
        load(spec, nets.theta, at),
        load(spec, nets.m, at),
        load(spec, nets.s, at),
        gradient,
        coefficients,
    )
    store(nets.theta, at, theta)
    store(nets.m, at, m)
    store(nets.s, at, s)
    return theta


@kernel(inline="always")
def step_number(spec, nets, gradient, at, coefficients):
    """One step of the parameter at `at`."""
    nets.theta[at], nets.m[at], nets.s[at] = update(
        spec, nets.theta[at], nets.m[at], nets.s[at], gradient[at], coefficients
    )
