"""The timing suite: everyone computes the same, a wrong formula is caught, and every timing
function runs.
"""

import functools
import importlib.util
import itertools
import json
import runpy
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from bench import agreement, axes, cost, optimizers, report, speed, startup
from bench.__main__ import checked, plan
from bench.command import run_command
from bench.work import Minilotto, Work
from minilotto.settings.config import Config

SEEDS = 129  # odd, and no multiple of any lane or device count


@pytest.fixture(scope="module", autouse=True)
def arithmetic_as_before():
    """Peers have torch flush subnormal numbers, as minilotto does while it trains; other tests want
    them kept.
    """
    yield
    if importlib.util.find_spec("torch"):
        importlib.import_module("torch").set_flush_denormal(False)


@pytest.fixture(scope="module")
def work() -> Work:
    return Work(Config(width=3), SEEDS, threads=2)


@functools.cache
def peer_module(name: str):
    pytest.importorskip(name, reason=f"{name} is not installed")
    module = importlib.import_module(f"bench.{name}_peer")
    module.prepare(2)
    return module


def peers(work: Work, name: str, compiled: bool = False) -> list:
    """This library's ways; torch.compile's own seconds are spent in one test only."""
    return [
        one for one in peer_module(name).contestants(work) if ("compiled" in one.way) == compiled
    ]


def check(contestant, work: Work) -> None:
    """Within its bounds, and not by luck: far from zero error and from the bound."""
    assert 0 < agreement.check_gradient(contestant, work) < 0.5
    assert agreement.check_training(contestant, work) < 0.5


def test_minilotto_agrees_with_the_reference(work):
    check(Minilotto(work), work)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_peers_agree(work, name):
    for one in peers(work, name):
        check(one, work)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, of itself
def test_compiled_torch_agrees(work):
    ways = checked(work, peers(work, "torch", compiled=True)[:1])
    if not ways:
        pytest.skip("torch.compile does not run here (it needs a C++ compiler)")
    check(ways[0], work)


def broken(contestant, array: int, factor: float):
    """The contestant, with one array of its first gradient off by a factor."""
    moment = contestant.first_moment

    def wrong_moment():
        arrays = list(moment())
        arrays[array] = arrays[array] * np.float32(factor)
        return type(moment())(*arrays)

    contestant.first_moment = wrong_moment
    return contestant


@pytest.mark.parametrize("array", range(4), ids=["dw", "db", "dv", "dc"])
def test_a_gradient_that_is_off_by_a_thousandth_is_caught(work, array):
    with pytest.raises(agreement.Disagreement, match=f"{('dw', 'db', 'dv', 'dc')[array]} is"):
        agreement.check_gradient(broken(Minilotto(work), array, 1.001), work)


def test_a_gradient_that_is_not_a_number_is_caught(work):
    with pytest.raises(agreement.Disagreement, match="nan"):
        agreement.check_gradient(broken(Minilotto(work), 3, np.nan), work)


def test_a_peer_with_a_wrong_formula_is_caught(work):
    torch_peer = peer_module("torch")

    def without_its_slope(nets, x, y):
        dw, db, dv, dc = torch_peer.gradient_by_products(nets, x, y)
        return dw, db * 0.9, dv, dc

    with pytest.raises(agreement.Disagreement, match="db is"):
        agreement.check_gradient(torch_peer.Eager(work, without_its_slope), work)


def test_another_learning_rate_is_caught(work):
    other = Minilotto(Work(Config(width=3, lr=1.001e-2), SEEDS, threads=1))
    with pytest.raises(agreement.Disagreement, match="after 10 steps"):
        agreement.check_training(other, work)


def test_wrong_bias_correction_is_caught(work):
    late = Minilotto(work)
    original = late.start

    def start_late():
        original()
        late._done = 1

    late.start = start_late
    with pytest.raises(agreement.Disagreement, match="after 10 steps"):
        agreement.check_training(late, work)


def silent(line: str) -> None:
    return None


def test_timing_and_report(work, monkeypatch):
    contestants = [Minilotto(work), Minilotto(work)]
    contestants[1].family, contestants[1].way = "JAX", "a stand-in"
    timings = speed.time_all([(work, contestants)], rounds=3, wanted=0.005, tell=silent)
    assert [len(t.nanoseconds) for t in timings] == [3, 3]
    speeds, costs = cost.measure([("silu", 2)], 2, silent)
    figures = [startup.Figure("import", 0.1, 0.15, "s")]
    machine = {"cpu": "a CPU", "threads": 2, "load": 0.0, "versions": {"python": "3"}}
    monkeypatch.setattr(cost, "DEEP", ((3, 2),))
    deep = cost.measure_deep(2, silent)
    result = report.Report(machine, timings, speeds, costs, figures, deep)
    text, markdown = report.as_text(result), report.as_markdown(result)
    assert "a stand-in" in text
    assert "| width |" in markdown
    assert [one.counted > cost.deep_count(3, 2) for one in deep] == [True, True]
    assert len(json.loads(report.as_json(result))["timings"]) == 2
    ratio = speed.ratio(timings[1], timings[0])
    assert ratio.low <= ratio.median <= ratio.high


def test_ratio_is_taken_round_by_round():
    ours = speed.Timing(2, "minilotto", "", 4, (1.0, 2.0, 4.0), False)
    peer = speed.Timing(2, "JAX", "", 4, (3.0, 6.0, 12.0), False)
    assert speed.ratio(peer, ours) == speed.Spread(3.0, 3.0, 3.0)


def test_a_disturbed_run_says_so():
    had = speed.Timing(2, "minilotto", "", 4, (1.0,), False, cores=1.2)
    assert report.disturbance({"threads": 1}, [had]) == []
    assert report.disturbance({"threads": 1}, []) == []
    assert "1.20 of 2 cores" in report.disturbance({"threads": 2}, [had])[0]


def test_fastest_leaves_out_trials_and_other_families():
    slow = speed.Timing(2, "JAX", "slow", 4, (3.0, 3.0), False)
    quick = speed.Timing(2, "JAX", "quick", 4, (2.0, 2.5), False)
    trial = speed.Timing(2, "JAX", "trial", 4, (1.0,), True)
    assert speed.fastest([slow, quick, trial], 2, "JAX") is quick
    assert speed.fastest([slow], 2, "torch") is None
    assert speed.fastest([slow], 3, "JAX") is None


def test_a_step_is_timed_over_more_steps_than_a_training_has():
    engine = axes.engine_named(Config(width=1, steps=2), axes.noisy_square(4), "lanes", threads=1)
    assert 0 < axes.microseconds(engine, 2, wanted=1e-3) < 1e3


def test_steps_grow_until_a_timing_is_long_enough(work, monkeypatch):
    monkeypatch.setattr(speed, "seconds", lambda contestant, steps, clock: 1e-3 * steps)
    assert speed.steps_for(Minilotto(work), wanted=0.3, most=1000) == 300
    assert speed.steps_for(Minilotto(work), wanted=0.3, most=10) == 8
    assert speed.steps_for(Minilotto(work), wanted=0.0001, most=1000) == speed.STEPS_UNIT


@pytest.mark.parametrize("dtype", cost.DTYPES)
def test_fma_kernels_do_the_fmas_they_count(dtype):
    fma = cost.Fma(dtype)
    for function, rows in ((cost.independent_fmas, cost.ACCUMULATORS), (cost.chained_fmas, 1)):
        start = np.linspace(0.5, 1.5, cost.ACCUMULATORS * fma.spec.lanes).astype(dtype)
        want = start.copy()
        for _ in range(5):
            want[: rows * fma.spec.lanes] = want[: rows * fma.spec.lanes] * 0.75 + 0.25
        function(fma.spec, start, fma.factors, 5)
        np.testing.assert_allclose(
            start, want, rtol=8 * np.finfo(dtype).eps
        )  # five roundings each, in either


def test_vector_fmas_stay_in_the_code():
    """Folded ones, or scalars, would time something else."""
    spec = cost.Fma("float32").spec
    fresh = numba.njit(
        cost.independent_fmas.py_func
    )  # what comes from the cache cannot be looked into
    fresh(
        spec,
        np.ones(cost.ACCUMULATORS * spec.lanes, np.float32),
        np.ones(2 * spec.lanes, np.float32),
        1,
    )
    (code,) = fresh.inspect_llvm().values()
    assert (
        sum(f"call <{spec.lanes} x float> @llvm.fma" in line for line in code.splitlines())
        >= cost.ACCUMULATORS
    )


def test_cold_start_processes_run():
    seconds, printed = startup.run(startup.IMPORT)
    assert 0 < float(printed) < seconds
    _, printed = startup.run(startup.PEAK_MEMORY.format(seeds=64))
    assert int(printed) > 0


def command(monkeypatch, *words, name="__main__"):
    """Exit status of `python -m bench` with these words, and what it would run."""
    module = importlib.import_module(f"bench.{name}")
    seen = []
    monkeypatch.setattr(module, "run", lambda *chosen: seen.append(chosen), raising=False)
    monkeypatch.setattr("sys.argv", ["bench", *words])
    return run_command(module.plan, "bench"), seen


def test_flags(monkeypatch):
    status, [(chosen,)] = command(monkeypatch)
    assert (status, chosen.widths) == (0, (1, 2, 3, 4, 10, 20, 50))
    words = ["--quick", "--widths=2", "--peers=jax", "--sections=speed,cost", "--out=a#1.json,b.md"]
    _, [(chosen,)] = command(monkeypatch, *words)
    assert (chosen.quick, chosen.widths, chosen.peers) == (True, [2], ("jax",))
    assert chosen.sections == ("speed", "cost")
    assert [str(path) for path in chosen.out] == ["a#1.json", "b.md"]
    _, [(chosen,)] = command(monkeypatch, "--peers=none")
    assert chosen.peers == ()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("__main__", "--widths=0"),
        ("__main__", "--widths=a"),
        ("__main__", "--widths=[]"),
        ("__main__", "--peers=jux"),
        ("__main__", "--quick=2"),
        ("__main__", "--out=a.pdf"),
        ("__main__", "--seeds=True"),
        ("__main__", "--seeds=10,000"),
        ("__main__", "--seeds=1#0"),
        ("__main__", "--wdiths=2"),
        ("axes", "--only=pionts"),
        ("axes", "--out=a.gif"),
        ("distributions", "--seeds=x"),
        ("optimizers", "--batches=-1"),
        ("optimizers", "--threads=0"),
        ("optimizers", "--optimizers=lm"),
    ],
)
def test_wrong_flags_are_one_line_before_anything_runs(name, word, monkeypatch, capsys):
    status, seen = command(monkeypatch, word, name=name)
    told = capsys.readouterr().err
    assert (status, seen) == (2, [])
    assert told.startswith("ConfigError: ")
    assert told.count("\n") == 1
    assert word.partition("=")[0][2:] in told


@pytest.mark.parametrize(
    "name",
    [
        *("nodes", "coverage", "depth", "scale", "multiscale"),
        *("sweep", "kills", "embedding", "spaced", "threads"),
    ],
)
def test_flags_of_every_benchmark(name, tmp_path, monkeypatch, capsys):
    main = importlib.import_module(f"bench.{name}").main
    words = {
        "nodes": "--out=there.png",
        "coverage": "--level=1.5",
        "scale": "--nets=-1",
        "multiscale": "--draws=1",
        "spaced": "--rounds=0",
    }
    (tmp_path / "there.png").touch()
    monkeypatch.chdir(tmp_path)
    for word in (words.get(name, "--nosuch=1"), "--nosuch=1", "stray"):
        monkeypatch.setattr("sys.argv", ["bench", word])
        assert run_command(main, f"bench.{name}") == 2
        told = capsys.readouterr().err
        assert "Error: " in told
        assert told.count("\n") == 1
    monkeypatch.setattr("sys.argv", ["bench", "--help"])
    assert run_command(main, f"bench.{name}") == 0
    assert f"python -m bench.{name}" in capsys.readouterr().out


@pytest.mark.slow
def test_blocks_go_through_the_scheduler():
    pytest.importorskip("distributed", reason="Dask is not installed")
    from bench import scale

    (line,) = scale.measure_scheduler(10)
    assert "blocks/s over 10 blocks" in line


def test_equally_spaced_points_are_timed_beside_the_usual_kernel(monkeypatch, capsys):
    from bench import spaced

    monkeypatch.setattr(spaced, "SECONDS", 1e-4)
    monkeypatch.setattr(spaced, "WIDTHS", (1, 3))
    spaced.main(rounds=1)
    _, _, single, double = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (single[0], double[0]) == ("float32", "float64")
    assert all(0.1 < float(one) < 10 for one in (*single[1:], *double[1:]))


def test_work_within_other_work_is_timed_once(monkeypatch):
    from bench import threads
    from minilotto.hardware.threads import run_blocks

    ticks = itertools.count()
    monkeypatch.setattr(threads.time, "thread_time", lambda: next(ticks))

    def outer(begin, end):
        run_blocks(lambda begin, end: None, (), 3, 1)

    with threads._Watch() as watch:
        run_blocks(outer, (), 5, 1)
        run_blocks(outer, (), 5, 1)
    assert watch.seconds == 2


def test_an_interrupt_ends_cleanly(monkeypatch, capsys):
    def interrupted(chosen):
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["bench"])
    monkeypatch.setattr("bench.__main__.run", interrupted)
    assert run_command(plan, "bench") == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_disagreement_exits_with_1(monkeypatch, capsys):
    from bench import __main__ as suite

    def disagree(*_):
        raise agreement.Disagreement("two results differ")

    monkeypatch.setattr("sys.argv", ["bench", "--sections=speed"])
    monkeypatch.setattr(suite, "prepare_process", silent)
    monkeypatch.setattr(suite, "run_speed", disagree)
    assert run_command(plan, "bench") == 1
    assert "two results differ" in capsys.readouterr().err


def test_deep_nets_beside_torch(monkeypatch):
    pytest.importorskip("torch")
    from bench import depth

    monkeypatch.setattr(depth, "ROUND_SECONDS", 1e-4)
    work = Work(Config(width=3, depth=2), seeds=16, threads=1)
    peer = depth.by_torch(work, compiled=False)
    for ours, theirs in zip(peer.gradient(), depth.exact_gradient(work), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    peer.advance(3)
    assert [array.shape for array in peer.parameters()] == [a.shape for a in work.parameters]
    rows = depth.measured(work, (), rounds=1)
    assert [row[:2] for row in rows] == [["3 x 2", "every point"], ["3 x 2", "as trained"]]


@pytest.mark.slow
def test_embedding_timings_run_and_a_missed_bound_is_told(monkeypatch, capsys):
    from bench import embedding

    monkeypatch.setattr(embedding, "ROUNDS", 3)
    monkeypatch.setattr(embedding, "MOST_OF_OWN_TIME", 1e9)
    monkeypatch.setattr(embedding, "LEAST_SPEEDUP", 1.0)
    assert embedding.main() == 0
    assert "MISSED" not in capsys.readouterr().out
    monkeypatch.setattr(embedding, "callbacks", lambda width: [])
    monkeypatch.setattr(embedding, "MOST_OF_OWN_TIME", 0.0)
    assert embedding.main() == 1
    assert capsys.readouterr().out.count("MISSED") == 12


def test_second_order_beside_scipy(capsys, monkeypatch):
    from bench import second_order

    monkeypatch.setattr(second_order, "WIDTHS", (2, 40))
    second_order.main(seeds=9, iterations=20, peers=1, rounds=1, adam=100)
    printed = capsys.readouterr().out
    assert printed.count("| SciPy, lm |") == 1  # no more parameters than points
    assert printed.count("| SciPy, trf |") == printed.count("| minilotto, points |") == 2
    quotients = [float(line.split("|")[-2]) for line in printed.splitlines()[-2:]]
    assert min(quotients) > 1


def test_nodes_bring_the_difference_down_to_rounding(tmp_path, capsys, monkeypatch):
    from bench import nodes

    monkeypatch.setattr(nodes, "WIDTHS", (2,))
    nodes.main(seeds=4, steps=100, out=str(tmp_path / "nodes.png"))
    assert (tmp_path / "nodes.png").stat().st_size > 10_000
    assert capsys.readouterr().out.count("\n| ") == 1 + len(nodes.NODES)
    worst = nodes.measure(seeds=4, steps=100)[2, "after"]
    assert worst[0] > 1e-6
    assert worst[-1] < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("batch", [0, 3])
def test_optimisers_beside_torch(batch, monkeypatch):
    pytest.importorskip("torch", reason="torch is not installed")
    config = Config(width=2, optimizer="momentum", schedule="constant", lr=1e-3, batch=batch)
    timings = optimizers.measure(config, 64, 1, rounds=1)
    assert {"minilotto", "torch"} <= {timing.family for timing in timings}
    assert optimizers.row(config, timings).startswith("momentum")


def test_an_optimiser_of_another_rate_is_caught():
    work = Work(Config(width=2, optimizer="gd", lr=1e-2, schedule="constant"), 64, 1)
    other = Work(work.config.replace(lr=1.1e-2), 64, 1)
    with pytest.raises(agreement.Disagreement, match="minilotto differs"):
        optimizers.check_agreement(work, [optimizers.AsTrained(work), optimizers.AsTrained(other)])


def test_the_suite_over_commits_has_each_kernel(monkeypatch):
    path = Path(cost.__file__).parent / "asv" / "benchmarks" / "kernels.py"
    monkeypatch.setattr("sys.path", [*sys.path])
    kernels = runpy.run_path(str(path))["Kernels"]
    one = speed.Spread(1.0, 2.0, 3.0)

    def measured(jobs, rounds, tell):
        dtypes = kernels.params[2]
        return [], [
            cost.Cost(name, dtype, width, one, 0.0) for name, width in jobs for dtype in dtypes
        ]

    monkeypatch.setattr(cost, "measure", measured)
    suite = kernels()
    found = suite.setup_cache()
    assert [suite.track_unit(found, *each) for each in itertools.product(*kernels.params)] == 12 * [
        2.0
    ]
