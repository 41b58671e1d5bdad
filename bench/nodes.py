"""How many nodes a training needs: `python -m bench.nodes [--out nodes.png]`, `--times` or
`--inputs 2`.

4000 noisy points are compressed to K nodes; loss and gradient on the nodes are compared with those
on the points, in every coordinate, as the audits of a training do: in units of the sum of the
absolute terms. Nets are taken before and after the paper's training. The figures follow from
arithmetic alone and are the same on every machine, to rounding.

`--times`: CPU time of the paper's trainings, whose nets have fewer nodes after later audits, over
that of trainings where they have not. Of two inputs: how much less CPU time figure 8's trainings
take on nodes than on their 1000 points.
"""

import sys
import time
from pathlib import Path

import numpy as np

import minilotto as ml
from bench.command import run_command
from minilotto.cli.arguments import FileName
from minilotto.data.dataset import Dataset, given, sampled
from minilotto.data.quadrature import compress
from minilotto.engines.compressed import FEWER_FROM, NODE_LEVELS, TOLERANCE, CompressedEngine
from minilotto.errors import ConfigError
from minilotto.files import check_output
from minilotto.initialisation import initial_parameters
from minilotto.settings.arrays import Ints

WIDTHS, PRODUCT_WIDTHS = (2, 20, 200), (2, 3, 10, 20, 50)
TIMED_WIDTHS = (1, 2, 4, 10, 20, 50)
NODES = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
POINTS = 4000
COLOURS = {2: "#0072b2", 20: "#d55e00", 200: "#009e73"}  # one a width
Curves = dict[tuple[int, str], list[float]]


def noisy_square() -> Dataset:
    """Uniform x on [-2, 2], y = x^2 with noise of standard deviation 0.1."""
    random = np.random.default_rng(POINTS)
    x = random.uniform(-2, 2, POINTS)
    return given(x, x * x + 0.1 * random.normal(size=POINTS))


def measure(seeds: int, steps: int) -> Curves:
    """{(width, when): worst difference over all nets for each number of NODES}."""
    data, curves = noisy_square(), {}
    rules = [compress(data, nodes) for nodes in NODES]
    for width in WIDTHS:
        config = ml.Config(width=width, steps=steps)
        engine = CompressedEngine(config, data, threads=1)
        trained = ml.train(config, seeds=seeds, data=data).parameters
        for when, nets in (
            ("before", initial_parameters(config, 1, np.arange(seeds))),
            ("after", trained),
        ):
            curves[width, when] = [
                float(engine._differences(nets, rule, data).max()) for rule in rules
            ]
    return curves


def table(curves: Curves) -> str:
    """Markdown: a row a number of nodes."""
    lines = ["| nodes | " + " | ".join(f"width {width}, {when}" for width, when in curves) + " |"]
    lines.append("|---:|" + "---:|" * len(curves))
    lines += [
        f"| {nodes} | " + " | ".join(f"{curve[k]:.1e}" for curve in curves.values()) + " |"
        for k, nodes in enumerate(NODES)
    ]
    return "\n".join(lines)


def draw(curves: Curves, path: Path) -> None:
    """Worst difference against nodes, and what audits tolerate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    for (width, when), curve in curves.items():
        line = {"before": "--", "after": "-"}[when]
        ax.semilogy(
            NODES,
            curve,
            line,
            color=COLOURS[width],
            marker="o",
            markersize=3,
            label=f"width {width}, {when} training",
        )
    for dtype, bound in TOLERANCE.items():
        ax.axhline(bound, color="0.6", linewidth=0.8)
        ax.annotate(
            f"audits in {dtype}",
            (NODES[-1], bound),
            color="0.4",
            fontsize=8,
            ha="right",
            va="bottom",
        )
    ax.set(
        xlabel="nodes K",
        ylabel="largest difference / sum of absolute terms",
        title=f"{POINTS} noisy points",
    )
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _row(width: int, ratio: float, nodes: Ints) -> None:
    quartiles = ", ".join(f"{quartile:.0f}" for quartile in np.quantile(nodes, (0.25, 0.5, 0.75)))
    print(f"| {width} | {ratio:.2f} | {quartiles} |", flush=True)


def of_fewer_nodes(seeds: int, steps: int) -> None:
    """Print a Markdown table for each precision: a row a width, with the nodes of the last step."""
    usual = FEWER_FROM[1]
    for dtype in ("float32", "float64"):
        print(f"\n| width, {dtype} | CPU time with fewer nodes / without | nodes: quartiles |")
        print("|---:|---:|---|")
        for width in TIMED_WIDTHS:
            config, took = ml.Config(width=width, dtype=dtype, steps=steps), {}
            for begin in (steps, usual, steps, usual):
                FEWER_FROM[1] = begin
                began = time.process_time()
                nets = ml.train(config, seeds, engine="compressed", threads=1)
                took.setdefault(begin, []).append(time.process_time() - began)
            _row(width, min(took[usual]) / min(took[steps]), nets.nodes)


def of_two_inputs(seeds: int, steps: int) -> None:
    """Print a Markdown table: a row a width, with the nodes of the last steps."""
    print("| width | CPU time on points / on nodes | nodes: quartiles |\n|---:|---:|---|")
    for width in PRODUCT_WIDTHS:
        config = ml.Config(
            task="product2", sampling="uniform", points=1000, width=width, steps=steps
        )
        took = {}
        for nodes in NODE_LEVELS[2]["float32"]:  # made once, and kept
            compress(sampled(config), nodes)
        for engine in ("compressed", "lanes"):
            ml.train(config.replace(steps=1), seeds=16, engine=engine, threads=1)  # compiles
        for compress_to in (False, True):
            engine, began = "compressed" if compress_to else "lanes", time.process_time()
            nets = ml.train(config, seeds, engine=engine, compress=compress_to, threads=1)
            took[compress_to] = time.process_time() - began
        _row(width, took[False] / took[True], nets.nodes)


def main(
    *,
    seeds: int = 64,
    steps: int = 50_000,
    inputs: int = 1,
    times: bool = False,
    out: FileName | None = None,
    force: bool = False,
) -> None:
    """Print a table of the worst differences, and draw it where `out` names a picture, which
    `force` overwrites; or `times`, of two `inputs` always.
    """
    if inputs not in (1, 2) or (out and (times or inputs == 2)):
        raise ConfigError(
            f"inputs={inputs}, times={times} with out={out}; give inputs=1, or no picture"
        )
    if inputs == 2:
        return of_two_inputs(seeds, steps)
    if times:
        return of_fewer_nodes(seeds, steps)
    picture = check_output(out, (".png",), force) if out else None
    curves = measure(seeds, steps)
    print(
        f"Largest difference over {seeds} nets, loss and gradient, {POINTS} points against K "
        "nodes\n"
    )
    print(table(curves))
    if picture:
        draw(curves, picture)


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.nodes"))
