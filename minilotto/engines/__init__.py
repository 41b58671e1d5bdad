"""Engines: what can carry a wave of nets forward by some steps. `train` chooses one and knows nothing else about them."""

from minilotto.engines.interface import adam_schedule  # noqa: F401
from minilotto.engines.lanes import LaneEngine  # noqa: F401
from minilotto.engines.reference import ReferenceEngine  # noqa: F401
