"""Words of the command line: names arrive byte for byte, numbers are numbers or refused."""

import os
import re

import numpy as np
import pytest

from minilotto.cli import commands
from minilotto.cli.arguments import PROGRAM, READERS, Plan, Seeds
from minilotto.cli.streams import run
from minilotto.report import frozen
from tests.edges import entries

# Words that are none of the kind, with what the refusal must say.
NO_WHOLE_NUMBERS = {
    "10,000": "write 10000",
    "1,000,000": "write 1000000",
    "10.000": "write 10000",
    "10'000": "write 10000",
    "10 000": "write 10000",
    "10\u202f000": "write 10000",
    "5#00": "'5#00'",
    "0x10": "'0x10'",
    "0b1": "'0b1'",
    "1_0": "'1_0'",
    "1__000": "'1__000'",
    "010": "'010'",
    "10k": "'10k'",
    "1e": "'1e'",
    "1+1": "'1+1'",
    "5j": "'5j'",
    "2.5": "2.5",
    "1e-3": "0.001",
    "1e400": "inf",
    "9" * 5000: "inf",
    "-5": "-5",
    "\u0663": "'\u0663'",
    "\u00b2": "'\u00b2'",
    "nan": "'nan'",
    "inf": "'inf'",
    "None": "'None'",
    "'5'": "'5'",
    "5;6": "'5;6'",
    "{5}": "'{5}'",
    "lambda:5": "'lambda:5'",
    "": "given no value",
}
NO_REAL_NUMBERS = {
    "1,000": "write 1000",
    "0x1p3": "'0x1p3'",
    "1e400": "inf",
    "-1": "-1",
    "nan": "'nan'",
    "1#0": "'1#0'",
    "01": "'01'",
    "1e-3j": "'1e-3j'",
    "None": "'None'",
    "True": "'True'",
    "\u00bd": "'\u00bd'",
    "": "no value",
}
NO_SWITCHES = dict.fromkeys(("maybe", "None", "2", "[]", "t", "1.0", "yes!"), "")
NO_NAMES = dict.fromkeys(
    ("None", "True", "1", "'silu'", "silu#relu", "[[silu]]", "a b", "a\nb", "\u00e9", "{}"), ""
)
REFUSED = {
    "whole numbers": (entries.WHOLE_NUMBERS, NO_WHOLE_NUMBERS),
    "real numbers": (entries.REAL_NUMBERS, NO_REAL_NUMBERS),
    "switches": (entries.SWITCHES, NO_SWITCHES),
    "names": (entries.NAMES, NO_NAMES),
}
# Files that Python, a shell or Fire would take for something else.
FILE_NAMES = (
    *("runs#2", "1.10", "1e-3", "2026_11", "0x10", "007", "10,000", "-5", "1e400", "None", "True"),
    *("false", "nan", "[]", "[a,b]", "(1)", "{a:1}", "{}", "'q'", '"q"', "a b ", " a", "a=b=c"),
    *("a\nb", "a\tb", "\u00e9", "\udcff", "$HOME", "*", "lambda", "x#", "#", "a\\b", "~x", "-x"),
    *("\u202e", "a;b", "a&b", "!!", "%s", "-"),
)
# Command lines that contradict themselves, with what the refusal must say.
CONTRADICTIONS = {
    "train --width 2 --width 2": "--width is given twice",
    "train --lr-decay 1 --lr_decay 1": "--lr_decay is given twice",
    "train --quiet --no-quiet": "--quiet is given twice",
    "train --quiet --quiet=true": "--quiet is given twice",
    "sweep --out r --width 2 --widths 2": "width is given twice",
    "sweep --out r --out s": "--out is given twice",
    "status r --folder r": "--folder is given twice",
    "train --data d.csv --task square": "--task is given beside --data",
    "train --data d.csv --points 100": "--points is given beside --data",
    "train --points 3 --data d.csv": "--points is given beside --data",
    "train --data d.csv --sampling grid": "--sampling is given beside --data",
    "train --sampling population --points 100": "points=100 means nothing",
    "train --activation relu --negative-slope 0.01": "negative_slope=0.01 means nothing",
    "train --init-scale 1": "init_scale=1.0 means nothing",
    "sweep --out r --sampling population --points 100": "points=100 means nothing",
    "sweep --out r --from s.toml --seeds 1000": "--seeds is given beside --from",
    "sweep --out r --from s.toml --seeds 2": "--seeds is given beside --from",
    "sweep --out r --from s.toml --width 20": "--width is given beside --from",
    "sweep --out r --from s.toml --tasks square": "--tasks is given beside --from",
    "train --seeds 2,500": "write 2500 or [2,500]",
    "sweep --out r --steps 2,500": "write 2500 or [2,500]",
    "sweep --out r --widths 1,000": "write 1000",
    "train --checkpoints 1,000": "write 1000",
    "train --widths 2,3": "sweep, or --width",
    "train --lrs 0.1": "sweep, or --lr",
    "train --width 2,3": "sweep for several",
    "train --lr 0.1,0.2": "sweep for several",
    "train --activation silu,relu": "sweep for several",
    "train --learning_rate 0.1": "did you mean --lr?",
    "train --target square": "did you mean --task?",
    "train -w 3": "'-w' is no flag",
    "train --quiet -w": "'-w' is no flag",
    "train --out ~nosuch/n.npz": "no known home folder",
    "sweep --out ~nosuch/r": "no known home folder",
}
# Words that would go unused, and the same of scripts.
UNUSED = {
    "help nosuch": "'nosuch'",
    "--help nosuch": "'nosuch'",
    "version 3": "'3'",
    "--version --out": "'--out'",
    "-h nosuch --out n.npz": "'nosuch'",
    "check --depths 9007199254740991": "memory",
}
READ = {
    (int, "1e3"): 1000,
    (int, "3.0"): 3,
    (int, "1_000"): 1000,
    (int, "+5"): 5,
    (int, "18446744073709551615"): 2**64 - 1,
    (float, ".5"): 0.5,
    (float, "1."): 1.0,
    (float, "-1.5e-3"): -0.0015,
    (float, "0.100"): 0.1,
    (str, "1.10"): "1.10",
    (bool, "YES"): True,
    (bool, "0"): False,
    (bool | int, "false"): False,
    (bool | int, "1"): 1,
    (bool | int, "1e3"): 1000,
    (Seeds, "1e2"): 100,
    (Seeds, "3:5"): range(3, 5),
    (Seeds, "3,5,8"): [3, 5, 8],
    (Seeds, "[2,500]"): [2, 500],
    (Seeds, "7,"): [7],
    (Seeds, "0,100"): [0, 100],
    (list[int], "100,200"): [100, 200],
    (list[int], "(1, 2)"): [1, 2],
    (list[int], "[]"): [],
    (list[float], "0.1,1e-2"): [0.1, 0.01],
    (list[str], "silu, relu"): ["silu", "relu"],
    (list[str], "1c,3"): ["1c", "3"],
}


@pytest.fixture
def refused(folder, capsys):
    """The line with which words are refused, before anything is written."""

    def run(words):
        status = commands.main(words)
        said = capsys.readouterr()
        assert (status, said.out, os.listdir(folder)) == (2, "", []), said
        assert len(said.err.splitlines()) == 1, said.err
        return said.err

    return run


@pytest.mark.parametrize(
    ("kind", "entry"), [(kind, entry) for kind, (group, _) in REFUSED.items() for entry in group]
)
def test_what_is_none_of_a_kind_is_refused(kind, entry, refused):
    group, table = REFUSED[kind]
    for word, said in table.items():
        assert said in refused(group[entry](word)), word


@pytest.mark.parametrize("line", CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(line, refused):
    assert CONTRADICTIONS[line] in refused(line.split())


@pytest.mark.parametrize("line", UNUSED)
def test_no_word_goes_unused(line, refused):
    assert UNUSED[line] in refused(line.split())


@pytest.mark.parametrize("line", ["help", "-h", "--help", "help help", "help train", "-h sweep"])
def test_help_is_about_what_is_named(line, capsys):
    assert commands.main(line.split()) == 0
    named = line.split()[1:]
    last = named[0] if named and named[0] != "help" else ""
    assert f"usage: {PROGRAM} {last or 'COMMAND'} [--flag value" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["50", "51"], [""], ["5.0"], ["9" * 5000], ["--help"]])
def test_no_word_freezes_the_rules_but_a_version(words, monkeypatch, capsys):
    monkeypatch.setattr(frozen, "write_bytes", None)
    assert frozen.main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_too_little_memory_is_a_line(monkeypatch, capsys):
    monkeypatch.setitem(commands.COMMANDS, "info", lambda: Plan(lambda: np.empty(2**60, "int8")))
    assert commands.main(["info"]) == 1
    assert re.fullmatch(r"MemoryError: Unable to allocate .*\n", capsys.readouterr().err)


@pytest.mark.parametrize(("declared", "text"), READ)
def test_what_is_of_a_kind_is_read(declared, text):
    value = READERS[declared]("flag", text)
    assert value == READ[declared, text]
    assert type(value) is type(READ[declared, text])


@pytest.mark.parametrize("entry", entries.MISSING_FILES)
def test_a_file_that_is_missing_is_named_byte_for_byte(entry, refused):
    for name in FILE_NAMES:
        if entry in ("status {}", "verify {}") and name.startswith("-"):
            assert "dash" in refused(entries.MISSING_FILES[entry](name))
        else:
            shown = repr(name)[1:-1].encode("unicode_escape").decode()
            line = refused(entries.MISSING_FILES[entry](name))
            assert name in line or shown in line or repr(name)[1:-1] in line, line


@pytest.mark.parametrize("entry", entries.MADE_FILES)
def test_a_file_is_made_under_its_name_byte_for_byte(entry, folder, capsys):
    for name in FILE_NAMES:
        words = entries.MADE_FILES[entry](name)
        if words[-1] == "-":
            words[-2:] = ["--out=-"]
        assert run(commands.main, words) == 0, capsys.readouterr()
    suffix = ".npz" if entry.endswith(".npz") else ""
    assert sorted(os.listdir(folder)) == sorted(name + suffix for name in FILE_NAMES)


@pytest.mark.parametrize("spelling", ["--out=~/r", "--out ~/r", "--out=~"])
def test_a_home_folder_is_expanded(spelling, folder, monkeypatch, capsys):
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(folder))
    line = f"sweep --width 1 --steps 5 --seeds 2 --quiet {spelling}"
    assert commands.main(line.split()) == 0
    assert capsys.readouterr().out.endswith(f"nets in {folder}{'/r' if 'r' in spelling else ''}\n")
    assert (folder / ("r" if "r" in spelling else "") / "blocks").is_dir()
