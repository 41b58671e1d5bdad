"""A network's bits do not depend on the vectors that the CPU has: AVX-512, AVX2 or none, they are
the same.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

import minilotto as ml
from minilotto.kernels.simd import lane_count, target_features

AVX2 = (
    "+avx,+avx2,+fma,+sse4.2,+sse4.1,+ssse3,+sse3,+sse2,+sse,+bmi,+bmi2,+f16c,+popcnt,+lzcnt,"
    "+fxsr,+cx16"
)
PROGRAM = """
import sys, numpy as np, minilotto as ml
from minilotto.kernels.simd import lane_count
assert lane_count("float32") == int(sys.argv[1]), lane_count("float32")
for name in sys.argv[2].split(","):
    config = ml.Config(width=3, steps=300, activation=name)
    print(ml.train(config, seeds=9, threads=1).w.tobytes().hex())
config = ml.Config(width=3, steps=50, optimizer="lm", dtype="float64")
print(ml.train(config, seeds=9, threads=1, compress=False).w.tobytes().hex())
"""


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in target_features(), reason="this CPU has no AVX2 to compare with")
@pytest.mark.parametrize(
    ("cpu", "features", "lanes", "activations"),
    [
        ("haswell", AVX2, 8, ("silu", "gelu", "tanh")),
        ("x86-64", "+sse,+sse2,+fxsr,+cx16", 4, ("silu",)),
    ],
)
def test_bits_do_not_depend_on_the_vector_width(tmp_path, cpu, features, lanes, activations):
    if lane_count("float32") == lanes:
        pytest.skip("this CPU's own vectors are the ones to compare with")
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    words = [sys.executable, "-c", PROGRAM, str(lanes), ",".join(activations)]
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    *trained, second_order = done.stdout.split()
    config = ml.Config(width=3, steps=50, optimizer="lm", dtype="float64")
    here = ml.train(config, seeds=9, threads=1, compress=False)
    assert bytes.fromhex(second_order) == here.w.tobytes()
    for name, bits in zip(activations, trained, strict=True):
        here = ml.train(ml.Config(width=3, steps=300, activation=name), seeds=9, threads=1)
        assert np.frombuffer(bytes.fromhex(bits), np.float32).tobytes() == here.w.tobytes(), name
