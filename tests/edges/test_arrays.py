"""Arrays that are none, or not what they look like, at everything that takes an array."""

import numpy as np
import pytest
from edges.entries import ARRAYS, OF_SCIKIT_LEARN, PARAMETERS, QUICK, TRAINED_ON, X, Y, quick_nets

import minilotto as ml
from minilotto.analysis.landscape.pruning import by_elimination, by_merging, by_size, by_tickets
from minilotto.data.dataset import given
from minilotto.settings.tasks import Task


class Raising:
    """An array-like whose conversion fails."""

    def __init__(self, error):
        self.error = error

    def __array__(self, *args, **kwargs):
        raise self.error


class WithoutLength:
    def __len__(self):
        raise RuntimeError("no\nlength")

    def __getitem__(self, i):
        return 1.0


def masked(values):
    return np.ma.array(values, mask=np.arange(len(values)) > 2)


def with_gradient():
    torch = pytest.importorskip("torch", reason="torch is not installed (extra torch)")
    return torch.ones(5, requires_grad=True)


def with_missing():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra pandas)")
    return pandas.array([1.0, None, 1.0, None, 1.0], dtype="Float64")


def sparse():
    from scipy.sparse import csr_array

    return csr_array(np.eye(5))


NO_ARRAYS = {
    "masked values": lambda: masked(X),
    "a list of masked arrays": lambda: [masked(X), masked(X)],
    "a masked constant": lambda: [1.0, 1.0, np.ma.masked, 1.0, 1.0],
    "masked integers": lambda: masked(np.arange(5)),
    "an __array__ that raises": lambda: Raising(RuntimeError("two\nlines")),
    "an __array__ that raises KeyError": lambda: Raising(KeyError("x")),
    "a __len__ that raises": WithoutLength,
    "rows of unequal length": lambda: [[1.0], [1.0, 2.0]],
    "complex numbers": lambda: X + 1j,
    "complex without imaginary parts": lambda: X + 0j,
    "objects": lambda: X.astype(object),
    "words": lambda: X.astype(str),
    "bytes": lambda: b"12345",
    "a word": lambda: "12345",
    "dates": lambda: np.zeros(5, "M8[s]"),
    "durations": lambda: np.zeros(5, "m8[s]"),
    "a structured array": lambda: np.zeros(5, [("x", float), ("y", float)]),
    "records": lambda: np.rec.array([(1.0, 2.0)] * 5),
    "a dict": lambda: {"x": X},
    "a set": lambda: {1.0, 2.0},
    "a generator": lambda: (x for x in X),
    "a class": lambda: ml.Config,
    "a tensor that requires gradients": with_gradient,
    "a table's missing values": with_missing,
    "a sparse matrix": sparse,
    "a huge broadcast shape": lambda: np.broadcast_to(1.0, (10**12,)),
    "a huge broadcast of float32": lambda: np.broadcast_to(np.float32(1), (10**12, 1)),
    "none in four dimensions": lambda: np.zeros((5, 1, 1, 0)),
    "NaN": lambda: np.full(5, np.nan),
    "infinity": lambda: [0.0, 1.0, -np.inf, 1.0, 0.0],
    "beyond float64": lambda: np.full(5, np.longdouble("1e4000")),
    "an empty array": lambda: np.zeros((0, 3)),
}
OF_NO_NETS = ("none in four dimensions", "an empty array")
OF_PARAMETERS = ("NaN", "infinity", "beyond float64")  # diverged nets have them
CASES = [
    (entry, thing)
    for entry in (*ARRAYS, *PARAMETERS)
    for thing in NO_ARRAYS
    if not (entry in PARAMETERS and thing in OF_PARAMETERS)
    and not (entry in ("select", "an index") and thing in OF_NO_NETS)
]


@pytest.mark.parametrize(("entry", "thing"), CASES)
def test_what_is_no_array_of_real_numbers_is_refused_in_a_line(entry, thing):
    with pytest.raises((ml.DataError, ml.ConfigError)) as error:
        {**ARRAYS, **PARAMETERS}[entry](NO_ARRAYS[thing]())
    assert "\n" not in str(error.value)
    if "mask" in thing:
        assert "masked" in str(error.value)


@pytest.mark.parametrize("thing", ["masked values", "a list of masked arrays", "masked integers"])
@pytest.mark.parametrize("entry", OF_SCIKIT_LEARN)
def test_masked_values_are_refused_by_the_estimator_too(entry, thing):
    with pytest.raises(ml.DataError, match="masked"):
        OF_SCIKIT_LEARN[entry](NO_ARRAYS[thing]())


LAYOUTS = {
    "a list": lambda a: a.tolist(),
    "float32": lambda a: a.astype(np.float32),
    "Fortran order": np.asfortranarray,
    "backwards": lambda a: a[::-1].copy()[::-1],
    "every second": lambda a: np.repeat(a, 2, axis=0)[::2],
    "an unmasked masked array": np.ma.array,
    "read-only": lambda a: np.broadcast_to(a, a.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_trains_the_same_nets(layout, tmp_path):
    change = LAYOUTS[layout]
    x, y = (np.array([-1.0, -0.5, 0.0, 0.5, 1.0]), np.array([1.0, 0.25, 0.0, 0.25, 1.0]))
    nets, plain = (ml.train(QUICK, 2, data=data) for data in ((change(x), change(y)), (x, y)))
    np.testing.assert_array_equal(nets.w, plain.w)
    np.testing.assert_array_equal(plain.predict(change(x)), plain.predict(x))


def test_a_file_of_numbers_may_change_after_it_was_given(tmp_path):
    kept = np.memmap(tmp_path / "x", np.float64, "w+", shape=5)
    kept[:] = X
    data = ml.Dataset(kept, Y)
    kept[:] = 7.0
    np.testing.assert_array_equal(data.x[:, 0], X)


# Callables of the caller's
def spoiling(x):
    y = x[:, 0] ** 2
    x[:] = 7.0
    return y


@pytest.mark.parametrize(
    "train",
    [
        lambda f: ml.train(QUICK, 2, target=f),
        lambda f: ml.train(QUICK, 2, target=Task("spoiling", "x^2", "x^2", f)),
        lambda f: ml.train(QUICK.replace(sampling="uniform"), 2, target=f),
    ],
)
def test_a_target_that_changes_its_argument_gets_a_copy(train):
    spoilt, plain = train(spoiling), train(lambda x: x[:, 0] ** 2)
    np.testing.assert_array_equal(spoilt.data.x, plain.data.x)
    np.testing.assert_array_equal(spoilt.w, plain.w)


def test_a_target_may_keep_what_it_returned():
    kept = np.zeros(100)
    nets = ml.train(QUICK, 2, target=lambda x: kept)
    kept[:] = 1.0
    assert nets.data.y.max() == 0.0


# Datasets
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones(20), np.ones(3)), "20 points"),
        ((X, Y, np.ones((5, 1))), "(5, 1)"),
        ((X, Y, np.ones(4)), "(4,)"),
        ((X, Y, -np.ones(5)), "at least 0"),
        ((X, Y, np.zeros(5)), "positive sum"),
        ((X, Y, np.full(5, np.nan)), "NaN"),
        ((np.arange(5), Y), "int64"),
        ((X > 0, Y), "bool"),
        ((X, Y, None, np.nan), "offset"),
        ((X, Y, None, 0.0, "sin"), "population"),
        ((X, Y, None, 0.0, ml.TASKS["product2"]), "population"),
        ((X, Y, None, 0.0, None, ("a", "b")), "names"),
    ],
)
def test_a_dataset_checks_what_it_is_made_of(arguments, words):
    with pytest.raises(ml.DataError) as error:
        ml.Dataset(*arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_dataset_is_normalised_as_arrays_are():
    weight = np.arange(1.0, 6.0)
    made, as_given = ml.Dataset(X.tolist(), Y, weight), given(X, Y, weight)
    for name in ("x", "y", "weight"):
        array = getattr(made, name)
        np.testing.assert_array_equal(array, getattr(as_given, name))
        assert not array.flags.writeable
    assert made.x.shape == (5, 1)
    nets, same = (ml.train(QUICK, 2, data=data) for data in (made, (X, Y, weight)))
    np.testing.assert_array_equal(nets.w, same.w)
    assert ml.Dataset(X, Y).weight.tolist() == [0.2] * 5


def test_a_dataset_of_a_datasets_arrays_is_the_same():
    random = np.random.default_rng(0)
    data = ml.Dataset(random.random(1000), random.random(1000), random.random(1000))
    np.testing.assert_array_equal(ml.Dataset(data.x, data.y, data.weight).weight, data.weight)


# Precision
TIME = 1e9 + 1e-4 * np.arange(5.0)


@pytest.mark.parametrize("entry", TRAINED_ON)
@pytest.mark.parametrize(("x", "y"), [(TIME, Y), (X, TIME), (X * 1e-42, Y), (1e8 + X, Y)])
def test_numbers_that_float32_would_merge_are_refused(entry, x, y):
    with pytest.raises(ml.DataError, match="float64"):
        TRAINED_ON[entry](x, y)


@pytest.mark.parametrize("entry", TRAINED_ON)
@pytest.mark.parametrize(
    ("x", "y"), [(100.0 + X, Y), (X, np.ones(5)), (X, 1 + 1e-16 * Y), (0 * X, Y)]
)
def test_numbers_that_float32_tells_apart_or_that_are_constant_are_taken(entry, x, y):
    assert len(TRAINED_ON[entry](x, y)) == 2


# Nets that are none
def test_nets_that_diverged_or_none_are_refused_where_they_could_not_be_used():
    nets = quick_nets()
    broken = nets.with_parameters((nets.w * np.nan, nets.b, nets.v, nets.c))
    with pytest.raises(ml.ConfigError, match="finite"):
        broken[0].to_scipy()
    with pytest.raises(ml.ConfigError, match="finite"):
        broken.to_c()
    with pytest.raises(ml.ConfigError, match="no net"):
        nets.select([]).distill(1)
    with pytest.raises(ml.DataError, match="complex"):
        nets.with_parameters((nets.w + 1j, nets.b, nets.v, nets.c))


@pytest.mark.parametrize("analyse", [by_size, by_merging, by_tickets, by_elimination])
def test_an_analysis_of_finite_nets_refuses_none(analyse):
    none = quick_nets()[[]]
    with pytest.raises(ml.DataError, match="no net to analyse"):
        analyse(none.activation, none.parameters, none.data)


@pytest.mark.parametrize("changes", [{}, {"task": "product2", "points": 9}, {"depth": 2}], ids=str)
def test_nets_that_all_diverged_have_no_loss(changes):
    nets = ml.train(QUICK.replace(**changes), 3)
    broken = nets.with_parameters([array * np.nan for array in nets.parameters])
    assert np.isnan(broken.population_loss).all()
    assert broken[[]].population_loss.shape == broken[[]].loss_on(nets.data).shape == (0,)
