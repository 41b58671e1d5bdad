"""Samples of losses that are none, or unusual: refused in a line, or the right value."""

import numpy as np
import pytest
from edges.entries import (
    LINES,
    LOGARITHMS,
    LOSS,
    NUMBERS,
    OF_ANALYSES,
    OF_WIDTHS,
    OTHERS,
    PAIRED,
    SAMPLES,
    SHAPES,
    STATISTICS,
    WIDTHS,
)
from edges.test_arrays import NO_ARRAYS

import minilotto as ml
from minilotto.analysis.stats.bootstrap import points
from minilotto.analysis.stats.draws import absorbed_parameters, exponent_over_draws
from minilotto.analysis.stats.modality import central_limit, spread
from minilotto.analysis.stats.modes import modes
from minilotto.analysis.stats.scaling import fit_law


def one_line(error):
    return "\n" not in str(error.value)


# Arrays of a float dtype; the tables below say what becomes of them.
OF_FLOATS = (
    *("NaN", "infinity", "beyond float64", "none in four dimensions", "an empty array"),
    "a table's missing values",  # NaN, and left out as such
)
NO_REALS = r"is no array|is broadcast|has dtype|has masked values"
NO_NUMBERS = {
    **{name: make for name, make in NO_ARRAYS.items() if name not in OF_FLOATS},
    "None": lambda: None,
    "truth values": lambda: LOSS > 1,
    "masked losses": lambda: np.ma.array(LOSS, mask=LOSS > 1),
    "a list with a mask": lambda: [*LOSS[1:].tolist(), np.ma.masked],
    "big integers": lambda: [10**400] * len(LOSS),
    "words for numbers": lambda: LOSS.astype(str).tolist(),
}


@pytest.mark.parametrize("thing", NO_NUMBERS)
@pytest.mark.parametrize("entry", SAMPLES)
def test_what_is_no_array_of_real_numbers_is_refused(entry, thing):
    with pytest.raises(ml.DataError) as error:
        SAMPLES[entry](NO_NUMBERS[thing]())
    assert one_line(error)


@pytest.mark.parametrize("thing", NO_NUMBERS)
@pytest.mark.parametrize("entry", OF_ANALYSES)
def test_no_analysis_takes_what_is_no_array_of_real_numbers(entry, thing):
    with pytest.raises(ml.DataError, match=NO_REALS) as error:
        OF_ANALYSES[entry](NO_NUMBERS[thing]())
    assert one_line(error)


ALL = tuple(SAMPLES)
LOG = (*STATISTICS, *LOGARITHMS)
REFUSED = {
    "none": (np.empty(0), ALL),
    "only NaN": (np.full(60, np.nan), ALL),
    "only infinity": (np.full(60, np.inf), ALL),
    "only -infinity": (np.full(60, -np.inf), ALL),
    "beyond float64": (np.full(60, np.longdouble("1e4000")), ALL),
    "NaN and infinity": (np.resize([np.nan, np.inf], 60), ALL),
    "only zeros": (np.zeros(60), (*SHAPES, *LOG, *PAIRED)),
    "only negative": (-LOSS, (*SHAPES, *LOG)),
    "a zero": (np.append(LOSS, 0.0), (*LOG, *PAIRED)),
    "a zero of 60": (np.append(LOSS[1:], 0.0), LOG),
    "a negative zero": (np.append(LOSS[1:], -0.0), LOG),
    "a negative one": (np.append(LOSS[1:], -1e-300), LOG),
    "one": (LOSS[:1], (*SHAPES, *LOG, *PAIRED, "over_draws", "learnt_parameters")),
    "two": (LOSS[:2], (*SHAPES, *LOG, *PAIRED, "over_draws", "absorbed_parameters")),
    "nine": (LOSS[:9], (*SHAPES, *STATISTICS, *PAIRED)),
    "nine beside NaN": (np.append(LOSS[:9], np.full(51, np.nan)), (*SHAPES, *STATISTICS, *PAIRED)),
    "29": (LOSS[:29], (*SHAPES, *PAIRED)),
    "a constant": (np.full(60, 1e-5), (*SHAPES, *STATISTICS, *PAIRED)),
    "a subnormal constant": (np.full(60, 5e-324), (*SHAPES, *STATISTICS, *PAIRED)),
    "a constant but for rounding": (1e-5 * (1 + 1e-15 * np.arange(60)), tuple(SHAPES)),
    "59 ties": (np.append(np.ones(59), 2.0), ("spread deviation", "spread quartiles")),
    "a NaN": (np.append(LOSS[1:], np.nan), tuple(PAIRED)),
    "an infinity": (np.append(LOSS[1:], np.inf), tuple(PAIRED)),
    "two dimensions": (LOSS.reshape(6, 10), (*STATISTICS, *PAIRED)),
    "a column": (LOSS[:, None], (*STATISTICS, *PAIRED)),
    "a number": (1.0, (*SHAPES, *STATISTICS, *LOGARITHMS, *PAIRED, "over_draws")),
}


@pytest.mark.parametrize(
    ("thing", "entry"), [(thing, entry) for thing, (_, all_) in REFUSED.items() for entry in all_]
)
def test_losses_that_say_nothing_are_refused(entry, thing):
    with pytest.raises(ml.DataError) as error:
        SAMPLES[entry](REFUSED[thing][0])
    assert one_line(error)


LEFT_OUT = [np.nan, np.inf, -np.inf]
SAME = {
    "a list": (LOSS.tolist(), ALL),
    "a tuple of float32": (tuple(LOSS.astype(np.float32)), ALL),
    "float32": (LOSS.astype(np.float32), ALL),
    "long doubles": (LOSS.astype(np.longdouble), ALL),
    "big-endian": (LOSS.astype(">f8"), ALL),
    "every second": (np.repeat(LOSS, 2)[::2], ALL),
    "read-only": (np.broadcast_to(LOSS, LOSS.shape), ALL),
    "an unmasked masked array": (np.ma.array(LOSS), ALL),
    "with NaN and infinity": (np.append(LOSS, LEFT_OUT), (*SHAPES, *STATISTICS, *NUMBERS)),
    "NaN first": (np.append(LEFT_OUT, LOSS), (*SHAPES, *STATISTICS, *NUMBERS)),
    "with zeros and negative ones": (np.append(LOSS, [0.0, -0.0, -1.0]), tuple(SHAPES)),
    "in another order": (LOSS[::-1], ("modes", "points median", "points 0.9")),
    "two dimensions": (LOSS.reshape(6, 10), (*SHAPES, *LOGARITHMS, *NUMBERS)),
}


@pytest.mark.parametrize(
    ("thing", "entry"), [(thing, entry) for thing, (_, all_) in SAME.items() for entry in all_]
)
def test_losses_in_other_clothes_give_the_same_numbers(entry, thing):
    found = SAMPLES[entry](SAME[thing][0])
    np.testing.assert_array_equal(np.array(found, float), np.array(SAMPLES[entry](LOSS), float))


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("statistic", ["median", "trimmed mean", "geometric mean", 0.9])
def test_losses_of_any_size_have_an_exponent(scale, statistic):
    """Also subnormal ones, of which 1e-320 leaves three digits."""
    many = [loss * scale for loss in (LOSS, *OTHERS)]
    one, plain = (
        fit_law(points(WIDTHS, each, statistic, resamples=100)).estimates["exponent"]
        for each in (many, [LOSS, *OTHERS])
    )
    rel = 1e-2 if scale == 1e-320 else 1e-9
    assert (one.value, one.low, one.high) == pytest.approx(
        (plain.value, plain.low, plain.high), rel=rel, abs=rel
    )
    assert modes(many[0]).count == modes(LOSS).count


def test_equal_losses_at_all_widths_have_an_exponent_of_zero():
    found = fit_law(points(WIDTHS, [LOSS] * 3)).estimates["exponent"]
    assert abs(found.value) < 1e-12
    assert found.low <= 0 <= found.high


def test_half_of_the_losses_may_tie():
    tied = np.append(np.full(60, 2.0**-30), LOSS)
    found = points([7], [tied])
    assert found.value[0] == pytest.approx(np.median(tied))
    assert modes(tied).count == 2


# Widths
NO_WIDTHS = {
    "none": [],
    "two": WIDTHS[:2],
    "four": [1, 2, 3, 4],
    "a zero": [0, 20, 40],
    "a negative one": [-10, 20, 40],
    "NaN": [np.nan, 20, 40],
    "infinity": [10, 20, np.inf],
    "masked": np.ma.array(WIDTHS, mask=[0, 0, 1]),
    "words": ["10", "20", "40"],
    "complex": WIDTHS + 0j,
    "truth values": [True, True, False],
    "None": None,
    "a number": 10,
    "two dimensions": WIDTHS[:, None],
    "ragged": [[10], [20, 30], [40]],
    "a set": {10, 20, 40},
}
OF_ANY_NUMBER = ("none", "two", "four")


@pytest.mark.parametrize("thing", [*NO_WIDTHS, "the same twice"])
@pytest.mark.parametrize("entry", [*OF_WIDTHS, *LINES])
def test_what_are_no_widths_is_refused(entry, thing):
    if entry in LINES and thing in (*OF_ANY_NUMBER, "the same twice"):
        assert np.isfinite(LINES[entry](NO_WIDTHS.get(thing, [10, 10]))).all()
        return
    given = NO_WIDTHS.get(thing, [20] * 3)
    with pytest.raises(ml.DataError) as error:
        {**OF_WIDTHS, **LINES}[entry](given)
    assert one_line(error)


@pytest.mark.parametrize("given", [(10, 20, 40), WIDTHS.astype(int), WIDTHS.astype(np.float32)])
@pytest.mark.parametrize("entry", [*OF_WIDTHS, *LINES])
def test_widths_in_other_clothes_give_the_same_numbers(entry, given):
    take = {**OF_WIDTHS, **LINES}[entry]
    np.testing.assert_array_equal(take(given), take(WIDTHS))


@pytest.mark.parametrize(
    "refused",
    [
        lambda: points(WIDTHS, [LOSS] * 2),
        lambda: points(WIDTHS, None),
        lambda: points(WIDTHS, 1.0),
        lambda: points(WIDTHS, (loss for loss in [LOSS] * 3)),
        lambda: spread(WIDTHS, [LOSS] * 4),
        lambda: spread(WIDTHS, [LOSS, LOSS, None]),
        lambda: central_limit(WIDTHS, []),
        lambda: absorbed_parameters(LOSS, LOSS[1:], 0.1, 9),
        lambda: exponent_over_draws(WIDTHS, LOSS),
        lambda: exponent_over_draws(WIDTHS, 1.0),
        lambda: exponent_over_draws(WIDTHS, np.ones((3, 2))),
    ],
)
def test_lengths_that_do_not_match_are_refused(refused):
    with pytest.raises(ml.DataError) as error:
        refused()
    assert one_line(error)
