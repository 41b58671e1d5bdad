"""FIGURES: the paper's figures by name, in its order."""

from minilotto.figures.figure import Figure
from minilotto.figures.histograms import LossHistograms
from minilotto.figures.scaling_law import ScalingLaw
from minilotto.figures.two_neurons import LossHistogram, Ticket
from minilotto.figures.wide_net import NeuronCloud

FIGURES: dict[str, type[Figure]] = {kind.name: kind for kind in (ScalingLaw, NeuronCloud, LossHistogram, Ticket, LossHistograms)}
