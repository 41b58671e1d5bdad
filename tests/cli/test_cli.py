"""The command line: what it refuses, before it does anything, and what it does."""

import errno
import inspect
import re
import resource
from importlib import import_module
from pathlib import Path

import numpy as np
import psutil
import pytest

import minilotto as ml
from minilotto import files
from minilotto.cli import commands
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import ACTIVATIONS
from minilotto.settings.config import FIELDS, SAMPLINGS
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import TASKS

TINY = ml.Config(width=1, steps=5)
TRAIN_TINY = "train --quiet --width 1 --steps 5 --seeds 2"
SIZE = r"[\d.]+ [kMGT]?B"
HEADERS = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "svg": b"<?xml"}

training = import_module("minilotto.training.train")
loop = import_module("minilotto.training.loop")


def words(line: str) -> list[str]:
    return line.split()


def tiny(said: str) -> list[str]:
    """A training that takes no time, with these words more, which may set its flags otherwise."""
    flags = {"--quiet": "true", "--width": "1", "--steps": "5", "--seeds": "2"}
    return [
        "train",
        *(f"{name}={text}" for name, text in flags.items() if name not in said),
    ] + words(said)


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def same_bits(a: ml.Ensemble, b: ml.Ensemble) -> bool:
    pairs = zip(
        (a.seeds, *a.parameters, a.loss, a.history.loss),
        (b.seeds, *b.parameters, b.loss, b.history.loss),
        strict=True,
    )
    return a.config == b.config and all(
        p.dtype == q.dtype and p.tobytes() == q.tobytes() for p, q in pairs
    )


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    """Runs words that must be refused, checks what holds for each refusal, returns the line."""

    def no_training(*_, **__):
        raise AssertionError("a refused command line has trained something")

    monkeypatch.setattr(loop, "run", no_training)

    def run(arguments: list[str]) -> str:
        before = contents(folder)
        status = commands.main(arguments)
        said = capsys.readouterr()
        assert status == 2, said
        assert said.out == ""
        assert len(said.err.splitlines()) == 1, said.err
        assert said.err.endswith("\n")
        assert re.match(r"(ConfigError|DataError|FileError|ResourceError): ", said.err)
        assert contents(folder) == before
        return said.err

    return run


def test_the_refusal_check_can_fail(refused):
    with pytest.raises(AssertionError, match="has trained something"):
        refused(words(TRAIN_TINY))


# Words after `train`; then what the line must name: the value, and the remedy.
REFUSALS = [
    ("--wdith 3", "--wdith", "did you mean --width?"),
    ("--seed 3", "--seed ", "did you mean --seeds?"),
    ("--lr-decay-evry 3", "--lr", "did you mean --lr_decay_every?"),
    ("--zzzzqqqq 3", "--zzzzqqqq", "train --help"),
    ("--activation slu", "'slu'", "choose from " + ", ".join(ACTIVATIONS)),
    ("--activation [relu,silu]", "='[relu,silu]' ", "sweep for several"),
    ("--activation 1", "='1' ", "choose from"),
    ("--task sqare", "'sqare'", "choose from " + ", ".join(TASKS)),
    ("--task {a:1}", "'{a:1}'", "choose from"),
    ("--task custom", "'custom'", "data="),
    ("--init zeros", "'zeros'", "choose from " + ", ".join(SCHEMES)),
    ("--sampling lattice", "'lattice'", "choose from " + ", ".join(SAMPLINGS)),
    ("--sampling custom", "'custom'", "data="),
    ("--dtype float16", "'float16'", "choose from float32, float64"),
    ("--backend gpu", "'gpu'", "choose from auto, cpu, cuda, reference"),
    ("--width 0", "width=0 ", "at least 1"),
    ("--width -3", "width=-3 ", "at least 1"),
    ("--width 1.5", "width=1.5 ", "whole number"),
    ("--width two", "width='two' ", "whole number"),
    ("--width nan", "width='nan' ", "whole number"),
    ("--width 1e400", "width=inf ", "whole number"),
    ("--width 1,2", "width='1,2' ", "sweep for several"),
    ("--width", "--width", "value"),
    ("--width --steps 5", "--width", "value"),
    ("--steps 0", "steps=0 ", "at least 1"),
    ("--steps 2.5", "steps=2.5 ", "whole number"),
    ("--steps 1e300", "steps=", "below"),
    ("--lr-decay-every 1e300", "lr_decay_every=", "below"),
    ("--points 0", "points=0 ", "at least 1"),
    ("--points 7 --task product2", "points=7 ", "points=9"),
    ("--lr 0", "lr=0 ", "above 0"),
    ("--lr nan", "lr='nan' ", "finite number"),
    ("--lr 1e400", "lr=inf ", "finite number"),
    ("--lr fast", "lr='fast' ", "finite number"),
    ("--beta1 1", "beta1=1 ", "[0, 1)"),
    ("--epsilon 0", "epsilon=0 ", "above 0"),
    ("--root-seed -1", "root_seed=-1 ", "at least 0"),
    ("--negative-slope 0.2", "negative_slope=0.2 ", "leaky_relu"),
    ("--init-scale 2", "init_scale=2", "uniform, normal"),
    ("--noise -0.1", "noise=-0.1 ", "at least 0"),
    ("--noise", "--noise", "value"),
    ("--noise --steps 5", "--noise", "value"),
    ("--noise 0.1 --sampling population", "noise=0.1 ", "leave it out"),
    ("--threads 0", "threads=0 ", "at least 1"),
    ("--threads 1.5", "threads=1.5 ", "whole number"),
    ("--threads all", "threads='all' ", "whole number"),
    ("--seeds 0", "seeds=0 ", "at least 1"),
    ("--seeds -5", "seeds=-5 ", "at least 1"),
    ("--seeds 1.5", "seeds=1.5 ", "whole number"),
    ("--seeds ten", "'ten'", "1000:2000"),
    ("--seeds 10:5", "'10:5'", "1000:2000"),
    ("--seeds 5:5", "'5:5'", "1000:2000"),
    ("--seeds 5:", "'5:'", "1000:2000"),
    ("--seeds 1:2:3", "'1:2:3'", "1000:2000"),
    ("--seeds -3:3", "'-3:3'", "1000:2000"),
    ("--seeds ²:9", "'²:9'", "1000:2000"),
    ("--seeds 7,3,7", "7", "once"),
    ("--seeds 3,-2", "-2", "at least 0"),
    ("--seeds 3,2.5", "2.5", "whole numbers"),
    ("--seeds 3,x", "x", "whole numbers"),
    ("--seeds [1,[2,3]]", "'[2'", "list"),
    ("--seeds []", "seeds", "at least one"),
    ("--seeds 0,281474976710656", "281474976710656", "below 2^48"),
    ("--seeds", "--seeds", "value"),
    ("--checkpoints 0,6", "checkpoint=6 ", "below 6"),
    ("--checkpoints -1", "checkpoint=-1 ", "at least 0"),
    ("--checkpoints 0,2.5", "checkpoint=2.5 ", "whole number"),
    ("--checkpoints 0:5", "checkpoint='0:5' ", "whole number"),
    ("--quiet loudly", "--quiet='loudly' ", "--quiet=true"),
    ("--force 7", "--force='7' ", "--force=true"),
    ("--out", "--out", "value"),
    ("--out nets.txt", "'nets.txt'", ".npz"),
    ("--out nets", "'nets'", ".npz"),
    ("--out 5", "'5'", ".npz"),
    ("--out [a,b]", "'[a,b]'", ".npz"),
    ("--out missing/nets.npz", "'missing'", "create it"),
    ("--out old.npz", "'old.npz'", "--force"),
    ("--out old.npz --force=false", "'old.npz'", "--force"),
    ("--out folder.npz", "'folder.npz'", "name a file"),
    ("--out old.npz/nets.npz", "'old.npz'", "folder"),
    (f"--out {'n' * 300}.npz", "nnn", "name"),
    ("--plot nets.jpg", "'nets.jpg'", ".png or .pdf or .svg"),
    ("--plot missing/nets.png", "'missing'", "create it"),
    ("--plot old.png", "'old.png'", "--force"),
    ("5", "5", "train --help"),
    ("nets.npz", "nets.npz", "train --help"),
    ("- 5", "lone dash", "train --help"),
    ("-", "lone dash", "train --help"),
    ("--", "lone dash", "train --help"),
    ("-- --interactive", "lone dash", "train --help"),
    ("-- --trace", "lone dash", "train --help"),
    ("--interactive", "--interactive", "train --help"),
]


@pytest.mark.parametrize(
    ("said", "value", "remedy"), REFUSALS, ids=[said[:40] for said, _, _ in REFUSALS]
)
def test_train_refuses_in_one_line_that_names_value_and_remedy(
    said, value, remedy, refused, folder
):
    (folder / "old.npz").write_bytes(b"old nets")
    (folder / "old.png").write_bytes(b"old picture")
    (folder / "folder.npz").mkdir()
    line = refused(tiny(said))
    assert value in line
    assert remedy in line


@pytest.mark.parametrize(
    ("said", "value", "remedy"),
    [
        ("trian", "'trian'", "did you mean train?"),
        ("Train", "'Train'", "did you mean train?"),
        ("--width 3", "'--width'", "choose from " + ", ".join(commands.COMMANDS)),
        ("xyzzy", "'xyzzy'", "choose from " + ", ".join(commands.COMMANDS)),
        ("check --activatoins silu", "--activatoins", "did you mean --activations?"),
        ("check --activations slu", "'slu'", "choose from"),
        ("check --activations", "--activations", "value"),
        ("check --activations []", "activations", "silu"),
        ("check --tasks sqare", "'sqare'", "choose from"),
        ("check --tasks []", "tasks", "square"),
        ("check --dtypes float16", "'float16'", "choose from"),
        ("check --tasks moons", "'moons'", "square"),
        ("check --losses hinge", "'hinge'", "choose from"),
        ("check --losses []", "losses", "logistic"),
        ("check --width 3", "--width", "check --help"),
        ("check silu", "silu", "check --help"),
        ("check --", "lone dash", "check --help"),
        ("info 5", "5", "info --help"),
        ("info --verbose", "--verbose", "info --help"),
    ],
)
def test_other_commands_refuse_in_one_line_that_names_value_and_remedy(
    said, value, remedy, refused
):
    line = refused(words(said))
    assert value in line
    assert remedy in line


@pytest.mark.parametrize("command", [TRAIN_TINY, "check", "info"])
@pytest.mark.parametrize("member", ["run", "__class__", "__init__", "__dict__", "_run"])
def test_fire_cannot_walk_into_a_plan(command, member, refused, monkeypatch):
    for module, name in (
        ("minilotto.engines.check", "compare"),
        ("minilotto.cli.summary", "environment"),
    ):
        monkeypatch.setattr(import_module(module), name, None)  # calling it would be a TypeError
    assert member in refused(words(f"{command} {member}"))


BAD_DATA = {
    "nan.csv": ("x,y\n1,2\nnan,3\n", "NaN", "remove"),
    "infinite.csv": ("x,y\n1,2\n3,-inf\n", "infinity", "remove"),
    "words.csv": ("x,y\n1,two\n", "two", "header"),
    "ragged.csv": ("x,y\n1,2\n3\n", "columns", "header"),
    "header.csv": ("x,y\n", "header.csv", "give"),
    "void.csv": ("", "void.csv", "give"),
    "bare.csv": ("1,2\n3,4\n", "bare.csv", "x1,x2,y,weight"),
    "no_y.csv": ("x,z\n1,2\n", "no_y.csv", "x1,x2,y,weight"),
    "no_x.csv": ("y,weight\n1,2\n", "no_x.csv", "x1,x2,y,weight"),
    "narrow.csv": ("x,y\n1\n2\n", "narrow.csv", "name"),
    "negative.csv": ("x,y,weight\n1,2,1\n1,2,-1\n", "-1", "at least 0"),
    "weightless.csv": ("x,y,weight\n1,2,0\n", "0", "positive sum"),
    "binary.csv": (bytes(range(256)), "binary.csv", "header"),
    "points.txt": ("x,y\n1,2\n", "points.txt", ".csv"),
    "integers.npz": ({"x": np.arange(3), "y": np.arange(3)}, "int64", "astype(float)"),
    "complex.npz": ({"x": np.ones(3) * 1j, "y": np.ones(3)}, "complex128", "float64"),
    "nan.npz": ({"x": np.ones(3), "y": np.array([1.0, np.nan, 2.0])}, "y holds NaN", "remove"),
    "infinite.npz": (
        {"x": np.array([1.0, np.inf]), "y": np.ones(2)},
        "x holds NaN or infinity",
        "remove",
    ),
    "column.npz": ({"x": np.ones(3), "y": np.ones((3, 1))}, "(3, 1)", "(3,)"),
    "mismatched.npz": ({"x": np.ones(3), "y": np.ones(4)}, "(4,)", "(3,)"),
    "mismatched_weight.npz": (
        {"x": np.ones(3), "y": np.ones(3), "weight": np.ones(2)},
        "(2,)",
        "one weight a point",
    ),
    "cube.npz": ({"x": np.ones((2, 2, 2)), "y": np.ones(2)}, "(2, 2, 2)", "(P, D)"),
    "pointless.npz": ({"x": np.ones(0), "y": np.ones(0)}, "(0,)", "at least one point"),
    "no_y.npz": ({"x": np.ones(3)}, "no_y.npz", "y"),
    "objects.npz": ({"x": np.array([1.0, None]), "y": np.ones(2)}, "objects.npz", "npz"),
    "text.npz": ("no archive", "text.npz", "npz"),
    "void.npz": (b"", "void.npz", "npz"),
    "cut.npz": (b"PK\x03\x04 cut off", "cut.npz", "npz"),
    "array.npz": (np.ones(3), "array.npz", "npz"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_train_refuses_data_that_are_not_what_they_should_be(name, refused, folder):
    content, value, remedy = BAD_DATA[name]
    with (folder / name).open("wb") as file:
        if isinstance(content, dict):
            np.savez(file, **content)
        elif isinstance(content, np.ndarray):
            np.save(file, content)
        else:
            file.write(content.encode() if isinstance(content, str) else content)
    line = refused(words(f"{TRAIN_TINY} --data {name}"))
    assert value in line
    assert remedy in line


@pytest.mark.parametrize("name", ["missing.csv", "missing.npz", "missing/points.csv", "5"])
def test_train_refuses_data_files_that_are_not_there(name, refused):
    assert name in refused(words(f"{TRAIN_TINY} --data {name}"))


def test_train_refuses_a_folder_of_data(refused, folder):
    (folder / "folder.csv").mkdir()
    assert "folder.csv" in refused(words(f"{TRAIN_TINY} --data folder.csv"))


@pytest.mark.parametrize("flag", ["--out nets.npz", "--plot nets.png"])
def test_train_refuses_a_read_only_folder(flag, refused, folder, monkeypatch):
    real_open = Path.open

    def read_only(path, mode="r", *rest, **named):
        if not set(mode).isdisjoint("wax+") and path.resolve().parent == folder:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return real_open(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", read_only)
    line = refused(words(f"{TRAIN_TINY} {flag}"))
    assert "Read-only file system" in line
    assert "choose another" in line


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs Linux's /proc, where even root can make no file"
)
def test_train_refuses_a_folder_in_which_nobody_can_make_a_file(refused):
    line = refused(words(f"{TRAIN_TINY} --out /proc/nets.npz"))
    assert "/proc" in line
    assert "choose another" in line


INTO_FOLDERS = [
    "sweep --widths 2 --seeds 2 --steps 10 --out",
    "reproduce --figures 2b --quick --out",
    "reproduce --figures 2b --quick --runs",
    "figure 2b --quick --runs",
]


@pytest.mark.parametrize("command", INTO_FOLDERS)
@pytest.mark.parametrize(
    ("name", "why"),
    [("nets", "is a file"), ("nets/below", "is a file"), ("/proc/runs", "cannot be made")],
)
def test_a_folder_that_cannot_be_made_is_refused(command, name, why, refused, folder):
    (folder / "nets").touch()
    assert why in refused(words(f"{command} {name}"))


@pytest.mark.parametrize("command", INTO_FOLDERS)
def test_a_folder_that_cannot_be_written_to_is_refused(command, refused, folder, monkeypatch):
    real = files.probe

    def denied(path):
        if path.parent.name == "nets":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        real(path)

    (folder / "nets").mkdir()
    monkeypatch.setattr(files, "probe", denied)
    assert "'nets' cannot be written to (Permission denied)" in refused(words(f"{command} nets"))


def test_a_refused_output_keeps_its_bytes_and_a_forced_one_is_replaced(folder, capsys):
    (folder / "nets.npz").write_bytes(b"old")
    assert commands.main(words(f"{TRAIN_TINY} --out nets.npz")) == 2
    assert (folder / "nets.npz").read_bytes() == b"old"
    assert commands.main(words(f"{TRAIN_TINY} --out nets.npz --force")) == 0
    assert len(ml.load("nets.npz")) == 2
    assert [path.name for path in folder.iterdir()] == ["nets.npz"]
    capsys.readouterr()


@pytest.fixture
def two_gigabytes():
    """A ceiling on this process's address space, so that a forgotten refusal cannot fill the
    machine.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 2**31, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.usefixtures("two_gigabytes")
@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("--seeds 1e12", "1000000000000 seeds"),
        ("--seeds 0:1000000000000", "1000000000000 seeds"),
        ("--seeds 0:4000000000", "4000000000 seeds"),
        ("--width 1e10", "width 10000000000"),
        ("--points 1e12", "1000000000000 points"),
        ("--points 1e12 --sampling uniform", "1000000000000 points"),
    ],
)
def test_train_refuses_work_beyond_memory_with_the_size_it_would_need(said, value, refused):
    line = refused(tiny(said))
    assert line.startswith("ResourceError: ")
    assert value in line
    assert re.search(rf"need about {SIZE} of memory and {SIZE} is free; ", line)


@pytest.mark.usefixtures("two_gigabytes")
def test_a_sweep_beyond_memory_is_refused_as_a_training_is(refused):
    line = refused(words("sweep --widths 1 --steps 5 --seeds 2 --points 100,1e12 --out runs"))
    assert line.startswith("ResourceError: 1000000000000 points need about ")


@pytest.mark.parametrize("free", [10**5, 10**6, 10**7])
def test_train_refuses_by_the_memory_that_is_free_now(free, refused, monkeypatch):
    monkeypatch.setattr(training, "available_memory", lambda: free)
    assert f"{free / 1000 if free < 10**6 else free / 10**6:g} " in refused(
        tiny("--width 20 --seeds 1e6")
    )


@pytest.fixture
def planned(monkeypatch, capsys):
    """Runs words whose training is not run, and returns the Job they made."""
    jobs = []

    def no_run(job, progress=False):
        jobs.append(job)
        raise ml.TrainingInterrupted(None, len(job.seeds))

    monkeypatch.setattr(training.Job, "run", no_run)

    def plan(line: str):
        assert commands.main(words(line)) == 130
        capsys.readouterr()
        return jobs.pop()

    return plan


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("--steps 1e6", {"steps": 1_000_000}),
        ("--steps 1_000", {"steps": 1000}),
        ("--width 3.0", {"width": 3}),
        ("--lr-decay-every 7", {"lr_decay_every": 7}),
        ("--lr_decay_every 7", {"lr_decay_every": 7}),
        ("--lr-decay=0.5", {"lr_decay": 0.5}),
        ("--lr 1", {"lr": 1.0}),
        ("--lr 1e-3 --beta1 0", {"lr": 1e-3, "beta1": 0.0}),
        ("--root-seed 18446744073709551615", {"root_seed": 2**64 - 1}),
        (
            "--activation leaky_relu --negative-slope 0.2",
            {"activation": "leaky_relu", "negative_slope": 0.2},
        ),
        (
            "--activation leaky_relu --negative-slope -0.2",
            {"activation": "leaky_relu", "negative_slope": -0.2},
        ),
        ("--task product2 --points 49", {"task": "product2", "points": 49}),
        ("--sampling uniform --dtype float64", {"sampling": "uniform", "dtype": "float64"}),
        (
            "--init normal --init-scale 2 --output-scale 0.5",
            {"init": "normal", "init_scale": 2.0, "output_scale": 0.5},
        ),
        ("--noise 1e-3", {"noise": 1e-3}),
        ("--noise=1", {"noise": 1.0}),
    ],
)
def test_flags_reach_the_config(said, expected, planned):
    config = planned(f"train {said}").config
    assert {name: getattr(config, name) for name in expected} == expected
    assert all(type(getattr(config, name)) is type(value) for name, value in expected.items())
    assert config == ml.Config(**expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", range(1000)),
        ("--seeds 3", range(3)),
        ("--seeds 1e2", range(100)),
        ("--seeds 10:20", range(10, 20)),
        ("--seeds=0:1", range(1)),
        ("--seeds 8,3,5", (8, 3, 5)),
        ("--seeds [8,3,5]", (8, 3, 5)),
        ("--seeds 7,", (7,)),
    ],
)
def test_seeds_may_be_a_number_a_range_or_a_list(said, expected, planned):
    assert planned(f"train {said}").seeds.tolist() == list(expected)


@pytest.mark.parametrize(
    ("said", "expected"), [("0,2", [0, 2, 5]), ("3", [3, 5]), ("5,0,5", [0, 5]), ("[1]", [1, 5])]
)
def test_checkpoints_are_steps_of_the_history(said, expected, planned):
    assert planned(f"train --steps 5 --checkpoints {said}").checkpoints.tolist() == expected


@pytest.mark.parametrize("backend", ["auto", "cpu", "reference"])
def test_train_writes_what_the_library_returns(backend, folder, capsys):
    said = (
        f"train --width 1 --steps 5 --seeds 10:15 --checkpoints 0,3 --backend {backend} --out "
        "nets.npz --quiet"
    )
    assert commands.main(words(said)) == 0
    assert capsys.readouterr() == (f"{ml_summary(ml.load('nets.npz'))}\nnets in nets.npz\n", "")
    expected = ml.train(TINY, seeds=range(10, 15), checkpoints=[0, 3], backend=backend)
    assert same_bits(ml.load("nets.npz"), expected)
    assert ml.load("nets.npz").history.steps.tolist() == [0, 3, 5]
    assert [path.name for path in folder.iterdir()] == ["nets.npz"]


def ml_summary(nets: ml.Ensemble) -> str:
    from minilotto.cli.summary import summary

    return summary(nets)


def test_train_without_out_writes_nothing(folder, capsys):
    assert commands.main(words(TRAIN_TINY)) == 0
    said = capsys.readouterr()
    assert "2 nets of width 1" in said.out
    assert said.err == ""
    assert not list(folder.iterdir())


@pytest.mark.parametrize("header", ["x1,x2,y,weight", " x1 , x2 , y , weight", "weight,x1,y,x2"])
def test_train_takes_weighted_points_of_two_inputs_from_a_csv(header, folder, capsys):
    random = np.random.default_rng(1)
    columns = {
        "x1": random.normal(size=12),
        "x2": random.normal(size=12),
        "y": random.normal(size=12),
        "weight": random.random(12),
    }
    table = np.stack([columns[name.strip()] for name in header.split(",")], axis=1)
    np.savetxt(folder / "points.csv", table, delimiter=",", header=header, comments="", fmt="%.17g")
    assert commands.main(words(f"{TRAIN_TINY} --data points.csv --out nets.npz")) == 0
    capsys.readouterr()
    data = np.stack([columns["x1"], columns["x2"]], axis=1), columns["y"], columns["weight"]
    nets = ml.load("nets.npz")
    assert same_bits(nets, ml.train(TINY, seeds=2, data=data))
    assert nets.w.shape == (2, 1, 2)
    assert not same_bits(nets, ml.train(TINY, seeds=2, data=data[:2]))  # the weights count


def test_train_takes_points_from_an_npz(folder, capsys):
    x, y = np.linspace(-1, 1, 9, dtype=np.float32), np.linspace(0, 1, 9)
    np.savez(folder / "points.npz", x=x, y=y, note="other arrays do no harm")
    assert commands.main(words(f"{TRAIN_TINY} --data points.npz --out nets.npz")) == 0
    capsys.readouterr()
    assert same_bits(ml.load("nets.npz"), ml.train(TINY, seeds=2, data=(x, y)))


@pytest.mark.parametrize("suffix", HEADERS)
def test_train_draws(suffix, folder, capsys):
    assert commands.main(words(f"{TRAIN_TINY} --plot nets.{suffix}")) == 0
    said = capsys.readouterr()
    assert said.out.endswith(f"picture in nets.{suffix}\n")
    assert said.err == ""
    drawn = (folder / f"nets.{suffix}").read_bytes()
    assert drawn.startswith(HEADERS[suffix])
    assert len(drawn) > 5000
    assert [path.name for path in folder.iterdir()] == [f"nets.{suffix}"]


@pytest.mark.parametrize(
    ("flag", "bar"),
    [
        ("", True),
        ("--quiet", False),
        ("--quiet=true", False),
        ("--no-quiet", True),
        ("--noquiet", True),
    ],
)
def test_the_bar_is_on_stderr_unless_quiet(flag, bar, capsys):
    assert commands.main(words(f"train --width 1 --steps 5 --seeds 2 {flag}")) == 0
    said = capsys.readouterr()
    assert ("100%" in said.err) == bar
    assert "100%" not in said.out.splitlines()[0]
    assert bar or said.err == ""


def test_all_diverged_is_told_and_not_drawn(folder, capsys):
    assert commands.main(words(f"{TRAIN_TINY} --lr 1e38 --out nets.npz --plot nets.png")) == 1
    said = capsys.readouterr()
    assert "0 ok, 2 diverged" in said.out
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("DataError: ")
    assert [path.name for path in folder.iterdir()] == ["nets.npz"]
    assert ml.load("nets.npz").status.tolist() == ["diverged"] * 2


@pytest.mark.parametrize("ask", [[], ["-h"], ["--help"], ["help"]])
def test_the_overview_names_every_command(ask, capsys):
    assert commands.main(ask) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert all(re.search(rf"^  {name} +\S", said.out, re.MULTILINE) for name in commands.COMMANDS)


@pytest.mark.parametrize("ask", ["{} --help", "{} -h", "{} --width 3 -h", "{} 5 --nonsense --help"])
@pytest.mark.parametrize("command", commands.COMMANDS)
def test_the_help_of_a_command_names_every_flag(command, ask, capsys):
    assert commands.main(words(ask.format(command))) == 0
    said = capsys.readouterr()
    assert said.err == ""
    flags = [
        p.name
        for p in inspect.signature(commands.COMMANDS[command]).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    ]
    for name in flags:
        assert re.search(rf"--{name}\b", said.out), name
    if command == "train":
        for name in FIELDS:
            assert re.search(rf"(?<![\w]){name}(?![\w])", said.out), name
        for name in (*ACTIVATIONS, *TASKS, *SCHEMES):
            assert re.search(rf"(?<![\w]){name}(?![\w])", said.out), name


@pytest.mark.parametrize("ask", ["--version", "version"])
def test_version(ask, capsys):
    assert commands.main([ask]) == 0
    assert capsys.readouterr() == (f"minilotto {ml.__version__}\n", "")


def test_it_runs_as_a_module(python):
    assert python("-m", "minilotto", "--version") == (0, f"minilotto {ml.__version__}\n", "")
    ended = python("-m", "minilotto", "train", "--wdith", "3")
    assert (ended.status, ended.out, len(ended.err.splitlines())) == (2, "", 1)


def test_info_prints_its_lines(capsys):
    assert commands.main(["info"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    rows = {line[:18].strip(): line[18:].strip() for line in said.out.splitlines()}
    named = [
        "minilotto",
        "Python",
        "torch",
        "CPU",
        "vector features",
        "lanes",
        "threads",
        "threading layers",
    ]
    assert {*named, "memory free", "kernel cache"} <= set(rows)
    assert all(rows.values())
    assert rows["minilotto"] == ml.__version__
    assert rows["numpy"] == np.__version__
    assert re.match(r"\d+ x float32, \d+ x float64", rows["lanes"])


@pytest.fixture
def without_torch(monkeypatch):
    """The reference alone is enough to see how check reports, and importing torch takes seconds."""
    from minilotto.oracles import torch_reference

    monkeypatch.setattr(torch_reference, "installed", lambda: False)


SMALL_CHECK = words(
    "check --activations silu --tasks square --dtypes float32 --losses squared --optimizers adam "
    "--quiet"
)


@pytest.mark.usefixtures("without_torch")
def test_check_passes_when_the_formulas_are_right(capsys):
    assert commands.main(SMALL_CHECK) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "1 of 1 agree with reference" in said.out
    assert "FAILED" not in said.out


@pytest.mark.usefixtures("without_torch")
def test_check_fails_where_an_optimiser_steps_otherwise(capsys, monkeypatch):
    right = numpy_reference.update

    def wrong(config, parameters, m, s, gradients, step, lr):
        right(config, parameters, m, s, gradients, step, lr * (1 + 0.01 * (step == 7)))

    monkeypatch.setattr(numpy_reference, "update", wrong)
    assert commands.main([*SMALL_CHECK[:-2], "gd", "--quiet"]) == 1
    assert "0 of 1 agree" in capsys.readouterr().out


@pytest.mark.usefixtures("without_torch")
@pytest.mark.usefixtures("without_torch")
def test_check_covers_the_logistic_loss(capsys):
    assert (
        commands.main([word if word != "squared" else "squared,logistic" for word in SMALL_CHECK])
        == 0
    )
    said = capsys.readouterr().out
    assert "2 of 2 agree with reference" in said
    assert "float32  logistic square" in said


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("coordinate", ["dw", "db", "dv", "dc"])
@pytest.mark.parametrize(
    ("module", "name"),
    [("oracles.numpy_reference", "loss_and_gradient"), ("engines.evaluate", "gradients")],
)
def test_check_fails_and_says_where_when_a_formula_is_wrong(
    module, name, coordinate, capsys, monkeypatch
):
    module = import_module(f"minilotto.{module}")
    right = getattr(module, name)

    def wrong(*arguments, **named):
        result = right(*arguments, **named)
        gradients = result[1] if name == "loss_and_gradient" else result
        spoilt = [np.array(array) for array in gradients]
        one = spoilt[["dw", "db", "dv", "dc"].index(coordinate)]
        one[(3,) + (0,) * (one.ndim - 1)] *= 1.01  # one coordinate of one net
        return (result[0], tuple(spoilt)) if name == "loss_and_gradient" else type(result)(*spoilt)

    monkeypatch.setattr(module, name, wrong)
    assert commands.main(SMALL_CHECK) == 1
    said = capsys.readouterr()
    assert "0 of 1 agree" in said.out
    assert "FAILED: silu on square in float32" in said.out


@pytest.fixture
def interrupted_batch(monkeypatch):
    """Makes batches as small as can be, with Ctrl-C at the start of batch number `at`; returns the
    list that their seeds come into.
    """

    def interrupt(at: int) -> list:
        batches, real = [], loop.initial_parameters

        def started(config, inputs, seeds):
            if len(batches) + 1 == at:
                raise KeyboardInterrupt
            batches.append(seeds)
            return real(config, inputs, seeds)

        monkeypatch.setattr(loop, "BATCH_SECONDS", 1e-12)
        monkeypatch.setattr(loop, "initial_parameters", started)
        return batches

    return interrupt


def test_an_interrupted_training_keeps_the_seeds_that_were_done(interrupted_batch, folder, capsys):
    batches = interrupted_batch(at=3)
    said = (
        "train --width 1 --steps 5 --seeds 5:10000 --threads 1 --quiet --out nets.npz --plot "
        "nets.svg"
    )
    assert commands.main(words(said)) == 130
    told = capsys.readouterr()
    done = np.concatenate(batches).tolist()
    assert done == list(range(5, 5 + len(done)))
    assert told.err == ""
    assert f"PARTIAL: interrupted, {len(done)} of 9995 seeds are done" in told.out
    assert "PARTIAL result in nets.npz" in told.out
    nets = ml.load("nets.npz")
    assert nets.partial
    assert nets.requested == 9995
    assert nets.seeds.tolist() == done
    assert (folder / "nets.svg").stat().st_size > 5000


def test_interrupted_before_any_seed_was_done_writes_nothing(interrupted_batch, folder, capsys):
    interrupted_batch(at=1)
    assert commands.main(words(f"{TRAIN_TINY} --out nets.npz --plot nets.svg")) == 130
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "interrupted before any seed was done; nothing is written\n"
    assert not list(folder.iterdir())


def test_the_library_hands_over_the_seeds_that_were_done(interrupted_batch, monkeypatch):
    batches = interrupted_batch(at=2)
    with pytest.raises(
        ml.TrainingInterrupted, match=r"\d+ of 9000 seeds were done"
    ) as interruption:
        ml.train(TINY, seeds=9000, threads=1)
    assert isinstance(interruption.value, KeyboardInterrupt)
    nets = interruption.value.nets
    monkeypatch.undo()
    assert nets.requested == 9000
    assert 0 < len(nets) < 9000
    assert same_bits(nets, ml.train(TINY, seeds=batches[0]))


def test_the_library_hands_over_none_where_no_seed_was_done(interrupted_batch):
    interrupted_batch(at=1)
    with pytest.raises(ml.TrainingInterrupted, match="0 of 9000 seeds were done") as interruption:
        ml.train(TINY, seeds=9000, threads=1)
    assert interruption.value.nets is None
