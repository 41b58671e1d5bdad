"""The study of the protocol: planted losses whose verdicts are known, through the whole path from
losses to words; and a real store.
"""

import dataclasses
from functools import lru_cache

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.ensemble.ensemble import History
from minilotto.report.catalogue import FIGURES
from minilotto.report.figure import QUICK, Scale, Source
from minilotto.report.rules import FAILS, HOLDS, UNDECIDED, UNTESTED
from minilotto.report.studies.protocol import protocol
from minilotto.report.studies.protocol.protocol import BEST, Place, Protocol
from minilotto.report.studies.protocol.trainings import (
    CONSTANT,
    HELD,
    STEP,
    STRETCHED,
    ProtocolSettings,
    Way,
)
from minilotto.training.train import checkpoint_steps

SETTINGS = ProtocolSettings(
    seeds=60,
    long_seeds=60,
    widths=(10, 15, 20, 30, 40, 50),
    budgets=(50_000, 200_000, 1_000_000),
    rates=(0.003, 0.01),
    start_rates=(0.003, 0.01),
    inits=("torch", "normal", "mean_field"),
    init_scales=(),
    output_scales=(0.1, 10.0),
    narrow_seeds=1000,
    wide=(70, 100, 200, 400),
    wide_seeds=60,
    wide_rates=(0.003, 0.01),
)
NOISE = 0.05  # standard deviation of the logarithm of a loss


@lru_cache
def net_of(width):
    return ml.train(ml.Config(width=width, steps=2), seeds=1, checkpoints=[], backend="reference")


@lru_cache
def sum_of_rates(config, steps):
    return float(config.rate(np.arange(steps)).sum())


class Made:
    """Stands for a store: losses by config and steps from a function; None for missing nets."""

    def __init__(self, loss_of, noise=NOISE):
        self.loss_of, self.noise = loss_of, noise

    def ensemble(self, config, seeds):
        if self.loss_of(config, config.steps) is None:
            raise ml.DataError(f"no nets of width={config.width}")
        steps = np.array([step for step in checkpoint_steps(config.steps) if step >= 50_000 or
                          step == config.steps])  # fmt: skip
        rows = []
        for step in steps.tolist():
            draws = np.random.default_rng((int(config.key, 16), step)).normal(size=len(seeds))
            loss = np.broadcast_to(self.loss_of(config, step), len(seeds))
            rows.append(loss * np.exp(self.noise * draws))
        nets = net_of(config.width).select(np.zeros(len(seeds), int))
        return dataclasses.replace(
            nets,
            config=config,
            seeds=np.array(seeds),
            loss=rows[-1],
            history=History(steps, np.array(rows)),
        )


def law(config, steps, exponent=1.0, power=1.0, tickets=200):
    """A loss that falls as a power of N and of the sum of rates; tickets among two neurons."""
    if config.width == 2:
        return np.where(np.arange(1000) < tickets, 1e-6, 1e-2)
    total = sum_of_rates(config.replace(width=1), steps)
    return config.width**-exponent / total**power


@pytest.fixture
def quantities(monkeypatch):
    """Cosines and distances by start, in place of those of the nets."""

    def plant(alike, moved):
        for name, function in (("likeness", alike), ("distance", moved)):
            monkeypatch.setattr(protocol, name, lambda groups, f=function: about(f(groups)))

    return plant


def about(value, reach=0.02):
    return ml_estimate(value, value - reach, value + reach)


def ml_estimate(value, low, high):
    return protocol.Estimate(value, low, high, 0.95)


def by_key(one):
    """Verdicts by the key of their claim; of the envelope's, the second is of mean-field nets."""
    found = {}
    for key, several in one.judged().items():
        for verdict, more in zip(several, ("", " mean-field"), strict=False):
            found[key + more] = verdict
    return found


def study(loss_of, settings=SETTINGS, **made):
    return Protocol(Source(Made(loss_of, **made)), settings)


def verdicts(one):
    return {key: verdict.verdict for key, verdict in by_key(one).items()}


ALL = {
    *("rate", "schedule", "budget", "best", "one", "longer", "precision", "sum_exponent"),
    *("sum_loss", "own", "tickets", "alike", "lazy"),
    *("envelope", "envelope mean-field", "rise", "rise mean-field"),
}


def test_a_law_that_is_the_networks_own(quantities):
    """1/N over the sum of rates, however one trains and starts: every claim of sameness holds."""
    order = {"torch": 2.0, "normal": 3.0, "mean_field": 4.0}
    quantities(lambda groups: 0.9, lambda groups: order[groups[0].config.init])
    one = study(law)
    found = verdicts(one)
    assert set(found) == ALL
    differ = {"rise", "rise mean-field", "lazy"}
    assert {key: found[key] for key in ALL - differ} == dict.fromkeys(ALL - differ, HOLDS)
    assert found["rise"] == found["rise mean-field"] == FAILS
    assert found["lazy"] == UNDECIDED  # all starts end alike
    assert one.rates[Place(STEP, BEST, 50_000)][10] == (0.01, 0.01)
    assert "is not known to depend on rate" in one.headline()


def test_a_law_that_is_the_protocols(quantities):
    """Everything decides the exponent: every claim of sameness fails."""
    quantities(lambda groups: 0.1, lambda groups: 1 / groups[0].config.output_scale)

    def loss(config, steps):
        exponent = 1.5
        exponent += 1.0 * (config.lr == 0.003) + 1.0 * (config.schedule == "cosine")
        exponent += 1.0 * (steps == 1_000_000) + 1.0 * (config.dtype == "float64")
        exponent += 1.5 * (config.init == "normal")
        tickets = 20 if config.init == "normal" else 200
        narrow = min(config.width, 50)
        factor = 50.0 if config.schedule == "cosine" else 1.0
        found = law(config.replace(width=narrow), steps, exponent, -1.5, tickets) * factor
        return found * (config.width / narrow) ** 0.8

    one = study(loss)
    found = verdicts(one)
    holds = {"rise", "rise mean-field"}
    assert {key: found[key] for key in ALL - holds - {"lazy"}} == dict.fromkeys(
        ALL - holds - {"lazy"}, FAILS
    )
    assert found["rise"] == found["rise mean-field"] == HOLDS
    assert "belongs to the whole protocol: it moves with the learning rate" in one.headline()
    change = by_key(one)["precision"].numbers
    assert change["low"] < 1.0 < change["high"]
    assert "outside (cosine)" in by_key(one)["schedule"].reason


def test_what_the_rate_alone_makes_differ_is_told_from_the_rest(quantities):
    """At 0.01 the loss of one start, and of wide nets, is far from 1/N; at 0.003 it is 1/N and
    lower, so with rates tuned all is as in the networks' own law.
    """
    quantities(lambda groups: 0.9, lambda groups: 1.0)

    def loss(config, steps):
        bad = config.lr == 0.01 and config.dtype == "float32"
        exponent = 0.0 if bad else 1.0
        return law(config.replace(lr=0.01), steps, exponent) * (3.0 if bad else 1.0)

    one = study(loss)
    found = verdicts(one)
    assert [found[key] for key in ("rate", "precision")] == [FAILS, FAILS]
    same = ("best", "one", "own", "envelope", "envelope mean-field")
    assert [found[key] for key in same] == [HOLDS] * len(same)
    assert one.rates[Place(STEP, BEST, 50_000)][10] == (0.003, 0.003)


@pytest.mark.parametrize(("sign", "verdict"), [(1, HOLDS), (-1, FAILS)])
def test_moving_far_is_good_or_bad(quantities, sign, verdict):
    starts = SETTINGS.starts
    order = {
        (start.init, start.output_scale): k + 1 for k, start in enumerate(starts)
    }  # fmt: skip

    def place(config):
        return order[config.init, config.output_scale]

    quantities(lambda groups: 0.9, lambda groups: float(place(groups[0].config)))
    found = study(lambda c, steps: law(c, steps) * 10.0 ** (-sign * place(c)))
    assert verdicts(found)["lazy"] == verdict


def test_scatter_leaves_open_what_it_hides(quantities):
    """With losses of twelve seeds that scatter over decades nothing about exponents is decided."""
    quantities(lambda groups: 0.5, lambda groups: 1.0)
    few = dataclasses.replace(SETTINGS, seeds=12, long_seeds=12, wide_seeds=24)
    one = study(law, few, noise=3.0)
    found = verdicts(one)
    undecided = ("rate", "schedule", "budget", "best", "one", "precision", "sum_exponent")
    undecided += ("own", "alike", "envelope", "rise", "sum_loss")
    assert {key: found[key] for key in undecided} == dict.fromkeys(undecided, UNDECIDED)


def test_missing_parts_are_told_and_the_rest_is_studied(quantities):
    quantities(lambda groups: 0.9, lambda groups: 1.0)

    def loss(config, steps):
        missing = config.schedule == "linear" or config.init == "normal" or config.width == 2
        return None if missing or config.dtype == "float64" else law(config, steps)

    source = Source(Made(loss))
    one = Protocol(source, SETTINGS)
    found = verdicts(one)
    assert [found[key] for key in ("precision", "tickets")] == [UNTESTED] * 2
    assert found["schedule"] == HOLDS
    assert any("normal" in text for text in source.missing)
    with pytest.raises(ml.DataError, match=r"needs three widths.*Protocol\.run"):
        study(lambda c, steps: None if c.width in (20, 30, 40, 50) else law(c, steps))


def test_widths_that_diverged_are_left_out_and_named(quantities):
    quantities(lambda groups: 0.9, lambda groups: 1.0)
    one = study(lambda c, steps: np.nan if (c.width, c.lr) == (10, 0.01) else law(c, steps))
    assert "step, rate 0.01, 50,000 steps, width 10: 0 of 60 seeds are finite" in one.caption()
    assert 10 not in one.found[Place(STEP, 0.01, 50_000)].widths
    assert one.rates[Place(STEP, BEST, 50_000)][10] == (0.003, 0.003)


def test_what_is_trained():
    """The paper's budget is the paper's config, so that stores share it; a schedule whose first
    steps do not depend on its length is trained once; starts at the paper's rate are shared.
    """
    settings = ProtocolSettings()
    seeds: dict[ml.Config, int] = {}
    for sweep in settings.sweeps():
        for config in sweep.configs:
            seeds[config] = max(seeds.get(config, 0), sweep.seeds.size)
    assert seeds[ml.Config(width=50)] == 64
    assert seeds[ml.Config(width=1000)] == 16
    assert seeds[ml.Config(width=50, steps=1_000_000, lr_decay_every=200_000)] == 32
    for schedule in (HELD, STRETCHED):
        assert Way(schedule).config(settings) == Way(STEP).config(settings)
    steps = {c.steps for c in seeds if c.schedule == HELD}
    assert steps == {1_000_000}
    at_paper_rate = {c.steps for c in seeds if c.schedule == CONSTANT and c.lr == 0.01}
    assert at_paper_rate == {12_500, 250_000, 1_000_000}  # of equal sums, and of all budgets
    assert Way(CONSTANT, 0.003, 200_000).config(settings)["steps"] == 1_000_000
    cost = sum(
        count * c.steps * c.width * (2 if c.dtype == "float64" else 1) for c, count in seeds.items()
    )
    assert cost * 10e-9 / 2 < 3600  # at 10 ns a neuron and step, on two cores
    quick = sum(
        c.steps * c.width * s.seeds.size
        for s in Protocol.sweeps(Protocol.plan(QUICK))
        for c in s.configs
    )
    assert quick < cost / 9
    small = Protocol.plan(Scale(seeds=20, steps=500, widest=100))
    assert (small.steps, small.seeds, small.budgets) == (500, 20, (500, 2000, 10_000))
    assert max(small.wide) == 100


def test_starts_are_torch_and_each_other_once():
    starts = ProtocolSettings().starts
    assert len(set(starts)) == len(starts) == len(ml.SCHEMES) + 2 * 2 + 5
    with pytest.raises(ml.ConfigError, match="init 'zeros' is unknown; choose from torch"):
        ProtocolSettings(inits=("zeros",))


def test_a_real_store(tmp_path):
    """A tiny one, through the researcher's call; the same again from the store."""
    settings = {
        "seeds": 12, "long_seeds": 12, "steps": 50, "budgets": (50, 100), "widths": (10, 12, 14),
        "rates": (0.003, 0.01), "start_rates": (0.01,), "inits": ("torch", "mean_field"),
        "init_scales": (), "output_scales": (10.0,), "narrow_seeds": 12, "wide": (16, 20),
        "wide_seeds": 12, "wide_rates": (0.01,),
    }  # fmt: skip
    one = Protocol.run(tmp_path / "runs", threads=1, **settings)
    assert len(one.exponents) == 6 * 3 * 2
    assert is_whole(one)
    # A constant rate's first 50 steps are those of its 100, whose history has them.
    constant = ml.train(ml.Config(width=10, steps=50, schedule=CONSTANT), seeds=12, threads=1)
    found = one.found[Place(CONSTANT, 0.01, 50)]
    assert found.value[0] == pytest.approx(np.median(constant.loss), rel=1e-6)
    with pytest.raises(ml.ConfigError, match="no setting of the study 'protocol'"):
        Protocol.run(tmp_path / "runs", width=3)
    assert FIGURES["protocol"] is Protocol
