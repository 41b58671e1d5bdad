"""Points from files: tables of comma-separated values, and NumPy's archives."""

import csv
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from minilotto.data.dataset import Dataset, frozen, given
from minilotto.errors import DataError, FileError, reason_of, shown
from minilotto.files import check_input

REMEDY = "write it with numpy.savez(path, x=x, y=y, weight=weight)"
ROLES = ("x", "y", "weight")
# Names that inputs rarely have: of targets, weights, errors, row numbers and parts of the rows.
UNCLEAR = re.compile(
    r"y[\d_. -].*|y(hat|true|train|test|err|error|s)|target.*|labels?|class(es)?|outputs?|response|"
    r"w|wts?|weights?[\d_. -]*|weightings?|sample[_ ]?weights?|"
    r"dy|sigma|err(or)?s?|std(err)?|uncertaint(y|ies)|"
    r"unnamed.*|(.*[_ -])?ids?|rows?|level_\d+|folds?|split|"
    r"(row|line|sample|record|obs)?[_ -]?(index|idx|no|nr|num|number)"
)
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")


def read_dataset(path: str | Path) -> Dataset:
    """A Dataset from a file, as `given` makes it: an .npz with arrays x, y and perhaps weight, or a
    .csv in UTF-8 with a header such as `x1,x2,y,weight`, whose inputs keep their names.

    All columns but y and weight are inputs; capitals make no difference. Raises ConfigError for
    what is no name of a file, FileError where it cannot be read, DataError for content that is no
    data and for a name that may not be meant as an input's.
    """
    path = check_input(path)
    readers = {".npz": _archive, ".csv": _table}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileError(f"{path} is neither .npz nor .csv; data files are one of these")
    try:
        return reader(path)
    except FileError:
        raise
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror or error})") from None


def _archive(path: Path) -> Dataset:
    with path.open("rb") as file:  # np.load(path) would leave it open where the archive is damaged
        if not zipfile.is_zipfile(file):
            raise FileError(f"{path} is no .npz file, or not a whole one; {REMEDY}")
        file.seek(0)
        try:
            content = np.load(file, allow_pickle=False)
            names = {name: name.lower() for name in content.files}
        except Exception as error:  # of zipfile
            raise FileError(f"{path} is no .npz file ({reason_of(error)}); {REMEDY}") from None
        _refuse_twice([name for name in names.values() if name in ROLES])
        if "weight" not in names.values():
            _refuse_unclear(name for name in names.values() if name not in ROLES)
        found = {}
        for name, role in names.items():
            if role in ROLES:
                try:
                    found[role] = content[name]
                except Exception:  # of zipfile, zlib and NumPy, which advises to load objects
                    raise FileError(
                        f"{path} is damaged, or {name} is no array of numbers; {REMEDY}"
                    ) from None
    for role in ("x", "y"):
        if role not in found:
            raise DataError(
                f"it has the arrays {', '.join(names) or 'none'} and no {role}; {REMEDY}"
            )
    return given(found["x"], found["y"], found.get("weight"))


def _table(path: Path) -> Dataset:
    try:
        with path.open(encoding="utf-8-sig") as file:
            header, rows = _header(file)
            names = _names(header)
            try:
                table = np.loadtxt((row for _, row in rows), delimiter=",", quotechar='"', ndmin=2)
            except ValueError:
                file.seek(0)
                raise FileError(f"{path}: {_fault(_header(file)[1], names)}") from None
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path} is no text in UTF-8 ({error.reason} at byte {error.start}); save it as CSV "
            "in UTF-8, with a header"
        ) from None
    if table.shape[1] != len(names):
        raise DataError(
            f"it has {len(names)} names in its header and {table.shape[1]} numbers in a row"
            f"{_commas(table.shape[1], names)}; give one column a name"
        )
    roles = [name.lower() for name in names]
    inputs = [i for i, role in enumerate(roles) if role not in ("y", "weight")]
    weight = table[:, roles.index("weight")] if "weight" in roles else None
    data = given(table[:, inputs], table[:, roles.index("y")], weight)
    return frozen(data.x, data.y, data.weight, names=tuple(names[i] for i in inputs))


def _header(file: Iterable[str]) -> tuple[str, Iterator[tuple[int, str]]]:
    """The line that names the columns; and the rows after it, with the numbers of their lines.

    A comment is the header where no other line is, as numpy.savetxt writes it.
    """
    header = ""
    lines = ((number, line) for number, line in enumerate(file, 1) if not line.isspace())
    for number, line in lines:
        if line.lstrip().startswith("#"):
            header = line.lstrip("# \t")
            continue
        first = [(number, line)] if header and _all_numbers(line) else []
        rows = (row for row in itertools.chain(first, lines) if not row[1].lstrip().startswith("#"))
        some = next(rows, None)
        if some is None:
            raise DataError("it has no row of numbers; give a row a point")
        return header if first else line, itertools.chain([some], rows)
    raise DataError("it is empty; give a header such as x1,x2,y,weight and a row a point")


def _cells(line: str, number: int = 1) -> list[str]:
    try:
        if "\0" in line:
            raise csv.Error("it holds a NUL")  # which some versions of csv read
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
    except csv.Error as error:
        raise DataError(f"line {number} is no line of a table, {shown(line)} ({error})") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python takes 1_000


def _all_numbers(line: str) -> bool:
    return all(map(_is_number, re.split("[,;\t]", line)))


def _names(header: str) -> list[str]:
    """Names of the columns, one of them y. Raises DataError."""
    separator = next((mark for mark in ";\t|" if mark in header), None)
    if separator:
        raise DataError(
            f"its columns are separated by {separator!r}; separate them by commas, and write "
            "decimal points"
        )
    names = _cells(header)
    if _all_numbers(header):
        raise DataError(
            f"its first line is {shown(header.strip())}; put a header such as x1,x2,y,weight "
            "before it"
        )
    if "" in names:
        raise DataError(
            f"column {names.index('') + 1} has no name, as the row numbers that pandas writes; "
            "leave it out (index=False), or name it"
        )
    for name in names:
        if not name.isprintable():
            raise DataError(
                f"the name {shown(name)} has characters that cannot be printed; rename it"
            )
    roles = [name.lower() for name in names]
    _refuse_twice(roles)
    _refuse_unclear(name for name in roles if name not in ROLES)
    if "y" not in roles or not set(roles) - {"y", "weight"}:
        raise DataError(
            f"it has the columns {shown(', '.join(names))} and no "
            f"{'x' if 'y' in roles else 'y'}; name them as in x1,x2,y,weight, separated by commas"
        )
    return names


def _refuse_twice(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"the name {name!r} is there twice; give each once")


def _refuse_unclear(names: Iterable[str]) -> None:
    for name in names:
        if UNCLEAR.fullmatch(name):
            raise DataError(
                f"it is not clear whether {name!r} is an input; targets are named y and weights "
                "weight: rename it, as in x1, or leave it out"
            )


def _fault(rows: Iterable[tuple[int, str]], names: list[str]) -> str:
    """What is wrong with the first row that holds no number for each name."""
    for number, line in rows:
        cells = _cells(line, number)
        if len(cells) != len(names):
            return (
                f"line {number} has {len(cells)} columns where the header has {len(names)} names"
                f"{_commas(len(cells), names)}; give each row one number a name"
            )
        for name, cell in zip(names, cells, strict=True):
            if not _is_number(cell):
                comma = " (write decimal points)" if DECIMAL_COMMA.fullmatch(cell) else ""
                return (
                    f"line {number} has {shown(cell)} under {name}{comma}; below the header there "
                    "are only numbers"
                )
    return "its rows are no numbers as Python writes them; separate them by commas"


def _commas(cells: int, names: list[str]) -> str:
    """A hint, where each number may have been taken for two."""
    return " (write decimal points, not commas)" if cells == 2 * len(names) else ""
