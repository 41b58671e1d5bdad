"""One net from scratch: initial parameters, gradient, Adam, in a plain NumPy loop. `python
examples/one_net.py [picture.png]`

`ml.train` does the same for thousands of nets at once, some hundred times faster a net; at the end
both are compared.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml
from minilotto.initialisation import initial_parameters

STEPS = 2000


def adam(theta, x, y, config):
    """Losses along the way; theta is moved in place."""
    mean, square, losses = np.zeros_like(theta), np.zeros_like(theta), []
    for step in range(1, config.steps + 1):
        loss, gradient = ml.loss_and_gradient(theta, x, y, activation=config.activation)
        losses.append(loss)
        mean += (1 - config.beta1) * (gradient - mean)
        square += (1 - config.beta2) * (gradient**2 - square)
        unbiased = mean / (1 - config.beta1**step), square / (1 - config.beta2**step)
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
    apart = np.abs(ml.pack(nets.parameters)[0] - theta).max()
    print(
        f"loss {losses[0]:.2g} -> {ml.loss_and_gradient(theta, x, y)[0]:.2g}; farthest parameter "
        f"from ml.train's: {apart:.1g}"
    )

    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(x, y, "k", label="sin x")
    left.plot(x, before, "C1--", label="before")
    left.plot(x, ml.predict(theta, x), "C0", label="after")
    for w, b, _ in theta[:-1].reshape(-1, 3):
        if abs(b) < 2 * abs(w):
            left.axvline(-b / w, color="0.85", zorder=0)
    left.set(xlabel="x", title="grey: where a neuron bends")
    left.legend(frameon=False)
    right.semilogy(losses)
    right.set(xlabel="Adam step", ylabel="loss")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
