"""Optimisers compared: the same hundred nets, each optimiser at the best of four rates.

Run `python examples/update_rules.py [picture.png]`.
"""

import sys

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

import minilotto as ml

RATES = (1e-3, 1e-2, 1e-1, 1.0)

style.use("tableau-colorblind10")


def main(picture="update_rules.png"):
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    ax = figure.subplots()
    for name in ("gd", "momentum", "nesterov", "rmsprop", "adam"):
        protocol = ml.Config(width=10, optimizer=name, schedule="cosine", steps=5000)
        runs = [ml.train(protocol.replace(lr=lr), seeds=100) for lr in RATES]
        stable = [nets for nets in runs if (nets.status == "ok").all()]
        best = min(stable, key=lambda nets: np.median(nets.loss))
        median = np.median(best.history.loss, axis=1)
        ax.loglog(best.history.steps, median, label=f"{name}, lr = {best.config.lr:g}")
        print(f"{name:10} lr {best.config.lr:<6g} median loss {np.median(best.loss):.1e}")
    ax.set(xlabel="step", ylabel="median loss", title="a hundred nets of ten neurons on x²")
    ax.legend(frameon=False)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
