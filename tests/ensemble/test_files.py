"""Files are whole or not there, and what is loaded is what was saved."""

import dataclasses
import errno
import json
import os
import pickle
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

import minilotto as ml
from minilotto.cli import commands
from minilotto.ensemble.npz import ARRAYS, SCHEMA, digest_of
from minilotto.files import check_output, write_atomically
from minilotto.training.train import Job

TINY = ml.Config(width=1, steps=5)
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


def identical(a, b) -> bool:
    """Whether two ensembles agree in every bit of every array, in their config, their provenance
    and what was requested.
    """
    ours, theirs = a.content().arrays, b.content().arrays
    same = [
        (p.dtype, p.shape, p.tobytes()) == (q.dtype, q.shape, q.tobytes())
        for p, q in zip(ours.values(), theirs.values(), strict=True)
    ]
    return all(same) and (a.config, a.requested, a.provenance) == (
        b.config,
        b.requested,
        b.provenance,
    )


@pytest.fixture(scope="module")
def nets():
    return ml.train(TINY, seeds=3, checkpoints=[0])


@pytest.fixture
def saved(nets, tmp_path) -> Path:
    return nets.save(tmp_path / "nets.npz")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Writing
def fail_to_write(monkeypatch):
    def half(file, **arrays):
        file.write(b"half of it")
        raise NO_SPACE

    monkeypatch.setattr(np, "savez", half)


def fail_to_flush(monkeypatch):
    real_open = Path.open

    def opened(path, mode="r", *rest, **named):
        file = real_open(path, mode, *rest, **named)
        if (
            path.name.startswith(".")
            and "x" in mode
            and path.name.count("nets.npz")
            and opened.armed
        ):

            class Full:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

                def __getattr__(self, name):
                    return getattr(file, name)

                def flush(self):
                    raise NO_SPACE

            return Full()
        opened.armed = True  # the first is the probe
        return file

    opened.armed = False
    monkeypatch.setattr(Path, "open", opened)


def fail_to_sync(monkeypatch):
    def fail(_):
        raise NO_SPACE

    monkeypatch.setattr(os, "fsync", fail)


def fail_to_replace(monkeypatch):
    def fail(*_):
        raise NO_SPACE

    monkeypatch.setattr(Path, "replace", fail)
    monkeypatch.setattr(os, "replace", fail)


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("fail", [fail_to_write, fail_to_flush, fail_to_sync, fail_to_replace])
def test_a_failed_save_leaves_the_old_file_and_no_fragment(fail, existing, nets, tmp_path):
    path = tmp_path / "nets.npz"
    if existing:
        path.write_bytes(b"old bytes")
    with pytest.MonkeyPatch.context() as patch:
        fail(patch)
        with pytest.raises(ml.FileError, match=r"nets\.npz.*No space left on device"):
            nets.save(path, force=True)
    assert names_in(tmp_path) == (["nets.npz"] if existing else [])
    assert not existing or path.read_bytes() == b"old bytes"
    nets.save(path, force=True)
    assert identical(ml.load(path), nets)


def test_a_save_fails_exactly_when_the_old_file_is_kept(nets, tmp_path, monkeypatch):
    # The folder's fsync follows the renaming of the file: whether it fails or not, the report must
    # agree with what is on the disk.
    path, real_sync, calls = tmp_path / "nets.npz", os.fsync, []

    def fail_on_folder(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.EINVAL, "Invalid argument")  # as some network file systems answer
        real_sync(handle)

    path.write_bytes(b"old bytes")
    monkeypatch.setattr(os, "fsync", fail_on_folder)
    try:
        nets.save(path, force=True)
        failed = False
    except ml.FileError:
        failed = True
    assert failed == (path.read_bytes() == b"old bytes")
    assert names_in(tmp_path) == ["nets.npz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no array"), MemoryError()])
def test_any_other_end_of_a_write_leaves_the_old_file_and_no_fragment(error, tmp_path):
    path = tmp_path / "old.bin"
    path.write_bytes(b"old bytes")

    def write(file):
        file.write(b"half of it")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, write)
    assert path.read_bytes() == b"old bytes"
    assert names_in(tmp_path) == ["old.bin"]


def test_the_new_file_appears_whole(tmp_path):
    path = tmp_path / "new.bin"
    seen = []

    def write(file):
        file.write(b"a" * 100_000)
        seen.append(path.exists())
        file.write(b"b")

    write_atomically(path, write)
    assert seen == [False]
    assert path.read_bytes() == b"a" * 100_000 + b"b"
    assert names_in(tmp_path) == ["new.bin"]


@pytest.mark.parametrize("force", [True, False])
def test_a_checked_output_leaves_nothing_behind(force, tmp_path):
    assert check_output(tmp_path / "nets.npz", (".npz",), force) == tmp_path / "nets.npz"
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["nets.txt", "nets", "nets.npz.bak"])
def test_save_refuses_other_suffixes(name, nets, tmp_path):
    with pytest.raises(ml.ConfigError, match=r"ends in \.npz"):
        nets.save(tmp_path / name)
    assert names_in(tmp_path) == []


def test_save_refuses_an_existing_file_unless_forced(nets, saved):
    before = saved.read_bytes()
    with pytest.raises(ml.ConfigError, match=r"exists.*force=True"):
        nets.save(saved)
    assert saved.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("missing/nets.npz", ml.FileError),
        ("nets.npz/nets.npz", ml.FileError),
        (f"{'n' * 300}.npz", ml.ConfigError),  # no file system has such a name
    ],
)
def test_save_refuses_places_where_no_file_can_be(place, error, nets, saved):
    with pytest.raises(error):
        nets.save(saved.parent / place)
    assert names_in(saved.parent) == ["nets.npz"]


# There and back
def some_data():
    random = np.random.default_rng(3)
    return random.normal(size=(9, 2)), random.normal(size=9), random.random(9)


@pytest.fixture(
    params=[
        "trained",
        "one",
        "none",
        "some",
        "partial",
        "diverged",
        "some diverged",
        "data",
        "float64",
        "target",
        "population",
        "reference",
    ]
)
def any_nets(request, constructed):
    """Ensembles of every kind."""
    kinds = {
        "trained": lambda: ml.train(ml.Config(width=3, steps=7), seeds=[9, 2, 4]),
        "one": lambda: ml.train(TINY, seeds=[2**48 - 1]),
        "none": lambda: ml.train(TINY, seeds=3).select([]),
        "some": lambda: ml.train(TINY, seeds=9).select([7, 0, 3]),
        "partial": lambda: constructed([1e-3, 2e-3], requested=100),
        "diverged": lambda: ml.train(TINY.replace(lr=1e38), seeds=3),
        "some diverged": lambda: constructed([1e-3, np.nan, 0.0]),
        "data": lambda: ml.train(TINY, seeds=3, data=some_data()),
        "float64": lambda: constructed(
            [1e-3, 2e-3],
            config=ml.Config(width=2, steps=100, dtype="float64", task="product3", points=27),
        ),
        "target": lambda: ml.train(TINY, seeds=3, target=lambda x: np.abs(x[:, 0])),
        "population": lambda: ml.train(TINY.replace(sampling="population"), seeds=3),
        "reference": lambda: ml.train(TINY, seeds=3, backend="reference"),
    }
    return kinds[request.param]()


def test_load_returns_what_was_saved(any_nets, tmp_path):
    path = any_nets.save(tmp_path / "nets.npz")
    assert path == tmp_path / "nets.npz"
    loaded = ml.load(path)
    assert identical(loaded, any_nets)
    assert loaded.partial == any_nets.partial
    assert loaded.status.tolist() == any_nets.status.tolist()
    assert loaded.predict(loaded.data.x).tobytes() == any_nets.predict(any_nets.data.x).tobytes()


def test_loaded_arrays_are_read_only(saved):
    for name, array in ml.load(saved).content().arrays.items():
        assert not array.flags.writeable, name


def test_equal_ensembles_are_equal_bytes(any_nets, tmp_path):
    everything = any_nets.select(np.arange(len(any_nets)))
    everything = dataclasses.replace(everything, requested=any_nets.requested)
    assert identical(everything, any_nets)
    first = any_nets.save(tmp_path / "first.npz").read_bytes()
    assert any_nets.save(tmp_path / "second.npz").read_bytes() == first
    assert ml.load(tmp_path / "first.npz").save(tmp_path / "third.npz").read_bytes() == first
    assert everything.save(tmp_path / "fourth.npz").read_bytes() == first


def test_two_trainings_differ_in_their_bytes_by_nothing_but_the_seconds(tmp_path):
    def bytes_of(seconds):
        nets = ml.train(TINY, seeds=5)
        nets = dataclasses.replace(nets, provenance={**nets.provenance, "seconds": seconds})
        return nets.save(tmp_path / "nets.npz", force=True).read_bytes()

    assert bytes_of(1.0) == bytes_of(1.0)
    assert bytes_of(1.0) != bytes_of(2.0)


def test_plain_numpy_reads_the_arrays(nets, saved):
    with np.load(saved, allow_pickle=False) as content:
        assert content["w"].tobytes() == nets.w.tobytes()
        assert json.loads(str(content["header"]))["schema"] == SCHEMA


# What load refuses
def refused_or_identical(path, nets) -> bool:
    """Whether load refuses the file (True) or finds it whole (False); anything else raises."""
    try:
        loaded = ml.load(path)
    except ml.FileError as error:
        if str(path) not in str(error) or len(str(error).splitlines()) != 1:
            pytest.fail(f"the refusal is not one line that names the file: {error}")
        return True
    assert identical(loaded, nets)
    return False


@pytest.mark.parametrize("name", ["missing.npz", "missing/nets.npz", ".", "nets.npz/nets.npz"])
def test_load_refuses_what_is_no_file(name, saved):
    with pytest.raises(ml.FileError, match=re.escape(name) if name != "." else "folder|directory"):
        ml.load(saved.parent / name)


CONTENTS = {
    "empty": b"",
    "text": b"loss 1e-3\n",
    "json": b'{"schema": 1}',
    "zeros": bytes(5000),
    "zip magic": b"PK\x03\x04",
    "zip end": b"PK\x05\x06" + bytes(18),
    "npy magic": b"\x93NUMPY",
    "pickle": pickle.dumps({"loss": [1e-3]}),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_load_refuses_other_files(kind, nets, tmp_path):
    path = tmp_path / "nets.npz"
    path.write_bytes(CONTENTS[kind])
    assert refused_or_identical(path, nets)


def npz(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize("with_pickle", ["header", "w", "seeds"])
def test_load_runs_no_pickle(with_pickle, nets, saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    with np.load(saved) as content:
        arrays = dict(content)
    npz(saved, **{**arrays, with_pickle: np.array([Trap()], dtype=object)})
    (tmp_path / "sprung").unlink(missing_ok=True)
    assert refused_or_identical(saved, nets)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["header", *ARRAYS])
def test_load_refuses_a_file_that_lacks_an_array(name, nets, saved):
    with np.load(saved) as content:
        npz(saved, **{key: array for key, array in content.items() if key != name})
    assert refused_or_identical(saved, nets)


def test_load_refuses_a_zip_of_other_members_and_an_array_alone(nets, saved):
    with zipfile.ZipFile(saved, "w") as archive:
        for name in ("header.npy", *(f"{name}.npy" for name in ARRAYS)):
            archive.writestr(name, b"no array")
    assert refused_or_identical(saved, nets)
    with saved.open("wb") as file:
        np.save(file, np.ones(3))
    assert refused_or_identical(saved, nets)


def forge(path, nets, header=None, **arrays):
    """Write a file whose digest is right, so that nothing but the contents can betray it."""
    content = {**nets.content().arrays, **arrays}
    head = {
        "schema": SCHEMA,
        "config": nets.config.to_json(),
        "requested": nets.requested,
        "provenance": nets.provenance,
    }
    head.update(header or {})
    head["digest"] = digest_of(head, content)
    npz(path, header=np.array(json.dumps(head)), **content)


def test_the_forger_can_write_a_good_file(nets, saved):
    forge(saved, nets)
    assert not refused_or_identical(saved, nets)


@pytest.mark.parametrize(
    "header",
    [
        {"schema": SCHEMA + 1},
        {"schema": "1"},
        {"schema": 1.5},
        {"schema": 0},
        {"schema": None},
        {"config": "{}x"},
        {"config": "[]"},
        {"config": 5},
        {"config": TINY.to_json().replace('"width": 1', '"width": 0')},
        {"config": TINY.to_json().replace('"width": 1', '"width": 2')},
        {"config": TINY.to_json().replace("float32", "float64")},
        {"config": TINY.to_json().replace('"width"', '"breadth"')},
        {"config": TINY.to_json().replace('"points": 100', '"points": 99')},
        {"requested": "3"},
        {"requested": 2},
        {"requested": None},
        {"provenance": []},
        {"provenance": "by hand"},
    ],
    ids=lambda header: str(header)[:60],
)
def test_load_refuses_a_header_that_makes_no_sense(header, nets, saved):
    forge(saved, nets, header)
    assert refused_or_identical(saved, nets)


def test_load_says_that_a_newer_file_needs_a_newer_minilotto(nets, saved):
    forge(saved, nets, {"schema": SCHEMA + 1})
    with pytest.raises(ml.FileError, match=rf"schema {SCHEMA + 1}.*upgrade"):
        ml.load(saved)


def test_load_names_a_task_that_is_registered_nowhere(nets, saved):
    forge(saved, nets, {"config": TINY.to_json().replace('"square"', '"squircle"')})
    with pytest.raises(ml.MinilottoError, match=r"'squircle'.*register_task"):
        ml.load(saved)


CONTRADICTIONS = {
    "w of another width": {"w": np.zeros((3, 2, 1), np.float32)},
    "w of two inputs": {"w": np.zeros((3, 1, 2), np.float32)},
    "w without inputs": {"w": np.zeros((3, 1), np.float32)},
    "w of fewer nets": {"w": np.zeros((2, 1, 1), np.float32)},
    "w in float64": {"w": np.zeros((3, 1, 1), np.float64)},
    "w as integers": {"w": np.zeros((3, 1, 1), np.int32)},
    "w in the other byte order": {"w": np.zeros((3, 1, 1), ">f4")},
    "b of another width": {"b": np.zeros((3, 2), np.float32)},
    "v of fewer nets": {"v": np.zeros((2, 1), np.float32)},
    "c as a matrix": {"c": np.zeros((3, 1), np.float32)},
    "c as a number": {"c": np.float32(0)},
    "fewer seeds": {"seeds": np.arange(2)},
    "seeds as real numbers": {"seeds": np.arange(3.0)},
    "more losses": {"loss": np.zeros(4)},
    "loss in float32": {"loss": np.zeros(3, np.float32)},
    "loss as text": {"loss": np.array(["a", "b", "c"])},
    "history of fewer nets": {"history_loss": np.zeros((2, 2))},
    "history of more steps": {"history_loss": np.zeros((3, 3))},
    "history without steps": {"history_loss": np.zeros(3)},
    "steps as real numbers": {"history_steps": np.array([0.0, 5.0])},
    "no point": {"x": np.zeros((0, 1)), "y": np.zeros(0), "weight": np.zeros(0)},
    "x as a vector": {"x": np.zeros(100)},
    "x of two inputs": {"x": np.zeros((100, 2))},
    "more y than x": {"y": np.zeros(101)},
    "fewer weights": {"weight": np.zeros(99)},
    "x in float32": {"x": np.zeros((100, 1), np.float32)},
    "complex y": {"y": np.zeros(100, complex)},
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_load_refuses_arrays_that_contradict_each_other(kind, nets, saved):
    forge(saved, nets, **CONTRADICTIONS[kind])
    assert refused_or_identical(saved, nets)


def test_load_refuses_a_changed_number(nets, saved):
    with np.load(saved) as content:
        arrays = dict(content)
    changed = arrays["loss"].copy()
    changed[1] = np.nextafter(changed[1], 2)
    npz(saved, **{**arrays, "loss": changed})
    with pytest.raises(ml.FileError, match="damaged"):
        ml.load(saved)


def test_load_refuses_a_truncated_file(nets, saved):
    whole = saved.read_bytes()
    lengths = sorted({*range(0, len(whole), 61), *range(40), *range(len(whole) - 60, len(whole))})
    for length in lengths:
        saved.write_bytes(whole[:length])
        assert refused_or_identical(saved, nets), length


@pytest.mark.parametrize("damage", ["bit", "byte", "zeros", "moved"])
def test_a_damaged_file_is_refused_or_read_right(damage, nets, saved):
    whole = saved.read_bytes()
    random = np.random.default_rng(11)
    places = random.permutation(len(whole))[:700]
    if (
        damage == "bit"
    ):  # the archive's own bookkeeping, where a flip can do the oddest things, all of it
        places = np.union1d(places, np.arange(whole.index(b"PK\x01\x02"), len(whole)))
    refusals = 0
    for place in places.tolist():
        changed = bytearray(whole)
        if damage == "bit":
            changed[place] ^= 1 << int(random.integers(8))
        elif damage == "byte":
            changed[place] ^= int(random.integers(1, 256))
        elif damage == "zeros":
            changed[place : place + 16] = bytes(len(changed[place : place + 16]))
        else:
            changed[place : place + 8] = changed[place - 8 : place]
        saved.write_bytes(changed)
        refusals += refused_or_identical(saved, nets)
    assert refusals > len(places) / 2  # most of a file matters


# Full disks
@pytest.fixture
def full_disk(tmp_path):
    """A folder on a disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may mount no small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def train_too_much(out, *flags) -> list[str]:
    return [
        "train",
        "--width",
        "1",
        "--steps",
        "5",
        "--seeds",
        "3000",
        "--quiet",
        "--out",
        str(out),
        *flags,
    ]


@pytest.mark.parametrize("existing", [True, False])
def test_nets_that_find_the_disk_full_are_rescued(
    existing, full_disk, tmp_path, monkeypatch, capsys
):
    rescue = tmp_path / "rescue"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(rescue))
    out = full_disk / "nets.npz"
    if existing:
        out.write_bytes(b"old" * 1000)
    assert commands.main(train_too_much(out, "--force")) == 1
    said = capsys.readouterr()
    assert "3000 ok" in said.out
    assert len(said.err.splitlines()) == 1, said.err
    assert str(out) in said.err
    assert "No space left on device" in said.err
    (kept,) = rescue.iterdir()
    assert str(kept) in said.err
    rescued, expected = ml.load(kept), ml.train(TINY, seeds=3000)
    assert identical(dataclasses.replace(rescued, provenance=expected.provenance), expected)
    assert names_in(full_disk) == (["nets.npz"] if existing else [])
    assert not existing or out.read_bytes() == b"old" * 1000


def test_a_file_that_appears_during_the_training_stays(tmp_path, monkeypatch, capsys):
    rescue, out = tmp_path / "rescue", tmp_path / "nets.npz"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(rescue))
    real = Job.run

    def run(job, **named):
        out.write_bytes(b"of another process")
        return real(job, **named)

    monkeypatch.setattr(Job, "run", run)
    assert commands.main(train_too_much(out)) == 1
    said = capsys.readouterr()
    assert out.read_bytes() == b"of another process"
    (kept,) = rescue.iterdir()
    assert len(ml.load(kept)) == 3000
    assert re.search(f"exists; .* --force .*; the nets are in {kept} instead", said.err)
    assert len(said.err.splitlines()) == 1
    assert commands.main(train_too_much(out, "--force")) == 0
    assert len(ml.load(out)) == 3000


def test_a_picture_that_finds_the_disk_full_costs_no_nets(full_disk, tmp_path, capsys):
    (full_disk / "ballast").write_bytes(bytes(60_000))
    nets, picture = tmp_path / "nets.npz", full_disk / "nets.png"
    assert commands.main([*train_too_much(nets), "--plot", str(picture)]) == 1
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1, said.err
    assert str(picture) in said.err
    assert len(ml.load(nets)) == 3000
    assert names_in(full_disk) == ["ballast"]


NOWHERE_TO_WRITE = """
import resource, sys
import minilotto as ml
from minilotto.cli import commands
ml.train(ml.Config(width=1, steps=5), seeds=3000)  # whatever it compiles is kept
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(commands.main(sys.argv[1:]))
"""


def test_nets_that_can_be_kept_nowhere_are_told_lost_and_the_old_file_stays(python, tmp_path):
    pytest.importorskip("resource", reason="needs POSIX limits")
    rescue = tmp_path / "rescue"
    rescue.mkdir()
    out = tmp_path / "nets.npz"
    out.write_bytes(b"old" * 1000)
    ended = python("-c", NOWHERE_TO_WRITE, *train_too_much(out, "--force"), TMPDIR=str(rescue))
    assert ended.status == 1, ended
    assert "3000 ok" in ended.out
    assert len(ended.err.splitlines()) == 1, ended.err
    assert str(out) in ended.err
    assert "lost" in ended.err
    assert out.read_bytes() == b"old" * 1000
    assert names_in(tmp_path) == ["nets.npz", "rescue"]
    assert names_in(rescue) == []


def test_a_wrong_array_order_is_no_wrong_ensemble(nets, saved):
    # np.savez keeps Fortran order; the numbers must still come back in their places.
    content = {name: np.asfortranarray(array) for name, array in nets.content().arrays.items()}
    forge(saved, nets, **content)
    assert not refused_or_identical(saved, nets)
