"""FIGURES: the paper's figures by name, in its order, and the studies beyond it."""

from minilotto.beyond.budget import Budget
from minilotto.beyond.classification import Classification
from minilotto.beyond.data import Data
from minilotto.beyond.dimension import Dimension
from minilotto.beyond.ensembling import Ensembling
from minilotto.beyond.initialisation import Initialisation
from minilotto.beyond.minimum import Minimum
from minilotto.beyond.pruning import Pruning
from minilotto.beyond.study import Study
from minilotto.figures.algorithms import AlgorithmClusters, AlgorithmParts, AlgorithmResponses
from minilotto.figures.disentangled import Disentanglement
from minilotto.figures.distilled import Distillation
from minilotto.figures.figure import Figure
from minilotto.figures.halves import Halves
from minilotto.figures.histograms import LossHistograms
from minilotto.figures.parameter_law import ParameterLaw
from minilotto.figures.product_scaling import ProductScaling
from minilotto.figures.scaling_law import ScalingLaw
from minilotto.figures.target_histograms import ProductHistograms, UnaryHistograms
from minilotto.figures.two_neurons import LossHistogram, Ticket
from minilotto.figures.unary_scaling import UnaryScaling
from minilotto.figures.wide_net import NeuronCloud

MAIN_TEXT = (ScalingLaw, NeuronCloud, LossHistogram, Ticket, LossHistograms, Halves)
APPENDICES = (
    UnaryHistograms,
    ProductHistograms,
    UnaryScaling,
    ProductScaling,
    AlgorithmClusters,
    AlgorithmResponses,
    AlgorithmParts,
    Disentanglement,
    Distillation,
    ParameterLaw,
)

BEYOND: tuple[type[Study], ...] = (Budget, Minimum, Ensembling, Data, Initialisation, Dimension, Classification, Pruning)

_ALL: tuple[type[Figure], ...] = (*MAIN_TEXT, *APPENDICES, *BEYOND)
FIGURES: dict[str, type[Figure]] = {kind.name: kind for kind in _ALL}
