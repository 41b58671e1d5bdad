"""The study of minima: tickets planted on the valley's floor and off it, curvatures made up for
each verdict, a real store.
"""

import dataclasses

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.analysis.tickets.valley import EQ2, tickets, valley
from minilotto.data.dataset import sampled
from minilotto.engines.evaluate import losses
from minilotto.initialisation import Parameters
from minilotto.report.catalogue import FIGURES
from minilotto.report.figure import QUICK, Scale, Source
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.minimum.minimum import SILU, TICKETS, Minimum, MinimumSettings

SQUARE = sampled(ml.Config())
SETTINGS = MinimumSettings(
    seeds=24, double_seeds=24, budgets=(5_000, 50_000, 500_000), widths=(), looked_at=4, polished=8
)
TICKET, WIDER = "A ticket is a local minimum", "Wider nets are local minima"
ENDS, ENDLESS = (
    "Second-order descent from trained nets ends in rounding",
    "The valley of mirror pairs descends without end",
)
STEPS, PRECISION = (
    "The number of steps sets a ticket's loss",
    "It is not float32 that stops tickets in the valley",
)


NET = ml.train(ml.Config(width=2, steps=2), seeds=1, checkpoints=[], backend="reference")


class Made:
    """Stands for a store: tickets whose |w| is a function of their config, half of the nets; the
    others are one neuron twice.
    """

    def __init__(self, w_of, lift=0.0):
        self.w_of, self.lift = w_of, lift

    def ensemble(self, config, seeds):
        if self.w_of(config) is None:
            raise ml.DataError(f"no nets of width={config.width}")
        count, random = len(seeds), np.random.default_rng(3)
        w = self.w_of(config) * np.exp(0.01 * random.normal(size=count))
        floor = valley(SILU, w, SQUARE, -1.1)
        mirrored = np.arange(count) % 2 == 0
        raw = Parameters(
            np.stack([w, np.where(mirrored, -w, w)], axis=1)[:, :, None],
            np.stack([floor.b, floor.b], axis=1),
            np.stack([floor.v, floor.v], axis=1),
            floor.c + self.lift,
        )
        nets = NET.select(np.zeros(count, int))
        loss = losses(SILU, raw, SQUARE)
        return dataclasses.replace(
            nets, config=config, seeds=np.array(seeds), loss=loss, **raw._asdict()
        )


def down(config):
    """Tickets that go down with the steps, as steps^-0.1."""
    return 0.83 * (config.steps / 50_000) ** -0.1


def verdicts(one):
    return {verdict.claim: verdict for verdict in one.verdicts()}


@pytest.fixture(scope="module")
def falling():
    return Minimum(Source(Made(down)), SETTINGS)


def test_tickets_that_go_down_the_valley_with_their_steps(falling):
    found = verdicts(falling)
    assert found[TICKET].verdict == FAILS
    assert {found[claim].verdict for claim in (ENDLESS, STEPS, PRECISION)} == {HOLDS}
    assert found[STEPS].numbers["low"] < 0.1 < found[STEPS].numbers["high"]
    assert found[ENDLESS].numbers["power"] == pytest.approx(8, abs=0.02)
    assert found[WIDER].verdict == UNTESTED
    # Not the neurons that are there twice.
    assert {len(one.w) for one in falling.tickets["float32"].values()} == {12}
    assert "0 are minima" in falling.headline()
    assert "|w|^8" in falling.headline()
    np.testing.assert_allclose(falling.above[500_000], 1, rtol=1e-3)


def test_tickets_that_stay_where_they_are():
    found = verdicts(Minimum(Source(Made(lambda config: 0.83)), SETTINGS))
    assert found[STEPS].verdict == FAILS


def test_tickets_above_the_floor():
    """c off by 0.01: a loss of 1e-4 beside a floor of 1e-5 and less."""
    found = verdicts(Minimum(Source(Made(down, lift=0.01)), SETTINGS))
    assert found[STEPS].verdict == FAILS


@pytest.mark.parametrize(("factor", "verdict"), [(0.5, FAILS), (0.95, HOLDS), (1.0, HOLDS)])
def test_precision_that_matters(factor, verdict):
    one = Minimum(
        Source(Made(lambda c: down(c) * (factor if c.dtype == "float64" else 1))), SETTINGS
    )
    assert verdicts(one)[PRECISION].verdict == verdict


def more(one):
    """The same nets many times, so that almost all of them can be told from all."""
    arrays = {name: part for name, part in vars(one).items() if isinstance(part, np.ndarray)}
    parts = {name: np.repeat(part, 40, axis=0) for name, part in arrays.items()}
    return dataclasses.replace(one, **parts)


def group(falling, settled, kept, noise):
    """Nets with a planted curvature and polish: fractions of nets that are settled, and of those
    that polishing leaves.
    """
    base = falling.groups[TICKETS]
    base = dataclasses.replace(base, curvature=more(base.curvature), polished=more(base.polished))
    count = len(base.polished.loss)
    at = np.arange(count) / count
    curvature = dataclasses.replace(
        base.curvature,
        negative=np.where(at < settled, 0, 1),
        decrease=np.where(at < settled, 1e-4, 0.5) * base.curvature.loss,
    )
    loss = np.where(at < kept, 1.0, 1e-9) * base.polished.start
    polished = dataclasses.replace(base.polished, loss=loss, rounding=(noise / 2) ** 2 * loss)
    return dataclasses.replace(base, curvature=curvature, polished=polished)


@pytest.mark.parametrize(
    ("settled", "kept", "expected"),
    [(1, 1, HOLDS), (0, 1, FAILS), (1, 0, FAILS), (0.5, 1, FAILS), (1, 0.5, FAILS)],
)
def test_what_counts_as_a_minimum(falling, monkeypatch, settled, kept, expected):
    both = dict.fromkeys((TICKETS, "4"), group(falling, settled, kept, 0.1))
    monkeypatch.setattr(falling, "groups", both)
    found = verdicts(falling)
    assert [found[claim].verdict for claim in (TICKET, WIDER)] == [expected] * 2


@pytest.mark.parametrize(("noise", "verdict"), [(0.021, HOLDS), (0.019, FAILS)])
def test_what_counts_as_rounding(falling, monkeypatch, noise, verdict):
    monkeypatch.setattr(falling, "groups", {TICKETS: group(falling, 1, 1, noise)})
    assert verdicts(falling)[ENDS].verdict == verdict


def test_valleys_with_an_end(falling, monkeypatch):
    line = falling.valley
    line = dataclasses.replace(
        line, **{name: part[line.w > 0.03] for name, part in vars(line).items()}
    )
    for loss, verdict in (
        (np.maximum(line.loss, 1e-9) * (1 + 1e-3 / line.w), FAILS),  # rises as w falls
        (line.loss * line.w**-2, IN_PART),  # another power
        (line.loss * 1.2, IN_PART),  # another size
    ):
        monkeypatch.setattr(falling, "valley", dataclasses.replace(line, loss=loss))
        assert verdicts(falling)[ENDLESS].verdict == verdict


def test_the_printed_ticket_is_a_ticket_and_a_lopsided_one_is_not():
    net = ml.train(
        ml.Config(width=2, steps=2, dtype="float64"), seeds=1, checkpoints=[], backend="reference"
    )
    assert len(tickets(net.with_parameters(EQ2), -1.03).w) == 1
    for part, factor in (("w", 1.1), ("b", 1.1), ("v", 1.1)):
        array = getattr(EQ2, part).copy()
        array[0, 1] *= factor
        assert len(tickets(net.with_parameters(EQ2._replace(**{part: array})), -1.03).w) == 0
    assert len(tickets(net.with_parameters(EQ2._replace(b=np.full((1, 2), -0.1))), -1.03).w) == 0


def test_missing_parts_are_noted():
    missing = lambda c: c.steps == 500_000 or c.dtype == "float64"  # noqa: E731
    source = Source(Made(lambda config: None if missing(config) else down(config)))
    one = Minimum(source, SETTINGS)
    found = verdicts(one)
    assert [found[claim].verdict for claim in (STEPS, PRECISION)] == [UNTESTED] * 2
    assert len(source.missing) == 4
    with pytest.raises(ml.DataError, match="none of 24 nets of width 2 is a ticket"):
        Minimum(Source(Made(lambda config: None)), SETTINGS)


def test_what_is_trained():
    """The paper's budget is the paper's config, so that stores share it."""
    configs = {
        config: sweep.seeds.size
        for sweep in Minimum.trainings(MinimumSettings())
        for config in sweep.configs
    }
    assert {ml.Config(width=width) for width in (2, 4, 10, 50)} <= set(configs)
    assert max(config.steps for config in configs) == 1_000_000
    cost = sum(config.width * config.steps * seeds for config, seeds in configs.items())
    quick = sum(
        c.width * c.steps * sweep.seeds.size
        for sweep in Minimum.sweeps(QUICK)
        for c in sweep.configs
    )
    assert quick < cost / 8
    assert Minimum.chosen(Scale(seeds=20, steps=500)).budgets == (50, 150, 500, 1500, 5000, 10_000)


def test_a_real_store(tmp_path):
    """Tickets after a few thousand steps, through the researcher's call."""
    settings = {
        "seeds": 64,
        "double_seeds": 8,
        "steps": 2000,
        "budgets": (200, 2000),
        "widths": (4,),
        "looked_at": 5,
        "polished": 4,
    }
    one = Minimum.run(tmp_path / "runs", **settings)
    assert set(one.groups) == {TICKETS, "4"}
    assert is_whole(one)
    with pytest.raises(ml.ConfigError, match="no setting of the study 'minimum'"):
        Minimum.run(tmp_path / "runs", width=3)
    assert FIGURES["minimum"] is Minimum
