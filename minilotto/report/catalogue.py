"""FIGURES: the paper's figures by name, in its order, and the studies beyond it."""

from minilotto.report.figure import Figure
from minilotto.report.paper.algorithms import AlgorithmClusters, AlgorithmParts, AlgorithmResponses
from minilotto.report.paper.disentangled import Disentanglement
from minilotto.report.paper.distilled import Distillation
from minilotto.report.paper.halves import Halves
from minilotto.report.paper.histograms import LossHistograms
from minilotto.report.paper.parameter_law import ParameterLaw
from minilotto.report.paper.product_scaling import ProductScaling
from minilotto.report.paper.scaling_law import ScalingLaw
from minilotto.report.paper.target_histograms import ProductHistograms, UnaryHistograms
from minilotto.report.paper.two_neurons import LossHistogram, Ticket
from minilotto.report.paper.unary_scaling import UnaryScaling
from minilotto.report.paper.wide_net import NeuronCloud
from minilotto.report.studies.classification.classification import Classification
from minilotto.report.studies.data.data import Data
from minilotto.report.studies.depth.depth import Depth
from minilotto.report.studies.dimension.dimension import Dimension
from minilotto.report.studies.ensembling.ensembling import Ensembling
from minilotto.report.studies.inside.inside import Inside
from minilotto.report.studies.minimum.minimum import Minimum
from minilotto.report.studies.noise.noise import Noise
from minilotto.report.studies.optimizer.optimizer import Optimizer
from minilotto.report.studies.protocol.protocol import Protocol
from minilotto.report.studies.pruning.pruning import Pruning
from minilotto.report.studies.subtasks.subtasks import Subtasks
from minilotto.report.studies.time.trajectories import Trajectories
from minilotto.report.study import Study

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

BEYOND: tuple[type[Study], ...] = (
    Protocol,
    Optimizer,
    Minimum,
    Ensembling,
    Inside,
    Data,
    Dimension,
    Depth,
    Classification,
    Pruning,
    Noise,
    Subtasks,
    Trajectories,
)

_ALL: tuple[type[Figure], ...] = (*MAIN_TEXT, *APPENDICES, *BEYOND)
FIGURES: dict[str, type[Figure]] = {kind.name: kind for kind in _ALL}
