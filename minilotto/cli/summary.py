"""Summary of a training in text, and of the machine."""

import os
import platform
import textwrap
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from minilotto.analysis.stats.losses import peaks
from minilotto.data.dataset import RULE_NODES, population_rule
from minilotto.ensemble.ensemble import Ensemble
from minilotto.hardware.gpu import about_the_gpu
from minilotto.hardware.machine import available_memory, cpu_name, usable_cores
from minilotto.settings.config import LATER, Config
from minilotto.settings.tasks import task_of
from minilotto.version import VERSION

BAR_WIDTH = 40
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def summary(nets: Ensemble) -> str:
    """Result of a training as text: losses, histogram of their logarithms with its peaks, speed."""
    config = nets.config
    diverged = int(np.count_nonzero(nets.status == "diverged"))
    points = "infinitely many" if config.sampling == "population" else _points(nets)
    lines = [
        f"{len(nets)} nets of width {config.width}, {config.activation}, task {config.task}, "
        f"{_steps(nets)}, {points} points ({config.sampling}), {config.dtype}"
        f"{_settings_added(config)}"
    ]
    if nets.data.names:
        lines.append(
            textwrap.shorten(f"inputs: {', '.join(nets.data.names)}", 200, placeholder="...")
        )
    if nets.partial:
        lines.append(f"PARTIAL: interrupted, {len(nets)} of {nets.requested} seeds are done")
    lines.append(f"{len(nets) - diverged} ok, {diverged} diverged")
    good = nets.loss[nets.status == "ok"]
    if good.size:
        lines += ["", *_quantile_lines(nets), "", *_histogram_lines(good)]
    lines.append("")
    if "from_step" in (how := nets.provenance):
        lines.append(f"went on from step {how['from_step']}; moments: {how['moments']}")
    lines += [*_engine_lines(nets), *_sharpness_lines(nets), _speed_line(nets)]
    return "\n".join(lines)


def _settings_added(config: Config) -> str:
    """Noise, optimiser, schedule, batch and depth, where they are not the paper's."""
    fields = (field for field in LATER if field != "loss")
    changed = ((field, getattr(config, field)) for field in fields)
    return "".join(f", {field}{_words(value)}" for field, value in changed if value != LATER[field])


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return ""
    return f" {value if isinstance(value, str) else f'{value:g}'}"


def _quantile_lines(nets: Ensemble) -> list[str]:
    values = np.nanquantile(nets.loss, QUANTILES)
    names = ["median" if q == 0.5 else f"{q:.0%}" for q in QUANTILES]
    listed = (f"{name} {value:.3g}" for name, value in zip(names, values, strict=True))
    best, worst = int(np.nanargmin(nets.loss)), int(np.nanargmax(nets.loss))
    return [
        f"loss ({'MSE' if nets.config.loss == 'squared' else nets.config.loss})   "
        + "   ".join(listed),
        f"best {nets.loss[best]:.3g} (seed {nets.seeds[best]})   worst {nets.loss[worst]:.3g} "
        f"(seed {nets.seeds[worst]})",
    ]


def _histogram_lines(loss: np.ndarray, rows: int = 24) -> list[str]:
    """A histogram of log10 loss, one line for each bin, with the fraction of nets in each peak."""
    exact = int(np.count_nonzero(loss == 0))
    loss = loss[loss > 0]
    lines = [f"{exact} nets have loss zero"] if exact else []
    if not loss.size:
        return lines
    exponent = np.log10(loss)
    steps = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
    step = next((step for step in steps if np.ptp(exponent) / step < rows), 50.0)
    first = np.floor(exponent.min() / step)
    counts = np.bincount(np.floor(exponent / step - first).astype(np.intp))
    found = peaks(loss)
    notes: dict[int, list[str]] = {}
    for place, fraction in zip(found.location, found.share, strict=True):
        bin_of_peak = int(np.clip(np.floor(np.log10(place) / step - first), 0, len(counts) - 1))
        notes.setdefault(bin_of_peak, []).append(f"peak at {place:.2g}: {fraction:.1%}")
    lines.append("log10 loss         nets")
    for i, count in enumerate(counts):
        low = (first + i) * step
        bar = "#" * int(np.ceil(BAR_WIDTH * count / counts.max()))
        note = "   " + ", ".join(notes[i]) if i in notes else ""
        lines.append(f"{low:7.2f}..{low + step:6.2f} {count:7d} {bar}{note}")
    return lines


def _steps(nets: Ensemble) -> str:
    total = nets.config.steps
    return f"{total} steps" if nets.step == total else f"{nets.step} of {total} steps"


def _engine_lines(nets: Ensemble) -> list[str]:
    """Engine and reason; nodes and the largest audit where there were audits."""
    lines = [f"engine: {nets.engine} ({nets.reason})"]
    audited = nets.audit[~np.isnan(nets.audit)]
    if audited.size:
        from minilotto.engines.compressed import TOLERANCE  # here, as it imports the kernels

        nodes, counts = np.unique(nets.nodes, return_counts=True)
        spent = ", ".join(
            f"{node} ({count / len(nets):.0%})" for node, count in zip(nodes, counts, strict=True)
        )
        lines.append(
            f"nodes a seed: {spent}; worst audit {audited.max():.1e} of the sum of absolute terms"
        )
        tolerance = TOLERANCE[nets.config.dtype]
        failed = int(np.sum(audited > tolerance))
        if failed:
            lines.append(
                f"audits failed: {failed} nets are too sharp for their nodes (tolerance "
                f"{tolerance:g}); see compress=False"
            )
    return lines


def _sharpness_lines(nets: Ensemble) -> list[str]:
    """How many nets vary too fast for the nodes that stand for infinitely many points."""
    if nets.config.sampling != "population" or nets.engine == "exact":
        return []
    task = task_of(nets.config.task)
    finer = nets.loss_on(population_rule(task, 2 * RULE_NODES[task.inputs]))
    wrong = int(np.count_nonzero(np.abs(finer - nets.loss) > 1e-3 * nets.loss))
    if not wrong:
        return []
    return [
        f"{wrong} nets are too sharp for the nodes of sampling='population': their losses are off "
        "by more than 0.1%; see population_loss"
    ]


def _speed_line(nets: Ensemble) -> str:
    config, how = nets.config, nets.provenance
    if not {"seconds", "seconds_compiling", "threads"} <= how.keys():
        return "trained elsewhere; how fast is not recorded"
    seconds, compiling = float(how["seconds"]), float(how["seconds_compiling"])
    points = config.batch or _points(nets)  # of a step
    steps = nets.step - int(how.get("from_step", 0))
    units = (
        len(nets) * config.depth * config.width * points * steps / max(seconds - compiling, 1e-3)
    )
    threads = "1 thread" if how["threads"] == 1 else f"up to {how['threads']} threads"
    compiled = f", {compiling:.1f} s of it compiling" if compiling else ""
    unit = f"a unit: one neuron at one of {points} points in one step"
    return f"{seconds:.1f} s{compiled}, {threads}; {units:.3g} units/s ({unit})"


def _points(nets: Ensemble) -> int:
    """Of the data; of a population, those of the rule that stands for it."""
    of_data = nets.config.sampling in ("examples", "population")
    return nets.data.points if of_data else nets.config.points


def environment() -> str:
    """What a training would run on: versions, CPU, vectors, threads, memory, GPU, kernel cache."""
    from minilotto.hardware.threads import available_layers
    from minilotto.kernels import random  # a small module; all are cached in one place
    from minilotto.kernels.simd import lane_count, target_features

    # isort: split
    import numba

    features = ("avx512f", "avx512dq", "avx2", "fma", "avx", "sse2", "neon", "sve")
    vectors = [name for name in features if name in target_features()]
    cache = random.seed_keys.stats.cache_path
    packages = ("numpy", "numba", "scipy", "matplotlib", "torch")
    rows = {
        "minilotto": VERSION,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        **{package: _version_of(package) for package in packages},
        "CPU": cpu_name(),
        "vector features": ", ".join(vectors) or "none known",
        "lanes": f"{lane_count('float32')} x float32, {lane_count('float64')} x float64",
        "threads": f"{usable_cores()} of {os.cpu_count()} cores usable, numba allows "
        f"{numba.config.NUMBA_NUM_THREADS}",
        "threading layers": f"{', '.join(available_layers()) or 'none'} (priority "
        f"{numba.config.THREADING_LAYER})",
        "memory free": f"{available_memory() / 1e9:.1f} GB",
        "GPU": about_the_gpu(),
        "kernel cache": str(cache)
        if cache
        else "none: no folder is writable, kernels are compiled in each process",
    }
    return "\n".join(f"{name:18}{value}" for name, value in rows.items())


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
