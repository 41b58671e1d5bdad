"""The study of tickets inside a net: planted errors give each verdict, and a small store is studied
and drawn.
"""

from functools import lru_cache

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.report.figure import Scale, Source
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.inside.inside import (
    COMBINED,
    PAPER,
    Inside,
    InsideSettings,
    Kept,
    combined,
    kept,
    kept_of_nets,
    orders,
    positive_weights,
)

COUNTS, NETS, TICKETS, POINTS = (1, 2, 4, 8), 40, 10, 64
WEIGHT = np.full(POINTS, 1 / POINTS)


@lru_cache
def planted(of_net, nets=NETS):
    """What is kept of nets whose tickets have errors of_net(random), (TICKETS, POINTS)."""
    random = np.random.default_rng(0)
    errors = [of_net(random) for _ in range(nets)]
    order = orders([len(one) for one in errors], 2)
    found = kept(errors, WEIGHT, COUNTS, order)
    every = [combined(one[None], WEIGHT) for one in errors]
    whole = {name: np.concatenate([one[name] for one in every]) for name in every[0]}
    fitted = {"tickets": found["gram"], "random": 3 * found["gram"]}
    ways = {way: found[way] for way in COMBINED} | fitted
    return Kept(
        np.array(COUNTS), ways, found["weights"], found["independent"], whole, whole["equation 9"]
    )


def orthogonal(random):
    return np.linalg.qr(random.normal(size=(POINTS, TICKETS)))[0].T * random.uniform(0.5, 2)


def common(random):
    return random.normal(size=POINTS) + 0.01 * random.normal(size=(TICKETS, POINTS))


def opposed(random):
    """Two thirds have errors of both signs along one direction: they cancel."""
    sizes = np.where(np.arange(TICKETS) % 3, 1.0, -0.9) * random.uniform(0.5, 2, TICKETS)
    return sizes[:, None] * random.normal(size=POINTS) + 1e-4 * random.normal(
        size=(TICKETS, POINTS)
    )


def study(one, other=None, width=50):
    made = Inside.__new__(Inside)
    made.settings, made.left_out, made.training = InsideSettings(), [], "nets"
    made.found = {(PAPER, width): one, ("float64", width): other or one}
    return made


def verdicts(one, other=None):
    return {key: found[0].verdict for key, found in study(one, other).judged().items()}


def test_orthogonal_errors_of_one_size_hold_every_claim():
    one = planted(orthogonal)
    for way in COMBINED:
        assert one.exponent(way).value == pytest.approx(float(way != "best"), abs=1e-9), way
    np.testing.assert_allclose(one.weight, 1, rtol=1e-9)
    np.testing.assert_allclose(one.independent, np.tile(COUNTS, (NETS, 1)), rtol=1e-9)
    np.testing.assert_allclose(one.footnote, 1, rtol=1e-9)
    found = verdicts(one)
    assert found.pop("selection") in (FAILS, IN_PART)  # the best of K has K times their loss
    assert found == dict.fromkeys(found, HOLDS)


def test_one_common_error_is_not_averaged_out():
    one = planted(common)
    found = verdicts(one)
    assert one.exponent("average").value == pytest.approx(0, abs=0.01)
    assert one.exponent("equation 9").value == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(one.independent, 1, rtol=1e-2)
    assert [found[key] for key in ("average", "positive", "equal")] == [FAILS, FAILS, HOLDS]


def test_errors_that_cancel_fall_faster_than_an_average():
    one = planted(opposed)
    found = verdicts(one)
    assert one.exponent("gram").low > 2
    assert found["gram"] == FAILS
    assert found["weights"] in (FAILS, IN_PART)
    assert found["footnote"] in (FAILS, IN_PART)


def test_tickets_of_unequal_quality_make_equation_9_steeper():
    def unequal(random):
        return orthogonal(random) * random.lognormal(0, 3, (TICKETS, 1))

    one = planted(unequal)
    assert one.exponent("equation 9").low > 1.25
    np.testing.assert_allclose(one.losses["gram"], one.losses["equation 9"], rtol=1e-6)
    np.testing.assert_allclose(one.losses["positive"], one.losses["gram"], rtol=1e-6)
    assert verdicts(one)["selection"] == HOLDS


def test_independent_errors_at_the_settings_seeds_are_decided():
    """At finitely many points independent errors are orthogonal but for chance."""
    settings = InsideSettings()
    one = planted(lambda random: random.normal(size=(TICKETS, POINTS)), settings.seeds)
    found = verdicts(one)
    assert [found[k] for k in ("average", "equal", "footnote")] == [HOLDS] * 3
    assert one.exponent("average").low < 1 < one.exponent("average").high


def test_a_control_that_differs_fails():
    assert verdicts(planted(orthogonal), planted(common))["controls"] == FAILS
    assert verdicts(planted(orthogonal))["controls"] == HOLDS


def test_a_trained_net_beside_its_tickets():
    one = planted(orthogonal)
    better = Kept(**{**vars(one), "trained": one.trained / 4})
    assert [verdicts(better)[key] for key in ("trained", "signs")] == [FAILS, FAILS]
    far = Kept(**{**vars(one), "losses": {**one.losses, "random": one.losses["tickets"]}})
    assert verdicts(far)["units"] == FAILS


def test_best_non_negative_weights():
    random = np.random.default_rng(0)
    for size in (2, 5):
        errors = random.normal(size=(size, POINTS)) + random.normal(size=POINTS)
        a = positive_weights(errors, WEIGHT)
        assert a.min() >= 0
        assert a.sum() == pytest.approx(1, abs=1e-12)
        loss = (a @ errors) ** 2 @ WEIGHT
        others = random.dirichlet(np.ones(size), 2000) @ errors
        assert loss <= (others**2 @ WEIGHT).min() * (1 + 1e-9)
    assert positive_weights(np.array([[1.0, 0], [3.0, 0]]), np.ones(2)).tolist() == [1, 0]


SMALL = {
    "seeds": 12,
    "steps": 1500,
    "widths": (16,),
    "main": 16,
    "counts": (1, 2),
    "draws": 3,
    "rates": (0.03,),
    "longer": 2,
    "points": 40,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("inside") / "runs"


@pytest.fixture(scope="module")
def small(folder):
    return Inside.run(folder, threads=2, **SMALL)


def test_a_small_store_is_studied_drawn_and_tabulated(small):
    assert {name for name, _ in small.found} == {
        *(PAPER, "rate 0.03", "3,000 steps", "float64", "40 points")
    }
    assert all(verdict.verdict != UNTESTED for verdict in small.verdicts())
    assert is_whole(small)
    assert small.headline().endswith("tickets are independent.")
    one = small.found[PAPER, 16]
    single = [one.losses[way][:, 0] for way in (*COMBINED, "tickets")]
    for losses in single[1:]:  # one ticket has nothing to be combined with
        np.testing.assert_allclose(losses, single[0], rtol=1e-6)


def test_what_is_missing_is_named(small, folder):
    source = Source(ml.open_store(folder))
    found = Inside(source, InsideSettings(**{**SMALL, "rates": (0.03, 0.003)}))
    assert any("lr=0.003" in note for note in source.missing)
    assert len(found.found) == 5
    with pytest.raises(ml.DataError, match=r"train them, as in Inside.run\(widths=\(16,\)"):
        Inside(source, InsideSettings(**{**SMALL, "steps": 20}))
    nets = ml.open_store(folder).ensemble(ml.Config(width=16, steps=1500, lr_decay_every=300))
    with pytest.raises(ml.DataError, match="0 of 12 nets of width 16 have 9 tickets"):
        kept_of_nets(nets, (1, 9), 2)


@pytest.mark.parametrize("counts", [(), (1,), (0, 2)])
def test_counts_that_compare_nothing_are_refused(counts):
    with pytest.raises(ml.ConfigError, match="whole numbers from 1 on"):
        Inside.sweeps(InsideSettings(counts=counts))


def test_the_report_asks_for_no_more_than_its_scale():
    few = Inside.plan(Scale(seeds=12, steps=300))
    assert (few.seeds, few.steps) == (12, 300)
    assert Inside.plan(Scale(quick=True)).widths == (50,)
