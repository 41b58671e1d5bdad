"""The loss around a trained net: curvature, minima, pruning."""
