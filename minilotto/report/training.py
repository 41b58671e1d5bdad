"""The picture that goes with one training."""

from pathlib import Path

import numpy as np

from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.files import write_atomically
from minilotto.settings.tasks import CUSTOM, task_of

SUFFIXES = (".png", ".pdf", ".svg")


def training_figure(nets: Ensemble, path: Path) -> None:
    """Draw the losses of one training against the steps, and the distribution of the final ones, as
    .png, .pdf or .svg.

    Raises DataError where no seed has a finite loss above 0, FileError where the file cannot be
    written.
    """
    from minilotto.ensemble.plots import loss_histogram, loss_history
    from minilotto.report.figure import step_words
    from minilotto.report.plots.style import panels, save, style

    if not (np.isfinite(nets.loss) & (nets.loss > 0)).any():
        raise DataError("no seed has a finite loss above 0; there is nothing to draw")
    config = nets.config
    residual = "residual, " * config.residual
    depth = f", {residual}depth {config.depth}" * (config.depth > 1)
    good = nets.status == "ok"
    target = "given data" if config.task == CUSTOM else f"$y = {task_of(config.task).latex}$"
    if config.sampling == "examples":
        target = task_of(config.task).formula
    with style():
        figure, (left, right) = panels(2, 2, 4.0, 4.0, sharey=True, width_ratios=(2.0, 1.0))
        loss_history(nets.history.steps, nets.history.loss[:, good], left)
        loss_histogram(nets.loss[good], right)
        left.set_xlabel(step_words(config.optimizer))
        if config.loss != "squared":
            left.set_ylabel(f"loss ({config.loss})")
        left.set_title(
            f"{int(good.sum())} nets of width {config.width}{depth} ({config.activation}) learn "
            f"{target}"
        )
        right.set_title(f"after {nets.step:,} steps")
        write_atomically(path, lambda file: save(figure, file, path.suffix))
