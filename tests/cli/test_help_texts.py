"""Docstrings in both forms give the same rows."""

import pytest

from minilotto.cli.docstrings import in_columns, parsed, summary_of


def in_numpydoc():
    """One thing,
    on two lines.

    More of it.

    Parameters
    ----------
    width : int
        Number of neurons,
        at least 1.
    lr, lr_decay : float
        The rate.

        A second paragraph.
    dtype : {"float32", "float64"}
        Precision.

    Raises
    ------
    ConfigError
        Always.
    """


def columns():
    """One thing,
    on two lines.

    More of it.

    width   Number of neurons,
            at least 1.
    lr, lr_decay
            The rate.
            A second paragraph.
    dtype   "float32", "float64":
            Precision.
    """


def flags():
    """One thing.

    --width 20   number of neurons
    --quiet      no bar
    """


def test_numpydoc_and_columns_give_the_same_prose_and_rows():
    prose = ["One thing, on two lines.", "More of it."]
    rows = [
        ("width", "Number of neurons, at least 1."),
        ("lr, lr_decay", "The rate. A second paragraph."),
        ("dtype", '"float32", "float64": Precision.'),
    ]
    assert parsed(in_numpydoc) == parsed(columns) == (prose, rows)
    assert summary_of(in_numpydoc) == prose[0]
    assert parsed(flags)[1] == [("--width 20", "number of neurons"), ("--quiet", "no bar")]


def test_rows_are_printed_in_columns_of_at_most_100_characters():
    text = in_columns([("width", "neuron " * 30), ("a_long_name_of_a_row", "x"), ("title", "")])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("width" + " " * 13 + "neuron")
    assert lines[-3:] == ["a_long_name_of_a_row", " " * 18 + "x", "title"]


@pytest.fixture
def console(python, tmp_path):
    """Runs the console command, by such a script as pip makes."""
    script = tmp_path / "minilotto"
    script.write_text("import sys\nfrom minilotto.__main__ import main\nsys.exit(main())\n")
    return lambda *words: python(str(script), *words)


@pytest.mark.parametrize("words", ["", "train --help", "verify --help", "info --wdith", "trian"])
def test_the_console_command_is_the_module_by_its_own_name(console, python, words):
    named, module = console(*words.split()), python("-m", "minilotto", *words.split())
    assert "python -m minilotto" not in named.out + named.err
    expected = [text.replace("python -m minilotto", "minilotto") for text in module[1:]]
    assert [*named] == [module.status, *expected]
    assert named.out or named.status == 2
