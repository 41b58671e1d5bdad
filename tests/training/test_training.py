"""Trainings: against torch and the reference for some steps, against themselves bit by bit, and
against the paper.
"""

import hashlib
import importlib
import platform

import numpy as np
import pytest
from nets import largest_difference, trained_by_torch, trajectory_tolerance
from scipy.signal import find_peaks

import minilotto as ml
from minilotto.data.dataset import given
from minilotto.engines.evaluate import gradients, losses
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.reference import ReferenceEngine
from minilotto.initialisation import Parameters, initial_parameters

LOOP = importlib.import_module("minilotto.training.loop")

SHORT = ml.Config(width=3, points=21, steps=300, lr_decay_every=100)
SEEDS = 131  # several blocks of lanes, the last one not full


def same(a, b):
    """Bit for bit, NaN included."""
    assert len(a) == len(b)
    for x, y in zip((*a.parameters, a.loss), (*b.parameters, b.loss), strict=True):
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()


def rows(nets, positions):
    return nets.select(np.asarray(positions))


def train(config, seeds, engine="lanes", threads=1, **settings):
    """By default in one thread, with the engine that computes every step at all points."""
    return ml.train(config, seeds, engine=engine, threads=threads, **settings)


@pytest.fixture(scope="module")
def short():
    return train(SHORT, SEEDS)


@pytest.fixture(scope="module", params=["lanes", "compressed"])
def run(request):
    """A training and how to repeat it with other settings, by each engine. The compressed one has
    refinement levels of 16, 20 and 21 points.
    """

    def again(config=SHORT, seeds=SEEDS, **settings):
        return train(config, seeds, engine=request.param, **settings)

    return again(), again


TRAJECTORY = ml.Config(width=3, points=20, steps=24, lr_decay_every=10, beta1=0.8, beta2=0.99)
EPSILONS = [1e-8, 1e-2]  # the second shows whether epsilon stands where Adam has it


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_walks_as_torch_adam_with_step_decay_does(dtype, epsilon):
    config = TRAJECTORY.replace(dtype=dtype, epsilon=epsilon)
    nets = train(config, 40)
    assert largest_difference(nets.parameters, trained_by_torch(config, 40)) < trajectory_tolerance(
        config
    )


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_walks_as_the_reference_does(dtype, epsilon):
    config = TRAJECTORY.replace(dtype=dtype, epsilon=epsilon)
    nets, reference = train(config, 40), ml.train(config, 40, backend="reference")
    assert nets.engine != reference.engine
    assert largest_difference(nets.parameters, reference.parameters) < trajectory_tolerance(config)
    np.testing.assert_allclose(nets.loss, reference.loss, rtol=10 * trajectory_tolerance(config))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(
    "change",
    [
        {"lr_decay_every": 11},
        {"lr_decay": 0.21},
        {"lr": 1.001e-2},
        {"beta1": 0.801},
        {"beta2": 0.9901},
        {"epsilon": 1.1e-2},
        {"steps": 25},
    ],
)
def test_every_constant_of_the_protocol_moves_the_trajectory(change, backend):
    """So that the comparisons above would see a constant which is not taken, or a step too many."""
    config = TRAJECTORY.replace(epsilon=1e-2, dtype="float64")
    one, other = (
        train(c, 8, backend=backend, engine="auto") for c in (config, config.replace(**change))
    )
    assert largest_difference(one.parameters, other.parameters) > 100 * trajectory_tolerance(config)


def test_a_net_of_two_thousand_neurons_walks_as_the_reference_does():
    config = ml.Config(width=2000, points=11, steps=5, lr_decay_every=2, dtype="float64")
    nets, reference = train(config, 3), ml.train(config, 3, backend="reference")
    assert largest_difference(nets.parameters, reference.parameters) < trajectory_tolerance(config)
    assert (
        largest_difference(nets.parameters, initial_parameters(config, 1, np.arange(3))) > config.lr
    )


def test_the_first_step_moves_each_parameter_by_the_rate_against_its_gradient():
    """Adam's first step is lr * g / (|g| + epsilon), whatever the betas."""
    config = ml.Config(width=3, points=20, steps=1, dtype="float64")
    nets, start = train(config, 8), initial_parameters(config, 1, np.arange(8))
    slopes = gradients(nets.activation, start, nets.data)
    for after, before, g in zip(nets.parameters, start, slopes, strict=True):
        np.testing.assert_allclose(
            after - before, -config.lr * g / (np.abs(g) + config.epsilon), rtol=1e-9
        )


# The same bits, whatever surrounds a seed.
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(run, threads):
    nets, again = run
    same(again(threads=threads), nets)


def test_numba_with_one_thread_changes_no_bit(short, python):
    program = (
        "import hashlib, minilotto as ml\n"
        f"nets = ml.train(ml.Config.from_json({SHORT.to_json()!r}), {SEEDS}, engine='lanes', "
        "threads=2)\n"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in (*nets.parameters, "
        "nets.loss))).hexdigest())\n"
    )
    child = python("-c", program, NUMBA_NUM_THREADS="1")
    expected = hashlib.sha256(
        b"".join(a.tobytes() for a in (*short.parameters, short.loss))
    ).hexdigest()
    assert child.out.split() == [expected], child.err


@pytest.mark.parametrize(
    "seeds", [[5, 3, 100], [130], range(17, 90), range(90, 17, -7), np.array([64, 63, 0, 1])]
)
def test_a_subset_of_seeds_is_those_rows_of_a_larger_run(run, seeds):
    nets, again = run
    some = again(seeds=seeds)
    assert some.seeds.tolist() == list(seeds)
    same(some, rows(nets, list(seeds)))


@pytest.mark.parametrize("batch", [7, 16, 50])
def test_batches_change_no_bit(run, monkeypatch, batch):
    nets, again = run
    monkeypatch.setattr(LOOP, "_batch_size", lambda *arguments: batch)
    same(again(), nets)


def test_a_batch_holds_whole_blocks_for_every_thread(short):
    for config in (SHORT, SHORT.replace(width=2000, steps=10**6), SHORT.replace(width=1, steps=1)):
        engine = LaneEngine(config, short.data, 2)
        assert LOOP._batch_size(engine) % (2 * engine.lanes) == 0


@pytest.mark.parametrize("seconds", [0.0, 1e-5, 10.0])
def test_chunks_change_no_bit(run, monkeypatch, seconds):
    nets, again = run
    monkeypatch.setattr(LOOP, "CHUNK_SECONDS", seconds)
    same(again(), nets)


def test_checkpoints_change_no_bit(run):
    nets, again = run
    other = again(checkpoints=[3, 7, 200, 299])
    same(other, nets)
    assert other.history.steps.tolist() == [3, 7, 200, 299, 300]


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_lane_counts_change_no_bit(short, lanes):
    engine = LaneEngine(SHORT, short.data, 1, lanes=lanes)
    engine.start(initial_parameters(SHORT, 1, np.arange(SEEDS)))
    for first, count in ((0, 1), (1, 120), (121, 179)):
        engine.advance(first, count)
    for ours, theirs in zip(engine.parameters(), short.parameters, strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_the_digest_of_the_run_can_differ(short):
    """The comparisons above compare numbers that depend on the seed and the config."""
    assert len(np.unique(short.loss)) == SEEDS
    assert (train(SHORT.replace(root_seed=1), SEEDS).loss != short.loss).all()


# What goes wrong in one row stays in that row.
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["w", "b", "v", "c"])
def test_a_number_that_is_none_stays_in_its_lane(short, field, bad):
    start = initial_parameters(SHORT, 1, np.arange(40))
    getattr(start, field)[21] = bad
    engine = LaneEngine(SHORT, short.data, 1)
    engine.start(start)
    engine.advance(0, SHORT.steps)
    others = np.arange(40) != 21
    for ours, clean in zip(engine.parameters(), short.parameters, strict=True):
        assert ours[others].tobytes() == clean[:40][others].tobytes()
    assert not np.isfinite(getattr(engine.parameters(), field)[21]).all()


DIVERGING = ml.Config(width=2, points=10, steps=60, lr=1e10)


def test_seeds_that_diverge_are_named_and_blank_and_touch_no_other():
    nets = train(DIVERGING, 64)
    ok = nets.status == "ok"
    assert 0 < ok.sum() < 64
    assert set(nets.status[~ok]) == {"diverged"}
    for array in (*nets.parameters, nets.loss, nets.history.loss[-1]):
        assert np.isnan(array[~ok]).all()
        assert np.isfinite(array[ok]).all()
    assert np.isfinite(nets.history.loss[0]).all()
    same(train(DIVERGING, np.flatnonzero(ok)), rows(nets, ok))
    same(train(DIVERGING, np.flatnonzero(~ok)[:5]), rows(nets, np.flatnonzero(~ok)[:5]))


# Precision.
def test_float64_trains_and_stores_float64():
    config = SHORT.replace(dtype="float64")
    double, single = train(config, 20), train(SHORT, 20)
    assert double.w.dtype == np.float64
    assert single.w.dtype == np.float32
    assert double.loss.dtype == single.loss.dtype == np.float64
    # 300 steps of 1e-2 keep a typical pair of trajectories together to single precision, no closer.
    distance = np.median(np.abs(double.w - single.w))
    assert 0 < distance < 1e3 * np.finfo(np.float32).eps


def tiny_gradient(subnormals):
    """One parameter matters, c; its first gradient is -2e-20, whose square is a float32 only with a
    reduced mantissa.
    """
    config = ml.Config(width=1, points=2, steps=1, epsilon=1e-30, subnormals=subnormals)
    data = given(np.array([-1.0, 1.0]), np.array([1e-20, 1e-20]))
    engines = LaneEngine(config, data, 1), ReferenceEngine(config, data)
    for engine in engines:
        engine.start(
            Parameters(
                np.zeros((1, 1, 1), "f4"),
                np.zeros((1, 1), "f4"),
                np.zeros((1, 1), "f4"),
                np.zeros(1, "f4"),
            )
        )
        engine.advance(0, 1)
    return tuple(float(engine.parameters().c[0]) for engine in engines)


def test_subnormal_numbers_are_kept_or_flushed_as_asked():
    kept, reference = tiny_gradient("keep")
    np.testing.assert_allclose([kept, reference], 1e-2, rtol=1e-2)  # the square has 8 bits left
    flushed, _ = tiny_gradient("flush")
    if platform.machine().lower() in ("x86_64", "amd64", "i386", "i686", "aarch64", "arm64"):
        np.testing.assert_allclose(
            flushed, 1e-2 * 2e-20 / 1e-30, rtol=1e-5
        )  # the square is zero, epsilon alone divides


def test_training_leaves_the_callers_arithmetic_alone():
    small = np.float32(1e-39)
    for threads in (1, 2):
        train(SHORT.replace(steps=3), SEEDS, threads=threads)
        assert small * np.float32(0.5) > 0


def test_flushing_changes_no_bit_where_no_number_is_subnormal(short):
    same(train(SHORT.replace(subnormals="keep"), 30), rows(short, range(30)))


# History.
def test_history_holds_the_losses_at_the_default_checkpoints(short):
    history = short.history
    assert history.steps.tolist() == [0, 1, 2, 5, 10, 20, 50, 100, 200, 300]
    assert history.loss.shape == (10, SEEDS)
    np.testing.assert_array_equal(history.loss[-1], short.loss)
    start = initial_parameters(SHORT, 1, np.arange(SEEDS))
    np.testing.assert_array_equal(history.loss[0], losses(short.activation, start, short.data))
    fifty = train(SHORT.replace(steps=50), SEEDS)
    np.testing.assert_array_equal(history.loss[6], fifty.loss)


@pytest.mark.parametrize(
    ("asked", "given_back"),
    [
        ([], [300]),
        ([0], [0, 300]),
        ([300, 7, 7], [7, 300]),
        ([1e2], [100, 300]),
        (range(4), [0, 1, 2, 3, 300]),
    ],
)
def test_checkpoints_are_sorted_and_end_with_the_last_step(short, asked, given_back):
    nets = train(SHORT, 5, checkpoints=asked)
    assert nets.history.steps.tolist() == given_back
    np.testing.assert_array_equal(nets.history.loss[-1], short.loss[:5])


def test_the_reported_loss_is_that_of_the_stored_nets(short):
    residual = short.predict(short.data.x) - short.data.y
    np.testing.assert_allclose(
        (residual**2 * short.data.weight).sum(axis=1), short.loss, rtol=1e-12
    )


def test_predictions_come_in_the_shape_of_the_points(short):
    assert short.predict([0.0, 1.0]).shape == (SEEDS, 2)
    np.testing.assert_array_equal(short.predict([[0.0], [1.0]]), short.predict([0.0, 1.0]))
    assert short.predict(np.zeros((0, 1))).shape == (SEEDS, 0)
    assert short.select([]).predict([0.0, 1.0]).shape == (0, 2)


@pytest.mark.parametrize(
    "x", [0.0, [[1.0, 2.0]], [np.nan], [0.0, np.inf], "x", [1j], [[1.0, 2.0], [3.0]], None]
)
def test_points_at_which_no_net_has_a_value_are_refused(short, x):
    with pytest.raises(ml.DataError):
        short.predict(x)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_piecewise_linear_nets_learn(activation):
    config = SHORT.replace(activation=activation, negative_slope=0.01, width=8)
    nets = train(config, 30)
    assert (nets.status == "ok").all()
    assert np.median(nets.loss) < 0.2 * np.median(nets.history.loss[0])


# The paper.
TICKET = Parameters(  # Eq. 2
    np.array([[[-0.83010483], [0.83010304]]]),
    np.array([[-1.16842330, -1.16842365]]),
    np.array([[5.68583536, 5.68586636]]),
    np.array([3.1539197]),
)
SILU = ml.ACTIVATIONS["silu"]


def loss_and_gradient_norm(points):
    x = np.linspace(-2, 2, points)
    data = given(x, x * x)
    single = Parameters(*(array.astype(np.float32).astype(float) for array in TICKET))
    return losses(SILU, single, data)[0], np.sqrt(
        sum((g**2).sum() for g in gradients(SILU, single, data))
    )


def test_the_printed_numbers_of_the_ticket_are_float32_numbers():
    for array, digits in zip(TICKET, (8, 8, 8, 7), strict=True):
        rounded = [
            np.format_float_positional(np.float32(number), precision=digits, unique=False)
            for number in array.ravel()
        ]
        assert [float(number) for number in rounded] == array.ravel().tolist()


def test_the_ticket_has_its_loss_and_no_gradient_on_the_papers_grid():
    loss, norm = loss_and_gradient_norm(100)
    np.testing.assert_allclose(loss, 7.790e-6, rtol=1e-4)
    np.testing.assert_allclose(norm, 3.76e-6, rtol=1e-2)


@pytest.mark.parametrize(
    ("points", "larger"), [(99, (3.5, 4.5)), (101, (3.5, 4.5)), (1000, (250, 450))]
)
def test_the_tickets_gradient_vanishes_on_no_other_grid(points, larger):
    ratio = loss_and_gradient_norm(points)[1] / loss_and_gradient_norm(100)[1]
    assert larger[0] < ratio < larger[1]


def test_the_tickets_loss_over_all_x():
    nodes, weight = np.polynomial.legendre.leggauss(60)
    data = given(2 * nodes, (2 * nodes) ** 2, weight)
    np.testing.assert_allclose(losses(SILU, TICKET, data)[0], 7.0704e-6, rtol=1e-4)


@pytest.fixture(scope="module")
def pairs():
    """1000 nets of two neurons, trained by the whole protocol of the paper."""
    return ml.train(ml.Config(width=2), 1000)


def test_width_two_trains_well(pairs):
    assert (pairs.status == "ok").all()
    assert pairs.history.steps[-1] == 50_000


def test_losses_of_width_two_fall_into_four_groups_below_a_hundredth(pairs):
    """Fig. 2b. Peaks of a density of log10 loss, smoothed by 0.05, which rise ten nets a tenth of a
    decade above their valleys.
    """
    log_loss, width = np.log10(pairs.loss), 0.05
    grid = np.arange(-6.5, -2.0, 0.01)
    kernels = np.exp(-0.5 * ((grid[:, None] - log_loss) / width) ** 2) / (
        width * np.sqrt(2 * np.pi)
    )
    peaks, _ = find_peaks(0.1 * kernels.sum(axis=1), prominence=10)
    np.testing.assert_allclose(grid[peaks], [-5.12, -4.81, -3.50, -2.89], atol=0.08)


def test_one_in_five_nets_of_width_two_finds_the_ticket(pairs):
    """Two empty stretches of log10 loss set the best group apart; the paper's ticket is one of its
    typical members.
    """
    order = np.sort(np.log10(pairs.loss))
    gap = np.diff(order)
    best = int(np.flatnonzero(gap > 0.15)[0]) + 1
    assert 170 <= best <= 240
    group = 10.0 ** order[:best]
    assert group.min() > 3e-6
    assert group.max() < 9e-6
    np.testing.assert_allclose(np.median(group), loss_and_gradient_norm(100)[0], rtol=0.05)


def test_tickets_are_even_functions(pairs):
    """Eq. 3: w1 = -w2, b1 = b2, v1 = v2. All but the few members of the best group that are still
    on their way.
    """
    best = pairs.select(pairs.loss < 9e-6)
    w, b, v = best.w[:, :, 0], best.b, best.v
    even = (
        (np.abs(w.sum(axis=1)) < 1e-2 * np.abs(w).max(axis=1))
        & (np.abs(np.diff(b)[:, 0]) < 1e-2 * np.abs(b).max(axis=1))
        & (np.abs(np.diff(v)[:, 0]) < 1e-2 * np.abs(v).max(axis=1))
    )
    assert even.mean() > 0.9


@pytest.mark.parametrize(
    ("dtype", "large"), [("float32", 1e20), ("float32", 1e308), ("float64", 1e155)]
)
def test_numbers_whose_squares_overflow_are_refused_in_a_line(dtype, large):
    fine, bad = np.array([0.0, 1.0, 2.0]), np.array([large, 1.0, -large])
    for data, named in (((bad, fine), r"x\[0, 0\] = 1e"), ((fine, bad), r"y\[0\] = 1e")):
        with pytest.raises(ml.DataError, match=f"{named}.*dtype='{dtype}'.*other units"):
            ml.train(ml.Config(width=2, steps=1, dtype=dtype), 2, data=data)
    assert len(ml.train(ml.Config(width=2, steps=1, dtype=dtype), 2, data=(fine * 1e10, fine))) == 2
