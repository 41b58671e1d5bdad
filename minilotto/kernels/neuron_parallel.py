"""Few seeds of many neurons: one lane is one neuron, and threads share a net or take one each.

A net's parameters lie as D + 2 rows of M numbers, `theta` (S,): the D weights w, then b, then v of
all neurons, and behind them c, alone at (D + 2) M. M is the width N rounded up to whole vectors;
the neurons beyond N are dead: their parameters are zero, so that with v = 0 they add exactly
nothing, and are put back to zero after each step. Gradient and Adam's moments lie in the same
order.

Neurons come in chunks that depend on N alone. A step has two parts:

    settle   outputs f_p = c + the chunks' sums, in the order of chunks; residuals; Adam for c
    work     per chunk: gradient of its neurons, Adam, and its sums sum_i v_i sigma(w_i x_p + b_i)
             with the new parameters

so threads meet once a step. A step's second half is thus the first half of the next: a stretch of n
steps has n + 1 rounds of work, the first without gradients and the last without sums. Whoever works
on a chunk computes the same, in the same order: neither threads nor stretches nor other seeds
change a bit. Vectors are of 64 bytes on every CPU (LLVM splits them where registers are shorter),
so neither does the CPU's vector width.

Values and slopes that the sums needed are needed again for the gradient. Those of `kept` vectors of
each chunk wait in a thread's second-level cache; those of the others are computed once more, to the
same bits, which takes less time than a third-level cache.

The data come as x (P * D,), y (P,) and slope_weight (P,) with P even, from
`layout.training_arrays`. Arguments:

    net       theta, first, second: (S,) each
    data      x, y, slope_weight
    schedule  rates (steps,), corrections (steps,)
    constants beta1, beta2, epsilon
    scratch   scaled (S,)           theta with w, b over the activation's input unit and v times its
              output unit gradient (S,) residuals ((D + 1) Q,)  r_p = 2 weight_p (f_p - y_p) (or the
              slope of another loss) from 0 on, r_p x_p from Q on; Q is P rounded up to whole
              vectors sums (chunks, Q) activations (shares, size)  value and slope of two points and
              one vector after the other
"""

import numpy as np
from numba import prange

from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import (
    adam_update,
    input_unit,
    loss_and_residual,
    output_unit,
    value_and_slope,
)
from minilotto.kernels.simd import flush_subnormals, fma, like, restore_mode, sum_of_lanes
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

VECTOR_BYTES = 64
VECTORS_IN_CHUNK = 16  # and fewer than twice as many, unless the net has fewer


def chunk_count(vectors: int) -> int:
    """Chunks of a net of that many vectors: a power of two, which two, four or eight threads share
    evenly.
    """
    return 1 << max(0, (vectors // VECTORS_IN_CHUNK).bit_length() - 1)


@kernel(inline="always")
def _neurons_of(kind, chunk, chunks, padded):
    """First neuron of a chunk and first one behind it. Sizes of chunks differ by one vector at
    most.
    """
    lanes = lanes_of(kind)
    vectors = padded // lanes
    return chunk * vectors // chunks * lanes, (chunk + 1) * vectors // chunks * lanes


@kernel(inline="always")
def _to_units(kind, theta, scaled, begin, end, padded):
    """Write the neurons' rows of `scaled`."""
    inputs = inputs_of(kind)
    inward, outward = like(zero(kind), 1.0 / input_unit(kind)), like(zero(kind), output_unit(kind))
    for row in range(inputs + 2):
        unit = inward if row <= inputs else outward
        for at in range(row * padded + begin, row * padded + end, lanes_of(kind)):
            store(scaled, at, load(kind, theta, at) * unit)


@kernel(inline="always")
def _two_points(kind, parameter, scaled, padded, at, x, p):
    """(value, slope, value, slope) of one vector of neurons at points p and p + 1."""
    inputs = inputs_of(kind)
    w, b = load_each(kind, scaled, at, padded), load(kind, scaled, inputs * padded + at)
    value0, slope0 = value_and_slope(kind, add_products(kind, b, w, x, p * inputs), parameter)
    value1, slope1 = value_and_slope(kind, add_products(kind, b, w, x, (p + 1) * inputs), parameter)
    return value0, slope0, value1, slope1


@kernel(inline="always")
def _add_outputs(
    kind, parameter, scaled, begin, kept, end, padded, x, points, sums, activations, slot
):
    """Write sums[p] = sum v sigma(w x_p + b) over the neurons, and activations of those before
    `kept` from `slot` on.
    """
    lanes = lanes_of(kind)
    v_row = (inputs_of(kind) + 1) * padded
    for p in range(0, points, 2):
        f0, f1 = zero(kind), zero(kind)
        for at in range(begin, kept, lanes):
            value0, slope0, value1, slope1 = _two_points(kind, parameter, scaled, padded, at, x, p)
            v, here = load(kind, scaled, v_row + at), slot + 2 * ((at - begin) * points + p * lanes)
            f0, f1 = fma(v, value0, f0), fma(v, value1, f1)
            store(activations, here, value0)
            store(activations, here + lanes, slope0)
            store(activations, here + 2 * lanes, value1)
            store(activations, here + 3 * lanes, slope1)
        for at in range(kept, end, lanes):
            value0, _, value1, _ = _two_points(kind, parameter, scaled, padded, at, x, p)
            v = load(kind, scaled, v_row + at)
            f0, f1 = fma(v, value0, f0), fma(v, value1, f1)
        sums[p], sums[p + 1] = sum_of_lanes(f0), sum_of_lanes(f1)


@kernel(inline="always")
def _write_gradient(
    kind,
    parameter,
    theta,
    scaled,
    gradient,
    begin,
    kept,
    end,
    padded,
    x,
    points,
    residuals,
    activations,
    slot,
):
    """Write the neurons' rows of `gradient`, from residuals and the activations that `_add_outputs`
    left.
    """
    lanes, inputs = lanes_of(kind), inputs_of(kind)
    moments = residuals.size // (inputs + 1)
    outward = like(zero(kind), output_unit(kind))
    for at in range(begin, end, lanes):
        dw, db, dv = zero_each(kind), zero(kind), zero(kind)
        for p in range(0, points, 2):
            if at < kept:
                here = slot + 2 * ((at - begin) * points + p * lanes)
                value0, slope0 = (
                    load(kind, activations, here),
                    load(kind, activations, here + lanes),
                )
                value1, slope1 = (
                    load(kind, activations, here + 2 * lanes),
                    load(kind, activations, here + 3 * lanes),
                )
            else:
                value0, slope0, value1, slope1 = _two_points(
                    kind, parameter, scaled, padded, at, x, p
                )
            r0, r1 = spread(kind, residuals, p), spread(kind, residuals, p + 1)
            dw = add_each_product(kind, dw, slope0, residuals, moments + p * inputs)
            dw = add_each_product(kind, dw, slope1, residuals, moments + (p + 1) * inputs)
            db = fma(slope1, r1, fma(slope0, r0, db))
            dv = fma(value1, r1, fma(value0, r0, dv))
        v = load(kind, theta, (inputs + 1) * padded + at)
        for d in range(inputs):
            store(gradient, d * padded + at, dw[d] * v)
        store(gradient, inputs * padded + at, db * v)
        store(gradient, (inputs + 1) * padded + at, dv * outward)


@kernel(inline="always")
def _adam(kind, width, net, gradient, begin, end, padded, rate, correction, constants):
    """One Adam step of the neurons. The dead ones, which may have a gradient for v, return to zero."""
    theta, first, second = net
    beta1, beta2, epsilon = constants
    for row in range(inputs_of(kind) + 2):
        for at in range(row * padded + begin, row * padded + end, lanes_of(kind)):
            moved, m, s = adam_update(
                load(kind, theta, at),
                load(kind, first, at),
                load(kind, second, at),
                load(kind, gradient, at),
                rate,
                correction,
                beta1,
                beta2,
                epsilon,
            )
            store(theta, at, moved)
            store(first, at, m)
            store(second, at, s)
        for neuron in range(max(begin, width), end):
            theta[row * padded + neuron] = 0.0


@kernel(inline="always")
def _write_residuals(kind, theta, data, residuals, sums, gradient):
    """Write residuals, and dc into `gradient`."""
    lanes, inputs = lanes_of(kind), inputs_of(kind)
    x, y, slope_weight = data
    last, moments = theta.size - lanes, sums.shape[1]
    for p in range(0, moments, lanes):
        f = load(kind, sums[0], p)
        for chunk in range(1, sums.shape[0]):
            f = f + load(kind, sums[chunk], p)
        store(residuals, p, f)
    dc = residuals.dtype.type(0.0)
    for p in range(y.size):
        _, r = loss_and_residual(kind, residuals[p] + theta[last], y[p])
        r = r * slope_weight[p]
        residuals[p] = r
        dc += r
        for d in range(inputs):
            residuals[moments + p * inputs + d] = r * x[p * inputs + d]
    gradient[last] = dc


@kernel()
def _settle(kind, net, data, schedule, constants, flush, scratch, step):
    """Residuals of step `step` - 1, and Adam for c."""
    mode = flush_subnormals(flush)
    theta, first, second = net
    rates, corrections = schedule
    beta1, beta2, epsilon = constants
    _, gradient, residuals, sums, _ = scratch
    _write_residuals(kind, theta, data, residuals, sums, gradient)
    c = theta.size - lanes_of(kind)
    theta[c], first[c], second[c] = adam_update(
        theta[c],
        first[c],
        second[c],
        gradient[c],
        rates[step - 1],
        corrections[step - 1],
        beta1,
        beta2,
        epsilon,
    )
    restore_mode(mode)


@kernel()
def _work(
    kind, parameter, width, net, data, schedule, constants, flush, scratch, step, share, shares
):
    """A share of the chunks in round `step` of a stretch: gradient and Adam in all but the first,
    sums in all but the last.
    """
    mode = flush_subnormals(flush)
    theta, _, _ = net
    x, y, _ = data
    rates, corrections = schedule
    scaled, gradient, residuals, sums, activations = scratch
    lanes, points, chunks = lanes_of(kind), y.size, sums.shape[0]
    padded = (theta.size - lanes) // (inputs_of(kind) + 2)
    most_chunks = -(-chunks // shares)  # that any share has
    kept_neurons = activations.shape[1] // most_chunks // (2 * points * lanes) * lanes
    start = share * chunks // shares
    for chunk in range(start, (share + 1) * chunks // shares):
        begin, end = _neurons_of(kind, chunk, chunks, padded)
        kept, slot = min(begin + kept_neurons, end), (chunk - start) * kept_neurons * 2 * points
        mine = activations[share]
        if step > 0:
            _write_gradient(
                kind,
                parameter,
                theta,
                scaled,
                gradient,
                begin,
                kept,
                end,
                padded,
                x,
                points,
                residuals,
                mine,
                slot,
            )
            _adam(
                kind,
                width,
                net,
                gradient,
                begin,
                end,
                padded,
                rates[step - 1],
                corrections[step - 1],
                constants,
            )
        if step < rates.size:
            _to_units(kind, theta, scaled, begin, end, padded)
            _add_outputs(
                kind,
                parameter,
                scaled,
                begin,
                kept,
                end,
                padded,
                x,
                points,
                sums[chunk],
                mine,
                slot,
            )
    restore_mode(mode)


@kernel()
def train_net(kind, parameter, width, net, data, schedule, constants, flush, scratch):
    """Train one net for rates.size Adam steps, in place, in this thread. Shares: as many as
    `activations` has rows.
    """
    rates, _ = schedule
    _, _, _, _, activations = scratch
    shares = activations.shape[0]
    for step in range(rates.size + 1):
        if step > 0:
            _settle(kind, net, data, schedule, constants, flush, scratch, step)
        for share in range(shares):
            _work(
                kind,
                parameter,
                width,
                net,
                data,
                schedule,
                constants,
                flush,
                scratch,
                step,
                share,
                shares,
            )


# The index of a parallel loop is unsigned. Passed on as it is, it would have what the loop calls
# compiled once more.
@kernel(parallel=True)
def train_net_together(kind, parameter, width, net, data, schedule, constants, flush, scratch):
    """train_net, with a thread for each share."""
    rates, _ = schedule
    _, _, _, _, activations = scratch
    shares = activations.shape[0]
    for step in range(rates.size + 1):
        if step > 0:
            _settle(kind, net, data, schedule, constants, flush, scratch, step)
        for share in prange(shares):
            _work(
                kind,
                parameter,
                width,
                net,
                data,
                schedule,
                constants,
                flush,
                scratch,
                step,
                np.intp(share),
                shares,
            )


@kernel()
def train_blocks(
    kind, parameter, width, nets, data, schedule, constants, flush, scratch, begin, end
):
    """Train blocks `begin` to `end` - 1 of the nets, each net in this thread.

    Arrays of `nets` have a leading axis of nets, those of `scratch` one of blocks.
    """
    theta, first, second = nets
    scaled, gradient, residuals, sums, activations = scratch
    count, blocks = theta.shape[0], scaled.shape[0]
    for block in range(begin, end):
        own = (
            scaled[block],
            gradient[block],
            residuals[block],
            sums[block],
            activations[block : block + 1],
        )
        for i in range(block * count // blocks, (block + 1) * count // blocks):
            train_net(
                kind,
                parameter,
                width,
                (theta[i], first[i], second[i]),
                data,
                schedule,
                constants,
                flush,
                own,
            )
