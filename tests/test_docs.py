"""Every code block of the pages runs or is checked, commands and flags in the text too, and links
lead somewhere.

A page's blocks are one session, from top to bottom, in a folder of its own:

python  runs, as one program a page. A training of more than WORK neuron-steps is cut to a few seeds
        and steps; packages that only clusters have are stood in for.
bash    each `python -m minilotto` line becomes a plan, which checks every word. On the pages of RUN
        it is carried out as well, cut likewise, unless it needs a cluster. Flags of `python -m
        bench...` are looked up in the module's main, those of Dask's commands in Dask. Everything
        else must stand in NOT_RUN with a reason.
text    what the block before prints: the same lines, numbers apart.
c       declarations that stand in a C file which the page has written.
toml    a study.

A block after a comment `<!-- a ... of ... -->` is a part of a file, and test_contributing.py's
business.
"""

import ast
import concurrent.futures
import contextlib
import importlib.util
import inspect
import io
import re
import shlex
import sys
import types
import warnings
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import minilotto as ml
from minilotto.cli import commands, manual
from minilotto.errors import MissingExtraError
from minilotto.settings.config import FIELDS
from minilotto.settings.tasks import TASKS
from minilotto.store.grid import AXES, read_study
from minilotto.store.store import make_store

ROOT = Path(ml.__file__).resolve().parent.parent
PAGES = [
    path
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
    if path.exists()
]
pytestmark = pytest.mark.skipif(len(PAGES) < 3, reason="only a source tree has the pages")

RUN = ("quickstart.md", "sweeping.md")
WORK = 1.1e8  # neuron-steps, a second of one core
FEW_SEEDS, FEW_STEPS = 10, 40
NOT_RUN = {
    "pip": "installs",
    ".venv/bin/pip": "installs",
    "python3": "makes an environment",
    "source": "enters it",
    "cd": "enters a folder",
    "git": "clones",
    "pytest": "this suite",
    "ruff": "a linter",
    "mypy": "a linter",
    "sleep": "waits",
    "srun": "needs Slurm",
    "kubectl": "needs Kubernetes",
    "mpiexec": "needs MPI",
    "dask": "needs a cluster; its flags are checked",
}
OTHER_FLAGS = {"--flag", "--help", "--version", "--no_quiet"}  # that pages name, and no signature


class Block(NamedTuple):
    """A fenced block: language, text, number of its first line, the comment before it."""

    language: str
    text: str
    line: int
    mark: str


def blocks_of(page: Path) -> list[Block]:
    whole = page.read_text(encoding="utf-8")
    found = re.finditer(
        r"(?:^<!-- (?P<mark>.*) -->\n)?^```(?P<language>.*)\n(?P<text>(?:.*\n)*?)```$",
        whole,
        re.MULTILINE,
    )
    return [
        Block(m["language"], m["text"], whole[: m.start("text")].count("\n") + 1, m["mark"] or "")
        for m in found
    ]


def commands_in(text: str) -> list[list[str]]:
    """The words of each command of some lines of bash."""
    commands = []
    for line in text.replace("\\\n", " ").splitlines():
        for part in line.split("&&"):
            words = [word for word in shlex.split(part, comments=True) if word != "&"]
            commands += [words] if words else []
    return commands


# What a command line is checked against
def python_words(words: list[str]) -> list[str] | None:
    """What follows `python`, or None for another program."""
    return words[1:] if words[0] in ("python", ".venv/bin/python") else None


def planned(words: list[str]) -> commands.Plan | None:
    """The plan of a minilotto command line, None for a call for help. Raises what refuses it."""
    if {"--help", "-h", "--version"} & set(words) or not words:
        assert commands.main(words) == 0
        return None
    return commands.plan_of(commands.COMMANDS[words[0]], words[1:])


@lru_cache
def parameters_of(module: str) -> tuple[set[str], str]:
    """Keyword-only parameters of a bench module's main (of `plan`, for the suite itself), and its
    docstring.
    """
    path = ROOT / "bench" / f"{module.removeprefix('bench').removeprefix('.') or '__main__'}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    mains = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in ("main", "plan")
    ]
    names = {argument.arg for main in mains for argument in main.args.kwonlyargs}
    return names, ast.get_docstring(tree) or ""


def check_bench(module: str, words: list[str]) -> None:
    names, docstring = parameters_of(module)
    for word in words:
        if word.startswith("--"):
            flag = word[2:].partition("=")[0]
            assert flag.replace("-", "_") in names or f"--{flag}" in docstring, (
                f"{module} has no --{flag}"
            )


def check_dask(words: list[str]) -> None:
    """`dask scheduler ...` or `dask worker ...`: flags that Dask knows, where it is installed."""
    if importlib.util.find_spec("distributed") is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from distributed.cli import dask_scheduler, dask_worker
    command = {"scheduler": dask_scheduler, "worker": dask_worker}[words[1]].main
    known = {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert [
        word for word in words if word.startswith("--") and word.partition("=")[0] not in known
    ] == []


def check_command(words: list[str]) -> commands.Plan | None:
    """Check a command line; the plan of one of minilotto's."""
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):  # a variable for this command alone
        words = words[1:]
    rest = python_words(words)
    if rest is None:
        assert words[0] in NOT_RUN, f"{words[0]} is neither checked nor in NOT_RUN"
        if "dask" in words and words[-1] != "dask":
            check_dask(words[words.index("dask") :])
        return None
    if rest[0] != "-m":
        assert (ROOT / rest[0]).exists() or rest[0] == "study.py", rest[0]
    elif rest[1] == "minilotto":
        try:
            return planned(rest[2:])
        except MissingExtraError:  # checked as far as this environment can; CI has every extra
            return None
    elif rest[1].startswith("bench"):
        check_bench(rest[1], rest[2:])
    else:
        assert rest[1] in (
            "minilotto.cli.manual",
            "minilotto.report.frozen",
            "pytest",
            "mpi4py.futures",
        ), rest[1]
    return None


def cut(words: list[str]) -> list[str]:
    """The words after `minilotto` of a training, with fewer seeds and steps where it is long."""
    if words[0] not in ("train", "sweep"):
        return words
    value = dict(pairwise(words))
    widths = [int(width) for width in value.get("--widths", value.get("--width", "20")).split(",")]
    work = (
        sum(widths)
        * int(value.get("--seeds", 1000))
        * int(value.get("--steps", 50_000))
        * (1 + ("--activations" in value))
    )
    if work <= WORK:
        return [*words, "--quiet"]
    kept = [
        word
        for before, word in pairwise(["", *words])
        if not {before, word} & {"--seeds", "--steps"}
    ]
    return [*kept, "--seeds", str(FEW_SEEDS), "--steps", str(FEW_STEPS), "--quiet"]


# What a page's programs see
class InThisThread(concurrent.futures.Executor):
    """Stands for an executor of other machines."""

    def submit(self, function, /, *arguments, **named):
        future = concurrent.futures.Future()
        future.set_result(function(*arguments, **named))
        return future


class NoCluster:
    """A substitute for a dask_jobqueue cluster, without a scheduler."""

    scheduler_address = None

    def __init__(self, **settings):
        assert settings["processes"] == settings["cores"] == 1

    def adapt(self, maximum_jobs):
        assert maximum_jobs > 0


def page_module(folder, monkeypatch) -> dict:
    """Names for a page's programs, and minilotto cut to a size that tests can afford."""
    train, sweep, sweep_of = ml.train, ml.sweep, ml.Sweep

    def short_train(config, seeds=1000, **named):
        count = seeds if isinstance(seeds, int) else len(seeds)
        if config.width * config.steps * count > WORK:
            config = config.replace(steps=FEW_STEPS)
            seeds = min(seeds, FEW_SEEDS) if isinstance(seeds, int) else seeds[:FEW_SEEDS]
        return train(config, seeds, **named)

    def short_grid(seeds=1000, **axes):
        grid = sweep_of(seeds=seeds, **axes)
        work = grid.seeds.size * sum(config.width * config.steps for config in grid.configs)
        return (
            grid if work <= WORK else sweep_of(**{**axes, "seeds": FEW_SEEDS, "steps": FEW_STEPS})
        )

    def near_sweep(sweeps, out="runs", **named):
        assert named.get("cluster") is None
        return sweep(sweeps, out=folder / str(out).lstrip("/"), **named)

    for name, function in (("train", short_train), ("Sweep", short_grid), ("sweep", near_sweep)):
        monkeypatch.setattr(ml, name, function)
    for name, contents in (
        ("mpi4py", {}),
        ("mpi4py.futures", {"MPIPoolExecutor": InThisThread}),
        ("dask_jobqueue", {"SLURMCluster": NoCluster}),
    ):
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.chdir(folder)
    return {"__name__": "__main__"}


@pytest.fixture
def tasks_as_before():
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


def shapes_of(text: str) -> list[str]:
    """Lines with numbers, bars and runs of blanks made alike."""
    masked = (
        re.sub(r"#+", "#", re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?%?", "0", line))
        for line in text.splitlines()
    )
    return [" ".join(line.split()) for line in masked if line.strip()]


@pytest.mark.usefixtures("tasks_as_before")
@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    names, printed = page_module(tmp_path, monkeypatch), ""
    for block in blocks_of(page):
        if block.mark:
            continue
        here = f"{page.name}, line {block.line}"
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            if block.language == "python":
                exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
            elif block.language == "bash":
                for words in commands_in(block.text):
                    if check_command(words) and page.name in RUN and "--cluster" not in words:
                        assert commands.main(cut(python_words(words)[2:])) == 0, f"{here}: {words}"
            elif block.language == "toml":
                Path("study.toml").write_text(block.text, encoding="utf-8")
                assert sys.version_info < (3, 11) or read_study("study.toml"), here
            elif block.language == "c":
                source = "".join(path.read_text() for path in tmp_path.glob("*.c"))
                assert [
                    line for line in block.text.splitlines() if line.rstrip(";") not in source
                ] == [], here
            else:
                assert block.language == "text", (
                    f"{here}: a block of {block.language or 'no language'}"
                )
                assert [
                    line
                    for line in shapes_of(block.text)
                    if line not in ("...", *shapes_of(printed))
                ] == [], here
        printed = said.getvalue()
    for name in ("loss", "gradient"):
        assert np.isfinite(names.get(name, 0.0)).all()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_commands_and_flags_in_the_text_are_known(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_store("report/runs")  # which `reproduce --train false` reads
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    known = {
        f"--{name}"
        for command in commands.COMMANDS.values()
        for name in inspect.signature(command).parameters
    }
    known |= {f"--{name}" for name in (*FIELDS, *AXES, "from")} | OTHER_FLAGS
    known |= {
        f"--{name}"
        for path in (ROOT / "bench").glob("*.py")
        for name in parameters_of(f"bench.{path.stem}")[0]
    }
    for span in spans:
        if re.search(r"\[|\bCOMMAND\b", span):
            continue
        if span.startswith(("python ", "dask ")):
            for words in commands_in(span):
                check_command(words[: words.index(">")] if ">" in words else words)
        elif span.startswith("--") and page.name != "sweeping.md":
            assert f"--{span[2:].split()[0].partition('=')[0].replace('-', '_')}" in known, span
    capsys.readouterr()


@lru_cache
def anchors_of(page: Path) -> set[str]:
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert links or page.name == "sweeping.md"
    for link in links:
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), link
        assert not anchor or anchor in anchors_of(place), link


def test_the_index_names_every_page():
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve()
        for link in re.findall(r"\]\(([^)\s]+)\)", index.read_text("utf-8"))
    }
    assert {page for page in PAGES if page != index} <= linked


# The command reference
def test_the_command_reference_is_what_the_commands_say():
    page = ROOT / "docs" / "commands.md"
    assert page.read_text(encoding="utf-8") == manual.page(), (
        f"python -m minilotto.cli.manual > {page.relative_to(ROOT)}"
    )


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_the_command_reference_has_every_flag(name):
    """Each command's own flags in its section, with words of its help; the fields of Config among
    the settings.
    """
    section = manual.section(name)
    for parameter in inspect.signature(commands.COMMANDS[name]).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert re.search(rf"^\| `--{parameter.name}\b[^`]*` \| \w", section, re.MULTILINE), (
                parameter.name
            )
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            assert parameter.name.upper() in section


def test_the_command_reference_has_every_setting_once():
    settings = manual.settings().partition("\n### ")[0]  # tables of names follow
    for name in FIELDS:
        assert (
            len(re.findall(rf"^\|[^|]*`{name}`[^|]*\| [^|]+ \| \S", settings, re.MULTILINE)) == 1
        ), name


# The embedding page
def test_the_page_names_every_function_of_single():
    from minilotto.kernels import single

    text = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    assert [name for name in single.__all__ if name not in text and name != "Form"] == []


# These checks can fail
@pytest.mark.parametrize(
    "line",
    [
        "python -m minilotto train --wdith 3",
        "python -m minilotto reproduce --figure 1c",
        "python -m bench.scale --mesure model",
        "python -m bench.nosuch",
        "python examples/nosuch.py",
        "frobnicate --all",
    ],
)
def test_a_wrong_command_is_seen(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, ml.ConfigError, FileNotFoundError)):
        check_command(shlex.split(line))


def test_a_wrong_flag_of_dask_is_seen():
    pytest.importorskip("distributed", reason="needs the extra dask")
    with pytest.raises(AssertionError):
        check_dask(["dask", "worker", "--nthread", "1"])


def test_a_long_training_is_cut_and_a_short_one_is_not():
    assert cut(["train", "--width", "2", "--seeds", "1000"]) == [
        "train",
        "--width",
        "2",
        "--seeds",
        "1000",
        "--quiet",
    ]
    assert cut(["sweep", "--widths", "20,30", "--seeds", "1000", "--out", "x"])[-5:-1] == [
        "--seeds",
        "10",
        "--steps",
        "40",
    ]
    assert cut(["status", "runs/"]) == ["status", "runs/"]
