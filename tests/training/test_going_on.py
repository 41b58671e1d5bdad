"""Trainings that go on from nets: the same bits as one training, and what is refused."""

import dataclasses
import pickle

import numpy as np
import pytest

import minilotto as ml
from minilotto.engines.compressed import CompressedEngine
from minilotto.kernels.updates import UPDATES
from minilotto.training.going_on import goes_on
from tests.nets import mostly_slow

SEEDS = 5
TINY = ml.Config(width=2, steps=60)
ENGINES = {
    "lanes": {"engine": "lanes"},
    "wide": {"engine": "wide"},
    "compressed": {"engine": "compressed"},
    "exact": {"engine": "exact"},
    "reference": {"backend": "reference"},
}
EXACT = {"activation": "relu", "dtype": "float64"}
OF_ENGINE = {"exact": EXACT, "wide": {"dtype": "float64"}}  # of test_optimizers too: compiled once
# Nets that overfit noise become sharp, and need more nodes.
SHARP = ml.Config(
    width=6, steps=1400, lr=0.1, noise=1.0, sampling="uniform", points=80, schedule="constant"
)


def assert_same(ours, theirs):
    """Equal in every bit of every array, and in the state where both have one."""
    pairs = list(zip(ours.per_net().items(), theirs.per_net().values(), strict=True))
    if ours.state and theirs.state:
        ours_too, theirs_too = ours.state.arrays(), theirs.state.arrays()
        assert ours_too.keys() == theirs_too.keys()
        assert ours.state.since == theirs.state.since
        pairs += zip(ours_too.items(), theirs_too.values(), strict=True)
    for (name, a), b in pairs:
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes(), name
    assert (ours.step, ours.config) == (theirs.step, theirs.config)


def cut_in_two(config, cut, seeds=SEEDS, **how):
    """The nets of one training, and those of two, the second of which goes on at `cut`."""
    first = ml.train(config, seeds, keep=[cut], state=True, **how).kept[cut]
    whole = ml.train(config, seeds, state=True, **how)
    return whole, ml.train(config, start=first, state=True, **how)


@pytest.mark.parametrize(
    ("optimizer", "engine"),
    mostly_slow(
        [(name, engine) for name in UPDATES for engine in ENGINES],
        [(name, "reference") for name in UPDATES]
        + [("adam", "lanes"), ("adam", "compressed"), ("momentum", "wide"), ("adamw", "exact")],
    ),
)
@pytest.mark.parametrize("cut", [1, 23, 59])
def test_two_trainings_have_the_bits_of_one(optimizer, engine, cut):
    config = TINY.replace(optimizer=optimizer, **OF_ENGINE.get(engine, {}))
    whole, resumed = cut_in_two(config, cut, **ENGINES[engine])
    assert_same(resumed, whole)
    assert resumed.provenance["from_step"] == cut
    assert resumed.provenance["moments"] == "those of the nets"


@pytest.mark.parametrize("schedule", ml.SCHEDULES)
def test_a_schedule_goes_on_where_it_was(schedule):
    config = TINY.replace(schedule=schedule, warmup=7)
    for cut in (3, 31):
        whole, resumed = cut_in_two(config, cut, engine="lanes")
        assert_same(resumed, whole)


@pytest.mark.parametrize(
    ("changes", "how"),
    mostly_slow(
        [
            ({"batch": 3}, {}),
            ({"batch": 3, "sampling": "population"}, {}),
            ({"optimizer": "lm", "dtype": "float64"}, {"compress": False}),
            ({"optimizer": "lm", "dtype": "float64"}, {"engine": "compressed"}),
            ({"task": "product2", "init": "normal"}, {}),
            ({"activation": "sigmoid", "width": 3}, {"engine": "wide"}),
            ({**EXACT, "sampling": "population"}, {"engine": "exact"}),
            ({"loss": "logistic", "task": "moons", "sampling": "examples"}, {}),
        ],
        [],
    ),
    ids=str,
)
def test_other_trainings_go_on_as_well(changes, how):
    whole, resumed = cut_in_two(ml.Config(**{"width": 2, "steps": 60, **changes}), 17, **how)
    assert_same(resumed, whole)


@pytest.mark.parametrize("cut", [1, 100, 333, 777, 1001, 1399])
def test_nodes_and_audits_are_those_of_one_training(cut):
    """Between two audits nets may have nodes that the next audit finds to be too few."""
    how = {"engine": "compressed"}
    whole = ml.train(SHARP, 12, **how)
    assert len(np.unique(whole.nodes)) > 1
    shorter = ml.train(SHARP.replace(steps=cut), 12, state=True, **how)
    assert (shorter.state.audited is None) == (cut == 100)
    assert_same(ml.train(SHARP, start=shorter, **how), whole)


@pytest.mark.parametrize("cut", [3000, 3700, 10_000, 10_300])
def test_nets_that_have_fewer_nodes_go_on_with_these(cut):
    config, how = ml.Config(width=2, steps=10_600), {"engine": "compressed"}
    whole, resumed = cut_in_two(config, cut, 24, **how)
    assert whole.nodes.min() < 16
    assert_same(resumed, whole)
    shorter = ml.train(config.replace(steps=cut), 24, state=True, **how)
    assert_same(ml.train(config, start=shorter, **how), whole)


@pytest.mark.parametrize("cut", [100, 450])
def test_nets_of_two_inputs_go_on_with_the_nodes_they_had(cut):
    config = ml.Config(width=3, task="product2", points=400, sampling="uniform", steps=600)
    whole = ml.train(config, 20, engine="compressed")
    assert len(np.unique(whole.nodes)) > 1
    shorter = ml.train(config.replace(steps=cut), 20, state=True, engine="compressed")
    assert_same(ml.train(config, start=shorter, engine="compressed"), whole)


def test_nets_that_failed_the_audit_at_the_cut_go_on_without_it(monkeypatch):
    """That audit is none of the longer training: its nodes are forgotten, until another fails."""
    how, returned, real = {"engine": "compressed"}, [], CompressedEngine._repeated
    whole = ml.train(SHARP, 40, **how)
    shorter = ml.train(SHARP.replace(steps=600), 40, state=True, **how)
    failed = np.flatnonzero(shorter.nodes != shorter.state.audited.nodes)
    assert failed.size

    def repeated(self, failing, step):
        returned.extend((int(place), step) for one in failing for place in one.places)
        return real(self, failing, step)

    monkeypatch.setattr(CompressedEngine, "_repeated", repeated)
    resumed = ml.train(SHARP, start=shorter, **how)
    assert {place for place, step in returned if step == 600} == set(failed.tolist())
    assert_same(resumed, whole)


def test_other_rates_go_on_from_the_audited_nets():
    shorter = ml.train(SHARP.replace(steps=600), 12, state=True, engine="compressed")
    slower = SHARP.replace(lr=1e-9)
    resumed = ml.train(slower, start=shorter, engine="compressed")
    assert np.all(resumed.nodes >= shorter.nodes)
    np.testing.assert_allclose(resumed.loss, shorter.loss, rtol=1e-3)


def test_kept_nets_are_those_of_a_shorter_training():
    steps = (1, 333, 1000, 1400)
    nets = ml.train(SHARP, 12, keep=[*steps, 333], engine="compressed")
    assert tuple(nets.kept) == steps
    for step, kept in nets.kept.items():
        alone = ml.train(SHARP.replace(steps=step), 12, engine="compressed")
        assert kept.step == step
        assert_same(dataclasses.replace(kept, config=alone.config), alone)
        np.testing.assert_array_equal(kept.history.steps, alone.history.steps)
        np.testing.assert_array_equal(kept.history.loss, alone.history.loss)
    assert_same(nets, ml.train(SHARP, 12, engine="compressed"))
    assert_same(nets.kept[1400], nets)


def test_what_is_kept_does_not_depend_on_batches_of_nets(monkeypatch):
    monkeypatch.setattr("minilotto.training.loop.BATCH_SECONDS", 1e-9)
    many = ml.train(TINY, 150, keep=[0, 20], state=True, threads=1)
    few = ml.train(TINY, [149, 3], keep=[0, 20], state=True)
    for step in (0, 20):
        assert_same(many.kept[step].select([149, 3]), few.kept[step])
        assert_same(ml.train(TINY, start=many.kept[step], state=True), many)


def test_through_a_file_and_a_pickle(tmp_path):
    nets = ml.train(TINY, SEEDS, keep=[20], state=True, engine="compressed")
    kept = nets.kept[20]
    loaded = ml.load(kept.save(tmp_path / "nets.npz"))
    assert loaded.step == 20
    assert "at step 20" in repr(loaded)
    assert loaded.state.audited.step == 0
    for again in (loaded, pickle.loads(pickle.dumps(kept))):
        assert_same(again, kept)
        assert not again.state.m.w.flags.writeable
        assert not again.state.audited.state.s.c.flags.writeable
        assert_same(ml.train(TINY, start=again, state=True, engine="compressed"), nets)
    assert pickle.loads(pickle.dumps(nets)).kept[20].step == 20


def test_files_without_a_state_are_as_before(tmp_path):
    plain, with_state = (ml.train(TINY, SEEDS, state=state) for state in (False, True))
    names = []
    for nets in (plain, with_state):
        path = nets.save(tmp_path / "nets.npz", force=True)
        with np.load(path) as content:
            names.append(set(content))
            assert ('"state"' in str(content["header"])) == (nets is with_state)
            assert '"step"' not in str(content["header"])
    assert names[1] - names[0] == {f"{kind}_{name}" for kind in "ms" for name in "wbvc"} | {
        f"audited{kind}_{name}" for kind in ("", "_m", "_s") for name in "wbvc"
    } | {"audited_nodes", "audited_audit"}


def test_some_of_the_nets_go_on():
    config = TINY.replace(steps=30)
    nets, whole = ml.train(config, 9, state=True), ml.train(TINY, 9)
    for some in ([7, 2], np.arange(9) % 2 == 0, slice(3, 4)):
        assert_same(ml.train(TINY, start=nets[some]), whole[some])
    assert_same(ml.train(TINY, [7, 2], start=nets[[7, 2]]), whole[[7, 2]])


def test_histories_concatenate():
    nets = ml.train(TINY.replace(steps=30), SEEDS, checkpoints=[3, 10], state=True, engine="lanes")
    resumed = ml.train(TINY, start=nets, checkpoints=[3, 40], engine="lanes")
    whole = ml.train(TINY, SEEDS, checkpoints=[3, 10, 30, 40], engine="lanes")
    np.testing.assert_array_equal(resumed.history.steps, [3, 10, 30, 40, 60])
    np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)
    np.testing.assert_array_equal(resumed.loss, resumed.history.loss[-1])


def test_three_parts_have_the_bits_of_one():
    parts = None
    for steps in (13, 37, 60):
        config = TINY.replace(steps=steps)
        parts = ml.train(config, range(SEEDS), start=parts, state=True)
    assert_same(parts, ml.train(TINY, SEEDS, state=True))
    assert parts.provenance["from_step"] == 37


@pytest.mark.parametrize("engine", ["lanes", "reference"])
def test_moments_without_a_state_start_from_zero(engine):
    """A first step of adam from zero moments has the size of the rate: its bias is corrected."""
    config = TINY.replace(steps=41, dtype="float64", schedule="constant", epsilon=1e-300)
    nets = ml.train(config.replace(steps=40), SEEDS, **ENGINES[engine])
    resumed = ml.train(config, start=nets, state=True, **ENGINES[engine])
    np.testing.assert_allclose(np.abs(resumed.w - nets.w), config.lr, rtol=1e-6)
    assert resumed.state.since == 40
    assert resumed.provenance["moments"] == "from zero, as the nets have no state"
    longer = config.replace(steps=60)
    assert_same(
        ml.train(longer, start=resumed, **ENGINES[engine]),
        ml.train(longer, start=nets, **ENGINES[engine]),
    )


def test_another_optimiser_starts_its_moments_from_zero():
    nets = ml.train(TINY.replace(steps=30), SEEDS, state=True)
    momentum = TINY.replace(optimizer="momentum", lr=1e-3)
    resumed = ml.train(momentum, start=nets)
    assert resumed.provenance["moments"] == "from zero, as the nets were trained by adam"
    forgetful = dataclasses.replace(nets, state=None)
    assert ml.train(momentum, start=forgetful).loss.tobytes() == resumed.loss.tobytes()


def test_the_summary_says_from_where():
    from minilotto.cli.summary import summary

    nets = ml.train(TINY, SEEDS, keep=[20])
    assert "20 of 60 steps" in summary(nets.kept[20])
    text = summary(ml.train(TINY, start=nets.kept[20]))
    assert "went on from step 20; moments: from zero, as the nets have no state" in text


def test_diverged_nets_stay_diverged():
    config = TINY.replace(optimizer="gd", lr=1e3, schedule="constant")
    nets = ml.train(config.replace(steps=30), SEEDS, state=True)
    assert set(nets.status) == {"diverged"}
    calm = ml.train(config.replace(lr=1e-3), start=nets)
    assert set(calm.status) == {"diverged"}
    mixed = dataclasses.replace(
        nets, **{name: np.nan_to_num(array) for name, array in nets.parameters._asdict().items()}
    )
    mixed.w.setflags(write=True)
    mixed.w[1] = np.nan
    mixed.w.setflags(write=False)
    after = ml.train(config.replace(lr=1e-3), start=dataclasses.replace(mixed, state=None))
    assert after.status.tolist() == ["ok", "diverged", "ok", "ok", "ok"]


def test_data_of_ones_own_need_not_be_given_again():
    x = np.linspace(-1, 1, 9)
    nets = ml.train(TINY.replace(steps=30), SEEDS, data=(x, x**3), state=True)
    whole = ml.train(TINY, SEEDS, data=(x, x**3))
    config = nets.config.replace(steps=60)
    assert_same(ml.train(config, start=nets), whole)
    assert_same(ml.train(TINY, start=nets, data=(x, x**3)), whole)
    half = ml.train(TINY, SEEDS, target=lambda x: x[:, 0] ** 3, keep=[30])
    assert ml.train(half.config, start=half.kept[30]).config.task == "custom"
    with pytest.raises(ml.ConfigError, match="y of the data is not that"):
        ml.train(TINY, start=nets, data=(x, x**2))


START = ml.train(TINY.replace(steps=30), SEEDS, backend="reference", state=True)
REFUSED = {
    "width=3 is not that of the nets to go on from, 2": {"config": TINY.replace(width=3)},
    "task='cube' is not that of": {"config": TINY.replace(task="cube")},
    "dtype='float64' is not that of": {"config": TINY.replace(dtype="float64")},
    "activation='tanh' is not that of": {"config": TINY.replace(activation="tanh")},
    "loss='logistic' is not that of": {"config": TINY.replace(loss="logistic")},
    "init='normal' is not that of": {"config": TINY.replace(init="normal")},
    "root_seed=1 is not that of": {"config": TINY.replace(root_seed=1)},
    "points=50 is not that of": {"config": TINY.replace(points=50)},
    "steps=30 leaves nothing to do, as start is at step 30": {"config": TINY.replace(steps=30)},
    "steps=7 leaves nothing to do": {"config": TINY.replace(steps=7)},
    "seeds=5": None,
    "start='nets.npz' are no nets": {"start": "nets.npz"},
    "start=7 are no nets": {"start": 7},
    "start has no net to go on from": {"start": START[[]]},
    "keep=30 is out of range; give a whole number of at least 31 and below 61": {"keep": [30]},
    "keep=61 is out of range": {"keep": [61]},
    "keep=40.5 is out of range": {"keep": [40.5]},
    "keep='40' is out of range": {"keep": ["40"]},
    "keep=nan is out of range": {"keep": [float("nan")]},
    "keep=40 is no list; give one": {"keep": 40},
    "keep='40' is no list": {"keep": "40"},
    "keep=None is no list": {"keep": None},
    "state='yes' is no truth value": {"state": "yes"},
    "state=None is no truth value": {"state": None},
}
del REFUSED["seeds=5"]


@pytest.mark.parametrize(("message", "given"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_go_on_is_refused_in_one_line(message, given):
    with pytest.raises(ml.ConfigError) as error:
        ml.train(**{"config": TINY, "start": START, **given})
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seeds", [4, 6, 1000, range(1, 6), [4, 3, 2, 1, 0]], ids=str)
def test_other_seeds_are_refused(seeds):
    with pytest.raises(ml.ConfigError, match="not those of the nets to go on from"):
        ml.train(TINY, seeds, start=START)


def test_the_command_line_writes_kept_nets(tmp_path, capsys):
    from minilotto.cli import commands

    line = ["train", "--width=2", "--steps=60", "--seeds=5", "--quiet"]
    out = f"--out={tmp_path}/nets.npz"
    assert commands.main([*line, out, "--keep=20,40"]) == 0
    assert f"{tmp_path}/nets-20.npz" in capsys.readouterr().out
    for step in (20, 40):
        kept = ml.load(tmp_path / f"nets-{step}.npz")
        assert_same(kept, ml.train(TINY, SEEDS, keep=[step]).kept[step])
    (tmp_path / "nets.npz").unlink()
    for words in (["--keep=20", out], ["--keep=20"], ["--keep=61", out], ["--keep=x", out]):
        assert commands.main([*line, *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "nets.npz").exists()


def test_the_command_line_goes_on_from_a_file(tmp_path, capsys):
    from minilotto.cli import commands

    def run(*words: str) -> str:
        status = commands.main(["train", "--quiet", *words])
        printed = capsys.readouterr()
        assert (status, printed.err.count("\n")) in ((0, 0), (2, 1))
        return printed.err or printed.out

    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    run("--width=2", "--steps=30", "--seeds=3:8", "--momentum=0.95", "--optimizer=momentum")
    words = ["--width=2", "--seeds=3:8", "--momentum=0.95", "--optimizer=momentum"]
    run(*words, "--steps=30", "--state", f"--out={first}")
    assert "those of the nets" in run(f"--start={first}", "--steps=60", f"--out={second}")
    config = ml.load(first).config.replace(steps=60)
    assert_same(ml.load(second), ml.train(config, range(3, 8)))
    assert ml.load(second).state is None
    assert "from zero, as the nets have no state" in run(f"--start={second}", "--steps=61")
    # What another optimiser and another schedule do not use need not be taken back.
    text = run(f"--start={first}", "--steps=60", "--optimizer=gd", "--schedule=cosine")
    assert "from zero, as the nets were trained by momentum" in text
    assert "momentum=0.95 means nothing" in run(
        f"--start={first}", "--steps=60", "--optimizer=gd", "--momentum=0.95"
    )
    for words, message in {
        "": "steps=30 leaves nothing to do",
        "--steps=60 --width=3": "width=3 is not that of the nets",
        "--steps=60 --task=cube": "task='cube' is not that of the nets",
        "--steps=60 --seeds=5": "are not those of the nets",
        "--steps=60 --optimizer=lm": "dtype='float32' is nothing that lm trains",
        "--steps=60 --optimizer=sgd": "optimizer='sgd' is unknown",
        "--steps=60 --state=5": "is no truth value",
        f"--steps=60 --keep=30 --out={second}.npz": "keep=30 is out of range",
        f"--steps=60 --out={second}": "exists",
    }.items():
        assert message in run(f"--start={first}", *words.split())


def test_another_optimiser_takes_back_what_it_does_not_use():
    config = ml.Config(optimizer="adamw", weight_decay=0.1, beta1=0.5, dtype="float64", batch=3)
    config = config.replace(schedule="cosine", lr_final=0.5, warmup=7, width=3)
    assert goes_on(config, {"steps": 70}) == config.replace(steps=70)
    assert goes_on(config, {"optimizer": "adam", "beta2": 0.5}) == config.replace(
        optimizer="adam", weight_decay=0.01, beta2=0.5
    )
    assert goes_on(config, {"schedule": "step"}) == config.replace(schedule="step", lr_final=None)
    assert goes_on(config, {"schedule": "linear"}) == config.replace(schedule="linear")
    assert goes_on(config, {"optimizer": "lm"}) == ml.Config(
        optimizer="lm", dtype="float64", width=3
    )


def test_the_command_line_goes_on_with_data_of_ones_own(tmp_path, capsys):
    from minilotto.cli import commands

    (tmp_path / "p.csv").write_text("x,y\n-1,1\n0,0\n1,1\n2,3\n")
    (tmp_path / "q.csv").write_text("x,y\n-1,1\n0,0\n1,1\n2,4\n")
    line = ["train", "--quiet", f"--out={tmp_path}/n.npz", "--force"]
    data, start = f"--data={tmp_path}/p.csv", f"--start={tmp_path}/n.npz"
    assert commands.main([*line, data, "--width=2", "--seeds=4", "--steps=20", "--state"]) == 0
    nets = ml.load(tmp_path / "n.npz")
    whole = ml.train(nets.config.replace(steps=40), start=nets)
    capsys.readouterr()
    assert commands.main([*line, start, "--steps=40", f"--data={tmp_path}/q.csv"]) == 2
    assert "y of the data is not that of the nets" in capsys.readouterr().err
    assert commands.main([*line, start, "--steps=40", "--task=cube"]) == 2
    for words in ([data], []):
        nets.save(tmp_path / "n.npz", force=True)
        assert commands.main([*line, start, "--steps=40", *words]) == 0
        assert_same(ml.load(tmp_path / "n.npz"), whole)
