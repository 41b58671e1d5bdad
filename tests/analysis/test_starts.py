"""What became of a way to start a network, from few small nets."""

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.landscape.starts import Started, distance, fraction_of_tickets, likeness
from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.initialisation import initial_parameters


def test_what_became_of_a_start_is_that_of_its_nets():
    nets = ml.train(ml.Config(width=14, steps=150), seeds=20, threads=1)
    begun = initial_parameters(nets.config, 1, nets.seeds)
    flat = [
        np.concatenate([part.reshape(20, -1) for part in parts], axis=1).astype(float)
        for parts in (begun, nets.parameters)
    ]
    moved = np.linalg.norm(flat[1] - flat[0], axis=1) / np.linalg.norm(flat[0], axis=1)
    halves = [nets.select(np.arange(20) % 2 == k) for k in (0, 1)]
    assert distance(halves).value == pytest.approx(np.median(moved), rel=1e-12)
    error = nets.predict(nets.data.x) - nets.data.y
    pairs = [(error[i], error[i + 2]) for k in (0, 1) for i in range(k, 20, 4)]
    cosine = [a @ b / np.sqrt(a @ a * (b @ b)) for a, b in pairs]
    assert likeness(halves).value == pytest.approx(np.median(cosine), rel=1e-12)


def test_tickets_are_counted_with_what_diverged():
    found = fraction_of_tickets([1e-6, 1e-5, 2e-5, np.nan], 1e-5, 0.95)
    assert found.value == 0.5
    assert 0.1 < found.low < 0.5 < found.high < 0.9
    assert fraction_of_tickets([1.0] * 50, 1e-5, 0.95).low == 0.0


def test_quantities_are_those_that_were_measured():
    one = Estimate(1.0, 0.9, 1.1, 0.95)
    medians = points([10, 20], [np.geomspace(2, 3, 11), np.geomspace(1, 2, 11)])
    found = Started(medians, one, {}, moved=one)
    assert [name for name, _ in found.quantities()] == ["exponent", "distance moved"]
    assert found.loss.value == pytest.approx(2**0.5)
