"""Figures 5 to 8: verdicts from planted errors and losses, and small trainings of every target."""

import copy
import csv
import dataclasses
import io
import sys
from functools import partial

import numpy as np
import pytest
from figures import Made

import minilotto as ml
from minilotto.analysis.ensembling import width_study
from minilotto.cli.commands import main
from minilotto.data.dataset import sampled
from minilotto.report.build import reproduce
from minilotto.report.catalogue import APPENDICES, MAIN_TEXT
from minilotto.report.figure import QUICK, Scale, Source
from minilotto.report.page import Report
from minilotto.report.paper import target_histograms, targets, unary_scaling
from minilotto.report.paper.product_scaling import CHECKED, ProductScaling, checks
from minilotto.report.paper.target_histograms import ProductHistograms, UnaryHistograms
from minilotto.report.paper.targets import PRODUCTS, UNARY, product_sweeps
from minilotto.report.paper.unary_scaling import UnaryScaling
from minilotto.report.plots.style import style
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNDECIDED, UNTESTED
from minilotto.settings.activations import ACTIVATIONS
from minilotto.settings.tasks import TASKS

NETS, POINTS = 160, 32


@dataclasses.dataclass(frozen=True)
class Small(Scale):
    """Few seeds, steps and widths."""

    seeds: int = 32
    steps: int = 60
    product_points: int = POINTS
    check_seeds: int = 12
    widths = (2, 3, 4, 10, 20, 30, 50)


SMALL = Small()


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    """A tenth of the resamples and few refits: what is planted lies far from every bound."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (targets, "points"),
            (width_study, "points"),
            (width_study, "decompose"),
        ):
            patch.setattr(module, name, partial(getattr(module, name), resamples=100))
        patch.setattr(width_study, "REFITTED", 3)
        yield


class Planted:
    """Stands for an Ensemble: errors (R, P) on its data, the same on points that it has not seen; w
    and b of its hidden neurons.
    """

    def __init__(self, config, errors, able=False):
        self.config, self.data, self.errors = config, sampled(config), errors
        self.loss = errors**2 @ self.data.weight
        self.seeds = np.arange(len(errors))
        self.activation = ACTIVATIONS["silu"]
        random = np.random.default_rng(1)
        shape = (len(errors), config.width)
        # Neurons without slope can do nothing but the constant, so that no output weights are
        # better.
        self.w = random.normal(size=(*shape, self.data.inputs)) * able
        self.b = random.normal(size=shape)

    def __len__(self):
        return len(self.errors)

    def select(self, which):
        some = copy.copy(self)
        for name in ("errors", "loss", "seeds", "w", "b"):
            setattr(some, name, getattr(self, name)[which])
        return some

    def predict(self, x):
        if x is self.data.x:
            return self.data.y + self.errors
        return TASKS[self.config.task](x) + self.errors[:, np.arange(len(x)) % self.errors.shape[1]]


def planted(config, bias, variance, able=False):
    """Nets whose errors have a shared part and parts of their own, with these mean squares, and
    losses that differ somewhat.
    """
    random = np.random.default_rng(config.width)
    data = sampled(config)
    shared = np.random.default_rng(99).normal(size=data.points)
    shared /= np.sqrt(shared**2 @ data.weight)
    size = np.exp(0.03 * random.normal(size=(NETS, 1)))
    errors = np.sqrt(bias) * shared + np.sqrt(variance) * random.normal(size=(NETS, data.points))
    return Planted(config, size * errors, able)


def said(figure):
    return {verdict.claim: verdict.verdict for verdict in figure.verdicts()}


# Scaling of functions of one input
def papers_world(config):
    """What the paper says: independent errors where the law holds, shared ones where it does not,
    and tickets at their limit.
    """
    n, task = config.width, config.task
    if task in ("square", "cube") or (task == "tanh" and n <= 20):
        return planted(config, 0.0, 1e-4 / n)
    if task == "tanh":
        return planted(config, 4.5e-6, 0.5e-6)
    if task in ("quartic", "sin2", "exp_square"):
        return planted(config, 1e-6 / n**0.5, 1e-3 / n**3)
    return planted(config, 1e-6, 1e-8 / n)


def other_world(config):
    """The reverse: shared errors where the law holds, independent ones where it does not, and
    neurons that could do better.
    """
    n, task = config.width, config.task
    if task in ("square", "cube", "tanh"):
        return planted(config, 1e-4 / n**3, 1e-5 / n**3, able=True)
    if task in ("quartic", "sin2", "exp_square"):
        return planted(config, 1e-5, 1.0, able=True)
    return planted(config, 1e-4 / n, 1e-4 / n, able=True)


@pytest.fixture(scope="module")
def worlds():
    """Figure 7 of either world."""
    made = (Made(papers_world, SMALL.widths), Made(other_world, widths=(10, 20, 30, 50)))
    return [UnaryScaling(Source(store), SMALL) for store in made]


def test_the_papers_world_holds_and_its_reverse_fails(worlds):
    paper, other = worlds
    assert [v.measured for v in paper.verdicts() if v.verdict != HOLDS] == []
    assert [v.measured for v in other.verdicts() if v.verdict != FAILS] == []
    assert "8 functions of one input) most of it is common to all seeds in 8." in paper.headline()
    assert "common to all seeds in 0; but so is 9" in other.headline()


def test_numbers_behind_the_verdicts_are_those_planted(worlds):
    paper, other = worlds
    cube, relu = paper.studies["cube"], paper.studies["relu"]
    assert cube.fit(10, 50).estimates["exponent"].value == pytest.approx(1, abs=0.1)
    assert relu.parts[50].share.value == pytest.approx(1, abs=0.01)
    assert cube.parts[50].share.value == pytest.approx(0, abs=0.05)
    assert cube.left[50].tolist() == [1, 1, 1]
    assert other.studies["cube"].left[50][1] < 0.05
    assert cube.fit(10, 50, "variance").estimates["exponent"].value == pytest.approx(1, abs=0.1)
    assert cube.fit(10, 50, "bias") is None  # nothing certain to fit
    assert [row.fit is not None for row in relu.laws] == [True, True, True]
    assert all(row.weight is None for row in relu.laws)  # so few widths compare no laws


def test_some_targets_of_each_claim_make_it_hold_in_part(worlds):
    paper, other = worlds
    mixed = copy.copy(paper)
    mixed.studies = {
        **paper.studies,
        **{task: other.studies[task] for task in ("cube", "sin2", "exp")},
    }
    found = mixed.verdicts()
    assert [verdict.verdict for verdict in found] == [IN_PART] * 6
    assert "exp x" in found[2].reason  # still falls
    assert "at sin² x the loss levels off without" in found[3].reason
    assert "For x³ errors" in found[4].reason


def test_few_widths_are_said():
    figure = UnaryScaling(Source(Made(papers_world, widths=(2, 3))), SMALL)
    assert set(said(figure).values()) == {UNTESTED}
    assert figure.headline() == ""
    assert all(
        "missing" in verdict.reason and not verdict.measured for verdict in figure.verdicts()
    )
    with pytest.raises(ml.DataError, match="no target has two widths"):
        UnaryScaling(Source(Made(papers_world, widths=(2,))), SMALL)


# Histograms
SEVERAL, ONE, LEFT, RIGHT, NARROW = (
    lambda random: np.concatenate([random.normal(-6, 0.1, 300), random.normal(-3, 0.1, 300)]),
    lambda random: random.normal(-7, 0.3, 600),
    lambda random: -6 - random.exponential(0.5, 600),
    lambda random: -6 + random.exponential(0.5, 600),
    lambda random: random.normal(-7, 0.03, 600),
)


def histograms(kind, shape_of, widths, tasks=None):
    """Figure 5 or 6 of nets whose log10 losses have the shapes that a function of task and width
    names; None: no nets.
    """
    random = np.random.default_rng(0)

    def nets_of(config):
        shape = shape_of(config.task, config.width)
        if shape is None:
            raise ml.DataError("no nets")
        losses = 10 ** shape(random)
        return Planted(config, np.sqrt(losses)[:, None] * np.ones(sampled(config).points))

    return kind(Source(Made(nets_of, widths, tasks)), SMALL)


def test_histograms_of_functions_as_the_paper_has_them_and_their_reverse():
    some = ("sin", "cos", "relu")
    wide = {"sin": NARROW, "cos": LEFT, "relu": ONE}
    paper = histograms(
        UnaryHistograms, lambda task, width: SEVERAL if width <= 4 else wide[task], (2, 50), some
    )
    assert list(said(paper).values()) == [HOLDS] * 4
    assert "3 of 3 histograms of narrow nets" in paper.headline()
    tasks = {"sin": SEVERAL, "cos": RIGHT, "relu": SEVERAL}
    other = histograms(
        UnaryHistograms, lambda task, width: ONE if width <= 4 else tasks[task], (2, 50), some
    )
    assert list(said(other).values()) == [FAILS, IN_PART, FAILS, FAILS]  # cos has one peak
    partly = histograms(
        UnaryHistograms,
        lambda task, width: SEVERAL if (task == "sin") == (width > 4) else ONE,
        (2, 50),
        some,
    )
    assert list(said(partly).values())[:3] == [
        IN_PART,
        IN_PART,
        UNDECIDED,  # a tail to neither side
    ]


def test_histograms_of_products():
    claimed = {"product2": (2, 3, 4), "product3": (10,), "product4": (10,), "product5": ()}
    widths = (2, 3, 4, 10, 20)
    paper = histograms(
        ProductHistograms, lambda task, width: SEVERAL if width in claimed[task] else ONE, widths
    )
    assert list(said(paper).values()) == [HOLDS] * 4
    later = histograms(
        ProductHistograms,
        lambda task, width: SEVERAL if width - 10 in claimed[task] else ONE,
        widths,
    )
    assert list(said(later).values()) == [FAILS, IN_PART, IN_PART, HOLDS]
    assert later.verdicts()[1].reason == "3 of 5 agree, 2 do not, 0 are undecided."
    more = histograms(
        ProductHistograms,
        lambda task, width: SEVERAL if width in (4, *claimed[task]) else ONE,
        widths,
    )
    assert list(said(more).values()) == [HOLDS, IN_PART, IN_PART, IN_PART]


def test_missing_widths_leave_claims_untested_and_cells_empty():
    some = ("product3", "product5")
    figure = histograms(
        ProductHistograms,
        lambda task, width: None if (task, width) == ("product3", 20) else ONE,
        (2, 20),
        some,
    )
    assert list(said(figure).values()) == [UNTESTED, UNTESTED, UNTESTED, HOLDS]
    with style():
        drawing = figure.draw()
    assert [text.get_text() for ax in drawing.axes for text in ax.texts] == ["none"]


@pytest.mark.parametrize("kind", [UnaryHistograms, ProductHistograms])
def test_few_nets_have_no_shape(kind):
    figure = histograms(
        kind,
        lambda task, width: lambda random: random.normal(-7, 0.3, 20),
        (4, 10),
        ("cos", "product5"),
    )
    assert [v for v in said(figure).values() if v != UNTESTED] == []
    with pytest.raises(ml.DataError, match="no target has any width"):
        histograms(kind, None, ())


# Products
def of_products(exponents, sampled_elsewhere=None):
    """Nets whose loss falls with these exponents up to 10, to 30 and beyond; those from other
    points as another function says.
    """

    def nets_of(config):
        ours = (config.sampling, config.points) == ("uniform", POINTS)
        powers = np.array(
            exponents if ours or sampled_elsewhere is None else sampled_elsewhere(config.sampling)
        )
        nodes = np.log([1, 10, 30, 50])
        loss = np.exp(
            np.interp(
                np.log(config.width),
                nodes,
                np.concatenate([[0], np.cumsum(-powers * np.diff(nodes))]),
            )
        )
        return planted(config, 0.9 * loss, 0.1 * loss)

    return nets_of


SLOWING, STEEP = (3, 1, 0.1), (3, 3, 3)
SAME = "Products: other points, the same result"


def products(nets_of, scale=SMALL, widths=SMALL.widths):
    return ProductScaling(Source(Made(nets_of, widths, ("product2", "product5"))), scale)


def test_products_that_fall_fast_then_as_the_law_then_slowly():
    slowing = products(of_products(SLOWING))
    assert set(said(slowing).values()) == {HOLDS}, said(slowing)
    assert (
        slowing.headline()
        == "Products of inputs, exponents from width 10 on, of the loss on the training points and "
        "of that on other points: x₁x₂: 0.7 and 0.7; x₁x₂x₃x₄x₅: 0.7 and 0.7."
    )
    steep = products(of_products(STEEP))
    assert list(said(steep).values())[:2] == [FAILS, FAILS]
    assert "at x₁x₂, x₁x₂x₃x₄x₅ the loss may still fall" in steep.verdicts()[1].reason


@pytest.mark.parametrize(
    ("elsewhere", "verdict"),
    [(lambda _: STEEP, FAILS), (lambda kind: STEEP if kind == "grid" else SLOWING, IN_PART)],
)
def test_other_points_with_another_law_are_seen(elsewhere, verdict):
    assert said(products(of_products(SLOWING, elsewhere)))[SAME] == verdict


def test_products_without_other_points_or_their_widths():
    without = dataclasses.replace(SMALL, check_seeds=0)
    assert ProductScaling.sweeps(without) == product_sweeps(without)
    untested = products(of_products(SLOWING), without)
    assert said(untested)[SAME] == UNTESTED
    assert "sampling" not in [table.name for table in untested.tables()]
    made = of_products(SLOWING)

    def narrower(config):
        if config.width == 50 and (config.sampling, config.points) == ("uniform", POINTS):
            raise ml.DataError("no nets of width 50")
        return made(config)

    found = {
        verdict.claim: verdict for verdict in products(narrower, widths=(2, *CHECKED)).verdicts()
    }
    assert found[SAME].verdict == HOLDS
    assert found[SAME].reason.startswith("4 of 4")
    assert found["Products: the loss falls as 1/N somewhere"].verdict == UNTESTED


def test_overfitted_points_are_seen():
    made = of_products(SLOWING)

    def nets_of(config):
        nets = made(config)
        seen = nets.predict
        nets.predict = lambda x: seen(x) if x is nets.data.x else seen(x) + 100 * nets.errors[:, :1]
        return nets

    assert (
        said(products(nets_of, dataclasses.replace(SMALL, check_seeds=0)))[
            "Products: the points are enough"
        ]
        == FAILS
    )


def test_checks_are_grids_of_at_least_as_many_points_and_more_points():
    found = checks(Scale())
    assert [sweep.configs[0].points for sweep in found["grid"]] == [1024, 1000, 1296, 1024]
    assert {sweep.configs[0].points for sweep in found["4 times the points"]} == {4000}
    assert {
        tuple(config.width for config in sweep.configs) for some in found.values() for sweep in some
    } == {CHECKED}


# What is trained
def test_trainings_fit_their_time():
    """At 0.37 ns for each neuron, point, net and step, with several inputs on two cores; with two
    inputs and a thousand points, on nodes, at a quarter of it.
    """

    def seconds(scale):
        return 0.37e-9 * sum(
            c.width
            * c.points
            * len(sweep.seeds)
            * c.steps
            / (4 if c.task == "product2" and c.points >= 1000 else 1)
            for sweep in ProductScaling.sweeps(scale)
            for c in sweep.configs
        )

    assert seconds(Scale()) < 55 * 60
    assert seconds(QUICK) < 90
    assert {sweep.configs[0].task for sweep in UnaryHistograms.sweeps(Scale())} == set(UNARY)
    assert set(UnaryHistograms.sweeps(Scale())) <= set(UnaryScaling.sweeps(Scale()))
    assert set(ProductHistograms.sweeps(Scale())) <= set(ProductScaling.sweeps(Scale()))
    assert all(len(sweep.seeds) == 1000 for sweep in UnaryScaling.sweeps(Scale()))
    assert {sweep.configs[0].task for sweep in product_sweeps(QUICK)} == set(PRODUCTS)


# Everything, small
@dataclasses.dataclass(frozen=True)
class Fewer(Small):
    """Fewer widths yet."""

    widths = (10, 30, 50)


@dataclasses.dataclass(frozen=True)
class Wider(Fewer):
    """One width more."""

    widths = (10, 30, 40, 50)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A report of the four figures from few seeds, steps, widths and functions of one input, and
    its folder.
    """
    folder = tmp_path_factory.mktemp("appendix") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys.modules["minilotto.report.build"], "SUFFIXES", (".svg", ".png")
        )  # what the page needs
        patch.setattr(unary_scaling, "TARGETS", ("square", "cube", "sin", "relu"))
        patch.setattr(target_histograms, "UNARY", ("cube", "sin", "relu"))
        return reproduce(folder, ["5", "6", "7", "8"], scale=Fewer(), threads=1), folder


@pytest.mark.slow
def test_all_four_are_drawn_captioned_and_tabulated(small):
    report, folder = small
    assert [section.name for section in report.sections] == ["5", "6", "7", "8"]
    assert {"5", "6", "7", "8"} <= {kind.name for kind in APPENDICES}
    for section in report.sections:
        assert section.picture is not None, section.notes
        assert not section.notes
        assert section.verdicts
        assert "60 Adam steps" in section.caption
        assert "None" not in section.caption
        tables = [name for name in section.files if name.endswith(".csv")]
        assert len(tables) >= 2
        for name in tables:
            header, *rows = csv.reader(io.StringIO((folder / name).read_text()))
            assert rows, name
            assert all(len(row) == len(header) for row in rows)
            assert "nan" not in (folder / name).read_text()
    products = [section for section in report.sections if section.name in ("6", "8")]
    assert all(f"{POINTS} independent uniform points" in section.caption for section in products)
    page = (folder / "index.html").read_text(encoding="utf-8")
    for word in (" nan", " None", " inf "):
        assert word not in page


@pytest.mark.parametrize("kind", [ProductHistograms, ProductScaling])
def test_a_width_that_the_store_lacks_is_named_and_the_rest_is_studied(kind, small):
    source = Source(ml.open_store(small[1] / "runs"))
    figure = kind(source, Wider())
    assert len(source.missing) == sum(
        config.width == 40 for sweep in kind.sweeps(Wider()) for config in sweep.configs
    )
    assert all("width=40" in note for note in source.missing)
    assert figure.caption()
    assert figure.verdicts()


def test_the_command_adds_the_appendices(tmp_path, monkeypatch):
    asked = []

    def stub(folder, names, **options):
        asked.append(names)
        return Report("", (), "", [], ())

    monkeypatch.setattr(sys.modules["minilotto.report.build"], "reproduce", stub)
    out = ["reproduce", "--out", str(tmp_path / "r")]
    for words in (
        [],
        ["--figures", "7,5"],
        ["--figures", "3", "--appendices"],
        ["--appendices"],
        ["--appendices=false"],
    ):
        assert main([*out, *words]) == 0
    main_text, appended = ([kind.name for kind in kinds] for kinds in (MAIN_TEXT, APPENDICES))
    assert asked == [main_text, ["5", "7"], ["3", *appended], [*main_text, *appended], main_text]
    assert main([*out, "--appendices=perhaps"]) == 2
