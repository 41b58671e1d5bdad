"""What a training needs to go on: parameters, the optimiser's memory, and audits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from minilotto.initialisation import NAMES, Parameters
from minilotto.settings.arrays import ReadOnly


class State(NamedTuple):
    """All that a training needs to continue: parameters, and m and s in the same shapes."""

    parameters: Parameters
    m: Parameters
    s: Parameters

    def rows(self, places: NDArray[np.intp]) -> "State":
        """That of some of the nets, as copies."""
        return State(*(taken(one, places) for one in self))


class Kept(Protocol):
    """The states of nets, of which some may be asked for later: a State, or like it."""

    def rows(self, places: NDArray[np.intp]) -> State:
        """As of a State."""


def taken(parameters: Parameters, places: NDArray[np.intp]) -> Parameters:
    """Copies of some of the nets."""
    return Parameters(*(array[places] for array in parameters))


def nets_joined(parts: Sequence[Parameters]) -> Parameters:
    """The nets of all parts, one after another."""
    return Parameters(*map(np.concatenate, zip(*parts, strict=True)))


def states_joined(parts: Sequence[State]) -> State:
    """The same of states."""
    return State(*map(nets_joined, zip(*parts, strict=True)))


class Audited(NamedTuple):
    """Nets as an audit left them: after which step, with which nodes (R,), and the largest
    difference (R,) that audits had found by then.
    """

    step: int
    state: State
    nodes: NDArray[np.int64]
    audit: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OptimizerState(ReadOnly):
    """The optimiser's memory of R nets, beside their parameters.

    Parameters
    ----------
    m, s : Parameters
        First and second moments, or what the optimiser has in their place.
    since : int
        The step before which m and s were zero, from which bias corrections count.
    audited : Audited or None
        Of nets on nodes that stand between two audits of a longer training: the last of these,
        to which a net returns that fails the next.
    """

    m: Parameters
    s: Parameters
    since: int = 0
    audited: Audited | None = None

    def __post_init__(self) -> None:
        for array in self.arrays().values():
            array.setflags(write=False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__post_init__()

    def rows(self, which: Any) -> "OptimizerState":
        """The state of some of the nets, a slice of them or an array of their positions."""
        arrays = {name: array[which] for name, array in self.arrays().items()}
        return from_arrays(arrays, self.since, None if self.audited is None else self.audited.step)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, each (R, ...) with one row for each net."""
        sets = {"m": self.m, "s": self.s}
        if self.audited is not None:
            sets |= zip(AUDITED, self.audited.state, strict=True)
        named = {f"{kind}_{name}": a for kind, one in sets.items() for name, a in _items(one)}
        if self.audited is not None:
            named |= {"audited_nodes": self.audited.nodes, "audited_audit": self.audited.audit}
        return named


AUDITED = ("audited", "audited_m", "audited_s")


def array_names(parameters: Iterable[str], audited: bool) -> tuple[str, ...]:
    """Names in `OptimizerState.arrays` of nets with these parameters, with or without an audit."""
    kinds = ("m", "s", *AUDITED) if audited else ("m", "s")
    last = ("audited_nodes", "audited_audit") if audited else ()
    return (*(f"{kind}_{name}" for kind in kinds for name in parameters), *last)


def from_arrays(
    arrays: dict[str, NDArray[Any]], since: int, audited_step: int | None
) -> OptimizerState:
    """The inverse of `OptimizerState.arrays`."""

    def named(kind: str) -> Parameters:
        of_kind = ((name, arrays.get(f"{kind}_{name}")) for name in NAMES)
        return Parameters(**{name: array for name, array in of_kind if array is not None})

    audited = None
    if audited_step is not None:
        state = State(*map(named, AUDITED))
        audited = Audited(audited_step, state, arrays["audited_nodes"], arrays["audited_audit"])
    return OptimizerState(named("m"), named("s"), since, audited)


def joined(states: Sequence[OptimizerState]) -> OptimizerState:
    """The state of all nets from those of batches of them, which are at one step."""
    one, parts = states[0], [state.arrays() for state in states]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return from_arrays(arrays, one.since, None if one.audited is None else one.audited.step)


def _items(parameters: Parameters) -> Any:
    return parameters._asdict().items()
