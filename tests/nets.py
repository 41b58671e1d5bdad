"""Random nets and data, their exact gradients, and bounds of what rounding may change in them."""

from collections.abc import Collection, Iterable

import numpy as np
import pytest
from hypothesis import strategies as st

from minilotto.data.dataset import given, sampled
from minilotto.engines.evaluate import gradients
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.oracles import numpy_reference, torch_reference
from minilotto.settings.activations import ACTIVATIONS, activation_of
from minilotto.settings.tasks import TASKS

K = 4
SLOPE = 0.2  # of leaky_relu, unless said otherwise
NUMBERS = st.floats(-3, 3, width=32)
KINKED = ("relu", "leaky_relu")
SMOOTH = tuple(name for name in ACTIVATIONS if name not in KINKED)
# Width, points, whether they have weights. Kernels take four points side by side where the CPU has
# the registers, as here, and two where the points are few: another kernel of the same formulas.
SHAPES = [(1, 4, False), (2, 12, False), (7, 8, True), (33, 32, True), (2, 101, False)]
FEW_POINTS = [(1, 1, False), (2, 10, False), (7, 9, True)]
# The same numbers, worked out once in 40 digits: the loss, then dw1, dw2, db1, db2, dv1, dv2, dc.
GOLDEN_NET = Parameters(
    w=np.array([[[0.75], [-1.25]]]),
    b=np.array([[-0.5, 0.25]]),
    v=np.array([[1.5, -0.875]]),
    c=np.array([0.125]),
)
GOLDEN_X = np.array([-2.0, -1.25, -0.5, 0.25, 1.0, 1.75] * 2)  # twice, for kernels of SHAPES


def mostly_slow(cases: Iterable, quick: Collection) -> list:
    """Cases for pytest.mark.parametrize, those that are not among the quick ones marked slow: each
    compiles kernels of its own.
    """
    return [
        case
        if case in quick
        else pytest.param(*case if isinstance(case, tuple) else [case], marks=pytest.mark.slow)
        for case in cases
    ]


def some_data(task, points, weighted, seed=0):
    """Points of the task's box whose coordinates, targets and weights are float32 numbers."""
    rng, task = np.random.default_rng(seed), TASKS[task]
    low, high = np.array(task.domain).T
    x = (low + (high - low) * rng.random((points, task.inputs))).astype(np.float32).astype(float)
    weight = rng.integers(1, 9, points).astype(float) if weighted else None
    return given(x, task(x).astype(np.float32).astype(float), weight)


def random_nets(seed, count, width, inputs=1, scale=1.0, uniform=False):
    """Nets with independent parameters: normal of deviation `scale`, or uniform on +-scale. `seed`
    may be a generator.
    """
    rng = np.random.default_rng(seed)
    draw = (
        (lambda shape: rng.uniform(-scale, scale, shape))
        if uniform
        else (lambda shape: scale * rng.normal(size=shape))
    )
    shapes = ((count, width, inputs), (count, width), (count, width), (count,))
    return Parameters(*map(draw, shapes))


def some_nets(data, count, width, seed=0):
    """Nets of float32 numbers, none with a neuron's kink near a point of the data."""
    rng, inputs = np.random.default_rng(seed), data.inputs
    draw = lambda *shape: rng.uniform(-1.5, 1.5, shape).astype(np.float32).astype(float)  # noqa: E731
    w, v, c = draw(count, width, inputs), draw(count, width), draw(count)
    b = draw(count, width)
    for _ in range(100):
        near = (np.abs(np.einsum("rnd,pd->rnp", w, data.x) + b[:, :, None]) < 1e-3).any(axis=2)
        if not near.any():
            return Parameters(w, b, v, c)
        b[near] = draw(near.sum())
    raise AssertionError("some kink lies near a point wherever it goes")


def truth(name, nets, data, slope=SLOPE, kind="squared"):
    loss, gradient = numpy_reference.loss_and_gradient(
        name, *nets, data.x, data.y, data.weight, negative_slope=slope, loss=kind
    )
    return loss, Parameters(*gradient)


def allowed(name, nets, data, dtype, slope=SLOPE, kind="squared"):
    """Bounds of the rounding errors: (of the losses, of the predictions, of the gradients), shaped
    as they are.
    """
    w, b, v, c = nets
    eps, (_, width, _), points = np.finfo(dtype).eps, w.shape, data.points
    many_neurons, many_points = eps * (4 + width**0.5), eps * (4 + points**0.5)
    terms = np.einsum("rnd,pd->rnp", np.abs(w), np.abs(data.x)) + np.abs(b)[:, :, None]
    value, steepness = map(
        np.abs,
        numpy_reference.activation(
            name, np.einsum("rnd,pd->rnp", w, data.x) + b[:, :, None], slope
        ),
    )
    value_error, slope_error = K * eps * (value + terms), K * eps * (1 + terms)
    v = np.abs(v)
    total = np.einsum("rn,rnp->rp", v, value) + np.abs(c)[:, None]
    f = numpy_reference.predict(name, *nets, data.x, slope)
    residual = np.abs(f - data.y)
    f_error = np.einsum("rn,rnp->rp", v, value_error) + many_neurons * total
    r_error = f_error + eps * np.abs(data.y)
    df, df_error = 2 * data.weight * residual, 2 * data.weight * (r_error + 2 * eps * residual)
    term, term_error = residual**2, 2 * residual * r_error + r_error**2
    if kind == "logistic":
        wrong = np.where(data.y == 1, -f, f)
        term, missed = np.logaddexp(0, wrong), 1 / (1 + np.exp(-wrong))
        own = np.finfo(float).eps * (1 + np.abs(f))  # the reference's
        df, df_error = (
            data.weight * missed,
            data.weight * (f_error / 4 + K * eps * (1 + np.abs(f)) * missed + own),
        )
        term_error = missed * f_error + f_error**2 + K * eps * (1 + np.abs(f)) * term + own
    db = v * np.einsum("rp,rnp->rn", df_error, steepness) + v * np.einsum(
        "rp,rnp->rn", df, slope_error + many_points * steepness
    )
    dw = np.einsum("rp,rnp,pd->rnd", df_error, steepness, np.abs(data.x))
    dw = v[:, :, None] * (
        dw + np.einsum("rp,rnp,pd->rnd", df, slope_error + many_points * steepness, np.abs(data.x))
    )
    dv = np.einsum("rp,rnp->rn", df_error, value) + np.einsum(
        "rp,rnp->rn", df, value_error + many_points * value
    )
    dc = (df_error + many_points * df).sum(axis=1)
    loss = (data.weight * (term_error + many_points * term)).sum(axis=1)
    return loss, f_error, Parameters(dw, db, dv, dc)


def worst(computed, expected, bounds):
    """The largest |computed - expected| / bound over all coordinates of all nets; inf for a NaN. At
    most 1 where all is well.
    """
    ratios = [
        np.abs(a - e) / b
        for a, e, b in zip(
            map(np.float64, computed),
            map(np.float64, expected),
            map(np.float64, bounds),
            strict=True,
        )
    ]
    return max(np.where(np.isnan(ratio), np.inf, ratio).max() for ratio in ratios)


def check(name, nets, data, dtype, slope=SLOPE, lanes=None, kind="squared"):
    computed = gradients(activation_of(name, slope), nets, data, dtype, lanes, kind)
    for gradient, parameter in zip(computed, nets, strict=True):
        assert gradient.shape == parameter.shape
        assert gradient.dtype == dtype
    assert (
        worst(
            computed,
            truth(name, nets, data, slope, kind)[1],
            allowed(name, nets, data, dtype, slope, kind)[2],
        )
        <= 1
    )


# The reference against three ways that share nothing with it.
def one_coordinate_moved(nets, step):
    """Copies of net 0 of `nets`, each with another coordinate moved by `step`; and how to shape a
    result as a net.
    """
    shapes = [array[0].shape for array in nets]
    sizes = [int(np.prod(shape)) for shape in shapes]
    flat = np.concatenate([array[0].ravel() for array in nets])
    moved = flat + step * np.eye(len(flat))
    parts = np.split(moved, np.cumsum(sizes)[:-1], axis=1)
    columns = [part.reshape(len(flat), *shape) for part, shape in zip(parts, shapes, strict=True)]

    def shaped(numbers):
        pieces = np.split(numbers, np.cumsum(sizes)[:-1])
        return Parameters(
            *(piece.reshape(1, *shape) for piece, shape in zip(pieces, shapes, strict=True))
        )

    return Parameters(*columns), shaped


# Against torch and the reference.  Both compute the same steps with other roundings. A step rounds
# each parameter, whose size is about one, by eps. And Adam divides a gradient by its size, so that
# an error of eps * kappa in a gradient moves a step of lr by lr * eps * kappa, where kappa is the
# sum of its absolute terms over the gradient itself: below 100 for all but a few coordinates of a
# few steps. Errors add up.
def trajectory_tolerance(config):
    return config.steps * np.finfo(config.dtype).eps * (1 + 100 * config.lr)


def largest_difference(a, b):
    return max(np.abs(x.astype(float) - y.astype(float)).max() for x, y in zip(a, b, strict=True))


def trained_by_torch(config, seeds, data=None):
    """Parameters as torch.optim trains them, on the config's points unless data are given."""
    pytest.importorskip("torch", reason="torch.optim is the oracle (extra torch)")
    data = sampled(config) if data is None else data
    start = initial_parameters(config, data.inputs, np.arange(seeds))
    return Parameters(*torch_reference.trained(config, start, data.x, data.y, data.weight))


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[:] = array
    return view


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "a column of a table": lambda a: np.stack([a, a + 1], axis=-1)[..., 0],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "read-only": read_only,
    "unaligned": unaligned,
}
