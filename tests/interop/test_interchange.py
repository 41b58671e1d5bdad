"""Nets picked out, changed, and handed to torch, pandas, ONNX and scikit-learn."""

import dataclasses
import importlib
import pickle
import sys

import numpy as np
import pytest

import minilotto as ml
from minilotto.settings.activations import ACTIVATIONS


@pytest.fixture(scope="module")
def nets():
    return ml.train(ml.Config(width=4, steps=50), seeds=range(10, 16))


def test_one_net_is_an_ensemble_of_one(nets):
    one = nets[2]
    assert isinstance(one, ml.Ensemble)
    assert one.seeds.tolist() == [12]
    np.testing.assert_array_equal(one.w, nets.w[2:3])
    assert nets[-1].seeds.tolist() == nets[np.int64(5)].seeds.tolist() == [15]


def test_slices_masks_and_lists(nets):
    assert nets[1:4].seeds.tolist() == [11, 12, 13]
    assert nets[::-2].seeds.tolist() == [15, 13, 11]
    assert nets[[3, 0]].seeds.tolist() == [13, 10]
    assert nets[nets.seeds > 13].seeds.tolist() == [14, 15]
    assert len(nets[4:4]) == 0
    assert [int(net.seeds[0]) for net in nets] == list(range(10, 16))


@pytest.mark.parametrize("which", [6, -7, 1.5, "a", None, True, [True], (0, 1, 9)])
def test_what_is_no_position_is_refused(nets, which):
    with pytest.raises(ml.ConfigError, match=r"selection|mask"):
        nets[which]


def test_other_parameters_have_losses_of_their_own(nets):
    halved = ml.Parameters(*(array / 2 for array in nets.parameters))
    changed = nets.with_parameters(halved)
    np.testing.assert_array_equal(changed.w, nets.w / 2)
    assert changed.w.dtype == nets.w.dtype
    np.testing.assert_allclose(
        changed.loss, ((changed.predict(nets.data.x) - nets.data.y) ** 2).mean(axis=1), rtol=1e-12
    )
    np.testing.assert_array_equal(nets.with_parameters(nets.parameters).loss, nets.loss)
    assert changed.history.loss.shape == (0, 6)
    assert not np.shares_memory(changed.w, halved.w)


def test_other_parameters_survive_a_file_and_a_nan(nets, tmp_path):
    broken = nets.parameters._replace(b=np.where(np.arange(6)[:, None] == 1, np.nan, nets.b))
    changed = nets.with_parameters(broken)
    assert changed.status.tolist() == ["ok", "diverged", "ok", "ok", "ok", "ok"]
    np.testing.assert_array_equal(
        ml.load(changed.save(tmp_path / "changed.npz")).loss, changed.loss
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p: p._replace(c=p.c[:-1]),
        lambda p: p[:3],
        lambda p: ("a", "b", "c", "d"),
        lambda p: None,
    ],
)
def test_other_parameters_of_other_shapes_are_refused(nets, wrong):
    with pytest.raises(ml.DataError, match="parameters"):
        nets.with_parameters(wrong(nets.parameters))


# torch
@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed (extra torch)")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_torch_computes_the_same_nets(torch, name):
    nets = ml.train(ml.Config(width=3, steps=5, activation=name, dtype="float64"), seeds=4)
    module, x = nets.to_torch(), np.linspace(-2, 2, 7)
    np.testing.assert_allclose(
        module(torch.tensor(x)).detach().numpy(), nets.predict(x), rtol=1e-12, atol=1e-13
    )
    np.testing.assert_allclose(
        module(torch.tensor(x[:, None])).detach().numpy(), nets.predict(x), rtol=1e-12, atol=1e-13
    )


def test_there_and_back_is_the_identity(torch, nets):
    from minilotto.interop.to_torch import from_torch

    for before, after in zip(nets.parameters, from_torch(nets.to_torch()), strict=True):
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype


def test_torch_trains_on_and_the_nets_come_home(torch, nets):
    from minilotto.interop.to_torch import from_torch

    module = nets.to_torch().double()
    x, y = torch.tensor(nets.data.x.copy()), torch.tensor(nets.data.y.copy())
    optimiser = torch.optim.LBFGS(module.parameters(), max_iter=30, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = ((module(x) - y) ** 2).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    home = nets.with_parameters(from_torch(module))
    assert home.loss.mean() < 0.5 * nets.loss.mean()
    again = pickle.loads(pickle.dumps(module))
    np.testing.assert_array_equal(again(x).detach().numpy(), module(x).detach().numpy())
    assert "6 nets, 1 -> 4 -> 1, silu" in repr(module)


def test_two_linear_layers_are_a_net(torch):
    from minilotto.interop.to_torch import from_torch

    torch.manual_seed(1)
    x = np.linspace(-1, 1, 6).reshape(3, 2)
    for bias in (True, False):
        module = torch.nn.Sequential(
            torch.nn.Linear(2, 5, bias=bias), torch.nn.SiLU(), torch.nn.Linear(5, 1, bias=bias)
        ).double()
        expected = module(torch.tensor(x)).detach().numpy()[:, 0]
        np.testing.assert_allclose(ml.predict(from_torch(module), x)[0], expected, rtol=1e-12)


def test_parameters_of_other_precisions_or_several_are_refused(torch):
    from minilotto.interop.to_torch import from_torch

    def layers():
        return torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Linear(4, 1))

    mixed = layers()
    mixed[0].double()
    for module, dtype in (
        (layers().half(), "torch.float16"),
        (layers().bfloat16(), "torch.bfloat16"),
        (mixed, "torch.float32, torch.float64"),
    ):
        with pytest.raises(ml.DataError, match=f"has parameters of {dtype}; convert it"):
            from_torch(module)


def test_a_layer_that_comes_twice_is_two_layers(torch):
    from minilotto.interop.to_torch import from_torch

    inner, act = torch.nn.Linear(3, 3), torch.nn.SiLU()
    module = torch.nn.Sequential(
        torch.nn.Linear(1, 3), act, inner, act, inner, act, torch.nn.Linear(3, 1)
    ).double()
    x = np.linspace(-1, 1, 7)
    expected = module(torch.tensor(x)[:, None]).detach().numpy()[:, 0]
    np.testing.assert_allclose(ml.predict(from_torch(module), x)[0], expected, rtol=1e-12)


def test_modules_with_further_parameters_are_refused(torch):
    from minilotto.interop.to_torch import from_torch

    nn = torch.nn
    for between, name in (
        (nn.PReLU(), "1.weight"),
        (nn.LayerNorm(3), "1.weight, 1.bias"),
        (nn.BatchNorm1d(3, affine=False), "1.running_mean"),
    ):
        with pytest.raises(ml.DataError, match=f"has {name}.* beside its linear layers"):
            from_torch(nn.Sequential(nn.Linear(1, 3), between, nn.SiLU(), nn.Linear(3, 1)))
    with pytest.raises(ml.DataError, match="is no net"):
        from_torch(nn.Sequential(nn.LazyLinear(3), nn.SiLU(), nn.Linear(3, 1)))
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(1, 3))
    assert from_torch(nn.Sequential(normed, nn.SiLU(), nn.Linear(3, 1))).w.shape == (1, 3, 1)


def test_other_modules_are_no_nets(torch):
    from minilotto.interop.to_torch import from_torch

    linear = torch.nn.Linear
    for module in (
        linear(1, 1),
        torch.nn.Sequential(linear(1, 2), linear(2, 2)),
        torch.nn.Sequential(linear(1, 2), linear(3, 1)),
        7,
    ):
        with pytest.raises(ml.DataError, match="is no net"):
            from_torch(module)


# pandas
def test_a_table_of_nets_and_one_of_neurons(nets):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra pandas)")
    table = nets.to_dataframe()
    assert isinstance(table, pandas.DataFrame)
    assert table.columns.tolist() == ["seed", "loss", "status", "nodes", "audit", "c"]
    np.testing.assert_array_equal(table["loss"], nets.loss)
    neurons = nets.to_dataframe(neurons=True)
    assert neurons.columns.tolist() == ["seed", "neuron", "w", "b", "v"]
    assert len(neurons) == 24
    assert neurons.query("seed == 13 and neuron == 2")["v"].item() == nets.v[3, 2]
    table.loc[0, "loss"] = -1.0  # a copy of its own
    assert nets.loss[0] >= 0
    two = ml.train(ml.Config(width=2, steps=1, task="product2", points=25), seeds=1).to_dataframe(
        neurons=True
    )
    assert two.columns.tolist() == ["seed", "neuron", "w0", "w1", "b", "v"]


# ONNX
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_onnx_computes_the_same_nets(name, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra onnx)")
    from onnx.reference import ReferenceEvaluator

    nets = ml.train(
        ml.Config(width=3, steps=5, activation=name, task="product2", points=25), seeds=4
    )
    nets.to_onnx(tmp_path / "nets.onnx")
    x = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    found = ReferenceEvaluator(onnx.load(tmp_path / "nets.onnx")).run(None, {"x": x})[0]
    np.testing.assert_allclose(found.T, nets.predict(x), rtol=1e-4, atol=1e-5)


# scikit-learn
def test_a_wish_for_a_package_that_is_missing_names_the_extra(nets, monkeypatch):
    for package, module, wish in (
        ("torch", "minilotto.interop.to_torch", nets.to_torch),
        ("pandas", "minilotto.interop.to_pandas", nets.to_dataframe),
        ("onnx", "minilotto.interop.to_onnx", nets.to_onnx),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, module, raising=False)
        with pytest.raises(ml.MissingExtraError, match=rf'pip install -e "\.\[{package}\]"'):
            wish()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "minilotto.training.estimator", raising=False)
    with pytest.raises(ml.MissingExtraError, match=r'pip install -e "\.\[sklearn\]"'):
        __import__("minilotto.training.estimator")


@pytest.mark.parametrize(("package", "make"), [("torch", "Nets"), ("onnx", "onnx_model")])
def test_an_activation_that_a_library_does_not_know_is_refused(package, make):
    pytest.importorskip(package, reason=f"{package} is not installed (extra {package})")
    row = dataclasses.replace(ml.ACTIVATIONS["silu"], name="gaussian")
    nets = ml.train(ml.Config(width=2, steps=5), seeds=1)
    with pytest.raises(ml.ConfigError, match="gaussian"):
        getattr(importlib.import_module(f"minilotto.interop.to_{package}"), make)(
            row, nets.parameters
        )
