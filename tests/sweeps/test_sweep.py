"""Sweeps: what they request, what they train and what they leave alone; executors."""

import json
import os
import signal
import threading
import time
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from importlib import import_module
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import files_in

import minilotto as ml
from minilotto.analysis.ensembling.synergy import synergy
from minilotto.cli import commands
from minilotto.engines.compressed import NODE_LEVELS
from minilotto.settings.config import FIELDS
from minilotto.store import format as store_format
from minilotto.store.blocks import Block, read_block, write_block
from minilotto.store.grid import as_text, read_study
from minilotto.store.verify import losses_of, losses_text
from minilotto.sweeps import worker

runners = import_module("minilotto.sweeps.runners")
loop = import_module("minilotto.training.loop")

TINY = ml.Sweep(widths=(1, 2), seeds=20, steps=40)
ONE, TWO = TINY.configs


@pytest.fixture(autouse=True)
def _eight_seeds_a_block(small_blocks):
    return small_blocks(8)


@pytest.fixture
def expected(tmp_path) -> dict[str, bytes]:
    """The files of TINY, trained in one go."""
    ml.sweep(TINY, out=tmp_path / "expected", threads=1)
    return files_in(tmp_path / "expected")


@pytest.fixture
def trained(monkeypatch) -> list[tuple[int, tuple[int, ...]]]:
    """(width, seeds) of every training from now on."""
    done, real = [], loop.run

    def run(engine, seeds, *rest):
        done.append((engine.config.width, tuple(seeds.tolist())))
        return real(engine, seeds, *rest)

    monkeypatch.setattr(loop, "run", run)
    return done


def seeds_of(trained) -> dict[int, list[int]]:
    return {
        width: sorted(seed for w, seeds in trained for seed in seeds if w == width)
        for width in {w for w, _ in trained}
    }


def log_of(store) -> list[dict]:
    (path,) = (store.folder / "logs").iterdir()
    return [json.loads(line) for line in path.read_text().splitlines()]


# What a Sweep is
def test_axes_make_every_combination_in_order():
    sweep = ml.Sweep(
        widths=(3, 1), activation=["silu", "tanh"], lrs=0.1, steps=(10, 20), seeds=range(5, 9)
    )
    assert [(c.width, c.activation, c.steps) for c in sweep.configs] == [
        (w, a, s) for w in (3, 1) for a in ("silu", "tanh") for s in (10, 20)
    ]
    assert {config.lr for config in sweep.configs} == {0.1}
    assert sweep.seeds.tolist() == [5, 6, 7, 8]
    assert ml.Sweep().configs == (ml.Config(),)
    assert ml.Sweep().seeds.size == 1000
    assert ml.Sweep(widths=np.array([2, 3]), seeds=1).configs[1].width == 3


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_an_axis_by_its_plural_and_by_its_own_name(field):
    other: dict = {
        "sampling": "uniform",
        "init": "normal",
        "dtype": "float64",
        "subnormals": "keep",
        "task": "sin",
    }
    other |= {"activation": "tanh", "noise": 0.1, "loss": "logistic"}
    other |= {"optimizer": "momentum", "schedule": "cosine", "lr_final": 0.5}
    base = {
        "negative_slope": {"activation": "leaky_relu"},
        "init_scale": {"init": "normal"},
        "momentum": {"optimizer": "nesterov"},
        "weight_decay": {"optimizer": "adamw"},
        "lr_final": {"schedule": "linear"},
        "residual": {"depth": 2},
    }.get(field, {})
    default = getattr(ml.Config(), field)
    values = (default, other[field] if field in other else default / 2)
    if isinstance(default, bool):
        values = (default, not default)
    elif isinstance(default, int):
        values = (default, default + 1)
    plural = {"loss": "losses", "batch": "batches"}.get(field, f"{field}s")
    for name in (plural, field):
        configs = ml.Sweep(**{name: values}, **base).configs
        assert [getattr(config, field) for config in configs] == list(values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wdiths": (1, 2)}, "'wdiths' is no field"),
        ({"self": 1}, "'self' is no field"),  # as a file of --from may have it
        ({"widths": ()}, "widths has no value"),
        ({"widths": (1, 2, 1)}, "twice"),
        ({"steps": (1e3, 1000)}, "twice"),
        ({"widths": (1, 2), "width": 3}, "given twice"),
        ({"widths": {"a": 1}}, "no list"),
        ({"widths": (n for n in (1, 2))}, "no list"),
        ({"widths": (0, 1)}, "width=0"),
        ({"activations": ("silu", "slu")}, "'slu'"),
        ({"negative_slopes": (0.1, 0.2)}, "leaky_relu"),
        ({"widths": range(1, 2000), "steps": range(1, 2000)}, "split the sweep"),
        ({"seeds": 0}, "at least 1"),
        ({"seeds": "5:3"}, "1000:2000"),
        ({"seeds": "x"}, "1000:2000"),
        ({"seeds": [3, 3]}, "twice"),
        ({"seeds": []}, "at least one"),
        ({"seeds": range(-3, 3)}, "at least 0"),
    ],
)
def test_a_sweep_refuses_in_one_line(arguments, message):
    with pytest.raises(ml.ConfigError, match=message) as error:
        ml.Sweep(**arguments)
    assert len(str(error.value).splitlines()) == 1


SEEDS = st.one_of(
    st.integers(1, 2**47),
    st.tuples(st.integers(0, 2**40), st.integers(1, 9)).map(lambda p: range(p[0], p[0] + p[1])),
    st.sets(st.integers(0, 50), min_size=1).map(list),
    st.just("3:9,12:14,20"),
)


@given(
    SEEDS,
    st.sets(st.integers(1, 99), min_size=1, max_size=4).map(tuple),
    st.sampled_from(["silu", ("silu", "tanh")]),
)
def test_a_sweep_comes_back_from_its_description(seeds, widths, activations):
    sweep = ml.Sweep(seeds=seeds, widths=widths, activation=activations)
    again = ml.Sweep(**json.loads(json.dumps(sweep.to_dict())))
    assert again == sweep
    assert hash(again) == hash(sweep)
    assert as_text([again]) == as_text([sweep])


def test_many_seeds_take_no_memory():
    sweep = ml.Sweep(seeds=2**47, widths=(1, 2))
    assert sweep.runs == ((0, 2**47),)
    assert "140737488355328" in repr(sweep)


# Studies in files
def test_a_study_is_read_from_json_and_toml(tmp_path):
    tables = [
        {"widths": [1, 2], "seeds": 20, "steps": 40},
        {"width": 3, "tasks": ["sin", "cos"], "seeds": "5:9"},
    ]
    (tmp_path / "one.json").write_text(json.dumps(tables[0]))
    (tmp_path / "two.json").write_text(json.dumps({"sweep": tables}))
    expected = tuple(ml.Sweep(**table) for table in tables)
    assert read_study(tmp_path / "one.json") == expected[:1] == (TINY,)
    assert read_study(tmp_path / "two.json") == expected
    (tmp_path / "kept.json").write_text(as_text(expected))
    assert read_study(tmp_path / "kept.json") == expected
    text = (
        'widths = [1, 2]\nseeds = 20\nsteps = 40\n[[sweep]]\nwidth = 3\ntasks = ["sin", '
        '"cos"]\nseeds = "5:9"\n'
    )
    (tmp_path / "two.toml").write_text("[[sweep]]\n" + text)
    assert read_study(tmp_path / "two.toml") == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("study.yaml", "widths: [1]", r"\.toml or \.json"),
        ("study.json", "{", "no JSON"),
        ("study.json", "[]", "describes no sweep"),
        ("study.json", "{}", "describes no sweep"),
        ("study.json", '{"sweep": []}', "describes no sweep"),
        ("study.json", '{"sweep": [{"width": 1}], "seeds": 3}', "'seeds' beside"),
        ("study.json", '{"wdith": 1}', "'wdith'"),
        ("study.toml", "widths = [1", "no TOML"),
        ("study.json", "[" * 100_000, "no JSON"),
        ("study.toml", "widths = " + "[" * 100_000, "no TOML"),
        ("missing.json", None, "cannot be read"),
    ],
)
def test_a_study_that_is_none_is_refused(name, text, message, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises((ml.ConfigError, ml.FileError), match=message) as error:
        read_study(tmp_path / name)
    assert len(str(error.value).splitlines()) == 1


# What is trained
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_sweep_trains_what_train_does_whatever_the_threads(
    threads, tmp_path, expected, monkeypatch
):
    monkeypatch.setattr(runners, "BATCH_SECONDS", 0.0 if threads == 3 else 10.0)
    store = ml.sweep(TINY, out=tmp_path / "runs", threads=threads)
    assert files_in(store.folder) == expected
    for config in TINY.configs:
        assert store.ensemble(config).loss.tolist() == ml.train(config, seeds=20).loss.tolist()


def test_a_finished_sweep_trains_nothing_and_more_seeds_and_widths_only_what_is_new(
    tmp_path, trained
):
    ml.sweep(TINY, out=tmp_path / "runs")
    assert seeds_of(trained) == {1: list(range(20)), 2: list(range(20))}
    trained.clear()
    ml.sweep(TINY, out=tmp_path / "runs")
    assert trained == []
    before = files_in(tmp_path / "runs")
    store = ml.sweep(ml.Sweep(widths=(2, 3), seeds=30, steps=40), out=tmp_path / "runs")
    assert seeds_of(trained) == {2: list(range(20, 30)), 3: list(range(30))}
    after = files_in(store.folder)
    assert {name: after[name] for name in before} == before
    assert len(store.ensemble(TWO)) == 30
    assert len(store.studies()) == 2


def test_several_sweeps_share_a_store(tmp_path, trained):
    other = ml.Sweep(width=2, tasks=("square", "sin"), seeds=range(10, 25), steps=40)
    store = ml.sweep([TINY, other], out=tmp_path / "runs")
    assert store.missing([TINY, other]) == {}
    assert store.seeds(TWO).tolist() == list(range(25))
    assert sum(len(seeds) for _, seeds in trained) == 20 + 25 + 15
    assert [len(study) for study in store.studies()] == [2]


def test_scattered_seeds_are_trained_and_no_others(tmp_path, trained):
    store = ml.sweep(ml.Sweep(width=1, steps=40, seeds=[3, 4, 30, 7]), out=tmp_path / "runs")
    assert seeds_of(trained) == {1: [3, 4, 7, 30]}
    assert store.ensemble(ONE, [30, 3]).loss.tolist() == ml.train(ONE, seeds=[30, 3]).loss.tolist()


def test_configs_that_differ_in_anything_never_mix(tmp_path):
    changes = [{}, {"lr": 0.011}, {"root_seed": 1}, {"dtype": "float64"}, {"steps": 41}]
    configs = [ONE.replace(**change) for change in changes]
    for change in changes:
        ml.sweep(ml.Sweep(**{"width": 1, "steps": 40, "seeds": 9, **change}), out=tmp_path)
    store = ml.open_store(tmp_path)
    assert set(store.configs) == set(configs)
    for config in configs:
        assert store.ensemble(config).loss.tolist() == ml.train(config, seeds=9).loss.tolist()


def test_what_train_refuses_is_refused_before_anything_is_written(tmp_path):
    for arguments in (
        {"task": "product2", "points": (9, 7)},
        {"activations": ("silu", "relu"), "sampling": "population"},
    ):
        with pytest.raises(ml.ConfigError):
            ml.sweep(ml.Sweep(**arguments, seeds=2, steps=5), out=tmp_path / "runs")
    for bad in (
        {"threads": 0},
        {"check": "maybe"},
        {"cluster": "here"},
        {"cluster": 5},
        {"cluster": "local:0"},
    ):
        with pytest.raises(ml.ConfigError):
            ml.sweep(TINY, out=tmp_path / "runs", **bad)
    for bad in (5, [], [TINY, 5], "runs"):
        with pytest.raises(ml.ConfigError, match="no sweep"):
            ml.sweep(bad, out=tmp_path / "runs")
    with pytest.raises(ml.ConfigError, match="both"):
        ml.sweep(TINY, out=tmp_path / "runs", executor=Inline(), cluster="local:2")
    assert not (tmp_path / "runs").exists()


def test_a_task_of_ones_own_may_not_change_under_its_name(tmp_path, monkeypatch):
    monkeypatch.setitem(ml.TASKS, "mine", ml.Task("mine", "x", "x", lambda x: x[:, 0]))
    sweep = ml.Sweep(width=1, task="mine", steps=5, seeds=5)
    ml.sweep(sweep, out=tmp_path / "runs")
    ml.sweep(ml.Sweep(width=1, task="mine", steps=5, seeds=9), out=tmp_path / "runs")
    monkeypatch.setitem(ml.TASKS, "mine", ml.Task("mine", "-x", "-x", lambda x: -x[:, 0]))
    with pytest.raises(ml.ConfigError, match="another function under the name 'mine'"):
        ml.sweep(sweep, out=tmp_path / "runs")


def identity(x):
    return x[:, 0]


def negative(x):
    return -x[:, 0]


@pytest.mark.parametrize("where", ["here", "executor", "far"])
@pytest.mark.parametrize("seeds", [range(8), range(8, 16)], ids=["the same", "others"])
def test_two_sweeps_at_once_of_two_functions_of_one_name_are_not_mixed(
    seeds, where, tmp_path, monkeypatch
):
    """Another sweep stores a block of its function after this one has looked at the store."""
    monkeypatch.setitem(ml.TASKS, "mine", ml.Task("mine", "x", "x", identity))
    sweep = ml.Sweep(width=1, task="mine", steps=5, seeds=seeds)
    (config,) = sweep.configs
    other = ml.Task("mine", "-x", "-x", negative)
    kind = runners.LocalRunner if where == "here" else runners.ExecutorRunner
    real = kind.run

    def after_another(runner, todo):
        with monkeypatch.context() as patch:
            patch.setitem(ml.TASKS, "mine", other)
            nets = ml.train(config, seeds=8)
            write_block(runner.store.blocks, Block(config, 0, 8), nets)
        real(runner, todo)

    monkeypatch.setattr(kind, "run", after_another)
    executor = {"here": None, "executor": Inline(), "far": Far(monkeypatch, True)}[where]
    with pytest.raises((ml.ConfigError, ml.FileError), match="another function under the name"):
        ml.sweep(sweep, out=tmp_path / "runs", executor=executor)
    (stored,) = (tmp_path / "runs" / "blocks").rglob("*.npz")
    assert stored.name == Block(config, 0, 8).name.rpartition("/")[2]


def test_nets_of_two_cpus_whose_last_bits_differ_are_of_one_task(tmp_path, monkeypatch):
    starts = []
    # as NumPy's exp with and without AVX-512
    for stop, factor, width in ((5, 1.0, 1), (12, 1 + 4e-16, 2)):
        task = ml.Task("mine", "", "", lambda x, factor=factor: np.exp(x[:, 0]) * factor)
        monkeypatch.setitem(ml.TASKS, "mine", task)
        sweep = ml.Sweep(width=1, task="mine", steps=20, seeds=stop)
        nets = ml.sweep(sweep, out=tmp_path / "runs").ensemble(sweep.configs[0])
        assert len(nets) == stop
        starts.append(ml.train(sweep.configs[0].replace(width=width), seeds=12))
    here, there = starts
    assert not np.array_equal(here.data.y, there.data.y)
    assert len(ml.train(sweep.configs[0].replace(steps=40), start=here)) == 12
    assert synergy(here, there, resamples=100).nulls


# What fails
def test_a_config_that_fails_is_reported_and_the_rest_completes(tmp_path, monkeypatch, expected):
    real = loop.run

    def run(engine, seeds, *rest):
        if engine.config.width == 1 and 9 in seeds:
            raise ml.ResourceError("no memory is left")
        return real(engine, seeds, *rest)

    monkeypatch.setattr(runners, "BATCH_SECONDS", 0.0)
    monkeypatch.setattr(loop, "run", run)
    with pytest.raises(
        ml.SweepError,
        match=r"1 of 6 blocks failed.*seeds 8 to 15 of Config\(width=1.*no memory is left",
    ) as error:
        ml.sweep(TINY, out=tmp_path / "runs")
    assert len(str(error.value).splitlines()) == 1
    assert len(error.value.failures) == 1
    store = error.value.store
    assert store.seeds(ONE).tolist() == [*range(8), *range(16, 20)]
    monkeypatch.setattr(loop, "run", real)
    assert files_in(ml.sweep(TINY, out=tmp_path / "runs").folder) == expected


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("at", [0, 1, 3, 5])
def test_ctrl_c_keeps_finished_blocks_and_the_same_call_goes_on(
    at, threads, tmp_path, monkeypatch, expected
):
    monkeypatch.setattr(runners, "BATCH_SECONDS", 0.0)
    real, left = loop.initial_parameters, iter(range(at))

    def started(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "initial_parameters", started)
        with pytest.raises(ml.SweepInterrupted) as interruption:
            ml.sweep(TINY, out=tmp_path / "runs", threads=threads)
    assert isinstance(interruption.value, KeyboardInterrupt)
    kept = files_in(interruption.value.store.folder)
    assert all(expected[name] == content for name, content in kept.items())
    count = len([name for name in kept if name.endswith(".npz")])
    assert (
        count == at if threads == 1 else count <= at
    )  # threads that train when another is interrupted drop their blocks
    assert files_in(ml.sweep(TINY, out=tmp_path / "runs").folder) == expected


def test_ctrl_c_stops_threads_in_the_midst_of_their_training(tmp_path, monkeypatch):
    long = ml.Sweep(widths=range(1, 7), steps=10**9, seeds=3)
    began = threading.Event()
    real = loop.initial_parameters
    monkeypatch.setattr(loop, "initial_parameters", lambda *rest: began.set() or real(*rest))

    def interrupt():
        began.wait()
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(ml.SweepInterrupted):
        ml.sweep(long, out=tmp_path / "runs", threads=2)
    thread.join()
    assert threading.active_count() < 10
    assert ml.open_store(tmp_path / "runs").configs == ()


# Executors
class Inline(Executor):
    """Does everything at once, in this thread."""

    def __init__(self) -> None:
        self.order: list[Block] = []

    def submit(self, function, /, *arguments, **named):
        future: Future = Future()
        self.order.append(arguments[0])
        try:
            future.set_result(function(*arguments, **named))
        except BaseException as error:
            future.set_exception(error)
        return future


def test_any_executor_will_do_and_the_longest_come_first(tmp_path, expected):
    executor = Inline()
    store = ml.sweep(TINY, out=tmp_path / "runs", executor=executor)
    assert files_in(store.folder) == expected
    seconds = [block.seconds for block in executor.order]
    assert seconds == sorted(seconds, reverse=True)
    assert len(executor.order) == 6
    events = [line["event"] for line in log_of(store)]
    assert events.count("block") == 6
    assert events[-1] == "end"


def test_python_threads_may_do_it(tmp_path, expected):
    with ThreadPoolExecutor(3) as executor:
        assert files_in(ml.sweep(TINY, out=tmp_path / "runs", executor=executor).folder) == expected


def test_submissions_are_windowed(tmp_path, expected, monkeypatch):
    monkeypatch.setattr(runners, "WINDOW", 2)
    held = []

    class Counting(ThreadPoolExecutor):
        def submit(self, function, /, *arguments, **named):
            held.append(sum(not future.done() for future in futures))
            futures.append(super().submit(function, *arguments, **named))
            return futures[-1]

    futures: list[Future] = []
    with Counting(1) as executor:
        assert files_in(ml.sweep(TINY, out=tmp_path / "runs", executor=executor).folder) == expected
    assert max(held) <= 2


class Far(Inline):
    """Workers that do not see the folder, or may not write in it."""

    def __init__(self, patch, writable: bool) -> None:
        super().__init__()
        self.patch, self.writable = patch, writable

    def submit(self, function, /, *arguments, **named):
        block, _, token, *rest = arguments
        if not self.writable:
            with self.patch.context() as patch:
                patch.setattr(worker.blocks, "put_block", self.refuse)
                return super().submit(function, *arguments, **named)
        return super().submit(function, block, "/nowhere", token + ".other", *rest, **named)

    @staticmethod
    def refuse(*_):
        raise ml.FileError("Permission denied")


@pytest.mark.parametrize("writable", [True, False])
def test_workers_that_cannot_write_hand_their_blocks_back(
    writable, tmp_path, expected, monkeypatch
):
    store = ml.sweep(TINY, out=tmp_path / "runs", executor=Far(monkeypatch, writable))
    assert files_in(store.folder) == expected


def test_a_worker_trains_no_block_that_is_there_by_now(tmp_path, expected, trained):
    store = ml.sweep(TINY, out=tmp_path / "runs")
    trained.clear()
    (log,) = (store.folder / "logs").iterdir()
    block = Block(ONE, 0, 8)
    receipt = worker.train_block(block, str(store.blocks), str(log), 1)
    assert (receipt.content, trained) == (None, [])
    (store.blocks / block.name).write_bytes(b"damaged")
    assert worker.train_block(block, str(store.blocks), str(log), 1).content is None
    assert files_in(store.folder) == expected


def test_a_failing_block_is_one_failure_and_the_rest_completes(tmp_path, expected, monkeypatch):
    class Failing(Inline):
        def submit(self, function, /, *arguments, **named):
            if arguments[0] == Block(ONE, 8, 16):
                future: Future = Future()
                future.set_exception(MemoryError("not enough\nof it"))
                return future
            return super().submit(function, *arguments, **named)

    with pytest.raises(
        ml.SweepError, match=r"1 of 6 blocks failed.*MemoryError: not enough of it"
    ) as error:
        ml.sweep(TINY, out=tmp_path / "runs", executor=Failing())
    assert error.value.store.missing(TINY).keys() == {ONE}
    assert files_in(ml.sweep(TINY, out=tmp_path / "runs").folder) == expected


class KilledWorker(Exception):
    """Named as Dask's, which tells that a block's workers died."""


def test_who_waited_beside_a_block_that_kills_its_worker_gets_another_chance(tmp_path, monkeypatch):
    class Deadly(Inline):
        def submit(self, function, /, *arguments, **named):
            self.order.append(arguments[0])
            if arguments[0].config.width == 1 and (len(self.order) <= 6 or arguments[0].first == 8):
                future: Future = Future()
                future.set_exception(KilledWorker("it died"))
                return future
            return super().submit(function, *arguments, **named)

    with pytest.raises(ml.SweepError, match="1 of 6 blocks failed") as error:
        ml.sweep(TINY, out=tmp_path / "runs", executor=Deadly())
    assert error.value.store.seeds(ONE).tolist() == [*range(8), *range(16, 20)]


@pytest.mark.parametrize(
    "broken", [BrokenExecutor("gone"), RuntimeError("cannot schedule new futures after shutdown")]
)
def test_a_broken_executor_is_one_line_and_what_is_done_is_kept(broken, tmp_path, expected):
    class Broken(Inline):
        def submit(self, function, /, *arguments, **named):
            if len(self.order) == 3:
                raise broken
            return super().submit(function, *arguments, **named)

    with pytest.raises(ml.ResourceError, match="the same sweep goes on") as error:
        ml.sweep(TINY, out=tmp_path / "runs", executor=Broken())
    assert len(str(error.value).splitlines()) == 1
    assert len(list((tmp_path / "runs" / "blocks").rglob("*.npz"))) >= 2
    assert files_in(ml.sweep(TINY, out=tmp_path / "runs").folder) == expected


def deadly(x):
    """A target that ends any process but the first one."""
    if parent_process() is not None:
        os._exit(1)
    return x[:, 0]


def test_worker_processes_train_blocks_and_their_death_is_told(tmp_path, expected, monkeypatch):
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([str(Path(ml.__file__).parent.parent), str(Path(__file__).parent)]),
    )
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert files_in(ml.sweep(TINY, out=tmp_path / "runs", executor=executor).folder) == expected
        monkeypatch.setitem(ml.TASKS, "deadly", ml.Task("deadly", "x", "x", deadly))
        with pytest.raises(ml.ResourceError, match="broke down"):
            ml.sweep(
                ml.Sweep(width=1, task="deadly", steps=5, seeds=9),
                out=tmp_path / "runs",
                executor=executor,
            )
    assert files_in(tmp_path / "runs").items() >= expected.items()


def test_ctrl_c_cancels_what_an_executor_has_not_begun(tmp_path, expected):
    class Interrupting(ThreadPoolExecutor):
        def submit(self, function, /, *arguments, **named):
            futures.append(super().submit(function, *arguments, **named))
            if len(futures) == 5:
                raise KeyboardInterrupt
            return futures[-1]

    futures: list[Future] = []
    with Interrupting(1) as executor, pytest.raises(ml.SweepInterrupted):
        ml.sweep(TINY, out=tmp_path / "runs", executor=executor)
    kept = files_in(tmp_path / "runs")
    assert all(expected[name] == content for name, content in kept.items())
    assert files_in(ml.sweep(TINY, out=tmp_path / "runs").folder) == expected


# The command line
def said(line: str, capsys) -> tuple[int, str, str]:
    status = commands.main(line.split())
    return status, *capsys.readouterr()


SWEEP_TINY = "sweep --widths 1,2 --seeds 20 --steps 40 --quiet"


def test_the_command_sweeps_and_prints_a_table(tmp_path, expected, capsys):
    status, out, err = said(f"{SWEEP_TINY} --out {tmp_path}/runs", capsys)
    assert (status, err) == (0, "")
    assert files_in(tmp_path / "runs") == expected
    lines = out.splitlines()
    assert lines[0].split() == [
        "width",
        "seeds",
        "best",
        "5%",
        "25%",
        "median",
        "75%",
        "95%",
        "diverged",
    ]
    loss = ml.train(TWO, seeds=20).loss
    spread = (loss.min(), *np.quantile(loss, (0.05, 0.25, 0.5, 0.75, 0.95)))
    assert lines[2].split() == ["2", "20", *(f"{value:.3g}" for value in spread), "0"]
    assert said(f"status {tmp_path}/runs", capsys)[0] == 0
    assert "40 of 40 nets, 100.0%" in said(f"status {tmp_path}/runs --check full", capsys)[1]
    assert "3 the same in every bit" in said(f"verify {tmp_path}/runs --recompute 3", capsys)[1]


def test_the_table_counts_what_diverged_and_what_is_missing(tmp_path):
    sweep = ml.Sweep(width=1, lrs=(0.01, 1e38), steps=5, seeds=9)
    store = ml.sweep(sweep, out=tmp_path / "runs")
    lines = losses_text(
        losses_of(store, [ml.Sweep(width=1, lrs=(0.01, 1e38), steps=5, seeds=12)])
    ).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["0", "9"]
    assert all(" 9/12 " in line for line in lines[1:])


def test_the_bar_goes_over_the_whole(tmp_path, capsys):
    status, _, err = said(f"sweep --widths 1,2 --seeds 20 --steps 40 --out {tmp_path}/runs", capsys)
    assert status == 0
    assert "40/40 nets" in err
    assert "100%" in err
    assert said(f"sweep --widths 1,2 --seeds 20 --steps 40 --out {tmp_path}/runs", capsys)[2] == ""


def test_the_command_takes_a_study(tmp_path, capsys, expected):
    (tmp_path / "study.json").write_text(json.dumps({"widths": [1, 2], "seeds": 20, "steps": 40}))
    assert said(f"sweep --from {tmp_path}/study.json --out {tmp_path}/runs --quiet", capsys)[0] == 0
    assert files_in(tmp_path / "runs") == expected


def test_damage_and_failures_have_exit_statuses(tmp_path, capsys, monkeypatch):
    assert said(f"{SWEEP_TINY} --out {tmp_path}/runs", capsys)[0] == 0
    block = next((tmp_path / "runs" / "blocks").rglob("*.npz"))
    block.write_bytes(block.read_bytes()[:-1])
    status, out, _ = said(f"status {tmp_path}/runs", capsys)
    assert status == 1
    assert f"damaged: {block.parent.name}/{block.name}" in out
    status, out, _ = said(f"verify {tmp_path}/runs", capsys)
    assert (status, "1 damaged" in out) == (1, True)
    assert said(f"{SWEEP_TINY} --out {tmp_path}/runs", capsys)[0] == 0
    assert said(f"verify {tmp_path}/runs", capsys)[0] == 0

    def fail(*_):
        raise ml.ResourceError("no memory is left")

    monkeypatch.setattr(loop, "run", fail)
    status, out, err = said(
        f"sweep --widths 1,3 --seeds 20 --steps 40 --quiet --out {tmp_path}/runs", capsys
    )
    assert status == 1
    assert "SweepError: 3 of 3 blocks failed" in err
    assert "20" in out


REFUSALS = [
    ("sweep --widths 1,2", "--out", "runs/"),
    ("sweep --out", "--out", "value"),
    ("sweep --out new --wdiths 1", "--wdiths", "did you mean --widths?"),
    ("sweep --out new --widths 0,1", "width=0", "at least 1"),
    ("sweep --out new --widths 1,1", "twice", "once"),
    ("sweep --out new --activations silu,slu", "'slu'", "choose from"),
    ("sweep --out new --widths 1 --width 2", "twice", "once"),
    ("sweep --out new --seeds 5:3", "5:3", "1000:2000"),
    ("sweep --out new --threads 0", "threads=0", "at least 1"),
    ("sweep --out new --check some", "'some'", "full, quick"),
    ("sweep --out new --cluster here", "'here'", "local:4"),
    ("sweep --out new --cluster", "--cluster", "value"),
    ("sweep --out new --from study.json --widths 3", "--widths", "file"),
    ("sweep --out new --from study.json --seeds 3", "--seeds", "file"),
    ("sweep --out new --from missing.json", "missing.json", "cannot be read"),
    ("sweep --out new --from", "--from", "value"),
    ("sweep --out new --points 7 --task product2", "points=7", "points=9"),
    ("sweep --out new --quiet loudly", "loudly", "--quiet=true"),
    ("sweep --out new more", "more", "sweep --help"),
    ("status", "status", "status runs/"),
    ("status missing", "'missing'", "check the name"),
    ("status .", "'.'", "no store"),
    ("status . --check some", "'some'", "full, quick"),
    ("status . --width 3", "--width", "status --help"),
    ("verify", "verify", "verify runs/"),
    ("verify . --recompute -1", "recompute=-1", "at least 0"),
    ("verify . --recompute", "--recompute", "value"),
    ("verify missing", "'missing'", "check the name"),
]


@pytest.mark.parametrize(
    ("line", "value", "remedy"), REFUSALS, ids=[line for line, _, _ in REFUSALS]
)
def test_the_commands_refuse_in_one_line_that_names_value_and_remedy(
    line, value, remedy, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.json").write_text('{"width": 1}')
    monkeypatch.setattr(loop, "run", None)
    status, out, err = said(line, capsys)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert value in err
    assert remedy in err
    assert os.listdir(tmp_path) == ["study.json"]


def test_block_sizes_do_not_depend_on_the_machine(monkeypatch):
    monkeypatch.setattr(store_format, "BLOCK_SEEDS", 2**20)
    sizes = [store_format.block_size(ml.Config(width=width)) for width in (1, 10, 50, 1000)]
    assert sizes == sorted(sizes, reverse=True)


def test_a_backend_may_be_named_and_nets_are_trained_again_by_what_trained_them(tmp_path):
    study = ml.Sweep(width=1, seeds=2, steps=3, points=4)
    store = ml.sweep(study, out=tmp_path / "runs", backend="reference")
    assert store.ensemble(study.configs[0]).engine == "reference"
    assert store.verify(recompute=2).different == ()
    with pytest.raises(ml.ConfigError, match="backend='gpu' is unknown"):
        ml.sweep(study, out=tmp_path / "others", backend="gpu")
    assert not (tmp_path / "others").exists()


def test_a_store_of_an_earlier_version_that_trained_on_points_goes_on_so(tmp_path, monkeypatch):
    sweep = ml.Sweep(
        tasks=("product2",), points=900, sampling="uniform", widths=(2,), steps=2500, seeds=3
    )
    with monkeypatch.context() as earlier:
        earlier.setattr("minilotto.engines.choice.NODE_LEVELS", {1: NODE_LEVELS[1]})
        ml.sweep(sweep, out=tmp_path / "runs")
    more = ml.Sweep(**{**sweep.to_dict(), "seeds": range(6)})
    nets = ml.sweep(more, out=tmp_path / "runs").ensemble(sweep.configs[0])
    assert (len(nets), nets.engine) == (6, "lanes")
    assert ml.open_store(tmp_path / "runs").verify(recompute=6).passed
    anew = ml.sweep(sweep, out=tmp_path / "anew").ensemble(sweep.configs[0])
    assert anew.engine == "lanes, compressed"


def test_a_damaged_block_and_nets_by_another_backend_do_not_decide_whether_nodes_are_taken(
    tmp_path,
):
    fields = {"widths": (2,), "steps": 2500}
    out, few, more = (tmp_path / "runs", *(ml.Sweep(**fields, seeds=n) for n in (2, 4)))
    store = ml.sweep(few, out=out, backend="reference")
    (path,) = store.blocks.rglob("*.npz")
    config, sound = few.configs[0], path.read_bytes()

    def engine():
        return read_block(store.blocks, store.stored(config.key)[-1].name).engine

    ml.sweep(more, out=out)
    assert engine() == "lanes, compressed"
    path.write_bytes(sound[:-99] + b"\0" + sound[-98:])
    ml.sweep(ml.Sweep(**fields, seeds=6), out=out, check="quick")
    assert engine() == "lanes, compressed"


def test_a_shorter_training_on_points_stays_so_beside_a_longer_one_on_nodes(tmp_path, monkeypatch):
    fields = {"tasks": ("product2",), "points": 900, "widths": (2,)}
    with monkeypatch.context() as earlier:
        earlier.setattr("minilotto.engines.choice.NODE_LEVELS", {1: NODE_LEVELS[1]})
        ml.sweep(ml.Sweep(**fields, steps=1000, seeds=2), out=tmp_path / "runs")
    both = ml.Sweep(**fields, steps=3000, seeds=4, keep=(1000,))
    store = ml.sweep(both, out=tmp_path / "runs")
    engines = {config.steps: store.ensemble(config).engine for config in both.configs}
    assert engines == {1000: "lanes", 3000: "lanes, compressed"}
    assert store.verify(recompute=8).passed
