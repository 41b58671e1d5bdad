"""check: compares kernels' gradients with the oracles: NumPy, and torch where it is installed."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from minilotto.data.dataset import Dataset, given, sampled
from minilotto.errors import imported
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.settings.activations import Reals, activation_of
from minilotto.settings.config import Config

WIDTH, NETS, ROOT_SEED = 5, 24, 20231003
# Errors are counted in units of rounding: machine epsilon times the sum of the absolute values that
# a gradient sums up. Summing P terms whose residuals sum N products loses a few units; a wrong
# formula loses 1 / epsilon of them.
TOLERANCE = 4.0


@dataclass(frozen=True)
class Comparison:
    """Largest error over all nets and coordinates.

    Parameters
    ----------
    activation, task, dtype, loss : str
        What was compared.
    errors : dict of str to float
        By oracle, in units of rounding.
    """

    activation: str
    task: str
    dtype: str
    loss: str
    errors: dict[str, float]

    @property
    def passed(self) -> bool:
        return all(error <= TOLERANCE for error in self.errors.values())


Oracle = Callable[..., tuple[Reals, tuple[Reals, ...]]]


def oracles(name: str) -> dict[str, Oracle]:
    """The oracles that can compute with an activation.

    Parameters
    ----------
    name : str
        A name in ACTIVATIONS.

    Returns
    -------
    dict of str to callable
        Each oracle's loss_and_gradient, by its name.

    Raises
    ------
    MissingExtraError
        Where torch is installed and cannot be used.
    """
    from minilotto.oracles import numpy_reference, torch_reference

    found: dict[str, Oracle] = {
        "reference": partial(
            numpy_reference.loss_and_gradient, numpy_reference.second_opinion(activation_of(name))
        )
    }
    if torch_reference.installed():
        imported("torch", "torch")
        if torch_reference.knows(name):
            found["torch"] = partial(torch_reference.loss_and_gradient, name)
    return found


def compare(
    activations: Sequence[str],
    tasks: Sequence[str],
    dtypes: Sequence[str],
    losses: Sequence[str] = ("squared",),
) -> Iterator[Comparison]:
    """Compare every coordinate of every gradient of NETS nets of width WIDTH.

    Parameters
    ----------
    activations, tasks, dtypes, losses : sequences of str
        What is compared, in all combinations. For the logistic loss, targets above their median
        are the label 1.

    Yields
    ------
    Comparison
        One for each combination.
    """
    against = {name: oracles(name) for name in activations}
    for dtype, loss, task, name in itertools.product(dtypes, losses, tasks, activations):
        yield _compare(name, task, dtype, loss, against[name])


def _compare(name: str, task: str, dtype: str, loss: str, against: dict[str, Oracle]) -> Comparison:
    from minilotto.engines.evaluate import gradients

    config = Config(
        width=WIDTH,
        activation=name,
        task=task,
        sampling="uniform",
        points=101,
        dtype=dtype,
        init="normal",
        init_scale=1.5,
        root_seed=ROOT_SEED,
    )
    data = _rounded(sampled(config), dtype, loss)
    parameters = initial_parameters(config, data.inputs, np.arange(NETS))
    ours = gradients(activation_of(name), parameters, data, dtype, loss=loss)
    scale = sums_of_absolute_terms(name, parameters, data, loss)
    errors = {}
    for oracle, loss_and_gradient in against.items():
        exact = (array.astype(np.float64) for array in parameters)
        _, theirs = loss_and_gradient(*exact, data.x, data.y, data.weight, loss=loss)
        ratios = [np.abs(a - b) / s for a, b, s in zip(ours, theirs, scale, strict=True)]
        errors[oracle] = float(max(ratio.max() for ratio in ratios) / np.finfo(dtype).eps)
    return Comparison(name, task, dtype, loss, errors)


def _rounded(data: Dataset, dtype: str, loss: str) -> Dataset:
    """The data as the kernel sees them, so that rounding x is no error."""
    y = data.y if loss == "squared" else data.y > np.median(data.y)
    return given(data.x.astype(dtype).astype(np.float64), y.astype(dtype).astype(np.float64))


def sums_of_absolute_terms(
    name: str, parameters: Parameters, data: Dataset, loss: str
) -> Parameters:
    """For each coordinate of the gradient, the sum of the absolute values of its terms.

    Parameters
    ----------
    name, loss : str
        Activation and loss.
    parameters : Parameters
        Of R nets.
    data : Dataset
        Points.

    Returns
    -------
    Parameters
        In the shapes of the parameters.
    """
    from minilotto.oracles import numpy_reference

    w, b, v, c = (np.abs(array.astype(np.float64)) for array in parameters)
    signed_w, signed_b = (array.astype(np.float64) for array in parameters[:2])
    z = np.einsum("rnd,pd->rnp", signed_w, data.x) + signed_b[:, :, None]
    row = numpy_reference.second_opinion(activation_of(name))
    value, slope = (np.abs(array) for array in numpy_reference.activation(row, z))
    z_terms = np.einsum("rnd,pd->rnp", w, np.abs(data.x)) + b[:, :, None]
    # an error in z changes value and slope by up to max(slope, 1) times as much
    value_terms = value + np.maximum(slope, 1.0) * z_terms
    output = np.einsum("rn,rnp->rp", v, value_terms) + c[:, None] + np.abs(data.y)
    # the slope of the logistic loss is at most 1 and changes no faster than f
    df = (2 if loss == "squared" else 1) * data.weight * output
    dz = df[:, None, :] * v[:, :, None] * (slope + z_terms)
    dw = np.einsum("rnp,pd->rnd", dz, np.abs(data.x))
    dv = np.einsum("rp,rnp->rn", df, value_terms)
    return Parameters(dw, dz.sum(axis=2), dv, df.sum(axis=1))


def table(comparisons: Sequence[Comparison]) -> str:
    """The comparisons as text.

    Parameters
    ----------
    comparisons : sequence of Comparison
        At least one.

    Returns
    -------
    str
        A row for each dtype, loss and task, a column for each activation, with the largest error
        over the oracles in units of rounding; then what failed.
    """
    activations = list(dict.fromkeys(c.activation for c in comparisons))
    worst = {(c.dtype, c.loss, c.task, c.activation): max(c.errors.values()) for c in comparisons}
    lines = [f"{'':31}" + "".join(f"{name:>12}" for name in activations)]
    for dtype, loss, task in dict.fromkeys((c.dtype, c.loss, c.task) for c in comparisons):
        entries = [worst[dtype, loss, task, name] for name in activations]
        cells = "".join(f"{entry:11.2f}{' ' if entry <= TOLERANCE else '!'}" for entry in entries)
        lines.append(f"{dtype:9}{loss:9}{task:13}{cells}")
    failed = [c for c in comparisons if not c.passed]
    against = " and ".join(comparisons[0].errors)
    lines.append(
        f"{len(comparisons) - len(failed)} of {len(comparisons)} agree with {against} within "
        f"{TOLERANCE:g} units of rounding"
    )
    lines += [
        f"FAILED: {c.activation} on {c.task} in {c.dtype}, {c.loss} loss: {c.errors}"
        for c in failed
    ]
    return "\n".join(lines)
