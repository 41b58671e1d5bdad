"""The engine for smooth activations and one or two inputs: another engine on a few nodes, audited
against the data.

At fixed steps each seed's loss and gradient on its nodes are compared with those on the data. A
seed whose difference exceeds what rounding would explain goes back to its last audit and repeats
the steps since then with more nodes. How many nodes a seed has depends on that seed alone, so
results do not depend on the other seeds of a batch.

After later audits each seed goes on with the fewest nodes that serve it where it is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.data.quadrature import compress, merged, thinned
from minilotto.engines.differences import difference
from minilotto.engines.interface import Engine
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.state import Audited, Kept, State, nets_joined, states_joined, taken
from minilotto.hardware.threads import run_blocks, run_works
from minilotto.initialisation import Parameters, parameter_count
from minilotto.kernels.simd import lane_count
from minilotto.settings.config import Config

# Refinement levels by number of inputs: a seed that fails an audit gets the next number of nodes.
# Of two inputs, where the data fill a box, they have the moments of degrees 16, 20, 24, 28 and 36,
# and for float64 32, 40 and 48.
NODE_LEVELS = {
    1: {
        "float32": (16, 20, 24, 28, 32, 48, 64, 96, 128, 192, 256),
        "float64": (48, 64, 96, 128, 192, 256, 384, 512),
    },
    2: {"float32": (92, 139, 195, 261, 703), "float64": (561, 861, 1225)},
}
# Fewer nodes, which a seed of one input may have after its audits from this step on. Of two inputs,
# nets need most nodes within the first thousand steps, and may have fewer after every audit.
FEWER_NODES = {"float32": (8, 12), "float64": (16, 20, 24, 32)}
FEWER_FROM = {1: 3000, 2: 0}
# Differences are counted in units of the sum of the absolute terms of a loss or gradient. Rounding
# in float32 alone makes some 1e-7 of that, and the compression itself, done in float64, some 1e-15.
TOLERANCE = {"float32": 1e-9, "float64": 1e-13}
LONGEST = 500_000  # of shorter trainings, all but the last audit are the same
SPARE = 0.3  # of the tolerance: what fewer nodes may take of it, to be tried
FEW_POINTS = 4096
PIECE_DEGREE = 7
# Parameters, at least, in whole vectors of nets: they stay in the cache, and a thread is not all
# Python.
AUDITED_AT_ONCE = 8192
REPEATED_STEPS = 500  # at a time, so that Ctrl-C need not wait for all of them


class _Group(NamedTuple):
    """Seeds of a batch that have equally many nodes: their places in the batch, their engine, and
    how they were at the last audit.
    """

    nodes: int
    places: NDArray[np.intp]
    engine: Engine
    good: Kept


class _Failing(NamedTuple):
    """Seeds that have to repeat steps: with how many nodes, and from where: their places there."""

    nodes: int
    places: NDArray[np.intp]
    good: Kept
    rows: NDArray[np.intp]


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
    """Trains each seed on as few nodes as its audits allow.

    Parameters
    ----------
    config, data, threads
        See `Engine`.
    inner : type of Engine
        What trains on the nodes.
    nodes : int, optional
        Fixes the number of nodes; audits then report only.
    """

    def __init__(
        self,
        config: Config,
        data: Dataset,
        threads: int,
        inner: type[Engine] = LaneEngine,
        nodes: int | None = None,
    ) -> None:
        super().__init__(config, data, threads)
        self.inner = inner
        self.name = f"{inner.name}, compressed"
        self.distinct = merged(data)
        self.audits = tuple(int(step) for step in audit_steps(config.steps))
        # Many points of one input are replaced by rules with the same moments within small pieces:
        # for audits, finer ones for history and the finest for the losses reported.
        many = self.distinct.points > FEW_POINTS
        self.audited, self.watched, self.reported = (
            thinned(self.distinct, pieces, PIECE_DEGREE)
            if many and data.inputs == 1
            else self.distinct
            for pieces in (256, 512, 4096)
        )
        levels = NODE_LEVELS[data.inputs][config.dtype] if nodes is None else (nodes,)
        # The last level is the data, which pass every audit. Not so for many points: one sharp net
        # would take longer than all others. Audits, and the summary, then report the difference.
        self.levels = [count for count in levels if count < self.distinct.points]
        if not self.levels or (not many and nodes is None):
            self.levels.append(self.distinct.points)
        self.first_nodes = self.levels[0]
        if nodes is None and data.inputs == 1 and inner.fewer_nodes:
            fewer = FEWER_NODES[config.dtype]
            self.levels = [count for count in fewer if count < self.first_nodes] + self.levels
        self.groups: list[_Group] = []
        self._rules: dict[int, Dataset] = {}
        self.lanes = self._engine(self.first_nodes).lanes

    def _engine(self, nodes: int) -> Engine:
        # The data as the last level are trained as nodes are.
        usual = {"spaced": False} if self.inner is LaneEngine else {}
        engine = self.inner(self.config, self._rule(nodes), self.threads, **usual)
        engine.since = self.since
        return engine

    def _rule(self, nodes: int) -> Dataset:
        if nodes not in self._rules:
            # The first rule has all moments that a smaller one keeps.
            data = self._rule(self.first_nodes) if nodes < self.first_nodes else self.distinct
            self._rules[nodes] = compress(data, nodes)
        return self._rules[nodes]

    def resume(self, state: State) -> None:
        """Continue from a state, with the nodes that trainings begin with for every seed."""
        count = len(state.parameters.c)
        self.nodes = np.full(count, self.first_nodes)
        self.worst = np.zeros(count)
        self.good_step = -1  # unknown until the next step or audit
        self._group(state, state)

    def go_on(self, now: Audited, before: Audited | None = None) -> None:
        """Continue with the nodes that the nets had, where these are a level here.

        Between two audits of this training, `now` had one of its own: nets that failed it are
        trained again from the audit before, as if it had not been.
        """
        self.resume(now.state)
        if before is None or now.step in self.audits:
            self._return_to(now)
            self._group(now.state, now.state)
            return
        self._return_to(before)
        failed = (now.nodes != self.nodes) & np.isfinite(now.state.parameters.c)
        failing, places = [], [np.flatnonzero(~failed)]
        for nodes in np.unique(self.nodes[failed]).tolist():
            places.append(np.flatnonzero(failed & (self.nodes == nodes)))
            failing.append(_Failing(nodes, places[-1], before.state, places[-1]))
        repeated = [group.engine.state() for group in self._repeated(failing, now.step)]
        states = states_joined([now.state.rows(places[0]), *repeated])
        self._group(states.rows(np.argsort(np.concatenate(places))), before.state)

    def _return_to(self, audited: Audited) -> None:
        self.good_step = audited.step
        self.nodes = np.where(np.isin(audited.nodes, self.levels), audited.nodes, self.first_nodes)
        self.worst = np.nan_to_num(audited.audit)

    def _last_audit(self) -> Audited:
        good = [group.good.rows(np.arange(len(group.places))) for group in self.groups]
        state = states_joined(good).rows(self._order())
        return Audited(self.good_step, state, self.nodes.copy(), self.worst.copy())

    @contextmanager
    def aside(self, step: int) -> Iterator[None]:
        """Audit the nets for the block alone, unless this training audits them at this step."""
        if step in self.audits:
            yield
            return
        last, state = self._last_audit(), self.state()
        self.audit(step)
        self.before = last
        yield
        self.before = None
        self._return_to(last)
        self._group(state, last.state)

    def advance(self, first: int, count: int) -> None:
        self._begin(first)
        if first == self.good_step and self._take_fewest():
            state = self.state()
            self._group(state, state)
        self._advance(self.groups, first, count)

    def _advance(self, groups: Sequence[_Group], first: int, count: int) -> None:
        # Groups with more nodes take longer; they begin.
        works = [group.engine.work(first, count) for group in groups[::-1]]
        together = [work for work in works if work is not None]
        run_works(together, self.threads)
        for group, work in zip(groups[::-1], works, strict=True):
            if work is None:
                group.engine.advance(first, count)

    def _begin(self, step: int) -> None:
        if self.good_step < 0:
            self.good_step = step

    def _take_fewest(self) -> bool:
        """After an audit, go on with the fewest nodes that differ little from the nodes that nets
        have, or begin with where these are more; whether any has fewer now.
        """
        inputs = self.data.inputs
        may = inputs > 1 or self.levels[0] < self.first_nodes
        if not may or self.good_step < FEWER_FROM[inputs]:
            return False
        tolerance, before, parameters = TOLERANCE[self.config.dtype], self.nodes, self.parameters()
        self.nodes = before.copy()
        for nodes in np.unique(before).tolist():
            here = np.flatnonzero((before == nodes) & (self.worst <= tolerance))
            levels = [level for level in self.levels if level <= nodes]
            rule, nets = self._rule(max(nodes, self.first_nodes)), taken(parameters, here)
            self.nodes[here] = self._fewest(nets, levels, SPARE * tolerance, rule)
        return not np.array_equal(before, self.nodes)

    def _fewest(
        self, parameters: Parameters, levels: list[int], limit: float, data: Dataset
    ) -> NDArray[np.int64]:
        """The first of these levels whose difference from `data` is within a limit, the last where
        none is: (R,).
        """
        found, places = np.full(len(parameters.c), levels[-1]), np.arange(len(parameters.c))
        for level in levels[:-1]:
            if not places.size:
                break
            nets = taken(parameters, places)
            fits = self._differences_in_threads(nets, self._rule(level), data) <= limit
            found[places[fits]] = level
            places = places[~fits]
        return found

    def _order(self) -> NDArray[np.intp]:
        """Where each net of the batch is among those of all groups, one after another."""
        return np.argsort(np.concatenate([group.places for group in self.groups]))

    def parameters(self) -> Parameters:
        nets = nets_joined([group.engine.parameters() for group in self.groups])
        return taken(nets, self._order())

    def state(self) -> State:
        states = [group.engine.state() for group in self.groups]
        return states_joined(states).rows(self._order())

    def audit(self, step: int) -> None:
        """Compare every seed with the data; repeat the steps since the last audit with more nodes
        where the difference is too large.
        """
        self._begin(step)
        # A longer training may have no audit here.
        ends = step == self.config.steps and step not in audit_steps(LONGEST)
        self.before = self._last_audit() if ends else None
        repeated, groups = [], self.groups
        while groups:
            groups = self._repeated(self._failing(groups), step)
            repeated += groups
        if repeated:
            self._take_in(repeated)
        self.groups = [group._replace(good=group.engine.snapshot()) for group in self.groups]
        self.good_step = step

    def _failing(self, groups: Sequence[_Group]) -> list[_Failing]:
        """Those that fail their audit; the differences of the others are noted."""
        failing = []
        for nodes, places, engine, good in groups:
            differences = self._found(places, engine)
            failed = differences > TOLERANCE[self.config.dtype]
            failed &= nodes < self.levels[-1]
            passed = places[~failed]
            self.worst[passed] = np.maximum(self.worst[passed], differences[~failed])
            if failed.any():
                # Of two inputs, with as many as they need where they are: few repeat steps twice.
                more = [
                    level for level in self.levels if level > nodes and level >= self.first_nodes
                ]
                more = more if self.data.inputs > 1 else more[:1]
                there = np.flatnonzero(failed)
                levels = np.full(len(there), more[0])
                if len(more) > 1:
                    nets = taken(engine.parameters(), there)
                    limit = TOLERANCE[self.config.dtype]
                    levels = self._fewest(nets, more, limit, self.audited)
                for level in np.unique(levels).tolist():
                    some = there[levels == level]
                    failing.append(_Failing(level, places[some], good, some))
        return failing

    def _take_in(self, repeated: Sequence[_Group]) -> None:
        """Move seeds that have more nodes now to the groups that have these."""
        whole, self.groups = [*self.groups, *repeated], []
        for nodes in np.unique(self.nodes).tolist():
            same = [group for group in whole if group.nodes == nodes]
            stay = [np.flatnonzero(self.nodes[group.places] == nodes) for group in same]
            engine = same[0].engine
            if len(same) > 1 or len(stay[0]) < len(same[0].places):
                pairs = zip(same, stay, strict=True)
                engine.take([(one.engine, some) for one, some in pairs])
            places = np.concatenate(
                [one.places[some] for one, some in zip(same, stay, strict=True)]
            )
            self.groups.append(_Group(nodes, places, engine, same[0].good))

    def _found(self, places: NDArray[np.intp], engine: Engine) -> NDArray[np.float64]:
        """The differences of an engine's nets: (R,)."""
        found = engine.differences(self.audited)
        differences = np.full(len(places), np.nan) if found is None else found
        unknown = np.flatnonzero(~np.isfinite(differences))
        if unknown.size:
            nets = taken(engine.parameters(), unknown)
            differences[unknown] = self._differences_in_threads(nets, engine.data, self.audited)
        return differences

    def _differences_in_threads(
        self, parameters: Parameters, rule: Dataset, data: Dataset
    ) -> NDArray[np.float64]:
        differences = np.empty(len(parameters.c))
        lanes = lane_count("float64")
        vector = lanes * parameter_count(self.config, self.data.inputs)
        some = lanes * -(-AUDITED_AT_ONCE // vector)

        def compare(begin: int, end: int) -> None:
            for first in range(begin * some, end * some, some):
                few = slice(first, first + some)
                nets = Parameters(*(array[few] for array in parameters))
                differences[few] = self._differences(nets, rule, data)

        run_blocks(compare, (), -(-len(differences) // some), self.threads)
        return differences

    def _differences(
        self, parameters: Parameters, rule: Dataset, data: Dataset
    ) -> NDArray[np.float64]:
        """What an audit compares with TOLERANCE: (R,)."""
        return difference(self.activation, parameters, rule, data, self.config.residual)

    def _repeated(self, failing: Sequence[_Failing], step: int) -> list[_Group]:
        """These seeds with that many nodes, from their last audit to `step`."""
        groups = []
        for nodes, places, good, rows in failing:
            self.nodes[places] = nodes
            engine = self._engine(nodes)
            engine.take([(good, rows)])
            groups.append(_Group(nodes, places, engine, engine.snapshot()))
        for at in range(self.good_step, step, REPEATED_STEPS) if groups else ():
            self._advance(groups, at, min(REPEATED_STEPS, step - at))
        return groups

    def _group(self, state: State, good: State) -> None:
        """Put seeds of equally many nodes into groups."""
        self.groups = []
        for nodes in np.unique(self.nodes).tolist():
            places = np.flatnonzero(self.nodes == nodes)
            engine, now = self._engine(nodes), state.rows(places)
            engine.resume(now)
            then = now if good is state else good.rows(places)
            self.groups.append(_Group(nodes, places, engine, then))

    def losses(self, final: bool) -> NDArray[np.float64]:
        data, found = self.reported if final else self.watched, np.empty(len(self.nodes))
        for group in self.groups:
            found[group.places] = group.engine.losses_on(data)
        return found

    def effort(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return self.nodes.astype(np.int64), self.worst.copy()

    def points_per_step(self) -> int:
        return self.first_nodes

    def nets_per_batch(self) -> int | None:
        return self._engine(self.first_nodes).nets_per_batch()

    def bytes_per_net(self) -> int:
        return 3 * self._engine(self.first_nodes).bytes_per_net()
