"""Figures: which numbers go on which axes, and what they say about the paper's claims."""

from minilotto.figures.training import training_figure

SUFFIXES = (".png", ".pdf", ".svg")

__all__ = ["SUFFIXES", "training_figure"]
