"""The command reference, as the commands themselves tell it: `python -m minilotto.cli.manual >
docs/commands.md`.
"""

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterable, Sequence

from minilotto.cli.arguments import FAILURE, INTERRUPTED, PROGRAM, USAGE
from minilotto.cli.commands import COMMANDS, summary_of
from minilotto.settings.activations import ACTIVATIONS
from minilotto.settings.config import Config
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import BUILT_IN, TASKS

TRAINS = ("train", "sweep")  # commands to which each field of Config is a flag
OPENING = f"""# Commands

This page is what `python -m minilotto.cli.manual` prints, from the commands' own words; a test fails where it is out of date.

`{PROGRAM} COMMAND --help` says the same in a terminal, `{PROGRAM} --version` tells the version. Flags are written
`--flag value` or `--flag=value`, in any order, with dashes or underscores within a name; `--quiet` alone means yes, `--no-quiet`
no. A word that a command does not know ends it, with the nearest that it knows, before anything is trained or written.
"""


def page() -> str:
    """The whole page as Markdown."""
    statuses = {
        0: "done",
        FAILURE: "something failed on the way, or what was checked is not right; the line on "
        "stderr says what",
        USAGE: "the words cannot be used, said in one line; nothing was trained or written",
        INTERRUPTED: "interrupted by Ctrl-C; what was finished is kept, or the line says that "
        "nothing was",
    }
    parts = [
        OPENING,
        table(
            ("command", ""),
            [(f"[{name}](#{name})", summary_of(command)) for name, command in COMMANDS.items()],
        ),
        table(
            ("exit status", ""), [(str(status), meaning) for status, meaning in statuses.items()]
        ),
        *(section(name) for name in COMMANDS),
        settings(),
    ]
    return "\n".join(parts)


def section(name: str) -> str:
    """One command: what it does, an example, its flags."""
    command = COMMANDS[name]
    prose, flags = _read(inspect.getdoc(command) or "")
    places = [
        p.name.upper()
        for p in inspect.signature(command).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    parts = [
        f"## {name}\n",
        *(f"{paragraph}\n" for paragraph in prose if not paragraph.startswith("Example: ")),
    ]
    usage = " ".join([PROGRAM, name, *places, *(["[--flag value ...]"] if flags else [])])
    parts.append(f"Usage: `{usage}`\n")
    parts += [
        f"```bash\n{PROGRAM} {text[len('Example: ') :]}\n```\n"
        for text in prose
        if text.startswith("Example: ")
    ]
    if flags:
        parts.append(
            table(
                ("flag, with a value as an example", ""),
                [(f"`{flag}`", meaning) for flag, meaning in flags],
            )
        )
    if name in TRAINS:
        several = (
            ", and the plural of each takes several, as in `--widths 1,2,3 --lrs 0.01,0.001`"
            if name == "sweep"
            else ""
        )
        parts.append(f"Each of the [settings](#settings) below is a flag as well{several}.\n")
    return "\n".join(parts)


def settings() -> str:
    """The fields of Config, and what may stand in them."""
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    _, described = _read(inspect.getdoc(Config).split("\n\n")[1])  # type: ignore[union-attr]
    rows = []
    told = {name for names, _ in described for name in names.split(", ")}
    for names, meaning in described:
        fields = [
            *names.split(", "),
            *(name for name in defaults if name not in told and name in meaning),
        ]
        rows.append(
            (
                ", ".join(f"`{name}`" for name in fields),
                ", ".join(str(defaults[name]) for name in fields),
                meaning,
            )
        )
    activations = [(f"`{row.name}`", f"${row.latex}$") for row in ACTIVATIONS.values()]
    tasks = [
        (f"`{name}`", f"${TASKS[name].latex}$", _box(TASKS[name].domain))
        for name in TASKS
        if name in BUILT_IN
    ]
    schemes = [
        (f"`{name}`", scheme.note, "yes" if scheme.scalable else "")
        for name, scheme in SCHEMES.items()
    ]
    return "\n".join(
        [
            "## Settings\n",
            "Flags of `train` and `sweep`, and the fields of `ml.Config`. The defaults are the "
            "paper's protocol.\n",
            table(("setting", "default", "meaning"), rows),
            "### Activations\n",
            table(("name", "sigma(z)"), activations),
            "### Tasks\n",
            table(("name", "y", "domain"), tasks),
            "### Initialisations\n",
            "Every parameter is multiplied by `init_scale` where the last column says so, v and "
            "c by `output_scale` in all.\n",
            table(("name", "", "`init_scale`"), schemes),
        ]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [
        head,
        ["---"] * len(head),
        *([cell.replace("|", "\\|") for cell in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _read(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Paragraphs of prose, and the rows of the lists `name   meaning`, whose lines go on where they
    are indented.
    """
    prose: list[str] = []
    rows: list[tuple[str, str]] = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if not all(re.match(r"\s|--|\w+(, \w+)*(\s\s|$)", line) for line in lines):
            prose.append(" ".join(line.strip() for line in lines))
            continue
        for line in lines:
            if line.startswith(" "):
                name, meaning = rows.pop()
                rows.append((name, f"{meaning} {line.strip()}".strip()))
            else:
                name, _, meaning = line.partition("  ")
                rows.append((name, meaning.strip()))
    return prose, rows


def _box(domain: Sequence[tuple[float, float]]) -> str:
    """[-2, 2]^3"""
    sides = [f"[{low:g}, {high:g}]" for low, high in domain]
    return f"{sides[0]}^{len(sides)}" if len(set(sides)) == 1 < len(sides) else " x ".join(sides)


if __name__ == "__main__":
    sys.stdout.write(page())
