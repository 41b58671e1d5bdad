"""A sweep by Dask workers on this machine, and which worker trained which block.

Run `python examples/dask_sweep.py [picture.png] [steps]`. "local:2" starts two worker processes for
the duration of the sweep. The address of a scheduler, such as "tcp://host:8786", uses its workers
instead, on any number of machines; the nets are the same to the bit.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml


def main(picture="dask_sweep.png", steps=5000, seeds=64):
    sweep = ml.Sweep(
        widths=(4, 8, 16, 32), tasks=("square", "sin", "exp"), steps=int(steps), seeds=seeds
    )
    # In a permanent folder, a second run of the sweep would train nothing again.
    with tempfile.TemporaryDirectory() as folder:
        try:
            store = ml.sweep(sweep, out=folder, cluster="local:2", progress=True)
        except ml.MissingExtraError as error:
            print(f"skipped: {error}")
            return
        nets = {config: store.ensemble(config) for config in sweep.configs}
        lines = [
            json.loads(line)
            for log in (Path(folder) / "logs").iterdir()
            for line in log.read_text().splitlines()
        ]
    done = [line for line in lines if line["event"] == "block"]
    workers = sorted({line["process"] for line in done})
    print(
        f"{len(done)} blocks by {len(workers)} workers; "
        f"{sum(line['seconds'] for line in done):.1f} s of training"
    )

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = {"square": "C0", "sin": "C1", "exp": "C2"}
    for task, colour in colours.items():
        losses = {
            config.width: np.nanmedian(each.loss)
            for config, each in nets.items()
            if config.task == task
        }
        left.loglog(list(losses), list(losses.values()), "o-", color=colour, label=task)
    left.set(xlabel="width N", ylabel="median loss", title=f"{seeds} seeds, {int(steps):,} steps")
    left.set_xticks([4, 8, 16, 32], ["4", "8", "16", "32"])
    left.set_xticks([], minor=True)
    left.legend(frameon=False)
    begin = min(line["time"] - line["seconds"] for line in done)
    task_of = {config.key: config.task for config in nets}
    for line in done:
        worker, start = workers.index(line["process"]), line["time"] - line["seconds"] - begin
        colour = colours[task_of[line["block"].split("/")[0]]]
        right.barh(worker, line["seconds"], left=start, color=colour, edgecolor="white")
    right.set(xlabel="seconds", title="blocks; the first ones load kernels")
    right.set_yticks(range(len(workers)), [f"worker {k + 1}" for k in range(len(workers))])
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":  # worker processes import this file, and must not run it
    main(*sys.argv[1:])
