"""Whose neurons are and whose the loss is: planted weights, errors whose parts are known."""

import numpy as np
import pytest

from minilotto.analysis.tickets.subtasks import loss_of_inputs, neurons_of_inputs
from minilotto.errors import DataError


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


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_the_size_of_weights_does_not_matter(scale):
    w = np.random.default_rng(1).normal(size=(3, 5, 4))
    for found, one in zip(neurons_of_inputs(scale * w), neurons_of_inputs(w), strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-12)


def test_a_net_that_diverged_has_no_part_of_its_loss():
    errors = np.array([[np.inf, 1.0], [0.0, 0.0]])
    found = loss_of_inputs(errors, np.stack([errors, errors + 2.0]))
    np.testing.assert_array_equal(found, [[np.nan, np.nan], [0.0, 2.0]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: neurons_of_inputs(np.ones((4, 2))),
        lambda: neurons_of_inputs(np.ones((2, 4, 0))),
        lambda: loss_of_inputs(np.ones((1, 5)), np.ones((2, 3, 5))),
        lambda: loss_of_inputs(np.ones((3, 1)), np.ones((2, 3, 5))),
        lambda: loss_of_inputs(np.ones(5), np.ones((2, 5))),
    ],
)
def test_shapes_that_do_not_match_are_refused(call):
    with pytest.raises(DataError, match="do not match; give"):
        call()
