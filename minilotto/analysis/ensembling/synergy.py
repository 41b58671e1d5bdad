"""Whether a net of width N is more than two nets of width N / 2, combined in six ways."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.ensembling.ensembling import (
    Cosines,
    cosines,
    gram,
    optimal_weights,
    orthogonal_loss,
    positions,
)
from minilotto.analysis.ensembling.pairs import NullComparison, compare, cosine_medians, drawn_pairs
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, estimate
from minilotto.data.dataset import differing
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import hidden, least_squares
from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks, check_one_layer

__all__ = ["Synergy", "refitted", "synergy"]

NULLS = {
    "harmonic": "(1 / L1 + 1 / L2)^-1, as in the paper",
    "average": "the mean of both nets' functions",
    "sum to one": "a f1 + (1 - a) f2 with the best a",
    "free weights": "a1 f1 + a2 f2 + constant with the best of the three",
    "joined": "all neurons of both nets, last layer refitted",
    "joined, all refitted": "the same, against nets of width N refitted likewise",
}
ENTRIES = 2_000_000  # of design matrices solved at a time
FLOAT32_CUT = 1e-6  # directions that a last layer in float32 could not tell apart


@dataclass(frozen=True, eq=False)
class Synergy(Shown):
    """The nulls side by side.

    Parameters
    ----------
    nulls : dict of str to NullComparison
        By the names of NULLS; those that cannot be computed are missing.
    similarity, similarity_median : Cosines or None, Estimate or None
        Cosines of the pairs' error functions, with the interval of their median.
    notes : tuple of str
        Why nulls are missing.
    """

    nulls: dict[str, NullComparison]
    similarity: Cosines | None
    similarity_median: Estimate | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([str(null) for null in self.nulls.values()] + list(self.notes))


def synergy(
    narrow: Ensemble,
    wide: Ensemble,
    *,
    draws: int = 2000,
    level: float = 0.9,
    resamples: int = 1000,
) -> Synergy:
    """Two nets of width N / 2, combined in each way of NULLS, against nets of width N.

    All ways have the same pairs. "free weights" is the linear combination that a last layer could
    make, "sum to one" that of Eq. 5 to 7; each way includes the ones before it, from "average" on,
    so its losses are no greater but for what a rank cut leaves out. "joined" is fitted better than
    Adam fits wide nets, so "joined, all refitted" compares like with like. A null that cannot be
    compared becomes a note.

    Parameters
    ----------
    narrow, wide : Ensemble
        Nets of finite loss are taken.
    draws, level, resamples
        As in `drawn_pairs` and `compare`.

    Returns
    -------
    Synergy

    Raises
    ------
    DataError
        For fewer than LEAST_SEEDS nets, nets of other data, and other widths than N / 2 and N.
    ConfigError
        As `compare` and `refitted`.

    References
    ----------
    Paper: figure 4, Eq. 5 to 9. Differs: the paper has the first null alone.

    Examples
    --------
    >>> import minilotto as ml
    >>> narrow, wide = (ml.train(ml.Config(width=n, steps=100), seeds=12) for n in (2, 4))
    >>> list(synergy(narrow, wide, resamples=100).nulls) == list(NULLS)
    True
    """
    one, two = (nets.select(np.isfinite(nets.loss)) for nets in (narrow, wide))
    if min(len(one), len(two)) < LEAST_SEEDS:
        raise DataError(
            f"{len(one)} narrow and {len(two)} wide nets are finite; at least {LEAST_SEEDS} of "
            "each are needed: train more seeds"
        )
    data, pairs = one.data, drawn_pairs(len(one), draws)
    if differing(two.data, data):
        raise DataError(
            "narrow and wide nets have different data; give nets of one target and the same points"
        )
    if 2 * narrow.config.width != wide.config.width:
        raise DataError(
            f"nets of widths {narrow.config.width} and {wide.config.width} are not N / 2 and N; "
            "give wide nets of twice the width"
        )
    joined = refitted(one, pairs)
    more = {"joined": (joined, two.loss), "joined, all refitted": (joined, refitted(two))}
    return of_outputs(
        one.predict(data.x), data.y, data.weight, two.loss, pairs, level, resamples, more
    )


def of_outputs(
    outputs: Array,
    y: Array,
    weight: Array,
    wider: Array,
    pairs: NDArray[np.intp],
    level: float,
    resamples: int,
    more: Mapping[str, tuple[Array, Array]] | None = None,
) -> Synergy:
    """Pairs of functions (R, P) against losses (R',), and `more` losses of both by null."""
    loss = (outputs - y) ** 2 @ weight
    combinations = {"harmonic": orthogonal_loss(loss[pairs]), **combined(outputs, y, weight, pairs)}
    losses = {name: (found, wider) for name, found in combinations.items()} | dict(more or {})
    notes, nulls = [], {}
    similarity = median = None
    try:
        similarity = cosines(outputs - y, weight, pairs)
        random = np.random.default_rng(0)
        replicates = cosine_medians(similarity.values, pairs, resamples, random)
        median = estimate(similarity.median, replicates, level)
    except DataError as refusal:
        notes.append(f"similarity: {refusal}")
    for name, both in losses.items():
        try:
            nulls[name] = compare(*both, pairs, name=name, level=level, resamples=resamples)
        except DataError as refusal:
            notes.append(f"{name}: {refusal}")
    return Synergy(nulls, similarity, median, tuple(notes))


def combined(
    outputs: Array, target: Array, weight: Array, pairs: NDArray[np.intp]
) -> dict[str, Array]:
    """Losses (M,) of the pairs' "average", "sum to one" and "free weights" of NULLS."""
    first, second = outputs[pairs[:, 0]], outputs[pairs[:, 1]]
    errors = np.stack([first, second], axis=1) - target
    best = optimal_weights(gram(errors, weight))
    balanced = np.einsum("mi,mip->mp", best, errors)
    # a1 f1 + a2 f2 + c - y, written with the small e2 and f1 - f2 for y and f1: the same functions,
    # and less to cancel.
    columns = np.stack([first - second, second, np.ones_like(second)], axis=2)
    return {
        "average": errors.mean(axis=1) ** 2 @ weight,
        "sum to one": balanced**2 @ weight,
        "free weights": least_squares(columns, -errors[:, 1], weight),
    }


def refitted(nets: Ensemble, together: ArrayLike | None = None) -> Array:
    """Losses of nets with their hidden neurons kept and v and c fitted by least squares.

    Directions below FLOAT32_CUT of the largest are left out. Where v is far larger than trained
    ones, training would not find it.

    Parameters
    ----------
    nets : Ensemble
        R nets of one hidden layer.
    together : (B, n) array_like of int or None
        Positions of nets to be joined into one of width n N before the fit; unless given, each is
        refitted alone.

    Returns
    -------
    (B,) ndarray of float64

    Raises
    ------
    DataError
        For positions of no nets, and hidden responses that are not finite.
    ConfigError
        For several hidden layers, and nets of the logistic loss.

    References
    ----------
    Paper: appendix D refits pairs of neurons. Differs: whole nets here, and scaled columns.
    """
    check_one_layer("a fit of output weights", nets.config.depth)
    if nets.config.loss != "squared":
        raise ConfigError(
            f"nets of loss={nets.config.loss!r} have no best output weights by least squares; give "
            "nets of loss='squared'"
        )
    alone = np.arange(len(nets))[:, None]
    groups = positions("together", alone if together is None else together, len(nets))
    data, responses = nets.data, hidden(nets.activation, nets.w, nets.b, nets.data.x)
    neurons = groups.shape[1] * nets.config.width
    parts = []
    for block in blocks(len(groups), data.points * (neurons + 1), ENTRIES):
        chosen = responses[groups[block]].reshape(-1, neurons, data.points)
        design = np.ones((len(chosen), data.points, neurons + 1))
        design[:, :, :-1] = chosen.transpose(0, 2, 1)
        parts.append(least_squares(design, data.y, data.weight, FLOAT32_CUT))
    return np.concatenate(parts)
