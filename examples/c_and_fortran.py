"""A trained net as C, called by Python and by Fortran.

Run `python examples/c_and_fortran.py [picture.png]`. It needs a C compiler; with gfortran it also
compiles and runs examples/call_net.f90.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import minilotto as ml


def compiled(source):
    """The functions of a C file, by ctypes."""
    library = source.with_suffix(".so")
    subprocess.run(
        ["cc", "-std=c99", "-O3", "-shared", "-fPIC", source, "-o", library, "-lm"], check=True
    )
    functions = ctypes.CDLL(str(library))
    functions.ticket.restype = functions.ticket_with_slope.restype = ctypes.c_double
    functions.ticket.argtypes = [ctypes.c_double]
    functions.ticket_with_slope.argtypes = [ctypes.c_double, ctypes.POINTER(ctypes.c_double)]
    return functions


def run_fortran(source, folder):
    """The output of call_net.f90."""
    program, net = folder / "call_net", source.with_suffix(".o")
    subprocess.run(["cc", "-std=c99", "-O3", "-c", source, "-o", net], check=True)
    fortran = Path(__file__).with_name("call_net.f90")
    subprocess.run(["gfortran", fortran, net, "-o", program, "-lm"], check=True, cwd=folder)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def main(picture="c_and_fortran.png"):
    if shutil.which("cc") is None:
        print("skipped: no C compiler (cc) is installed")
        return
    nets = ml.train(ml.Config(width=4, task="sin", steps=5000), seeds=100)
    best = nets[int(np.nanargmin(nets.loss))]
    x, slope = np.linspace(-4, 4, 401), ctypes.c_double()
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "ticket.c"
        text = best.to_c(source, name="ticket")
        functions = compiled(source)
        values = np.array([functions.ticket(at) for at in x])
        slopes = np.empty_like(x)
        for i, at in enumerate(x):
            functions.ticket_with_slope(at, ctypes.byref(slope))
            slopes[i] = slope.value
        print(
            f"{len(text.splitlines())} lines of C; largest difference from predict: "
            f"{np.abs(values - best.predict(x)[0]).max():.1e}"
        )
        if shutil.which("gfortran") is None:
            print("the Fortran part is skipped: gfortran is not installed")
        else:
            print(run_fortran(source, Path(name)))

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    ax = figure.subplots()
    ax.plot(x, np.sin(x), color="0.7", label="sin x")
    ax.plot(x, values, "C0", label="ticket(x) in C")
    ax.plot(x, slopes, "C1", label="its slope")
    ax.axvspan(-2, 2, color="0.93", zorder=0)
    ax.text(0, -1.15, "trained here", ha="center", fontsize=8)
    ax.set(xlabel="x", ylim=(-1.2, 1.8))
    ax.legend(frameon=False, loc="upper center", ncols=3, fontsize=8)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
