"""Iterations of Levenberg-Marquardt against plain NumPy, which solves each as a least squares
problem by QR, one net at a time; planted solutions; and nets on which the equations are singular.
"""

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from nets import SLOPE, mostly_slow, random_nets, some_data, some_nets

import minilotto as ml
from minilotto.data.dataset import given
from minilotto.engines.evaluate import losses
from minilotto.engines.second_order import SecondOrderEngine
from minilotto.engines.state import State
from minilotto.initialisation import Parameters
from minilotto.kernels.levenberg_marquardt import FASTEST, FIRST_FACTOR, FLOOR, HIGHEST, START
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import ACTIVATIONS

EPS = np.finfo(np.float64).eps


def engine_of(name, width, data, threads=1, lanes=None):
    slope = {"negative_slope": SLOPE} if name == "leaky_relu" else {}
    config = ml.Config(width=width, activation=name, dtype="float64", **slope)
    return SecondOrderEngine(config, data, threads, lanes)


def after(name, nets, data, iterations, **options):
    """The engine after so many iterations of these nets."""
    engine = engine_of(name, nets.w.shape[1], data, **options)
    engine.start(nets)
    engine.advance(0, iterations)
    return engine


def same(a, b):
    """Bit for bit, NaN included."""
    assert [x.tobytes() for x in a] == [y.tobytes() for y in b]


def some_of(nets, which):
    return Parameters(*(array[which] for array in nets))


def joined(*groups):
    return Parameters(*map(np.concatenate, zip(*groups, strict=True)))


# The oracle.
def flat(net):
    """Parameters of one net in a row: w, b, v and c."""
    return np.concatenate([array.ravel() for array in net])


def residuals(name, theta, width, data):
    """(sqrt(weight) (f - y), its derivatives (P, M)) of one net."""
    inputs = data.inputs
    w, b, v, c = np.split(theta, np.cumsum([width * inputs, width, width]))
    z = data.x @ w.reshape(width, inputs).T + b
    value, slope = numpy_reference.activation(name, z, SLOPE)
    dz = slope * v
    dw = (dz[:, :, None] * data.x[:, None, :]).reshape(data.points, -1)
    root = np.sqrt(data.weight)
    jacobian = np.concatenate([dw, dz, value, np.ones((data.points, 1))], axis=1)
    return root * (value @ v + c - data.y), root[:, None] * jacobian


def oracle(name, theta, width, data, damping, factor):
    """(theta, damping, factor) after one iteration; and a bound of the error of normal equations in
    the step: they lose digits in proportion to the condition of the damped matrix.
    """
    r, jacobian = residuals(name, theta, width, data)
    scale = (jacobian**2).sum(axis=0)
    scale = scale + FLOOR * scale.mean()
    above = np.concatenate([jacobian, np.diag(np.sqrt(damping * scale))])
    step = -np.linalg.lstsq(above, np.append(r, np.zeros(len(scale))), rcond=None)[0]
    size = np.abs(step).max() + np.linalg.norm(r) / np.sqrt(scale.min())
    rounding = 1 + np.abs(data.y).max()  # of a residual, in EPS
    bound = 20 * EPS * (len(step) / damping * size + np.abs(theta))
    bound += 4 * EPS * rounding / np.sqrt(damping * scale.min())
    promised = r @ r - np.sum((r + jacobian @ step) ** 2)
    moved, _ = residuals(name, theta + step, width, data)
    decrease = r @ r - moved @ moved
    if not decrease > 0:
        return theta, damping * factor, 2 * factor, bound
    gain = 2 * decrease / promised - 1
    return theta + step, damping * max(1 / 3, 1 - gain**3), 2.0, bound


def check_iterations(name, data, width, iterations, lanes=None):
    """Each iteration, from the kernel's own state."""
    nets = some_nets(data, 5, width)
    engine = after(name, nets, data, 0, lanes=lanes)
    for _ in range(iterations):
        before = engine.state()
        engine.advance(0, 1)
        found = engine.state()
        for i in range(5):
            damping, factor = before.m.c[i] or START, before.s.c[i] or FIRST_FACTOR
            theta = flat(some_of(before.parameters, i))
            if np.linalg.norm(residuals(name, theta, width, data)[0]) < 1e-10:
                continue  # the residuals are made of roundings
            expected, new, faster, bound = oracle(name, theta, width, data, damping, factor)
            assert (np.abs(flat(some_of(found.parameters, i)) - expected) <= bound).all()
            np.testing.assert_allclose(found.m.c[i], new, rtol=1e-6)
            assert found.s.c[i] == faster


@pytest.mark.parametrize("points", [9, 40])  # fewer than parameters, and more
@pytest.mark.parametrize(
    ("name", "task"),
    mostly_slow(
        [(name, "square") for name in ACTIVATIONS] + [("silu", "product2"), ("silu", "product5")],
        [("silu", "square"), ("relu", "square"), ("silu", "product2")],
    ),
)
def test_iterations_are_those_of_plain_numpy(name, task, points):
    check_iterations(name, some_data(task, points, weighted=points == 40), 4, 10)


@pytest.mark.parametrize("width", [1, 2, 3, 6, 7, 25])
@pytest.mark.parametrize("points", [1, 2, 33, 34, 67])
def test_every_width_and_number_of_points_fits_the_tiles(width, points):
    check_iterations("silu", some_data("square", points, weighted=False), width, 3)


def test_points_of_weight_zero_change_only_roundings():
    """They turn the matrix of the points into that of the parameters."""
    few = some_data("square", 9, True)
    x = np.concatenate([few.x, few.x + 0.1])
    many = given(x, np.append(few.y, few.y), np.append(few.weight, np.zeros(9)))
    nets = some_nets(few, 9, 5)
    a, b = (after("silu", nets, data, 6).parameters() for data in (few, many))
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


# Planted solutions.
def planted(name, points):
    """Sixteen nets beside one that meets the targets, well apart from its symmetries."""
    steepness, kinks = np.array([4.0, -5.0, 4.0]), np.array([-1.0, 0.2, 1.1])
    teacher = Parameters(
        steepness[None, :, None],
        (-steepness * kinks)[None],
        np.array([[1.0, -1.0, 0.7]]),
        np.array([0.3]),
    )
    x, random = np.linspace(-2, 2, points), np.random.default_rng(1)
    y = numpy_reference.predict(name, *teacher, x[:, None], SLOPE)[0]
    near = Parameters(*(a + 1e-2 * random.normal(size=(16, *a.shape[1:])) for a in teacher))
    return near, given(x, y)


@pytest.mark.parametrize("points", [9, 50])
@pytest.mark.parametrize("name", mostly_slow(ACTIVATIONS, ["silu", "relu"]))
def test_planted_targets_are_met_to_rounding(name, points):
    nets, data = planted(name, points)
    found = after(name, nets, data, 60).losses(True)
    assert (found < (4 * EPS * (1 + np.abs(data.y).max())) ** 2).all()


def test_targets_of_a_linear_net_are_met_at_once():
    """With v = 0 and w, b at their best, only c and v act."""
    x = np.linspace(-1, 1, 21)
    found = after("leaky_relu", some_nets(given(x, x), 8, 2), given(x, np.full(21, 3.0)), 40)
    assert (found.losses(True) < 1e-28).all()


# Descent.
@settings(max_examples=20)
@for_all(
    width=st.integers(1, 9),
    points=st.integers(1, 40),
    kind=st.sampled_from([("silu", 1), ("silu", 2), ("relu", 1)]),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_the_loss_never_rises_and_a_seed_trains_as_if_alone(width, points, kind, scale, seed):
    name, inputs = kind
    data = some_data("square" if inputs == 1 else "product2", points, True, seed)
    nets = random_nets(seed, 11, width, inputs, scale)
    engine = after(name, nets, data, 0)
    before = losses(ACTIVATIONS[name], nets, data)
    rounding = (16 * EPS) ** 2 * losses(ACTIVATIONS[name], nets, data)
    for _ in range(12):
        engine.advance(0, 1)
        now = engine.losses(True)
        assert (now <= before * (1 + 64 * EPS) + rounding).all()
        before = now
    state = engine.state()
    assert all(np.isfinite(array).all() for array in state.parameters)
    for i in (0, 10):
        alone = after(name, some_of(nets, [i]), data, 12).state()
        for one, all_ in zip(alone, state, strict=True):
            same(one, some_of(all_, [i]))


# Singular equations.
def hard_nets():
    """{what: a net of width 4 for which J lacks columns or has equal ones}."""
    net = random_nets(1, 1, 4)
    zero = Parameters(*(np.zeros_like(array) for array in net))
    return {
        "all zero": zero,
        "equal neurons": Parameters(*(np.ones_like(array) for array in net)),
        "no outputs": net._replace(v=np.zeros((1, 4))),
        "constant neurons": net._replace(w=np.zeros((1, 4, 1))),
        "dead neurons": net._replace(b=np.full((1, 4), -1e3)),
        "one dead neuron": net._replace(b=np.array([[-1e3, 0.1, 0.2, 0.3]])),
        "huge": Parameters(*(1e6 * array for array in net)),
        "tiny": Parameters(*(1e-200 * array for array in net)),
    }


@pytest.mark.parametrize("points", [1, 5, 30])
@pytest.mark.parametrize("name", ["silu", "relu"])
def test_singular_equations_leave_nets_finite_and_no_worse(name, points):
    data = some_data("square", points, False)
    nets = joined(*hard_nets().values())
    before = losses(ACTIVATIONS[name], nets, data)
    engine = after(name, nets, data, 200)
    assert all(np.isfinite(array).all() for array in engine.parameters())
    now = engine.losses(True)
    assert (now <= before * (1 + 64 * EPS)).all()
    # c alone reaches the variance of y, whatever else is dead
    variance = data.weight @ (data.y - data.weight @ data.y) ** 2
    gentle = [what not in ("huge",) for what in hard_nets()]
    assert (now[gentle] <= variance * (1 + 1e-6) + 1e-20).all()


def test_what_is_not_finite_stays_in_its_row():
    data = some_data("square", 20, False)
    clean = random_nets(3, 9, 4)
    broken = Parameters(*(array.copy() for array in clean))
    broken.w[1, 0, 0], broken.b[4, 1], broken.v[7, 2], broken.c[8] = np.nan, np.inf, 1e200, -np.inf
    found, expected = (after("silu", nets, data, 20).state() for nets in (broken, clean))
    well = [0, 2, 3, 5, 6]
    for one, other in zip(found, expected, strict=True):
        same(some_of(one, well), some_of(other, well))
    same(some_of(found.parameters, [1, 4, 8]), some_of(broken, [1, 4, 8]))
    assert np.isnan(after("silu", broken, data, 20).losses(True)[1])


# Bits.
@pytest.mark.parametrize("points", [9, 40])
def test_bits_depend_on_the_seed_alone(points):
    data, nets = some_data("square", points, True), random_nets(2, 21, 4)
    whole = after("silu", nets, data, 30)
    for options in ({"threads": 2}, {"lanes": 4}):
        for one, other in zip(
            after("silu", nets, data, 30, **options).state(), whole.state(), strict=True
        ):
            same(one, other)
    order = np.random.default_rng(0).permutation(21)[:13]
    same(
        after("silu", some_of(nets, order), data, 30).parameters(),
        some_of(whole.parameters(), order),
    )
    chunks = after("silu", nets, data, 0)
    for first, count in ((0, 1), (1, 12), (13, 17)):
        chunks.advance(first, count)
        chunks.resume(chunks.state())
    for one, other in zip(chunks.state(), whole.state(), strict=True):
        same(one, other)


def test_nets_that_can_descend_no_more_stand_still():
    nets, data = planted("silu", 9)
    engine = after("silu", nets, data, 200)
    state = engine.state()
    assert (state.m.c == HIGHEST).all()
    assert (state.s.c == FASTEST).all()
    engine.advance(200, 10**12)  # returns at once
    for one, other in zip(engine.state(), state, strict=True):
        same(one, other)


def test_a_state_continues_from_its_own_damping():
    data, nets = some_data("square", 40, False), random_nets(2, 8, 4)
    state = after("silu", nets, data, 5).state()
    anew = State(state.parameters, *(Parameters(*map(np.zeros_like, nets)),) * 2)
    engine = engine_of("silu", 4, data)
    engine.resume(anew)
    engine.advance(5, 5)
    assert np.abs(engine.parameters().w - after("silu", nets, data, 10).parameters().w).max() > 0
