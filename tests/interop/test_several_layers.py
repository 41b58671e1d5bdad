"""Nets of several hidden layers in other programs."""

import ctypes
import subprocess

import numpy as np
import pytest

import minilotto as ml

ARCHITECTURES = {
    "plain": {"depth": 3},
    "residual": {"depth": 3, "residual": True},
    "two inputs": {"depth": 2, "residual": True, "task": "product2", "width": 2},
    "float64": {"depth": 2, "dtype": "float64", "activation": "gelu"},
    "kinked": {"depth": 4, "activation": "leaky_relu"},
}
EACH = pytest.mark.parametrize("fields", ARCHITECTURES.values(), ids=ARCHITECTURES)


def trained(fields, seeds=3):
    config = {"width": 4, "points": 25, "steps": 20, "init": "normal", **fields}
    return ml.train(ml.Config(**config), seeds, backend="reference")


def some_points(nets):
    return np.random.default_rng(3).uniform(-2, 2, (17, nets.data.inputs))


@EACH
def test_torch(fields):
    torch = pytest.importorskip("torch")
    from minilotto.interop.to_torch import from_torch

    nets = trained(fields)
    module, x = nets.to_torch(), some_points(nets)
    found = module(torch.tensor(x, dtype=getattr(torch, nets.config.dtype))).detach().numpy()
    np.testing.assert_allclose(found, nets.predict(x), rtol=1e-4, atol=1e-4)
    for a, b in zip(from_torch(module), nets.parameters, strict=True):
        np.testing.assert_array_equal(a, b)
    assert f"{' -> 4' * nets.config.depth} -> 1" in repr(module).replace(" -> 2 -> 2", " -> 4 -> 4")


def test_a_torch_sequential_of_several_layers():
    torch = pytest.importorskip("torch")
    from minilotto.interop.to_torch import from_torch

    layers = [torch.nn.Linear(1, 4), torch.nn.Tanh()]
    for _ in range(2):
        layers += [torch.nn.Linear(4, 4), torch.nn.Tanh()]
    module = torch.nn.Sequential(*layers, torch.nn.Linear(4, 1)).double()
    parameters = from_torch(module)
    assert parameters.depth == 3
    x = np.linspace(-1, 1, 9)[:, None]
    np.testing.assert_allclose(
        ml.predict(parameters, x, activation="tanh")[0],
        module(torch.tensor(x)).detach().numpy()[:, 0],
        rtol=1e-12,
    )
    wrong = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Linear(4, 3), torch.nn.Linear(3, 1))
    with pytest.raises(ml.DataError, match="is no net"):
        from_torch(wrong)


@EACH
def test_onnx(fields, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra onnx)")
    from onnx.reference import ReferenceEvaluator

    nets = trained(fields)
    if nets.config.activation == "gelu":
        nets = trained({**fields, "activation": "softplus"})
    nets.to_onnx(tmp_path / "nets.onnx")
    x = some_points(nets).astype(nets.config.dtype)
    model = onnx.load(tmp_path / "nets.onnx")
    found = ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(found.T, nets.predict(x), rtol=1e-4, atol=1e-4)


@EACH
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_c(fields, count, dtype, tmp_path):
    nets = trained(fields, count)
    x, inputs = some_points(nets), nets.data.inputs
    nets.to_c(tmp_path / "net.c", dtype=dtype)
    command = ["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared"]
    library = str(tmp_path / "net.so")
    subprocess.run([*command, "-fPIC", str(tmp_path / "net.c"), "-o", library, "-lm"], check=True)
    loaded = ctypes.CDLL(library)
    value, derivative = (
        loaded.net,
        getattr(loaded, f"net_with_{'slope' if inputs == 1 else 'gradient'}"),
    )
    real = ctypes.c_double if dtype == "float64" else ctypes.c_float
    value.restype = derivative.restype = real
    close = {"rtol": 1e-10, "atol": 1e-10} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-3}

    def point(at):
        return real(at[0]) if inputs == 1 else (real * inputs)(*at)

    expected, step = nets.predict(x), 1e-5
    for net in range(count):
        which = [net] if count > 1 else []
        for p, at in enumerate(x):
            np.testing.assert_allclose(value(*which, point(at)), expected[net, p], **close)
            slopes = (real * inputs)()
            f = derivative(*which, point(at), slopes)
            np.testing.assert_allclose(f, expected[net, p], **close)
            for d in range(inputs):
                move = step * (np.arange(inputs) == d)
                around = nets.predict(np.stack([at + move, at - move]))[net]
                numeric = (around[0] - around[1]) / (2 * step)
                np.testing.assert_allclose(slopes[d], numeric, rtol=1e-3, atol=1e-3)
    if count > 1:
        assert np.isnan(value(count, point(x[0])))


@EACH
def test_a_scipy_callable(fields):
    from scipy.integrate import nquad

    nets = trained(fields)
    ranges = [(-1.0, 0.5)] * nets.data.inputs
    found = nquad(nets[1].to_scipy(), ranges)[0]
    nodes, weights = np.polynomial.legendre.leggauss(200)
    axis = -0.25 + 0.75 * nodes
    grid = np.stack(np.meshgrid(*[axis] * len(ranges), indexing="ij"), axis=-1)
    weight = weights if len(ranges) == 1 else np.multiply.outer(weights, weights)
    f = nets[1].predict(grid.reshape(-1, len(ranges)))[0]
    np.testing.assert_allclose(found, 0.75 ** len(ranges) * f @ weight.ravel(), rtol=1e-4)


@EACH
def test_a_table_of_neurons(fields):
    pytest.importorskip("pandas")
    nets = trained(fields)
    (count, width, inputs), depth = nets.w.shape, nets.config.depth
    table = nets.to_dataframe(neurons=True)
    assert len(table) == count * depth * width
    one = table[(table.seed == 1) & (table.layer == depth)]
    weights = one[[f"w{j}" for j in range(width)]].to_numpy()
    np.testing.assert_array_equal(weights, nets.hidden_w[1, -1])
    np.testing.assert_array_equal(one.b, nets.hidden_b[1, -1])
    np.testing.assert_array_equal(one.v, nets.v[1])
    first = table[(table.seed == 1) & (table.layer == 1)]
    np.testing.assert_array_equal(first[[f"w{d}" for d in range(inputs)]], nets.w[1])
    assert np.isnan(first.v).all()
    assert len(nets.to_dataframe()) == count
