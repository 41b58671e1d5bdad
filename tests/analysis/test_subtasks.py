"""Whose neurons are and whose the loss is: planted weights, errors whose parts are known."""

import numpy as np
import pytest

from minilotto.analysis.tickets.subtasks import loss_of_inputs, neurons_of_inputs


def test_neurons_are_counted_for_the_inputs_that_they_serve():
    w = np.zeros((2, 10, 3))
    w[0, :6, 0], w[0, 6:9, 1] = 2.0, -0.1  # the tenth serves none
    w[1] = [1.0, -1.0, 0.0]
    counts, alone = neurons_of_inputs(w)
    np.testing.assert_allclose(counts, [[6, 3, 0], [5, 5, 0]])
    np.testing.assert_allclose(alone, [1.0, 0.5])


def test_dead_nets_and_diverged_ones_have_no_fraction():
    counts, alone = neurons_of_inputs(np.stack([np.zeros((4, 2)), np.full((4, 2), np.nan)]))
    assert counts[0].tolist() == [0, 0]
    assert np.isnan(counts[1]).all()
    assert np.isnan(alone).all()


def test_loss_goes_to_the_input_that_causes_it():
    """e = 2 x_0 + x_1 x_2 on [-2, 2]: variances 16/3 and 16/9, the second of both its inputs."""
    random = np.random.default_rng(0)
    x, again = random.uniform(-2, 2, (2, 100_000, 3))

    def error(x):
        return 2 * x[:, 0] + x[:, 1] * x[:, 2]

    moved = [np.where(np.arange(3) == i, again, x) for i in range(3)]
    found = loss_of_inputs(error(x)[None], [error(one)[None] for one in moved])
    assert found[0] == pytest.approx([16 / 3, 16 / 9, 16 / 9], rel=0.03)
