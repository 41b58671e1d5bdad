"""The wide engine: one net's neurons side by side, shared by threads. Against the reference, the
lanes engine, and itself.

Bounds of rounding errors are those of test_gradients.py, entry by entry: a small multiple of eps
times the sum of absolute terms.
"""

import hashlib
import threading

import numpy as np
import pytest
from nets import SLOPE, allowed, mostly_slow, some_data, some_nets, truth, worst
from scipy.stats import ks_2samp

from minilotto import Config
from minilotto.data.dataset import frozen, sampled
from minilotto.engines import wide as engine_module
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.packing import pack_neurons, unpack_neurons
from minilotto.engines.reference import ReferenceEngine
from minilotto.engines.wide import WideEngine
from minilotto.hardware import threads
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels.neuron_parallel import tile_count
from minilotto.kernels.spec import Spec
from minilotto.settings.activations import ACTIVATIONS

WIDTHS = (1, 15, 16, 17, 100, 1000)
POINTS = (1, 9, 33)  # odd: the last is paired with a point of weight zero


def trained(config, data, start, threads=1, chunks=None):
    """The engine after `chunks`, pairs of first step and count, or after all steps of the config
    at once.
    """
    engine = WideEngine(config, data, threads)
    engine.start(start)
    for first, count in chunks or [(0, config.steps)]:
        engine.advance(first, count)
    return engine


def same(a, b):
    """Bit for bit, NaN included."""
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()


def one(parameters, i):
    return Parameters(*(array[i : i + 1] for array in parameters))


def largest_difference(a, b):
    return max(np.abs(x.astype(float) - y.astype(float)).max() for x, y in zip(a, b, strict=True))


# Gradients: a step writes its gradient before Adam takes it.
def gradients(name, nets, data, dtype):
    """(dw, db, dv, dc) of every net, shaped as (w, b, v, c)."""
    slope = {"negative_slope": SLOPE} if name == "leaky_relu" else {}
    config = Config(width=nets.w.shape[1], activation=name, dtype=dtype, steps=1, **slope)
    rows = []
    for i in range(len(nets.c)):
        engine = trained(config, data, one(nets, i))
        rows.append(unpack_neurons(engine.spec, engine.scratch.gradient, config.width))
    return Parameters(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True)))


def check_gradients(name, task, dtype):
    for width in WIDTHS:
        for points in POINTS:
            data = some_data(task, points, weighted=points == 9)
            nets = some_nets(data, 2, width)
            computed = gradients(name, nets, data, dtype)
            for gradient, parameter in zip(computed, nets, strict=True):
                assert gradient.shape == parameter.shape
                assert gradient.dtype == dtype
            ratio = worst(computed, truth(name, nets, data)[1], allowed(name, nets, data, dtype)[2])
            assert ratio <= 1, (width, points, ratio)


# Each Spec takes seconds to compile, and formulas have tests of their own: activations take turns
# with precisions and inputs.
IN_TURN = [(name, ("float32", "float64")[i % 2]) for i, name in enumerate(ACTIVATIONS)]


@pytest.mark.parametrize(
    ("name", "dtype"), mostly_slow([("silu", "float64"), *IN_TURN], quick=IN_TURN[:2])
)
def test_gradients_are_right_in_every_coordinate(name, dtype):
    check_gradients(name, "square", dtype)


SEVERAL_INPUTS = [
    ("silu", "product2", "float32"),
    ("tanh", "product3", "float64"),
    ("relu", "product3", "float32"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task", "dtype"), SEVERAL_INPUTS)
def test_gradients_of_nets_with_several_inputs(name, task, dtype):
    check_gradients(name, task, dtype)


def test_a_forgotten_neuron_point_or_weight_is_seen():
    """The comparison above can fail."""
    data = some_data("square", 9, weighted=True)
    nets = some_nets(data, 2, 17)
    computed, bounds = (
        gradients("silu", nets, data, "float32"),
        allowed("silu", nets, data, "float32")[2],
    )
    forgotten = Parameters(nets.w, nets.b, np.where(np.arange(17) == 16, 0, nets.v), nets.c)
    unweighted = frozen(data.x, data.y, np.full(9, 1 / 9))
    shorter = frozen(data.x[:-1], data.y[:-1], data.weight[:-1])
    for other_nets, other_data in ((forgotten, data), (nets, unweighted), (nets, shorter)):
        assert worst(computed, truth("silu", other_nets, other_data)[1], bounds) > 1
    for i, field in enumerate(computed):
        field.flat[0] *= 1 + 1e-4
        assert worst(computed, truth("silu", nets, data)[1], bounds) > 1, i
        field.flat[0] /= 1 + 1e-4


# Trainings.  Two engines compute the same steps with other roundings. A step rounds each parameter
# by eps at most. And an error in a gradient, eps times the sum of its absolute terms, moves a step
# by lr times that over the gradient itself: by kappa eps lr. Among thousands of coordinates some
# have a kappa near 1000. Errors add up over the steps.
def tolerance(config):
    return config.steps * np.finfo(config.dtype).eps * (1 + 1000 * config.lr)


TRAJECTORY = Config(
    width=100, points=25, steps=10, lr_decay_every=4, beta1=0.8, beta2=0.99, epsilon=1e-4
)


@pytest.mark.parametrize("width", [1, 17, 100, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ten_steps_walk_as_the_reference_and_the_lanes_do(width, dtype):
    config = TRAJECTORY.replace(width=width, dtype=dtype)
    data, start = sampled(config), initial_parameters(config, 1, np.arange(3))
    ours = trained(config, data, start).parameters()
    for other in (ReferenceEngine(config, data, 1), LaneEngine(config, data, 1)):
        other.start(start)
        other.advance(0, config.steps)
        assert largest_difference(ours, other.parameters()) < tolerance(config), other.name
    assert largest_difference(ours, start) > config.lr


@pytest.mark.parametrize(
    "change",
    [
        {"lr_decay_every": 5},
        {"lr_decay": 0.21},
        {"lr": 1.01e-2},
        {"beta1": 0.81},
        {"beta2": 0.991},
        {"epsilon": 2e-4},
        {"steps": 11},
    ],
)
def test_every_constant_of_the_protocol_moves_the_trajectory(change):
    """So that the comparison above would see one which is not taken."""
    config = TRAJECTORY.replace(dtype="float64")
    data, start = sampled(config), initial_parameters(config, 1, np.arange(2))
    ours, others = (
        trained(c, data, start).parameters() for c in (config, config.replace(**change))
    )
    assert largest_difference(ours, others) > 100 * tolerance(config)


# The same bits, whatever surrounds a seed. 60,000 units are what threads share.
SHORT = Config(width=700, points=101, steps=40, lr_decay_every=15)
SEEDS = np.arange(3)


@pytest.fixture(scope="module")
def short():
    """Three nets, trained one by one in one thread."""
    data = sampled(SHORT)
    nets = [
        trained(SHORT, data, initial_parameters(SHORT, 1, SEEDS[i : i + 1])).parameters()
        for i in range(len(SEEDS))
    ]
    return data, Parameters(*(np.concatenate(arrays) for arrays in zip(*nets, strict=True)))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("seeds", [[0], [2, 0], [0, 1, 2]])
def test_threads_and_other_seeds_change_no_bit(short, threads, seeds):
    data, nets = short
    again = trained(SHORT, data, initial_parameters(SHORT, 1, SEEDS[seeds]), threads)
    same(again.parameters(), Parameters(*(array[seeds] for array in nets)))


@pytest.mark.parametrize("threads", [1, 2])
def test_chunks_of_steps_change_no_bit(short, threads):
    data, nets = short
    cut = [(0, 1), (1, 1), (2, 20), (22, 18)]
    same(trained(SHORT, data, initial_parameters(SHORT, 1, SEEDS), threads, cut).parameters(), nets)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("vectors", [0, 1, 7, 30])
def test_what_the_cache_keeps_changes_no_bit(short, monkeypatch, threads, vectors):
    data, nets = short
    monkeypatch.setattr(engine_module, "cache_bytes", lambda: vectors * 2 * 102 * 64)
    same(trained(SHORT, data, initial_parameters(SHORT, 1, SEEDS), threads).parameters(), nets)


def test_the_faster_way_is_taken_and_the_other_one_tried_now_and_then():
    sharing, cost = engine_module.Sharing(), {True: 1.0, False: 2.0}

    def done(chunks):
        steps = {True: 0, False: 0}
        for _ in range(chunks):
            pieces = sharing.plan(320)
            assert sum(count for _, count in pieces) == 320
            for shared, count in pieces:
                sharing.record(shared, cost[shared])
                steps[shared] += count
        return steps

    assert done(100)[False] < 0.01 * 32_000
    cost[True] = 40.0  # another program wants the cores
    assert done(100)[True] < 0.02 * 32_000
    cost[True] = 1.0
    assert done(200)[False] < 0.4 * 64_000
    assert sharing.shared
    assert sharing.plan(31) == [(True, 31)]


@pytest.mark.parametrize("shared", [True, False])
def test_trials_of_the_other_way_change_no_bit(short, monkeypatch, shared):
    data, nets = short
    monkeypatch.setattr(engine_module.Sharing, "shared", shared)
    monkeypatch.setattr(engine_module.Sharing, "TRIAL", 4)
    same(
        trained(
            SHORT, data, initial_parameters(SHORT, 1, SEEDS), 2, [(0, 20), (20, 20)]
        ).parameters(),
        nets,
    )


def test_a_state_goes_on_where_it_was(short):
    data, nets = short
    begun = trained(SHORT, data, initial_parameters(SHORT, 1, SEEDS), 1, [(0, 15)])
    other = WideEngine(SHORT, data, 1)
    other.resume(begun.state())
    other.advance(15, 25)
    same(other.parameters(), nets)


def test_a_second_python_thread_and_a_busy_region_change_no_bit(short):
    data, nets = short
    results = {}

    def train(name):
        results[name] = trained(SHORT, data, initial_parameters(SHORT, 1, SEEDS), 2).parameters()

    workers = [threading.Thread(target=train, args=(i,)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with threads._region:
        train("busy")
    assert len(results) == 3
    for result in results.values():
        same(result, nets)


def test_one_of_numbas_threads_does_the_work_of_two(short, python):
    """Whatever the threading layer gives."""
    _, nets = short
    program = (
        "import hashlib, numpy as np\n"
        "from minilotto import Config\n"
        "from minilotto.data.dataset import sampled\n"
        "from minilotto.engines.wide import WideEngine\n"
        "from minilotto.initialisation import initial_parameters\n"
        f"config = Config.from_json({SHORT.to_json()!r})\n"
        "engine = WideEngine(config, sampled(config), 2)\n"
        "engine.start(initial_parameters(config, 1, np.arange(3)))\n"
        "engine.advance(0, config.steps)\n"
        "print(*(hash.hexdigest() for hash in (hashlib.sha256(a.tobytes()) for a in "
        "engine.parameters())))\n"
    )
    expected = [hashlib.sha256(array.tobytes()).hexdigest() for array in nets]
    for changes in ({"NUMBA_NUM_THREADS": "1"}, {"NUMBA_THREADING_LAYER": "workqueue"}):
        child = python("-c", program, **changes)
        assert child.out.split() == expected, child.err


# What goes wrong in one net stays there.
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["w", "b", "v", "c"])
def test_a_number_that_is_none_stays_in_its_net(short, field, bad):
    data, nets = short
    start = initial_parameters(SHORT, 1, SEEDS)
    getattr(start, field)[1] = bad
    result = trained(SHORT, data, start, 1).parameters()
    for ours, clean in zip(result, nets, strict=True):
        assert ours[[0, 2]].tobytes() == clean[[0, 2]].tobytes()
    assert not any(np.isfinite(array[1]).any() for array in result)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), IN_TURN)
def test_dead_neurons_stay_dead(name, dtype):
    """Neurons that fill the last vector are zero after training too, also where sigma(0) is not."""
    config = Config(width=17, activation=name, dtype=dtype, steps=30, points=20)
    engine = trained(config, sampled(config), initial_parameters(config, 1, SEEDS))
    padded = (engine.nets.theta.shape[1] - engine.spec.lanes) // 3
    rows = engine.nets.theta[:, : 3 * padded].reshape(3, 3, padded)
    assert (rows[:, :, 17:] == 0).all()
    assert (rows[:, :, :17] != 0).all()


def test_pack_and_unpack_are_inverse():
    rng, spec = np.random.default_rng(0), Spec("silu", "float32", 16, 3)
    nets = Parameters(
        *(rng.random(shape).astype("f4") for shape in ((2, 17, 3), (2, 17), (2, 17), (2,)))
    )
    same(unpack_neurons(spec, pack_neurons(spec, nets), 17), nets)


def test_tiles_are_a_power_of_two_of_sixteen_to_thirty_one_vectors():
    assert [tile_count(vectors) for vectors in (1, 15, 16, 31, 32, 63, 64, 625, 6250)] == [
        1,
        1,
        1,
        1,
        2,
        2,
        4,
        32,
        256,
    ]


# Long runs part by rounding: compare what they end with. Deterministic seeds: the test can fail by
# chance in one history of this code in a thousand, for that is the level of its p-value, and never
# between two runs of the same code.
def test_final_losses_are_distributed_as_those_of_the_lanes():
    config = Config(width=64, steps=1500, lr_decay_every=300, points=40)
    data = sampled(config)
    ours, lanes = WideEngine(config, data, 2), LaneEngine(config, data, 2)
    for engine, seeds in ((ours, np.arange(60)), (lanes, np.arange(60, 120))):
        engine.start(initial_parameters(config, 1, seeds))
        engine.advance(0, config.steps)
    a, b = np.log10(ours.losses(final=True)), np.log10(lanes.losses(final=True))
    assert ks_2samp(a, b).pvalue > 1e-3
    assert ks_2samp(a + 1.0, b).pvalue < 1e-3  # so many seeds would see losses ten times larger
