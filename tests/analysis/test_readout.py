"""The least loss of given hidden neurons, with output weights that a precision can hold."""

import dataclasses

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.ensembling.readout import readout_loss
from minilotto.data.dataset import given
from minilotto.engines.evaluate import losses
from minilotto.ensemble.distillation import refit
from minilotto.settings.activations import ACTIVATIONS

SILU = ACTIVATIONS["silu"]
X = np.linspace(-2, 2, 100)
SQUARE = given(X, X**2)


def neurons(nets, width, inputs=1, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(nets, width, inputs)), random.normal(size=(nets, width))


def test_few_neurons_by_least_squares_of_another_make():
    w, b = neurons(8, 3)
    for i in range(8):
        columns = np.stack(
            [
                *(z / (1 + np.exp(-z)) for z in (w[i, k, 0] * X + b[i, k] for k in range(3))),
                np.ones(100),
            ],
            axis=1,
        )
        coefficients = np.linalg.lstsq(columns, X**2, rcond=None)[0]
        want = np.mean((columns @ coefficients - X**2) ** 2)
        got = readout_loss(SILU, w[i : i + 1], b[i : i + 1], SQUARE, "float64")[0]
        assert got == pytest.approx(want, rel=1e-6)


def test_weights_and_several_inputs():
    random = np.random.default_rng(3)
    x, weight = random.uniform(-2, 2, (60, 2)), random.uniform(0.1, 1, 60)
    data = given(x, x[:, 0] * x[:, 1], weight)
    w, b = neurons(4, 5, inputs=2)
    np.testing.assert_allclose(
        readout_loss(SILU, w, b, data, "float64"), refit(SILU, w, b, data).loss, rtol=1e-5
    )


def test_what_the_neurons_hold_is_found():
    """Nets that compute the target exactly, output weights and all."""
    w, b = neurons(5, 6)
    for i in range(5):
        v, c = np.linspace(-1, 1, 6).astype(np.float32), np.float32(0.25)
        net = ml.Parameters(
            w[i : i + 1], b[i : i + 1], v[None].astype(float), np.array([c], dtype=float)
        )
        z = w[i, :, 0][:, None] * X + b[i][:, None]
        y = v.astype(float) @ (z / (1 + np.exp(-z))) + float(c)
        data = given(X, y)
        assert losses(SILU, net, data)[0] < 1e-28
        assert readout_loss(SILU, w[i : i + 1], b[i : i + 1], data)[0] < 1e-10 * np.mean(y**2)


def test_single_precision_cannot_hold_what_double_can():
    """The paper's distilled net, whose two terms cancel to one part in 1e13."""
    w, b = np.array([[[-5.9e-8], [1.2e-5]]]), np.array([[-2.8e-7, 7.6e-5]])
    single, double = (
        readout_loss(SILU, w, b, SQUARE, dtype)[0] for dtype in ("float32", "float64")
    )
    assert double < 1e-8
    assert single > 100 * double


def test_no_trained_net_is_better():
    nets = ml.train(ml.Config(width=8, steps=500), seeds=16)
    best = readout_loss(nets.activation, nets.w, nets.b, nets.data)
    assert (best <= nets.loss * 1.001).all()
    assert (best < 0.5 * nets.loss).any()


def test_dead_neurons_and_diverged_nets():
    w, b = neurons(3, 4)
    w[0], b[0] = 0.0, [0.0, 1.0, 2.0, 3.0]  # silu(0) = 0, and neurons that are no other than c
    b[1] = -800.0  # silu underflows
    b[2, 1] = np.nan
    found = readout_loss(SILU, w, b, SQUARE)
    np.testing.assert_allclose(found[:2], np.var(X**2), rtol=1e-6)
    assert np.isnan(found[2])


def test_the_offset_of_compressed_data_is_added():
    w, b = neurons(2, 3)
    np.testing.assert_allclose(
        readout_loss(SILU, w, b, dataclasses.replace(SQUARE, offset=0.5)),
        readout_loss(SILU, w, b, SQUARE) + 0.5,
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("w", "b", "dtype", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), "float32", ml.DataError, "do not match"),
        (np.ones((2, 3, 2)), np.ones((2, 3)), "float32", ml.DataError, r"give \(R, N, 1\)"),
        (np.ones((2, 3, 1)), np.ones((2, 4)), "float32", ml.DataError, "do not match"),
        (np.ones((2, 3, 1)), np.ones((2, 3)), "float16", ml.ConfigError, "'float16' is unknown"),
    ],
)
def test_what_does_not_fit_is_refused(w, b, dtype, error, message):
    with pytest.raises(error, match=message):
        readout_loss(SILU, w, b, SQUARE, dtype)
