"""Ensemble: the result of a training."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.state import OptimizerState
from minilotto.ensemble import npz
from minilotto.ensemble.nets import Nets
from minilotto.errors import ConfigError, DataError, shown
from minilotto.files import check_output, write_atomically
from minilotto.initialisation import Parameters
from minilotto.settings.arrays import ReadOnly, array_of, reals_of
from minilotto.settings.config import Config

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class History(ReadOnly):
    """Losses during a training.

    Parameters
    ----------
    steps : (C,) ndarray of int64
        Steps at which losses were recorded.
    loss : (C, R) ndarray of float64
        NaN from the step on at which a seed had diverged.
    """

    steps: NDArray[np.int64]
    loss: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ensemble(ReadOnly, Nets):
    """R trained nets.

    f(x) = sum_i v_i sigma(w_i x + b_i) + c, or that of more hidden layers that `Parameters` states.
    Arrays are read-only; rows of diverged seeds are NaN.

    Parameters
    ----------
    config : Config
        The training protocol.
    data : Dataset
        The points that the nets were trained on.
    seeds : (R,) ndarray of int64
        The seed of each net.
    w : (R, N, D) ndarray of config.dtype
        Input weights.
    b, v : (R, N) ndarray of config.dtype
        Biases and output weights.
    c : (R,) ndarray of config.dtype
        Output biases.
    loss : (R,) ndarray of float64
        Final losses on `data`.
    history : History
        Losses during the training.
    nodes : (R,) ndarray of int64
        Number of points or nodes that the last step used.
    audit : (R,) ndarray of float64
        Largest difference between nodes and data in audits, in units of the sum of absolute terms;
        NaN without audits.
    requested : int
        Number of seeds of the call; above R where the training was interrupted.
    provenance : dict
        Version, engine and reason, lanes, threads, CPU, seconds; of a training that went on from
        nets, `from_step` and what became of their `moments`.
    step : int
        Steps done; by default config.steps. Fewer where the nets were kept on the way.
    state : OptimizerState or None
        The optimiser's m and s, where `train(state=True)` was to keep them.
    kept : dict of int to Ensemble
        The same nets at the steps that `train(keep=)` named.
    hidden_w : (R, L - 1, N, N) ndarray of config.dtype
        Weights between hidden layers, for config.depth L of at least 2.
    hidden_b : (R, L - 1, N) ndarray of config.dtype
        Biases of the hidden layers after the first.
    """

    config: Config
    data: Dataset
    seeds: NDArray[np.int64]
    w: NDArray[Any]
    b: NDArray[Any]
    v: NDArray[Any]
    c: NDArray[Any]
    loss: NDArray[np.float64]
    history: History
    nodes: NDArray[np.int64]
    audit: NDArray[np.float64]
    requested: int
    provenance: dict[str, Any] = field(default_factory=dict)
    step: int = -1
    state: OptimizerState | None = None
    kept: dict[int, "Ensemble"] = field(default_factory=dict)
    hidden_w: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    hidden_b: NDArray[Any] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if self.config.depth == 1:
            without = Parameters(self.w, self.b, self.v, self.c)
            object.__setattr__(self, "hidden_w", without.hidden_w)
            object.__setattr__(self, "hidden_b", without.hidden_b)
        if self.step < 0:
            object.__setattr__(self, "step", self.config.steps)
        for array in (*self.per_net().values(), self.history.steps, self.history.loss):
            array.setflags(write=False)

    def per_net(self) -> dict[str, NDArray[Any]]:
        """The arrays with one row for each net, by name.

        Returns
        -------
        dict of str to (R, ...) ndarray
        """
        hidden = npz.HIDDEN if self.config.depth > 1 else ()
        return {name: getattr(self, name) for name in (*npz.PER_NET, *hidden)}

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, which: Any) -> "Ensemble":
        """The net at one position, or those of a slice, a mask or a list, as an Ensemble."""
        if isinstance(which, slice):
            return self.select(np.arange(len(self))[which])
        positions = array_of("selection", which)
        one = positions.ndim == 0 and positions.dtype.kind in "iu"
        return self.select(positions[None] if one else positions)

    def __iter__(self) -> Iterator["Ensemble"]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        partial = f" of {self.requested} requested" if self.partial else ""
        on_the_way = f" at step {self.step}" if self.step < self.config.steps else ""
        return f"Ensemble({len(self)} nets{partial}{on_the_way}, {self.config})"

    def _repr_html_(self) -> str:
        from minilotto.settings.display import histogram, in_words, panel

        good = self.loss[np.isfinite(self.loss)]
        rows: dict[str, object] = {
            "config": in_words(self.config),
            "nets": f"{len(self)}, {len(self) - len(good)} of them diverged",
            "steps": f"{self.step} of {self.config.steps}",
            "data": f"{self.data.points} points, {self.data.inputs} inputs",
            "engine": self.engine,
        }
        if self.partial:
            rows["nets"] = f"{rows['nets']}; interrupted, {self.requested} were requested"
        if good.size:
            least, middle, most = np.quantile(good, (0.0, 0.5, 1.0))
            rows["loss"] = f"{least:.3g} to {most:.3g}, median {middle:.3g}"
        return panel("Ensemble", rows.items(), histogram(good, "loss"))

    def plot(self, kind: str = "losses", ax: "Axes | None" = None) -> "Axes":
        """Draw the nets with matplotlib.

        Parameters
        ----------
        kind : {"losses", "history", "functions", "neurons"}
            "losses": histogram of final losses. "history": quantiles of the losses over the steps.
            "functions": f(x) and the points. "neurons": the plane of w and b. The last two, for one
            input, show at most 200 nets, evenly by their loss, and the best of them in colour.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; new ones of pyplot by default.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        ConfigError, DataError, ResourceError
            For another kind or ax, nothing to draw, and a matplotlib that cannot be loaded.
        """
        from minilotto.ensemble.plots import plot

        return plot(self, kind, ax)

    @property
    def status(self) -> NDArray[np.str_]:
        """(R,) str: "ok", or "diverged" where a parameter or the loss is not finite."""
        return np.where(np.isfinite(self.loss), "ok", "diverged")

    @property
    def partial(self) -> bool:
        """Whether the training was interrupted before all requested seeds were done."""
        return len(self) < self.requested

    @property
    def engine(self) -> str:
        """The engine that trained the nets."""
        return str(self.provenance.get("engine", "unknown"))

    @property
    def reason(self) -> str:
        """Why that engine was chosen."""
        return str(self.provenance.get("reason", "unknown"))

    def select(self, which: ArrayLike) -> "Ensemble":
        """Some of the nets.

        Parameters
        ----------
        which : (R,) array_like of bool or (K,) array_like of int
            A mask, or positions.

        Returns
        -------
        Ensemble
            In the order of positions.

        Raises
        ------
        ConfigError
            For anything else.
        """
        positions = array_of("selection", which)
        if positions.dtype == bool:
            if positions.shape != (len(self),):
                raise ConfigError(
                    f"mask has shape {positions.shape}; it must be ({len(self)},), one truth "
                    "value for each net"
                )
            positions = np.flatnonzero(positions)
        elif positions.size == 0:
            positions = np.empty(0, np.intp)
        if positions.ndim != 1 or positions.dtype.kind not in "iu":
            raise ConfigError(
                f"selection has dtype {positions.dtype} and shape {positions.shape}; give a mask "
                "or a list of positions"
            )
        if positions.size and not (-len(self) <= positions.min() and positions.max() < len(self)):
            raise ConfigError(
                f"selection reaches from {positions.min()} to {positions.max()}; there are "
                f"{len(self)} nets"
            )
        chosen: dict[str, Any] = {name: array[positions] for name, array in self.per_net().items()}
        history = History(self.history.steps, self.history.loss[:, positions])
        return dataclasses.replace(
            self,
            **chosen,
            history=history,
            requested=len(positions),
            state=None if self.state is None else self.state.rows(positions),
            kept={step: nets.select(positions) for step, nets in self.kept.items()},
        )

    def distill(self, width: int) -> "Ensemble":
        """Each net reduced to those of its neurons that fit the data best together.

        Output weights are fitted again, by least squares; they may be huge. These are no trained
        nets, and `provenance` says so. `minilotto.ensemble.distillation` has other methods.

        Parameters
        ----------
        width : int
            Number of neurons to keep, from 1 to config.width.

        Returns
        -------
        Ensemble
            Nets in float64.

        Raises
        ------
        ConfigError
            For another width, for no nets, and for nets of the logistic loss.
        """
        from minilotto.ensemble.distillation import distill

        if not len(self):
            raise ConfigError("there is no net to distill; select at least one")
        if self.config.loss != "squared":
            raise ConfigError(
                f"nets of loss={self.config.loss!r} are not distilled, which fits output weights "
                "by least squares"
            )
        small = distill(self.activation, self.parameters, width, self.data)
        reason = f"from trained nets of width {self.config.width}"
        nets = self._untrained(small.parameters, small.loss, "distilled", reason)
        config = self.config.replace(width=width, dtype="float64")
        return dataclasses.replace(nets, config=config, requested=len(self))

    def with_parameters(self, parameters: Parameters) -> "Ensemble":
        """These nets with other parameters, such as those that another optimiser found.

        Parameters
        ----------
        parameters : Parameters or tuple of arrays
            (w, b, v, c) of the same shapes; of several hidden layers hidden_w and hidden_b too.

        Returns
        -------
        Ensemble
            With losses of these parameters and without history.

        Raises
        ------
        DataError
            For other shapes, and for what is no array of numbers.
        """
        from minilotto.engines.evaluate import losses

        names = self.parameters._fields
        if not isinstance(parameters, (tuple, list)) or len(parameters) != len(names):
            wanted = f"({', '.join(names)})"
            raise DataError(f"parameters={shown(parameters)} are no arrays {wanted}")
        with np.errstate(over="ignore"):  # what the precision cannot hold makes a loss of NaN
            arrays = [
                reals_of(f"parameters {name}", array).astype(self.config.dtype)
                for name, array in zip(names, parameters, strict=True)
            ]
        shapes = [array.shape for array in arrays]
        ours = [array.shape for array in self.parameters]
        if shapes != ours:
            raise DataError(f"parameters have shapes {shapes}; these nets have {ours}")
        fresh = Parameters(*arrays)
        with np.errstate(invalid="ignore", over="ignore"):
            loss = losses(self.activation, fresh, self.data, self.config.loss, self.config.residual)
        loss[~np.isfinite(loss)] = np.nan
        return self._untrained(fresh, loss, "none", "parameters were given")

    def _untrained(
        self, parameters: Parameters, loss: NDArray[np.float64], engine: str, reason: str
    ) -> "Ensemble":
        """These nets with parameters that are not the end of a training."""
        return dataclasses.replace(
            self,
            **parameters._asdict(),
            loss=loss,
            audit=np.full(len(self), np.nan),
            nodes=np.full(len(self), self.data.points),
            history=History(np.empty(0, np.int64), np.empty((0, len(self)))),
            provenance={**self.provenance, "engine": engine, "reason": reason},
            state=None,
            kept={},
        )

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write everything but `kept` to one file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Ends in .npz.
        force : bool
            Overwrite an existing file.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ConfigError
            For another name, and for a file that exists without `force`.
        FileError
            Where it cannot be written.
        """
        path = check_output(path, (".npz",), force)
        write_atomically(path, self.write)
        return path

    def content(self) -> npz.Content:
        """The contents of the file that `save` writes.

        Returns
        -------
        Content
        """
        data, history = self.data, self.history
        further = (history.steps, history.loss, data.x, data.y, data.weight)
        named = self.per_net() | dict(zip(npz.ARRAYS[len(npz.PER_NET) :], further, strict=True))
        return npz.Content(
            self.config, self.requested, self.provenance, named, self.step, self.state
        )

    def write(self, file: BinaryIO) -> None:
        """Write the file of `save`; equal ensembles give equal bytes.

        Parameters
        ----------
        file : binary file
            Open for writing.
        """
        npz.write(self.content(), file)
