"""reproduce: train what the figures need, draw them, test the claims, write the report."""

import contextlib
import dataclasses
import os
import platform
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from minilotto.errors import ConfigError, MinilottoError, ResourceError, shown
from minilotto.files import (
    absolute,
    alone_in,
    check_folder,
    entries,
    folder_for,
    make_folder,
    path_of,
    remove_fragments,
    write_atomically,
    write_bytes,
)
from minilotto.hardware.machine import cpu_name, usable_cores
from minilotto.report.calibration import margins_table, rates_table
from minilotto.report.catalogue import APPENDICES, BEYOND, FIGURES, MAIN_TEXT
from minilotto.report.changes import changes, claims_of, recorded
from minilotto.report.claims import read_toml
from minilotto.report.figure import QUICK, Figure, Scale, Source, reseeded
from minilotto.report.frozen import frozen
from minilotto.report.page import MARK, Report, Section, from_json, to_html, to_json, to_markdown
from minilotto.report.plots.style import lay_out, save, style, thumbnail
from minilotto.report.study import Study
from minilotto.report.training import SUFFIXES
from minilotto.settings.limits import listed
from minilotto.signals import Deferral
from minilotto.store.folder import MARKER
from minilotto.store.grid import Sweep
from minilotto.store.store import Store, open_store
from minilotto.sweeps.run import sweep
from minilotto.training.train import thread_count
from minilotto.version import VERSION

PROGRAM = "python -m minilotto"
PAGES = {"index.html": to_html, "report.md": to_markdown, "report.json": to_json}
REPORT_FILES = tuple(PAGES)
LARGEST_VECTOR_PICTURE = 400_000  # bytes; a larger one is embedded as pixels
SMALL = 320  # pixels across pictures beside the results in short
SOME_REDUCED = "Some figures are of reduced runs, with fewer seeds than the paper's; they say so."


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
    root_seed: int = 0,
    compare: str | Path | None = None,
) -> Report:
    """Reproduce the paper: train, draw, judge, and write a report of it.

    The folder gets index.html, report.md and report.json, and each figure as .png, .svg, .pdf and
    .csv files. What an earlier run has drawn there, and this one does not, stays on the page.

    Arguments are those of `python -m minilotto reproduce`; besides, `scale` gives seeds, widths and
    steps in place of `quick`, and `progress` shows a bar. `threads` are those of the training, and
    on Linux also the processes that study and draw.

    Raises ConfigError for unknown figures and a folder with other contents, FileError where that
    cannot be written, ResourceError where memory does not suffice, and SweepInterrupted on Ctrl-C
    (it is a KeyboardInterrupt); the same call continues from there.
    """
    names = figure_names(figures, appendices, beyond)
    before = None if compare is None else recorded(compare)
    processes = thread_count(threads)
    scale = scale or (QUICK if quick else Scale())
    given = report_folder(out, force, runs)
    runs = check_folder(runs, MARKER) if runs is not None else given / "runs"
    place = absolute(given)
    began = time.perf_counter()
    wanted = needed(names, scale, root_seed)
    with folder_for(place):  # before the training, which takes long
        store = (
            sweep(wanted, out=runs, threads=threads, progress=progress)
            if train
            else open_store(runs)
        )
    trained = time.perf_counter() - began
    texts = read_toml("minilotto.report", "report.toml")
    make_folder(place)  # another process that made it may have failed, and removed it
    remove_fragments(place)  # of a report that was killed
    with alone_in(place):
        if not os.path.lexists(place / REPORT_FILES[0]):
            # Its mark lets an interrupted report go on in this folder.
            _write_page(place, REPORT_FILES[0], Report("Not finished", (), "", (), ()))
    section = partial(
        _section, store=store, scale=scale, out=place, given=given, root_seed=root_seed
    )
    sections = _each(section, [FIGURES[name] for name in names], processes)
    with alone_in(place):  # else one of two reports at once would forget the other's figures
        kept = [section for section in _earlier(place) if section.name not in names]
        order = list(FIGURES)
        sections = sorted([*sections, *kept], key=lambda one: order.index(one.name))
        reduced = {section.warning for section in sections}
        report = Report(
            warning=reduced.pop() if len(reduced) == 1 else SOME_REDUCED,
            sections=sections,
            provenance={
                "minilotto": VERSION,
                "date": date.today().isoformat(),
                "machine": f"{cpu_name()}, {usable_cores()} cores",
                "Python, NumPy": f"{platform.python_version()}, {np.__version__}",
                "seeds": f"{scale.seeds:,} at the paper's widths, {scale.wide_seeds:,} at wider "
                f"ones; root seed {root_seed}",
                "rules": f"version {frozen()['version']}",
                "training": f"{trained:.0f} s, without what the store already had",
                "analysis and drawing": f"{time.perf_counter() - began - trained:.0f} s",
                "nets": str(runs),
                **({"of earlier runs": ", ".join(one.name for one in kept)} if kept else {}),
            },
            tables=(rates_table(), margins_table()),
            **texts,
        )
        if before is not None:
            after = claims_of((one.name, one.verdicts) for one in sections)
            words = [f"Beside the report in {compare}: ", *changes(before, after).words()]
            report = dataclasses.replace(report, remarks=[*report.remarks, " ".join(words)])
        for page in REPORT_FILES:
            _write_page(place, page, report)
    return report


def draw(
    name: str,
    path: str | Path,
    scale: Scale,
    runs: str | Path,
    threads: int | None = None,
    progress: bool = False,
) -> Figure:
    """Train what one figure needs, and draw it to `path`. Raises as `reproduce`, and DataError."""
    chosen, picture = FIGURES[figure_names([name])[0]], absolute(path_of(path))
    plan = chosen.plan(scale)
    store = sweep(list(chosen.sweeps(plan)), out=runs, threads=threads, progress=progress)
    figure = chosen(Source(store), plan)
    _pictures(figure, [picture])
    return figure


def figure_names(
    figures: Iterable[str] | None, appendices: bool = False, beyond: bool = False
) -> list[str]:
    """Names in FIGURES, in the catalogue's order: the given ones, by default the main text's; also
    the appendices' and the studies. Raises ConfigError for others.
    """
    known = ", ".join(FIGURES)
    asked = (
        [one.name for one in MAIN_TEXT]
        if figures is None
        else [str(name) for name in listed("figures", figures)]
    )
    for name in asked:
        if name not in FIGURES:
            raise ConfigError(f"figure {shown(name)} is unknown; choose from {known}")
    if not asked:
        raise ConfigError(
            f"no figure is named; choose from {known}, or leave it out for the main text's"
        )
    more = (*(APPENDICES if appendices else ()), *(BEYOND if beyond else ()))
    wanted = {*asked, *(one.name for one in more)}
    return [name for name in FIGURES if name in wanted]


def needed(names: Sequence[str], scale: Scale, root_seed: int = 0) -> list[Sweep]:
    """What these figures need to have trained."""
    wanted = (one for name in names for one in FIGURES[name].sweeps(FIGURES[name].plan(scale)))
    return [reseeded(one, root_seed) for one in wanted]


def report_folder(out: str | Path, force: bool, runs: str | Path | None = None) -> Path:
    """The folder of a report, new or of an earlier one, with nets in `runs`. Raises ConfigError
    for any other, FileError where it cannot be made.
    """
    folder = check_folder(out)
    nets = absolute(folder / "runs" if runs is None else check_folder(runs, MARKER))
    if force:
        return folder
    ours = {"runs", os.path.relpath(nets, absolute(folder)).split(os.sep)[0]}
    contents = {entry.name for entry in entries(folder) if entry.name[0] != "."} - ours
    # After the others, since another process may begin its report between the two.
    pages = [name for name in REPORT_FILES if os.path.lexists(folder / name)]
    others = [name for name in pages if not _is_ours(folder / name)]
    if contents and not pages:
        others = sorted(contents)
    if others:
        raise ConfigError(
            f"folder {str(folder)!r} holds other things, {others[0]!r} for one; name a new one, or "
            "write into it with --force (force=True)"
        )
    return folder


def _is_ours(page: Path) -> bool:
    """Whether a page was written by `reproduce`."""
    with contextlib.suppress(OSError):
        return page.is_file() and MARK.encode() in page.read_bytes()
    return False


def _earlier(folder: Path) -> list[Section]:
    """Sections of a folder's report, with pictures; none where its .json cannot be used."""
    with contextlib.suppress(OSError, ValueError):
        if _is_ours(folder / "report.json"):
            found = from_json((folder / "report.json").read_text(encoding="utf-8"))
            return [
                dataclasses.replace(section, **_embedded(folder, section.name))
                for section in found
                if section.name in FIGURES
            ]
    return []


def _embedded(folder: Path, name: str) -> dict[str, Any]:
    """A figure's picture, and the same in few pixels, as fields of its section."""
    vector, pixels = (folder / f"figure-{name}{suffix}" for suffix in (".svg", ".png"))
    if not (vector.is_file() and pixels.is_file()):
        return {}
    large = vector.stat().st_size > LARGEST_VECTOR_PICTURE
    picture = (pixels if large else vector).read_bytes()
    return {"picture": picture, "small": thumbnail(pixels, SMALL)}


def _warning(scale: Scale) -> str:
    full, steps = Scale(), ""
    if scale == full:
        return ""
    if scale.steps < full.steps:
        steps = f", {scale.steps:,} steps (the paper: {full.steps:,})"
    return (
        f"Reduced run: {scale.seeds:,} seeds a width (the paper: {full.seeds:,}), "
        f"{scale.wide_seeds:,} at wider ones, widths up to {scale.widest:,}{steps}. Intervals are "
        "wider for it, and verdicts weaker."
    )


def _each(function: Callable[[Any], Any], things: Sequence[Any], processes: int) -> list[Any]:
    """What a function makes of each, in several processes where forking is safe: studies hold the
    GIL.
    """
    processes = min(processes, len(things))
    if processes == 1 or sys.platform != "linux":
        return [function(thing) for thing in things]
    # On Ctrl-C a child ends at once and silently; this process reports it.
    silent = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with warnings.catch_warnings():
        # From Python 3.12 on a fork beside threads warns. OpenBLAS's threads survive a fork, and
        # analyses do not use Numba's.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        others = set(active_children())
        fork = get_context("fork")
        with ProcessPoolExecutor(processes, mp_context=fork, initializer=silent) as pool:
            try:
                with Deferral() as deferral:  # processes that are half started cannot be ended
                    deferral.begin()
                    found = pool.map(function, things)
                return list(found)
            except BrokenProcessPool:
                raise ResourceError(
                    f"one of {processes} processes that study and draw was killed, perhaps for "
                    "memory; use fewer threads"
                ) from None
            except KeyboardInterrupt:  # which may have come to this process alone
                for child in set(active_children()) - others:
                    child.terminate()
                raise


def _section(
    chosen: type[Figure], store: Store, scale: Scale, out: Path, given: Path, root_seed: int
) -> Section:
    """One figure's study, files and verdicts; what goes wrong with its numbers becomes a note.
    `given` is what the caller calls the folder `out`.
    """
    source, name = Source(store, root_seed), chosen.name
    heading = f"Equation {name[2:]}" if name.startswith("eq") else f"Figure {name}"
    title = f"{'Beyond the paper' if issubclass(chosen, Study) else heading}: {chosen.title}"
    more_words = " --quick" if scale == QUICK else ""
    more_words += f" --root_seed {root_seed}" if root_seed else ""
    command = f"{PROGRAM} reproduce --figures {name} --out {quote(str(given))}{more_words}"
    made: dict[str, Any] = {"warning": _warning(scale)}
    made["drawn"] = f"{date.today().isoformat()} by minilotto {VERSION}"
    try:
        figure = chosen(source, chosen.plan(scale))
        caption, tables, verdicts = figure.caption(), figure.tables(), figure.verdicts()
    except MinilottoError as error:
        notes = [*source.missing, f"This figure could not be made: {error}"]
        return Section(name, title, "", command, None, (), (), notes, **made)
    names = [f"figure-{name}{suffix}" for suffix in SUFFIXES]
    _pictures(figure, [out / file for file in names])
    for table in tables:
        names.append(f"figure-{name}-{table.name}.csv")
        write_bytes(out / names[-1], table.to_csv().encode())
    more: dict[str, Any] = {"notes": source.missing, "headline": figure.headline()}
    more |= {**made, "picture": None, **_embedded(out, name)}
    if isinstance(figure, Study):
        more |= {"preface": (figure.question, figure.design()), "claimed_by": "hypothesis"}
    elif scale != Scale():
        caption += f" Reduced run: the paper has {Scale().seeds:,} seeds a width."
    return Section(name, title, caption, command, files=names, verdicts=verdicts, **more)


def _pictures(figure: Figure, paths: Sequence[Path]) -> None:
    """Draw once, and save under each of these names."""
    with style():
        drawing = figure.draw()
        lay_out(drawing)
        for path in paths:
            write_atomically(path, partial(save, drawing, suffix=path.suffix))


def _write_page(folder: Path, name: str, report: Report) -> None:
    text = PAGES[name](report)
    write_bytes(folder / name, text.encode(errors="backslashreplace"))  # names of files may be any


def scale_of(quick: bool, seeds: int | None) -> Scale:
    """The Scale that a command's flags ask for."""
    scale = QUICK if quick else Scale()
    if seeds is None:
        return scale
    return dataclasses.replace(scale, seeds=seeds, wide_seeds=min(scale.wide_seeds, seeds))
