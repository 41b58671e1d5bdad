"""Commands about many configs at once: sweep, status, verify."""

import sys
from pathlib import Path
from typing import Any

from minilotto.cli.arguments import FAILURE, FileName, Plan, Seeds, refuse_unused, tell
from minilotto.errors import ConfigError, FileError, ResourceError, SweepError
from minilotto.files import check_folder
from minilotto.settings.numbers import whole_number
from minilotto.store.folder import MARKER
from minilotto.store.grid import Sweep, read_study


def sweep(
    *,
    seeds: Seeds | None = None,
    out: FileName | None = None,
    keep: list[int] | None = None,
    cluster: str | None = None,
    backend: str = "auto",
    threads: int | None = None,
    check: str = "full",
    quiet: bool = False,
    **settings: Any,
) -> Plan:
    """Train every combination of settings, each with the same seeds, into a folder; the same
    command goes on where it stopped.

    Example: sweep --widths 1,2,3,4,10,20,30,40,50 --activations silu,leaky_relu --seeds 1000 --out
    runs/

    --seeds 1000           number of seeds (0 to 999), or a range as in 1000:2000, or a list as in
                           3,5,8
    --out runs/            the folder; nets in it are not trained again
                           (minilotto.open_store("runs/") reads it)
    --keep 5000,15000      store the nets after these steps too, as configs of so many steps; by
                           schedules whose rates do not depend on the number of steps, one training
                           serves them all, as it does --steps 5000,15000,50000
    --from study.toml      settings and seeds from a .toml or .json file instead
    --cluster local:4      train in four worker processes, or by the workers of a Dask scheduler, as
                           in tcp://host:8786
    --backend auto         cpu, cuda or auto, as for train; with cuda only the workers of a cluster
                           that have a GPU train, one each
    --threads 2            number of threads (default: every core that this process may use; one in
                           each worker of a cluster)
    --check full           read all blocks in the folder and check them; quick: only see whether
                           they are cut short
    --quiet                no progress bar
    """
    from minilotto.sweeps.run import prepared

    study = settings.pop("from", None)
    if out is None:
        raise ConfigError("--out is missing; name the folder for the nets, as in --out runs/")
    place = check_folder(out, MARKER)
    if study is not None and (settings or seeds is not None or keep is not None):
        other = next(iter(settings), "seeds" if keep is None else "keep")
        raise ConfigError(
            f"--{other} is given beside --from, which describes the whole sweep; write it into "
            "the file"
        )
    if study is not None:
        sweeps = read_study(study)
    else:
        sweeps = (Sweep(1000 if seeds is None else seeds, keep or (), **settings),)
        for config in sweeps[0].configs:
            refuse_unused(config, sweeps[0].axes)
    job = prepared(sweeps, place, not quiet, threads, None, cluster, backend, check)

    def run() -> int:
        from minilotto.store.verify import losses_of, losses_text

        status = 0
        try:
            store = job()
        except SweepError as error:
            store, status = error.store, tell(error)
            for what, why in error.failures[1:]:
                print(f"also failed: {what} ({why})", file=sys.stderr)
        print(losses_text(losses_of(store, sweeps)))
        print(f"nets in {place}")
        return status

    return Plan(run, (FileError, ResourceError))  # finished blocks are kept


def status(folder: FileName | None = None, *, check: str = "quick") -> Plan:
    """Print for each config in the folder of a sweep how many nets are requested, done, missing and
    damaged.

    Example: status runs/

    --check quick   see whether blocks are cut short; full: read them all and check them
    """
    from minilotto.store.store import open_store
    from minilotto.sweeps.run import is_quick

    quick, place = is_quick(check), _folder("status", folder)

    def run() -> int:
        from minilotto.store.verify import status_text

        rows = open_store(place).status(quick)
        print(status_text(rows))
        return FAILURE if any(row.damaged for row in rows) else 0

    return Plan(run)


def verify(
    folder: FileName | None = None, *, recompute: int = 0, threads: int | None = None
) -> Plan:
    """Read everything in the folder of a sweep and check all that can be checked; exit status 1
    where something is wrong.

    Example: verify runs/ --recompute 20

    --recompute 20   also train so many random nets again and compare every bit
    --threads 2      number of threads for that (default: every core that this process may use)
    """
    from minilotto.store.store import open_store
    from minilotto.training.train import thread_count

    count = whole_number("recompute", recompute, at_least=0)
    cores, place = thread_count(threads), _folder("verify", folder)

    def run() -> int:
        found = open_store(place).verify(count, threads=cores)
        print(found)
        return 0 if found.passed else FAILURE

    return Plan(run)


def _folder(command: str, folder: FileName | None) -> Path:
    if folder is None:
        raise ConfigError(f"{command} needs a folder; name it, as in {command} runs/")
    return Path(folder)
