"""What became of a way to start a network, from few small nets."""

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.landscape.starts import LIKENESS, MOVED, started
from minilotto.analysis.tickets.mirror_fraction import mirror_fraction
from minilotto.analysis.tickets.tickets import pair_neurons
from minilotto.initialisation import initial_parameters


def test_what_became_of_a_start_is_that_of_its_nets():
    widths = (10, 12, 14)
    nets = {
        width: ml.train(ml.Config(width=width, steps=150), seeds=20, threads=1)
        for width in (2, *widths)
    }
    one = started(nets, (10, 50), 1e-5, 0.95, 0.99)
    assert one.widest == 14
    assert one.strict_exponent.low < one.exponent.low < one.exponent.high < one.strict_exponent.high
    last = nets[14]
    begun = initial_parameters(last.config, 1, last.seeds)
    flat = [
        np.concatenate([part.reshape(20, -1) for part in parts], axis=1).astype(float)
        for parts in (begun, last.parameters)
    ]
    moved = np.linalg.norm(flat[1] - flat[0], axis=1) / np.linalg.norm(flat[0], axis=1)
    assert one.at_widest(MOVED).value == pytest.approx(np.median(moved), rel=1e-12)
    error = last.predict(last.data.x) - last.data.y
    cosine = [
        a @ b / np.sqrt(a @ a * (b @ b)) for a, b in zip(error[::2], error[1::2], strict=True)
    ]
    assert one.at_widest(LIKENESS).value == pytest.approx(np.median(cosine), rel=1e-12)
    assert one.loss.value == pytest.approx(np.median(last.loss), rel=1e-12, abs=0)
    assert one.tried == 20
    with pytest.raises(ml.DataError, match="needs three"):
        started({10: nets[10], 12: nets[12]}, (10, 50), 1e-5, 0.95, 0.99)


def test_mirror_pairs_that_fit_are_counted():
    """The printed ticket twice over: both pairs of each net are symmetric and fit; with one neuron
    turned round, none.
    """
    nets = ml.train(ml.Config(width=4, steps=1), seeds=10, threads=1)
    w = np.tile([0.83010304, -0.83010304, 0.7, -0.7], (10, 1))[:, :, None]
    b, v = np.tile([-1.16842365, -1.16842365, -1.1, -1.1], (10, 1)), np.full((10, 4), 2.8)
    good = nets.with_parameters((w, b, v, np.full(10, 3.15)))
    assert (pair_neurons(good.w, good.b).count == 2).all()
    assert mirror_fraction(good).value == 1.0
    turned = nets.with_parameters((w, b * np.array([1, 1, -1, 1]), v, np.full(10, 3.15)))
    assert mirror_fraction(turned).value == 0.5
