"""Entry points by what they take: a name, and a callable that is given the thing.

A new entry point meets every hostile input of a kind by being added to its group.
"""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.ensembling import attribution, decomposition, ensembling, logits, pairs
from minilotto.analysis.stats import (
    bootstrap,
    clusters,
    draws,
    exponents,
    modality,
    modes,
    ranks,
    rates,
    scaling,
)
from minilotto.analysis.tickets import cloud, taylor, tickets, valley
from minilotto.cli import commands
from minilotto.report.figure import QUICK as QUICK_SCALE
from minilotto.report.figure import Source
from minilotto.report.studies.classification.classification import Classification
from minilotto.report.study import Settings, Study
from minilotto.store.blocks import Block


# ---- words of the command line, and streams ----
def _lines(*lines: str) -> dict[str, Callable[[str], list[str]]]:
    """Command lines that take a word, in the place of {}."""
    return {line: partial(_words, line) for line in lines}


def _words(line: str, word: str) -> list[str]:
    return [part.replace("{}", word) for part in line.split(" ")]


WHOLE_NUMBERS = _lines(
    *("train --seeds {}", "train --steps {}", "train --width={}", "train --points {}"),
    *("train --threads {}", "train --checkpoints {}", "train --lr-decay-every {}"),
    *("train --root_seed={}", "train --compress {}", "train --out n.npz --keep {}"),
    *("train --depth {}", "sweep --out r --depths {}", "check --depths={}"),
    "sweep --out r --keep {}",
    *("sweep --out r --widths {}", "sweep --out r --steps {}", "sweep --out r --seeds {}"),
    *("sweep --out r --threads={}", "figure 1c --seeds {}", "figure 1c --threads {}"),
    *("reproduce --seeds {}", "reproduce --threads {}", "verify r --recompute {}"),
)
REAL_NUMBERS = _lines(
    *(
        "train --lr {}",
        "train --noise={}",
        "train --beta1 {}",
        "train --init normal --init-scale {}",
    ),
    *("sweep --out r --lrs {}", "sweep --out r --epsilon {}"),
)
SWITCHES = _lines(
    *(
        "train --quiet {}",
        "train --force={}",
        "train --state={}",
        "train --depth 2 --residual={}",
        "sweep --out r --depth 2 --residuals {}",
        "sweep --out r --quiet {}",
        "figure 1c --quick={}",
    ),
    *("reproduce --beyond {}", "reproduce --train {}", "check --quiet {}"),
)
NAMES = _lines(
    *("train --activation {}", "train --task {}", "train --backend={}", "train --engine {}"),
    *("sweep --out r --tasks {}", "sweep --out r --check {}", "sweep --out r --cluster {}"),
    *("check --losses {}", "figure {}", "reproduce --figures {}", "{}"),
)
# Each says in its refusal that the file is not there.
MISSING_FILES = _lines(
    *(
        "train --data {}.csv",
        "train --data={}.npz",
        "train --start {}.npz",
        "sweep --out r --from {}.toml",
    ),
    *("status {}", "verify {}", "train --out {}/n.npz", "train --plot {}/n.png"),
    *("figure 1c --out={}/f.png",),
)
MADE_FILES = _lines(
    *("train --width 1 --steps 5 --seeds 2 --quiet --out {}.npz",),
    *("sweep --width 1 --steps 5 --seeds 2 --quiet --out {}",),
)
# Each needs Numba.
COMPILED = (
    "train --width 1 --steps 5 --seeds 2 --quiet",
    "train --width 1 --steps 5 --seeds 2 --quiet --backend reference",
    "sweep --width 1 --steps 5 --seeds 2 --quiet --out r",
    "sweep --width 1 --steps 5 --seeds 2 --quiet --out r --cluster local:2",
    "check --activations silu --tasks square --dtypes float32 --losses squared "
    "--optimizers adam --quiet",
    "figure 1c --quick --quiet",
    "info",
)
# Quick, and all that is printed is asked for.
COMMANDS = ("--help", "--version", "train --help", "info")


# ---- arrays, datasets, configs, seeds, tables of data ----
X = np.linspace(-1.0, 1.0, 5)
Y = X**2
QUICK = ml.Config(width=2, steps=5)


@lru_cache
def quick_nets() -> ml.Ensemble:
    return ml.train(QUICK, 3)


@lru_cache
def deep_nets() -> ml.Ensemble:
    return ml.train(QUICK.replace(depth=2), 3, backend="reference")


@lru_cache
def regressor() -> Any:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra sklearn)")
    from minilotto.training.estimator import NetsRegressor

    return NetsRegressor(width=2, steps=5, seeds=2).fit(X[:, None], Y)


def _fitted(x: Any, y: Any, weight: Any = None, **settings: Any) -> Any:
    model = regressor()
    return type(model)(**{**model.get_params(), **settings}).fit(x, y, weight)


def _distilled(place: int) -> Callable[[Any], Any]:
    def entry(part: Any) -> Any:
        from minilotto.ensemble.distillation import distill

        parts = list(quick_nets().parameters)
        parts[place] = part
        return distill(quick_nets().activation, ml.Parameters(*parts), 1, quick_nets().data)

    return entry


def _with_part(place: int, depth: int = 1) -> Callable[[Any], Any]:
    def entry(part: Any) -> Any:
        nets = quick_nets() if depth == 1 else deep_nets()
        parts = list(nets.parameters)
        parts[place] = part
        return nets.with_parameters(tuple(parts))

    return entry


# what takes P points, targets or weights
ARRAYS: dict[str, Callable[[Any], Any]] = {
    "train x": lambda it: ml.train(QUICK, 2, data=(it, Y)),
    "train y": lambda it: ml.train(QUICK, 2, data=(X, it)),
    "train weight": lambda it: ml.train(QUICK, 2, data=(X, Y, it)),
    "Dataset x": lambda it: ml.Dataset(it, Y),
    "Dataset y": lambda it: ml.Dataset(X, it),
    "Dataset weight": lambda it: ml.Dataset(X, Y, it),
    "a target's result": lambda it: ml.train(QUICK.replace(points=5), 2, target=lambda x: it),
    "Ensemble.predict": lambda it: quick_nets().predict(it),
    "predict": lambda it: ml.predict(quick_nets().parameters, it),
    "jacobian": lambda it: ml.jacobian(quick_nets().parameters, it),
    "loss_and_gradient x": lambda it: ml.loss_and_gradient(quick_nets().parameters, it, Y),
    "loss_and_gradient y": lambda it: ml.loss_and_gradient(quick_nets().parameters, X, it),
    "loss_and_gradient weight": lambda it: ml.loss_and_gradient(quick_nets().parameters, X, Y, it),
    "hessian y": lambda it: ml.hessian(quick_nets().parameters, X, it),
    "residuals y": lambda it: ml.residuals(quick_nets().parameters, X, it),
    "residual_jacobian weight": lambda it: ml.residual_jacobian(quick_nets().parameters, X, Y, it),
}
# the same of scikit-learn, which checks all but masks
OF_SCIKIT_LEARN: dict[str, Callable[[Any], Any]] = {
    "NetsRegressor x": lambda it: _fitted(it, Y),
    "NetsRegressor y": lambda it: _fitted(X[:, None], it),
    "NetsRegressor weight": lambda it: _fitted(X[:, None], Y, it),
    "NetsRegressor.predict": lambda it: regressor().predict(it),
}
# what takes parameters of nets, or some of them
PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "with_parameters w": _with_part(0),
    "with_parameters c": _with_part(3),
    "distill b": _distilled(1),
    "distill v": _distilled(2),
    "unpack": ml.unpack,
    "with_parameters hidden_w": _with_part(4, depth=2),
    "with_parameters hidden_b": _with_part(5, depth=2),
    "pack hidden_b": lambda it: ml.pack((*deep_nets().parameters[:5], it)),
    "unpack of depth 2": lambda it: ml.unpack(it, depth=2),
    "pack": lambda it: ml.pack(ml.Parameters(it, *quick_nets().parameters[1:])),
    "predict parameters": lambda it: ml.predict(it, X),
    "select": lambda it: quick_nets().select(it),
    "an index": lambda it: quick_nets()[it],
}
# what takes points of which the precision of the training must tell one from the other
TRAINED_ON: dict[str, Callable[[Any, Any], Any]] = {
    "train": lambda x, y: ml.train(QUICK, 2, data=(x, y)),
    "train a Dataset": lambda x, y: ml.train(QUICK, 2, data=ml.Dataset(x, y)),
}
# what takes one argument of a kind of its own
ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "train config": lambda it: ml.train(it, 2),
    "train seeds": lambda it: ml.train(QUICK, it),
    "train data": lambda it: ml.train(QUICK, 2, data=[it]),
    "train target": lambda it: ml.train(QUICK, 2, target=[it]),
    "train backend": lambda it: ml.train(QUICK, 2, backend=it),
    "train checkpoints": lambda it: ml.train(QUICK, 2, checkpoints=[it]),
    "train threads": lambda it: ml.train(QUICK, 2, threads=[it]),
    "train start": lambda it: ml.train(QUICK, start=it),
    "train keep": lambda it: ml.train(QUICK, 2, keep=[it]),
    "train state": lambda it: ml.train(QUICK, 2, state=it),
    "Sweep seeds": lambda it: ml.Sweep(seeds=[it]),
    "Sweep widths": lambda it: ml.Sweep(widths=[it]),
    "Sweep keep": lambda it: ml.Sweep(keep=it),
    "the checkpoints of train": lambda it: ml.train(QUICK, 2, checkpoints=it),
    "all that train keeps": lambda it: ml.train(QUICK, 2, keep=it),
    "the widths of Sweep": lambda it: ml.Sweep(widths=it),
    **{
        f"Config {field}": lambda it, field=field: ml.Config(**{field: it})
        for field in ("width", "task", "steps", "lr", "dtype", "root_seed", "noise", "depth")
    },
    **{
        f"{name} {flag}": lambda it, flag=flag, call=call: call(**{flag: it})
        for name, flag, call in (
            ("train", "progress", partial(ml.train, QUICK, 2)),
            ("sweep", "progress", partial(ml.sweep, ml.Sweep(width=2), "nowhere")),
            ("save", "force", lambda force: quick_nets().save("nets.npz", force)),
            ("to_c", "force", lambda force: quick_nets().to_c("nets.c", force=force)),
            ("to_csv", "force", lambda force: store().to_csv("nets.csv", force=force)),
        )
    },
    "sweep executor": lambda it: ml.sweep(ml.Sweep(width=2), "nowhere", executor=it),
    "Config residual": lambda it: ml.Config(depth=2, residual=it),
    "predict depth of Parameters": lambda it: ml.predict(deep_nets().parameters, X, depth=it),
    "predict depth": lambda it: ml.predict(quick_nets().w[0, 0], X, depth=it),
    "predict residual": lambda it: ml.predict(deep_nets().parameters, X, residual=it),
    "Config.from_json": ml.Config.from_json,
    "Task function": lambda it: ml.Task("a", "a", "a", [it]),
    "Task domain": lambda it: ml.Task("a", "a", "a", np.sum, domain=it),
    "register_task": ml.register_task,
    "load": ml.load,
    "save": lambda it: quick_nets().save(it),
    "loss_on": lambda it: quick_nets().loss_on(it),
    "error_rate_on": lambda it: quick_nets().error_rate_on(it),
    "with_parameters": lambda it: quick_nets().with_parameters(it),
    "distill": lambda it: quick_nets().distill(it),
    "to_c name": lambda it: quick_nets().to_c(name=[it]),
    "to_c dtype": lambda it: quick_nets().to_c(dtype=it),
    "to_scipy": lambda it: quick_nets()[0].to_scipy(it),
    "unpack inputs": lambda it: ml.unpack(X[:4], [it]),
    "activation": lambda it: ml.predict(quick_nets().parameters, X, activation=it),
    "NetsRegressor steps": lambda it: _fitted(X[:, None], Y, steps=it),
    "NetsRegressor share": lambda it: _fitted(X[:, None], Y, share=it),
}


# ---- paths, folders, stores ----
class Refused(Exception):
    """A command that ended with another status than 0; the text is what it wrote to stderr."""


def command(*words: str) -> str:
    """What a command prints, run in this process. Raises Refused."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = commands.main(words)
    if status:
        raise Refused(err.getvalue().strip("\n") or out.getvalue().strip("\n"))
    return out.getvalue()


SOME = ml.Config(width=2, steps=5)
GRID = ml.Sweep(width=2, steps=5, seeds=2)
TRAIN = ("train", "--width=2", "--seeds=2", "--steps=5", "--quiet")
SWEEP = ("sweep", "--width=2", "--seeds=2", "--steps=5", "--quiet")


@lru_cache
def nets() -> ml.Ensemble:
    return ml.train(SOME, 2)


ROOM = tempfile.TemporaryDirectory()  # removed at the end of the process


def elsewhere(name: str) -> str:
    """A new name in a folder that no test looks at."""
    return os.path.join(tempfile.mkdtemp(dir=ROOM.name), name)


@lru_cache
def store() -> ml.Store:
    return ml.sweep(GRID, out=elsewhere("runs"))


def word(path) -> str:
    """A path as the shell gives it."""
    return os.fsdecode(path)


def forced(force: bool) -> list[str]:
    return ["--force"] if force else []


# What writes a file: the suffix, and a callable that takes the path and whether to overwrite.
OUTPUTS = {
    "save": (".npz", lambda path, force: nets().save(path, force=force)),
    "to_c": (".c", lambda path, force: nets().to_c(path, force=force)),
    "to_csv": (".csv", lambda path, force: store().to_csv(path, force=force)),
    "train --out": (
        ".npz",
        lambda path, force: command(*TRAIN, f"--out={word(path)}", *forced(force)),
    ),
    "train --plot": (
        ".svg",
        lambda path, force: command(*TRAIN, f"--plot={word(path)}", *forced(force)),
    ),
    "figure --out": (
        ".svg",
        lambda path, force: command(
            *("figure", "2b", "--seeds=40", "--quiet", f"--out={word(path)}", *forced(force)),
            f"--runs={ROOM.name}/figure",
        ),
    ),
}
if find_spec("xarray") and find_spec("pandas"):
    OUTPUTS["to_netcdf"] = (".nc", lambda path, force: store().to_netcdf(path, force=force))
if find_spec("pyarrow") and find_spec("pandas"):
    OUTPUTS["to_parquet"] = (".parquet", lambda path, force: store().to_parquet(path, force=force))

# What reads a file: a name for it, its content, and a callable that takes the path.
STUDY = json.dumps(GRID.to_dict()).encode()
INPUTS = {
    "load": ("nets.npz", lambda: saved(nets()), ml.load),
    "sweep --from": (
        "study.json",
        lambda: STUDY,
        lambda path: command("sweep", f"--from={word(path)}", f"--out={store().folder}", "--quiet"),
    ),
    "train --start": (
        "nets.npz",
        lambda: saved(nets()),
        lambda path: command("train", f"--start={word(path)}", "--steps=7", "--quiet"),
    ),
    "train --data": (
        "data.csv",
        lambda: b"x,y\n0,1\n1,2\n2,4\n",
        lambda path: command(*TRAIN, f"--data={word(path)}"),
    ),
}


def saved(nets: ml.Ensemble) -> bytes:
    memory = io.BytesIO()
    nets.write(memory)
    return memory.getvalue()


class Brief(Study):
    """A study of two nets."""

    name = title = "brief"
    entry = settings_type = Settings

    @staticmethod
    def sweeps(settings):
        return (GRID,)

    def __init__(self, source, settings):
        self.nets = source.nets(GRID)

    def tables(self):
        return []


# What makes or goes on with a store, given its folder.
WRITERS = {
    "sweep": lambda folder: ml.sweep(GRID, out=folder),
    "Study.run": lambda folder: Brief.run(folder),
    "sweep --out": lambda folder: command(*SWEEP, f"--out={word(folder)}"),
    "sweep --cluster": lambda folder: ml.sweep(GRID, out=folder, executor=Direct()),
}

# What reads a store, given its folder.
READERS = {
    "open_store": lambda folder: ml.open_store(folder).status(),
    "status": lambda folder: command("status", word(folder)),
    "verify": lambda folder: command("verify", word(folder)),
    "reproduce --runs": lambda folder: command(
        *("reproduce", "--figures=2b", "--train=false", "--quiet", f"--runs={word(folder)}"),
        f"--out={elsewhere('report')}",
    ),
}

# Methods that read nets of a store, given an open one.
METHODS = {
    "configs": lambda store: store.configs,
    "config_of": lambda store: store.config_of(SOME.key),
    "ensemble": lambda store: store.ensemble(SOME),
    "losses": lambda store: store.losses(SOME, [(0, 2)]),
    "figures": lambda store: Source(store).nets(GRID),
    "to_csv": lambda store: store.to_csv(elsewhere("nets.csv")),
    **({"to_dataframe": lambda store: store.to_dataframe()} if find_spec("pandas") else {}),
}

# Those that count or look, and others.
LOOKS = {
    "folders": lambda store: store.folders(),
    "stored": lambda store: store.stored(SOME.key),
    "runs": lambda store: store.runs(SOME),
    "seeds": lambda store: store.seeds(SOME),
    "missing": lambda store: store.missing(GRID),
    "studies": lambda store: store.studies(),
    "keep_study": lambda store: store.keep_study((GRID,)),
    "size_of": lambda store: store.size_of(FIRST.name),
    "has": lambda store: store.has(FIRST),
    "damaged": lambda store: store.damaged([FIRST.name]),
    "put_aside": lambda store: store.put_aside(FIRST.name),
    "status": lambda store: store.status(),
    "verify": lambda store: store.verify(),
    "tidy": lambda store: store.tidy(),
}
FIRST = Block(SOME, 0, 2)


class Direct(Executor):
    """An executor that works at once."""

    def submit(self, work, *arguments, **named):
        future = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


# ---- signals and interruptions ----
# Commands that a signal may end at any moment, by words; {} is the folder that they write to.
INTERRUPTED = {
    "train": "train --width 2 --seeds 1000 --steps 3000 --quiet --threads 1 --out {}/nets.npz",
    "train with a bar and a picture": "train --width 2 --seeds 600 --steps 3000 --threads 2 "
    "--out {}/nets.npz --plot {}/nets.png",
    "train without a file": "train --width 2 --seeds 1000 --steps 3000 --quiet --threads 1",
    "sweep": "sweep --widths 1,2 --seeds 60 --steps 400 --quiet --threads 1 --out {}/runs",
    "sweep in threads": "sweep --widths 1,2 --seeds 60 --steps 400 --quiet --threads 2 "
    "--out {}/runs",
    "figure": "figure 2b --quick --seeds 30 --quiet --threads 1 --runs {}/runs --out {}/figure.png",
    "reproduce": "reproduce --quick --figures 2b,2c --seeds 30 --quiet --threads 2 --out {}/report",
    "verify": "verify {}/../runs --recompute 40 --threads 2",
    "check": "check --activations silu --tasks square --dtypes float32 --losses squared "
    "--optimizers adam --quiet",
}


# ---- samples of losses and fits ----
WIDTHS = np.array([10.0, 20.0, 40.0])


def _draw(seed: int, count: int = 60) -> np.ndarray:
    """Losses that float32 holds, without ties."""
    random = np.random.default_rng(seed)
    return np.exp(random.normal(size=count)).astype(np.float32).astype(np.float64)


LOSS = _draw(0)
OTHERS = [_draw(1) / 2, _draw(2) / 4]
WEIGHT = np.full(len(LOSS), 1 / len(LOSS))
ERRORS = np.stack([LOSS, *OTHERS])
SILU = ml.ACTIVATIONS["silu"]


def _points(statistic: str | float) -> Callable[[Any], Any]:
    def entry(it: Any) -> Any:
        found = bootstrap.points([7], [it], statistic, resamples=100)
        return found.value[0], found.low[0], found.high[0], found.error[0]

    return entry


def _spread(statistic: str) -> Callable[[Any], Any]:
    def entry(it: Any) -> Any:
        found = modality.spread([7], [it], statistic, resamples=100)
        return found.value[0], found.error[0]

    return entry


def _fitted_law(law: str) -> Callable[[Any], Any]:
    def entry(it: Any) -> Any:
        losses = [it, *OTHERS, OTHERS[0] / 8]
        found = bootstrap.points([*WIDTHS, 80], losses, resamples=100)
        return scaling.fit_law(found, law).parameters

    return entry


def _ends(found: Any) -> Any:
    return found.value, found.low, found.high


# What tests the shape of losses above 0.
SHAPES: dict[str, Callable[[Any], Any]] = {
    "modes": lambda it: (modes.modes(it).count, *modes.modes(it).peaks.share),
    "normality": lambda it: dataclasses.astuple(modality.normality(it, resamples=100)),
}
if find_spec("diptest"):
    SHAPES["dip_test"] = lambda it: dataclasses.astuple(modality.dip_test(it))
# What needs a logarithm of each loss of a width.
STATISTICS: dict[str, Callable[[Any], Any]] = {
    **{f"points {name}": _points(name) for name in (*bootstrap.STATISTICS, 0.9)},
    **{f"spread {name}": _spread(name) for name in ("deviation", "quartiles")},
    **{f"fit_law {law}": _fitted_law(law) for law in ("power law", "plateau")},
}
# What needs the logarithm of one loss a draw.
LOGARITHMS: dict[str, Callable[[Any], Any]] = {
    "typical_over_draws": lambda it: _ends(draws.typical_over_draws(it))
}
# What takes any finite number.
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "over_draws": lambda it: _ends(draws.over_draws(it)),
    "learnt_parameters": lambda it: _ends(draws.learnt_parameters(it, 0.1, 0.1, 9)),
    "absorbed_parameters": lambda it: _ends(draws.absorbed_parameters(it, it, 0.1, 9)),
    "median_interval": lambda it: _ends(bootstrap.median_interval(it)),
}
# What takes as many numbers as there are in LOSS, all finite.
PAIRED: dict[str, Callable[[Any], Any]] = {
    "rank_correlation": lambda it: _ends(ranks.rank_correlation(it, LOSS[::-1])),
    "rank_correlation with": lambda it: _ends(ranks.rank_correlation(LOSS[::-1], it)),
}
SAMPLES = {**SHAPES, **STATISTICS, **LOGARITHMS, **NUMBERS, **PAIRED}


@lru_cache
def law() -> scaling.Fit:
    return scaling.fit_law(bootstrap.points(WIDTHS, [LOSS, *OTHERS], resamples=100))


# What takes three widths.
OF_WIDTHS: dict[str, Callable[[Any], Any]] = {
    "points": lambda it: bootstrap.points(it, [LOSS, *OTHERS], resamples=100).value,
    "spread": lambda it: modality.spread(it, [LOSS, *OTHERS], resamples=100).value,
    "central_limit": lambda it: modality.central_limit(it, [LOSS, *OTHERS]).spread.value,
    "exponent_over_draws": lambda it: _ends(
        draws.exponent_over_draws(it, np.stack([LOSS, *OTHERS], axis=1))
    ),
}
# What takes functions, parameters or losses of nets as arrays.
OF_ANALYSES: dict[str, Callable[[Any], Any]] = {
    "gram": lambda it: ensembling.gram(it, WEIGHT),
    "gram weight": lambda it: ensembling.gram(ERRORS, it),
    "cosines": lambda it: ensembling.cosines(it, WEIGHT),
    "orthogonal_loss": ensembling.orthogonal_loss,
    "optimal_weights": ensembling.optimal_weights,
    "compare": lambda it: pairs.compare(it, LOSS),
    "paper_null": pairs.paper_null,
    "decompose": lambda it: decomposition.decompose(it, WEIGHT),
    "over_noise": lambda it: decomposition.over_noise(it, WEIGHT),
    "attribute y": lambda it: attribution.attribute(ERRORS, it, WEIGHT, LOSS),
    "attribute wider": lambda it: attribution.attribute(ERRORS, LOSS, WEIGHT, it),
    "averaged": lambda it: logits.averaged(it, "logits"),
    "misses y": lambda it: logits.misses(LOSS, it),
    "cross_entropy": lambda it: logits.cross_entropy(it, LOSS, WEIGHT),
    "tuned": lambda it: exponents.tuned({0.1: it, 0.2: LOSS}),
    "density_clusters": clusters.density_clusters,
    "compare_rules": lambda it: rates.compare_rules(it, []),
    "attractor": lambda it: cloud.attractor(it, LOSS),
    "mirror_symmetry b": lambda it: cloud.mirror_symmetry(LOSS, it),
    "pair_neurons": lambda it: tickets.pair_neurons(it, LOSS[None]),
    "derivatives": lambda it: taylor.derivatives(SILU, it, 2),
    "ticket_taylor v": lambda it: taylor.ticket_taylor(SILU, 1.0, 1.0, it, 1.0),
    "valley": lambda it: valley.valley(SILU, it, ml.Dataset(X, Y), -1.0),
}
# What evaluates a law at any number of widths.
LINES: dict[str, Callable[[Any], Any]] = {"predict": lambda it: law().predict(it)}


# ---- optional packages ----
# (package, extra): name and callable, which is given three nets and a folder; see OF_EXTRAS.

CONFIG = ml.Config(width=2, steps=5)
MOONS = {"task": "moons", "sampling": "examples", "loss": "logistic"}
SMALL = ["--width", "2", "--seeds", "2", "--steps", "5", "--quiet"]


def _store(folder):
    return ml.sweep(ml.Sweep(width=2, seeds=2, steps=5), out=folder / "given")


def _sweep(folder, **arguments):
    return ml.sweep(ml.Sweep(width=2, seeds=2, steps=5), out=folder / "runs", **arguments)


OF_EXTRAS = {
    ("torch", "torch"): {
        "Ensemble.to_torch": lambda nets, folder: nets.to_torch(),
        "minilotto.interop.to_torch": lambda nets, folder: importlib.import_module(
            "minilotto.interop.to_torch"
        ),
    },
    ("pandas", "pandas"): {
        "Ensemble.to_dataframe": lambda nets, folder: nets.to_dataframe(),
        "Store.to_dataframe": lambda nets, folder: _store(folder).to_dataframe(),
    },
    ("pandas", "netcdf"): {
        "Store.to_netcdf": lambda nets, folder: _store(folder).to_netcdf(folder / "t.nc")
    },
    ("pyarrow", "pandas"): {
        "Store.to_parquet": lambda nets, folder: _store(folder).to_parquet(folder / "t.parquet")
    },
    ("onnx", "onnx"): {"Ensemble.to_onnx": lambda nets, folder: nets.to_onnx(folder / "n.onnx")},
    ("sklearn", "sklearn"): {
        "minilotto.training.estimator": lambda nets, folder: importlib.import_module(
            "minilotto.training.estimator"
        ),
        "train on examples": lambda nets, folder: ml.train(ml.Config(**MOONS), 2),
        "Classification": lambda nets, folder: Classification(Source(None), QUICK_SCALE),
        "train --task moons": lambda nets, folder: commands.main(
            ["train", *SMALL, "--task", "moons", "--sampling", "examples", "--loss", "logistic"]
        ),
    },
    ("distributed", "dask"): {
        "sweep(cluster=...)": lambda nets, folder: _sweep(folder, cluster="local:1"),
        "sweep --cluster": lambda nets, folder: commands.main(
            ["sweep", "--widths", *SMALL[1:], "--cluster", "local:1", "--out", str(folder / "runs")]
        ),
    },
    ("diptest", "report"): {
        "dip_test": lambda nets, folder: modality.dip_test(np.geomspace(1, 10, 40))
    },
    ("numba_cuda", "cuda"): {
        "train(backend=...)": lambda nets, folder: ml.train(CONFIG, 2, backend="cuda"),
        "sweep(backend=...)": lambda nets, folder: _sweep(folder, backend="cuda"),
        "Ensemble.to_device": lambda nets, folder: nets.to_device(),
        "train --backend cuda": lambda nets, folder: commands.main(
            ["train", *SMALL, "--backend", "cuda", "--out", str(folder / "runs.npz")]
        ),
    },
    ("torch", "bench"): {
        "bench.torch_peer": lambda nets, folder: importlib.import_module("bench.torch_peer")
    },
    ("jax", "bench"): {
        "bench.jax_peer": lambda nets, folder: importlib.import_module("bench.jax_peer")
    },
}
