"""The command reference from docstrings: `python -m minilotto.cli.manual > docs/commands.md`."""

import inspect
import sys
from collections.abc import Iterable, Sequence

from minilotto.cli.arguments import FAILURE, INTERRUPTED, PROGRAM, USAGE
from minilotto.cli.commands import COMMANDS
from minilotto.cli.docstrings import parsed, summary_of
from minilotto.settings.activations import ACTIVATIONS
from minilotto.settings.config import DEFAULTS, Config
from minilotto.settings.optimizers import OPTIMIZERS
from minilotto.settings.schedules import SCHEDULES
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import BUILT_IN, FAMILIES, TASKS, task_of

TRAINS = ("train", "sweep")  # commands to which each field of Config is a flag
OPENING = f"""# Commands

`{PROGRAM} COMMAND --help` prints a command's part of this page in a terminal,
`{PROGRAM} --version` the version. Flags are written `--flag value` or `--flag=value`,
in any order, with dashes or underscores within a name, each once; `--quiet` alone means yes,
`--no-quiet` no. An unknown word is refused, with the nearest known one, before anything is trained
or written.

The name of a file is taken as it is, but for a home folder (`~/runs`). Numbers are decimal,
as in `1000`, `1e3` or `0.5`; `10,000` is refused. A list is written `3,5,8` or `[3,5,8]`; brackets
are needed where it may be taken for one number, as in `[2,500]`. `python -m minilotto.cli.manual`
prints this page from the commands' docstrings.
"""


def page() -> str:
    """The whole page as Markdown."""
    statuses = {
        0: "done",
        FAILURE: "something failed on the way, or a check found an error; stderr has the reason",
        USAGE: "the words were refused, for a reason in one line; nothing was trained or written",
        INTERRUPTED: "interrupted by Ctrl-C; what was finished is kept (143: by SIGTERM, 129: by "
        "SIGHUP)",
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
    prose, flags = parsed(command)
    parameters = inspect.signature(command).parameters.values()
    places = [p.name.upper() for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    usage = " ".join([PROGRAM, name, *places, *["[--flag value ...]"] * bool(flags)])
    examples = [text for text in prose if text.startswith("Example: ")]
    parts = [f"## {name}", *(text for text in prose if text not in examples), f"Usage: `{usage}`"]
    parts += [f"```bash\n{PROGRAM} {text.removeprefix('Example: ')}\n```" for text in examples]
    if flags:
        rows = [(f"`{flag}`", meaning) for flag, meaning in flags]
        parts.append(table(("flag, with a value as an example", ""), rows).rstrip())
    if name in TRAINS:
        plural = ", and the plural of each takes several, as in `--widths 1,2,3 --lrs 0.01,0.001`"
        several = plural * (name == "sweep")
        parts.append(f"Each of the [settings](#settings) below is a flag as well{several}.")
    return "\n".join(f"{part}\n" for part in parts)


def settings() -> str:
    """The fields of Config and their values."""
    rows = []
    for names, meaning in parsed(Config)[1]:
        fields = names.split(", ")
        defaults = ", ".join(str(DEFAULTS[name]) for name in fields)
        rows.append((", ".join(f"`{name}`" for name in fields), defaults, meaning))
    activations = [(f"`{row.name}`", f"${row.latex}$") for row in ACTIVATIONS.values()]
    built_in = [name for name in TASKS if name in BUILT_IN]
    every = dict.fromkeys([*built_in, *(f"{family}3" for family in FAMILIES)])
    tasks = [
        (f"`{name}`", f"${task.latex}$", _box(task.domain))
        for name, task in ((name, task_of(name)) for name in every)
    ]
    schemes = [
        (f"`{name}`", scheme.note, "yes" if scheme.scalable else "")
        for name, scheme in SCHEMES.items()
    ]
    optimizers, schedules = (
        [
            (f"`{name}`", row.note, ", ".join(f"`{field}`" for field in row.fields))
            for name, row in rows_of.items()
        ]
        for rows_of in (OPTIMIZERS, SCHEDULES)
    )
    return "\n".join(
        [
            "## Settings\n",
            "Flags of `train` and `sweep`, and the fields of `ml.Config`. The defaults are the "
            "paper's protocol.\n",
            table(("setting", "default", "meaning"), rows),
            "### Activations\n",
            table(("name", "sigma(z)"), activations),
            "### Tasks\n",
            "The last four, as `product7`, are of families of any number of inputs, as in "
            "`teacher8`; they have mean 0 and variance 1 for uniform x. Of `weighted3` a_i^2 falls "
            "geometrically to a hundredth; `teacher3` is a fixed random net.\n",
            table(("name", "y", "domain"), tasks),
            "### Initialisations\n",
            "Every parameter is multiplied by `init_scale` where the last column says so, v and "
            "c by `output_scale` in all.\n",
            table(("name", "", "`init_scale`"), schemes),
            "### Optimisers\n",
            table(("name", "", "fields"), optimizers),
            "### Schedules\n",
            "The rate over `lr`, where u is the fraction of the steps after the warmup that are "
            "done.\n",
            table(("name", "rate / lr", "fields"), schedules),
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


def _box(domain: Sequence[tuple[float, float]]) -> str:
    """[-2, 2]^3"""
    sides = [f"[{low:g}, {high:g}]" for low, high in domain]
    return f"{sides[0]}^{len(sides)}" if len(set(sides)) == 1 < len(sides) else " x ".join(sides)


if __name__ == "__main__":
    sys.stdout.write(page())
