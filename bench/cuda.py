"""What the GPU's engine does on this machine's GPU: `python -m bench.cuda [SECTIONS]
[--out FILE] [--roofline FILE] [--force]`, in at most 6 minutes.

    errors    gradients against the float64 reference, in units of rounding; losses; the special
              function unit's relative errors
    sweep     the paper's SiLU sweep, 9 widths, 1000 seeds, 50,000 steps, on every point and on
              nodes, and the share of time that is no steps
    ceiling   1000 and 100,000 seeds: the shares of what the special function units and the
              schedulers could do at best
    instructions  of a step's unit, from the machine code for compute capability 9.0; needs no GPU
    jax       JAX's ways on the same GPU, 1000 and 100,000 seeds, and how many times longer a step
              takes it
    million   1,000,000 nets of width 2, 50,000 steps

Without names, which commas separate: all. They share 6 minutes, and what a section leaves is for
those after it. A row is not begun after its section's time; what is left out is said, and is a
failure of a section that was named. Kernels are compiled before they are timed; the time of
compilation is reported separately. Needs numba-cuda, and jax for its section; `--tiny` is for
Numba's simulator, and measures nothing.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise, product
from typing import Any

import numpy as np
from numba import cuda

import minilotto as ml
from bench.command import chosen_of, run_command
from bench.machine_code import machine_code_of
from bench.sweep import WIDTHS
from bench.work import Work
from minilotto.cli.arguments import FileName
from minilotto.data.dataset import sampled
from minilotto.engines.check import WIDTH as CHECKED_WIDTH
from minilotto.engines.check import sums_of_absolute_terms
from minilotto.engines.compressed import CompressedEngine
from minilotto.engines.cuda import CudaEngine
from minilotto.engines.interface import Engine
from minilotto.errors import ConfigError
from minilotto.files import check_output, write_bytes
from minilotto.hardware.gpu import Gpu, simulated, the_gpu
from minilotto.hardware.machine import cpu_name
from minilotto.initialisation import initial_parameters
from minilotto.kernels import formulas
from minilotto.kernels.gpu.partition import ASIDE, SCHEDULERS, WARP, Kind, partition_for
from minilotto.oracles import numpy_reference
from minilotto.report.training import SUFFIXES
from minilotto.settings.activations import ACTIVATIONS

# A second and processor, at the H100's highest clock.
CLOCK = 1.755e9
SPECIAL_RESULTS, INSTRUCTIONS = 16 * CLOCK, SCHEDULERS * WARP * CLOCK  # of single threads
SECONDS = 360.0  # of all sections
JAX_TARGETS = {2: 12, 20: 11, 50: 8}  # times as long on every point, by width
ISSUED = "  instructions issued"
ON = {"auto": "every point", "compressed": "nodes"}  # an engine's points
ROUNDING = 4.0  # units of it that a gradient may be off
SPECIAL_ERROR = 2.0**-21
LOSS_ERROR = 1e-13  # relative, against the CPU's


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    seeds: int = 1000
    steps: int = 50_000
    widths: tuple[int, ...] = WIDTHS
    many: int = 100_000
    timed_steps: int = 2000
    million: int = 1_000_000
    checked: tuple[int, ...] = (1, CHECKED_WIDTH, 20, 300, 3000)
    points: int = 100


TINY = Scale(
    seeds=2, steps=2, widths=(1, 2), many=3, timed_steps=1, million=3, checked=(1,), points=5
)


@dataclass(frozen=True)
class Row:
    """One figure: what it is, its value and unit, and the target as text with whether it is met
    (None: there is none).
    """

    name: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = "" if self.met is None else "  met" if self.met else "  MISSED"
        return f"{self.name:58}{self.value:12.4g} {self.unit:30} {self.target}{verdict}"


def machine(gpu: Gpu | None) -> dict[str, Any]:
    """What this was measured on."""
    versions = {}
    for package in ("numpy", "numba", "numba-cuda", "jax"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "gpu": "none is needed" if gpu is None else str(gpu),
        "cpu": cpu_name(),
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "versions": versions,
    }


def errors(scale: Scale) -> Iterator[Row]:
    """Worst errors of gradients, over all nets and coordinates, and of the special functions."""
    cases = [
        (name, dtype, CHECKED_WIDTH) for name in ACTIVATIONS for dtype in ("float32", "float64")
    ]
    cases += [("silu", "float32", width) for width in scale.checked if width != CHECKED_WIDTH]
    for name, dtype, width in cases if scale != TINY else cases[:1]:
        yield from _errors(name, dtype, width, scale)
    yield from _special_errors()


def _errors(name: str, dtype: str, width: int, scale: Scale) -> Iterator[Row]:
    config = ml.Config(
        width=width,
        activation=name,
        dtype=dtype,
        points=scale.points,
        init="normal",
        steps=1,
        beta1=0.0,
    )
    data = sampled(config)
    parameters = initial_parameters(config, 1, np.arange(min(24, scale.seeds)))
    engine = CudaEngine(config, data)
    engine.start(parameters)
    off = float(np.max(np.abs(engine.losses(False) / Engine.losses_on(engine, data) - 1)))
    target = f"at most {LOSS_ERROR:g}"
    yield Row(f"loss, {name}, {dtype}, width {width}", off, "of it", target, off <= LOSS_ERROR)
    engine.advance(0, 1)
    x, y = (
        a.astype(dtype).astype(np.float64) for a in (data.x, data.y)
    )  # so that rounding the data is no error
    exact = [a.astype(np.float64) for a in parameters]
    _, expected = numpy_reference.loss_and_gradient(name, *exact, x, y, data.weight)
    units = sums_of_absolute_terms(name, parameters, data, "squared")
    pairs = zip(
        engine.state().m, expected, units, strict=True
    )  # with beta1 = 0 the first moment is the gradient
    worst = max(float((np.abs(a - b) / unit).max()) for a, b, unit in pairs) / float(
        np.finfo(dtype).eps
    )
    yield Row(
        f"gradient, {name}, {dtype}, width {width}",
        worst,
        "units of rounding",
        f"at most {ROUNDING:g}",
        worst <= ROUNDING,
    )


def _special_errors() -> Iterator[Row]:
    """Of 2^t, a / b and the square root in float32, over a million numbers."""
    from minilotto.kernels.gpu.simulated import uncompiled

    bind = uncompiled if simulated() else lambda function: function
    exp2, quotient, root = (
        bind(function) for function in (formulas.exp2, formulas.quotient, formulas.root)
    )

    def all_three(x, powers, quotients, roots):
        i = cuda.grid(1)
        if i < x.size:
            powers[i] = exp2(x[i])
            quotients[i] = quotient(x[0], x[i])
            roots[i] = root(x[i])

    x = (
        np.random.default_rng(5)
        .uniform(1e-3, 100.0, 100 if simulated() else 10**6)
        .astype(np.float32)
    )
    results = [np.zeros_like(x) for _ in range(3)]
    cuda.jit(all_three)[-(-x.size // 128), 128](x, *results)
    wide = x.astype(np.float64)
    for name, ours, exact in zip(
        ("2^t", "a / b", "root"), results, (2**wide, wide[0] / wide, np.sqrt(wide)), strict=True
    ):
        worst = float(np.max(np.abs(ours / exact - 1)))
        yield Row(
            f"relative error of {name} in float32",
            worst,
            "",
            f"at most {SPECIAL_ERROR:.1e}",
            worst <= SPECIAL_ERROR,
        )


def sweep(scale: Scale) -> Iterator[Row]:
    """Whole trainings through `train`, everything included but compilation, which a first short
    training has done.
    """
    for engine, target in (("auto", 1.2), ("compressed", 0.8)):
        total = compiling = 0.0
        where, compress = ON[engine], engine != "auto"
        for width in scale.widths:
            config = ml.Config(width=width, steps=scale.steps, points=scale.points)
            for attempt in (
                "compiles",
                "counts",
            ):  # the first meets every number of nodes that audits ask for
                began = time.perf_counter()
                nets = ml.train(
                    config, scale.seeds, backend="cuda", engine=engine, compress=compress
                )
                if attempt == "compiles":
                    compiling += float(nets.provenance["seconds_compiling"])
            took = time.perf_counter() - began
            total += took
            yield Row(
                f"width {width}, {where}, median loss {np.nanmedian(nets.loss):.2e}", took, "s"
            )
            data, seeds = sampled(config), np.arange(scale.seeds)
            steps = CompressedEngine(config, data, 1, CudaEngine) if compress else None
            one: Engine = steps or CudaEngine(config, data)
            one.start(initial_parameters(config, 1, seeds))
            rest = 1 - scale.steps * _seconds_a_step(one, scale.timed_steps) / took
            yield Row("  of it no steps", rest, "of the time")
        yield Row(f"the sweep on {where}", total, "s", f"at most {target:g}", total <= target)
        yield Row(f"compiling for the sweep on {where}, once a process", compiling, "s")


def _seconds_a_step(engine: Any, steps: int) -> float:
    """The median of three runs, after one to warm up."""
    engine.advance(0, max(1, steps // 4))
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        engine.advance(0, steps)
        taken.append((time.perf_counter() - began) / steps)
    return float(np.median(taken))


def ceiling(scale: Scale) -> Iterator[Row]:
    """Units a second of SiLU at few and many seeds, against two special function results a unit."""
    widths = (2, 10, 20, 50) if scale != TINY else (2,)
    for width, seeds in product(widths, (scale.seeds, scale.many)):
        config = ml.Config(width=width, points=scale.points)
        data = sampled(config)
        engine = CudaEngine(config, data)
        engine.start(initial_parameters(config, 1, np.arange(seeds)))
        steps = max(1, scale.timed_steps // (4 * width))
        rate = seeds * width * data.points / _seconds_a_step(engine, steps)
        best, name = SPECIAL_RESULTS * engine.gpu.processors / 2, f"{seeds} seeds, width {width}"
        yield Row(name, rate, "units/s", f"{rate / best:.0%} of the special functions")
        if not simulated():
            kind = engine.kind()
            issued = rate * machine_code_of(kind).a_unit(kind, width, data.points)
            share = issued / (INSTRUCTIONS * engine.gpu.processors)
            yield Row(ISSUED, issued, "a second", f"{share:.0%} of the schedulers")
            yield Row(
                f"  its kernel, {engine.partition}",
                engine.kernel.get_regs_per_thread(),
                "registers a thread",
            )
            local = engine.kernel.get_local_mem_per_thread()
            target = f"at most {ASIDE}"
            yield Row(
                "  its kernel's local memory", local, "bytes a thread", target, local <= ASIDE
            )


def draw_roofline(rows: Sequence[Row], processors: int, path: str) -> None:
    """Units a second against instructions a unit, of the rows of `ceiling`, below what the special
    function units and the schedulers could do at best.
    """
    from matplotlib.figure import Figure

    special, schedulers = SPECIAL_RESULTS * processors / 2, INSTRUCTIONS * processors
    least, most = 10.0, 40.0
    instructions = np.linspace(least, most, 200)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    ax = figure.subplots()
    ax.plot([least, most], [special] * 2, "k-", label="special function units")
    ax.plot(instructions, schedulers / instructions, "k--", label="schedulers")
    for row, issued in pairwise(rows):
        if issued.name == ISSUED:
            few = "o" if row.name.startswith(f"{Scale.seeds} ") else "s"
            ax.plot(issued.value / row.value, row.value, few, label=row.name)
    ax.set(xlabel="instructions a unit", ylabel="units a second", ylim=(0, 1.1 * special))
    figure.legend(frameon=False, loc="outside right upper")
    figure.savefig(path, dpi=150)


def instructions(scale: Scale) -> Iterator[Row]:
    """Instructions of SiLU in float32 a neuron and point, updates and padding included."""
    if simulated():
        raise ImportError("Numba's simulator has no machine code; unset NUMBA_ENABLE_CUDASIM")
    for width, points in product((1, 2, 4, 10, 20, 50), (scale.points, 16)):
        partition = partition_for(width, 1, points, "float32")
        whole = partition.slots * partition.neurons == width
        kind = Kind("silu", "float32", 1, partition, True, "adam", whole=whole)
        code, name = machine_code_of(kind), f"width {width}, {points} points"
        counted = code.a_unit(kind, width, points)
        target = ("at most 16", counted <= 16) if (width, points) == (20, 100) else ("", None)
        yield Row(name, counted, "instructions a unit", *target)
        shape = f"{partition.slots} x {partition.neurons}, {partition.splits} of {partition.leaves}"
        yield Row(
            f"  {shape} leaves, batch {partition.batch}", code.registers, "registers a thread"
        )
        uses = "uses of other memory a step"
        yield Row("  in place of registers", code.local, uses, "0", code.local == 0)


def jax(scale: Scale) -> Iterator[Row]:
    """JAX's time for a step over ours: the same nets, points and number of seeds."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from bench import jax_peer

    library = jax_peer.jax

    library.config.update(
        "jax_default_matmul_precision", "highest"
    )  # not TF32, whose ten bits are no match for losses of 1e-9
    if not simulated() and library.default_backend() != "gpu":
        raise ImportError(f"jax runs on {library.default_backend()} here")
    cases = product((scale.seeds, scale.many), JAX_TARGETS if scale != TINY else (2,))
    for seeds, width in cases:
        work = Work(ml.Config(width=width, points=scale.points), seeds, threads=1)
        steps, few = max(1, scale.timed_steps * scale.seeds // seeds), seeds == scale.seeds
        points, nodes = (
            CudaEngine(work.config, work.data),
            CompressedEngine(work.config, work.data, 1, CudaEngine),
        )
        ours = []
        for engine in (points, nodes):
            engine.start(work.parameters)
            ours.append(_seconds_a_step(engine, steps))
        for form in jax_peer.FORMS:
            peer = jax_peer.Jax(work, form, sharded=False)
            peer.start()
            peer.advance(1)
            began = time.perf_counter()
            peer.advance(steps)
            took = (time.perf_counter() - began) / steps
            least = (JAX_TARGETS[width], 30) if form == "vmap" and few else (None, None)
            for where, step, target in zip(ON.values(), ours, least, strict=True):
                yield Row(
                    f"{seeds} seeds, width {width}, JAX {form} over {where} ({1e6 * step:.3g} us)",
                    took / step,
                    "times as long",
                    "" if target is None else f"at least {target}",
                    None if target is None else took / step >= target,
                )


def million(scale: Scale) -> Iterator[Row]:
    """Whole trainings of very many nets of width 2."""
    config = ml.Config(width=2, steps=scale.steps, points=scale.points)
    for engine, target in (("compressed", 5.0), ("auto", 10.0)):
        way = {"backend": "cuda", "engine": engine, "compress": engine != "auto"}
        ml.train(config.replace(steps=min(scale.steps, 10)), 2, **way)
        began = time.perf_counter()
        ml.train(config, scale.million, **way)
        took, name = time.perf_counter() - began, f"{scale.million} nets of width 2 on {ON[engine]}"
        yield Row(name, took, "s", f"at most {target:g}", took <= target)


# With shares of the time.
SECTIONS = {
    "errors": (errors, 80),
    "sweep": (sweep, 120),
    "ceiling": (ceiling, 40),
    "instructions": (instructions, 30),
    "jax": (jax, 60),
    "million": (million, 30),
}


def main(
    sections: list[str] | None = None,
    *,
    out: FileName | None = None,
    roofline: FileName | None = None,
    force: bool = False,
    tiny: bool = False,
) -> int:
    """Measure, print a row for each figure, and write all of them to a file where one is named.

    Args:
        sections: errors,sweep,ceiling,instructions,jax,million, or some (default all)
        out: a .json file of all rows
        roofline: a .png, .pdf or .svg picture of what the section ceiling measures
        force: overwrite files that exist
        tiny: few nets and steps, to see that all of it runs
    """
    names = chosen_of("sections", sections, SECTIONS)
    path = None if out is None else check_output(out, (".json",), force)
    picture = None if roofline is None else check_output(roofline, SUFFIXES, force)
    if picture is not None and "ceiling" not in names:
        raise ConfigError(
            f"roofline={roofline!r} is a picture of the section ceiling; name that one too"
        )
    gpu = None if names == ("instructions",) else the_gpu()
    began = time.perf_counter()
    shares = [SECTIONS[name][1] for name in names]
    ends = began + SECONDS * np.cumsum(shares) / sum(shares)
    found: dict[str, Any] = {"machine": machine(gpu), "rows": {}, "left_out": {}}
    print(json.dumps(found["machine"], indent=1), flush=True)
    for name, end in zip(names, ends, strict=True):
        print(f"\n{name} (after {time.perf_counter() - began:.0f} s)", flush=True)
        rows: list[Row] = []
        try:
            for row in SECTIONS[name][0](TINY if tiny else Scale()):
                rows.append(row)
                print(row, flush=True)
                if time.perf_counter() > end:
                    raise TimeoutError("the rest, since its time is over")
        except (ImportError, TimeoutError) as error:
            found["left_out"][name] = str(error)
            print(f"left out: {error}")
        found["rows"][name] = [asdict(row) for row in rows]
        if picture is not None and name == "ceiling" and gpu is not None:
            draw_roofline(rows, gpu.processors, picture)
        if path is not None:  # after each section, so that an end by force loses one at most
            write_bytes(path, json.dumps(found, indent=1).encode())
    return int(bool(sections and found["left_out"]))


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.cuda"))
