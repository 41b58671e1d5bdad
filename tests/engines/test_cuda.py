"""The GPU's engine: on hardware where there is some, else on Numba's simulator in a child process;
and compiled, GPU or not.

Tests on `device` run where NUMBA_ENABLE_CUDASIM=1 or a GPU is there. Without either, one test runs
them all on the simulator.
"""

import importlib
import importlib.util
import json
import re
import sys
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilotto as ml
from bench import machine_code
from minilotto.cli import commands
from minilotto.data.dataset import given as given_data
from minilotto.data.dataset import sampled
from minilotto.engines import choice
from minilotto.engines import cuda as engine_module
from minilotto.engines.check import sums_of_absolute_terms
from minilotto.engines.compressed import NODE_LEVELS, CompressedEngine
from minilotto.engines.cuda import CudaEngine
from minilotto.engines.differences import scales
from minilotto.engines.evaluate import gradients, losses
from minilotto.engines.reference import ReferenceEngine
from minilotto.engines.request import requested
from minilotto.engines.state import State
from minilotto.errors import ConfigError, MissingExtraError, ResourceError
from minilotto.hardware import gpu
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels.compile import sources_digest
from minilotto.kernels.formulas import FORMULAS
from minilotto.kernels.gpu.partition import (
    BLOCK_WARPS,
    MOST_REGISTERS,
    REGISTER_FILE,
    WARP,
    WORDS,
    Evaluation,
    Gathering,
    Kind,
    Partition,
    limits,
    partition_for,
    registers,
    split_for,
)
from minilotto.kernels.gpu.simulated import uncompiled
from minilotto.kernels.random import MULTIPLIERS
from minilotto.kernels.updates import UPDATES
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import ACTIVATIONS

SIMULATED = gpu.simulated()
EPSILON = {dtype: float(np.finfo(dtype).eps) for dtype in ("float32", "float64")}


@pytest.fixture(scope="module")
def device():
    """A GPU, or the simulator."""
    if not SIMULATED and not gpu.there_is_a_gpu():
        pytest.skip(f"needs a GPU: {gpu.about_the_gpu()}")
    before = sys.getswitchinterval()
    with pytest.MonkeyPatch.context() as patch:
        if SIMULATED:
            from numba.cuda.simulator.kernelapi import FakeCUDAShared

            sys.setswitchinterval(1e-5)  # the simulator spins while its threads want to run
            patch.setattr(FakeCUDAShared, "array", _shared_array)
        yield
    sys.setswitchinterval(before)


def _shared_array(shared, shape, dtype):
    """The simulator's shared arrays, one for each line that asks: its own way now and then gives
    two threads two arrays.
    """
    dtype = np.dtype(str(dtype))
    if shape == 0:
        return np.frombuffer(
            shared._dynshared.data, dtype=dtype, count=shared._dynshared_size // dtype.itemsize
        )
    frame = sys._getframe(1)
    return shared._allocations.setdefault(
        (frame.f_code.co_filename, frame.f_lineno), np.empty(shape, dtype)
    )


on_device = pytest.mark.usefixtures("device")


class Case:
    """A small net for each way in which threads can share one."""

    def __init__(
        self, config: ml.Config, inputs: int = 1, partition: Partition | None = None, nets: int = 3
    ) -> None:
        self.config, self.partition = config, partition
        if inputs == 1:
            self.data = sampled(config)
        else:
            random = np.random.default_rng(11)
            self.data = given_data(
                random.uniform(-1, 1, (config.points, inputs)), random.normal(size=config.points)
            )
        self.inputs = inputs
        self.parameters = initial_parameters(config, inputs, np.arange(nets))

    def trained(
        self, steps: int, *cuts: int, parameters: Parameters | None = None, **options
    ) -> State:
        """The state after so many steps, launched in pieces that end at `cuts`."""
        engine = CudaEngine(self.config, self.data, partition=self.partition, **options)
        engine.start(parameters or self.parameters)
        reached = 0
        for stop in (*cuts, steps):
            engine.advance(reached, stop - reached)
            reached = stop
        return engine.state()


def config(**changes) -> ml.Config:
    return ml.Config(
        **{"width": 3, "steps": 10, "sampling": "uniform", "points": 7, "init": "normal", **changes}
    )


HALVES = ml.Task("halves", "1 for x > 0.2", "", lambda x: 1.0 * (x[:, 0] > 0.2), ((-1, 2),) * 3)

CASES = {
    "thread": Case(config()),
    "thread, float64": Case(config(width=2, dtype="float64", activation="gelu")),
    "slots": Case(config(width=6, dtype="float64", activation="tanh", points=5)),
    "splits": Case(
        config(width=1, points=50, activation="softplus"),
        partition=Partition(slots=1, neurons=1, batch=7, leaves=8, splits=4),
        nets=2,
    ),
    "slots and splits": Case(
        config(width=5, points=11),
        partition=Partition(slots=2, neurons=3, batch=2, leaves=4, splits=2),
    ),
    "inputs": Case(
        config(width=4, points=6, activation="leaky_relu", negative_slope=0.1), inputs=3
    ),
    "block": Case(
        config(width=5, points=3), partition=Partition(slots=2 * WARP, neurons=1, batch=2), nets=1
    ),
    "streamed": Case(config(width=2, points=3, activation="sigmoid"), inputs=60, nets=1),
    "streamed, float64": Case(
        config(width=33, points=3, dtype="float64"),
        partition=Partition(WARP, neurons=0, batch=2, streamed=True),
        nets=1,
    ),
}
QUICK = ("thread", "slots", "slots and splits")
STREAMED = ("momentum", "streamed, float64")
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
quick_case = pytest.mark.parametrize("case", [CASES[name] for name in QUICK], ids=QUICK)


def same(ours: State, theirs: State) -> bool:
    """Whether all bits are equal."""
    pairs = [
        (a, b)
        for one, other in zip(ours, theirs, strict=True)
        for a, b in zip(one, other, strict=True)
    ]
    return all(a.tobytes() == b.tobytes() for a, b in pairs)


@on_device
@every_case
def test_the_gradient_is_the_reference_s_in_every_coordinate(case):
    """After one step with beta1 = 0 Adam's first moment is the gradient. Errors are counted as
    `minilotto check` counts them.
    """
    first_moment = (
        Case(case.config.replace(beta1=0.0), case.inputs, case.partition, len(case.parameters.c))
        .trained(1)
        .m
    )
    exact = [array.astype(np.float64) for array in case.parameters]
    data, slope = case.data, case.config.negative_slope
    loss, expected = numpy_reference.loss_and_gradient(
        case.config.activation, *exact, data.x, data.y, data.weight, negative_slope=slope
    )
    for ours, theirs, scale in zip(
        first_moment,
        expected,
        sums_of_absolute_terms(case.config.activation, case.parameters, data, "squared"),
        strict=True,
    ):
        assert np.all(np.abs(ours - theirs) <= 4 * EPSILON[case.config.dtype] * scale)
        assert np.all(ours != 0)
    engine = CudaEngine(case.config, data, partition=case.partition)
    engine.start(case.parameters)
    rounding = 100 * EPSILON[case.config.dtype]  # of the parameters, in float32
    np.testing.assert_allclose(engine.losses(final=False), loss, rtol=rounding)


@on_device
@every_case
def test_steps_are_the_reference_s(case):
    """Ten where the simulator is quick. A step is at most lr; rounding moves it by some epsilon of
    that, more where Adam divides small gradients by their own size, hence the factor of 100 over lr
    * epsilon."""
    steps = 10 if case in [CASES[name] for name in QUICK] else 2
    trained = case.trained(steps).parameters
    engine = ReferenceEngine(case.config.replace(dtype="float64"), case.data)
    engine.start(Parameters(*(array.astype(np.float64) for array in case.parameters)))
    engine.advance(0, steps)
    for ours, theirs, before in zip(trained, engine.parameters(), case.parameters, strict=True):
        bound = 2 * EPSILON[case.config.dtype] * (np.abs(theirs) + 100 * steps * case.config.lr)
        assert np.all(np.abs(ours - theirs) <= bound)
        assert np.median(np.abs(ours - before)) > 1e3 * np.median(bound)


@on_device
@pytest.mark.parametrize(("optimizer", "like"), [*zip(UPDATES, repeat("thread")), STREAMED])
def test_every_optimiser_steps_as_the_reference(optimizer, like):
    fields = {"momentum": 0.5} if "momentum" in ml.OPTIMIZERS[optimizer].fields else {}
    case = Case(
        config(width=3, points=4, dtype="float64", optimizer=optimizer, **fields),
        partition=CASES[like].partition,
        nets=2,
    )
    trained = case.trained(3).parameters
    engine = ReferenceEngine(case.config, case.data)
    engine.start(case.parameters)
    engine.advance(0, 3)
    for ours, theirs in zip(trained, engine.parameters(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)


SHARED = Partition(slots=2, neurons=3, batch=3, leaves=2, splits=2)
FRESH = {"width": 2, "batch": 5, "sampling": "population", "points": 100}
ON_BATCHES = {
    "shared": ({"width": 5, "batch": 10, "optimizer": "momentum"}, SHARED, 1),
    "float32": ({"width": 2, "batch": 5, "dtype": "float32"}, None, 1),
    "logistic, many rows": ({"width": 2, "batch": 5, "points": 300, "loss": "logistic"}, None, 1),
    "weighted, two inputs": ({"width": 3, "batch": 9, "optimizer": "gd"}, None, 2),
    "streamed": ({"width": 33, "batch": 3, "root_seed": 2**63}, CASES["streamed, float64"], 1),
    "block": ({"width": 5, "batch": 3, "optimizer": "adamw"}, CASES["block"], 1),
    "fresh": ({**FRESH, "width": 5, "batch": 10}, SHARED, 1),
    "fresh, float32, relu": ({**FRESH, "dtype": "float32", "activation": "relu"}, None, 1),
    "fresh, logistic, three inputs": ({**FRESH, "loss": "logistic"}, None, 3),
    "fresh, streamed": ({**FRESH, "width": 33, "task": "sin"}, CASES["streamed, float64"], 1),
    "fresh, block": ({**FRESH, "width": 5}, CASES["block"], 1),
}


@on_device
@pytest.mark.parametrize("name", ON_BATCHES)
def test_batches_are_those_of_the_reference(name, monkeypatch):
    fields, like, inputs = ON_BATCHES[name]
    settings = config(**{"dtype": "float64", "lr": 1e-2, **fields})
    random = np.random.default_rng(5)
    x = random.uniform(-1, 1, (settings.points, inputs))
    weight = random.random(settings.points) + 0.1 if inputs > 1 else None
    data = given_data(x, (x[:, 0] > 0.2).astype(float), weight)
    if settings.sampling == "population":
        data = sampled(settings, HALVES if inputs > 1 else None)
        monkeypatch.setattr(engine_module, "FRESH", 100)  # numbers, so that steps are cut
    seeds = np.array([3, 2**40 + 1])
    found = []
    for kind, options in (
        (CudaEngine, {"partition": getattr(like, "partition", like)}),
        (ReferenceEngine, {}),
    ):
        engine = kind(settings, data, **options)
        engine.seeds = seeds
        engine.start(initial_parameters(settings, inputs, seeds))
        engine.advance(0, 2)
        engine.resume(engine.state())
        engine.advance(2, 1)
        found.append((*engine.parameters(), engine.losses(final=True)))
    tolerance = {"rtol": 1e-11, "atol": 1e-13} if settings.dtype == "float64" else {"atol": 1e-5}
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, **tolerance)


@on_device
def test_fresh_points_of_a_seed_depend_on_itself_alone(monkeypatch):
    settings, found = config(**FRESH), []
    for seeds, cut, numbers in (((7, 2**33, 1), 3, 10**6), ((2**33,), 2, 1)):
        monkeypatch.setattr(engine_module, "FRESH", numbers)
        engine = CudaEngine(settings, sampled(settings), threads=2)
        engine.seeds = np.array(seeds)
        engine.start(initial_parameters(settings, 1, engine.seeds))
        engine.advance(0, cut)
        engine.advance(cut, 5 - cut)
        found.append(engine.state().rows(np.array([seeds.index(2**33)])))
    assert same(*found)


@on_device
@quick_case
def test_a_seed_does_not_depend_on_its_neighbours_nor_on_blocks_nor_on_chunks(case):
    whole = case.trained(3)
    unit = (
        case.partition.threads
        if case.partition
        else partition_for(case.config.width, 1, case.data.points, case.config.dtype).threads
    )
    others = [2 * unit, 4 * unit] if SIMULATED else [WARP, 8 * WARP]
    assert all(same(case.trained(3, block=block), whole) for block in others)
    assert same(case.trained(3, 1, 2), whole)
    alone = case.trained(3, parameters=Parameters(*(array[1:2] for array in case.parameters)))
    assert same(alone, State(*(Parameters(*(array[1:2] for array in part)) for part in whole)))


@on_device
def test_the_number_of_splits_changes_no_bit():
    partition = Partition(slots=2, neurons=2, batch=2, leaves=4)
    cases = (
        Case(config(width=3, points=11), partition=replace(partition, splits=splits), nets=2)
        for splits in (1, 2, 4)
    )
    one, two, four = (case.trained(3) for case in cases)
    assert same(one, two)
    assert same(one, four)


@on_device
@quick_case
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the simulator's arithmetic
def test_a_nan_stays_in_its_own_seed(case):
    ill = Parameters(*(array.copy() for array in case.parameters))
    ill.w[1, 0] = np.nan
    ours, well = case.trained(3, parameters=ill), case.trained(3)
    assert np.isnan(ours.parameters.c[1])
    for part, expected in zip(ours, well, strict=True):
        for array, healthy in zip(part, expected, strict=True):
            assert array[[0, 2]].tobytes() == healthy[[0, 2]].tobytes()


@on_device
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nets_of_other_engines_are_taken_on_the_gpu(dtype):
    settings = config(width=3, dtype=dtype, points=5)
    one, other = (CudaEngine(settings, sampled(settings)) for _ in range(2))
    one.start(initial_parameters(settings, 1, np.arange(4)))
    one.advance(0, 2)
    before, kept = one.state(), one.snapshot()
    one.advance(2, 1)
    first, none, last = np.array([3, 0]), np.array([], np.intp), np.array([1])
    expected = [before.rows(first), one.state().rows(last)]
    other.take([(kept, first), (kept, none), (one, last)])
    for part, *parts in zip(other.state(), *expected, strict=True):
        for array, *rows in zip(part, *parts, strict=True):
            assert array.tobytes() == np.concatenate(rows).tobytes()


@on_device
@pytest.mark.parametrize("engine", ["auto", "compressed"])
def test_train_takes_the_gpu_when_asked(engine, monkeypatch):
    monkeypatch.setitem(NODE_LEVELS[1], "float32", (2, 6))  # too few for some
    small = config(width=2, steps=4, points=9)
    ours, theirs = (
        ml.train(small, 3, backend=backend, engine=engine, checkpoints=[0, 2])
        for backend in ("cuda", "cpu")
    )
    assert ours.engine == ("cuda" if engine == "auto" else "cuda, compressed")
    if engine == "compressed":
        assert ours.nodes.tolist() == theirs.nodes.tolist() == [9, 9, 6]
    # The same initial nets, losses in float64.
    np.testing.assert_allclose(ours.history.loss[0], theirs.history.loss[0], rtol=1e-14)
    np.testing.assert_allclose(ours.history.loss, theirs.history.loss, rtol=1e-5)
    copies = ours.to_device()
    assert all(
        copy.copy_to_host().tobytes() == array.tobytes()
        for copy, array in zip(copies, ours.parameters, strict=True)
    )


FULL = "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"


@on_device
@pytest.mark.parametrize("calls", [2, 8])
def test_memory_that_another_program_takes_on_the_way_is_one_line(calls, monkeypatch, capsys):
    from numba.cuda.cudadrv.driver import CudaAPIError

    real, done = numba.cuda.to_device, []

    def taken(*arguments, **named):
        done.append(arguments)
        if len(done) > calls:
            raise CudaAPIError(2, FULL)
        return real(*arguments, **named)

    monkeypatch.setattr(numba.cuda, "to_device", taken)
    with pytest.raises(ResourceError, match=rf"cannot go on \(.*{FULL}.*\); .*backend='cpu'"):
        ml.train(config(width=2, steps=4, points=9), 3, backend="cuda")
    done.clear()
    words = "train --width 2 --steps 4 --points 9 --seeds 3 --backend cuda --quiet"
    assert commands.main(words.split()) == 1
    err = capsys.readouterr().err
    assert err.startswith("ResourceError: the GPU cannot go on")
    assert err.count("\n") == 1


@on_device
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the simulator's arithmetic
def test_losses_and_audits_are_the_cpu_s(dtype):
    """On two nodes, where nets differ most in a w, b, v, c and the loss, one after the other."""
    settings = config(points=40, dtype=dtype)
    compressed = CompressedEngine(settings, sampled(settings), 1, CudaEngine, nodes=2)
    rule, data = compressed._rule(2), compressed.audited
    nets = initial_parameters(settings, 1, np.array([0, 2, 6, 45, 4, 1]))
    exact = Parameters(*(array.astype(dtype).astype(float) for array in nets))
    sigma = compressed.activation
    units, unit = scales(exact, data)
    slopes = zip(*(gradients(sigma, exact, points) for points in (rule, data)), units, strict=True)
    found = [(abs(a - b) / size).reshape(6, -1).max(axis=1) for a, b, size in slopes if a.size]
    found.append(
        abs(np.subtract(*(losses(sigma, exact, points) for points in (rule, data)))) / unit
    )
    assert np.argmax(found, axis=0)[:5].tolist() == [0, 1, 2, 3, 4]
    nets.w[5, 0] = np.nan
    compressed.start(nets)
    engine = compressed.groups[0].engine
    ours, on_data = engine.differences(data), engine.losses_on(data)
    np.testing.assert_allclose(ours[:5], np.max(found, axis=0)[:5], rtol=1e-13)
    np.testing.assert_allclose(on_data, losses(sigma, engine.parameters(), data), rtol=1e-14)
    engine.start(Parameters(*(array[1:2] for array in nets)))
    assert engine.differences(data).tobytes() == ours[1:2].tobytes()
    assert engine.losses_on(data).tobytes() == on_data[1:2].tobytes()
    engine.start(nets)
    compressed.audit(0)  # which has the host look at what is not finite
    assert compressed.worst.tobytes() == np.append(ours[:5], 0.0).tobytes()


@pytest.mark.gpu
@pytest.mark.skipif(SIMULATED or not gpu.there_is_a_gpu(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 2, 20, 50, 300, 3000])
def test_on_hardware_a_short_training_ends_like_the_cpu_s(name, dtype, width):
    """The CPU's lanes and the reference differ by up to 7e-5 in float32 and 1e-14 in float64 after
    these 30 steps.
    """
    settings = ml.Config(width=width, activation=name, dtype=dtype, steps=30 if width < 1000 else 3)
    ours, theirs = (
        ml.train(settings, seeds=70, backend=backend, compress=False) for backend in ("cuda", "cpu")
    )
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-3 if dtype == "float32" else 1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(SIMULATED or not gpu.there_is_a_gpu(), reason="needs an NVIDIA GPU")
def test_on_hardware_losses_of_long_trainings_have_the_cpu_s_distribution():
    from scipy.stats import ks_2samp

    settings = ml.Config(width=2, steps=20_000)
    ours, theirs = (ml.train(settings, seeds=2000, backend=backend) for backend in ("cuda", "cpu"))
    assert ks_2samp(ours.loss, theirs.loss).pvalue > 1e-3


def no_simulator() -> str:
    """Why Numba's simulator cannot be used, or an empty text."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "" if importlib.util.find_spec("numba.cuda") else "Numba has no simulator here"
    try:
        gpu.numba_cuda()
    except MissingExtraError as error:
        return str(error)
    return ""


needs_numba_s_simulator = pytest.mark.skipif(bool(no_simulator()), reason=no_simulator())


@pytest.mark.slow
@needs_numba_s_simulator
@pytest.mark.skipif(
    SIMULATED or gpu.there_is_a_gpu(), reason="the tests that it runs have run already"
)
def test_all_this_holds_on_the_simulator(python):
    ended = python(
        *(
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            str(Path(__file__).resolve()),
            "-k",
            "not on_the_simulator and not compile",
        ),
        NUMBA_ENABLE_CUDASIM="1",
    )
    assert ended.status == 0, ended.out[-3000:]
    passed = len(CASES) * 2 + len(UPDATES) + 1 + len(ON_BATCHES) + len(QUICK) * 2 + 10 + ALWAYS
    assert f"{passed} passed" in ended.out, ended.out[-500:]


BENCH = (
    "import sys; sys.setswitchinterval(1e-5); from bench.cuda import main; "
    "from bench.command import run_command; sys.exit(run_command(main, 'bench.cuda'))"
)


@needs_numba_s_simulator
def test_the_bench_runs_on_the_simulator(python, tmp_path):
    sections = "errors,ceiling,instructions,million"
    files = "--out=rows.json", "--roofline=roof.png"
    ended = python("-c", BENCH, sections, "--tiny", *files, NUMBA_ENABLE_CUDASIM="1")
    assert ended.status == 1, ended.err  # since one that was named is left out:
    found = json.loads((tmp_path / "rows.json").read_text())
    rows = found["rows"]
    assert set(rows) == {*sections.split(",")}
    assert set(found["left_out"]) == {"instructions"}  # there are none to count
    assert all(row["met"] for row in rows["errors"])
    assert (tmp_path / "roof.png").read_bytes()[1:4] == b"PNG"
    for wrong in (["nothing"], ["errors", "--roofline=other.png"]):
        assert python("-c", BENCH, *wrong, NUMBA_ENABLE_CUDASIM="1").status == 2


# What needs no GPU and no simulator.


@given(
    width=st.integers(1, 20_000),
    inputs=st.integers(1, 30),
    points=st.integers(1, 5000),
    dtype=st.sampled_from(list(WORDS)),
)
def test_a_partition_covers_its_net_and_fits_its_registers(width, inputs, points, dtype):
    partition = partition_for(width, inputs, points, dtype)
    assert partition.threads <= WARP * BLOCK_WARPS
    assert registers(partition, inputs, dtype) * partition.threads <= REGISTER_FILE
    if partition.streamed:
        assert partition.threads % WARP == 0
        return
    assert width <= partition.slots * partition.neurons < width + partition.slots
    assert partition.padded(points) % (partition.leaves * partition.batch) == 0
    assert points <= partition.padded(points)
    for nets in (1, 1000, 10**6):
        split = split_for(partition, inputs, points, dtype, nets, processors=132)
        assert replace(split, splits=partition.splits) == partition  # of equal bits
        assert split.leaves % split.splits == 0
        assert WARP % split.threads == 0 or (split.threads % WARP == 0 and split.leaves == 1)
        assert 0 < registers(split, inputs, dtype) <= MOST_REGISTERS


def test_a_partition_divides_what_can_be_divided():
    """In float32, those that were fastest on an H200, or others without padding, and for the nodes
    of the paper's widths."""
    chosen = {width: partition_for(width, 1, 100, "float32") for width in (1, 2, 4, 10, 20, 40, 50)}
    assert {width: (one.slots, one.neurons) for width, one in chosen.items()} == {
        1: (1, 1),
        2: (1, 2),
        4: (1, 4),
        10: (2, 5),
        20: (4, 5),
        40: (8, 5),
        50: (8, 7),
    }
    assert all(100 % one.batch == 0 for one in chosen.values())
    for nodes in (16, 24, 32, 48, 64):
        for width in (1, 2, 3, 4, 10, 20, 30, 40):
            partition = partition_for(width, 1, nodes, "float32")
            assert nodes % partition.batch == 0
            assert partition.slots * partition.neurons <= 1.07 * width
    few, many = (split_for(chosen[20], 1, 100, "float32", nets, 132) for nets in (100, 10**5))
    assert (few.splits, many.splits) == (4, 2)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_formulas_without_a_compiler_are_the_reference_s(name, dtype):
    formula, real = FORMULAS[name], np.dtype(dtype).type
    z = np.linspace(-9.0, 9.0, 301)
    value, slope = numpy_reference.activation(name, z)
    pairs = [uncompiled(formula.evaluate)(real(point / formula.input_unit), 0.01) for point in z]
    assert {type(number) for pair in pairs for number in pair} == {real}
    bound = 8 * EPSILON[dtype] * (1 + np.abs(z))
    assert np.all(
        np.abs(np.array([pair[0] for pair in pairs]) * formula.output_unit - value) < bound
    )
    assert np.all(np.abs(np.array([pair[1] for pair in pairs]) - slope) < bound)


H100 = gpu.Gpu("NVIDIA H100 80GB HBM3", (9, 0), 132, 85 * 10**9)


@pytest.fixture
def pretended(monkeypatch):
    monkeypatch.setattr(choice, "the_gpu", lambda: H100)
    monkeypatch.setattr(choice, "there_is_a_gpu", lambda: True)


def chosen(
    settings: ml.Config, backend: str, engine: str = "auto", compress: bool | int = True
) -> tuple[str, str]:
    candidate, reason = choice.choose(
        settings, sampled(settings), requested(backend, engine, compress)
    )
    return candidate.name, reason


def test_auto_takes_a_gpu_where_one_is_there_and_the_config_is_worth_it(pretended, monkeypatch):
    large, small = ml.Config(width=50), ml.Config(width=50, steps=10)
    assert chosen(large, "auto")[1].endswith("on NVIDIA H100 80GB HBM3")
    assert "H100" not in chosen(small, "auto")[1]
    assert "H100" not in chosen(large, "cpu")[1]
    assert chosen(large, "auto", engine="lanes") == ("lanes", "asked for")
    assert chosen(large, "cuda")[0] == "cuda"  # of few points, and nodes were slower
    assert chosen(large.replace(points=500), "cuda")[0] == "compressed"
    assert chosen(large, "cuda", compress=24) == (
        "compressed",
        "asked for 24 nodes, on NVIDIA H100 80GB HBM3",
    )
    exact = ml.Config(width=50, activation="relu", dtype="float64", sampling="population")
    assert chosen(exact, "auto")[0] == "exact"
    monkeypatch.setattr(choice, "there_is_a_gpu", lambda: False)
    assert "H100" not in chosen(large, "auto")[1]


def test_what_the_gpu_cannot_do_is_refused_by_name(pretended):
    kinked = ml.Config(activation="relu", sampling="population")
    with pytest.raises(ConfigError, match=r"population.*relu on a GPU"):
        chosen(kinked, "cuda")
    assert chosen(kinked.replace(batch=10), "cuda")[0] == "cuda"
    with pytest.raises(
        ConfigError,
        match="engine='wide' is none of a GPU's; backend='cuda' takes engine='auto' or "
        "'compressed'",
    ):
        chosen(ml.Config(), "cuda", engine="wide")


@pytest.mark.skipif(SIMULATED or gpu.there_is_a_gpu(), reason="there is one")
def test_without_a_gpu_one_line_says_why(monkeypatch):
    monkeypatch.setattr(gpu, "DEVICES", (Path(__file__),))  # a sign of one, so that more is asked
    gpu.the_gpu.cache_clear()
    assert not gpu.there_is_a_gpu()
    about = gpu.about_the_gpu()
    assert about.startswith("none: ")
    assert "\n" not in about
    with pytest.raises((MissingExtraError, ResourceError)):
        ml.train(ml.Config(steps=1), seeds=1, backend="cuda")
    monkeypatch.setitem(sys.modules, "numba_cuda", None)
    with pytest.raises(MissingExtraError, match=r'pip install -e "\.\[cuda\]"'):
        gpu.the_gpu()


@pytest.mark.skipif(SIMULATED, reason="numba-cuda is stood in for")
@pytest.mark.parametrize("name", ["CudaAPIError", "CUDAError"])
def test_what_the_driver_reports_is_no_fault_of_the_package(name, monkeypatch):
    """Also where a kernel is loaded, and the package's own errors would be of its version."""
    monkeypatch.setitem(sys.modules, "numba_cuda", SimpleNamespace(__version__="0.30.4"))
    with pytest.raises(ResourceError, match=FULL), gpu.working():
        raise type(name, (Exception,), {})(FULL)
    with pytest.raises(MissingExtraError, match="no such function"), gpu.working():
        raise AttributeError("no such function")


def test_a_net_that_does_not_fit_is_foreseen(monkeypatch):
    monkeypatch.setattr("minilotto.engines.cuda.free_memory", lambda: 1000)
    engine = CudaEngine.__new__(CudaEngine)
    engine.config, engine.data = ml.Config(width=100), SimpleNamespace(inputs=1, points=100)
    engine.sizes = (1, 100, "float32")
    engine.partition, engine.points = (
        partition_for(100, 1, 100, "float32"),
        np.zeros(300, np.float32),
    )
    with pytest.raises(
        ResourceError,
        match=r"width 100 on 100 points needs 4\.81 kB of the GPU's memory and 1 kB is free",
    ):
        engine.nets_per_batch()


ALWAYS = 5  # of the tests above, those that the child runs too


# Compiled for an H100, with or without one. numba-cuda asks for the current device; a stand-in
# answers.


@pytest.fixture
def compiler(monkeypatch):
    if SIMULATED:
        pytest.skip("the simulator compiles nothing")
    if importlib.util.find_spec("numba_cuda") is None or no_simulator():
        pytest.skip(no_simulator() or "numba-cuda is not installed")
    from numba.cuda.cudadrv import nvvm

    if not nvvm.is_available():
        pytest.skip("NVVM is not installed")
    monkeypatch.setattr(
        "numba.cuda.dispatcher.get_current_device",
        lambda: SimpleNamespace(compute_capability=(9, 0)),
    )
    pytest.importorskip("cuda.bindings.nvjitlink", reason="nvJitLink is not installed")
    importlib.import_module("minilotto.kernels.gpu.train")  # puts GPUs' instructions into formulas


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_compiles_without_what_is_too_coarse(compiler, name, dtype):
    from numba import cuda

    evaluate, real = FORMULAS[name].evaluate, getattr(numba.types, dtype)

    def both(t, values, slopes):
        values[0], slopes[0] = evaluate(t, 0.01)

    text, _ = cuda.compile_ptx(both, (real, real[::1], real[::1]), cc=(9, 0))
    assert ".target sm_90" in text
    approximate = {line.split()[0] for line in text.splitlines() if ".approx" in line}
    expected = set()
    if dtype == "float32" and name not in ("relu", "leaky_relu"):
        # tanh needs both parts of 2^t, as its own power of two gives them.
        expected = {"rcp.approx.ftz.f32"} | ({"ex2.approx.ftz.f32"} if name != "tanh" else set())
    assert approximate == expected
    assert "div.full" not in text


@pytest.mark.parametrize(
    ("width", "points", "activation", "dtype", "inputs", "loss", "batched"),
    [
        (20, 100, "silu", "float32", 1, "squared", False),
        (50, 48, "gelu", "float64", 1, "squared", False),
        (600, 16, "tanh", "float32", 1, "logistic", True),
        (10, 100, "leaky_relu", "float32", 5, "logistic", False),
        (20, 10, "gelu", "float32", 2, "logistic", True),
        (4000, 100, "softplus", "float32", 1, "squared", True),
    ],
)
def test_every_kind_of_partition_compiles_into_registers(
    compiler, width, points, activation, dtype, inputs, loss, batched
):
    partition = partition_for(width, inputs, points, dtype)
    whole = partition.slots * partition.neurons == width
    staged = inputs < 5  # points of one step and all nets; or for each its own, perhaps
    rule = (partition, staged, "adam", loss, batched, whole)
    kind = Kind(activation, dtype, inputs, *rule)
    check_kept(kind)
    text = machine_code.ptx_of(kind)
    assert "__local_depot" not in text
    assert ("sqrt.approx.ftz.f32" in text) == (dtype == "float32")
    assert ("shfl.sync.bfly" in text) == (partition.threads > 1)
    assert ("bar.sync" in text) or partition.threads <= WARP
    assert (str(MULTIPLIERS[0]) in text) == batched
    needs = machine_code.machine_code_of(kind)
    assert needs.local == 0
    assert needs.registers <= limits(kind)[-1]
    if (width, points) == (20, 100):
        assert needs.a_unit(kind, width, points) < 15  # 26.8 with padding, 13 for arithmetic alone


def check_kept(kind: Kind | Evaluation) -> None:
    """What the kernel is kept under on disk."""
    from numba.cuda.serialize import dumps

    from minilotto.kernels.gpu.compiled import function_of

    function, _ = function_of(kind, 99)
    cells = [cell.cell_contents for cell in function.__closure__]
    kept_under = dict(zip(function.__code__.co_freevars, cells, strict=True))["KEY"]
    assert kept_under == (int(sources_digest(), 16), 99)  # so that no kernel on disk is stale
    assert b"_Intrinsic" not in dumps(cells)  # which another process would not find


def test_kernels_of_processes_that_compile_at_once_are_in_files_of_their_own(compiler, monkeypatch):
    from numba.cuda.dispatcher import CUDACache

    from minilotto.kernels.gpu import compiled

    kinds = [
        *(Gathering(dtype) for dtype in ("float32", "float64")),
        *(Evaluation(name, "float32", 1, "squared", audit=True) for name in ("silu", "tanh")),
    ]
    found = []
    monkeypatch.setattr(
        compiled.cuda, "jit", lambda *_, **__: lambda function: CUDACache(function)._cache_file
    )
    for capability in ((9, 0), (9, 0), (8, 0)):
        device = SimpleNamespace(compute_capability=capability)
        monkeypatch.setattr(compiled.cuda, "get_current_device", lambda device=device: device)
        found.append({compiled._kernel(kind, 99)._index_path for kind in kinds})
    again, others = found[1:]
    assert found[0] == again
    assert len(again | others) == 2 * len(kinds)


@pytest.mark.parametrize(
    "kind",
    [
        Evaluation("silu", "float32", 1, "squared", audit=True),
        Evaluation("gelu", "float64", 2, "squared", audit=True),
        Evaluation("softplus", "float32", 300, "logistic", audit=False),
    ],
)
def test_evaluations_compile_into_registers_and_into_float64_alone(compiler, kind):
    check_kept(kind)
    text = machine_code.ptx_of(kind)
    assert "__local_depot" not in text
    assert not re.search(r"(fma|add|mul|div)\S*\.f32", text)
    assert ".approx" not in text
    assert "fma.rn.f64" in text
    needs = machine_code.machine_code_of(kind)
    assert needs.local == needs.aside == 0


def test_copies_of_rows_compile_into_registers(compiler):
    assert "__local_depot" not in machine_code.ptx_of(Gathering("float32"))


def test_compiling_for_a_gpu_leaves_the_cpu_s_scalars_alone(compiler):
    """Before and after: Numba keeps the building blocks of both targets side by side."""
    from numba import cuda

    evaluate, real = FORMULAS["tanh"].evaluate, numba.types.float64

    def for_gpu(t, values):
        values[0], _ = evaluate(t, 0.0)

    def on_cpu(t):
        return numba.njit(lambda t: evaluate(t, 0.0))(t)

    before = on_cpu(0.7)
    cuda.compile_ptx(for_gpu, (real, real[::1]), cc=(9, 0))
    assert on_cpu(0.7) == before
    np.testing.assert_allclose(before, uncompiled(evaluate)(np.float64(0.7), 0.0), rtol=1e-14)
