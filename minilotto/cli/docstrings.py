"""Docstrings of commands and of Config, taken apart for help texts and the manual."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

Rows = list[tuple[str, str]]
_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
_COLUMNS = re.compile(r"\s|--|\w+(, \w+)*(\s\s|$)")  # begins each line of a list in columns


def text_of(thing: Any) -> str:
    """A docstring, from the source where Python runs without docstrings (-OO)."""
    if sys.flags.optimize < 2:
        return inspect.getdoc(thing) or ""
    source = textwrap.dedent(inspect.getsource(thing))
    # As ast.parse, which leaves docstrings out with -OO from Python 3.15 on.
    tree = compile(source, "", "exec", ast.PyCF_ONLY_AST, dont_inherit=True, optimize=0)
    return ast.get_docstring(tree.body[0]) or ""  # type: ignore[attr-defined]


def parsed(thing: object) -> tuple[list[str], Rows]:
    """Paragraphs of a docstring before its sections, and its parameters as rows (name, text).

    Parameters are the numpydoc section of that name, or lists in columns `name   text`. The text
    goes on where lines are indented.
    """
    head, *sections = _SECTION.split(text_of(thing))
    prose: list[str] = []
    rows: Rows = []
    for paragraph in filter(str.strip, head.split("\n\n")):
        lines = paragraph.splitlines()
        if all(_COLUMNS.match(line) for line in lines):
            _add(rows, lines, "  ")
        else:
            prose.append(" ".join(line.strip() for line in lines))
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title == "Parameters":
            _add(rows, filter(str.strip, body.splitlines()), " : ")
    return prose, rows


def _add(rows: Rows, lines: Iterable[str], separator: str) -> None:
    """Append the rows of some lines; of a numpydoc type only choices as in {"a", "b"} are kept."""
    for line in lines:
        if line.startswith(" "):
            name, text = rows.pop()
            rows.append((name, f"{text} {line.strip()}".strip()))
        else:
            name, _, text = line.partition(separator)
            if separator == " : ":
                text = f"{text.strip('{}')}:" if text.startswith("{") else ""
            rows.append((name, text.strip()))


def summary_of(command: object) -> str:
    """First paragraph of a docstring, on one line."""
    return parsed(command)[0][0]


def in_columns(rows: Rows, size: int = 18) -> str:
    """Rows as lines of text: names of fewer than `size` characters, then the text."""
    lines: list[str] = []
    for name, text in rows:
        first = f"{name:{size}}"
        if len(name) >= size or not text:
            lines.append(name)
            first = " " * size
        lines += textwrap.wrap(text, 100, initial_indent=first, subsequent_indent=" " * size)
    return "\n".join(lines)
