"""The command line: Fire turns words into a plan, and the plan runs after Fire has returned.

Making a plan trains and writes nothing. Whatever is wrong with the words is one line on stderr and
exit status 2.
"""

import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from minilotto import signals
from minilotto.cli.arguments import (
    FAILURE,
    PROGRAM,
    USAGE,
    FileName,
    Plan,
    Seeds,
    plan_of,
    refuse_unused,
    suggestion,
    tell,
)
from minilotto.cli.docstrings import in_columns, parsed, summary_of, text_of
from minilotto.cli.figures import figure, reproduce
from minilotto.cli.sweep import status, sweep, verify
from minilotto.errors import (
    ConfigError,
    FileError,
    MinilottoError,
    ResourceError,
    TrainingInterrupted,
    shown,
)
from minilotto.settings.activations import ACTIVATIONS, activation_of
from minilotto.settings.config import DEFAULTS, DTYPES, LOSSES, Config, from_fields
from minilotto.settings.optimizers import OPTIMIZERS
from minilotto.settings.schedules import SCHEDULES
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import FAMILY_WORDS, TASKS, task_of
from minilotto.version import VERSION


def train(
    *,
    seeds: Seeds | None = None,
    out: FileName | None = None,
    start: FileName | None = None,
    state: bool = False,
    plot: FileName | None = None,
    data: FileName | None = None,
    checkpoints: list[int] | None = None,
    keep: list[int] | None = None,
    threads: int | None = None,
    backend: str = "auto",
    engine: str = "auto",
    compress: bool | int = True,
    force: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Plan:
    """Train one network for each seed, and print a summary.

    Example: train --width 20 --seeds 1000 --out nets.npz --plot nets.png

    --seeds 1000           number of seeds (0 to 999), or a range as in 1000:2000, or a list as in
                           3,5,8
    --out nets.npz         write the nets here; minilotto.load("nets.npz") reads them
    --start nets.npz       go on from these nets, to --steps in all; seeds and settings that are not
                           given are those of the nets
    --state                keep the optimiser's state in the files, so that --start goes on as one
                           training would, bit for bit
    --plot nets.png        draw losses against steps and their histogram, as .png, .pdf or .svg
    --data points.csv      fit these points instead of a task: .csv with a header such as
                           x1,x2,y,weight, or .npz with x, y, weight
    --checkpoints 0,100    steps at which the history records losses (default 0, 1, 2, 5, 10, ...
                           and the last)
    --keep 5000,15000      write the nets at these steps as well, to nets-5000.npz and so on beside
                           the file of --out
    --threads 2            number of threads (default: every core that this process may use)
    --backend auto         cpu: the vector kernels; cuda: an NVIDIA GPU; auto: the GPU where there
                           is one and the training is long enough; reference: plain NumPy, slow
    --engine auto          the one of least estimated cost, which the summary names; lanes: a seed a
                           SIMD lane; wide: a neuron a lane; compressed: on nodes; exact: ReLU and
                           LeakyReLU
    --compress true        train on as few weighted points (nodes) as give the same loss and
                           gradient; false: on all points; 32: on 32 nodes
    --force                overwrite files that exist
    --quiet                no progress bar
    """
    from minilotto.data.reading import read_dataset
    from minilotto.engines.request import requested
    from minilotto.ensemble.load import load
    from minilotto.files import check_output
    from minilotto.report.training import SUFFIXES
    from minilotto.training.going_on import course_of, goes_on, own_data
    from minilotto.training.train import SEEDS, prepare, what_to_fit

    before = None if start is None else load(start)
    config = from_fields(settings) if before is None else goes_on(before.config, settings)
    refuse_unused(config, settings)
    out_path = None if out is None else check_output(out, (".npz",), force)
    plot_path = None if plot is None else check_output(plot, SUFFIXES, force)
    if plot is not None:
        import minilotto.report.plots.style  # noqa: F401  what it lacks is known before training
    for name in ("task", "sampling", "points"):
        if data is not None and name in settings:
            raise ConfigError(
                f"--{name} is given beside --data, whose points are all there is to fit; leave out "
                "one of them"
            )
    points = own_data(config, before) if data is None else read_dataset(data)
    if data is not None or points is None:
        config, points = what_to_fit(config, points)
    request = requested(backend, engine, compress)
    course = course_of(config, before, keep or (), state)
    if course.keep and out_path is None:
        raise ConfigError("--keep writes nets beside the file of --out, which is missing; give it")
    for step in course.keep:
        check_output(_beside(out_path, step), (".npz",), force)
    numbers = SEEDS if seeds is None else seeds
    job = prepare(config, numbers, request, points, checkpoints, threads, course)

    def run() -> int:
        status = 0
        signals.say("interrupted before any seed was done; nothing is written")
        with signals.Deferral():
            try:
                nets: Any = job.run(progress=not quiet)
            except TrainingInterrupted as interruption:
                nets, status = interruption.nets, signals.status()
                if nets is None:
                    raise
            place, failure = _kept(nets, out_path, force)
            signals.say(f"interrupted; {place}" if place else "interrupted")
        return _show(nets, place, plot_path) or failure or status

    return Plan(run, (ResourceError,))


def check(
    *,
    activations: list[str] | None = None,
    tasks: list[str] | None = None,
    dtypes: list[str] | None = None,
    losses: list[str] | None = None,
    optimizers: list[str] | None = None,
    depths: list[int] | None = None,
    quiet: bool = False,
) -> Plan:
    """Compare the kernels' gradients, every coordinate, and ten steps of each optimiser with a
    plain reference and, where installed, with torch.

    Prints the largest error of each activation and task, and of each optimiser, in units of
    rounding; exit status 1 where one is too large. The first run compiles a kernel for each
    activation, number of inputs, precision and loss, which takes some minutes.

    --activations silu,relu    which (default all)
    --tasks square,product2    which (default all)
    --dtypes float64,float32   which (default both)
    --losses squared,logistic  which (default both); labels are whether a task's target is above its
                               median
    --optimizers adam,gd       which (default all that have an update)
    --depths 1,2,3             numbers of hidden layers (default 1), plain and, of several, residual
    --quiet                    no progress bar
    """
    from minilotto.engines import check, check_steps
    from minilotto.kernels.forms import form
    from minilotto.kernels.updates import UPDATES
    from minilotto.training.train import prepare

    functions = [name for name, task in TASKS.items() if task.examples is None]
    names = [*ACTIVATIONS] if activations is None else activations
    targets = functions if tasks is None else tasks
    precisions = [*DTYPES] if dtypes is None else dtypes
    formulas = [*LOSSES] if losses is None else losses
    rules = [*UPDATES] if optimizers is None else optimizers
    layers = [1] if depths is None else depths
    for flag, chosen, known in (
        ("activations", names, ACTIVATIONS),
        ("tasks", targets, functions),
        ("dtypes", precisions, DTYPES),
        ("losses", formulas, LOSSES),
        ("optimizers", rules, UPDATES),
        ("depths", layers, ("1", "2", "...")),
    ):
        if not chosen:
            raise ConfigError(f"--{flag} names nothing to check; choose from {', '.join(known)}")
    for name in names:
        activation_of(name)
    for name in targets:
        if task_of(name).examples is not None:
            raise ConfigError(
                f"task {name!r} is a set of examples; choose a function to check on: "
                f"{', '.join(functions)}"
            )
    for name in precisions:
        Config(dtype=name)
    for name in formulas:
        Config(loss=name)
    for name in rules:
        form(optimizer=name)
    layers = [prepare(Config(width=1, depth=depth), check.NETS).config.depth for depth in layers]

    def run() -> int:
        from tqdm import tqdm

        nets = len(names) * len(targets) * len(formulas) * len(check.architectures(layers))
        total = (nets + len(rules)) * len(precisions)
        with tqdm(total=total, disable=quiet, unit=" checks") as bar:

            def counted(comparisons: Iterable[Any]) -> list[Any]:
                return [(one, bar.update())[0] for one in comparisons]

            gradients = counted(check.compare(names, targets, precisions, formulas, layers))
            steps = counted(check_steps.compare_steps(rules, precisions))
        print(check.table(gradients), check_steps.table(steps), sep="\n\n")
        return 0 if all(one.passed for one in (*gradients, *steps)) else FAILURE

    return Plan(run)


def info() -> Plan:
    """Print versions, CPU, vector width, threads, threading layer, memory, GPU and the folder of
    compiled kernels.
    """

    def run() -> int:
        from minilotto.cli.summary import environment

        print(environment())
        return 0

    return Plan(run)


COMMANDS: dict[str, Callable[..., Plan]] = {
    "train": train,
    "sweep": sweep,
    "status": status,
    "verify": verify,
    "reproduce": reproduce,
    "figure": figure,
    "check": check,
    "info": info,
}


HELP = ("-h", "--help", "help")


def main(arguments: Sequence[str]) -> int:
    """Run the words of a command line; returns the exit status."""
    words = list(arguments)
    if words and words[0] in HELP and len(words) > 1:  # help train
        words = [*words[1:], "--help"]
    if not words or words[0] in HELP:
        print(_overview())
        return 0
    try:
        if words[0] in ("--version", "version"):
            if words[1:]:
                raise ConfigError(f"{shown(words[1])} is not understood beside {words[0]}")
            print(f"minilotto {VERSION}")
            return 0
        if words[0] not in COMMANDS:
            raise ConfigError(
                f"{shown(words[0])} is no command{suggestion(words[0], COMMANDS)}; choose from "
                f"{', '.join(COMMANDS)}"
            )
        if "-h" in words or "--help" in words:
            print(_help(words[0]))
            return 0
        with signals.command():
            try:
                return plan_of(COMMANDS[words[0]], words[1:]).run()
            except KeyboardInterrupt:
                signals.tell()
                return signals.status()
    except MinilottoError as error:
        line = f"{type(error).__name__}: {error}"
        # a word may hold a line break
        print("".join(c if c.isprintable() else repr(c)[1:-1] for c in line), file=sys.stderr)
        return USAGE
    except (OSError, MemoryError) as error:
        print(f"{type(error).__name__.lstrip('_')}: {error}", file=sys.stderr)
        return FAILURE


def _kept(nets: Any, out: Path | None, force: bool) -> tuple[str, int]:
    """Write the nets before anything else is done with them: where they are, and 1 where the file
    could not be written or another process has made it during the training.

    The nets are then written elsewhere if possible.
    """
    if out is None:
        return "", 0
    files = {out: nets, **{_beside(out, step): some for step, some in nets.kept.items()}}
    written, status = [], 0
    for path, some in files.items():
        try:
            some.save(path, force=force)
            written.append(str(path))
        except (ConfigError, FileError) as error:
            status = tell(error, f"; {_rescue(some)}")
    what = "PARTIAL result" if nets.partial else "nets"
    return f"{what} in {', '.join(written)}" if written else "", status


def _beside(out: Any, step: int) -> Path:
    """The file of the nets at a step on the way."""
    return Path(out).with_name(f"{Path(out).stem}-{step}.npz")


def _show(nets: Any, place: str, plot: Path | None) -> int:
    """Draw the picture, print the summary; 1 where there is no picture."""
    from minilotto.cli.summary import summary
    from minilotto.report.training import training_figure

    status = 0
    lines = [summary(nets), *([place] if place else [])]
    if plot is not None:
        try:
            training_figure(nets, plot)
            lines.append(f"picture in {plot}")
        except MinilottoError as error:
            status = tell(error)
    print("\n".join(lines))
    return status


def _rescue(nets: Any) -> str:
    """Try to keep nets that could not be written to their file; returns the outcome in words."""
    folder = Path(tempfile.gettempdir())
    name = f"minilotto-{nets.config.key}-{secrets.token_hex(4)}.npz"
    try:
        return f"the nets are in {nets.save(folder / name)} instead"
    except FileError as error:
        return f"nor could they be kept elsewhere ({error}); they are lost"


def _overview() -> str:
    lines = [
        f"minilotto {VERSION}: trains thousands of small dense networks at once",
        "",
        f"usage: {PROGRAM} COMMAND [--flag value ...]",
        "",
    ]
    for name, command in COMMANDS.items():
        lines.append(f"  {name:11}{summary_of(command)}")
    lines += ["", f"{PROGRAM} COMMAND --help prints its flags; {PROGRAM} --version the version"]
    return "\n".join(lines)


def _help(name: str) -> str:
    """A command's docstring; for `train` and `sweep` the fields of Config too, which are flags."""
    text = f"usage: {PROGRAM} {name} [--flag value ...]\n\n{text_of(COMMANDS[name])}"
    if name not in ("train", "sweep"):
        return text
    fields = in_columns(parsed(Config)[1])
    defaults = ", ".join(f"{name} {default}" for name, default in DEFAULTS.items())
    flags = "Each setting of the training is a flag as well, as in --width 20 --lr_decay 0.5."
    if name == "sweep":
        flags += " The plural takes several, as in --widths 1,2,3 --tasks square,sin."
    choices = in_columns(
        [
            ("Defaults", f"the paper's: {defaults}"),
            ("Activations", ", ".join(ACTIVATIONS)),
            ("Tasks", f"{', '.join(TASKS)}; {FAMILY_WORDS}"),
            ("Precisions", ", ".join(DTYPES)),
            ("Initialisations", ""),
            *((f"  {name}", scheme.note) for name, scheme in SCHEMES.items()),
            ("Optimisers", ""),
            *((f"  {name}", optimizer.note) for name, optimizer in OPTIMIZERS.items()),
            (
                "Schedules",
                "rate / lr, with u the fraction of the steps after the warmup that are done",
            ),
            *((f"  {name}", schedule.note) for name, schedule in SCHEDULES.items()),
        ]
    )
    return f"{text}\n\n{flags}\n\n{fields}\n\n{choices}"
