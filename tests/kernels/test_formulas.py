"""Each formula of the kernels against mpmath: as lanes of several counts and as plain numbers, in
both precisions.

eps is the spacing of the dtype at one. Every bound below is a small count of eps on the scale of
the terms that a formula adds, so it says what the formula's own rounding allows; an argument's
rounding is not counted, since t is taken as exact.
"""

import ast
import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from minilotto.kernels import formulas
from minilotto.kernels.formulas import FORMULAS, exp2, value_and_slope
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Spec, lanes_of, load, store
from minilotto.settings.activations import ACTIVATIONS, activation_of

mp = pytest.importorskip("mpmath", reason="the oracle of these tests is mpmath (extra bench)")

DTYPES = ("float32", "float64")
SMOOTH = ("silu", "tanh", "gelu", "softplus", "sigmoid")
SCALAR = 0  # stands for plain numbers where a lane count is expected
SLOPE = 0.01  # of leaky_relu for z < 0
REACH = {"float32": 120.0, "float64": 1000.0}  # 2^-reach is a normal number
DIGITS = 40


def lane_counts(dtype):
    """Plain numbers, four lanes (never the AVX-512 path), this CPU's own count, and 512 bits."""
    return sorted({SCALAR, 4, lane_count(dtype), 64 // np.dtype(dtype).itemsize})


CASES = [(dtype, count) for dtype in DTYPES for count in lane_counts(dtype)]


@njit(error_model="numpy")
def _over_lanes(spec, t, parameter, value, slope):
    for i in range(0, t.size, lanes_of(spec)):
        some_values, some_slopes = value_and_slope(spec, load(spec, t, i), parameter)
        store(value, i, some_values)
        store(slope, i, some_slopes)


@njit(error_model="numpy")
def _over_numbers(spec, t, parameter, value, slope):
    for i in range(t.size):
        value[i], slope[i] = value_and_slope(spec, t[i], parameter)


@njit(error_model="numpy")
def _exp2_over_lanes(spec, t, result):
    for i in range(0, t.size, lanes_of(spec)):
        store(result, i, exp2(load(spec, t, i)))


@njit(error_model="numpy")
def _exp2_over_numbers(spec, t, result):
    for i in range(t.size):
        result[i] = exp2(t[i])


def _padded(t, dtype):
    """t in dtype, its last element repeated until 64 divides its length."""
    t = np.asarray(t, dtype)
    return np.concatenate([t, np.full(-len(t) % 64, t[-1])])


def run(name, t, dtype, count, parameter=SLOPE):
    """(sigma / output_unit, sigma') as the compiled formula gives them at t, by `count` lanes."""
    padded = _padded(t, dtype)
    value, slope = np.empty_like(padded), np.empty_like(padded)
    compiled = _over_numbers if count == SCALAR else _over_lanes
    compiled(Spec(name, dtype, count or 4, 1), padded, parameter, value, slope)
    return value[: len(t)], slope[: len(t)]


def run_exp2(t, dtype, count):
    padded = _padded(t, dtype)
    result = np.empty_like(padded)
    (_exp2_over_numbers if count == SCALAR else _exp2_over_lanes)(
        Spec("silu", dtype, count or 4, 1), padded, result
    )
    return result[: len(t)]


@lru_cache
def arguments(dtype, reach):
    """Tiny, moderate and large t of either sign, both zeros, neighbours of small integers."""
    rng = np.random.default_rng(1)
    tiny = 10.0 ** rng.uniform(-30, 0, 40) * rng.choice([-1.0, 1.0], 40)
    moderate = np.concatenate([rng.uniform(-3, 3, 100), rng.uniform(-12, 12, 60)])
    large = rng.uniform(-reach, reach, 60)
    whole = np.array([-3, -2, -1, 1, 2, 3], dtype)
    edges = np.concatenate(
        [np.nextafter(whole, np.array(-9, dtype)), whole, np.nextafter(whole, np.array(9, dtype))]
    )
    t = np.concatenate([tiny, moderate, large, edges, [0.0, -0.0]]).astype(dtype)
    return t[np.abs(t) <= reach]


def reach_of(name, dtype):
    """How far |t| goes before the result leaves the normal numbers: gelu falls as exp(-t^2 / 2)."""
    return {"float32": 13.0, "float64": 37.0}[dtype] if name == "gelu" else REACH[dtype]


def _logistic(z):
    return 1 / (1 + mp.exp(-z))


def _phi(z):
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def _normal(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


# name: (units in and out, sigma, sigma', the scale of the terms of which sigma' is the sum)
EXACT = {
    "silu": (
        lambda: -mp.log(2),
        lambda: -mp.log(2),
        lambda z: z * _logistic(z),
        lambda z: _logistic(z) * (1 + z * _logistic(-z)),
        lambda z: _logistic(z) * (1 + abs(z)),  # 1 - sigmoid is a difference in the kernel
    ),
    "tanh": (
        lambda: mp.log(2) / 2,
        lambda: 1,
        mp.tanh,
        lambda z: mp.sech(z) ** 2,
        lambda z: mp.sech(z) ** 2,
    ),
    "gelu": (
        lambda: 1,
        lambda: 1,
        lambda z: z * _normal(z),
        lambda z: _normal(z) + z * _phi(z),
        lambda z: _normal(z) + abs(z) * _phi(z),
    ),
    "softplus": (
        lambda: mp.log(2),
        lambda: mp.log(2),
        lambda z: mp.log1p(mp.exp(z)),
        _logistic,
        _logistic,
    ),
    "sigmoid": (
        lambda: mp.log(2),
        lambda: 1,
        _logistic,
        lambda z: _logistic(z) * _logistic(-z),
        lambda z: _logistic(z) * _logistic(-z),
    ),
}


@lru_cache
def exact(name, dtype):
    """(t, value, slope, scale of the slope) with mpmath numbers in all but t."""
    with mp.workdps(DIGITS):
        inward, outward, sigma, slope, scale = EXACT[name]
        t = arguments(dtype, reach_of(name, dtype))
        z = [mp.mpf(float(x)) * inward() for x in t]
        return t, [sigma(x) / outward() for x in z], [slope(x) for x in z], [scale(x) for x in z]


def errors(computed, truth, scale):
    """|computed - truth| / scale, zero where all three are."""
    with mp.workdps(DIGITS):
        return np.array(
            [
                float(abs(mp.mpf(float(a)) - b) / abs(s)) if s else abs(float(a))
                for a, b, s in zip(computed, truth, scale, strict=True)
            ]
        )


# Largest errors in eps: of the value, relative; of the slope, on the scale of its terms. In gelu
# the exponent -t^2 / 2 is rounded, and its absolute error, which grows as t^2, is a relative error
# of the tail.
VALUE_EPS = {"silu": 2.5, "tanh": 3.0, "gelu": 4.0, "softplus": 2.5, "sigmoid": 2.5}
SLOPE_EPS = {"silu": 2.5, "tanh": 3.0, "gelu": 4.0, "softplus": 2.5, "sigmoid": 3.0}
SQUARE_EPS = {"gelu": 0.5}


@pytest.mark.parametrize(("dtype", "count"), CASES)
@pytest.mark.parametrize("name", SMOOTH)
def test_value_and_slope_are_right_to_a_few_roundings(name, dtype, count):
    t, value, slope, scale = exact(name, dtype)
    computed_value, computed_slope = run(name, t, dtype, count)
    growth = SQUARE_EPS.get(name, 0.0) * t.astype(float) ** 2
    eps = np.finfo(dtype).eps
    assert (errors(computed_value, value, value) <= eps * (VALUE_EPS[name] + growth)).all()
    assert (errors(computed_slope, slope, scale) <= eps * (SLOPE_EPS[name] + growth)).all()


@pytest.mark.parametrize(("dtype", "count"), CASES)
def test_relu_and_leaky_relu_round_once_at_most(dtype, count):
    t = arguments(dtype, REACH[dtype])
    for name, left in (
        ("relu", 0.0),
        ("leaky_relu", 0.01),
        ("leaky_relu", -0.5),
        ("leaky_relu", 0.3),
    ):
        value, slope = run(name, t, dtype, count, left)
        left = np.array(left, dtype)
        np.testing.assert_array_equal(value, np.where(t < 0, left * t, t), strict=True)
        np.testing.assert_array_equal(slope, np.where(t > 0, np.array(1, dtype), left), strict=True)


@pytest.mark.parametrize(("dtype", "count"), CASES)
def test_exp2_keeps_its_stated_error(dtype, count):
    t = arguments(dtype, REACH[dtype])
    with mp.workdps(DIGITS):
        truth = [mp.mpf(2) ** mp.mpf(float(x)) for x in t]
    stated = {"float32": 2e-7, "float64": 4e-16}[dtype]
    assert errors(run_exp2(t, dtype, count), truth, truth).max() < stated


@pytest.mark.parametrize(("dtype", "count"), CASES)
def test_exp2_of_whole_numbers_is_exact(dtype, count):
    whole = np.arange(-100, 101)
    np.testing.assert_array_equal(run_exp2(whole, dtype, count), 2.0**whole)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMULAS)
def test_all_lane_counts_and_plain_numbers_give_the_same_bits(name, dtype):
    t = arguments(dtype, reach_of(name, dtype))
    plain = np.array(run(name, t, dtype, SCALAR))
    for count in lane_counts(dtype):
        np.testing.assert_array_equal(
            np.array(run(name, t, dtype, count)), plain, err_msg=f"{count} lanes"
        )


@pytest.mark.parametrize(("dtype", "count"), CASES)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_nan_goes_through_and_touches_no_neighbour(name, dtype, count):
    t = np.linspace(-3, 3, 16).astype(dtype)
    value, slope = run(name, t, dtype, count)
    t[5] = np.nan
    value_with, slope_with = run(name, t, dtype, count)
    assert np.isnan(value_with[5])
    assert (
        np.isnan(slope_with[5]) or ACTIVATIONS[name].kinks
    )  # where a slope is a choice of two constants, the value tells
    others = np.arange(16) != 5
    np.testing.assert_array_equal(value_with[others], value[others])
    np.testing.assert_array_equal(slope_with[others], slope[others])


# name: (sigma, sigma') as z goes to minus and to plus infinity, sigma as a multiple of z plus a
# constant
LIMITS = {
    "silu": ((0, 0, 0), (1, 0, 1)),
    "relu": ((0, 0, 0), (1, 0, 1)),
    "leaky_relu": ((SLOPE, 0, SLOPE), (1, 0, 1)),
    "tanh": ((0, -1, 0), (0, 1, 0)),
    "gelu": ((0, 0, 0), (1, 0, 1)),
    "softplus": ((0, 0, 0), (1, 0, 1)),
    "sigmoid": ((0, 0, 0), (0, 1, 0)),
}


@pytest.mark.parametrize(("dtype", "count"), CASES)
@pytest.mark.parametrize("name", FORMULAS)
def test_huge_arguments_give_the_limits(name, dtype, count):
    sizes = np.array([2e3, 1e6, 1e18, 1e30] + ([1e200] if dtype == "float64" else []))
    formula, (eps, tiny) = FORMULAS[name], (np.finfo(dtype).eps, np.finfo(dtype).tiny)
    for sign, (factor, constant, slope) in zip((-1, 1), LIMITS[name], strict=True):
        t = (sign * np.sign(formula.input_unit) * sizes).astype(dtype)
        expected = (factor * t.astype(float) * formula.input_unit + constant) / formula.output_unit
        value, slope_there = run(name, t, dtype, count)
        np.testing.assert_allclose(
            value, expected, rtol=4 * eps, atol=0 if expected.any() else tiny * sizes.max()
        )
        np.testing.assert_allclose(slope_there, slope, rtol=4 * eps, atol=tiny * sizes.max())


@pytest.mark.parametrize(("dtype", "count"), CASES)
@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_slopes_join_at_branch_points(name, dtype, count):
    """Branches meet at t = 0 and |t| = 1, and 2^t changes its exponent at every whole number."""
    eps = np.finfo(dtype).eps
    points = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0], dtype)
    below, above = (np.nextafter(points, np.array(side, dtype)) for side in (-9, 9))
    results = [np.array(run(name, t, dtype, count)) for t in (below, points, above)]
    for here, there in ((0, 1), (1, 2)):
        jump = np.abs(results[here] - results[there])
        smooth = np.ones(len(points), bool) if not ACTIVATIONS[name].kinks else points != 0
        assert (jump[0] <= 8 * eps * np.maximum(1, np.abs(points))).all()
        assert (jump[1][smooth] <= 8 * eps).all()


@pytest.mark.parametrize(("dtype", "count"), CASES)
def test_at_a_kink_the_slope_is_the_one_from_the_left(dtype, count):
    for zero in (0.0, -0.0):
        assert run("relu", [zero], dtype, count)[1] == 0
        assert run("leaky_relu", [zero], dtype, count, 0.25)[1] == 0.25


# The table of definitions.
def rows_z():
    rng = np.random.default_rng(2)
    return np.concatenate(
        [rng.uniform(-4, 4, 60), rng.uniform(-30, 30, 60), 10.0 ** rng.uniform(-12, 0, 20), [0.0]]
    )


@pytest.mark.parametrize("name", SMOOTH)
def test_rows_are_exact_to_a_few_roundings(name):
    """gelu leans on SciPy's ndtr, whose tail has a relative error of about eps z^2, as exp(-z^2 /
    2) after one rounding has.
    """
    _, _, sigma, slope, scale = EXACT[name]
    z, row = rows_z(), ACTIVATIONS[name]
    with mp.workdps(DIGITS):
        points = [mp.mpf(float(x)) for x in z]
        values, slopes, scales = ([f(x) for x in points] for f in (sigma, slope, scale))
    bound = np.finfo(float).eps * (4 + (z * z if name == "gelu" else 0))
    assert (errors(row.value(z), values, values) <= bound).all()
    assert (errors(row.slope(z), slopes, scales) <= bound).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_of_a_row_is_the_derivative_of_its_value(name):
    """Central differences of step h: truncation h^2 / 6 sup |sigma'''| and rounding eps |sigma| /
    h.
    """
    row, h = activation_of(name, 0.2), 1e-5
    z = rows_z()
    z = z[[all(abs(x - kink) > 2 * h for kink in row.kinks) for x in z]]
    difference = (row.value(z + h) - row.value(z - h)) / ((z + h) - (z - h))
    error = h * h / 6 * 2.5 + 4 * np.finfo(float).eps * (1 + np.abs(z)) / h
    assert (np.abs(difference - row.slope(z)) <= error).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_formulas_are_what_the_rows_define(name):
    """z = t * input_unit rounds: an error of eps |z| in the argument, where no slope exceeds 1.13
    and no curvature 0.8.
    """
    row, formula = activation_of(name, 0.2), FORMULAS[name]
    t = np.random.default_rng(3).uniform(-20, 20, 256)
    value, slope = run(name, t, "float64", 4, row.parameter)
    z = t * formula.input_unit
    allowed = np.finfo(float).eps * (8 + 4 * np.abs(z))
    assert (np.abs(value * formula.output_unit - row.value(z)) <= allowed).all()
    assert (np.abs(slope - row.slope(z)) <= allowed).all()


def test_the_tables_name_the_same_activations():
    assert list(FORMULAS) == list(ACTIVATIONS)
    assert set(EXACT) | {"relu", "leaky_relu"} == set(ACTIVATIONS)


# The coefficients.
@lru_cache
def _bench():
    path = Path(__file__).parent.parent / "bench" / "coefficients.py"
    if not path.exists():
        pytest.skip("bench/ is not beside tests/")
    specification = importlib.util.spec_from_file_location("coefficients", path)
    module = importlib.util.module_from_spec(specification)
    with mp.workdps(mp.mp.dps):
        specification.loader.exec_module(module)
    return module


@lru_cache
def _written():
    """{name: {"single": [...], "double": [...]}} of the polynomials in the text of formulas.py."""
    table = {}
    for node in ast.parse(Path(formulas.__file__).read_text()).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and node.value.func.id == "polynomial"
        ):
            try:
                table[node.targets[0].id] = {
                    k.arg: ast.literal_eval(k.value) for k in node.value.keywords
                }
            except ValueError:  # an expression such as 2 * 17.5 / 14.5 is no minimax polynomial
                continue
    return table


SOURCES = {
    "_exp2_of_fraction": "2^r on [-1/2, 1/2]",
    "_r_over_tanh": "r coth(r ln2/2) in r^2 on [0, 1/4]",
    "_log2_over_q": "log2((1+q)/(1-q))/q in q^2 on [0, 1/9]",
    "_normal_tail_over_q": "normal tail, offset 3, reach 14.5",
}


@pytest.mark.parametrize("name", SOURCES)
def test_coefficients_are_what_their_program_derives(name):
    bench = _bench()
    with mp.workdps(60):
        coefficients, _ = bench.minimax(*bench.POLYNOMIALS[f"{SOURCES[name]}, single"])
    np.testing.assert_allclose(
        _written()[name]["single"], [float(c) for c in coefficients], rtol=1e-15
    )


def test_the_normal_tail_is_mapped_as_its_program_maps_it():
    """u = slope * q + shift takes q(reach) to -1 and q(0) = 1 to 1."""
    text = Path(formulas.__file__).read_text()
    for precision, offset, reach in (("single", 3.0, 14.5), ("double", 4.0, 38.6)):
        lowest = offset / (offset + reach)
        slope, shift = (
            _expression(text, name, precision) for name in ("_tail_slope", "_tail_shift")
        )
        assert _expression(text, "_tail_offset", precision) == offset
        np.testing.assert_allclose([slope * lowest + shift, slope + shift], [-1.0, 1.0], rtol=4e-16)


def _expression(text, name, precision):
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            (value,) = (k.value for k in node.value.keywords if k.arg == precision)
            return eval(compile(ast.Expression(value), name, "eval"), {"__builtins__": {}})[0]
    raise AssertionError(f"{name} is not in formulas.py")
