"""The study of the training budget: planted losses, whose verdicts are known, and a real store."""

import dataclasses
import json

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.stats.scaling import Comparison
from minilotto.report.catalogue import FIGURES
from minilotto.report.figure import QUICK, Scale, Source
from minilotto.report.plots.style import style
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.budget.budget import (
    LEAKY,
    MAIN,
    UNSCALED,
    Budget,
    BudgetSettings,
    ways,
)

SETTINGS = BudgetSettings(
    seeds=60,
    wide_seeds=60,
    varied_seeds=60,
    budgets=(5_000, 50_000, 500_000),
    widths=(2, 10, 20, 30, 50, 100, 200),
    varied_budgets=(5_000, 50_000, 500_000),
    rates=(3e-3,),
)
MORE = dataclasses.replace(SETTINGS, widths=(2, 10, 15, 20, 30, 40, 50, 70, 100, 200))
NOISE = 0.05  # standard deviation of the logarithm of a loss


NET = ml.train(ml.Config(width=2, steps=2), seeds=1, checkpoints=[], backend="reference")


class Made:
    """Stands for a store: losses by config from a function; None for nets that are missing."""

    def __init__(self, loss_of, noise=NOISE):
        self.loss_of, self.noise = loss_of, noise

    def ensemble(self, config, seeds):
        loss = self.loss_of(config)
        if loss is None:
            raise ml.DataError(f"no nets of width={config.width}")
        draws = np.random.default_rng(int(config.key, 16)).normal(size=len(seeds))
        loss = np.broadcast_to(loss, len(seeds)) * np.exp(self.noise * draws)
        return dataclasses.replace(
            NET.select(np.zeros(len(seeds), int)), config=config, seeds=np.array(seeds), loss=loss
        )


def study(loss_of, settings=SETTINGS):
    """The study; laws are compared only where that is asked, for it takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        if settings is not MORE:
            patch.setattr(
                "minilotto.report.studies.budget.budget.compare_laws",
                lambda found: Comparison((), None, None),
            )
        return Budget(Source(Made(loss_of)), settings)


def verdicts(one):
    return {verdict.claim: verdict.verdict for verdict in one.verdicts()}


LAW = f"{MAIN}: 1/N at every budget"
LEAKS = f"{LEAKY}: 1/N at every budget"
SAME = "The exponent is the networks', not the budget's"
ONE = "One power law from width 10 on, at every budget"
ENOUGH = "50,000 steps are enough"
WIDER = "Past width 50 the budget is too small"
SCHEDULE = "The schedule ends the descent"
VARIED = "Rate, schedule and precision do not matter"


def test_a_law_that_is_the_networks_own():
    """1/N at every budget, saturated after 50,000 steps, however one trains."""
    one = study(lambda config: 1 / config.width / min(config.steps, 50_000), MORE)
    found = verdicts(one)
    agree = (LAW, LEAKS, SAME, ONE, ENOUGH, WIDER, VARIED)
    assert [found[claim] for claim in agree] == [HOLDS] * len(agree)
    assert found[SCHEDULE] == FAILS  # the scaled schedule gains nothing either
    assert "is the same" in one.headline()
    assert "0 of 10 widths" in one.headline()


def test_a_law_that_is_the_budgets():
    """The exponent goes from 1 to 0 with training, the loss falls on and on, wide nets need more;
    the unscaled rate dies out.
    """

    def loss(config):
        steps = config.steps
        if config.lr_decay_every == 10_000:
            steps = min(steps, 50_000)
        exponent = 1 - 0.3 * np.log10(steps / 5_000)
        exponent += {3e-3: 0.5}.get(config.lr, 0.0) + {"float64": 0.6}.get(config.dtype, 0.0)
        if config.activation == "leaky_relu":
            exponent = 4.0
        narrow = min(config.width, 50)
        return narrow**-exponent * (config.width / narrow) / steps

    one = study(loss, MORE)
    found = verdicts(one)
    assert found[LAW] == IN_PART
    assert [found[claim] for claim in (SAME, ENOUGH, WIDER, LEAKS, ONE)] == [FAILS] * 5
    assert [found[claim] for claim in (VARIED, SCHEDULE)] == [IN_PART, HOLDS]
    assert "moves with the training budget" in one.headline()
    assert "10 of 10 widths" in one.headline()
    change = next(v for v in one.verdicts() if v.claim == SAME).numbers
    assert change["low"] < -0.6 < change["high"]
    varied = next(v for v in one.verdicts() if v.claim == VARIED)
    # Rate and precision at three budgets, the schedule at 500,000 steps.
    assert varied.numbers["differ"] == 6 + 1
    assert "unscaled schedule at 500,000" in varied.reason


def test_a_change_within_a_quarter_holds_in_part():
    def loss(config):
        return config.width ** -(1 + 0.05 * np.log10(config.steps / 5_000)) / config.steps

    found = verdicts(study(loss))
    assert found[SAME] == IN_PART
    assert found[LAW] in (HOLDS, IN_PART)


def test_wide_nets_that_catch_up():
    """Past width 50 the loss rises after few steps and is flat, not 1/N, after many."""

    def loss(config):
        narrow = min(config.width, 50)
        rise = 1 if config.steps <= 50_000 else 0.0
        return (config.width / narrow) ** rise / narrow / config.steps

    found = verdicts(study(loss))
    assert found[WIDER] == IN_PART


def test_scatter_leaves_open_what_it_hides():
    """With losses of ten seeds scattered over decades no difference of exponents is decided."""
    few = dataclasses.replace(SETTINGS, seeds=12, wide_seeds=12, varied_seeds=12)
    one = Budget(Source(Made(lambda config: 1 / config.width, noise=3.0)), few)
    found = verdicts(one)
    assert [found[claim] for claim in (LAW, LEAKS, SAME, ONE, WIDER, SCHEDULE, VARIED)] == [
        UNTESTED
    ] * 7
    assert "not known well enough" in one.headline()


def test_missing_parts_are_told_and_the_rest_is_studied():
    def loss(config):
        missing = config.activation == "leaky_relu" or config.width == 2
        return None if missing or config.dtype == "float64" else 1 / config.width

    source = Source(Made(loss))
    one = Budget(source, SETTINGS)
    assert LEAKS not in verdicts(one)
    assert set(one.lines) == {MAIN, UNSCALED, "rate 0.003"}
    assert any("width=2" in text for text in source.missing)
    few = r"three widths from 10 to 50 at two budgets.*Budget\.run"
    with pytest.raises(ml.DataError, match=few):
        study(lambda c: None if c.width in (20, 30, 40) else 1 / c.width)
    with pytest.raises(ml.DataError, match="10 finite seeds"):
        study(lambda c: 1 / c.width, dataclasses.replace(SETTINGS, seeds=5))


def test_widths_that_diverged_are_left_out_and_named():
    one = study(lambda c: np.nan if (c.width, c.lr) == (10, 3e-3) else 1 / c.width)
    assert "rate 0.003, 5,000 steps, width 10: 0 of 60 seeds are finite" in one.caption()
    assert list(one.lines["rate 0.003"].by_width) == [20, 50]


def test_what_is_trained():
    """The paper's budget is the paper's config, so that stores share it; long trainings have fewer
    seeds, in vectors of 16.
    """
    sweeps = Budget.trainings(BudgetSettings())
    configs: dict[ml.Config, int] = {}
    for sweep in sweeps:
        for config in sweep.configs:
            configs[config] = max(configs.get(config, 0), sweep.seeds.size)
    assert configs[ml.Config(width=50)] >= 384
    assert configs[ml.Config(width=1000)] == 48
    assert {config.steps for config in configs} >= {5_000, 1_000_000}
    long = ml.Config(width=50, steps=1_000_000, lr_decay_every=200_000)
    assert configs[long] == 80  # 384 / sqrt(20) = 86, to the nearest vector
    varied = ml.Config(width=20, steps=150_000, dtype="float64", lr_decay_every=30_000)
    assert configs[varied] == 112
    assert ml.Config(width=20, steps=150_000, lr_decay_every=10_000) in configs
    assert {ways(BudgetSettings())[LEAKY]["activation"]} == {"leaky_relu"}
    full = sum(config.width * config.steps * seeds for config, seeds in configs.items())
    quick = ((c, sweep.seeds.size) for sweep in Budget.sweeps(QUICK) for c in sweep.configs)
    assert sum(config.width * config.steps * seeds for config, seeds in quick) < full / 9
    small = Budget.chosen(Scale(seeds=20, steps=500, widest=100))
    assert (small.steps, small.seeds) == (500, 20)
    assert (small.budgets[-1], max(small.widths)) == (10_000, 100)


def test_a_real_store(tmp_path):
    """A tiny one, through the researcher's call; the same again from the store."""
    settings = {
        "seeds": 12,
        "wide_seeds": 10,
        "varied_seeds": 10,
        "steps": 50,
        "budgets": (20, 50, 150),
        "widths": (2, 10, 12, 14),
        "varied_budgets": (20, 50),
        "varied_widths": (10, 12, 14),
        "rates": (3e-3,),
    }
    one = Budget.run(tmp_path / "runs", **settings)
    assert len(one.lines) == 5
    with style():
        one.draw().canvas.draw()
    rows = json.dumps([dataclasses.astuple(v)[:6] for v in one.verdicts()])
    assert "nan" not in one.caption() + one.design() + one.headline() + rows
    for table in one.tables():
        assert "nan" not in table.to_csv()
        assert len(table.to_csv().splitlines()) > 1
    with pytest.raises(ml.ConfigError, match="no setting of the study 'budget'"):
        Budget.run(tmp_path / "runs", width=3)
    assert FIGURES["budget"] is Budget
