"""What holds for any nets, points, weights, seeds and configs, as hypothesis finds them."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nets import NUMBERS

import minilotto as ml
from minilotto.data.dataset import frozen
from minilotto.data.dataset import given as data_of
from minilotto.engines.evaluate import gradients, losses, predictions
from minilotto.initialisation import Parameters
from minilotto.oracles import numpy_reference
from minilotto.settings.config import DTYPES, LOSSES, SUBNORMALS

EPS = np.finfo(float).eps
# A busy machine is no failure: neither a slow example nor slow drawing of examples counts.
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
MANY = settings(QUICK, max_examples=150)

KINDS = st.sampled_from([("silu", 1), ("relu", 2)])  # few, for each is compiled
WEIGHTS = st.integers(1, 64).map(float)


@st.composite
def problems(draw):
    """(activation, nets, data): R nets of N neurons and P weighted points of D inputs, with numbers
    of every kind in [-3, 3].
    """
    name, inputs = draw(KINDS)
    count, width, points = (
        draw(st.integers(1, 18)),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 8)),
    )
    some = lambda *shape: draw(arrays(float, shape, elements=NUMBERS))  # noqa: E731
    nets = Parameters(
        some(count, width, inputs), some(count, width), some(count, width), some(count)
    )
    return (
        ml.ACTIVATIONS[name],
        nets,
        data_of(some(points, inputs), some(points), draw(arrays(float, points, elements=WEIGHTS))),
    )


def sizes(activation, nets, data):
    """The sums of absolute terms behind f (R, P), the losses (R,) and the gradients: rounding
    errors are a few eps of these.
    """
    value, slope = map(
        np.abs,
        numpy_reference.activation(
            activation.name, np.einsum("rnd,pd->rnp", nets.w, data.x) + nets.b[:, :, None]
        ),
    )
    v = np.abs(nets.v)
    f = np.einsum("rn,rnp->rp", v, value) + np.abs(nets.c)[:, None]
    df = 2 * data.weight * (f + np.abs(data.y))
    dz = df[:, None, :] * v[:, :, None] * slope
    gradient = (
        np.einsum("rnp,pd->rnd", dz, np.abs(data.x)),
        dz.sum(axis=2),
        np.einsum("rp,rnp->rn", df, value),
        df.sum(axis=1),
    )
    return f, (data.weight * (f + np.abs(data.y)) ** 2).sum(axis=1), Parameters(*gradient)


def close(one, other, scale):
    """Equal but for 64 roundings on the scale of the terms: sums of at most 45 terms, each with few
    roundings of its own.
    """
    return all(
        (np.abs(a - b) <= 64 * EPS * s + np.finfo(float).tiny).all()
        for a, b, s in zip(
            map(np.asarray, one), map(np.asarray, other), map(np.asarray, scale), strict=True
        )
    )


@QUICK
@given(problems(), st.randoms(use_true_random=False))
def test_permuting_neurons_leaves_the_function_alone(problem, random):
    activation, nets, data = problem
    order = random.sample(range(nets.b.shape[1]), nets.b.shape[1])
    permuted = Parameters(nets.w[:, order], nets.b[:, order], nets.v[:, order], nets.c)
    f, loss, gradient = sizes(activation, nets, data)
    assert close(
        [predictions(activation, permuted, data.x)], [predictions(activation, nets, data.x)], [f]
    )
    assert close([losses(activation, permuted, data)], [losses(activation, nets, data)], [loss])
    dw, db, dv, dc = gradients(activation, nets, data)
    bounds = gradient.w[:, order], gradient.b[:, order], gradient.v[:, order], gradient.c
    expected = dw[:, order], db[:, order], dv[:, order], dc
    assert close(gradients(activation, permuted, data), expected, bounds)


@QUICK
@given(problems(), st.randoms(use_true_random=False))
def test_permuting_points_leaves_losses_and_gradients_alone(problem, random):
    activation, nets, data = problem
    order = random.sample(range(data.points), data.points)
    permuted = frozen(data.x[order], data.y[order], data.weight[order])
    _, loss, gradient = sizes(activation, nets, data)
    assert close([losses(activation, nets, permuted)], [losses(activation, nets, data)], [loss])
    assert close(gradients(activation, nets, permuted), gradients(activation, nets, data), gradient)


@QUICK
@given(problems(), st.floats(1e-6, 1e6))
def test_scaling_all_weights_leaves_losses_and_gradients_alone(problem, factor):
    activation, nets, data = problem
    scaled = data_of(data.x, data.y, factor * data.weight)
    _, loss, gradient = sizes(activation, nets, data)
    assert close([losses(activation, nets, scaled)], [losses(activation, nets, data)], [loss])
    assert close(gradients(activation, nets, scaled), gradients(activation, nets, data), gradient)


@QUICK
@given(problems(), st.data())
def test_a_point_given_twice_counts_as_a_point_of_twice_the_weight(problem, choose):
    activation, nets, data = problem
    times = np.array([choose.draw(st.integers(1, 3)) for _ in range(data.points)])
    repeated = data_of(np.repeat(data.x, times, axis=0), np.repeat(data.y, times))
    weighted = data_of(data.x, data.y, times.astype(float))
    _, loss, gradient = sizes(activation, nets, weighted)
    assert close([losses(activation, nets, repeated)], [losses(activation, nets, weighted)], [loss])
    assert close(
        gradients(activation, nets, repeated), gradients(activation, nets, weighted), gradient
    )


@QUICK
@given(problems(), st.data())
def test_gradients_are_linear_in_the_weights(problem, choose):
    activation, nets, data = problem
    other = choose.draw(arrays(float, data.points, elements=WEIGHTS))
    a, b = choose.draw(st.floats(-2, 2, width=32)), choose.draw(st.floats(-2, 2, width=32))
    mixed = frozen(data.x, data.y, a * data.weight + b * other)
    ga, gb, gm = (
        gradients(activation, nets, d) for d in (data, frozen(data.x, data.y, other), mixed)
    )
    absolute = frozen(data.x, data.y, abs(a) * data.weight + abs(b) * other)
    assert close(
        [a * x + b * y for x, y in zip(ga, gb, strict=True)],
        gm,
        sizes(activation, nets, absolute)[2],
    )


@MANY
@given(problems())
def test_predictions_are_the_formula(problem):
    """f(x) = sum_i v_i sigma(w_i . x + b_i) + c, by the table's definition of sigma. An argument
    errs by eps times its terms.
    """
    activation, (w, b, v, c), data = problem
    z = (w[:, :, None, :] * data.x).sum(axis=3) + b[:, :, None]
    f = (v[:, :, None] * activation.value(z)).sum(axis=1) + c[:, None]
    terms = (np.abs(w)[:, :, None, :] * np.abs(data.x)).sum(axis=3) + np.abs(b)[:, :, None]
    scale = (np.abs(v)[:, :, None] * (np.abs(activation.value(z)) + terms)).sum(axis=1) + np.abs(c)[
        :, None
    ]
    assert close([predictions(activation, Parameters(w, b, v, c), data.x)], [f], [scale])


@QUICK
@given(problems())
def test_a_net_computes_the_same_bits_alone_as_among_others(problem):
    activation, nets, data = problem
    last = Parameters(*(array[-1:] for array in nets))
    assert (
        gradients(activation, nets, data).w[-1].tobytes()
        == gradients(activation, last, data).w[0].tobytes()
    )
    assert losses(activation, nets, data)[-1] == losses(activation, last, data)[0]
    assert (
        predictions(activation, nets, data.x)[-1].tobytes()
        == predictions(activation, last, data.x)[0].tobytes()
    )


SEEDS = st.lists(
    st.one_of(st.integers(0, 40), st.integers(0, 2**48 - 1)), min_size=1, max_size=40, unique=True
)
TINY = ml.Config(width=2, points=4, steps=3)


@QUICK
@given(SEEDS, st.data())
def test_a_subset_of_seeds_is_those_seeds_alone(seeds, choose):
    nets = ml.train(TINY, seeds, threads=1)
    positions = choose.draw(
        st.lists(st.sampled_from(range(len(seeds))), min_size=1, max_size=5, unique=True)
    )
    chosen, alone = nets.select(positions), ml.train(TINY, [seeds[i] for i in positions], threads=1)
    for a, b in zip(
        (*chosen.parameters, chosen.loss, chosen.seeds),
        (*alone.parameters, alone.loss, alone.seeds),
        strict=True,
    ):
        assert a.tobytes() == b.tobytes()


@QUICK
@given(
    st.lists(st.one_of(st.just(np.nan), st.floats(0, 1e6)), min_size=1, max_size=30),
    st.sampled_from(DTYPES),
    st.integers(1, 4),
)
def test_loading_what_was_saved_is_the_identity(constructed, loss, dtype, width):
    nets = constructed(
        loss, config=ml.Config(width=width, dtype=dtype, steps=100), requested=len(loss) + 3
    )
    with tempfile.TemporaryDirectory() as folder:
        path = nets.save(Path(folder) / "nets.npz")
        once = path.read_bytes()
        back = ml.load(path)
        nets.save(path, force=True)
        assert path.read_bytes() == once
    for name in ("config", "requested", "provenance"):
        assert getattr(back, name) == getattr(nets, name)

    def arrays(one):
        numbers, data = one.history, one.data
        history = (numbers.steps, numbers.loss)
        return (one.seeds, *one.parameters, one.loss, *history, data.x, data.y, data.weight)

    for a, b in zip(arrays(nets), arrays(back), strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        assert not b.flags.writeable
    assert back.status.tolist() == ["diverged" if np.isnan(x) else "ok" for x in loss]


POSITIVE = st.floats(1e-12, 1e6)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "width": st.integers(1, 10**6),
        "activation": st.sampled_from([name for name in ml.ACTIVATIONS if name != "leaky_relu"]),
        "task": st.sampled_from([name for name, task in ml.TASKS.items() if task.examples is None]),
        "sampling": st.sampled_from(["grid", "uniform"]),
        "points": st.integers(1, 10**6),
        "steps": st.integers(1, 10**9).map(float),
        "lr": POSITIVE,
        "lr_decay": POSITIVE,
        "lr_decay_every": st.integers(1, 10**6),
        "beta1": st.floats(0, 1, exclude_max=True),
        "beta2": st.floats(0, 1, exclude_max=True),
        "epsilon": POSITIVE,
        "init": st.sampled_from(list(ml.SCHEMES)),
        "output_scale": POSITIVE,
        "dtype": st.sampled_from(DTYPES),
        "subnormals": st.sampled_from(SUBNORMALS),
        "root_seed": st.integers(0, 2**64 - 1),
        "noise": st.floats(0, 1e6),
        "loss": st.sampled_from(LOSSES),
    },
)


@MANY
@given(CONFIGS)
def test_a_config_survives_json(fields):
    config = ml.Config(**fields)
    back = ml.Config.from_json(config.to_json())
    assert back == config
    assert hash(back) == hash(config)
    assert back.key == config.key
    assert back.to_json() == config.to_json()
    assert "\n" not in config.to_json()


@MANY
@given(CONFIGS, CONFIGS)
def test_keys_are_equal_exactly_for_equal_configs(fields, others):
    one, other = ml.Config(**fields), ml.Config(**others)
    assert (one.key == other.key) == (one == other)
    assert one.replace(**others) == ml.Config(**{**fields, **others})
