"""reproduce: train what the figures need, draw them, test the claims, write the report."""

import dataclasses
import platform
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path

import numpy as np

from minilotto.errors import ConfigError, FileError, MinilottoError, ResourceError
from minilotto.files import write_atomically
from minilotto.hardware.machine import cpu_name, usable_cores
from minilotto.report.catalogue import APPENDICES, BEYOND, FIGURES, MAIN_TEXT
from minilotto.report.figure import QUICK, Figure, Scale, Source
from minilotto.report.page import Report, Section, to_html, to_json, to_markdown
from minilotto.report.plots.style import lay_out, save, style
from minilotto.report.study import Study
from minilotto.report.training import SUFFIXES
from minilotto.settings.config import Config
from minilotto.store.grid import Sweep
from minilotto.store.store import Store, open_store
from minilotto.sweeps.run import sweep
from minilotto.training.train import thread_count
from minilotto.version import VERSION

PROGRAM = "python -m minilotto"
REPORT_FILES = ("index.html", "report.md", "report.json")
LARGEST_VECTOR_PICTURE = 400_000  # bytes; a larger one is embedded as pixels

INTRODUCTION = (
    "Liu and Tegmark, “A Neural Scaling Law from Lottery Ticket Ensembling” (arXiv:2310.02258), "
    "trained thousands of networks with "
    "one hidden layer to compute y = x² and found that the loss falls as 1/N with the number of "
    "neurons N. They explain it by "
    "“lottery tickets”, small groups of neurons that solve the task by themselves, whose average "
    "a wide network takes. The "
    "authors' own note says that the theory is questionable and the observations stand.",
    "This page repeats each experiment from scratch and tests each claim with a number and an "
    "interval. Every network was trained "
    "by minilotto; f(x) = Σ vᵢ σ(wᵢ x + bᵢ) + c, mean squared error, full-batch Adam. Intervals "
    "are 95 percent, over seeds.",
)
REMARKS = (
    "The paper does not say at which points the networks were trained. Its printed ticket (Eq. "
    "2) has a vanishing gradient only on "
    "100 equally spaced points from -2 to 2, which is what is used here; its footnote 2 says "
    "[-1, 1], which does not fit.",
    "All its printed parameters are float32 roundings; the initialisation that fits is torch's "
    "default, U(±1/√fan-in).",
    "LeakyReLU's slope is not stated; 0.01, torch's default, is used. The text mixes ReLU and "
    "LeakyReLU.",
    "Footnote 1 gives the minimum of SiLU at x* = 1.278 with value -0.278; it lies at -1.278. "
    "Eq. 4 writes u where v is meant.",
    "The bins of the paper's histograms are not known, so peaks are found by the density of "
    "log10 loss, not by eye.",
)


def reproduce(
    out: str | Path = "report",
    figures: Iterable[str] | None = None,
    *,
    appendices: bool = False,
    beyond: bool = False,
    quick: bool = False,
    scale: Scale | None = None,
    runs: str | Path | None = None,
    train: bool = True,
    threads: int | None = None,
    force: bool = False,
    progress: bool = False,
) -> Report:
    """Reproduce the paper: out/index.html, report.md and report.json, and each figure as .png,
    .svg, .pdf and .csv files.

    out       folder of the report; made where it is missing
    figures   names in FIGURES; by default those of the main text
    appendices  those of the appendices too, whose products of inputs take most of an hour on two
                cores
    beyond    the studies of what the paper leaves open too; most of an hour on two cores
    quick     fewer seeds, said on every figure
    scale     seeds, widths and steps of your own; overrides `quick`
    runs      folder of the store with the trained nets, by default out/runs: what is there is not
              trained again
    train     False: use only what the store has, and say what is missing
    threads   to train with; on Linux as many processes study and draw
    force     write into a folder that holds other things

    Raises ConfigError for unknown figures and a folder with other contents, FileError when it
    cannot be written, ResourceError where memory does not suffice, SweepInterrupted (a
    KeyboardInterrupt) on Ctrl-C: the same call goes on from there.
    """
    names = figure_names(figures, appendices, beyond)
    processes = thread_count(threads)
    scale = scale or (QUICK if quick else Scale())
    out = report_folder(out, force)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"folder {str(out)!r} cannot be made ({error.strerror}); choose another"
        ) from None
    runs = Path(runs) if runs is not None else out / "runs"
    began = time.perf_counter()
    wanted = needed(names, scale)
    store = (
        sweep(wanted, out=runs, threads=threads, progress=progress) if train else open_store(runs)
    )
    trained = time.perf_counter() - began
    sections = _sections([FIGURES[name] for name in names], store, scale, out, processes)
    report = Report(
        title="Lottery ticket ensembling, reproduced and tested",
        introduction=INTRODUCTION,
        warning=_warning(scale),
        sections=sections,
        remarks=REMARKS,
        provenance={
            "minilotto": VERSION,
            "date": date.today().isoformat(),
            "machine": f"{cpu_name()}, {usable_cores()} cores",
            "Python, NumPy": f"{platform.python_version()}, {np.__version__}",
            "seeds": f"{scale.seeds:,} at the paper's widths, {scale.wide_seeds:,} at wider ones; "
            f"root seed {Config().root_seed}",
            "training": f"{trained:.0f} s, what the store already had aside",
            "analysis and drawing": f"{time.perf_counter() - began - trained:.0f} s",
            "nets": str(runs),
        },
    )
    for name, text in zip(
        REPORT_FILES, (to_html(report), to_markdown(report), to_json(report)), strict=True
    ):
        _write(out / name, text.encode())
    return report


def draw(
    name: str,
    path: str | Path,
    scale: Scale,
    runs: str | Path,
    threads: int | None = None,
    progress: bool = False,
) -> Figure:
    """Train what one figure needs into the store at `runs`, draw it to `path`. Raises what
    `reproduce` raises, and DataError.
    """
    kind = FIGURES[figure_names([name])[0]]
    store = sweep(list(kind.sweeps(scale)), out=runs, threads=threads, progress=progress)
    figure = kind(Source(store), scale)
    _pictures(figure, [Path(path)])
    return figure


def figure_names(
    figures: Iterable[str] | None, appendices: bool = False, beyond: bool = False
) -> list[str]:
    """Names in FIGURES, in the catalogue's order: those asked for, by default the main text's; the
    appendices' and the studies too.

    Raises ConfigError for others.
    """
    asked = (
        [kind.name for kind in MAIN_TEXT] if figures is None else [str(name) for name in figures]
    )
    for name in asked:
        if name not in FIGURES:
            raise ConfigError(f"figure {name!r} is unknown; choose from {', '.join(FIGURES)}")
    if not asked:
        raise ConfigError(
            f"no figure is named; choose from {', '.join(FIGURES)}, or leave it out for the main "
            "text's"
        )
    wanted = {
        *asked,
        *(kind.name for kind in APPENDICES if appendices),
        *(kind.name for kind in BEYOND if beyond),
    }
    return [name for name in FIGURES if name in wanted]


def needed(names: Sequence[str], scale: Scale) -> list[Sweep]:
    """What these figures need to have trained."""
    return [wanted for name in names for wanted in FIGURES[name].sweeps(scale)]


def report_folder(out: str | Path, force: bool) -> Path:
    """The folder of a report, which need not exist yet. Raises ConfigError for a file, or a folder
    that holds something else.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"out={str(out)!r} is a file; name a folder")
    try:
        contents = {path.name for path in out.iterdir()} if out.exists() else set()
    except OSError as error:
        raise FileError(
            f"folder {str(out)!r} cannot be read ({error.strerror}); choose another"
        ) from None
    if contents and not contents & {*REPORT_FILES, "runs"} and not force:
        raise ConfigError(
            f"folder {str(out)!r} holds other things; name a new one, or write into it with "
            "--force (force=True)"
        )
    return out


def _warning(scale: Scale) -> str:
    full = Scale()
    if scale == full:
        return ""
    return (
        f"Reduced run: {scale.seeds:,} seeds a width (the paper: {full.seeds:,}), "
        f"{scale.wide_seeds:,} at wider ones, "
        f"widths up to {scale.widest:,}, {scale.steps:,} steps (the paper: {full.steps:,}). "
        "Intervals are wider for it, and "
        f"verdicts weaker."
    )


def _called(kind: type[Figure]) -> str:
    """What a reader calls it: Figure 1c, Equation 10 for eq10, or a study's question."""
    if issubclass(kind, Study):
        return f"Beyond the paper: {kind.title}"
    return (
        f"{f'Equation {kind.name[2:]}' if kind.name.startswith('eq') else f'Figure {kind.name}'}: "
        f"{kind.title}"
    )


def _sections(
    kinds: Sequence[type[Figure]], store: Store, scale: Scale, out: Path, processes: int
) -> list[Section]:
    """All sections, in so many processes where forking is cheap and safe: studying and drawing hold
    the GIL.
    """
    one = partial(_section, store=store, scale=scale, out=out)
    if min(processes, len(kinds)) == 1 or sys.platform != "linux":
        return [one(kind) for kind in kinds]
    # On Ctrl-C a child ends at once, without a word; this process tells of it.
    silent = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with warnings.catch_warnings():
        # From Python 3.12 on a fork beside threads warns. Those there may be are of OpenBLAS, which
        # knows how, and of Numba, which analyses do not use.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        others = set(active_children())
        with ProcessPoolExecutor(
            min(processes, len(kinds)), mp_context=get_context("fork"), initializer=silent
        ) as pool:
            try:
                return list(pool.map(one, kinds))
            except BrokenProcessPool:
                raise ResourceError(
                    f"one of {processes} processes that study and draw was killed, perhaps for "
                    "memory; use fewer threads"
                ) from None
            except KeyboardInterrupt:  # which may have come to this process alone
                for child in set(active_children()) - others:
                    child.terminate()
                raise


def _section(kind: type[Figure], store: Store, scale: Scale, out: Path) -> Section:
    """One figure's study, files and verdicts; what goes wrong with its numbers becomes a note."""
    source = Source(store)
    name, title = kind.name, _called(kind)
    command = (
        f"{PROGRAM} reproduce --figures {name} --out {out}{' --quick' if scale == QUICK else ''}"
    )
    try:
        figure = kind(source, scale)
        caption, tables, verdicts = figure.caption(), figure.tables(), figure.verdicts()
    except MinilottoError as error:
        return Section(
            name,
            title,
            "",
            command,
            None,
            (),
            (),
            [*source.missing, f"This figure could not be made: {error}"],
        )
    if scale != Scale():
        caption += (
            ""
            if issubclass(kind, Study)
            else f" Reduced run: the paper has {Scale().seeds:,} seeds a width."
        )
    files = []
    files += [f"figure-{name}{suffix}" for suffix in SUFFIXES]
    _pictures(figure, [out / file for file in files])
    for table in tables:
        files.append(f"figure-{name}-{table.name}.csv")
        _write(out / files[-1], table.to_csv().encode())
    vector = (out / f"figure-{name}.svg").read_bytes()
    picture = (
        vector
        if len(vector) <= LARGEST_VECTOR_PICTURE
        else (out / f"figure-{name}.png").read_bytes()
    )
    section = Section(
        name, title, caption, command, picture, files, verdicts, source.missing, figure.headline()
    )
    if isinstance(figure, Study):
        return dataclasses.replace(
            section, preface=(figure.question, figure.design()), claimed_by="hypothesis"
        )
    return section


def _pictures(figure: Figure, paths: Sequence[Path]) -> None:
    """Draw once, and save under each of these names."""
    with style():
        drawing = figure.draw()
        lay_out(drawing)
        for path in paths:
            write_atomically(path, partial(save, drawing, suffix=path.suffix))


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content) and None)


def scale_of(quick: bool, seeds: int | None) -> Scale:
    """The Scale that a command's flags ask for."""
    scale = QUICK if quick else Scale()
    return (
        scale
        if seeds is None
        else dataclasses.replace(scale, seeds=seeds, wide_seeds=min(scale.wide_seeds, seeds))
    )
