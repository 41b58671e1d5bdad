"""Dask distributed as an executor: worker processes on this machine, or a cluster that is there already."""

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from minilotto.errors import ConfigError, MissingExtraError, ResourceError

CONNECT_SECONDS = 30


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """An executor over `address`: "local:4" starts four worker processes here, "tcp://host:8786" uses that scheduler's workers.

    Each worker trains one block at a time in one thread of its own; start workers with `--nthreads 1`, one a core. The scheduler
    runs whatever code it is sent: keep it within a network that you trust.

    Raises ConfigError for another address, MissingExtraError without Dask, ResourceError where nobody answers.
    """
    local = re.fullmatch(r"local:([1-9]\d{0,3})", address) if isinstance(address, str) else None
    if not local and not (isinstance(address, str) and re.fullmatch(r"(tcp|tls|ucx|ws|wss)://\S+", address)):
        raise ConfigError(f"cluster={address!r} is no cluster; give local:4 for four worker processes, or tcp://host:8786")
    try:
        import distributed
    except ImportError:
        raise MissingExtraError('cluster= needs Dask; pip install "minilotto[dask]" brings it') from None
    if local:
        with (
            distributed.LocalCluster(
                n_workers=int(local[1]),
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                memory_limit=0,  # a training sees to its own memory, and a worker killed for it would only begin again
                silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client.get_executor(pure=False)
        return
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise ResourceError(f"cluster={address!r} does not answer within {CONNECT_SECONDS} s ({why}); check the address") from None
    with client:
        yield client.get_executor(pure=False)
