"""Losses, predictions and gradients, in every coordinate: kernels against the reference, the
reference against three others.

Kernels and reference add the same terms in another order and with other roundings. They may
therefore differ by a small multiple of eps times the sum of the *absolute* terms, however small the
sum itself is; `allowed` works that out entry by entry. With z the argument of an activation and S =
|w| |x| + |b| the size of its terms,

    error of z          <= K eps S                    (K covers D + 3 roundings and the change of
                        unit)
    error of sigma(z)   <= K eps (|sigma| + S)        (no activation is steeper than 1.13)
    error of sigma'(z)  <= K eps (1 + S)              (nor more curved than 0.8; kinks are kept at a
                        distance)
    error of a sum of n <= eps (4 + sqrt(n)) sum |.|  (roundings walk)

and the gradients inherit these. K = 4 is worst-case; the agreement is usually ten times closer. The
logistic loss has a slope in f of at most one, itself no steeper than 1/4, and its kernel keeps the
digits of small ones, for whose exponential f is an argument:

    error of l'(f)      <= 1/4 error of f + K eps (1 + |f|) |l'|, and as the reference cancels, its
                        eps
"""

import itertools

import numpy as np
import pytest
from nets import (
    FEW_POINTS,
    GOLDEN_NET,
    GOLDEN_X,
    KINKED,
    SHAPES,
    SLOPE,
    SMOOTH,
    allowed,
    check,
    one_coordinate_moved,
    some_data,
    some_nets,
    truth,
    worst,
)
from numba import njit

from minilotto.data.dataset import frozen, given
from minilotto.engines import packing
from minilotto.engines.evaluate import gradients, gradients_by, losses, predictions
from minilotto.engines.packing import training_arrays
from minilotto.initialisation import Parameters
from minilotto.kernels import formulas, seed_parallel
from minilotto.kernels.forms import Form
from minilotto.kernels.formulas import FORMULAS, Formula
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Spec
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import ACTIVATIONS, activation_of


# Every activation in both precisions.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_are_right_in_every_coordinate(name, dtype):
    for task in ("square", "relu"):
        for width, points, weighted in SHAPES:
            data = some_data(task, points, weighted)
            check(name, some_nets(data, 19, width), data, dtype)


@pytest.mark.parametrize("name", ["silu", "relu"])
@pytest.mark.parametrize(("task", "dtype"), [("square", "float32"), ("product2", "float64")])
def test_gradients_on_few_points(name, task, dtype):
    for width, points, weighted in FEW_POINTS:
        data = some_data(task, points, weighted)
        check(name, some_nets(data, 19, width), data, dtype)


@pytest.mark.parametrize(("task", "dtype"), [("square", "float32"), ("product2", "float64")])
def test_the_points_that_go_side_by_side_change_no_bit(task, dtype):
    data = some_data(task, 9, True)
    nets = some_nets(data, 5, 3)
    found = []
    for group in (2, 4, 8):
        spec = Spec("silu", dtype, lane_count(dtype), data.inputs, group=group)
        points = training_arrays(data, dtype, group=group)
        assert points.y.size == -(-9 // group) * group
        found.append(gradients_by(seed_parallel.train_blocks, Form(spec, 0.0), nets, points))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    ("machine", "bytes_a_vector", "group"),
    [("x86_64", 64, 4), ("x86_64", 32, 2), ("x86_64", 16, 2), ("aarch64", 16, 4), ("ARM64", 16, 4)],
)
def test_four_points_go_side_by_side_where_there_are_32_registers(
    machine, bytes_a_vector, group, monkeypatch
):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(packing, "lane_count", lambda _: bytes_a_vector // 4)
    assert packing.group_for(16, "float32") == group
    assert packing.group_for(9, "float32") == 2  # three of twelve would be none


# Several inputs: a Spec is compiled for each, so each activation gets one or two.
SEVERAL_INPUTS = [
    ("silu", "product2", "float32"),
    ("relu", "product2", "float64"),
    ("leaky_relu", "product3", "float32"),
    ("gelu", "product3", "float64"),
    ("silu", "product5", "float64"),
    ("softplus", "product5", "float32"),
]


@pytest.mark.parametrize(("name", "task", "dtype"), SEVERAL_INPUTS)
def test_gradients_of_nets_with_several_inputs(name, task, dtype):
    for width, points, weighted in SHAPES:
        data = some_data(task, points, weighted)
        check(name, some_nets(data, 9, width), data, dtype)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.5, -0.3])
def test_leaky_relu_takes_any_slope(slope):
    data = some_data("square", 20, True)
    check("leaky_relu", some_nets(data, 20, 5), data, "float32", slope)


@pytest.mark.parametrize(("name", "dtype"), [("silu", "float32"), ("silu", "float64")])
def test_gradients_have_the_same_bits_whatever_the_lane_count(name, dtype):
    data = some_data("square", 21, True)
    nets = some_nets(data, 37, 3)
    native = gradients(activation_of(name, SLOPE), nets, data, dtype)
    for a, b in zip(
        gradients(activation_of(name, SLOPE), nets, data, dtype, lanes=4), native, strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "task"),
    [(name, "square") for name in ACTIVATIONS] + [("silu", "product2"), ("silu", "product5")],
)
def test_losses_and_predictions_are_right(name, task):
    for width, points, weighted in SHAPES + FEW_POINTS:
        data = some_data(task, points, weighted)
        nets = some_nets(data, 19, width)
        loss_bound, f_bound, _ = allowed(name, nets, data, "float64")
        activation = activation_of(name, SLOPE)
        assert (
            worst([losses(activation, nets, data)], [truth(name, nets, data)[0]], [loss_bound]) <= 1
        )
        expected = numpy_reference.predict(name, *nets, data.x, SLOPE)
        assert worst([predictions(activation, nets, data.x)], [expected], [f_bound]) <= 1


def test_losses_of_float32_nets_are_evaluated_in_float64():
    data = some_data("square", 11, False)
    nets = some_nets(data, 5, 4)
    single = Parameters(*(array.astype(np.float32) for array in nets))
    np.testing.assert_array_equal(
        losses(ACTIVATIONS["silu"], single, data), losses(ACTIVATIONS["silu"], nets, data)
    )


def test_many_nets_and_points_are_predicted_in_parts():
    data = some_data("square", 5, False)
    nets = some_nets(data, 41, 2)
    # So many that a part holds two blocks of lanes or fewer.
    x = np.linspace(-2, 2, 70_001)[:, None]
    whole = predictions(ACTIVATIONS["silu"], nets, x)
    for net in (0, 17, 40):
        alone = Parameters(*(array[net : net + 1] for array in nets))
        np.testing.assert_array_equal(predictions(ACTIVATIONS["silu"], alone, x)[0], whole[net])


# fmt: off
GOLDEN = {
    ("silu", 0.01): (
        9.5575823521636624, -2.1846108619218434, -5.6200145349792958, -0.68075788396093459,
        3.3338637200336567, 0.53404042984451228, -7.2890842716256277, -4.39277028435409,
    ),
    ("relu", 0.01): (
        8.766082763671875, -1.75390625, -4.896240234375, -1.109375, 2.9736328125,
        -0.50716145833333333, -7.84423828125, -4.1171875,
    ),
    ("leaky_relu", 0.01): (
        8.8435851013183594, -1.65022119140625, -4.913439111328125, -1.147531640625, 2.998726171875,
        -0.442600048828125, -7.87597763671875, -4.1315625,
    ),
    ("leaky_relu", 0.2): (
        10.437623291015625, 0.4955078125, -5.281650390625, -2.00328125, 3.4516015625,
        0.91551432291666667, -8.53138671875, -4.4046875,
    ),
    ("leaky_relu", -0.5): (
        5.7062530517578125, -5.759033203125, -4.3143310546875, -0.0791015625, 1.55859375,
        -2.8531494140625, -6.608642578125, -3.3984375,
    ),
    ("tanh", 0.01): (
        9.3118317952984565, 0.63091435045908706, -0.27430797826130387, -1.4150451486143165,
        0.50387219223387444, 3.2870372522545961, -3.291854479210141, -4.2874551305104462,
    ),
    ("gelu", 0.01): (
        9.1667580996450709, -2.7137419474802638, -5.2942141891510904, -0.68176667014861994,
        3.1508038446100351, -0.17096927834724677, -7.7957180311798855, -4.3318624324217449,
    ),
    ("softplus", 0.01): (
        8.0021672616492231, 0.38445963960746471, -4.262615492323377, -1.0926620615743198,
        2.5311087555320284, -0.96437003255389088, -7.871365250038596, -3.5144537823879058,
    ),
    ("sigmoid", 0.01): (
        4.7176712976788249, 0.27567681433970848, -0.11843262626305836, -0.62941791405904561,
        0.2195506398173157, -0.80621267485492256, -2.0958151141286841, -2.9083399665408516,
    ),
}
# fmt: on


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "slope"), GOLDEN)
def test_a_small_net_has_the_loss_and_gradient_of_forty_digits(name, slope, dtype):
    data = given(GOLDEN_X, GOLDEN_X**2)
    loss, *gradient = GOLDEN[name, slope]
    loss_bound, _, bounds = allowed(name, GOLDEN_NET, data, "float64", slope)
    activation = activation_of(name, slope)
    assert worst([losses(activation, GOLDEN_NET, data)], [np.array([loss])], [loss_bound]) <= 1
    dw1, dw2, db1, db2, dv1, dv2, dc = gradient
    expected = Parameters(
        np.array([[[dw1], [dw2]]]), np.array([[db1, db2]]), np.array([[dv1, dv2]]), np.array([dc])
    )
    bounds = allowed(name, GOLDEN_NET, data, dtype, slope)[2]
    assert worst(gradients(activation, GOLDEN_NET, data, dtype), expected, bounds) <= 1


@pytest.mark.parametrize("task", ["square", "product3"])
@pytest.mark.parametrize("name", SMOOTH)
def test_the_reference_gradient_is_the_complex_step_of_its_loss(name, task):
    data = some_data(task, 9, True)
    nets = some_nets(data, 1, 4)
    moved, shaped = one_coordinate_moved(nets, 1e-100j)
    loss, _ = truth(name, moved, data)
    assert (
        worst(
            shaped(loss.imag / 1e-100),
            truth(name, nets, data)[1],
            allowed(name, nets, data, "float64")[2],
        )
        <= 1
    )


@pytest.mark.parametrize("task", ["square", "product3"])
@pytest.mark.parametrize("name", KINKED)
def test_the_reference_gradient_is_the_central_difference_of_its_loss(name, task):
    """Between kinks the loss is quadratic in any one coordinate, so the difference has no
    truncation error.
    """
    data, h = some_data(task, 9, True), 2.0**-13
    assert h * np.abs(data.x).max() < 1e-3  # the distance that some_nets keeps from kinks
    nets = some_nets(data, 1, 4)
    up, shaped = one_coordinate_moved(nets, h)
    down, _ = one_coordinate_moved(nets, -h)
    (loss_up, _), (loss_down, _) = truth(name, up, data), truth(name, down, data)
    roundings = 16 * np.finfo(float).eps * (loss_up + loss_down) / h
    expected = truth(name, nets, data)[1]
    assert worst(shaped((loss_up - loss_down) / (2 * h)), expected, shaped(roundings)) <= 1


@pytest.mark.parametrize("task", ["square", "product3"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_reference_gradient_is_what_torch_derives(name, task):
    torch = pytest.importorskip(
        "torch", reason="torch, a third way to the gradient, is not installed (extra torch)"
    )
    functions = {
        "silu": torch.nn.functional.silu,
        "relu": torch.relu,
        "leaky_relu": lambda z: torch.nn.functional.leaky_relu(z, SLOPE),
        "tanh": torch.tanh,
        "gelu": torch.nn.functional.gelu,
        "softplus": lambda z: torch.nn.functional.softplus(z, threshold=1000),
        "sigmoid": torch.sigmoid,
    }
    data = some_data(task, 9, True)
    nets = some_nets(data, 6, 4)
    w, b, v, c = (torch.tensor(array, requires_grad=True) for array in nets)
    x, y, weight = map(torch.tensor, (data.x.copy(), data.y.copy(), data.weight.copy()))
    hidden = functions[name](torch.einsum("rnd,pd->rnp", w, x) + b[:, :, None])
    loss = (weight * (torch.einsum("rn,rnp->rp", v, hidden) + c[:, None] - y) ** 2).sum(dim=1)
    loss.sum().backward()
    expected_loss, expected = truth(name, nets, data)
    loss_bound, _, bounds = allowed(name, nets, data, "float64")
    assert worst([loss.detach().numpy()], [expected_loss], [loss_bound]) <= 1
    assert worst([p.grad.numpy() for p in (w, b, v, c)], expected, bounds) <= 1


# The check can fail: broken formulas and broken references are seen.
def _silu_without_curvature(t, parameter):
    one = formulas.like(t, 1.0)
    s = one / (one + formulas.exp2(t))
    return t * s, s


def _silu_slope_off_by_one_in_ten_thousand(t, parameter):
    value, slope = formulas.silu(t, parameter)
    return value, slope * formulas.like(t, 1.0001)


def _silu_value_off_by_one_in_ten_thousand(t, parameter):
    value, slope = formulas.silu(t, parameter)
    return value * formulas.like(t, 1.0001), slope


def _silu_right(t, parameter):
    return formulas.silu(t, parameter)


BROKEN = {
    "curvature forgotten": Formula(_silu_without_curvature, *FORMULAS["silu"][1:]),
    "slope off by 1e-4": Formula(_silu_slope_off_by_one_in_ten_thousand, *FORMULAS["silu"][1:]),
    "value off by 1e-4": Formula(_silu_value_off_by_one_in_ten_thousand, *FORMULAS["silu"][1:]),
    "natural units forgotten": Formula(_silu_right, 1.0, 1.0),
}


_trials = itertools.count()


def gradients_with(formula, nets, data, dtype, monkeypatch):
    """What the kernel gives with that formula. It is compiled under a name never used before, and
    not kept on disk.
    """
    name = f"trial_{next(_trials)}"
    monkeypatch.setitem(
        FORMULAS, name, formula._replace(evaluate=formulas.register_jitable(formula.evaluate))
    )
    spec = Spec(name, dtype, lane_count(dtype), data.inputs)
    return gradients_by(
        njit(error_model="numpy")(seed_parallel.train_blocks.py_func),
        Form(spec, 0.0),
        nets,
        training_arrays(data, dtype),
    )


def test_an_unbroken_formula_passes_the_check_by_the_same_road(monkeypatch):
    data = some_data("square", 16, True)
    nets = some_nets(data, 16, 3)
    computed = gradients_with(
        Formula(_silu_right, *FORMULAS["silu"][1:]), nets, data, "float32", monkeypatch
    )
    assert (
        worst(computed, truth("silu", nets, data)[1], allowed("silu", nets, data, "float32")[2])
        <= 1
    )


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_formula_is_seen(broken, monkeypatch):
    data = some_data("square", 16, True)
    nets = some_nets(data, 16, 3)
    computed = gradients_with(BROKEN[broken], nets, data, "float32", monkeypatch)
    assert (
        worst(computed, truth("silu", nets, data)[1], allowed("silu", nets, data, "float32")[2]) > 1
    )


def _single_precision_polynomial():
    coefficients = (
        1.0,
        0.693146977600525753,
        0.240222420864758354,
        0.0555073374318849147,
        0.0096715126059686,
        0.00132647270738,
    )
    rough = formulas.polynomial(single=coefficients, double=coefficients)

    def evaluate(t, parameter):
        one, ln2, r = formulas.like(t, 1.0), formulas.like(t, formulas.LN2), formulas.fraction(t)
        s = one / (one + formulas.scale(rough(r), t - r))
        g = t * s
        return g, formulas.fma(g, formulas.fma(s, ln2, -ln2), s)

    return Formula(evaluate, *FORMULAS["silu"][1:])


def test_single_precision_coefficients_in_double_precision_are_seen(monkeypatch):
    data = some_data("square", 16, True)
    nets = some_nets(data, 16, 3)
    computed = gradients_with(_single_precision_polynomial(), nets, data, "float64", monkeypatch)
    assert (
        1
        < worst(computed, truth("silu", nets, data)[1], allowed("silu", nets, data, "float64")[2])
        < np.inf
    )


def _one_entry_off(gradient, which):
    arrays = [array.copy() for array in gradient]
    arrays[which].flat[0] *= 1 + 1e-4
    return Parameters(*arrays)


BROKEN_REFERENCES = {
    "factor two forgotten": lambda g: Parameters(*(array / 2 for array in g)),
    "w and b swapped": lambda g: Parameters(g.b[:, :, None], g.w[:, :, 0], g.v, g.c),
    "b and v swapped": lambda g: Parameters(g.w, g.v, g.b, g.c),
    "neurons swapped": lambda g: Parameters(g.w[:, ::-1], g.b, g.v, g.c),
    "nets swapped": lambda g: Parameters(g.w, g.b, g.v, g.c[::-1]),
    **{
        f"one entry of {field} off by 1e-4": lambda g, i=i: _one_entry_off(g, i)
        for i, field in enumerate("wbvc")
    },
}


@pytest.mark.parametrize("broken", BROKEN_REFERENCES)
def test_a_broken_reference_is_seen(broken):
    data = some_data("square", 16, True)
    nets = some_nets(data, 16, 3)
    computed = gradients(ACTIVATIONS["silu"], nets, data, "float32")
    expected = BROKEN_REFERENCES[broken](truth("silu", nets, data)[1])
    assert worst(computed, expected, allowed("silu", nets, data, "float32")[2]) > 1


def test_forgotten_weights_and_a_forgotten_last_point_are_seen():
    """The gradient takes two points at a time; an odd one is paired with a point of weight zero."""
    data = some_data("square", 9, True)
    nets = some_nets(data, 16, 3)
    computed, bounds = (
        gradients(ACTIVATIONS["silu"], nets, data, "float32"),
        allowed("silu", nets, data, "float32")[2],
    )
    unweighted = frozen(data.x, data.y, np.full(9, 1 / 9))
    without_last = frozen(data.x[:-1], data.y[:-1], data.weight[:-1])
    for other in (unweighted, without_last):
        assert worst(computed, truth("silu", nets, other)[1], bounds) > 1
    assert worst(computed, truth("silu", nets, data)[1], bounds) <= 1
