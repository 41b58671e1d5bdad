"""Whether a net of width N is more than two nets of width N / 2, combined in six ways."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.ensembling.ensembling import (
    Cosines,
    cosines,
    gram,
    optimal_weights,
    orthogonal_loss,
)
from minilotto.analysis.ensembling.joining import Refit, refitted
from minilotto.analysis.ensembling.pairs import NullComparison, compare, cosine_medians, drawn_pairs
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, estimate
from minilotto.ensemble.last_layer import RANK_CUT, check_weight, least_squares
from minilotto.errors import DataError
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown

__all__ = ["Nets", "Synergy", "synergy"]

NULLS = {
    "harmonic": "(1 / L1 + 1 / L2)^-1, as in the paper",
    "average": "the mean of both nets' functions",
    "sum to one": "a f1 + (1 - a) f2 with the best a",
    "free weights": "a1 f1 + a2 f2 + constant with the best of the three",
    "joined": "all neurons of both nets, last layer refitted",
    "joined, all refitted": "the same, against nets of width N refitted likewise",
}


@dataclass(frozen=True, eq=False)
class Nets(Shown):
    """R nets of one width, as arrays; what is left out is not analysed.

    Parameters
    ----------
    loss : (R,) ndarray
        nets.loss.
    outputs : (R, P) ndarray or None
        nets.predict(nets.data.x). Without them there is the paper's null alone.
    w, b : (R, N, D), (R, N) ndarray or None
        nets.w, nets.b. Without them nothing is joined.
    """

    loss: NDArray[Any]
    outputs: NDArray[Any] | None = None
    w: NDArray[Any] | None = None
    b: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Synergy(Shown):
    """The nulls side by side.

    Parameters
    ----------
    pairs : (M, 2) ndarray of int
        Positions among the narrow nets whose loss is finite.
    diverged : (int, int)
        How many narrow and wide nets were left out.
    nulls : dict of str to NullComparison
        By the names of NULLS; those that cannot be computed are missing.
    similarity, similarity_median : Cosines or None, Estimate or None
        Cosines of the pairs' error functions, with the interval of their median.
    joined, refitted : Refit or None
        The last layers behind the last two nulls, with their ranks.
    notes : tuple of str
        Why nulls are missing.
    """

    pairs: NDArray[np.intp]
    diverged: tuple[int, int]
    nulls: dict[str, NullComparison]
    similarity: Cosines | None
    similarity_median: Estimate | None
    joined: Refit | None
    refitted: Refit | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([str(null) for null in self.nulls.values()] + list(self.notes))


def synergy(
    narrow: Nets,
    wide: Nets,
    *,
    y: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    x: ArrayLike | None = None,
    activation: Activation | None = None,
    cut: float = RANK_CUT,
    draws: int = 2000,
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> Synergy:
    """Two nets of width N / 2, combined in each way of NULLS, against nets of width N.

    All ways have the same pairs. "free weights" is the linear combination that a last layer could
    make, "sum to one" that of Eq. 5 to 7; each way includes the ones before it, from "average" on,
    so its losses are no greater but for what a rank cut leaves out. "joined" is fitted better than
    Adam fits wide nets, so "joined, all refitted" compares like with like. A null that cannot be
    compared becomes a note.

    Parameters
    ----------
    narrow, wide : Nets
        Nets(nets.loss, nets.predict(nets.data.x), nets.w, nets.b); `wide` needs no outputs. Nets of
        finite loss are taken.
    y, weight, x : (P,), (P,), (P, D) array_like
        nets.data.y, .weight and .x. Outputs need the first two, w and b all, and the activation.
    activation : Activation
        nets.activation.
    cut : float in (0, 1)
        As in `joining.refitted`.
    draws, level, resamples, seed
        As in `compare`.

    Returns
    -------
    Synergy

    Raises
    ------
    DataError
        For shapes that do not match, fewer than LEAST_SEEDS nets, or losses that are not those of
        the outputs.
    ConfigError
        As `compare`.

    References
    ----------
    Paper: figure 4, Eq. 5 to 9. Differs: the paper has the first null alone.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y, errors = np.linspace(0, 1, 50), random.normal(size=(30, 50)) / 100
    >>> losses = (errors**2).mean(axis=1)
    >>> found = synergy(Nets(losses, y + errors), Nets(losses / 2), y=y, weight=np.ones(50) / 50)
    >>> [name for name, null in found.nulls.items() if 0.9 < null.ratio.value < 1.1]
    ['harmonic', 'average', 'sum to one', 'free weights']
    """
    one, two = _finite(narrow, "narrow"), _finite(wide, "wide")
    pairs = drawn_pairs(len(one.loss), draws, seed)
    losses = {"harmonic": orthogonal_loss(one.loss[pairs])}
    notes: list[str] = []
    similarity = median = joined = again = None
    if one.outputs is not None:
        target, weights = _measure(y, weight, one.loss, one.outputs)
        losses |= combined(one.outputs, target, weights, pairs)
        try:
            similarity = cosines(one.outputs - target, weights, pairs)
            random = np.random.default_rng(seed)
            replicates = cosine_medians(similarity.values, pairs, resamples, random)
            median = estimate(similarity.median, replicates, level)
        except DataError as refusal:
            notes.append(f"similarity: {refusal}")
    if one.w is not None and one.b is not None:
        if y is None or weight is None or x is None or activation is None:
            raise DataError(
                "w and b are given without x, y, weight or activation; give all of them, or nets "
                "without w and b"
            )
        joined = refitted(activation, one.w, one.b, x, y, weight, pairs, cut)
        losses["joined"] = joined.loss
        if two.w is not None and two.b is not None:
            again = refitted(activation, two.w, two.b, x, y, weight, cut=cut)
            losses["joined, all refitted"] = joined.loss
    nulls = {}
    for name, loss in losses.items():
        against = again.loss if again is not None and name == "joined, all refitted" else two.loss
        try:
            nulls[name] = compare(
                loss, against, pairs, name=name, level=level, resamples=resamples, seed=seed
            )
        except DataError as refusal:
            notes.append(f"{name}: {refusal}")
    diverged = (len(narrow.loss) - len(one.loss), len(wide.loss) - len(two.loss))
    return Synergy(pairs, diverged, nulls, similarity, median, joined, again, tuple(notes))


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
        "free weights": least_squares(columns, -errors[:, 1], weight).loss,
    }


def _finite(nets: Nets, title: str) -> Nets:
    """The nets whose loss is finite, as float64. Raises DataError."""
    loss = np.asarray(nets.loss, dtype=np.float64)
    kept = np.isfinite(loss)
    if loss.ndim != 1 or np.count_nonzero(kept) < LEAST_SEEDS:
        raise DataError(
            f"{np.count_nonzero(kept)} {title} nets have a finite loss, of shape {loss.shape}; at "
            f"least {LEAST_SEEDS} are needed, as (R,): train more"
        )
    parts: list[Array | None] = []
    for name in ("outputs", "w", "b"):
        array = getattr(nets, name)
        if array is not None and np.shape(array)[:1] != loss.shape:
            raise DataError(
                f"{name} of the {title} nets has shape {np.shape(array)} for {len(loss)} losses; "
                "give one row a net"
            )
        parts.append(None if array is None else np.asarray(array, dtype=np.float64)[kept])
    return Nets(loss[kept], *parts)


def _measure(
    y: ArrayLike | None, weight: ArrayLike | None, loss: Array, outputs: Array
) -> tuple[Array, Array]:
    """Target and weight (P,), checked against the nets' outputs and losses."""
    if y is None or weight is None:
        raise DataError(
            "outputs are given without y or weight; give nets.data.y and nets.data.weight, or "
            "nets without outputs"
        )
    target, weights = np.asarray(y, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    if target.ndim != 1 or weights.shape != target.shape or outputs.shape[1:] != target.shape:
        raise DataError(
            f"outputs {outputs.shape}, y {target.shape}, weight {weights.shape} do not match: (R, "
            "P), (P,), (P,)"
        )
    check_weight(weights)
    found = (outputs - target) ** 2 @ weights
    if not np.allclose(found, loss, rtol=1e-6, atol=0):
        worst = int(np.argmax(np.abs(found - loss)))
        raise DataError(
            f"net {worst} has loss {loss[worst]:.6g}, its outputs {found[worst]:.6g}; give "
            "outputs at nets.data.x"
        )
    return target, weights
