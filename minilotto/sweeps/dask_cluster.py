"""Dask distributed as an executor: worker processes on this machine, or an existing cluster."""

import logging
import re
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from threading import Event, Thread
from typing import Any

from minilotto.errors import ConfigError, ResourceError, imported
from minilotto.signals import hidden_from_children, unwound

CONNECT_SECONDS = 30
REPLACE_SECONDS = 5.0  # between two looks for workers that are gone
GPU = {"GPU": 1}  # what a block needs of a worker, by the name in Dask's documentation


@contextmanager
def connected(address: str, gpu: bool = False) -> Iterator[Executor]:
    """An executor: "local:4" starts four workers, "tcp://host:8786" uses those of a scheduler.

    Each worker trains one block at a time in one thread; start workers with `--nthreads 1`, one for
    each core. With `gpu`, only workers that have a GPU to themselves get blocks: one for each GPU,
    started with `--resources GPU=1` and CUDA_VISIBLE_DEVICES set. The scheduler runs any code that
    it is sent: keep it within a network that you trust.

    Raises ConfigError for another address, MissingExtraError without Dask, ResourceError where no
    scheduler answers or no worker has a GPU.
    """
    local = re.fullmatch(r"local:([1-9]\d{0,3})", str(address))
    if not local and not re.fullmatch(r"(tcp|tls|ucx|ws|wss)://\S+", str(address)):
        raise ConfigError(
            f"cluster={address!r} is no cluster; give local:4 for four worker processes, or "
            "tcp://host:8786"
        )
    distributed = imported("distributed", "dask")
    options: dict[str, Any] = {"pure": False, **({"resources": GPU} if gpu else {})}
    if local:
        workers = int(local[1])
        if gpu and workers > 1:
            raise ConfigError(
                f"cluster={address!r} has more workers than the one GPU that is used here; give "
                "local:1"
            )
        with unwound(), _without_main(), ExitStack() as stack:
            with hidden_from_children():
                resource_tracker.ensure_running()  # which unblocks SIGINT when it starts
            with hidden_from_children():
                cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    # A free port, so that two sweeps can run at once.
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    # A training limits its own memory; a worker killed for it would only start
                    # again.
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                    resources=GPU if gpu else None,
                )
                stack.enter_context(cluster)
                client = stack.enter_context(distributed.Client(cluster))
                stack.enter_context(_replaced(cluster, workers))
            yield client.get_executor(**options)
        return
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise ResourceError(
            f"cluster={address!r} does not answer within {CONNECT_SECONDS} s ({why}); check the "
            "address"
        ) from None
    with client:
        if gpu:
            # A lambda travels as code, so that the scheduler's machine need not have minilotto.
            workers, with_gpu = client.run_on_scheduler(
                lambda dask_scheduler: (
                    len(dask_scheduler.workers),
                    len(dask_scheduler.resources.get("GPU", ())),
                )
            )
            if workers and not with_gpu:  # Dask would wait without end
                raise ResourceError(
                    f"none of {address}'s {workers} workers has a GPU; start one for each "
                    "GPU with --resources GPU=1"
                )
        yield client.get_executor(**options)


@contextmanager
def _replaced(cluster: Any, workers: int) -> Iterator[None]:
    """While the block runs, a local cluster has so many workers, or gets others.

    Dask starts a worker again that died, but not one that died while it was starting.
    """
    done = Event()

    def replace() -> None:
        while not done.wait(REPLACE_SECONDS):
            cluster.scale(workers)

    thread = Thread(target=replace, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started in the block do not run the user's script once more.

    Python has each of them import it, for functions that it defines; Dask sends those as code.
    Without a main guard, or read from stdin, the script would fail in each of them.
    """
    main = vars(sys.modules["__main__"])
    found: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.update(dict.fromkeys(found))
    try:
        yield
    finally:
        main.update(found)
