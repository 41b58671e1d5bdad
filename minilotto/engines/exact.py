"""The engine for piecewise-linear nets of one input: exact gradients at a cost that does not depend
on the number of points.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.polynomial.polynomial import polyval
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.interface import KernelEngine, schedule_of
from minilotto.engines.packing import STANDSTILL, aligned, pack, rows_of, unpack
from minilotto.engines.piecewise import PiecewiseLosses
from minilotto.engines.state import State
from minilotto.errors import ConfigError
from minilotto.hardware.threads import run_blocks
from minilotto.initialisation import Parameters
from minilotto.kernels import piecewise_linear
from minilotto.kernels.forms import Form
from minilotto.kernels.moments import (
    GROUP,
    LAST_PLACE,
    PIECE,
    PIECE_TERMS,
    REST,
    ROW,
    WINDOW,
    Moments,
    accumulate,
    set_places,
)
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import BreakpointScratch, Nets
from minilotto.settings.activations import Activation
from minilotto.settings.config import Config

PIECEWISE_LINEAR = ("relu", "leaky_relu")
FEW_POINTS = 4096  # of more, losses come from moments too
MOST_BUCKETS = 2**16
LARGEST_PACE = 1e290  # so that no distance times it or its inverse is infinity times zero
CELLS = 128  # at least so many pieces represent a density's y
MOST_CELLS = 2**16
PIECE_ERROR = 2e-14  # of the largest |y|
POINTS = 60  # that a step of the lanes engine does in the same time


def moments_of(data: Dataset) -> Moments:
    """The cumulative moments of weighted points. Raises ConfigError for more than one input."""
    if data.inputs != 1:
        raise ConfigError(
            f"the exact engine takes one input, not {data.inputs}; use another engine"
        )
    order = np.argsort(data.x[:, 0], kind="stable")
    x, y, twice = data.x[order, 0], data.y[order], 2.0 * data.weight[order]
    sums = _accumulated(twice, twice * x, twice * x * x, twice * y, twice * x * y)
    new = np.append(True, x[1:] != x[:-1])  # one row for each distinct x
    return _table(x[new], sums[np.append(new, True)], np.empty((0, PIECE)), 0.0, -np.inf, np.inf)


def uniform_moments(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    low: float,
    high: float,
    kinks: Sequence[float] = (),
) -> Moments:
    """The cumulative moments of the population: x uniform on [low, high], y = function(x), x (P, 1)
    to y (P,), both float64.

    y becomes piecewise polynomial, of degree 7 through the Gauss-Legendre nodes of each cell. Cells
    end at the kinks and are halved until the pieces meet y within 2e-14 of its largest value, which
    leaves the moments an error of about 1e-15 of their range.

    Raises ConfigError for an empty interval, or for a y that is too rough for 65536 cells.
    """
    low, high = float(low), float(high)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ConfigError(f"the interval ({low}, {high}) is no population; give finite low < high")
    inner = [float(kink) for kink in kinks if low < kink < high]
    edges = np.unique(np.concatenate([np.linspace(low, high, CELLS + 1), inner]))
    edges, in_q = _pieces(function, edges)
    start, length = edges[:-1], np.diff(edges)
    density = 2.0 / (high - low)
    powers = np.arange(PIECE_TERMS)
    integral_y = density * length[:, None] * in_q / (powers + 1)
    integral_dy = density * length[:, None] ** 2 * in_q / (powers + 2)
    pieces = np.concatenate(
        [start[:, None], 1.0 / length[:, None], integral_y, integral_dy], axis=1
    )
    mass = density * length
    whole_y = integral_y.sum(axis=1)
    terms = [
        mass,
        mass * (start + length / 2),
        mass * (start**2 + length * (start + length / 3)),
        whole_y,
    ]
    sums = _accumulated(*terms, start * whole_y + integral_dy.sum(axis=1))
    return _table(edges[1:-1], sums[:-1], pieces, density, low, high)


def _pieces(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cells (K + 1,) that refine `edges`, and on each the coefficients (K, 8) of y in powers of q
    in [0, 1].
    """

    def y_at(q: NDArray[np.float64]) -> NDArray[np.float64]:
        x = start[:, None] + length[:, None] * q
        return function(x.reshape(-1, 1)).reshape(x.shape)

    nodes = (leggauss(PIECE_TERMS)[0] + 1) / 2
    # Not at the ends, where y may jump.
    between = np.convolve([0.0, *nodes, 1.0], [0.5, 0.5], "valid")
    done: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    start, length, total = edges[:-1], np.diff(edges), edges[-1] - edges[0]
    finest = 4 * np.spacing(np.abs(edges).max())
    size, count = 0.0, 0
    while len(start):
        y, truth = y_at(nodes), y_at(between)
        size = max(size, np.abs(y).max())
        coefficients = _interpolated(nodes, y)
        # An error counts in proportion to the length of its cell: at a jump, halving goes on until
        # the cell is negligible.
        error = np.abs(polyval(between, coefficients.T) - truth).max(axis=1)
        error *= np.minimum(1.0, CELLS * length / total)
        fine = (error <= PIECE_ERROR * size) | (length < finest)
        done.append((start[fine], coefficients[fine]))
        count += len(start)
        if count > MOST_CELLS:
            raise ConfigError(
                f"y is too rough for {MOST_CELLS} pieces of degree {PIECE_TERMS - 1}; sample it "
                "at points instead"
            )
        half = length[~fine] / 2
        start = np.concatenate([start[~fine], start[~fine] + half])
        length = np.concatenate([half, half])
    starts, found = (np.concatenate(some) for some in zip(*done, strict=True))
    order = np.argsort(starts)
    return np.append(starts[order], edges[-1]), found[order]


def _interpolated(nodes: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients (K, n) of the polynomials through y (K, n) at the nodes (n,), ascending.

    By divided differences (Bjorck and Pereyra 1970), whose errors are those of y slightly changed,
    where those of an inverted Vandermonde matrix would be its condition number larger.
    """
    coefficients: NDArray[np.float64] = y.copy()
    last = len(nodes) - 1
    for k in range(last):
        coefficients[:, k + 1 :] = np.diff(coefficients[:, k:]) / (
            nodes[k + 1 :] - nodes[: last - k]
        )
    for k in range(last - 1, -1, -1):
        coefficients[:, k:last] -= nodes[k] * coefficients[:, k + 1 :]
    return coefficients


def _accumulated(*terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows (P + 1, 8) of Moments.sums: leading parts, then the upper halves of the remainders."""
    lead, rest = np.empty((2, len(terms[0]) + 1, len(terms)))
    accumulate(np.stack(terms, axis=1), lead, rest)
    rows = aligned((len(lead), ROW), "float64")
    rows[:, : len(terms)] = lead
    upper = rest.view(np.uint64) + 2**31 >> 32  # rounded, not cut off
    rows.view(np.uint32)[:, REST : REST + len(terms)] = upper
    return rows


def _table(
    x: NDArray[np.float64],
    sums: NDArray[np.float64],
    pieces: NDArray[np.float64],
    density: float,
    low: float,
    high: float,
) -> Moments:
    """Moments with the groups and buckets in which x (U,), ascending and distinct, is searched."""
    heads = x[::GROUP]
    groups = len(heads)
    # The last group also has places for what lies beyond all x.
    ends = np.append(heads[1:], 2 * x[-1] - heads[-1])
    with np.errstate(over="ignore", divide="ignore"):
        paces = np.clip((LAST_PLACE - 1) / (ends - heads), 1 / LARGEST_PACE, LARGEST_PACE)
    padded = np.append(heads, np.full(WINDOW, np.nan))
    places = aligned((groups, GROUP), "uint16")
    places[:] = LAST_PLACE + 1
    set_places(x, padded, paces, places)
    # The greatest head is in bucket `last` or the one before, depending on rounding. Where the
    # quotient would overflow, few buckets are used.
    last = min(4 * groups, MOST_BUCKETS)
    reach = heads[-1] - heads[0]
    pace = last / reach if reach > 1 / LARGEST_PACE else 1.0
    bucket = np.minimum((heads - heads[0]) * pace, last).astype(np.int64)
    starts = np.searchsorted(bucket, np.arange(last + 3)).astype(np.uint32)
    rows = aligned(sums.shape, "float64")
    rows[:] = sums
    return Moments(
        x=np.append(x, np.full(GROUP * (groups + 1) - len(x), np.nan)),
        heads=padded,
        paces=paces,
        places=places,
        starts=starts,
        sums=rows,
        pieces=pieces,
        size=len(x),
        buckets=last + 1,
        origin=float(x[0]),
        pace=float(pace),
        density=float(density),
        low=float(low),
        high=float(high),
    )


class ExactEngine(KernelEngine):
    """Trains nets one by one with kernels/piecewise_linear.py, in float64, on the moments of the
    data or of a population.

    Parameters
    ----------
    config, data, threads
        See `Engine`. The activation is piecewise linear, the precision float64.
    moments : Moments, optional
        Such as `uniform_moments` gives, to train on in place of `data`, which still serve for
        losses.

    Raises
    ------
    ConfigError
        For an activation that is not piecewise linear, for float32, for a loss other than squares
        and for more than one input.
    """

    name = "exact"

    def __init__(
        self, config: Config, data: Dataset, threads: int, moments: Moments | None = None
    ) -> None:
        super().__init__(config, data, threads)
        if config.activation not in PIECEWISE_LINEAR:
            raise ConfigError(
                f"activation={config.activation!r} has no exact engine; choose from "
                f"{', '.join(PIECEWISE_LINEAR)}"
            )
        if config.dtype != "float64":
            raise ConfigError(
                f"dtype={config.dtype!r} is not what the exact engine trains in; use "
                "dtype='float64'"
            )
        if config.loss != "squared":
            raise ConfigError(
                f"loss={config.loss!r} is not what the exact engine trains; use another engine"
            )
        self.form = _form_of(self.activation, config.optimizer)
        self.spec = self.form.spec
        self.moments = moments or _moments_to_fit(data)
        self.many = (
            PiecewiseLosses(data) if data.points > FEW_POINTS and data.population is None else None
        )

    def resume(self, state: State) -> None:
        super().resume(state)
        self.scratch = _scratch(self.nets.theta)

    def advance(self, first: int, count: int) -> None:
        schedule = schedule_of(self.config, first, count, self.since)
        arguments = (self.form, self.config.width, self.nets, self.moments, schedule, self.scratch)
        run_blocks(piecewise_linear.train_nets, arguments, self.count, self.threads)

    def losses(self, final: bool) -> NDArray[np.float64]:
        if self.many is not None:
            return self.many(self.activation, self.parameters())
        return super().losses(final)

    def bytes_per_net(self) -> int:
        scratch = 8 * piecewise_linear.FLOATS + 4 * piecewise_linear.INTEGERS
        return 4 * 8 * rows_of(self.config.width, 1) + scratch * self.config.width

    def points_per_step(self) -> int:
        return POINTS


def _moments_to_fit(data: Dataset) -> Moments:
    if data.population is None:
        return moments_of(data)
    (low, high), *_ = data.population.domain
    return uniform_moments(data.population, low, high, data.population.kinks)


def gradients(activation: Activation, parameters: Parameters, moments: Moments) -> Parameters:
    """(dw, db, dv, dc) of the losses of R nets, shaped as (w, b, v, c), by the kernel that
    ExactEngine trains with.
    """
    form = _form_of(activation)
    count, width, _ = parameters.w.shape
    theta = pack(form.spec, parameters)
    nets = Nets(theta, *(aligned(theta.shape, "float64") for _ in range(2)))
    scratch = _scratch(theta)
    piecewise_linear.train_nets(form, width, nets, moments, STANDSTILL, scratch, 0, count)
    return unpack(form.spec, scratch.gradient, count, width)


def _form_of(activation: Activation, optimizer: str = "adam") -> Form:
    spec = Spec(activation.name, "float64", 1, 1, optimizer=optimizer)
    return Form(spec, activation.parameter)


def _scratch(theta: NDArray[np.float64]) -> BreakpointScratch:
    """Scratch for nets theta (R, 3 N + 1), with the integers as train_nets takes them at first."""
    nets, width = len(theta), theta.shape[1] // 3
    integers = np.zeros((nets, piecewise_linear.INTEGERS * width), np.uint32)
    integers[:, :width] = np.arange(width)
    floats = np.empty((nets, piecewise_linear.FLOATS * width))
    return BreakpointScratch(aligned(theta.shape, "float64"), floats, integers)
