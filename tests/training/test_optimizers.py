"""Optimisers and schedules: every step against torch and the reference, in every engine, and what
a config refuses.
"""

import dataclasses
import hashlib
import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from nets import largest_difference, mostly_slow, trained_by_torch, trajectory_tolerance

import minilotto as ml
from minilotto.data.dataset import sampled
from minilotto.engines.interface import schedule_of
from minilotto.initialisation import initial_parameters
from minilotto.kernels import single
from minilotto.kernels.updates import UPDATES
from minilotto.oracles import numpy_reference, torch_reference
from minilotto.settings.arrays import powers

SEEDS = 24
DTYPES = ("float64", "float32")
# Constants that are not the defaults, and an epsilon that shows whether it stands where it should.
CONSTANTS = {
    "beta1": 0.8,
    "beta2": 0.95,
    "epsilon": 1e-2,
    "momentum": 0.7,
    "weight_decay": 0.3,
    "lr": 0.02,
}
SCHEDULE_CONSTANTS = {"lr_decay": 0.5, "lr_decay_every": 3, "lr_final": 0.2}


def config_of(optimizer="adam", schedule="step", **changes):
    """Ten steps by this optimiser and schedule, with none of their constants at its default."""
    some = {name: CONSTANTS[name] for name in ml.OPTIMIZERS[optimizer].fields}
    some |= {name: SCHEDULE_CONSTANTS[name] for name in ml.SCHEDULES[schedule].fields}
    some |= {"width": 5, "points": 24, "steps": 10, **changes}
    return ml.Config(optimizer=optimizer, schedule=schedule, **some)


def start_of(config):
    return initial_parameters(config, 1, np.arange(SEEDS))


def test_there_is_a_formula_for_every_optimiser():
    assert set(UPDATES) <= set(ml.OPTIMIZERS)
    assert set(ml.OPTIMIZERS) - set(UPDATES) <= {"lm"}


@pytest.mark.parametrize(
    ("optimizer", "dtype"),
    mostly_slow(itertools.product(UPDATES, DTYPES), [(name, "float64") for name in UPDATES]),
)
def test_ten_steps_are_those_of_torch(optimizer, dtype):
    config = config_of(optimizer, dtype=dtype)
    nets = ml.train(config, SEEDS, engine="lanes")
    expected = trained_by_torch(config, SEEDS)
    assert largest_difference(nets.parameters, expected) < trajectory_tolerance(config)


@pytest.mark.parametrize(
    ("optimizer", "engine"),
    mostly_slow(
        itertools.product(UPDATES, ("lanes", "wide", "compressed", "exact")),
        [("momentum", "wide"), ("adamw", "exact"), ("gd", "compressed")],
    ),
)
def test_every_engine_steps_as_the_reference(optimizer, engine):
    """A step takes a gradient, of whatever activation."""
    activation = "relu" if engine == "exact" else "silu"
    config = config_of(optimizer, activation=activation, dtype="float64")
    nets = ml.train(config, SEEDS, engine=engine)
    reference = ml.train(config, SEEDS, backend="reference")
    assert nets.engine != reference.engine
    assert largest_difference(nets.parameters, reference.parameters) < 1e-12


@pytest.mark.parametrize("optimizer", UPDATES)
def test_single_steps_as_the_reference(optimizer):
    config = config_of(optimizer, dtype="float64")
    rng = np.random.default_rng(0)
    theta, moments, gradient = rng.normal(size=7), np.zeros((2, 7)), rng.normal(size=7)
    expected, m, s = theta.copy(), np.zeros(7), np.zeros(7)
    form = single.form("silu", optimizer=optimizer)
    constants = tuple(
        CONSTANTS[name] if name in ml.OPTIMIZERS[optimizer].fields else 0.5
        for name in ("beta1", "beta2", "epsilon", "momentum", "weight_decay")
    )
    for number in range(5):
        single.step(form, theta, moments, gradient, number, 0.1, constants)
        numpy_reference.update(config, [expected], [m], [s], [gradient], number + 1, 0.1)
        np.testing.assert_allclose(theta, expected, rtol=1e-14)


def test_single_takes_three_constants_as_before():
    start = np.arange(1.0, 5.0)
    ends = []
    for constants in (single.ADAM, (*single.ADAM, 0.1, 0.2)):
        theta, moments = start.copy(), np.zeros((2, 4))
        single.adam_step(single.form("silu"), theta, moments, start, 0, 0.1, constants)
        ends.append(theta)
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize("schedule", ml.SCHEDULES)
def test_rates_are_those_of_torch(schedule, warmup):
    torch = pytest.importorskip("torch", reason="torch's schedulers are the oracle (extra torch)")
    config = config_of(schedule=schedule, steps=50, warmup=warmup)
    optimizer = torch_reference.optimizer_of(config, [torch.zeros(1, requires_grad=True)])
    scheduler = torch_reference.scheduler_of(config, optimizer)
    rates = []
    for _ in range(config.steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(config.rate(range(config.steps)), rates, rtol=1e-12)


def test_rates_and_corrections_have_the_same_bits_on_every_cpu():
    """NumPy's powers of arrays differ in last bits between CPUs with AVX-512 and others."""
    digest = hashlib.blake2b(digest_size=8)
    for name in ml.SCHEDULES:
        config = ml.Config(schedule=name, warmup=10)
        for array in schedule_of(config, 0, config.steps, 0)[:3]:
            digest.update(array.tobytes())
    assert digest.hexdigest() == "cad76589eaedc7a3"
    steps = np.array([0, 1, 2, 255, 256, 257, 9999, 1_000_000])
    np.testing.assert_allclose(powers(0.999, steps), 0.999**steps, rtol=1e-15)
    np.testing.assert_array_equal(powers(0.5, steps), 0.5**steps)


@pytest.mark.filterwarnings("error")
def test_powers_of_a_few_large_exponents_take_no_memory_and_give_no_warning():
    tracemalloc.start()
    np.testing.assert_array_equal(powers(0.999, np.array([[0, 10**12]])), [[1.0, 0.0]])
    assert powers(0.999, np.array(10**12)).shape == ()
    assert powers(0.999, np.empty((0, 3), int)).shape == (0, 3)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    rising = ml.Config(steps=10**6, lr_decay=3.0, lr_decay_every=1, schedule="stretched")
    np.testing.assert_allclose(rising.rate([0, 10**6 - 1]), [0.0, 0.0016 * rising.lr])
    assert dataclasses.replace(rising, schedule="step").rate(10**6) == np.inf


@pytest.mark.parametrize("schedule", ml.SCHEDULES)
def test_a_rate_rises_to_lr_and_ends_at_its_final_fraction(schedule):
    config = config_of(schedule=schedule, steps=1000, warmup=10)
    rates = config.rate(range(1001))
    np.testing.assert_allclose(rates[:11], config.lr * np.arange(1, 12) / 11)
    assert np.all(np.diff(rates[10:]) <= 0)
    if "lr_final" in ml.SCHEDULES[schedule].fields:
        assert rates[-1] == pytest.approx(0.2 * config.lr, rel=1e-12)
        assert config.replace(lr_final=None).final_fraction == ml.SCHEDULES[schedule].final


def test_longer_trainings_hold_the_last_rate_or_stretch_the_first_stage():
    """After 50,000 steps both are the paper's; of more, what lies between is its first or last."""
    paper = ml.Config().rate(range(50_000))
    for schedule in ("held", "stretched"):
        np.testing.assert_allclose(ml.Config(schedule=schedule).rate(range(50_000)), paper)
    more = np.full(150_000, 1.0)
    held, stretched = (
        ml.Config(schedule=schedule, steps=200_000).rate(range(200_000))
        for schedule in ("held", "stretched")
    )
    np.testing.assert_allclose(held, [*paper, *(more * paper[-1])])
    np.testing.assert_allclose(stretched, [*(more * paper[0]), *paper])
    assert ml.Config(schedule="stretched", lr_decay_every=1, steps=2000).rate(0) == 0.01


def test_a_training_takes_the_rates_of_its_schedule():
    """Plain gradient descent by hand, with Config.rate."""
    config = config_of("gd", "cosine", dtype="float64", warmup=3)
    data, parameters = sampled(config), [array.copy() for array in start_of(config)]
    for step in range(config.steps):
        _, gradients = numpy_reference.loss_and_gradient(
            "silu", *parameters, data.x, data.y, data.weight
        )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= config.rate(step) * gradient
    nets = ml.train(config, SEEDS, engine="lanes")
    assert largest_difference(nets.parameters, parameters) < 1e-13


REFUSED = {
    "weight_decay=0.1 means nothing to adam; choose from adamw, or leave it out": {
        "weight_decay": 0.1
    },
    "momentum=0.5 means nothing to adam; choose from momentum, nesterov, or leave it out": {
        "momentum": 0.5
    },
    "beta1=0.5 means nothing to gd": {"optimizer": "gd", "beta1": 0.5},
    "epsilon=0.1 means nothing to nesterov": {"optimizer": "nesterov", "epsilon": 0.1},
    "lr_decay=0.3 means nothing to cosine; choose from step, held, stretched, or leave it out": {
        "schedule": "cosine",
        "lr_decay": 0.3,
    },
    "lr_final=0.5 means nothing to step": {"lr_final": 0.5},
    "lr_final=1.5 is out of range; give a finite number of at least 0 and at most 1": {
        "schedule": "linear",
        "lr_final": 1.5,
    },
    "lr_final=0 is out of range; give a finite number above 0": {
        "schedule": "exponential",
        "lr_final": 0,
    },
    "lr_final=0.0 is out of range; give a finite number above 0": {
        "schedule": "stretched",
        "lr_final": 0.0,
    },
    "warmup=10 is out of range; give a whole number of at least 0 and below 10": {
        "warmup": 10,
        "steps": 10,
    },
    "dtype='float32' is nothing that lm trains; use dtype='float64'": {"optimizer": "lm"},
    "loss='logistic' is nothing that lm trains": {
        "optimizer": "lm",
        "dtype": "float64",
        "loss": "logistic",
    },
    "lr=0.1 means nothing to lm; choose from adam": {"optimizer": "lm", "lr": 0.1},
    "schedule='cosine' means nothing to lm": {"optimizer": "lm", "schedule": "cosine"},
    "batch=2 means nothing to lm": {"optimizer": "lm", "batch": 2},
    "batch=-1 is out of range": {"batch": -1},
    "batch=1.5 is out of range": {"batch": 1.5},
    "optimizer='sgd' is unknown; choose from adam, adamw, gd": {"optimizer": "sgd"},
    "schedule='cos' is unknown; choose from step, constant": {"schedule": "cos"},
}


@pytest.mark.parametrize(("message", "fields"), REFUSED.items())
def test_fields_that_contradict_are_refused_in_one_line(message, fields):
    with pytest.raises(ml.ConfigError) as error:
        ml.Config(**fields)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_keys_of_configs_stored_before_stay():
    assert ml.Config().key == "4faf4c6659989148"
    assert ml.Config(noise=0.1).key == "906efd1f1681c66f"
    assert ml.Config(schedule="cosine", lr_final=0.0) == ml.Config(schedule="cosine")


@examples(
    optimizer=st.sampled_from(sorted(UPDATES)),
    schedule=st.sampled_from(sorted(ml.SCHEDULES)),
    warmup=st.integers(0, 9),
    cut=st.integers(1, 9),
)
def test_a_config_comes_back_from_json_and_has_finite_rates(optimizer, schedule, warmup, cut):
    config = config_of(optimizer, schedule, warmup=warmup)
    assert ml.Config.from_json(config.to_json()) == config
    rates = config.rate(range(config.steps))
    assert np.all(rates > 0)
    np.testing.assert_array_equal(
        np.append(config.rate(range(cut)), config.rate(range(cut, 10))), rates
    )


@pytest.mark.parametrize("beta", [0.0, 1e-300, 0.5, 0.9, 0.999, np.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("first", [1, 10**6, 10**12])
def test_corrections_of_moments_are_those_of_whole_powers(beta, first):
    config = ml.Config(beta1=beta, beta2=beta, steps=2 * 10**12)
    steps = np.arange(first, first + 2000)
    schedule = schedule_of(config, first - 1, len(steps), 0)
    with np.errstate(under="ignore"):
        whole = 1.0 - powers(beta, steps)
    assert np.array_equal(schedule.adam_rate, config.rate(steps - 1) / whole)
    assert np.array_equal(schedule.correction, 1.0 / np.sqrt(whole))


def test_too_large_a_rate_is_flagged_per_seed():
    nets = ml.train(config_of("gd", lr=1e3, steps=200), SEEDS, engine="lanes")
    assert set(nets.status) == {"diverged"}
    assert np.isnan(nets.loss).all()


@pytest.mark.parametrize("step", [-1, 11, 1.5, "a", None, np.nan, [[1], [1, 2]], True, 2**70])
def test_only_steps_have_a_rate(step):
    with pytest.raises(ml.DataError, match=r"^step"):
        ml.Config(steps=10, schedule="linear").rate(step)


@pytest.mark.parametrize("given", [np.array([0.1, 0.2]), "x", 1j])
def test_no_schedule_takes_a_final_rate_that_is_no_number(given):
    with pytest.raises(ml.ConfigError, match=r"^lr_final=.* give a finite number"):
        ml.Config(lr_final=given)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fields", [{"lr": 1e308}, {"lr_decay": 1e300, "lr_decay_every": 1}])
def test_rates_that_overflow_make_nets_diverge_without_a_warning(fields):
    nets = ml.train(ml.Config(width=2, steps=20, dtype="float64", **fields), 2, threads=1)
    assert (nets.status == "diverged").all()
