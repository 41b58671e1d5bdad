"""Budgets: a training serves those of fewer steps that are the same training, and no others."""

import numpy as np
import pytest
from stores import files_in

import minilotto as ml
from minilotto.cli import commands
from minilotto.settings.config import Config
from minilotto.store import format as store_format
from minilotto.store.blocks import Block
from minilotto.sweeps.budgets import planned, remaining
from tests.sweeps.test_sweep import Far, Inline, log_of, loop

STEPS = (300, 800, 2000)
SAME = [
    {},
    {"schedule": "constant", "warmup": 3},
    {"schedule": "linear", "lr_final": 1},
    {"schedule": "cosine", "lr_final": 1.0, "optimizer": "momentum"},
    {"lr_decay_every": 4, "optimizer": "gd"},
    {"batch": 3},
    {"batch": 4, "sampling": "population"},
    {"optimizer": "lm", "dtype": "float64"},
    {"activation": "leaky_relu", "dtype": "float64"},
    {"loss": "logistic", "task": "moons", "sampling": "examples"},
    {"width": 5, "task": "product2", "sampling": "uniform", "noise": 0.1},
]


@pytest.fixture
def trained(monkeypatch) -> list[tuple[int, int]]:
    """(steps, seeds) of every training from now on."""
    done, real = [], loop.run

    def run(engine, seeds, *rest):
        done.append((engine.config.steps, len(seeds)))
        return real(engine, seeds, *rest)

    monkeypatch.setattr(loop, "run", run)
    return done


def contents(store) -> dict:
    """What is in the store: the bytes of each net's arrays and what is said of it."""
    found = {}
    for config in store.configs:
        nets = store.ensemble(config)
        facts = (nets.config, nets.step, nets.provenance, nets.history.steps.tobytes())
        for row, seed in enumerate(nets.seeds.tolist()):
            arrays = [array[row].tobytes() for array in nets.per_net().values()]
            found[config.key, seed] = [*arrays, nets.history.loss[:, row].tobytes(), repr(facts)]
    return found


def apart(folder, steps=STEPS, **axes):
    """A store of the same configs, of which each was trained by itself."""
    for count in steps:
        store = ml.sweep(ml.Sweep(steps=count, **axes), out=folder)
    return store


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_one_training_stores_what_each_budget_would(changes, tmp_path, trained, small_blocks):
    if "examples" in changes.values():
        pytest.importorskip("sklearn", reason="moons are scikit-learn's")
    small_blocks(8)
    axes = {"width": 2, "seeds": range(3, 21), **changes}
    store = ml.sweep(ml.Sweep(steps=STEPS, **axes), out=tmp_path / "one")
    assert {steps for steps, _ in trained} == {2000}
    assert contents(store) == contents(apart(tmp_path / "each", **axes))
    assert store.verify(6).passed
    assert [block.config.steps for block in planned(store.missing_runs(()))] == []


@pytest.mark.parametrize(
    "changes",
    [{"schedule": name} for name in ("cosine", "linear", "exponential")]
    + [{"schedule": "linear", "lr_final": 0.5}]
    + [{"schedule": "stretched", "lr_final": 1.0, "lr_decay": 1.5, "lr_decay_every": 200}],
    ids=str,
)
def test_rates_that_depend_on_the_number_of_steps_make_trainings_of_their_own(
    changes, tmp_path, trained
):
    axes = {"width": 2, "seeds": 5, **changes}
    store = ml.sweep(ml.Sweep(steps=STEPS, **axes), out=tmp_path / "one")
    assert sorted(trained) == [(steps, 5) for steps in STEPS]
    assert contents(store) == contents(apart(tmp_path / "each", **axes))
    with pytest.raises(ml.ConfigError, match=r"^keep=7 is no whole training by schedule='[a-z]+'"):
        ml.Sweep(steps=45, keep=[7], **axes)


def test_a_budget_that_takes_another_engine_is_trained_by_it(tmp_path, trained):
    """Some steps do not pay for the audits of nodes."""
    axes = {"width": 2, "seeds": 5, "points": 40}
    store = ml.sweep(ml.Sweep(steps=(3, 4000), **axes), out=tmp_path / "one")
    engines = [store.ensemble(config).engine for config in store.configs]
    assert len(set(engines)) == 2
    assert sorted(trained) == [(3, 5), (4000, 5)]
    assert contents(store) == contents(apart(tmp_path / "each", (3, 4000), **axes))


def test_audits_at_other_steps_make_another_training(tmp_path, trained, monkeypatch):
    """Of very many steps audits are further apart; here beyond 30."""

    def audit_steps(steps: int) -> np.ndarray:
        apart = 20 if steps > 30 else 10
        return np.array([0, *range(apart, steps, apart), steps])

    monkeypatch.setattr("minilotto.engines.compressed.audit_steps", audit_steps)
    monkeypatch.setattr("minilotto.engines.choice.audit_steps", lambda steps: [])
    ml.sweep(ml.Sweep(width=2, seeds=5, steps=(7, 20, 45)), out=tmp_path / "one")
    assert sorted(trained) == [(20, 5), (45, 5)]


def test_keep_names_the_steps_on_the_way(tmp_path, capsys):
    sweep = ml.Sweep(width=2, seeds=3, steps=45, keep=(20, 7.0, 20))
    assert sweep == ml.Sweep(width=2, seeds=3, steps=(7, 20, 45))
    assert ml.Sweep(**sweep.to_dict()) == sweep
    assert {config.steps for config in ml.Sweep(seeds=3, keep=[5]).configs} == {5, 50_000}
    (tmp_path / "s.toml").write_text("width = 2\nseeds = 3\nsteps = 45\nkeep = [7, 20]\n")
    words = ["--width=2", "--seeds=3", "--steps=45", "--keep=7,20"]
    for given, out in ((words, "a"), ([f"--from={tmp_path}/s.toml"], "b")):
        assert commands.main(["sweep", *given, f"--out={tmp_path}/{out}", "--quiet"]) == 0
        store = ml.open_store(tmp_path / out)
        assert store.configs == sweep.configs
        assert store.studies() == [(sweep,)]
    capsys.readouterr()
    for wrong in ("45", "50", "0", "x", "7.5", "-3"):
        line = ["sweep", "--width=2", "--steps=45", f"--keep={wrong}", f"--out={tmp_path}/c"]
        assert commands.main(line) == 2
        assert capsys.readouterr().err.startswith("ConfigError: keep=")
    assert not (tmp_path / "c").exists()
    for wrong, rule in ((7, "is no list"), ("7", "is no list"), ([1], "warmup=2 is out of range")):
        with pytest.raises(ml.ConfigError, match=rule):
            ml.Sweep(steps=45, keep=wrong, warmup=2)
    line = ["sweep", f"--from={tmp_path}/s.toml", "--keep=3", f"--out={tmp_path}/c"]
    assert commands.main(line) == 2
    assert "--keep is given beside --from" in capsys.readouterr().err


def test_a_store_goes_on_with_what_is_missing(tmp_path, trained, small_blocks):
    small_blocks(8)
    axes = {"width": 2, "seeds": 20}
    whole = contents(apart(tmp_path / "each", **axes))
    folder = tmp_path / "one"
    ml.sweep(ml.Sweep(width=2, steps=2000, seeds=range(8, 16)), out=folder)
    ml.sweep(ml.Sweep(width=2, steps=300, seeds=range(12)), out=folder)
    trained.clear()
    store = ml.sweep(ml.Sweep(steps=STEPS, **axes), out=folder)
    # The whole training: seeds 0 to 7 and 16 to 19, with all that is shorter; then 8 to 15.
    assert sorted(trained) == [(800, 8), (2000, 12)]
    assert contents(store) == whole
    trained.clear()
    files = files_in(folder)
    victim = next(name for name in files if store.configs[1].key in name)
    (folder / victim).write_bytes(b"damaged")
    store = ml.sweep(ml.Sweep(steps=STEPS, **axes), out=folder)
    assert {steps for steps, _ in trained} == {800}
    assert files_in(folder) == files


def test_damaged_budgets_come_back_in_the_blocks_of_the_training_that_served_them(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(store_format, "BLOCK_SECONDS", 3e-4)
    monkeypatch.setattr(store_format, "MOST_SECONDS", 3e-4)
    sweep = ml.Sweep(width=2, seeds=64, steps=(100, 800))
    short, long = sweep.configs
    assert store_format.block_size(short) == 4 * store_format.block_size(long)
    store = ml.sweep(sweep, out=tmp_path / "runs")
    files = files_in(store.folder)
    lost = [one.name for one in store.stored(short.key)[1:3]]  # side by side
    for name in lost:
        (store.blocks / name).write_bytes(b"damaged")
    ml.sweep(sweep, out=store.folder)
    assert files_in(store.folder) == files


@pytest.mark.parametrize("here", [True, False, None], ids=["here", "read-only", "elsewhere"])
def test_executors_store_the_same(here, tmp_path, monkeypatch, small_blocks):
    small_blocks(8)
    sweep = ml.Sweep(steps=STEPS, width=2, seeds=20)
    expected = files_in(ml.sweep(sweep, out=tmp_path / "local").folder)
    executor = Inline() if here else Far(monkeypatch, here is None)
    store = ml.sweep(sweep, out=tmp_path / "other", executor=executor)
    assert files_in(store.folder) == expected
    assert len([line for line in log_of(store) if line["event"] == "block"]) == 3


def test_what_another_process_has_stored_by_now_is_left_out():
    config = Config(width=2, steps=45)
    few, some = config.replace(steps=7), config.replace(steps=20)
    block = Block(config, 0, 8, (Block(some, 0, 8), Block(few, 0, 4)))
    assert list(remaining([block], lambda one: False)) == [[block]]
    assert list(remaining([block], lambda one: one.config == few)) == [
        [Block(config, 0, 8, (Block(some, 0, 8),))]
    ]
    assert list(remaining([block], lambda one: one.config == config)) == [
        [Block(some, 0, 8, (Block(few, 0, 4),))]
    ]
    assert list(remaining([block], lambda one: True)) == []
    assert str(block).endswith(", and after 7, 20 steps")


def test_interrupted_blocks_leave_whole_budgets(tmp_path, monkeypatch, small_blocks):
    small_blocks(8)
    sweep, calls, real = ml.Sweep(steps=STEPS, width=2, seeds=20), [], loop.check

    def interrupt():
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        real()

    monkeypatch.setattr(loop, "check", interrupt)
    monkeypatch.setattr(loop, "BATCH_SECONDS", 1e-9)
    with pytest.raises(ml.SweepInterrupted):
        ml.sweep(sweep, out=tmp_path / "one", threads=1)
    store = ml.open_store(tmp_path / "one")
    assert len({tuple(store.seeds(config)) for config in sweep.configs}) == 1
    store = ml.sweep(sweep, out=tmp_path / "one")
    assert contents(store) == contents(apart(tmp_path / "each", width=2, seeds=20))
