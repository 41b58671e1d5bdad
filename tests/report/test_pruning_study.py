"""The study of pruning: planted losses that give each verdict, and a small real store."""

import numpy as np
import pytest
from figures import by_claim, is_whole

import minilotto as ml
from minilotto.analysis.landscape.pruned_losses import (
    RULES,
    PrunedLosses,
    median_loss,
    pruned_losses,
    ratio_of_medians,
)
from minilotto.ensemble.distillation import refit
from minilotto.report.figure import Scale, Source
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.pruning.pruning import Pruning, PruningSettings
from minilotto.store.store import open_store

NETS, WIDTH, READOUTS = 40, 20, ("float64", "float32")
KEPT = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18)
RANDOM = np.random.default_rng(0)
SPREAD = RANDOM.lognormal(sigma=0.3, size=NETS)


def cut(factors, merged, width=WIDTH, kept=KEPT, whole=1e-3):
    """Losses by rule: factors[rule](k) times those of a trained net, 1e-6, each net with its own
    size.
    """
    base = 1e-6 * SPREAD
    losses = {
        (rule, k, readout): base * factors[rule](k)
        for readout in READOUTS
        for rule in RULES
        for k in kept
    }
    for k in kept:
        losses["merging", k, None] = base * merged(k)
        losses["magnitude", k, None] = 50 * base * merged(k)
    growth = {(rule, k): np.full(NETS, 10.0) for rule in RULES for k in kept}
    return PrunedLosses(
        width, {None: base, **dict.fromkeys(READOUTS, whole * base)}, losses, growth
    )


def small(factor, again):
    base = 1e-6 * SPREAD
    losses = {None: factor * base, **dict.fromkeys(READOUTS, again * base)}
    return dict.fromkeys((1, 2, 4, 10), losses)


def study(one, trained):
    found = Pruning.__new__(Pruning)
    found.cuts, found.small, found.training = {one.width: one}, trained, ""
    return found


CLAIMS = (
    "Half of the neurons can go: the rest does what the trained net does",
    "Half of the neurons can go: the rest does what all, refitted, could do",
    "Half of the neurons are copies: they merge without a fit",
    "Pruning that sees correlations beats magnitude",
    "Without a fit, merging neurons beats dropping the smallest",
    "Once the last layer is fitted, it matters which neurons stay",
    "Backward elimination is as good as a search for the best neurons",
    "Pruned nets beat nets trained small",
)


def redundant():
    aware = {
        rule: lambda k: 1e-3 if k >= 6 else 1e-2
        for rule in ("tickets", "merging", "elimination", "distilled")
    }
    return cut(
        aware | {"magnitude": lambda k: 1.0, "random": lambda k: 100.0},
        lambda k: 1.0 if k >= 8 else 10.0,
    )


def needed():
    return cut(
        {rule: (lambda k: 1e4) if rule == "elimination" else (lambda k: 1e3) for rule in RULES},
        lambda k: 1e4,
    )


def test_redundant_nets_hold_every_hypothesis():
    found = by_claim(study(redundant(), small(1.0, 0.5)))
    assert {claim: verdict.verdict for claim, verdict in found.items()} == dict.fromkeys(
        CLAIMS, HOLDS
    )
    half = found["Half of the neurons can go: the rest does what all, refitted, could do"]
    assert half.numbers == {"N = 20, float64": 6, "N = 20, float32": 6}
    assert found["Half of the neurons are copies: they merge without a fit"].numbers == {
        "N = 20": 8
    }


def test_nets_that_need_all_neurons_fail_them():
    one = needed()
    one.losses.update({("merging", k, None): one.losses["magnitude", k, None] for k in KEPT})
    found = by_claim(study(one, small(1.0, 0.5)))
    assert {claim: verdict.verdict for claim, verdict in found.items()} == dict.fromkeys(
        CLAIMS, FAILS
    )
    assert "none can go" in found[CLAIMS[0]].measured


def test_in_between_holds_in_part():
    one = cut(
        {
            rule: (lambda k: 1.6 if k >= 4 else 50.0) if rule != "magnitude" else (lambda k: 2.0)
            for rule in RULES
        },
        lambda k: 1.6,
        whole=1.0,
    )
    for k in KEPT:
        one.losses["merging", k, None] = one.losses["magnitude", k, None] * (0.5 if k > 4 else 2)
    found = by_claim(study(one, small(10.0, 1.0)))
    assert found[CLAIMS[0]].verdict == FAILS  # 1.6 times the loss is not the same
    assert found[CLAIMS[1]].verdict == FAILS
    assert found[CLAIMS[3]].verdict == IN_PART
    assert found[CLAIMS[4]].verdict == IN_PART
    assert found[CLAIMS[7]].verdict == IN_PART  # against nets as trained alone


def test_too_few_numbers_of_neurons_test_nothing():
    one = cut({rule: lambda k: 1.0 for rule in RULES}, lambda k: 1.0, width=2, kept=(1,))
    found = by_claim(study(one, {}))
    assert {found[claim].verdict for claim in CLAIMS[3:6]} == {UNTESTED}
    assert found["Pruned nets beat nets trained small"].verdict == UNTESTED
    for table in study(one, {}).tables():
        assert len({len(column) for column in table.columns.values()}) == 1


def test_fewest_neurons_are_those_above_which_all_are_enough():
    one = cut(
        {rule: lambda k: 1.0 if k in (2, 12, 14, 16, 18) else 5.0 for rule in RULES}, lambda k: 3.0
    )
    assert one.fewest("elimination", "float32", None, 1.25) == 12
    assert one.fewest("elimination", "float32", "float32", 1.25) is None
    assert one.fewest("merging", None, None, 1.25) is None
    assert one.fewest("merging", None, None, 4.0) == 1


def test_ratios_are_those_planted():
    random = np.random.default_rng(1)
    first, second = random.lognormal(sigma=1, size=(2, 400))
    one = median_loss(np.full(5, 3.0))
    assert (one.value, one.low, one.high) == pytest.approx((3, 3, 3), rel=1e-12)
    apart = ratio_of_medians(3 * first, second)
    assert apart.low < 3 < apart.high
    assert apart.value == pytest.approx(3 * np.median(first) / np.median(second), rel=1e-3)
    assert apart.high / apart.low < 2


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    settings = {"wide": (8, 5), "small": (1, 2, 3, 12), "seeds": 12, "steps": 200}
    return folder, settings, Pruning.run(folder, **settings)


def test_a_small_store_is_studied_drawn_and_described(store):
    _, _, study = store
    assert (study.main, set(study.cuts), set(study.small)) == (8, {8, 5}, {1, 2, 3, 5})
    assert is_whole(study)
    assert "12 seeds" in study.caption()
    assert study.headline().startswith("Of 8 neurons")
    assert study.design()
    assert [verdict.claim for verdict in study.verdicts()] == list(CLAIMS)


def test_losses_of_a_cut_are_those_of_the_neurons_kept(store):
    folder, _, study = store
    nets = open_store(folder).ensemble(ml.Config(width=5, steps=200), np.arange(12))
    one = pruned_losses(nets, (1, 4), search=False)
    assert one.kept("random", None) == []
    assert one.kept("random", "float32") == one.kept("merging", None) == [1, 4]
    assert ("distilled", 1, "float64") not in one.losses
    single = np.stack(
        [refit(nets.activation, nets.w[:, [i]], nets.b[:, [i]], nets.data).loss for i in range(5)],
        axis=1,
    )
    for rule in ("random", "magnitude", "elimination"):
        near = np.abs(single / one.losses[rule, 1, "float64"][:, None] - 1).min(axis=1)
        assert (near < 1e-9).all()
    # No output weights in float32 do better than the best in float64.
    for rule, k in one.growth:
        best = one.losses[rule, k, "float64"]
        assert (one.losses[rule, k, "float32"] >= best * (1 - 1e-6) - 1e-20).all()
    found, other = (
        study.cuts[8].losses[rule, 1, "float64"] for rule in ("distilled", "elimination")
    )
    assert (found <= other * (1 + 1e-9)).all()


def test_what_is_missing_is_noted(store):
    folder, settings, _ = store
    source = Source(open_store(folder))
    study = Pruning(source, PruningSettings(**{**settings, "wide": (9, 5)}))
    assert study.main == 5
    assert any("9" in missing for missing in source.missing)
    with pytest.raises(ml.DataError, match=r"Pruning\.run\(wide=\(9,\)"):
        Pruning(Source(open_store(folder)), PruningSettings(**{**settings, "wide": (9,)}))
    with pytest.raises(ml.ConfigError, match="nothing to prune"):
        Pruning.sweeps(PruningSettings(wide=(1,)))
    assert PruningSettings.at(Scale(seeds=7, steps=30)).seeds == 7
    assert PruningSettings.at(Scale(quick=True)).seeds == 24
