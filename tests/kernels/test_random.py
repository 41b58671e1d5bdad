"""The generator: published values, the kernel against NumPy, and draws that are uniform and
independent across seeds, steps and places.
"""

import numpy as np
import pytest
from numba import njit
from scipy.stats import chi2

from minilotto.kernels.gather import SMALL, has_small, load_small, pick, pick_small
from minilotto.kernels.random import ROUNDS, load_words, philox, seed_keys, store_words
from minilotto.kernels.simd import lane_count, target_features
from minilotto.kernels.spec import Spec, lanes_of, store
from minilotto.oracles import random_reference

SPEC = Spec("silu", "float32", lane_count("float32"), 1)
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
FULL = (2**32 - 1,) * 4, (2**32 - 1,) * 2
# Of Random123, the authors' library.
KNOWN = [
    (7, (0,) * 4, (0,) * 2, "5f6fb709 0d893f64 4f121f81 4f730a48"),
    (7, *FULL, "5207ddc2 45165e59 4d8ee751 8c52f662"),
    (7, *PI, "4dfccaba 190a87f0 c47362ba b6b5242a"),
    (10, (0,) * 4, (0,) * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (10, *FULL, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (10, *PI, "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@njit
def words_by_kernel(spec, counters, keys, words):
    a, b = load_words(spec, counters, 0), load_words(spec, counters, counters.size // 2)
    one, two, three, four = philox((a[0], a[1], b[0], b[1]), load_words(spec, keys, 0))
    store_words(words, 0, (one, two))
    store_words(words, words.size // 2, (three, four))


def kernel_words(counter, key):
    """Philox in the lanes: (4, lanes)."""
    pack = lambda low, high: np.array(low, np.uint64) | np.array(high, np.uint64) << 32  # noqa: E731
    counters = np.concatenate([pack(*counter[:2]), pack(*counter[2:])]).view(np.int64)
    found = np.empty(2 * SPEC.lanes, np.int64)
    words_by_kernel(SPEC, counters, pack(*key).view(np.int64), found)
    halves = found.view(np.uint64).reshape(2, -1)
    return np.concatenate([[half & np.uint64(2**32 - 1), half >> np.uint64(32)] for half in halves])


@pytest.mark.parametrize(("rounds", "counter", "key", "expected"), KNOWN)
def test_published_values(rounds, counter, key, expected):
    expected = [int(word, 16) for word in expected.split()]
    assert random_reference.philox(counter, key, rounds).tolist() == expected
    if rounds == ROUNDS:
        spread = [[[word] * SPEC.lanes for word in words] for words in (counter, key)]
        assert kernel_words(*spread).T.tolist() == [expected] * SPEC.lanes


def test_lanes_have_the_words_of_numpy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        counter, key = (rng.integers(0, 2**32, (n, SPEC.lanes), np.uint64) for n in (4, 2))
        np.testing.assert_array_equal(
            kernel_words(counter, key), random_reference.philox(counter, key)
        )


def test_every_bit_of_seed_root_and_step_changes_half_of_the_bits():
    seed, root, step = 0x123456789ABC, 0xFEDCBA9876543210, 0x1123456789ABC
    draw = lambda root, seed, step: random_reference.draws(root, np.array([seed]), step, 64)[0]  # noqa: E731
    before = draw(root, seed, step)
    changes = [(root ^ 1 << bit, seed, step) for bit in range(64)]
    changes += [(root, seed ^ 1 << bit, step) for bit in range(48)]
    changes += [(root, seed, step ^ 1 << bit) for bit in range(53)]
    for change in changes:
        flipped = np.unpackbits((before ^ draw(*change)).view(np.uint8)).sum() / (64 * 32)
        assert 0.4 < flipped < 0.6, change


def test_keys_of_seeds_differ():
    seeds = np.arange(16 * 10_000).reshape(-1, SPEC.lanes)
    keys = np.empty(seeds.shape, np.int64)
    seed_keys(SPEC, np.uint64(3), seeds, keys)
    assert len(np.unique(keys)) == keys.size


def chi_square_is_fair(counts):
    """Whether counts in equally likely cells are as chance has them, at one in 10^4 either way."""
    expected = counts.sum() / counts.size
    statistic = ((counts - expected) ** 2).sum() / expected
    low, high = chi2.ppf([1e-4, 1 - 1e-4], counts.size - 1)
    return low < statistic < high


def test_a_chi_square_test_finds_an_uneven_die():
    assert not chi_square_is_fair(np.array([10_400, 9_600, 10_000, 10_000]))


@pytest.mark.parametrize("points", [2, 100, 255, 257, 1000])
def test_draws_are_uniform(points):
    seeds = np.arange(400)
    rows = np.stack([random_reference.batch_rows(5, seeds, step, 50, points) for step in range(50)])
    assert rows.min() == 0
    assert rows.max() == points - 1
    assert chi_square_is_fair(np.bincount(rows.ravel(), minlength=points))


@pytest.mark.parametrize("points", [10, 16])
@pytest.mark.parametrize("moved", ["seed", "step", "place", "two places", "root seed"])
def test_draws_are_independent(points, moved):
    """Pairs of draws fill the square evenly."""
    seeds, steps = np.arange(301), range(101)
    draw = lambda root, seeds: np.stack(  # noqa: E731
        [random_reference.batch_rows(root, seeds, step, 12, points) for step in steps]
    )
    rows = draw(0, seeds)
    first, second = {
        "seed": (rows[:, :-1:2], rows[:, 1::2]),
        "step": (rows[:-1:2], rows[1::2]),
        "place": (rows[..., ::2], rows[..., 1::2]),
        "two places": (rows[..., ::4], rows[..., 2::4]),
        "root seed": (rows, draw(1, seeds)),
    }[moved]
    pairs = points * first + second
    assert chi_square_is_fair(np.bincount(pairs.ravel(), minlength=points**2))


def test_fresh_points_are_uniform_in_the_box():
    seeds, domain = np.arange(500), ((-2.0, 2.0), (0.0, 1.0), (5.0, 7.0))
    x = np.concatenate(
        [random_reference.fresh_points(0, seeds, step, 21, domain) for step in range(10)]
    ).reshape(-1, 3)
    low, high = np.array(domain).T
    assert (x > low).all()
    assert (x < high).all()
    cells = ((x - low) / (high - low) * 4).astype(int) @ [16, 4, 1]
    assert chi_square_is_fair(np.bincount(cells, minlength=64))


@njit
def picked_by_kernel(spec, table, planes, places, found, everywhere):
    small, lanes = load_small(spec, planes, planes[0].size), lanes_of(spec)
    for at in range(0, places.size, lanes):
        a, b = pick(spec, table, table[0].size, places, at)
        store(everywhere, at, a)
        store(everywhere, places.size + at, b)
        if has_small(spec) and at % (4 * lanes) == 0:
            numbers = pick_small(spec, small, places, at)
            for row in range(4):
                store(found, at + row * lanes, numbers[row])
                store(found, places.size + at + row * lanes, numbers[4 + row])


def test_numbers_are_picked_from_a_table():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(2, SMALL, 2)).astype(np.float32)
    planes = table.view(np.uint8).transpose(0, 2, 1).copy()
    places = rng.permutation(np.repeat(np.arange(SMALL, dtype=np.int32), 4))
    found, everywhere = np.zeros((2, 2, places.size), np.float32)
    picked_by_kernel(SPEC, table, planes, places, found, everywhere)
    if "avx512vbmi" in target_features():
        np.testing.assert_array_equal(found, table[1, places].T)
    np.testing.assert_array_equal(everywhere, table[1, places].T)
