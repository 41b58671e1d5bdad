"""What was measured, as text for a terminal, Markdown for a README, or JSON."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from bench.cost import Cost, DeepCost, FmaSpeed
from bench.speed import Spread, Timing, cores_had, fastest, ratio
from bench.startup import Figure

UNDISTURBED = 0.95  # of its threads' cores, that minilotto must have had
COUNT_TARGET = 1.3  # times the FMAs counted, of several hidden layers
DOUBLE_TARGET = 2.6  # seconds per unit of float64 over float32


@dataclass(frozen=True)
class Report:
    """Everything that one run measured; lists are empty for sections that were left out."""

    machine: dict[str, Any]
    timings: list[Timing]
    fma_speeds: list[FmaSpeed]
    costs: list[Cost]
    figures: list[Figure]
    deep: list[DeepCost] = field(default_factory=list)


def fma_target(width: int) -> int:
    """Vector FMAs per unit-vector that a float32 SiLU may cost at most."""
    return 43 if width == 1 else 36 if width < 10 else 27


def machine_line(machine: dict[str, Any]) -> str:
    """CPU, threads, load and versions in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['threads']} threads, load average before "
        f"{machine['load']:.2f}; {versions}"
    )


def disturbance(machine: dict[str, Any], timings: list[Timing]) -> list[str]:
    """A warning where others used the machine meanwhile. Then ratios say little: a thread that
    spins while it waits for another, as OpenMP's do in torch, waits for whole time slices, which
    makes narrow nets up to a hundred times slower.
    """
    cores, threads = cores_had(timings), machine["threads"]
    if not cores < UNDISTURBED * threads:
        return []
    return [
        f"DISTURBED: minilotto had {cores:.2f} of {threads} cores. Others were using this "
        "machine; the ratios are not to be "
        "trusted, torch's least of all. Run again when it is idle."
    ]


def _columns(rows: list[list[str]]) -> str:
    """Rows under each other, the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        for row in rows
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _pipes(rows: list[list[str]]) -> str:
    """Rows as a Markdown table, the first of them the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---:|" * len(rows[0]), *lines[1:]])


def _spread(spread: Spread, digits: int = 2) -> str:
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def speed_rows(timings: list[Timing]) -> list[list[str]]:
    """A row a width: minilotto's ns per unit, and how many times longer each opponent takes.

    Both are given twice: for the engine on every point, and for what `train` does by itself.
    Opponents are JAX as one writes it first, a vmap, and the fastest ways of JAX and of torch.
    """
    opponents = {
        "JAX, vmap": lambda width: _named(timings, width, "JAX", "vmap"),
        "JAX, fastest": lambda width: fastest(timings, width, "JAX"),
        "torch, fastest": lambda width: fastest(timings, width, "torch"),
    }
    opponents = {
        name: at
        for name, at in opponents.items()
        if any(t.family == name.split(",")[0] for t in timings)
    }
    rows = [
        [
            "width",
            "ns per unit: every point",
            "ns per unit: as trained",
            *(f"{name} takes times longer" for name in opponents),
        ]
    ]
    for width in sorted({t.width for t in timings}):
        ours = [fastest(timings, width, family) for family in ("minilotto", "train")]
        cells = [
            str(width),
            *("" if t is None else _spread(Spread.of(t.nanoseconds), 3) for t in ours),
        ]
        for at in opponents.values():
            peer = at(width)
            ratios = [
                f"{ratio(peer, t).median:.3g}" for t in ours if peer is not None and t is not None
            ]
            cells.append(" / ".join(ratios) + ("" if peer is None else f" ({peer.way})"))
        rows.append(cells)
    return rows


def _named(timings: list[Timing], width: int, family: str, way: str) -> Timing | None:
    """The fastest of the ways whose names begin so, be it from its trial alone."""
    ways = [t for t in timings if (t.width, t.family) == (width, family) and t.way.startswith(way)]
    return min(ways, key=lambda t: t.median, default=None)


def way_rows(timings: list[Timing]) -> list[list[str]]:
    """ns per unit of every way at every width; a star marks those that a trial found too slow to
    time in the rounds.
    """
    widths = sorted({t.width for t in timings})
    ways = dict.fromkeys((t.family, t.way) for t in timings)
    found = {
        (t.family, t.way, t.width): f"{t.median:.3g}{'*' if t.trial_only else ''}" for t in timings
    }
    return [["ns per unit at width", *map(str, widths)]] + [
        [f"{family}, {way}", *(found.get((family, way, width), "-") for width in widths)]
        for family, way in ways
    ]


def cost_rows(costs: list[Cost]) -> list[list[str]]:
    """Vector FMAs per unit-vector in both precisions, and float64's time per unit over float32's,
    beside their targets.
    """
    rows = [
        [
            "activation",
            "width",
            "float32: FMAs",
            "at most",
            "float64: FMAs",
            "float64/float32 time",
            "at most",
        ]
    ]
    doubles = {(cost.activation, cost.width): cost for cost in costs if cost.dtype == "float64"}
    for single in (cost for cost in costs if cost.dtype == "float32"):
        double = doubles[single.activation, single.width]
        silu = single.activation == "silu"
        rows.append(
            [
                single.activation,
                str(single.width),
                _spread(single.fmas, 1),
                str(fma_target(single.width)) if silu else "",
                _spread(double.fmas, 1),
                "" if double.over_single is None else _spread(double.over_single),
                str(DOUBLE_TARGET) if silu else "",
            ]
        )
    return rows


def deep_rows(costs: list[DeepCost]) -> list[list[str]]:
    """Vector FMAs at one point of a step of one net, measured and counted."""
    head = ["width", "depth", "dtype", "measured", "counted", "measured/counted", "at most"]
    return [head] + [
        [
            str(one.width),
            str(one.depth),
            one.dtype,
            _spread(one.fmas, 0),
            f"{one.counted:.0f}",
            _spread(one.over_counted),
            str(COUNT_TARGET),
        ]
        for one in costs
    ]


def figure_rows(figures: list[Figure]) -> list[list[str]]:
    """Cold start and memory beside their targets."""
    return [["cold start", "measured", "at most"]] + [
        [f.what, f"{f.value:.3g} {f.unit}", f"{f.target:g} {f.unit}"] for f in figures
    ]


def _sections(report: Report, table) -> list[str]:
    parts = [machine_line(report.machine)]
    if report.timings:
        parts += disturbance(report.machine, report.timings)
        parts += [
            "Training (medians over rounds, quartiles in brackets)",
            table(speed_rows(report.timings)),
        ]
        parts += ["Every way (* trial only)", table(way_rows(report.timings))]
    if report.costs:
        parts += [
            "Kernel cost on one thread, in vector FMAs per unit-vector",
            table(cost_rows(report.costs)),
        ]
        parts += [_fma_line(speed) for speed in report.fma_speeds]
    if report.deep:
        parts += [
            "Several hidden layers on one thread, in vector FMAs a point, step and vector of nets",
            table(deep_rows(report.deep)),
        ]
    if report.figures:
        parts.append(table(figure_rows(report.figures)))
    return parts


def _fma_line(speed: FmaSpeed) -> str:
    return (
        f"One {speed.dtype} vector FMA takes {_spread(speed.nanoseconds, 3)} ns; one that waits "
        "for the last takes "
        f"{_spread(speed.chain, 1)} times longer (latency in cycles times FMAs a cycle: 8 where "
        "they are 4 and 2)."
    )


def as_text(report: Report) -> str:
    """For a terminal."""
    return "\n\n".join(_sections(report, _columns))


def as_markdown(report: Report) -> str:
    """For a README."""
    return "\n\n".join(_sections(report, _pipes)) + "\n"


def as_json(report: Report) -> str:
    """Every figure of every round."""
    return json.dumps(dataclasses.asdict(report), indent=1) + "\n"
