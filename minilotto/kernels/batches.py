"""Points of a step: the same for all lanes, or for each lane a batch of its own.

A kernel asks for them by `points_of`, `row_at` and `numbers_at`, which the type of its points
decides while compiling.
"""

from numba.extending import overload, register_jitable

from minilotto.kernels.compile import kernel
from minilotto.kernels.gather import ROWS, SMALL, has_small, load_small, pick, pick_small
from minilotto.kernels.groups import gather_group, spread_group
from minilotto.kernels.random import DRAWS, TWICE, draws_of, load_words, store_upper, times, uniform
from minilotto.kernels.simd import apart
from minilotto.kernels.spec import inputs_of, lanes_of, rounded, store, zero
from minilotto.kernels.structures import Batches, FreshBatches, FreshPoints, Points, SpacedPoints
from minilotto.kernels.targets import ITSELF, target_at

SAME_FOR_ALL = (Points, SpacedPoints)  # lanes


def points_of(spec, points, block):
    """The points of a block of seeds, Points or the others with the arrays of that block alone; and
    the number of points of a step, a multiple of the group.
    """
    raise TypeError("points_of runs inside compiled functions only")


def row_at(spec, points, step):
    """Which row of a block's arrays has the points of a step. Steps are asked for in turn: the
    first of a window draws the points of all of it.
    """
    raise TypeError("row_at runs inside compiled functions only")


def numbers_at(spec, points, array, row, place, stride):
    """The numbers at place, place + stride, ... of a row of one of the arrays of `points`, for the
    points of a group.
    """
    raise TypeError("numbers_at runs inside compiled functions only")


@overload(numbers_at)
def _compile_numbers(spec, points, array, row, place, stride):
    if points.instance_class in SAME_FOR_ALL:
        return lambda spec, points, array, row, place, stride: spread_group(
            spec, array, place, stride
        )
    return lambda spec, points, array, row, place, stride: gather_group(
        spec,
        array,
        min(row, len(array) - 1) * array.shape[1] + place * lanes_of(spec),
        stride * lanes_of(spec),
    )


@overload(points_of)
def _compile_points(spec, points, block):
    if points.instance_class in SAME_FOR_ALL:
        return lambda spec, points, block: (points, points.y.size)

    if points.instance_class is FreshPoints:

        def fresh(spec, points, block):
            here = FreshPoints(points.x[block], points.y[block], points.slope_weight)
            return here, here.y.shape[1] // lanes_of(spec)

        return fresh

    if points.instance_class is FreshBatches:

        def fresh_batches(spec, points, block):
            here = FreshBatches(
                points.target,
                points.low,
                points.span,
                points.first,
                points.keys[block],
                points.x[block],
                points.y[block],
                points.slope_weight[0],
            )
            return here, here.y.shape[1] // lanes_of(spec)

        return fresh_batches

    def batches(spec, points, block):
        here = Batches(
            points.table,
            points.planes,
            points.rows,
            points.weighted,
            points.batch,
            points.first,
            points.places[block],
            points.keys[block],
            points.x[block],
            points.y[block],
            points.slope_weight[block if points.weighted else 0],
        )
        return here, here.y.shape[1] // lanes_of(spec)

    return batches


# A call in each step would copy all arrays of `points`, which takes as long as drawing ten of them.
@overload(row_at, inline="always")
def _compile_row(spec, points, step):
    if points.instance_class in SAME_FOR_ALL:
        return lambda spec, points, step: 0
    if points.instance_class is FreshPoints:
        return lambda spec, points, step: step
    draw = _draw_fresh if points.instance_class is FreshBatches else _draw

    def row_of_batches(spec, points, step):
        row = step & (len(points.y) - 1)  # their number is a power of two
        if row == 0:
            draw(spec, points, points.first + step)
        return row

    return row_of_batches


@kernel()
def _draw(spec, points, first):
    """Draw the points of a window of steps, from step `first` of the training on."""
    apart()
    _choose(spec, points.rows, load_words(spec, points.keys, 0), first, points.places)
    pairs = (inputs_of(spec) + 2) // 2  # these are known while compiling
    for pair in range(pairs):
        _copy(spec, points, pair)
    if len(points.table) > pairs:
        _copy(spec, points, pairs)
    if points.weighted:
        weights = points.slope_weight
        # points that fill the last group do not count
        for row in range(len(weights)):
            for at in range(points.batch * lanes_of(spec), weights.shape[1], lanes_of(spec)):
                store(weights, row * weights.shape[1] + at, zero(spec))


@register_jitable
def _choose(spec, rows, key, first, places):
    """Write the rows of the table that each seed draws at the steps from `first` on."""
    twice = rows <= TWICE
    lanes, size = lanes_of(spec), places.shape[1]
    each = (2 if twice else 1) * lanes
    for ahead in range(len(places)):
        start = ahead * size
        for block in range(-(-size // (DRAWS * each))):
            at = start + block * DRAWS * each
            words = draws_of(spec, key, first + ahead, block)
            _choose_by(spec, rows, twice, places, at, start + size, words[0])
            _choose_by(spec, rows, twice, places, at + each, start + size, words[1])
            _choose_by(spec, rows, twice, places, at + 2 * each, start + size, words[2])
            _choose_by(spec, rows, twice, places, at + 3 * each, start + size, words[3])


@register_jitable
def _choose_by(spec, rows, twice, places, at, end, words):
    if at < end:
        products = times(words, rows)
        store_upper(places, at, products)
        if twice:  # numbers of points are even, so that there is a place for both
            store_upper(places, at + lanes_of(spec), times(products, rows))


@register_jitable
def _copy(spec, points, pair):
    """Copy two columns of the rows drawn."""
    lanes, places, table = lanes_of(spec), points.places, points.table
    one, first, stride = _target(spec, points, 2 * pair)
    two, second, pace = _target(spec, points, 2 * pair + 1)
    if has_small(spec) and points.rows <= SMALL:
        small = load_small(spec, points.planes, pair * points.planes[0].size)
        for at in range(0, places.size, ROWS * lanes):
            a, b, c, d, e, f, g, h = pick_small(spec, small, places, at)
            store(one, at * stride + first, a)
            store(one, (at + lanes) * stride + first, b)
            store(one, (at + 2 * lanes) * stride + first, c)
            store(one, (at + 3 * lanes) * stride + first, d)
            store(two, at * pace + second, e)
            store(two, (at + lanes) * pace + second, f)
            store(two, (at + 2 * lanes) * pace + second, g)
            store(two, (at + 3 * lanes) * pace + second, h)
    else:
        for at in range(0, places.size, lanes):
            a, b = pick(spec, table, pair * table[0].size, places, at)
            store(one, at * stride + first, a)
            store(two, at * pace + second, b)


@register_jitable
def _target(spec, points, column):
    """Where a column goes: an array, the first place and the rows of lanes from one to the next."""
    if column < inputs_of(spec):
        return points.x, column * lanes_of(spec), inputs_of(spec)
    if column == inputs_of(spec) or not points.weighted:
        return points.y, 0, 1
    return points.slope_weight, 0, 1


@kernel()
def draw_points(spec, keys, first, low, span, exact, x):
    """Fill x (blocks, steps, P * D * lanes), and `exact` in float64, with uniform points of the box
    from `low` (D,) to low + span, where step 0 is step `first` of the training.
    """
    for block in range(x.shape[0]):
        key = load_words(spec, keys[block], 0)
        for step in range(x.shape[1]):
            start = (block * x.shape[1] + step) * x.shape[2]
            end = start + x.shape[2]
            _fill(spec, key, first + step, start, end, low, span, ITSELF, x, exact)


@kernel()
def _draw_fresh(spec, points, first):
    """`_draw` for FreshBatches."""
    apart()
    key, size = load_words(spec, points.keys, 0), points.y.shape[1]
    low, span, target = points.low, points.span, points.target
    for ahead in range(len(points.y)):
        start, end = ahead * size, (ahead + 1) * size
        _fill(spec, key, first + ahead, start, end, low, span, target, points.x, points.y)


@register_jitable
def _fill(spec, key, step, start, end, low, span, target, x, y):
    """Write the points of a block at a step to x[start:end], and a target there to y."""
    lanes = lanes_of(spec)
    for block in range(-(-(end - start) // (DRAWS * lanes))):
        place, at = block * DRAWS, start + block * DRAWS * lanes
        words = draws_of(spec, key, step, block)
        _fill_row(spec, place, at, end, words[0], low, span, target, x, y)
        _fill_row(spec, place + 1, at + lanes, end, words[1], low, span, target, x, y)
        _fill_row(spec, place + 2, at + 2 * lanes, end, words[2], low, span, target, x, y)
        _fill_row(spec, place + 3, at + 3 * lanes, end, words[3], low, span, target, x, y)


@register_jitable
def _fill_row(spec, place, at, end, words, low, span, target, x, y):
    if at < end:
        d = place % inputs_of(spec)
        real = uniform(words, low[d], span[d])
        store(x, at, rounded(x, real))
        store(y, at, rounded(y, target_at(target, real)))
