"""Exponents of loss against width for several numbers of inputs D, beside those of theories."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, softmax
from scipy.stats import t as student

from minilotto.analysis.stats.bootstrap import Estimate, ends
from minilotto.errors import DataError
from minilotto.settings.arrays import Array, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_choice, check_fraction
from minilotto.settings.numbers import real_number

__all__ = ["Line", "RuleMiss", "compare_rules", "line_in_one_over_inputs", "predicted"]

# 4/D: Sharma and Kaplan (arXiv:2004.10802), of piecewise linear nets on data of D dimensions. 1 +
# 3/D: one hidden layer of ReLU at its best on smooth functions, N^-(1/2 + 3/(2 D)) in the norm
# (arXiv:2408.10996), squared. 1: an average of independent tickets.
RULES: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"4/D": lambda D: 4.0 / D, "1 + 3/D": lambda D: 1.0 + 3.0 / D, "1": lambda D: np.ones_like(D)}
)
TOLERANCE = 4 / 3  # a factor up to which two exponents count as the same
INSIDE, OUTSIDE, OPEN = "inside", "outside", "open"
LEAST = 3  # exponents that rules are compared by
SCANNED = 200  # sizes of misfit that are tried


@dataclass(frozen=True)
class RuleMiss(Shown):
    """One rule beside K exponents.

    Parameters
    ----------
    rule : str
    miss : float
        Root mean square difference.
    misfit : float
        tau, what of that is beyond the exponents' own errors.
    weight : float
        Fraction of the evidence.
    """

    rule: str
    miss: float
    misfit: float
    weight: float


@dataclass(frozen=True)
class Line(Shown):
    """exponent = offset + slope / D, by least squares, with Student's intervals.

    Rules are (offset, slope) too: 4/D is (0, 4), 1 + 3/D is (1, 3), 1 is (1, 0).

    Parameters
    ----------
    offset, slope : Estimate
    freedom : int
        Degrees: exponents less two; with one the intervals are too wide to be of use.
    """

    offset: Estimate
    slope: Estimate
    freedom: int


def predicted(rule: str, inputs: float) -> float:
    """The exponent that a rule gives.

    Parameters
    ----------
    rule : str
        A key of RULES.
    inputs : float
        D, above 0.

    Returns
    -------
    float

    Raises
    ------
    ConfigError
        For an unknown rule, or inputs not above 0.

    Examples
    --------
    >>> predicted("1 + 3/D", 3)
    2.0
    """
    check_choice("rule", rule, RULES)
    inputs = real_number("inputs", inputs, "above 0", lambda D: D > 0)
    return float(RULES[rule](np.array(inputs)))


def place(exponent: Estimate, claimed: float) -> str:
    """INSIDE where an exponent's whole interval lies within a factor TOLERANCE of a claimed one,
    OUTSIDE where none of it does, else OPEN.

    >>> exponents = [Estimate(value, value - 0.2, value + 0.2, 0.95) for value in (1.1, 1.3, 1.9)]
    >>> [place(exponent, 1.0) for exponent in exponents]
    ['inside', 'open', 'outside']
    """
    low, high = claimed / TOLERANCE, claimed * TOLERANCE
    if low <= exponent.low and exponent.high <= high:
        return INSIDE
    return OUTSIDE if exponent.high < low or exponent.low > high else OPEN


def telling(inputs: float, one: str, other: str) -> bool:
    """Whether two of RULES differ so much for D inputs that no exponent lies within a factor
    TOLERANCE of both.

    >>> [D for D in (1, 2, 3, 4, 5, 8) if telling(D, "4/D", "1")]
    [1, 2, 8]
    """
    apart = abs(np.log(predicted(one, inputs) / predicted(other, inputs)))
    return bool(apart > 2 * np.log(TOLERANCE))


def compare_rules(inputs: ArrayLike, exponents: Sequence[Estimate]) -> tuple[RuleMiss, ...]:
    """RULES beside measured exponents, in their order, with the evidence for each.

    exponent_k = rule(D_k) + d_k + e_k, Var e_k from its interval, Var d_k = tau^2 (each rule's own
    misfit, by maximum likelihood); weight = L / sum L, as tau is the one free number of each.

    Parameters
    ----------
    inputs : (K,) array_like of float
        D of each exponent, of one family of targets or of several.
    exponents : sequence of K Estimate

    Returns
    -------
    tuple of RuleMiss

    Raises
    ------
    DataError
        For fewer than LEAST exponents, where lengths differ, and for exponents that are not finite.

    Examples
    --------
    >>> exponents = [Estimate(a, a - 0.1, a + 0.1, 0.95) for a in (3.9, 2.1, 1.0, 0.55)]
    >>> rows = compare_rules([1, 2, 4, 8], exponents)
    >>> max(rows, key=lambda row: row.weight).rule
    '4/D'
    """
    D, value, error = _columns(inputs, exponents)
    found, evidence = [], []
    for rule, function in RULES.items():
        rest = value - function(D)
        sizes = np.geomspace(1e-3, 1e3, SCANNED) * (np.abs(rest).max() + error.max())
        tau = np.concatenate([[0.0], sizes])
        total = error**2 + tau[:, None] ** 2
        likelihood = -0.5 * np.sum(rest**2 / total + np.log(2 * np.pi * total), axis=1)
        best = int(np.argmax(likelihood))
        found.append((rule, float(np.sqrt(np.mean(rest**2))), float(tau[best])))
        evidence.append(likelihood[best])
    weights = softmax(evidence).tolist()
    return tuple(RuleMiss(*row, weight) for row, weight in zip(found, weights, strict=True))


def line_in_one_over_inputs(
    inputs: ArrayLike, exponents: Sequence[Estimate], level: float = 0.95
) -> Line:
    """Offset and slope of exponents against 1/D, by ordinary least squares.

    The intervals come from the scatter about the line.

    Parameters
    ----------
    inputs, exponents
        As in `compare_rules`.
    level : float in (0, 1)

    Returns
    -------
    Line

    Raises
    ------
    ConfigError
        For a level that is no probability.
    DataError
        As `compare_rules`, or for one number of inputs alone.

    Examples
    --------
    >>> exponents = [Estimate(1 + 3 / D, 0, 9, 0.95) for D in (1, 2, 4, 8)]
    >>> found = line_in_one_over_inputs([1, 2, 4, 8], exponents)
    >>> round(found.offset.value, 9), round(found.slope.value, 9)
    (1.0, 3.0)
    """
    check_fraction("level", level, 0.95)
    D, value, _ = _columns(inputs, exponents)
    if len(np.unique(D)) < 2:
        raise DataError(
            f"all exponents are of {D[0]:g} inputs; a line needs two numbers of inputs: train more"
        )
    design = np.stack([np.ones_like(D), 1 / D], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    solution = inverse @ design.T @ value
    rest = value - design @ solution
    freedom = len(D) - 2
    spread = np.sqrt(np.diag(inverse) * (rest @ rest) / freedom)
    spread = spread * student.ppf(ends(level)[1], freedom)
    rows = zip(solution.tolist(), spread.tolist(), strict=True)
    offset, slope = (Estimate(v, v - s, v + s, level) for v, s in rows)
    return Line(offset, slope, freedom)


def _columns(inputs: ArrayLike, exponents: Sequence[Estimate]) -> tuple[Array, Array, Array]:
    """D (K,), exponents (K,) and their standard errors (K,), taken for normal."""
    D = reals_of("inputs", inputs)
    if D.shape != (len(exponents),):
        raise DataError(
            f"inputs of shape {D.shape} and {len(exponents)} exponents do not match; give one "
            "number of inputs for each"
        )
    if len(exponents) < LEAST:
        raise DataError(
            f"{len(exponents)} exponents are too few to compare rules; at least {LEAST} are "
            "needed: train more"
        )
    if not ((D > 0) & np.isfinite([(one.value, one.high - one.low) for one in exponents]).T).all():
        raise DataError(
            "inputs must be above 0 and exponents finite, with their intervals; leave others out"
        )
    value = np.array([one.value for one in exponents])
    error = np.array([(one.high - one.low) / (2 * ndtri(ends(one.level)[1])) for one in exponents])
    return D, value, np.maximum(error, 1e-9)
