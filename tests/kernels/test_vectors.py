"""A network's bits do not depend on the vectors that the CPU has: AVX-512, AVX2 or none, they are
the same.
"""

import json
import os
import subprocess
import sys

import pytest

import minilotto as ml
from minilotto.kernels.simd import lane_count, target_features

AVX2 = (
    "+avx,+avx2,+fma,+sse4.2,+sse4.1,+ssse3,+sse3,+sse2,+sse,+bmi,+bmi2,+f16c,+popcnt,+lzcnt,"
    "+fxsr,+cx16"
)
BATCHES = [
    {"batch": 7},
    {"batch": 10, "points": 300},
    {"batch": 3, "sampling": "population"},
    {"batch": 4, "task": "product2", "dtype": "float64"},
    {"optimizer": "lm", "dtype": "float64"},
    {"depth": 3, "residual": True},
]
SPACED = [{"compress": False}, {"compress": False, "dtype": "float64"}]
PROGRAM = """
import json, sys, numpy as np, minilotto as ml
from minilotto.kernels.simd import lane_count
assert lane_count("float32") == int(sys.argv[1]), lane_count("float32")
for fields in json.loads(sys.argv[2]):
    compress = fields.pop("compress", True)
    config = ml.Config(width=3, steps=300, **fields)
    print(ml.train(config, seeds=9, threads=1, compress=compress).w.tobytes().hex())
"""


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in target_features(), reason="this CPU has no AVX2 to compare with")
@pytest.mark.parametrize(
    ("cpu", "features", "lanes", "configs"),
    [
        (
            "haswell",
            AVX2,
            8,
            [*({"activation": a} for a in ("silu", "gelu", "tanh")), *BATCHES, *SPACED],
        ),
        ("x86-64", "+sse,+sse2,+fxsr,+cx16", 4, [{}, BATCHES[0], SPACED[0]]),
    ],
)
def test_bits_do_not_depend_on_the_vector_width(tmp_path, cpu, features, lanes, configs):
    if lane_count("float32") == lanes:
        pytest.skip("this CPU's own vectors are the ones to compare with")
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    words = [sys.executable, "-c", PROGRAM, str(lanes), json.dumps(configs)]
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=600, check=True
    )
    for fields, bits in zip(configs, done.stdout.split(), strict=True):
        others = {name: value for name, value in fields.items() if name != "compress"}
        config, compress = ml.Config(width=3, steps=300, **others), fields.get("compress", True)
        here = ml.train(config, seeds=9, threads=1, compress=compress)
        assert bytes.fromhex(bits) == here.w.tobytes(), fields
