"""sweep: many configs with many seeds each into a store; nothing is lost or trained twice."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from minilotto.data.dataset import differing, sampled
from minilotto.engines.request import Request, requested
from minilotto.errors import ConfigError, FileError, SweepInterrupted, shown
from minilotto.files import absolute, check_folder
from minilotto.settings.config import Config
from minilotto.settings.limits import check_choice
from minilotto.settings.numbers import truth_value
from minilotto.settings.tasks import built_in
from minilotto.signals import say
from minilotto.store import blocks
from minilotto.store.folder import BLOCKS, MARKER
from minilotto.store.grid import Sweep, as_sweeps, wanted
from minilotto.store.store import Store, make_store, open_store
from minilotto.sweeps.budgets import planned
from minilotto.sweeps.runners import ExecutorRunner, LocalRunner, Log
from minilotto.training.progress import SweepBar
from minilotto.training.train import prepare, thread_count
from minilotto.version import VERSION

CHECKS = ("full", "quick")


def sweep(
    sweeps: Sweep | Sequence[Sweep],
    out: str | Path = "runs",
    *,
    progress: bool = False,
    threads: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    backend: str = "auto",
    check: str = "full",
) -> Store:
    """Train the nets of sweeps that are not in a store yet, and return the store.

    Finished blocks are kept whatever happens, and the same call goes on from them. Damaged blocks
    are put aside and trained again.

    Parameters
    ----------
    sweeps : Sweep or sequence of Sweep
        Configs and seeds.
    out : str or Path
        Folder of the store; made where it is missing.
    progress : bool
        Show one bar for the whole on stderr.
    threads : int or None
        Threads of this process, by default all usable cores; with an executor or a cluster, of
        each of its tasks, by default 1.
    executor : concurrent.futures.Executor or None
        Trains blocks instead of this process; any object with its `submit`, such as the pool of
        mpi4py.futures.
    cluster : str or None
        "local:4" for four worker processes, or the address of a Dask scheduler,
        "tcp://host:8786".
    backend : {"auto", "cpu", "cuda", "reference"}
        As of `train`; with "cuda", only workers of a cluster that have a GPU get blocks, one each.
    check : {"full", "quick"}
        Of blocks in the store: "full" checks their seals, "quick" only whether they are cut.

    Returns
    -------
    Store

    Raises
    ------
    ConfigError
        Before anything is trained.
    FileError
        Where the store cannot be written.
    ResourceError
        Where memory, GPU, executor or cluster do not suffice.
    SweepError
        At the end, naming the blocks that failed.
    SweepInterrupted
        On Ctrl-C, a KeyboardInterrupt.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = sweep(Sweep(widths=(1, 2), seeds=4, steps=100), out=folder)
    ...     [len(store.ensemble(config)) for config in store.configs]
    [4, 4]
    """
    return prepared(sweeps, out, progress, threads, executor, cluster, backend, check)()


def prepared(
    sweeps: Sweep | Sequence[Sweep],
    out: str | Path,
    progress: bool,
    threads: int | None,
    executor: Executor | None,
    cluster: str | None,
    backend: str,
    check: str,
) -> Callable[[], Store]:
    """What `sweep` does once it has refused what cannot be trained or written."""
    asked = as_sweeps(sweeps)
    if executor is not None and cluster is not None:
        raise ConfigError("both executor and cluster are given; pass one of them")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ConfigError(
            f"executor={shown(executor)} cannot submit; pass an Executor of concurrent.futures"
        )
    progress = truth_value("progress", progress)
    elsewhere = executor is not None or cluster is not None
    cores, quick = thread_count(threads, default=1 if elsewhere else None), is_quick(check)
    request = requested(backend, "auto", True)
    # Only the workers know whether they have a GPU and can train a config on it.
    here = Request("cpu") if elsewhere and backend == "cuda" else request
    folder = absolute(check_folder(out, MARKER))
    _refuse_untrainable(asked, folder, here)
    if cluster is None:
        return partial(_sweep, asked, folder, progress, cores, executor, backend, quick)

    def by_cluster() -> Store:
        from minilotto.sweeps.dask_cluster import connected

        with connected(cluster, gpu=backend == "cuda") as pool:
            return _sweep(asked, folder, progress, cores, pool, backend, quick)

    return by_cluster


def is_quick(check: str) -> bool:
    """Whether a check is "quick" and not "full". Raises ConfigError for another one."""
    check_choice("check", check, CHECKS)
    return check == "quick"


def _refuse_untrainable(sweeps: Sequence[Sweep], out: Path, request: Request) -> None:
    """Whatever `train` would refuse, before anything is trained or written."""
    configs: Iterable[Config] = wanted(sweeps)
    if all(os.path.exists(out / name) for name in (MARKER, BLOCKS)):
        configs = open_store(out).missing_runs(sweeps)
    for config in configs:
        prepare(config, 1, request)


def _sweep(
    sweeps: Sequence[Sweep],
    out: Path,
    progress: bool,
    threads: int,
    executor: Executor | None,
    backend: str,
    quick: bool,
) -> Store:
    store = make_store(out)
    configs = wanted(sweeps)
    _refuse_another_function(store, configs)
    there = {config: store.stored(config.key) for config in configs}
    names = [one.name for stored in there.values() for one in stored]
    damaged, missing = store.damaged(names, quick), store.missing_runs(sweeps)
    if not damaged and not missing:
        with contextlib.suppress(FileError):  # a store on a read-only disk is complete all the same
            store.keep_study(sweeps)
        return store
    store.check_writable()
    store.keep_study(sweeps)
    log = Log(store.folder)
    for name in damaged:
        log.write("quarantine", block=name, place=str(store.put_aside(name)))
    missing = store.missing_runs(sweeps)
    on_nodes = {config: not _on_points(store, config) for config in missing}
    gone = set(damaged)
    lost = {
        config.key: [one.run for one in stored if one.name in gone]
        for config, stored in there.items()
    }
    todo = [_with_nodes(block, on_nodes) for block in planned(missing, lost)]
    by = type(executor).__name__ if executor else None
    log.write("start", version=VERSION, blocks=len(todo), executor=by, threads=threads)
    nets = sum(blocks.count_of(runs) for runs in configs.values())
    bar = SweepBar(progress and bool(todo), sum(block.seconds for block in todo), nets)
    bar.finish(nets - sum(blocks.count_of(runs) for runs in missing.values()))
    interruption = SweepInterrupted(store)
    say(str(interruption))
    try:
        if executor is None:
            LocalRunner(store, bar, log, threads, backend).run(todo)
        else:
            ExecutorRunner(store, bar, log, threads, backend, executor).run(todo)
        say()
    except KeyboardInterrupt:
        log.write("interrupted")
        raise interruption from None
    finally:
        bar.close()
        log.write("end")
    _refuse_another_function(store, configs)  # which another sweep has stored meanwhile
    return store


def _with_nodes(block: blocks.Block, on_nodes: dict[Config, bool]) -> blocks.Block:
    shorter = tuple(_with_nodes(one, on_nodes) for one in block.shorter)
    return block._replace(compress=on_nodes[block.config], shorter=shorter)


def _on_points(store: Store, config: Config) -> bool:
    """Whether the store has nets of this config that an earlier version trained on points, though
    nodes are chosen now: the others are then trained so too. Its first sound block tells.
    """
    stored = store.stored(config.key)
    if not stored or prepare(config, 1).choice.name != "compressed":
        return False
    for one in stored:
        with contextlib.suppress(FileError):
            return blocks.read_block(store.blocks, one.name).engine in ("lanes", "wide", "lm")
    return False


def _refuse_another_function(store: Store, configs: Iterable[Config]) -> None:
    """Raises ConfigError where the store has nets of another function under the name of a task.

    A task that the caller registered is known by its name alone.
    """
    for config in configs:
        if built_in(config.task):
            continue
        there = blocks.first_of(store.blocks, config.key)
        if there and differing(sampled(config), there.data):
            raise ConfigError(
                f"{str(store.folder)!r} has nets of another function under the name "
                f"{config.task!r}; register it under another"
            )
