"""L-BFGS and least squares of SciPy continue where Adam stopped.

Run `python examples/optimisers.py [picture.png]`. The matrices are small: where other programs use
the cores too, OPENBLAS_NUM_THREADS=1 makes L-BFGS ten times faster.
"""

import sys
import time

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import least_squares, minimize

import minilotto as ml


def finish(nets, name, optimise):
    """The nets with each row of parameters replaced by optimise(theta)."""
    began = time.perf_counter()
    thetas = [optimise(theta) for theta in ml.pack(nets.parameters)]
    done = nets.with_parameters(ml.unpack(np.array(thetas)))
    print(
        f"{name:24s} median loss {np.median(done.loss):.1e}, best {done.loss.min():.1e}, "
        f"{time.perf_counter() - began:.1f} s"
    )
    return done


def main(picture="optimisers.png"):
    # float64, because L-BFGS depends on small differences of losses.
    nets = ml.train(ml.Config(width=5, steps=1000, dtype="float64"), seeds=16)
    print(
        f"{'Adam, 1000 steps':24s} median loss {np.median(nets.loss):.1e}, best "
        f"{nets.loss.min():.1e}"
    )
    x, y, weight = nets.data.x, nets.data.y, nets.data.weight

    def l_bfgs(theta):
        options = {"maxiter": 300, "maxfun": 400, "ftol": 0, "gtol": 1e-12}
        return minimize(
            ml.loss_and_gradient,
            theta,
            (x, y, weight),
            jac=True,
            method="L-BFGS-B",
            options=options,
        ).x

    def squares(theta):
        return least_squares(
            ml.residuals,
            theta,
            ml.residual_jacobian,
            args=(x, y, weight),
            max_nfev=100,
            xtol=1e-15,
            ftol=1e-15,
        ).x

    finished = {
        "Adam, 1000 steps": nets,
        "then L-BFGS, 300": finish(nets, "then L-BFGS, 300", l_bfgs),
        "then least_squares, 100": finish(nets, "then least_squares, 100", squares),
    }
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    ax = figure.subplots()
    for name, found in finished.items():
        ax.semilogy(np.sort(found.loss), "o-", markersize=3, label=name)
    ax.set(xlabel="nets, best first", ylabel="loss", title="sixteen nets of five neurons on x²")
    ax.legend(frameon=False)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
