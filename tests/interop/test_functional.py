"""Nets as plain arrays: derivatives against torch and differences, packing, scipy's optimisers, and
what is refused.
"""

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from nets import (
    KINKED,
    LAYOUTS,
    SLOPE,
    SMOOTH,
    allowed,
    mostly_slow,
    random_nets,
    some_data,
    some_nets,
    truth,
    worst,
)
from scipy.optimize import least_squares, minimize

import minilotto as ml
from minilotto.initialisation import initial_parameters
from minilotto.interop.second_derivatives import POINTS_AT_ONCE
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import ACTIVATIONS, activation_of


@hypothesis_given(
    st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.sampled_from(["float32", "float64"])
)
def test_unpack_undoes_pack(nets, width, inputs, dtype):
    parameters = ml.Parameters(*(a.astype(dtype) for a in random_nets(1, nets, width, inputs)))
    thetas = ml.pack(parameters)
    assert thetas.shape == (nets, width * (inputs + 2) + 1)
    for before, after in zip(parameters, ml.unpack(thetas, inputs), strict=True):
        np.testing.assert_array_equal(after, before)
        assert after.dtype == dtype
        assert not np.shares_memory(after, thetas)
    one = ml.Parameters(*(array[0] for array in parameters))
    np.testing.assert_array_equal(ml.pack(one), thetas[0])
    for before, after in zip(one, ml.unpack(thetas[0], inputs), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", mostly_slow(ACTIVATIONS, quick=["silu", "leaky_relu"]))
def test_losses_gradients_and_predictions_are_right(name):
    data = some_data("square", 12, True)
    nets, settings = some_nets(data, 3, 5), {"activation": name, "negative_slope": SLOPE}
    loss, gradient = ml.loss_and_gradient(nets, data.x, data.y, data.weight, **settings)
    expected_loss, expected = truth(name, nets, data)
    loss_bound, f_bound, bounds = allowed(name, nets, data, "float64")
    assert worst([loss], [expected_loss], [loss_bound]) <= 1
    assert worst(gradient, expected, bounds) <= 1
    outputs = ml.predict(nets, data.x, **settings)
    assert worst([outputs], [numpy_reference.predict(name, *nets, data.x, SLOPE)], [f_bound]) <= 1


def test_results_have_the_shape_of_the_parameters():
    data = some_data("product3", 6, False)
    nets = some_nets(data, 3, 4)
    thetas = ml.pack(nets)
    loss, gradient = ml.loss_and_gradient(thetas[0], data.x, data.y)
    assert isinstance(loss, float)
    assert gradient.shape == (21,)
    losses, gradients = ml.loss_and_gradient(thetas, data.x, data.y)
    assert (losses.shape, gradients.shape) == ((3,), (3, 21))
    assert losses[0] == loss  # whatever nets are beside it
    np.testing.assert_array_equal(gradients[0], gradient)
    assert ml.predict(thetas[0], data.x).shape == (6,)
    assert ml.predict(thetas, data.x).shape == (3, 6)
    assert ml.jacobian(thetas[0], data.x).shape == (6, 21)
    assert ml.jacobian(nets, data.x).shape == (3, 6, 21)
    assert ml.hessian(thetas[0], data.x, data.y).shape == (21, 21)
    assert ml.hessian(nets, data.x, data.y).shape == (3, 21, 21)
    single = thetas[0].astype(np.float32)
    assert ml.loss_and_gradient(single, data.x, data.y)[1].dtype == np.float32
    assert ml.predict(single, data.x).dtype == np.float32


def test_the_loss_of_trained_nets_is_theirs():
    nets = ml.train(ml.Config(width=3, steps=50, dtype="float64"), seeds=4)
    loss, _ = ml.loss_and_gradient(nets.parameters, nets.data.x, nets.data.y, nets.data.weight)
    np.testing.assert_allclose(loss, nets.loss, rtol=1e-13)
    np.testing.assert_array_equal(
        ml.predict(nets.parameters, nets.data.x), nets.predict(nets.data.x)
    )


def test_weights_are_taken_as_they_are():
    data = some_data("square", 8, True)
    theta = ml.pack(some_nets(data, 1, 3))[0]
    loss, gradient = ml.loss_and_gradient(theta, data.x, data.y, data.weight)
    tenfold, gradient_tenfold = ml.loss_and_gradient(theta, data.x, data.y, 16 * data.weight)
    assert tenfold == 16 * loss
    np.testing.assert_array_equal(gradient_tenfold, 16 * gradient)
    equal = ml.loss_and_gradient(theta, data.x, data.y, np.full(8, 1 / 8))[0]
    assert ml.loss_and_gradient(theta, data.x, data.y)[0] == equal


def hessian_scale(theta, data, settings):
    """What roundings of a Hessian are measured against: its sums with all terms positive, roughly,
    as one number.
    """
    slopes = np.abs(ml.jacobian(theta, data.x, **settings))
    r = np.abs(ml.predict(theta, data.x, **settings)) + np.abs(data.y)
    reach = (1 + np.abs(data.x).max()) ** 2 * (1 + np.abs(theta).max())
    return 2 * (data.weight[:, None] * slopes).T @ slopes + 2 * data.weight @ r * reach


@pytest.mark.parametrize(
    ("name", "task"), [*((name, "square") for name in SMOOTH), ("silu", "product3")]
)
def test_the_hessian_is_what_torch_derives(name, task):
    torch = pytest.importorskip(
        "torch", reason="torch, the oracle of second derivatives, is not installed (extra torch)"
    )
    from minilotto.oracles.torch_reference import function_of

    data = some_data(task, 9, True)
    theta, inputs = ml.pack(some_nets(data, 1, 4))[0], data.inputs
    x, y, weight = map(torch.tensor, (data.x.copy(), data.y.copy(), data.weight.copy()))

    def loss(flat):
        rows = flat[:-1].reshape(-1, inputs + 2)
        hidden = function_of(name, SLOPE)(x @ rows[:, :inputs].T + rows[:, inputs])
        return (weight * (hidden @ rows[:, inputs + 1] + flat[-1] - y) ** 2).sum()

    expected = torch.autograd.functional.hessian(loss, torch.tensor(theta)).numpy()
    found = ml.hessian(theta, data.x, data.y, data.weight, activation=name)
    bound = 100 * np.finfo(float).eps * hessian_scale(theta, data, {"activation": name})
    assert (np.abs(found - expected) <= bound).all()
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("name", ["silu", *KINKED])
def test_the_hessian_is_the_difference_of_gradients(name):
    """Away from kinks; h^2 |third derivative| and eps / h are both near 1e-10 of the scale for h =
    1e-5.
    """
    data = some_data("square", 9, True)
    theta, h = ml.pack(some_nets(data, 1, 4))[0], 1e-5
    settings = {"activation": name, "negative_slope": SLOPE}
    moved = np.concatenate([theta + h * np.eye(13), theta - h * np.eye(13)])
    _, gradients = ml.loss_and_gradient(moved, data.x, data.y, data.weight, **settings)
    found = ml.hessian(theta, data.x, data.y, data.weight, **settings)
    bound = 1e-8 * hessian_scale(theta, data, settings)
    assert (np.abs(found - (gradients[:13] - gradients[13:]) / (2 * h)) <= bound).all()
    broken = found - 1e-6 * np.abs(found).max() * np.eye(13)
    assert not (np.abs(broken - (gradients[:13] - gradients[13:]) / (2 * h)) <= bound).all()


def test_the_hessian_of_many_points_is_summed_in_parts():
    rng = np.random.default_rng(2)
    x, theta = rng.uniform(-2, 2, POINTS_AT_ONCE + 100), rng.normal(size=7)
    halves = [
        ml.hessian(theta, part, part**2, np.full(len(part), 1 / len(x)))
        for part in (x[:2000], x[2000:])
    ]
    np.testing.assert_allclose(ml.hessian(theta, x, x**2), sum(halves), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_curvatures_are_the_slopes_of_slopes(name):
    """By Richardson's extrapolation of central differences of complex-step slopes: truncation h^4,
    here below 1e-11.
    """
    z, h = np.linspace(-9, 9, 181) + 0.01, 1e-3
    slope = lambda at: numpy_reference.activation(name, at)[1]  # noqa: E731
    central = lambda step: (slope(z + step) - slope(z - step)) / (2 * step)  # noqa: E731
    np.testing.assert_allclose(
        activation_of(name).curvature(z), (4 * central(h / 2) - central(h)) / 3, atol=1e-11
    )
    far = activation_of(name).curvature(np.array([-800.0, -1e200, 800.0, 1e200]))
    assert (np.abs(far) < 1e-300).all()


@pytest.mark.parametrize("name", KINKED)
def test_lines_have_no_curvature(name):
    np.testing.assert_array_equal(activation_of(name).curvature(np.linspace(-1, 1, 5)), np.zeros(5))


def test_residuals_are_squared_to_the_loss_and_their_jacobian_gives_its_gradient():
    data = some_data("square", 12, True)
    theta = ml.pack(some_nets(data, 1, 4))[0]
    arguments = (theta, data.x, data.y, data.weight)
    r, slopes = ml.residuals(*arguments), ml.residual_jacobian(*arguments)
    loss, gradient = ml.loss_and_gradient(*arguments)
    np.testing.assert_allclose(r @ r, loss, rtol=1e-14)
    np.testing.assert_allclose(2 * slopes.T @ r, gradient, rtol=1e-12)


def test_scipy_trains_with_them():
    x = np.linspace(-2, 2, 40)
    theta = ml.pack(ml.train(ml.Config(width=4, steps=1, dtype="float64"), seeds=1).parameters)[0]
    before, _ = ml.loss_and_gradient(theta, x, x**2)
    by_gradient = minimize(
        ml.loss_and_gradient,
        theta,
        (x, x**2),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 300},
    )
    assert by_gradient.fun < 1e-4 * before
    by_squares = least_squares(
        ml.residuals, theta, ml.residual_jacobian, args=(x, x**2), max_nfev=100
    )
    assert 2 * by_squares.cost < 1e-6 * before
    by_hessian = minimize(
        ml.loss_and_gradient,
        theta,
        (x, x**2),
        jac=True,
        hess=ml.hessian,
        method="trust-exact",
        options={"maxiter": 200},
    )
    assert by_hessian.fun < 1e-4 * before


def test_what_a_line_search_may_try_gives_infinity_or_nan_without_a_word():
    x = np.linspace(-1, 1, 5)
    assert not np.isfinite(ml.loss_and_gradient(np.full(4, 1e200), x, x)[0])
    assert np.isnan(ml.loss_and_gradient(np.array([np.nan, 0, 0, 0]), x, x)[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout_gives_the_same_bits(layout):
    data, change = some_data("product2", 9, True), LAYOUTS[layout]
    thetas = ml.pack(some_nets(data, 3, 4))
    expected = ml.loss_and_gradient(thetas, data.x, data.y, data.weight)
    found = ml.loss_and_gradient(
        *(change(array.copy()) for array in (thetas, data.x, data.y, data.weight))
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


THETA, X = np.ones(7), np.linspace(-1, 1, 5)
BAD = {
    "theta of no net's length": ((np.ones(8), X, X), r"theta has shape \(8,\).*K = 3 N \+ 1"),
    "theta of another number of inputs": (
        (np.ones(8), np.ones((5, 2)), X),
        r"theta has shape \(8,\).*K = 4 N \+ 1",
    ),
    "theta without neurons": ((np.ones(1), X, X), r"theta has shape \(1,\)"),
    "no nets": ((np.ones((0, 7)), X, X), "at least one net"),
    "theta of three axes": ((np.ones((1, 1, 7)), X, X), "theta has shape"),
    "theta of integers": (
        (np.ones(7, int), X, X),
        "theta has dtype int64; pass float32 or float64",
    ),
    "theta of complex numbers": ((np.ones(7, complex), X, X), "theta has dtype complex128"),
    "theta of other byte order": ((np.ones(7, ">f8"), X, X), "theta has dtype >f8"),
    "parameters as words": (("silu", X, X), "theta has dtype <U4"),
    "ragged x": ((THETA, [[1.0], [1.0, 2.0]], X), "x is no array"),
    "x of integers": (
        (THETA, np.arange(5), X),
        "x has dtype int64; pass float32 or float64, as in x.astype",
    ),
    "x with NaN": (
        (THETA, np.array([0, np.nan, 0, 0, 0]), X),
        r"x holds NaN or infinity at index \[1\]",
    ),
    "no points": ((THETA, np.empty(0), np.empty(0)), "at least one point"),
    "x of three axes": ((THETA, np.ones((5, 1, 1)), X), "x has shape"),
    "y too short": ((THETA, X, X[:4]), r"y has shape \(4,\) where x has 5 points"),
    "y as a column": ((THETA, X, X[:, None]), r"y has shape \(5, 1\)"),
    "y with infinity": ((THETA, X, np.full(5, np.inf)), "y holds NaN or infinity"),
    "weight too long": ((THETA, X, X, np.ones(6)), "give one weight a point"),
    "weight of truth values": ((THETA, X, X, np.ones(5, bool)), "weight has dtype bool"),
}


@pytest.mark.parametrize(
    "function", ["loss_and_gradient", "hessian", "residuals", "residual_jacobian"]
)
@pytest.mark.parametrize("what", BAD)
def test_bad_arrays_are_refused_in_one_line(what, function):
    arguments, message = BAD[what]
    with pytest.raises(ml.DataError, match=message) as caught:
        getattr(ml, function)(*arguments)
    assert "\n" not in str(caught.value)


def test_predict_and_jacobian_refuse_the_same():
    for function in (ml.predict, ml.jacobian):
        with pytest.raises(ml.DataError, match="theta has shape"):
            function(np.ones(8), X)
        with pytest.raises(ml.DataError, match="x has dtype"):
            function(THETA, np.arange(5))
        with pytest.raises(ml.ConfigError, match="activation='slu' is unknown"):
            function(THETA, X, activation="slu")


def test_residuals_take_no_negative_weight_and_the_loss_does():
    weight = np.array([1.0, -0.5, 1.0, 1.0, 1.0])
    assert np.isfinite(ml.loss_and_gradient(THETA, X, X, weight)[0])
    for function in (ml.residuals, ml.residual_jacobian):
        with pytest.raises(ml.DataError, match=r"weight has minimum -0\.5"):
            function(THETA, X, X, weight)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (np.ones(7), "pass \\(w, b, v, c\\)"),
        ((np.ones((2, 1)), np.ones(2), np.ones(3), np.ones(())), "have shapes"),
        ((np.ones((3, 2, 1)), np.ones((3, 2)), np.ones((3, 2)), np.ones(2)), "have shapes"),
        ((np.ones((2, 1), np.float32), np.ones(2), np.ones(2), np.ones(())), "have dtypes"),
        ((np.ones((2, 1), int), np.ones(2), np.ones(2), np.ones(())), "w has dtype int64"),
        ((np.ones((0, 1)), np.ones(0), np.ones(0), np.ones(())), "have shapes"),
        (None, "pass \\(w, b, v, c\\)"),
    ],
)
def test_pack_refuses_what_is_no_net(parameters, message):
    with pytest.raises(ml.DataError, match=message):
        ml.pack(parameters)


@pytest.mark.parametrize(
    ("theta", "inputs"),
    [(np.ones(8), 1), (np.ones(7), 2), (np.ones(7), 0), (np.ones(7), 1.5), (np.ones(7), True)],
)
def test_unpack_refuses_what_is_no_net(theta, inputs):
    with pytest.raises(ml.DataError, match=r"theta has shape|inputs="):
        ml.unpack(theta, inputs)


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["silu", "leaky_relu"])
def test_several_hidden_layers(name, dtype, residual):
    config = ml.Config(width=4, depth=3, residual=residual, dtype=dtype, init="normal")
    nets = initial_parameters(config, 2, np.arange(3))
    exact = [array.astype(float) for array in nets]
    x = np.random.default_rng(0).normal(size=(9, 2))
    y, weight = (x[:, 0] > 0).astype(float), np.linspace(0.1, 1, 9)
    bound = 100 * np.finfo(dtype).eps
    net = {"activation": name, "negative_slope": SLOPE, "residual": residual}
    theta = ml.pack(nets)
    for part, again in zip(nets, ml.unpack(theta, inputs=2, depth=3), strict=True):
        np.testing.assert_array_equal(part, again)
    f = numpy_reference.predict(name, *exact[:4], x, SLOPE, hidden=exact[4:], residual=residual)
    np.testing.assert_allclose(ml.predict(nets, x, **net), f, rtol=bound, atol=bound)
    np.testing.assert_array_equal(
        ml.predict(theta[1], x, depth=3, **net), ml.predict(nets, x, **net)[1]
    )
    # The losses know nothing of the activation, and kernels of several layers take long to compile.
    for loss in ("squared", "logistic") if name == "silu" else ("squared",):
        expected, gradient = numpy_reference.loss_and_gradient(
            name, *exact[:4], x, y, weight, SLOPE, loss, hidden=exact[4:], residual=residual
        )
        losses, found = ml.loss_and_gradient(nets, x, y, weight, loss=loss, **net)
        np.testing.assert_allclose(losses, expected, rtol=bound)
        for ours, theirs in zip(found, gradient, strict=True):
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(ours, theirs, rtol=bound, atol=bound * scale)
        one, of_one = ml.loss_and_gradient(theta[2], x, y, weight, loss=loss, depth=3, **net)
        assert one == losses[2]
        np.testing.assert_array_equal(of_one, ml.pack(found)[2])
    r, slopes = (
        function(theta, x, y, weight, depth=3, **net)
        for function in (ml.residuals, ml.residual_jacobian)
    )
    _, gradient = ml.loss_and_gradient(theta, x, y, weight, depth=3, **net)
    summed = 2 * np.einsum("rp,rpk->rk", r.astype(float), slopes.astype(float))
    np.testing.assert_allclose(summed, gradient, rtol=bound, atol=bound * np.abs(gradient).max())


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize(("name", "depth"), [("silu", 3), ("tanh", 2), ("leaky_relu", 3)])
def test_the_hessian_of_several_layers_is_the_difference_of_gradients(name, depth, residual):
    """Of the reference, to fourth order, away from kinks: errors are near eps / h = 2e-10."""
    config = ml.Config(width=3, depth=depth, residual=residual, dtype="float64", init="normal")
    nets, h = initial_parameters(config, 2, np.arange(2)), 1e-6
    x = np.random.default_rng(1).normal(size=(7, 2))
    y, weight = np.sin(x[:, 0]), np.linspace(0.1, 1, 7)
    thetas, net = ml.pack(nets), {"activation": name, "negative_slope": SLOPE}
    net |= {"depth": depth, "residual": residual}

    def gradients(some):
        w, b, v, c, *hidden = ml.unpack(some, 2, depth)
        points, options = (x, y, weight, SLOPE), {"hidden": hidden, "residual": residual}
        found = numpy_reference.loss_and_gradient(name, w, b, v, c, *points, **options)[1]
        return ml.pack(ml.Parameters(*found))

    found = ml.hessian(nets, x, y, weight, **net)
    np.testing.assert_array_equal(found[1], ml.hessian(thetas[1], x, y, weight, **net))
    for theta, ours in zip(thetas, found, strict=True):
        near, far = (
            (gradients(theta + s * np.eye(len(theta))) - gradients(theta - s * np.eye(len(theta))))
            / (2 * s)
            for s in (h, 2 * h)
        )
        np.testing.assert_allclose(ours, (4 * near - far) / 3, atol=1e-8 * np.abs(ours).max())
        np.testing.assert_array_equal(ours, ours.T)


def test_a_net_of_several_hidden_layers_is_fitted_by_scipy():
    x = np.linspace(-2, 2, 30)
    theta = ml.pack(initial_parameters(ml.Config(width=4, depth=2), 1, np.arange(1)))[0]
    theta, net = theta.astype(float), {"depth": 2, "residual": True}
    fit = minimize(lambda t: ml.loss_and_gradient(t, x, x**2, **net), theta, jac=True)
    assert fit.fun < 1e-4


WRONG_DEPTHS = {
    r"2 hidden layers it must be .* 3 N \+ 1 \+ 1 N": lambda: ml.predict(
        np.ones(8), [1.0], depth=2
    ),
    "depth=0 is out of range": lambda: ml.predict(np.ones(6), [1.0], depth=0),
    "depth=1.5 is out of range": lambda: ml.predict(np.ones(6), [1.0], depth=1.5),
    "means nothing to depth=1": lambda: ml.predict(np.ones(4), [1.0], residual=True),
    "depth=-1 is out of range": lambda: ml.unpack(np.ones(6), depth=-1),
    "2 hidden layers it must": lambda: ml.hessian(np.ones(8), [1.0], [1.0], depth=2),
    "hidden_b have shapes": lambda: ml.pack((*ml.unpack(np.ones(6), depth=2)[:5], np.ones((2, 2)))),
}


@pytest.mark.parametrize("message", WRONG_DEPTHS)
def test_wrong_depths_are_refused(message):
    with pytest.raises((ml.ConfigError, ml.DataError), match=message):
        WRONG_DEPTHS[message]()
