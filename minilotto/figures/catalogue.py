"""FIGURES: the paper's figures by name, in its order."""

from minilotto.figures.figure import Figure
from minilotto.figures.scaling_law import ScalingLaw

FIGURES: dict[str, type[Figure]] = {kind.name: kind for kind in (ScalingLaw,)}
