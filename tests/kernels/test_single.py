"""One net at a time: right in every coordinate, callable from other people's compiled functions, in
nothing but their buffers.
"""

import threading

import numpy as np
import pytest
from nets import LAYOUTS, SLOPE, allowed, mostly_slow, read_only, some_data, some_nets, truth, worst
from numba import njit, prange
from numba.core.errors import TypingError
from numba.core.runtime import _nrt_python, rtsys

import minilotto as ml
from minilotto.data.dataset import given
from minilotto.interop.vectors import pack, unpack
from minilotto.kernels import single
from minilotto.kernels.compile import sources_digest
from minilotto.kernels.spec import type_of_spec
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import ACTIVATIONS

SILU = single.form("silu")


def arrays_of(data, dtype="float64"):
    """x, y, weight of a Dataset, writable and in that precision."""
    return data.x.astype(dtype), data.y.astype(dtype), data.weight.astype(dtype)


def buffers(form, theta):
    return np.empty_like(theta), np.empty(
        single.scratch_size(form, single.width_of(form, theta)), theta.dtype
    )


def each(form, nets, data):
    """Losses and gradients of all nets, as (R,) and Parameters."""
    x, y, weight = arrays_of(data, form.spec.dtype)
    thetas = pack(nets).astype(form.spec.dtype)
    losses, gradients = [], []
    for theta in thetas:
        gradient, scratch = buffers(form, theta)
        losses.append(single.loss_and_gradient(form, theta, x, y, weight, gradient, scratch))
        gradients.append(gradient)
    return np.array(losses), unpack(np.array(gradients), data.inputs)


QUICK = [
    ("silu", "square", "float64"),
    ("silu", "square", "float32"),
    ("silu", "product3", "float64"),
]
CASES = [
    *((name, "square", "float64") for name in ACTIVATIONS),
    ("silu", "square", "float32"),
    ("gelu", "square", "float32"),
    ("relu", "product2", "float32"),
    ("silu", "product3", "float64"),
]
SHAPES = [
    (1, 1, False),
    (2, 8, True),
    (7, 9, True),
    (33, 31, False),
    (2, 101, True),
]  # width, points, whether they have weights


@pytest.mark.parametrize(("name", "task", "dtype"), mostly_slow(CASES, QUICK))
def test_losses_and_gradients_are_right_in_every_coordinate(name, task, dtype):
    for width, points, weighted in SHAPES:
        data = some_data(task, points, weighted)
        nets = some_nets(data, 5, width)
        losses, gradient = each(single.form(name, data.inputs, dtype, SLOPE), nets, data)
        expected_loss, expected = truth(name, nets, data)
        loss_bound, _, bounds = allowed(name, nets, data, dtype)
        assert worst([losses], [expected_loss], [loss_bound]) <= 1
        assert worst(gradient, expected, bounds) <= 1


@pytest.mark.parametrize(
    ("name", "task", "dtype"), [("silu", "square", "float64"), ("silu", "square", "float32")]
)
def test_the_check_sees_one_weight_off_by_one_in_a_thousand(name, task, dtype):
    data = some_data(task, 9, True)
    nets = some_nets(data, 5, 7)
    _, gradient = each(
        single.form(name, data.inputs, dtype),
        nets,
        given(data.x, data.y, data.weight * (1 + 1e-3 * (data.x[:, 0] > 0))),
    )
    assert worst(gradient, truth(name, nets, data)[1], allowed(name, nets, data, dtype)[2]) > 1


FEW = [("silu", "square"), ("relu", "square"), ("silu", "product3")]


@pytest.mark.parametrize(("name", "task"), mostly_slow([*FEW, ("gelu", "square")], quick=FEW))
def test_forward_and_outputs_have_the_bits_of_predict(name, task):
    data = some_data(task, 13, False)
    config = ml.Config(width=5, activation=name, steps=3, dtype="float64", task=task, points=8)
    nets = ml.train(config, seeds=2)
    form, thetas = single.form(name, data.inputs), pack(nets.parameters)
    x, out = data.x.copy(), np.empty(13)
    for theta, expected in zip(thetas, nets.predict(data.x), strict=True):
        single.outputs(form, theta, x, out)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal([single.forward(form, theta, point) for point in x], expected)
        if data.inputs == 1:
            np.testing.assert_array_equal(
                [single.forward(form, theta, point) for point in x[:, 0]], expected
            )


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(numpy_reference.SMOOTH))
def test_slopes_are_complex_steps(name):
    """f and df/dx against an oracle that shares no formula; the bound is that of dz = w dx, see
    test_gradients.
    """
    data = some_data("product3", 6, False)
    nets = some_nets(data, 4, 5)
    form, dx, eps = single.form(name, 3), np.empty(3), np.finfo(float).eps
    for r, theta in enumerate(pack(nets)):
        w, b, v, _ = (array[r] for array in nets)
        for point in data.x.copy():
            f = single.forward_and_gradient(form, theta, point, dx)
            assert f == single.forward(form, theta, point)
            z, size = w @ point + b, np.abs(w) @ np.abs(point) + np.abs(b)
            expected = (v * numpy_reference.activation(name, z)[1]) @ w
            bound = 8 * eps * (np.abs(v) * (1 + size)) @ np.abs(w)
            assert (np.abs(dx - expected) <= bound).all()
    one = single.form(name)
    theta = pack(some_nets(some_data("square", 5, False), 1, 4))[0]
    f, slope = single.forward_and_slope(one, theta, 0.7)
    assert f == single.forward_and_gradient(one, theta, 0.7, dx[:1])
    assert slope == dx[0]


@pytest.mark.parametrize(("name", "task"), mostly_slow([*FEW, ("tanh", "product3")], quick=FEW))
def test_the_jacobian_is_the_gradient_of_each_output(name, task):
    """A loss on one point with y = f - 1/2 and weight 1 has the gradient df/dtheta."""
    data = some_data(task, 11, False)
    nets = some_nets(data, 1, 3)
    form, theta = single.form(name, data.inputs), pack(nets)[0]
    x, _, _ = arrays_of(data)
    out, f = np.full((11, len(theta)), np.nan), np.empty(11)
    single.jacobian(form, theta, x, out)
    single.outputs(form, theta, x, f)
    gradient, scratch = buffers(form, theta)
    for p in range(11):
        single.loss_and_gradient(
            form, theta, x[p : p + 1], f[p : p + 1] - 0.5, np.ones(1), gradient, scratch
        )
        np.testing.assert_allclose(out[p], gradient, rtol=1e-14, atol=1e-15)


def test_loss_alone_is_the_loss_beside_the_gradient():
    data = some_data("square", 21, True)
    theta, (x, y, weight) = pack(some_nets(data, 1, 6))[0], arrays_of(data)
    gradient, scratch = buffers(SILU, theta)
    assert single.loss(SILU, theta, x, y, weight) == single.loss_and_gradient(
        SILU, theta, x, y, weight, gradient, scratch
    )


# Training.
def trained(theta, data, steps, cut=None, form=SILU, lr=1e-2):
    theta, moments = theta.copy(), np.zeros((2, len(theta)))
    gradient, scratch = buffers(form, theta)
    first = 0
    for count in (steps,) if cut is None else (cut, steps - cut):
        loss = single.train_net(
            form, theta, moments, *arrays_of(data), first, count, lr, single.ADAM, gradient, scratch
        )
        first += count
    return theta, loss


def test_training_follows_the_reference():
    """Thirty steps, in which rounding errors grow little: 1e-10 is ten thousand roundings."""
    data = some_data("square", 20, True)
    nets = some_nets(data, 1, 5)
    theta, _ = trained(pack(nets)[0], data, 30)
    state = [array.copy() for array in nets]
    first, second = ([np.zeros_like(array) for array in nets] for _ in range(2))
    for step in range(1, 31):
        _, gradient = numpy_reference.loss_and_gradient("silu", *state, data.x, data.y, data.weight)
        numpy_reference.update(ml.Config(), state, first, second, gradient, step, 1e-2)
    np.testing.assert_allclose(theta, pack(ml.Parameters(*state))[0], rtol=1e-10)


def test_training_follows_the_engine_of_many_seeds():
    config = ml.Config(width=4, dtype="float64", steps=100)
    nets = ml.train(config, seeds=3, engine="lanes")
    start = ml.train(
        config.replace(steps=1, lr=1e-300), seeds=3, engine="lanes"
    )  # too small a step to move anything
    for s in range(3):
        theta, _ = trained(pack(start.parameters)[s], nets.data, 100)
        np.testing.assert_allclose(theta, pack(nets.parameters)[s], rtol=1e-8)


def test_cutting_a_training_in_two_changes_no_bit():
    data = some_data("square", 20, False)
    theta = pack(some_nets(data, 1, 5))[0]
    whole, loss = trained(theta, data, 37)
    parts, loss_of_parts = trained(theta, data, 37, cut=11)
    np.testing.assert_array_equal(parts, whole)
    assert loss == loss_of_parts


def test_no_steps_change_nothing():
    data = some_data("square", 5, False)
    theta = pack(some_nets(data, 1, 2))[0]
    after, loss = trained(theta, data, 0)
    assert np.isnan(loss)
    np.testing.assert_array_equal(after, theta)


# From other people's functions.
@njit
def users_descent(form, theta, x, y, weight, gradient, scratch, steps):
    for _ in range(steps):
        loss = single.loss_and_gradient(form, theta, x, y, weight, gradient, scratch)
        for k in range(theta.size):
            theta[k] -= 0.05 * gradient[k]
    return loss


@njit
def users_function_of_a_global(theta, x):
    return single.forward(SILU, theta, x)


@njit(parallel=True)
def users_threads(form, thetas, moments, x, y, weight, steps, losses, gradients, scratch):
    for net in prange(thetas.shape[0]):
        losses[net] = single.train_net(
            form,
            thetas[net],
            moments[net],
            x,
            y,
            weight,
            0,
            steps,
            1e-2,
            single.ADAM,
            gradients[net],
            scratch[net],
        )


@njit
def users_buffers(form, width):
    theta = np.linspace(-1.0, 1.0, width * 3 + 1)
    x = np.linspace(-1.0, 1.0, 9)
    return single.loss_and_gradient(
        form,
        theta,
        x,
        x * x,
        np.full(9, 1 / 9),
        np.empty_like(theta),
        np.empty(single.scratch_size(form, width)),
    )


def test_a_users_loop_computes_the_same_bits():
    data = some_data("square", 20, True)
    theta, arrays = pack(some_nets(data, 1, 5))[0], arrays_of(data)
    gradient, scratch = buffers(SILU, theta)
    mine = theta.copy()
    for _ in range(7):
        loss = single.loss_and_gradient(SILU, mine, *arrays, gradient, scratch)
        mine -= 0.05 * gradient
    assert users_descent(SILU, theta, *arrays, gradient, scratch, 7) == loss
    np.testing.assert_allclose(theta, mine, rtol=1e-14)  # the user's own update may be fused


def test_a_form_may_be_a_global_and_buffers_may_be_made_inside():
    theta = np.array([1.0, 0.5, 2.0, -1.0])
    assert users_function_of_a_global(theta, 0.25) == single.forward(SILU, theta, 0.25)
    assert np.isfinite(users_buffers(SILU, 4))


@pytest.mark.filterwarnings("ignore:The TBB threading layer")
def test_a_users_prange_trains_nets_side_by_side():
    data = some_data("square", 20, False)
    thetas = pack(some_nets(data, 17, 4))
    alone = [trained(theta, data, 25) for theta in thetas]
    from minilotto.hardware.threads import parallel_region

    size = single.scratch_size(SILU, 4)
    losses, moments, gradients, scratch = (
        np.empty(17),
        np.zeros((17, 2, 13)),
        np.empty((17, 13)),
        np.empty((17, size)),
    )
    with parallel_region(2):
        users_threads(SILU, thetas, moments, *arrays_of(data), 25, losses, gradients, scratch)
    np.testing.assert_array_equal(losses, [loss for _, loss in alone])
    np.testing.assert_array_equal(thetas, [theta for theta, _ in alone])


def test_python_threads_with_buffers_of_their_own_do_not_disturb_one_another():
    data = some_data("square", 50, False)
    thetas = pack(some_nets(data, 4, 6))
    expected, found = [trained(theta, data, 300)[0] for theta in thetas], [None] * 4

    def work(i):
        found[i] = trained(thetas[i], data, 300)[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found, expected)


@pytest.fixture
def allocations():
    """How many arrays compiled code has made so far."""
    _nrt_python.memsys_enable_stats()
    yield lambda: rtsys.get_allocation_stats().mi_alloc
    _nrt_python.memsys_disable_stats()


def test_nothing_is_allocated(allocations):
    data = some_data("square", 50, False)
    theta, arrays = pack(some_nets(data, 1, 6))[0], arrays_of(data)
    gradient, scratch = buffers(SILU, theta)
    users_descent(SILU, theta, *arrays, gradient, scratch, 1)
    before = allocations()
    users_descent(SILU, theta, *arrays, gradient, scratch, 1000)
    assert allocations() == before + 6  # a header for each array that Python hands in
    users_buffers(SILU, 4)
    assert allocations() > before + 6  # the check can fail: that function makes arrays


@pytest.mark.parametrize(("inputs", "width", "points"), [(1, 1, 1), (1, 5, 8), (3, 4, 17)])
def test_nothing_is_written_beyond_the_buffers(inputs, width, points):
    form, rng = single.form("tanh", inputs), np.random.default_rng(3)
    size, rows = single.scratch_size(form, width), width * (inputs + 2) + 1
    memory = np.full(size + rows + 200, -7.25)
    scratch, gradient = memory[64 : 64 + size], memory[128 + size : 128 + size + rows]
    x = rng.normal(size=(points, inputs))
    single.loss_and_gradient(
        form, rng.normal(size=rows), x, x[:, 0].copy(), np.ones(points), gradient, scratch
    )
    assert (memory[:64] == -7.25).all()
    assert (memory[64 + size : 128 + size] == -7.25).all()
    assert (memory[128 + size + rows :] == -7.25).all()
    assert (gradient != -7.25).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout_gives_the_same_bits(layout):
    data = some_data("product2", 19, True)
    form, (x, y, weight) = single.form("silu", 2), arrays_of(data)
    theta = pack(some_nets(data, 1, 5))[0]
    gradient, scratch = buffers(form, theta)
    expected = (
        single.loss_and_gradient(form, theta, x, y, weight, gradient, scratch),
        gradient.copy(),
    )
    change = LAYOUTS[layout]
    loss = single.loss_and_gradient(
        form, change(theta), change(x), change(y), change(weight), gradient, scratch
    )
    assert loss == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])


def test_points_of_one_input_need_no_second_axis():
    data = some_data("square", 13, True)
    theta, (x, y, weight) = pack(some_nets(data, 1, 5))[0], arrays_of(data)
    assert single.loss(SILU, theta, x[:, 0].copy(), y, weight) == single.loss(
        SILU, theta, x, y, weight
    )
    assert single.loss(SILU, theta, x[:, 0], y, weight) == single.loss(SILU, theta, x, y, weight)


def test_nan_comes_out_as_nan_and_nothing_else_does():
    x, theta = np.linspace(-1, 1, 9), np.linspace(-1, 1, 7)
    broken, out = theta.copy(), np.empty(9)
    broken[1] = np.nan
    single.outputs(SILU, broken, x, out)
    assert np.isnan(out).all()
    gradient, scratch = buffers(SILU, theta)
    assert np.isnan(single.loss_and_gradient(SILU, broken, x, x, np.ones(9), gradient, scratch))
    assert np.isfinite(
        single.loss_and_gradient(SILU, theta, x, x, np.ones(9), gradient, scratch)
    )  # nothing is left in scratch


# What callers may get wrong.
def call(theta=7, x=9, y=9, weight=9, gradient=7, scratch=None, form=SILU):
    """loss_and_gradient of arrays with these lengths, or of these arrays."""
    size = single.scratch_size(form, 2) if scratch is None else scratch
    arrays = [
        np.ones(a) if isinstance(a, (int, tuple)) else a
        for a in (theta, x, y, weight, gradient, size)
    ]
    return single.loss_and_gradient(form, *arrays)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"theta": 8, "gradient": 8}, "theta has a length"),
        ({"theta": 1, "gradient": 1}, "theta has a length"),
        ({"theta": 0, "gradient": 0}, "theta has a length"),
        ({"gradient": 6}, "gradient has another length"),
        ({"scratch": 20}, "scratch is too short"),
        ({"x": 8}, "different numbers of points"),
        ({"weight": 10}, "different numbers of points"),
        ({"x": 0, "y": 0, "weight": 0}, "or none"),
        ({"x": (9, 2)}, "another number of inputs"),
    ],
)
def test_wrong_lengths_are_refused(wrong, message):
    assert np.isfinite(call())
    with pytest.raises(ValueError, match=message):
        call(**wrong)


of_lists = pytest.mark.filterwarnings(
    "ignore::numba.core.errors.NumbaPendingDeprecationWarning"
)  # which are refused all the same


@of_lists
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"theta": np.ones(7, np.float32)}, "an array of float64 belongs"),
        ({"x": np.ones(9, np.int64)}, "an array of float64 belongs"),
        ({"weight": 1.0}, "an array of float64 belongs"),
        ({"scratch": np.ones(2000)[::2]}, "contiguous"),
        ({"form": single.form(dtype="float32")}, "an array of float32 belongs"),
        ({"theta": (3, 7)}, "2 axes where an array of 1 belongs; one net is theta"),
        ({"x": (9, 1, 1)}, "3 axes where an array of 1 or 2 belongs"),
        ({"y": (1, 9)}, "2 axes where an array of 1 belongs"),
        ({"weight": (1, 9)}, "2 axes where an array of 1 belongs"),
        ({"gradient": (1, 7)}, "2 axes where an array of 1 belongs"),
        ({"scratch": (1, 2000)}, "2 axes where an array of 1 belongs"),
        ({"form": "silu"}, "where a Form belongs"),
        ({"form": SILU.spec}, "where a Form belongs"),
        ({"x": 0.5}, "float64 where an array of float64 belongs"),
        ({"x": [0.5] * 9}, "where an array of float64 belongs"),
        ({"y": [0.5] * 9}, "where an array of float64 belongs"),
    ],
)
def test_wrong_types_are_refused_while_compiling(wrong, message):
    with pytest.raises(TypingError, match=message):
        call(**wrong)


@pytest.mark.parametrize(
    ("function", "arguments", "axes"),
    [
        ("forward", (np.ones((1, 2)),), 1),
        ("forward_and_gradient", (np.ones(2), np.ones((1, 2))), 1),
        ("outputs", (np.ones((4, 2)), np.ones((1, 4))), 1),
        ("jacobian", (np.ones((4, 2)), np.ones((4, 9, 1))), 2),
        ("step", (np.ones(18), np.ones(9), 0, 1e-2, single.ADAM), 2),
        ("step", (np.ones((2, 9)), np.ones((1, 9)), 0, 1e-2, single.ADAM), 1),
    ],
)
def test_arrays_of_other_axes_are_not_read_or_written_beyond_their_ends(function, arguments, axes):
    with pytest.raises(TypingError, match=rf"axes where (an array of {axes}|one point x) "):
        getattr(single, function)(single.form("silu", 2), np.ones(9), *arguments)


@pytest.mark.parametrize("function", ["forward", "forward_and_slope", "forward_and_gradient"])
@pytest.mark.parametrize("x", [None, "0.5", [0.5], 0.5j, np.ones(1, complex)])
@of_lists
def test_what_is_no_point_is_refused_while_compiling(x, function):
    dx = [np.empty(1)] if function == "forward_and_gradient" else []
    with pytest.raises(TypingError, match="where one point belongs"):
        getattr(single, function)(SILU, np.ones(7), x, *dx)


@pytest.mark.parametrize("length", [0, 2])
def test_a_slope_is_taken_at_one_point(length):
    assert len(single.forward_and_slope(SILU, np.ones(7), np.ones(1))) == 2
    with pytest.raises(ValueError, match="takes one input"):
        single.forward_and_slope(SILU, np.ones(7), np.ones(length))


@pytest.mark.parametrize("count", [4, 6])
def test_constants_are_three_or_five(count):
    with pytest.raises(ValueError, match="three numbers, as ADAM has them, or five"):
        single.step(SILU, np.ones(7), np.zeros((2, 7)), np.ones(7), 0, 1e-2, (0.5,) * count)


def test_a_gradient_cannot_be_written_to_a_read_only_array():
    with pytest.raises(TypingError, match="readonly"):
        call(gradient=read_only(np.ones(7)))


@pytest.mark.parametrize(
    "function",
    ["forward", "forward_and_slope", "forward_and_gradient", "outputs", "jacobian", "adam_step"],
)
def test_every_function_checks_its_lengths(function):
    two, theta, x = single.form("silu", 2), np.ones(9), np.ones(3)
    arguments = {
        "forward": (x,),
        "forward_and_slope": (1.0,),
        "forward_and_gradient": (np.ones(2), np.ones(3)),
        "outputs": (np.ones((4, 2)), np.ones(3)),
        "jacobian": (np.ones((4, 2)), np.ones((4, 8))),
        "adam_step": (np.ones((2, 8)), np.ones(9), 0, 1e-2, single.ADAM),
    }
    with pytest.raises(ValueError, match=r"input|length|\(2, K\)|\(P, K\)|points"):
        getattr(single, function)(two, theta, *arguments[function])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "slu"}, "activation='slu' is unknown"),
        ({"inputs": 0}, "inputs=0"),
        ({"inputs": 1.5}, "inputs=1.5"),
        ({"inputs": True}, "inputs=True"),
        ({"dtype": "float16"}, "dtype='float16'"),
        ({"activation": "leaky_relu", "negative_slope": np.nan}, "negative_slope=nan"),
        ({"activation": "leaky_relu", "negative_slope": 2.0}, "negative_slope=2.0"),
        ({"activation": "leaky_relu", "negative_slope": "a"}, "negative_slope='a'"),
    ],
)
def test_a_wrong_form_is_refused(settings, message):
    with pytest.raises(ml.ConfigError, match=message):
        single.form(**settings)


def test_the_type_of_a_form_names_the_sources_so_that_no_cache_is_stale():
    assert sources_digest() in type_of_spec(SILU.spec).name
    assert type_of_spec(SILU.spec) != type_of_spec(single.form("tanh").spec)
