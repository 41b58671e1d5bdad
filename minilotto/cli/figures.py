"""Commands about the paper: reproduce, figure."""

import sys
from collections.abc import Callable
from typing import Any

from minilotto.cli.arguments import (
    FAILURE,
    INTERRUPTED,
    Plan,
    file_name,
    items,
    refuse_empty,
    truth,
)
from minilotto.errors import (
    ConfigError,
    FileError,
    MissingExtraError,
    ResourceError,
    SweepError,
    SweepInterrupted,
)
from minilotto.settings.numbers import whole_number


def reproduce(
    *,
    out: Any = "report",
    figures: Any = None,
    appendices: Any = False,
    beyond: Any = False,
    quick: Any = False,
    seeds: Any = None,
    runs: Any = None,
    train: Any = True,
    threads: Any = None,
    force: Any = False,
    quiet: Any = False,
) -> Plan:
    """Repeat the paper's experiments, draw its figures and test its claims, on one page:
    report/index.html.

    Example: reproduce --out report/

    --out report      folder of the report; it is made where it is missing
    --figures 1c,3    only these figures, also of the appendices
    --appendices      also the figures of the appendices; products of several inputs take most of an
                      hour on two cores
    --beyond          also the studies of what the paper leaves open; most of an hour on two cores
    --quick           fewer seeds and widths, as each figure then states
    --seeds 1000      seeds at the paper's widths (default 1000, with --quick 200)
    --runs runs/      folder of the trained nets (default: runs/ in the report's folder); nets in it
                      are not trained again
    --train true      false: use only the nets in that folder, and state which are missing
    --threads 2       number of threads (default: every core that this process may use)
    --force           write into a folder that holds other files
    --quiet           no progress bar
    """
    refuse_empty({"out": out, "figures": figures, "seeds": seeds, "runs": runs, "threads": threads})
    from minilotto.report.build import REPORT_FILES, figure_names, report_folder, scale_of
    from minilotto.report.build import reproduce as make
    from minilotto.training.train import thread_count

    named = None if figures is None else [str(name) for name in items(figures)]
    names = figure_names(named, truth("appendices", appendices), truth("beyond", beyond))
    count = None if seeds is None else whole_number("seeds", seeds, at_least=1)
    scale = scale_of(truth("quick", quick), count)
    train_first, overwrite = truth("train", train), truth("force", force)
    shown = not truth("quiet", quiet)
    thread_count(threads)
    folder = report_folder(file_name("out", out), overwrite)
    kept = None if runs is None else file_name("runs", runs)

    def run() -> int:
        def work() -> int:
            report = make(
                folder,
                names,
                scale=scale,
                runs=kept,
                train=train_first,
                threads=threads,
                force=overwrite,
                progress=shown,
            )
            for section in report.sections:
                for verdict in section.verdicts:
                    print(f"figure {section.name:3} {verdict.verdict:19} {verdict.claim}")
                for note in section.notes:
                    print(f"figure {section.name:3} note: {note}")
            print(f"report in {folder / REPORT_FILES[0]}")
            return 0

        return _status_of(work)

    return Plan(run)


def figure(
    name: Any = None,
    *,
    out: Any = None,
    quick: Any = False,
    seeds: Any = None,
    runs: Any = "runs",
    threads: Any = None,
    force: Any = False,
    quiet: Any = False,
) -> Plan:
    """Train what one figure of the paper needs, and draw it.

    Example: figure 1c --out figure-1c.png

    --out figure-1c.png   the picture, as .png, .pdf or .svg (default: figure-NAME.png)
    --quick               fewer seeds and widths
    --seeds 1000          seeds at the paper's widths (default 1000, with --quick 200)
    --runs runs/          folder of the trained nets; nets in it are not trained again
    --threads 2           number of threads (default: every core that this process may use)
    --force               overwrite the picture if it exists
    --quiet               no progress bar
    """
    from minilotto.files import check_output
    from minilotto.report.build import draw, figure_names, scale_of
    from minilotto.report.training import SUFFIXES
    from minilotto.training.train import thread_count

    refuse_empty({"out": out, "seeds": seeds, "runs": runs, "threads": threads})
    if name is None:
        raise ConfigError(
            f"figure needs a name; choose from {', '.join(figure_names(None))}, as in figure 1c"
        )
    (chosen,) = figure_names([str(name)])
    count = None if seeds is None else whole_number("seeds", seeds, at_least=1)
    scale = scale_of(truth("quick", quick), count)
    picture = file_name("out", out or f"figure-{chosen}.png")
    path = check_output(picture, SUFFIXES, truth("force", force))
    kept, shown = file_name("runs", runs), not truth("quiet", quiet)
    thread_count(threads)

    def run() -> int:
        def work() -> int:
            print(draw(chosen, path, scale, kept, threads, shown).caption())
            print(f"picture in {path}")
            return 0

        return _status_of(work)

    return Plan(run)


def _status_of(work: Callable[[], int]) -> int:
    """Exit status of some work; an error on the way is one line, and finished blocks are kept."""
    try:
        return work()
    except SweepInterrupted as interruption:
        print(interruption, file=sys.stderr)
        return INTERRUPTED
    except (SweepError, FileError, ResourceError, MissingExtraError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILURE
