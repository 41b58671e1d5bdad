"""Exact full-batch training of piecewise-linear nets of one input, at a cost a step that does not depend on the data.

f(x) = sum_i v_i sigma(w_i x + b_i) + c bends at the breakpoints t_i = -b_i / w_i alone. Between two neighbouring ones f = alpha x +
beta, so what their points add to a gradient,

    sum weight r = alpha M_x + beta M_1 - M_y,   sum weight r x = alpha M_xx + beta M_x - M_xy,   r = f - y,

needs five moments M of the data between them: differences of cumulative moments, tabulated once. Sums of these over the intervals on
either side of t_i give A_i = sum weight r sigma'(z_i) and B_i = sum weight r x sigma'(z_i), and with them dw_i = 2 v_i B_i, db_i =
2 v_i A_i, dv_i = 2 (w_i B_i + b_i A_i), dc = 2 sum weight r. One step sorts N breakpoints and walks over them three times.

What keeps it exact to rounding, whatever the data: cumulative moments are unevaluated sums of two floats, so that their differences
are as accurate as sums over the points in question; alpha, beta, A_i and B_i are sums from the left of what holds on the left plus
sums from the right of what holds on the right, so that nothing is added only to be subtracted again; and x is not shifted, so that
rounding errors scale with |w x| + |b|, as those of z do.

A net lies as in narrow.py with one lane: theta (3 N + 1,) = w_0, b_0, v_0, w_1, ..., c. Everything is float64.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numba.extending import register_jitable
from numpy.typing import NDArray

from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import adam_update, value_and_slope
from minilotto.kernels.lanes import absolute, flush_subnormals, fma, restore_mode, where

PIECE_TERMS = 8  # coefficients of a polynomial piece of y: degree 7
FEW = 8  # points that are faster walked through than bisected
PATIENCE = 8  # shifts a neuron after which insertion sort gives way to merge sort
FLOATS, INTEGERS = 3, 2  # working numbers a neuron


class Moments(NamedTuple):
    """Cumulative moments of weighted data, to be looked up at any breakpoint.

    Points: U distinct x ascending, of which t has j below it; sums[j] holds sum over these of 2 weight (1, x, x^2, y, x y), five
    leading parts and five small remainders. A density: the inner edges of U + 1 cells take the place of x; sums[j] is what lies below
    cell j, and pieces[j] what its inside adds.

    x (U + 1,)           the points or edges, and a NaN to stop at
    starts (C + 3,)      how many x lie before bucket k = floor((x - origin) * pace); the last two buckets have none
    sums (U + 1, 10)     float64
    pieces (U + 1, 18)   cell's left edge and 1 / its length; integrals from that edge on of 2 weight y and of 2 weight (x - edge) y
                         over length^1 and length^2, less one factor q = (x - edge) / length and two, as polynomials of q. (0, 18)
                         for points
    density              2 weight of a unit length; 0 for points
    low, high            ends of the domain
    """

    x: NDArray[np.float64]
    starts: NDArray[np.uint32]
    origin: float
    pace: float
    sums: NDArray[np.float64]
    pieces: NDArray[np.float64]
    density: float
    low: float
    high: float


@kernel()
def accumulate(terms, sums):
    """sums[j] = sum of terms[:j], as leading part and remainder: terms (P, 5), sums (P + 1, 10). Error about 2^-104 of the sum."""
    for m in range(terms.shape[1]):
        lead, rest = 0.0, 0.0
        for p in range(terms.shape[0]):
            sums[p, m], sums[p, m + 5] = lead, rest
            total = lead + terms[p, m]
            back = total - lead
            rest += (lead - (total - back)) + (terms[p, m] - back)  # what `total` lost to rounding (Knuth's two-sum)
            lead = total + rest
            rest -= lead - total
        sums[terms.shape[0], m], sums[terms.shape[0], m + 5] = lead, rest


@register_jitable
def _below(x, starts, origin, pace, t):
    """How many of x are less than t; all of them where t is NaN."""
    bucket = (t - origin) * pace
    last = starts.size - 2
    bucket = bucket if bucket < last else last  # first, so that NaN ends here
    bucket = bucket if bucket > 0.0 else 0.0
    k = np.uint32(bucket)
    j, end = np.intp(starts[k]), np.intp(starts[k + np.uint32(1)])
    while end - j > FEW:
        middle = (j + end) >> 1
        if x[middle] < t:
            j = middle + 1
        else:
            end = middle
    while x[np.uint32(j)] < t:
        j += 1
    return j


@register_jitable
def _locate(width, theta, x, starts, origin, pace, smooth, bottom, top, key, index):
    """Find each neuron's breakpoint: key (N,) to sort by, and index (N,) into moments.sums.

    Where w = 0 the breakpoint is infinite, on the side where sigma'(b) holds for all x.
    """
    for i in range(width):
        w, b = theta[3 * i], theta[3 * i + 1]
        t = where(w < 0.0, b, -b) / absolute(w)
        if smooth:
            t = t if t < top else top  # first, so that NaN ends here
            t = t if t > bottom else bottom
        j = _below(x, starts, origin, pace, t)
        if not smooth:
            # Rounding is monotone, so only a point that equals the rounded t may lie on either side of the true one. The sign of
            # z, exact in one fma, decides; z = 0 counts as negative.
            if x[np.uint32(j)] == t and (fma(w, t, b) > 0.0) == (w < 0.0):
                j += 1
            t = np.float64(j)
        index[i] = j
        key[i] = t


@register_jitable
def _comes_before(key, i, k):
    """Whether neuron i's breakpoint is left of neuron k's; of equal ones the lower number is, so that there is one order only."""
    return key[i] < key[k] or (key[i] == key[k] and i < k)


@kernel()
def _merge_sort(key, order, spare):
    """Sort order (N,) in at most N log2 N comparisons."""
    run = 1
    while run < order.size:
        for start in range(0, order.size, 2 * run):
            left, middle = start, min(start + run, order.size)
            right, end = middle, min(start + 2 * run, order.size)
            for place in range(start, end):
                if right == end or (left < middle and _comes_before(key, order[left], order[right])):
                    spare[place] = order[left]
                    left += 1
                else:
                    spare[place] = order[right]
                    right += 1
        order[:] = spare
        run *= 2


@register_jitable
def _sort(key, order, spare):
    """Sort order (N,), which is nearly sorted as the last step left it, by insertion; by merging if it turns out otherwise."""
    patience = PATIENCE * order.size
    for k in range(1, order.size):
        i, place = order[k], k
        while place > 0 and _comes_before(key, i, order[place - 1]):
            order[place] = order[place - 1]
            place -= 1
        order[place] = i
        patience -= k - place
        if patience < 0:
            _merge_sort(key, order, spare)
            break


@register_jitable
def _polynomial(pieces, j, first, q):
    """sum_n pieces[j, first + n] q^n."""
    value = pieces[j, first + PIECE_TERMS - 1]
    for n in range(PIECE_TERMS - 2, -1, -1):
        value = fma(value, q, pieces[j, first + n])
    return value


@register_jitable
def _moments_at(sums, pieces, density, j, t):
    """The five cumulative moments at breakpoint t with index j: leading parts, then remainders."""
    one, x, xx, y, xy = sums[j, 5], sums[j, 6], sums[j, 7], sums[j, 8], sums[j, 9]
    if pieces.size > 0:
        edge = pieces[j, 0]
        inside = t - edge
        q = inside * pieces[j, 1]
        length = density * inside
        inside_y = q * _polynomial(pieces, j, 2, q)
        one += length
        x += length * fma(0.5, inside, edge)
        xx += length * fma(inside, fma(1.0 / 3.0, inside, edge), edge * edge)
        y += inside_y
        xy += fma(edge, inside_y, q * q * _polynomial(pieces, j, 2 + PIECE_TERMS, q))
    return sums[j, 0], sums[j, 1], sums[j, 2], sums[j, 3], sums[j, 4], one, x, xx, y, xy


@register_jitable
def _residual_sums(alpha, beta, low, high):
    """2 weight r and 2 weight r x, summed between two breakpoints with cumulative moments `low` and `high`."""
    one = (high[0] - low[0]) + (high[5] - low[5])
    x = (high[1] - low[1]) + (high[6] - low[6])
    xx = (high[2] - low[2]) + (high[7] - low[7])
    y = (high[3] - low[3]) + (high[8] - low[8])
    xy = (high[4] - low[4]) + (high[9] - low[9])
    return fma(alpha, x, fma(beta, one, -y)), fma(alpha, xx, fma(beta, x, -xy))


@register_jitable
def _gradient(kind, parameter, width, theta, moments, order, gradient, floats, integers):
    """Write the gradient of one net's loss. floats (3, N) and integers (2, N) are workspace."""
    _, flat = value_and_slope(kind, -1.0, parameter)
    _, steep = value_and_slope(kind, 1.0, parameter)
    x, starts, origin, pace, sums, pieces, density, bottom, top = moments
    key, index = floats[0], integers[0]
    # Of the interval left of breakpoint k: slope and offset of the neurons whose breakpoint is at its right; later its sums.
    first, second = floats[1], floats[2]
    _locate(width, theta, x, starts, origin, pace, pieces.size > 0, bottom, top, key, index)
    _sort(key, order, integers[1])

    alpha, beta = 0.0, theta[3 * width]
    for k in range(width - 1, -1, -1):
        i = 3 * np.intp(order[k])
        w, b, v = theta[i], theta[i + 1], theta[i + 2]
        slope = v * where(w < 0.0, steep, flat)
        alpha, beta = fma(slope, w, alpha), fma(slope, b, beta)
        first[k], second[k] = alpha, beta

    alpha, beta, total, total_x = 0.0, 0.0, 0.0, 0.0
    low = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for k in range(width):
        neuron = order[k]
        i = 3 * np.intp(neuron)
        w, b, v = theta[i], theta[i + 1], theta[i + 2]
        high = _moments_at(sums, pieces, density, index[neuron], key[neuron])
        part, part_x = _residual_sums(alpha + first[k], beta + second[k], low, high)
        low = high
        first[k], second[k] = part, part_x
        total, total_x = total + part, total_x + part_x
        slope = where(w < 0.0, steep, flat)
        gradient[i], gradient[i + 1] = slope * total_x, slope * total
        slope = v * where(w < 0.0, flat, steep)
        alpha, beta = fma(slope, w, alpha), fma(slope, b, beta)

    high = _moments_at(sums, pieces, density, sums.shape[0] - 1, top)
    right, right_x = _residual_sums(alpha, beta + theta[3 * width], low, high)
    gradient[3 * width] = total + right

    for k in range(width - 1, -1, -1):
        i = 3 * np.intp(order[k])
        w, b, v = theta[i], theta[i + 1], theta[i + 2]
        slope = where(w < 0.0, flat, steep)
        sum_x, sum_1 = fma(slope, right_x, gradient[i]), fma(slope, right, gradient[i + 1])
        gradient[i], gradient[i + 1], gradient[i + 2] = v * sum_x, v * sum_1, fma(w, sum_x, b * sum_1)
        right, right_x = right + first[k], right_x + second[k]


@kernel()
def gradient_net(kind, parameter, width, theta, moments, order, gradient, floats, integers):
    """Write one net's gradient: what train_net uses, for checks and for other optimisers."""
    _gradient(kind, parameter, width, theta, moments, order, gradient, floats, integers)


@kernel()
def train_net(
    kind, parameter, width, theta, first, second, order, moments, rates, corrections, constants, flush, gradient, floats, integers
):
    """Train one net for rates.size Adam steps, in place. constants: beta1, beta2, epsilon; order (N,): any permutation."""
    mode = flush_subnormals(flush)
    beta1, beta2, epsilon = constants
    for step in range(rates.size):
        _gradient(kind, parameter, width, theta, moments, order, gradient, floats, integers)
        for row in range(theta.size):
            theta[row], first[row], second[row] = adam_update(
                theta[row], first[row], second[row], gradient[row], rates[step], corrections[step], beta1, beta2, epsilon
            )
    restore_mode(mode)


@kernel(parallel=True)
def train_nets(
    kind, parameter, width, theta, first, second, order, moments, rates, corrections, constants, flush, gradient, floats, integers
):
    """train_net for every net, over Numba's threads."""
    for net in prange(theta.shape[0]):
        train_net(
            kind,
            parameter,
            width,
            theta[net],
            first[net],
            second[net],
            order[net],
            moments,
            rates,
            corrections,
            constants,
            flush,
            gradient[net],
            floats[net],
            integers[net],
        )
