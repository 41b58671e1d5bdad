"""Paths: what is refused in one line with nothing written, and what is read and written right."""

import contextlib
import os
import socket
import stat
import sys
from pathlib import Path

import pytest
from entries import INPUTS, OUTPUTS, WRITERS, Refused

import minilotto as ml
from minilotto import files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names and files of Linux")
REFUSALS = (ml.ConfigError, ml.FileError, Refused)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working folder, the home folder too."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def contents(folder):
    """Kind, mode and bytes of everything below a folder, by name; links are not followed."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        mode = os.lstat(path).st_mode
        regular = stat.S_ISREG(mode)
        found[str(path)] = (
            mode,
            path.read_bytes() if regular else os.readlink(path) if stat.S_ISLNK(mode) else b"",
        )
    return found


def refused(words, action, *arguments):
    """The action raises one line with these words, and nothing changes in the working folder."""
    before = contents(".")
    with pytest.raises(REFUSALS, match=words) as error:
        action(*arguments)
    assert len(str(error.value).splitlines()) == 1, str(error.value)
    assert "Traceback" not in str(error.value)
    assert contents(".") == before


def for_command(entry):
    return "--" in entry


class Strange:
    """An object whose conversion to a path fails."""

    def __fspath__(self):
        raise RuntimeError("two\nlines")


# What is no path at all, for functions.
NO_PATHS = {
    "None": None,
    "a number": 5,
    "a file descriptor": 0,
    "a truth value": True,
    "a real number": 1.5,
    "a list": ["nets.npz"],
    "a file object": sys.stdout,
    "a class": Path,
    "a strange object": Strange(),
    "a dataset": ml.Config(),
}
FUNCTIONS = {
    **{name: (lambda path, of=of: of[1](path, True)) for name, of in OUTPUTS.items()},
    **{name: of[2] for name, of in INPUTS.items()},
    **WRITERS,
    "open_store": ml.open_store,
}


@pytest.mark.parametrize("entry", [name for name in FUNCTIONS if not for_command(name)])
@pytest.mark.parametrize("kind", NO_PATHS)
def test_what_is_no_path_is_refused(kind, entry):
    if (kind, entry) == ("None", "to_c"):
        pytest.skip("to_c(None) returns the source")
    refused(f"path.*{type(NO_PATHS[kind]).__name__}", FUNCTIONS[entry], NO_PATHS[kind])


# What is no name of a file or folder anywhere.
NO_NAMES = {
    "empty": "",
    "empty bytes": b"",
    "NUL": "a\0b{}",
    "NUL in bytes": b"a\0b",
    "only NUL": "\0",
    "a lone surrogate": "\ud800{}",
    "an address": "https://example.org/a{}",
    "a file address": "file:///tmp/a{}",
    "a bucket": "s3://bucket/a{}",
}


@pytest.mark.parametrize("entry", FUNCTIONS)
@pytest.mark.parametrize("kind", NO_NAMES)
def test_what_names_nothing_is_refused(kind, entry):
    name = NO_NAMES[kind]
    if for_command(entry) and not isinstance(name, str):
        pytest.skip("commands get text")
    suffix = OUTPUTS[entry][0] if entry in OUTPUTS else Path(INPUTS.get(entry, (".x",))[0]).suffix
    refused("path|--", FUNCTIONS[entry], name.replace("{}", suffix) if "{}" in str(name) else name)


# Outputs: how the place is prepared, the name, and the words of the refusal.
def fifo(name):
    os.mkfifo(name)


def listening(name):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as there:
        there.bind(name)


BAD_OUTPUTS = {
    "the working folder": (None, ".", "ends in ''"),
    "the root": (None, "/", "folder"),
    "two levels up": (None, "..", "ends in|folder"),
    "only a suffix": (None, "{}", "ends in ''"),
    "no suffix": (None, "a", "ends in ''"),
    "another suffix": (None, "a{}.bak", "ends in"),
    "a slash at the end": (None, "a{}/", "folder"),
    "a slash at the end of a file": (lambda name: Path("a" + name).touch(), "a{}/", "folder"),
    "a folder": (lambda name: os.mkdir("a" + name), "a{}", "folder"),
    "in no folder": (None, "none/a{}", "does not exist"),
    "in a file": (lambda _: Path("file").touch(), "file/a{}", "does not exist|Not a directory"),
    "256 bytes": (None, "x" * 252 + "{}", "too long|ends in"),
    "256 bytes of two-byte characters": (None, "é" * 126 + "{}", "too long|ends in"),
    "5000 bytes": (None, "x/" * 2500 + "a{}", "too long|does not exist"),
    "a pipe": (lambda name: fifo("a" + name), "a{}", "regular"),
    "a socket": (lambda name: listening("a" + name), "a{}", "regular"),
    "a link to a device": (lambda name: os.symlink("/dev/null", "a" + name), "a{}", "regular"),
    "a link to a folder": (lambda name: os.symlink("/", "a" + name), "a{}", "folder"),
    "a link to itself": (lambda name: os.symlink("a" + name, "a" + name), "a{}", "symbolic links"),
    "two links in a circle": (
        lambda name: (os.symlink("b" + name, "a" + name), os.symlink("a" + name, "b" + name)),
        "a{}",
        "symbolic links",
    ),
    "a link into no folder": (
        lambda name: os.symlink("none/a" + name, "a" + name),
        "a{}",
        "No such file",
    ),
    "a home that nobody has": (None, "~nobody-is-called-this/a{}", "in no known home folder"),
}


@pytest.mark.parametrize("entry", OUTPUTS)
@pytest.mark.parametrize("kind", BAD_OUTPUTS)
def test_an_output_that_cannot_be_is_refused(kind, entry):
    suffix, write = OUTPUTS[entry]
    prepare, name, words = BAD_OUTPUTS[kind]
    if "256" in kind:
        name = name[: (255 - len(suffix)) // (2 if "two" in kind else 1)] + "x{}"
        assert len(os.fsencode(name.replace("{}", suffix))) in (255, 256, 257)
        name = "x" * (256 - len(os.fsencode(name.replace("{}", suffix)))) + name
    if prepare:
        prepare(suffix)
    refused(words, write, name.replace("{}", suffix), True)


@pytest.mark.parametrize("entry", OUTPUTS)
@pytest.mark.parametrize("kind", ["file", "empty file", "link to a file"])
def test_an_existing_output_is_refused_without_force(kind, entry):
    suffix, write = OUTPUTS[entry]
    name = f"a{suffix}"
    Path("target").write_bytes(b"" if "empty" in kind else b"mine")
    if kind == "link to a file":
        os.symlink("target", name)
    else:
        os.rename("target", name)
    refused("exists.*--force", write, name, False)


GOOD_OUTPUTS = {
    "text": "a{}",
    "Path": Path("a{}"),
    "bytes": b"a{}",
    "whole": "{place}/a{}",
    "the home folder": "~/a{}",
    "blanks": " a  b {}",
    "quotes": "a'b\"c{}",
    "percent": "100%s{}",
    "braces": "{{}}a{}",
    "a new line": "a\nb{}",
    "a tab and a return": "a\tb\rc{}",
    "letters": "прямая-直線-é{}",
    "an escape": "\x1b[31ma{}",
    "a dash": "-a{}",
    "a star": "*{}",
    "bytes that are no text": b"a\xff\xfe{}",
    "a decomposed letter": "e\u0301{}",
    "another case": "A{}",
    "upper case": "a{upper}",
    "mixed case": "a{title}",
    "back and forth": "sub/../a{}",
    "through a linked folder": "linked/a{}",
    "a link to be": "link{}",
    "many points": "a..b..{}",
    "a hidden file": ".a{}",
    "255 bytes": "long",
    "255 bytes of two-byte characters": "long é",
}


def good_name(kind, suffix, place):
    name = GOOD_OUTPUTS[kind]
    if kind.startswith("255"):
        letter = "é" if "é" in name else "x"
        room = 255 - len(suffix)
        return (
            letter * (room // len(letter.encode())) + "x" * (room % len(letter.encode())) + suffix
        )
    text = os.fsdecode(name)
    for key, value in {
        "{}": suffix,
        "{upper}": suffix.upper(),
        "{title}": suffix.title(),
        "{place}": str(place),
    }.items():
        text = text.replace(key, value)
    return os.fsencode(text) if isinstance(name, bytes) else type(name)(text)


@pytest.mark.parametrize(
    "entry",
    [pytest.param(one, marks=[pytest.mark.slow] * (one == "figure --out")) for one in OUTPUTS],
)
@pytest.mark.parametrize("kind", GOOD_OUTPUTS)
def test_an_output_is_written_under_its_name(kind, entry, place):
    suffix, write = OUTPUTS[entry]
    os.mkdir("sub")
    os.symlink("sub", "linked")
    os.symlink("sub/target", f"link{suffix}")
    name = good_name(kind, suffix, place)
    write(name, False)
    wanted = os.path.realpath(os.path.expanduser(os.fsencode(name)))
    assert os.path.getsize(wanted) > 40
    made = {path for path in place.rglob("*") if path.is_file() and not path.is_symlink()}
    assert [os.fsencode(path) for path in made] == [wanted]
    assert os.path.islink(f"link{suffix}")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(os.stat(wanted).st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400, 0o755])
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("entry", [one for one in OUTPUTS if one != "figure --out"])
def test_force_keeps_link_mode_and_owner(entry, linked, mode):
    suffix, write = OUTPUTS[entry]
    file = Path("target" if linked else f"a{suffix}")
    file.write_bytes(b"old")
    file.chmod(mode)
    if os.geteuid() == 0:
        os.chown(file, 12345, 23456)
    if linked:
        os.symlink("target", "again")
        os.symlink("again", f"a{suffix}")
    before = os.stat(file)
    write(f"a{suffix}", True)
    after = os.stat(file)
    assert after.st_size > 40
    kept = [(one.st_mode, one.st_uid, one.st_gid) for one in (before, after)]
    assert kept[0] == kept[1]
    assert os.path.islink(f"a{suffix}") == linked
    assert sorted(os.listdir()) == (["a" + suffix, "again", "target"] if linked else [file.name])


def make_read_only(monkeypatch):
    """No file can be opened to be written."""
    real = Path.open

    def refuse(path, mode="r", *rest, **named):
        if not set(mode).isdisjoint("wax+"):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", refuse)


@pytest.mark.parametrize("entry", [one for one in OUTPUTS if one != "figure --out"])
@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_folder_is_one_line(existing, entry, monkeypatch):
    suffix, write = OUTPUTS[entry]
    if existing:
        Path(f"a{suffix}").write_bytes(b"old")
    make_read_only(monkeypatch)
    refused("Read-only file system", write, f"a{suffix}", True)


# Inputs
BAD_INPUTS = {
    "missing": (None, "none{}", "does not exist|No such file"),
    "in no folder": (None, "none/a{}", "does not exist|No such file"),
    "in a file": (lambda _: Path("file").touch(), "file/a{}", "Not a directory"),
    "a folder": (lambda name: os.mkdir("a" + name), "a{}", "is a folder"),
    "a slash at the end": (lambda name: Path("a" + name).touch(), "a{}/", "folder"),
    "a pipe": (lambda name: fifo("a" + name), "a{}", "pipe"),
    "a socket": (lambda name: listening("a" + name), "a{}", "socket"),
    "a device": (lambda name: os.symlink("/dev/zero", "a" + name), "a{}", "device"),
    "a link to nothing": (lambda name: os.symlink("none", "a" + name), "a{}", "does not exist"),
    "a link to itself": (lambda name: os.symlink("a" + name, "a" + name), "a{}", "symbolic links"),
    "an empty file": (lambda name: Path("a" + name).touch(), "a{}", "whole|no JSON|no row|empty"),
    "zeros": (lambda name: Path("a" + name).write_bytes(bytes(99)), "a{}", "a"),
    "a name too long": (None, "x" * 300 + "{}", "too long"),
    "a path too long": (None, "x/" * 2500 + "a{}", "too long"),
}


@pytest.mark.parametrize("entry", INPUTS)
@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_an_input_that_cannot_be_read_is_refused(kind, entry):
    name, _, read = INPUTS[entry]
    prepare, pattern, words = BAD_INPUTS[kind]
    suffix = Path(name).suffix
    if prepare:
        prepare(suffix)
    refused(words, read, pattern.replace("{}", suffix))


@pytest.mark.parametrize("entry", INPUTS)
def test_an_input_that_may_not_be_read_is_refused(entry, monkeypatch):
    name, content, read = INPUTS[entry]
    Path(name).write_bytes(content())
    real = os.stat

    def refuse(path, *rest, **named):
        if str(path) == name:
            raise PermissionError(13, "Permission denied", name)
        return real(path, *rest, **named)

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(REFUSALS, match="Permission denied") as error:
        read(name)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("entry", INPUTS)
@pytest.mark.parametrize("kind", [one for one in GOOD_OUTPUTS if "case" not in one])
def test_an_input_is_read_under_its_name(kind, entry, place):
    name, content, read = INPUTS[entry]
    os.mkdir("sub")
    os.symlink("sub", "linked")
    os.symlink("sub/target", f"link{Path(name).suffix}")
    path = good_name(kind, Path(name).suffix, place)
    with open(os.path.expanduser(path), "wb") as file:
        file.write(content())
    assert read(path)


def test_a_study_may_have_a_mark_and_upper_case():
    _, content, read = INPUTS["sweep --from"]
    Path("a.JSON").write_bytes(b"\xef\xbb\xbf" + content())
    assert read("a.JSON")
    Path("b.TOML").write_bytes(b"\xef\xbb\xbfwidth = 2\nsteps = 5\nseeds = 2\n")
    assert read("b.TOML")
    Path("c.json").write_bytes('{"width": 2}'.encode("utf-16"))
    refused("cannot be read", read, "c.json")


# Folders of stores
GOOD_FOLDERS = {
    "text": "runs",
    "Path": Path("runs"),
    "bytes": b"runs",
    "a slash at the end": "runs/",
    "the working folder": ".",
    "the home folder": "~/runs",
    "home itself": "~",
    "deep": "a/b/c/runs",
    "blanks": " a  b ",
    "a new line": "a\nb",
    "bytes that are no text": b"a\xff",
    "255 bytes": "x" * 255,
    "upper case": "RUNS.NPZ",
    "through a linked folder": "linked/runs",
    "a linked folder": "linked",
    "back and forth": "sub/../runs",
}


@pytest.mark.parametrize("entry", WRITERS)
@pytest.mark.parametrize("kind", GOOD_FOLDERS)
def test_a_store_is_made_and_opened_under_its_name(kind, entry, place):
    if kind not in ("the working folder", "home itself"):
        os.mkdir("sub")
        os.symlink("sub", "linked")
    name = GOOD_FOLDERS[kind]
    WRITERS[entry](name)
    wanted = os.path.realpath(os.path.expanduser(os.fsencode(name)))
    assert os.path.exists(os.path.join(wanted, b"minilotto-store.json"))
    assert len(ml.open_store(name).configs) == 1
    assert len(list(place.rglob("minilotto-store.json"))) == 1


BAD_FOLDERS = {
    "a file": (lambda: Path("a").touch(), "a", "is a file"),
    "below a file": (lambda: Path("a").touch(), "a/runs", "cannot be made"),
    "a pipe": (lambda: fifo("a"), "a", "is a file"),
    "a link to nothing": (lambda: os.symlink("none", "a"), "a", "is a file|cannot be made"),
    "a link to itself": (lambda: os.symlink("a", "a"), "a", "is a file|cannot be made|symbolic"),
    "another's folder": (lambda: (os.mkdir("a"), Path("a/x").touch()), "a", "holds 'x'"),
    "a folder of logs": (lambda: os.makedirs("a/logs"), "a", "holds 'logs'"),
    "a folder with blocks": (
        lambda: (os.makedirs("a/blocks"), Path("a/readme").touch()),
        "a",
        "holds 'readme'",
    ),
    "the root": (None, "/", "holds|cannot be written to"),
    "256 bytes": (None, "x" * 256, "too long"),
    "a device": (None, "/dev/null", "is a file"),
}


@pytest.mark.parametrize("entry", WRITERS)
@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_a_folder_of_something_else_is_refused(kind, entry):
    prepare, name, words = BAD_FOLDERS[kind]
    if prepare:
        prepare()
    refused(words, WRITERS[entry], name)


def test_a_whole_store_on_a_read_only_disk_is_swept(place, monkeypatch):
    sweep = ml.Sweep(width=2, steps=5, seeds=2)
    ml.sweep(sweep, out="runs")
    before = contents(".")
    make_read_only(monkeypatch)
    assert len(ml.sweep(sweep, out="runs").ensemble(sweep.configs[0])) == 2
    assert contents(".") == before


# The working folder
def test_a_folder_that_another_process_removes_meanwhile_is_no_file(place, monkeypatch):
    out, real = place / "runs", os.path.isdir
    out.mkdir()

    def removed(path):
        if path == out and real(path):
            out.rmdir()
        return real(path)

    monkeypatch.setattr(os.path, "isdir", removed)
    assert files.check_folder(out) == out


def test_a_working_folder_that_is_gone_is_one_line(place):
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir(place / "gone")
    for action in (lambda: ml.sweep(ml.Sweep(width=2, steps=5, seeds=2), out="runs"),):
        with pytest.raises(REFUSALS, match="working folder"):
            action()


def test_an_unknown_home_is_refused(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    refused("home folder", OUTPUTS["save"][1], "~/a.npz", False)
    refused("home folder", WRITERS["sweep"], "~/runs")
