"""Few seeds of many neurons: one lane is one neuron, and threads share a net or take one each.

A net's parameters lie as D + 2 rows of M numbers, `theta` (S,): the D weights w, then b, then v of
all neurons, and behind them c, alone at (D + 2) M. M is the width N rounded up to whole vectors.
The neurons beyond N are unused: their parameters are zero, so that with v = 0 they add exactly
nothing, and are set to zero again after each step. Gradient and the optimiser's m and s lie in the
same order.

Neurons form tiles, which depend on N alone. A step has two parts:

    settle   outputs f_p = c + the sums of the tiles, in the order of tiles; residuals; step of c
    work     per tile: gradient of its neurons, their step, and with the new parameters its sums
             sum_i v_i sigma(w_i x_p + b_i)

so threads synchronise once a step. The second half of a step is the first half of the next: a chunk
of n steps has n + 1 rounds of work, the first without gradients and the last without sums. Every
thread computes the same for a tile, in the same order, so neither threads nor chunks of steps nor
other seeds change a bit. Vectors have 64 bytes on every CPU (LLVM splits them where registers are
shorter), so the CPU's vector width changes none either.

Values and slopes that the sums needed are needed again for the gradient. Those of the first vectors
of each tile stay in a thread's second-level cache. Those of the others are computed again, to the
same bits, which takes less time than loading them from the third-level cache.

The points come from `engines.packing.training_arrays`; see structures.py for the arguments.
"""

import numpy as np
from numba import prange

from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import input_unit, loss_and_residual, output_unit, value_and_slope
from minilotto.kernels.simd import fma, like, sum_of_lanes
from minilotto.kernels.spec import (
    add_each_product,
    add_products,
    inputs_of,
    lanes_of,
    load,
    load_each,
    spread,
    store,
    zero,
    zero_each,
)
from minilotto.kernels.structures import (
    Nets,
    NeuronScratch,
    coefficients_of,
    step_lanes,
    step_number,
)
from minilotto.kernels.subnormals import flush_subnormals, restore_mode

VECTOR_BYTES = 64
VECTORS_IN_TILE = 16  # and fewer than twice as many, unless the net has fewer


def tile_count(vectors: int) -> int:
    """Tiles of a net of that many vectors: a power of two, which 2, 4 or 8 threads divide."""
    return 1 << max(0, (vectors // VECTORS_IN_TILE).bit_length() - 1)


@kernel(inline="always")
def _neurons_of(spec, tile, tiles, padded):
    """First neuron of a tile and of the next one. Tiles differ by one vector at most."""
    lanes = lanes_of(spec)
    vectors = padded // lanes
    return tile * vectors // tiles * lanes, (tile + 1) * vectors // tiles * lanes


@kernel(inline="always")
def _to_units(spec, theta, scaled, begin, end, padded):
    """Write the neurons' rows of `scaled`."""
    inputs = inputs_of(spec)
    inward, outward = like(zero(spec), 1.0 / input_unit(spec)), like(zero(spec), output_unit(spec))
    for row in range(inputs + 2):
        unit = inward if row <= inputs else outward
        for at in range(row * padded + begin, row * padded + end, lanes_of(spec)):
            store(scaled, at, load(spec, theta, at) * unit)


@kernel(inline="always")
def _two_points(form, scaled, padded, at, x, p):
    """(value, slope, value, slope) of one vector of neurons at points p and p + 1."""
    spec, parameter = form
    inputs = inputs_of(spec)
    w, b = load_each(spec, scaled, at, padded), load(spec, scaled, inputs * padded + at)
    value0, slope0 = value_and_slope(spec, add_products(spec, b, w, x, p * inputs), parameter)
    value1, slope1 = value_and_slope(spec, add_products(spec, b, w, x, (p + 1) * inputs), parameter)
    return value0, slope0, value1, slope1


@kernel(inline="always")
def _add_outputs(form, scaled, begin, kept, end, padded, x, points, sums, activations, slot):
    """Write sums[p] = sum v sigma(w x_p + b) over the neurons, and activations of those before
    `kept` from `slot` on.
    """
    spec, _ = form
    lanes = lanes_of(spec)
    v_row = (inputs_of(spec) + 1) * padded
    for p in range(0, points, 2):
        f0, f1 = zero(spec), zero(spec)
        for at in range(begin, kept, lanes):
            value0, slope0, value1, slope1 = _two_points(form, scaled, padded, at, x, p)
            v, here = load(spec, scaled, v_row + at), slot + 2 * ((at - begin) * points + p * lanes)
            f0, f1 = fma(v, value0, f0), fma(v, value1, f1)
            store(activations, here, value0)
            store(activations, here + lanes, slope0)
            store(activations, here + 2 * lanes, value1)
            store(activations, here + 3 * lanes, slope1)
        for at in range(kept, end, lanes):
            value0, _, value1, _ = _two_points(form, scaled, padded, at, x, p)
            v = load(spec, scaled, v_row + at)
            f0, f1 = fma(v, value0, f0), fma(v, value1, f1)
        sums[p], sums[p + 1] = sum_of_lanes(f0), sum_of_lanes(f1)


@kernel(inline="always")
def _write_gradient(form, theta, scratch, begin, kept, end, padded, x, points, activations, slot):
    """Write the neurons' rows of the gradient, from residuals and what `_add_outputs` kept."""
    spec, _ = form
    scaled, gradient, residuals = scratch.scaled, scratch.gradient, scratch.residuals
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    moments = residuals.size // (inputs + 1)
    outward = like(zero(spec), output_unit(spec))
    for at in range(begin, end, lanes):
        dw, db, dv = zero_each(spec), zero(spec), zero(spec)
        for p in range(0, points, 2):
            if at < kept:
                here = slot + 2 * ((at - begin) * points + p * lanes)
                value0 = load(spec, activations, here)
                slope0 = load(spec, activations, here + lanes)
                value1 = load(spec, activations, here + 2 * lanes)
                slope1 = load(spec, activations, here + 3 * lanes)
            else:
                value0, slope0, value1, slope1 = _two_points(form, scaled, padded, at, x, p)
            r0, r1 = spread(spec, residuals, p), spread(spec, residuals, p + 1)
            dw = add_each_product(spec, dw, slope0, residuals, moments + p * inputs)
            dw = add_each_product(spec, dw, slope1, residuals, moments + (p + 1) * inputs)
            db = fma(slope1, r1, fma(slope0, r0, db))
            dv = fma(value1, r1, fma(value0, r0, dv))
        v = load(spec, theta, (inputs + 1) * padded + at)
        for d in range(inputs):
            store(gradient, d * padded + at, dw[d] * v)
        store(gradient, inputs * padded + at, db * v)
        store(gradient, (inputs + 1) * padded + at, dv * outward)


@kernel(inline="always")
def _step(spec, width, nets, gradient, begin, end, padded, coefficients):
    """One step of the neurons. The unused ones, which may have a gradient for v, return to zero."""
    for row in range(inputs_of(spec) + 2):
        for at in range(row * padded + begin, row * padded + end, lanes_of(spec)):
            step_lanes(spec, nets, load(spec, gradient, at), at, coefficients)
        for neuron in range(max(begin, width), end):
            nets.theta[row * padded + neuron] = 0.0


@kernel(inline="always")
def _write_residuals(spec, theta, points, residuals, sums, gradient):
    """Write residuals, and dc into `gradient`."""
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    x, y, slope_weight = points
    last, moments = theta.size - lanes, sums.shape[1]
    for p in range(0, moments, lanes):
        f = load(spec, sums[0], p)
        for tile in range(1, sums.shape[0]):
            f = f + load(spec, sums[tile], p)
        store(residuals, p, f)
    dc = residuals.dtype.type(0.0)
    for p in range(y.size):
        _, r = loss_and_residual(spec, residuals[p] + theta[last], y[p])
        r = r * slope_weight[p]
        residuals[p] = r
        dc += r
        for d in range(inputs):
            residuals[moments + p * inputs + d] = r * x[p * inputs + d]
    gradient[last] = dc


@kernel()
def _settle(spec, nets, points, schedule, scratch, step):
    """Residuals of step `step`, and the step of c."""
    mode = flush_subnormals(schedule.flush)
    gradient = scratch.gradient
    _write_residuals(spec, nets.theta, points, scratch.residuals, scratch.sums, gradient)
    last = nets.theta.size - lanes_of(spec)
    step_number(spec, nets, gradient, last, coefficients_of(schedule, step))
    restore_mode(mode)


@kernel()
def _work(form, width, nets, points, schedule, scratch, round_, part, parts):
    """One of `parts` parts of the tiles in a round of a chunk of steps: gradient and step in all
    but the first, sums in all but the last.
    """
    mode = flush_subnormals(schedule.flush)
    spec, _ = form
    theta, x, size = nets.theta, points.x, points.y.size
    lanes, tiles = lanes_of(spec), scratch.sums.shape[0]
    padded = (theta.size - lanes) // (inputs_of(spec) + 2)
    most_tiles = -(-tiles // parts)  # of any part
    kept_neurons = scratch.activations.shape[1] // most_tiles // (2 * size * lanes) * lanes
    start = part * tiles // parts
    own = scratch.activations[part]
    for tile in range(start, (part + 1) * tiles // parts):
        begin, end = _neurons_of(spec, tile, tiles, padded)
        kept, slot = min(begin + kept_neurons, end), (tile - start) * kept_neurons * 2 * size
        if round_ > 0:
            _write_gradient(form, theta, scratch, begin, kept, end, padded, x, size, own, slot)
            k = coefficients_of(schedule, round_ - 1)
            _step(spec, width, nets, scratch.gradient, begin, end, padded, k)
        if round_ < schedule.lr.size:
            scaled, sums = scratch.scaled, scratch.sums[tile]
            _to_units(spec, theta, scaled, begin, end, padded)
            _add_outputs(form, scaled, begin, kept, end, padded, x, size, sums, own, slot)
    restore_mode(mode)


@kernel()
def train_net(form, width, nets, points, schedule, scratch):
    """Train one net for the steps of the schedule, in place, in this thread. The tiles form as many
    parts as `activations` has rows.
    """
    spec, _ = form
    parts = scratch.activations.shape[0]
    for round_ in range(schedule.lr.size + 1):
        if round_ > 0:
            _settle(spec, nets, points, schedule, scratch, round_ - 1)
        for part in range(parts):
            _work(form, width, nets, points, schedule, scratch, round_, part, parts)


# The index of a parallel loop is unsigned; passed on like that, it would make Numba compile _work a
# second time.
@kernel(parallel=True)
def train_net_in_threads(form, width, nets, points, schedule, scratch):
    """train_net, with a thread for each part."""
    spec, _ = form
    parts = scratch.activations.shape[0]
    for round_ in range(schedule.lr.size + 1):
        if round_ > 0:
            _settle(spec, nets, points, schedule, scratch, round_ - 1)
        for part in prange(parts):
            _work(form, width, nets, points, schedule, scratch, round_, np.intp(part), parts)


@kernel()
def train_blocks(form, width, nets, points, schedule, scratch, begin, end):
    """Train blocks `begin` to `end` - 1 of the nets, each net in this thread.

    Arrays of `nets` have a leading axis of nets, those of `scratch` one of blocks.
    """
    count, blocks = nets.theta.shape[0], scratch.scaled.shape[0]
    for block in range(begin, end):
        own = NeuronScratch(
            scratch.scaled[block],
            scratch.gradient[block],
            scratch.residuals[block],
            scratch.sums[block],
            scratch.activations[block : block + 1],
        )
        for i in range(block * count // blocks, (block + 1) * count // blocks):
            net = Nets(nets.theta[i], nets.m[i], nets.s[i])
            train_net(form, width, net, points, schedule, own)
