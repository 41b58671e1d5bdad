"""What a caller asks for when an engine is chosen: checked, and small enough for light modules."""

from dataclasses import dataclass

import numpy as np

from minilotto.errors import ConfigError, shown
from minilotto.settings.limits import check_choice

BACKENDS = ("auto", "cpu", "cuda", "reference")
ENGINES = ("auto", "lanes", "wide", "compressed", "exact")


@dataclass(frozen=True)
class Request:
    """`backend`, `engine` as in `train`; `compress`: may nodes be used, and `nodes`: how many."""

    backend: str = "cpu"
    engine: str = "auto"
    compress: bool = True
    nodes: int | None = None


def requested(backend: str, engine: str, compress: bool | int) -> Request:
    """The Request for these arguments of `train`. Raises ConfigError for what none can be."""
    check_choice("backend", backend, BACKENDS)
    check_choice("engine", engine, ENGINES)
    if backend == "reference" and engine != "auto":
        raise ConfigError(f"backend='reference' has no engine={engine!r}; leave out one of them")
    if isinstance(compress, (bool, np.bool_)):
        return Request(backend, engine, bool(compress))
    if not isinstance(compress, (int, np.integer)) or compress < 1:
        raise ConfigError(
            f"compress={shown(compress)} is out of range; give True, False or a number of nodes of "
            "at least 1"
        )
    wanted = "reference" if backend == "reference" else engine
    if wanted not in ("auto", "compressed"):
        raise ConfigError(
            f"compress={compress} goes with engine='compressed', not with {wanted!r}; leave out "
            "one of them"
        )
    return Request(backend, engine, True, int(compress))
