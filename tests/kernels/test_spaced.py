"""SiLU on equally spaced points: what is taken as such, the gradient in every coordinate, and that
a seed's bits are its own.
"""

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from nets import allowed, random_nets, truth, worst
from numba import njit

import minilotto as ml
from minilotto.data.dataset import given
from minilotto.engines.compressed import CompressedEngine
from minilotto.engines.evaluate import gradients_by
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.packing import spaced_points
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels import seed_parallel, spaced
from minilotto.kernels.forms import Form
from minilotto.kernels.formulas import exp2
from minilotto.kernels.simd import lane_count, where
from minilotto.kernels.spec import Spec, lanes_of, load, store
from minilotto.kernels.structures import Points, SpacedPoints

mp = pytest.importorskip("mpmath", reason="the oracle of these tests is mpmath (extra bench)")

DTYPES = ("float32", "float64")
REACH, TOP = {"float32": 20.0, "float64": 100.0}, {"float32": 50.0, "float64": 200.0}
POINTS = 37
TRAINED = ml.Config(width=3, points=POINTS, steps=300, lr_decay_every=100)


def on_grid(points=POINTS, kind="squared", weighted=True, low=-1.0, step=1 / 16):
    """Equally spaced points whose coordinates, targets and weights are float32 numbers."""
    x = low + step * np.arange(points)
    y = (x > 0.25).astype(float) if kind == "logistic" else np.float32(x**2).astype(float)
    weight = np.random.default_rng(points).integers(1, 9, points) if weighted else None
    return given(x, y, None if weight is None else weight.astype(float))


def rounded(nets):
    return Parameters(*(array.astype(np.float32).astype(float) for array in nets))


def gradients(nets, data, dtype, kind="squared", lanes=None, train=seed_parallel.train_blocks):
    points = spaced_points(data, ml.Config(width=1, dtype=dtype, loss=kind))
    assert isinstance(points, SpacedPoints)
    spec = Spec("silu", dtype, lanes or lane_count(dtype), 1, kind, group=spaced.GROUP)
    return gradients_by(train, Form(spec, 0.0), nets, points)


def error(nets, data, dtype, kind="squared", **arguments):
    """The largest over all coordinates, in units of what rounding may do."""
    found = gradients(nets, data, dtype, kind, **arguments)
    expected = truth("silu", nets, data, kind=kind)[1]
    return worst(found, expected, allowed("silu", nets, data, dtype, kind=kind)[2])


@pytest.mark.parametrize("kind", ["squared", "logistic"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_right_in_every_coordinate(dtype, kind):
    for width, points, weighted in ((1, 32, True), (2, 101, False), (7, 35, True), (33, 136, True)):
        data = on_grid(points, kind, weighted)
        for scale in (0.1, 1.0, 3.0) if kind == "logistic" else (0.1, 1.0, 10.0, 100.0, 1e4):
            nets = rounded(random_nets(points, 19, width, scale=scale))
            assert error(nets, data, dtype, kind) <= 1, (width, points, scale)


@pytest.mark.parametrize(("low", "step"), [(3.0, -1 / 8), (0.0, 2.0**-20), (512.0, 1.0)])
def test_gradients_are_right_on_any_interval(low, step):
    data = on_grid(65, low=low, step=step)
    for scale in (0.3, 30.0):
        assert error(rounded(random_nets(1, 40, 4, scale=scale)), data, "float32") <= 1


def steepness(dtype, data):
    """The |w| from which a neuron is steep."""
    distance = (spaced.SPAN - 1) / 2 * abs(data.x[1, 0] - data.x[0, 0])
    return REACH[dtype] * np.log(2) / distance


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60, deadline=None)
@hypothesis_given(
    w=st.floats(-1e4, 1e4, width=32) | st.floats(0.9, 1.1),
    place=st.floats(-3, 3),
    b=st.floats(0.25, 1e4, width=32) | st.floats(-1e4, -0.25, width=32),
)
def test_a_neuron_of_any_slope_is_right(dtype, w, place, b):
    data = on_grid()
    if 0.9 <= w <= 1.1:  # about as steep as may be
        w *= steepness(dtype, data)
    one = np.ones((2, 1))
    bias = np.array([[b], [0.25 - w * place]])  # the second one bends near `place`
    nets = rounded(Parameters(w * one[:, :, None], bias, 1.5 * one, 0.25 * one[:, 0]))
    assert error(nets, data, dtype) <= 1


@pytest.mark.parametrize("right", [True, False])
def test_a_broken_formula_is_seen(right, monkeypatch):
    if not right:
        inner = spaced.falling_logistics
        wrong = njit(error_model="numpy")(lambda a, b, c: inner(a, b, b))
        monkeypatch.setattr(spaced, "falling_logistics", wrong)
    train = njit(error_model="numpy")(seed_parallel.train_blocks.py_func)
    nets = rounded(random_nets(0, 16, 3))
    kind = "squared" if right else "logistic"  # another type, so that nothing compiled is taken
    assert (error(nets, on_grid(kind=kind), "float32", kind, train=train) <= 1) == right


@njit(error_model="numpy")
def _over_lanes(spec, t, u, v, results):
    for at in range(0, t.size, lanes_of(spec)):
        here = load(spec, t, at)
        a = exp2(where(here > spaced._top(here), spaced._top(here), here))
        b, c = exp2(load(spec, u, at)), exp2(load(spec, v, at))
        store(results, 4 * at, spaced.falling_logistics(a, b, c))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_shares_divisions_is_right_to_some_roundings(dtype):
    rng, lanes, count = np.random.default_rng(5), lane_count(dtype), 512
    reach, top = REACH[dtype], TOP[dtype]
    middle = np.concatenate([rng.uniform(-3, 3, count), rng.uniform(-9 * top, 9 * top, count)])
    u, v = np.concatenate(
        [rng.uniform(-1, 1, (2, count)), rng.uniform(-reach, reach, (2, count))], axis=1
    )
    middle[:8] = np.repeat([0.0, top, 2 * top, -9 * top], 2)
    u[:8], v[:8] = np.tile([reach, -reach], 4), reach
    middle, u, v = (array.astype(dtype) for array in (middle, u, v))
    results = np.empty(4 * len(middle), dtype)
    _over_lanes(Spec("silu", dtype, lanes, 1), middle, u, v, results)
    found = results.reshape(-1, 4, lanes).transpose(1, 0, 2).reshape(4, -1)
    with mp.workdps(40):
        for row, away in zip(found, (u, -u, v, -v), strict=True):
            both = zip(middle.tolist(), away.tolist(), strict=True)
            exact = [1 / (1 + mp.mpf(2) ** (mp.mpf(t) + mp.mpf(k))) for t, k in both]
            differences = [abs(mp.mpf(s) - e) for s, e in zip(row.tolist(), exact, strict=True)]
            relative = [float(d / e) for d, e in zip(differences, exact, strict=True)]
            assert np.max(np.where(middle <= top, relative, 0)) < 6 * np.finfo(dtype).eps
            beyond = np.where(middle > top, np.array(differences, float), 0)
            assert beyond.max() < 1.01 * 2.0 ** (reach - top)


def test_constants_are_those_of_the_kernel():
    for number, bits in (("float32", 32), ("float64", 64)):
        assert spaced._reach.coefficients[bits] == (REACH[number],)
        assert spaced._top.coefficients[bits] == (TOP[number],)


@pytest.mark.parametrize("dtype", DTYPES)
def test_spans_have_their_points_in_pairs(dtype):
    for points in (32, 37, 41, 44):
        data = on_grid(points)
        found = spaced_points(data, ml.Config(width=1, dtype=dtype))
        assert found.y.size == points + -points % 4
        assert all(array.dtype == dtype for array in found)
        assert found.middle.size == -(-points // 8)
        step = data.x[1, 0] - data.x[0, 0]
        for span, middle in enumerate(found.middle):
            pairs = found.x[8 * span : 8 * span + 8].reshape(-1, 2)
            away = found.distance[: len(pairs)]
            close = {"rtol": 0, "atol": 4 * np.finfo(np.float32).eps}
            np.testing.assert_allclose(pairs[:, 0], middle + away, **close)
            np.testing.assert_allclose(pairs[:, 1], middle - away, **close)
        np.testing.assert_allclose(found.distance, step * np.array([0.5, 1.5, 2.5, 3.5]), rtol=1e-5)
        # Each point of the data once, with its own target and weight; the others weigh nothing.
        order = np.argsort(found.x)[:points]
        np.testing.assert_array_equal(found.x[order], data.x[:, 0].astype(dtype))
        np.testing.assert_array_equal(found.y[order], data.y.astype(dtype))
        np.testing.assert_array_equal(found.slope_weight[order], (2 * data.weight).astype(dtype))
        assert found.slope_weight.sum() == pytest.approx(2)


def test_only_equally_spaced_points_are_taken_as_such():
    config, data = ml.Config(width=2), on_grid()
    x = data.x[:, 0]

    def kind(x, **fields):
        points = given(x, np.zeros(len(x)))
        return type(LaneEngine(config.replace(**fields), points, 1).points)

    assert kind(x) is SpacedPoints
    assert kind(x[::-1]) is SpacedPoints
    assert kind(x, loss="logistic") is SpacedPoints
    thirds = np.linspace(-1, 2, 100)
    assert kind(thirds, dtype="float64") is SpacedPoints
    rounded_thirds = thirds.astype(np.float32).astype(float)
    assert kind(rounded_thirds) is SpacedPoints
    assert kind(rounded_thirds, dtype="float64") is Points
    assert kind(x[:31]) is Points
    assert kind(x, activation="tanh") is Points
    assert kind(np.random.default_rng(0).permutation(x)) is Points
    assert kind(np.where(np.arange(POINTS) == 20, x + 1e-4, x)) is Points
    assert kind(np.sinh(x)) is Points
    assert kind(x, depth=2) is Points
    two = given(np.stack([x, x], axis=1), np.zeros(POINTS))
    assert type(LaneEngine(config.replace(task="product2"), two, 1).points) is Points


def test_the_last_level_of_nodes_is_trained_as_the_others():
    data = on_grid(POINTS)
    engine = CompressedEngine(TRAINED, data, 1)
    assert engine.levels[-1] == POINTS
    assert type(engine._engine(POINTS).points) is Points


# A seed's bits are its own.
def trained(start, lanes=None, chunks=((0, TRAINED.steps),), config=TRAINED):
    engine = LaneEngine(config, on_grid(weighted=False), 1, lanes=lanes)
    engine.start(start)
    for first, count in chunks:
        engine.advance(first, count)
    return engine.parameters()


def start(count=40, config=TRAINED):
    return initial_parameters(config, 1, np.arange(count))


def equal(a, b, where=slice(None)):
    return all(x[where].tobytes() == y[where].tobytes() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_lanes_and_chunks_change_no_bit(dtype):
    config = TRAINED.replace(dtype=dtype)
    whole = trained(start(config=config), config=config)
    assert np.isfinite(whole.w).all()
    assert not np.array_equal(whole.w, start(config=config).w)
    in_parts = trained(start(config=config), 4, ((0, 1), (1, 120), (121, 179)), config)
    assert equal(in_parts, whole)


@pytest.mark.parametrize("field", ["w", "b", "v", "c"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e4, -3e38])
def test_a_neighbour_that_is_steep_or_no_number_changes_no_bit(field, bad):
    nets, clean = start(), trained(start())
    getattr(nets, field)[21] = bad
    with np.errstate(all="ignore"):
        found = trained(nets)
    assert equal(found, clean, np.arange(40) != 21)
    assert not equal(found, clean)


def test_trainings_take_it_and_end_as_on_the_usual_kernel():
    nets = ml.train(TRAINED, seeds=64, compress=False, engine="lanes")
    usual = LaneEngine(TRAINED, nets.data, 1, spaced=False)
    usual.start(start(64))
    usual.advance(0, TRAINED.steps)
    difference = np.abs(usual.parameters().w - nets.w)
    assert 0 < np.median(difference) < 1e3 * np.finfo(np.float32).eps
    assert (
        ml.train(
            TRAINED, seeds=[41, 7], threads=1, checkpoints=[123], compress=False, engine="lanes"
        ).w.tobytes()
        == nets.w[[41, 7]].tobytes()
    )
