"""What a store keeps, what it makes of damage, and what it tells."""

import contextlib
import dataclasses
import errno
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import files_in

import minilotto as ml
from minilotto import files
from minilotto.ensemble import npz
from minilotto.ensemble.npz import ARRAYS, digest_of
from minilotto.store import blocks
from minilotto.store import format as store_format
from minilotto.store import store as stores
from minilotto.store.blocks import Block

WIDTHS = (1, 2)
TINY = ml.Sweep(widths=WIDTHS, seeds=20, steps=40)
ONE, TWO = TINY.configs


@pytest.fixture(autouse=True)
def _eight_seeds_a_block(small_blocks):
    return small_blocks(8)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """The folder of TINY in blocks of eight seeds; tests that change anything take a copy."""
    folder = tmp_path_factory.mktemp("original") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_format, "BLOCK_SEEDS", 8)
        ml.sweep(TINY, out=folder)
    return folder


@pytest.fixture
def folder(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "runs"))


def block_files(folder: Path) -> list[Path]:
    return sorted((folder / "blocks").glob("*/*.npz"))


def same(a: ml.Ensemble, b: ml.Ensemble) -> bool:
    pairs = zip(a.content().arrays.values(), b.content().arrays.values(), strict=True)
    return a.config == b.config and all(
        (p.dtype, p.shape, p.tobytes()) == (q.dtype, q.shape, q.tobytes()) for p, q in pairs
    )


def in_one_line(error) -> bool:
    return len(str(error.value).splitlines()) == 1


# Runs of seeds
RUNS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=6,
)


def seeds_of(runs) -> set[int]:
    return {seed for first, stop in runs for seed in range(first, stop)}


@given(RUNS, RUNS)
def test_runs_are_sets_of_seeds(wanted, have):
    assert blocks.difference(wanted, have) == blocks.runs_of(
        np.array(sorted(seeds_of(wanted) - seeds_of(have)), dtype=np.int64)
    )
    assert blocks.union(wanted) == blocks.runs_of(
        np.array(sorted(seeds_of(wanted)), dtype=np.int64)
    )
    assert blocks.count_of(blocks.union(wanted)) == len(seeds_of(wanted))
    assert blocks.seeds_in(blocks.union(have)).tolist() == sorted(seeds_of(have))


@given(RUNS)
def test_cut_runs_hold_the_same_seeds_and_stay_within_their_blocks(runs):
    cut = blocks.cut(ONE, blocks.union(runs))
    assert [seed for block in cut for seed in range(block.first, block.stop)] == sorted(
        seeds_of(runs)
    )
    assert all(block.first // 8 == (block.stop - 1) // 8 for block in cut)


def test_blocks_take_ten_seconds_to_some_minutes_of_a_core(monkeypatch):
    monkeypatch.setattr(store_format, "BLOCK_SEEDS", 2**20)
    for width in (10, 50, 1000, 10_000):
        for config in (
            ml.Config(width=width),
            ml.Config(width=width, dtype="float64", activation="relu"),
        ):
            size = store_format.block_size(config)
            assert size & (size - 1) == 0
            assert 10 <= size * store_format.seconds_per_seed(config) <= 300 or size == 1
            assert size * store_format.bytes_per_seed(config) <= 2**25


# Bytes
def test_a_block_is_the_same_bytes_however_it_was_trained(folder):
    block = Block(TWO, 8, 16)
    kept = (folder / "blocks" / block.name).read_bytes()
    for threads, seeds in ((1, range(8, 16)), (2, range(40)), (2, [3, *range(8, 16)])):
        nets = ml.train(TWO, seeds=seeds, threads=threads)
        part = nets.select(np.isin(nets.seeds, np.arange(8, 16)))
        assert blocks.sealed_bytes(block, dataclasses.replace(part, requested=99)) == kept
    header = json.loads(str(np.load(io.BytesIO(kept))["header"]))
    assert not {"seconds", "seconds_compiling", "threads"} & set(header["provenance"])
    assert {"minilotto", "cpu", "lanes", "engine"} <= set(header["provenance"])


@pytest.mark.parametrize("look", ["isdir", "lexists"])
def test_a_folder_that_another_sweep_makes_in_the_meantime_is_no_fault(tmp_path, monkeypatch, look):
    store, config = stores.make_store(tmp_path / "runs"), ml.Config(width=2)
    real = getattr(os.path, look)

    def seen(path):
        found = real(path)
        if Path(path).name == config.key:
            Path(path).mkdir(exist_ok=True)
        return found

    monkeypatch.setattr(os.path, look, seen)
    assert store.runs(config) == ()


def test_a_store_that_another_sweep_makes_in_the_meantime_is_no_fault(tmp_path, monkeypatch):
    place, real = tmp_path / "runs", stores.entries

    def listed(folder):
        monkeypatch.setattr(stores, "entries", real)
        ml.sweep(TINY, out=folder)
        return [entry for entry in real(folder) if entry.name != stores.BLOCKS]

    monkeypatch.setattr(stores, "entries", listed)
    store = stores.make_store(place)
    assert len(store.ensemble(ONE)) == 20


def test_any_reader_of_npz_reads_a_block(folder):
    path = block_files(folder)[0]
    assert same(
        ml.load(path), blocks.read_block(folder / "blocks", f"{path.parent.name}/{path.name}")
    )
    with np.load(path) as arrays:
        assert set(arrays.files) == {"header", *ARRAYS}


def test_every_changed_byte_and_every_cut_breaks_the_seal(folder):
    path = block_files(folder)[0]
    name, whole = f"{path.parent.name}/{path.name}", path.read_bytes()
    assert blocks.is_sealed(whole, name)
    random = np.random.default_rng(5)
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(random.integers(8))
        assert not blocks.is_sealed(bytes(changed), name), place
    assert not any(blocks.is_sealed(whole[:length], name) for length in range(len(whole)))
    assert not blocks.is_sealed(whole + b"\0", name)
    assert not blocks.is_sealed(whole, block_files(folder)[1].name)


def test_a_cut_block_is_found_by_its_end(folder, original):
    path = block_files(folder)[0]
    whole = path.read_bytes()
    assert blocks.has_ending(path)
    for length in {*range(0, len(whole), 97), *range(len(whole) - 100, len(whole))}:
        path.write_bytes(whole[:length])
        assert not blocks.has_ending(path), length


# Reading
def test_ensembles_are_what_train_returns(folder):
    store = ml.open_store(folder)
    assert store.configs == (ONE, TWO)
    for config in store.configs:
        assert same(store.ensemble(config), ml.train(config, seeds=20))
        assert store.seeds(config).tolist() == list(range(20))
    assert not store.ensemble(ONE).partial


@pytest.mark.parametrize("seeds", [[3], [19, 0, 8, 7], range(5, 18), 4])
def test_seeds_come_in_the_order_asked_for(seeds, folder):
    assert same(ml.open_store(folder).ensemble(TWO, seeds), ml.train(TWO, seeds=seeds))


def test_blocks_that_overlap_give_each_seed_once(folder):
    store = ml.open_store(folder)
    for first, stop in ((4, 12), (0, 3), (18, 25)):
        blocks.write_block(
            store.blocks, Block(ONE, first, stop), ml.train(ONE, seeds=range(first, stop))
        )
    assert same(store.ensemble(ONE), ml.train(ONE, seeds=25))
    assert store.losses(ONE, [(2, 22)]).tolist() == ml.train(ONE, seeds=range(2, 22)).loss.tolist()


def test_nothing_is_read_before_it_is_asked_for(folder, monkeypatch):
    store = ml.open_store(folder)
    asked = []
    real = blocks.read_block
    monkeypatch.setattr(blocks, "read_block", lambda *where: asked.append(where[1]) or real(*where))
    store.ensemble(ONE, range(9, 12))
    assert asked == [Block(ONE, 8, 16).name]


def test_the_bytes_of_a_block_are_digested_once(folder, monkeypatch):
    """The seal covers the digest within; and status, of what was asked for, digests none."""
    digested, real = [], blocks._digest
    monkeypatch.setattr(npz, "digest_of", None)
    monkeypatch.setattr(blocks, "_digest", lambda *what: digested.append(what[1]) or real(*what))
    store = ml.open_store(folder)
    assert len(store.ensemble(ONE)) == 20
    assert digested == [one.name for one in store.stored(ONE.key)]
    digested.clear()
    assert sum(row.done for row in store.status()) == 40
    assert digested == []
    assert sum(row.done for row in store.status(quick=False)) == 40
    assert len(digested) == len(set(digested)) == 6


def test_what_is_missing_is_named(folder):
    store = ml.open_store(folder)
    assert store.missing(TINY) == {}
    more = ml.Sweep(widths=(2, 3), seeds=22, steps=40)
    assert {config.width: seeds.tolist() for config, seeds in store.missing(more).items()} == {
        2: [20, 21],
        3: list(range(22)),
    }
    assert store.missing([TINY, more]).keys() == store.missing(more).keys()
    with pytest.raises(
        ml.ConfigError, match=r"has 20 of these 25 seeds of Config\(width=1.*; seed 20 is the first"
    ) as error:
        store.ensemble(ONE, 25)
    assert in_one_line(error)
    with pytest.raises(
        ml.ConfigError, match=r"no nets of Config\(width=1, steps=40, lr=0.1\).*nearest has lr=0.01"
    ) as error:
        store.ensemble(ONE.replace(lr=0.1))
    assert in_one_line(error)
    with pytest.raises(ml.ConfigError, match=r"nearest has width=2$"):
        store.ensemble(ONE.replace(width=3))
    for method in (store.ensemble, store.seeds, store.runs, lambda it: store.losses(it, [(0, 2)])):
        for odd in (10, None, "square", ONE.key, {"width": 1}):
            with pytest.raises(ml.ConfigError, match="is no Config; pass one"):
                method(odd)


def test_an_ensemble_beyond_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(stores, "available_memory", lambda: 1000)
    with pytest.raises(ml.ResourceError, match="ask for fewer seeds"):
        ml.open_store(folder).ensemble(ONE)


# Which folders are stores
def test_what_is_no_store_is_refused(tmp_path, folder):
    with pytest.raises(ml.FileError, match="does not exist"):
        ml.open_store(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(ml.FileError, match="is no store"):
        ml.open_store(tmp_path / "other")
    (tmp_path / "other" / "thesis.tex").write_text("do not touch")
    with pytest.raises(ml.ConfigError, match=r"holds 'thesis\.tex'"):
        ml.sweep(TINY, out=tmp_path / "other")
    with pytest.raises(ml.FileError, match="is a file"):
        ml.sweep(TINY, out=tmp_path / "other" / "thesis.tex")
    assert os.listdir(tmp_path / "other") == ["thesis.tex"]


DEEP = "[" * 100_000  # more than a parser of JSON nests


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "1"}', '{"schema": 0}', "\xff", DEEP])
def test_a_damaged_marker_is_told(text, folder):
    (folder / stores.MARKER).write_bytes(text.encode("latin-1"))
    with pytest.raises(ml.FileError, match=r"damaged|cannot be read") as error:
        ml.open_store(folder)
    assert in_one_line(error)


def test_a_lost_marker_loses_nothing(folder):
    before = files_in(folder)
    (folder / stores.MARKER).unlink()
    ml.sweep(TINY, out=folder)
    assert files_in(folder) == before


def test_a_newer_store_is_refused_and_an_older_one_read(folder, monkeypatch):
    (folder / stores.MARKER).write_text(json.dumps({"schema": stores.SCHEMA + 1}))
    before = files_in(folder)
    for use in (ml.open_store, lambda place: ml.sweep(TINY, out=place)):
        with pytest.raises(ml.UnusableFileError, match=rf"schema {stores.SCHEMA + 1}.*upgrade"):
            use(folder)
    assert files_in(folder) == before
    monkeypatch.setattr(stores, "SCHEMA", stores.SCHEMA + 2)
    assert len(ml.open_store(folder).ensemble(ONE)) == 20


# Damage
def forged(path: Path, header: dict | None = None, sealed: bool = True, **arrays) -> None:
    """A block whose digests are right, so that nothing but its contents can betray it."""
    nets = ml.load(path)
    content = {**nets.content().arrays, **arrays}
    head = {
        "schema": 1,
        "config": nets.config.to_json(),
        "requested": len(nets),
        "provenance": nets.provenance,
        **(header or {}),
    }
    head["digest"] = digest_of(head, content)
    memory = io.BytesIO()
    np.savez(memory, header=np.array(json.dumps(head)), **content)
    path.write_bytes(seal(memory.getvalue(), path) if sealed else memory.getvalue())


def seal(content: bytes, path: Path) -> bytes:
    body = content[:-2] + blocks._SEAL_BYTES.to_bytes(2, "little") + blocks.SEAL
    return body + blocks._digest(body, f"{path.parent.name}/{path.name}")


class Trap:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def swap(path):
    other = next(
        one
        for one in block_files(path.parent.parent.parent)
        if one != path and one.parent == path.parent
    )
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("header", *ARRAYS):
            archive.writestr(f"{name}.npy", bytes(10**7))


def pickled(path):
    memory = io.BytesIO()
    np.savez(
        memory,
        header=np.array([Trap(path.parent.parent / "sprung")], dtype=object),
        allow_pickle=True,
    )
    path.write_bytes(memory.getvalue())


def become_a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "a folder": become_a_folder,
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one byte short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "one byte long": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "flipped": flip,
    "swapped": swap,
    "of another config": lambda path: shutil.copy(block_files(path.parent.parent.parent)[-1], path),
    "text": lambda path: path.write_text("loss 1e-3\n"),
    "zip bomb": bomb,
    "pickle": pickled,
    "bare pickle": lambda path: path.write_bytes(pickle.dumps(Trap(path.parent.parent / "sprung"))),
    "unsealed": lambda path: path.write_bytes(
        ml.load(path).save(path.with_name("copy.npz")).read_bytes()
    ),
    "wrong shape": lambda path: forged(path, sealed=False, w=np.zeros((8, 3, 1), np.float32)),
    "wrong dtype": lambda path: forged(path, sealed=False, w=np.zeros((8, 1, 1), np.float64)),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused_put_aside_and_trained_again(kind, folder, original):
    victim = block_files(folder)[0]
    DAMAGE[kind](victim)
    store, config = ml.open_store(folder), ml.load(block_files(original)[0]).config
    with pytest.raises(ml.FileError, match=r"damaged|cannot be read") as error:
        store.ensemble(config)
    assert in_one_line(error)
    assert not store.verify().passed
    ml.sweep(TINY, out=folder)
    (folder / "blocks" / victim.parent.name / "copy.npz").unlink(missing_ok=True)
    assert files_in(folder) == files_in(original)
    assert (folder / "quarantine" / victim.parent.name / f"{victim.name}.1").exists()
    assert same(store.ensemble(config), ml.train(config, seeds=20))
    assert store.verify().passed
    assert not list(folder.rglob("sprung"))


FORGERIES = {
    "shape": {"w": np.zeros((8, 3, 1), np.float32)},
    "dtype": {"w": np.zeros((8, 1, 1), np.float64)},
    "seeds": {"seeds": np.arange(100, 108)},
    "pickle": {"w": np.array([Trap(Path("sprung"))], dtype=object)},
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_sealed_block_that_contradicts_itself_is_never_used(kind, folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    victim = block_files(folder)[0]
    config = ml.load(victim).config
    if kind == "pickle":
        memory = io.BytesIO()
        np.savez(memory, allow_pickle=True, **FORGERIES[kind])
        victim.write_bytes(seal(memory.getvalue(), victim))
    else:
        forged(victim, **FORGERIES[kind])
    store = ml.open_store(folder)
    with pytest.raises(ml.FileError) as error:
        store.ensemble(config)
    assert in_one_line(error)
    ((name, _),) = store.verify().damaged
    assert name == f"{victim.parent.name}/{victim.name}"
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    "header", [{"schema": 2}, {"config": ONE.to_json().replace("square", "squircle")}]
)
def test_a_good_block_of_another_minilotto_is_neither_used_nor_put_aside(header, folder):
    victim = folder / "blocks" / Block(ONE, 0, 8).name
    forged(victim, header, sealed=False)
    before = files_in(folder)
    for use in (lambda: ml.sweep(TINY, out=folder), lambda: ml.open_store(folder).ensemble(ONE)):
        with pytest.raises(ml.UnusableFileError) as error:
            use()
        assert in_one_line(error)
    assert files_in(folder) == before
    found = ml.open_store(folder).verify()
    assert found.passed
    assert len(found.unusable) == 1


def test_putting_aside_spares_what_another_process_has_mended(folder):
    store, victim = ml.open_store(folder), block_files(folder)[0]
    name = f"{victim.parent.name}/{victim.name}"
    assert store.put_aside(name) is None
    assert victim.exists()
    flip(victim)
    assert store.put_aside(name) == folder / "quarantine" / f"{name}.1"
    assert not victim.exists()
    assert store.put_aside(name) is None


def become_a_link(path):
    path.unlink()
    path.symlink_to("nowhere")


MOVED = {"flipped": flip, "a link": become_a_link, "a folder": become_a_folder}


@pytest.mark.parametrize("kind", MOVED)
def test_putting_aside_spares_what_is_mended_while_it_moves(kind, folder, monkeypatch):
    store, victim = ml.open_store(folder), block_files(folder)[0]
    name, content = f"{victim.parent.name}/{victim.name}", victim.read_bytes()
    MOVED[kind](victim)

    def after_mending(real):
        def call(path, *rest, **named):
            if path == victim:  # another sweep has put it aside and trained it again
                monkeypatch.undo()
                victim.rmdir() if kind == "a folder" else victim.unlink(missing_ok=True)
                victim.write_bytes(content)
            return real(path, *rest, **named)

        return call

    for change in ("replace", "unlink"):
        monkeypatch.setattr(os, change, after_mending(getattr(os, change)))
    assert store.put_aside(name) is None
    assert victim.read_bytes() == content
    assert not list((folder / "quarantine").rglob("*.npz*"))


@pytest.mark.parametrize("kind", MOVED)
def test_what_another_process_puts_aside_meanwhile_stays(kind, folder, monkeypatch):
    store, victim = ml.open_store(folder), block_files(folder)[0]
    name = f"{victim.parent.name}/{victim.name}"
    MOVED[kind](victim)
    theirs = folder / "quarantine" / f"{name}.1"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    real = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: path != theirs and real(path))
    assert store.put_aside(name) == theirs.with_name(f"{victim.name}.2")
    assert theirs.read_bytes() == b"theirs"
    assert not os.path.lexists(victim)


def test_a_block_that_another_machine_has_stored_meanwhile_stays(folder):
    victim = block_files(folder)[0]
    name, content = f"{victim.parent.name}/{victim.name}", victim.read_bytes()
    forged(victim, {"provenance": {"cpu": "another"}})
    theirs = victim.read_bytes()
    assert theirs != content
    blocks.put_block(folder / "blocks", name, content, "square")
    assert victim.read_bytes() == theirs
    flip(victim)
    blocks.put_block(folder / "blocks", name, content, "square")
    assert victim.read_bytes() == content


def test_a_quick_look_finds_cuts_and_no_flips(folder):
    store = ml.open_store(folder)
    names = [f"{path.parent.name}/{path.name}" for path in block_files(folder)]
    flip(block_files(folder)[0])
    DAMAGE["half"](block_files(folder)[1])
    assert store.damaged(names, quick=True) == names[1:2]
    assert store.damaged(names) == names[:2]


# Fragments of killed writers
def test_fragments_of_the_dead_are_removed_and_those_of_the_living_kept(folder, original):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    place = block_files(folder)[0]
    host = files._host()
    ours = place.with_name(f".{place.name}.{host}-{os.getpid()}-0123456789ab")
    gone = place.with_name(f".{place.name}.{host}-{dead.pid}-0123456789ab")
    elsewhere = place.with_name(f".{place.name}.00000000-1-0123456789ab")
    old = place.with_name(f".{place.name}.00000000-2-0123456789ab")
    foreign = place.with_name(".hidden")
    for fragment in (ours, gone, elsewhere, old, foreign):
        fragment.write_bytes(b"half of it")
    os.utime(old, (time.time() - 2 * files.DAY,) * 2)
    ml.sweep(TINY, out=folder)
    assert [path.exists() for path in (ours, gone, elsewhere, old, foreign)] == [
        True,
        False,
        True,
        False,
        True,
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_writer_elsewhere_or_of_another_user_is_not_taken_for_dead(folder, monkeypatch):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = files._host()
    files._host.cache_clear()
    with monkeypatch.context() as patch:  # in a container of the same name
        patch.setattr(os, "readlink", lambda path: "pid:[4026532000]")
        elsewhere = files._host()
    files._host.cache_clear()
    assert elsewhere != here
    place = block_files(folder)[0]
    theirs = place.with_name(f".{place.name}.{elsewhere}-{dead.pid}-0123456789ab")
    hidden = place.with_name(f".{place.name}.{here}-{dead.pid}-0123456789ab")
    for fragment in (theirs, hidden):
        fragment.write_bytes(b"half of it")

    def refuse(process, number):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)  # as for a process of another user's
    files.remove_fragments(place.parent)
    assert theirs.exists()
    assert hidden.exists()
    monkeypatch.undo()
    files.remove_fragments(place.parent)
    assert theirs.exists()
    assert not hidden.exists()


# Status
def test_status_counts_what_is_done_missing_and_damaged(folder):
    ml.open_store(folder).keep_study((ml.Sweep(widths=(2, 3), seeds=30, steps=40),))
    flip(folder / "blocks" / Block(ONE, 8, 16).name)
    DAMAGE["half"](folder / "blocks" / Block(ONE, 16, 20).name)
    rows = {row.config.width: row for row in ml.open_store(folder).status(quick=False)}
    counts = {
        width: (row.asked, row.done, row.missing, len(row.damaged), row.there)
        for width, row in rows.items()
    }
    assert counts == {1: (20, 8, 12, 2, 8), 2: (30, 20, 10, 0, 20), 3: (30, 0, 30, 0, 0)}
    assert len({row.config.width: row for row in ml.open_store(folder).status()}[1].damaged) == 1


def test_status_of_an_empty_store_and_of_a_task_that_is_not_known_here(tmp_path):
    assert stores.make_store(tmp_path / "new").status() == ()
    saw = ml.register_task(ml.Task("saw", "|x|", "|x|", lambda x: np.abs(x[:, 0]), kinks=(0.0,)))
    try:
        ml.sweep(ml.Sweep(width=1, task="saw", steps=40, seeds=3), out=tmp_path / "runs")
    finally:
        ml.TASKS.pop(saw.name)
    (row,) = ml.open_store(tmp_path / "runs").status()
    assert (row.config, row.there, row.damaged) == (None, 3, ())
    assert ml.open_store(tmp_path / "runs").configs == ()
    assert ml.open_store(tmp_path / "runs").verify().passed


def test_verify_trains_random_nets_again(folder):
    found = ml.open_store(folder).verify(recompute=7)
    assert (found.passed, found.blocks, found.nets, found.recomputed) == (True, 6, 40, 7)
    assert ml.open_store(folder).verify(recompute=10**6).recomputed == 40


@pytest.mark.parametrize("name", ["w", "b", "v", "c", "loss", "nodes", "audit"])
def test_verify_finds_a_net_that_comes_out_otherwise(name, folder):
    victim = folder / "blocks" / Block(ONE, 8, 16).name
    changed = getattr(ml.load(victim), name).copy()
    changed[3] = np.nextafter(changed[3], 2) if changed.dtype.kind == "f" else changed[3] + 1
    forged(victim, **{name: changed})
    found = ml.open_store(folder).verify(recompute=40)
    assert not found.passed
    assert [(config, seed) for config, seed, _ in found.different] == [(ONE, 11)]


# Tables
def test_the_csv_holds_a_row_a_net(folder, tmp_path):
    store = ml.open_store(folder)
    lines = store.to_csv(tmp_path / "nets.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    assert len(rows) == 40
    for config in store.configs:
        of_config = [row for row in rows if row["width"] == str(config.width)]
        assert [float(row["loss"]) for row in of_config] == store.ensemble(config).loss.tolist()
        assert {row["status"] for row in of_config} == {"ok"}
    with pytest.raises(ml.ConfigError, match="exists"):
        store.to_csv(tmp_path / "nets.csv")


def test_the_other_tables_hold_the_same(folder, tmp_path):
    pandas = pytest.importorskip("pandas", reason="needs the extra pandas")
    store = ml.open_store(folder)
    frame = store.to_dataframe()
    exact = {name: lambda text: float(text or "nan") for name in frame.select_dtypes("float64")}
    text = pandas.read_csv(store.to_csv(tmp_path / "nets.csv"), converters=exact)
    assert list(frame) == list(text)
    assert set(frame["loss_kind"]) == {"squared"}
    for name in frame:
        np.testing.assert_array_equal(frame[name].tolist(), text[name].tolist(), name)
    assert set(frame.dtypes[["activation", "task", "status"]].astype(str)) == {"category"}
    pytest.importorskip("pyarrow", reason="needs the extra pandas")
    assert pandas.read_parquet(store.to_parquet(tmp_path / "nets.parquet")).equals(frame)
    xarray = pytest.importorskip("xarray", reason="needs the extra netcdf")
    with xarray.open_dataset(store.to_netcdf(tmp_path / "nets.nc"), engine="scipy") as dataset:
        assert dataset["loss"].values.tolist() == frame["loss"].tolist()
        assert dataset["activation"].values.astype(str).tolist() == frame["activation"].tolist()


@pytest.mark.parametrize("method", ["to_dataframe", "to_parquet", "to_netcdf"])
def test_a_missing_extra_is_named(method, folder, tmp_path, monkeypatch):
    for package in ("pandas", "pyarrow", "xarray"):
        monkeypatch.setitem(sys.modules, package, None)
    arguments = [] if method == "to_dataframe" else [tmp_path / "nets"]
    with pytest.raises(ml.MissingExtraError, match=r'pip install -e "\.\[(pandas|netcdf)\]"'):
        getattr(ml.open_store(folder), method)(*arguments)


# Disks
@contextlib.contextmanager
def small_disk(folder: Path, size: str):
    """A folder on a disk of its own."""
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may mount no small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_what_was_done_stays(tmp_path, original):
    with small_disk(tmp_path / "disk", "64k"):
        with pytest.raises(ml.FileError, match="No space left on device") as error:
            ml.sweep(TINY, out=tmp_path / "disk" / "runs")
        assert in_one_line(error)
        kept = files_in(tmp_path / "disk" / "runs")
        assert kept
        assert all(files_in(original)[name] == content for name, content in kept.items())
        subprocess.run(["mount", "-o", "remount,size=1m", str(tmp_path / "disk")], check=True)
        ml.sweep(TINY, out=tmp_path / "disk" / "runs")
        assert files_in(tmp_path / "disk" / "runs") == files_in(original)


def test_a_read_only_disk_is_one_line_and_can_be_read(tmp_path, folder):
    with small_disk(tmp_path / "disk", "1m"):
        shutil.copytree(folder, tmp_path / "disk" / "runs")
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
        for out in ("runs", "new"):
            with pytest.raises(ml.FileError, match="Read-only file system") as error:
                ml.sweep(ml.Sweep(width=5, seeds=3, steps=40), out=tmp_path / "disk" / out)
            assert in_one_line(error)
        store = ml.open_store(tmp_path / "disk" / "runs")
        assert len(store.ensemble(ONE)) == 20
        assert store.verify().passed
        assert store.status()[0].done == 20


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_in_which_nothing_can_be_written_is_refused_before_anything_is_trained(
    code, tmp_path, monkeypatch
):
    import minilotto.training.loop as loop

    monkeypatch.setattr(loop, "run", None)
    real = Path.open

    def refuse(path, mode="r", *rest, **named):
        if tmp_path in path.parents and not set(mode).isdisjoint("wax+"):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ml.FileError, match=os.strerror(code)) as error:
        ml.sweep(TINY, out=tmp_path / "runs")
    assert in_one_line(error)


def test_a_folder_that_may_not_be_listed_is_one_line(folder, monkeypatch):
    real = os.scandir

    def refuse(path="."):
        if str(path).endswith("blocks"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ml.FileError, match="cannot be listed") as error:
        _ = ml.open_store(folder).configs
    assert in_one_line(error)


def test_a_block_that_may_not_be_read_is_one_line(folder, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(ml.FileError, match="Permission denied") as error:
        ml.open_store(folder).ensemble(ONE)
    assert in_one_line(error)
