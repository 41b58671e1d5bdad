"""Stores: damage is an error in every reader, is healed by the same sweep, and never counts as
success; what is not ours is left alone; a store that is complete needs no writing.
"""

import contextlib
import errno
import io
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from entries import GRID, LOOKS, METHODS, READERS, SOME, WRITERS, Brief, Refused, command, elsewhere

import minilotto as ml
from minilotto import files
from minilotto.report.build import REPORT_FILES, report_folder
from minilotto.report.figure import Scale
from minilotto.store import store as stores
from minilotto.store.blocks import SEAL, Block

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="links and pipes of Linux")
REFUSALS = (ml.ConfigError, ml.FileError, Refused)
NAME = Block(SOME, 0, 2).name
OTHER = SOME.replace(steps=6)
BOTH = ml.Sweep(width=2, steps=(5, 6), seeds=2)


@pytest.fixture(scope="module")
def original():
    """A store of two configs with one block each, and the studies of both and of one."""
    folder = Path(elsewhere("runs"))
    ml.sweep(BOTH, out=folder)
    ml.sweep(GRID, out=folder)
    return folder


@pytest.fixture
def folder(original, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(original, tmp_path / "runs"))


def contents(folder):
    """Bytes, links and kinds of everything but logs and what was put aside."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name, mode = str(path.relative_to(folder)), os.lstat(path).st_mode
        if name.split(os.sep)[0] not in ("logs", "quarantine"):
            found[name] = (
                path.read_bytes() if stat.S_ISREG(mode) else stat.S_IFMT(mode),
                os.readlink(path) if stat.S_ISLNK(mode) else "",
            )
    return found


def one_line(words, action, *arguments):
    with pytest.raises(REFUSALS, match=words) as error:
        action(*arguments)
    assert len(str(error.value).splitlines()) == 1, str(error.value)
    return str(error.value)


# Damage of a block: each leaves a name that cannot be read as what it says.
def replaced(path, content):
    path.unlink()
    path.write_bytes(content)


def changed(path, change):
    content = bytearray(path.read_bytes())
    change(content)
    replaced(path, bytes(content))


def linked(path, target):
    path.unlink()
    os.symlink(target, path)


def in_its_place(path, make):
    path.unlink()
    make(path)


def a_socket(path):
    # The name of a socket has at most 107 bytes.
    short = Path("s")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as there:
        there.bind(str(short))
    short.rename(path)


def a_full_folder(path):
    path.mkdir()
    (path / "x").touch()


def other_block(path):
    return next(one for one in path.parent.parent.glob("*/*.npz") if one.parent != path.parent)


def exchanged(path):
    other = other_block(path)
    mine, theirs = path.read_bytes(), other.read_bytes()
    replaced(path, theirs)
    replaced(other, mine)


def middle(content):
    content[len(content) // 2] ^= 1


def last(content):
    content[-1] ^= 1


def name_in_seal(content):
    content[-32:] = b"0" * 32


DAMAGE = {
    "empty": lambda path: replaced(path, b""),
    "one byte": lambda path: replaced(path, b"P"),
    "cut in half": lambda path: replaced(path, path.read_bytes()[: path.stat().st_size // 2]),
    "one byte short": lambda path: replaced(path, path.read_bytes()[:-1]),
    "one byte long": lambda path: replaced(path, path.read_bytes() + b"\0"),
    "without its first byte": lambda path: replaced(path, path.read_bytes()[1:]),
    "twice": lambda path: replaced(path, path.read_bytes() * 2),
    "a bit in the middle": lambda path: changed(path, middle),
    "a bit at the end": lambda path: changed(path, last),
    "another digest": lambda path: changed(path, name_in_seal),
    "zeros": lambda path: replaced(path, bytes(path.stat().st_size)),
    "blanks": lambda path: replaced(path, b" " * path.stat().st_size),
    "text": lambda path: replaced(path, b"x,y\n1,2\n"),
    "a pointer of git": lambda path: replaced(
        path, b"version https://git-lfs.github.com/spec/v1\n"
    ),
    "only a seal": lambda path: replaced(path, SEAL + b"0" * 32),
    "of another config": lambda path: replaced(path, other_block(path).read_bytes()),
    "exchanged": exchanged,
    "nets that were saved": lambda path: replaced(
        path, ml.load(path).save(elsewhere("nets.npz")).read_bytes()
    ),
    "a link to nothing": lambda path: linked(path, "nothing"),
    "a link to itself": lambda path: linked(path, path.name),
    "a link to another block": lambda path: linked(path, other_block(path)),
    "a link to a device": lambda path: linked(path, "/dev/zero"),
    "a link to a folder": lambda path: linked(path, path.parent),
    "an empty folder": lambda path: in_its_place(path, Path.mkdir),
    "a folder": lambda path: in_its_place(path, a_full_folder),
    "a pipe": lambda path: in_its_place(path, os.mkfifo),
    "a socket": lambda path: in_its_place(path, a_socket),
}


@pytest.mark.parametrize("reader", METHODS)
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_block_is_an_error_in_every_reader(kind, reader, folder):
    DAMAGE[kind](folder / "blocks" / NAME)
    said = one_line("damaged|cannot be read", METHODS[reader], ml.open_store(folder))
    assert NAME in said
    assert "sweep" in said


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_block_is_told_by_status_and_verify(kind, folder):
    DAMAGE[kind](folder / "blocks" / NAME)
    store = ml.open_store(folder)
    rows = {row.key: row for row in store.status(quick=False)}
    assert rows[SOME.key].damaged == (NAME,)
    assert (rows[SOME.key].asked, rows[SOME.key].done) == (2, 0)
    assert NAME in dict(store.verify().damaged)
    for words in (("status", folder, "--check=full"), ("verify", folder)):
        with pytest.raises(Refused, match=NAME):
            command(*map(str, words))


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_block_is_trained_again_by_the_same_sweep(kind, writer, folder, original):
    DAMAGE[kind](folder / "blocks" / NAME)
    WRITERS[writer](folder)
    ml.sweep(BOTH, out=folder)
    assert contents(folder) == contents(original)
    assert ml.open_store(folder).verify().passed
    assert (folder / "quarantine" / SOME.key).exists()


@pytest.mark.parametrize("kind", DAMAGE)
def test_no_sweep_succeeds_beside_a_block_that_cannot_be_moved(kind, folder, monkeypatch):
    DAMAGE[kind](folder / "blocks" / NAME)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    one_line("Read-only file system", ml.sweep, GRID, folder)


# What goes wrong in reading a file says nothing about its content.
NO_DAMAGE = ("EACCES", "EPERM", "EIO", "EMFILE", "ENFILE", "ENOMEM", "ESTALE", "EBUSY", "ETIMEDOUT")


class Failing(io.FileIO):
    """A file that cannot be read."""

    reason: BaseException

    def read(self, *_):
        raise self.reason


def make_unreadable(monkeypatch, path, call, reason):
    """From now on, that call raises `reason` for this file."""
    real = os.stat, open

    def ours(one):
        return str(one) == str(path)

    def stat_of(one, *rest, **named):
        if ours(one):
            raise reason
        return real[0](one, *rest, **named)

    def open_file(one, *rest, **named):
        if not ours(one):
            return real[1](one, *rest, **named)
        if call == "open":
            raise reason
        file = Failing(one)
        file.reason = reason
        return file

    if call == "stat":
        monkeypatch.setattr(os, "stat", stat_of)
    else:
        monkeypatch.setattr(files, "open", open_file, raising=False)


def unreadable(monkeypatch, path, call, name):
    number = getattr(errno, name)
    make_unreadable(monkeypatch, path, call, OSError(number, os.strerror(number), str(path)))


@pytest.mark.parametrize("call", ["stat", "open", "read"])
@pytest.mark.parametrize("name", NO_DAMAGE)
def test_a_file_that_cannot_be_read_is_an_error_and_stays(name, call, folder, monkeypatch):
    before = contents(folder)
    studies = sorted((folder / "studies").iterdir())
    store = ml.open_store(folder)
    for path in (folder / "blocks" / NAME, studies[0]):
        with monkeypatch.context() as patch:
            unreadable(patch, path, call, name)
            for action in (store.status, store.verify):
                assert str(path) in one_line("cannot be read .* try again", action)
        if path.suffix == ".json":
            continue
        for action in (ml.sweep, lambda grid, out: ml.sweep(grid, out=out, check="quick")):
            with monkeypatch.context() as patch:
                unreadable(patch, path, call, name)
                assert str(path) in one_line("cannot be read .* try again", action, BOTH, folder)
    assert contents(folder) == before
    assert not (folder / "quarantine").exists()
    assert store.verify().passed


@pytest.mark.parametrize("reader", METHODS)
def test_every_reader_names_a_file_that_cannot_be_read(reader, folder, monkeypatch):
    store = ml.open_store(folder)
    path = store.folder / "blocks" / NAME
    unreadable(monkeypatch, path, "open", "EACCES")
    assert str(path) in one_line("cannot be read .* try again", METHODS[reader], store)


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_leaves_a_block_that_cannot_be_read(writer, folder, monkeypatch):
    before = contents(folder)
    with monkeypatch.context() as patch:
        unreadable(patch, (folder / "blocks" / NAME).absolute(), "open", "EACCES")
        one_line("cannot be read .* try again", WRITERS[writer], folder)
    assert contents(folder) == before
    assert not (folder / "quarantine").exists()


def test_no_memory_for_a_block_is_no_damage(folder, monkeypatch):
    make_unreadable(monkeypatch, folder / "blocks" / NAME, "read", MemoryError())
    one_line("no memory is left", ml.sweep, BOTH, folder)
    assert not (folder / "quarantine").exists()


def test_damage_that_is_put_aside_twice_is_kept_twice(folder):
    for _ in range(3):
        DAMAGE["text"](folder / "blocks" / NAME)
        ml.sweep(GRID, out=folder)
    aside = folder / "quarantine" / NAME
    assert [aside.with_name(f"{aside.name}.{i}").exists() for i in range(1, 5)] == [1, 1, 1, 0]


def test_a_damaged_block_among_sound_ones_is_an_error(tmp_path, small_blocks):
    small_blocks(2)
    ml.sweep(ml.Sweep(width=2, steps=5, seeds=6), out=tmp_path / "runs")
    for first in (0, 2, 4):
        path = tmp_path / "runs" / "blocks" / Block(SOME, first, first + 2).name
        whole = path.read_bytes()
        path.write_bytes(whole[:-5])
        store = ml.open_store(tmp_path / "runs")
        for name in ("to_csv", "ensemble"):
            one_line("damaged", METHODS[name], store)
        if first == 0:
            one_line("damaged", METHODS["configs"], store)
        path.write_bytes(whole)


def test_the_fit_of_the_quick_start_loses_no_width(folder):
    DAMAGE["cut in half"](folder / "blocks" / NAME)
    store = ml.open_store(folder)
    with pytest.raises(ml.FileError, match=NAME):
        _ = {config.steps: store.ensemble(config).loss for config in store.configs}


def test_tables_of_what_is_not_known_here_are_refused(tmp_path):
    saw = ml.register_task(ml.Task("saw", "|x|", "|x|", lambda x: np.abs(x[:, 0]), kinks=(0.0,)))
    try:
        ml.sweep(ml.Sweep(width=2, task="saw", steps=5, seeds=2), out=tmp_path / "runs")
    finally:
        ml.TASKS.pop(saw.name)
    store = ml.open_store(tmp_path / "runs")
    assert store.configs == ()
    one_line("saw.*register_task", store.to_csv, tmp_path / "nets.csv")
    assert not (tmp_path / "nets.csv").exists()


# Studies
STUDY_DAMAGE = {
    "empty": lambda path: replaced(path, b""),
    "cut": lambda path: replaced(path, path.read_bytes()[:20]),
    "one byte short": lambda path: replaced(path, path.read_bytes()[:-1]),
    "a bit": lambda path: changed(path, middle),
    "text": lambda path: replaced(path, b"hello\n"),
    "bytes": lambda path: replaced(path, b"\xff\xfe\0"),
    "zeros": lambda path: replaced(path, bytes(99)),
    "no object": lambda path: replaced(path, b"[]"),
    "an empty object": lambda path: replaced(path, b"{}"),
    "another study": lambda path: replaced(path, b'{"sweep": [{"width": [9], "seeds": 3}]}\n'),
    "fewer seeds": lambda path: replaced(
        path, path.read_bytes().replace(b'"seeds": 2', b'"seeds": 1')
    ),
    "a mark": lambda path: replaced(path, b"\xef\xbb\xbf" + path.read_bytes()),
    "deeply nested": lambda path: replaced(path, b"[" * 100_000),
    "a link to nothing": lambda path: linked(path, "nothing"),
    "a link to itself": lambda path: linked(path, path.name),
    "a folder": lambda path: in_its_place(path, Path.mkdir),
    "a pipe": lambda path: in_its_place(path, os.mkfifo),
}


@pytest.mark.parametrize("kind", STUDY_DAMAGE)
def test_a_damaged_study_is_told_and_written_again(kind, folder, original):
    path = sorted((folder / "studies").iterdir())[0]
    name = f"studies/{path.name}"
    STUDY_DAMAGE[kind](path)
    store = ml.open_store(folder)
    assert store.status()[-1].damaged == (name,)
    assert len(store.studies()) == 1
    found = store.verify()
    assert not found.passed
    assert dict(found.damaged).keys() == {name}
    for word in ("status", "verify"):
        with pytest.raises(Refused, match=name):
            command(word, str(folder))
    for sweep in (GRID, BOTH):
        with contextlib.suppress(ml.FileError):  # a folder or a pipe is in the way
            ml.sweep(sweep, out=folder)
    if kind in ("a folder", "a pipe", "a link to itself"):
        assert not store.verify().passed
    else:
        path = path.resolve()
        assert path.read_bytes() == (original / name).read_bytes()
        assert store.verify().passed
        assert command("status", str(folder))


# What is not ours
FOREIGN = {
    "in the store": "readme.txt",
    "hidden": ".DS_Store",
    "in blocks": "blocks/readme.txt",
    "in a config": f"blocks/{SOME.key}/notes.txt",
    "a copy of a block": f"blocks/{SOME.key}/000000000000000-000000000000002 (1).npz",
    "a backup of a block": f"blocks/{SOME.key}/000000000000000-000000000000002.npz~",
    "in upper case": f"blocks/{SOME.key}/000000000000000-000000000000002.NPZ",
    "a short name": f"blocks/{SOME.key}/0-2.npz",
    "seeds backwards": f"blocks/{SOME.key}/000000000000002-000000000000000.npz",
    "no seeds": f"blocks/{SOME.key}/000000000000002-000000000000002.npz",
    "in studies": "studies/notes.json",
    "a copy of a study": "studies/0123456789abcdef (1).json",
    "a hidden study": "studies/.0123456789abcdef.json",
    "a fragment of a block": f"blocks/{SOME.key}/.{NAME[-35:]}.00000000-1-0123456789ab",
    "a fragment of a study": "studies/.x.json.00000000-1-0123456789ab",
    "in logs": "logs/x",
    "in the quarantine": "quarantine/x",
    "an empty folder": "blocks/empty/",
    "a folder of a checkout": "blocks/.ipynb_checkpoints/",
    "a folder of another name": "blocks/old/",
    "a link to nothing": "blocks/.#x",
    "a name that is no text": b"blocks/\xff".decode(errors="surrogateescape"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_change_nothing(kind, folder):
    path = folder / FOREIGN[kind]
    if FOREIGN[kind].endswith("/"):
        path.mkdir()
    else:
        path.parent.mkdir(exist_ok=True)
        os.symlink("nothing", path) if "link" in kind else path.write_bytes(b"half of it")
    before = contents(folder)
    store = ml.open_store(folder)
    assert {config.steps for config in store.configs} == {5, 6}
    assert len(store.to_csv(elsewhere("nets.csv")).read_text().splitlines()) == 5
    assert store.verify().passed
    assert command("status", str(folder))
    assert command("verify", str(folder))
    ml.sweep(BOTH, out=folder)
    assert contents(folder) == before


def test_blocks_that_are_there_twice_count_once(folder):
    """Another division of the same seeds, as a store that was merged has."""
    store = ml.open_store(folder)
    for first, stop in ((0, 1), (1, 3)):
        block = Block(SOME, first, stop)
        nets = ml.train(SOME, seeds=range(first, stop))
        stores.blocks.write_block(store.blocks, block, nets)
    assert store.seeds(SOME).tolist() == [0, 1, 2]
    assert store.ensemble(SOME).seeds.tolist() == [0, 1, 2]
    assert store.status()[0].done == 2


# Moved, removed, copied
@pytest.mark.parametrize("away", ["moved", "removed", "made anew", "blocks removed"])
@pytest.mark.parametrize("method", [*METHODS, *LOOKS])
def test_a_store_that_is_gone_is_an_error_in_every_method(method, away, folder):
    store = ml.open_store("runs")
    if away == "blocks removed":
        shutil.rmtree(folder / "blocks")
    else:
        folder.rename("moved")
        if away == "removed":
            shutil.rmtree("moved")
        if away == "made anew":
            folder.mkdir()
    before = contents(".")
    one_line("not there", {**METHODS, **LOOKS}[method], store)
    assert contents(".") == before


@pytest.mark.parametrize("method", [*METHODS, *LOOKS])
def test_a_store_stays_open_where_the_working_folder_changes(method, folder, monkeypatch):
    opened, swept = ml.open_store("runs"), ml.sweep(GRID, out="runs")
    here = {**METHODS, **LOOKS}[method](opened)
    monkeypatch.chdir("/")
    for store in (opened, swept):
        there = {**METHODS, **LOOKS}[method](store)
        if isinstance(here, np.ndarray):
            assert there.tolist() == here.tolist()
        elif method not in ("ensemble", "figures", "to_csv", "to_dataframe"):
            assert there == here
    assert opened.verify().blocks == 2


@pytest.mark.parametrize("writer", WRITERS)
def test_a_sweep_during_which_the_working_folder_changes_writes_into_one(
    writer, tmp_path, monkeypatch
):
    from minilotto.sweeps import budgets, run, runners

    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    for module in (run, runners, budgets):

        def moving(*arguments, real=module.prepare, **named):
            os.chdir(tmp_path / "elsewhere")
            return real(*arguments, **named)

        monkeypatch.setattr(module, "prepare", moving)
    with contextlib.suppress(Refused):  # it names the folder as it was given
        WRITERS[writer]("runs")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert ml.open_store(tmp_path / "runs").verify().nets == 2


def test_a_store_can_be_moved_and_copied(folder, original):
    folder.rename("moved")
    shutil.copytree("moved", "a/b", dirs_exist_ok=True)
    for place in ("moved", "a/b"):
        ml.sweep(BOTH, out=place)
        assert ml.open_store(place).verify().passed
        assert contents(place) == contents(original)


@pytest.mark.parametrize("part", ["runs", "runs/blocks", f"runs/blocks/{SOME.key}", "runs/studies"])
def test_folders_of_a_store_may_be_links(part, folder):
    os.rename(part, "disk")
    os.symlink(Path("disk").resolve(), part)
    DAMAGE["text"](folder / "blocks" / NAME)
    ml.sweep(BOTH, out="runs")
    assert ml.open_store("runs").verify().passed
    assert os.path.islink(part)


@pytest.mark.parametrize("part", ["blocks", f"blocks/{SOME.key}", "minilotto-store.json"])
@pytest.mark.parametrize("kind", ["a link to nothing", "a link to itself", "a file", "a pipe"])
def test_what_took_the_place_of_a_part_is_an_error(kind, part, folder):
    path = folder / part
    shutil.move(path, "aside")
    {
        "a link to nothing": lambda: os.symlink("nothing", path),
        "a link to itself": lambda: os.symlink(path.name, path),
        "a file": path.touch,
        "a pipe": lambda: os.mkfifo(path),
    }[kind]()
    for action in (*WRITERS.values(), READERS["verify"], READERS["status"]):
        one_line(
            "is no store|is not there|does not exist|cannot be|is no folder|damaged|pipe",
            action,
            folder,
        )


# Newer
def test_a_newer_block_is_neither_used_nor_put_aside_nor_left_out(folder):
    import io

    from minilotto.ensemble.npz import digest_of

    path = folder / "blocks" / NAME
    nets = ml.load(path)
    head = {"schema": 2, "config": SOME.to_json(), "requested": 2, "provenance": {}}
    arrays = nets.content().arrays
    head["digest"] = digest_of(head, arrays)
    memory = io.BytesIO()
    np.savez(memory, header=np.array(json.dumps(head)), **arrays)
    path.write_bytes(memory.getvalue())
    before = contents(folder)
    for name, action in (*METHODS.items(), *WRITERS.items()):
        if name != "configs":
            one_line(
                "upgrade minilotto", action, ml.open_store(folder) if name in METHODS else folder
            )
    assert [config.steps for config in ml.open_store(folder).configs] == [6]
    assert "upgrade minilotto" in command("verify", str(folder))
    assert contents(folder) == before


# Read-only
@pytest.fixture(params=["mounted", "patched"])
def read_only(request, folder, monkeypatch):
    """The store on a disk that cannot be written, or as if."""
    if request.param == "mounted":
        disk = Path("disk")
        disk.mkdir()
        try:
            subprocess.run(["mount", "--bind", folder, disk], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this user may mount no folder")
        subprocess.run(["mount", "-o", "remount,ro,bind", disk], check=True)
        yield disk
        subprocess.run(["umount", "-l", disk], check=True)
        return
    real = os.open, Path.open

    def refusing(real, writes):
        def opened(path, *rest, **named):
            if writes(*rest, **named) and str(folder) in str(Path(path).absolute()):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return real(path, *rest, **named)

        return opened

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    writing = refusing(real[1], lambda mode="r", *_, **__: not set(mode).isdisjoint("wax+"))
    monkeypatch.setattr(Path, "open", writing)
    for name in ("replace", "unlink", "link", "rename", "mkdir"):
        monkeypatch.setattr(os, name, refuse)
    yield folder


@pytest.mark.parametrize("writer", WRITERS)
def test_the_same_sweep_on_a_complete_read_only_store_succeeds(writer, read_only):
    WRITERS[writer](read_only)
    store = ml.sweep(BOTH, out=read_only)
    assert len(store.ensemble(SOME)) == 2
    one = ml.Sweep(width=2, steps=6, seeds=1)  # which has no study there
    assert len(ml.sweep(one, out=read_only).ensemble(OTHER, 1)) == 1


@pytest.mark.parametrize("reader", ["open_store", "status", "verify"])
def test_a_read_only_store_can_be_read(reader, read_only):
    READERS[reader](read_only)
    store = ml.open_store(read_only)
    assert len(store.configs) == 2
    assert len(store.ensemble(OTHER)) == 2


def test_an_incomplete_read_only_store_is_one_line_and_trains_nothing(read_only, monkeypatch):
    import minilotto.training.loop as loop

    monkeypatch.setattr(loop, "run", None)
    one_line("Read-only file system", ml.sweep, ml.Sweep(width=2, steps=7, seeds=2), read_only)
    one_line("Read-only file system", ml.sweep, ml.Sweep(width=2, steps=5, seeds=3), read_only)
    with pytest.raises(Refused, match="Read-only file system"):
        command("sweep", "--width=2", "--seeds=3", "--steps=5", f"--out={read_only}", "--quiet")


def test_a_complete_store_is_left_as_it_is(folder):
    def state():
        return {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}

    before = state()
    for _ in range(2):
        ml.sweep(BOTH, out=folder)
    assert state() == before


# Pages of strangers
STRANGERS = {
    "a page": ("index.html", b"mine"),
    "an empty page": ("index.html", b""),
    "markdown": ("report.md", b"# mine\n"),
    "numbers": ("report.json", b"{}"),
    "a picture": ("figure-2b.png", b"mine"),
    "a table": ("figure-2b-losses.csv", b"mine"),
    "a thesis": ("thesis.tex", b"mine"),
    "a folder": ("index.html/x", b"mine"),
}


@pytest.mark.parametrize("with_runs", [False, True])
@pytest.mark.parametrize("kind", STRANGERS)
def test_no_page_of_a_stranger_is_overwritten(kind, with_runs, folder, tmp_path):
    site = tmp_path / "site"
    name, content = STRANGERS[kind]
    (site / name).parent.mkdir(parents=True)
    (site / name).write_bytes(content)
    if with_runs:
        folder.rename(site / "runs")
    before = contents(site)
    words = ("reproduce", "--quick", "--figures=2b", f"--out={site}", "--quiet")
    said = one_line("--force", command, *words)
    assert name.split("/")[0] in said
    one_line("force=True", ml_reproduce, site)
    assert contents(site) == before


def ml_reproduce(out, **more):
    from minilotto.report.build import reproduce

    small = Scale(seeds=40, wide_seeds=2, giants=1, giant_width=10, widest=50, steps=20)
    return reproduce(out, ["2b"], scale=small, threads=1, **more)


def test_its_own_pages_are_written_again_and_others_with_force(tmp_path, monkeypatch):
    site = tmp_path / "a b"
    ml_reproduce(site)
    ml_reproduce(site)
    assert report_folder(site, False) == site
    for page in REPORT_FILES:
        ours = (site / page).read_bytes()
        (site / page).write_bytes(b"mine")
        one_line(page, ml_reproduce, site)
        ml_reproduce(site, force=True)
        assert len((site / page).read_bytes()) > len(ours) / 2
    assert "'" in (site / "report.md").read_text()  # the quoted folder of its command
    monkeypatch.chdir(tmp_path)
    ml_reproduce(os.fsdecode(b"\xff"))


def test_an_interrupted_report_goes_on_in_its_folder(tmp_path, monkeypatch):
    from minilotto.report import build

    real = build._each

    def interrupted(*given):
        (tmp_path / "site" / "figure-2b.png").write_bytes(b"drawn before")
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "_each", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ml_reproduce(tmp_path / "site")
    monkeypatch.setattr(build, "_each", real)
    report = ml_reproduce(tmp_path / "site")
    assert report.sections[0].picture


def test_an_interrupted_training_goes_on_in_any_folder_of_the_report(folder, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    nets = folder.rename(site / "nets")
    one_line("'nets' for one", ml_reproduce, site)
    assert ml_reproduce(site, runs=nets).sections[0].picture


def test_figures_go_where_they_were_asked_for(tmp_path, monkeypatch):
    """Even if the working folder changes between the training and the drawing."""
    from minilotto.report import build

    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    real = build.sweep

    def moving(*arguments, **named):
        store = real(*arguments, **named)
        os.chdir(tmp_path / "elsewhere")
        return store

    monkeypatch.setattr(build, "sweep", moving)
    ml_reproduce("site")
    os.chdir(tmp_path)
    scale = Scale(seeds=40, wide_seeds=2, giants=1, giant_width=10, widest=50, steps=20)
    build.draw("2b", "figure.png", scale, "runs")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert {"site", "figure.png", "runs"} <= set(os.listdir(tmp_path))


def test_a_study_runs_in_one_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Brief.run("runs/")
    os.chdir("/")
    assert len(study.nets[SOME]) == 2


# Fragments
def test_the_name_of_a_fragment_fits_every_file_system(tmp_path):
    for name in ("x" * 255, "é" * 127, "直" * 85, os.fsdecode(b"\xff" * 255)):
        beside = files._beside(tmp_path / name)
        assert len(os.fsencode(beside.name)) <= 143
        assert files._FRAGMENT.fullmatch(beside.name)
        beside.name.encode()
