"""Lottery tickets: the algorithms that nets of two neurons find.

Run `python examples/tickets.py [picture.png] [steps]`.
"""

import sys

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

import minilotto as ml
from minilotto.analysis.tickets.algorithms import algorithms
from minilotto.analysis.tickets.tickets import pair_neurons

style.use("tableau-colorblind10")


def main(picture="tickets.png", steps=20_000, seeds=400):
    nets = ml.train(ml.Config(width=2, steps=int(steps)), seeds=seeds, progress=True)
    study = algorithms(nets.activation, nets.parameters, nets.data, nets.loss)
    # how far the two neurons of a net are from mirror images; NaN if their w have the same sign
    distance = pair_neurons(nets.w, nets.b).distance[:, 0]

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = np.linspace(-2, 2, 201)
    for number, found in enumerate(study.found):
        members = np.flatnonzero(study.label == number)
        left.loglog(
            nets.loss[members],
            distance[members],
            ".",
            color=f"C{number}",
            label=f"{found.share:.0%} {found.name}",
        )
        right.plot(x, nets[int(found.medoid)].predict(x)[0] - x**2, color=f"C{number}")
    left.set(
        xlabel="loss",
        ylabel="distance from mirror images\n(w of one sign: not drawn)",
        title="algorithms of nets with two neurons",
        ylim=(1e-6, 1e5),
    )
    left.legend(frameon=False, fontsize=7)
    right.set(
        xlabel="x", ylabel="f(x) - x²", title="error of a typical net of each", ylim=(-0.1, 0.1)
    )
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
