"""The study of ensembling: worlds in which its hypotheses are true, and worlds in which they are
not; a small real one.
"""

import dataclasses

import numpy as np
import pytest
from figures import by_claim, is_whole

import minilotto as ml
from minilotto.analysis.ensembling.attribution import attribute
from minilotto.analysis.ensembling.averages import averages, worth
from minilotto.analysis.ensembling.decomposition import decompose
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.figure import QUICK, Scale, Source
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.ensembling.analysis import Ensembles, OneWidth
from minilotto.report.studies.ensembling.ensembling import Ensembling, EnsemblingSettings
from minilotto.store.store import open_store

POINTS, NETS = 60, 80
WEIGHT, Y = np.full(POINTS, 1 / POINTS), 1e3 * np.linspace(-1, 1, POINTS) ** 2
SHAPE = np.sqrt(2) * np.sin(9 * np.linspace(0, np.pi, POINTS))
KINDS = ("independent", "groups", "needed", "alike")
WIDTHS = (1, 2, 4, 10, 20, 30, 40, 50)


class Losses:
    """Stands for nets of which the losses alone are asked."""

    def __init__(self, loss):
        self.loss = loss

    def __len__(self):
        return len(self.loss)


def sharp(value, spread=0.01):
    return Estimate(value, value * (1 - spread), value * (1 + spread), 0.95)


def world(loss, common, tickets, needed, alike, cosine, widths=WIDTHS):
    """Nets by width: loss(N), of which the part `common` is one function; tickets(N) independent,
    needed(N) of them.
    """
    random = np.random.default_rng(0)
    errors, found = {}, {}
    for n in widths:
        counts = tickets(n), tickets(n), needed(n), alike
        own = random.normal(size=(NETS, POINTS))
        errors[n] = np.sqrt(loss(n)) * (np.sqrt(common) * SHAPE + np.sqrt(1 - common) * own)
        found[n] = OneWidth(
            nets=Losses(errors[n] ** 2 @ WEIGHT),
            parts=decompose(errors[n], WEIGHT, level=0.95, resamples=200),
            whole=decompose(errors[n], WEIGHT, central=1.0, level=0.95, resamples=200),
            cosine=sharp(cosine),
            means=averages(errors[n], WEIGHT, (1, 2, 3, 4, 5, 8), level=0.95, halves=20),
            tickets=dict(zip(KINDS, map(sharp, counts), strict=True)) if n >= 4 else {},
            inverse=random.uniform(0.95, 1.05, 50) / tickets(n) if n >= 4 else np.empty(0),
        )
    gains = {
        (n, 2 * n): attribute(
            Y + errors[n], Y, WEIGHT, found[2 * n].nets.loss, draws=300, level=0.95, resamples=200
        )
        for n in widths
        if 2 * n in widths
    }
    means = {n: one.means for n, one in found.items()}
    ratios = worth(means, {n: one.nets.loss for n, one in found.items()}, 0.95)
    return {"silu": Ensembles("silu", found, gains, {(10, 20): sharp(0.1)}, ratios)}


@pytest.fixture(scope="module")
def papers():
    """What Eq. 5 to 9 describe."""
    return world(lambda n: 1 / n, 0.0, lambda n: n / 10, lambda n: n / 10, 0.01, 0.01)


@pytest.fixture(scope="module")
def others():
    """One error function for all seeds, that falls steeply with width."""
    return world(lambda n: n**-3.0, 0.95, lambda n: 2.0, lambda n: 1e4, 0.8, 0.95)


def study_of(found):
    study = Ensembling.__new__(Ensembling)
    study.found, study.training = found, ""
    return study


ALL = (
    "Errors of seeds have mean zero: the loss is variance",
    "Errors of nets and of tickets are orthogonal",
    "The mean of R nets loses L/R",
    "R nets of width N are worth one of width R N",
    "The gain from width N/2 to N is averaging",
    "The gain from width N/2 to N is at most a best combination",
    "Independent tickets grow in proportion to N",
    "The independent tickets explain the loss",
)
SYNERGY = "Narrow nets are more than combinations of halves"


def test_the_papers_world_is_recognised(papers):
    found = by_claim(study_of(papers))
    assert {claim: found[claim].verdict for claim in ALL} == dict.fromkeys(ALL, HOLDS)
    assert found[SYNERGY].verdict == FAILS
    assert set(found) == {*ALL, SYNERGY}
    for verdict in found.values():
        assert all(np.isfinite(list(verdict.numbers.values())))


def test_another_world_is_not_taken_for_it(others):
    found = by_claim(study_of(others))
    assert {claim: found[claim].verdict for claim in ALL} == dict.fromkeys(ALL, FAILS)
    assert found[SYNERGY].verdict == HOLDS
    assert "better in 5" in found["R nets of width N are worth one of width R N"].reason
    assert found["The independent tickets explain the loss"].numbers[
        "needed / there, SiLU 10"
    ] == pytest.approx(5000, rel=1e-12)


def test_two_activations_that_differ_hold_in_part(papers, others):
    both = {
        "silu": papers["silu"],
        "leaky_relu": dataclasses.replace(others["silu"], activation="leaky_relu"),
    }
    found = by_claim(study_of(both))
    assert {verdict.verdict for verdict in found.values()} == {IN_PART}
    for table in study_of(both).tables():
        assert len({len(column) for column in table.columns.values()}) == 1
        assert "nan" not in table.to_csv().lower()


def test_a_loss_that_rises_has_no_gain_to_explain():
    found = world(lambda n: float(n), 0.5, lambda n: 2.0, lambda n: 2.0, 0.5, 0.5, widths=(10, 20))
    said = by_claim(study_of(found))
    for claim in (
        "The gain from width N/2 to N is averaging",
        "The gain from width N/2 to N is at most a best combination",
        SYNERGY,
    ):
        assert said[claim].verdict == UNTESTED
    assert "no gain to explain" in study_of(found).headline()


def test_the_headline_is_one_sentence_with_numbers(papers):
    said = study_of(papers).headline()
    assert "width 40 gains" in said
    assert "averaging two of them gives 9" in said or "averaging two of them gives 10" in said
    assert said.count(". ") == said.count("Eq. ")


def test_settings_follow_the_scale():
    small = EnsemblingSettings.at(Scale(seeds=50, wide_seeds=20, widest=100, steps=300))
    assert (small.seeds, small.wide_seeds, small.wide, small.steps) == (50, 20, (70, 100), 300)
    assert EnsemblingSettings.at(Scale()) == EnsemblingSettings()
    assert EnsemblingSettings.at(QUICK).seeds == 64
    sweeps = Ensembling.sweeps(Ensembling.plan(Scale()))
    assert {len(sweep.seeds) for sweep in sweeps} == {1000, 100}
    with pytest.raises(ml.ConfigError, match="no width"):
        Ensembling.sweeps(EnsemblingSettings(widths=(), wide=()))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    settings = {"widths": (2, 4), "wide": (8,), "seeds": 40, "wide_seeds": 24, "steps": 200}
    return folder, settings, Ensembling.run(folder, **settings)


def test_a_small_store_is_studied_drawn_and_described(store):
    _, _, study = store
    assert set(study.found) == {"silu", "leaky_relu"}
    assert set(study.found["silu"].gains) == {(2, 4), (4, 8)}
    assert set(study.found["silu"].joined) == {(2, 4), (4, 8)}
    assert is_whole(study)
    assert "24 to 40 seeds" in study.caption()
    assert study.design()
    assert study.question
    assert "SiLU" in study.headline()
    assert len(study.verdicts()) == 9


def test_missing_widths_are_noted_and_the_rest_is_studied(store):
    folder, settings, _ = store
    source = Source(open_store(folder))
    study = Ensembling(source, EnsemblingSettings(**{**settings, "wide": (32,)}))
    assert set(study.found["silu"].widths) == {2, 4}
    assert any("32" in missing for missing in source.missing)
    with pytest.raises(ml.DataError, match=r"Ensembling\.run"):
        Ensembling(
            Source(open_store(folder)),
            EnsemblingSettings(**{**settings, "widths": (3,), "wide": ()}),
        )
