"""Objects that travel: to other processes, into files of pickle, and as copies."""

import copy
import multiprocessing
import pickle
from functools import lru_cache

import numpy as np
import pytest
from edges.entries import QUICK, X, Y, quick_nets

import minilotto as ml
from minilotto.errors import UnreadableFileError
from minilotto.kernels import single
from minilotto.settings.tasks import task_of
from minilotto.training.train import prepare

POPULATION = QUICK.replace(sampling="population")


@lru_cache
def on_the_population() -> ml.Ensemble:
    return ml.train(POPULATION, 2)


def on_a_target() -> ml.Ensemble:
    return ml.train(POPULATION, 2, target=lambda x: x[:, 0])


OBJECTS = {
    "Ensemble": quick_nets,
    "Ensemble of a population": on_the_population,
    "Ensemble of a function": on_a_target,
    "Ensemble of weighted points": lambda: ml.train(QUICK, 2, data=(X, Y, 1 + Y)),
    "History": lambda: quick_nets().history,
    "Dataset": lambda: ml.Dataset(X, Y),
    "Dataset of a population": lambda: on_the_population().data,
    "Parameters": lambda: quick_nets().parameters,
    "Config": lambda: QUICK,
    "Sweep": lambda: ml.Sweep(widths=(1, 2), seeds=3),
    "Task": lambda: ml.TASKS["sin"],
    "Task of a family": lambda: task_of("sum7"),
    "Task of examples": lambda: ml.TASKS["moons"],
    "TASKS": lambda: ml.TASKS,
    "Activation": lambda: ml.ACTIVATIONS["silu"],
    "Activation with a parameter": lambda: quick_nets().activation,
    "Scheme": lambda: ml.SCHEMES["normal"],
    "Form": single.form,
    "distilled nets": lambda: quick_nets().distill(1),
    "data of a job": lambda: prepare(POPULATION, 2).data,
    "ConfigError": lambda: ml.ConfigError("one"),
    "DataError": lambda: ml.DataError("one"),
    "FileError": lambda: ml.FileError("one"),
    "UnreadableFileError": lambda: UnreadableFileError("one"),
    "UnusableFileError": lambda: ml.UnusableFileError("one"),
    "ResourceError": lambda: ml.ResourceError("one"),
    "MissingExtraError": lambda: ml.MissingExtraError.of("torch", "torch", "gone"),
    "TrainingInterrupted": lambda: ml.TrainingInterrupted(quick_nets(), 5),
    "TrainingInterrupted early": lambda: ml.TrainingInterrupted(None, 5),
}
WAYS = {
    **{
        f"pickle {protocol}": lambda it, protocol=protocol: pickle.loads(pickle.dumps(it, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def arrays_of(it):
    """Arrays of an object and of those in its fields."""
    fields = getattr(it, "__dict__", {})
    own = [value for value in fields.values() if isinstance(value, np.ndarray)]
    within = [fields[name] for name in ("data", "history") if name in fields]
    return [*own, *(array for one in within for array in arrays_of(one))]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("thing", OBJECTS)
def test_everything_public_arrives_as_it_was(thing, way):
    it = OBJECTS[thing]()
    arrived = WAYS[way](it)
    assert type(arrived) is type(it)
    for ours, theirs in zip(arrays_of(it), arrays_of(arrived), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert not theirs.flags.writeable
    if isinstance(it, BaseException):
        assert str(arrived) == str(it)
        assert set(vars(arrived)) == set(vars(it))


@pytest.mark.parametrize("way", WAYS)
def test_errors_of_sweeps_arrive_with_their_store(way, tmp_path):
    store = ml.sweep(ml.Sweep(widths=1, seeds=2, steps=2), out=tmp_path / "runs", progress=False)
    failed = WAYS[way](ml.SweepError(store, (("a block", "why"),), 3))
    assert failed.failures == (("a block", "why"),)
    assert "1 of 3 blocks" in str(failed)
    stopped = WAYS[way](ml.SweepInterrupted(store))
    for error in (failed, stopped):
        assert error.store.folder == store.folder
        assert len(error.store.configs) == 1


def test_what_minilotto_defines_arrives_as_itself():
    for row in (ml.TASKS["sin"], task_of("sum7"), ml.ACTIVATIONS["gelu"], ml.SCHEMES["torch"]):
        assert pickle.loads(pickle.dumps(row)) is row
    slope = ml.train(QUICK.replace(activation="leaky_relu", negative_slope=0.3), 1).activation
    assert pickle.loads(pickle.dumps(slope)).parameter == 0.3


def test_the_population_arrives_where_its_task_is_known():
    data = on_the_population().data
    assert pickle.loads(pickle.dumps(data)).population is ml.TASKS["square"]
    unknown = on_a_target().data
    assert pickle.loads(pickle.dumps(unknown)).population is None
    assert copy.deepcopy(unknown).population is unknown.population


def _trained(config: ml.Config) -> ml.Ensemble:
    return ml.train(config, 2, threads=1)


def _failing(kind: str) -> None:
    raise {"interrupted": ml.TrainingInterrupted(None, 3), "config": ml.ConfigError("one")}[kind]


@pytest.mark.slow
def test_nets_and_errors_come_back_from_a_pool_of_fresh_processes():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for config in (QUICK, POPULATION):
            nets = pool.apply(_trained, (config,))
            np.testing.assert_array_equal(nets.w, _trained(config).w)
        with pytest.raises(ml.ConfigError, match="one"):
            pool.apply(_failing, ("config",))
