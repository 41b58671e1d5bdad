"""The site: what its pages name and link to exists, and everything public has a page."""

import inspect
import sys
from pathlib import Path

import pytest
from test_docstrings import PUBLIC

import minilotto as ml

ROOT = Path(ml.__file__).resolve().parent.parent
SITE = ROOT / "docs" / "site"
pytestmark = pytest.mark.skipif(not SITE.exists(), reason="only a source tree has the site")


@pytest.fixture(scope="module")
def build():
    for package in ("onnx", "pandas", "sklearn", "torch"):
        pytest.importorskip(package, reason="the site is built where the extras are installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SITE))
        import build

        yield build
    for name in ("build", "reference"):
        sys.modules.pop(name)


@pytest.fixture
def elsewhere(build, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "SOURCE", tmp_path)
    return tmp_path


def test_everything_public_has_a_page(build):
    found = build.reference.documented()
    assert {f"minilotto.{name}" for name in ml.__all__} <= set(found)
    assert {"minilotto.Ensemble.save", "minilotto.Ensemble.predict"} <= set(found)
    plain = [inspect.unwrap(getattr(value, "__func__", value)) for value in found.values()]
    known = {id(getattr(value, "py_func", value)) for value in plain}
    assert [name for name, value in PUBLIC.items() if id(value) not in known] == []


def test_the_pages_list_each_name_once(build):
    texts = dict(build.reference.pages())
    assert texts["minilotto.rst"].count("\n   train\n") == 1
    listed = [name for names in build.reference.OWN.values() for name in names.split()]
    assert sorted(listed) == sorted(ml.__all__)


def test_the_pages_name_what_exists_and_link_to_what_is_there(build, elsewhere):
    build.write_pages()
    text = (elsewhere / "guide" / "engine.md").read_text(encoding="utf-8")
    assert "../source/minilotto/kernels/simd.py.rst" in text
    assert (elsewhere / "source/minilotto/kernels/simd.py.rst").exists()
    assert "{py:obj}`ml.pack" in (elsewhere / "guide/embedding.md").read_text("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "`ml.trian(config)` trains",
        "call `nets.slect(mask)`",
        "`config.replaced(width=3)`",
        "`minilotto.analysis.stats.nosuch`",
        "`minilotto.kernels.single.nosuch(form)`",
        "`store.verfy()`",
        "| `ml.Ensemble.to_julia()` | a table |",
    ],
)
def test_a_name_that_does_not_exist_is_refused(build, text):
    with pytest.raises(build.BadPage, match="does not exist"):
        build.linked(text)


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("`ml.train(config)`", "{py:obj}`ml.train(config) <minilotto.train>`"),
        ("`nets.select(mask)`", "{py:obj}`nets.select(mask) <minilotto.Ensemble.select>`"),
        ("`nets.loss`", "`nets.loss`"),
        ("`nets.npz`", "`nets.npz`"),
        ("## `ml.train`", "## `ml.train`"),
        ("[`ml.train`](engine.md)", "[`ml.train`](engine.md)"),
        ("`x.train`, `mlx.train`", "`x.train`, `mlx.train`"),
    ],
)
def test_names_are_led_to_their_pages(build, text, linked):
    assert build.linked(text) == linked


@pytest.mark.parametrize("target", ["nosuch.md", "../minilotto/nosuch.py", "../examples/no.py"])
def test_a_link_that_leads_nowhere_is_refused(build, target):
    with pytest.raises(build.BadPage, match="leads nowhere"):
        build.led(target, ROOT / "docs" / "engine.md", "guide/engine.md")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('no such thing')", r"broken.py fails: [\s\S]*no such thing"),
        ("import warnings; warnings.warn('is going')", r"broken.py fails: [\s\S]*is going"),
        ("print('drawn')", "broken.py draws nothing"),
        ("import sys; open(sys.argv[1], 'w').write('small')", "broken.py draws nothing"),
    ],
)
def test_an_example_that_fails_stops_the_build(build, elsewhere, tmp_path, text, said):
    example = tmp_path / "broken.py"
    example.write_text(text)
    with pytest.raises(build.BadPage, match=said):
        build.run_example(example)
