"""The engine for smooth activations and one input: another engine on a few nodes, audited against
the data.

At fixed steps each seed's loss and gradient on its nodes are compared with those on the data. A
seed whose difference exceeds what rounding would explain goes back to its last audit and repeats
the steps since then with more nodes. How many nodes a seed has depends on that seed alone, so
results are the same whichever seeds share a wave.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.data.quadrature import compress, merged, thinned
from minilotto.engines.cuda import CudaEngine
from minilotto.engines.evaluate import gradients, losses
from minilotto.engines.interface import Engine, State
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.wide import WideEngine
from minilotto.initialisation import Parameters
from minilotto.settings.config import Config

LADDER = {
    "float32": (16, 20, 24, 28, 32, 48, 64, 96, 128, 192, 256),
    "float64": (48, 64, 96, 128, 192, 256, 384, 512),
}
# Differences are counted in units of the sum of the absolute terms of a loss or gradient. Rounding
# in float32 alone makes some 1e-7 of that, and the compression itself, done in float64, some 1e-15.
TOLERANCE = {"float32": 1e-9, "float64": 1e-13}
FEW_POINTS = 4096
PIECE_DEGREE = 7
REPEATED_STRETCH = 500  # steps between two chances for Ctrl-C

Inner = LaneEngine | WideEngine | CudaEngine


class _Group(NamedTuple):
    """Seeds of a wave that have equally many nodes: their places in the wave and their engine."""

    places: NDArray[np.intp]
    engine: Inner


def audit_steps(steps: int) -> NDArray[np.int64]:
    """Steps after which seeds are audited: a function of the budget alone, so that it is the same
    for every call.

    >>> audit_steps(50_000).tolist()
    [0, 100, 300, 1000, 3000, 10000, 20000, 30000, 40000, 50000]
    """
    early = [step for step in (0, 100, 300, 1000, 3000) if step < steps]
    return np.array(
        [*early, *range(10_000, steps, max(10_000, steps // 50)), steps], dtype=np.int64
    )


class CompressedEngine(Engine):
    """Trains each seed on as few nodes as its audits allow; `nodes` fixes their number, audits then
    only report.
    """

    def __init__(
        self,
        config: Config,
        data: Dataset,
        threads: int,
        inner: type[Inner] = LaneEngine,
        nodes: int | None = None,
    ) -> None:
        super().__init__(config, data, threads)
        self.inner = inner
        self.name = f"{inner.name}, compressed"
        self.distinct = merged(data)
        self.audits = tuple(int(step) for step in audit_steps(config.steps))
        self.fixed = nodes is not None
        # Of many points, moments within small pieces do as well: for history, for audits, and finer
        # ones for the losses reported.
        many = self.distinct.points > FEW_POINTS
        self.audited, self.watched, self.reported = (
            thinned(self.distinct, pieces, PIECE_DEGREE) if many else self.distinct
            for pieces in (256, 512, 4096)
        )
        ladder = (nodes,) if nodes is not None else LADDER[config.dtype]
        # The last rung is the data itself, which passes every audit. Many points are no rung: one
        # sharp net would take longer than all the others. The audit then tells, and so does the
        # summary.
        self.rungs = [count for count in ladder if count < self.distinct.points]
        if not self.rungs or (not many and not self.fixed):
            self.rungs.append(self.distinct.points)
        self._rules: dict[int, Dataset] = {}
        self.lanes = self._engine(self.rungs[0]).lanes

    def _engine(self, nodes: int) -> Inner:
        return self.inner(self.config, self._rule(nodes), self.threads)

    def _rule(self, nodes: int) -> Dataset:
        if nodes not in self._rules:
            self._rules[nodes] = compress(self.distinct, nodes)
        return self._rules[nodes]

    def start(self, parameters: Parameters) -> None:
        count = len(parameters.c)
        zeros = Parameters(*(np.zeros_like(array) for array in parameters))
        self.nodes = np.full(count, self.rungs[0])
        self.worst = np.zeros(count)
        self.good = State(parameters, zeros, zeros)
        self.good_step = 0
        self._regroup(self.good)

    def advance(self, first: int, count: int) -> None:
        for group in self.groups:
            group.engine.advance(first, count)

    def parameters(self) -> Parameters:
        return self._gathered(lambda engine: engine.parameters())

    def state(self) -> State:
        parts = zip(*(group.engine.state() for group in self.groups), strict=True)
        return State(*(self._scattered(list(part)) for part in parts))

    def audit(self, step: int) -> None:
        """Compare every seed with the data; repeat the steps since the last audit with more nodes
        where that is needed.
        """
        state = self.state()
        self._audit(state, np.arange(len(self.nodes)), step)
        self.good, self.good_step = state, step
        self._regroup(state)

    def _audit(self, state: State, places: NDArray[np.intp], step: int) -> None:
        """Audit the seeds at `places`, and put into `state` what repeating gives for those that
        fail.
        """
        while places.size:
            differences = np.empty(len(places))
            for nodes in np.unique(self.nodes[places]):
                here = self.nodes[places] == nodes
                rule = self._rule(int(nodes))
                differences[here] = _difference(self, _taken(state.parameters, places[here]), rule)
            failed = differences > TOLERANCE[self.config.dtype]
            failed &= self.nodes[places] < self.rungs[-1]
            self.worst[places[~failed]] = np.maximum(
                self.worst[places[~failed]], differences[~failed]
            )
            places = places[failed]
            if not places.size:
                return
            before = self.nodes[
                places
            ]  # a copy: a seed that is raised here must not be raised again with those above it
            for nodes in np.unique(before):
                more = self.rungs[self.rungs.index(int(nodes)) + 1]
                self._repeat(state, places[before == nodes], more, step)

    def _repeat(self, state: State, places: NDArray[np.intp], nodes: int, step: int) -> None:
        self.nodes[places] = nodes
        engine = self._engine(nodes)
        engine.resume(State(*(_taken(part, places) for part in self.good)))
        for at in range(self.good_step, step, REPEATED_STRETCH):
            engine.advance(at, min(REPEATED_STRETCH, step - at))
        for part, repeated in zip(state, engine.state(), strict=True):
            for array, values in zip(part, repeated, strict=True):
                array[places] = values

    def _regroup(self, state: State) -> None:
        self.groups = []
        for nodes in np.unique(self.nodes):
            places = np.flatnonzero(self.nodes == nodes)
            engine = self._engine(int(nodes))
            engine.resume(State(*(_taken(part, places) for part in state)))
            self.groups.append(_Group(places, engine))

    def _gathered(self, of: Callable[[Inner], Parameters]) -> Parameters:
        return self._scattered([of(group.engine) for group in self.groups])

    def _scattered(self, parts: list[Parameters]) -> Parameters:
        """Arrays of the whole wave from those of its groups."""
        whole = Parameters(
            *(np.empty((len(self.nodes), *array.shape[1:]), array.dtype) for array in parts[0])
        )
        for group, part in zip(self.groups, parts, strict=True):
            for array, values in zip(whole, part, strict=True):
                array[group.places] = values
        return whole

    def losses(self, final: bool) -> NDArray[np.float64]:
        return losses(self.activation, self.parameters(), self.reported if final else self.watched)

    def effort(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return self.nodes.astype(np.int64), self.worst.copy()

    def points_per_step(self) -> int:
        return self.rungs[0]

    def nets_per_wave(self) -> int | None:
        return self._engine(self.rungs[0]).nets_per_wave()

    def bytes_per_net(self) -> int:
        return 3 * self._engine(self.rungs[0]).bytes_per_net()


def _taken(parameters: Parameters, places: NDArray[np.intp]) -> Parameters:
    return Parameters(*(array[places] for array in parameters))


def _difference(
    engine: CompressedEngine, parameters: Parameters, rule: Dataset
) -> NDArray[np.float64]:
    """Largest difference between rule and data, over loss and every coordinate of the gradient, in
    units of its scale: (R,).

    Nets whose loss or gradient on the data is not finite differ by nothing: no number of nodes
    would mend them. Where the rule alone makes them so, the difference is infinite.
    """
    activation, data = engine.activation, engine.audited
    exact = Parameters(*(array.astype(np.float64) for array in parameters))
    with np.errstate(invalid="ignore", over="ignore"):
        scale, loss_scale = _scales(exact, data)
        expected = losses(activation, exact, data)
        differences = np.abs(losses(activation, exact, rule) - expected) / loss_scale
        mendable = np.isfinite(expected) & np.isfinite(loss_scale)
        pairs = zip(
            gradients(activation, exact, rule),
            gradients(activation, exact, data),
            scale,
            strict=True,
        )
        for ours, theirs, unit in pairs:
            ratio = (np.abs(ours - theirs) / unit).reshape(len(differences), -1)
            differences = np.maximum(differences, ratio.max(axis=1))
            mendable &= np.isfinite(theirs).reshape(len(differences), -1).all(axis=1)
    return np.where(np.isfinite(differences), differences, np.where(mendable, np.inf, 0.0))


def _scales(parameters: Parameters, data: Dataset) -> tuple[Parameters, NDArray[np.float64]]:
    """Bounds of the sums of absolute terms of each coordinate of the gradient, and of the loss
    (R,).

    They use |sigma(z)| <= |z| + 1 and |sigma'(z)| <= 2, which hold for every smooth activation
    here.
    """
    w, b, v, c = (np.abs(array) for array in parameters)
    reach = np.abs(data.x).max(axis=0)
    hidden = w @ reach + b + 1.0
    residual = (v * hidden).sum(axis=1) + c + np.sqrt(np.abs(data.weight) @ data.y**2)
    db = 4.0 * residual[:, None] * v
    tiny = np.finfo(np.float64).tiny
    return Parameters(
        db[:, :, None] * reach + tiny,
        db + tiny,
        2.0 * residual[:, None] * hidden + tiny,
        2.0 * residual + tiny,
    ), residual**2 + tiny
