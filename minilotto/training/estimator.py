"""Nets as a scikit-learn regressor. Needs scikit-learn (extra `sklearn`)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import given
from minilotto.errors import ConfigError, ResourceError, optional, shown
from minilotto.settings.arrays import check_unmasked
from minilotto.settings.config import Config
from minilotto.settings.limits import check_choice
from minilotto.settings.numbers import whole_number
from minilotto.training.train import train

with optional("sklearn", "sklearn"):
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

COMBINATIONS = ("best", "median", "mean")
PASSED_ON = (
    *("width", "activation", "lr", "optimizer", "schedule", "batch"),
    *("depth", "residual", "init", "dtype"),
)


class NetsRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression by R nets: the best of them, their median or their mean.

    Inputs and targets are standardised (mean 0, variance 1) before training. With schedule "step"
    lr falls to 1/625 during the training, in steps of 1/5 as by Config's defaults.

    Parameters
    ----------
    width, activation
        As of Config.
    seeds : int
        Number of nets R.
    steps, lr
        As of Config.
    combine : {"best", "median", "mean"}
        "best": the net of least training loss; others: at each point, over the best nets.
    share : float in (0, 1]
        Fraction of the nets that a median or mean is taken over.
    init, dtype
        As of Config.
    random_state : int, numpy.random.RandomState or None
        Determines the initial parameters.
    threads : int or None
        As of `train`.
    optimizer, schedule, batch, depth, residual
        As of Config.

    Attributes
    ----------
    nets_ : Ensemble
        Trained on standardised data, ordered by loss.
    n_features_in_ : int
        Number of inputs D.

    Examples
    --------
    >>> x = np.linspace(-2, 2, 50)[:, None]
    >>> nets = NetsRegressor(width=5, seeds=8, random_state=0).fit(x, x[:, 0] ** 2)
    >>> bool(nets.score(x, x[:, 0] ** 2) > 0.999)
    True
    """

    def __init__(
        self,
        width: int = 20,
        activation: str = "silu",
        seeds: int = 16,
        steps: int = 5000,
        lr: float = 1e-2,
        combine: str = "best",
        share: float = 0.5,
        init: str = "torch",
        dtype: str = "float64",
        random_state: Any = None,
        threads: int | None = None,
        optimizer: str = "adam",
        schedule: str = "step",
        batch: int = 0,
        depth: int = 1,
        residual: bool = False,
    ) -> None:
        self.width = width
        self.activation = activation
        self.seeds = seeds
        self.steps = steps
        self.lr = lr
        self.combine = combine
        self.share = share
        self.init = init
        self.dtype = dtype
        self.random_state = random_state
        self.threads = threads
        self.optimizer = optimizer
        self.schedule = schedule
        self.batch = batch
        self.depth = depth
        self.residual = residual

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NetsRegressor":
        """Train on weighted points.

        Parameters
        ----------
        X : (P, D) array_like of float
            Inputs.
        y : (P,) array_like of float
            Targets.
        sample_weight : (P,) array_like of float or None
            Weights of any positive sum; by default equal.

        Returns
        -------
        NetsRegressor
            Itself.

        Raises
        ------
        ConfigError
            For settings that cannot be trained, a ValueError as for wrong data.
        DataError
            For masked values.
        ResourceError
            Where all nets diverge.
        """
        for name, values in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            check_unmasked(name, values)
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        check_choice("combine", self.combine, COMBINATIONS)
        if not isinstance(self.share, (int, float, np.number)) or not 0 < self.share <= 1:
            raise ConfigError(
                f"share={shown(self.share)} is out of range; give a number above 0 and at most 1"
            )
        steps = whole_number("steps", self.steps, at_least=1, below=2**53)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        weight, _ = _near_one(weight)
        used = weight > 0
        self._x_mean, self._x_scale = _standard(X[used], weight[used])
        self._y_mean, self._y_scale = _standard(y[used], weight[used])
        falls = self.schedule == "step" and self.optimizer != "lm"
        config = Config(
            **{name: getattr(self, name) for name in PASSED_ON},
            steps=steps,
            lr_decay_every=max(1, -(-steps // 5)) if falls else 10_000,
            root_seed=_root_seed(self.random_state),
        )
        data = given(
            (X[used] - self._x_mean) / self._x_scale,
            (y[used] - self._y_mean) / self._y_scale,
            weight[used],
        )
        nets = train(config, self.seeds, data=data, threads=self.threads, checkpoints=[])
        nets = nets.select(nets.status == "ok")
        if len(nets) == 0:
            raise ResourceError(f"all {self.seeds} nets diverged; lower lr={self.lr}")
        self.nets_ = nets.select(np.argsort(nets.loss, kind="stable"))
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Outputs of the fitted nets.

        Parameters
        ----------
        X : (P, D) array_like of float
            Inputs.

        Returns
        -------
        (P,) ndarray of float64
        """
        check_is_fitted(self)
        check_unmasked("X", X)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        taking_part = 1 if self.combine == "best" else max(1, round(self.share * len(self.nets_)))
        outputs = self.nets_[:taking_part].predict((X - self._x_mean) / self._x_scale)
        combined = np.median(outputs, axis=0) if self.combine == "median" else outputs.mean(axis=0)
        return np.asarray(self._y_mean + self._y_scale * combined)


def _near_one(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], Any]:
    """Each column divided by a power of two, which rounds nothing, so that its squares neither
    overflow nor vanish; and the exponents.
    """
    exponents = np.frexp(np.abs(values).max(axis=0))[1]
    return np.ldexp(values, -exponents), exponents


def _standard(values: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[Any, Any]:
    """Weighted mean and standard deviation over the points; 1 in place of a deviation of 0."""
    values, exponents = _near_one(values)
    mean = np.average(values, axis=0, weights=weight)
    scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))
    varies = scale > 1e-12 * np.abs(mean)
    return np.ldexp(mean, exponents), np.where(varies, np.ldexp(scale, exponents), 1.0)


def _root_seed(random_state: Any) -> int:
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return whole_number("random_state", random_state, at_least=0, below=2**64)
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError:
        raise ConfigError(
            f"random_state={shown(random_state)} is no seed; give a whole number, a "
            "numpy.random.RandomState or None"
        ) from None
