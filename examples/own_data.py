"""Your own target and your own data. Run `python examples/own_data.py [picture.png]`."""

import sys

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml


def main(picture="own_data.png"):
    config = ml.Config(width=8, steps=5000)

    # A function of x (P, 1) on [-2, 2] in place of a task.
    sine = ml.train(
        config, seeds=64, target=lambda x: np.sin(3 * x[:, 0]) * np.exp(-(x[:, 0] ** 2))
    )

    # A Task with its own domain; once it is registered, Config takes its name.
    box = ml.Task(
        "box",
        "1 on [-1/2, 1/2]",
        "box",
        lambda x: (np.abs(x[:, 0]) < 0.5).astype(float),
        domain=((-1, 1),),
        kinks=(-0.5, 0.5),
    )
    ml.register_task(box)
    boxes = ml.train(config.replace(task="box"), seeds=64)

    # Measured points, values and weights. The noise grows with x, and weights are 1 / variance.
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-2, 2, 500))
    noise = 0.02 + 0.1 * (x + 2)
    y = np.abs(x) + noise * rng.normal(size=500)
    measured = ml.train(config, seeds=64, data=(x, y, noise**-2))

    figure = Figure(figsize=(10, 3), layout="constrained")
    for ax, nets, title in zip(
        figure.subplots(1, 3),
        (sine, boxes, measured),
        ("a function", "a task", "data"),
        strict=True,
    ):
        best = nets[int(np.nanargmin(nets.loss))]
        points = nets.data.x[:, 0]
        ax.plot(points, nets.data.y, ".", color="0.7", markersize=3)
        ax.plot(points, nets.predict(points).T, color="C0", alpha=0.08)
        ax.plot(points, best.predict(points)[0], color="C1")
        ax.set(
            title=f"{title}: best loss {best.loss[0]:.1e}",
            xlabel="x",
            ylim=(nets.data.y.min() - 0.2, nets.data.y.max() + 0.2),
        )
        print(f"{title}: best loss {best.loss[0]:.2e} of {len(nets)} nets ({nets.engine})")
    figure.supxlabel("grey: the data; blue: 64 nets; orange: the best of them", fontsize="medium")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
