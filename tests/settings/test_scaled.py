"""Targets times a number, by the name of the task; output scale and mean-field training by them."""

import pickle

import numpy as np
import pytest

import minilotto as ml
from minilotto.initialisation import initial_parameters
from minilotto.settings.scaled import times
from minilotto.settings.tasks import built_in, known_task, task_of

X = np.linspace(-2, 2, 9)[:, None]


@pytest.mark.parametrize(
    ("name", "factor"),
    [("square_times_8", 8), ("relu_over_64", 1 / 64), ("sum1_times_3_over_8", 0.375)],
)
def test_a_scaled_target_is_a_multiple(name, factor):
    task, base = task_of(name), task_of(name.split("_")[0])
    assert (task(X) == factor * base(X)).all()
    assert (task.domain, task.kinks) == (base.domain, base.kinks)
    assert built_in(name)
    assert task.name == times(base.name, factor) == name
    assert pickle.loads(pickle.dumps(task)) == task


@pytest.mark.parametrize(
    "name",
    ["square_times_1", "square_times_0", "square_times_08", "square_over_2.5", "moons_times_2",
     "square_times_2_times_3", "square_over_2_over_3", "square_over_2_times_3", "squore_times_2",
     "square_times_4_over_8", "square_times_2_over_1", "_times_2", "square_times_", "sum7_by_3",
     "square_times_99999999999", "sum0_times_2"],
)  # fmt: skip
def test_names_that_scale_nothing_are_unknown(name):
    assert known_task(name) is None
    assert not built_in(name)
    with pytest.raises(ml.ConfigError, match="square_times_3_over_8"):
        ml.Config(task=name)


@pytest.mark.parametrize("scale", [0.25, 4.0])
def test_scaled_targets_train_nets_of_an_output_scale(scale):
    """A net f = (scale / N) sum_i v_i sigma(w_i x + b_i) + (scale / N) c that learns y by gradient
    descent at the rate r N / scale^2 is a net without that factor that learns y N / scale at the
    rate r / N.
    """
    width, r, steps = 8, 0.05, 30
    factor = width / scale
    fields = {"optimizer": "gd", "schedule": "constant", "dtype": "float64", "init": "uniform"}
    task = times("square", factor)
    config = ml.Config(width=width, task=task, steps=steps, lr=r / width, **fields)
    nets = ml.train(config, seeds=3, threads=1)
    start = initial_parameters(config, 1, np.arange(3))
    w, b, v, c = (np.array(getattr(start, one), float) for one in "wbvc")
    w, x = w[:, :, 0], np.linspace(-2, 2, 100)
    y, k = x**2, scale / width
    for _ in range(steps):
        z = w[:, :, None] * x + b[:, :, None]
        gate = 1 / (1 + np.exp(-z))
        h, slope = z * gate, gate * (1 + z * (1 - gate))
        g = 2 * (k * (np.einsum("rn,rnp->rp", v, h) + c[:, None]) - y) / len(x)
        back = v[:, :, None] * slope * g[:, None]
        moved = r * width / scale**2 * k
        w, b = w - moved * (back * x).sum(-1), b - moved * back.sum(-1)
        v, c = v - moved * np.einsum("rnp,rp->rn", h, g), c - moved * g.sum(-1)
    z = w[:, :, None] * x + b[:, :, None]
    f = k * (np.einsum("rn,rnp->rp", v, z / (1 + np.exp(-z))) + c[:, None])
    assert nets.predict(x[:, None]) / factor == pytest.approx(f, rel=1e-9)
