"""What CONTRIBUTING.md says of adding an activation and an optimiser is done to a copy of the
package, word for word.
"""

import re
from pathlib import Path

import pytest

import minilotto as ml

ROOT = Path(ml.__file__).resolve().parent.parent
PAGE = ROOT / "CONTRIBUTING.md"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PAGE.exists(), reason="only a source tree has CONTRIBUTING.md"),
]

TRAIN = """
import numpy as np
import minilotto as ml
from minilotto.engines.check import compare

config = ml.Config(width=3, steps=300, activation="gaussian", dtype="float64")
nets = ml.train(config, seeds=4, threads=1)
plain = ml.train(config, seeds=4, backend="reference")
assert nets.engine == "lanes, compressed", nets.engine
assert plain.loss.max() < 0.5 * plain.history.loss[0].max()
np.testing.assert_allclose(nets.w, plain.w, rtol=0, atol=1e-8)
np.testing.assert_allclose(nets.predict([0.3]), plain.predict([0.3]), rtol=0, atol=1e-8)
(comparison,) = compare(["gaussian"], ["square"], ["float64"])
assert comparison.passed and 0 < comparison.errors["reference"], comparison.errors
assert list(comparison.errors) == ["reference"]
assert "double net_with_slope(double x, double *slope)" in nets[0].to_c()
print("trained")
"""


LION = """
import numpy as np
import minilotto as ml
from minilotto.data.dataset import sampled
from minilotto.initialisation import initial_parameters
from minilotto.oracles import numpy_reference

config = ml.Config(width=3, steps=50, optimizer="lion", lr=1e-3, dtype="float64", beta1=0.8)
data = sampled(config)
theta = initial_parameters(config, 1, np.arange(4))
m = [np.zeros_like(array) for array in theta]
for step in range(50):
    _, gradient = numpy_reference.loss_and_gradient("silu", *theta, data.x, data.y, data.weight)
    for p, memory, g in zip(theta, m, gradient):
        p -= config.rate(step) * np.sign(0.8 * memory + 0.2 * g)
        memory += 0.001 * (g - memory)
for engine in ("lanes", "wide", "compressed"):
    nets = ml.train(config, seeds=4, threads=1, engine=engine)
    np.testing.assert_allclose(nets.w, theta.w, rtol=0, atol=1e-12)
print("trained")
"""


def block(mark: str) -> str:
    """The code block after that comment."""
    (found,) = re.findall(
        rf"<!-- {re.escape(mark)} -->\n```python\n(.*?)```",
        PAGE.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    return found


def put_before(path: Path, anchor: str, text: str) -> None:
    """Put `text` before the one place where `anchor` stands."""
    whole = path.read_text(encoding="utf-8")
    assert whole.count(anchor) == 1, anchor
    path.write_text(whole.replace(anchor, text + anchor), encoding="utf-8")


def test_a_row_and_a_formula_make_an_activation(package, python):
    inner = package / "minilotto"
    put_before(
        inner / "settings/activations.py",
        ")\n\nACTIVATIONS = ",
        f"    {block('a row of minilotto/settings/activations.py').rstrip()},\n",
    )
    formulas = inner / "kernels" / "formulas.py"
    put_before(
        formulas,
        "class Formula(NamedTuple):",
        block("a formula of minilotto/kernels/formulas.py") + "\n\n",
    )
    put_before(
        formulas, "}\n\n\n# The kernel's first argument", f"    {block('a line of FORMULAS')}"
    )
    done = python("-W", "error", "-c", TRAIN, root=package)
    assert done.status == 0, done.err
    assert done.out == "trained\n"


def test_a_row_and_a_formula_make_an_optimiser(package, python):
    inner = package / "minilotto"
    put_before(
        inner / "settings/optimizers.py",
        ")\nOPTIMIZERS = ",
        f"    {block('a row of minilotto/settings/optimizers.py').rstrip()},\n",
    )
    updates = inner / "kernels" / "updates.py"
    put_before(updates, "UPDATES = {", block("a formula of minilotto/kernels/updates.py") + "\n\n")
    put_before(updates, '    "momentum": momentum,', f"    {block('a line of UPDATES')}")
    text = updates.read_text(encoding="utf-8")
    updates.write_text(text.replace("import fma, like", "import fma, like, with_sign_of"))
    done = python("-W", "error", "-c", LION, root=package)
    assert done.status == 0, done.err
    assert done.out == "trained\n"


def test_the_row_of_the_page_is_right():
    """Its slope and curvature by central differences, whose error is some h^2."""
    import numpy as np
    from numpy.testing import assert_allclose

    row = eval(
        block("a row of minilotto/settings/activations.py"), {"np": np, "Activation": ml.Activation}
    )
    z, h = np.linspace(-4, 4, 81), 1e-5
    assert_allclose(row.slope(z), (row.value(z + h) - row.value(z - h)) / (2 * h), atol=1e-9)
    assert_allclose(row.curvature(z), (row.slope(z + h) - row.slope(z - h)) / (2 * h), atol=1e-9)
