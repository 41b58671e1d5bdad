"""One net from scratch: initial parameters, gradient and Adam in a plain NumPy loop.

Run `python examples/one_net.py [picture.png]`. `ml.train` does the same for thousands of nets at
once, about a hundred times faster for each; at the end both results are compared.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml
from minilotto.initialisation import initial_parameters

STEPS = 2000


def adam(theta, x, y, config):
    """The loss before each step; theta is updated in place."""
    m, s, losses = np.zeros_like(theta), np.zeros_like(theta), []
    for step in range(1, config.steps + 1):
        loss, gradient = ml.loss_and_gradient(theta, x, y, activation=config.activation)
        losses.append(loss)
        m += (1 - config.beta1) * (gradient - m)
        s += (1 - config.beta2) * (gradient**2 - s)
        unbiased = m / (1 - config.beta1**step), s / (1 - config.beta2**step)
        theta -= config.lr * unbiased[0] / (np.sqrt(unbiased[1]) + config.epsilon)
    return losses


def main(picture="one_net.png"):
    config = ml.Config(width=3, task="sin", steps=STEPS, dtype="float64")
    x = np.linspace(-2, 2, config.points)
    y = np.sin(x)
    theta = ml.pack(initial_parameters(config, 1, np.arange(1)))[0]
    before = ml.predict(theta, x)
    losses = adam(theta, x, y, config)
    nets = ml.train(config, seeds=1, compress=False)
    difference = np.abs(ml.pack(nets.parameters)[0] - theta).max()
    loss = ml.loss_and_gradient(theta, x, y)[0]
    print(f"loss {losses[0]:.2g} -> {loss:.2g}; largest difference from ml.train: {difference:.1g}")

    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(x, y, "k", label="sin x")
    left.plot(x, before, "C1--", label="before")
    left.plot(x, ml.predict(theta, x), "C0", label="after")
    for w, b, _ in theta[:-1].reshape(-1, 3):
        if abs(b) < 2 * abs(w):
            left.axvline(-b / w, color="0.85", zorder=0)
    left.set(xlabel="x", title="grey: breakpoints of the neurons")
    left.legend(frameon=False)
    right.semilogy(losses)
    right.set(xlabel="Adam step", ylabel="loss")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
