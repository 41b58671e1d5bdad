"""The estimator keeps scikit-learn's contract, learns, and combines its nets as it says."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra sklearn)")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

import minilotto as ml
from minilotto.training.estimator import NetsRegressor

QUICK = {"width": 5, "seeds": 4, "steps": 300, "random_state": 0}
X = np.linspace(-2, 2, 60)[:, None]
Y = 300.0 + 50.0 * X[:, 0] ** 2


@pytest.mark.slow
@parametrize_with_checks([NetsRegressor(**QUICK)])
@pytest.mark.filterwarnings("ignore")  # the checks warn on purpose
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_it_learns_in_the_units_of_its_data():
    assert NetsRegressor(width=10, seeds=16, random_state=0).fit(X, Y).score(X, Y) > 0.9999
    assert (
        NetsRegressor(width=10, seeds=16, random_state=0)
        .fit(1e6 * X, 1e-6 * Y)
        .score(1e6 * X, 1e-6 * Y)
        > 0.9999
    )


@pytest.mark.parametrize("exponent", [-900, 900])
def test_units_far_from_one_change_nothing(exponent):
    """Squares of these overflow or vanish."""
    once = NetsRegressor(**QUICK).fit(X, Y, np.ones(60)).predict(X)
    x, y, weight = (np.ldexp(values, exponent) for values in (X, Y, np.ones(60)))
    far = NetsRegressor(**QUICK).fit(x, y, weight).predict(x)
    np.testing.assert_array_equal(np.ldexp(far, -exponent), once)


@pytest.mark.parametrize("combine", ["best", "median", "mean"])
def test_nets_are_combined_as_said(combine):
    model = NetsRegressor(**QUICK, combine=combine, share=0.75).fit(X, Y)
    assert (np.diff(model.nets_.loss) >= 0).all()
    standard = (X - X.mean()) / X.std()
    outputs = Y.mean() + Y.std() * model.nets_.predict(standard)
    expected = {
        "best": outputs[0],
        "median": np.median(outputs[:3], axis=0),
        "mean": outputs[:3].mean(axis=0),
    }[combine]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)


def test_random_state_decides():
    once, again = (NetsRegressor(**QUICK).fit(X, Y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    other = NetsRegressor(**{**QUICK, "random_state": 1}).fit(X, Y).predict(X)
    assert (once != other).any()
    drawn = (
        NetsRegressor(**{**QUICK, "random_state": np.random.RandomState(3)}).fit(X, Y).predict(X)
    )
    assert np.isfinite(drawn).all()


def test_points_of_weight_zero_do_not_count():
    weight = (X[:, 0] > 0).astype(float)
    weighted = NetsRegressor(**QUICK).fit(X, Y, sample_weight=weight).predict(X)
    np.testing.assert_allclose(
        weighted, NetsRegressor(**QUICK).fit(X[weight > 0], Y[weight > 0]).predict(X), rtol=1e-9
    )


def test_it_works_in_pipelines_and_searches():
    search = GridSearchCV(NetsRegressor(**QUICK), {"width": [1, 5]}, cv=3).fit(X, Y)
    assert search.best_params_["width"] in (1, 5)
    pipeline = make_pipeline(
        PolynomialFeatures(2, include_bias=False), clone(NetsRegressor(**QUICK))
    )
    assert pipeline.fit(X, Y).score(X, Y) > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"combine": "worst"}, "combine='worst' is unknown"),
        ({"share": 0.0}, "share="),
        ({"share": 1.5}, "share="),
        ({"width": 0}, "width=0"),
        ({"steps": 0}, "steps=0"),
        ({"activation": "slu"}, "activation='slu'"),
        ({"seeds": 0}, "seeds=0"),
    ],
)
def test_wrong_settings_are_refused_when_fitted(settings, message):
    with pytest.raises(ml.ConfigError, match=message):
        NetsRegressor(**{**QUICK, **settings}).fit(X, Y)


def test_nets_that_all_diverge_are_reported():
    with pytest.raises(ml.ResourceError, match="all 4 nets diverged"):
        NetsRegressor(**QUICK, lr=1e300).fit(X, Y)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "lm", "steps": 30},
        pytest.param({"optimizer": "momentum", "schedule": "cosine"}, marks=pytest.mark.slow),
        pytest.param({"batch": 20, "schedule": "linear"}, marks=pytest.mark.slow),
    ],
)
def test_other_optimisers_schedules_and_batches_fit(settings):
    x = np.linspace(-2, 2, 50)[:, None]
    nets = NetsRegressor(**{"width": 5, "seeds": 8, "steps": 2000, "random_state": 0, **settings})
    assert nets.fit(x, x[:, 0] ** 2).score(x, x[:, 0] ** 2) > 0.99
    assert nets.nets_.config.optimizer == settings.get("optimizer", "adam")


def test_an_unknown_optimiser_is_named():
    x = np.linspace(-2, 2, 50)[:, None]
    with pytest.raises(ml.ConfigError, match="optimizer='sgd' is unknown; choose from adam"):
        NetsRegressor(optimizer="sgd").fit(x, x[:, 0])
