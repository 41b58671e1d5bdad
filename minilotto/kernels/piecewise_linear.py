"""Exact full-batch training of piecewise-linear nets of one input, at a cost per step that does not
depend on the data.

f(x) = sum_i v_i sigma(w_i x + b_i) + c changes its slope at the breakpoints t_i = -b_i / w_i alone.
Between two neighbouring ones f = alpha x + beta, so what the points there add to a gradient, with
r = f - y,

    sum weight r = alpha M_x + beta M_1 - M_y,   sum weight r x = alpha M_xx + beta M_x - M_xy,

needs five moments M of the data between them: differences of cumulative moments, tabulated once
(moments.py). Their sums over the intervals on either side of t_i give A_i = sum weight r
sigma'(z_i) and B_i = sum weight r x sigma'(z_i), and with these

    dw_i = 2 v_i B_i,   db_i = 2 v_i A_i,   dv_i = 2 (w_i B_i + b_i A_i),   dc = 2 sum weight r.

A step sorts N breakpoints, which the step before left nearly sorted, and walks over them three
times.

It is exact to rounding for all data because cumulative moments are unevaluated sums of two floats,
so that their differences are as accurate as sums over the points between; alpha, beta, A_i and B_i
are sums from the left of what holds on the left plus sums from the right of what holds on the
right, so that nothing is added and later subtracted; and x is not shifted, so that rounding errors
scale with |w x| + |b|, as those of z do.

A net lies as in seed_parallel.py with one lane: theta (3 N + 1,) = w_0, b_0, v_0, w_1, ..., c.
Everything is float64.
"""

import numpy as np
from numba.extending import register_jitable

from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import value_and_slope
from minilotto.kernels.moments import (
    GROUP,
    NEAR,
    PIECE,
    PIECE_TERMS,
    REST,
    ROW,
    WINDOW,
    below,
    borrowed,
    count_below,
    group_of,
    pointer,
    prefetch,
    remainder,
)
from minilotto.kernels.simd import absolute, fma, where
from minilotto.kernels.structures import Nets, coefficients_of, step_number
from minilotto.kernels.subnormals import flush_subnormals, restore_mode

MOST_SHIFTS = 8  # per neuron; beyond, merge sort takes over from insertion sort
# Workspace of a neuron. Floats: its breakpoint, and two numbers of the interval on its left.
# Integers: the order of breakpoints, their groups of points, the points on their left, and scratch.
FLOATS, INTEGERS = 3, 4


@register_jitable(forceinline=True)
def _breakpoint(theta, moments, i):
    """-b / w within the domain. Where w = 0 or NaN it lies beyond all x, on the side that gives all
    of them the slope sigma'(b).
    """
    w, b = theta[3 * i], theta[3 * i + 1]
    t = where(w < 0.0, b, -b) / absolute(w)
    t = t if t < moments.high else moments.high  # first, so that NaN ends here
    return t if t > moments.low else moments.low


@register_jitable(forceinline=True)
def _settle(theta, moments, key, index, i, j, same):
    """Store that neuron i's breakpoint has j points on its left; `same`: the next point equals its
    rounded value.
    """
    if not moments.density > 0.0:
        # Rounding is monotone, so only a point that equals the rounded t may lie on either side of
        # the true one. The sign of z, exact in one fma, decides; z = 0 counts as negative.
        if same:
            w, b = theta[3 * i], theta[3 * i + 1]
            j += np.intp((fma(w, key[i], b) > 0.0) == (w < 0.0))
        key[i] = np.float64(j)
    index[i] = np.uint32(j)
    return j


@register_jitable(forceinline=True)
def _locate_among_few(width, theta, moments, key, index):
    """See _locate: all x fit the caches, and most breakpoints stay close to where they were."""
    x = moments.x
    for i in range(width):
        t = key[i] = _breakpoint(theta, moments, i)
        start = max(np.intp(index[i]) - WINDOW // 2, 0)
        count = count_below(x, start, t)
        j, same = start + count, x[start + count] == t
        if (count == 0 and start > 0) or count == WINDOW:
            j, same = below(moments, group_of(moments, t), t)
        _settle(theta, moments, key, index, i, j, same)


@register_jitable(forceinline=True)
def _locate_among_many(width, theta, moments, key, index, group, moved):
    """See _locate: memory access takes most of the time, and as many breakpoints leave their group
    of points as stay.

    Those that leave it are put on a list, as a branch would be mispredicted, and cache lines are
    prefetched.
    """
    heads, count = moments.heads, 0
    for i in range(width):
        t = key[i] = _breakpoint(theta, moments, i)
        g = np.intp(group[i])
        moved[count] = i
        count += np.intp(((g > 0) & (not heads[g] < t)) | (heads[g + 1] < t))
    for k in range(count):
        i = np.intp(moved[k])
        g = group_of(moments, key[i])
        group[i] = np.uint32(g)
        prefetch(moments.places, GROUP * g)
    for i in range(width):
        j, same = below(moments, np.intp(group[i]), key[i])
        prefetch(moments.sums, ROW * _settle(theta, moments, key, index, i, j, same))


@register_jitable(forceinline=True)
def _locate(width, theta, moments, key, index, group, spare):
    """Find each neuron's breakpoint: key (N,) to sort by, and index (N,) into moments.sums.

    index and group (N,) hold those of the last step, or zeros; spare (N,) is workspace.
    """
    if moments.size > NEAR:
        _locate_among_many(width, theta, moments, key, index, group, spare)
    else:
        _locate_among_few(width, theta, moments, key, index)


@register_jitable(forceinline=True)
def _comes_before(key, i, k):
    """Whether neuron i's breakpoint is left of neuron k's. Equal ones are ordered by neuron."""
    return key[i] < key[k] or (key[i] == key[k] and i < k)


@register_jitable
def _merge_sort(width, key, order, spare):
    """Sort order (N,) in at most N log2 N comparisons."""
    run = 1
    while run < width:
        for start in range(0, width, 2 * run):
            left, middle = start, min(start + run, width)
            right, end = middle, min(start + 2 * run, width)
            for place in range(start, end):
                if right == end or (
                    left < middle and _comes_before(key, order[left], order[right])
                ):
                    spare[place] = order[left]
                    left += 1
                else:
                    spare[place] = order[right]
                    right += 1
        for place in range(width):
            order[place] = spare[place]
        run *= 2


@register_jitable(forceinline=True)
def _sort(width, key, order, spare):
    """Sort order (N,), nearly sorted by the last step, by insertion; by merging where that takes
    too many shifts.
    """
    shifts_left = MOST_SHIFTS * width
    for k in range(1, width):
        i, place = order[k], k
        while place > 0 and _comes_before(key, i, order[place - 1]):
            order[place] = order[place - 1]
            place -= 1
        order[place] = i
        shifts_left -= k - place
        if shifts_left < 0:
            _merge_sort(width, key, order, spare)
            break


@register_jitable(forceinline=True)
def _polynomial(coefficients, first, q):
    """sum_n coefficients[first + n] q^n."""
    value = coefficients[first + PIECE_TERMS - 1]
    for n in range(PIECE_TERMS - 2, -1, -1):
        value = fma(value, q, coefficients[first + n])
    return value


@register_jitable(forceinline=True)
def _moments_at(moments, j, t):
    """The five cumulative moments at breakpoint t with index j: leading parts, then remainders."""
    sums, s, r = moments.sums, ROW * j, 2 * ROW * j + REST
    one, x, xx = remainder(sums, r), remainder(sums, r + 1), remainder(sums, r + 2)
    y, xy = remainder(sums, r + 3), remainder(sums, r + 4)
    if moments.density > 0.0:
        cell = PIECE * j
        edge = moments.pieces[cell]
        inside = t - edge
        q = inside * moments.pieces[cell + 1]
        length = moments.density * inside
        inside_y = q * _polynomial(moments.pieces, cell + 2, q)
        one += length
        x += length * fma(0.5, inside, edge)
        xx += length * fma(inside, fma(1.0 / 3.0, inside, edge), edge * edge)
        y += inside_y
        xy += fma(edge, inside_y, q * q * _polynomial(moments.pieces, cell + 2 + PIECE_TERMS, q))
    return sums[s], sums[s + 1], sums[s + 2], sums[s + 3], sums[s + 4], one, x, xx, y, xy


@register_jitable(forceinline=True)
def _residual_sums(alpha, beta, low, high):
    """2 weight r and 2 weight r x, summed between two breakpoints with cumulative moments `low` and
    `high`.
    """
    one = (high[0] - low[0]) + (high[5] - low[5])
    x = (high[1] - low[1]) + (high[6] - low[6])
    xx = (high[2] - low[2]) + (high[7] - low[7])
    y = (high[3] - low[3]) + (high[8] - low[8])
    xy = (high[4] - low[4]) + (high[9] - low[9])
    return fma(alpha, x, fma(beta, one, -y)), fma(alpha, xx, fma(beta, x, -xy))


@register_jitable
def _gradient(spec, parameter, width, theta, moments, gradient, floats, integers):
    """Write the gradient of one net's loss. Pointers to theta and gradient (3 N + 1,), floats
    (3 N,), integers (4 N,).
    """
    _, flat = value_and_slope(spec, -1.0, parameter)
    _, steep = value_and_slope(spec, 1.0, parameter)
    key, alphas, betas = floats, pointer(floats, width), pointer(floats, 2 * width)
    order, group, index, spare = (
        integers,
        pointer(integers, width),
        pointer(integers, 2 * width),
        pointer(integers, 3 * width),
    )
    _locate(width, theta, moments, key, index, group, spare)
    _sort(width, key, order, spare)

    # Of the interval left of breakpoint k: slope and offset due to neurons whose breakpoints are
    # further right.
    alpha, beta = 0.0, theta[3 * width]
    for k in range(width - 1, -1, -1):
        i = 3 * np.intp(order[k])
        w, b, v = theta[i], theta[i + 1], theta[i + 2]
        slope = v * where(w < 0.0, steep, flat)
        alpha, beta = fma(slope, w, alpha), fma(slope, b, beta)
        alphas[k], betas[k] = alpha, beta

    # In the same memory, of the same interval: sums of 2 weight r and 2 weight r x.
    sums, sums_x = alphas, betas
    alpha, beta, left, left_x = 0.0, 0.0, 0.0, 0.0
    low = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for k in range(width):
        neuron = np.intp(order[k])
        i = 3 * neuron
        w, b, v = theta[i], theta[i + 1], theta[i + 2]
        high = _moments_at(moments, np.intp(index[neuron]), key[neuron])
        sum_1, sum_x = _residual_sums(alpha + alphas[k], beta + betas[k], low, high)
        low = high
        sums[k], sums_x[k] = sum_1, sum_x
        left, left_x = left + sum_1, left_x + sum_x
        slope = where(w < 0.0, steep, flat)
        gradient[i], gradient[i + 1] = slope * left_x, slope * left
        slope = v * where(w < 0.0, flat, steep)
        alpha, beta = fma(slope, w, alpha), fma(slope, b, beta)

    high = _moments_at(moments, moments.size, moments.high)
    right, right_x = _residual_sums(alpha, beta + theta[3 * width], low, high)
    gradient[3 * width] = left + right
    for k in range(width - 1, -1, -1):
        i = 3 * np.intp(order[k])
        w, b, v = theta[i], theta[i + 1], theta[i + 2]
        slope = where(w < 0.0, flat, steep)
        sum_x, sum_1 = fma(slope, right_x, gradient[i]), fma(slope, right, gradient[i + 1])
        gradient[i], gradient[i + 1] = v * sum_x, v * sum_1
        gradient[i + 2] = fma(w, sum_x, b * sum_1)
        right, right_x = right + sums[k], right_x + sums_x[k]


@kernel()
def train_nets(form, width, nets, moments, schedule, scratch, begin, end):
    """Train nets `begin` to `end` - 1 for the steps of the schedule, in place.

    A net's integers (4 N,) start with a permutation of the neurons and then N zeros; later calls
    may reset them or not. `scratch.gradient` holds that of the last step afterwards; at a rate of 0
    it is the gradient of the nets as they are.
    """
    mode = flush_subnormals(schedule.flush)
    spec, parameter = form
    table = borrowed(moments)
    for net in range(begin, end):
        theta, gradient = pointer(nets.theta[net], 0), pointer(scratch.gradient[net], 0)
        own = Nets(theta, pointer(nets.m[net], 0), pointer(nets.s[net], 0))
        floats, integers = pointer(scratch.floats[net], 0), pointer(scratch.integers[net], 0)
        for step in range(schedule.lr.size):
            _gradient(spec, parameter, width, theta, table, gradient, floats, integers)
            coefficients = coefficients_of(schedule, step)
            for row in range(nets.theta.shape[1]):
                step_number(spec, own, gradient, row, coefficients)
    restore_mode(mode)
