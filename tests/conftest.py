"""What the tests share."""

import dataclasses
import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings

import minilotto
from minilotto import Config, Ensemble, History

# A shell that starts the suite in the background has it ignore Ctrl-C, and nohup SIGHUP, which some
# tests send to themselves and to children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Thousands of tests, and all that compiling makes, would be searched for garbage again and again: a
# tenth of the time of all.
gc.set_threshold(20_000)

# A first example may compile a kernel, so no deadline; the same examples each time, so that a red
# test stays red.
settings.register_profile("minilotto", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("minilotto")

ROOT = Path(minilotto.__file__).resolve().parent.parent


class Ended(NamedTuple):
    """How a child process ended."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def child_environment() -> Callable[..., dict[str, str]]:
    """Makes the environment of a child: this process's, with minilotto found under `root`; None
    removes a variable.
    """

    def make(root: Path = ROOT, **changes: str | None) -> dict[str, str]:
        environment = {**os.environ, "PYTHONPATH": str(root), **changes}
        return {name: value for name, value in environment.items() if value is not None}

    return make


@pytest.fixture
def python(tmp_path, child_environment) -> Callable[..., Ended]:
    """Runs a Python child in a folder of the test's own, to its end: python("-c", code,
    NUMBA_NUM_THREADS="1").
    """

    def run(
        *arguments: str, root: Path = ROOT, timeout: float = 600, **changes: str | None
    ) -> Ended:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=child_environment(root, **changes),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def package(tmp_path) -> Path:
    """A folder with a copy of minilotto and nothing compiled."""
    shutil.copytree(
        ROOT / "minilotto",
        tmp_path / "copy" / "minilotto",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return tmp_path / "copy"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty current folder."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="session")
def constructed() -> Callable[..., Ensemble]:
    """Makes an Ensemble with given losses (NaN: diverged) from copies of one trained net, with
    parameters of no meaning.
    """

    def make(loss, requested=None, seeds=None, config=TWO_NEURONS, provenance=None) -> Ensemble:
        loss = np.array(loss, dtype=np.float64)
        count, random = len(loss), np.random.default_rng(7)
        nets = trained(config).select(np.zeros(count, dtype=int))
        drawn = {
            name: random.normal(size=a.shape).astype(a.dtype)
            for name, a in nets.parameters._asdict().items()
        }
        for array in drawn.values():
            array[np.isnan(loss)] = np.nan
        return dataclasses.replace(
            nets,
            **drawn,
            seeds=np.arange(count) if seeds is None else np.array(seeds),
            loss=loss,
            history=History(
                nets.history.steps, np.stack([np.full(count, 2.0), np.full(count, 1.0), loss])
            ),
            requested=count if requested is None else requested,
            provenance={**nets.provenance, **TWO_THREADS} if provenance is None else provenance,
        )

    return make


TWO_NEURONS = Config(width=2, steps=100)
TWO_THREADS = {"threads": 2, "seconds": 5.0, "seconds_compiling": 1.0}


@lru_cache
def trained(config: Config) -> Ensemble:
    return minilotto.train(config, seeds=1, checkpoints=[0, 10], backend="reference")


@pytest.fixture
def small_blocks(monkeypatch) -> Callable[[int], None]:
    """Makes blocks of so few seeds in this process."""
    from minilotto.store import format as store_format

    return lambda seeds: monkeypatch.setattr(store_format, "BLOCK_SEEDS", seeds)
