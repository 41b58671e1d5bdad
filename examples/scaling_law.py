"""The paper's scaling law: median loss against width.

Run `python examples/scaling_law.py [picture.png] [steps]`.
"""

import sys
import tempfile

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml
from minilotto.analysis.stats.bootstrap import points
from minilotto.analysis.stats.scaling import fit_law


def main(picture="scaling_law.png", steps=3000, seeds=64):
    sweep = ml.Sweep(
        widths=(4, 8, 16, 32), activations=("silu", "leaky_relu"), steps=int(steps), seeds=seeds
    )
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    # In a permanent folder, a second run of the sweep would train nothing again.
    with tempfile.TemporaryDirectory() as folder:
        store = ml.sweep(sweep, out=folder, progress=True)
        for activation in ("silu", "leaky_relu"):
            nets = {
                config.width: store.ensemble(config)
                for config in sweep.configs
                if config.activation == activation
            }
            found = points(list(nets), [each.loss for each in nets.values()])
            exponent = fit_law(found).estimates["exponent"]
            bars = np.abs(np.stack([found.value - found.low, found.high - found.value]))
            ax.errorbar(
                found.widths,
                found.value,
                bars,
                marker="o",
                capsize=3,
                label=f"{activation}: N^-{exponent}",
            )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="width N",
        ylabel="median loss",
        title=f"{seeds} seeds, {int(steps):,} steps; 90% intervals",
    )
    ax.set_xticks([4, 8, 16, 32], ["4", "8", "16", "32"], minor=False)
    ax.set_xticks([], minor=True)
    ax.legend(frameon=False)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
