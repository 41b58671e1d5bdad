"""The rate of each step under every schedule, with a warmup, and what nets make of it.

Run `python examples/schedules.py [picture.png]`.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml
from minilotto.ensemble.plots import PALETTE


def main(picture="schedules.png"):
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    rates, losses = figure.subplots(1, 2)
    colours = [*PALETTE, "k"]
    for name, colour in zip(ml.SCHEDULES, colours, strict=True):
        # here held is as step until its last stage: dashes show both
        line = {"label": name, "color": colour, "linestyle": "--" if name == "held" else "-"}
        some = {"lr_decay_every": 600} if ml.SCHEDULES[name].fields[:1] == ("lr_decay",) else {}
        config = ml.Config(width=10, steps=5000, schedule=name, warmup=250, **some)
        steps = np.arange(config.steps)
        rates.plot(steps, config.rate(steps), **line)
        nets = ml.train(config, seeds=200)
        losses.semilogx(np.sort(nets.loss), np.arange(1, 201) / 200, **line)
    rates.set(xlabel="step", ylabel="rate", title="warmup=250, lr_decay_every=600")
    losses.set(
        xlabel="loss after 5000 steps", ylabel="fraction of nets below", title="ten neurons on x²"
    )
    figure.legend(*rates.get_legend_handles_labels(), frameon=False, loc="outside right upper")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
