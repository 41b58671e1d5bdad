"""Nets outside Python: C compiled and compared, callbacks of scipy, and what cannot be exported."""

import ctypes
import dataclasses
import shutil
import subprocess

import numpy as np
import pytest
from nets import random_nets
from scipy import integrate, ndimage

import minilotto as ml
from minilotto.interop.c_formulas import Writer, number
from minilotto.interop.c_source import RESERVED, c_source
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import ACTIVATIONS, activation_of

SLOPE = 0.2
STRICT = (
    "-std=c99",
    "-pedantic-errors",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
    "-fPIC",
    "-shared",
)
DOUBLE, POINTER = ctypes.c_double, ctypes.POINTER(ctypes.c_double)


def some_parameters(nets=1, width=6, inputs=1, seed=0):
    return random_nets(seed, nets, width, inputs, scale=1.5, uniform=True)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compiles C text to a loaded library: compiled(source, "-O2")."""
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler (gcc, cc or clang) is installed")
    folder = tmp_path_factory.mktemp("c")
    count = iter(range(10**6))

    def compile_it(source, *flags, compiler=compiler, strict=STRICT, suffix=".c"):
        at = folder / f"source{next(count)}{suffix}"
        at.write_text(source, encoding="ascii")
        library = at.with_suffix(".so")
        done = subprocess.run(
            [compiler, *strict, *flags, str(at), "-o", str(library), "-lm"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(library))

    return compile_it


def function(library, name, result=DOUBLE, arguments=(DOUBLE,)):
    found = getattr(library, name)
    found.restype, found.argtypes = result, arguments
    return found


def terms(name, parameters, x):
    """Sums over the neurons of the absolute terms of f and of df/dx, argument of the activation
    included: (P,) each, of net 0.
    """
    w, b, v, c = (np.abs(array[0]) for array in parameters)
    z = x @ parameters.w[0].T + parameters.b[0]
    size = np.abs(x) @ w.T + b
    value, slope = numpy_reference.activation(name, z, SLOPE)
    return (np.abs(value) + size) @ v + c, (np.abs(slope) + size) @ (v * w.max(axis=1))


FLAGS = [("-O0",), ("-O3",), ("-O3", "-march=native"), ("-O2", "-ffp-contract=off")]


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_c_agrees_to_two_roundings_of_the_absolute_terms(compiled, name, flags):
    activation, parameters = activation_of(name, SLOPE), some_parameters()
    library = compiled(c_source(activation, parameters, "net", "float64"), *flags)
    net, with_slope = (
        function(library, "net"),
        function(library, "net_with_slope", arguments=(DOUBLE, POINTER)),
    )
    x = np.linspace(-6, 6, 401)
    expected = ml.predict(parameters, x, activation=name, negative_slope=SLOPE)[0]
    size, slope_size = terms(name, parameters, x[:, None])
    eps, slope = np.finfo(float).eps, DOUBLE()
    assert (np.abs([net(at) for at in x] - expected) <= 2 * eps * size).all()
    z = x[:, None] * parameters.w[0, :, 0] + parameters.b[0]
    slopes = (
        numpy_reference.activation(name, z, SLOPE)[1] @ (parameters.v * parameters.w[:, :, 0])[0]
    )
    for at, value, df, bound in zip(x, expected, slopes, slope_size, strict=True):
        assert (
            with_slope(at, ctypes.byref(slope))
            == net(at)
            == pytest.approx(value, abs=2 * eps * size.max())
        )
        assert abs(slope.value - df) <= 4 * eps * bound


def test_c_has_the_bits_of_predict_where_the_machine_has_fma(compiled):
    probe = (
        "#include <math.h>\nint fast(void);\nint fast(void)\n{\n#ifdef FP_FAST_FMA\nreturn "
        "1;\n#else\nreturn 0;\n#endif\n}\n"
    )
    if not function(compiled(probe, "-march=native"), "fast", ctypes.c_int, ())():
        pytest.skip("this CPU has no fused multiply-add")
    x = np.linspace(-6, 6, 401)
    for name in ACTIVATIONS:
        parameters = some_parameters(seed=1)
        net = function(
            compiled(
                c_source(activation_of(name, SLOPE), parameters, "net", "float64"),
                "-O2",
                "-march=native",
            ),
            "net",
        )
        expected = ml.predict(parameters, x, activation=name, negative_slope=SLOPE)[0]
        np.testing.assert_array_equal([net(at) for at in x], expected)


def test_the_bound_sees_a_number_with_one_digit_wrong(compiled):
    parameters, x = some_parameters(), np.linspace(-6, 6, 101)
    source = c_source(ACTIVATIONS["silu"], parameters, "net", "float64")
    digits = number(float(parameters.c[0]), "float64")
    assert digits in source
    net = function(
        compiled(source.replace(digits, number(float(parameters.c[0]) * (1 + 1e-13), "float64"))),
        "net",
    )
    expected, size = ml.predict(parameters, x)[0], terms("silu", parameters, x[:, None])[0]
    assert not (np.abs([net(at) for at in x] - expected) <= 2e-2 * np.finfo(float).eps * size).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_c_in_single_precision(compiled, name):
    parameters = ml.Parameters(*(array.astype(np.float32) for array in some_parameters(seed=2)))
    source = c_source(activation_of(name, SLOPE), parameters, "net", "float32")
    assert "double" not in source
    net = function(
        compiled(source, "-O2", "-Wdouble-promotion"), "net", ctypes.c_float, (ctypes.c_float,)
    )
    x = np.linspace(-6, 6, 201, dtype=np.float32)
    wide = ml.Parameters(*(array.astype(float) for array in parameters))
    expected = ml.predict(wide, x.astype(float), activation=name, negative_slope=SLOPE)[0]
    bound = 4 * np.finfo(np.float32).eps * terms(name, wide, x.astype(float)[:, None])[0]
    assert (np.abs([net(at) for at in x] - expected) <= bound).all()


def test_c_of_several_inputs_and_several_nets(compiled):
    parameters = some_parameters(nets=3, width=4, inputs=2)
    library = compiled(c_source(ACTIVATIONS["tanh"], parameters, "field", "float64"), "-O2")
    field = function(library, "field", arguments=(ctypes.c_int, POINTER))
    with_gradient = function(
        library, "field_with_gradient", arguments=(ctypes.c_int, POINTER, POINTER)
    )
    points = np.random.default_rng(5).normal(size=(20, 2))
    expected, gradient = ml.predict(parameters, points, activation="tanh"), (DOUBLE * 2)()
    for r in range(3):
        for p, point in enumerate(points):
            at = (DOUBLE * 2)(*point)
            assert field(r, at) == pytest.approx(expected[r, p], rel=1e-13, abs=1e-13)
            assert with_gradient(r, at, gradient) == field(r, at)
            z = parameters.w[r] @ point + parameters.b[r]
            df = (parameters.v[r] * numpy_reference.activation("tanh", z)[1]) @ parameters.w[r]
            np.testing.assert_allclose(gradient, df, rtol=1e-12, atol=1e-13)
    for outside in (-1, 3):
        assert np.isnan(field(outside, at))
        assert np.isnan(with_gradient(outside, at, gradient))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_c_far_from_the_data(compiled, name):
    parameters = ml.Parameters(
        np.array([[[1.5], [-0.5]]]),
        np.array([[0.25, -1.0]]),
        np.array([[2.0, -1.0]]),
        np.array([0.5]),
    )
    net = function(
        compiled(c_source(activation_of(name, SLOPE), parameters, "net", "float64"), "-O2"), "net"
    )
    for x in (-1e300, -1e4, -745.0, 0.0, 745.0, 1e4, 1e300):
        expected = numpy_reference.predict(name, *parameters, np.array([[x]]), SLOPE)[0, 0]
        assert net(x) == pytest.approx(expected, rel=1e-14, abs=1e-14)
    assert np.isnan(net(float("nan")))


def test_the_source_is_cpp_too(compiled):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler (g++ or clang++) is installed")
    source = (
        'extern "C" {\n'
        + c_source(ACTIVATIONS["gelu"], some_parameters(), "net", "float64")
        + "}\n"
    )
    strict = ("-std=c++17", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")
    net = function(compiled(source, compiler=compiler, strict=strict, suffix=".cpp"), "net")
    assert net(0.5) == pytest.approx(
        ml.predict(some_parameters(), np.array([0.5]), activation="gelu")[0, 0], rel=1e-14
    )


def test_two_nets_live_in_one_program(compiled):
    one, two = (
        c_source(ACTIVATIONS["silu"], some_parameters(seed=s), name, "float64")
        for s, name in ((1, "one"), (2, "two"))
    )
    library = compiled(one + two)
    assert function(library, "one")(0.5) != function(library, "two")(0.5)


def test_a_writer_keeps_equal_expressions_once_and_numbers_to_the_bit():
    writer = Writer("float64", "p")
    first = writer.keep("a + b")
    assert writer.keep("a + b") is first
    assert writer.lines == ["const double t0 = a + b;"]
    for value in (0.1, -1e-300, 5e-324, 1e22, -0.0, 1 / 3):
        assert float(number(value, "float64")).hex() == value.hex()
        single = np.float32(value)
        assert np.float32(number(single, "float32").rstrip("f")) == single
        assert number(single, "float32").endswith("f")


# From an Ensemble.
@pytest.fixture(scope="module")
def nets():
    return ml.train(ml.Config(width=5, steps=200), seeds=4)


def test_to_c_writes_what_it_returns(nets, tmp_path, compiled):
    path = tmp_path / "net.c"
    source = nets[2].to_c(path, name="ticket")
    assert path.read_text(encoding="ascii") == source
    assert "seed 2" in source
    assert "double ticket(double x);" in source
    net = function(compiled(source), "ticket")
    assert net(0.3) == pytest.approx(nets.predict([0.3])[2, 0], rel=1e-12)
    with pytest.raises(ml.ConfigError, match="exists"):
        nets[2].to_c(path)
    nets[2].to_c(path, force=True)
    with pytest.raises(ml.ConfigError, match=r"ends in '\.txt'"):
        nets[2].to_c(tmp_path / "net.txt")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1net",
        "a-b",
        "a b",
        "nëtz",
        "int",
        "class",
        "exp",
        "expf",
        "uint64_t",
        "index",
        "_net",
        "a__b",
        "a" * 32,
        7,
        None,
        "x;y",
    ],
)
def test_names_that_c_would_not_take_are_refused(nets, name):
    with pytest.raises(ml.ConfigError, match="name=") as caught:
        nets[0].to_c(name=name)
    assert "\n" not in str(caught.value)


def test_reserved_names_are_names():
    assert all(name.isidentifier() for name in RESERVED)
    assert {"double", "fma", "fmal", "rint", "memcpy", "namespace"} <= RESERVED
    assert RESERVED.isdisjoint(["dof", "orf", "indexf"])  # which are no functions of floats


def test_what_cannot_be_exported(nets):
    with pytest.raises(ml.ConfigError, match="no net to export"):
        nets.select([]).to_c()
    with pytest.raises(ml.ConfigError, match="dtype='float16'"):
        nets.to_c(dtype="float16")
    broken = dataclasses.replace(nets, b=np.where(np.arange(4)[:, None] == 2, np.nan, nets.b))
    with pytest.raises(ml.ConfigError, match="net 2 is not finite"):
        broken.to_c()
    many = some_parameters(nets=600, width=500)
    with pytest.raises(ml.ConfigError, match="select fewer"):
        c_source(ACTIVATIONS["silu"], many, "net", "float64")


@pytest.mark.parametrize(
    ("depth", "dtype", "names", "size"),
    [
        (1, "float32", ["b"], 1e300),
        (1, "float32", ["w", "v"], 1e30),
        (1, "float64", ["w", "v"], 1e200),
        (2, "float32", ["hidden_w"], 1e300),
    ],
)
def test_numbers_beyond_the_precision_are_refused(depth, dtype, names, size):
    nets = ml.train(ml.Config(width=2, steps=1, dtype="float64", depth=depth), seeds=1).parameters
    large = nets._replace(**{name: size * getattr(nets, name) for name in names})
    with pytest.raises(ml.ConfigError, match=f"beyond {dtype}; export nets of smaller"):
        c_source(ACTIVATIONS["silu"], large, "net", dtype)


def test_a_note_cannot_end_the_comment(compiled):
    source = c_source(
        ACTIVATIONS["relu"], some_parameters(), "net", "float64", note='*/ #error "é" /* \n more'
    )
    compiled(source)
    assert source.isascii()


# Callbacks of scipy.
def test_quad_integrates_a_net(nets):
    for i in range(4):
        found, error = integrate.quad(nets[i].to_scipy(), -2, 2, epsabs=1e-11, epsrel=1e-11)
        expected, _ = integrate.quad(
            lambda x, i=i: nets.predict([x])[i, 0], -2, 2, epsabs=1e-11, epsrel=1e-11
        )
        assert found == pytest.approx(expected, rel=1e-13)
        assert error < 1e-9


def test_a_callback_outlives_its_ensemble():
    net = ml.train(
        ml.Config(width=3, steps=10, activation="leaky_relu", negative_slope=0.3), seeds=1
    )
    x, weight = np.polynomial.legendre.leggauss(2000)
    expected, callback = weight @ net.predict(x)[0], net.to_scipy()
    del net
    junk = [np.random.default_rng(i).normal(size=1000) for i in range(100)]
    assert integrate.quad(callback, -1, 1)[0] == pytest.approx(expected, rel=1e-6)
    del junk


def test_nquad_and_filter_take_several_inputs():
    nets = ml.train(ml.Config(width=4, steps=20, task="product2", points=25), seeds=2)
    found = integrate.nquad(nets[1].to_scipy(), [[-1, 1], [-1, 2]])[0]
    rule, weight = np.polynomial.legendre.leggauss(30)
    x, y = np.meshgrid(rule, 0.5 + 1.5 * rule, indexing="ij")
    values = nets[1].predict(np.stack([x.ravel(), y.ravel()], axis=1))[0].reshape(30, 30)
    assert found == pytest.approx(1.5 * weight @ values @ weight, rel=1e-8)
    line = np.random.default_rng(0).normal(size=50)
    filtered = ndimage.generic_filter(line, nets[1].to_scipy("filter"), size=2, mode="wrap")
    np.testing.assert_array_equal(
        filtered, nets[1].predict(np.stack([np.roll(line, 1), line], axis=1))[0]
    )
    with pytest.raises(RuntimeError):  # a footprint of three places for two inputs
        ndimage.generic_filter(line, nets[1].to_scipy("filter"), size=3)


def test_callbacks_are_of_one_net_and_known_uses(nets):
    with pytest.raises(ml.ConfigError, match="4 nets make no function"):
        nets.to_scipy()
    with pytest.raises(ml.ConfigError, match="use='solve' is unknown"):
        nets[0].to_scipy("solve")
