"""Commands about the paper: reproduce, figure."""

from minilotto.cli.arguments import FileName, Plan
from minilotto.errors import (
    ConfigError,
    DataError,
    FileError,
    MissingExtraError,
    ResourceError,
    SweepError,
)
from minilotto.settings.numbers import whole_number

# Of trainings and files on the way; finished blocks are kept.
FAILURES = (DataError, SweepError, FileError, ResourceError, MissingExtraError)


def reproduce(
    *,
    out: FileName | None = None,
    figures: list[str] | None = None,
    appendices: bool = False,
    beyond: bool = False,
    quick: bool = False,
    seeds: int | None = None,
    runs: FileName | None = None,
    train: bool = True,
    threads: int | None = None,
    force: bool = False,
    quiet: bool = False,
    root_seed: int = 0,
    compare: FileName | None = None,
) -> Plan:
    """Repeat the paper's experiments, draw its figures and test its claims, on one page:
    report/index.html.

    Example: reproduce --out report/

    --out report      folder of the report; it is made where it is missing
    --figures 1c,3    only these figures, also of the appendices, and studies, as in 1c,depth
    --appendices      also the figures of the appendices; products of several inputs take most of an
                      hour on two cores
    --beyond          also the studies of what the paper leaves open; about an hour on two cores
    --quick           fewer seeds and widths, as each figure then states
    --seeds 1000      seeds at the paper's widths (default 1000, with --quick 200)
    --runs runs/      folder of the trained nets (default: runs/ in the report's folder); nets in it
                      are not trained again
    --train true      false: use only the nets in that folder, and state which are missing
    --threads 2       number of threads (default: every core that this process may use)
    --force           write into a folder that holds other files
    --quiet           no progress bar
    --root_seed 0     root seed of all trainings; another one repeats them with other networks
    --compare DIR     folder of an earlier report: state which verdicts have changed
    """
    from minilotto.report.build import REPORT_FILES, figure_names, report_folder, scale_of
    from minilotto.report.build import reproduce as make
    from minilotto.report.changes import changes, claims_of, recorded
    from minilotto.store.store import open_store
    from minilotto.training.train import thread_count

    names = figure_names(figures, appendices, beyond)
    count = None if seeds is None else whole_number("seeds", seeds, at_least=1)
    scale = scale_of(quick, count)
    thread_count(threads)
    folder = report_folder(out or "report", force, runs)
    root_seed = whole_number("root_seed", root_seed, at_least=0, below=2**32)
    before = None if compare is None else recorded(compare)
    if not train:
        open_store(runs or folder / "runs")

    def run() -> int:
        report = make(
            folder,
            names,
            scale=scale,
            runs=runs,
            train=train,
            threads=threads,
            force=force,
            progress=not quiet,
            root_seed=root_seed,
            compare=compare,
        )
        drawn = [one for one in report.sections if one.name in names]
        for section in drawn:
            for verdict in section.verdicts:
                print(f"figure {section.name:3} {verdict.verdict:19} {verdict.claim}")
            for note in section.notes:
                print(f"figure {section.name:3} note: {note}")
        if before is not None:
            after = claims_of((one.name, one.verdicts) for one in drawn)
            print("\n".join(changes(before, after).words()))
        print(f"report in {folder / REPORT_FILES[0]}")
        return 0

    return Plan(run, FAILURES)


def figure(
    name: str | None = None,
    *,
    out: FileName | None = None,
    quick: bool = False,
    seeds: int | None = None,
    runs: FileName | None = None,
    threads: int | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Plan:
    """Train what one figure of the paper needs, and draw it.

    Example: figure 1c --out figure-1c.png

    --out figure-1c.png   the picture, as .png, .pdf or .svg (default: figure-NAME.png)
    --quick               fewer seeds and widths
    --seeds 1000          seeds at the paper's widths (default 1000, with --quick 200)
    --runs runs/          folder of the trained nets (default: runs/ here); nets in it are not
                          trained again
    --threads 2           number of threads (default: every core that this process may use)
    --force               overwrite the picture if it exists
    --quiet               no progress bar
    """
    from minilotto.files import check_folder, check_output
    from minilotto.report.build import draw, figure_names, scale_of
    from minilotto.report.training import SUFFIXES
    from minilotto.store.folder import MARKER
    from minilotto.training.train import thread_count

    if name is None:
        raise ConfigError(
            f"figure needs a name; choose from {', '.join(figure_names(None))}, as in figure 1c"
        )
    (chosen,) = figure_names([name])
    count = None if seeds is None else whole_number("seeds", seeds, at_least=1)
    scale = scale_of(quick, count)
    path = check_output(f"figure-{chosen}.png" if out is None else out, SUFFIXES, force)
    thread_count(threads)
    folder = check_folder(runs or "runs", MARKER)

    def run() -> int:
        print(draw(chosen, path, scale, folder, threads, not quiet).caption())
        print(f"nets in {folder}\npicture in {path}")
        return 0

    return Plan(run, FAILURES)
