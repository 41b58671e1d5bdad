"""The study of depth: planted losses, layers and seeds give each verdict, and a small store is
studied and drawn.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.analysis.tickets.apart import median_estimate
from minilotto.data.dataset import sampled
from minilotto.initialisation import initial_parameters
from minilotto.oracles import numpy_reference
from minilotto.report.figure import Scale, Source
from minilotto.report.rules import ERROR, FAILS, HOLDS, UNDECIDED, UNTESTED, decided
from minilotto.report.studies.depth.depth import (
    BEST,
    KINDS,
    SHALLOW,
    TASK,
    USUAL,
    Depth,
    DepthSettings,
    added,
    members,
)

SETTINGS = DepthSettings(widths=(8,), others=())
POINTS = 50
WEIGHT = np.full(POINTS, 1 / POINTS)


class Planted(SimpleNamespace):
    """Nets of which only their errors are known."""

    def __len__(self):
        return len(self.loss)

    def predict(self, _):
        return self.errors


def planted(errors):
    data = SimpleNamespace(x=None, y=np.zeros(POINTS), weight=WEIGHT)
    config = ml.Config(width=8, depth=2)
    return Planted(errors=errors, loss=errors**2 @ WEIGHT, data=data, config=config)


def study(law, scatter=0.3, control=None, shallow=lambda depth: 1.0, seed=0):
    """Independent errors of seeds whose loss is law(depth) up to a factor, `layers` of layers."""
    made, random = Depth.__new__(Depth), np.random.default_rng(seed)
    made.settings, made.left_out, made.training = SETTINGS, [], "nets"

    def nets(loss):
        size = np.sqrt(loss * random.lognormal(0, scatter, SETTINGS.seeds))
        return planted(size[:, None] * random.normal(size=(SETTINGS.seeds, POINTS)))

    made.nets = {
        (name, TASK, 8, kind): {depth: nets(one(depth)) for depth in SETTINGS.depths}
        for kind in KINDS
        for name, one in ((USUAL, law), ("rate 0.003", control or law))
    }
    made.shallow = {
        SETTINGS.wide(depth): nets(shallow(depth)) for depth in SETTINGS.depths if depth > 1
    }
    losses = {key: {d: one.loss for d, one in by.items()} for key, by in made.nets.items()}
    losses |= made._at_best_rates(losses)
    made.curves = {key: made._curve(key, by) for key, by in losses.items()}
    vars(made)["layers"] = {}
    return made


def test_curves_of_few_depths_are_named():
    made, good = study(lambda depth: 1 / depth), np.geomspace(1, 2, 12)
    few = {1: good, 2: good, 4: good, 8: good[:9], 16: np.ones(12)}
    assert made._curve((USUAL, TASK, 8, "plain"), few) is None
    name = f"{USUAL}, {TASK}, 8, plain"
    assert made.left_out[-3:] == [
        f"{name}, depth 8: 9 of 9 seeds are finite",
        f"{name}, depth 16: losses are 0, or all equal",
        f"{name}: 3 depths are no curve",
    ]


def verdicts(made):
    return {k: found[0].verdict if found else None for k, found in made.judged().items()}


def test_independent_errors_that_fall_as_one_over_l():
    found = verdicts(study(lambda depth: 1 / depth, scatter=0.05))
    for key in ("residual", "plain", "seeds", "variance", "parameters", "controls"):
        assert found[key] == HOLDS, key
    assert found["law"] in (HOLDS, UNDECIDED)
    assert [found[key] for key in ("layers", "members", "lesion")] == [UNTESTED] * 3


def test_other_exponents_fail_at_the_settings_seeds():
    def verdict(exponent, **more):
        found = study(lambda depth: depth**-exponent, **more).claim_plain(
            Depth.entry.claims["plain"]
        )
        return decided(found.cases[0].judged, ERROR)

    assert verdict(0.2) == verdict(2.0) == FAILS
    assert FAILS not in [verdict(1.0, scatter=1.0, seed=seed) for seed in range(4)]


def test_a_plateau_is_no_power_law():
    found = verdicts(study(lambda depth: max(depth, 3) ** -3.0, scatter=0.1))
    assert found["law"] == FAILS


def test_a_control_that_differs_and_parameters_that_do_as_well():
    other = study(lambda depth: 1 / depth, control=lambda depth: depth**-2.0, scatter=0.05)
    assert verdicts(other)["controls"] == FAILS
    assert {key[0] for key in other.curves} == {USUAL, "rate 0.003", BEST}
    same = study(lambda depth: 1 / depth, shallow=lambda depth: 0.1 / depth)
    assert verdicts(same)["parameters"] == FAILS


def test_a_common_error_is_bias():
    made = study(lambda depth: 1 / depth)
    for by in made.nets.values():
        for depth, one in by.items():
            one.errors = np.ones((SETTINGS.seeds, POINTS)) / depth + 0.01 * one.errors
    found = verdicts(made)
    assert [found["seeds"], found["variance"]] == [FAILS, FAILS]


def residual_nets(depth, seeds=6, width=3, idle=False):
    """Untrained nets and their outputs by the oracle; `idle`: the last layer adds nothing."""
    config = ml.Config(width=width, depth=depth, residual=True, dtype="float64")
    parameters = initial_parameters(config, 1, np.arange(seeds))
    if idle:
        parameters.hidden_w[:, -1], parameters.hidden_b[:, -1] = 0, 0  # silu(0) = 0
    data = sampled(config)
    w, b, v, c, *hidden = parameters
    outputs = numpy_reference.predict("silu", w, b, v, c, data.x, hidden=hidden, residual=True)
    named = {"activation": ml.ACTIVATIONS["silu"], "data": data, "config": config}
    return SimpleNamespace(**parameters._asdict(), **named), outputs - data.y


def test_a_residual_net_is_the_mean_of_its_layers():
    nets, error = residual_nets(5)
    one, loss = members(nets), np.mean(error**2, axis=1)
    assert one.errors.shape == (6, 4, 100)
    np.testing.assert_allclose(one.errors.mean(axis=1), error, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.loss, loss, rtol=1e-9)
    size = np.mean(one.errors**2, axis=(1, 2))
    np.testing.assert_allclose(one.ratio, 4 * one.loss / size, rtol=1e-9)
    unit = one.errors / np.linalg.norm(one.errors, axis=2, keepdims=True)
    pairs = (unit @ unit.transpose(0, 2, 1))[(slice(None), *np.triu_indices(4, 1))]
    np.testing.assert_allclose(one.cosine, np.median(pairs, axis=1), rtol=1e-9)


def test_a_layer_that_adds_nothing_can_go():
    nets, error = residual_nets(3, idle=True)
    np.testing.assert_array_equal(sum(added(nets)), sum(added(nets, 2)))
    without = np.einsum("rn,rnp->rp", nets.v, sum(added(nets, 1))) + nets.c[:, None] - nets.data.y
    other = np.mean(without**2, axis=1) / np.mean(error**2, axis=1)
    assert (other != 1).all()
    # The median of two layers is the mean of both.
    np.testing.assert_allclose(members(nets).lesion, (1 + other) / 2, rtol=1e-9)


def test_planted_layers_give_their_verdicts():
    """Cosines of equal, independent and cancelling layers, as the study judges them."""

    def of(cosine, ratio, lesion):
        random = np.random.default_rng(0)
        near = {"cosine": cosine, "ratio": ratio, "lesion": lesion}
        nets = SETTINGS.seeds
        vars(made)["layers"] = {
            (8, depth): {
                what: median_estimate(value * random.lognormal(0, 0.1, nets))
                for what, value in near.items()
            }
            for depth in (3, 4, 6, 8)
        }
        found = verdicts(made)
        return [found[key] for key in ("layers", "members", "lesion")]

    made = study(lambda depth: 1 / depth)
    for layers, verdict in (((0.01, 1.0, 1.2), HOLDS), ((0.9, 7.0, 30.0), FAILS)):
        assert of(*layers) == [verdict] * 3
    assert of(-0.5, 1e-3, 500.0) == [FAILS] * 3


SMALL = {
    "seeds": 20,
    "steps": 60,
    "widths": (4,),
    "depths": (1, 2, 3, 4),
    "main": 4,
    "others": (),
    "rates": (0.03,),
    "longer": 2,
}


@pytest.mark.slow
def test_a_small_store_is_studied_drawn_and_tabulated(tmp_path):
    small = Depth.run(tmp_path / "runs", threads=2, **SMALL)
    assert {key[0] for key in small.curves} == {USUAL, "rate 0.03", BEST, "120 steps", "float64"}
    assert all(verdict.verdict != UNTESTED for verdict in small.verdicts())
    assert is_whole(small)
    assert "cosine" in small.headline()
    source = Source(ml.open_store(tmp_path / "runs"))
    Depth(source, DepthSettings(**{**SMALL, "rates": (0.003,)}))
    assert any("lr=0.003" in note for note in source.missing)
    with pytest.raises(ml.DataError, match=r"train them, as in Depth.run\(widths=\(4,\)"):
        Depth(source, DepthSettings(**{**SMALL, "steps": 61}))


def test_what_is_trained():
    sweeps = DepthSettings().trainings()
    assert next(iter(sweeps)) == (USUAL, TASK)
    (equal,) = sweeps[SHALLOW, TASK]
    for depth, config in zip((2, 3, 4, 6, 8), equal.configs, strict=True):
        there = 3 * 8 + 1 + (depth - 1) * 8 * 9
        assert abs(3 * config.width + 1 - there) <= 2
    assert all(config.lr_decay_every * 5 == config.steps for config in equal.configs)
    with pytest.raises(ml.ConfigError, match="make no curve"):
        Depth.sweeps(DepthSettings(depths=(2, 4, 8)))
    assert Depth.plan(Scale(seeds=12, steps=300)).seeds == 12
    assert Depth.plan(Scale(quick=True)).widths == (8,)
