"""Losses of plain and residual nets against the number of hidden layers.

Run `python examples/depth.py [picture.png]`.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml

DEPTHS = (1, 2, 3, 4, 6, 8)


def main(picture="depth.png"):
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    ax = figure.subplots()
    for residual in (False, True):
        losses = []
        for depth in DEPTHS:
            config = ml.Config(width=5, depth=depth, residual=residual and depth > 1, steps=2000)
            losses.append(np.nanmedian(ml.train(config, seeds=200).loss))
        ax.loglog(DEPTHS, losses, "o-", label="residual" if residual else "plain")
    ax.set(xlabel="hidden layers", ylabel="median loss", title="width 5 on x², 2000 steps")
    ax.set_xticks(DEPTHS, map(str, DEPTHS))
    ax.set_xticks([], minor=True)
    ax.legend(frameon=False)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
