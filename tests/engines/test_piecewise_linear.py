"""Exact training of piecewise-linear nets: against sums over all points in extended precision,
against quadrature, and against the other engines.

The oracle below adds up the gradient's terms point by point. A gradient must agree with it within
1e-11 of the sum of its own absolute terms, in which the residual r = sum_i v_i sigma(w_i x + b_i) +
c - y counts with the absolute values of its terms, too, as does w x + b with |w x| + |b|. Where
nearly all weight lies beyond a neuron's kink, its own terms can be as small as the last bits of the
cumulative moments, which hold about 74: a part 2^-70 of what the terms of all points would add up
to is allowed besides.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.stats import ks_2samp

from minilotto import Config
from minilotto.data.dataset import frozen, gauss_legendre, sampled
from minilotto.engines import exact
from minilotto.engines.exact import ExactEngine, gradients, moments_of, uniform_moments
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.packing import STANDSTILL, pack, unpack
from minilotto.engines.reference import ReferenceEngine
from minilotto.errors import ConfigError
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels import piecewise_linear as kernel
from minilotto.kernels.moments import GROUP, PIECE, ROW, below, borrowed, group_of, pointer
from minilotto.kernels.structures import BreakpointScratch, Nets
from minilotto.settings.activations import activation_of
from minilotto.settings.tasks import TASKS

TOLERANCE = 1e-11
SLOPES = (0.0, 0.01, 0.3, -0.5)  # 0: relu
CASES = {
    "relu": ("relu", 0.0),
    "leaky_relu": ("leaky_relu", 0.01),
    "negative": ("leaky_relu", -0.5),
}


class Sums(NamedTuple):
    """Of one net: the gradient, the sums of its absolute terms, and these with every slope as steep
    as any.
    """

    gradient: Parameters
    own: Parameters
    all: Parameters


def oracle(slope, w, b, v, c, x, y, weight):
    """Sums of one net, w, b, v (N,), over points x, y, weight (P,), in extended precision where the
    machine has it.
    """
    w, b, v, c, x, y, weight = (np.asarray(a, np.longdouble) for a in (w, b, v, c, x, y, weight))
    z = w[:, None] * x + b[:, None]
    size = np.abs(w[:, None] * x) + np.abs(b)[:, None]
    positive = z > 0
    for i, p in np.argwhere(np.abs(z) < 1e-14 * size):
        positive[i, p] = Fraction(float(w[i])) * Fraction(float(x[p])) + Fraction(float(b[i])) > 0
    steepness = np.where(positive, 1, np.longdouble(slope))
    r = v @ (steepness * z) + c - y

    def gradient(r, steepness, z, v, x):
        df = 2 * weight * r
        return Parameters(
            v * (steepness @ (df * x)), v * (steepness @ df), (steepness * z) @ df, df.sum()
        )

    def absolute(steepness):
        r = np.abs(v) @ (steepness * size) + np.abs(c) + np.abs(y)
        return gradient(r, steepness, size, np.abs(v), np.abs(x))

    return Sums(
        gradient(r, steepness, z, v, x),
        absolute(np.abs(steepness)),
        absolute(np.ones_like(z) * max(1, abs(slope))),
    )


def worst(slope, nets, moments, x, y, weight, besides=2.0**-70):
    """The largest error over what is allowed, over all coordinates of all nets; inf for a NaN."""
    name = "leaky_relu" if slope else "relu"
    computed = gradients(activation_of(name, slope), nets, moments)
    ratio = 0.0
    for i in range(len(nets.c)):
        sums = oracle(slope, nets.w[i, :, 0], nets.b[i], nets.v[i], nets.c[i], x, y, weight)
        for found, true, own, every in zip(computed, *sums, strict=True):
            error = np.abs(np.ravel(found[i]) - np.ravel(true))
            allowed = TOLERANCE * np.ravel(own) + besides * np.ravel(every)
            with np.errstate(invalid="ignore", divide="ignore"):
                ratios = np.where(error == 0, 0, error / allowed)
            ratio = max(ratio, float(np.where(np.isnan(ratios), np.inf, ratios).max()))
    return ratio


def worst_on(slope, nets, data):
    return worst(slope, nets, moments_of(data), data.x[:, 0], data.y, data.weight)


def nets_of(w, b, v, c):
    """One net."""
    return Parameters(
        *(np.array(a, dtype=float) for a in ([np.reshape(w, (-1, 1))], [b], [v], [c]))
    )


def some_nets(rng, count, width, kind="normal", x=None):
    """Nets whose kinks lie anywhere, on a lattice of eighths, or between neighbouring x; or whose
    parameters differ in size.
    """
    w, b, v = rng.normal(size=(3, count, width))
    if kind == "lattice":
        w, b = (
            rng.choice([-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 4.0], (count, width)),
            rng.integers(-16, 17, (count, width)) / 8,
        )
    if kind == "between":
        at = rng.integers(0, len(x), (count, width))
        b = -w * (np.sort(x)[at] + np.append(np.sort(x), 3)[at + 1]) / 2
    if kind == "spread":
        w, b, v = (a * 10.0 ** rng.uniform(-6, 6, a.shape) for a in (w, b, v))
    return Parameters(w[:, :, None], b, v, rng.normal(size=count))


def some_data(rng, points, places="uniform", weights="equal"):
    x = rng.uniform(-2, 2, points)
    if places == "lattice":
        x = rng.integers(-16, 17, points) / 8
    if places == "clustered":
        x = rng.integers(-2, 3, points) + rng.normal(size=points) * 10.0 ** rng.uniform(
            -14, 0, points
        )
    if places == "far":
        x = 1e6 + x
    weight = np.ones(points)
    if weights == "spread":
        weight = 10.0 ** rng.uniform(-8, 8, points)
    if weights == "zeros":
        weight = rng.random(points) * (rng.random(points) < 0.5)
        weight[0] = 1
    return frozen(
        x[:, None], rng.normal(size=points) * 10.0 ** rng.integers(-3, 4), weight / weight.sum()
    )


# Gradients, on points.
@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    points=st.one_of(st.integers(1, 12), st.integers(1, 3000), st.integers(4500, 7000)),
    width=st.integers(1, 60),
    slope=st.sampled_from(SLOPES),
    places=st.sampled_from(["uniform", "lattice", "clustered", "far"]),
    weights=st.sampled_from(["equal", "spread", "zeros"]),
    kind=st.sampled_from(["normal", "lattice", "between", "spread"]),
)
@example(seed=0, points=1, width=1, slope=0.0, places="uniform", weights="equal", kind="normal")
@example(
    seed=0, points=3000, width=60, slope=-0.5, places="lattice", weights="spread", kind="lattice"
)
@example(
    seed=0, points=3000, width=60, slope=0.0, places="clustered", weights="spread", kind="between"
)
@example(
    seed=0, points=7000, width=60, slope=0.0, places="clustered", weights="equal", kind="between"
)
@example(seed=0, points=20, width=60, slope=0.0, places="uniform", weights="spread", kind="between")
def test_gradients_are_sums_over_all_points(seed, points, width, slope, places, weights, kind):
    rng = np.random.default_rng(seed)
    data = some_data(rng, points, places, weights)
    assert worst_on(slope, some_nets(rng, 1, width, kind, data.x[:, 0]), data) <= 1


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("width", [1, 2, 7, 60, 300])
@pytest.mark.parametrize("points", [1, 2, 9, 100, 2048])
def test_gradients_of_many_nets(points, width, slope):
    data = sampled(Config(points=points, task="exp_square", dtype="float64"))
    assert worst_on(slope, some_nets(np.random.default_rng(points), 3, width), data) <= 1


def test_gradients_on_a_million_points():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-2, 2, 10**6))
    data = frozen(x[:, None], np.sin(3 * x) + 0.1 * rng.normal(size=x.size), np.full(x.size, 1e-6))
    # One kink has a single point on its active side, one has two, and one lies between neighbours.
    kinks = np.array([-1.3, 0.2, x[-2], x[1], (x[500_000] + x[500_001]) / 2])
    w = np.array([1.0, -0.7, 2.0, -2.0, 3.0])
    for slope in (0.0, 0.3):
        assert worst_on(slope, nets_of(w, -w * kinks, [1.0, -2.0, 0.5, 1.5, -0.3], 0.1), data) <= 1


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(
    ("w", "b"),
    [
        ([0.0, 0.0, 0.0, -0.0, -0.0, 1.0], [1.0, -1.0, 0.0, 1.0, -1.0, 0.1]),  # constant neurons
        ([1.0, -1.0, 1.0, -1.0], [9.0, 9.0, -9.0, -9.0]),  # kinks outside the data
        ([1.0, 1.0, 2.0, -1.0, -3.0], [0.3, 0.3, 0.6, -0.3, -0.9]),  # one kink for all
        ([1.0, -1.0, 2.0, -2.0], [0.5, 0.5, -1.0, -1.0]),  # kinks at points
        ([5e-324, -5e-324, 1e-310, 1e-200], [1.0, 1.0, -1e-310, 1e120]),  # kinks that overflow
        ([1e-300, 1e8], [1e-300, 1e-300]),
    ],
)
def test_special_kinks(w, b, slope):
    data = frozen(np.linspace(-2, 2, 33)[:, None], np.linspace(-2, 2, 33) ** 2, np.full(33, 1 / 33))
    assert worst_on(slope, nets_of(w, b, np.linspace(-1, 2, len(w)), 0.3), data) <= 1


@pytest.mark.parametrize("slope", SLOPES)
def test_points_that_coincide_with_a_rounded_kink(slope):
    """b = -w x rounded: the point may lie on either side of the true kink, which the sign of the
    unrounded w x + b tells.
    """
    rng = np.random.default_rng(5)
    x, w = rng.normal(size=40), rng.normal(size=40)
    data = frozen(
        np.concatenate([x, np.nextafter(x, 9), np.nextafter(x, -9)])[:, None],
        rng.normal(size=120),
        np.full(120, 1 / 120),
    )
    assert worst_on(slope, nets_of(w, -w * x, rng.normal(size=40), 0.0), data) <= 1


@pytest.mark.parametrize("scale", [1e-120, 1e-30, 1e30, 1e120])
def test_units_of_x_and_y_do_not_matter(scale):
    data, nets = some_data(np.random.default_rng(2), 50), some_nets(np.random.default_rng(3), 2, 8)
    in_y = frozen(data.x, data.y * scale, data.weight)
    assert worst_on(0.3, nets._replace(v=nets.v * scale, c=nets.c * scale), in_y) <= 1
    in_x = frozen(data.x * scale, data.y, data.weight)
    assert worst_on(0.3, nets._replace(w=nets.w / scale), in_x) <= 1


def test_the_oracle_would_notice():
    """Targets off by 1e-8, one point of 500 missing: each is far beyond what is allowed."""
    rng = np.random.default_rng(4)
    data, nets = some_data(rng, 500), some_nets(rng, 1, 10)
    x, y, weight = data.x[:, 0], data.y, data.weight
    assert worst(0.3, nets, moments_of(data), x, y, weight) <= 1
    assert worst(0.3, nets, moments_of(data), x, y * (1 + 1e-8), weight) > 10
    assert worst(0.3, nets, moments_of(frozen(data.x[1:], y[1:], weight[1:])), x, y, weight) > 1e6


# Finding one's place among the points.
@njit(error_model="numpy")
def places_by_search(moments, ts):
    """How many x are less than each t, and whether one equals it."""
    table = borrowed(moments)
    found, same = np.empty(len(ts), np.int64), np.empty(len(ts), np.bool_)
    for i in range(len(ts)):
        found[i], same[i] = below(table, group_of(table, ts[i]), ts[i])
    return found, same


@njit(error_model="numpy")
def places_of_breakpoints(theta, moments, index, group):
    """(keys, indices) by either way, for nets of N neurons as _locate finds them."""
    width, table = len(index), borrowed(moments)
    key, spare = np.empty((2, width)), np.zeros(width, np.uint32)
    few, many = index.copy(), index.copy()
    nets = pointer(theta, 0)
    kernel._locate_among_few(width, nets, table, pointer(key[0], 0), pointer(few, 0))
    kernel._locate_among_many(
        width,
        nets,
        table,
        pointer(key[1], 0),
        pointer(many, 0),
        pointer(group, 0),
        pointer(spare, 0),
    )
    return key, few, many


def table_of(x):
    """Moments of points of no weight, which need not have squares."""
    return exact._table(x, np.zeros((len(x) + 1, ROW)), np.empty((0, PIECE)), 0.0, -np.inf, np.inf)


PLACES = {
    "one": lambda rng: np.array([0.3]),
    "two": lambda rng: np.array([-1.0, 1.0]),
    "whole groups": lambda rng: rng.uniform(-2, 2, 4 * GROUP),
    "one more": lambda rng: rng.uniform(-2, 2, 4 * GROUP + 1),
    "lattice": lambda rng: np.arange(5000) / 8,
    "clustered": lambda rng: (
        rng.integers(-2, 3, 7000) + rng.normal(size=7000) * 10.0 ** rng.uniform(-14, 0, 7000)
    ),
    "many scales": lambda rng: rng.choice([-1, 1], 6000) * 10.0 ** rng.uniform(-300, 300, 6000),
    "neighbours": lambda rng: 1 + np.arange(300) * 2.0**-52,
    "subnormal": lambda rng: np.arange(-100, 200) * 5e-324,
    "enormous": lambda rng: 1e300 * rng.uniform(-1, 1, 500),
}


@pytest.mark.parametrize("places", PLACES)
def test_places_are_those_of_a_search(places):
    rng = np.random.default_rng(0)
    x = np.unique(PLACES[places](rng))
    moments = table_of(x)
    with np.errstate(over="ignore"):
        between = x[:-1] + (x[1:] - x[:-1]) * rng.random(len(x) - 1)
        ends = [-np.inf, -1.79e308, x[0] - 1, x[0] * 2, 0.0, x[-1] * 2, x[-1] + 1, 1.79e308, np.inf]
    ts = np.concatenate([x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf), between, ends])
    found, same = places_by_search(moments, ts)
    np.testing.assert_array_equal(found, np.searchsorted(x, ts))
    np.testing.assert_array_equal(same, np.isin(ts, x))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    places=st.sampled_from(list(PLACES)),
    width=st.sampled_from([1, 7, 300]),
    kind=st.sampled_from(["normal", "lattice", "at points"]),
)
def test_both_ways_to_locate_breakpoints_agree(seed, places, width, kind):
    """Whatever they remember; among few and among many points they are told apart by nothing but
    time.
    """
    rng = np.random.default_rng(seed)
    x = np.unique(PLACES[places](rng))
    moments = table_of(x)
    nets = some_nets(rng, 1, width, kind if kind == "lattice" else "normal")
    if kind == "at points":
        with np.errstate(over="ignore"):
            nets = nets._replace(b=-nets.w[:, :, 0] * rng.choice(x, (1, width)))
    nets.w[rng.random(nets.w.shape) < 0.1] = 0.0
    theta = pack(exact._form_of(activation_of("relu")).spec, nets)
    index, group = (
        rng.integers(0, moments.size + 1, width),
        rng.integers(0, len(moments.places), width),
    )
    (key, other), few, many = places_of_breakpoints(
        theta[0], moments, index.astype(np.uint32), group.astype(np.uint32)
    )
    np.testing.assert_array_equal(few, many)
    np.testing.assert_array_equal(key, other)


@pytest.mark.parametrize("points", [300, 20_000])
@pytest.mark.parametrize("width", [5, 60, 1000])
def test_what_a_net_remembers_changes_no_bit(width, points):
    """Whatever permutation, groups and indices are left from earlier steps, and however much
    sorting they need.
    """
    rng = np.random.default_rng(width)
    nets, activation = some_nets(rng, 1, width, "lattice"), activation_of("relu")
    moments = moments_of(some_data(rng, points, "lattice" if points == 300 else "uniform"))
    expected = gradients(activation, nets, moments)
    form = exact._form_of(activation)
    for _ in range(5):
        theta = pack(form.spec, nets)
        m, s, gradient = np.zeros((3, *theta.shape))
        integers = np.concatenate(
            [rng.permutation(width), rng.integers(0, len(moments.places), width)]
        )
        integers = np.concatenate(
            [integers, rng.integers(0, moments.size + 1, width), np.zeros(width)]
        )
        scratch = BreakpointScratch(
            gradient, np.empty((1, 3 * width)), integers.astype(np.uint32)[None]
        )
        kernel.train_nets(form, width, Nets(theta, m, s), moments, STANDSTILL, scratch, 0, 1)
        for found, true in zip(unpack(form.spec, gradient, 1, width), expected, strict=True):
            np.testing.assert_array_equal(found, true)


# Gradients, on the population.
TARGETS = {
    "square": TASKS["square"],
    "relu": TASKS["relu"],
    "exp_square": TASKS["exp_square"],
    "sin": TASKS["sin"],
}


def population_points(task, nets):
    """Points that integrate the task exactly to rounding together with any piecewise-linear
    function with the nets' kinks.
    """
    low, high = task.domain[0]
    with np.errstate(divide="ignore"):
        kinks = (-nets.b / nets.w[:, :, 0]).ravel()
    kinks = kinks[(kinks > low) & (kinks < high)]
    x, weight = gauss_legendre(np.unique([*np.linspace(low, high, 201), *task.kinks, *kinks]), 12)
    return x, task(x[:, None]), weight / (high - low)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("width", [1, 7, 60])
@pytest.mark.parametrize("name", TARGETS)
def test_gradients_on_the_population(name, width, slope):
    task = TARGETS[name]
    nets = some_nets(np.random.default_rng(width), 2, width)
    moments = uniform_moments(task, *task.domain[0], task.kinks)
    # Kinks are rounded, and y's moments are good to about 1e-15 of their range.
    assert worst(slope, nets, moments, *population_points(task, nets), besides=1e-14) <= 1


def test_a_population_whose_kinks_nobody_told():
    task = TASKS["relu"]
    nets = some_nets(np.random.default_rng(0), 3, 9)
    shifted = lambda x: np.where(x[:, 0] > 0.3, x[:, 0] - 0.3, 0.0)  # noqa: E731
    told = uniform_moments(shifted, -2, 2, kinks=[0.3])
    found = uniform_moments(shifted, -2, 2)
    for one, other in zip(
        *(gradients(activation_of("relu"), nets, moments) for moments in (told, found)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)
    jump = uniform_moments(lambda x: np.where(x[:, 0] > 0.3, 1.0, 0.0), -0.7, 1.234)
    assert 128 < len(jump.pieces) < 300
    assert len(uniform_moments(task, *task.domain[0], task.kinks).pieces) == 128


@pytest.mark.parametrize("ends", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_an_interval_that_is_none(ends):
    with pytest.raises(ConfigError, match="interval"):
        uniform_moments(TASKS["sin"], *ends)


def test_a_target_that_is_too_rough():
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="rough"):
        uniform_moments(lambda x: rng.normal(size=len(x)), 0, 1)


# Training.
def config_of(case, **fields):
    name, slope = CASES[case]
    slopes = {"negative_slope": slope} if name == "leaky_relu" else {}
    return Config(**{"activation": name, "dtype": "float64", "width": 10, **slopes, **fields})


def engine_of(config, moments=None, threads=1):
    return ExactEngine(config, sampled(config), threads, moments)


def trained(engine, parameters, *chunks):
    engine.start(parameters)
    reached = 0
    for length in chunks:
        engine.advance(reached, length)
        reached += length
    return engine.parameters()


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sampling", ["grid", "uniform"])
@pytest.mark.parametrize("case", CASES)
def test_ten_steps_are_those_of_the_reference(case, sampling):
    config = config_of(case, sampling=sampling, lr_decay_every=4, points=100)
    parameters = initial_parameters(config, 1, np.arange(20))
    expected = trained(ReferenceEngine(config, sampled(config)), parameters, 10)
    # Adam divides by the gradient's size, so a step's error is lr times the gradient's relative
    # one.
    for found, true in zip(trained(engine_of(config), parameters, 10), expected, strict=True):
        np.testing.assert_allclose(found, true, rtol=0, atol=1e-10)


@pytest.mark.parametrize("source", ["points", "population"])
@pytest.mark.parametrize("case", ["relu", "negative"])
def test_chunks_threads_and_company_change_no_bit(case, source):
    config = config_of(case, lr=0.05)
    moments = uniform_moments(TASKS["square"], -2, 2) if source == "population" else None
    whole = trained(engine_of(config, moments), initial_parameters(config, 1, np.arange(12)), 300)
    assert_same_bits(
        trained(
            engine_of(config, moments), initial_parameters(config, 1, np.arange(12)), 1, 7, 292
        ),
        whole,
    )
    assert_same_bits(
        trained(
            engine_of(config, moments, threads=2), initial_parameters(config, 1, np.arange(12)), 300
        ),
        whole,
    )
    some = np.array([11, 3, 4])
    engine = engine_of(config, moments, threads=2)
    for _ in range(2):  # an engine that starts anew has forgotten all
        few = trained(engine, initial_parameters(config, 1, some), 200, 100)
        assert_same_bits(few, Parameters(*(array[some] for array in whole)))


@pytest.mark.parametrize("source", ["points", "population"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize("which", ["w", "b", "v", "c"])
def test_what_is_not_finite_stays_in_its_net(which, value, source):
    config = config_of("leaky_relu", width=6)
    moments = uniform_moments(TASKS["square"], -2, 2) if source == "population" else None
    parameters = initial_parameters(config, 1, np.arange(4))
    healthy = trained(engine_of(config, moments), parameters, 30)
    broken = Parameters(*(array.copy() for array in parameters))
    getattr(broken, which)[2].reshape(-1)[:1] = value
    if which == "c":
        broken.c[2] = value
    result = trained(engine_of(config, moments, threads=2), broken, 30)
    others = [0, 1, 3]
    assert_same_bits(
        *(Parameters(*(array[others] for array in nets)) for nets in (result, healthy))
    )
    assert not all(np.isfinite(array[2]).all() for array in result) or value == 1e308


def test_all_nan():
    config = config_of("relu", width=50)
    nets = Parameters(
        *(np.full_like(array, np.nan) for array in initial_parameters(config, 1, np.arange(2)))
    )
    assert all(np.isnan(array).all() for array in trained(engine_of(config), nets, 20))


def test_memory_is_accounted_for():
    config = config_of("relu", width=50)
    engine = engine_of(config)
    engine.start(initial_parameters(config, 1, np.arange(10)))
    held = [*engine.nets, *engine.scratch]
    assert engine.bytes_per_net() * 10 == sum(array.nbytes for array in held)
    assert 1 <= engine.points_per_step() <= 1000


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"activation": "silu", "dtype": "float64"}, "silu"),
        ({"activation": "relu", "dtype": "float32"}, "float32"),
        ({"activation": "relu", "dtype": "float64", "task": "product2"}, "input"),
    ],
)
def test_what_cannot_be_had(fields, said):
    with pytest.raises(ConfigError, match=said):
        engine_of(Config(**fields))


def test_final_losses_are_distributed_as_those_of_the_lanes():
    """Two samples of 600 independent seeds: a right engine fails once in a thousand choices of
    seeds, and these are fixed.
    """
    config = config_of("leaky_relu", steps=2000, lr_decay_every=500)
    data = sampled(config)

    def losses(engine, seeds, config=config):
        engine.start(initial_parameters(config, 1, seeds))
        engine.advance(0, config.steps)
        return engine.losses(final=True)

    ours = losses(ExactEngine(config, data, 2), np.arange(600))
    theirs = losses(LaneEngine(config, data, 2), np.arange(1000, 1600))
    assert ks_2samp(ours, theirs).pvalue > 1e-3
    narrower = config.replace(width=8)
    assert (
        ks_2samp(ours, losses(LaneEngine(narrower, data, 2), np.arange(600), narrower)).pvalue
        < 1e-3
    )


def test_the_population_is_the_limit_of_many_points():
    config = config_of("relu")
    parameters = initial_parameters(config, 1, np.arange(10))
    x, weight = gauss_legendre(np.linspace(-2, 2, 20_001), 4)
    points = frozen(x[:, None], x**2, weight / 4)
    limit = trained(engine_of(config, uniform_moments(TASKS["square"], -2, 2)), parameters, 100)
    for found, true in zip(
        trained(ExactEngine(config, points, 1), parameters, 100), limit, strict=True
    ):
        np.testing.assert_allclose(found, true, rtol=0, atol=1e-5)
