"""Entry points by what they take: a name, and a callable that is given the thing.

A new entry point meets every hostile input of a kind by being added to its group.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import minilotto as ml

# ---- words of the command line, and streams ----


# ---- arrays, datasets, configs, seeds, tables of data ----
X = np.linspace(-1.0, 1.0, 5)
Y = X**2
QUICK = ml.Config(width=2, steps=5)


@lru_cache
def quick_nets() -> ml.Ensemble:
    return ml.train(QUICK, 3)


@lru_cache
def regressor() -> Any:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra sklearn)")
    from minilotto.training.estimator import NetsRegressor

    return NetsRegressor(width=2, steps=5, seeds=2).fit(X[:, None], Y)


def _fitted(x: Any, y: Any, weight: Any = None, **settings: Any) -> Any:
    model = regressor()
    return type(model)(**{**model.get_params(), **settings}).fit(x, y, weight)


def _distilled(place: int) -> Callable[[Any], Any]:
    def entry(part: Any) -> Any:
        from minilotto.ensemble.distillation import distill

        parts = list(quick_nets().parameters)
        parts[place] = part
        return distill(quick_nets().activation, ml.Parameters(*parts), 1, quick_nets().data)

    return entry


def _with_part(place: int) -> Callable[[Any], Any]:
    def entry(part: Any) -> Any:
        parts = list(quick_nets().parameters)
        parts[place] = part
        return quick_nets().with_parameters(tuple(parts))

    return entry


# what takes P points, targets or weights
ARRAYS: dict[str, Callable[[Any], Any]] = {
    "train x": lambda it: ml.train(QUICK, 2, data=(it, Y)),
    "train y": lambda it: ml.train(QUICK, 2, data=(X, it)),
    "train weight": lambda it: ml.train(QUICK, 2, data=(X, Y, it)),
    "Dataset x": lambda it: ml.Dataset(it, Y),
    "Dataset y": lambda it: ml.Dataset(X, it),
    "Dataset weight": lambda it: ml.Dataset(X, Y, it),
    "a target's result": lambda it: ml.train(QUICK.replace(points=5), 2, target=lambda x: it),
    "Ensemble.predict": lambda it: quick_nets().predict(it),
    "predict": lambda it: ml.predict(quick_nets().parameters, it),
    "jacobian": lambda it: ml.jacobian(quick_nets().parameters, it),
    "loss_and_gradient x": lambda it: ml.loss_and_gradient(quick_nets().parameters, it, Y),
    "loss_and_gradient y": lambda it: ml.loss_and_gradient(quick_nets().parameters, X, it),
    "loss_and_gradient weight": lambda it: ml.loss_and_gradient(quick_nets().parameters, X, Y, it),
    "hessian y": lambda it: ml.hessian(quick_nets().parameters, X, it),
    "residuals y": lambda it: ml.residuals(quick_nets().parameters, X, it),
    "residual_jacobian weight": lambda it: ml.residual_jacobian(quick_nets().parameters, X, Y, it),
}
# the same of scikit-learn, which checks all but masks
OF_SCIKIT_LEARN: dict[str, Callable[[Any], Any]] = {
    "NetsRegressor x": lambda it: _fitted(it, Y),
    "NetsRegressor y": lambda it: _fitted(X[:, None], it),
    "NetsRegressor weight": lambda it: _fitted(X[:, None], Y, it),
    "NetsRegressor.predict": lambda it: regressor().predict(it),
}
# what takes parameters of nets, or some of them
PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "with_parameters w": _with_part(0),
    "with_parameters c": _with_part(3),
    "distill b": _distilled(1),
    "distill v": _distilled(2),
    "unpack": ml.unpack,
    "pack": lambda it: ml.pack(ml.Parameters(it, *quick_nets().parameters[1:])),
    "predict parameters": lambda it: ml.predict(it, X),
    "select": lambda it: quick_nets().select(it),
    "an index": lambda it: quick_nets()[it],
}
# what takes points of which the precision of the training must tell one from the other
TRAINED_ON: dict[str, Callable[[Any, Any], Any]] = {
    "train": lambda x, y: ml.train(QUICK, 2, data=(x, y)),
    "train a Dataset": lambda x, y: ml.train(QUICK, 2, data=ml.Dataset(x, y)),
}
# what takes one argument of a kind of its own
ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "train config": lambda it: ml.train(it, 2),
    "train seeds": lambda it: ml.train(QUICK, it),
    "train data": lambda it: ml.train(QUICK, 2, data=[it]),
    "train target": lambda it: ml.train(QUICK, 2, target=[it]),
    "train backend": lambda it: ml.train(QUICK, 2, backend=it),
    "train checkpoints": lambda it: ml.train(QUICK, 2, checkpoints=[it]),
    "train threads": lambda it: ml.train(QUICK, 2, threads=[it]),
    "Sweep seeds": lambda it: ml.Sweep(seeds=[it]),
    "Sweep widths": lambda it: ml.Sweep(widths=[it]),
    **{
        f"Config {field}": lambda it, field=field: ml.Config(**{field: it})
        for field in ("width", "task", "steps", "lr", "dtype", "root_seed", "noise")
    },
    "Config.from_json": ml.Config.from_json,
    "Task function": lambda it: ml.Task("a", "a", "a", [it]),
    "Task domain": lambda it: ml.Task("a", "a", "a", np.sum, domain=it),
    "register_task": ml.register_task,
    "load": ml.load,
    "save": lambda it: quick_nets().save(it),
    "loss_on": lambda it: quick_nets().loss_on(it),
    "error_rate_on": lambda it: quick_nets().error_rate_on(it),
    "with_parameters": lambda it: quick_nets().with_parameters(it),
    "distill": lambda it: quick_nets().distill(it),
    "to_c name": lambda it: quick_nets().to_c(name=[it]),
    "to_c dtype": lambda it: quick_nets().to_c(dtype=it),
    "to_scipy": lambda it: quick_nets()[0].to_scipy(it),
    "unpack inputs": lambda it: ml.unpack(X[:4], [it]),
    "activation": lambda it: ml.predict(quick_nets().parameters, X, activation=it),
    "NetsRegressor steps": lambda it: _fitted(X[:, None], Y, steps=it),
    "NetsRegressor share": lambda it: _fitted(X[:, None], Y, share=it),
}


# ---- paths, folders, stores ----


# ---- signals and interruptions ----


# ---- samples of losses and fits ----
